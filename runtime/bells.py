"""Who waits for which stream of a log to grow, and is told by whichever thread sees it."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import anyio

from .tickets import waker


class Bells:
    """The bells of one log. Any thread may ring them."""

    def __init__(self) -> None:
        # Reentrant, because what rings or closes may be a finalizer that interrupts one of these methods.
        self._lock = threading.RLock()
        self._hung: dict[str, set[Bell]] = {}
        self._closed = False

    def __bool__(self) -> bool:
        return bool(self._hung)

    def hang(self, stream: str, after: int) -> Bell:
        """A bell that rings once the stream has grown beyond a position."""
        bell = Bell(self, stream, after)
        with self._lock:
            self._hung.setdefault(stream, set()).add(bell)
            closed = self._closed
        if closed:
            bell.ring(False)
        return bell

    def take_down(self, bell: Bell) -> None:
        """Ring it no more."""
        with self._lock:
            others = self._hung[bell.stream]
            others.discard(bell)
            if not others:
                del self._hung[bell.stream]

    def streams(self) -> list[str]:
        """The streams that somebody waits for."""
        with self._lock:
            return list(self._hung)

    def ring(self, heads: Mapping[str, int]) -> None:
        """Ring for streams that have grown; heads: where they end now."""
        with self._lock:
            bells = [bell for stream, head in heads.items() for bell in self._hung.get(stream, ()) if bell.after < head]
        for bell in bells:
            bell.ring(True)

    def ring_all(self) -> None:
        """Ring for all streams, because nobody knows which have grown."""
        self.ring(dict.fromkeys(self.streams(), 1 << 62))

    def close(self) -> None:
        """Tell everybody who waits, now or later, that the log is closed."""
        with self._lock:
            self._closed = True
            bells = [bell for bells in self._hung.values() for bell in bells]
        for bell in bells:
            bell.ring(False)


class Bell:
    """Rings once, in the loop it was made in."""

    __slots__ = ("_bells", "_grown", "_rung", "_wake", "after", "stream")

    def __init__(self, bells: Bells, stream: str, after: int) -> None:
        self._bells, self.stream, self.after = bells, stream, after
        self._rung, self._grown = anyio.Event(), True
        self._wake = waker(self._rung)

    def ring(self, grown: bool) -> None:
        """Wake whoever waits. grown: False says that the log was closed."""
        self._grown = grown
        self._wake()

    async def wait(self) -> bool:
        """Wait until it rings; False when the log was closed."""
        await self._rung.wait()
        return self._grown

    def take_down(self) -> None:
        """Ring no more."""
        self._bells.take_down(self)
