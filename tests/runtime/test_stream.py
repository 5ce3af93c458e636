"""A reader that is slower than its run never holds it up, and is told how much it missed."""

from __future__ import annotations

import anyio

from phalanx.runtime.events import AnyEvent, Missed, Warned
from phalanx.runtime.execution import Listener
from phalanx.runtime.stream import EventStream


def event(seq: int) -> AnyEvent:
    return Warned("r", seq, ("t",), 0.0, None, str(seq))


async def test_a_reader_that_falls_behind_is_told_what_it_missed_and_the_run_does_not_wait() -> None:
    ended = anyio.Event()
    go_on = anyio.Event()

    async def work(listener: Listener) -> str:
        for seq in range(1, 11):
            listener(event(seq))
        ended.set()
        await go_on.wait()
        listener(event(11))
        return "done"

    stream = EventStream(work, behind=4)
    async with stream:
        await ended.wait()
        seen = [await anext(aiter(stream)) for _ in range(4)]
        go_on.set()
        seen += [each async for each in stream]
    assert [each.seq for each in seen] == [1, 2, 3, 4, 10, 11]
    missed = seen[4]
    assert isinstance(missed, Missed)
    assert missed.count == 6
    assert stream.result == "done"


async def test_what_was_missed_at_the_end_is_told_before_the_end() -> None:
    async def work(listener: Listener) -> str:
        for seq in range(1, 11):
            listener(event(seq))
        return "done"

    stream = EventStream(work, behind=4)
    seen = [each async for each in stream]
    assert [each.seq for each in seen] == [1, 2, 3, 4, 10]
    assert isinstance(seen[-1], Missed)
    assert seen[-1].count == 6


async def test_a_reader_that_keeps_up_misses_nothing() -> None:
    async def work(listener: Listener) -> str:
        for seq in range(1, 11):
            listener(event(seq))
            await anyio.sleep(1)
        return "done"

    seen = [each async for each in EventStream(work, behind=1)]
    assert [each.seq for each in seen] == list(range(1, 11))
    assert not any(isinstance(each, Missed) for each in seen)
