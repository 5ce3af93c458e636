"""What each family of rules must hold for every profile, by generated ones; many more with PHALANX_TORTURE=1."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from phalanx.formations.voting import (
    Approval,
    Ballot,
    Borda,
    Copeland,
    Cumulative,
    Decision,
    Equivalence,
    InstantRunoff,
    LinearPool,
    LogarithmicPool,
    LogOdds,
    Majority,
    Median,
    Minimax,
    Plurality,
    RankedPairs,
    RawBallot,
    Schulze,
    Score,
    Supermajority,
    Unanimity,
    VotingRule,
)

some = settings(
    max_examples=1000 if os.environ.get("PHALANX_TORTURE") else 25,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much],
)
Profile = list[RawBallot]
NAMES = "abcd"

choices = st.lists(st.sampled_from(NAMES), min_size=1, max_size=9)
permutations = st.permutations(NAMES).map(list)
truncated = st.tuples(permutations, st.integers(1, 4)).map(lambda each: each[0][: each[1]])
full_rankings = st.lists(permutations, min_size=1, max_size=9)
rankings = st.lists(truncated, min_size=1, max_size=9)
approvals = st.lists(st.sets(st.sampled_from(NAMES), min_size=1), min_size=1, max_size=9)
grades = st.lists(st.dictionaries(st.sampled_from(NAMES), st.integers(0, 10), min_size=1), min_size=1, max_size=9)
points = st.lists(
    st.lists(st.sampled_from(NAMES), min_size=5, max_size=5).map(lambda spent: dict(Counter(spent))),
    min_size=1,
    max_size=9,
)
opinions = st.lists(
    st.lists(st.integers(1, 9), min_size=4, max_size=4).map(
        lambda parts: {name: Fraction(part, sum(parts)) for name, part in zip(NAMES, parts, strict=True)}
    ),
    min_size=1,
    max_size=7,
)

# Without lots: equals are treated as equals, so that every property can be asked exactly.
COUNTED: list[tuple[VotingRule, Any]] = [
    (Plurality(tie_break=()), choices),
    (Majority(tie_break=()), choices),
    (Supermajority(tie_break=()), choices),
    (Unanimity(tie_break=()), choices),
    (LogOdds(tie_break=(), unknown=0.7), choices),
    (Approval(tie_break=()), approvals),
    (Borda(tie_break=()), rankings),
    (InstantRunoff(tie_break=(), elimination="all"), rankings),
    (Copeland(tie_break=()), rankings),
    (Schulze(tie_break=()), rankings),
    (RankedPairs(tie_break=(), ties="together"), rankings),
    (Minimax(tie_break=()), rankings),
    (Score(tie_break=()), grades),
    (Median(tie_break=()), grades),
    (Cumulative(tie_break=(), points=5), points),
    (LinearPool(tie_break=()), opinions),
    (LogarithmicPool(tie_break=()), opinions),
]

each_rule = pytest.mark.parametrize(("rule", "profiles"), COUNTED, ids=[rule.kind for rule, _ in COUNTED])


def outcome(decision: Decision) -> tuple[object, ...]:
    return decision.status, decision.winner, decision.leaders, decision.tally, decision.margin, decision.agreement


@each_rule
@some
@given(data=st.data())
def test_the_order_of_ballots_does_not_matter(
    rule: VotingRule, profiles: st.SearchStrategy[Profile], data: st.DataObject
) -> None:
    profile = data.draw(profiles)
    shuffled = data.draw(st.permutations(profile))
    assert outcome(rule.decide(shuffled)) == outcome(rule.decide(profile))
    with_lots = rule.model_copy(update={"tie_break": ("random",)})
    assert outcome(with_lots.decide(shuffled, seed=3)) == outcome(with_lots.decide(profile, seed=3))


def renamed(ballot: RawBallot, names: dict[str, str]) -> RawBallot:
    if isinstance(ballot, str):
        return names[ballot]
    if isinstance(ballot, dict):
        return {names[name]: score for name, score in ballot.items()}
    assert isinstance(ballot, (list, set))
    return type(ballot)(names[name] for name in ballot)


@each_rule
@some
@given(data=st.data())
def test_the_names_of_candidates_do_not_matter(
    rule: VotingRule, profiles: st.SearchStrategy[Profile], data: st.DataObject
) -> None:
    profile = data.draw(profiles)
    names = dict(zip(NAMES, data.draw(st.permutations(["paris", "Zoë", "42", "x y"])), strict=True))
    before, after = rule.decide(profile), rule.decide([renamed(ballot, names) for ballot in profile])
    assert after.status == before.status
    assert set(after.leaders) == {names[name] for name in before.leaders}
    assert after.tally == {names[name]: value for name, value in before.tally.items()}


@each_rule
@some
@given(data=st.data(), count=st.integers(1, 6))
def test_when_all_say_the_same_their_favourite_wins(
    rule: VotingRule, profiles: st.SearchStrategy[Profile], data: st.DataObject, count: int
) -> None:
    ballot = data.draw(profiles)[0]
    assert set(rule.decide([ballot] * count).leaders) == _favourites(ballot)


def _favourites(ballot: RawBallot) -> set[str]:
    if isinstance(ballot, str):
        return {ballot}
    if isinstance(ballot, dict):
        return {name for name, score in ballot.items() if score == max(ballot.values())}
    assert isinstance(ballot, (list, set))
    return {ballot[0]} if isinstance(ballot, list) else set(ballot)


@each_rule
@some
@given(data=st.data(), weights=st.lists(st.integers(1, 3), min_size=9, max_size=9))
def test_a_ballot_of_weight_n_is_n_ballots(
    rule: VotingRule, profiles: st.SearchStrategy[Profile], data: st.DataObject, weights: list[int]
) -> None:
    profile = data.draw(profiles)
    many = [ballot for ballot, weight in zip(profile, weights, strict=False) for _ in range(weight)]
    heavy = [_weighed(ballot, Fraction(weight, 3)) for ballot, weight in zip(profile, weights, strict=False)]
    one, other = rule.decide(many), rule.decide(heavy)
    assert (one.status, one.winner, one.leaders, one.agreement) == (
        other.status,
        other.winner,
        other.leaders,
        other.agreement,
    )


def _weighed(ballot: RawBallot, weight: Fraction) -> Ballot:
    if isinstance(ballot, str):
        return Ballot(ballot, weight=weight)
    if isinstance(ballot, dict):
        return Ballot(scores=ballot, weight=weight)
    if isinstance(ballot, list):
        return Ballot(ranking=ballot, weight=weight)
    assert isinstance(ballot, set)
    return Ballot(approved=ballot, weight=weight)


def rules(*kinds: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    chosen = [(rule, profiles) for rule, profiles in COUNTED if rule.kind in kinds]
    assert len(chosen) == len(kinds)
    return pytest.mark.parametrize(("rule", "profiles"), chosen, ids=kinds)


CONDORCET = ("copeland", "schulze", "ranked_pairs", "minimax")
MONOTONE = ("plurality", "majority", "supermajority", "approval", "borda", "score", "median", *CONDORCET)


@rules(*MONOTONE)
@some
@given(data=st.data())
def test_more_support_never_hurts_the_winner(
    rule: VotingRule, profiles: st.SearchStrategy[Profile], data: st.DataObject
) -> None:
    profile = data.draw(profiles)
    before = rule.decide(profile)
    assume(before.status == "decided")
    at = data.draw(st.integers(0, len(profile) - 1))
    raised = [*profile[:at], _raised(profile[at], before.winner or "", data), *profile[at + 1 :]]
    assert rule.decide(raised).winner == before.winner


def _raised(ballot: RawBallot, winner: str, data: st.DataObject) -> RawBallot:
    """The ballot with the winner further up and all else as it was."""
    if isinstance(ballot, str):
        return winner
    if isinstance(ballot, dict):
        if winner not in ballot:
            return ballot
        return {**ballot, winner: data.draw(st.integers(int(ballot[winner]), 10))}
    if isinstance(ballot, set):
        return ballot | {winner}
    assert isinstance(ballot, list)
    rest = [name for name in ballot if name != winner]
    place = ballot.index(winner) if winner in ballot else len(rest)
    to = data.draw(st.integers(0, place))
    return [*rest[:to], winner, *rest[to:]]


def beats(profile: Profile, one: str, other: str) -> int:
    """How many more ballots rank one above the other than the reverse, counted the slow way."""
    lead = 0
    for ballot in profile:
        assert isinstance(ballot, list)
        here = ballot.index(one) if one in ballot else len(NAMES)
        there = ballot.index(other) if other in ballot else len(NAMES)
        lead += (here < there) - (here > there)
    return lead


@rules(*CONDORCET)
@some
@given(data=st.data())
def test_who_beats_every_other_wins(
    rule: VotingRule, profiles: st.SearchStrategy[Profile], data: st.DataObject
) -> None:
    profile = data.draw(profiles)
    best = [one for one in NAMES if all(beats(profile, one, other) > 0 for other in NAMES if other != one)]
    assume(best)
    assert rule.decide(profile, candidates=NAMES).winner == best[0]


@rules("borda", "instant_runoff", "copeland", "schulze", "ranked_pairs")
@some
@given(data=st.data())
def test_who_loses_to_every_other_never_wins(
    rule: VotingRule, profiles: st.SearchStrategy[Profile], data: st.DataObject
) -> None:
    if rule.kind == "instant_runoff":  # dropping several at once can leave the loser alone
        rule = InstantRunoff(elimination="previous", tie_break=())
    profile = data.draw(profiles)
    worst = [one for one in NAMES if all(beats(profile, one, other) < 0 for other in NAMES if other != one)]
    assume(worst)
    assert rule.decide(profile, candidates=NAMES).winner != worst[0]


@rules("instant_runoff", "schulze", "ranked_pairs")
@some
@given(data=st.data())
def test_a_copy_of_a_loser_changes_nothing(
    rule: VotingRule, profiles: st.SearchStrategy[Profile], data: st.DataObject
) -> None:
    if rule.kind == "instant_runoff":  # where lots are drawn, a copy may draw another one
        rule = InstantRunoff(elimination="random", tie_break=())
    profile = data.draw(profiles)
    before = rule.decide(profile, candidates=NAMES)
    assume(before.status == "decided" and not before.notes)
    loser = data.draw(st.sampled_from([name for name in NAMES if name != before.winner]))
    cloned: Profile = []
    for ballot in profile:
        assert isinstance(ballot, list)
        pair = data.draw(st.permutations([loser, "copy"]))
        cloned.append([name for each in ballot for name in (pair if each == loser else [each])])
    after = rule.decide(cloned, candidates=[*NAMES, "copy"])
    assume(not after.notes)
    assert after.winner == before.winner


@rules("plurality", "approval", "borda", "cumulative", "linear_pool")
@some
@given(data=st.data())
def test_two_electorates_that_agree_agree_together(
    rule: VotingRule, profiles: st.SearchStrategy[Profile], data: st.DataObject
) -> None:
    one, other = data.draw(profiles), data.draw(profiles)
    first, second = rule.decide(one, candidates=NAMES), rule.decide(other, candidates=NAMES)
    assume(first.status == second.status == "decided" and first.winner == second.winner)
    assert rule.decide([*one, *other], candidates=NAMES).winner == first.winner


@some
@given(choices)
def test_a_majority_is_a_plurality_with_more_than_half(profile: list[str]) -> None:
    counts = Counter(profile)
    winner, votes = counts.most_common(1)[0]
    decision = Majority().decide(profile)
    assert (decision.winner == winner) is (2 * votes > len(profile))
    assert Plurality(tie_break=()).decide(profile).leaders == tuple(
        sorted(name for name, count in counts.items() if count == votes)
    )


@some
@given(rankings)
def test_margins_are_those_counted_the_slow_way(profile: list[list[str]]) -> None:
    expected = {
        one: sum(
            (lead > 0) + Fraction(lead == 0, 2)
            for lead in (beats([*profile], one, other) for other in NAMES if other != one)
        )
        for one in NAMES
    }
    assert Copeland().decide(profile, candidates=NAMES).tally == expected
    worst = {one: -max(beats([*profile], other, one) for other in NAMES if other != one) for one in NAMES}
    assert Minimax().decide(profile, candidates=NAMES).tally == worst


@some
@given(full_rankings)
def test_borda_counts_the_comparisons_won(profile: list[list[str]]) -> None:
    wins = {name: Fraction(0) for name in NAMES}
    for one, other in combinations(NAMES, 2):
        for ballot in profile:
            wins[min(one, other, key=ballot.index)] += 1
    assert Borda().decide(profile).tally == wins


SPELLINGS = {
    "12": ["12", "12.0", "$12", "12 dollars", "Answer: 12", "The answer is 12.", "\\boxed{12}", "**12**"],
    "paris": ["Paris", "paris", "paris.", "The answer is Paris", "Answer: **Paris**"],
    "(b)": ["B", "(B)", "B)", "option B", "Answer: (B)"],
}


@some
@given(st.lists(st.sampled_from(sorted(SPELLINGS)), min_size=1, max_size=9), st.data())
def test_how_an_answer_is_spelled_does_not_change_the_vote(answers: list[str], data: st.DataObject) -> None:
    written = [data.draw(st.sampled_from(SPELLINGS[answer])) for answer in answers]
    merged = Equivalence().classes(written)
    decision = Plurality(tie_break=()).decide(list(merged.choices))
    plain = Plurality(tie_break=()).decide(answers)
    assert decision.status == plain.status
    assert sorted(decision.tally.values()) == sorted(plain.tally.values())
    if plain.winner is not None:
        assert decision.winner in {Equivalence().read(text) for text in SPELLINGS[plain.winner]}
