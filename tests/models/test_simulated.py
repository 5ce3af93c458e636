"""Simulated members against closed forms.

Each Monte Carlo test says how many questions it asks (n) and how many standard errors it allows (z = 4, one false
alarm in 16,000); the seeds are fixed, so a test that passes once passes always. n is large enough that the nearest
plausible mistake (an uncorrelated draw, a forgotten rate, the wrong denominator) lies far outside the allowance.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from random import Random
from statistics import fmean

import pytest

from phalanx.testing import Question, SimulatedModel, questions
from tests.models.asking import answers, checking, draft, judging, revision, texts

FIVE = ("ada", "bob", "cyd", "dan", "eve")
NINE = (*FIVE, "fay", "gus", "hal", "ida")
Z = 4.0


def share_is(observed: Sequence[bool] | Sequence[float], expected: float, *, deviation: float | None = None) -> None:
    """Fail unless a mean lies within Z standard errors of what theory says."""
    spread = math.sqrt(expected * (1 - expected)) if deviation is None else deviation
    allowed = Z * spread / math.sqrt(len(observed))
    assert abs(fmean(observed) - expected) <= allowed, f"{fmean(observed):.4f}, not {expected:.4f} ± {allowed:.4f}"


def drafts(model: SimulatedModel, asked: Sequence[Question], members: Sequence[str]) -> list[list[str | None]]:
    """Each question's first answers, in the order of the members."""
    given = answers(model, [draft(each.text, member) for each in asked for member in members])
    return [given[at : at + len(members)] for at in range(0, len(given), len(members))]


def majority_right(given: Sequence[str | None], gold: str) -> float:
    """1 when most are right, a fair share of 1 in a tie for the first place, else 0."""
    tally = Counter(given)
    most = max(tally.values())
    leaders = [answer for answer, count in tally.items() if count == most]
    return (gold in leaders) / len(leaders)


# -- skill ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skill", [0.25, 0.7])
def test_a_member_is_right_as_often_as_its_skill_says(skill: float) -> None:
    asked = questions(5000)  # n = 5000, allowed ± .026 at .7
    given = drafts(SimulatedModel(skill), asked, ["ada"])

    share_is([answer == each.gold for (answer,), each in zip(given, asked, strict=True)], skill)


def test_each_member_can_have_a_skill_of_its_own() -> None:
    asked = questions(3000)
    given = drafts(SimulatedModel({"ada": 0.9, "bob": 0.4}), asked, ["ada", "bob"])

    share_is([ada == each.gold for (ada, _), each in zip(given, asked, strict=True)], 0.9)
    share_is([bob == each.gold for (_, bob), each in zip(given, asked, strict=True)], 0.4)


def test_wrong_answers_are_spread_evenly_over_the_wrong_options() -> None:
    asked = questions(4000, options=("w", "x", "y", "z"))
    given = drafts(SimulatedModel(0.0, options=("w", "x", "y", "z")), asked, ["ada"])

    first_wrong = [answer == each.wrong[0] for (answer,), each in zip(given, asked, strict=True)]
    assert all(answer in each.wrong for (answer,), each in zip(given, asked, strict=True))
    share_is(first_wrong, 1 / 3)


def test_the_vote_of_independent_members_is_condorcets() -> None:
    """p = .6, two options: M(5) = .68256 and M(9) = .733432; one member alone would be .6."""
    asked = questions(2500, options=2)  # n = 2500, allowed ± .037
    given = drafts(SimulatedModel(0.6, options=2), asked, NINE)

    share_is([majority_right(row[:5], each.gold) for row, each in zip(given, asked, strict=True)], 0.68256)
    share_is([majority_right(row, each.gold) for row, each in zip(given, asked, strict=True)], 0.733432)


