"""How a heap of ballots is read: checked, weighed, and grouped by what they say."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from math import lcm
from typing import Literal

from phalanx.errors import ValidationError
from phalanx.settings import nearest

from .ballots import ONE, Ballot, Content, Invalid, RawBallot, check_names, plain_text
from .exact import ratio
from .gathering import gathered, names_in

OnInvalid = Literal["error", "abstain"]
Admit = Callable[[Content], Content]
Fits = Callable[[Collection[Content]], bool]
Weigh = Callable[[RawBallot], Fraction]


@dataclass(slots=True)
class Votes:
    """The ballots of one vote, read, checked, and those that say the same put together.

    said: what was said, each once. seats: for each of these the places, among the ballots, of those who said it.
    weights: for each the weight behind it, in units of 1/scale. signed: those of the ballots that are a Ballot, by
    place. names: the candidates, sorted. cast: how many ballots count. seed: what chance is drawn from. scale:
    weights are whole numbers of 1/scale. total: the weight of all ballots cast, in these units; mass: the same
    without signs. silent: the weight of the ballots that abstain. invalid: those that could not be counted.
    """

    ballots: Sequence[RawBallot]
    signed: Mapping[int, Ballot]
    said: list[Content]
    seats: list[list[int]]
    names: list[str]
    seed: int = 0
    weights: list[int] = field(default_factory=list)
    cast: int = 0
    scale: int = 1
    total: int = 0
    mass: int = 0
    silent: Fraction = Fraction(0)
    invalid: list[Invalid] = field(default_factory=list)


def read_votes(
    ballots: Sequence[RawBallot],
    *,
    admit: Admit,
    fits: Fits | None = None,
    weigh: Weigh | None = None,
    candidates: Iterable[str] | None = None,
    on_invalid: OnInvalid = "error",
    seed: int = 0,
) -> Votes:
    """Read ballots for a rule.

    admit: turns what a ballot says into what the rule counts, or raises ValidationError. fits: whether it is sure to
    take all that was said as it is (None: that cannot be told). weigh: the weight of a ballot (default: its own).
    candidates: whom one may vote for (default: whoever is named). on_invalid: raise ValidationError at the first
    invalid ballot, or let it abstain and be listed.
    """
    known = None if candidates is None else _known(candidates)
    problems: dict[int, str] = {}
    signed: dict[int, Ballot] = {}
    said, named = gathered(ballots, signed, problems)
    if fits is None or not fits(said):
        said, named = _admitted(said, admit, problems), None
    if named is None:
        named = names_in(said)
    if known is not None and not named <= known:
        said = _admitted(said, lambda content: _of_candidates(content, known), problems)
    weights = _weights(ballots, signed, said, weigh, problems)
    if weigh is not None:
        said = {content: seats for content, seats in said.items() if seats}
        named = names_in(said)
    votes = Votes(ballots, signed, list(said), list(said.values()), sorted(named if known is None else known), seed)
    votes.invalid = _invalid(signed, problems, on_invalid)
    _add_up(votes, weights)
    return votes


def _admitted(said: Mapping[Content, list[int]], admit: Admit, problems: dict[int, str]) -> dict[Content, list[int]]:
    """What was said as the rule counts it; what it cannot count goes to the problems."""
    admitted: dict[Content, list[int]] = {}
    for content, seats in said.items():
        try:
            counted = admit(content)
        except ValidationError as problem:
            problems |= dict.fromkeys(seats, str(problem))
            continue
        admitted[counted] = sorted(admitted[counted] + seats) if counted in admitted else seats
    return admitted


def _of_candidates(content: Content, known: Set[str]) -> Content:
    """The same, if it names none but candidates."""
    if strangers := names_in([content]) - known:
        raise ValidationError(f"{min(strangers)!r} is not a candidate{nearest(min(strangers), known)}")
    return content


def _known(candidates: Iterable[str]) -> set[str]:
    listed = list(candidates)
    check_names(listed)
    listed = list(map(plain_text, listed))
    if len(set(listed)) < len(listed):
        raise ValidationError("candidates= names somebody twice; name each candidate once")
    return set(listed)


def _weights(
    ballots: Sequence[RawBallot],
    signed: Mapping[int, Ballot],
    said: Mapping[Content, list[int]],
    weigh: Weigh | None,
    problems: dict[int, str],
) -> dict[int, Fraction]:
    """The weights that are not one, by place."""
    if weigh is None:
        # Most weights are the very one of ballots that were given none, which tells faster than comparing fractions.
        return {seat: each.weight for seat, each in signed.items() if each.weight is not ONE and each.weight != 1}
    weights: dict[int, Fraction] = {}
    for seats in said.values():
        for seat in list(seats):
            try:
                weights[seat] = weigh(ballots[seat])
            except ValidationError as problem:
                problems[seat] = str(problem)
                seats.remove(seat)
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
    votes.weights = list(map(len, votes.seats))
    votes.cast = votes.total = votes.mass = sum(votes.weights)
    if not weights:
        votes.silent = ratio(len(votes.ballots) - votes.cast, 1)
        return
    votes.scale = scale = lcm(*{weight.denominator for weight in weights.values()})
    whole = {seat: weight.numerator * (scale // weight.denominator) for seat, weight in weights.items()}
    votes.weights = [sum([whole.get(seat, scale) for seat in seats]) for seats in votes.seats]
    votes.total = sum(votes.weights)
    votes.mass = sum([abs(whole.get(seat, scale)) for seats in votes.seats for seat in seats])
    heard = set(chain.from_iterable(votes.seats))
    for seat in range(len(votes.ballots)):
        if seat not in heard:
            votes.silent += votes.signed[seat].weight if seat in votes.signed else 1
