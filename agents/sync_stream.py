"""A run's events for code that is not async: a plain generator, while the run goes on in a thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Protocol, TypeVar

from anyio.from_thread import start_blocking_portal

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Closable(Protocol[T_co]):
    """An async iterator that owns something, such as a run, until it is closed."""

    def __aiter__(self) -> AsyncIterator[T_co]: ...
    def __anext__(self) -> Awaitable[T_co]: ...
    async def aclose(self) -> None: ...


def iterate(
    make: Callable[[], Closable[T]], after: Callable[[], Awaitable[object]] | None = None
) -> Generator[T, None, None]:
    """The items of an async iterator as they come.

    make: gives the iterator, inside the event loop that runs it. after: done there at the end. Closing the generator
    early closes the iterator, which cancels what it owns. Context variables, such as those of `with limits(...)`, are
    passed on. Works inside a running event loop too, which stands still while it waits.

    Raises what the iterator raises.
    """

    async def following(items: Closable[T]) -> list[T]:
        try:
            return [await items.__anext__()]
        except StopAsyncIteration:
            return []

    async def begin() -> Closable[T]:
        return make()

    async def end(items: Closable[T]) -> None:
        try:
            await items.aclose()
        finally:
            if after is not None:
                await after()

    with start_blocking_portal() as portal:
        items = portal.call(begin)
        try:
            while found := portal.call(following, items):
                yield found[0]
        finally:
            portal.call(end, items)
