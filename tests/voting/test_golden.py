"""Known elections and known numbers: each rule must give exactly these."""

from __future__ import annotations

from fractions import Fraction

import pytest

from phalanx.formations.voting import LinearPool, LogarithmicPool, RawBallot, rule_of
from phalanx.formations.voting.sampling import (
    beta_tail,
    dirichlet_first,
    expected_beta,
    expected_esc,
    pass_at_k,
    pass_hat_k,
)
from phalanx.formations.voting.theory import (
    bahadur_majority,
    correlated_ceiling,
    correlated_majority,
    effective_voters,
    incomplete_beta,
    majority,
    majority_of,
    plurality,
    plurality_bound,
    poisson_binomial,
    pull_of_mistakes,
    shared_mistakes,
    weighted_majority,
)
from phalanx.formations.voting.weighted import log_odds


def ballots(*blocks: tuple[int, str]) -> list[RawBallot]:
    return [list(ranking) for count, ranking in blocks for _ in range(count)]


SEVENTEEN = ballots((5, "ACBD"), (2, "CDAB"), (6, "DBCA"), (4, "BCAD"))
TENNESSEE = ballots((42, "MNCK"), (26, "NCKM"), (15, "CKNM"), (17, "KCNM"))
CYCLE = ballots((4, "ABC"), (3, "BCA"), (2, "CAB"))


@pytest.mark.parametrize(
    ("kind", "seventeen", "tennessee", "cycle"),
    [
        ("plurality", "D", "M", "A"),
        ("borda", "C", "N", "AB"),
        ("instant_runoff", "A", "K", "A"),
        ("copeland", "B", "N", "ABC"),
        ("schulze", "B", "N", "A"),
        ("ranked_pairs", "B", "N", "A"),
        ("minimax", "B", "N", "A"),
    ],
)
def test_one_profile_separates_every_family_of_rules(kind: str, seventeen: str, tennessee: str, cycle: str) -> None:
    rule = rule_of({"kind": kind, "tie_break": ()})
    for profile, winners in ((SEVENTEEN, seventeen), (TENNESSEE, tennessee), (CYCLE, cycle)):
        decision = rule.decide(profile)
        assert decision.leaders == tuple(winners)
        assert decision.status == ("decided" if len(winners) == 1 else "tie")


def test_the_tallies_of_the_cycle_are_exact() -> None:
    def tally(kind: str) -> dict[str, Fraction]:
        return rule_of({"kind": kind, "tie_break": ()}).decide(CYCLE).tally

    assert tally("borda") == {"A": 10, "B": 10, "C": 7}
    assert tally("minimax") == {"A": -1, "B": -3, "C": -5}
    assert tally("copeland") == {"A": 1, "B": 1, "C": 1}
    assert tally("instant_runoff") == {"A": 6, "B": 3, "C": 2}


def test_pools_of_three_opinions() -> None:
    opinions: list[RawBallot] = [
        {"a": 0.6, "b": 0.3, "c": 0.1}, {"a": 0.2, "b": 0.7, "c": 0.1}, {"a": 0.5, "b": 0.25, "c": 0.25},
    ]  # fmt: skip

    def pooled(rule: LinearPool | LogarithmicPool) -> list[float]:
        tally = rule.decide(opinions).tally
        return [round(float(tally[name]), 4) for name in "abc"]

    assert LinearPool().decide(opinions).tally == {"a": Fraction(13, 30), "b": Fraction(5, 12), "c": Fraction(3, 20)}
    assert pooled(LogarithmicPool()) == [0.4342, 0.4153, 0.1505]
    assert pooled(LogarithmicPool(weights="full")) == [0.5217, 0.4565, 0.0217]


