"""What a run says on its board is written with its next records, and before anything is asked that may rest on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import anyio
import pytest

from phalanx import AgentTeam
from phalanx.errors import LogConflict, LogError, ReplayDivergence
from phalanx.formations.team_run import TeamRun
from phalanx.messages import Request
from phalanx.runtime.alongside import Alongside
from phalanx.runtime.board import Blackboard
from phalanx.runtime.entries import Entry, Posted
from phalanx.runtime.events import MemberFinished, RunFinished
from phalanx.runtime.log import MemoryLog
from phalanx.runtime.regions import Region
from phalanx.runtime.run import Run
from phalanx.runtime.sqlite import SqliteLog
from phalanx.testing import FunctionModel
from tests.runtime.records import said


class Slow:
    """A log of somebody's own: it waits, takes one stream at a time, and refuses where it is told to."""

    instant = False

    def __init__(self, seconds: float = 1) -> None:
        self.seconds, self.kept = seconds, MemoryLog()
        self.order: list[str] = []
        self.refuses = ""

    async def append(self, stream: str, records: Sequence[object], expect: int | None = None) -> int:
        await anyio.sleep(self.seconds)
        if self.refuses and stream.startswith(self.refuses):
            self.refuses = ""
            raise LogError("full")
        self.order.append(stream.partition("/")[0])
        return await self.kept.append(stream, records, expect)

    async def read(self, stream: str, after: int = 0) -> list[tuple[int, object]]:
        return await self.kept.read(stream, after)

    def watch(self, stream: str, after: int = 0) -> AsyncIterator[tuple[int, object]]:
        return self.kept.watch(stream, after)

    async def streams(self, prefix: str = "") -> list[str]:
        return await self.kept.streams(prefix)

    async def put(self, body: bytes) -> str:
        return await self.kept.put(body)

    async def get(self, digest: str) -> bytes:
        return await self.kept.get(digest)

    async def aclose(self) -> None:
        await self.kept.aclose()


async def test_who_reads_the_board_and_cannot_go_on_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    def team(model: str) -> AgentTeam:
        return AgentTeam.flat(["ada", "bob"], model=FunctionModel(lambda _: "Answer: 1", name=f"offline/{model}"))

    async def kept(log: SqliteLog) -> list[object]:
        return [await log.read(stream) for stream in sorted(await log.streams())]

    async with SqliteLog(tmp_path / "log.db") as log:
        result = await team("one").run("Which?", log=log, run_id="r")
        before = await kept(log)
        with pytest.raises(ReplayDivergence):
            await team("other").resume("r", log=log)
        assert await kept(log) == before
        assert (await team("one").resume("r", log=log)).board == result.board


async def test_an_answer_is_on_the_board_in_the_file_before_the_next_member_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    found: dict[str, list[str]] = {}
    async with SqliteLog(path) as log, SqliteLog(path) as another:

        async def answer(request: Request) -> str:
            posted: list[str] = []
            for stream in await another.streams("board/"):
                posted += [each.author for _, each in await another.read(stream) if isinstance(each, Posted)]
            found[request.about.member] = posted
            return "It is so."

        await AgentTeam.pipeline(["ada", "bob", "cy"], model=FunctionModel(answer)).run("Task?", log=log, run_id="r")
        [stream] = await log.streams("board/")
        assert len(await another.read(stream)) == 3
    assert found == {"ada": [], "bob": ["ada"], "cy": ["ada", "bob"]}


async def test_what_a_member_said_is_in_the_file_while_others_are_still_asked(tmp_path: Path) -> None:
    found: list[str] = []
    async with SqliteLog(tmp_path / "log.db") as log, SqliteLog(tmp_path / "log.db") as another:

        async def answer(request: Request) -> str:
            # The quick one ends when the slow one has long begun, so that no beginning writes what it said.
            await anyio.sleep(1)
            if request.about.member == "slow":
                await anyio.sleep(60)
                records = [record for _, record in await another.read("run/r")]
                found.extend(record.text for record in records if isinstance(record, MemberFinished))
            return f"{request.about.member} says so."

        team = AgentTeam.parallel(["quick", "slow"], model=FunctionModel(answer))
        await team.run("Task?", log=log, run_id="r")
    assert found == ["quick says so."]


