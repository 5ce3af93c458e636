from __future__ import annotations

import math
import random
from collections import Counter

import pytest

from phalanx.benchmarks.statistics.distributions import (
    draw_binomial,
    draw_counts,
    fair_coin_tail,
    regularized_beta,
    student_tail,
    t_of,
    z_of,
)
from phalanx.errors import ValidationError

special = pytest.importorskip("scipy.special")
stats = pytest.importorskip("scipy.stats")


@pytest.mark.parametrize("df", [1, 2, 3, 5, 10, 29, 100, 4999])
@pytest.mark.parametrize("level", [0.8, 0.9, 0.95, 0.99, 0.999])
def test_student_quantiles_are_those_of_scipy(df: int, level: float) -> None:
    assert t_of(level, df) == pytest.approx(stats.t.ppf((1 + level) / 2, df), rel=1e-9)
    assert z_of(level) == pytest.approx(stats.norm.ppf((1 + level) / 2), rel=1e-9)


def test_student_tails_are_those_of_scipy_on_both_sides() -> None:
    for t in (-7.0, -0.3, 0.0, 0.2, 1.9, 30.0):
        assert student_tail(t, 7) == pytest.approx(stats.t.sf(t, 7), rel=1e-10)


def test_the_incomplete_beta_function_is_that_of_scipy() -> None:
    rng = random.Random(1)
    for _ in range(300):
        a, b, x = rng.uniform(0.1, 300), rng.uniform(0.1, 300), rng.random()
        assert regularized_beta(a, b, x) == pytest.approx(special.betainc(a, b, x), rel=1e-9, abs=1e-13)
    assert regularized_beta(2, 3, 0) == 0
    assert regularized_beta(2, 3, 1) == 1


@pytest.mark.parametrize("n", [1, 2, 7, 16, 301, 5000, 100_001])
def test_tails_of_fair_coins_are_those_of_scipy(n: int) -> None:
    for k in {-1, 0, n // 3, n // 2 - 1, n // 2, n // 2 + 1, n - 1, n}:
        assert fair_coin_tail(k, n) == pytest.approx(stats.binom.cdf(k, n, 0.5), rel=1e-8, abs=1e-300)


@pytest.mark.parametrize("p", [0.03, 0.5, 0.7, 1 / 3])
def test_binomial_draws_follow_the_binomial_distribution(p: float) -> None:
    rng = random.Random(7)
    drawn = Counter(draw_binomial(rng, 12, p) for _ in range(20_000))
    expected = [20_000 * math.comb(12, k) * p**k * (1 - p) ** (12 - k) for k in range(13)]
    common = [k for k in range(13) if expected[k] >= 5]
    squares = sum((drawn[k] - expected[k]) ** 2 / expected[k] for k in common)
    assert squares < stats.chi2.ppf(0.9999, len(common))


def test_binomial_draws_know_the_certain_cases() -> None:
    rng = random.Random(0)
    assert draw_binomial(rng, 50, 0.0) == 0
    assert draw_binomial(rng, 50, 1.0) == 50
    assert draw_binomial(rng, 0, 0.3) == 0


def test_a_resample_has_as_many_members_as_the_population_and_the_same_mean() -> None:
    rng = random.Random(3)
    counts = [5, 0, 20, 75]
    draws = [draw_counts(rng, counts) for _ in range(4000)]
    assert all(sum(draw) == 100 for draw in draws)
    assert all(draw[1] == 0 for draw in draws)
    for kind, count in enumerate(counts):
        assert sum(draw[kind] for draw in draws) / 4000 == pytest.approx(count, abs=0.35)


@pytest.mark.parametrize("level", [0.0, 1.0, 95, float("nan")])
def test_a_level_that_is_none_is_refused(level: float) -> None:
    with pytest.raises(ValidationError, match="level"):
        z_of(level)
