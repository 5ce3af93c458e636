"""A log's tables in Postgres: how they are made, written and read.

    streams(id, name, head)     records(stream, position, kind, data, sum, write)     bodies(digest, body)

A group of appends is one statement. It raises each stream's `head` only if the stream ends where its writer expects,
and holds that row until the commit, so positions have no gaps and whoever reads sees them in order. The first record
of every append carries a random number of its own in `write`, which is unique: an append that is repeated, because
the connection broke before anybody heard of its end, is found to be there.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, cast

from phalanx.errors import LogConflict, LogError

from .batch import Batch
from .bodies import digest_of

VERSION = 1

TABLES = """
    CREATE TABLE {s}.format (version int NOT NULL);
    INSERT INTO {s}.format VALUES ({version});
    CREATE TABLE {s}.streams (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text COLLATE "C" NOT NULL UNIQUE,
        head bigint NOT NULL
    );
    CREATE TABLE {s}.records (
        stream bigint NOT NULL, position bigint NOT NULL, kind text NOT NULL, data bytea NOT NULL, sum bigint NOT NULL,
        write bytea UNIQUE, PRIMARY KEY (stream, position)
    );
    CREATE TABLE {s}.bodies (digest bytea PRIMARY KEY, body bytea NOT NULL);
"""

APPEND = """
    WITH asked AS (
        SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS a(name, count, expect)
    ), grown AS (
        INSERT INTO {s}.streams AS s (name, head)
        SELECT name, count FROM asked
        WHERE coalesce(expect, 0) = 0 OR EXISTS (SELECT FROM {s}.streams AS t WHERE t.name = asked.name)
        ORDER BY name
        ON CONFLICT (name) DO UPDATE SET head = s.head + excluded.head
        WHERE (SELECT a.expect IS NULL OR a.expect = s.head FROM asked AS a WHERE a.name = s.name)
        RETURNING s.id, s.name, s.head
    ), written AS (
        INSERT INTO {s}.records (stream, position, kind, data, sum, write)
        SELECT grown.id, grown.head - asked.count + r.nth, r.kind, r.data, r.sum, r.write
        FROM unnest($4::text[], $5::bigint[], $6::text[], $7::bytea[], $8::bigint[], $9::bytea[])
            AS r(name, nth, kind, data, sum, write)
        JOIN grown USING (name) JOIN asked USING (name)
    ), kept AS (
        INSERT INTO {s}.bodies
        SELECT * FROM unnest($10::bytea[], $11::bytea[]) AS b(digest, body) ORDER BY digest
        ON CONFLICT DO NOTHING
    )
    SELECT name, head, pg_notify($12, CASE WHEN length(name) < 1000 THEN head || ' ' || name ELSE '' END) FROM grown
"""

FIND_WRITES = """
    SELECT r.write, r.position FROM {s}.records AS r WHERE r.write = ANY($1::bytea[])
"""
HEADS = "SELECT name, head FROM {s}.streams WHERE name = ANY($1::text[])"
ROWS = """
    SELECT position, kind, data, sum FROM {s}.records
    WHERE stream = (SELECT id FROM {s}.streams WHERE name = $1) AND position > $2 ORDER BY position LIMIT $3
