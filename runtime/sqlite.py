"""A log in one SQLite file: survives the process, can be shared by several, needs nothing installed."""

from __future__ import annotations

import os
import warnings
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import anyio
import anyio.lowlevel

from phalanx.errors import LogError

from .alongside import Part
from .batch import Batch
from .bodies import digest_of
from .codec import Codec
from .holding import held_beside
from .log import Watch, check_after, check_stream
from .sqlite_engine import Engine
from .sqlite_file import LogFile
from .sqlite_format import Durable

T = TypeVar("T")

FEW = 64
MANY = 512
"""How many records are read at once: a few in the event loop, more by the thread."""


class SqliteLog:
    """A log in an SQLite file. Nothing is opened before the first use, and reading creates no file.

    path: on a local disk; write-ahead logging does not work on network shares. While the log is open, this process
        must not open the file by other means (to copy it, say): closing it again would take away the log's locks.
    durable: what an append that has returned survives. "normal": the end of this process, whatever ends it; when
        the machine goes down the last moments may be missing, never something in between. "full": that too; each
        group of appends waits for the disk.
    redact: applied to every text before it is written; see `Codec`.
    timeout: seconds to wait for another process that is writing. poll: seconds between looks at what others wrote,
        while somebody watches. max_bytes: the most the file may grow to.

    Raises ValueError for a path that is no file's and for options that cannot be. All errors of the file are
    LogError: damaged, another program's, of a newer version, read-only, locked, full. A cancelled append is
    written all the same, and returns before it is cancelled: what was written is always known.
    """

    instant = False

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        durable: Durable = "normal",
        redact: Callable[[str], str] | None = None,
        timeout: float = 10.0,
        poll: float = 0.1,
        max_bytes: int | None = None,
    ) -> None:
        where = os.fspath(path)
        if not where or where == ":memory:" or where.startswith("file:"):
            raise ValueError(f"a log needs the path of a file, not {where!r}; to keep nothing use MemoryLog()")
        if durable not in ("normal", "full"):
            raise ValueError(f"durable is 'normal' or 'full', not {durable!r}")
        if timeout < 0 or poll <= 0 or (max_bytes is not None and max_bytes <= 0):
            raise ValueError("timeout cannot be negative, and poll and max_bytes must be positive")
        self.path = Path(where).absolute()
        self.codec = Codec(redact)
        self._engine = Engine(self.path, durable=durable, timeout=timeout, poll=poll, max_bytes=max_bytes)

    async def append(self, stream: str, records: Sequence[object], expect: int | None = None) -> int:
        """Add records at the end of a stream, all or none, and return the position of the last one.

        stream: its name. records: what to add. expect: the position at which the stream must end. Raises LogConflict
        when it does not, LogError when a record cannot be stored or the file cannot be written.
        """
        check_stream(stream)
        return await self._write(self.codec.batch(stream, records, self._engine.known, expect))

    async def append_together(self, parts: Sequence[Part]) -> None:
        """Add records to several streams, in one transaction and in this order; see `Together`.

        parts: of each stream its name, the records, and the position at which it must end. Raises what `append` does.
        """
        batches: list[Batch] = []
        for stream, records, expect in parts:
            check_stream(stream)
            batches.append(self.codec.batch(stream, records, self._engine.known, expect))
        last = batches.pop()
        last.before = batches
        await self._write(last)
        for batch in batches:
            batch.ticket.result()

    async def read(self, stream: str, after: int = 0) -> list[tuple[int, object]]:
        """The records of a `stream` after a position, each with its own.

        after: that position. Raises LogError when one is missing or damaged.
        """
        check_stream(stream)
        check_after(after)
        records: list[tuple[int, object]] = []
        nothing: list[tuple[int, object]] = []
        limit = FEW
        while True:
            work: Callable[[LogFile], list[tuple[int, object]]] = partial(self._decoded, stream, after, limit)
            found = await self._do(work, nothing, quick=limit == FEW)
            records += found
            if len(found) < limit:
                return records
            after, limit = found[-1][0], MANY

    async def ends(self, stream: str) -> tuple[object, object] | None:
        """The first and the last record of a stream, without what is between; None when it is empty.

        stream: its name. Raises LogError when one of them is damaged.
        """
        check_stream(stream)

        def look(file: LogFile) -> tuple[object, object] | None:
            head = file.head(stream)
            if head == 0:
                return None
            [(_, first)] = self._decoded(stream, 0, 1, file)
            return first, first if head == 1 else self._decoded(stream, head - 1, 1, file)[0][1]

        return await self._do(look, None, quick=True)

    def watch(self, stream: str, after: int = 0) -> Watch:
        """The records of a `stream` after a position, then each new one as it comes.

        after: that position. What this log writes comes at once, what other processes write within `poll` seconds.
        """
        check_stream(stream)
        check_after(after)
        return Watch(after, partial(self._read_until_closed, stream), partial(self._engine.bell, stream))

    async def streams(self, prefix: str = "") -> list[str]:
        """The names of the streams that begin with `prefix`, sorted."""
        return await self._do(lambda file: file.streams(prefix), [], quick=False)

    async def put(self, body: bytes) -> str:
        """Keep a body and return its hash; the same one is kept once.

        body: text is redacted first, and the hash is that of what is kept.
        """
        body = self.codec.body(body)
        digest = digest_of(body)
        if digest not in self._engine.known:
            await self._write(Batch("", (), {digest: body}))
        return digest

    async def get(self, digest: str) -> bytes:
        """The body with the hash `digest`. Raises LogError when there is none."""
        found = await self._do(lambda file: file.body(digest), None, quick=True)
        if found is None:
            raise LogError(f"no body with hash {digest} in {self.path}")
        return found

    @asynccontextmanager
    async def hold(self, run_id: str) -> AsyncIterator[None]:
        """Work on a run alone, among all processes of this machine, while the block lasts; see `Holding`.

        run_id: which run. The lock ends with the process, however it ends. Raises RunBusy when somebody else holds it,
        LogError when the file beside the log, which the locks are on, cannot be made.
        """
        with held_beside(self.path, run_id):
            yield

    async def check(self) -> list[str]:
        """What is wrong with the file, in words; empty when nothing is. Reads all of it."""
        return await self._do(self._problems, [], quick=False)

    async def aclose(self) -> None:
        """Write what is pending, end what is watching, and let go of the file; then the log is closed for good."""
        if (ticket := self._engine.shut()) is not None:
            await ticket.wait()
        self._engine.join()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"SqliteLog({str(self.path)!r})"

    def __del__(self) -> None:
        engine: Engine | None = getattr(self, "_engine", None)
        if engine is not None and engine.in_use:
            engine.shut()
            warnings.warn(
                f"unclosed log {self.path}; use `async with`, or await aclose()",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )

    async def _write(self, batch: Batch) -> int:
        self._engine.submit(batch)
        return await batch.ticket.wait()

    async def _do(self, work: Callable[[LogFile], T], otherwise: T, *, quick: bool) -> T:
        ticket = self._engine.here(work) if quick else None
        if ticket is None:
            await anyio.lowlevel.checkpoint_if_cancelled()
            return await self._engine.there(work, otherwise).wait_or_leave()
        await anyio.lowlevel.checkpoint()
        return ticket.result()

    async def _read_until_closed(self, stream: str, after: int) -> list[tuple[int, object]]:
        try:
            return await self.read(stream, after)
        except LogError:
            if self._engine.closed:
                return []
            raise

    def _decoded(self, stream: str, after: int, limit: int, file: LogFile) -> list[tuple[int, object]]:
        records = []
        for position, kind, data in file.rows(stream, after, limit):
            try:
                records.append((position, self.codec.decode(kind, data, file.body)))
            except LogError as problem:
                raise LogError(f"record {position} of stream {stream!r} in {self.path}: {problem}") from problem
        return records

    def _problems(self, file: LogFile) -> list[str]:
        problems = file.problems()
        for digest in file.digests():
            try:
                file.body(digest)
            except LogError as problem:
                problems.append(str(problem))
        for stream in file.streams(""):
            after = 0
            try:
                while found := self._decoded(stream, after, MANY, file):
                    after = found[-1][0]
            except LogError as problem:
                problems.append(str(problem))
        return problems
