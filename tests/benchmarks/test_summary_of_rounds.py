"""What voting and talking did inside a system: three accuracies, flips, and how many votes the votes are worth."""

from __future__ import annotations

import random

import pytest

from phalanx.benchmarks import summary
from phalanx.benchmarks.diagnosis import Diagnosis
from phalanx.benchmarks.record import Comparison
from phalanx.benchmarks.statistics.intervals import wilson
from phalanx.benchmarks.statistics.paired import paired_difference
from phalanx.benchmarks.table import told
from tests.benchmarks.comparisons import attempt, ballots, comparison, debate, items

YES, NO = True, False
# Four items, three members, a draft and one revision.
ROWS: list[list[list[bool | None]]] = [
    [[YES, YES, NO], [YES, YES, YES]],
    [[YES, NO, NO], [YES, YES, NO]],
    [[YES, YES, NO], [NO, NO, NO]],
    [[NO, NO, None], [NO, NO, NO]],
]


def only(told: Comparison) -> Diagnosis:
    (found,) = summary.of(told).diagnoses
    return found


def test_the_three_accuracies_are_of_one_draft_the_vote_of_the_drafts_and_the_answer() -> None:
    found = only(debate(ROWS))
    assert found.draft.value == pytest.approx((2 / 3 + 1 / 3 + 2 / 3 + 0) / 4)
    assert found.vote == wilson(2, 4)
    assert found.final == wilson(2, 4)
    assert found.coverage == wilson(3, 4)
    assert found.rounds == 1
    assert found.abstained == pytest.approx(1 / 12)


def test_what_talking_won_is_the_answer_less_the_vote_of_the_drafts_on_the_same_items() -> None:
    found = only(debate(ROWS * 20))
    assert found.talked == paired_difference([1.0, 1.0, 0.0, 0.0] * 20, [1.0, 0.0, 1.0, 0.0] * 20)
    assert "Talking changed the accuracy of the vote by 0.0 points [" in " ".join(told(found))
    assert only(debate([[[YES, YES, NO]]])).talked is None


def test_the_flips_of_members_and_of_votes_are_counted_by_hand() -> None:
    (turn,) = only(debate(ROWS)).turns
    members = turn.members
    assert (members.kept, members.fixed, members.broke, members.missed) == (3, 2, 2, 5)
    assert (turn.before, turn.after) == (0, 1)
    decisions = turn.decisions
    assert (decisions.kept, decisions.fixed, decisions.broke, decisions.missed) == (1, 1, 1, 1)
    assert only(debate(ROWS)).decided == decisions


def test_the_inequality_is_that_of_the_measured_flips() -> None:
    members = only(debate(ROWS)).turns[0].members
    correction, corruption = members.correction, members.corruption
    assert correction is not None
    assert corruption is not None
    assert correction * (1 - members.before) == pytest.approx(members.gain)
    assert corruption * members.before == pytest.approx(members.loss)
    words = " ".join(told(only(debate(ROWS))))
    assert "fixed as much as it broke, c(1−a) = 0.167 = e·a = 0.167" in words


def test_revision_at_constant_rates_leads_where_theory_says() -> None:
    """a_t = a* + (a_0 − a*)(1 − c − e)^t with a_0=.6, c=.3, e=.1 gives .66 and .696; the vote of five .780 and .832."""
    rng = random.Random(11)
    rows: list[list[list[bool]]] = []
    for _ in range(4000):
        now = [rng.random() < 0.6 for _ in range(5)]
        rounds = [now]
        for _ in range(2):
            now = [rng.random() >= 0.1 if right else rng.random() < 0.3 for right in now]
            rounds.append(now)
        rows.append(rounds)
    found = only(debate(rows))
    assert found.draft.value == pytest.approx(0.6, abs=0.01)
    assert found.vote.value == pytest.approx(0.68256, abs=0.02)
    assert found.final.value == pytest.approx(0.83159, abs=0.02)
    first, second = (turn.members for turn in found.turns)
    assert first.after == pytest.approx(0.66, abs=0.01)
    assert second.after == pytest.approx(0.696, abs=0.01)
    assert first.correction == pytest.approx(0.3, abs=0.015)
    assert first.corruption == pytest.approx(0.1, abs=0.015)
    assert first.helped
    assert found.votes is not None
    assert found.votes.rho == pytest.approx(0, abs=0.02)
    assert found.votes.votes == pytest.approx(5, abs=0.4)


