"""What engines with other processes share: handing items out as slots come free, and doing one in a worker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")
R = TypeVar("R")


def run_here(function: Callable[[T], Awaitable[R]], item: T) -> R:
    """Do an item in a worker's process, in an event loop of its own."""
    return anyio.run(function, item)


async def shared_out(
    slots: int,
    begin: Callable[[T], tuple[Callable[[], R], Callable[[], None]]],
    items: Iterable[T],
    done: Callable[[R], None],
) -> None:
    """Hand items out, as many at once as there are slots, and tell each result as it comes.

    begin: submits an item; gives what waits for its result, and what takes it back. Cancelled, what is under way is
    taken back.
    """
    source = iter(items)
    # Threads that only wait; the default ones are for whoever else needs some.
    waiting = anyio.CapacityLimiter(slots)

    async def work() -> None:
        for item in source:
            result, take_back = begin(item)
            try:
                found = await anyio.to_thread.run_sync(result, abandon_on_cancel=True, limiter=waiting)
            except anyio.get_cancelled_exc_class():
                take_back()
                raise
            done(found)

    async with anyio.create_task_group() as group:
        for _ in range(slots):
            group.start_soon(work)
