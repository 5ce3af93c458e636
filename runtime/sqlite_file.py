"""One connection to a log's SQLite file: it writes batches and reads streams, without waiting for anybody.

    streams(id, name)            records(at, kind, data, sum)            bodies(digest, body)

`at` is the stream's id times 2^32 plus the record's position, so one key gives order, uniqueness and neighbourhood.
`sum` is a CRC-32 of kind and data; a body is checked against its digest: a flipped bit is found when it is read.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from phalanx.errors import LogConflict, LogError

from .batch import Batch
from .bodies import digest_of

POSITIONS = 1 << 32
MANY = 10_000
"""How many streams' ends are remembered, before all are forgotten."""


class Row(NamedTuple):
    """A record as it stands in the file."""

    position: int
    kind: str
    data: bytes


class LogFile:
    """One connection to a log's file. It must not be used by two threads at once."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path, self._connection = path, connection
        self._ends: dict[str, tuple[int, int]] = {}

    def write(self, batches: Sequence[Batch]) -> None:
        """Write batches in their order, in one transaction; sets `head` or `conflict` of each. Raises sqlite3.Error."""
        try:
            self._write(batches, self._ends)
        except sqlite3.IntegrityError:
            # A position that was thought to be free is taken: somebody else has written since. Once more, reading
            # inside the transaction where the streams end.
            self._ends.clear()
            self._write(batches, self._ends)

    def _write(self, batches: Sequence[Batch], ends: dict[str, tuple[int, int]]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            rows: list[tuple[object, ...]] = []
            bodies: dict[str, bytes] = {}
            grown: dict[str, tuple[int, int]] = {}
            for batch in batches:
                if batch.stream:
                    place, head = grown.get(batch.stream) or ends.get(batch.stream) or self._end_of(batch)
                    if batch.stream not in grown and (not batch.rows or batch.expect not in (None, head)):
                        place, head = self._end_of(batch)  # a conflict must be with what is really there
                    batch.head, batch.conflict = head, None
                    if batch.expect is not None and batch.expect != head:
                        batch.conflict = LogConflict(batch.stream, expected=batch.expect, actual=head)
                        continue
                    for kind, data in batch.rows:
                        head += 1
                        rows.append((place + head, kind, data, _sum(kind, data)))
                    if batch.rows:
                        batch.head, grown[batch.stream] = head, (place, head)
                if batch.bodies:
                    bodies.update(batch.bodies)
            if bodies:
                self._insert(_BODIES, [(bytes.fromhex(digest), body) for digest, body in bodies.items()])
            if rows:
                self._insert(_RECORDS, rows)
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        if len(ends) > MANY:
            ends.clear()
        ends.update(grown)

    def rows(self, stream: str, after: int, limit: int) -> list[Row]:
        """Records after a position, in order, at most so many.

        Raises LogError when one is missing or damaged, sqlite3.Error when the file cannot be read.
        """
        place = self._place(stream)
        if place is None:
            return []
        found = self._connection.execute(
            "SELECT at, kind, data, sum FROM records WHERE at > ? AND at < ? ORDER BY at LIMIT ?",
            (place + after, place + POSITIONS, limit),
        ).fetchall()
        rows = [Row(at - place, kind, data) for at, kind, data, _ in found]
        for expected, (row, (*_, total)) in enumerate(zip(rows, found, strict=True), after + 1):
            if row.position != expected:
                raise LogError(f"{self.path} is damaged: record {expected} of stream {stream!r} is missing")
            if type(row.kind) is not str or type(row.data) is not bytes or _sum(row.kind, row.data) != total:
                raise LogError(
                    f"{self.path} is damaged: record {expected} of stream {stream!r} is not what was written"
                )
        return rows

    def head(self, stream: str) -> int:
        """Where a stream ends; 0 when there is none."""
        place = self._place(stream)
        return 0 if place is None else self._end(place)

    def body(self, digest: str) -> bytes:
        """A body by its digest. Raises LogError when there is none, or it is damaged."""
        try:
            key = bytes.fromhex(digest)
        except ValueError:
            key = b""
        found = self._connection.execute("SELECT body FROM bodies WHERE digest = ?", (key,)).fetchone()
        if found is None:
            raise LogError(f"no body with hash {digest} in {self.path}")
        body: bytes = found[0]
        if type(body) is not bytes or digest_of(body) != digest:
            raise LogError(f"{self.path} is damaged: the body with hash {digest} is not what was written")
        return body

    def digests(self) -> list[str]:
        """The digests of all bodies."""
        return [key.hex() for (key,) in self._connection.execute("SELECT digest FROM bodies ORDER BY rowid")]

    def streams(self, prefix: str) -> list[str]:
        """The names of streams that hold records and begin with `prefix`, sorted."""
        found = self._connection.execute(
            "SELECT name, id FROM streams WHERE substr(name, 1, ?) = ?", (len(prefix), prefix)
        ).fetchall()
        return sorted(name for name, place in found if self._end(place * POSITIONS))

    def version(self) -> int:
        """A number that changes when another connection has written."""
        found: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return found

    def checkpoint(self) -> None:
        """Move what can be moved from the write-ahead log into the file."""
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def problems(self) -> list[str]:
        """What SQLite finds wrong with the file; empty when nothing is."""
        return [each for (each,) in self._connection.execute("PRAGMA integrity_check") if each != "ok"]

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _end_of(self, batch: Batch) -> tuple[int, int]:
        place = self._place(batch.stream)
        if place is None:
            if not batch.rows or batch.expect:
                return 0, 0
            cursor = self._connection.execute("INSERT INTO streams (name) VALUES (?)", (batch.stream,))
            return (cursor.lastrowid or 0) * POSITIONS, 0
        return place, self._end(place)

    def _place(self, stream: str) -> int | None:
        found = self._connection.execute("SELECT id FROM streams WHERE name = ?", (stream,)).fetchone()
        return None if found is None else found[0] * POSITIONS

    def _end(self, place: int) -> int:
        last = self._connection.execute(
            "SELECT max(at) FROM records WHERE at > ? AND at < ?", (place, place + POSITIONS)
        ).fetchone()[0]
        return 0 if last is None else last - place

    def _insert(self, statements: dict[int, str], rows: Sequence[tuple[object, ...]]) -> None:
        # Few statements rather than one a row: each gives the interpreter away, and a busy loop gives it back late.
        if len(rows) == 1:
            self._connection.execute(statements[1], rows[0])
            return
        at = 0
        while at < len(rows):
            count = next(size for size in statements if at + size <= len(rows))
            self._connection.execute(statements[count], [value for row in rows[at : at + count] for value in row])
            at += count


def _statements(start: str, columns: int) -> dict[int, str]:
    row = "(" + ", ".join("?" * columns) + ")"
    return {size: start + ", ".join([row] * size) for size in (64, 16, 4, 1)}


_BODIES = _statements("INSERT OR IGNORE INTO bodies VALUES ", 2)
_RECORDS = _statements("INSERT INTO records VALUES ", 4)


def _sum(kind: str, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(kind.encode()))
