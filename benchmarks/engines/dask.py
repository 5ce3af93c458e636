"""The engine on Dask distributed: processes on this machine, or a cluster."""

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


class DaskEngine:
    """Works on the workers of a Dask cluster (`phalanx[dask]`).

    client: a `distributed.Client`, which stays yours, or the address of a scheduler; without one, processes are
    started on this machine and ended by `aclose`. workers: how many (default: one a processor). When a worker dies its
    items go to another one; what it had finished is in the shared log and is not paid again.

    Raises ConfigurationError when the library is not there.
    """

    remote = True

    def __init__(self, client: object = None, *, workers: int | None = None) -> None:
        try:
            import distributed
        except ImportError:
            raise ConfigurationError("the engine 'dask' needs Dask: pip install 'phalanx[dask]'") from None
        self._distributed: Any = distributed
        self._given, self._workers = client, workers
        self._client: Any = None if client is None or isinstance(client, str) else client

    @property
    def slots(self) -> int:
        if self._client is None or self._workers is not None:
            return self._workers or os.cpu_count() or 1
        return sum(self._client.nthreads().values()) or 1

    async def map(self, function: Callable[[T], Awaitable[R]], items: Iterable[T], done: Callable[[R], None]) -> None:
        """See `Engine.map`."""
        client = await anyio.to_thread.run_sync(self._connect)

        def begin(item: T) -> tuple[Callable[[], R], Callable[[], None]]:
            future = client.submit(partial(run_here, function), item, pure=False)
            return future.result, future.cancel

        await shared_out(self.slots, begin, items, done)

    async def aclose(self) -> None:
        """End the processes that it started, or let go of the scheduler it was given the address of."""
        client, self._client = self._client, None
        if client is None or client is self._given:
            return
        cluster = None if isinstance(self._given, str) else client.cluster
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(client.close)
            if cluster is not None:
                await anyio.to_thread.run_sync(cluster.close)

    def _connect(self) -> Any:
        if self._client is None:
            if isinstance(self._given, str):
                self._client = self._distributed.Client(self._given)
            else:
                cluster = self._distributed.LocalCluster(
                    n_workers=self.slots, threads_per_worker=1, processes=True, dashboard_address=None
                )
                self._client = self._distributed.Client(cluster)
        return self._client