def test_plurality_over_four_options_gains_below_one_half() -> None:
    """p = .4, four options, ties broken fairly: n = 5 gives .50944, though nobody is right half of the time."""
    asked = questions(4000)
    given = drafts(SimulatedModel(0.4), asked, FIVE)

    share_is([majority_right(row, each.gold) for row, each in zip(given, asked, strict=True)], 0.50944)


# -- correlation ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def correlated() -> list[tuple[list[str | None], str]]:
    """The first answers of nine members with p = .7 and rho = .2 to 3500 questions, each with its gold answer."""
    asked = questions(3500, options=2)
    given = drafts(SimulatedModel(0.7, options=2, correlation=0.2), asked, NINE)
    return [(row, each.gold) for row, each in zip(given, asked, strict=True)]


def test_correlated_members_vote_as_the_beta_binomial_says(correlated: list[tuple[list[str | None], str]]) -> None:
    """.74480 for 3, .76486 for 5, .78365 for 9; independent members would reach .784, .837, .901. Allowed ± .029."""
    for size, expected in ((1, 0.7), (3, 0.74480), (5, 0.76486), (9, 0.78365)):
        share_is([majority_right(row[:size], gold) for row, gold in correlated], expected)


def test_the_variance_of_a_group_grows_by_the_correlation(correlated: list[tuple[list[str | None], str]]) -> None:
    """Var(number right of 9) = 9 p q (1 + 8 rho), so that n_eff = 9 / 2.6 = 3.46; 9 if they were independent."""
    variance = fmean((row.count(gold) - 9 * 0.7) ** 2 for row, gold in correlated)
    assert 9 * 0.7 * 0.3 / variance * 9 == pytest.approx(9 / 2.6, rel=0.1)


def test_members_of_different_skill_find_the_same_questions_hard() -> None:
    asked = questions(1500, options=2)
    weak = drafts(SimulatedModel(0.5, options=2, correlation=0.5, seed=7), asked, FIVE)
    strong = drafts(SimulatedModel(0.8, options=2, correlation=0.5, seed=7), asked, ("zoe", "yan"))

    hard = [sum(answer == each.gold for answer in row) <= 1 for row, each in zip(weak, asked, strict=True)]
    on_hard = [row[0] == each.gold for row, each, is_hard in zip(strong, asked, hard, strict=True) if is_hard]
    on_easy = [row[0] == each.gold for row, each, is_hard in zip(strong, asked, hard, strict=True) if not is_hard]
    assert fmean(on_hard) < 0.75 < fmean(on_easy)
    assert fmean(on_easy) - fmean(on_hard) > 0.2


def test_full_correlation_makes_all_members_right_together_or_wrong_together() -> None:
    asked = questions(1200, options=2)
    given = drafts(SimulatedModel(0.7, options=2, correlation=1.0), asked, FIVE)

    assert all(len(set(row)) == 1 for row in given)
    share_is([row[0] == each.gold for row, each in zip(given, asked, strict=True)], 0.7)


def test_a_popular_wrong_option_makes_members_agree_when_they_are_wrong() -> None:
    """w = .755 at four options: two wrong answers agree in w² + (1 - w)²/2 = .60 of cases (1/3 without it)."""
    asked = questions(4000)  # n = 4000 pairs, allowed ± .031
    given = drafts(SimulatedModel(0.0, distractor=0.755), asked, ("ada", "bob"))

    share_is([ada == bob for ada, bob in given], 0.755**2 + 0.245**2 / 2)


# -- revision ------------------------------------------------------------------------------------------------------


def deliberate(
    model: SimulatedModel, asked: Sequence[Question], members: Sequence[str], rounds: int
) -> list[list[list[str | None]]]:
    """The answers of each round: everybody sees everybody's whole last text."""
    said = texts(model, [draft(each.text, member) for each in asked for member in members])
    size = len(members)
    history = []
    for round in range(rounds + 1):
        if round:
            rows = [said[at : at + size] for at in range(0, len(said), size)]
            said = texts(
                model,
                [
                    revision(each.text, row[seat], [*row[:seat], *row[seat + 1 :]], member=members[seat], round=round)
                    for each, row in zip(asked, rows, strict=True)
                    for seat in range(size)
                ],
            )
        given: list[str | None] = [text.rpartition("Answer: ")[2] for text in said]
        history.append([list(given[at : at + size]) for at in range(0, len(given), size)])
    return history


