"""Runs that are journaled at the same time in one file do not hold each other up, and give nothing up for it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import anyio
import pytest

from phalanx import AgentTeam
from phalanx.messages import Request
from phalanx.runtime.events import Event, MemberFinished, StepFinished, StepStarted
from phalanx.runtime.sqlite import SqliteLog
from phalanx.runtime.sqlite_format import Durable
from phalanx.testing import FunctionModel

MEMBERS = 4
RUNS = 20
"""Few enough that the write-ahead log, in which commits are counted, does not begin anew."""

APPENDS = 2 * MEMBERS + 1
"""A run's: before each call, with the last answer on the board, and after it; and at last the end of the run."""


def transactions(path: Path) -> int:
    """How many commits stand in a file's write-ahead log."""
    ahead = path.with_name(path.name + "-wal").read_bytes()
    page, salt = int.from_bytes(ahead[8:12], "big"), ahead[16:24]
    frames = [ahead[at : at + 24] for at in range(32, len(ahead), 24 + page)]
    return sum(frame[8:16] == salt and frame[4:8] != bytes(4) for frame in frames)


async def commits(path: Path, runs: int, durable: Durable = "normal") -> int:
    """How many commits so many pipelines make that run at once."""
    async with SqliteLog(path, durable=durable) as log:
        await log.put(b"so that the file is open")
        before = transactions(path)
        async with anyio.create_task_group() as group:
            for number in range(runs):
                group.start_soon(pipeline, number, log)
        found = transactions(path) - before
        assert len(await log.streams("run/")) == runs
        for stream in await log.streams("run/"):
            records = [record for _, record in await log.read(stream)]
            assert [record.seq for record in records if isinstance(record, Event)] == [*range(1, len(records) + 1)]
            assert sum(isinstance(record, StepFinished) for record in records) == MEMBERS
            assert sum(isinstance(record, MemberFinished) for record in records) == MEMBERS
    return found


async def pipeline(number: int, log: SqliteLog) -> None:
    async def answer(_: Request) -> str:
        await anyio.sleep(2)
        return f"Answer of {number}."

    team = AgentTeam.pipeline(["ada", "bob", "cy", "dan"], model=FunctionModel(answer), name="shared")
    assert await team.run(f"Task {number}?", log=log) == f"Answer of {number}."


async def test_a_run_by_itself_commits_before_and_after_each_call(tmp_path: Path) -> None:
    assert await commits(tmp_path / "log.db", 1) == APPENDS


async def test_runs_that_wait_for_the_disk_share_transactions(tmp_path: Path) -> None:
    # Some commit alone: whoever comes first in a moment does not wait for others that may never come.
    assert await commits(tmp_path / "log.db", RUNS, "full") < RUNS * APPENDS / 3


async def test_a_run_whose_answer_is_there_asks_on_at_once_however_many_others_have_theirs(tmp_path: Path) -> None:
    # If each waited for its turn at every write, all would get on only as fast as all of them together.
    seen: list[tuple[str, int, str]] = []

    async def one(number: int, log: SqliteLog) -> None:
        async def answer(request: Request) -> str:
            seen.append(("asked", number, request.about.member))
            await anyio.sleep(2)
            seen.append(("answered", number, request.about.member))
            return "It is so."

        team = AgentTeam.pipeline(["ada", "bob", "cy"], model=FunctionModel(answer), name="shared")
        await team.run("Task?", log=log)

    async with SqliteLog(tmp_path / "log.db") as log:
        await log.put(b"so that the file is open")
        async with anyio.create_task_group() as group:
            for number in range(RUNS):
                group.start_soon(one, number, log)
    answers = [each for each in seen if each[0] == "answered" and each[2] != "cy"]
    assert len(answers) == 2 * RUNS
    then = {("answered", number, "ada"): ("asked", number, "bob") for number in range(RUNS)}
    then |= {("answered", number, "bob"): ("asked", number, "cy") for number in range(RUNS)}
    assert [seen[seen.index(each) + 1] for each in answers] == [then[each] for each in answers]


async def test_a_call_is_made_only_when_its_start_is_in_the_file_however_many_runs_share(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    unwritten: list[str] = []
    async with SqliteLog(path) as log, SqliteLog(path) as another:

        async def one(number: int) -> None:
            async def answer(request: Request) -> str:
                assert request.about is not None
                found = [record for _, record in await another.read(f"run/{number}")]
                starts = [record.key for record in found if isinstance(record, StepStarted)]
                ends = [record.key for record in found if isinstance(record, StepFinished)]
                if len(starts) != len(ends) + 1 or request.about.member not in starts[-1].split("/"):
                    unwritten.append(request.about.member)
                await anyio.sleep(1)
                return "It is so."

            team = AgentTeam.pipeline(["ada", "bob", "cy"], model=FunctionModel(answer), name="shared")
            await team.run("Task?", log=log, run_id=str(number))

        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(one, number)
    assert unwritten == []


@pytest.mark.parametrize("scope_too", [False, True])
async def test_an_asyncio_task_that_is_cancelled_while_it_waits_for_others_to_share_has_written_and_ends(
    tmp_path: Path, anyio_backend_name: str, scope_too: bool
) -> None:
    if anyio_backend_name != "asyncio":
        pytest.skip("trio tasks are cancelled by their scopes only")
    met = 0
    async with SqliteLog(tmp_path / "log.db", durable="full") as log:
        for attempt in range(20):
            await log.append("run/first", [said(1)])
            after: list[str] = []
            scope = anyio.CancelScope()

            async def work(stream: str, scope: anyio.CancelScope, after: list[str]) -> None:
                with scope:
                    await log.append(stream, [said(1)])
                    after.append("was told")
                    await asyncio.sleep(0)
                    after.append("went on inside the scope")
                await asyncio.sleep(0)
                after.append("went on")

            task = asyncio.ensure_future(work(f"run/{attempt}", scope, after))
            await asyncio.sleep(0)
            # Else the append was so late after the one before that it waited for nobody.
            met += after == []
            if scope_too:
                scope.cancel()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert after in ([], ["was told"])
            assert len(await log.read(f"run/{attempt}")) == 1
    assert met


def said(number: int) -> StepStarted:
    return StepStarted("r", number, ("team",), 1.5, None, "key", "human", "someone", "What?")
