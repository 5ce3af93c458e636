"""Who should act next on a board: items with ratings, dropped when what triggered them is gone or settled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from phalanx.messages import Data

TOP = 10.0
"""The highest rating."""
GENERALIST = 1.0
"""What the task itself, and any open question, is worth to somebody whose interest it does not name."""
IN_PASSING = 0.5
"""What any other entry is worth to somebody who has named no interest."""


class Item(Data):
    """An activation that waits: a member that could act, the entry that it would act on, and how much that promises.

    member: who. trigger: the entry's number on the board. rating: from 0 to 10. adds: what it would add, in its own
    words, where it was asked.
    """

    member: str
    trigger: int
    rating: float
    adds: str = ""


class Turn(Data):
    """One cycle of control, as it stands on the board: what waited, what was dropped, and who acted.

    number: the cycle's. agenda: what waited, highest rating first. obviated: what was dropped, since its trigger was
    taken back or settled. chosen: who acts; None when nothing was rated high enough.
    """

    number: int
    agenda: tuple[Item, ...] = ()
    obviated: tuple[Item, ...] = ()
    chosen: str | None = None


class Trigger(Protocol):
    """What an entry of a board has that decides whether an item still stands."""

    @property
    def seq(self) -> int: ...
    @property
    def retracted(self) -> bool: ...
    @property
    def resolved(self) -> bool | None: ...


def interest(words: Iterable[str], text: str, *, calls_on_all: bool) -> float:
    """How much a text promises to somebody with these interests: 0, or 10 (1 - 2^-k) for k interests that it names.

    An interest is named when all of its words occur, in any order and case. words: the interests; none is interest in
    everything, a little. calls_on_all: the text is the task or an open question, which is nobody's to overlook.
    """
    phrases = [found for phrase in words if (found := _words(phrase))]
    there = _words(text)
    named = sum(phrase <= there for phrase in phrases)
    if named:
        return TOP * (1 - 0.5**named)
    if calls_on_all:
        return GENERALIST
    return 0.0 if phrases else IN_PASSING


@dataclass
class Agenda:
    """What waits to be done. Nothing in it depends on when anything arrived.

    seats: the members in seat order. threshold: the rating below which nothing is done.
    """

    seats: Sequence[str]
    threshold: float

    def __post_init__(self) -> None:
        self.items: list[Item] = []
        self.acted = dict.fromkeys(self.seats, 0)

    def add(self, item: Item) -> None:
        """Let an item wait."""
        self.items.append(item)

    def forget(self, member: str) -> None:
        """Drop all that waits for a `member`: it has seen what there is, or is asked anew."""
        self.items = [item for item in self.items if item.member != member]

    def obviate(self, triggers: Iterable[Trigger]) -> tuple[Item, ...]:
        """Drop, and give, what waits on a trigger that was retracted or settled. triggers: all that stood or stand."""
        gone = {entry.seq for entry in triggers if entry.retracted or entry.resolved}
        dropped = tuple(item for item in self.ranked() if item.trigger in gone)
        self.items = [item for item in self.items if item.trigger not in gone]
        return dropped

    def ranked(self) -> list[Item]:
        """What waits, best first: by rating, then who has acted least often, then by seat, then the newer trigger."""
        place = {name: at for at, name in enumerate(self.seats)}
        return sorted(
            self.items, key=lambda item: (-item.rating, self.acted[item.member], place[item.member], -item.trigger)
        )

    def take(self) -> Item | None:
        """The best item, if one is good enough; neither it nor anything else for its member waits any longer."""
        best = next(iter(self.ranked()), None)
        if best is None or best.rating < self.threshold:
            return None
        self.acted[best.member] += 1
        self.forget(best.member)
        return best


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.casefold()))
