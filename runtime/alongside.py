"""What a run says on boards of its own, written with its next records: in one transaction, where its log can."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Protocol, Self, cast

from .log import Log

if TYPE_CHECKING:
    from .execution import Execution

Part = tuple[str, Sequence[object], int | None]
"""A stream's name, what is added to it, and the position at which it must end."""


class Together(Protocol):
    """What a log may have besides what `Log` asks for."""

    async def append_together(self, parts: Sequence[Part]) -> None:
        """Add records to several streams, all or none, in this order. Raises what `append` raises."""
        ...


async def append_together(log: Log, parts: list[Part]) -> None:
    """Add records to several streams in this order, and take each out of the list once it is written.

    log: if it cannot do it at once, it is done one after the other. Raises what `append` raises.
    """
    if hasattr(log, "append_together"):
        await cast(Together, log).append_together(parts)
        parts.clear()
    while parts:
        await log.append(*parts[0])
        del parts[0]


async def not_there_yet(log: Log, stream: str, records: Sequence[object], after: int) -> Sequence[object]:
    """What is left to append, when nobody knows whether it was: a cancelled append may have been made.

    log, stream: where. records: what was to be appended, and what has come since. after: where the stream ended before.
    What somebody else wrote there does not count. Raises what `read` raises.
    """
    there = [record for _, record in await log.read(stream, after)]
    for at, (one, other) in enumerate(zip(records, there, strict=False)):
        if _mark(one) != _mark(other):
            return records[at:]
    return records[len(there) :]


def _mark(record: object) -> tuple[object, ...]:
    """What a record and nobody else's is told by, though texts in it may have been redacted."""
    return type(record), getattr(record, "seq", None), getattr(record, "time", None)


class Alongside:
    """A run's log for streams that nobody else writes to.

    What is appended here is durable when the run's next records are, in the same transaction and before them; so it is
    before anything is asked that may rest on it. Who reads or watches by this log finds all of it.
    """

    instant = False

    def __init__(self, execution: Execution) -> None:
        self._execution, self._log = execution, execution.log
        self._is_watched = False

    async def append(self, stream: str, records: Sequence[object], expect: int | None = None) -> int:
        if expect is None or self._is_watched:
            await self._execution.flush()
            return await self._log.append(stream, records, expect)
        self._execution.alongside.append((stream, records, expect))
        return expect + len(records)

    async def read(self, stream: str, after: int = 0) -> list[tuple[int, object]]:
        # Only for what was appended here: a run that goes on and has but read writes nothing yet.
        if self._execution.alongside or self._execution.writing or self._execution.doubtful:
            await self._execution.flush()
        return await self._log.read(stream, after)

    def watch(self, stream: str, after: int = 0) -> AsyncIterator[tuple[int, object]]:
        self._is_watched = True
        return _Watch(self._execution, self._log.watch(stream, after))

    async def streams(self, prefix: str = "") -> list[str]:
        await self._execution.flush()
        return await self._log.streams(prefix)

    async def put(self, body: bytes) -> str:
        return await self._log.put(body)

    async def get(self, digest: str) -> bytes:
        return await self._log.get(digest)

    async def aclose(self) -> None:
        await self._log.aclose()


class _Watch:
    """A watch that begins when all that was appended before it is in the log."""

    def __init__(self, execution: Execution, records: AsyncIterator[tuple[int, object]]) -> None:
        self._execution, self._records = execution, records

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[int, object]:
        if self._execution.alongside:
            await self._execution.flush()
        return await anext(self._records)

    async def aclose(self) -> None:
        closing = getattr(self._records, "aclose", None)
        if closing is not None:
            await closing()
