"""One at a time works on a run: the second is told who the first is, and may begin the moment that one is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from phalanx.errors import LogError, RunBusy
from phalanx.runtime.holding import held
from phalanx.runtime.log import MemoryLog
from phalanx.runtime.postgres import PostgresLog
from phalanx.runtime.sqlite import SqliteLog
from tests.runtime.postgres_server import server
from tests.runtime.stores import NAMES, make_store

# A process that holds a run, says so, and waits for the end of its stdin.
HOLDER = """
import anyio, sys
from phalanx.runtime.holding import held
from phalanx.runtime.postgres import PostgresLog
from phalanx.runtime.sqlite import SqliteLog
where, run_id, *more = sys.argv[1:]
async def work():
    log = PostgresLog(where, schema=more[0]) if more else SqliteLog(where)
    async with held(log, run_id):
        print("held", flush=True)
        await anyio.to_thread.run_sync(sys.stdin.read)
    await log.aclose()
anyio.run(work)
"""


@contextmanager
def holder(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.wire
@pytest.mark.parametrize("name", NAMES)
async def test_a_run_is_held_once_and_others_beside_it(name: str, tmp_path: Path, anyio_backend: object) -> None:
    store = make_store(name, tmp_path)
    log = store.open()
    async with held(log, "a"), held(log, "b"):
        with pytest.raises(RunBusy, match=r"run 'a' is being worked on by this process; wait for its end") as caught:
            async with held(log, "a"):
                raise AssertionError("held twice")
        assert caught.value.run_id == "a"
    async with held(log, "a"):
        pass
    await log.aclose()


@pytest.mark.wire
@pytest.mark.parametrize("name", ["sqlite", "postgres"])
async def test_two_logs_of_one_process_on_one_place_hold_a_run_once(
    name: str, tmp_path: Path, anyio_backend: object
) -> None:
    store = make_store(name, tmp_path)
    one, other = store.open(), store.open()
    async with held(one, "a"):
        with pytest.raises(RunBusy):
            async with held(other, "a"):
                raise AssertionError("held twice")
        async with held(other, "b"):
            pass
        # What another log gave back did not take this one's along.
        with pytest.raises(RunBusy):
            async with held(other, "a"):
                raise AssertionError("held twice")
    async with held(other, "a"):
        pass
    await one.aclose()
    await other.aclose()


@pytest.mark.wire
async def test_another_process_is_named_and_its_run_is_free_the_moment_it_is_killed(
    tmp_path: Path, anyio_backend: object
) -> None:
    file = tmp_path / "log.db"
    log = SqliteLog(file)
    with holder(file, "a") as other:
        with pytest.raises(RunBusy, match=f"by process {other.pid};"):
            async with held(log, "a"):
                raise AssertionError("held twice")
        async with held(log, "b"):
            pass
        other.send_signal(signal.SIGKILL)
        other.wait()
        async with held(log, "a"):
            pass
    await log.aclose()


@pytest.mark.wire
async def test_a_link_to_a_file_is_the_same_log(tmp_path: Path, anyio_backend: object) -> None:
    file, link = tmp_path / "log.db", tmp_path / "link.db"
    link.symlink_to(file)
    with holder(file, "a"), pytest.raises(RunBusy):
        async with held(SqliteLog(link), "a"):
            raise AssertionError("held twice")


@pytest.mark.wire
def test_a_child_that_was_forked_neither_keeps_nor_has_what_its_parent_holds(tmp_path: Path) -> None:
    file = tmp_path / "log.db"

    async def held_elsewhere() -> bool:
        try:
            async with held(SqliteLog(file), "a"):
                return False
        except RunBusy as busy:
            return busy.holder == f"process {os.getppid()}"

    async def try_in_a_child() -> int:
        async with held(SqliteLog(file), "a"):
            child = os.fork()
            if child == 0:
                os._exit(0 if _in_a_new_loop(held_elsewhere) else 1)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])  # noqa: ASYNC222 - nothing else is to go on

    assert anyio.run(try_in_a_child) == 0


def _in_a_new_loop(work: object) -> bool:
    import threading

    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(anyio.run(work)))  # type: ignore[arg-type]
    thread.start()
    thread.join()
    return found == [True]


@pytest.mark.wire
async def test_in_a_database_process_and_machine_are_named_and_a_killed_one_holds_nothing(
    anyio_backend: object,
) -> None:
    running = server()
    schema = running.new_schema()
    log = PostgresLog(running.dsn(), schema=schema)
    with holder(running.dsn(), "a", schema) as other:
        with pytest.raises(RunBusy, match=rf"by process {other.pid} on \S+ \(connected since \d\d\d\d-"):
            async with held(log, "a"):
                raise AssertionError("held twice")
        async with held(PostgresLog(running.dsn(), schema=running.new_schema()), "a"):
            pass
        other.send_signal(signal.SIGKILL)
        other.wait()
        with anyio.fail_after(10):
            while not await _is_free(log):  # noqa: ASYNC110 - the server tells nobody
                await anyio.sleep(0.01)
    await log.aclose()


@pytest.mark.wire
async def test_no_connection_is_left_when_nothing_is_held(anyio_backend: object) -> None:
    running = server()
    log = PostgresLog(running.dsn(), schema=running.new_schema())
    counting = f"SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'phalanx {os.getpid()} %'"
    async with held(log, "a"), held(log, "b"):
        assert running.run_sql(counting).strip() == "1"
    with anyio.fail_after(10):
        while running.run_sql(counting).strip() != "0":  # noqa: ASYNC110 - the server tells nobody
            await anyio.sleep(0.01)
    await log.aclose()


async def _is_free(log: PostgresLog) -> bool:
    try:
        async with held(log, "a"):
            return True
    except RunBusy:
        return False


@pytest.mark.wire
async def test_a_place_that_cannot_be_locked_is_an_error_that_names_it(tmp_path: Path, anyio_backend: object) -> None:
    log = SqliteLog(tmp_path / "no" / "such" / "log.db")
    with pytest.raises(LogError, match=r"no/such/log.db cannot be written .*folder must exist"):
        async with held(log, "a"):
            raise AssertionError("held nowhere")


async def test_a_log_of_ones_own_that_knows_nothing_of_holding_is_held_in_this_process() -> None:
    class Own(MemoryLog):
        pass

    log = Own()
    async with held(log, "a"):
        with pytest.raises(RunBusy):
            async with held(log, "a"):
                raise AssertionError("held twice")
        async with held(Own(), "a"):
            pass
