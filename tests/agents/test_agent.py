"""An agent by itself: tools, typed answers, streams, chat, hooks, results."""

from __future__ import annotations

import copy
import json
import pickle
from datetime import date
from typing import Any, Literal

import anyio
import pytest
from pydantic import BaseModel

from phalanx import (
    Agent,
    AgentResult,
    BaseTool,
    FunctionTool,
    LimitExceeded,
    Limits,
    MaxIterationsError,
    Message,
    ResponseParseError,
    Role,
    SimpleAgentMemory,
    SyncAgent,
    Task,
    TaskHook,
    ToolSet,
    tool,
)
from phalanx.agents.models.offline import FunctionModel, ScriptedModel
from phalanx.errors import InvalidToolSchemaError, ToolExecutionError, ToolNotFoundError
from phalanx.messages import Completion, Request, ToolCall, ToolResult
from phalanx.runtime.events import AnyEvent, StepFinished, StepStarted, Token, Warned
from tests.recording import Recording


def wants(*calls: tuple[str, dict[str, object]]) -> Completion:
    """A completion that calls tools."""
    made = tuple(ToolCall(id=f"c{at}", tool_name=name, parameters=given) for at, (name, given) in enumerate(calls))
    return Completion(tool_calls=made, finish_reason="tool_calls")


def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


# -- results ----------------------------------------------------------------------------------------------------------


async def test_a_result_is_text_with_facts() -> None:
    result = await Agent("coder", model=ScriptedModel(["print('hi')"])).run("Say hi.")
    assert result == "print('hi')"
    assert isinstance(result, str)
    assert result.upper() == "PRINT('HI')"
    assert type(result.content) is str
    assert (result.usage.calls, result.steps, result.cost, result.output) == (1, 1, 0.0, "print('hi')")
    assert result.messages[-1] == Message(role="assistant", content="print('hi')")
    assert json.loads(json.dumps(result)) == result.content
    for twin in (pickle.loads(pickle.dumps(result)), copy.deepcopy(result)):
        assert (twin, twin.usage, twin.messages) == (result, result.usage, result.messages)
        assert isinstance(twin, AgentResult)


# -- tools ------------------------------------------------------------------------------------------------------------


async def test_tools_are_called_and_their_results_go_back_to_the_model() -> None:
    model = ScriptedModel([wants(("add", {"a": 2, "b": 3})), "It is 5."])
    with model:
        result = await Agent("coder", model=model, tools=[add]).run("2 + 3?")
    assert result == "It is 5."
    assert [call.tool_name for call in result.tool_calls] == ["add"]
    spec = model.requests[0].tools[0]
    assert (spec.name, spec.description) == ("add", "Add two numbers.")
    assert spec.parameters["properties"] == {"a": {"type": "integer"}, "b": {"type": "integer", "default": 1}}
    answer = model.requests[1].messages[-1]
    assert (answer.role, answer.tool_call_id, answer.name) == ("tool", "c0", "add")
    assert "\n5\n" in answer.content
    assert result.steps == 2


async def test_wrong_arguments_come_back_to_the_model_as_what_is_wrong_and_nothing_is_called() -> None:
    called: list[int] = []

    def note(a: int) -> str:
        """Note."""
        called.append(a)
        return "noted"

    given: list[dict[str, object]] = [{"a": "many"}, {"a": 1, "z": 2}, {}]
    model = ScriptedModel([*(wants(("note", each)) for each in given), "Sorry."])
    await Agent("coder", model=model, tools=[note]).run("Go.")
    shown = [request.messages[-1].content for request in model.requests[1:]]
    assert "a: Input should be a valid integer" in shown[0]
    assert "z: Extra inputs are not permitted" in shown[1]
    assert "a: Field required" in shown[2]
    assert called == []


async def test_parallel_tool_calls_run_at_the_same_time_and_come_back_in_their_order() -> None:
    async def wait(seconds: int) -> str:
        """Wait."""
        await anyio.sleep(seconds)
        return f"waited {seconds}"

    model = ScriptedModel([wants(("wait", {"seconds": 5}), ("wait", {"seconds": 3})), "Done."])
    started = anyio.current_time()
    await Agent("coder", model=model, tools=[wait]).run("Go.")
    assert anyio.current_time() - started == 5
    first, second = model.requests[1].messages[-2:]
    assert "waited 5" in first.content
    assert "waited 3" in second.content


