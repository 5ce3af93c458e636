"""Who should act next on a board: items with ratings, dropped when what triggered them is gone or settled."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from phalanx.messages import Data
from phalanx.runtime.values import Known

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


class Minutes:
    """Turns as a board keeps them, each item written once, however many turns it waits."""

    def __init__(self) -> None:
        # Keyed by the item itself, which is kept, so that its id stays its own.
        self._written: dict[int, tuple[Item, dict[str, object], str]] = {}

    def known(self, turn: Turn) -> Known:
        """A `turn` with its JSON and its text."""
        agenda, obviated = [self._item(item) for item in turn.agenda], [self._item(item) for item in turn.obviated]
        stored = {
            "number": turn.number,
            "agenda": [item[1] for item in agenda],
            "obviated": [item[1] for item in obviated],
            "chosen": turn.chosen,
        }
        waiting, dropped = ",".join([item[2] for item in agenda]), ",".join([item[2] for item in obviated])
        chosen = _json(turn.chosen)
        text = f'{{"number":{turn.number},"agenda":[{waiting}],"obviated":[{dropped}],"chosen":{chosen}}}'
        return Known(turn, stored, text)

    def _item(self, item: Item) -> tuple[Item, dict[str, object], str]:
        written = self._written.get(id(item))
        if written is None:
            member, trigger, rating, adds = item.member, item.trigger, item.rating, item.adds
            stored: dict[str, object] = {"member": member, "trigger": trigger, "rating": rating, "adds": adds}
            text = f'{{"member":{_json(member)},"trigger":{trigger},"rating":{rating!r},"adds":{_json(adds)}}}'
            written = self._written[id(item)] = (item, stored, text)
        return written


@lru_cache(256)
def _json(text: str | None) -> str:
    return json.dumps(text, ensure_ascii=False)


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
    return rated(phrases(words), words_of(text), calls_on_all=calls_on_all)


def phrases(words: Iterable[str]) -> tuple[frozenset[str], ...]:
    """Interests as `rated` takes them: the words of each that has any."""
    return tuple(found for phrase in words if (found := words_of(phrase)))


def rated(phrases: Sequence[frozenset[str]], there: frozenset[str], *, calls_on_all: bool) -> float:
    """What `interest` is of interests and a text whose words were read before: `phrases`, and those `there`."""
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
        self._place = {name: at for at, name in enumerate(self.seats)}
        self._ranked: list[Item] | None = None

    def add(self, item: Item) -> None:
        """Let an item wait."""
        self.items.append(item)
        self._ranked = None

    def forget(self, member: str) -> None:
        """Drop all that waits for a `member`: it has seen what there is, or is asked anew."""
        self.items = [item for item in self.items if item.member != member]
        self._ranked = None

    def obviate(self, triggers: Iterable[Trigger]) -> tuple[Item, ...]:
        """Drop, and give, what waits on a trigger that was retracted or settled. triggers: all that stood or stand."""
        gone = {entry.seq for entry in triggers if entry.retracted or entry.resolved}
        if not gone:
            return ()
        dropped = tuple(item for item in self.ranked() if item.trigger in gone)
        self.items = [item for item in self.items if item.trigger not in gone]
        self._ranked = None
        return dropped

    def ranked(self) -> list[Item]:
        """What waits, best first: by rating, then who has acted least often, then by seat, then the newer trigger."""
        if self._ranked is None:
            self._ranked = sorted(self.items, key=self._order)
        return list(self._ranked)

    def take(self) -> Item | None:
        """The best item, if one is good enough; neither it nor anything else for its member waits any longer."""
        best = next(iter(self.ranked()), None)
        if best is None or best.rating < self.threshold:
            return None
        self.acted[best.member] += 1
        self.forget(best.member)
        return best

    def _order(self, item: Item) -> tuple[float, int, int, int]:
        return -item.rating, self.acted[item.member], self._place[item.member], -item.trigger


def words_of(text: str) -> frozenset[str]:
    """The words of a text, in no case and no order."""
    return frozenset(re.findall(r"\w+", text.casefold()))
