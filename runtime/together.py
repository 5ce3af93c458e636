"""Several things at the same time: all their results in order, or the first error, as it was raised."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio

from .human import RunPaused

T = TypeVar("T")


async def together(calls: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """Run all calls at once and give their results in their order.

    When one raises, the others are cancelled and its error is raised by itself, not as a group of errors: what
    callers handle is the error, and who else was running is not their concern.
    """
    if len(calls) == 1:
        return [await calls[0]()]
    results: dict[int, T] = {}
    failures: list[BaseException] = []

    async def one(at: int) -> None:
        try:
            results[at] = await calls[at]()
        except (Exception, RunPaused) as failure:  # noqa: BLE001 - raised again below
            failures.append(failure)
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for at in range(len(calls)):
            group.start_soon(one, at)
    if failures:
        raise failures[0]
    return [results[at] for at in range(len(calls))]
