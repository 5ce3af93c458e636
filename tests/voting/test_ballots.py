"""What a ballot may say, and what happens to one that cannot be counted."""

from __future__ import annotations

import enum
import math
import pickle
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx.errors import ValidationError
from phalanx.formations.voting import Approval, Ballot, Borda, Cumulative, Plurality, RawBallot, Score, VotingRule
from phalanx.formations.voting.exact import exact


def test_each_form_of_ballot_says_what_it_looks_like() -> None:
    assert Plurality().decide(["a", "b", "a"]).winner == "a"
    assert Borda().decide([["a", "b"], ["b", "a"], ["b", "a"]]).winner == "b"
    assert Approval().decide([{"a", "b"}, {"b"}]).winner == "b"
    assert Score().decide([{"a": 3, "b": 1}, {"a": 2, "b": 2}]).winner == "a"


def test_a_ballot_with_a_name_and_one_without_count_the_same() -> None:
    assert Plurality().decide([Ballot("a"), "b", "a"]).tally == {"a": 2, "b": 1}
    assert Borda().decide([Ballot(ranking=["a", "b"]), ["a", "b"]]).tally == {"a": 2, "b": 0}
    assert Approval().decide([Ballot(approved=["a"]), {"a"}]).tally == {"a": 2}
    assert Score().decide([Ballot(scores={"a": 4}), {"a": 6}]).tally == {"a": 5}


@pytest.mark.parametrize("empty", [None, [], {}, Ballot(), Ballot(voter="ada"), Ballot(ranking=[]), Ballot(scores={})])
def test_a_ballot_that_says_nothing_abstains(empty: RawBallot) -> None:
    rule = Score() if empty == {} or isinstance(empty, Ballot) else Borda()
    decision = rule.decide([empty])
    assert (decision.status, decision.cast, decision.abstained) == ("no_quorum", 0, 1)


def test_approving_of_nobody_is_a_vote_and_no_abstention() -> None:
    decision = Approval(min_agreement="2/3").decide([{"a"}, set()])
    assert (decision.status, decision.cast, decision.agreement) == ("no_agreement", 2, Fraction(1, 2))


@pytest.mark.parametrize(
    ("rule", "ballot", "problem"),
    [
        (Borda(), ["a", "b", "a"], "ranks 'a' more than once"),
        (Cumulative(points=10), {"a": 3, "b": 1}, "add up to 4, not to 10"),
        (Cumulative(points=10), {"a": 12, "b": -2}, "negative points"),
        (Score(high=10), {"a": 11}, "scores go from 0 to 10"),
        (Score(), {"a": math.nan}, "not a finite number"),
        (Score(), {"a": math.inf}, "not a finite number"),
        (Score(), {"a": True}, "not a finite number"),
        (Plurality(), "  ", "blank"),
        (Borda(), ["a", ""], "not blank"),
        (Plurality(), 5, "is no ballot"),
        (Borda(), [["a"]], "no candidate"),
        (Borda(), [1, 2], "no candidate"),
        (Plurality(), {"a", "b"}, "a set of approvals; this rule counts one choice"),
        (Approval(), ["a", "b"], "a ranking; this rule counts sets"),
        (Borda(), {"a": 1}, "scores; this rule counts rankings"),
        (Score(), "a", "a single choice; this rule counts scores"),
    ],
)
def test_an_invalid_ballot_is_an_error_or_an_abstention_that_is_told(
    rule: VotingRule, ballot: RawBallot, problem: str
) -> None:
    forms: dict[str, RawBallot] = {"score": {"a": 4, "b": 6}, "cumulative": {"a": 4, "b": 6}, "approval": {"b"}}
    good = forms.get(rule.kind, "b")
    with pytest.raises(ValidationError, match="ballot 1 is invalid") as error:
        rule.decide([good, ballot])
    assert problem in str(error.value)
    decision = rule.model_copy(update={"on_invalid": "abstain"}).decide([good, ballot])
    assert (decision.winner, decision.cast, decision.abstained) == ("b", 1, 1)
    assert [each.ballot for each in decision.invalid] == [1]
    assert problem in decision.invalid[0].problem


def test_a_vote_for_somebody_who_is_no_candidate_is_invalid_and_the_nearest_name_is_shown() -> None:
    with pytest.raises(
        ValidationError, match=r"ballot 2 \(of ada\).*'Pariss' is not a candidate \(did you mean 'Paris'\?\)"
    ):
        Plurality().decide(["Paris", "Rome", Ballot("Pariss", voter="ada")], candidates=["Paris", "Rome"])
    decision = Plurality(on_invalid="abstain").decide(["Paris", "Oslo"], candidates=["Paris", "Rome"])
    assert decision.tally == {"Paris": 1, "Rome": 0}
    assert decision.abstained == 1


class Verdict(str, enum.Enum):  # noqa: UP042 - what a StrEnum writes is its text, and what this writes is not
    YES = "a"
    NO = "b"


