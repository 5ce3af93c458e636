"""The short way to count heads comes to what the long way comes to, to the last word."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from phalanx.errors import ValidationError
from phalanx.formations.voting import Ballot, Majority, Plurality, Supermajority, Unanimity, VotingRule

RULES = [
    made(**options)
    for made in (Plurality, Majority, Supermajority, Unanimity)
    for options in (
        {}, {"tie_break": ()}, {"quorum": 2}, {"min_agreement": 2}, {"min_agreement": 0.6}, {"min_margin": 1},
        {"tie_break": (), "min_agreement": 0.5, "agreement_of": "eligible"},
    )
]  # fmt: skip
_BALLOTS = st.one_of(
    st.none(),
    st.builds(Ballot, st.sampled_from("abc"), voter=st.sampled_from(["ada", "bob", None]), text=st.none()),
    st.builds(Ballot.of, st.sampled_from(["a", "b", "the river"]), voter=st.just("cy"), text=st.just("reasons")),
)
_OTHERS = st.one_of(
    st.sampled_from(["a", "b", ["b", "a"]]),
    st.just(Ballot(voter="silent")),
    st.builds(Ballot, st.sampled_from("ab"), weight=st.sampled_from([0, Fraction(1, 3), 1, 2])),
    st.just(Ballot(ranking=["c", "a"])),
)


def _is_decided_alike(rule: VotingRule, ballots: list[object], eligible: int) -> None:
    long = VotingRule.decide(rule, ballots, seed=7, eligible=eligible)  # type: ignore[arg-type]
    short = rule.decide(ballots, seed=7, eligible=eligible)  # type: ignore[arg-type]

    assert short == long
    assert short.model_fields_set == long.model_fields_set
    assert list(short.tally.items()) == list(long.tally.items())
    assert short.model_dump_json() == long.model_dump_json()


@given(st.sampled_from(RULES), st.lists(_BALLOTS, max_size=7), st.integers(0, 3))
def test_single_choices_come_to_the_same(rule: VotingRule, ballots: list[object], more: int) -> None:
    _is_decided_alike(rule, ballots, len(ballots) + more)


@given(st.sampled_from(RULES), st.lists(_BALLOTS | _OTHERS, max_size=6))
@example(Plurality(tie_break=()), [Ballot("a", weight=2), Ballot("b")])
@example(Unanimity(), [Ballot("a"), "b"])
@example(Plurality(tie_break=()), [Ballot("a"), Ballot(ranking=["b"]), Ballot("b")])
def test_so_do_ballots_that_say_more_or_weigh_otherwise(rule: VotingRule, ballots: list[object]) -> None:
    _is_decided_alike(rule, ballots, len(ballots))


@given(
    st.sampled_from(RULES),
    st.lists(st.sampled_from(["a", "b", None]) | _BALLOTS, max_size=6),
    st.lists(st.sampled_from(["a", "b", "c", "d", "the river"]), min_size=1, unique=True),
)
@example(Unanimity(quorum=2), ["a", "a"], ["b", "a", "c"])
@example(Unanimity(quorum=3), ["a", "a"], ["b", "a"])
def test_so_do_ballots_among_named_candidates(rule: VotingRule, ballots: list[object], candidates: list[str]) -> None:
    try:
        long = VotingRule.decide(rule, ballots, seed=7, candidates=candidates)  # type: ignore[arg-type]
    except ValidationError as refused:
        with pytest.raises(ValidationError, match=re.escape(str(refused))):
            rule.decide(ballots, seed=7, candidates=iter(candidates))  # type: ignore[arg-type]
        return
    short = rule.decide(ballots, seed=7, candidates=iter(candidates))  # type: ignore[arg-type]
    assert list(short.tally.items()) == list(long.tally.items())
    assert short.model_dump_json() == long.model_dump_json()


@pytest.mark.parametrize("candidates", [["a", "a"], ["a", " "], ["a", 1], ["a", []], ["b"]])
def test_a_choice_among_wrong_candidates_is_refused(candidates: list[str]) -> None:
    with pytest.raises(ValidationError, match="candidate"):
        Plurality().decide(["a"], candidates=candidates)


def test_a_rule_made_from_one_of_these_counts_in_its_own_way() -> None:
    class Contrary(Plurality):
        def preferred(self, content: object) -> tuple[str, ...]:
            return ("nobody",)

    assert Contrary().decide([Ballot("a"), Ballot("nobody")], seed=1).winner == "nobody"


@pytest.mark.parametrize("ballots", ["ab", {"a": 1}])
def test_one_ballot_in_place_of_a_list_is_an_error(ballots: object) -> None:
    with pytest.raises(ValidationError, match="give a list of ballots"):
        Plurality().decide(ballots)  # type: ignore[arg-type]


def test_more_ballots_than_are_eligible_are_an_error() -> None:
    with pytest.raises(ValidationError, match="only 1 are eligible"):
        Plurality().decide([Ballot("a"), Ballot("a")], eligible=1)
