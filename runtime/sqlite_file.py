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

from .batch import Batch, one_by_one
from .bodies import digest_of

POSITIONS = 1 << 32
MANY = 10_000
"""How many streams' ends are remembered, before all are forgotten."""

AT_ONCE = 32
"""The most rows in a statement. Few sizes of statements: the connection remembers how the last 128 are done."""

Ends = dict[str, tuple[int, int]]
"""Of each stream where it stands among all records, and its last position."""


class Row(NamedTuple):
    """A record as it stands in the file."""

    position: int
    kind: str
    data: bytes


class LogFile:
    """One connection to a log's file. It must not be used by two threads at once."""

    def __init__(self, path: Path, connection: sqlite3.Connection, ends: Ends | None = None) -> None:
        """ends: what another connection of this process, which never writes at the same time, knows of the file."""
        self.path, self._connection = path, connection
        self.ends: Ends = {} if ends is None else ends

    def write(self, batches: Sequence[Batch]) -> None:
        """Write batches in their order, in one transaction; sets `head` or `conflict` of each. Raises sqlite3.Error.

        batches: each after those that come before it, with which it is written as a whole or, where one of them is in
        conflict, not at all.
        """
        try:
            self._write(batches)
        except sqlite3.IntegrityError:
            # A position that was thought to be free is taken: somebody else has written since. Once more, reading
            # inside the transaction where the streams end.
            for batch in one_by_one(batches):
                self.ends.pop(batch.stream, None)
            self._write(batches)

    def _write(self, batches: Sequence[Batch]) -> None:
        ends = self.ends
        in_order = one_by_one(batches)
        if doubtful := _doubtful(in_order, ends):
            self._begin()
        try:
            grown = self._found(doubtful, in_order)
            rows: list[tuple[object, ...]] = []
            bodies: dict[str, bytes] = {}
            for last in batches:
                together = one_by_one([last])
                clash = _clash(together, grown, ends)
                for batch in together:
                    batch.conflict = clash
                    if clash is not None:
                        continue
                    if batch.stream:
                        place, head = grown.get(batch.stream) or ends[batch.stream]
                        for kind, data in batch.rows:
                            head += 1
                            rows.append((place + head, kind, data, _sum(kind, data)))
                        batch.head = head
                        if batch.rows:
                            grown[batch.stream] = place, head
                    if batch.bodies:
                        bodies.update(batch.bodies)
            kept = [(bytes.fromhex(digest), body) for digest, body in bodies.items()]
            if not doubtful and ((kept and rows) or max(len(kept), len(rows)) > AT_ONCE):
                self._begin()  # else it is one statement, which is a transaction by itself
            self._insert(_BODIES, kept)
            self._insert(_RECORDS, rows)
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        if len(ends) > MANY:
            ends.clear()
        for stream, (place, head) in grown.items():
            if head:
                ends[stream] = place, head

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

    def _begin(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def _found(self, names: Sequence[str], batches: Sequence[Batch]) -> Ends:
        """Where streams stand and end in the file, in a transaction; those that will be written to are made."""
        found: Ends = {}
        for at in range(0, len(names), AT_ONCE):
            some = names[at : at + AT_ONCE]
            found |= {
                name: (number * POSITIONS, 0 if last is None else last - number * POSITIONS)
                for name, number, last in self._connection.execute(
                    f"SELECT name, id, (SELECT max(at) FROM records WHERE at > id * {POSITIONS} AND "
                    f"at < (id + 1) * {POSITIONS}) FROM streams WHERE name IN ({', '.join('?' * len(some))})",
                    some,
                )
            }
        missing = dict.fromkeys(name for name in names if name not in found)
        if not missing:
            return found
        made = [each.stream for each in batches if each.stream in missing and each.rows and not each.expect]
        if made:
            (last,) = self._connection.execute("SELECT max(id) FROM streams").fetchone()
            new = {name: (last or 0) + number for number, name in enumerate(dict.fromkeys(made), 1)}
            self._insert(_STREAMS, [(number, name) for name, number in new.items()])
            found |= {name: (number * POSITIONS, 0) for name, number in new.items()}
        return dict.fromkeys(missing, (0, 0)) | found

    def _place(self, stream: str) -> int | None:
        found = self._connection.execute("SELECT id FROM streams WHERE name = ?", (stream,)).fetchone()
        return None if found is None else found[0] * POSITIONS

    def _end(self, place: int) -> int:
        last = self._connection.execute(
            "SELECT max(at) FROM records WHERE at > ? AND at < ?", (place, place + POSITIONS)
        ).fetchone()[0]
        return 0 if last is None else last - place

    def _insert(self, statements: Statements, rows: Sequence[tuple[object, ...]]) -> None:
        # Few statements rather than one a row: each gives the interpreter away, and a busy loop gives it back late.
        for at in range(0, len(rows), AT_ONCE):
            some = rows[at : at + AT_ONCE]
            self._connection.execute(statements[len(some)], [value for row in some for value in row])


def _doubtful(batches: Sequence[Batch], ends: Ends) -> list[str]:
    """The streams of which only the file can tell where they end; a conflict must be with what is really there."""
    seen: set[str] = set()
    doubtful: list[str] = []
    for batch in batches:
        stream = batch.stream
        if stream and stream not in seen:
            seen.add(stream)
            end = ends.get(stream)
            if end is None or not batch.rows or batch.expect not in (None, end[1]):
                doubtful.append(stream)
    return doubtful


def _clash(together: Sequence[Batch], grown: Ends, ends: Ends) -> LogConflict | None:
    """The first conflict among batches that are written together, one after the other."""
    heads: dict[str, int] = {}
    for batch in together:
        if stream := batch.stream:
            head = heads[stream] if stream in heads else (grown.get(stream) or ends[stream])[1]
            if batch.expect is not None and batch.expect != head:
                return LogConflict(stream, expected=batch.expect, actual=head)
            heads[stream] = head + len(batch.rows)
    return None


class Statements(dict[int, str]):
    """One statement for each number of rows, made when it is needed."""

    def __init__(self, start: str, columns: int) -> None:
        super().__init__()
        self._start, self._row = start, "(" + ", ".join("?" * columns) + ")"

    def __missing__(self, rows: int) -> str:
        made = self[rows] = self._start + ", ".join([self._row] * rows)
        return made


_STREAMS = Statements("INSERT INTO streams VALUES ", 2)
_BODIES = Statements("INSERT OR IGNORE INTO bodies VALUES ", 2)
_RECORDS = Statements("INSERT INTO records VALUES ", 4)


def _sum(kind: str, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(kind.encode()))
