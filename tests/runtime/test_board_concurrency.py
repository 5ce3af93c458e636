"""Many writers at once, in one process and in several, under random schedules: no write is lost or made twice."""

from __future__ import annotations

import random
from dataclasses import dataclass

import anyio
import anyio.lowlevel
import pytest

from phalanx.errors import LogConflict
from phalanx.runtime.board import Blackboard
from phalanx.runtime.entries import Conflict, Entry, Post
from phalanx.runtime.log import Log, MemoryLog
from phalanx.runtime.regions import Region
from tests.runtime.board_machine import Interleaved

REGIONS = (
    Region("cell", int, "register"),
    Region("notes", str),
    Region("n", int, "counter"),
    Region("a", int, "register"),
    Region("b", int, "register"),
    Region("tags", str, "set"),
)


@dataclass(frozen=True)
class Done:
    """An operation on the one register, by whoever, from its call to its return, on a clock of steps."""

    called: int
    returned: int
    kind: str
    version: int
    expected: int = 0


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("seed", range(12))
async def test_compare_and_set_is_linearizable_under_random_schedules(seed: int, processes: int) -> None:
    """Versions put the writes in one order; real time must agree with it, for every write, read and conflict."""
    log = Interleaved(MemoryLog(), seed)
    boards = [Blackboard(log, regions=REGIONS) for _ in range(processes)]
    history: list[Done] = []
    steps = 0

    async def work(at: int) -> None:
        nonlocal steps
        chance = random.Random(f"{seed}/{at}")
        board = boards[at % processes]
        known = 0
        for turn in range(8):
            for _ in range(chance.randrange(6)):
                await anyio.lowlevel.checkpoint()
            steps += 1
            called = steps
            if chance.random() < 0.3:
                entry = await board.read("cell")
                known = 0 if entry is None else entry.version
                kind, version, expected = "read", known, 0
            else:
                expected = known
                result = await board.post("cell", at * 100 + turn, author=f"w{at}", expect=expected)
                known = result.version
                kind, version = ("write", known) if isinstance(result, Entry) else ("conflict", known)
            steps += 1
            history.append(Done(called, steps, kind, version, expected))

    async with anyio.create_task_group() as group:
        for at in range(5):
            group.start_soon(work, at)

    writes = sorted((done for done in history if done.kind == "write"), key=lambda done: done.version)
    assert [done.version for done in writes] == list(range(1, len(writes) + 1))
    assert all(done.expected == done.version - 1 for done in writes)
    assert all(done.version != done.expected for done in history if done.kind == "conflict")
    for first in history:
        for second in history:
            if first.returned < second.called:  # then second must see at least what first saw
                assert second.version >= first.version + (second.kind == "write"), (first, second)
    values = [entry.version for entry in await boards[0].history("cell")]
    assert values == [done.version for done in writes]


@pytest.mark.parametrize("seed", range(6))
async def test_increments_from_many_tasks_and_processes_are_all_counted(seed: int) -> None:
    log = Interleaved(MemoryLog(), seed)
    boards = [
        Blackboard(log, regions=REGIONS, sole_writer=at == 2) for at in range(3)
    ]  # the last one is wrong about it

    async def count(at: int) -> None:
        for _ in range(5):
            await boards[at % 3].post("n", at)

    async with anyio.create_task_group() as group:
        for at in range(9):
            group.start_soon(count, at)
    for board in (*boards[:2], Blackboard(log, regions=REGIONS)):
        total = await board.read("n")
        assert total is not None
        assert (total.value, total.version) == (5 * sum(range(9)), 45)


@pytest.mark.parametrize("seed", range(6))
async def test_batches_over_several_keys_never_leave_them_apart(seed: int) -> None:
    """Two registers are always set together, so whoever reads one snapshot sees them equal."""
    log = Interleaved(MemoryLog(), seed)
    boards = [Blackboard(log, regions=REGIONS) for _ in range(2)]
    made = 0

    async def set_both(at: int) -> None:
        nonlocal made
        board = boards[at % 2]
        for turn in range(6):
            snapshot = await board.snapshot()
            one, other = await snapshot.read("a"), await snapshot.read("b")
            assert (one and one.value) == (other and other.value)
            value = at * 10 + turn
            posts = [
                Post("a", value, expect=one.version if one else 0),
                Post("notes", str(value)),
                Post("b", value, expect=other.version if other else 0),
            ]
            result = await board.post_all(posts)
            made += not isinstance(result, Conflict)

    async with anyio.create_task_group() as group:
        for at in range(4):
            group.start_soon(set_both, at)
    assert 0 < made < 24
    assert len(await boards[0].entries("notes")) == made
    assert len(await boards[1].history("a")) == made


@pytest.mark.parametrize("seed", range(6))
async def test_a_write_repeated_by_several_processes_under_one_op_is_made_once(seed: int) -> None:
    log = Interleaved(MemoryLog(), seed)
    boards = [Blackboard(log, regions=REGIONS) for _ in range(3)]
    results: list[Entry | Conflict] = []

    async def write(at: int) -> None:
        for turn in range(4):
            results.append(await boards[at].post("notes", f"note {turn}", op=f"op {turn}"))
            results.append(await boards[at].post("tags", f"tag {turn}"))

    async with anyio.create_task_group() as group:
        for at in range(3):
            group.start_soon(write, at)
    assert len(await log.read("board")) == 8
    assert len({entry.seq for entry in results if isinstance(entry, Entry)}) == 8


@pytest.mark.parametrize("seed", range(6))
async def test_a_task_is_claimed_by_one_worker_of_many(seed: int) -> None:
    log = Interleaved(MemoryLog(), seed)
    boards = [Blackboard(log, regions=REGIONS, clock=lambda: 0.0) for _ in range(3)]
    owners: dict[str, list[str]] = {f"task {at}": [] for at in range(6)}

    async def work(at: int) -> None:
        for task, who in owners.items():
            if await boards[at % 3].claim(task, 10, author=f"w{at}"):
                who.append(f"w{at}")

    async with anyio.create_task_group() as group:
        for at in range(6):
            group.start_soon(work, at)
    assert [len(who) for who in owners.values()] == [1] * 6


async def test_a_cancelled_write_is_made_whole_or_not_and_the_board_goes_on() -> None:
    for turns in range(14):
        log = Interleaved(MemoryLog(), seed=turns)
        board = Blackboard(log, regions=REGIONS)

        async def write(board: Blackboard = board) -> None:
            await board.post_all([Post("notes", "one"), Post("notes", "two")])

        async with anyio.create_task_group() as group:
            group.start_soon(write)
            for _ in range(turns):
                await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
        written = len(await board.entries("notes"))
        assert written in (0, 2)
        await board.post("notes", "after")
        assert [entry.seq for entry in await board.entries("notes")] == list(range(1, written + 2))


async def test_a_log_that_refuses_without_being_longer_is_an_error_and_no_endless_loop() -> None:
    class Refusing(MemoryLog):
        async def append(self, stream: str, records: object, expect: int | None = None) -> int:
            raise LogConflict(stream, expected=expect or 0, actual=0)

    log: Log = Refusing()
    with pytest.raises(LogConflict):
        await Blackboard(log, regions=REGIONS).post("notes", "a")