async def test_a_failing_tool_is_an_answer_to_the_model_up_to_a_count() -> None:
    async def broken() -> str:
        """Break."""
        raise OSError("disk on fire")

    model = ScriptedModel([wants(("broken", {})), "I could not."])
    result = await Agent("coder", model=model, tools=[broken]).run("Go.")
    assert "Error: tool 'broken' failed: OSError: disk on fire" in model.requests[1].messages[-1].content
    assert result == "I could not."
    with pytest.raises(ToolExecutionError, match="6 tool calls failed") as caught:
        await Agent("coder", model=ScriptedModel([wants(("broken", {}))] * 9), tools=[broken]).run("Go.")
    assert caught.value.tool_name == "broken"


async def test_a_tool_has_its_own_timeout() -> None:
    @tool(timeout=2)
    async def slow() -> str:
        """Take long."""
        await anyio.sleep(60)
        return "late"

    model = ScriptedModel([wants(("slow", {})), "Too slow."])
    started = anyio.current_time()
    await Agent("coder", model=model, tools=[slow]).run("Go.")
    assert anyio.current_time() - started == 2
    assert "TimeoutError" in model.requests[1].messages[-1].content


async def test_an_agent_that_never_stops_calling_tools_is_stopped() -> None:
    async def again() -> str:
        """Again."""
        return "again"

    model = ScriptedModel([wants(("again", {}))] * 3)
    with pytest.raises(MaxIterationsError, match="no final answer within 3 model calls") as caught:
        await Agent("coder", model=model, tools=[again], max_iterations=3).run("Go.")
    assert caught.value.max_iterations == 3


@pytest.mark.parametrize(
    ("approve", "ran"),
    [(None, False), (lambda call: call.parameters["path"] == "/tmp/x", True), (lambda _: False, False)],
)
async def test_a_tool_that_needs_approval_runs_only_when_somebody_approves(approve: Any, ran: bool) -> None:
    deleted: list[str] = []

    @tool(needs_approval=True)
    async def delete(path: str) -> str:
        """Delete a file."""
        deleted.append(path)
        return "deleted"

    model = ScriptedModel([wants(("delete", {"path": "/tmp/x"})), "Done."])
    await Agent("coder", model=model, tools=[delete], approve=approve).run("Go.")
    assert bool(deleted) == ran
    assert ("was denied" in model.requests[1].messages[-1].content) != ran


async def test_a_role_may_use_only_the_tools_it_names() -> None:
    model = ScriptedModel([wants(("add", {"a": 1})), "No."])
    role = Role(name="reader", tools=("read",))

    def read(path: str) -> str:
        """Read."""
        return path

    await Agent(role, model=model, tools=[add, read]).run("Go.")
    assert [spec.name for spec in model.requests[0].tools] == ["read"]
    assert "no tool named 'add'" in model.requests[1].messages[-1].content


async def test_a_model_without_native_tools_is_told_of_them_in_words_and_its_calls_are_read() -> None:
    wish = 'I will add.\n```tool_call\n{"name": "add", "arguments": {"a": 2, "b": 2}}\n```'
    model = ScriptedModel([wish, "It is 4."])
    model.native_tools = False
    result = await Agent("coder", model=model, tools=[add]).run("2 + 2?")
    assert model.requests[0].tools == ()
    assert '"name": "add"' in model.requests[0].messages[0].content
    assert "\n4\n" in model.requests[1].messages[-1].content
    assert result == "It is 4."
    assert result.tool_calls[0].parameters == {"a": 2, "b": 2}


