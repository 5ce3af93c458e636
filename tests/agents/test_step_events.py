"""An agent's steps as typed events: what was said, which tools were called, what they gave, the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import pydantic
import pytest
from pydantic import BaseModel

from phalanx import (
    Agent,
    AgentFinalResponse,
    AgentFinalResponseEvent,
    AgentPlan,
    AgentPlanEvent,
    AgentStep,
    AgentStepEvent,
    AgentStreamEnd,
    AgentStreamStart,
    AgentTeam,
    AgentToken,
    AgentToolResultsEvent,
    FunctionTool,
    MaxIterationsError,
    StreamingEvent,
    ToolCall,
)
from phalanx.messages import Completion, Request
from phalanx.testing import FunctionModel, ScriptedModel


def wants(*calls: tuple[str, dict[str, object]], text: str = "", reasoning: str = "") -> Completion:
    """A completion that calls tools; the ids repeat from one to the next, as some providers' do."""
    made = tuple(ToolCall(id=f"c{at}", tool_name=name, parameters=given) for at, (name, given) in enumerate(calls))
    return Completion(text=text, reasoning=reasoning, tool_calls=made, finish_reason="tool_calls")


async def add(a: int, b: int = 1) -> int:
    """Add."""
    return a + b


async def collect(agent: Agent, events: list[StreamingEvent]) -> None:
    """Put a run's events into a list, as far as they come."""
    async for event in agent.run_stream("Go."):
        events.append(event)


async def steps_of(agent: Agent) -> list[StreamingEvent]:
    events: list[StreamingEvent] = []
    await collect(agent, events)
    return events


def told(events: Sequence[StreamingEvent]) -> list[tuple[str, str]]:
    """Kind and step of each event but the tokens."""
    return [(event.kind, event.step_id) for event in events if not isinstance(event, AgentToken)]


def results(events: Sequence[StreamingEvent]) -> list[list[tuple[bool, object]]]:
    """Success, and output or error, of each step's tools."""
    return [
        [(each.success, each.output if each.success else each.error) for each in event.results]
        for event in events
        if isinstance(event, AgentToolResultsEvent)
    ]


async def test_a_run_without_tools_is_what_is_said_and_the_answer() -> None:
    events = await steps_of(Agent("coder", name="ada", model=ScriptedModel(["one two"])))
    first = "ada/model-1"
    assert events == [
        AgentStreamStart(step_id=first, agent_id="ada"),
        AgentToken(step_id=first, agent_id="ada", content="one"),
        AgentToken(step_id=first, agent_id="ada", content=" two"),
        AgentStreamEnd(step_id=first, agent_id="ada"),
        AgentFinalResponseEvent(step_id=first, agent_id="ada", response=AgentFinalResponse(final_answer="one two")),
    ]


async def test_a_step_with_tools_has_its_thought_its_calls_and_their_results() -> None:
    model = ScriptedModel([wants(("add", {"a": 2, "b": 3}), text="I add.", reasoning="2 and 3 are small."), "It is 5."])
    events = await steps_of(Agent("coder", name="ada", model=model, tools=[add]))
    one, two = "ada/model-1", "ada/model-2"
    assert told(events) == [
        ("stream.start", one), ("stream.end", one), ("plan", one), ("step", one), ("tool.results", one),
        ("stream.start", two), ("stream.end", two), ("final", two),
    ]  # fmt: skip
    plan = next(event for event in events if isinstance(event, AgentPlanEvent))
    assert plan.plan == AgentPlan(plan="2 and 3 are small.")
    step = next(event for event in events if isinstance(event, AgentStepEvent))
    call = ToolCall(id="c0", tool_name="add", parameters={"a": 2, "b": 3})
    assert step.step == AgentStep(tool_thought="I add.", tool_calls=(call,))
    assert results(events) == [[(True, 5)]]
    assert "".join(event.content for event in events if isinstance(event, AgentToken)) == "I add.It is 5."