def test_copies_of_one_member_are_one_vote() -> None:
    rng = random.Random(5)
    found = only(debate([[[rng.random() < 0.6] * 3] for _ in range(300)]))
    assert found.votes is not None
    assert found.votes.rho == pytest.approx(1)
    assert found.votes.votes == pytest.approx(1)
    assert found.same_wrong is not None
    assert found.same_wrong.value == 1
    assert found.rounds == 0
    assert found.turns == ()
    assert found.draft.value == found.vote.value == found.final.value


def test_members_who_share_their_skill_are_fewer_votes_than_they_are() -> None:
    """theta ~ Beta with rho=.2 and p=.7: nine members are 9/(1 + 8·.2) = 3.46 votes."""
    rng = random.Random(2)
    skill = [rng.betavariate(0.7 * 4, 0.3 * 4) for _ in range(4000)]
    found = only(debate([[[rng.random() < theta for _ in range(9)]] for theta in skill]))
    assert found.votes is not None
    assert found.votes.rho == pytest.approx(0.2, abs=0.03)
    assert found.votes.votes == pytest.approx(9 / 2.6, abs=0.3)


def test_those_who_are_wrong_in_different_ways_are_not_said_to_agree() -> None:
    told = comparison({"vote": [0.0, 0.0]})
    apart = ballots(0, [NO, NO], 0.0).model_copy(update={"choices": {"m0": "x", "m1": "y"}})
    made = (told.attempts[0].model_copy(update={"ballots": (apart,)}), told.attempts[1])
    found = only(told.model_copy(update={"attempts": made}))
    assert found.same_wrong is not None
    assert found.same_wrong.value == 0
    assert (found.attempts, found.of) == (1, 2)


def test_repeats_of_an_item_do_not_pass_for_items() -> None:
    rounds = tuple(ballots(at, rights, float(sum(rights) > 1)) for at, rights in enumerate([[YES, YES, NO]] * 2))
    base = debate([[[YES, YES, NO]] * 2] * 3)
    made = tuple(
        attempt("debate", f"q{item}", 1.0, repeat=repeat, ballots=rounds) for item in range(3) for repeat in range(4)
    )
    found = only(base.model_copy(update={"attempts": made, "repeats": 4}))
    assert found.vote.n == 3
    assert found.attempts == 12
    assert found.votes is not None
    assert found.votes.items == 3


def test_a_member_who_is_silent_later_is_not_counted_as_wrong() -> None:
    rounds = (ballots(0, [YES, NO, YES], 1.0), ballots(1, [YES, YES], 1.0))
    base = debate([[[YES]]])
    found = only(base.model_copy(update={"attempts": (attempt("debate", "q0", 1.0, ballots=rounds),)}))
    assert found.turns[0].members.n == 2


def test_a_system_that_never_voted_has_no_diagnosis() -> None:
    assert summary.of(comparison({"single": [1.0, 0.0]})).diagnoses == ()
    assert len(items(2)) == 2


def test_what_members_brought_adds_up_to_what_the_last_vote_is_worth() -> None:
    found = only(debate(ROWS * 5))
    assert [each.member for each in found.members] == ["m0", "m1", "m2"]
    brought = [each.brought for each in found.members]
    assert sum(each.value for each in brought if each is not None) == pytest.approx(found.final.value)


def test_a_lone_right_vote_among_equals_brings_what_shapley_says() -> None:
    """Right, right, wrong under plurality: by the six orders each right voter is worth 1/2 and the wrong one 0."""
    found = only(debate([[[YES, YES, NO]]]))
    values = [each.brought.value for each in found.members if each.brought is not None]
    assert values == pytest.approx([0.5 + 1 / 12, 0.5 + 1 / 12, -1 / 6])
    without = [each.without.value for each in found.members if each.without is not None]
    assert without == pytest.approx([0.5, 0.5, 0.0])


def test_members_are_told_by_their_own_answers_and_who_came_later_has_no_draft() -> None:
    rounds = (ballots(0, [YES, None], 1.0), ballots(1, [NO, YES, YES], 1.0))
    base = debate([[[YES]]])
    first, second, late = only(
        base.model_copy(update={"attempts": (attempt("debate", "q0", 1.0, ballots=rounds),)})
    ).members
    assert (first.draft, first.last) == (wilson(1, 1), wilson(0, 1))
    assert (second.draft, second.last, second.abstained) == (wilson(0, 1), wilson(1, 1), 1)
    assert late.draft is None
    assert late.last == wilson(1, 1)


def test_in_a_large_vote_nobody_s_part_is_guessed() -> None:
    found = only(debate([[[YES] * 9]]))
    assert [each.brought for each in found.members] == [None] * 9