async def test_tools_come_as_functions_classes_instances_and_sets() -> None:
    class Upper(BaseTool):
        name = "upper"
        description = "Shout."
        parameters = {"text": {"type": "string", "required": True}}

        async def execute(self, **arguments: Any) -> ToolResult:
            return ToolResult(output=arguments["text"].upper())

    class Echo:
        name = "echo"
        description = "Repeat."

        def get_schema(self) -> dict[str, Any]:
            return {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}

        async def execute(self, text: str) -> str:
            return text

    made = FunctionTool("plus", "Add.", add, {"type": "object", "properties": {"a": {"type": "integer"}}})
    calls = [("upper", {"text": "hi"}), ("echo", {"text": "yo"}), ("plus", {"a": 4})]
    model = ScriptedModel([wants(*calls), "Done."])  # type: ignore[arg-type]
    agent = Agent("coder", model=model, tools=[Upper, Echo(), made])
    assert agent.list_tools() == ["upper", "echo", "plus"]


async def test_a_toolsets_configuration_is_given_to_its_tools_and_shown_to_nobody() -> None:
    seen: list[str] = []

    async def send(to: str, api_key: str) -> str:
        """Send a mail."""
        seen.append(api_key)
        raise ConnectionError(f"refused for key {api_key}")

    mail = ToolSet(name="mail", description="All about mail.", tools=[send], config={"api_key": "sk-secret"})
    calls: list[tuple[str, dict[str, object]]] = [("send", {"to": "bob"}), ("send", {"to": "bob", "api_key": "stolen"})]
    model = ScriptedModel([wants(calls[0]), wants(calls[1]), "Done."])
    events: list[AnyEvent] = []
    result = await Agent("coder", model=model, tools=[mail]).run("Go.", on_event=events.append)
    assert seen == ["sk-secret"]
    assert "All about mail." in model.requests[0].messages[0].content
    assert "api_key" not in str(model.requests[0])
    assert "invalid arguments" in model.requests[2].messages[-1].content
    for place in (str(model.requests), repr(result.messages), repr(events), repr(mail)):
        assert "sk-secret" not in place


async def test_two_tools_of_one_name_and_an_unreadable_schema_are_refused() -> None:
    with pytest.raises(InvalidToolSchemaError, match="two tools have this name"):
        Agent("coder", tools=[add, FunctionTool("add", "Other.", len, {"type": "object"})])
    with pytest.raises(InvalidToolSchemaError, match="no argument 'zz'"):
        FunctionTool("add", "Add.", add, {"type": "object", "properties": {"zz": {}}})
    with pytest.raises(InvalidToolSchemaError, match="type must be 'object'"):
        FunctionTool("add", "Add.", add, {"type": "array"})


async def test_registering_unregistering_and_limiting_tools_for_one_run() -> None:
    model = ScriptedModel(["a", "b"])
    agent = Agent("coder", model=model)
    agent.register_tool(add)
    assert agent.list_tools() == ["add"]
    await agent.run("Go.")
    await agent.run("Go.", tools=[])
    assert [len(request.tools) for request in model.requests] == [1, 0]
    agent.unregister_tool("add")
    with pytest.raises(ToolNotFoundError):
        agent.unregister_tool("add")


async def test_names_that_are_no_tools_become_skills_and_a_warning() -> None:
    model = Recording()
    events: list[AnyEvent] = []
    await Agent(role="QA engineer", tools=["pytest", "selenium"], model=model).run("Test it.", on_event=events.append)
    assert "You know: pytest, selenium." in model.requests[0].messages[0].content
    assert [each.text for each in events if isinstance(each, Warned)] == [
        "'pytest' is no tool; it is named as a skill in the prompt instead",
        "'selenium' is no tool; it is named as a skill in the prompt instead",
    ]


# -- typed answers ----------------------------------------------------------------------------------------------------


class City(BaseModel):
    """A city."""

    name: str
    size: Literal["small", "large"]


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Ulm", "size": "small"}',
        'Here it is:\n```json\n{"name": "Ulm", "size": "small"}\n```',
        'I think {this} is it: {"name": "Ulm", "size": "small"} as asked.',
    ],
)
async def test_a_typed_answer_is_found_in_what_models_write(text: str) -> None:
    model = ScriptedModel([text])
    result = await Agent("coder", model=model, output=City).run("Which?")
    assert result.output == City(name="Ulm", size="small")
    assert model.requests[0].output is not None
    assert '"enum": ["small", "large"]' in model.requests[0].messages[0].content