@pytest.mark.parametrize(
    ("skills", "equal", "weighted"),
    [((0.9, 0.6, 0.6, 0.6, 0.6), 0.78624, 0.9), ((0.75, 0.7, 0.65, 0.6, 0.55), 0.76741, 0.79051)],
)
def test_log_odds_weights_beat_equal_ones(skills: tuple[float, ...], equal: float, weighted: float) -> None:
    assert round(majority_of(skills), 5) == equal
    assert round(weighted_majority(skills, [1] * 5), 5) == equal
    assert round(weighted_majority(skills, [log_odds(p) for p in skills]), 5) == weighted


@pytest.mark.parametrize(
    ("a", "b", "tail", "stops"),
    [(3, 0, 0.9375, False), (4, 0, 0.96875, True), (6, 1, 0.96484375, True), (7, 2, 0.9453125, False),
     (8, 2, 0.96728515625, True), (9, 3, 0.953857421875, True)],
)  # fmt: skip
def test_the_beta_rule_stops_exactly_where_it_should(a: int, b: int, tail: float, stops: bool) -> None:
    assert beta_tail(a, b) == Fraction(tail)
    assert (beta_tail(a, b) >= Fraction(95, 100)) is stops


@pytest.mark.parametrize(
    ("p", "samples", "accuracy", "fixed"),
    [(0.6, 24.16, 0.8756, 0.8979), (0.7, 15.11, 0.9851, 0.9957), (0.8, 8.72, 0.9981, None), (0.9, 5.62, 0.9999, None)],
)
def test_what_adaptive_stopping_costs_and_gives(p: float, samples: float, accuracy: float, fixed: float | None) -> None:
    expected = expected_beta(p)
    assert (round(expected.samples, 2), round(expected.accuracy, 4)) == (samples, accuracy)
    if fixed is not None:
        assert round(majority(40, p), 4) == fixed


@pytest.mark.parametrize(("p", "samples"), [(0.6, 29.63), (0.7, 22.75), (0.8, 14.61), (0.9, 8.46)])
def test_what_window_stopping_costs(p: float, samples: float) -> None:
    assert round(expected_esc([p, 1 - p]), 2) == samples


def test_two_classes_make_the_dirichlet_rule_the_beta_rule() -> None:
    for a in range(8):
        for b in range(8):
            assert dirichlet_first(a, b) == beta_tail(a, b)


def test_equal_classes_are_equally_likely_to_be_first() -> None:
    assert dirichlet_first(2, 2, 2) == Fraction(1, 3)
    assert dirichlet_first(0, 0, 0, 0, 0) == Fraction(1, 5)
    assert sum(dirichlet_first(*order) for order in ((5, 3, 1), (3, 5, 1), (1, 3, 5))) == 1


def test_sampling_metrics_without_bias() -> None:
    assert pass_at_k(10, 3, 5) == Fraction(11, 12)
    assert pass_hat_k(10, 7, 3) == Fraction(7, 24)


MAJORITY = {
    0.6: {3: 0.648, 5: 0.68256, 7: 0.710208, 9: 0.733432, 15: 0.786897, 25: 0.846232},
    0.7: {3: 0.784, 5: 0.83692, 7: 0.873964, 9: 0.901191, 15: 0.949987, 25: 0.98253},
    0.45: {25: 0.306324},
}


@pytest.mark.parametrize(("p", "n"), [(p, n) for p, by_size in MAJORITY.items() for n in by_size])
def test_the_majority_of_independent_voters(p: float, n: int) -> None:
    assert round(majority(n, p), 6) == MAJORITY[p][n]
    assert majority(n + 1, p) == pytest.approx(majority(n, p)), "one more voter, with fair ties, changes nothing"
    assert majority(n, p) == pytest.approx(incomplete_beta(p, (n + 1) / 2, (n + 1) / 2))
    assert majority(n, p) == pytest.approx(majority_of([p] * n))
    assert majority(n, p) == pytest.approx(plurality(n, 2, p))
    assert majority(n, p) == pytest.approx(correlated_majority(n, p, 0))


