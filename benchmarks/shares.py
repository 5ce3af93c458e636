"""What each member of a team that votes brought to its decisions, from the ballots of its attempts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from phalanx.formations.attribution import attribute
from phalanx.formations.base import Round
from phalanx.formations.voting import Ballot, BucketedConfidence, Decision, Plurality, RawBallot, VotingRule
from phalanx.messages import Data

from .grouping import Grouped, by_item
from .record import Attempt, Ballots
from .rule_text import rule_in, rule_name
from .statistics.intervals import Estimate, accuracy, mean

# Shapley values are exact, and so quick, up to this many voters.
VOTERS = 8


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


Pattern = tuple[tuple[int | None, ...], str, tuple[str, ...], tuple[float | None, ...]]
Parts = list[list[tuple[float, float]]]
PLURALITY = Plurality()


def shares(group: Grouped, *, level: float = 0.95) -> tuple[Share, ...]:
    """The share of every member in a system's votes, in seat order; empty when nobody voted.

    group: its attempts. level: of the intervals.
    """
    games: dict[Pattern, Parts] = {}
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
            pattern, worth = _pattern(last)
            if pattern not in games:
                games[pattern] = _parts(pattern, len(worth))
            values = _values(games[pattern], worth, len(last.choices))
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


def decided_by(group: Grouped) -> str:
    """What the last votes of a system are decided by when they are decided again, in words.

    group: its attempts. A rule of the user's own is not in the record: plurality stands for it, and that is said.
    """
    found = dict.fromkeys(ballots.rule for made in group.attempts for ballots in _last(made))
    told = dict.fromkeys(rule_name(text) if rule_in(text) else _stand_in(text) for text in found)
    return " or ".join(told)


def _stand_in(text: str) -> str:
    return f"plurality, in place of {text}, which is not in the record" if text else "plurality"


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


def _pattern(ballots: Ballots) -> tuple[Pattern, list[float]]:
    """Who agreed with whom and what else the rule looks at; and what each answer is worth."""
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
    rule = rule_in(ballots.rule) or PLURALITY
    # Whose ballots they are, and how sure, matters to few rules.
    names = tuple(map(_voter, ballots.choices)) if rule.weighs else ()
    sure = rule.weighs or "confidence" in rule.tie_break
    stated = tuple(ballots.stated.get(member) for member in ballots.choices) if sure else ()
    return (tuple(seats), ballots.rule, names, stated), worth


def _voter(label: str) -> str:
    """Whose a ballot is: a member's second sample is called "ada#2"."""
    return re.sub(r"#\d+$", "", label)


def _values(parts: Parts, worth: Sequence[float], voters: int) -> list[tuple[float, float]]:
    """For each voter its Shapley value, and what is lost without it; both are linear in what answers are worth."""
    found = [(0.0, 0.0)] * voters
    for part, value in zip(parts, worth, strict=True):
        if value:
            found = [(a + value * c, b + value * d) for (a, b), (c, d) in zip(found, part, strict=True)]
    return found


@dataclass(frozen=True)
class _AsScored:
    """A rule as its votes are scored: where too few agree, the answer alone in front is what the system gives."""

    rule: VotingRule

    def decide(
        self,
        ballots: Sequence[RawBallot],
        *,
        seed: int = 0,
        eligible: int | None = None,
        candidates: Iterable[str] | None = None,
    ) -> Decision:
        decision = self.rule.decide(ballots, seed=seed, eligible=eligible, candidates=candidates)
        if decision.winner is None and decision.status != "tie" and len(decision.leaders) == 1:
            return decision.model_copy(update={"status": "decided", "winner": decision.leaders[0]})
        return decision

    def weigh(self, ballot: Ballot) -> Fraction:
        return self.rule.weigh(ballot)


def _parts(pattern: Pattern, answers: int) -> Parts:
    """For each answer what each voter brings to its winning, and what is lost of it without the voter."""
    seats, text, names, stated = pattern
    rule = rule_in(text) or PLURALITY
    as_scored = _AsScored(rule)
    choices: dict[str, str | None] = {}
    ballots: list[Ballot | None] = []
    for at, seat in enumerate(seats):
        label = f"m{at}"
        sure = stated[at] if stated else None
        choices[label] = None if seat is None else f"answer {seat}"
        silent = seat is None or (isinstance(rule, BucketedConfidence) and sure is None)
        voter = names[at] if names else label
        ballots.append(None if silent else Ballot(f"answer {seat}", voter=voter, confidence=sure))
    decision = as_scored.decide(ballots, seed=0)
    counted = Round(number=0, texts={}, choices=choices, decision=decision, rule=as_scored, ballots=tuple(ballots))
    parts = []
    for place in range(answers):
        found = attribute([counted], right=lambda answer, wanted=f"answer {place}": float(answer == wanted))
        parts.append([(float(each.shapley or 0), float(each.leave_one_out or 0)) for each in found.members])
    return parts
