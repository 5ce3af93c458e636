"""What is particular to each rule, and rules by name."""

from __future__ import annotations

from fractions import Fraction
from math import log

import pytest
import yaml
from pydantic import TypeAdapter

from phalanx.errors import ValidationError
from phalanx.formations.voting import (
    RULES,
    AnyRule,
    Approvals,
    Ballot,
    Borda,
    BucketedConfidence,
    Copeland,
    Cumulative,
    InstantRunoff,
    LinearPool,
    LogarithmicPool,
    LogOdds,
    Median,
    Minimax,
    Plurality,
    RankedPairs,
    RawBallot,
    Schulze,
    Score,
    Supermajority,
    VotingRule,
    rule_of,
)
from phalanx.formations.voting.weighted import bucket, log_odds


def profile(text: str) -> list[RawBallot]:
    """Rankings written as "3 abc, 2 ba"."""
    blocks = (block.split() for block in text.split(","))
    return [list(ranking) for count, ranking in blocks for _ in range(int(count))]


def test_borda_lets_the_unranked_share_what_is_left() -> None:
    assert Borda().decide([["a"]], candidates="abcd").tally == {"a": 3, "b": 1, "c": 1, "d": 1}
    assert Borda().decide([["a", "b"]], candidates="abcd").tally == {
        "a": 3, "b": 2, "c": Fraction(1, 2), "d": Fraction(1, 2),
    }  # fmt: skip


def test_a_ranking_counts_as_its_first_place_where_one_choice_is_counted() -> None:
    assert Plurality().decide(profile("3 abc, 2 cba")).tally == {"a": 3, "c": 2}


def test_the_runoff_passes_votes_on_and_lets_exhausted_ballots_go() -> None:
    decision = InstantRunoff().decide(profile("4 a, 3 bc, 2 cb"))
    assert decision.winner == "b"
    assert decision.tally == {"b": 5, "a": 4, "c": 2}
    assert InstantRunoff().decide(profile("4 a, 3 b, 2 c")).winner == "a"
    assert InstantRunoff(tie_break=()).decide(profile("3 a, 2 b, 1 cb")).tied == ("a", "b"), "half is no majority"


def test_the_runoff_drops_the_one_who_was_weaker_the_stage_before() -> None:
    # b and c have 4 each in the second stage, c had fewer in the first. Without c b wins, without b a would.
    ballots = profile("5 a, 4 ba, 3 cb, 1 dcb")
    for order in (ballots, list(reversed(ballots))):
        decision = InstantRunoff().decide(order)
        assert (decision.winner, decision.notes) == ("b", ())
    drawn = {InstantRunoff(elimination="random").decide(ballots, seed=seed).winner for seed in range(20)}
    assert drawn == {"a", "b"}


def test_the_runoff_tells_when_it_drew_lots() -> None:
    ballots = profile("3 a, 2 b, 2 c")
    decided = [InstantRunoff().decide(ballots, seed=seed) for seed in range(20)]
    assert {note for each in decided for note in each.notes} == {
        "'b' was dropped by lot in stage 1", "'c' was dropped by lot in stage 1",
    }  # fmt: skip
    together = InstantRunoff(elimination="all").decide(ballots)
    assert (together.winner, together.notes) == ("a", ())


def test_a_runoff_in_which_all_are_level_is_a_tie() -> None:
    assert InstantRunoff(tie_break=()).decide(profile("1 abc, 1 bca, 1 cab")).tied == ("a", "b", "c")
    assert InstantRunoff(tie_break=()).decide(profile("3 ab, 3 ba, 1 cab, 1 cba")).tied == ("a", "b")


CONDORCET = (Copeland(), Schulze(), RankedPairs(), Minimax())


@pytest.mark.parametrize("rule", CONDORCET)
def test_who_is_left_out_loses_to_who_is_ranked(rule: VotingRule) -> None:
    assert rule.decide(profile("2 a, 1 ba"), candidates="abc").winner == "a"


@pytest.mark.parametrize("rule", CONDORCET)
def test_weights_count_in_comparisons(rule: VotingRule) -> None:
    heavy = Ballot(ranking=["b", "a"], weight="5/2")
    assert rule.decide([heavy, ["a", "b"], ["a", "b"]]).winner == "b"
    assert rule.decide([heavy, ["a", "b"], ["a", "b"], ["a", "b"]]).winner == "a"


