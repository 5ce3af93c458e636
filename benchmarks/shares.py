"""What each member of a team that votes brought to its decisions, from the ballots of its attempts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from phalanx.formations.attribution import attribute
from phalanx.formations.base import Round
from phalanx.formations.voting import Plurality
from phalanx.messages import Data

from .grouping import Grouped, by_item
from .record import Attempt, Ballots
from .statistics.intervals import Estimate, accuracy, mean

# Shapley values are exact, and so quick, up to this many voters.
VOTERS = 8


class Share(Data):
    """What one member brought.

    member: its name. draft: what its own first answer is worth, an abstention nothing; None for one who came later.
    last: the same of its answer in the last round; None for one who left before. abstained: drafts from which no
    answer could be read. brought: its mean Shapley value in the last vote (Shapley 1953), as if plurality decided
    it and a group were worth what its ballots alone decide; the members' values add up to what that vote is worth.
    without: the mean of what that vote loses without its ballot. Both are None as soon as one last vote is of more than
    eight: a mean over the smaller ones alone would be of other items.
    """

    member: str
    draft: Estimate | None
    last: Estimate | None
    abstained: int
    brought: Estimate | None
    without: Estimate | None


Pattern = tuple[tuple[int | None, ...], tuple[float, ...]]


def shares(group: Grouped, *, level: float = 0.95) -> tuple[Share, ...]:
    """The share of every member in a system's votes, in seat order; empty when nobody voted.

    group: its attempts. level: of the intervals.
    """
    games: dict[Pattern, list[tuple[float, float]]] = {}
    told: dict[str, _Told] = {}
    counted = all(len(each.choices) <= VOTERS for made in group.attempts for each in _last(made))
    for made in group.attempts:
        if not made.ballots:
            continue
        ordered = sorted(made.ballots, key=lambda ballots: ballots.round) if len(made.ballots) > 1 else made.ballots
        first, last, item = ordered[0], ordered[-1], made.item
        for name, choice in first.choices.items():
            about = told.setdefault(name, _Told())
            about.draft.append((item, _worth(first, name)))
            about.abstained += choice is None
        values: list[tuple[float, float]] = []
        if counted:
            pattern = _pattern(last)
            if pattern not in games:
                games[pattern] = _values(pattern)
            values = games[pattern]
        for at, name in enumerate(last.choices):
            about = told.setdefault(name, _Told())
            about.last.append((item, _worth(last, name)))
            if values:
                about.brought.append((item, values[at][0]))
                about.without.append((item, values[at][1]))

    def estimate(pairs: Sequence[tuple[str, float]], how: Callable[..., Estimate]) -> Estimate | None:
        means = by_item(pairs)
        return how(list(means.values()), clusters=group.clusters(means), level=level) if means else None

    return tuple(
        Share(
            member=name,
            draft=estimate(about.draft, accuracy),
            last=estimate(about.last, accuracy),
            abstained=about.abstained,
            brought=estimate(about.brought, mean),
            without=estimate(about.without, mean),
        )
        for name, about in told.items()
    )


@dataclass
class _Told:
    """What is known of one member, attempt by attempt: its item and the number."""

    draft: list[tuple[str, float]] = field(default_factory=list)
    last: list[tuple[str, float]] = field(default_factory=list)
    brought: list[tuple[str, float]] = field(default_factory=list)
    without: list[tuple[str, float]] = field(default_factory=list)
    abstained: int = 0


def _last(made: Attempt) -> tuple[Ballots, ...]:
    return (max(made.ballots, key=lambda ballots: ballots.round),) if made.ballots else ()


def _worth(ballots: Ballots, member: str) -> float:
    return 0.0 if ballots.choices[member] is None else ballots.worth.get(member, 0.0)


def _pattern(ballots: Ballots) -> Pattern:
    """Who agreed with whom, and what each answer is worth, whatever it says: equal patterns have equal values."""
    places: dict[str, int] = {}
    worth: list[float] = []
    seats: list[int | None] = []
    for member, choice in ballots.choices.items():
        if choice is None:
            seats.append(None)
            continue
        if choice not in places:
            places[choice] = len(places)
            worth.append(ballots.worth.get(member, 0.0))
        seats.append(places[choice])
    return tuple(seats), tuple(worth)


def _values(pattern: Pattern) -> list[tuple[float, float]]:
    """For each voter its Shapley value, and what the vote loses without it."""
    seats, worth = pattern
    choices = {f"m{at}": None if seat is None else f"answer {seat}" for at, seat in enumerate(seats)}
    grades: Mapping[str, float] = {f"answer {at}": value for at, value in enumerate(worth)}
    ballots: Sequence[str | None] = list(choices.values())
    rule = Plurality()
    counted = Round(number=0, texts={}, choices=choices, decision=rule.decide(ballots, seed=0), rule=rule)
    found = attribute([counted], right=lambda answer: grades.get(answer, 0.0))
    return [(float(each.shapley or 0), float(each.leave_one_out or 0)) for each in found.members]
