"""What stands under each key of a board, and what became of it: cells of items, by region.

Nothing here is removed or overwritten. A change is kept with the number of the record that made it, so the board as it
was at a number is found by looking; nothing is folded or copied again (multi-version state: Reed, 1978).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from operator import attrgetter, itemgetter

from .entries import Entry, Posted
from .regions import SINGLE, Identity, Policy, admits

Number = int | float
NEVER = 1 << 62


class Item:
    """A posted record and what became of it, each change with the number at which it happened.

    changed: the number of the last change. cached: what readers were given of it since change `cached_for`.
    """

    __slots__ = (
        "cached", "cached_for", "cell", "changed", "dependants", "marks", "reason", "record", "retracted", "seq",
        "stale", "version",
    )  # fmt: skip

    def __init__(self, seq: int, record: Posted, cell: Cell) -> None:
        self.seq, self.record, self.cell, self.version = seq, record, cell, len(cell.items) + 1
        self.retracted = self.stale = NEVER
        self.reason = ""
        self.marks: tuple[tuple[int, bool, bool | None], ...] = ()
        self.dependants: list[Item] = []
        self.changed = self.cached_for = 0
        self.cached: Entry | None = None

    def mark_at(self, at: int) -> tuple[bool, bool | None]:
        """Whether it was pinned and resolved at a number."""
        for seq, pinned, resolved in reversed(self.marks):
            if seq <= at:
                return pinned, resolved
        return self.record.pinned, self.record.resolved

    def is_sealed(self, at: int) -> bool:
        """Whether it was a ballot of a region not yet closed at a number."""
        return self.cell.policy == "ballots" and self.cell.closed > at

    def is_visible(self, who: Identity | None, at: int) -> bool:
        """Whether a member could see it at a number, given that it may read the region. None is the run itself."""
        if self.is_sealed(at):
            return who is not None and who.name == self.record.author
        if who is None or who.name == self.record.author or self.cell.policy == "ballots":
            return True
        return admits(self.record.visibility, who)


class Cell:
    """All that was ever posted under one key of one region."""

    __slots__ = ("authors", "closed", "elements", "items", "key", "policy", "region", "sums")

    def __init__(self, region: str, key: str, policy: Policy, closed: int) -> None:
        self.region, self.key, self.policy, self.closed = region, key, policy, closed
        self.items: list[Item] = []
        self.elements: dict[str, list[Item]] = {}
        self.authors: set[str] = set()
        self.sums: list[tuple[int, Number]] = []

    def until(self, at: int) -> list[Item]:
        """Everything posted up to a number, retracted and replaced things too."""
        items = self.items
        return items if items[-1].seq <= at else items[: bisect_right(items, at, key=_SEQ)]

    def live(self, at: int) -> list[Item]:
        """What stood here at a number, oldest first."""
        if self.policy in SINGLE:
            newest = self.newest(at)
            return [] if newest is None else [newest]
        return [item for item in self.until(at) if item.retracted > at]

    def newest_first(self, at: int) -> Iterator[Item]:
        """What stood here at a number, newest first; of a single-valued cell all that was not retracted."""
        place = len(self.items)
        if self.items[-1].seq > at:
            place = bisect_right(self.items, at, key=_SEQ)
        while place:
            place -= 1
            if self.items[place].retracted > at:
                yield self.items[place]
            elif self.policy in _REPLACING:
                return  # what a retracted value had replaced does not come back

    def newest(self, at: int) -> Item | None:
        """The newest thing that stood here at a number."""
        return next(self.newest_first(at), None)

    def sum_at(self, at: int) -> Number:
        """A counter's sum at a number."""
        place = bisect_right(self.sums, at, key=_FIRST)
        return self.sums[place - 1][1] if place else 0


class Space:
    """One region's cells, and what its quotas count."""

    __slots__ = ("all_closed", "cells", "closed", "counts", "policy", "tokens")

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.cells: dict[str, Cell] = {}
        self.closed: dict[str, int] = {}
        self.all_closed = NEVER
        self.counts: dict[str, int] = {}
        self.tokens = 0

    def closed_at(self, key: str) -> int:
        """The number at which a key's ballots were closed."""
        return min(self.all_closed, self.closed.get(key, NEVER))


_SEQ: Callable[[Item], int] = attrgetter("seq")
_FIRST: Callable[[tuple[int, Number]], int] = itemgetter(0)
_REPLACING = SINGLE - {"counter"}
