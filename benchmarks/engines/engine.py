"""The seam: something that does work items, some at the same time, here or elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol, TypeVar

from phalanx.errors import ConfigurationError
from phalanx.settings import nearest

T = TypeVar("T")
R = TypeVar("R")

NAMES = ("local", "dask", "ray")


class Engine(Protocol):
    """Does work items. remote: in other processes, so that functions and items must be picklable. slots: how many at
    the same time.

    Where a process is lost its items are done again: an item must be idempotent, and keep its result before it returns.
    """

    remote: bool

    @property
    def slots(self) -> int:
        """How many items are worked on at the same time."""
        ...

    async def map(self, function: Callable[[T], Awaitable[R]], items: Iterable[T], done: Callable[[R], None]) -> None:
        """Do every item, and tell each result as it comes.

        function: does one item. items: taken one by one, when there is a free slot. done: gets each result. Raises
        what `function` raises, after the items under way were cancelled.
        """
        ...

    async def aclose(self) -> None:
        """Let go of what the engine itself has started."""
        ...


def engine_named(name: str, *, concurrency: int | None = None) -> Engine:
    """An engine by its name: "local", "dask" (processes on this machine) or "ray".

    concurrency: items at the same time (default: 16 here, one a processor elsewhere). Raises ConfigurationError for
    another name, or when its library is not there.
    """
    from .local import LocalEngine

    if name == "local":
        return LocalEngine(concurrency)
    if name == "dask":
        from .dask import DaskEngine

        return DaskEngine(workers=concurrency)
    if name == "ray":
        from .ray import RayEngine

        return RayEngine(workers=concurrency)
    raise ConfigurationError(f"there is no engine {name!r}{nearest(name, NAMES)}; there are: {', '.join(NAMES)}")
