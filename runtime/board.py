"""The blackboard: typed, versioned, attributed entries in regions with rules, over an append-only log.

    board = Blackboard(regions=[Region("facts", Fact), Region("plan", str, policy="register")])
    fact = await board.post("facts", Fact(text="…"), author="ada", role="researcher")
    plan = await board.post("plan", "first …", author="bob", causes=[fact])
    match await board.post("plan", "no, first …", author="eve"):
        case Conflict(current=entry): ...            # somebody else wrote first; nothing is overwritten
    ada = board.as_member(Identity("ada", "researcher", reads=("facts", "plan"), writes=("facts",)))
    view = await ada.view(tokens=2000, about=task.text)

The board is what its stream in the log says and nothing else: another board on the same stream, in another process or
after a crash, has the same state (a log that redacts gives it the redacted texts). Rights, types and seals are enforced
here; who can read the log itself can read all. A board belongs to one event loop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from . import leasing
from .board_log import BoardLog
from .claims import Lease
from .entries import Conflict, Entry, Post
from .fold import Fold
from .log import Log, MemoryLog
from .reading import Reader, Snapshot
from .regions import Identity, Region, Regions
from .watching import BoardWatch


class Blackboard(Reader):
    """A board as the run itself sees it: it may read all but sealed ballots, and writes in any author's name.

    log: where its records are kept (default: memory). stream: their stream's name; boards on one stream are one board.
    regions: what it is made of; `declare` adds more. sole_writer: nobody else writes to this stream, so reads are
    answered from memory without asking the log. is_new: nobody has written to it before either. clock: seconds, for
    times and leases. written: called with each entry once it is written, and again when it is retracted; a sealed one
    comes without its value.
    Making one does nothing; the log is read when the board is first used.
    """

    def __init__(
        self,
        log: Log | None = None,
        stream: str = "board",
        regions: Iterable[Region] = (),
        *,
        sole_writer: bool = False,
        is_new: bool = False,
        clock: Callable[[], float] = time.time,
        written: Callable[[Entry], None] | None = None,
    ) -> None:
        super().__init__(Regions(regions), None)
        kept = MemoryLog() if log is None else log
        self._log = BoardLog(
            kept, stream, self._regions, sole_writer=sole_writer, is_new=is_new, clock=clock, written=written
        )

    @property
    def stream(self) -> str:
        """The name of its stream in the log."""
        return self._log.stream

    @property
    def seq(self) -> int:
        """The number of the last record it has read or written; the log may be further on."""
        return self._log.fold.seq

    @property
    def regions(self) -> tuple[Region, ...]:
        """The regions declared here."""
        return tuple(self._regions)

    def declare(self, *regions: Region) -> None:
        """Add regions. Declaring the same one again does nothing; a different one of the same name is an error.

        Raises ValidationError for that.
        """
        for region in regions:
            self._regions.declare(region)

    def as_member(self, member: Identity) -> MemberBoard:
        """The same board for one member: it reads what the member may read, and writes in its name only."""
        return MemberBoard(self._log, self._regions, member)

    async def post(
        self,
        region: str,
        value: object,
        *,
        key: str = "",
        author: str = "",
        role: str = "",
        round: int | None = None,
        expect: int | None = None,
        causes: Sequence[Entry | int] = (),
        op: str = "",
        pinned: bool = False,
        resolved: bool | None = None,
        visibility: str = "public",
        lease: Lease | None = None,
    ) -> Entry | Conflict:
        """Write a value; the entry it became, or the conflict because of which nothing was written.

        region, key: where; what happens to what stands there is the region's policy.
        author, role, round: who wrote it and when; empty is the run itself.
        expect: the version that must stand there, 0 for nothing. Registers and maps take None as 0.
        causes: the entries, or their numbers, that the author was shown: a view's `included`.
        op: a name for this write, unique on the board. Writing again under the same name gives the entry that is there
        already, with the value it has, so a run resumed after a crash does not write twice.
        pinned, resolved: what comes first in views; resolved=False is an open question.
        visibility: "public", "role:<name>" or "member:<name>"; the author always sees its own.
        lease: write only if this lease still holds.
        Raises ValidationError (no such region, not of its type, a cause that is not there), AccessDenied (the author
        may not write here, or cites what it may not read), SealedError (a second or late ballot), QuotaExceeded,
        LeaseLost, and ReplayDivergence when `op` names a write to another place or by another author.
        """
        post = Post(
            region, value, key, author, role, round, expect, causes, op, pinned, resolved, visibility, lease
        )  # fmt: skip
        return _only(await self._log.post((post,), None))

    async def post_all(self, posts: Sequence[Post], *, unchanged: Sequence[Entry] = ()) -> list[Entry] | Conflict:
        """Write several posts in one step: all of them, or none and the first conflict.

        unchanged: entries this rests on; when one of them was replaced, retracted or became stale since it was read,
        that is the conflict. Give an `op` to all of them or to none. Raises what `post` raises.
        """
        return await self._log.post(posts, None, unchanged)

    async def retract(self, entry: Entry | int, reason: str, *, author: str = "", role: str = "") -> Entry:
        """Take an entry back: it stays in the history with the reason, and all that rested on it becomes stale.

        entry: it, or its number. author, role: who does it; empty is the run itself. A retracted value of a register
        does not bring back the one before. Retracting twice changes nothing. Gives the entry as it is now.
        Raises ValidationError when there is no such entry or no reason, AccessDenied, SealedError for a ballot that
        is another's or closed.
        """
        return await self._log.retract(entry, reason, _identity(author, role))

    async def mark(
        self,
        entry: Entry | int,
        *,
        pinned: bool | None = None,
        resolved: bool | None = None,
        author: str = "",
        role: str = "",
    ) -> Entry:
        """Pin an entry or not, settle a question or open it again.

        entry: it, or its number. pinned: whether it comes first in every view. resolved: whether it is settled; False
        makes it an open question. None leaves either as it is. author, role: who does it; empty is the run itself.
        Gives the entry as it is now. Raises what `retract` does.
        """
        return await self._log.mark(entry, _identity(author, role), pinned=pinned, resolved=resolved)

    async def close(self, region: str, key: str | None = None, *, author: str = "", role: str = "") -> list[Entry]:
        """End a vote: ballots under `key` (None: all of the region, for good) can be read now, and cast no more.

        author, role: who does it; empty is the run itself. Gives them, oldest first. Closing twice changes nothing.
        Raises ValidationError when it is no ballots region.
        """
        return await self._log.close(region, key, _identity(author, role))

    async def claim(self, key: str, ttl: float, *, author: str, role: str = "", op: str = "") -> Lease | None:
        """The right to work on something for `ttl` seconds; None while somebody, even the same author, has it.

        key: any name; one that begins with a region's name and "/" needs the right to write there. op: as in `post`:
        claiming again under it gives the lease of the first time, None if it was taken over since.
        """
        return await leasing.claim(self._log, key, ttl, _identity(author, role), op)

    async def renew(self, lease: Lease, ttl: float) -> Lease:
        """The same lease until `ttl` seconds from now, even after it ran out. Raises LeaseLost when others took it."""
        return await leasing.renew(self._log, lease, ttl, None)

    async def release(self, lease: Lease) -> bool:
        """Give a lease back before its time; whether it was still this one that held."""
        return await leasing.release(self._log, lease, None)

    async def holder(self, key: str) -> Lease | None:
        """The lease that holds on a key now, if one does."""
        return await leasing.holder(self._log, key)

    def watch(self, pattern: str = "*", *, after: int = 0, retractions: bool = False) -> BoardWatch:
        """Every entry that matches, in order, each as it stood when it was posted; then each new one as it comes.

        pattern: "region" or "region/key", as globs. after: the number to start after: 0 for all, `board.seq` for what
        is new, the last number seen to go on after a break (entries are then seen at least once).
        retractions: entries come again when they are retracted. Sealed ballots come when they are closed.
        It ends when the log is closed. Raises what `entries` raises, at the first entry.
        """
        return BoardWatch(self._log, None, pattern, after, retractions)

    async def at(self, seq: int) -> Snapshot:
        """The board as it was after record `seq`, to read as often as wanted; 0 is the empty board.

        Raises ValidationError when it has not come that far.
        """
        return Snapshot(self._regions, None, await self._log.latest(), seq)

    async def snapshot(self, *, op: str = "") -> Snapshot:
        """The board as it is now, whatever is written later. It costs nothing: nothing is copied.

        op: record that it was looked at under this name; asking again under it, e.g. in a run resumed after a crash,
        gives the board as it was the first time.
        """
        seq = await self._log.look(op, None)
        return Snapshot(self._regions, None, self._log.fold, seq)

    async def _stand(self) -> tuple[Fold, int]:
        fold = await self._log.latest()
        return fold, fold.seq

    def __repr__(self) -> str:
        names = ", ".join(region.name for region in self._regions)
        return f"<Blackboard {self.stream!r} at {self.seq}: {names or 'no regions'}>"


class MemberBoard(Reader):
    """A board as one member sees it: `member` is the author of all it writes, and its rights are checked.

    The methods are Blackboard's, without author and role; there is no `close` and no `declare`.
    """

    def __init__(self, log: BoardLog, regions: Regions, member: Identity) -> None:
        super().__init__(regions, member)
        self._log, self.member = log, member

    async def post(
        self,
        region: str,
        value: object,
        *,
        key: str = "",
        round: int | None = None,
        expect: int | None = None,
        causes: Sequence[Entry | int] = (),
        op: str = "",
        pinned: bool = False,
        resolved: bool | None = None,
        visibility: str = "public",
        lease: Lease | None = None,
    ) -> Entry | Conflict:
        """Write a value as this member: see `Blackboard.post`."""
        name, role = self.member.name, self.member.role
        post = Post(
            region, value, key, name, role, round, expect, causes, op, pinned, resolved, visibility, lease
        )  # fmt: skip
        return _only(await self._log.post((post,), self.member))

    async def post_all(self, posts: Sequence[Post], *, unchanged: Sequence[Entry] = ()) -> list[Entry] | Conflict:
        """Write several posts as this member, all or none: see `Blackboard.post_all`.

        Posts without an author are this member's. Raises AccessDenied for one in another's name.
        """
        signed = [self._sign(post) for post in posts]
        return await self._log.post(signed, self.member, unchanged)

    async def retract(self, entry: Entry | int, reason: str) -> Entry:
        """Take back an entry in a region this member may write: see `Blackboard.retract`."""
        return await self._log.retract(entry, reason, self.member)

    async def mark(self, entry: Entry | int, *, pinned: bool | None = None, resolved: bool | None = None) -> Entry:
        """Mark an entry in a region this member may write: see `Blackboard.mark`."""
        return await self._log.mark(entry, self.member, pinned=pinned, resolved=resolved)

    async def claim(self, key: str, ttl: float, *, op: str = "") -> Lease | None:
        """Claim a key for this member: see `Blackboard.claim`."""
        return await leasing.claim(self._log, key, ttl, self.member, op)

    async def renew(self, lease: Lease, ttl: float) -> Lease:
        """Renew a lease of this member: see `Blackboard.renew`."""
        return await leasing.renew(self._log, lease, ttl, self.member)

    async def release(self, lease: Lease) -> bool:
        """Give back a lease of this member: see `Blackboard.release`."""
        return await leasing.release(self._log, lease, self.member)

    async def holder(self, key: str) -> Lease | None:
        """The lease that holds on a key now, if one does."""
        return await leasing.holder(self._log, key)

    def watch(self, pattern: str = "*", *, after: int = 0, retractions: bool = False) -> BoardWatch:
        """Every entry that matches and that this member may read: see `Blackboard.watch`."""
        return BoardWatch(self._log, self.member, pattern, after, retractions)

    async def at(self, seq: int) -> Snapshot:
        """The board as this member could see it after record `seq`: see `Blackboard.at`."""
        return Snapshot(self._regions, self.member, await self._log.latest(), seq)

    async def snapshot(self, *, op: str = "") -> Snapshot:
        """The board as this member can see it now: see `Blackboard.snapshot`."""
        seq = await self._log.look(op, self.member)
        return Snapshot(self._regions, self.member, self._log.fold, seq)

    async def _stand(self) -> tuple[Fold, int]:
        fold = await self._log.latest()
        return fold, fold.seq

    def _sign(self, post: Post) -> Post:
        if post.author or post.role:
            return post
        return replace(post, author=self.member.name, role=self.member.role)

    def __repr__(self) -> str:
        return f"<MemberBoard {self._log.stream!r} of {self.member.name!r}>"


def _identity(author: str, role: str) -> Identity | None:
    return Identity(author, role) if author or role else None


def _only(result: list[Entry] | Conflict) -> Entry | Conflict:
    return result if isinstance(result, Conflict) else result[0]