def test_constant_rate_revision_follows_its_recursion() -> None:
    """a = .6, c = .3, e = .1, n = 5: a member .6 .66 .696 .7176, their vote .68256 .78015 .83159 .85941."""
    asked = questions(1300, options=2)  # n = 1300, 6500 answers a round; allowed ± .02 for members, ± .04 for votes
    history = deliberate(SimulatedModel(0.6, options=2, revise_right=0.3, revise_wrong=0.1), asked, FIVE, 3)

    for given, alone, vote in zip(
        history, (0.6, 0.66, 0.696, 0.7176), (0.68256, 0.78015, 0.83159, 0.85941), strict=True
    ):
        rows = list(zip(given, asked, strict=True))
        share_is([answer == each.gold for row, each in rows for answer in row], alone)
        share_is([majority_right(row, each.gold) for row, each in rows], vote)


def test_revision_rates_settle_where_gains_and_losses_balance() -> None:
    """The fixed point c / (c + e) = .75 is reached from above as from below."""
    for start in (0.2, 1.0):
        asked = questions(700, options=2)
        model = SimulatedModel(start, options=2, revise_right=0.6, revise_wrong=0.2)
        last = deliberate(model, asked, ("ada", "bob"), 4)[-1]
        # (1 - c - e)^4 = .0016 of the first distance is left.
        share_is([row[0] == each.gold for row, each in zip(last, asked, strict=True)], 0.75 + 0.0016 * (start - 0.75))


def test_conformity_lifts_members_to_the_vote_and_leaves_the_vote_where_it_was() -> None:
    """Adopting the group's majority with probability .8: members .6 .66605 .67926, the vote .68256 for ever."""
    asked = questions(1300, options=2)
    history = deliberate(SimulatedModel(0.6, options=2, sycophancy=0.8), asked, FIVE, 2)

    votes = [[majority_right(row, each.gold) for row, each in zip(given, asked, strict=True)] for given in history]
    assert votes[0] == votes[1] == votes[2]
    share_is(votes[0], 0.68256)
    for given, alone in zip(history, (0.6, 0.66605, 0.67926), strict=True):
        # Answers of one question are dependent; a question's share of right answers varies by at most .47.
        right = [fmean(answer == each.gold for answer in row) for row, each in zip(given, asked, strict=True)]
        share_is(right, alone, deviation=0.47)
    assert fmean(len(set(row)) == 1 for row in history[2]) > 0.7 > fmean(len(set(row)) == 1 for row in history[0])


def test_a_function_can_say_how_answers_are_revised() -> None:
    """The voter model (copy anybody, oneself included): members stay at .6, the vote decays .68256 .63543 .61684."""

    def copy_anybody(own: str | None, peers: Sequence[str], chance: Random) -> str:
        assert own is not None
        return chance.choice([own, *peers])

    asked = questions(1800, options=2)
    history = deliberate(SimulatedModel(0.6, options=2, revise=copy_anybody), asked, FIVE, 2)

    for given, vote in zip(history, (0.68256, 0.63543, 0.61684), strict=True):
        rows = list(zip(given, asked, strict=True))
        share_is([majority_right(row, each.gold) for row, each in rows], vote)
        share_is([fmean(answer == each.gold for answer in row) for row, each in rows], 0.6, deviation=0.47)
    disagreement = [fmean(len(set(row)) > 1 for row in given) for given in history]
    assert disagreement[0] > disagreement[1] > disagreement[2]


