"""A log in Postgres: whose tables it uses, what it does when the server goes away, and what it leaves behind."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest

from phalanx.errors import ConfigurationError, LogConflict, LogError
from phalanx.messages import Message
from phalanx.runtime.events import Warned
from phalanx.runtime.postgres import PostgresLog
from tests.runtime.postgres_server import Server, server
from tests.runtime.records import asked, said


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    if request.param != "asyncio":
        pytest.skip("asyncpg knows asyncio only")
    return "asyncio", {}


@pytest.fixture
def running() -> Server:
    return server()


@pytest.fixture
def schema(running: Server) -> str:
    return running.new_schema()


def numbers(found: list[tuple[int, object]]) -> list[int]:
    return [record.seq for _, record in found if isinstance(record, Warned)]


def tables(running: Server, schema: str) -> str:
    return running.run_sql(f"SELECT count(*) FROM pg_tables WHERE schemaname = '{schema}'").strip()


async def test_nothing_is_made_before_something_is_written(running: Server, schema: str) -> None:
    async with PostgresLog(running.dsn(), schema=schema) as log:
        assert await log.read("s") == []
        assert await log.streams() == []
        with pytest.raises(LogError, match="no body"):
            await log.get("0" * 64)
        assert tables(running, schema) == "0"
        await log.append("s", [said(1)])
        assert tables(running, schema) == "4"


async def test_closing_leaves_no_connection(running: Server, schema: str) -> None:
    async def connections() -> str:
        return running.run_sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'").strip()

    before = await connections()
    async with PostgresLog(running.dsn(), schema=schema) as log:
        await log.append("s", [said(1)])
        async for _ in log.watch("s"):
            break
        with anyio.move_on_after(0.05):
            async for _ in log.watch("s", 1):
                pass
    for _ in range(100):  # the server notices a little later
        if await connections() == before:
            break
        await anyio.sleep(0.05)
    assert await connections() == before


def test_options_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="dsn"):
        PostgresLog("localhost")
    for schema in ("", "a b", "x;drop", "Ä", "1a"):
        with pytest.raises(ValueError, match="schema"):
            PostgresLog("postgresql://localhost/x", schema=schema)
    with pytest.raises(ValueError, match="connections"):
        PostgresLog("postgresql://localhost/x", connections=0)


def test_under_trio_it_says_what_to_use_instead(running: Server) -> None:
    async def append() -> None:
        await PostgresLog(running.dsn()).append("s", [said(1)])

    with pytest.raises(ConfigurationError, match="SqliteLog"):
        anyio.run(append, backend="trio")


def test_it_belongs_to_one_event_loop(running: Server, schema: str) -> None:
    log = PostgresLog(running.dsn(), schema=schema)

    async def append() -> int:
        return await log.append("s", [said(1)])

    async def other_loop() -> None:
        with pytest.raises(LogError, match="another event loop"):
            await anyio.to_thread.run_sync(lambda: anyio.run(append))

    async def main() -> None:
        assert await append() == 1
        await other_loop()
        await log.aclose()

    anyio.run(main)


def test_without_asyncpg_it_says_what_to_install() -> None:
    code = """
import sys
sys.modules["asyncpg"] = None
import anyio
from phalanx.errors import ConfigurationError
from phalanx.runtime.postgres import PostgresLog
async def main():
    try:
        await PostgresLog("postgresql://localhost/x").append("s", [])
    except ConfigurationError as problem:
        print(problem)
anyio.run(main)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "phalanx[postgres]" in done.stdout


async def test_a_server_that_is_not_there_is_reported(tmp_path: Path) -> None:
    async with PostgresLog(f"postgresql://u:secret@/db?host={tmp_path}", timeout=0.3) as log:
        for use in (log.append("s", [said(1)]), log.read("s")):
            with pytest.raises(LogError, match="cannot be reached") as caught:
                await use
            assert "secret" not in str(caught.value)
        assert "secret" not in repr(log)


async def test_a_database_that_is_not_there_is_the_address_wrong(running: Server) -> None:
    async with PostgresLog(running.dsn("nowhere")) as log:
        with pytest.raises(ConfigurationError, match="nowhere"):
            await log.append("s", [said(1)])