async def test_results_come_in_the_order_of_the_calls_whichever_ends_first() -> None:
    async def wait(seconds: int) -> str:
        """Wait."""
        await anyio.sleep(seconds)
        return f"waited {seconds}"

    model = ScriptedModel([wants(("wait", {"seconds": 5}), ("wait", {"seconds": 3})), "Done."])
    events = await steps_of(Agent("coder", model=model, tools=[wait]))
    assert results(events) == [[(True, "waited 5"), (True, "waited 3")]]


async def test_calls_that_were_refused_have_results_that_say_why() -> None:
    async def broken() -> str:
        """Break."""
        raise OSError("disk\non fire")

    model = ScriptedModel([
        wants(("add", {"a": "many"}), ("add", {"a": 1}), ("sub", {})),
        wants(("broken", {})),
        wants(("add", {"z": 1})),
        "Sorry.",
    ])  # fmt: skip
    events = await steps_of(Agent("coder", model=model, tools=[add, broken]))
    first, second, third = results(events)
    assert [success for success, _ in first] == [False, True, False]
    assert "a: Input should be a valid integer" in str(first[0][1])
    assert first[1] == (True, 2)
    assert "no tool named 'sub'; there are: add, broken" in str(first[2][1])
    assert second == [(False, "tool 'broken' failed: OSError: disk\non fire")]
    assert "a: Field required" in str(third[0][1])
    assert told(events)[-1] == ("final", "coder/model-4")


async def test_tools_of_a_model_that_writes_its_calls_as_text_are_steps_too() -> None:
    block = '```tool_call\n{{"name": "{}", "arguments": {}}}\n```'
    model = ScriptedModel([
        "I will add.\n" + block.format("add", '{"a": 2, "b": 2}'),
        block.format("sub", "{}") + block.format("add", '{"a": 1}'),
        block.format("mul", "{}"),
        "It is 4.",
    ])  # fmt: skip
    model.native_tools = False
    events = await steps_of(Agent("coder", name="ada", model=model, tools=[add]))
    steps = [event.step for event in events if isinstance(event, AgentStepEvent)]
    assert [(step.tool_thought, [call.tool_name for call in step.tool_calls]) for step in steps] == [
        ("I will add.", ["add"]),
        (None, ["sub", "add"]),
        (None, ["mul"]),
    ]
    first, second, third = results(events)
    assert first == [(True, 4)]
    assert "no tool named 'sub'" in str(second[0][1])
    assert second[1] == (True, 2)
    assert "no tool named 'mul'" in str(third[0][1])
    assert isinstance(events[-1], AgentFinalResponseEvent)
    assert events[-1].step_id == "ada/model-4"


async def test_an_answer_that_is_repaired_is_final_once() -> None:
    class City(BaseModel):
        name: str

    model = ScriptedModel(["Ulm", '{"name": "Ulm"}'])
    events = await steps_of(Agent("coder", model=model, output=City))
    assert [event.response.final_answer for event in events if isinstance(event, AgentFinalResponseEvent)] == [
        '{"name": "Ulm"}'
    ]
    assert [kind for kind, _ in told(events)] == ["stream.start", "stream.end"] * 2 + ["final"]


async def test_what_a_team_does_as_a_tool_is_one_result_and_none_of_its_steps() -> None:
    inner = AgentTeam.pipeline(["first", "second"], model=FunctionModel(lambda request: request.about.member))
    model = ScriptedModel([wants(("pipeline", {"task": "Do it."})), "Done."])
    events = await steps_of(Agent("lead", model=model, tools=[inner.as_tool()]))
    assert results(events) == [[(True, "second")]]
    assert {event.step_id for event in events} == {"lead/model-1", "lead/model-2"}
    assert "".join(event.content for event in events if isinstance(event, AgentToken)) == "Done."