@pytest.mark.parametrize(
    ("type_", "text", "value"), [(int, '{"value": 4}', 4), (list[int], "[1, 2]", [1, 2]), (bool, "true", True)]
)
async def test_a_typed_answer_need_not_be_an_object(type_: Any, text: str, value: object) -> None:
    assert (await Agent("coder", model=ScriptedModel([text])).run("?", output=type_)).output == value


async def test_one_repair_then_an_error_with_the_text() -> None:
    model = ScriptedModel(['{"name": "Ulm", "size": "tiny"}', '{"name": "Ulm", "size": "small"}'])
    result = await Agent("coder", model=model, output=City).run("Which?")
    assert result.output.size == "small"
    asked = model.requests[1].messages[-1].content
    assert "size: Input should be 'small' or 'large'" in asked
    assert result.usage.calls == 2
    with pytest.raises(ResponseParseError, match="no JSON value") as caught:
        await Agent("coder", model=ScriptedModel(["no", "still no"]), output=City).run("Which?")
    assert caught.value.response_text == "still no"


# -- streams, chat, history -------------------------------------------------------------------------------------------


async def test_a_stream_gives_the_answer_in_pieces() -> None:
    agent = Agent("coder", model=ScriptedModel(["one two three"]))
    assert [piece async for piece in agent.astream("Count.")] == ["one", " two", " three"]


async def test_events_of_a_run_come_in_one_order_and_end_with_its_result() -> None:
    model = ScriptedModel([wants(("add", {"a": 1})), "two"])
    stream = Agent("coder", name="ada", model=model, tools=[add]).stream_events("?")
    events = [event async for event in stream]
    assert stream.result == "two"
    kept = [event for event in events if not isinstance(event, Token)]
    assert [event.seq for event in kept] == list(range(1, len(kept) + 1))
    assert [event.kind for event in kept] == [
        "run.started", "step.started", "step.finished", "step.started", "step.finished", "step.started",
        "step.finished", "run.finished",
    ]  # fmt: skip
    keys = [event.key for event in events if isinstance(event, StepStarted)]
    assert keys == ["ada/model-1", "ada/tool-1", "ada/model-2"]
    assert {event.run_id for event in events} == {stream.result.run_id}


async def test_an_error_of_a_streamed_run_is_raised_by_the_iteration() -> None:
    with pytest.raises(ResponseParseError):
        async for _ in Agent("coder", model=ScriptedModel(["no", "no"]), output=City).stream_events("?"):
            pass


async def test_chat_remembers_and_a_list_of_messages_does_not() -> None:
    model = Recording()
    agent = Agent("coder", name="ada", model=model)
    await agent.chat("Make a User class.")
    await agent.chat("Add a name.")
    said = [message.content for message in model.requests[1].messages[1:]]
    assert said == ["Make a User class.", "ada on run 0", "Add a name."]
    talk = [("user", "Hi"), ("assistant", "Yes?"), ("user", "Bye")]
    answer = await agent.chat([{"role": role, "content": content} for role, content in talk])
    assert answer["role"] == "assistant"
    assert answer["content"] == "ada on run 0"
    assert answer["usage"].calls == 1
    assert [message.content for message in model.requests[2].messages[1:]] == ["Hi", "Yes?", "Bye"]
    assert len(agent.get_conversation_history()) == 4
    agent.reset()
    assert agent.get_conversation_history() == []


async def test_run_does_not_touch_the_conversation() -> None:
    model = Recording()
    agent = Agent("coder", model=model)
    agent.add_message("user", "secret")
    await agent.run("Go.")
    assert "secret" not in str(model.requests[0].messages)
    assert len(agent.get_conversation_history()) == 1


def test_run_sync_works_without_a_loop_and_inside_one() -> None:
    agent = Agent("coder", model=FunctionModel(lambda _: "hello"))
    assert agent.run_sync("Hi") == "hello"

    async def inside() -> AgentResult:
        return agent.run_sync("Hi")

    assert anyio.run(inside) == "hello"


def test_the_sync_agent_remembers() -> None:
    model = Recording()
    agent = SyncAgent(model, system_prompt="Be brief.")
    agent.run("One.")
    agent.run("Two.")
    texts = [message.content for message in model.requests[1].messages]
    assert "Be brief." in texts[0]
    assert texts[1:] == ["One.", "worker on run 0", "Two."]


