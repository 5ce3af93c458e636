"""The rounds of attempts as rows of one entry a member, read once for all that is counted from them."""

from __future__ import annotations

from dataclasses import dataclass

from .grouping import Grouped
from .record import Attempt, Ballots

RIGHT = 1 - 1e-9
"""From which worth on an answer counts as right: full credit."""


@dataclass(frozen=True, slots=True)
class Row:
    """One round: an entry a member, in seat order.

    ballots: the round itself. members: their names. worth: what each answer is worth, an abstention nothing. right:
    whether that is full credit. seats: which answer each gave, answers numbered as they first appear; None abstains.
    """

    ballots: Ballots
    members: tuple[str, ...]
    worth: tuple[float, ...]
    right: tuple[bool, ...]
    seats: tuple[int | None, ...]


def rows_of(group: Grouped) -> list[tuple[Attempt, list[Row]]]:
    """Every attempt of a system with its rounds in order; a round that was written twice counts as it was last.

    group: the attempts.
    """
    return [(made, [_row(each) for each in rounds_of(made)]) for made in group.attempts]


def rounds_of(made: Attempt) -> list[Ballots]:
    """The rounds of an attempt in order; one that was written twice counts as it was last."""
    if len(made.ballots) < 2:
        return list(made.ballots)
    return [each for _, each in sorted({each.round: each for each in made.ballots}.items())]


def _row(ballots: Ballots) -> Row:
    choices, worth_of = ballots.choices, ballots.worth
    worth = tuple([0.0 if said is None else worth_of.get(name, 0.0) for name, said in choices.items()])
    places: dict[str, int] = {}
    seats = tuple([None if said is None else places.setdefault(said, len(places)) for said in choices.values()])
    return Row(ballots, tuple(choices), worth, tuple([value >= RIGHT for value in worth]), seats)
