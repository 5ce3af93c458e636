"""Whatever becomes of a run, it leaves no task, thread, socket or file behind."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest

from phalanx import Agent, AgentTeam, Limits, SqliteLog, tool
from phalanx.errors import PhalanxError
from tests.wire.servers import Reply, Server, serve

pytestmark = pytest.mark.wire


def held(server: Server) -> set[str]:
    """The files and sockets that this process has open, those of the server aside; each by what it leads to."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
        except FileNotFoundError:
            continue  # the listing itself
    return found


def threads() -> set[str]:
    """The threads there are, but those of the loopback server and the waiting ones that others keep.

    These are anyio's, asyncio's, and LiteLLM's for its log, of which it starts another when the first is busy.
    """
    kept = ("loopback", "AnyIO worker", "Thread-", "asyncio_", "litellm-logging")
    return {thread.name for thread in threading.enumerate() if not thread.name.startswith(kept)}


async def finishes(team: AgentTeam, log: SqliteLog) -> None:
    await team.run("Go.", log=log)


async def is_cancelled(team: AgentTeam, log: SqliteLog) -> None:
    with anyio.move_on_after(0.05) as scope:
        await team.run("Go.", log=log)
    assert scope.cancelled_caught


async def is_stopped(team: AgentTeam, log: SqliteLog) -> None:
    assert (await team.run("Go.", log=log, limits=Limits(calls=2))).status == "stopped"


async def is_left(team: AgentTeam, log: SqliteLog) -> None:
    async with team.stream("Go.", log=log) as events:
        await anext(aiter(events))


async def fails(team: AgentTeam, log: SqliteLog) -> None:
    with pytest.raises(PhalanxError):
        await team.run("Fail.", log=log)


ENDS: list[Callable[[AgentTeam, SqliteLog], Awaitable[None]]] = [finishes, is_cancelled, is_stopped, is_left, fails]


def answer(request: object) -> Reply:
    body = str(getattr(request, "body", ""))
    if "Fail." in body:
        return Reply(status=400, text="no")
    return Reply(text="Answer: 1", delay=0.03)


# LiteLLM makes a coroutine in a thread, which nobody awaits when the call was cancelled meanwhile.
@pytest.mark.filterwarnings("ignore:coroutine 'OpenAIChatCompletion:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:.*OpenAIChatCompletion:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are only listed under /proc here")
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
@pytest.mark.parametrize("path", ["direct", "general"])
async def test_a_run_leaves_no_task_thread_socket_or_file(
    end: Callable[[AgentTeam, SqliteLog], Awaitable[None]], path: str, tmp_path: Path
) -> None:
    @tool
    def look(at: str) -> str:
        """Look."""
        return at

    with serve("openai", answer) as server:
        agents = [
            Agent(
                "worker", name=name, model=f"openai/{server.model}", api_base=server.url, api_key="sk-x", path=path,
                tools=[look],
            )
            for name in ("ada", "bob", "cy")
        ]  # fmt: skip

        async def once() -> None:
            async with SqliteLog(tmp_path / "log.db") as log, AgentTeam.debate(agents, 1, trigger="always") as team:
                await end(team, log)

        await once()  # what is loaded once stays
        before = held(server), threads(), len(asyncio.all_tasks())
        for _ in range(2):
            await once()
        with anyio.move_on_after(5):
            while (held(server) - before[0]) or (threads() - before[1]):  # noqa: ASYNC110 - the server closes its ends
                await anyio.sleep(0.01)
        assert held(server) <= before[0]
        assert threads() <= before[1]
        assert len(asyncio.all_tasks()) == before[2]
        await asyncio.get_running_loop().shutdown_default_executor()
        gc.collect()
