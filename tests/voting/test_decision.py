"""What every rule's decision says: status, quorum, agreement, margin, tie-breaks, dissent, fallbacks, credit."""

from __future__ import annotations

import pickle
from fractions import Fraction

import pytest
from pydantic import ValidationError as PydanticError

from phalanx.errors import ValidationError
from phalanx.formations.voting import (
    Approval,
    Ballot,
    Borda,
    Decision,
    Majority,
    Plurality,
    RawBallot,
    Score,
    Supermajority,
    Unanimity,
    VotingRule,
)
from phalanx.formations.voting.decision import Status, Step


def status(
    rule: Plurality | Majority | Supermajority | Unanimity, ballots: list[RawBallot]
) -> tuple[Status, str | None]:
    decision = rule.decide(ballots)
    return decision.status, decision.winner


def test_nobody_voting_is_no_quorum() -> None:
    for ballots in ([], [None, None]):
        decision = Plurality().decide(ballots)
        assert (decision.status, decision.winner, decision.tally, decision.margin) == ("no_quorum", None, {}, None)
    assert Plurality().decide([Ballot("a", weight=0)]).status == "no_quorum"


def test_exactly_half_is_no_majority() -> None:
    assert status(Majority(), ["a", "a", "b", "b"]) == ("no_agreement", None)
    assert status(Majority(), ["a", "a", "a", "b", "b"]) == ("decided", "a")


def test_exactly_two_thirds_is_a_supermajority() -> None:
    assert status(Supermajority(), ["a", "a", "b"]) == ("decided", "a")
    assert status(Supermajority(q="3/4"), ["a", "a", "b"]) == ("no_agreement", None)
    assert status(Supermajority(q=0.66), ["a", "a", "b"]) == ("decided", "a")
    assert status(Supermajority(q=0.67), ["a", "a", "b"]) == ("no_agreement", None)


def test_one_other_vote_breaks_unanimity_and_an_abstention_does_not() -> None:
    assert status(Unanimity(), [*["a"] * 99, "b"]) == ("no_agreement", None)
    assert status(Unanimity(), ["a", "a", None]) == ("decided", "a")
    assert status(Unanimity(agreement_of="eligible"), ["a", "a", None]) == ("no_agreement", None)


@pytest.mark.parametrize(("quorum", "reached"), [(3, True), (4, False), ("3/5", True), (0.61, False), (1.0, False)])
def test_a_quorum_is_a_number_of_voters_or_a_share_of_the_eligible(quorum: int | float | str, reached: bool) -> None:
    decision = Plurality(quorum=quorum).decide(["a", "a", "b", None], eligible=5)
    assert (decision.status == "decided") is reached
    assert (decision.cast, decision.abstained, decision.eligible) == (3, 1, 5)
    assert decision.leaders == ("a",), "the tally is told even without a quorum"


def test_an_agreement_is_a_number_of_voters_or_a_share_of_what_was_cast_or_of_the_eligible() -> None:
    ballots: list[RawBallot] = ["a", "a", "b", None, None]
    assert status(Plurality(min_agreement=2), ballots) == ("decided", "a")
    assert status(Plurality(min_agreement=3), ballots) == ("no_agreement", None)
    assert status(Plurality(min_agreement="2/3"), ballots) == ("decided", "a")
    assert status(Plurality(min_agreement="2/5", agreement_of="eligible"), ballots) == ("decided", "a")
    assert status(Plurality(min_agreement="1/2", agreement_of="eligible"), ballots) == ("no_agreement", None)
    assert Plurality().decide(ballots).agreement == Fraction(2, 3)


def test_a_whole_number_is_voters_and_a_float_is_a_share_also_after_a_round_trip() -> None:
    for one, other in ((Plurality(min_agreement=1), "decided"), (Plurality(min_agreement=1.0), "no_agreement")):
        again = Plurality.model_validate_json(one.model_dump_json())
        assert again == one
        assert Plurality(min_agreement=1) != Plurality(min_agreement=1.0)
        assert again.decide(["a", "a", "b"]).status == other


