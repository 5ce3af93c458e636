"""The append-only log: the only store. Journal, events, blackboards and the list of runs are views of it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import anyio

from phalanx.errors import LogConflict, LogError


class Log(Protocol):
    """Named streams of records, each in one order, and bodies kept once by their hash.

    Records are the frozen values of `runtime.events` and `runtime.board`; a log that writes them somewhere encodes
    them itself. Positions count from 1; 0 is before the first record. `instant`: append never has to wait.
    """

    instant: bool

    async def append(self, stream: str, records: Sequence[object], expect: int | None = None) -> int:
        """Add records at the end of a stream, all or none, and return the position of the last one.

        expect: the position the stream must end at. Raises LogConflict when it does not.
        """
        ...

    async def read(self, stream: str, after: int = 0) -> list[tuple[int, object]]:
        """The records after a position, each with its own."""
        ...

    def watch(self, stream: str, after: int = 0) -> AsyncIterator[tuple[int, object]]:
        """The records after a position, then each new one as it comes; it never ends by itself."""
        ...

    async def streams(self, prefix: str = "") -> list[str]:
        """The names of the streams that begin with `prefix`, sorted."""
        ...

    async def put(self, body: bytes) -> str:
        """Keep a body and return the hash it is found by; the same body is kept once."""
        ...

    async def get(self, digest: str) -> bytes:
        """The body with this hash. Raises LogError when there is none."""
        ...

    async def aclose(self) -> None:
        """Write what is pending and let go of files and connections."""
        ...


class MemoryLog:
    """A log that lives as long as the process: nothing is written anywhere."""

    instant = True

    def __init__(self) -> None:
        self._streams: dict[str, list[object]] = {}
        self._bodies: dict[str, bytes] = {}
        self._grown: dict[str, anyio.Event] = {}

    async def append(self, stream: str, records: Sequence[object], expect: int | None = None) -> int:
        held = self._streams.setdefault(stream, [])
        if expect is not None and expect != len(held):
            raise LogConflict(stream, expected=expect, actual=len(held))
        held.extend(records)
        if grown := self._grown.pop(stream, None):
            grown.set()
        return len(held)

    async def read(self, stream: str, after: int = 0) -> list[tuple[int, object]]:
        held = self._streams.get(stream, [])
        return [(at, held[at - 1]) for at in range(after + 1, len(held) + 1)]

    async def watch(self, stream: str, after: int = 0) -> AsyncIterator[tuple[int, object]]:
        while True:
            grown = self._grown.setdefault(stream, anyio.Event())
            fresh = await self.read(stream, after)
            for at, record in fresh:
                after = at
                yield at, record
            if not fresh:
                await grown.wait()

    async def streams(self, prefix: str = "") -> list[str]:
        return sorted(name for name in self._streams if name.startswith(prefix))

    async def put(self, body: bytes) -> str:
        digest = hashlib.sha256(body).hexdigest()
        self._bodies.setdefault(digest, body)
        return digest

    async def get(self, digest: str) -> bytes:
        try:
            return self._bodies[digest]
        except KeyError:
            raise LogError(f"no body with hash {digest} in this log") from None

    async def aclose(self) -> None:
        for grown in self._grown.values():
            grown.set()
        self._grown.clear()
