"""The append-only log: the only store. Journal, events, blackboards and the list of runs are views of it."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol, Self

import anyio

from phalanx.errors import LogConflict, LogError


class Log(Protocol):
    """Named streams of records, each in one order, and bodies kept once by their hash.

    Records are the frozen values of `runtime.events` and `runtime.board`; a log that writes them somewhere encodes
    them itself. Positions count from 1; 0 is before the first record. `instant`: append never has to wait.
    Two that work on one run are kept apart by `hold`, where a log has it; see `holding.Holding`.
    """

    instant: bool

    async def append(self, stream: str, records: Sequence[object], expect: int | None = None) -> int:
        """Add records at the end of a stream, all or none, and return the position of the last one.

        expect: the position the stream must end at. Raises LogConflict when it does not. A cancellation does not
        interrupt it: what was given is written, and the caller learns where before he is cancelled.
        """
        ...

    async def read(self, stream: str, after: int = 0) -> list[tuple[int, object]]:
        """The records after a position, each with its own."""
        ...

    def watch(self, stream: str, after: int = 0) -> AsyncIterator[tuple[int, object]]:
        """The records after a position, then each new one as it comes; it ends when the log is closed."""
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


class Watch:
    """The records of a stream as they come, one at a time and in order.

    It may be abandoned at any moment: between two records it holds nothing that would have to be closed.
    """

    def __init__(
        self,
        after: int,
        read: Callable[[int], Awaitable[list[tuple[int, object]]]],
        bell: Callable[[int], Bell],
    ) -> None:
        """read: the records after a position. bell: rings when there may be some, from the moment it is made."""
        self._after, self._read, self._bell = after, read, bell
        self._fresh: deque[tuple[int, object]] = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[int, object]:
        while not self._fresh:
            self._fresh.extend(await self._read(self._after))
            if not self._fresh:
                await self._wait()
        self._after, record = self._fresh.popleft()
        return self._after, record

    async def _wait(self) -> None:
        bell = self._bell(self._after)
        try:
            # Once more, for what came before the bell was hung up.
            self._fresh.extend(await self._read(self._after))
            if not self._fresh and not await bell.wait():
                raise StopAsyncIteration
        finally:
            bell.take_down()


class Bell(Protocol):
    """Rings when a stream has grown, or its log was closed."""

    async def wait(self) -> bool:
        """Wait for it; False says that the log was closed."""
        ...

    def take_down(self) -> None:
        """Ring no more."""
        ...


def check_stream(name: str) -> None:
    """Raise ValueError when this cannot be a stream's name: it must be text, not empty, without NUL and encodable."""
    if not isinstance(name, str) or not name or "\x00" in name:
        raise ValueError(f"a stream's name is a text that is not empty and has no NUL character, not {name!r}")
    try:
        name.encode()
    except UnicodeEncodeError as problem:
        raise ValueError(f"a stream's name must be valid Unicode: {problem}") from None


def check_after(after: int) -> None:
    """Raise ValueError when this is no position to read from."""
    if after < 0:
        raise ValueError(f"positions count from 1 and 0 is before the first record; after={after} is no position")


class MemoryLog:
    """A log that lives as long as the process: nothing is written anywhere."""

    instant = True

    def __init__(self) -> None:
        self._streams: dict[str, list[object]] = {}
        self._bodies: dict[str, bytes] = {}
        self._bells: dict[str, set[_MemoryBell]] = {}
        self._closed = False

    async def append(self, stream: str, records: Sequence[object], expect: int | None = None) -> int:
        """Add records at the end of a stream, all or none, and return the position of the last one.

        stream: its name. records: what to add. expect: the position at which the stream must end. Raises LogConflict
        when it does not.
        """
        held = self._streams.get(stream)
        if held is None:
            check_stream(stream)
            held = []
        if expect is not None and expect != len(held):
            raise LogConflict(stream, expected=expect, actual=len(held))
        if not records:
            return len(held)
        held.extend(records)
        self._streams[stream] = held
        for bell in self._bells.get(stream, ()):
            bell.ring(True)
        return len(held)

    async def read(self, stream: str, after: int = 0) -> list[tuple[int, object]]:
        """The records of a `stream` after a position (`after`), each with its own."""
        check_after(after)
        held = self._streams.get(stream, [])
        return [(at, held[at - 1]) for at in range(after + 1, len(held) + 1)]

    def watch(self, stream: str, after: int = 0) -> Watch:
        """The records of a `stream` after a position (`after`), then each new one as it comes."""
        check_stream(stream)
        check_after(after)
        return Watch(after, partial(self.read, stream), lambda _: _MemoryBell(self._bells, stream, self._closed))

    async def streams(self, prefix: str = "") -> list[str]:
        """The names of the streams that begin with `prefix`, sorted."""
        return sorted(name for name in self._streams if name.startswith(prefix))

    async def put(self, body: bytes) -> str:
        """Keep a `body` and return the hash it is found by; the same body is kept once."""
        digest = hashlib.sha256(body).hexdigest()
        self._bodies.setdefault(digest, body)
        return digest

    async def get(self, digest: str) -> bytes:
        """The body with the hash `digest`. Raises LogError when there is none."""
        try:
            return self._bodies[digest]
        except KeyError:
            raise LogError(f"no body with hash {digest} in this log") from None

    async def aclose(self) -> None:
        """End what is watching. The records stay."""
        self._closed = True
        for bells in self._bells.values():
            for bell in bells:
                bell.ring(False)


class _MemoryBell:
    __slots__ = ("_bells", "_grown", "_rung", "_stream")

    def __init__(self, bells: dict[str, set[_MemoryBell]], stream: str, closed: bool) -> None:
        self._bells, self._stream = bells, stream
        bells.setdefault(stream, set()).add(self)
        self._rung, self._grown = anyio.Event(), True
        if closed:
            self.ring(False)

    def ring(self, grown: bool) -> None:
        self._grown = grown
        self._rung.set()

    async def wait(self) -> bool:
        await self._rung.wait()
        return self._grown

    def take_down(self) -> None:
        others = self._bells[self._stream]
        others.remove(self)
        if not others:
            del self._bells[self._stream]
