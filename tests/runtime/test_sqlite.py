"""A log in an SQLite file: whose file it is, what it survives, and what it leaves behind."""

from __future__ import annotations

import asyncio
import gc
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import anyio
import pytest

from phalanx.errors import LogConflict, LogError
from phalanx.messages import Completion, Message, Request
from phalanx.runtime.events import AnyEvent, StepFinished
from phalanx.runtime.run import Run
from phalanx.runtime.sqlite import SqliteLog
from tests.runtime.records import answered, asked, said

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as somebody with fewer rights")


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    """The real clock: threads and files do not wait in virtual time."""
    return request.param, {}


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    gc.collect()
    before = open_files()
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("phalanx log")]
    assert open_files() <= before


def open_files() -> set[str]:
    """What this process has open, by name; logs and sockets among it."""
    links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    return {os.readlink(link) for link in links if os.path.islink(link)}


async def written(path: Path, count: int = 3) -> None:
    async with SqliteLog(path) as log:
        await log.append("s", [said(number) for number in range(1, count + 1)])
        await log.put(b"body " * 100)


async def test_nothing_is_made_before_something_is_written(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    async with SqliteLog(path) as log:
        assert await log.read("s") == []
        assert await log.streams() == []
        with pytest.raises(LogError, match="no body"):
            await log.get("0" * 64)
        assert await log.check() == []
    assert os.listdir(tmp_path) == []


async def test_after_closing_one_file_is_left_and_it_is_sound(tmp_path: Path) -> None:
    await written(tmp_path / "log.db")
    assert os.listdir(tmp_path) == ["log.db"]
    async with SqliteLog(tmp_path / "log.db") as log:
        assert await log.check() == []


def test_a_log_needs_the_path_of_a_file() -> None:
    for path in ("", ":memory:", "file:x?mode=memory"):
        with pytest.raises(ValueError, match="MemoryLog"):
            SqliteLog(path)
    with pytest.raises(ValueError, match="durable"):
        SqliteLog("x", durable="maybe")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_bytes"):
        SqliteLog("x", max_bytes=0)


async def test_a_path_with_any_characters_works(tmp_path: Path) -> None:
    path = tmp_path / "a b?mode=ro#c%20ä.db"
    await written(path)
    assert path.exists()
    async with SqliteLog(path) as log:
        assert len(await log.read("s")) == 3


@pytest.mark.parametrize("content", [b"just a text that somebody wrote\n" * 50, b"SQLite", b"\x00" * 4096])
async def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log.db"
    path.write_bytes(content)
    async with SqliteLog(path) as log:
        for use in (log.append("s", [said(1)]), log.read("s"), log.streams(), log.put(b"x")):
            with pytest.raises(LogError, match="no SQLite file"):
                await use
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["log.db"]


@pytest.mark.parametrize("mark", ["PRAGMA user_version = 3", "PRAGMA application_id = 77", "CREATE TABLE mine (x)"])
async def test_another_programs_database_is_refused_and_left_as_it_is(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "log.db"
    with sqlite3.connect(path) as foreign:
        foreign.execute(mark)
    foreign.close()
    before = path.read_bytes()
    async with SqliteLog(path) as log:
        with pytest.raises(LogError, match="another program"):
            await log.append("s", [said(1)])
        with pytest.raises(LogError, match="another program"):
            await log.read("s")
    assert path.read_bytes() == before


async def test_a_file_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    await written(path)
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 2")
    newer.close()
    before = path.read_bytes()
    async with SqliteLog(path) as log:
        with pytest.raises(LogError, match=r"newer Phalanx.*Upgrade"):
            await log.append("s", [said(1)])
    assert path.read_bytes() == before


async def test_an_empty_file_becomes_a_log(tmp_path: Path) -> None:
    (tmp_path / "log.db").touch()
    await written(tmp_path / "log.db")


async def test_a_folder_and_a_place_that_is_not_there_are_refused(tmp_path: Path) -> None:
    for path, words in ((tmp_path, "folder"), (tmp_path / "no" / "log.db", "must exist")):
        async with SqliteLog(path) as log:
            with pytest.raises(LogError, match=words):
                await log.append("s", [said(1)])
    assert os.listdir(tmp_path) == []


async def test_a_log_that_could_not_be_opened_works_once_the_cause_is_gone(tmp_path: Path) -> None:
    async with SqliteLog(tmp_path / "later" / "log.db") as log:
        with pytest.raises(LogError):
            await log.append("s", [said(1)])
        (tmp_path / "later").mkdir()
        assert await log.append("s", [said(1)]) == 1


async def damaged(path: Path, find: bytes, put: bytes) -> None:
    """Writes a log and changes it behind SQLite's back."""
    await written(path)
    replace(path, find, put)


def replace(path: Path, find: bytes, put: bytes) -> None:
    content = path.read_bytes()
    assert find in content
    path.write_bytes(content.replace(find, put))


async def test_a_flipped_bit_in_a_record_is_found(tmp_path: Path) -> None:
    await damaged(tmp_path / "log.db", b"record 2", b"record 3")
    async with SqliteLog(tmp_path / "log.db") as log:
        with pytest.raises(LogError, match="damaged: record 2 of stream 's'"):
            await log.read("s")
        [problem] = await log.check()
        assert "record 2" in problem
        assert len(await log.read("s", 2)) == 1


async def test_a_flipped_bit_in_a_body_is_found(tmp_path: Path) -> None:
    await damaged(tmp_path / "log.db", b"body body", b"body bodY")
    async with SqliteLog(tmp_path / "log.db") as log:
        [problem] = await log.check()
        assert "damaged: the body" in problem


async def test_a_missing_record_is_found(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    await written(path)
    with sqlite3.connect(path) as thief:
        thief.execute("DELETE FROM records WHERE at % 1000 = (SELECT min(at) + 1 FROM records) % 1000")
    thief.close()
    async with SqliteLog(path) as log:
        with pytest.raises(LogError, match="record 2 of stream 's' is missing"):
            await log.read("s")
        assert any("missing" in problem for problem in await log.check())


async def test_a_missing_body_is_found(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    async with SqliteLog(path) as log:
        await log.append("s", [asked(1, Message(role="user", content="x"))])
    with sqlite3.connect(path) as thief:
        thief.execute("DELETE FROM bodies")
    thief.close()
    async with SqliteLog(path) as log:
        with pytest.raises(LogError, match=r"record 1 of stream 's'.*no body"):
            await log.read("s")


@pytest.mark.parametrize("keep", [0.3, 0.9])
async def test_a_torn_file_is_reported_and_left_as_it_is(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "log.db"
    await written(path, count=500)
    content = path.read_bytes()
    torn = content[: int(len(content) * keep)]
    path.write_bytes(torn)
    async with SqliteLog(path) as log:
        with pytest.raises(LogError, match="damaged"):
            await log.read("s")
        with pytest.raises(LogError, match="damaged"):
            await log.append("s", [said(1)])
    assert path.read_bytes() == torn


async def test_a_full_disk_is_reported_and_what_was_written_stays(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    await written(path)
    async with SqliteLog(path, max_bytes=200_000) as log:
        end, full = 3, ""
        while not full:
            try:
                end = await log.append("s", [answered(end, f"{end} " * 2000)])
            except LogError as problem:
                full = str(problem)
        assert "the disk is full" in full
        assert 10 < end < 100
        assert len(await log.read("s")) == end
        # What is small still fits, and one append that does not fit leaves its neighbours alone.
        outcomes: dict[str, object] = {}

        async def write(name: str, text: str) -> None:
            try:
                outcomes[name] = await log.append(name, [said(1, text)])
            except LogError as problem:
                outcomes[name] = problem

        async with anyio.create_task_group() as group:
            group.start_soon(write, "small", "x")
            group.start_soon(write, "big", "y" * 300_000)
            group.start_soon(write, "tiny", "z")
        assert isinstance(outcomes["big"], LogError)
        assert outcomes["small"] == outcomes["tiny"] == 1
    async with SqliteLog(path) as log:
        assert await log.check() == []
        assert await log.append("s", [said(0)]) == end + 1


async def test_a_body_that_was_refused_is_written_with_the_next_record_that_needs_it(tmp_path: Path) -> None:
    message = Message(role="user", content="a question")
    async with SqliteLog(tmp_path / "log.db", max_bytes=100_000) as log:
        await log.append("s", [said(1)])
        with pytest.raises(LogError, match="full"):
            await log.append("s", [asked(2, message), said(3, "x" * 300_000)])
        await log.append("s", [asked(2, message)])
        assert await log.read("s") == [(1, said(1)), (2, asked(2, message))]
        assert await log.check() == []


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=100, check=False
    )


FILE_SIZE_LIMIT = """
import resource, sys, anyio
from phalanx.errors import LogError
from phalanx.runtime.events import Warned
from phalanx.runtime.sqlite import SqliteLog

async def main():
    async with SqliteLog(sys.argv[1]) as log:
        end = await log.append("s", [Warned("r", 1, (), 0.0, None, "first")])
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        try:
            while True:
                end = await log.append("s", [Warned("r", 1, (), 0.0, None, str(end) * 3000)])
        except LogError as problem:
            print(end, problem)

anyio.run(main)
"""


async def test_a_write_that_the_system_refuses_is_reported_and_what_was_written_stays(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    done = await anyio.to_thread.run_sync(run_python, FILE_SIZE_LIMIT, str(path))
    assert done.returncode == 0, done.stderr
    end = int(done.stdout.split()[0])
    assert end > 3
    assert "disk" in done.stdout
    async with SqliteLog(path) as log:
        assert await log.check() == []
        assert len(await log.read("s")) == end


READ_ONLY = """
import os, sys, anyio
from phalanx.errors import LogError
from phalanx.runtime.events import Warned
from phalanx.runtime.sqlite import SqliteLog

async def look(path):
    async with SqliteLog(path) as log:
        print(len(await log.read("s")), await log.streams())
        try:
            await log.append("s", [Warned("r", 1, (), 0.0, None, "more")])
        except LogError as problem:
            print(problem)

anyio.run(look, sys.argv[2])  # imports what is needed while it can be read
os.setuid(65534)
anyio.run(look, sys.argv[1])
"""


@needs_root
@pytest.mark.parametrize("rights", [0o755, 0o777])
async def test_a_read_only_file_can_be_read_and_says_so_when_it_is_written(rights: int, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "log.db")
        await written(path)
        os.chmod(path, 0o444)
        os.chmod(name, rights)
        done = await anyio.to_thread.run_sync(run_python, READ_ONLY, str(path), str(tmp_path / "own.db"))
        assert done.returncode == 0, done.stderr
        assert "\n3 ['s']\n" in done.stdout
        assert "read-only" in done.stdout
        async with SqliteLog(path) as log:
            assert len(await log.read("s")) == 3


async def test_a_file_that_is_locked_for_too_long_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    await written(path)
    async with SqliteLog(path, timeout=0.05) as log:
        await log.append("s", [said(4)])
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LogError, match=r"locked by another process for 0\.05 s"):
            await log.append("s", [said(5)])
        assert len(await log.read("s")) == 4
        other.execute("ROLLBACK")
        other.close()
        assert await log.append("s", [said(5)], expect=4) == 5


async def test_while_another_process_writes_the_loop_goes_on_and_the_append_waits(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    await written(path)
    async with SqliteLog(path) as log:
        await log.append("s", [said(4)])
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        ends: list[int] = []

        async def append() -> None:
            ends.append(await log.append("s", [said(5)]))

        async with anyio.create_task_group() as group:
            group.start_soon(append)
            for _ in range(20):
                await anyio.sleep(0.001)
            assert ends == []
            other.execute("ROLLBACK")
            other.close()
    assert ends == [5]


def transactions(path: Path) -> int:
    """How many commits stand in a file's write-ahead log."""
    ahead = path.with_name(path.name + "-wal").read_bytes()
    page, salt = int.from_bytes(ahead[8:12], "big"), ahead[16:24]
    frames = [ahead[at : at + 24] for at in range(32, len(ahead), 24 + page)]
    return sum(frame[8:16] == salt and frame[4:8] != bytes(4) for frame in frames)


async def test_who_opens_a_new_file_at_the_same_moment_as_others_finds_it_his_own(tmp_path: Path) -> None:
    # It goes wrong only if one looks while another is just making the file: hence so often.
    for number in range(60):
        path = tmp_path / f"{number}.db"

        async def one(path: Path) -> None:
            async with SqliteLog(path) as log:
                await log.put(b"a body")

        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(one, path)


async def test_appends_that_wait_for_the_disk_at_one_moment_share_a_transaction(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    async with SqliteLog(path, durable="full") as log:
        await log.append("s", [said(0)])
        before = transactions(path)
        async with anyio.create_task_group() as group:
            for number in range(150):
                group.start_soon(log.append, f"stream {number}", [said(number)])
        assert len(await log.streams("stream")) == 150
        # Mostly two, as the first goes ahead before anybody can know that others are coming; more when the machine
        # is so busy that a moment takes long.
        assert before < transactions(path) <= before + 40


async def test_several_streams_are_appended_to_in_one_transaction_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    async with SqliteLog(path, max_bytes=400_000) as log:
        await log.append("s", [said(0)])
        before = transactions(path)
        await log.append_together([("a", [said(1)], 0), ("b", [said(2), said(3)], 0), ("s", [said(4)], 1)])
        assert transactions(path) == before + 1
        assert [at for at, _ in await log.read("b")] == [1, 2]
        assert [record for _, record in await log.read("s")] == [said(0), said(4)]
        with pytest.raises(LogError, match="cannot grow"):
            await log.append_together([("a", [said(5)], 1), ("b", [said(6, text="long " * 200_000)], 2)])
        assert len(await log.read("a")) == 1
        with pytest.raises(LogConflict):
            await log.append_together([("a", [said(7)], 5), ("b", [said(8)], 2)])
        with pytest.raises(LogConflict, match="'b' ends at 2, not at 7"):
            await log.append_together([("a", [said(7)], 1), ("a", [said(8)], 2), ("b", [said(9)], 7)])
        assert (len(await log.read("a")), len(await log.read("b"))) == (1, 2)


async def test_appends_that_are_many_or_large_are_written_by_the_thread_without_loss(tmp_path: Path) -> None:
    async with SqliteLog(tmp_path / "log.db") as log:
        async with anyio.create_task_group() as group:
            for number in range(400):
                group.start_soon(log.append, "s", [said(number, "x" * 5000)])
        found = await log.read("s")
    assert sorted(record.seq for _, record in found) == list(range(400))  # type: ignore[attr-defined]


async def test_the_write_ahead_log_does_not_grow_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    async with SqliteLog(path) as log:
        sizes = []
        for turn in range(60):
            await log.append("s", [said(turn, os.urandom(400_000).hex())])
            sizes.append(path.with_name("log.db-wal").stat().st_size)
            await anyio.sleep(0.002)
        assert path.stat().st_size > 10_000_000
        assert max(sizes) < 25_000_000


async def test_an_asyncio_task_that_is_cancelled_while_it_appends_has_written(
    tmp_path: Path, anyio_backend_name: str
) -> None:
    if anyio_backend_name != "asyncio":
        pytest.skip("trio tasks are cancelled by their scopes only")
    async with SqliteLog(tmp_path / "log.db") as log:
        await log.append("s", [said(0)])
        for turns in range(4):
            task = asyncio.ensure_future(log.append("s", [said(turns)]))
            for _ in range(turns):
                await asyncio.sleep(0)
            was_done = task.done()
            task.cancel()
            if turns == 0:  # it never began
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert len(await log.read("s")) == 1
                continue
            if not was_done:
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert len(await log.read("s")) == turns + 1


async def test_an_asyncio_task_cancelled_while_the_thread_writes_waits_for_the_end(
    tmp_path: Path, anyio_backend_name: str
) -> None:
    if anyio_backend_name != "asyncio":
        pytest.skip("trio tasks are cancelled by their scopes only")
    path = tmp_path / "log.db"
    await written(path)
    async with SqliteLog(path) as log:
        await log.append("s", [said(4)])
        for end in ("ROLLBACK", None):
            other = sqlite3.connect(path, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            task = asyncio.ensure_future(log.append("s", [said(5)]))
            await asyncio.sleep(0.02)
            for _ in range(2):
                task.cancel()
                await asyncio.sleep(0.01)
            assert not task.done()
            other.execute(end or "COMMIT")
            other.close()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert len(await log.read("s")) == 6


async def test_a_run_cancelled_in_the_middle_is_recorded_to_its_end(tmp_path: Path) -> None:
    async with SqliteLog(tmp_path / "log.db") as log:
        run = Run.open("team", log=log, run_id="1")
        began = anyio.Event()

        async def call(_key: str) -> Completion:
            began.set()
            await anyio.sleep(1000)
            return Completion()

        async with anyio.create_task_group() as group:
            group.start_soon(run.step, "model", "m", Request(messages=()), call)
            await began.wait()
            group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await run.execution.flush()
        last = (await log.read("run/1"))[-1][1]
    assert isinstance(last, StepFinished)
    assert last.status == "cancelled"


async def test_a_runs_events_are_read_as_they_were_seen(tmp_path: Path) -> None:
    seen: list[AnyEvent] = []

    async def call(_key: str) -> Completion:
        return Completion(text="because " * 100)

    async with SqliteLog(tmp_path / "log.db") as log:
        run = Run.open("team", log=log, run_id="1", listeners=(seen.append,))
        messages: tuple[Message, ...] = ()
        for turn in range(20):
            messages += (Message(role="user", content=f"{turn} " * 50),)
            await run.step("model", "m", Request(messages=messages), call)
    async with SqliteLog(tmp_path / "log.db") as log:
        assert [record for _, record in await log.read("run/1")] == seen
    assert len(seen) == 40


async def test_one_log_serves_event_loops_in_several_threads(tmp_path: Path) -> None:
    async with SqliteLog(tmp_path / "log.db") as log:

        async def write(thread: int) -> None:
            async with anyio.create_task_group() as group:
                for number in range(20):
                    group.start_soon(log.append, "s", [said(thread * 100 + number)])

        async def in_thread(thread: int) -> None:
            backend = "trio" if thread % 2 else "asyncio"
            await anyio.to_thread.run_sync(lambda: anyio.run(write, thread, backend=backend))

        async with anyio.create_task_group() as group:
            for thread in range(4):
                group.start_soon(in_thread, thread)
        found = await log.read("s")
    assert len({record.seq for _, record in found}) == 80  # type: ignore[attr-defined]


def test_one_log_serves_one_event_loop_after_the_other(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log.db")

    async def append() -> int:
        return await log.append("s", [said(1)])

    assert [anyio.run(append), anyio.run(append, backend="trio"), anyio.run(append)] == [1, 2, 3]
    anyio.run(log.aclose, backend="trio")


async def test_a_watcher_sees_each_record_at_once_that_its_own_log_writes(tmp_path: Path) -> None:
    seen: list[int] = []
    saw = anyio.Event()

    async def watch(log: SqliteLog) -> None:
        nonlocal saw
        async for position, _ in log.watch("s"):
            seen.append(position)
            saw.set()
            if position == 200:
                return

    # It never looks at the file by itself, so whatever is seen was told.
    with anyio.fail_after(30):
        async with SqliteLog(tmp_path / "log.db", poll=10_000) as log, anyio.create_task_group() as group:
            group.start_soon(watch, log)
            for number in range(200):
                saw = anyio.Event()
                for _ in range(number % 10):
                    await anyio.lowlevel.checkpoint()
                await log.append("s", [said(number)])
                await saw.wait()
    assert seen == list(range(1, 201))


WRITER = """
import sys, anyio
from phalanx.errors import LogConflict
from phalanx.runtime.events import Warned
from phalanx.runtime.sqlite import SqliteLog

async def main():
    who, count = sys.argv[2], int(sys.argv[3])
    async with SqliteLog(sys.argv[1]) as log:
        for number in range(count):
            await log.append("shared", [Warned(who, number, (), 0.0, None, "x")])
            while True:
                end = len(await log.read("counted"))
                try:
                    await log.append("counted", [Warned(who, end, (), 0.0, None, "x")], expect=end)
                    break
                except LogConflict:
                    continue

anyio.run(main)
"""


async def test_several_processes_write_one_file_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    results: list[subprocess.CompletedProcess[str]] = []

    async def start(who: str) -> None:
        results.append(await anyio.to_thread.run_sync(run_python, WRITER, str(path), who, "25"))

    async with anyio.create_task_group() as group:
        for who in "abcd":
            group.start_soon(start, who)
    assert [result.stderr for result in results if result.returncode] == []
    async with SqliteLog(path) as log:
        shared = [record for _, record in await log.read("shared")]
        counted = [record for _, record in await log.read("counted")]
        assert await log.check() == []
    for who in "abcd":
        assert [r.seq for r in shared if r.run_id == who] == list(range(25))  # type: ignore[attr-defined]
    assert [record.seq for record in counted] == list(range(100))  # type: ignore[attr-defined]


@pytest.mark.parametrize("durable", ["normal", "full"])
async def test_two_logs_that_expect_nothing_take_turns_without_loss(
    tmp_path: Path, durable: Literal["normal", "full"]
) -> None:
    async with SqliteLog(tmp_path / "log.db", durable=durable) as one, SqliteLog(tmp_path / "log.db") as other:
        ends = [await (one if number % 3 else other).append("s", [said(number)]) for number in range(20)]
        assert ends == list(range(1, 21))
        assert [record for _, record in await one.read("s")] == [said(number) for number in range(20)]


COUNT = """
import sys, anyio
from phalanx.runtime.events import Warned
from phalanx.runtime.sqlite import SqliteLog

async def main():
    async with SqliteLog(sys.argv[1]) as log:
        for _ in range(int(sys.argv[2])):
            await log.append("s", [Warned("child", 0, (), 0.0, None, "x")])
        print(len(await log.read("s")))

anyio.run(main)
"""


async def test_what_is_written_after_another_process_came_and_went_stays(tmp_path: Path) -> None:
    path = tmp_path / "log.db"

    async def elsewhere(appends: int) -> int:
        done = await anyio.to_thread.run_sync(run_python, COUNT, str(path), str(appends))
        return int(done.stdout)

    async with SqliteLog(path) as log, SqliteLog(path) as second:
        assert await log.append("s", [said(1)]) == 1
        assert await second.append("s", [said(2)]) == 2
        assert await elsewhere(1) == 3
        assert await log.append("s", [said(4)]) == 4
        assert await second.append("s", [said(5)]) == 5
        assert await elsewhere(0) == 5
    assert await elsewhere(0) == 5


async def test_a_redaction_keeps_a_secret_out_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    async with SqliteLog(path, redact=lambda text: text.replace("hunter2", "[hidden]")) as log:
        await log.append("s", [asked(1, Message(role="user", content="hunter2")), said(2, "hunter2 " * 500)])
        digest = await log.put(b"hunter2")
        assert await log.get(digest) == b"[hidden]"
        assert b"hunter2" not in path.with_name("log.db-wal").read_bytes()
    assert b"hunter2" not in path.read_bytes()


def test_a_log_that_was_not_closed_says_so_and_lets_go(tmp_path: Path) -> None:
    async def forget() -> None:
        log = SqliteLog(tmp_path / "log.db")
        await log.append("s", [said(1)])
        del log

    def forget_and_collect() -> None:
        anyio.run(forget)
        gc.collect()

    with pytest.warns(ResourceWarning, match="unclosed log"):
        forget_and_collect()
    for thread in threading.enumerate():
        if thread.name.startswith("phalanx log"):
            thread.join(10)


FORK = """
import os, sys, anyio
from phalanx.errors import LogError
from phalanx.runtime.events import Warned
from phalanx.runtime.sqlite import SqliteLog

log = SqliteLog(sys.argv[1])

async def append():
    return await log.append("s", [Warned("r", 1, (), 0.0, None, "x")])

anyio.run(append)
child = os.fork()
if child == 0:
    try:
        anyio.run(append)
    except LogError as problem:
        os.write(1, str(problem).encode())
    os._exit(0)
os.waitpid(child, 0)
print(" and here it ends at", anyio.run(append))
anyio.run(log.aclose)
"""


def test_a_fork_is_told_to_make_a_log_of_its_own(tmp_path: Path) -> None:
    done = run_python(FORK, str(tmp_path / "log.db"))
    assert done.returncode == 0, done.stderr
    assert "make a new one after a fork" in done.stdout
    assert done.stdout.endswith("here it ends at 2\n")


async def test_an_interrupted_creation_is_finished_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    begun = sqlite3.connect(path)
    begun.execute("PRAGMA journal_mode = WAL")
    begun.close()
    assert path.stat().st_size > 0
    await written(path)
    async with SqliteLog(path) as log:
        with pytest.raises(LogConflict):
            await log.append("s", [said(1)], expect=0)
