"""What a stream of board records amounts to: state = fold(log), at its end and at any point before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from phalanx.errors import LogError

from .cells import NEVER, Cell, Item, Number, Space
from .claims import Lease
from .entries import BoardRecord, Claimed, Closed, Looked, Marked, Posted, Released, Retracted
from .regions import SINGLE, Policy, is_glob, split_pattern
from .values import canonical


class Fold:
    """The state of a board after `seq` records."""

    def __init__(self) -> None:
        self.seq = 0
        self.spaces: dict[str, Space] = {}
        self.items: dict[int, Item] = {}
        self.ops: dict[str, tuple[int, BoardRecord]] = {}
        self.leases: dict[str, Lease] = {}

    def apply(self, seq: int, record: object) -> None:
        """Take in the next record. Raises LogError when it is not the next, or not one of a board."""
        if seq != self.seq + 1:
            raise LogError(f"a board at record {self.seq} was given record {seq}: the log has a gap")
        match record:
            case Posted():
                self._posted(seq, record)
            case Retracted():
                self._retracted(seq, record)
            case Marked():
                self._marked(seq, record)
            case Closed():
                self._closed(seq, record)
            case Claimed():
                self._claimed(seq, record)
            case Released():
                self._released(record)
            case Looked():
                self.ops[record.op] = (seq, record)
            case _:
                kind = getattr(record, "kind", type(record).__name__)
                raise LogError(
                    f"record {seq} of this board's stream is of kind {kind!r}, which this version does not know; "
                    "read it with the version that wrote it, or give the board a stream of its own"
                )
        self.seq = seq

    def cell(self, region: str, key: str, at: int) -> Cell | None:
        """The cell of this name, if anything was posted there up to a number."""
        space = self.spaces.get(region)
        cell = None if space is None else space.cells.get(key)
        return cell if cell is not None and cell.items[0].seq <= at else None

    def cells(self, pattern: str, at: int) -> Iterator[Cell]:
        """The cells that match a pattern "region" or "region/key" and hold anything at a number."""
        regions, keys = split_pattern(pattern)
        names: Iterable[str] = (regions,)
        if is_glob(regions):
            names = self.spaces if regions == "*" else [name for name in self.spaces if fnmatchcase(name, regions)]
        for name in names:
            if (space := self.spaces.get(name)) is None:
                continue
            if keys == "*":
                within = list(space.cells.values())
            elif not is_glob(keys):
                found = space.cells.get(keys)
                within = [] if found is None else [found]
            else:
                within = [cell for key, cell in space.cells.items() if fnmatchcase(key, keys)]
            for cell in within:
                if cell.items[0].seq <= at:
                    yield cell

    def closed_at(self, region: str, key: str) -> int:
        """The number at which ballots under a key were closed; NEVER if they are open."""
        space = self.spaces.get(region)
        return NEVER if space is None else space.closed_at(key)

    def _posted(self, seq: int, record: Posted) -> None:
        space = self._space(seq, record.region, record.policy)
        causes = [self._item(seq, cause) for cause in record.causes]
        cell = space.cells.get(record.key)
        if cell is None:
            cell = Cell(record.region, record.key, record.policy, space.closed_at(record.key))
            space.cells[record.key] = cell
        item = Item(seq, record, cell)
        for cause in causes:
            cause.dependants.append(item)
            if cause.retracted != NEVER or cause.stale != NEVER:
                item.stale = seq
        if record.policy in SINGLE and cell.items and (replaced := cell.newest(self.seq)) is not None:
            space.tokens -= replaced.record.tokens
        cell.items.append(item)
        space.tokens += record.tokens
        if record.author:
            space.counts[record.author] = space.counts.get(record.author, 0) + 1
        if record.policy == "set":
            cell.elements.setdefault(canonical(record.value), []).append(item)
        elif record.policy == "ballots":
            cell.authors.add(record.author)
        elif record.policy == "counter":
            cell.sums.append((seq, cell.sum_at(seq) + _number(record.value)))
        self.items[seq] = item
        if record.op:
            self.ops[record.op] = (seq, record)

    def _retracted(self, seq: int, record: Retracted) -> None:
        item = self._item(seq, record.entry)
        cell, space = item.cell, self.spaces[item.cell.region]
        before = _tokens_of(cell.newest(self.seq)) if cell.policy in SINGLE else item.record.tokens
        item.retracted, item.reason, item.changed = seq, record.reason, seq
        after = _tokens_of(cell.newest(seq)) if cell.policy in SINGLE else 0
        space.tokens += after - before
        if cell.policy == "counter":
            left = (_number(other.record.value) for other in cell.items if other.retracted == NEVER)
            cell.sums.append((seq, sum(left)))
        reached = list(item.dependants)
        while reached:
            dependant = reached.pop()
            if dependant.stale == NEVER:
                dependant.stale = dependant.changed = seq
                reached.extend(dependant.dependants)

    def _marked(self, seq: int, record: Marked) -> None:
        item = self._item(seq, record.entry)
        item.marks += ((seq, record.pinned, record.resolved),)
        item.changed = seq

    def _closed(self, seq: int, record: Closed) -> None:
        space = self._space(seq, record.region, "ballots")
        if record.key is None:
            space.all_closed = min(space.all_closed, seq)
        else:
            space.closed.setdefault(record.key, seq)
        for key, cell in space.cells.items():
            cell.closed = space.closed_at(key)

    def _claimed(self, seq: int, record: Claimed) -> None:
        token = seq if record.token is None else record.token
        self.leases[record.key] = Lease(record.key, record.author, token, record.expires)
        if record.op:
            self.ops[record.op] = (seq, record)

    def _released(self, record: Released) -> None:
        if (lease := self.leases.get(record.key)) is not None and lease.token == record.token:
            del self.leases[record.key]

    def _space(self, seq: int, region: str, policy: Policy) -> Space:
        space = self.spaces.get(region)
        if space is None:
            space = self.spaces[region] = Space(policy)
        if space.policy != policy:
            raise LogError(
                f"record {seq} of this board's stream writes region {region!r} as {policy!r}, earlier ones as "
                f"{space.policy!r}"
            )
        return space

    def _item(self, seq: int, entry: int) -> Item:
        item = self.items.get(entry)
        if item is None:
            raise LogError(f"record {seq} of this board's stream speaks of record {entry}, which is no entry")
        return item


def _number(value: object) -> Number:
    """A counter's stored value as a number."""
    if not isinstance(value, int | float):
        raise LogError(f"a counter adds numbers, and its log holds {value!r}")
    return value


def _tokens_of(item: Item | None) -> int:
    return 0 if item is None else item.record.tokens
