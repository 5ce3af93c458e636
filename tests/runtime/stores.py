"""Every log there is, each in a place of its own, to run the same tests over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from phalanx.runtime.log import Log, MemoryLog
from phalanx.runtime.postgres import PostgresLog
from phalanx.runtime.sqlite import SqliteLog
from tests.runtime.postgres_server import server


@dataclass(frozen=True)
class Store:
    """One place that logs are opened on. lasts: what is written outlives the log object that wrote it."""

    name: str
    open: Callable[[], Log]
    lasts: bool


NAMES = ("memory", "sqlite", "postgres")


def make_store(name: str, folder: Path) -> Store:
    """A new, empty place for logs of this sort."""
    if name == "memory":
        return Store(name, MemoryLog, lasts=False)
    if name == "sqlite":
        return Store(name, lambda: SqliteLog(folder / "log.db", poll=0.01), lasts=True)
    if name == "postgres":
        running = server()
        schema = running.new_schema()
        return Store(name, lambda: PostgresLog(running.dsn(), schema=schema), lasts=True)
    raise ValueError(f"no log named {name!r}")
