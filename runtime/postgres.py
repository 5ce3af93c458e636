"""A log in a Postgres database, for teams on several machines. Needs asyncpg: `pip install 'phalanx[postgres]'`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

import anyio

from phalanx.errors import LogError

from .batch import Batch
from .bells import Bell, Bells
from .bodies import digest_of
from .codec import Codec
from .log import Watch, check_after, check_stream
from .postgres_holding import Holds
from .postgres_link import Link, explained, is_lost, place_of
from .postgres_tables import Connection, Tables

if TYPE_CHECKING:
    import asyncio

MANY = 512
"""How many records are read at once."""

GROUP_ROWS = 2000
GROUP_BYTES = 8_000_000
"""About the most that is written in one statement."""

REMEMBERED = 50_000
REMEMBERED_BYTES = 16_000_000
"""How many digests of written bodies, and how much content of read ones, is remembered."""

PATROL = 15.0
"""Seconds after which a watcher reads although nobody told it to: a network can fall silent without a word."""


class PostgresLog:
    """A log in a Postgres database. Nothing is opened before the first use, and reading makes no tables.

    dsn: "postgresql://user:password@host:port/database". schema: where its tables are; made with the first append.
    redact: applied to every text before it is written; see `Codec`.
    timeout: seconds for one statement, and for getting a broken connection back. connections: the most at a time.

    An append that has returned is as durable as the server makes its commits (by default it survives a crash of
    the machine). One whose connection breaks is made again until `timeout`, and is never there twice. A cancelled
    append is written all the same, and returns before it is cancelled. Works on asyncio, in one event loop.
    Raises ValueError for options that cannot be. All errors of the database are LogError, or ConfigurationError
    when the address, the user or asyncpg is the trouble.
    """

    instant = False

    def __init__(
        self,
        dsn: str,
        *,
        schema: str = "phalanx",
        redact: Callable[[str], str] | None = None,
        timeout: float = 30.0,
        connections: int = 4,
    ) -> None:
        if not dsn.startswith(("postgresql://", "postgres://")):
            raise ValueError("a Postgres log needs a dsn like 'postgresql://user:password@host:port/database'")
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,39}", schema):
            raise ValueError(f"a schema's name is up to 40 of a-z, 0-9 and _, not {schema!r}")
        if timeout <= 0 or connections < 1:
            raise ValueError("timeout must be positive, and connections at least 1")
        self.codec = Codec(redact)
        self._known: set[str] = set()
        self._bells = Bells()
        self._link = Link(dsn, Tables(schema, place_of(dsn)), self._bells, timeout=timeout, connections=connections)
        self._holds = Holds(self._link)
        self._inbox: list[Batch] = []
        self._writer: asyncio.Task[None] | None = None
        self._read: dict[str, bytes] = {}
        self._read_size = 0

    async def append(self, stream: str, records: Sequence[object], expect: int | None = None) -> int:
        """Add records at the end of a stream, all or none, and return the position of the last one.

        stream: its name. records: what to add. expect: the position at which the stream must end. Raises LogConflict
        when it does not, LogError when a record cannot be stored or the database cannot be written.
        """
        check_stream(stream)
        return await self._write(self.codec.batch(stream, records, self._known, expect))

    async def read(self, stream: str, after: int = 0) -> list[tuple[int, object]]:
        """The records of a `stream` after a position, each with its own.

        after: that position. Raises LogError when one is missing or damaged, or the database cannot be read.
        """
        check_stream(stream)
        check_after(after)
        records: list[tuple[int, object]] = []
        async with self._link.reading() as pool:
            while pool is not None:
                rows = await self._link.tables.rows(pool, stream, after, MANY)
                records += await self._decoded(pool, stream, rows)
                if len(rows) < MANY:
                    break
                after = rows[-1][0]
        return records

    def watch(self, stream: str, after: int = 0) -> Watch:
        """The records of a `stream` after a position, then each new one as it comes; the server tells of it.

        after: that position.
        """
        check_stream(stream)
        check_after(after)
        return Watch(after, partial(self._read_until_closed, stream), lambda at: _Patrol(self._bells.hang(stream, at)))

    async def streams(self, prefix: str = "") -> list[str]:
        """The names of the streams that begin with `prefix`, sorted."""
        async with self._link.reading() as pool:
            return [] if pool is None else await self._link.tables.streams(pool, prefix)

    async def put(self, body: bytes) -> str:
        """Keep a body and return its hash; the same one is kept once.

        body: text is redacted first, and the hash is that of what is kept.
        """
        body = self.codec.body(body)
        digest = digest_of(body)
        if digest not in self._known:
            await self._write(Batch("", (), {digest: body}))
        return digest

    async def get(self, digest: str) -> bytes:
        """The body with the hash `digest`. Raises LogError when there is none."""
        async with self._link.reading() as pool:
            if pool is None:
                raise LogError(f"no body with hash {digest} in {self._link.tables.where}")
            return (await self._link.tables.bodies(pool, [digest]))[digest]

    def hold(self, run_id: str) -> AbstractAsyncContextManager[None]:
        """Work on a run alone, among all that use this database, while the block lasts; see `Holding`.

        run_id: which run. The lock ends with the connection to the server, so with the process, however it ends; where
        the network falls silent, when the server notices. Raises RunBusy, naming process and machine, when somebody
        else holds it, LogError when the server cannot be reached.
        """
        return self._holds.hold(run_id)

    async def aclose(self) -> None:
        """Write what is pending, end what is watching, and let go of the connections; then the log is closed."""
        self._link.closed = True
        self._bells.close()
        with anyio.CancelScope(shield=True):
            if self._writer is not None:
                await self._writer
            await self._holds.close()
            await self._link.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"PostgresLog({self._link.tables.where!r}, schema={self._link.tables.schema!r})"

    # Writing: one task at a time, which takes all that has come meanwhile.

    async def _write(self, batch: Batch) -> int:
        loop = self._link.check()
        self._inbox.append(batch)
        if self._writer is None or self._writer.done():
            # A task of its own, so that no cancellation of a caller reaches a statement under way.
            self._writer = loop.create_task(self._write_all(), name="phalanx log writer")
        return await batch.ticket.wait()

    async def _write_all(self) -> None:
        while self._inbox:
            group, self._inbox = _next_group(self._inbox)
            try:
                await self._write_group(group)
            except Exception as problem:  # noqa: BLE001 - whoever waits must learn of it
                for batch in group:
                    batch.ticket.fail(explained(problem, self._link.tables.where))
                continue
            if len(self._known) > REMEMBERED:
                self._known.clear()
            grown: dict[str, int] = {}
            for batch in group:
                if batch.conflict is None:
                    self._known.update(batch.bodies)
                    grown[batch.stream] = batch.head
                batch.settle()
            self._bells.ring(grown)

    async def _write_group(self, group: Sequence[Batch]) -> None:
        tables, until = self._link.tables, anyio.current_time() + self._link.timeout
        writes = [os.urandom(16) for _ in group]
        perhaps_written = was_written = False
        while True:
            try:
                pool = await self._link.pool(make=True)
                if was_written:
                    await tables.find(pool, group, writes)
                    return
                await tables.append(pool, group, writes)
                # What looks like a conflict may be one with itself, written the first time.
                was_written = perhaps_written and any(batch.conflict for batch in group)
                if not was_written:
                    return
            except Exception as problem:
                name = type(problem).__name__
                if name == "UniqueViolationError" and perhaps_written:
                    was_written = True  # and only the answer got lost
                    continue
                again = is_lost(problem) or name in ("DeadlockDetectedError", "SerializationError")
                perhaps_written = perhaps_written or (is_lost(problem) and self._link.was_connected)
                if again and anyio.current_time() < until:
                    await anyio.sleep(0.1)
                    continue
                if perhaps_written:
                    raise LogError(
                        f"{tables.where} was lost while this was written and did not come back within "
                        f"{self._link.timeout:g} s; whether it was written can be read when it is back"
                    ) from problem
                raise

    # Reading.

    async def _decoded(
        self, pool: Connection, stream: str, rows: Sequence[tuple[int, str, bytes]]
    ) -> list[tuple[int, object]]:
        data = [row[2] for row in rows]
        bodies = self._read
        while lacking := self.codec.lacking(data, bodies):
            fetched = await self._link.tables.bodies(pool, sorted(lacking))
            bodies |= fetched
            self._read_size += sum(map(len, fetched.values()))
        records: list[tuple[int, object]] = []
        for position, kind, raw in rows:
            try:
                records.append((position, self.codec.decode(kind, raw, bodies.__getitem__)))
            except LogError as problem:
                raise LogError(
                    f"record {position} of stream {stream!r} in {self._link.tables.where}: {problem}"
                ) from problem
        if self._read_size > REMEMBERED_BYTES:
            self._read, self._read_size = {}, 0
        return records

    async def _read_until_closed(self, stream: str, after: int) -> list[tuple[int, object]]:
        try:
            if not self._link.closed:
                await self._link.listen()
            return await self.read(stream, after)
        except LogError:
            if self._link.closed:
                return []
            raise


class _Patrol:
    """A bell that also rings every now and then by itself."""

    def __init__(self, bell: Bell) -> None:
        self._bell = bell

    async def wait(self) -> bool:
        with anyio.move_on_after(PATROL):
            return await self._bell.wait()
        return True

    def take_down(self) -> None:
        self._bell.take_down()


def _next_group(inbox: Sequence[Batch]) -> tuple[list[Batch], list[Batch]]:
    """What can be written in one statement, and the rest: of a stream many appends, or one that expects something."""
    group: list[Batch] = []
    rest: list[Batch] = []
    taken: dict[str, bool] = {}
    rows = size = 0
    for batch in inbox:
        joins = not batch.stream or batch.stream not in taken or (taken[batch.stream] and batch.expect is None)
        if joins and (not group or (rows < GROUP_ROWS and size < GROUP_BYTES)):
            group.append(batch)
            rows, size = rows + len(batch.rows), size + batch.size
        else:
            joins = False
            rest.append(batch)
        taken[batch.stream] = taken.get(batch.stream, True) and joins and batch.expect is None
    return group, rest