# -- tasks and hooks --------------------------------------------------------------------------------------------------


async def test_hooks_run_at_the_turns_of_a_task_and_a_failing_one_harms_nobody() -> None:
    seen: list[str] = []

    class Log(TaskHook):
        async def on_start(self, task: Task) -> None:
            seen.append(f"start {task.description}")

        async def on_complete(self, task: Task, result: AgentResult) -> None:
            seen.append(f"complete {result}")

    def broken(task: Task) -> None:
        raise ValueError("hook down")

    events: list[AnyEvent] = []
    agent = Agent("coder", model=ScriptedModel(["done"]))
    agent.add_hook(Log())
    task = Task("Go.", name="go", agent=agent, hooks={"on_start": broken})
    result = await agent.run(task, on_event=events.append)
    assert result == "done"
    assert seen == ["start Go.", "complete done"]
    assert task.status == "completed"
    assert any("hook down" in each.text for each in events if isinstance(each, Warned))


async def test_a_task_executes_itself_and_knows_its_error() -> None:
    errors: list[BaseException] = []
    agent = Agent("coder", model=ScriptedModel([RuntimeError("boom")]))
    task = Task(description="Go.", agent=agent, hooks={"on_error": lambda _task, error: errors.append(error)})
    before = task.status
    with pytest.raises(RuntimeError, match="boom"):
        await task.execute()
    assert (before, task.status) == ("pending", "failed")
    assert errors == [task.error]


# -- limits, memory, events -------------------------------------------------------------------------------------------


async def test_an_agents_limits_hold_for_each_run() -> None:
    model = ScriptedModel([wants(("add", {"a": 1})), wants(("add", {"a": 1})), "done"])
    with pytest.raises(LimitExceeded, match="calls limit of agent 'ada'"):
        await Agent("coder", name="ada", model=model, tools=[add], limits=Limits(calls=2)).run("Go.")

    async def slow(_: Request) -> str:
        await anyio.sleep(100)
        return "late"

    started = anyio.current_time()
    with pytest.raises(LimitExceeded, match="seconds limit"):
        await Agent("coder", model=FunctionModel(slow), limits=Limits(seconds=7)).run("Go.")
    assert anyio.current_time() - started == 7


async def test_a_failed_call_is_in_the_events_with_its_error() -> None:
    events: list[AnyEvent] = []
    with pytest.raises(RuntimeError):
        await Agent("coder", model=ScriptedModel([RuntimeError("boom")])).run("Go.", on_event=events.append)
    ended = next(each for each in events if isinstance(each, StepFinished))
    assert (ended.status, ended.error) == ("failed", "RuntimeError: boom")


async def test_memory_keeps_the_system_message_the_task_and_whole_tool_calls() -> None:
    async def read(page: int) -> str:
        """Read a page."""
        return "words " * 300

    model = ScriptedModel([*(wants(("read", {"page": page})) for page in range(6)), "done"])
    agent = Agent("coder", model=model, tools=[read], memory=SimpleAgentMemory(2500))
    await agent.run("Read all of it.")
    sent = model.requests[-1].messages
    assert sent[0].role == "system"
    assert "Read all of it." in sent[1].content
    assert len(sent) < 14
    asked = {call.id for message in sent for call in message.tool_calls}
    answered = {message.tool_call_id for message in sent if message.role == "tool"}
    assert len(asked) == len(answered) > 0


@pytest.mark.parametrize("output", [{"when": date(2024, 1, 2)}, b"\x00\x01"])
async def test_what_a_tool_puts_into_its_result_is_shown_as_json_or_is_an_error(output: object) -> None:
    async def look() -> ToolResult:
        """Look."""
        return ToolResult(output=output)

    model = ScriptedModel([wants(("look", {})), "Seen."])
    await Agent("worker", model=model, tools=[look]).run("Look.")
    shown = model.requests[1].messages[-1].content
    assert '{"when": "2024-01-02"}' in shown or "binary data" in shown


def test_a_role_may_be_called_anything_that_is_not_blank() -> None:
    assert Agent("_").role.kind == "worker"
    assert Agent("senior-developer").role.kind == "coder"