async def test_somebody_elses_tables_are_refused_and_left_as_they_are(running: Server, schema: str) -> None:
    running.run_sql(f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.records (mine text)")
    async with PostgresLog(running.dsn(), schema=schema) as log:
        with pytest.raises(LogError, match="holds other tables"):
            await log.append("s", [said(1)])
        with pytest.raises(LogError, match="holds other tables"):
            await log.read("s")
    assert tables(running, schema) == "1"


async def test_tables_of_a_newer_version_are_refused(running: Server, schema: str) -> None:
    async with PostgresLog(running.dsn(), schema=schema) as log:
        await log.append("s", [said(1)])
    running.run_sql(f"UPDATE {schema}.format SET version = 2")
    async with PostgresLog(running.dsn(), schema=schema) as log:
        with pytest.raises(LogError, match="newer Phalanx"):
            await log.append("s", [said(2)])


async def test_damaged_and_missing_records_and_bodies_are_found(running: Server, schema: str) -> None:
    async with PostgresLog(running.dsn(), schema=schema) as log:
        await log.append("s", [said(1), said(2), said(3)])
        digest = await log.put(b"a body")
    running.run_sql(f"UPDATE {schema}.records SET data = data || ' ' WHERE position = 2")
    running.run_sql(f"UPDATE {schema}.bodies SET body = 'another'")
    async with PostgresLog(running.dsn(), schema=schema) as log:
        with pytest.raises(LogError, match="damaged: record 2 of stream 's' is not"):
            await log.read("s")
        with pytest.raises(LogError, match="damaged: the body"):
            await log.get(digest)
        running.run_sql(f"DELETE FROM {schema}.records WHERE position = 2")
        with pytest.raises(LogError, match="record 2 of stream 's' is missing"):
            await log.read("s")


async def test_a_server_that_only_reads_is_reported(running: Server, schema: str) -> None:
    async with PostgresLog(running.dsn(), schema=schema) as log:
        await log.append("s", [said(1)])
    async with PostgresLog(running.dsn() + "&default_transaction_read_only=on", schema=schema) as log:
        assert numbers(await log.read("s")) == [1]
        with pytest.raises(LogError, match="read-only"):
            await log.append("s", [said(2)])


async def test_appends_of_one_moment_share_a_transaction(running: Server, schema: str) -> None:
    async with PostgresLog(running.dsn(), schema=schema) as log, anyio.create_task_group() as group:
        for number in range(200):
            group.start_soon(log.append, f"stream {number % 50}", [said(number)])
    written = f"SELECT count(*), count(DISTINCT xmin::text) FROM {schema}.records"
    count, transactions = running.run_sql(written).strip().split("|")
    assert count == "200"
    assert int(transactions) <= 5


async def test_a_redaction_keeps_a_secret_out_of_the_tables(running: Server, schema: str) -> None:
    async with PostgresLog(
        running.dsn(), schema=schema, redact=lambda text: text.replace("hunter2", "[hidden]")
    ) as log:
        await log.append("s", [asked(1, Message(role="user", content="hunter2")), said(2, "hunter2 " * 500)])
        assert await log.get(await log.put(b"hunter2")) == b"[hidden]"
    for column in ("records WHERE encode(data, 'escape')", "bodies WHERE encode(body, 'escape')"):
        assert running.run_sql(f"SELECT count(*) FROM {schema}.{column} LIKE '%hunter2%'").strip() == "0"


async def test_an_asyncio_task_that_is_cancelled_while_it_appends_has_written(running: Server, schema: str) -> None:
    async with PostgresLog(running.dsn(), schema=schema) as log:
        await log.append("s", [said(0)])
        for turns in range(1, 12):
            task = asyncio.ensure_future(log.append("s", [said(turns)]))
            for _ in range(turns):
                await asyncio.sleep(0)
            assert not task.done()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert numbers(await log.read("s")) == list(range(turns + 1))


class Interrupter:
    """Stands between a log and its server, and can cut the connection after a commit, before anybody hears of it."""

    def __init__(self, running: Server) -> None:
        self.running = running
        self.cut_after = b""
        self.cuts = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """The address to reach the server by."""
        parts = urlsplit(self.running.dsn())
        behind = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432"

        async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far_reader, far_writer = await asyncio.open_unix_connection(behind)
            cutting = asyncio.Event()
            towards = asyncio.ensure_future(self._pass(reader, far_writer, cutting, looking=True))
            back = asyncio.ensure_future(self._pass(far_reader, writer, cutting, looking=False))
            await asyncio.wait([towards, back], return_when=asyncio.FIRST_COMPLETED)
            for task in (towards, back):
                task.cancel()
            await asyncio.gather(towards, back, return_exceptions=True)
            for each in (writer, far_writer):
                each.close()

        with tempfile.TemporaryDirectory() as folder:
            listener = await asyncio.start_unix_server(meet, f"{folder}/.s.PGSQL.5432")
            async with listener:
                yield f"postgresql://phalanx@/postgres?host={folder}"

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cutting: asyncio.Event, *, looking: bool
    ) -> None:
        while data := await reader.read(65536):
            if looking and self.cut_after and self.cut_after in data:
                self.cut_after = b""
                cutting.set()
            elif not looking and cutting.is_set():
                # The server has answered, so it has committed; the answer is lost.
                self.cuts += 1
                return
            writer.write(data)
            await writer.drain()


