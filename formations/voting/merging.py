"""Different readings that may mean the same: compared two by two, by number, unit or the user's relation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from .exact import exact

if TYPE_CHECKING:
    from .equivalence import Equivalence
    from .numbers import Measure
    from .parse import Reading

ROUNDING = Fraction(1, 10**9)

Relation = Callable[[str, str], bool]
"""Whether two texts mean the same; it is asked both ways round, and both must agree."""


def key_of(reading: Reading) -> object:
    """What only an equal `reading` shares; fractions take long to hash, and most are whole numbers."""
    measure = reading.measure
    if measure is None or measure.unit or measure.variable or measure.value.denominator != 1:
        return reading
    return reading.kind, measure.value.numerator, measure.base.numerator, measure.base.denominator


class Node:
    """All spellings of one reading; the most frequent, shortest, first of them names it."""

    __slots__ = ("label", "reading", "spellings", "weight")

    def __init__(self, reading: Reading) -> None:
        self.reading, self.weight = reading, 0
        self.spellings: dict[str, int] = {}
        self.label = ""

    def add(self, text: str, times: int) -> None:
        """Count a spelling."""
        self.spellings[text] = self.spellings.get(text, 0) + times
        self.weight += times

    @property
    def name(self) -> str:
        """The spelling that stands for all of them."""
        spellings = self.spellings
        if len(spellings) == 1:
            return next(iter(spellings))
        return min(spellings, key=lambda text: (-spellings[text], len(text), text))


class Comparing:
    """Says which readings are related, as `how` or the `relation` has it; each two of the `nodes` are compared once."""

    def __init__(self, how: Equivalence, relation: Relation | None, nodes: Sequence[Node]) -> None:
        self.how, self.relation, self.nodes = how, relation, nodes
        self.known: dict[tuple[int, int], bool] = {}

    def related(self, one: int, other: int) -> bool:
        """Whether the nodes at these two places mean the same."""
        pair = (min(one, other), max(one, other))
        if pair not in self.known:
            self.known[pair] = self._compared(self.nodes[pair[0]], self.nodes[pair[1]])
        return self.known[pair]

    def _compared(self, one: Node, other: Node) -> bool:
        if one.reading.measure is not None and other.reading.measure is not None:
            return agree(one.reading.measure, other.reading.measure, self.how)
        if one.reading.kind == other.reading.kind == "text" and self.relation is not None:
            return self.relation(one.name, other.name) and self.relation(other.name, one.name)
        return False

    def likeness(self, group: Sequence[int]) -> Callable[[int, int], float]:
        """How alike two of a group are: related or not, and for numbers how near."""
        measures = [self.nodes[at].reading.measure for at in group]

        def like(one: int, other: int) -> float:
            here, there = measures[one], measures[other]
            if here is not None and there is not None:
                return -float(abs(here.value - there.value)) if here.unit == there.unit else 0.0
            return 1.0 if one == other or self.related(group[one], group[other]) else 0.0

        return like


def agree(one: Measure, other: Measure, how: Equivalence) -> bool:
    """Whether two numbers are the same within the tolerance and neither their units nor their variables contradict."""
    if one.variable and other.variable and one.variable != other.variable:
        return False
    here, there = one.value, other.value
    if how.units != "ignore":
        if one.unit != other.unit and (how.units == "strict" or (one.unit and other.unit)):
            return False
        if one.unit == other.unit:
            here, there = one.base, other.base
    share = exact(how.tolerance)
    if (share is ROUNDING or share <= ROUNDING) and one.value.denominator == other.value.denominator == 1:
        if not how.absolute_tolerance:
            return here == there
        share = Fraction(0)  # whole numbers are not rounded
    slack = max(share * max(abs(here), abs(there)), exact(how.absolute_tolerance))
    return abs(here - there) <= slack