def test_each_two_more_voters_add_what_the_recursion_says() -> None:
    from math import comb

    for m in range(1, 12):
        step = (2 * 0.6 - 1) * comb(2 * m - 1, m) * (0.6 * 0.4) ** m
        assert majority(2 * m + 1, 0.6) - majority(2 * m - 1, 0.6) == pytest.approx(step)


def test_unequal_voters_by_convolution() -> None:
    assert poisson_binomial([0.5, 0.5]) == [0.25, 0.5, 0.25]
    assert poisson_binomial([0.9, 0.2]) == pytest.approx([0.08, 0.74, 0.18])


@pytest.mark.parametrize(
    ("options", "p", "right"),
    [
        (4, 0.4, [0.448, 0.50944, 0.59859]),
        (4, 0.3, [0.314, 0.33458, 0.36378]),
        (10, 0.3, [0.34667, 0.45543, 0.58869]),
        (10, 0.5, [0.61111, 0.77675, 0.91338]),
    ],
)
def test_the_plurality_of_independent_voters(options: int, p: float, right: list[float]) -> None:
    assert [round(plurality(n, options, p), 5) for n in (3, 5, 9)] == right


def test_the_bound_is_below_the_truth() -> None:
    assert round(plurality_bound(1000, 4, 0.2), 4) == 0.9907
    assert plurality_bound(10, 4, 0.2) == 0
    for n in (60, 80, 120):
        assert plurality_bound(n, 3, 0.4) <= plurality(n, 3, 0.6)


@pytest.mark.parametrize(
    ("rho", "right", "ceiling"),
    [
        (0.1, [0.76185, 0.79398, 0.82745, 0.86777], 0.8996),
        (0.2, [0.7448, 0.76486, 0.78365, 0.80376], 0.81801),
        (0.5, [0.714, 0.71864, 0.72229, 0.72557], 0.72757),
    ],
)
def test_correlated_voters_and_their_ceiling(rho: float, right: list[float], ceiling: float) -> None:
    assert [round(correlated_majority(n, 0.7, rho), 5) for n in (3, 5, 9, 25)] == right
    assert round(correlated_ceiling(0.7, rho), 5) == ceiling


def test_nine_judges_are_worth_two() -> None:
    assert round(correlated_majority(9, 0.7, 0.4375), 5) == 0.73013
    assert effective_voters(9, 0.4375) == 2


def test_with_correlation_in_pairs_more_voters_can_do_worse() -> None:
    found = [round(bahadur_majority(n, 0.6, 0.1), 5) for n in (3, 5, 7, 9)]
    assert found == [0.6336, 0.648, 0.65215, 0.64982]


def test_wrong_voters_who_agree_sixty_percent_of_the_time() -> None:
    assert round(pull_of_mistakes(4, 0.6), 3) == 0.755
    assert shared_mistakes(4, pull_of_mistakes(4, 0.6)) == pytest.approx(0.6)


@pytest.mark.parametrize(
    "impossible",
    [
        lambda: majority(0, 0.5),
        lambda: majority(3, 1.5),
        lambda: plurality(3, 1, 0.5),
        lambda: correlated_majority(3, 0.5, -0.1),
        lambda: bahadur_majority(4, 0.6, 0.1),
        lambda: pull_of_mistakes(4, 0.1),
        lambda: shared_mistakes(2, 0.5),
        lambda: pass_at_k(10, 11, 1),
        lambda: pass_hat_k(10, 3, 11),
        lambda: expected_esc([0.5, 0.5], window=7),
        lambda: weighted_majority([0.5], [1, 2]),
        lambda: log_odds(1.5),
        lambda: log_odds(0.5, 1),
        lambda: beta_tail(-1, 0),
        lambda: dirichlet_first(3),
        lambda: incomplete_beta(2, 1, 1),
    ],
)
def test_an_impossible_question_is_refused(impossible: object) -> None:
    assert callable(impossible)
    with pytest.raises(ValueError):
        impossible()
