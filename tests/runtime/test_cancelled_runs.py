"""A run whose asyncio task is cancelled by itself and by no scope, as Ctrl-C does, or `asyncio.wait_for`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from phalanx import AgentTeam
from phalanx.messages import Request
from phalanx.runtime.events import Event, RunFinished, StepFinished, StepStarted
from phalanx.runtime.log import MemoryLog
from phalanx.runtime.postgres import PostgresLog
from phalanx.runtime.sqlite import SqliteLog
from phalanx.testing import FunctionModel
from tests.runtime.postgres_server import server


@pytest.mark.parametrize("kind", ["normal", "full", "postgres"])
def test_a_run_whose_task_is_cancelled_while_it_writes_ends_cancelled_and_its_journal_says_so(
    tmp_path: Path, kind: Literal["normal", "full", "postgres"]
) -> None:
    def log(number: int) -> SqliteLog | PostgresLog:
        if kind == "postgres":
            return PostgresLog(server().dsn(), schema=server().new_schema())
        return SqliteLog(tmp_path / f"{number}.db", durable=kind)

    asyncio.run(_cancelled_at_each_step(log))  # a file takes its time, which is no virtual one


async def _cancelled_at_each_step(new_log: Callable[[int], SqliteLog | PostgresLog]) -> None:
    async def answer(_: Request) -> str:
        await asyncio.sleep(0)  # so that the loop comes to cancel it, where a log writes without waiting
        return "It is so."

    team = AgentTeam.pipeline(["ada", "bob"], model=FunctionModel(answer), name="line")
    for steps in range(1, 4):
        left = steps

        def listen(event: Event) -> None:
            nonlocal left
            if isinstance(event, StepStarted | StepFinished):
                left -= 1
                if left == 0:
                    asyncio.get_running_loop().call_soon(task.cancel)  # noqa: B023 - called in this round

        async with new_log(steps) as log:
            task = asyncio.ensure_future(team.run("Task?", log=log, run_id="r", on_event=listen))
            with pytest.raises(asyncio.CancelledError):
                await task
            [*_, (_, last)] = await log.read("run/r")
            assert isinstance(last, RunFinished)
            assert last.status == "cancelled"
            assert (await team.resume("r", log=log)).status == "completed"


def test_a_run_whose_task_is_cancelled_while_its_journal_is_given_out_plays_back_as_it_was() -> None:
    asyncio.run(_cancelled_at_each_turn())


async def _cancelled_at_each_turn() -> None:
    inner = AgentTeam.parallel(["x", "y", "z"], name="inner")
    team = AgentTeam.pipeline(["ada", inner, "bob"], model=FunctionModel(lambda _: "It is so."), name="line")
    log = MemoryLog()
    result = await team.run("Task?", log=log, run_id="r")
    cancelled = 0
    for turns in range(1, 400, 3):
        task = asyncio.ensure_future(team.resume("r", log=log))
        for _ in range(turns):
            await asyncio.sleep(0)
        if task.done():
            break
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        cancelled += 1
        assert await team.resume("r", log=log) == result
        assert await team.replay("r", log=log) == result
    assert cancelled > 5