def test_a_stubborn_member_keeps_its_answer_in_that_share_of_rounds() -> None:
    asked = questions(2500, options=2)
    model = SimulatedModel(0.5, options=2, stubbornness=0.6, revise_right=1.0, revise_wrong=1.0)
    kept = [
        answer == "A" for answer in answers(model, [revision(each.text, "Answer: A", ["Answer: B"]) for each in asked])
    ]

    share_is(kept, 0.6)


def test_members_without_revision_rates_keep_what_they_said() -> None:
    asked = questions(100)
    model = SimulatedModel(0.5)
    assert answers(model, [revision(each.text, "Answer: C", ["Answer: B"] * 3) for each in asked]) == ["C"] * 100


# -- judging and verifying -----------------------------------------------------------------------------------------


def verdicts(model: SimulatedModel, asked: Sequence[Question], *, right_first: bool, round: int = 0) -> list[bool]:
    """Whether the judge names the right one of two candidates, question by question."""
    requests = []
    for each in asked:
        pair = [f"Because of this.\nAnswer: {each.gold}", f"Because of that.\nAnswer: {each.wrong[0]}"]
        pair = pair if right_first else pair[::-1]
        requests.append(judging(each.text, [("Candidate 1", pair[0]), ("Candidate 2", pair[1])], round=round))
    right = '"verdict": "Candidate 1"' if right_first else '"verdict": "Candidate 2"'
    return [right in text for text in texts(model, requests)]


def test_two_debaters_and_a_judge_are_right_as_the_formula_says() -> None:
    """p1 p2 + J (p1 (1 - p2) + p2 (1 - p1)) at p = .6, .7 and J = .8: .788."""
    asked = questions(3000, options=2)
    model = SimulatedModel({"ada": 0.6, "bob": 0.7}, options=2, judge_skill=0.8)
    said = texts(model, [draft(each.text, member) for each in asked for member in ("ada", "bob")])
    pairs = list(zip(said[::2], said[1::2], strict=True))
    named = texts(
        model,
        [
            judging(each.text, [("Candidate 1", one), ("Candidate 2", other)])
            for each, (one, other) in zip(asked, pairs, strict=True)
        ],
    )

    right = [
        pair["Candidate 2" in verdict].endswith(f"Answer: {each.gold}")
        for verdict, pair, each in zip(named, pairs, asked, strict=True)
    ]
    share_is(right, 0.6 * 0.7 + 0.8 * (0.6 * 0.3 + 0.7 * 0.4))


def test_a_judge_without_bias_says_the_same_in_both_orders() -> None:
    asked = questions(300)
    model = SimulatedModel(judge_skill=0.7)
    one, other = verdicts(model, asked, right_first=True), verdicts(model, asked, right_first=False, round=1)

    assert one == other
    share_is(one, 0.7)


def test_a_judges_bias_for_the_first_place_shows_when_the_order_is_turned() -> None:
    """With bias b the two verdicts differ in a share b; shown first, a right answer wins b + (1 - b) J of the time."""
    asked = questions(3000)
    model = SimulatedModel(judge_skill=0.7, position_bias=0.3)
    first, second = verdicts(model, asked, right_first=True), verdicts(model, asked, right_first=False, round=1)

    share_is(first, 0.3 + 0.7 * 0.7)
    share_is(second, 0.7 * 0.7)
    share_is([one != other for one, other in zip(first, second, strict=True)], 0.3)


def test_a_judge_that_can_read_no_candidate_is_undecided() -> None:
    candidates = [("Candidate 1", "Something is missing here."), ("Candidate 2", "")]
    (text,) = texts(SimulatedModel(), [judging("Which?", candidates)])

    assert '"verdict": "undecided"' in text