def test_those_who_abstain_or_are_absent_weigh_what_their_ballot_says_or_one() -> None:
    ballots: list[RawBallot] = [Ballot("a", weight=3), Ballot(weight=2), None]
    rule = Plurality(min_agreement="1/2", agreement_of="eligible")
    assert rule.decide(ballots).winner == "a"
    assert rule.decide(ballots, eligible=4).status == "no_agreement"


def test_who_wins_a_tie_break_still_needs_the_agreement() -> None:
    ballots: list[RawBallot] = [["b", "c", "a"], ["b", "c", "a"], ["a", "c", "b"], ["a", "c", "b"]]
    tied = Borda(tie_break=())
    assert tied.decide(ballots).tied == ("a", "b", "c")
    chosen = tied.model_copy(update={"tie_break": ("leader",), "min_agreement": 1})
    assert chosen.decide(ballots, leader="a").winner == "a"
    assert chosen.decide(ballots, leader="c").status == "no_agreement"


def test_the_earliest_is_found_among_ballots_of_every_form() -> None:
    assert Plurality(tie_break=("earliest",)).decide(["b", "a", Ballot("a"), Ballot("b")]).winner == "b"


def test_a_number_of_voters_counts_heads_and_not_weights() -> None:
    assert Plurality(min_agreement=2).decide([Ballot("a", weight=5), "b"]).status == "no_agreement"
    assert Plurality(min_agreement="4/5").decide([Ballot("a", weight=5), "b"]).winner == "a"


def test_a_margin_asked_for_must_be_there() -> None:
    assert status(Plurality(min_margin=2), ["a", "a", "a", "b"]) == ("decided", "a")
    assert status(Plurality(min_margin=2), ["a", "a", "b"]) == ("no_agreement", None)
    assert status(Plurality(min_margin=2), ["a", "a"]) == ("decided", "a")
    assert status(Plurality(min_margin="1/2", tie_break=("random",)), ["a", "b"]) == ("no_agreement", None)


def test_without_a_tie_break_a_tie_is_a_value() -> None:
    decision = Plurality(tie_break=()).decide(["b", "a", "b", "a", "c"])
    assert (decision.status, decision.winner, decision.tied) == ("tie", None, ("a", "b"))
    assert decision.margin == 0


def test_a_tie_that_lacks_the_agreement_is_no_agreement() -> None:
    assert status(Plurality(tie_break=(), min_agreement=2), ["a", "b"]) == ("no_agreement", None)
    assert status(Plurality(tie_break=(), min_agreement=1), ["a", "b"]) == ("tie", None)


@pytest.mark.parametrize(
    ("chain", "winner", "step"),
    [
        (("verifier",), "b", "verifier"),
        (("leader",), "a", "leader"),
        (("confidence",), "c", "confidence"),
        (("earliest",), "c", "earliest"),
        (("leader", "verifier"), "a", "leader"),
    ],
)
def test_each_tie_break_goes_by_its_own_evidence(chain: tuple[Step, ...], winner: str, step: Step) -> None:
    ballots = [Ballot("c", confidence=0.9), Ballot("a", confidence=0.2), Ballot("b", confidence=0.8)]
    decision = Plurality(tie_break=chain).decide(ballots, verified={"b": 2, "a": 1}, leader="a")
    assert (decision.winner, decision.tie_break, decision.tied) == (winner, step, ("a", "b", "c"))


def test_a_tie_break_without_evidence_is_passed_over() -> None:
    assert Plurality(tie_break=("verifier", "leader", "confidence")).decide(["a", "b"]).status == "tie"
    assert Plurality(tie_break=("verifier", "earliest")).decide(["b", "a"]).tie_break == "earliest"
    assert Plurality(tie_break=("leader", "earliest")).decide(["b", "a"], leader="z").winner == "b"


