"""What lives as long as an event loop and is closed with it: connections, which no other loop can use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary, WeakSet

from phalanx.errors import ConfigurationError

T = TypeVar("T")


class PerLoop(Generic[T]):
    """One thing a loop, made when it is first needed, and closed when its last user leaves or the loop ends.

    open: makes the thing; it runs in the loop. close: closes it; it is awaited once. Thread safe: each loop has its
    own thing, and only its own thread touches it.
    """

    def __init__(self, open: Callable[[], T], close: Callable[[T], Awaitable[None]]) -> None:
        self._open, self._close = open, close
        self._held: WeakKeyDictionary[asyncio.AbstractEventLoop, _Held[T]] = WeakKeyDictionary()

    async def get(self, user: object) -> T:
        """This loop's thing, used by `user` from now on."""
        loop = running_loop()
        held = self._held.get(loop)
        if held is None:
            held = self._held[loop] = _Held(self._open())
            held.keeper = self._keep(loop, held.thing)
            await held.keeper.__anext__()
        if user not in held.users:
            held.users.add(user)
        return held.thing

    async def leave(self, user: object) -> None:
        """`user` needs this loop's thing no more; the last one to leave closes it."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # another kind of loop: nothing was ever opened in it
        held = self._held.get(loop)
        if held is None or user not in held.users:
            return
        held.users.discard(user)
        if not held.users and held.keeper is not None:
            await held.keeper.aclose()

    async def _keep(self, loop: asyncio.AbstractEventLoop, thing: T) -> AsyncGenerator[None, None]:
        # asyncio.run and anyio.run finish every async generator that was begun in their loop before they close it.
        try:
            yield
        finally:
            self._held.pop(loop, None)
            await self._close(thing)


class _Held(Generic[T]):
    def __init__(self, thing: T) -> None:
        self.thing = thing
        self.users: WeakSet[object] = WeakSet()
        self.keeper: AsyncGenerator[None, None] | None = None


def running_loop() -> asyncio.AbstractEventLoop:
    """The running asyncio loop. Raises ConfigurationError under another one, which is trio's."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError(
            "LiteLLM runs on asyncio only: call it under asyncio (anyio.run(main), or run_sync), "
            "or give another Model to what runs under trio"
        ) from None
