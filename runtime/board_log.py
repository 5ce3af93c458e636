"""A board's stream in a log: reading on, deciding on the newest state, appending, and trying again when others were
faster."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anyio

from phalanx.errors import LogConflict, ReplayDivergence, SealedError, ValidationError

from .cells import NEVER, Item
from .entries import BoardRecord, Closed, Conflict, Entry, Looked, Marked, Post, Posted, Retracted
from .fold import Fold
from .log import Log
from .posting import Clash, Plan, new_records, plan_posts
from .reading import hidden, item_of, make_entry, require_visible
from .regions import Identity, Regions, check_name

Decide = Callable[[Fold], list[BoardRecord]]


class BoardLog:
    """All that is written to a board goes through here, on behalf of a member or (who is None) of the run itself.

    What is written is decided on the state at the end of the stream and appended only if the stream still ends there;
    otherwise what is new is folded in and it is decided again. So every write is linearizable, in one process or many.
    """

    def __init__(
        self,
        log: Log,
        stream: str,
        regions: Regions,
        *,
        sole_writer: bool,
        is_new: bool,
        clock: Callable[[], float],
        written: Callable[[Entry], None] | None,
    ) -> None:
        self.log, self.stream, self.regions = log, stream, regions
        self.sole_writer, self.clock, self.written = sole_writer, clock, written
        self.fold = Fold()
        self._loaded = is_new
        self._turn = anyio.Lock(fast_acquire=True)

    async def latest(self, *, again: bool = False) -> Fold:
        """The state at the end of the stream. again: read the log even if nobody else writes to it."""
        if again or not (self._loaded and self.sole_writer):
            for seq, record in await self.log.read(self.stream, self.fold.seq):
                self._take(seq, record)
            self._loaded = True
        return self.fold

    async def commit(self, decide: Decide) -> tuple[int, int]:
        """Append what `decide` makes of the newest state; give the number before it and the last one.

        Raises what `decide` and the log raise; LogConflict only when the log refuses without being any longer.
        """
        if self.log.instant:
            return await self._commit(decide)
        async with self._turn:  # tasks of one process take turns instead of running into each other's writes
            return await self._commit(decide)

    async def _commit(self, decide: Decide) -> tuple[int, int]:
        while True:
            if not (self._loaded and self.sole_writer):
                await self.latest()
            before = self.fold.seq
            records = decide(self.fold)
            if not records:
                return before, before
            try:
                await self.log.append(self.stream, records, expect=before)
            except LogConflict:
                await self.latest(again=True)
                if self.fold.seq == before:
                    raise
                continue
            seq = before
            for record in records:
                seq += 1
                self._take(seq, record)
            return before, seq

    def _take(self, seq: int, record: object) -> None:
        if seq > self.fold.seq:  # else another task of this process has already read it
            self.fold.apply(seq, record)

    async def post(
        self, posts: Sequence[Post], who: Identity | None, unchanged: Sequence[Entry] = ()
    ) -> list[Entry] | Conflict:
        """Write all posts, or none."""
        plan: Plan | Clash = []

        def decide(fold: Fold) -> list[BoardRecord]:
            nonlocal plan
            plan = plan_posts(fold, self.regions, posts, who, unchanged, self.clock())
            return [] if isinstance(plan, Clash) else new_records(plan)

        before, at = await self.commit(decide)
        if isinstance(plan, Clash):
            return self._conflict(plan, who, at)
        if len(plan) == 1:  # most writes are one entry
            part = plan[0]
            item = self.fold.items[at] if isinstance(part, Posted) else part
            if item is not part:
                self._tell(item, at)
            return [make_entry(self.regions, item, at)]
        numbers = {id(record): seq for seq, record in enumerate(new_records(plan), before + 1)}
        items = [self.fold.items[numbers[id(part)]] if isinstance(part, Posted) else part for part in plan]
        for seq in numbers.values():
            self._tell(self.fold.items[seq], at)
        return [make_entry(self.regions, item, at) for item in items]

    async def retract(self, entry: Entry | int, reason: str, who: Identity | None) -> Entry:
        """Take an entry back."""
        if not reason.strip():
            raise ValidationError("retract needs a reason: it stays on the board in place of the entry")
        fresh = False

        def decide(fold: Fold) -> list[BoardRecord]:
            nonlocal fresh
            item = self._own(fold, entry, who)
            fresh = item.retracted == NEVER
            if not fresh:
                return []
            if item.cell.policy == "ballots" and not item.is_sealed(fold.seq) and who is not None:
                raise SealedError(f"ballots in {item.cell.region!r} are closed: they can no longer be taken back")
            return [Retracted(item.seq, reason, *signed(who), self.clock())]

        _, at = await self.commit(decide)
        item = item_of(self.fold, at, entry)
        if fresh:
            self._tell(item, at)
        return make_entry(self.regions, item, at)

    async def mark(
        self, entry: Entry | int, who: Identity | None, *, pinned: bool | None, resolved: bool | None
    ) -> Entry:
        """Pin an entry or not, settle it or open it again."""
        if pinned is None and resolved is None:
            raise ValidationError("mark needs pinned= or resolved=")

        def decide(fold: Fold) -> list[BoardRecord]:
            item = self._own(fold, entry, who)
            if item.retracted != NEVER:
                raise ValidationError(f"entry {item.seq} was retracted ({item.reason}): there is nothing to mark")
            old = item.mark_at(fold.seq)
            new = (old[0] if pinned is None else pinned, old[1] if resolved is None else resolved)
            return [] if new == old else [Marked(item.seq, *new, *signed(who), self.clock())]

        _, at = await self.commit(decide)
        return make_entry(self.regions, item_of(self.fold, at, entry), at)

    async def close(self, name: str, key: str | None, who: Identity | None) -> list[Entry]:
        """Open sealed ballots to readers, and take no more."""
        region = self.regions.named(name)
        if region.policy != "ballots":
            raise ValidationError(f"region {name!r} is a {region.policy}; only ballots are sealed and closed")
        if key:
            check_name(f"a key of region {name!r}", key)

        def decide(fold: Fold) -> list[BoardRecord]:
            if (space := fold.spaces.get(name)) is not None:
                self.regions.stored(name, space.policy)
                if min(space.all_closed, NEVER if key is None else space.closed_at(key)) != NEVER:
                    return []
            return [Closed(name, key, *signed(who), self.clock())]

        _, at = await self.commit(decide)
        space = self.fold.spaces[name]
        cells = list(space.cells.values()) if key is None else [space.cells[key]] if key in space.cells else []
        items = sorted((item.seq, item) for cell in cells if cell.items[0].seq <= at for item in cell.live(at))
        return [make_entry(self.regions, item, at) for _, item in items]

    async def look(self, op: str, who: Identity | None) -> int:
        """The number of now; with an op, the number of the first time it was asked with it."""
        if not op:
            return (await self.latest()).seq

        def decide(fold: Fold) -> list[BoardRecord]:
            done = fold.ops.get(op)
            if done is None:
                return [Looked(op, *signed(who), self.clock())]
            if not isinstance(done[1], Looked):
                raise ReplayDivergence(op, "kind", done[1].kind, Looked.kind)
            return []

        await self.commit(decide)
        return self.fold.ops[op][0]

    def _own(self, fold: Fold, entry: Entry | int, who: Identity | None) -> Item:
        """What somebody wants to change, if it may."""
        item = item_of(fold, fold.seq, entry)
        self.regions.stored(item.cell.region, item.cell.policy).require_write(who)
        require_visible(self.regions, item, who, fold.seq)
        return item

    def _conflict(self, clash: Clash, who: Identity | None, at: int) -> Conflict:
        item = clash.item
        seen = None if item is None or hidden(self.regions, item, who, at) else make_entry(self.regions, item, at)
        version = 0 if item is None else item.version
        return Conflict(clash.region, clash.key, clash.expected, version, seen)

    def _tell(self, item: Item, at: int) -> None:
        if self.written is not None:
            self.written(make_entry(self.regions, item, at, masked=True))


def signed(who: Identity | None) -> tuple[str, str]:
    """Author and role as records carry them; both empty for the run itself."""
    return ("", "") if who is None else (who.name, who.role)
