"""Runs under way: begun by awaiting or entering, cancelled in a hook or in a tool that will not hear of it."""

from __future__ import annotations

import anyio
import pytest

from phalanx import Agent, AgentTeam, Limits, SqliteLog, Task, TaskHook, tool
from phalanx.errors import SpecError, ValidationError
from phalanx.messages import Completion, Request, ToolCall
from phalanx.runtime.events import RunFinished
from phalanx.runtime.log import MemoryLog
from phalanx.testing import FunctionModel
from tests.recording import Recording


async def test_a_run_begins_when_its_handle_is_awaited_or_entered() -> None:
    team = AgentTeam.pipeline(["ada"], model=Recording())
    handle = await team.start("Go.")
    assert await handle.wait() == "ada on stage 0"
    async with team.start("Go.") as entered:
        assert await entered.wait() == "ada on stage 0"
    async with await team.start("Go.") as both:
        assert await both.wait() == "ada on stage 0"


async def test_a_handle_that_was_awaited_is_cancelled_by_hand() -> None:
    async def forever(_: Request) -> str:
        await anyio.sleep_forever()
        raise AssertionError("for ever is over")

    log = MemoryLog()
    handle = await AgentTeam.parallel(["ada"], model=FunctionModel(forever)).start("Go.", run_id="r", log=log)
    await anyio.sleep(1)
    await handle.cancel()
    last = (await log.read("run/r"))[-1][1]
    assert isinstance(last, RunFinished)
    assert last.status == "cancelled"


class Waits(TaskHook):
    async def on_start(self, task: Task) -> None:
        await anyio.sleep_forever()


@pytest.mark.parametrize("alone", [True, False])
async def test_a_run_that_is_cancelled_in_its_first_hook_ends_as_any_other(alone: bool) -> None:
    seen: list[object] = []
    task = Task("Go.")
    agent = Agent("worker", name="ada", model=Recording())
    with anyio.move_on_after(1):
        if alone:
            await Agent("worker", name="ada", model=Recording(), hooks=Waits()).run(task, on_event=seen.append)
        else:
            await AgentTeam.parallel([agent], hooks=Waits()).run(task, on_event=seen.append)
    assert task.status == "failed"
    assert isinstance(seen[-1], RunFinished)
    assert seen[-1].status == "cancelled"


@pytest.mark.parametrize("alone", [True, False])
async def test_a_task_that_is_done_again_forgets_what_went_wrong(alone: bool) -> None:
    broken = True

    def answer(_: Request) -> str:
        if broken:
            raise ConnectionError("down")
        return "fine"

    task, model = Task("Go."), FunctionModel(answer)
    who = Agent("worker", name="ada", model=model) if alone else AgentTeam.pipeline(["ada"], model=model)
    with pytest.raises(Exception, match="down"):
        await who.run(task)
    assert task.error is not None
    broken = False
    await who.run(task)
    assert (task.status, str(task.result)) == ("completed", "fine")
    assert task.error is None


async def test_after_a_deadline_nobody_is_asked_though_a_tool_swallowed_it() -> None:
    asked: list[str] = []

    @tool
    async def stubborn() -> str:
        """Do not let go."""
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            return "I went on"
        return ""

    def answer(request: Request) -> str | Completion:
        asked.append(request.messages[-1].role)
        if len(asked) == 1:
            return Completion(tool_calls=(ToolCall(id="t", tool_name="stubborn", parameters={}),))
        return "done"

    agent = Agent("worker", name="ada", tools=[stubborn], model=FunctionModel(answer))
    with anyio.move_on_after(1) as scope:
        await agent.run("Go.")
    assert scope.cancelled_caught
    assert asked == ["user"]


async def test_limits_of_a_conversation_may_be_given_by_their_fields() -> None:
    agent = Agent("worker", name="ada", model=Recording())
    with pytest.raises(Exception, match="calls limit of this run reached"):
        await agent.chat("Hello.", limits={"calls": 0})
    with pytest.raises(ValidationError, match="there is no limit 'dollars'"):
        await agent.chat("Hello.", limits={"dollars": 1})


async def test_a_stage_that_its_validator_rejects_hears_nothing_of_a_verifier() -> None:
    model = Recording()
    good = iter([False, True])
    team = AgentTeam.pipeline(["ada"], validators={"ada": lambda _: None if next(good) else "too short"}, model=model)
    await team.run("Go.")
    again = model.requests[-1].messages[-1].content
    assert "It was not accepted:" in again
    assert "too short" in again
    assert "verifier" not in again


async def test_a_question_is_in_the_log_while_its_answer_is_waited_for() -> None:
    async def careful(run, task):  # type: ignore[no-untyped-def]
        return await run.ask_human("Send it?")

    log = MemoryLog()
    async with AgentTeam(["ada"], formation=careful, model=Recording()).start("Go.", run_id="r", log=log) as handle:
        await anyio.sleep(1)
        [question] = handle.questions
        last = (await log.read("run/r"))[-1][1]
        assert (getattr(last, "kind", ""), getattr(last, "key", "")) == ("run.paused", question.key)
        handle.answer(question.key, "yes")
        assert await handle.wait() == "yes"


def test_members_of_a_file_may_be_bare_names() -> None:
    team = AgentTeam.from_yaml("members: [ada, {name: bob, role: coder}, critic]\nformation: pipeline\n")
    assert [(each.name, each.role.name) for each in team.members] == [
        ("ada", "ada"), ("bob", "coder"), ("critic", "critic"),
    ]  # fmt: skip
    assert AgentTeam.from_yaml(team.to_yaml()).to_yaml() == team.to_yaml()
    with pytest.raises(SpecError, match="members"):
        AgentTeam.from_yaml("members: [7]\n")


async def test_a_stream_is_journaled_and_asks_people_as_a_run_does() -> None:
    async def careful(run, task):  # type: ignore[no-untyped-def]
        return await run.ask_human("Send it?")

    log = MemoryLog()
    team = AgentTeam(["ada"], formation=careful, model=Recording())
    async with team.stream("Go.", run_id="r", log=log, human=lambda _: "yes") as events:
        async for _ in events:
            pass
    assert events.result == "yes"
    assert await team.replay("r", log=log) == "yes"
    assert SqliteLog.__name__ == "SqliteLog"
    assert Limits(calls=1).calls == 1


def test_tools_have_the_name_they_were_promised_under() -> None:
    from phalanx import tools

    assert tools.tool is tool
    assert {"BaseTool", "FunctionTool", "ToolCall", "ToolResult", "ToolSet"} <= set(tools.__all__)