def test_schulze_finds_the_strongest_chains() -> None:
    # The worked example of Schulze's paper with 45 voters: e is unbeaten.
    ballots = profile("5 acbed, 5 adecb, 8 bedac, 3 cabed, 7 caebd, 2 cbade, 7 dceba, 8 ebadc")
    decision = Schulze().decide(ballots)
    assert decision.winner == "e"
    assert decision.tally == {"e": 4, "a": 3, "c": 2, "b": 1, "d": 0}
    assert Schulze().decide(profile("1 ab, 1 ba")).tally == {"a": 1, "b": 1}


def test_ranked_pairs_leaves_out_what_would_close_a_circle() -> None:
    assert RankedPairs().decide(profile("7 abc, 6 bca, 5 cab")).tally == {"a": 2, "b": 1, "c": 0}


def test_ranked_pairs_draws_lots_only_where_order_matters_and_says_so() -> None:
    plain = RankedPairs().decide(profile("1 abc"))
    assert (plain.winner, plain.notes) == ("a", ())
    circle = [RankedPairs().decide(profile("1 abc, 1 bca, 1 cab"), seed=seed) for seed in range(30)]
    assert {each.winner for each in circle} == {"a", "b", "c"}
    assert all("ordered by lot" in each.notes[0] and not each.tied for each in circle)
    together = RankedPairs(ties="together", tie_break=()).decide(profile("1 abc, 1 bca, 1 cab"))
    assert (together.tied, together.notes) == (("a", "b", "c"), ())
    below = RankedPairs(ties="together").decide(profile("1 abcd, 1 bcad, 1 cabd"))
    assert below.tally == {"a": 3, "b": 3, "c": 3, "d": 0}


def test_a_candidate_nobody_scores_cannot_win_and_has_no_score() -> None:
    decision = Score().decide([{"a": 0}, {"a": 2}], candidates="ab")
    assert (decision.winner, decision.tally) == ("a", {"a": Fraction(1)})


def test_a_missing_score_is_an_abstention_on_that_candidate_and_not_zero() -> None:
    ballots: list[RawBallot] = [{"a": 8, "b": 7}, {"b": 7}]
    assert Score().decide(ballots).tally == {"a": 8, "b": 7}
    assert Score(missing="low").decide(ballots).tally == {"a": 4, "b": 7}


def test_one_extreme_voter_moves_the_mean_but_not_the_median() -> None:
    ballots: list[RawBallot] = [{"a": 7, "b": 6}, {"a": 7, "b": 6}, {"a": 0, "b": 10}]
    assert Score().decide(ballots).winner == "b"
    assert Median().decide(ballots).winner == "a"


def test_equal_medians_are_parted_by_the_scores_next_to_the_middle() -> None:
    ballots: list[RawBallot] = [{"a": 5, "b": 5}, {"a": 9, "b": 9}, {"a": 4, "b": 3}]
    decision = Median().decide(ballots)
    assert (decision.winner, decision.margin) == ("a", Fraction(0))
    assert "around it decided" in decision.notes[0]
    # An even number: the lower middle score first, then the upper.
    assert Median().decide([{"a": 4, "b": 4}, {"a": 6, "b": 5}]).winner == "a"


def test_points_must_all_be_spent() -> None:
    decision = Cumulative(points=25).decide([{"a": 20, "b": 5}, {"b": 25}])
    assert decision.tally == {"b": 30, "a": 20}


def test_confidence_counts_in_steps() -> None:
    steps = {
        1.0: "1",
        0.99: "4/5",
        0.9: "4/5",
        0.89: "1/2",
        0.8: "1/2",
        0.79: "3/10",
        0.61: "3/10",
        0.6: "1/10",
        0: "1/10",
    }
    assert {sure: str(bucket(sure)) for sure in steps} == steps
    ballots = [Ballot("a", confidence=0.95), Ballot("b", confidence=0.7), Ballot("b", confidence=0.7)]
    assert BucketedConfidence().decide(ballots).tally == {"a": Fraction(4, 5), "b": Fraction(3, 5)}
    with pytest.raises(ValidationError, match="no confidence"):
        BucketedConfidence().decide(["a"])


def test_log_odds_are_clipped_so_that_nobody_counts_for_nothing_or_alone() -> None:
    assert log_odds(0.75) == pytest.approx(log(3))
    assert log_odds(0.5, 4) == pytest.approx(log(3))
    assert log_odds(1.0) == log_odds(0.99)
    assert log_odds(0.0) == log_odds(0.51) > 0
    assert log_odds(0.0, negative=True) == pytest.approx(-log_odds(1.0))


