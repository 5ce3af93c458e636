"""What is read and decided at one glance is what looking at each ballot by itself comes to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx.errors import ValidationError
from phalanx.formations.voting import (
    Approval,
    Ballot,
    Borda,
    Copeland,
    Cumulative,
    InstantRunoff,
    Majority,
    Median,
    Plurality,
    RawBallot,
    Schulze,
    Score,
    Supermajority,
    Unanimity,
    VotingRule,
)

NAMES = ["a", "b", "c c", "ü", "d" * 70]
names = st.sampled_from(NAMES)
options = st.fixed_dictionaries(
    {},
    optional={
        "min_agreement": st.integers(0, 4) | st.sampled_from(["1/2", "2/3", 1.0]),
        "agreement_of": st.sampled_from(["cast", "eligible"]),
        "quorum": st.integers(0, 4),
        "min_margin": st.integers(0, 2),
        "tie_break": st.sampled_from([(), ("earliest",), ("verifier", "random")]),
    },
)
head_counts = st.sampled_from([Plurality, Majority, Supermajority, Unanimity])


@given(
    kind=head_counts, how=options, choices=st.lists(names | st.none(), max_size=9), silent=st.integers(0, 2),
    seed=st.integers(0, 3),
)  # fmt: skip
def test_choices_are_decided_like_rankings_of_one(
    kind: type[Plurality], how: dict[str, object], choices: list[str | None], silent: int, seed: int
) -> None:
    # A ranking counts for its first place; nothing about it can be told at one glance.
    rule, eligible = kind.model_validate(how), len(choices) + silent
    ranked = [None if choice is None else [choice] for choice in choices]
    long_way = rule.decide(ranked, seed=seed, eligible=eligible)
    assert rule.decide(choices, seed=seed, eligible=eligible) == long_way
    assert rule.decide(tuple(choices), seed=seed, eligible=eligible).model_dump_json() == long_way.model_dump_json()


signed = st.tuples(
    names, st.sampled_from([1, 1, 1, 2, 0]), st.sampled_from([None, "ada", "bob"]), st.sampled_from([None, "so it is"])
)


@given(kind=head_counts, how=options, said=st.lists(signed, max_size=7), plain=st.lists(names, max_size=3))
def test_signed_choices_too_with_their_weights_voters_and_reasons(
    kind: type[Plurality],
    how: dict[str, object],
    said: list[tuple[str, int, str | None, str | None]],
    plain: list[str],
) -> None:
    rule = kind.model_validate(how)
    chosen = [Ballot(name, weight=weight, voter=voter, text=text) for name, weight, voter, text in said]
    ranked = [Ballot(ranking=[name], weight=weight, voter=voter, text=text) for name, weight, voter, text in said]
    assert rule.decide([*chosen, *plain]) == rule.decide([*ranked, *([name] for name in plain)])


def test_a_rule_of_ones_own_that_counts_heads_otherwise_is_asked() -> None:
    class Backwards(Plurality):
        def admit(self, content: object) -> str:
            return str(content)[::-1]

    assert Backwards().decide(["ab", "ab", "cd"]).winner == "ba"


rankings = st.lists(st.lists(names, unique=True), max_size=9)
sets = st.lists(st.sets(names), max_size=9)
grades = st.lists(st.dictionaries(names, st.integers(0, 10) | st.sampled_from([0.5, "1/3"])), max_size=9)


@given(rule=st.sampled_from([Borda(), InstantRunoff(), Copeland(), Schulze()]), ballots=rankings)
def test_rankings_read_at_once_count_like_those_read_one_by_one(rule: VotingRule, ballots: list[list[str]]) -> None:
    assert _same(rule, list(ballots), [Ballot(ranking=each) for each in ballots])


@given(ballots=sets)
def test_approvals_too(ballots: list[set[str]]) -> None:
    assert _same(Approval(), list(ballots), [Ballot(approved=each) for each in ballots])


@given(rule=st.sampled_from([Score(), Score(missing="low"), Median(), Median(missing="low")]), ballots=grades)
def test_scores_too(rule: VotingRule, ballots: list[dict[str, int | float | str]]) -> None:
    assert _same(rule, list(ballots), [Ballot(scores=each) for each in ballots])


def _same(rule: VotingRule, plain: list[RawBallot], checked: list[Ballot]) -> bool:
    return rule.decide(plain) == rule.decide(checked)


GOOD: list[tuple[VotingRule, RawBallot]] = [
    (Borda(), ["a", "b", "c"]),
    (Approval(), {"a", "b"}),
    (Score(), {"a": 3, "b": 1}),
    (Cumulative(), {"a": 6, "b": 4}),
    (Plurality(), "a"),
]
BAD: list[tuple[int, object, str]] = [
    (0, ["a", "b", "a"], "more than once"),
    (0, ["a", " "], "no candidate"),
    (0, ["a", 1], "no candidate"),
    (0, ["a", ["b"]], "no candidate"),
    (0, "", "blank"),
    (0, {"a", "b"}, "a set of approvals"),
    (1, {"a", ""}, "no candidate"),
    (1, {"a", 1}, "no candidate"),
    (2, {"a": True}, "not a finite number"),
    (2, {"a": float("nan")}, "not a finite number"),
    (2, {"a": 11}, "from 0 to 10"),
    (2, {"a": -1, "b": 3}, "from 0 to 10"),
    (2, {"": 3}, "no candidate"),
    (2, {1: 3, "a": 2}, "no candidate"),
    (2, {"a": [1]}, "not a finite number"),
    (3, {"a": 6, "b": 3}, "add up to 9"),
    (3, {"a": 11, "b": -1}, "negative"),
    (4, " ", "blank"),
    (4, {"a"}, "a set of approvals"),
]


@pytest.mark.parametrize(("which", "bad", "why"), BAD)
def test_one_bad_ballot_among_many_good_ones_is_found_and_named(which: int, bad: RawBallot, why: str) -> None:
    rule, good = GOOD[which]
    ballots: list[RawBallot] = [*[good] * 40, bad, *[good] * 40]
    with pytest.raises(ValidationError, match=f"ballot 40 is invalid: .*{why}"):
        rule.decide(ballots)
    lenient = rule.model_copy(update={"on_invalid": "abstain"}).decide(ballots)
    assert [each.ballot for each in lenient.invalid] == [40]
    assert (lenient.winner, lenient.cast, lenient.abstained) == ("a" if which != 1 else lenient.winner, 80, 1)


def test_true_is_no_score_beside_ballots_that_say_one() -> None:
    with pytest.raises(ValidationError, match="ballot 1 is invalid: True is not a finite number"):
        Score().decide([{"a": 1}, {"a": True}, {"a": 1}])


def test_ballots_that_say_the_same_in_two_forms_count_together() -> None:
    decision = Borda().decide([["b", "a"], Ballot(ranking=["a", "b"]), ["a", "b"], "a", ("b", "a"), ["b", "a"]])
    assert decision.tally == {"a": 3, "b": 3}
    plurality = Plurality(tie_break=()).decide([["b", "a"], Ballot("a"), "a", Ballot("b", voter="bob"), ["c"]])
    assert plurality.tied == ("a", "b")
    assert [each.ballots for each in plurality.dissent] == [(4,)]


@pytest.mark.parametrize("rule", [Score(tie_break=()), Median(tie_break=())])
def test_the_words_about_a_tie_do_not_depend_on_who_was_scored_first(rule: VotingRule) -> None:
    one, other = rule.decide([{"b": 3, "a": 3}, {"c": 1}]), rule.decide([{"c": 1}, {"a": 3, "b": 3}])
    assert one.explanation == other.explanation
    assert "'a' and 'b' are tied at 3" in one.explanation