def test_best_of_n_with_a_verifier_is_limited_by_its_precision() -> None:
    """p = .3, s = .8, f = .2, n = 8, one of the accepted at random (any if none is): .6199; the limit is .6316."""
    p, s, f, size = 0.3, 0.8, 0.2, 8
    asked = questions(1600, options=2)  # n = 1600, allowed ± .049
    model = SimulatedModel(p, options=2, verifier_sensitivity=s, verifier_false_positive=f)
    said = texts(model, [draft(each.text, attempt=attempt) for each in asked for attempt in range(size)])
    keys = [each.text for each in asked for _ in range(size)]
    accepted = ['"accepted": true' in text for text in texts(model, list(map(checking, keys, said)))]

    right = []
    for at, each in enumerate(asked):
        here = range(at * size, (at + 1) * size)
        good = [said[sample].endswith(f"Answer: {each.gold}") for sample in here if accepted[sample]]
        good = good or [said[sample].endswith(f"Answer: {each.gold}") for sample in here]
        right.append(fmean(good))
    a = p * s + (1 - p) * f
    expected = p * s / a * (1 - (1 - a) ** size) + p * (1 - s) / (1 - a) * (1 - a) ** size
    assert expected == pytest.approx(0.6199, abs=1e-4)
    share_is(right, expected)


def test_a_verifier_rejects_what_holds_no_answer() -> None:
    (text,) = texts(SimulatedModel(verifier_false_positive=1.0), [checking("Which?", "I have nothing to say.")])

    assert '"accepted": false' in text


# -- speaking ------------------------------------------------------------------------------------------------------


def stated(model: SimulatedModel, asked: Sequence[Question]) -> list[tuple[float, bool]]:
    """The confidence of each first answer, and whether it is right."""
    said = texts(model, [draft(each.text) for each in asked])
    return [
        (int(text.partition("Confidence: ")[2].partition("%")[0]) / 100, text.endswith(f"Answer: {each.gold}"))
        for text, each in zip(said, asked, strict=True)
    ]


def test_calibrated_confidence_is_right_as_often_as_it_says() -> None:
    told = stated(SimulatedModel(0.6, confidence="calibrated"), questions(4000))

    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        bin = [(sure, right) for sure, right in told if low <= sure < low + 0.2 or (low == 0.8 and sure == 1)]
        assert len(bin) > 100
        share_is([right for _, right in bin], fmean(sure for sure, _ in bin))


def test_inflated_confidence_is_surer_than_right_and_stating_it_changes_no_answer() -> None:
    asked = questions(1500)
    plain, calibrated, inflated = (
        SimulatedModel(0.6, confidence=confidence) for confidence in (None, "calibrated", "inflated")
    )
    told = stated(inflated, asked)

    assert fmean(sure for sure, _ in told) - fmean(right for _, right in told) > 0.2
    assert drafts(plain, asked, ["ada"]) == drafts(calibrated, asked, ["ada"]) == drafts(inflated, asked, ["ada"])


def test_members_abstain_and_break_off_at_their_rates() -> None:
    asked = questions(2500)
    share_is([answer is None for (answer,) in drafts(SimulatedModel(abstain=0.2), asked, ["ada"])], 0.2)
    share_is([answer is None for (answer,) in drafts(SimulatedModel(unparseable=0.1), asked, ["ada"])], 0.1)


# -- chance --------------------------------------------------------------------------------------------------------


def test_members_attempts_and_run_seeds_draw_independently() -> None:
    """Two independent members of skill .6 are both right in .36 of cases, and so are two attempts and two runs."""
    asked = questions(2500, options=2)
    model = SimulatedModel(0.6, options=2)
    columns = [
        answers(model, [draft(each.text) for each in asked]),
        answers(model, [draft(each.text, "bob") for each in asked]),
        answers(model, [draft(each.text, attempt=1) for each in asked]),
        answers(model, [draft(each.text, run_seed=1) for each in asked]),
        answers(SimulatedModel(0.6, options=2, seed=1), [draft(each.text) for each in asked]),
    ]
    golds = [each.gold for each in asked]

    for one, other in combinations(columns, 2):
        share_is([a == b == gold for a, b, gold in zip(one, other, golds, strict=True)], 0.36)
