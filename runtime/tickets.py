"""Answers that come from another thread, awaited in asyncio or trio without giving up before they are there."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar, cast

import anyio
import anyio.lowlevel

T = TypeVar("T")

_lock = threading.Lock()


class Ticket(Generic[T]):
    """One answer: given once by any thread, awaited by one task."""

    __slots__ = ("_answer", "_failure", "_wake", "done")

    def __init__(self) -> None:
        self.done = False
        self._answer: T | None = None
        self._failure: BaseException | None = None
        self._wake: Callable[[], None] | None = None

    def give(self, answer: T) -> None:
        """Answer."""
        self._answer = answer
        self._finish()

    def fail(self, failure: BaseException) -> None:
        """Answer with an error."""
        self._failure = failure
        self._finish()

    def result(self) -> T:
        """The answer that is there. Raises the error it was answered with."""
        if self._failure is not None:
            raise self._failure
        return cast(T, self._answer)

    async def wait(self) -> T:
        """Wait for the answer, through a cancellation too: whoever asked learns what has become of it.

        A scope's cancellation comes back at the next moment at which its task waits. An asyncio task that was
        cancelled by itself, not by a scope, is cancelled in the end, because of the error if there was one.
        """
        cancelled: BaseException | None = None
        if not self.done:
            event = self._event()
            try:
                # A shield costs as much as all the rest, and is seldom needed.
                await event.wait()
            except anyio.get_cancelled_exc_class() as cancellation:
                cancelled = of_task(cancellation)
                with anyio.CancelScope(shield=True):
                    while not self.done:
                        try:
                            await event.wait()
                        except anyio.get_cancelled_exc_class() as another:
                            cancelled = another
        if cancelled is not None:
            raise cancelled from self._failure
        return self.result()

    async def wait_or_leave(self) -> T:
        """Wait for the answer; a cancellation ends the waiting, and nobody learns of the answer."""
        if not self.done:
            await self._event().wait()
        return self.result()

    def _event(self) -> anyio.Event:
        event = anyio.Event()
        wake = waker(event)
        with _lock:
            self._wake = wake
        if self.done:
            event.set()
        return event

    def _finish(self) -> None:
        with _lock:
            self.done = True
            wake = self._wake
        if wake is not None:
            wake()


def of_task(cancellation: BaseException) -> BaseException | None:
    """The cancellation that was caught, if it does not come again: an asyncio task's own, not that of a scope."""
    # When both come at once the scope, at its end, lets the task's own go on.
    return None if anyio.current_effective_deadline() == -math.inf else cancellation


def waker(event: anyio.Event) -> Callable[[], None]:
    """What sets an event of the running loop from any thread, without waiting for it."""
    loop = anyio.lowlevel.current_token().native_token
    if hasattr(loop, "call_soon_threadsafe"):
        soon = cast(_AsyncioLoop, loop).call_soon_threadsafe
    else:
        soon = cast(_TrioToken, loop).run_sync_soon

    def wake() -> None:
        try:
            soon(event.set)
        except RuntimeError:
            return  # its loop has ended, and nobody waits any more

    return wake


class _AsyncioLoop(Protocol):
    def call_soon_threadsafe(self, call: Callable[[], object], /) -> object: ...


class _TrioToken(Protocol):
    def run_sync_soon(self, call: Callable[[], object], /) -> object: ...
