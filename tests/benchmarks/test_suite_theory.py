"""Suites of simulated members, through `compare`, agree with theory: accuracies, intervals, verdicts, peeking, power.

The default is small: 150 suites of one pair and 150 of another. The error (one standard deviation) of a share of 150 is
1.8 points for 95% coverage, 1.8 for 5% of errors and 2.4 for 90% power; that of `width`, an interval's length over
what it should be, is 6%, so that a 90% interval passed off as one of 95% (0.84) is found. The versions with a
thousand suites are in tests/torture.
"""

from __future__ import annotations

import functools

import pytest

from phalanx.benchmarks.statistics.power import expected_discordance, power_of
from tests.benchmarks.theory import BETTER, ITEMS, WORSE, Course, course, pair, share, team_and_member

SUITES = 150
pytestmark = pytest.mark.timeout(170)


@functools.cache
def unequal() -> Course:
    return course(pair(BETTER, WORSE), (BETTER, WORSE), ITEMS, SUITES)


@functools.cache
def equal() -> Course:
    return course(pair(WORSE, WORSE), (WORSE, WORSE), 60, SUITES, peek=True)


@pytest.mark.parametrize("which", [unequal, equal])
def test_intervals_hold_the_truth_and_are_as_wide_as_the_estimates_differ(
    which: functools._lru_cache_wrapper[Course],
) -> None:
    found = which()
    for each in (found.first, found.second, found.difference):
        assert 0.905 <= each.coverage <= 0.995
        assert each.width == pytest.approx(1.0, abs=0.12)
        assert abs(each.bias) < 3.3


def test_a_real_difference_is_found_as_often_as_the_formula_says() -> None:
    power = power_of(ITEMS, BETTER - WORSE, discordance=expected_discordance(BETTER, WORSE))
    assert power == pytest.approx(0.9, abs=0.001)
    assert share(unequal().kinds, "better") == pytest.approx(power, abs=0.065)
    assert share(unequal().kinds, "worse") == 0


def test_equal_members_are_told_apart_in_at_most_one_of_twenty_suites() -> None:
    kinds = equal().kinds
    assert share(kinds, "better") <= 0.05
    assert 0.01 <= share(kinds, "better", "worse") <= 0.095


def test_who_looks_after_every_item_is_told_of_a_difference_between_equals_in_at_most_one_of_twenty() -> None:
    assert equal().stopped / SUITES <= 0.05


def test_a_vote_of_correlated_members_is_as_good_as_the_beta_binomial_says() -> None:
    """Beta-binomial: three members of skill 0.7 with rho = 0.2 are right together in 0.7448; each item 40 times."""
    found = course(team_and_member(), (0.74480, 0.7), 40, 40)
    for each in (found.first, found.second, found.difference):
        assert abs(each.bias) < 3.3
        assert each.width == pytest.approx(1.0, abs=0.35)
