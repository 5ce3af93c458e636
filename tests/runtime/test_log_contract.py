"""What every log must do, in memory, in SQLite, in Postgres; on a real clock, for files and sockets have no other."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeVar

import anyio
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from phalanx.errors import LogConflict, LogError
from phalanx.messages import Message
from phalanx.runtime.codec import Unknown
from phalanx.runtime.events import Warned
from phalanx.runtime.log import Log, Watch
from tests.runtime.records import answered, asked, said
from tests.runtime.stores import NAMES, Store, make_store

T = TypeVar("T")


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    """The real clock: files and sockets do not wait in virtual time."""
    return request.param, {}


@pytest.fixture(params=NAMES)
def store(request: pytest.FixtureRequest, tmp_path: Path, anyio_backend: tuple[str, object]) -> Store:
    return _made(request.param, tmp_path, anyio_backend)


@pytest.fixture(params=[name for name in NAMES if name != "memory"])
def lasting(request: pytest.FixtureRequest, tmp_path: Path, anyio_backend: tuple[str, object]) -> Store:
    """A store whose logs leave what they hold to the next one."""
    return _made(request.param, tmp_path, anyio_backend)


def _made(name: str, folder: Path, backend: tuple[str, object]) -> Store:
    if name == "postgres" and backend[0] != "asyncio":
        pytest.skip("asyncpg knows asyncio only")
    return make_store(name, folder)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("phalanx log")]


@pytest.fixture
async def log(store: Store) -> AsyncIterator[Log]:
    async with opened(store) as opened_log:
        yield opened_log


@asynccontextmanager
async def opened(store: Store) -> AsyncIterator[Log]:
    opened_log = store.open()
    try:
        yield opened_log
    finally:
        with anyio.CancelScope(shield=True):
            await opened_log.aclose()


def numbers(found: list[tuple[int, object]]) -> list[int]:
    return [record.seq for _, record in found if isinstance(record, Warned)]


async def test_records_come_back_in_order_at_positions_without_gaps(log: Log) -> None:
    assert await log.append("s", [said(1), said(2)]) == 2
    assert await log.append("s", [said(3)]) == 3
    assert await log.read("s") == [(1, said(1)), (2, said(2)), (3, said(3))]


async def test_reading_begins_after_a_position(log: Log) -> None:
    await log.append("s", [said(number) for number in range(1, 4)])
    for after in range(5):
        assert numbers(await log.read("s", after)) == list(range(after + 1, 4))
    assert await log.read("another") == []


async def test_a_long_stream_is_read_whole(log: Log) -> None:
    for start in range(0, 2000, 500):
        await log.append("s", [said(number) for number in range(start, start + 500)])
    found = await log.read("s")
    assert [position for position, _ in found] == list(range(1, 2001))
    assert numbers(found) == list(range(2000))
    assert numbers(await log.read("s", 1990)) == list(range(1990, 2000))


async def test_streams_do_not_know_of_each_other(log: Log) -> None:
    assert await log.append("a", [said(1)]) == 1
    assert await log.append("b", [said(2)]) == 1
    assert await log.append("a", [said(3)]) == 2
    assert numbers(await log.read("a")) == [1, 3]
    assert numbers(await log.read("b")) == [2]


async def test_a_writer_that_expects_another_end_is_refused_and_writes_nothing(log: Log) -> None:
    assert await log.append("s", [said(1)], expect=0) == 1
    for wrong in (0, 2, 7):
        with pytest.raises(LogConflict) as caught:
            await log.append("s", [said(9), said(9)], expect=wrong)
        assert (caught.value.stream, caught.value.expected, caught.value.actual) == ("s", wrong, 1)
    with pytest.raises(LogConflict):
        await log.append("new", [said(9)], expect=1)
    assert await log.append("s", [said(2)], expect=1) == 2
    assert numbers(await log.read("s")) == [1, 2]
    assert await log.streams() == ["s"]


async def test_appending_nothing_says_where_the_stream_ends(log: Log) -> None:
    assert await log.append("s", []) == 0
    await log.append("s", [said(1)])
    assert await log.append("s", []) == 1
    assert await log.append("s", [], expect=1) == 1
    with pytest.raises(LogConflict):
        await log.append("s", [], expect=0)
    assert await log.append("empty", []) == 0
    assert await log.streams() == ["s"]


async def test_many_tasks_append_at_once_and_nothing_is_lost_or_doubled(log: Log) -> None:
    positions: dict[int, int] = {}

    async def write(task: int) -> None:
        for turn in range(10):
            number = task * 100 + turn
            positions[number] = await log.append("s", [said(number)])

    async with anyio.create_task_group() as group:
        for task in range(40):
            group.start_soon(write, task)
    found = await log.read("s")
    assert [position for position, _ in found] == list(range(1, 401))
    assert {number: position for position, number in zip(range(1, 401), numbers(found), strict=True)} == positions
    for task in range(40):
        own = [number for number in numbers(found) if number // 100 == task]
        assert own == sorted(own)


async def test_of_many_who_expect_the_same_end_one_wins(log: Log) -> None:
    won: list[int] = []

    async def count(task: int) -> None:
        for _ in range(5):
            while True:
                end = len(await log.read("s"))
                try:
                    await log.append("s", [said(task)], expect=end)
                except LogConflict:
                    continue
                won.append(task)
                break

    async with anyio.create_task_group() as group:
        for task in range(8):
            group.start_soon(count, task)
    found = numbers(await log.read("s"))
    assert sorted(found) == sorted(won) == sorted(list(range(8)) * 5)


async def test_a_conflict_does_not_disturb_those_who_write_at_the_same_moment(log: Log) -> None:
    refused: list[int] = []

    async def write(number: int) -> None:
        try:
            await log.append("s", [said(number)], expect=99 if number % 2 else None)
        except LogConflict:
            refused.append(number)

    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(write, number)
    assert sorted(refused) == list(range(1, 20, 2))
    assert sorted(numbers(await log.read("s"))) == list(range(0, 20, 2))


async def test_a_watcher_sees_what_is_there_and_then_what_comes_in_order(log: Log) -> None:
    await log.append("s", [said(1), said(2)])
    seen: list[tuple[int, object]] = []

    async def watch(after: int, into: list[tuple[int, object]], until: int) -> None:
        async for position, record in log.watch("s", after):
            into.append((position, record))
            if position == until:
                return

    late: list[tuple[int, object]] = []
    async with anyio.create_task_group() as group:
        group.start_soon(watch, 0, seen, 50)
        group.start_soon(watch, 2, late, 50)
        for number in range(3, 51):
            await log.append("s", [said(number)])
            await log.append("other", [said(0)])
            if number % 10 == 0:
                await anyio.sleep(0.002)
    assert seen == await log.read("s")
    assert late == seen[2:]


async def test_a_watcher_may_begin_before_anything_is_there(log: Log) -> None:
    seen: list[int] = []
    began = anyio.Event()

    async def watch() -> None:
        records = log.watch("later")
        began.set()
        async for position, _ in records:
            seen.append(position)
            if position == 3:
                return

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        await began.wait()
        await anyio.sleep(0.03)
        for number in range(3):
            await log.append("later", [said(number)])
    assert seen == [1, 2, 3]


async def test_a_watcher_is_cancelled_cleanly_wherever_it_is(log: Log) -> None:
    async def watch() -> None:
        async for _ in log.watch("s"):
            pass

    for turn in range(6):
        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            await log.append("s", [said(turn)])
            for _ in range(turn):
                await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
    assert len(await log.read("s")) == 6


async def test_a_watcher_can_be_left_in_the_middle_and_another_go_on_from_there(log: Log) -> None:
    await log.append("s", [said(number) for number in range(10)])
    async for position, _ in log.watch("s"):
        if position == 4:
            break
    async for position, _ in log.watch("s", 4):
        assert position == 5
        break


async def test_a_watcher_ends_when_the_log_is_closed(store: Store) -> None:
    seen: list[int] = []
    first = anyio.Event()
    log = store.open()
    await log.append("s", [said(1)])

    async def watch() -> None:
        async for position, _ in log.watch("s"):
            seen.append(position)
            first.set()

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            await first.wait()
            await anyio.sleep(0.01)
            await log.aclose()
        async for position, _ in log.watch("s", 1):
            seen.append(position)
    assert seen == [1]


async def test_a_record_that_comes_just_before_the_bell_is_hung_is_not_missed() -> None:
    held: list[tuple[int, object]] = []

    async def read(after: int) -> list[tuple[int, object]]:
        return held[after:]

    class LateBell:
        def __init__(self, after: int) -> None:
            held.append((after + 1, said(after)))

        async def wait(self) -> bool:
            raise AssertionError("nobody will ring for what is there already")

        def take_down(self) -> None:
            pass

    watch = Watch(0, read, LateBell)
    assert [await anext(watch) for _ in range(3)] == [(1, said(0)), (2, said(1)), (3, said(2))]


async def test_streams_are_found_by_the_beginning_of_their_names(log: Log) -> None:
    names = ["run/b", "run/a", "board/x", "run", "a%b", "aXb", "ä/1", "Ä/1", "run/ü", "\U0001f600"]
    for name in names:
        await log.append(name, [said(1)])
    assert await log.streams() == sorted(names)
    for prefix in ("run/", "run", "a%", "ä", "nothing", "\U0001f600", "RUN"):
        assert await log.streams(prefix) == sorted(name for name in names if name.startswith(prefix))


async def test_a_body_is_kept_once_and_found_by_its_hash(log: Log) -> None:
    bodies = [b"", b"text", bytes(range(256)) * 100, "größer".encode()]
    digests = [await log.put(body) for body in bodies]
    assert [await log.put(body) for body in bodies] == digests
    assert len(set(digests)) == len(bodies)
    assert [await log.get(digest) for digest in digests] == bodies
    for unknown in ("0" * 64, "not a hash", ""):
        with pytest.raises(LogError, match="no body"):
            await log.get(unknown)


async def test_requests_and_answers_come_back_with_their_messages(log: Log) -> None:
    conversation: tuple[Message, ...] = ()
    written: list[object] = []
    for turn in range(12):
        conversation += (Message(role="user", content=f"{turn} " * 300),)
        written += [asked(turn, *conversation), answered(turn, "because " * 200)]
        await log.append("s", written[-2:])
    assert [record for _, record in await log.read("s")] == written


async def test_names_and_positions_that_cannot_be_are_refused(log: Log) -> None:
    for name in ("", "a\x00b", "\ud800"):
        with pytest.raises(ValueError, match="name"):
            await log.append(name, [said(1)])
    with pytest.raises(ValueError, match="position"):
        await log.read("s", -1)
    with pytest.raises(ValueError, match="position"):
        log.watch("s", -1)


async def test_an_append_that_is_cancelled_is_written_and_says_so(log: Log) -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        position = await log.append("s", [said(1), said(2)])
    assert position == 2
    assert numbers(await log.read("s")) == [1, 2]


async def test_what_was_written_is_there_when_the_log_is_opened_again(lasting: Store) -> None:
    async with opened(lasting) as log:
        await log.append("s", [asked(1, Message(role="user", content="question " * 200)), said(2)])
        digest = await log.put(b"body")
    async with opened(lasting) as log:
        assert await log.append("s", [said(3)], expect=2) == 3
        found = [record for _, record in await log.read("s")]
        assert found == [asked(1, Message(role="user", content="question " * 200)), said(2), said(3)]
        assert await log.get(digest) == b"body"
        assert await log.streams() == ["s"]


async def test_two_logs_on_one_place_write_one_stream(lasting: Store) -> None:
    async with opened(lasting) as one, opened(lasting) as other:
        for number in range(1, 31):
            log = one if number % 3 else other
            assert await log.append("s", [said(number)], expect=number - 1) == number
        with pytest.raises(LogConflict) as caught:
            await one.append("s", [said(0)], expect=7)
        assert caught.value.actual == 30
        assert numbers(await one.read("s")) == numbers(await other.read("s")) == list(range(1, 31))


async def test_a_watcher_sees_what_another_log_writes(lasting: Store) -> None:
    async with opened(lasting) as one, opened(lasting) as other:
        seen: list[tuple[int, object]] = []

        async def watch() -> None:
            async for position, record in one.watch("s"):
                seen.append((position, record))
                if position == 20:
                    return

        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                group.start_soon(watch)
                await anyio.sleep(0.03)
                for number in range(20):
                    await other.append("s", [said(number)])
                    if number % 7 == 0:
                        await anyio.sleep(0.03)
        assert seen == await other.read("s")


async def test_what_cannot_be_stored_is_refused_with_all_that_came_with_it(lasting: Store) -> None:
    async with opened(lasting) as log:
        with pytest.raises(LogError, match="register"):
            await log.append("s", [said(1), "no record"])
        assert await log.read("s") == []
        unknown = Unknown("kind.of.tomorrow", b'{"a": 1}')
        await log.append("s", [unknown])
        [(_, found)] = await log.read("s")
        assert isinstance(found, Unknown)
        assert (found.kind, found.data) == (unknown.kind, unknown.data)


async def test_a_closed_log_says_that_it_is_closed(lasting: Store) -> None:
    log = lasting.open()
    await log.append("s", [said(1)])
    await log.aclose()
    await log.aclose()
    for use in (log.append("s", [said(2)]), log.read("s"), log.streams(), log.put(b"x"), log.get("0" * 64)):
        with pytest.raises(LogError, match="closed"):
            await use


class LogMachine(RuleBasedStateMachine):
    """Any use of a log, by one or two log objects, against lists and dictionaries."""

    store: Callable[[], AbstractContextManager[Store]]

    def __init__(self) -> None:
        super().__init__()
        self.streams: dict[str, list[object]] = {}
        self.bodies: dict[str, bytes] = {}
        self.stack = AsyncExitStack()
        self.made = type(self).store()
        self.place = self.made.__enter__()
        self.portal_made = start_blocking_portal("asyncio")
        self.portal: BlockingPortal = self.portal_made.__enter__()
        self.logs: list[Log] = []

    @initialize()
    def open_first(self) -> None:
        self.logs = [self.place.open()]

    def do(self, work: Callable[..., Awaitable[T]], *arguments: object) -> T:
        return self.portal.call(work, *arguments)

    def pick(self, which: int) -> Log:
        return self.logs[which % len(self.logs)]

    @precondition(lambda self: self.place.lasts and len(self.logs) < 3)
    @rule()
    def open_another(self) -> None:
        self.logs.append(self.place.open())

    @precondition(lambda self: self.place.lasts)
    @rule(which=st.integers(0, 2))
    def close_and_open_again(self, which: int) -> None:
        self.do(self.pick(which).aclose)
        self.logs[which % len(self.logs)] = self.place.open()

    @rule(
        which=st.integers(0, 2),
        name=st.sampled_from(["a", "a/1", "b"]),
        texts=st.lists(st.text(max_size=3) | st.just("long " * 300), max_size=3),
        offset=st.none() | st.integers(-1, 2),
    )
    def append(self, which: int, name: str, texts: list[str], offset: int | None) -> None:
        held = self.streams.get(name, [])
        new = [said(len(held) + at, text) for at, text in enumerate(texts)]
        expect = None if offset is None else max(0, len(held) + offset)
        if expect is not None and expect != len(held):
            with pytest.raises(LogConflict) as caught:
                self.do(self.pick(which).append, name, new, expect)
            assert caught.value.actual == len(held)
            return
        assert self.do(self.pick(which).append, name, new, expect) == len(held) + len(new)
        if new:
            self.streams[name] = [*held, *new]

    @rule(which=st.integers(0, 2), name=st.sampled_from(["a", "a/1", "b"]), after=st.integers(0, 8))
    def read(self, which: int, name: str, after: int) -> None:
        held = list(enumerate(self.streams.get(name, []), 1))
        assert self.do(self.pick(which).read, name, after) == held[after:]

    @rule(which=st.integers(0, 2), prefix=st.sampled_from(["", "a", "a/", "c"]))
    def list_streams(self, which: int, prefix: str) -> None:
        expected = sorted(name for name in self.streams if name.startswith(prefix))
        assert self.do(self.pick(which).streams, prefix) == expected

    @rule(which=st.integers(0, 2), body=st.binary(max_size=4))
    def put(self, which: int, body: bytes) -> None:
        self.bodies[self.do(self.pick(which).put, body)] = body

    @rule(which=st.integers(0, 2))
    def get_all(self, which: int) -> None:
        for digest, body in self.bodies.items():
            assert self.do(self.pick(which).get, digest) == body

    def teardown(self) -> None:
        for log in self.logs:
            self.do(log.aclose)
        self.portal_made.__exit__(None, None, None)
        self.made.__exit__(None, None, None)


@pytest.mark.parametrize("name", NAMES)
def test_any_use_of_a_log_gives_what_lists_would_give(name: str) -> None:
    class Made(AbstractContextManager[Store]):
        def __enter__(self) -> Store:
            self.folder = tempfile.TemporaryDirectory()
            return make_store(name, Path(self.folder.name))

        def __exit__(self, *_: object) -> None:
            self.folder.cleanup()

    class Machine(LogMachine):
        store = Made

    run_state_machine_as_test(Machine, settings=settings(max_examples=25, stateful_step_count=20, deadline=None))
