"""Stopping a vote as soon as the remaining ballots cannot change it: checked against trying them all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain, combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx.errors import ValidationError
from phalanx.formations.voting import (
    Approval,
    Ballot,
    Borda,
    BucketedConfidence,
    LogOdds,
    Majority,
    Plurality,
    RawBallot,
    Supermajority,
    Unanimity,
    VotingRule,
    cannot_change,
)

some = settings(max_examples=3000 if os.environ.get("PHALANX_TORTURE") else 60, deadline=None)


def choices_of(names: str) -> list[RawBallot]:
    return [None, *names, "somebody new", "and another"]


def sets_of(names: str) -> list[RawBallot]:
    known = [*names, "somebody new"]
    subsets = chain.from_iterable(combinations(known, size) for size in range(len(known) + 1))
    return [None, *(set(each) for each in subsets)]


def outcomes(
    rule: VotingRule, ballots: list[RawBallot], remaining: int, eligible: int, every: list[RawBallot]
) -> Iterator[tuple[object, ...]]:
    """The outcome of every way the remaining ballots may fall, by trying them all."""
    for rest in product(every, repeat=remaining):
        decision = rule.decide([*ballots, *rest], eligible=eligible)
        yield decision.status, decision.winner, decision.tied if decision.status == "tie" else ()


shares = st.sampled_from(["1/3", "1/2", "2/3", "3/4", 1.0])
options = st.fixed_dictionaries(
    {"tie_break": st.sampled_from([(), ("earliest",)])},
    optional={
        "quorum": st.integers(0, 6) | shares,
        "min_agreement": st.integers(0, 5) | shares,
        "agreement_of": st.sampled_from(["cast", "eligible"]),
        "min_margin": st.sampled_from([0, 1, 2, "3/2"]),
    },
)
head_counts = st.sampled_from([Plurality, Majority, Supermajority, Unanimity])


@some
@given(
    kind=head_counts, how=options, ballots=st.lists(st.sampled_from([*"abc", None]), max_size=6),
    remaining=st.integers(0, 3), more=st.integers(0, 2),
)  # fmt: skip
def test_it_says_so_exactly_when_no_way_to_vote_makes_a_difference(
    kind: type[Plurality], how: dict[str, object], ballots: list[RawBallot], remaining: int, more: int
) -> None:
    rule = kind.model_validate(how)
    eligible = len(ballots) + remaining + more
    every = set(outcomes(rule, ballots, remaining, eligible, choices_of("abc")))
    assert cannot_change(ballots, remaining, rule, eligible=eligible) is (len(every) == 1)


@some
@given(
    how=options, ballots=st.lists(st.sampled_from([None, {"a"}, {"b"}, {"a", "b"}, set()]), max_size=5),
    remaining=st.integers(0, 2),
)  # fmt: skip
def test_with_approvals_too(how: dict[str, object], ballots: list[RawBallot], remaining: int) -> None:
    rule = Approval.model_validate(how)
    eligible = len(ballots) + remaining
    every = set(outcomes(rule, ballots, remaining, eligible, sets_of("ab")))
    assert cannot_change(ballots, remaining, rule) is (len(every) == 1)


@some
@given(
    weights=st.lists(st.integers(1, 4), min_size=3, max_size=6), how=options,
    votes=st.lists(st.sampled_from("ab"), min_size=2, max_size=2),
)  # fmt: skip
def test_with_weights_too(weights: list[int], votes: list[str], how: dict[str, object]) -> None:
    rule = Plurality.model_validate({**how, "quorum": None})
    cast: list[RawBallot] = [Ballot(vote, weight=weight) for vote, weight in zip(votes, weights, strict=False)]
    waiting = [Ballot(weight=weight) for weight in weights[2:5]]
    every = set()
    for rest in product([None, "a", "b", "new"], repeat=len(waiting)):
        filled = [ballot.model_copy(update={"choice": choice}) for ballot, choice in zip(waiting, rest, strict=True)]
        decision = rule.decide([*cast, *filled])
        every.add((decision.status, decision.winner, decision.tied if decision.status == "tie" else ()))
    assert cannot_change(cast, waiting, rule) is (len(every) == 1)


@pytest.mark.parametrize(
    ("rule", "ballots", "remaining", "settled"),
    [
        (Plurality(), ["a", "a", "a"], 2, True),
        (Plurality(), ["a", "a"], 2, False),
        (Plurality(min_agreement=2), ["a", "a"], 1, True),
        (Plurality(min_agreement=2), ["a"], 1, False),
        (Majority(), ["a", "a", "a"], 2, True),
        (Majority(), ["a", "a"], 1, True),
        (Majority(), ["a", "a", "b"], 1, False),
        (Majority(), ["a", "b", "c"], 0, True),
        (Unanimity(), ["a", "b"], 5, True),
        (Unanimity(), ["a", "a"], 1, False),
        (Supermajority(), ["a", "a", "a", "a"], 2, True),
        (Supermajority(), ["a", "a", "a"], 2, False),
        (Plurality(quorum=5), ["a", "a"], 2, True),
        (Plurality(quorum=4), ["a", "a", "a"], 2, False),
        (Approval(), [{"a"}, {"a", "b"}, {"a"}], 1, True),
        (Borda(), [["a", "b"]] * 9, 1, False),
        (Borda(), [["a", "b"]], 0, True),
    ],
)
def test_by_example(rule: VotingRule, ballots: list[RawBallot], remaining: int, settled: bool) -> None:
    assert cannot_change(ballots, remaining, rule) is settled


def test_a_tie_that_would_be_drawn_by_lot_is_open() -> None:
    for seed in range(5):
        assert Plurality().decide(["a", "a", "b", "b"], seed=seed).tie_break == "random"
        assert not cannot_change(["a", "a", "b"], 1, Plurality())
    assert cannot_change(["a", "a", "b"], 1, Plurality(tie_break=("earliest",)))
    assert not cannot_change(["a", "a", "b"], 1, Plurality(tie_break=("confidence", "earliest")))
    assert cannot_change(["a", "a", "b"], 1, Plurality(tie_break=("leader",)), leader="a")


def test_without_newcomers_less_is_open() -> None:
    rule = Majority(agreement_of="cast", quorum=0)
    assert not cannot_change(["a", "a", "b"], 2, rule, candidates=["a", "b"])
    assert cannot_change(["a", "a", "a", "b"], 2, rule, candidates=["a", "b", "c"]) is False
    assert cannot_change(["a", "a", "a", "a", "b"], 2, rule, candidates=["a", "b"])


def test_what_is_known_of_the_remaining_voters_is_used() -> None:
    rule = LogOdds(skills={"ada": 0.9, "bob": 0.6, "eve": 0.6})
    cast = [Ballot("x", voter="ada")]
    assert cannot_change(cast, [Ballot(voter="bob"), Ballot(voter="eve")], rule)
    assert not cannot_change([Ballot("x", voter="bob")], [Ballot(voter="ada")], rule)
    sure = BucketedConfidence()
    assert cannot_change([Ballot("x", confidence=1), Ballot("x", confidence=0.9)], [Ballot(confidence=1)], sure)


def test_a_remaining_ballot_that_has_been_cast_is_refused() -> None:
    with pytest.raises(ValidationError, match="already says something"):
        cannot_change(["a"], [Ballot("b")], Plurality())
