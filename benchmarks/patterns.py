"""What each voter brings to a vote, worked out once for all votes of the same pattern."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import factorial, lcm
from typing import TypeVar

from phalanx.formations.voting import (
    Ballot,
    BucketedConfidence,
    Majority,
    Plurality,
    Supermajority,
    Unanimity,
    VotingRule,
)
from phalanx.formations.voting.weighted import bucket

from .rows import Row
from .rule_text import rule_in

VOTERS = 8
"""The most voters of a vote that is worked out: their values are exact, and so quick."""
# How many patterns are kept; of five voters who only agree or do not there are 203.
PATTERNS = 2**14
# Winning, as a whole number that every tie of voters divides.
WHOLE = lcm(*range(1, VOTERS + 1))
PLURALITY = Plurality()
# One confidence for each of the steps in which it is counted.
_STEPS = {bucket(sure): sure for sure in (0.5, 0.7, 0.8, 0.9, 1.0)}
_SAMPLE = re.compile(r"#\d+$")

T = TypeVar("T")
Pattern = tuple[tuple[int | None, ...], str, tuple[str, ...], tuple[float | None, ...]]
Parts = tuple[tuple[float, float], ...]
"""For each voter its Shapley value and what is lost without it, where one answer is worth 1 and the others nothing."""
Values = tuple[float, ...]
"""One number a voter."""
Sureness = tuple[float, ...]
"""How sure those are who gave one answer, in order; 1 each where a rule does not look at it."""


def pattern_of(last: Row) -> Pattern:
    """Who agreed with whom and what else the rule of a round looks at.

    last: the round.
    """
    ballots = last.ballots
    by_name, by_sureness, in_steps = _looks_at(ballots.rule)
    names = tuple([_voter(name) for name in last.members]) if by_name else ()
    stated: tuple[float | None, ...] = ()
    if by_sureness:
        stated = tuple(map(ballots.stated.get, last.members))
    if in_steps:
        stated = tuple([None if sure is None else _step(sure) for sure in stated])
    return last.seats, ballots.rule, names, stated


@lru_cache(maxsize=PATTERNS)
def _step(sure: float) -> float:
    """A confidence that counts for as much, the same for all that do."""
    return _STEPS.get(bucket(sure), sure)


@lru_cache
def _looks_at(text: str) -> tuple[bool, bool, bool]:
    """Whether a rule looks at whose ballots they are, at how sure they are, and at that in steps; few do."""
    rule = rule_in(text) or PLURALITY
    in_steps = type(rule) is BucketedConfidence and _counts_alike(rule)
    return rule.weighs and not in_steps, rule.weighs or "confidence" in rule.tie_break, in_steps


def values_of(parts: Sequence[Parts], last: Row) -> tuple[Values, Values]:
    """What each voter brings to a round, and what is lost without it; both are linear in what answers are worth.

    parts: of the round's pattern, as `parts_of` gives them. last: the round.
    """
    found = [(0.0, 0.0)] * len(last.members)
    for place, part in enumerate(parts):
        if value := last.worth[last.seats.index(place)]:
            found = [(a + value * c, b + value * d) for (a, b), (c, d) in zip(found, part, strict=True)]
    return tuple([brought for brought, _ in found]), tuple([lost for _, lost in found])


@lru_cache(maxsize=PATTERNS)
def parts_of(pattern: Pattern) -> list[Parts]:
    """For each answer what each voter brings to its winning (Shapley 1953), and what is lost of it without the voter.

    A group of voters is worth what its ballots alone decide; whoever is left out is not eligible either.

    pattern: as `pattern_of` gives it.
    """
    seats, text, names, stated = pattern
    rule = rule_in(text) or PLURALITY
    if _counts_alike(rule):
        return _of_alike(pattern, rule)
    ballots: list[Ballot | None] = []
    for at, seat in enumerate(seats):
        sure = stated[at] if stated else None
        voter = names[at] if names else f"m{at}"
        silent = seat is None or (isinstance(rule, BucketedConfidence) and sure is None)
        ballots.append(None if silent else Ballot(f"answer {seat}", voter=voter, confidence=sure))
    chosen = [_chosen(rule, inside) for inside in _groups(ballots)]
    return [
        _played([WHOLE // len(first) if f"answer {place}" in first else 0 for first in chosen], len(seats))
        for place in range(len(set(seats) - {None}))
    ]


def _of_alike(pattern: Pattern, rule: VotingRule) -> list[Parts]:
    """`parts_of` where only the shape of a vote counts: it is worked out for the shape, and read off for each voter."""
    seats, text, _, stated = pattern
    behind: dict[int, list[tuple[float, int]]] = {seat: [] for seat in seats if seat is not None}
    silent: list[int] = []
    for at, seat in enumerate(seats):
        sure = (stated[at] if stated else None) if isinstance(rule, BucketedConfidence) else 1.0
        if seat is None or sure is None:
            silent.append(at)
        else:
            behind[seat].append((sure, at))
    answers = sorted(behind, key=lambda seat: sorted([sure for sure, _ in behind[seat]]))
    voters = [at for seat in answers for _, at in sorted(behind[seat])] + silent
    shape = tuple([tuple(sorted([sure for sure, _ in behind[seat]])) for seat in answers])
    found = dict(zip(answers, _of_shape(text, shape, len(silent)), strict=True))
    back = sorted(range(len(voters)), key=voters.__getitem__)
    return [tuple([found[seat][at] for at in back]) for seat in range(len(answers))]


@lru_cache(maxsize=PATTERNS)
def _of_shape(text: str, shape: tuple[Sureness, ...], silent: int) -> list[Parts]:
    """For each answer of a shape what each voter brings: those behind the answers in order, then the silent ones."""
    voters = [(place, sure) for place, behind in enumerate(shape) for sure in behind]
    voters += [(-1, 0.0)] * silent
    worth: list[list[int]] = [[] for _ in shape]
    for inside in _groups(voters):
        behind = [tuple([sure for at, sure in inside if at == place]) for place in range(len(shape))]
        mute = sum(at < 0 for at, _ in inside)
        won = _won(text, tuple(sorted([each for each in behind if each])), mute)
        for place, each in enumerate(behind):
            worth[place].append(won.get(each, 0))
    return [_played(each, len(voters)) for each in worth]


@lru_cache(maxsize=PATTERNS)
def _won(text: str, shape: tuple[Sureness, ...], silent: int) -> dict[Sureness, int]:
    """How much of the winning an answer has, by how sure those behind it are; who has as many has as much."""
    rule = rule_in(text) or PLURALITY
    ballots: list[Ballot | None] = [
        Ballot(f"answer {place}", confidence=sure) for place, behind in enumerate(shape) for sure in behind
    ]
    chosen = _chosen(rule, [*ballots, *[None] * silent])
    return {shape[int(name.removeprefix("answer "))]: WHOLE // len(chosen) for name in chosen}


def _counts_alike(rule: VotingRule) -> bool:
    """Whether it is all one to a rule who votes, in what order, and what the answers are called."""
    if {"confidence", "earliest"} & set(rule.tie_break):
        return False
    if type(rule) is BucketedConfidence:
        # Two answers of equal weight can have unequally many heads: which of them a lot draws then matters.
        return not isinstance(rule.min_agreement, int)
    return type(rule) in (Plurality, Majority, Supermajority, Unanimity)


def _groups(voters: Sequence[T]) -> Iterator[list[T]]:
    """All groups of some voters, in the order of the numbers in which bit i says whether voter i is in the group."""
    for group in range(2 ** len(voters)):
        yield [each for at, each in enumerate(voters) if group >> at & 1]


def _played(worth: Sequence[int], voters: int) -> Parts:
    """For each voter its Shapley value and what is lost without it, from what each group is worth."""
    orders = factorial(voters)
    weights = [factorial(size) * factorial(voters - size - 1) for size in range(voters)]
    found = []
    for at in range(voters):
        bit = 1 << at
        gained = [
            weights[group.bit_count()] * (worth[group | bit] - worth[group])
            for group in range(len(worth))
            if not group & bit and worth[group | bit] != worth[group]
        ]
        # Whole numbers up to here, so each is the nearest number to the exact value.
        found.append((sum(gained) / (orders * WHOLE), (worth[-1] - worth[(len(worth) - 1) & ~bit]) / WHOLE))
    return tuple(found)


def _chosen(rule: VotingRule, ballots: Sequence[Ballot | None]) -> tuple[str, ...]:
    """What a vote comes to as votes are scored: the winner, or those that only chance could part.

    Where too few agree, the answer alone in front is what the system gives; where nothing is, nothing.
    """
    if not ballots:
        return ()
    decision = rule.decide(ballots, seed=0)
    if decision.level:
        return decision.level
    if decision.winner is not None:
        return (decision.winner,)
    return decision.leaders if decision.status != "tie" and len(decision.leaders) == 1 else ()


def _voter(label: str) -> str:
    """Whose a ballot is: a member's second sample is called "ada#2"."""
    return _SAMPLE.sub("", label)
