"""Everything that can be asked of a board, now or as it was, by a member with its rights or by the run itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter

from phalanx.errors import AccessDenied, SealedError, ValidationError

from .cells import Cell, Item, Number
from .entries import Entry
from .fold import Fold
from .provenance import Why
from .regions import SINGLE, Identity, Region, Regions, is_glob, split_pattern
from .values import text_of
from .views import View, build_view


class Reader:
    """Reads a board for one member, or for the run itself (`who` is None), which may read all that is not sealed."""

    def __init__(self, regions: Regions, who: Identity | None) -> None:
        self._regions, self._who = regions, who

    async def _stand(self) -> tuple[Fold, int]:
        """The state to read, and the number up to which."""
        raise NotImplementedError

    async def read(self, region: str, key: str = "") -> Entry | None:
        """What stands under a key: the value of a single-valued region, the newest one of the others; None if nothing.

        Raises AccessDenied when the reader may not see it, SealedError for ballots not closed yet (an author reads
        its own), ValidationError for a region nobody declared.
        """
        fold, at = await self._stand()
        policy = self._admit(fold, region).policy
        cell = fold.cell(region, key, at)
        if cell is not None and policy in SINGLE:
            newest = cell.newest(at)
            if newest is not None:
                self._require_visible(newest, at)
        else:
            visible = () if cell is None else cell.newest_first(at)
            newest = next((item for item in visible if item.is_visible(self._who, at)), None)
            if newest is None and policy == "ballots" and fold.closed_at(region, key) > at:
                raise _sealed(region, key)
        return None if newest is None else self._entry(newest, at)

    async def entries(self, pattern: str = "*") -> list[Entry]:
        """All that stands in the regions that match, oldest first; what the reader may not see is not among it.

        pattern: "region" or "region/key", as globs. When it names one region, reading it without the right raises
        AccessDenied, and reading ballots that are not closed raises SealedError, as in `read`.
        """
        fold, at = await self._stand()
        regions = self._regions
        return [make_entry(regions, item, at) for item in self._select(fold, at, pattern, live=True)]

    async def history(self, pattern: str = "*") -> list[Entry]:
        """All that was ever posted in the regions that match, oldest first: replaced and retracted entries too.

        Takes and raises what `entries` does.
        """
        fold, at = await self._stand()
        regions = self._regions
        return [make_entry(regions, item, at) for item in self._select(fold, at, pattern, live=False)]

    async def why(self, entry: Entry | int) -> Why:
        """Where an entry comes from: what its author was shown, and so on back.

        entry: one, or its number. What the reader may not see is there without its content, and says why.
        Raises ValidationError when there is no such entry, AccessDenied or SealedError when the reader may not see it.
        """
        fold, at = await self._stand()
        start = item_of(fold, at, entry)
        self._require_visible(start, at)
        reached = {start.seq: start}
        ahead = [start]
        while ahead:
            for cause in ahead.pop().record.causes:
                if cause not in reached:
                    reached[cause] = fold.items[cause]
                    ahead.append(fold.items[cause])
        nodes: dict[int, Why] = {}
        for seq in sorted(reached):  # a cause always has a smaller number
            item = reached[seq]
            unseen = hidden(self._regions, item, self._who, at)
            causes = tuple(nodes[cause] for cause in item.record.causes)
            nodes[seq] = Why(seq, None if unseen else self._entry(item, at), unseen, causes)
        return nodes[start.seq]

    async def taint(self, entry: Entry | int) -> list[Entry]:
        """All that was written after seeing an entry, or after seeing what was written so, oldest first.

        What the reader may not see is left out. Raises what `why` raises.
        """
        fold, at = await self._stand()
        start = item_of(fold, at, entry)
        self._require_visible(start, at)
        reached: dict[int, Item] = {}
        ahead = [start]
        while ahead:
            for item in ahead.pop().dependants:
                if item.seq <= at and item.seq not in reached:
                    reached[item.seq] = item
                    ahead.append(item)
        found = [reached[seq] for seq in sorted(reached)]
        return [self._entry(item, at) for item in found if not hidden(self._regions, item, self._who, at)]

    async def view(
        self,
        member: Identity | None = None,
        *,
        tokens: int,
        patterns: Sequence[str] = ("*",),
        about: str = "",
        anonymous: bool = False,
    ) -> View:
        """The text of the board that one member may see, within a budget: pinned, open, relevant, then recent.

        member: who will read it (default: this reader). tokens: the budget of the text, estimated. patterns: which
        regions ("region" or "region/key", as globs). about: words that make an entry relevant, e.g. the task.
        anonymous: the text names no authors (keys are shown as they are).
        The same board at the same number gives the same view. Raises AccessDenied when a member asks for another's.
        """
        if member is not None and self._who is not None and member != self._who:
            raise AccessDenied(self._who.role or self._who.name, f"see the board as {member.name!r}")
        who = self._who if member is None else member
        fold, at = await self._stand()
        found: dict[int, Item] = {}
        for pattern in patterns:
            region, _ = split_pattern(pattern)
            if not is_glob(region):
                known(self._regions, fold, region)
            for item in self._visible(fold.cells(pattern, at), who, at, live=True):
                found[item.seq] = item
        regions = self._regions
        shown = [(make_entry(regions, found[seq], at), text_at(found[seq], at)) for seq in sorted(found)]
        reader = "" if who is None else who.name
        return build_view(shown, reader=reader, tokens=tokens, about=about, anonymous=anonymous, seq=at)

    def _select(self, fold: Fold, at: int, pattern: str, *, live: bool) -> list[Item]:
        region, key = split_pattern(pattern)
        cells = list(fold.cells(pattern, at))
        items = self._visible(cells, self._who, at, live=live)
        if len(cells) > 1:
            items.sort(key=NUMBER)
        if not is_glob(region) and self._admit(fold, region).policy == "ballots":
            own = {item.cell.key for item in items}
            nothing_yet = not cells and fold.closed_at(region, key) > at
            if nothing_yet or any(cell.closed > at and cell.key not in own for cell in cells):
                raise _sealed(region, "" if is_glob(key) else key)
        return items

    def _visible(self, cells: Iterable[Cell], who: Identity | None, at: int, *, live: bool) -> list[Item]:
        found: list[Item] = []
        rights: dict[str, bool] = {}
        for cell in cells:
            may = rights.get(cell.region)
            if may is None:
                may = rights[cell.region] = self._regions.stored(cell.region, cell.policy).may_read(who)
            if not may:
                continue
            items = cell.live(at) if live else cell.until(at)
            if cell.policy == "ballots":
                found += [item for item in items if item.is_visible(who, at)]
            else:
                found += [item for item in items if item.record.visibility == "public" or item.is_visible(who, at)]
        return found

    def _admit(self, fold: Fold, name: str) -> Region:
        region = known(self._regions, fold, name)
        region.require_read(self._who)
        return region

    def _require_visible(self, item: Item, at: int) -> None:
        require_visible(self._regions, item, self._who, at)

    def _entry(self, item: Item, at: int) -> Entry:
        return make_entry(self._regions, item, at)


class Snapshot(Reader):
    """A board as it was at number `seq`, for whoever asked for it. Nothing that is written later changes it."""

    def __init__(self, regions: Regions, who: Identity | None, fold: Fold, seq: int) -> None:
        if not 0 <= seq <= fold.seq:
            raise ValidationError(f"this board has records 0 to {fold.seq}, not {seq}")
        super().__init__(regions, who)
        self._fold, self.seq = fold, seq

    async def _stand(self) -> tuple[Fold, int]:
        return self._fold, self.seq

    def __repr__(self) -> str:
        return f"<Snapshot of a board at {self.seq}>"


def known(regions: Regions, fold: Fold, name: str) -> Region:
    """The region of this name, declared here or found in the log. Raises ValidationError when it is neither."""
    space = fold.spaces.get(name)
    return regions.named(name) if space is None else regions.stored(name, space.policy)


def item_of(fold: Fold, at: int, entry: Entry | int) -> Item:
    """What an entry or its number stands for. Raises ValidationError when there is no such entry at that point."""
    seq = entry.seq if isinstance(entry, Entry) else entry
    item = fold.items.get(seq)
    if item is None or seq > at:
        raise ValidationError(f"number {seq} is not an entry of this board, which was read up to {at}")
    if isinstance(entry, Entry) and (entry.region, entry.key) != (item.cell.region, item.cell.key):
        raise ValidationError(f"{entry.where} is not an entry of this board: number {seq} is another one here")
    return item


def hidden(regions: Regions, item: Item, who: Identity | None, at: int) -> str:
    """Why a member may not see something; empty when it may."""
    if not regions.stored(item.cell.region, item.cell.policy).may_read(who):
        return "not yours to read"
    if item.is_visible(who, at):
        return ""
    return "sealed" if item.is_sealed(at) else "not yours to read"


def require_visible(regions: Regions, item: Item, who: Identity | None, at: int) -> None:
    """Raise SealedError or AccessDenied when a member may not see something."""
    why = hidden(regions, item, who, at)
    if why == "sealed":
        raise _sealed(item.cell.region, item.cell.key)
    if why and who is not None:
        raise AccessDenied(
            who.role or who.name, f"read entry {item.seq} of region {item.cell.region!r}", "it is for others"
        )


def make_entry(regions: Regions, item: Item, at: int, *, masked: bool = False) -> Entry:
    """Something posted, as it stood at a number; masked: without its value while it is sealed."""
    if item.cached is not None and item.cached_for == item.changed <= at:
        return item.cached
    record, policy = item.record, item.cell.policy
    sealed, values = item.is_sealed(at), regions.values(record.region)
    if policy == "counter":
        value: object = counter_sum(item, at)
    else:
        value = None if sealed and masked else values.load(record.value)
    pinned, resolved = item.mark_at(at)
    retracted = item.retracted <= at
    entry = Entry(
        record.region, record.key, item.version, item.seq, value, record.author, record.role, record.round,
        record.causes, record.tokens, record.time, record.op,
        record.visibility if policy != "ballots" or sealed else "public",
        pinned, resolved, item.stale <= at, retracted, item.reason if retracted else "",
    )  # fmt: skip
    # An entry that nobody can change and that will only be replaced by another number's is made once a change.
    is_shared = value is record.value or values.is_settled
    if is_shared and item.changed <= at and policy not in _CHANGING and regions.get(record.region) is not None:
        item.cached, item.cached_for = entry, item.changed
    return entry


def text_at(item: Item, at: int) -> str:
    """What a reader of a view sees of something posted."""
    return str(counter_sum(item, at)) if item.cell.policy == "counter" else text_of(item.record.value)


def counter_sum(item: Item, at: int) -> Number:
    """A counter's sum: up to `at` for what stands there, right after it was posted for what was there before."""
    return item.cell.sum_at(at if item is item.cell.newest(at) else item.seq)


def _sealed(region: str, key: str) -> SealedError:
    where = f"{region}/{key}" if key else region
    return SealedError(f"ballots in {where!r} are sealed until board.close({region!r}, …); an author can read its own")


NUMBER = attrgetter("seq")
_CHANGING = frozenset({"counter", "ballots"})
