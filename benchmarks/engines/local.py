"""The engine that is always there: tasks of one group in this process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import anyio

from phalanx.errors import ValidationError

T = TypeVar("T")
R = TypeVar("R")

CONCURRENCY = 16


class LocalEngine:
    """Works in this process.

    concurrency: how many items at the same time, over all that is mapped at once (default 16). Raises ValidationError
    when it is not at least 1.
    """

    remote = False

    def __init__(self, concurrency: int | None = None) -> None:
        given = CONCURRENCY if concurrency is None else concurrency
        if isinstance(given, bool) or not isinstance(given, int) or given < 1:
            raise ValidationError(f"concurrency={concurrency!r} must be a whole number, at least 1")
        self._slots = given
        self._gate: anyio.Semaphore | None = None

    @property
    def slots(self) -> int:
        return self._slots

    async def map(self, function: Callable[[T], Awaitable[R]], items: Iterable[T], done: Callable[[R], None]) -> None:
        """See `Engine.map`."""
        source = iter(items)
        gate = self._gate = self._gate or anyio.Semaphore(self._slots)

        async def work() -> None:
            while True:
                async with gate:
                    for item in source:  # one at a time: others wait for the gate
                        done(await function(item))
                        break
                    else:
                        return

        async with anyio.create_task_group() as group:
            for _ in range(self._slots):
                group.start_soon(work)

    async def aclose(self) -> None:
        """There is nothing to let go of."""
