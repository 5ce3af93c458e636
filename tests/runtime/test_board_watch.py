"""Watching a board: every matching entry, in order, at least once, whoever writes it and wherever one starts."""

from __future__ import annotations

from contextlib import aclosing

import anyio
import anyio.lowlevel
import pytest

from phalanx.errors import ValidationError
from phalanx.runtime.board import Blackboard
from phalanx.runtime.entries import Conflict, Entry
from phalanx.runtime.log import MemoryLog
from phalanx.runtime.regions import Identity, Region
from tests.runtime.board_machine import Interleaved

REGIONS = (Region("facts", str), Region("plan", str, "last_writer_wins"))


def entry(result: Entry | Conflict) -> Entry:
    assert isinstance(result, Entry), result
    return result


@pytest.mark.parametrize("seed", range(8))
async def test_every_watcher_sees_every_entry_once_and_in_order_while_several_processes_write(seed: int) -> None:
    log = Interleaved(MemoryLog(), seed)
    writers = [Blackboard(log, regions=REGIONS) for _ in range(3)]
    seen: list[list[int]] = [[], [], []]
    one_is_done = anyio.Event()

    async def write(at: int) -> None:
        for turn in range(10):
            await writers[at].post(("facts", "plan")[turn % 2], f"{at}.{turn}", author=f"w{at}")
        one_is_done.set()

    async def follow(at: int, late: bool) -> None:
        if late:
            await one_is_done.wait()
        async with aclosing(writers[at].watch()) as entries:
            async for each in entries:
                seen[at].append(each.seq)
                if len(seen[at]) == 30:
                    return

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            for at in range(3):
                group.start_soon(write, at)
                group.start_soon(follow, at, at == 2)
    assert seen == [list(range(1, 31))] * 3


async def test_a_watcher_gets_what_matches_its_pattern_and_nothing_else() -> None:
    board = Blackboard(regions=REGIONS)
    for region, key in (("facts", "sea/1"), ("plan", "sea/1"), ("facts", "air"), ("facts", "sea/2"), ("facts", "")):
        await board.post(region, region, key=key)
    wanted = {
        "facts": [1, 3, 4, 5],
        "facts/sea/*": [1, 4],
        "*/sea/1": [1, 2],
        "plan/sea/1": [2],
        "f*/air": [3],
        "facts/": [5],
    }
    for pattern, numbers in wanted.items():
        async with aclosing(board.watch(pattern)) as entries:
            assert [(await anext(entries)).seq for _ in numbers] == numbers
            with anyio.move_on_after(1) as waited:
                await anext(entries)
            assert waited.cancelled_caught


async def test_an_entry_comes_as_it_stood_when_it_was_posted() -> None:
    board = Blackboard(regions=REGIONS)
    first = entry(await board.post("facts", "a"))
    second = entry(await board.post("facts", "b", causes=[first]))
    await board.mark(second, pinned=True)
    await board.retract(first, "no")
    async with aclosing(board.watch()) as entries:
        assert [await anext(entries), await anext(entries)] == [first, second]


async def test_watching_goes_on_after_the_last_number_seen() -> None:
    board = Blackboard(regions=REGIONS)
    for at in range(5):
        await board.post("facts", str(at))
    async with aclosing(board.watch(after=3)) as entries:
        assert [(await anext(entries)).seq, (await anext(entries)).seq] == [4, 5]
    async with aclosing(board.watch(after=board.seq)) as entries:
        await board.post("facts", "new")
        assert (await anext(entries)).value == "new"
    with pytest.raises(ValidationError):
        board.watch(after=-1)
    with pytest.raises(ValidationError, match="no region"):
        await anext(board.watch("fact"))


async def test_ballots_left_out_by_a_break_come_with_the_closing() -> None:
    board = Blackboard(regions=[Region("votes", str, "ballots"), Region("facts", str)])
    for name in ("ada", "bob"):
        await board.post("votes", name, author=name)
    await board.post("facts", "f")
    await board.close("votes")
    async with aclosing(board.watch(after=3)) as entries:
        assert [(await anext(entries)).seq, (await anext(entries)).seq] == [1, 2]


async def test_a_watcher_may_be_interrupted_and_asked_again_without_missing_anything() -> None:
    log = Interleaved(MemoryLog(), 5)
    here, there = Blackboard(log, regions=REGIONS), Blackboard(log, regions=REGIONS)
    watch = here.watch(after=2)
    seen: list[int] = []
    interrupted = 0
    for at in range(40):
        await there.post("facts", str(at))
    for attempt in range(500):
        if len(seen) == 38:
            break
        async with anyio.create_task_group() as group:
            group.start_soon(cancel_after, attempt % 12, group.cancel_scope)
            seen.append((await anext(watch)).seq)
            group.cancel_scope.cancel()
        interrupted += len(seen) <= attempt
    assert interrupted > 0
    assert seen == list(range(3, 41))


async def cancel_after(turns: int, scope: anyio.CancelScope) -> None:
    for _ in range(turns):
        await anyio.lowlevel.checkpoint()
    scope.cancel()


async def test_a_watch_ends_when_its_log_is_closed() -> None:
    log = MemoryLog()
    board = Blackboard(log, regions=REGIONS)
    await board.post("facts", "a")
    await log.aclose()
    assert [each.value async for each in board.watch()] == ["a"]


async def test_retractions_come_when_they_are_asked_for() -> None:
    board = Blackboard(regions=REGIONS)
    first = entry(await board.post("facts", "a"))
    await board.retract(first, "no")
    await board.post("facts", "b")
    async with aclosing(board.watch(retractions=True)) as entries:
        got = [await anext(entries) for _ in range(3)]
    assert [(each.value, each.retracted) for each in got] == [("a", False), ("a", True), ("b", False)]
    hidden = entry(await board.post("facts", "c", visibility="member:eve"))
    await board.retract(hidden, "no")
    async with aclosing(board.as_member(Identity("bob")).watch(after=3, retractions=True)) as entries:
        await board.post("facts", "d")
        assert (await anext(entries)).value == "d"


async def test_a_watcher_brings_its_own_board_up_to_date() -> None:
    log = MemoryLog()
    here = Blackboard(log, regions=REGIONS, sole_writer=True)
    there = Blackboard(log, regions=REGIONS)
    assert await here.entries() == []
    await there.post("facts", "a")
    await there.post("facts", "b")
    assert await here.entries() == []  # it was told that nobody else writes
    async with aclosing(here.watch()) as entries:
        assert (await anext(entries)).value == "a"
    assert entry(await here.post("facts", "c")).seq == 3
    assert [each.value for each in await here.entries()] == ["a", "b", "c"]
    for text in ("d", "e", "f"):
        await there.post("facts", text)
    async with aclosing(here.watch(after=5)) as entries:
        assert (await anext(entries)).value == "f"
    assert len(await here.entries()) == 6
