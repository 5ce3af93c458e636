"""A board on disk, shared by processes and outliving them: the same guarantees as in memory, after kill -9 too."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import anyio
import pytest
from hypothesis import HealthCheck, settings

from phalanx.runtime.board import Blackboard
from phalanx.runtime.log import Log
from phalanx.runtime.postgres import PostgresLog
from phalanx.runtime.regions import Region
from phalanx.runtime.sqlite import SqliteLog
from tests.runtime.board_machine import board_machine
from tests.runtime.postgres_server import server

T = TypeVar("T")


@asynccontextmanager
async def log_on_disk() -> AsyncGenerator[Log, None]:
    """A log in a file of its own."""
    with TemporaryDirectory() as folder:
        log = SqliteLog(Path(folder) / "board.db")
        try:
            yield log
        finally:
            await log.aclose()


few = settings(max_examples=8, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])

TestOnAsyncio = board_machine(log_on_disk).TestCase
TestOnAsyncio.settings = few
TestOnTrio = board_machine(log_on_disk, "trio").TestCase
TestOnTrio.settings = few

REGIONS = (Region("n", int, "counter"), Region("cell", int, "register"), Region("notes", str))

WORKER = """
import sys, anyio
from phalanx.runtime.board import Blackboard
from phalanx.runtime.entries import Conflict
from phalanx.runtime.postgres import PostgresLog
from phalanx.runtime.regions import Region
from phalanx.runtime.sqlite import SqliteLog

async def main(path, work, schema):
    log = PostgresLog(path, schema=schema) if schema else SqliteLog(path)
    regions = [Region("n", int, "counter"), Region("cell", int, "register"), Region("notes", str)]
    board = Blackboard(log, "team", regions)
    if work == "count":
        for turn in range(20):
            await board.post("n", 1)
            while True:
                cell = await board.read("cell")
                value, version = (cell.value, cell.version) if cell else (0, 0)
                if not isinstance(await board.post("cell", value + 1, expect=version), Conflict):
                    break
    else:
        for turn in range(200):
            await board.post("notes", f"note {turn}", author="ada", op=f"run/{turn}")
            print(turn, flush=True)
    await log.aclose()

anyio.run(main, sys.argv[1], sys.argv[2], sys.argv[3])
"""


def worker(path: Path | str, work: str, schema: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", WORKER, str(path), work, schema], stdout=subprocess.PIPE, text=True)


def ask(path: Path | str, question: Callable[[Blackboard], Awaitable[T]], schema: str = "") -> T:
    """What a new process would be told by the board."""

    async def main() -> T:
        log: Log = PostgresLog(str(path), schema=schema) if schema else SqliteLog(path)
        try:
            return await question(Blackboard(log, "team", REGIONS))
        finally:
            await log.aclose()

    return anyio.run(main)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_processes_that_write_to_one_board_lose_nothing_of_each_other(kind: str, tmp_path: Path) -> None:
    path, schema = (server().dsn(), server().new_schema()) if kind == "postgres" else (tmp_path / "board.db", "")
    workers = [worker(path, "count", schema) for _ in range(3)]
    for each in workers:
        each.communicate(timeout=60)
    assert [each.returncode for each in workers] == [0, 0, 0]
    count = ask(path, lambda board: board.read("n"), schema)
    cell = ask(path, lambda board: board.read("cell"), schema)
    assert count is not None
    assert cell is not None
    assert (count.value, count.version) == (60, 60)
    assert (cell.value, cell.version) == (60, 60)


@pytest.mark.parametrize("after", [1, 37, 120])
def test_a_run_killed_at_any_moment_writes_the_rest_and_nothing_twice(tmp_path: Path, after: int) -> None:
    path = tmp_path / "board.db"
    killed = worker(path, "write")
    assert killed.stdout is not None
    for _ in range(after):
        killed.stdout.readline()
    killed.kill()
    killed.communicate(timeout=60)
    kept = [entry.value for entry in ask(path, lambda board: board.entries("notes"))]
    assert kept == [f"note {turn}" for turn in range(len(kept))]
    assert len(kept) >= after
    again = worker(path, "write")
    again.communicate(timeout=60)
    assert again.returncode == 0
    entries = ask(path, lambda board: board.entries("notes"))
    assert [entry.value for entry in entries] == [f"note {turn}" for turn in range(200)]
    assert [entry.seq for entry in entries] == list(range(1, 201))
