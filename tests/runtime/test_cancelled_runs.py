"""A run whose asyncio task is cancelled by itself and by no scope, as Ctrl-C does, or `asyncio.wait_for`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from phalanx import AgentTeam
from phalanx.runtime.events import Event, RunFinished, StepFinished, StepStarted
from phalanx.runtime.sqlite import SqliteLog
from phalanx.runtime.sqlite_format import Durable
from phalanx.testing import FunctionModel


@pytest.mark.parametrize("durable", ["normal", "full"])
def test_a_run_whose_task_is_cancelled_while_it_writes_ends_cancelled_and_its_journal_says_so(
    tmp_path: Path, durable: Durable
) -> None:
    asyncio.run(_cancelled_at_each_step(tmp_path, durable))  # a file takes its time, which is no virtual one


async def _cancelled_at_each_step(folder: Path, durable: Durable) -> None:
    team = AgentTeam.pipeline(["ada", "bob"], model=FunctionModel(lambda _: "It is so."), name="line")
    for steps in range(1, 4):
        left = steps

        def listen(event: Event) -> None:
            nonlocal left
            if isinstance(event, StepStarted | StepFinished):
                left -= 1
                if left == 0:
                    asyncio.get_running_loop().call_soon(task.cancel)  # noqa: B023 - called in this round

        async with SqliteLog(folder / f"{steps}.db", durable=durable) as log:
            task = asyncio.ensure_future(team.run("Task?", log=log, run_id="r", on_event=listen))
            with pytest.raises(asyncio.CancelledError):
                await task
            [*_, (_, last)] = await log.read("run/r")
            assert isinstance(last, RunFinished)
            assert last.status == "cancelled"
            assert (await team.resume("r", log=log)).status == "completed"
