"""What each member of a team that votes brought to its decisions, from the ballots of its attempts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TypeVar

from phalanx.messages import Data

from .grouping import Grouped
from .patterns import VOTERS, Pattern, Values, parts_of, pattern_of, values_of
from .record import Attempt
from .rows import Row
from .rule_text import rule_in, rule_name
from .statistics.intervals import Estimate, accuracy, mean


class Share(Data):
    """What one member brought.

    member: its name. draft: what its own first answer is worth, an abstention nothing; None for one who came later.
    last: the same of its answer in the last round; None for one who left before. abstained: drafts from which no
    answer could be read. brought: its mean Shapley value in the last vote (Shapley 1953), where a group is worth what
    its ballots alone decide by the rule that decided (see `decided_by`), or the answer that is alone in front where
    too few agree, as answers are scored; the members' values add up to what that vote is worth. without: the mean of
    what that vote loses without its ballot. Both are None as soon as one last vote is of more than eight: a mean over
    the smaller ones alone would be of other items.
    """

    member: str
    draft: Estimate | None
    last: Estimate | None
    abstained: int
    brought: Estimate | None
    without: Estimate | None


T = TypeVar("T")
Told = Sequence[tuple[Attempt, Sequence[Row]]]


def shares(group: Grouped, told: Told, *, level: float = 0.95) -> tuple[Share, ...]:
    """The share of every member in a system's votes, in seat order; empty when nobody voted.

    group: its attempts. told: the same with their rounds, as `rows_of` gives them. level: of the intervals.
    """
    voted = [(made.item, rounds[0], rounds[-1]) for made, rounds in told if rounds]
    counted = all(len(last.members) <= VOTERS for _, _, last in voted)
    known: Known = {}
    found: dict[str, _Member] = {}
    # Attempts in a row with the same members, as most have, are taken together: a column a member.
    for (drafting, staying), run in groupby(voted, key=lambda each: (each[1].members, each[2].members)):
        some = list(run)
        items = [item for item, _, _ in some]
        drafts = _columns([first.worth for _, first, _ in some]), _columns([first.seats for _, first, _ in some])
        for name, worth, seats in zip(drafting, *drafts, strict=True):
            about = found.setdefault(name, _Member())
            about.drafted += items
            about.draft += worth
            about.abstained += seats.count(None)
        for name, worth in zip(staying, _columns([last.worth for _, _, last in some]), strict=True):
            about = found.setdefault(name, _Member())
            about.stayed += items
            about.last += worth
        if counted:
            values = [_once(last, known) for _, _, last in some]
            brought, without = (_columns([each[at] for each in values]) for at in (0, 1))
            for name, with_it, without_it in zip(staying, brought, without, strict=True):
                found[name].brought += with_it
                found[name].without += without_it

    def estimate(items: Sequence[str], values: Sequence[float], how: Callable[..., Estimate]) -> Estimate | None:
        if not values:
            return None
        names, means = group.averaged(items, values)
        return how(means, clusters=group.clusters(names), level=level)

    return tuple(
        Share(
            member=name,
            draft=estimate(about.drafted, about.draft, accuracy),
            last=estimate(about.stayed, about.last, accuracy),
            abstained=about.abstained,
            brought=estimate(about.stayed, about.brought, mean),
            without=estimate(about.stayed, about.without, mean),
        )
        for name, about in found.items()
    )


def decided_by(told: Told) -> str:
    """What the last votes of a system are decided by when they are decided again, in words.

    told: its attempts with their rounds. A rule of the user's own is not in the record: plurality stands for it, and
    that is said.
    """
    found = dict.fromkeys(rounds[-1].ballots.rule for _, rounds in told if rounds)
    names = dict.fromkeys(rule_name(text) if rule_in(text) else _stand_in(text) for text in found)
    return " or ".join(names)


def _stand_in(text: str) -> str:
    return f"plurality, in place of {text}, which is not in the record" if text else "plurality"


@dataclass(slots=True)
class _Member:
    """What is known of one member, attempt by attempt: of which item, and the numbers."""

    drafted: list[str] = field(default_factory=list)
    draft: list[float] = field(default_factory=list)
    stayed: list[str] = field(default_factory=list)
    last: list[float] = field(default_factory=list)
    brought: list[float] = field(default_factory=list)
    without: list[float] = field(default_factory=list)
    abstained: int = 0


Known = dict[tuple[Pattern, tuple[float, ...]], tuple[Values, Values]]


def _once(last: Row, known: Known) -> tuple[Values, Values]:
    """What each voter brings to a round and what is lost without it, worked out once for all rounds like it."""
    pattern = pattern_of(last)
    values = known.get((pattern, last.worth))
    if values is None:
        values = known[pattern, last.worth] = values_of(parts_of(pattern), last)
    return values


def _columns(rows: Sequence[Sequence[T]]) -> list[tuple[T, ...]]:
    return list(zip(*rows, strict=True))