@pytest.mark.parametrize(
    ("rule", "enumerated", "plain"),
    [
        (Plurality(), Verdict.YES, "a"),
        (Borda(), [Verdict.YES], ["a"]),
        (Borda(), (Verdict.YES,), ["a"]),
        (Approval(), {Verdict.YES}, {"a"}),
        (Score(), {Verdict.YES: 5}, {"a": 5}),
    ],
)
def test_members_of_an_enumeration_are_the_texts_that_they_are(
    rule: VotingRule, enumerated: RawBallot, plain: RawBallot
) -> None:
    forms: dict[str, RawBallot] = {"score": {"b": 5}, "approval": {"b"}, "borda": ["b"]}
    other = forms.get(rule.kind, "b")
    for seed in range(8):
        written = rule.decide([plain, other], seed=seed).model_dump_json()
        decision = rule.decide([enumerated, other], seed=seed)
        assert decision.model_dump_json() == written
        assert {type(name) for name in decision.tally} == {str}
        assert rule.decide([plain, other], seed=seed, candidates=Verdict).model_dump_json() == written
    # Both may stand in one vote, in any order.
    heap = [enumerated, plain, other, other]
    assert rule.decide(heap).model_dump_json() == rule.decide([plain, enumerated, other, other]).model_dump_json()


@pytest.mark.parametrize("rule", [Plurality(), Borda(), Approval()])
@pytest.mark.parametrize("given", ["abc", {"a": 1}, {"a", "b"}, frozenset("a"), Ballot("a"), None, 5, iter(["a"])])
def test_anything_instead_of_a_list_of_ballots_is_refused(rule: VotingRule, given: object) -> None:
    # A set would hold two equal votes as one.
    with pytest.raises(ValidationError, match="give a list"):
        rule.decide(given)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="give a list"):
        rule.decide(given, eligible=3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        ({"choice": "a", "ranking": ["a"]}, "choice and ranking"),
        ({"choice": " "}, "blank"),
        ({"choice": "a", "weight": -1}, "negative"),
        ({"choice": "a", "weight": math.nan}, "finite"),
        ({"choice": "a", "confidence": 95}, "0 to 1"),
        ({"choice": "a", "confidence": math.nan}, "0 to 1"),
        ({"ranking": ["a", "a"]}, "more than once"),
        ({"scores": {"a": math.inf}}, "finite"),
    ],
)
def test_a_ballot_that_makes_no_sense_cannot_be_made(facts: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Ballot(**facts)  # type: ignore[arg-type]


def test_weights_are_exact_whatever_they_are_written_as() -> None:
    ballots = [Ballot("a", weight=0.1), Ballot("a", weight="1/5"), Ballot("b", weight=Fraction(3, 10))]
    decision = Plurality(tie_break=()).decide(ballots)
    assert decision.status == "tie"
    assert decision.tally == {"a": Fraction(3, 10), "b": Fraction(3, 10)}


def test_a_float_is_read_as_the_fraction_it_was_written_for() -> None:
    assert [exact(x) for x in (0.1, 2 / 3, 5 / 6, 0.66, 1e-6, "66%", " 2/3 ", 3)] == [
        Fraction(1, 10), Fraction(2, 3), Fraction(5, 6), Fraction(33, 50), Fraction(1, 10**6), Fraction(33, 50),
        Fraction(2, 3), Fraction(3),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "a", "1/0", "1e999999999", "--1", "1/2/3"])
def test_a_text_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        exact(text)


@pytest.mark.parametrize(
    "ballot",
    [
        Ballot("a", voter="ada", weight="2/3", confidence=0.5, text="because"),
        Ballot(ranking=["a", "b"]),
        Ballot(approved=["b", "a"]),
        Ballot(scores={"a": 0.1, "b": 3}),
        Ballot(),
    ],
)
def test_a_ballot_survives_json_and_pickle(ballot: Ballot) -> None:
    assert Ballot.model_validate_json(ballot.model_dump_json()) == ballot
    assert pickle.loads(pickle.dumps(ballot)) == ballot


@pytest.mark.parametrize("bad", [["b", "a", "b"], ["a", " "], ["a", 3]])
def test_a_bad_ranking_is_found_among_good_ones_that_name_the_same_candidates(bad: list[str]) -> None:
    with pytest.raises(ValidationError, match="ballot 2 is invalid"):
        Borda().decide([["a", "b", "c"], ["c", "a"], bad])


@given(
    st.lists(st.permutations("abcd").flatmap(lambda names: st.integers(1, 4).map(lambda cut: names[:cut])), min_size=1),
    st.integers(1, 3),
)
def test_borda_gives_what_counting_each_ballot_by_itself_gives(rankings: list[list[str]], weight: int) -> None:
    candidates = sorted({name for ranking in rankings for name in ranking})
    points = dict.fromkeys(candidates, Fraction(0))
    for at, ranking in enumerate(rankings):
        own = weight if at == 0 else 1
        for rank, name in enumerate(ranking):
            points[name] += own * (len(candidates) - 1 - rank)
        rest = [name for name in candidates if name not in ranking]
        for name in rest:
            points[name] += own * Fraction(len(rest) - 1, 2)

    ballots: list[RawBallot] = [Ballot(ranking=rankings[0], weight=weight), *rankings[1:]]

    assert Borda().decide(ballots).tally == points