def test_a_tie_break_narrows_a_tie_for_the_next_one() -> None:
    ballots = ["c", "b", "a"]
    decision = Plurality(tie_break=("verifier", "earliest")).decide(ballots, verified={"a": 1, "b": 1})
    assert (decision.winner, decision.tie_break) == ("b", "earliest")


def test_by_default_a_tie_is_drawn_by_lot_from_the_seed_and_says_so() -> None:
    winners = {seed: Plurality().decide(["a", "b", "c"], seed=seed) for seed in range(40)}
    assert {decision.winner for decision in winners.values()} == {"a", "b", "c"}
    for seed, decision in winners.items():
        assert (decision.tie_break, decision.seed, decision.tied) == ("random", seed, ("a", "b", "c"))
        assert decision == Plurality().decide(["a", "b", "c"], seed=seed)
        assert Plurality().decide(["c", "b", "a"], seed=seed).winner == decision.winner
        assert f"seed {seed}" in decision.explanation


def test_lots_are_even() -> None:
    drawn = [Plurality().decide(["a", "b"], seed=seed).winner for seed in range(2000)]
    assert 900 < drawn.count("a") < 1100


def test_dissent_gathers_those_who_wanted_something_else() -> None:
    bob, eve = Ballot("b", voter="bob", text="I counted twice"), Ballot("b", voter="eve")
    decision = Plurality().decide(["a", bob, "a", eve, "a", "c", None])
    assert [each.preferred for each in decision.dissent] == [("b",), ("c",)]
    assert [each.weight for each in decision.dissent] == [2, 1]
    assert [each.ballots for each in decision.dissent] == [(1, 3), (5,)]
    assert decision.dissent[0].voters == ("bob", "eve")
    assert decision.dissent[0].texts == ("I counted twice",)


def test_the_margin_is_the_lead_over_the_second() -> None:
    assert Plurality().decide(["a", "a", "a", "b", "c"]).margin == 2
    assert Plurality().decide(["a", "a"]).margin == 2


def test_candidates_without_votes_are_in_the_tally() -> None:
    assert Plurality().decide(["a"], candidates=["b", "a"]).tally == {"a": 1, "b": 0}


def test_more_ballots_than_voters_are_refused() -> None:
    with pytest.raises(ValidationError, match="3 ballots, but only 2"):
        Plurality().decide(["a", "b", "c"], eligible=2)


@pytest.mark.parametrize("decision", [
    Plurality().decide(["a", "a", Ballot("b", voter="x", text="no", weight="1/3"), None], eligible=9),
    Plurality(tie_break=()).decide(["a", "b"]),
    Plurality(on_invalid="abstain").decide(["a", " "]),
    Majority().decide([]),
    Majority().decide(["a", "b"], seed=7).fall_back("b", by="judge"),
])  # fmt: skip
def test_a_decision_survives_json_and_pickle(decision: Decision) -> None:
    assert Decision.model_validate_json(decision.model_dump_json()) == decision
    assert pickle.loads(pickle.dumps(decision)) == decision


def test_a_fallback_settles_a_vote_and_keeps_saying_what_the_vote_came_to() -> None:
    undecided = Majority().decide(["a", "b", "c"])
    settled = undecided.fall_back("b", by="judge")
    assert (settled.status, settled.winner) == ("decided", "b")
    assert settled.fallback is not None
    assert (settled.fallback.status, settled.fallback.by) == ("no_agreement", "judge")
    assert undecided.winner is None
    with pytest.raises(ValidationError, match="nothing to fall back from"):
        settled.fall_back("a", by="judge")


def test_a_winner_without_a_decision_cannot_be_made() -> None:
    with pytest.raises(PydanticError, match="if and only if"):
        Decision(status="tie", winner="a")
    with pytest.raises(PydanticError, match="if and only if"):
        Decision(status="decided")


