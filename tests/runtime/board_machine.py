"""A state machine that holds a blackboard, over any log, against a model as plain as can be; and a log that dawdles.

    TestOverMyLog = board_machine(my_log).TestCase

`my_log` is called without arguments and gives an async context manager of a fresh, empty log. Two boards, as of two
processes, write to it in turn, are replaced by new ones, and must agree with the model, and so with each other.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Self, TypeVar

import anyio
import anyio.from_thread
import anyio.lowlevel
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule

from phalanx.errors import AccessDenied, SealedError
from phalanx.messages import estimate_tokens
from phalanx.runtime.board import Blackboard, MemberBoard
from phalanx.runtime.claims import Lease, LeaseLost
from phalanx.runtime.entries import Conflict, Entry, Post
from phalanx.runtime.log import Log, MemoryLog
from phalanx.runtime.reading import Reader
from phalanx.runtime.regions import Identity, Region

T = TypeVar("T")
OpenLog = Callable[[], AbstractAsyncContextManager[Log]]

MEMBERS = (Identity("ada", "coder"), Identity("bob", "coder"), Identity("eve", "judge", reads=("log", "vote*")))
REGIONS = (
    Region("log", str),
    Region("register", int, "register"),
    Region("map", list[int], "map"),
    Region("last", str, "last_writer_wins"),
    Region("set", int, "set"),
    Region("counter", int, "counter"),
    Region("votes", str, "ballots"),
)
SINGLE = {"register", "map", "last", "counter"}
KEYS = ("a", "b")
SCOPES = ("public", "role:coder", "role:judge", "member:bob")

members = st.sampled_from(MEMBERS)
keys = st.sampled_from(KEYS)
numbers = st.integers(-3, 3)
texts = st.text(max_size=12)


@asynccontextmanager
async def memory_log() -> AsyncGenerator[Log, None]:
    """A log in memory."""
    yield MemoryLog()


class Interleaved:
    """A log that lets other tasks run, as often as chance wants, before and after all it does."""

    instant = False

    def __init__(self, log: Log, seed: int) -> None:
        self._log, self._chance = log, random.Random(seed)

    async def append(self, stream: str, records: Sequence[object], expect: int | None = None) -> int:
        await self._dawdle()
        end = await self._log.append(stream, records, expect)
        await self._dawdle()
        return end

    async def read(self, stream: str, after: int = 0) -> list[tuple[int, object]]:
        await self._dawdle()
        found = await self._log.read(stream, after)
        await self._dawdle()
        return found

    def watch(self, stream: str, after: int = 0) -> AsyncIterator[tuple[int, object]]:
        return _DawdlingWatch(self._log.watch(stream, after), self._dawdle)

    async def streams(self, prefix: str = "") -> list[str]:
        return await self._log.streams(prefix)

    async def put(self, body: bytes) -> str:
        return await self._log.put(body)

    async def get(self, digest: str) -> bytes:
        return await self._log.get(digest)

    async def aclose(self) -> None:
        await self._log.aclose()

    async def _dawdle(self) -> None:
        for _ in range(self._chance.randrange(4)):
            await anyio.lowlevel.checkpoint()


class _DawdlingWatch:
    """Takes its time before every record."""

    def __init__(self, records: AsyncIterator[tuple[int, object]], dawdle: Callable[[], Awaitable[None]]) -> None:
        self._records, self._dawdle = records, dawdle

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[int, object]:
        await self._dawdle()
        return await anext(self._records)


@dataclass
class Known:
    """What the model knows of an entry."""

    seq: int
    region: str
    key: str
    version: int
    value: object
    author: str
    visibility: str
    causes: tuple[int, ...]
    pinned: bool = False
    retracted: bool = False
    stale: bool = False


Shown = tuple[int, str, str, int, object, str, bool, bool]
Picture = list[Shown]


class BoardMachine(RuleBasedStateMachine):
    """See the module; subclasses made by `board_machine` say which log and which backend."""

    open_log: Callable[[], AbstractAsyncContextManager[Log]] = staticmethod(memory_log)
    backend = "asyncio"
    entries: Bundle[int] = Bundle("entries")
    leases: Bundle[Lease] = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.portal = self.stack.enter_context(anyio.from_thread.start_blocking_portal(self.backend))
        self.log = self.stack.enter_context(self.portal.wrap_async_context_manager(type(self).open_log()))
        self.now = 1000.0
        self.boards = [self.new_board(), self.new_board()]
        self.seq = 0
        self.known: dict[int, Known] = {}
        self.closed: set[str] = set()
        self.all_closed = False
        self.ops: dict[str, int] = {}
        self.held: dict[str, Lease] = {}
        self.past: dict[int, dict[str, Picture]] = {0: self.pictures()}

    def teardown(self) -> None:
        self.stack.close()

    # What the machine is made of.

    def new_board(self) -> Blackboard:
        return Blackboard(self.log, "board/x", REGIONS, clock=lambda: self.now)

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        done: T = self.portal.call(work)
        return done

    def board(self, which: int) -> Blackboard:
        return self.boards[which % 2]

    def cell(self, region: str, key: str) -> list[Known]:
        return [each for each in self.known.values() if (each.region, each.key) == (region, key)]

    def newest(self, region: str, key: str) -> Known | None:
        cell = self.cell(region, key)
        if region == "counter":
            cell = [each for each in cell if not each.retracted]
        return cell[-1] if cell and not cell[-1].retracted else None

    def is_closed(self, key: str) -> bool:
        return self.all_closed or key in self.closed

    def may_see(self, each: Known, who: Identity | None) -> bool:
        if each.region == "votes" and not self.is_closed(each.key):
            return who is not None and who.name == each.author
        if who is None:
            return True
        if who.name == "eve" and each.region not in {"log", "votes"}:
            return False
        scopes = {"public", "sealed", f"role:{who.role}", f"member:{who.name}"}
        return each.author == who.name or each.visibility in scopes

    def shown(self, each: Known) -> Shown:
        value = each.value
        if each.region == "counter":
            past = [other for other in self.cell("counter", each.key) if not other.retracted and other.seq <= self.seq]
            value = sum(int(str(other.value)) for other in past)
        return (each.seq, each.region, each.key, each.version, value, each.author, each.pinned, each.stale)

    def picture(self, who: Identity | None) -> Picture:
        """What `entries` should give a member now."""
        places = sorted({(each.region, each.key) for each in self.known.values()})
        standing: list[Known] = []
        for region, key in places:
            if region in SINGLE:
                newest = self.newest(region, key)
                standing += [] if newest is None else [newest]
            else:
                standing += [each for each in self.cell(region, key) if not each.retracted]
        return sorted(self.shown(each) for each in standing if self.may_see(each, who))

    def pictures(self) -> dict[str, Picture]:
        return {name: self.picture(who) for name, who in READERS.items()}

    def wrote(self, count: int = 1) -> None:
        self.seq += count
        self.past[self.seq] = self.pictures()

    def add(
        self, seq: int, region: str, key: str, value: object, author: str, visibility: str, causes: tuple[int, ...]
    ) -> None:
        stale = any(self.known[cause].retracted or self.known[cause].stale for cause in causes)
        version = len(self.cell(region, key)) + 1
        self.known[seq] = Known(seq, region, key, version, value, author, visibility, causes, stale=stale)

    def posted(
        self, which: int, region: str, key: str, value: object, who: Identity | None = None, *,
        visibility: str = "public", causes: Sequence[int] = (), expect: int | None = None, op: str = "",
    ) -> int:  # fmt: skip
        """Post, and hold the outcome against the model; the number of the entry, 0 if there is none."""
        board = self.board(which) if who is None else self.board(which).as_member(who)

        async def post() -> Entry | Conflict:
            return await board.post(region, value, key=key, expect=expect, causes=causes, op=op, visibility=visibility)

        result = self.run(post)
        newest = self.newest(region, key)
        version = 0 if newest is None else newest.version
        if op and op in self.ops:
            assert isinstance(result, Entry)
            assert result.seq == self.ops[op]
            return 0
        if (expect is not None or region in {"register", "map"}) and (expect or 0) != version:
            assert isinstance(result, Conflict), result
            assert (result.version, result.expected) == (version, expect)
            shown = newest if newest is not None and self.may_see(newest, who) else None
            assert (result.current and result.current.seq) == (shown and shown.seq)
            return 0
        assert isinstance(result, Entry), result
        if region == "set":
            twins = [each for each in self.cell("set", key) if each.value == value and not each.retracted]
            twins = [each for each in twins if each.visibility == visibility and self.may_see(each, who)]
            if twins:
                assert result.seq == twins[0].seq
                return 0
        self.wrote_entry(
            result, region, key, value, who.name if who else "", visibility, tuple(sorted(set(causes))), op
        )
        return result.seq

    def wrote_entry(
        self, result: Entry, region: str, key: str, value: object, name: str, visibility: str = "public",
        causes: tuple[int, ...] = (), op: str = "",
    ) -> None:  # fmt: skip
        assert result.seq == self.seq + 1
        self.add(result.seq, region, key, value, name, visibility, causes)
        if op:
            self.ops[op] = result.seq
        self.wrote()
        known = self.known[result.seq]
        assert (result.version, result.author, result.causes) == (known.version, name, causes)
        assert (result.stale, result.retracted, result.time) == (known.stale, False, self.now)
        assert result.value == self.shown(known)[4]

    # What it does.

    @initialize(target=entries)
    def begin(self) -> int:
        return self.posted(0, "log", "a", "the beginning")

    @rule(
        target=entries, which=numbers, key=keys, value=texts, who=members, scope=st.sampled_from(SCOPES), data=st.data()
    )
    def append(self, which: int, key: str, value: str, who: Identity, scope: str, data: st.DataObject) -> Any:
        seen = [each.seq for each in self.known.values() if self.may_see(each, who)]
        causes = data.draw(st.lists(st.sampled_from(seen), max_size=3)) if seen else []
        return made(self.posted(which, "log", key, value, who, visibility=scope, causes=causes))

    @rule(target=entries, which=numbers, key=keys, value=numbers, expect=st.none() | st.integers(0, 3))
    def set_register(self, which: int, key: str, value: int, expect: int | None) -> Any:
        return made(self.posted(which, "register", key, value, expect=expect))

    @rule(target=entries, which=numbers, key=keys, value=st.lists(numbers, max_size=2), who=st.none() | members)
    def swap_map(self, which: int, key: str, value: list[int], who: Identity | None) -> Any:
        newest = self.newest("map", key)
        return made(self.posted(which, "map", key, value, who, expect=newest.version if newest else None))

    @rule(target=entries, which=numbers, key=keys, value=texts, expect=st.none() | st.integers(0, 3))
    def overwrite(self, which: int, key: str, value: str, expect: int | None) -> Any:
        return made(self.posted(which, "last", key, value, expect=expect))

    @rule(target=entries, which=numbers, key=keys, value=numbers, who=members, scope=st.sampled_from(SCOPES))
    def add_to_set(self, which: int, key: str, value: int, who: Identity, scope: str) -> Any:
        return made(self.posted(which, "set", key, value, who, visibility=scope))

    @rule(target=entries, which=numbers, key=keys, value=numbers)
    def count(self, which: int, key: str, value: int) -> Any:
        return made(self.posted(which, "counter", key, value))

    @rule(target=entries, which=numbers, key=keys, value=texts, op=st.sampled_from(("op1", "op2")))
    def write_once(self, which: int, key: str, value: str, op: str) -> Any:
        if op in self.ops:
            key = self.known[self.ops[op]].key
        return made(self.posted(which, "log", key, value, op=op))

    @rule(target=entries, which=numbers, key=keys, value=texts, who=members)
    def cast(self, which: int, key: str, value: str, who: Identity) -> Any:
        if self.is_closed(key) or any(each.author == who.name for each in self.cell("votes", key)):
            with pytest.raises(SealedError):
                self.posted(which, "votes", key, value, who)
            return multiple()
        return made(self.posted(which, "votes", key, value, who))

    @rule(which=numbers, key=st.none() | keys)
    def close(self, which: int, key: str | None) -> None:
        board = self.board(which)
        opened = self.run(lambda: board.close("votes", key))
        if not (self.all_closed or (key is not None and key in self.closed)):
            self.all_closed = self.all_closed or key is None
            self.closed |= set() if key is None else {key}
            self.wrote()
        cells = KEYS if key is None else (key,)
        ballots = [each.seq for name in cells for each in self.cell("votes", name) if not each.retracted]
        assert [each.seq for each in opened] == sorted(ballots)

    @rule(which=numbers, seq=entries, who=st.none() | members)
    def retract(self, which: int, seq: int, who: Identity | None) -> None:
        known, board = self.known[seq], self.board(which)
        seat = board if who is None else board.as_member(who)
        late = known.region == "votes" and self.is_closed(known.key) and who is not None and not known.retracted
        if not self.may_see(known, who) or late:
            with pytest.raises((AccessDenied, SealedError)):
                self.run(lambda: seat.retract(seq, "no"))
            return
        result = self.run(lambda: seat.retract(seq, "no"))
        assert result.retracted
        if known.retracted:
            return
        known.retracted = True
        tainted = {seq}
        for each in self.known.values():  # in order of number, so one pass reaches all
            if tainted.intersection(each.causes):
                tainted.add(each.seq)
                each.stale = True
        self.wrote()
        found = self.run(lambda: board.taint(seq)) if self.may_see(known, None) else []
        hidden = {each.seq for each in self.known.values() if not self.may_see(each, None)}
        assert not found or {each.seq for each in found} == tainted - {seq} - hidden

    @rule(which=numbers, seq=entries, pinned=st.booleans())
    def mark(self, which: int, seq: int, pinned: bool) -> None:
        known, board = self.known[seq], self.board(which)
        if known.retracted or not self.may_see(known, None):
            return
        assert self.run(lambda: board.mark(seq, pinned=pinned)).pinned is pinned
        if known.pinned is not pinned:
            known.pinned = pinned
            self.wrote()

    @rule(which=numbers, values=st.lists(numbers, min_size=1, max_size=3), expect=st.integers(0, 3), key=keys)
    def write_together(self, which: int, values: list[int], expect: int, key: str) -> None:
        board, newest = self.board(which), self.newest("register", key)
        posts = [Post("counter", value, key) for value in values] + [Post("register", 7, key, expect=expect)]
        result = self.run(lambda: board.post_all(posts))
        if expect != (0 if newest is None else newest.version):
            assert isinstance(result, Conflict)
            return
        assert not isinstance(result, Conflict)
        assert [each.seq for each in result] == [self.seq + at + 1 for at in range(len(posts))]
        for post, each in zip(posts, result, strict=True):
            self.add(each.seq, post.region, key, post.value, "", "public", ())
        self.wrote(len(posts))

    @rule(target=leases, which=numbers, key=keys, who=members, ttl=st.integers(1, 4))
    def claim(self, which: int, key: str, who: Identity, ttl: int) -> Any:
        board, current = self.board(which), self.held.get(key)
        lease = self.run(lambda: board.as_member(who).claim(key, ttl))
        if current is not None and self.now < current.expires:
            assert lease is None
            return multiple()
        assert lease == Lease(key, who.name, self.seq + 1, self.now + ttl)
        self.held[key] = lease
        self.wrote()
        return lease

    @rule(which=numbers, lease=leases, value=numbers)
    def write_under(self, which: int, lease: Lease, value: int) -> None:
        board, current = self.board(which), self.held.get(lease.key)
        who = next(each for each in MEMBERS if each.name == lease.holder)

        async def post() -> Entry | Conflict:
            return await board.as_member(who).post("counter", value, key=lease.key, lease=lease)

        if current is None or current.token != lease.token or self.now >= current.expires:
            with pytest.raises(LeaseLost):
                self.run(post)
            return
        result = self.run(post)
        assert isinstance(result, Entry)
        self.wrote_entry(result, "counter", lease.key, value, who.name)

    @rule(which=numbers, lease=leases, ttl=st.integers(1, 4))
    def renew(self, which: int, lease: Lease, ttl: int) -> None:
        board, current = self.board(which), self.held.get(lease.key)
        if current is None or current.token != lease.token:
            with pytest.raises(LeaseLost):
                self.run(lambda: board.renew(lease, ttl))
            return
        self.held[lease.key] = self.run(lambda: board.renew(lease, ttl))
        self.wrote()

    @rule(which=numbers, lease=leases)
    def release(self, which: int, lease: Lease) -> None:
        board, current = self.board(which), self.held.get(lease.key)
        holds = current is not None and current.token == lease.token
        assert self.run(lambda: board.release(lease)) is holds
        if holds:
            del self.held[lease.key]
            self.wrote()

    @rule(seconds=st.integers(1, 5))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(which=numbers)
    def restart(self, which: int) -> None:
        self.boards[which % 2] = self.new_board()

    # What must hold.

    @invariant()
    def both_boards_agree_with_the_model(self) -> None:
        for board in self.boards:
            for name, who in READERS.items():
                reader = board if who is None else board.as_member(who)
                assert self.run(partial(shown_to, reader)) == self.past[self.seq][name]

    @rule(which=numbers, data=st.data())
    def look_back(self, which: int, data: st.DataObject) -> None:
        seq, board = data.draw(st.sampled_from(sorted(self.past))), self.board(which)
        for name, who in READERS.items():
            reader = board if who is None else board.as_member(who)

            assert self.run(partial(shown_then, reader, seq)) == self.past[seq][name]

    @rule(which=numbers, tokens=st.integers(0, 120), who=members)
    def view(self, which: int, tokens: int, who: Identity) -> None:
        board = self.board(which)
        view = self.run(lambda: board.view(who, tokens=tokens, about="the beginning"))
        assert estimate_tokens(view.text) == view.tokens <= tokens
        told = {each.seq for each in view.included} | {drop.entry.seq for drop in view.dropped}
        assert told == {each[0] for each in self.picture(who)}

    @precondition(lambda self: not self.all_closed)
    @rule(which=numbers, key=keys)
    def peek(self, which: int, key: str) -> None:
        if not self.is_closed(key):
            board = self.board(which)
            for attempt in (lambda: board.read("votes", key), lambda: board.history(f"votes/{key}")):
                with pytest.raises(SealedError):
                    self.run(attempt)

    @rule(which=numbers, after=st.integers(0, 40))
    def watch_what_was(self, which: int, after: int) -> None:
        board = self.board(which)
        wanted = [each.seq for each in self.known.values() if each.region != "votes" and each.seq > after]

        async def follow() -> list[int]:
            seen: list[int] = []
            async with aclosing(board.watch(after=after)) as entries:
                while not set(wanted) <= set(seen):
                    seen.append((await anext(entries)).seq)
            return seen

        seen = [seq for seq in self.run(follow) if self.known[seq].region != "votes"]
        assert seen == wanted


READERS: dict[str, Identity | None] = {"the run": None, **{who.name: who for who in MEMBERS}}


def made(seq: int) -> Any:
    """A number for the bundle, or nothing."""
    return seq or multiple()


async def shown_then(reader: Blackboard | MemberBoard, seq: int) -> list[Shown]:
    """What they looked like after a record."""
    return await shown_to(await reader.at(seq))


async def shown_to(reader: Reader) -> list[Shown]:
    """What a reader's entries look like to the model."""
    return [
        (each.seq, each.region, each.key, each.version, each.value, each.author, each.pinned, each.stale)
        for each in await reader.entries()
    ]


def board_machine(open_log: OpenLog, backend: str = "asyncio") -> type[BoardMachine]:
    """The machine over a log: its `TestCase` is a test.

    open_log: gives an async context manager of a fresh, empty log. backend: "asyncio" or "trio", with a real clock.
    """
    return type("BoardMachine", (BoardMachine,), {"open_log": staticmethod(open_log), "backend": backend})