async def test_a_tool_of_the_same_name_inside_a_team_is_not_the_agents_own() -> None:
    async def plus(a: int) -> int:
        """Think."""
        return a

    async def minus(a: int) -> int:
        """Think."""
        return -a

    async def after_a_while(_: ToolCall) -> bool:
        await anyio.sleep(5)
        return True

    think = wants(("think", {"a": 1}))
    worker = Agent("worker", model=ScriptedModel([think, "Minus one."]))
    worker.register_tool(FunctionTool("think", "Think.", minus))
    inner = AgentTeam.pipeline([worker], name="inner")
    calls = (*think.tool_calls, ToolCall(id="c1", tool_name="inner", parameters={"task": "Do it."}))
    lead = Agent("lead", model=ScriptedModel([Completion(tool_calls=calls), "Done."]), approve=after_a_while)
    lead.register_tool(FunctionTool("think", "Think.", plus, needs_approval=True))
    lead.register_tool(inner.as_tool())
    assert results(await steps_of(lead)) == [[(True, 1), (True, "Minus one.")]]


async def test_calls_of_one_id_are_told_apart_by_their_order() -> None:
    calls = tuple(ToolCall(id="same", tool_name="add", parameters={"a": a}) for a in (1, 2, 2))
    model = ScriptedModel([Completion(tool_calls=calls), "Done."])
    events = await steps_of(Agent("coder", model=model, tools=[add]))
    assert results(events) == [[(True, 2), (True, 3), (True, 3)]]


async def test_an_error_of_the_run_is_raised_after_what_happened_before_it() -> None:
    model = ScriptedModel([wants(("add", {"a": 1}))] * 2)
    events: list[StreamingEvent] = []
    with pytest.raises(MaxIterationsError):
        await collect(Agent("coder", model=model, tools=[add], max_iterations=2), events)
    assert results(events) == [[(True, 2)]] * 2
    assert not any(isinstance(event, AgentFinalResponseEvent) for event in events)

    failed: list[StreamingEvent] = []
    with pytest.raises(RuntimeError, match="boom"):
        await collect(Agent("coder", model=ScriptedModel([RuntimeError("boom")])), failed)
    assert [event.kind for event in failed] == ["stream.start", "stream.end"]


async def test_events_come_while_the_run_goes_on_and_leaving_them_cancels_it() -> None:
    seen: list[str] = []

    async def slow(_: Request) -> str:
        seen.append("asked")
        try:
            await anyio.sleep(100)
        finally:
            seen.append("cancelled" if anyio.current_time() - started < 100 else "ended")
        return "late"

    started = anyio.current_time()
    async with Agent("coder", model=FunctionModel(slow)).run_stream("Go.") as events:
        async for event in events:
            assert isinstance(event, AgentStreamStart)
            await anyio.sleep(10)
            break
    assert seen == ["asked", "cancelled"]
    assert anyio.current_time() - started == pytest.approx(10, abs=1e-6)
    with pytest.raises(RuntimeError, match="was cancelled"):
        _ = events.result


async def test_the_result_is_there_after_the_last_event_under_both_names() -> None:
    agent = Agent("coder", model=ScriptedModel(["one", "two"]))
    events = agent.run_stream("Go.", {"part": "a"}, seed=3)
    kinds = [event.kind async for event in events]
    assert kinds[-1] == "final"
    assert events.result == "one"
    assert [event.kind async for event in agent.astream_events("Go.")][-1] == "final"
    with pytest.raises(TypeError, match="sed"):
        agent.run_stream("Go.", sed=3)


def test_events_and_records_are_frozen_and_have_the_documented_defaults() -> None:
    assert AgentPlan() == AgentPlan(plan="")
    assert AgentStep() == AgentStep(tool_thought=None, tool_calls=())
    given: Any = [ToolCall(id="1", tool_name="add")]
    assert AgentStep(tool_calls=given).tool_calls == tuple(given)
    token = AgentToken(step_id="s", content="a")
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        token.content = "b"
    for event in (token, AgentStreamStart(step_id="s"), AgentToolResultsEvent(step_id="s", results=())):
        assert type(event).model_validate_json(event.model_dump_json()) == event