async def test_who_watches_the_board_of_a_run_is_told_at_once(tmp_path: Path) -> None:
    # Both sides wait for each other: the one that posts goes on only when the other has seen it.
    async def formation(team: TeamRun, _: object) -> str:
        seen: list[str] = []
        told = anyio.Event()

        async def watch() -> None:
            async for entry in team.board.watch("notes"):
                seen.append(str(entry.value))
                told.set()
                if len(seen) == 2:
                    return

        team.board.declare(Region("notes", str))
        await team.board.post("notes", "before")
        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            await told.wait()
            await team.board.post("notes", "while")
        return ", ".join(seen)

    async with SqliteLog(tmp_path / "log.db") as log:
        team = AgentTeam(["ada"], formation=formation, model=FunctionModel(lambda _: "It is so."))
        assert await team.run("Task?", log=log) == "before, while"


async def test_a_log_that_takes_one_stream_at_a_time_is_given_them_in_order() -> None:
    log = Slow()
    await AgentTeam.pipeline(["ada", "bob"], model=FunctionModel(lambda _: "It is so.")).run("Task?", log=log)
    assert log.order == ["run", "run", "board", "run", "run", "board", "run"]


@pytest.mark.parametrize("stream", ["run", "board"])
async def test_what_a_log_refused_is_neither_lost_nor_written_twice(stream: str) -> None:
    log = Slow()
    execution = Run.open("team", log=log, run_id="r").execution
    board = Blackboard(Alongside(execution), "board/r", [Region("notes", str)], sole_writer=True, is_new=True)
    execution.pending.append("said")  # type: ignore[arg-type]
    assert isinstance(await board.post("notes", "one"), Entry)
    log.refuses = stream
    with pytest.raises(LogError, match="full"):
        await execution.flush()
    assert isinstance(await board.post("notes", "two"), Entry)
    await execution.flush()
    assert [each.value for _, each in await log.read("board/r") if isinstance(each, Posted)] == ["one", "two"]
    assert [each for _, each in await log.read("run/r")] == ["said"]


@pytest.mark.parametrize("written", ["nothing", "board", "all"])
async def test_what_a_cancelled_append_had_written_is_not_written_again(written: str) -> None:
    log = Slow()
    execution = Run.open("team", log=log, run_id="r").execution
    board = Blackboard(Alongside(execution), "board/r", [Region("notes", str)], sole_writer=True, is_new=True)
    execution.pending += [said(1), said(2)]
    assert isinstance(await board.post("notes", "one"), Entry)
    assert isinstance(await board.post("notes", "two"), Entry)
    [one, two] = execution.alongside
    if written != "nothing":
        await log.kept.append(*one)
        await log.kept.append(*two)
    if written == "all":
        await log.kept.append("run/r", execution.pending[:2])
    with anyio.move_on_after(0.5):
        await execution.flush()
    execution.pending.append(said(3))
    assert isinstance(await board.post("notes", "three"), Entry)
    await execution.flush()
    assert [each.value for _, each in await log.read("board/r") if isinstance(each, Posted)] == ["one", "two", "three"]
    assert [each for _, each in await log.read("run/r")] == [said(1), said(2), said(3)]


async def test_a_cancelled_append_does_not_take_what_another_writer_wrote_for_its_own() -> None:
    log = Slow()
    execution = Run.open("team", log=log, run_id="r").execution
    execution.pending.append(said(1))
    with anyio.move_on_after(0.5):
        await execution.flush()
    await log.kept.append("run/r", [said(7)])
    with pytest.raises(LogConflict):
        await execution.flush()


async def test_the_end_of_a_run_is_written_however_long_its_log_takes() -> None:
    log = Slow(seconds=30)
    team = AgentTeam.pipeline(["ada", "bob"], model=FunctionModel(lambda _: "It is so."))
    result = await team.run("Task?", log=log, run_id="r")
    assert result.status == "completed"
    assert isinstance((await log.read("run/r"))[-1][1], RunFinished)
    assert await team.replay("r", log=log) == result


async def test_a_cancelled_run_whose_log_takes_too_long_says_what_was_not_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = Slow(seconds=30)
    team = AgentTeam.pipeline(["ada", "bob"], model=FunctionModel(lambda _: "It is so."))
    with anyio.move_on_after(45) as scope:
        await team.run("Task?", log=log, run_id="r")
    assert scope.cancelled_caught
    assert [record.message for record in caplog.records] == ["the end of a run could not be written in time"]
    assert (await team.resume("r", log=log)).status == "completed"
