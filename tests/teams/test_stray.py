"""A cancellation that leaks out of a model or a tool is a failed call of that member, and ends nothing else."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from phalanx import Agent, AgentTeam
from phalanx.errors import LLMCallError
from phalanx.messages import Completion, Request, ToolCall
from phalanx.testing import FunctionModel

NAMES = ("ada", "bob", "cy")


@pytest.fixture(autouse=True)
def only_asyncio_has_such_cancellations(anyio_backend_name: str) -> None:
    if anyio_backend_name != "asyncio":
        pytest.skip("under trio nobody can be told of a cancellation that is another's")


@pytest.mark.parametrize("waiting", [(), ("ada",), ("bob",), ("cy",), NAMES])
@pytest.mark.parametrize("unwell", NAMES)
async def test_the_others_answer_as_if_the_call_had_failed_in_any_other_way(
    unwell: str, waiting: tuple[str, ...]
) -> None:
    async def reply(request: Request) -> str:
        if request.about.member in waiting:
            await anyio.sleep(0.001)
        if request.about.member == unwell:
            shared = asyncio.get_running_loop().create_future()
            shared.cancel()  # by whoever shares it
            await shared
        return "yes"

    team = AgentTeam.parallel(NAMES, model=FunctionModel(reply), quorum=2)
    async with team.stream("Go.") as events:
        async for _ in events:
            pass
    for result in (await team.run("Go."), events.result):
        assert {each.member: each.status for each in result.members} == {
            name: "failed" if name == unwell else "ok" for name in NAMES
        }
        failed = next(each for each in result.members if each.member == unwell)
        assert isinstance(failed.failure, LLMCallError)
        assert "cancelled, and not by this run" in str(failed.error)


@pytest.mark.parametrize("in_a_thread", [True, False])
async def test_a_tool_that_leaks_one_has_failed_and_the_model_is_told(in_a_thread: bool) -> None:
    def refresh() -> str:
        """Refresh."""
        raise asyncio.CancelledError

    async def refresh_here() -> str:
        """Refresh."""
        raise asyncio.CancelledError

    told: list[str] = []

    def reply(request: Request) -> str | Completion:
        last = request.messages[-1]
        if last.role != "tool":
            name = "refresh" if in_a_thread else "refresh_here"
            return Completion(text="", tool_calls=(ToolCall(id="1", tool_name=name, parameters={}),))
        told.append(last.content)
        return "done"

    agent = Agent("coder", name="ada", tools=[refresh if in_a_thread else refresh_here])
    result = await AgentTeam.parallel([agent], model=FunctionModel(reply)).run("Go.")

    assert result.members[0].text == "done"
    assert len(told) == 1
    assert "cancelled, and not by this run" in told[0]


@pytest.mark.parametrize("how", ["scope", "task", "timeout"])
async def test_who_cancels_a_run_cancels_it(how: str) -> None:
    reached = anyio.Event()

    async def reply(request: Request) -> str:
        reached.set()
        await anyio.sleep(60)
        return "never"

    team = AgentTeam.parallel(NAMES, model=FunctionModel(reply), quorum=1)
    if how == "scope":
        with anyio.move_on_after(0.01) as scope:
            await team.run("Go.")
        assert scope.cancelled_caught
    elif how == "timeout":
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await team.run("Go.")
    else:
        running = asyncio.ensure_future(team.run("Go."))
        await reached.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