def test_a_tie_is_worth_its_share_of_being_right() -> None:
    tie, drawn = Plurality(tie_break=()).decide(["a", "b"]), Plurality().decide(["a", "b"])
    for decision in (tie, drawn):
        assert [decision.credit(right) for right in "abc"] == [Fraction(1, 2), Fraction(1, 2), 0]
    narrowed = Plurality(tie_break=("verifier", "random")).decide(["a", "b", "c"], verified={"a": 1, "b": 1})
    assert [narrowed.credit(right) for right in "abc"] == [Fraction(1, 2), Fraction(1, 2), 0]
    assert (narrowed.tied, narrowed.level) == (("a", "b", "c"), ("a", "b"))
    first = Plurality(tie_break=("earliest",)).decide(["a", "b"])
    assert [first.credit(right) for right in "ab"] == [1, 0]
    assert Majority().decide(["a", "b"]).credit("a") == 0
    assert Plurality().decide(["a", "a", "b"]).credit("a") == 1


@pytest.mark.parametrize(
    ("rule", "ballots", "sentence"),
    [
        (Plurality(), ["a", "a", "b"], "plurality: 'a' wins with 2 of 3 votes, 1 ahead of 'b'."),
        (Majority(), ["a", "a", None], "majority: 'a' wins with 2 of 2 votes."),
        (Plurality(min_margin=1), ["a", "a", "b"], "plurality: 'a' wins with 2 of 3 votes, 1 ahead of 'b'."),
        (Plurality(), [Ballot("a", weight=2), "b"], "plurality: 'a' wins at 2, 1 ahead of 'b', backed by 1 of 2 "
         "ballots."),
        (Plurality(), ["a", "a", Ballot("b", weight=Fraction(1, 2))], "plurality: 'a' wins at 2, 3/2 ahead of 'b', "
         "backed by 2 of 3 ballots."),
        (Approval(), [{"a", "b"}, {"a"}], "approval: 'a' wins at 2, 1 ahead of 'b', backed by 2 of 2 ballots."),
        (Borda(), [["a", "b"], ["a", "b"]], "borda: 'a' wins at 2, 2 ahead of 'b', backed by 2 of 2 ballots."),
        (Score(), [{"a": 2, "b": 1}, {"a": 2, "b": 1}], "score: 'a' wins at 2, 1 ahead of 'b', backed by 2 of 2 "
         "ballots."),
        (Plurality(tie_break=()), ["a", "b"], "plurality: 'a' and 'b' are tied at 1."),
        (Majority(), ["a", "b"], "majority: no agreement, 'a' and 'b' each have 1/2 of what was cast behind it, which "
         "is not enough."),
        (Plurality(quorum=3), ["a", None], "plurality: no quorum, 1 of 2 voted, 3 are needed."),
        (Plurality(), [None], "plurality: no quorum, none of 1 voted."),
    ],
)  # fmt: skip
def test_the_explanation_is_one_sentence(rule: VotingRule, ballots: list[RawBallot], sentence: str) -> None:
    assert rule.decide(ballots).explanation == sentence


def test_a_long_answer_is_cut_in_the_explanation_and_nowhere_else() -> None:
    answer = "word " * 100
    decision = Plurality().decide([answer, answer])
    assert len(decision.explanation) < 200
    assert decision.winner == answer


@pytest.mark.parametrize("options", [{"quorum": 1.5}, {"quorum": -1}, {"min_agreement": "x"}, {"min_margin": -1},
                                     {"tie_break": ["coin"]}, {"quorom": 1}, {"quorum": True}])  # fmt: skip
def test_an_option_that_cannot_work_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"plurality|Plurality"):
        Plurality.model_validate(options)


def test_each_ballot_counts_also_where_several_name_the_same_voter() -> None:
    ballots = [Ballot("a", voter="ada"), Ballot("a", voter="ada"), Ballot("b", voter="bob")]
    assert Plurality(tie_break=()).decide(ballots).tally == {"a": 2, "b": 1}