def test_a_skilled_voter_outweighs_two_weak_ones() -> None:
    rule = LogOdds(skills={"ada": 0.9, "bob": 0.6, "eve": 0.6})
    votes = [Ballot("right", voter="ada"), Ballot("wrong", voter="bob"), Ballot("wrong", voter="eve")]
    assert rule.decide(votes).winner == "right"
    assert float(rule.decide(votes).tally["right"]) == pytest.approx(log(9), abs=1e-11)
    with pytest.raises(ValidationError, match="nothing is known of the skill of zoe"):
        rule.decide([Ballot("x", voter="zoe")])
    assert LogOdds(unknown=0.6).decide(["a", "a", "b"]).winner == "a"


def test_a_voter_who_is_usually_wrong_counts_against_what_it_says_only_when_asked_to() -> None:
    skills = {"ada": 0.1, "bob": 0.6}
    votes = [Ballot("x", voter="ada"), Ballot("y", voter="bob")]
    assert LogOdds(skills=skills).decide(votes).tally["x"] > 0
    against = LogOdds(skills=skills, negative=True).decide(votes)
    assert against.tally["x"] < 0
    assert against.winner == "y"


def test_a_pool_scales_rounded_probabilities_and_refuses_others() -> None:
    assert sum(LinearPool().decide([{"a": 0.33, "b": 0.33, "c": 0.33}]).tally.values()) == 1
    with pytest.raises(ValidationError, match=r"add up to 1\.3, not to 1"):
        LinearPool().decide([{"a": 0.7, "b": 0.6}])
    with pytest.raises(ValidationError, match="not from 0 to 1"):
        LinearPool().decide([{"a": -0.5, "b": 1.5}])


def test_the_floor_takes_a_single_voters_veto_away() -> None:
    ballots: list[RawBallot] = [*({"a": 0.99, "b": 0.01} for _ in range(4)), {"a": 0, "b": 1}]
    assert LogarithmicPool().decide(ballots).winner == "a"
    assert LinearPool().decide(ballots).winner == "a"


def test_verifiers_choose_among_what_was_proposed() -> None:
    decision = Approvals().decide(["a", "a", "b", {"b", "c"}, {"b"}, {"a"}])
    assert (decision.winner, decision.tally) == ("b", {"b": Fraction(2), "a": Fraction(1)})
    assert decision.agreement == Fraction(2, 3)
    assert "nobody proposed" in decision.notes[0]
    assert [each.preferred for each in decision.dissent] == [("a",)]


def test_equal_approvals_go_to_the_answer_proposed_more_often() -> None:
    decision = Approvals().decide(["a", "b", "b", {"a", "b"}])
    assert (decision.winner, decision.tie_break) == ("b", "votes")


@pytest.mark.parametrize("rule", [
    *(rule_of(kind) for kind in RULES),
    Supermajority(q="3/4", quorum=3, min_agreement=0.5, min_margin="1/2", tie_break=("leader", "earliest")),
    LogOdds(skills={"b": 0.7, "a": 0.6}, options=4),
    Score(low=-1, high="1/2", missing="low"),
    Plurality(min_agreement=2, on_invalid="abstain", agreement_of="eligible"),
])  # fmt: skip
def test_a_rule_round_trips_through_yaml_and_is_hashable(rule: VotingRule) -> None:
    written = yaml.safe_dump(rule.model_dump(mode="json"))
    read = TypeAdapter[VotingRule](AnyRule).validate_python(yaml.safe_load(written))
    assert read == rule
    assert type(read) is type(rule)
    assert hash(read) == hash(rule)


def test_a_rule_can_be_named_and_a_wrong_name_is_told() -> None:
    assert rule_of("schulze") == Schulze()
    assert rule_of({"kind": "supermajority", "q": "3/4"}) == Supermajority(q="3/4")
    assert rule_of(Borda()) == Borda()
    with pytest.raises(ValidationError, match=r"no voting rule 'plurity' \(did you mean 'plurality'\?\)"):
        rule_of("plurity")
    with pytest.raises(ValidationError, match="quorom"):
        rule_of({"kind": "plurality", "quorom": 2})
    with pytest.raises(ValidationError, match="there is no voting rule None"):
        rule_of({"q": 1})
