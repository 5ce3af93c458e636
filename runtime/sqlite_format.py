"""Opening a log's SQLite file: what is made anew, what is refused, and what went wrong in words.

A file that is damaged, another program's, or of a newer version is reported and left as it is.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Literal

from phalanx.errors import LogError

APPLICATION = 0x50484C58
VERSION = 1
TABLES = (
    "CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    "CREATE TABLE records (at INTEGER PRIMARY KEY, kind TEXT NOT NULL, data BLOB NOT NULL, sum INTEGER NOT NULL)",
    "CREATE TABLE bodies (digest BLOB NOT NULL UNIQUE, body BLOB NOT NULL)",
    f"PRAGMA user_version = {VERSION}",
    f"PRAGMA application_id = {APPLICATION}",
)

Durable = Literal["normal", "full"]


def connect(
    path: Path,
    *,
    create: bool,
    durable: Durable = "normal",
    timeout: float = 10.0,
    checkpoints: bool = True,
    max_bytes: int | None = None,
) -> sqlite3.Connection | None:
    """A connection to a log's file; None when there is none and it is not to be created.

    durable: "normal" syncs to the disk at checkpoints, "full" at every commit. timeout: seconds to wait for other
    processes. checkpoints: whether a commit may also move the write-ahead log into the file, which takes long.
    max_bytes: the most the file may grow to.
    Raises LogError when the file is not a log of this version or cannot be opened; it is not changed then.
    """
    try:
        if not path.exists() and not create:
            return None
        _check_first_page(path, timeout)
        connection = _connect(path, "rwc" if create else "rw", timeout)
        try:
            if not _is_log(connection, path):
                if not create:
                    connection.close()
                    return None
                _make_tables(connection, path)
            _use_wal(connection, path, timeout)
            connection.execute(f"PRAGMA synchronous = {durable}")
            connection.execute("PRAGMA cell_size_check = ON")
            connection.execute(f"PRAGMA wal_autocheckpoint = {1000 if checkpoints else 0}")
            if max_bytes is not None:
                (page,) = connection.execute("PRAGMA page_size").fetchone()
                connection.execute(f"PRAGMA max_page_count = {max(1, max_bytes // page)}")
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as problem:
        if is_of(problem, "CANTOPEN", "READONLY") and _is_at_rest(path):
            return _connect(path, "ro&immutable=1", timeout)
        raise explained(problem, path, timeout) from problem
    except OSError as problem:
        raise explained(problem, path, timeout) from problem
    return connection


def explained(problem: Exception, path: Path, timeout: float) -> LogError:
    """What went wrong with the file, and what to do, as a LogError."""
    if isinstance(problem, LogError):
        return problem
    if is_busy(problem):
        return LogError(f"{path} was locked by another process for {timeout:g} s; nothing was written, try again")
    if is_of(problem, "FULL"):
        return LogError(
            f"{path} cannot grow: the disk is full or max_bytes is reached. Nothing of this was written, and what was "
            "written earlier is intact; make room, then go on"
        )
    if is_of(problem, "READONLY") or isinstance(problem, PermissionError):
        return LogError(f"{path} is read-only for this process; nothing was written. Give it the right to write")
    if is_of(problem, "CORRUPT"):
        return LogError(
            f"{path} is damaged ({problem}); it is left as it is. Restore a copy, or save what can be read with "
            "`sqlite3 FILE .recover`"
        )
    if is_of(problem, "NOTADB"):
        return _no_sqlite(path)
    if is_of(problem, "CANTOPEN") or isinstance(problem, OSError):
        return LogError(f"{path} cannot be opened ({problem}); its folder must exist and be writable")
    if is_of(problem, "IOERR"):
        return LogError(f"{path}: reading or writing failed ({problem}); the disk may be full or failing")
    return LogError(f"{path} cannot be used ({type(problem).__name__}: {problem})")


def is_busy(problem: Exception) -> bool:
    """Whether somebody else was writing at that moment."""
    return is_of(problem, "BUSY", "LOCKED")


def is_of(problem: Exception, *names: str) -> bool:
    """Whether an error is one of SQLite's of these names, e.g. "FULL"."""
    name: str = getattr(problem, "sqlite_errorname", None) or ""
    return name.startswith(tuple(f"SQLITE_{each}" for each in names))


def _check_first_page(path: Path, timeout: float) -> None:
    """Refuse what is certainly no log before it is opened to be written: that may already change its files.

    SQLite itself looks, without locks and side files. Opening the file by other means, and closing it again, would
    take away the locks that other connections of this process hold on it, and with them what they write.
    """
    if path.is_dir():
        raise LogError(f"{path} is a folder; give the path of a file in it")
    if not path.exists() or path.stat().st_size == 0:
        return
    connection = _connect(path, "ro&immutable=1", timeout)
    try:
        _is_log(connection, path)
    except sqlite3.Error as problem:
        if is_of(problem, "NOTADB"):
            raise
        # Perhaps only somebody else is just writing it: opening it properly will tell.
    finally:
        connection.close()


def _connect(path: Path, mode: str, timeout: float) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        timeout=timeout,
        isolation_level=None,
        check_same_thread=False,
        uri=True,
    )


def _is_log(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the tables are there; False for an empty file. Raises LogError for any other file."""
    # Whose it is is read last: who makes the file at this moment makes all three at once.
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application == APPLICATION:
        _check_version(version, path)
        return True
    if application or version or tables:
        raise _foreign(path)
    return False


def _check_version(version: int, path: Path) -> None:
    if version > VERSION:
        raise LogError(
            f"{path} was written by a newer Phalanx (format {version}; this one knows up to {VERSION}); it is left "
            "as it is. Upgrade Phalanx to read it"
        )


def _no_sqlite(path: Path) -> LogError:
    return LogError(f"{path} is not a log: it is no SQLite file; it is left as it is. Give another path")


def _foreign(path: Path) -> LogError:
    return LogError(f"{path} is another program's SQLite file, not a log; it is left as it is. Give another path")


def _is_at_rest(path: Path) -> bool:
    """Whether a file that this process may not write can be read as it is: nothing waits in a write-ahead log."""
    if not path.is_file() or (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        return False
    ahead = path.with_name(path.name + "-wal")
    return not ahead.exists() or ahead.stat().st_size == 0


def _make_tables(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not _is_log(connection, path):  # another process may have been faster
            for statement in TABLES:
                connection.execute(statement)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _use_wal(connection: sqlite3.Connection, path: Path, timeout: float) -> None:
    """Switch the file to write-ahead logging, in which readers and a writer do not wait for each other."""
    until = time.monotonic() + timeout
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except sqlite3.OperationalError as problem:
            # Two processes that switch at once are not made to wait by SQLite.
            if not is_busy(problem) or time.monotonic() > until:
                raise
            time.sleep(0.01)
    if mode != "wal":
        raise LogError(f"{path} is where SQLite cannot use write-ahead logging; put it on a local disk")
