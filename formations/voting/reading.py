"""How a heap of ballots is read: checked, weighed, and grouped by what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import lcm
from typing import Literal

from phalanx.errors import ValidationError
from phalanx.settings import nearest

from .ballots import ONE, Ballot, Content, Invalid, RawBallot, Scores, check_names, content_of
from .exact import ratio

OnInvalid = Literal["error", "abstain"]
Admit = Callable[[Content], Content]
Weigh = Callable[[RawBallot], Fraction]


@dataclass(slots=True)
class Group:
    """All ballots that say the same. `seats`: their places among the ballots; `weight`: in units of 1/scale."""

    content: Content
    seats: list[int]
    weight: int = 0


@dataclass(slots=True)
class Votes:
    """The ballots of one vote, read, checked and grouped.

    signed: those of the ballots that are a Ballot, by place. names: the candidates, sorted. cast: how many ballots
    count. seed: what chance is drawn from. scale: weights are whole numbers of 1/scale. total: the weight of all
    ballots cast, in these units; mass: the same without signs. weights: of each cast ballot by its place, or None
    when all weigh one. silent: the weight of the ballots that abstain.
    """

    ballots: Sequence[RawBallot]
    signed: Mapping[int, Ballot] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    cast: int = 0
    seed: int = 0
    scale: int = 1
    total: int = 0
    mass: int = 0
    weights: dict[int, int] | None = None
    silent: Fraction = Fraction(0)
    invalid: list[Invalid] = field(default_factory=list)


def read_votes(
    ballots: Sequence[RawBallot],
    *,
    admit: Admit,
    weigh: Weigh | None = None,
    candidates: Iterable[str] | None = None,
    on_invalid: OnInvalid = "error",
    seed: int = 0,
) -> Votes:
    """Read ballots for a rule.

    admit: turns what a ballot says into what the rule counts, or raises ValidationError. weigh: the weight of a
    ballot (default: its own). candidates: whom one may vote for (default: whoever is named). on_invalid: raise
    ValidationError at the first invalid ballot, or let it abstain and be listed.
    """
    known = None if candidates is None else _known(candidates)
    problems: dict[int, str] = {}
    groups: dict[Content, Group] = {}
    for said, seats in _gathered(ballots, problems):
        try:
            content = admit(said)
            if known is not None and (strangers := names_in(content) - known):
                raise ValidationError(f"{min(strangers)!r} is not a candidate{nearest(min(strangers), known)}")
        except ValidationError as problem:
            problems |= dict.fromkeys(seats, str(problem))
            continue
        group = groups.get(content)
        if group is None:
            groups[content] = Group(content, seats)
        else:
            group.seats = sorted(group.seats + seats)
    signed = {seat: raw for seat, raw in enumerate(ballots) if type(raw) not in _PLAIN and isinstance(raw, Ballot)}
    weights = _weights(ballots, signed, groups.values(), weigh, problems)
    votes = Votes(ballots, signed, seed=seed, groups=[group for group in groups.values() if group.seats])
    votes.names = sorted((known or set()) | _all_names(votes.groups))
    votes.invalid = _invalid(signed, problems, on_invalid)
    _add_up(votes, weights)
    return votes


_PLAIN = frozenset({str, list, set, type(None)})


def names_in(content: Content) -> set[str]:
    """The candidates that a ballot names."""
    if isinstance(content, str):
        return {content}
    return set(content.names if isinstance(content, Scores) else content)


def _all_names(groups: Iterable[Group]) -> set[str]:
    names: set[str] = set()
    for group in groups:
        content = group.content
        if isinstance(content, str):
            names.add(content)
        elif type(content) is not tuple or not names.issuperset(content):
            names.update(content.names if isinstance(content, Scores) else content)
    return names


def _gathered(ballots: Sequence[RawBallot], problems: dict[int, str]) -> Iterable[tuple[Content, list[int]]]:
    """What was said, each once, with the places of those who said it.

    Plain texts, lists and sets are gathered first and checked once for all that are equal, which makes a thousand of
    them cheap.
    """
    plain: dict[object, list[int]] = {}
    checked: dict[Content, list[int]] = {}
    for seat, raw in enumerate(ballots):
        if raw is None:
            continue
        kind = type(raw)
        try:
            if kind is str:
                plain.setdefault(raw, []).append(seat)
            elif kind is list:
                plain.setdefault(tuple(raw), []).append(seat)
            elif kind is set:
                plain.setdefault(frozenset(raw), []).append(seat)
            else:
                content = raw.content if isinstance(raw, Ballot) else content_of(raw)
                if content is not None:
                    checked.setdefault(content, []).append(seat)
        except ValidationError as problem:
            problems[seat] = str(problem)
        except TypeError:
            problems[seat] = f"{raw!r} holds something that is no candidate; candidates are texts that are not blank"
    yield from checked.items()
    fit: set[object] = set()  # what was found to be the name of a candidate
    for said, seats in plain.items():
        if type(said) is tuple and said and fit.issuperset(said) and len(set(said)) == len(said):
            yield said, seats
            continue
        try:
            content = content_of(said)
        except ValidationError as problem:
            problems |= dict.fromkeys(seats, str(problem))
            continue
        if type(content) is tuple:
            fit.update(content)
        if content is not None:
            yield content, seats


def _known(candidates: Iterable[str]) -> set[str]:
    listed = list(candidates)
    check_names(listed)
    if len(set(listed)) < len(listed):
        raise ValidationError("candidates= names somebody twice; name each candidate once")
    return set(listed)


def _weights(
    ballots: Sequence[RawBallot],
    signed: Mapping[int, Ballot],
    groups: Iterable[Group],
    weigh: Weigh | None,
    problems: dict[int, str],
) -> dict[int, Fraction]:
    """The weights that are not one, by place."""
    if weigh is None:
        # Most weights are the very one of ballots that were given none, which tells faster than comparing fractions.
        return {seat: each.weight for seat, each in signed.items() if each.weight is not ONE and each.weight != 1}
    weights: dict[int, Fraction] = {}
    for group in groups:
        for seat in list(group.seats):
            try:
                weights[seat] = weigh(ballots[seat])
            except ValidationError as problem:
                problems[seat] = str(problem)
                group.seats.remove(seat)
    return weights


def _invalid(signed: Mapping[int, Ballot], problems: dict[int, str], on_invalid: OnInvalid) -> list[Invalid]:
    listed: list[Invalid] = []
    for seat in sorted(problems):
        voter = signed[seat].voter if seat in signed else None
        if on_invalid == "error":
            who = f" (of {voter})" if voter else ""
            raise ValidationError(
                f"ballot {seat}{who} is invalid: {problems[seat]}. Mend it, or count such ballots as abstentions with "
                "on_invalid='abstain'"
            )
        listed.append(Invalid(ballot=seat, voter=voter, problem=problems[seat]))
    return listed


def _add_up(votes: Votes, weights: dict[int, Fraction]) -> None:
    votes.cast = sum(len(group.seats) for group in votes.groups)
    if not weights:
        for group in votes.groups:
            group.weight = len(group.seats)
        votes.total = votes.mass = votes.cast
        votes.silent = ratio(len(votes.ballots) - votes.cast, 1)
        return
    votes.scale = lcm(*{weight.denominator for weight in weights.values()})
    votes.weights = {}
    one = Fraction(1)
    for group in votes.groups:
        for seat in group.seats:
            weight = weights.get(seat, one)
            whole = weight.numerator * (votes.scale // weight.denominator)
            votes.weights[seat] = whole
            group.weight += whole
            votes.mass += abs(whole)
        votes.total += group.weight
    for seat in range(len(votes.ballots)):
        if seat not in votes.weights:
            votes.silent += votes.signed[seat].weight if seat in votes.signed else 1
