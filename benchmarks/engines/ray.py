"""The engine on Ray."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from phalanx.errors import ConfigurationError

from .elsewhere import run_here, shared_out

T = TypeVar("T")
R = TypeVar("R")


class RayEngine:
    """Works on the processes of Ray (`phalanx[ray]`).

    address: of a running cluster; without one, Ray is started on this machine, unless this process is connected
    already, and ended by `aclose`. workers: how many items at the same time (default: one a processor). When a process
    dies its item is done again; what it had finished is in the shared log and is not paid again.

    Raises ConfigurationError when the library is not there.
    """

    remote = True

    def __init__(self, address: str | None = None, *, workers: int | None = None) -> None:
        try:
            import ray
        except ImportError:
            raise ConfigurationError("the engine 'ray' needs Ray: pip install 'phalanx[ray]'") from None
        self._ray: Any = ray
        self._address, self._workers, self._started = address, workers, False

    @property
    def slots(self) -> int:
        return self._workers or os.cpu_count() or 1

    async def map(self, function: Callable[[T], Awaitable[R]], items: Iterable[T], done: Callable[[R], None]) -> None:
        """See `Engine.map`."""
        await anyio.to_thread.run_sync(self._connect)
        ray = self._ray
        remote = ray.remote(max_retries=3)(run_here)

        def begin(item: T) -> tuple[Callable[[], R], Callable[[], None]]:
            reference = remote.remote(function, item)
            return partial(ray.get, reference), partial(ray.cancel, reference)

        await shared_out(self.slots, begin, items, done)

    async def aclose(self) -> None:
        """End what it started."""
        if self._started:
            self._started = False
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._ray.shutdown)

    def _connect(self) -> None:
        if self._ray.is_initialized():
            return
        self._ray.init(
            self._address, num_cpus=None if self._address else self.slots, include_dashboard=False,
            log_to_driver=False,
        )  # fmt: skip
        self._started = True
