"""Of many that could go on at once few do in each pass of the loop, in their order, so that what they send leaves."""

from __future__ import annotations

import asyncio

import anyio
import anyio.lowlevel
import pytest

from phalanx.runtime.turns import FEW, take_turn


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def in_passes(count: int) -> list[int]:
    """In which pass of the loop each of so many tasks that begin at once goes on."""
    passes = 0
    gone: list[tuple[int, int]] = []

    def one_more() -> None:
        nonlocal passes
        passes += 1
        if len(gone) < count:
            asyncio.get_running_loop().call_soon(one_more)

    async def one(number: int) -> None:
        await take_turn()
        gone.append((number, passes))

    async with anyio.create_task_group() as group:
        group.start_soon(asyncio.sleep, 0)
        for number in range(count):
            group.start_soon(one, number)
        asyncio.get_running_loop().call_soon(one_more)
    assert [number for number, _ in gone] == list(range(count)), "first come, first served"
    return [at for _, at in gone]


async def test_few_go_on_in_each_pass() -> None:
    passes = await in_passes(5 * FEW)
    assert all(passes.count(each) <= FEW for each in set(passes))
    assert max(passes) - min(passes) >= 4


async def test_who_comes_with_few_does_not_wait() -> None:
    await anyio.lowlevel.checkpoint()
    await anyio.lowlevel.checkpoint()
    coroutine = take_turn()
    with pytest.raises(StopIteration):
        coroutine.send(None)


async def test_who_was_cancelled_while_it_waited_takes_no_turn() -> None:
    gone: list[int] = []

    async def one(number: int, scope: anyio.CancelScope) -> None:
        with scope:
            await take_turn()
            gone.append(number)

    scopes = [anyio.CancelScope() for _ in range(3 * FEW)]
    async with anyio.create_task_group() as group:
        for number, scope in enumerate(scopes):
            group.start_soon(one, number, scope)
        await anyio.lowlevel.checkpoint()
        for scope in scopes[FEW : 2 * FEW]:
            scope.cancel()
    assert gone == [*range(FEW), *range(2 * FEW, 3 * FEW)]


def test_in_another_kind_of_loop_nobody_waits() -> None:
    async def work() -> int:
        ended = 0
        for _ in range(3 * FEW):
            try:
                take_turn().send(None)
            except StopIteration:
                ended += 1
        return ended

    assert anyio.run(work, backend="trio") == 3 * FEW