"""
BODIES = "SELECT digest, body FROM {s}.bodies WHERE digest = ANY($1::bytea[])"
STREAMS = "SELECT name FROM {s}.streams WHERE starts_with(name, $1)"


class Connection(Protocol):
    """What is used of an asyncpg connection or pool."""

    async def fetch(self, query: str, *arguments: object) -> Sequence[Mapping[str, object]]: ...

    async def execute(self, query: str, *arguments: object) -> str: ...


class Tables:
    """The statements of one schema. `where` names the database in errors, without its password."""

    def __init__(self, schema: str, where: str) -> None:
        self.schema, self.where = schema, where
        self.channel = f"phalanx_{schema}"

    async def exist(self, connection: Connection) -> bool:
        """Whether the tables are there. Raises LogError when they are somebody else's or of a newer version."""
        found = await connection.fetch(
            "SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = $1 AND c.relkind IN ('r', 'v', 'p', 'm', 'f')",
            self.schema,
        )
        names = {row["name"] for row in found}
        if not names:
            return False
        if not names >= {"format", "streams", "records", "bodies"}:
            raise LogError(
                f"schema {self.schema!r} of {self.where} holds other tables ({', '.join(sorted(map(str, names)))}); "
                "nothing was changed. Give PostgresLog(…, schema=…) a schema of its own"
            )
        [row] = await connection.fetch(f"SELECT version FROM {self.schema}.format")
        version = cast(int, row["version"])
        if version > VERSION:
            raise LogError(
                f"schema {self.schema!r} of {self.where} was written by a newer Phalanx (format {version}; this one "
                f"knows up to {VERSION}); nothing was changed. Upgrade Phalanx to read it"
            )
        return True

    async def make(self, connection: Connection) -> None:
        """Make the tables, unless another process is faster. Must be called in a transaction."""
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", self.channel)
        if not await self.exist(connection):
            await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {self.schema}")
            await connection.execute(TABLES.format(s=self.schema, version=VERSION))

    async def append(self, connection: Connection, group: Sequence[Batch], writes: Sequence[bytes]) -> None:
        """Write a group in one transaction; of each stream only the first of a group may expect something.

        Sets `head` or `conflict` of each. writes: a number for each batch by which it is found again.
        """
        counts: dict[str, int] = {}
        expects: dict[str, int | None] = {}
        rows: list[tuple[str, int, str, bytes, int, bytes | None]] = []
        bodies: dict[str, bytes] = {}
        for batch, write in zip(group, writes, strict=True):
            bodies.update(batch.bodies)
            if batch.rows:
                at = counts.get(batch.stream, 0)
                counts[batch.stream] = at + len(batch.rows)
                expects.setdefault(batch.stream, batch.expect)
                first: bytes | None = write
                for nth, (kind, data) in enumerate(batch.rows, at + 1):
                    rows.append((batch.stream, nth, kind, data, _sum(kind, data), first))
                    first = None
        columns: list[list[object]] = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(6)]
        found = await connection.fetch(
            APPEND.format(s=self.schema), list(counts), list(counts.values()), list(expects.values()), *columns,
            [bytes.fromhex(digest) for digest in bodies], list(bodies.values()), self.channel,
        )  # fmt: skip
        ends = {cast(str, row["name"]): cast(int, row["head"]) - counts[cast(str, row["name"])] for row in found}
        written = set(ends)
        if others := [batch.stream for batch in group if batch.stream and batch.stream not in written]:
            ends |= await self.heads(connection, others)
        for batch in group:
            if batch.stream in written:
                ends[batch.stream] += len(batch.rows)
            _conclude(batch, ends.get(batch.stream, 0), written=batch.stream in written)

    async def find(self, connection: Connection, group: Sequence[Batch], writes: Sequence[bytes]) -> None:
        """Set `head` or `conflict` of batches that were written once, when nobody heard of it."""
        found = {
            cast(bytes, row["write"]): cast(int, row["position"])
            for row in await connection.fetch(FIND_WRITES.format(s=self.schema), list(writes))
        }
        ends = await self.heads(connection, [batch.stream for batch in group])
        for batch, write in zip(group, writes, strict=True):
            end = found[write] + len(batch.rows) - 1 if write in found else ends.get(batch.stream, 0)
            _conclude(batch, end, written=write in found)

    async def heads(self, connection: Connection, streams: Sequence[str]) -> dict[str, int]:
        """Where streams end, those that there are."""
        found = await connection.fetch(HEADS.format(s=self.schema), list(streams))
        return {cast(str, row["name"]): cast(int, row["head"]) for row in found}

    async def rows(self, connection: Connection, stream: str, after: int, limit: int) -> list[tuple[int, str, bytes]]:
        """Records after a position. Raises LogError when one is missing or damaged."""
        rows: list[tuple[int, str, bytes]] = []
        for row in await connection.fetch(ROWS.format(s=self.schema), stream, after, limit):
            position, kind, data = cast(int, row["position"]), cast(str, row["kind"]), cast(bytes, row["data"])
            after += 1
            if position != after:
                raise LogError(f"{self.where} is damaged: record {after} of stream {stream!r} is missing")
            if _sum(kind, data) != row["sum"]:
                raise LogError(f"{self.where} is damaged: record {after} of stream {stream!r} is not what was written")
            rows.append((position, kind, data))
        return rows

    async def bodies(self, connection: Connection, digests: Iterable[str]) -> dict[str, bytes]:
        """Bodies by their digests, all of them. Raises LogError when one is missing or damaged."""
        wanted = list(digests)
        keys = [bytes.fromhex(digest) for digest in wanted if _is_digest(digest)]
        found = {
            cast(bytes, row["digest"]).hex(): cast(bytes, row["body"])
            for row in await connection.fetch(BODIES.format(s=self.schema), keys)
        }
        for digest in wanted:
            if digest not in found:
                raise LogError(f"no body with hash {digest} in {self.where}")
            if digest_of(found[digest]) != digest:
                raise LogError(f"{self.where} is damaged: the body with hash {digest} is not what was written")
        return found

    async def streams(self, connection: Connection, prefix: str) -> list[str]:
        """The names of streams that begin with `prefix`, sorted."""
        found = await connection.fetch(STREAMS.format(s=self.schema), prefix)
        return sorted(cast(str, row["name"]) for row in found)


def _conclude(batch: Batch, end: int, *, written: bool) -> None:
    """Say where the batch's stream ends, and whether that is a conflict."""
    batch.head, batch.conflict = end, None
    unexpected = batch.expect is not None and batch.expect != end
    if batch.stream and not written and (batch.rows or unexpected):
        batch.conflict = LogConflict(batch.stream, expected=batch.expect or 0, actual=end)


def _is_digest(digest: str) -> bool:
    try:
        return len(bytes.fromhex(digest)) == 32
    except ValueError:
        return False


def _sum(kind: str, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(kind.encode()))