async def test_an_append_whose_answer_is_lost_is_found_and_not_made_again(running: Server, schema: str) -> None:
    interrupter = Interrupter(running)
    async with interrupter.listening() as dsn, PostgresLog(dsn, schema=schema, connections=1) as log:
        await log.append("s", [said(1)])
        interrupter.cut_after = b"the one that is cut off"
        assert await log.append("s", [said(2, "the one that is cut off"), said(3)], expect=1) == 3
        assert interrupter.cuts == 1
        interrupter.cut_after = b"cut off among others"
        ends: dict[int, int] = {}
        refused: dict[int, int] = {}

        async def write(number: int, text: str, expect: int | None) -> None:
            try:
                ends[number] = await log.append("s" if number < 8 else "t", [said(number, text)], expect)
            except LogConflict as conflict:
                refused[number] = conflict.actual

        async with anyio.create_task_group() as group:
            group.start_soon(write, 4, "cut off among others", None)
            group.start_soon(write, 5, "x", None)
            group.start_soon(write, 8, "x", 7)
        assert interrupter.cuts == 2
        assert ends == {4: 4, 5: 5}
        assert refused == {8: 0}
        assert numbers(await log.read("s")) == [1, 2, 3, 4, 5]


async def test_a_server_that_crashes_and_comes_back_costs_time_but_no_append(running: Server, schema: str) -> None:
    told: dict[int, int] = {}
    seen: list[tuple[int, object]] = []

    async with PostgresLog(running.dsn(), schema=schema) as log, PostgresLog(running.dsn(), schema=schema) as other:

        async def write(task: int) -> None:
            for turn in range(60):
                number = task * 1000 + turn
                told[number] = await log.append("s", [said(number)])
                await anyio.sleep(0.005)

        async def watch() -> None:
            while True:
                try:
                    async for position, record in other.watch("s", len(seen)):
                        seen.append((position, record))
                        if position == 240:
                            return
                except LogError:  # said aloud while the server is away
                    await anyio.sleep(0.05)

        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                group.start_soon(watch)
                for task in range(4):
                    group.start_soon(write, task)
                for pause in (0.1, 0.05):
                    await anyio.sleep(pause)
                    await anyio.to_thread.run_sync(running.stop)
                    await anyio.to_thread.run_sync(running.start)
        found = await log.read("s")
    assert seen == found
    assert len(found) == len(told) == 240
    for position, record in found:
        assert isinstance(record, Warned)
        assert told[record.seq] == position


async def test_a_watcher_goes_on_when_its_connection_is_cut(running: Server, schema: str) -> None:
    async with PostgresLog(running.dsn(), schema=schema) as log, PostgresLog(running.dsn(), schema=schema) as other:
        seen: list[int] = []
        cuts: list[str] = []
        saw = anyio.Event()

        def cut() -> None:
            cuts.append(
                running.run_sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
                    f" AND query LIKE '%{schema}%'"
                ).strip()
            )

        async def watch() -> None:
            nonlocal saw
            async for position, _ in other.watch("s"):
                seen.append(position)
                saw.set()
                if position == 4:
                    return

        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(watch)
                for number in range(4):
                    await anyio.sleep(0.05)
                    saw = anyio.Event()
                    await log.append("s", [said(number)])
                    await saw.wait()
                    await anyio.sleep(0.05)  # now it waits again
                    await anyio.to_thread.run_sync(cut)
    assert seen == [1, 2, 3, 4]
    assert cuts[:3] == ["t"] * 3


CHILD = """
import os, sys, anyio
from phalanx.runtime.events import Warned
from phalanx.runtime.postgres import PostgresLog

async def write(log, name):
    end = len(await log.read(name))
    while True:
        records = [Warned("r", end + at, (), 0.0, None, "x" * 600) for at in (1, 2, 3)]
        end = await log.append(name, records, expect=end)
        os.write(1, f"{name} {end}\\n".encode())

async def main():
    log = PostgresLog(sys.argv[1], schema=sys.argv[2])
    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(write, log, f"s{number}")

anyio.run(main)
"""


async def test_a_killed_process_loses_nothing_it_was_told_was_written(running: Server, schema: str) -> None:
    chance, told = random.Random("kill"), dict[str, int]()

    def kill() -> list[str]:
        command = [sys.executable, "-c", CHILD, running.dsn(), schema]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            first = child.stdout.readline()
            time.sleep(chance.uniform(0, 0.2))
            child.kill()
            return (first + child.stdout.read()).decode().splitlines()

    for _ in range(4):
        for line in await anyio.to_thread.run_sync(kill):
            told[line.split()[0]] = int(line.split()[1])
        async with PostgresLog(running.dsn(), schema=schema) as log:
            for name, end in told.items():
                found = numbers(await log.read(name))
                assert found == list(range(1, len(found) + 1))
                assert len(found) % 3 == 0
                assert len(found) >= end
    assert len(told) == 3
