from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx.benchmarks.statistics.paired import mcnemar, mcnemar_counts, paired_difference, sign_flip
from phalanx.errors import ValidationError

stats = pytest.importorskip("scipy.stats")


def test_mcnemar_gives_the_golden_p_values() -> None:
    found = mcnemar_counts(12, 4)
    assert found.exact == pytest.approx(0.0768, abs=5e-5)
    assert found.mid_p == pytest.approx(0.0490, abs=5e-5)


@given(st.integers(0, 60), st.integers(0, 60))
def test_exact_mcnemar_is_the_binomial_test_of_scipy(wins: int, losses: int) -> None:
    if wins + losses == 0:
        assert mcnemar_counts(0, 0).exact == 1
    else:
        assert mcnemar_counts(wins, losses).exact == pytest.approx(stats.binomtest(wins, wins + losses).pvalue)


def test_exact_mcnemar_is_that_of_statsmodels() -> None:
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    expected = tables.mcnemar([[30, 9], [2, 59]], exact=True).pvalue
    assert mcnemar_counts(9, 2, n=100).exact == pytest.approx(expected)


def test_mcnemar_counts_wins_and_losses_of_paired_answers() -> None:
    found = mcnemar([1, 1, 0, 1, 0], [0, 1, 1, 0, 0])
    assert (found.wins, found.losses, found.n) == (2, 1, 5)
    assert "2 won, 1 lost of n=5" in str(found)


def test_mcnemar_refuses_partial_credit_and_says_what_to_use() -> None:
    with pytest.raises(ValidationError, match=r"b\[1\] is 0.5; .* sign_flip"):
        mcnemar([1, 0], [1, 0.5])


def test_counts_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValidationError, match="cannot be"):
        mcnemar_counts(3, 4, n=5)


@given(st.lists(st.sampled_from([-1.0, -0.6, -0.25, 0.0, 0.25, 0.6, 1.0]), min_size=1, max_size=9))
def test_the_exact_sign_flip_counts_every_pattern(found: list[float]) -> None:
    observed = abs(sum(found))
    patterns = list(itertools.product((1, -1), repeat=len(found)))
    sums = [abs(sum(sign * value for sign, value in zip(signs, found, strict=True))) for signs in patterns]
    expected = sum(total >= observed - 1e-9 for total in sums) / len(patterns)
    result = sign_flip(found, [0.0] * len(found))
    assert result.exact
    assert result.p_value == pytest.approx(expected)


def test_the_exact_sign_flip_is_the_permutation_test_of_scipy() -> None:
    rng = random.Random(3)
    found = [rng.gauss(0.4, 1) for _ in range(11)]
    expected = stats.permutation_test(
        (found,), lambda x, axis: x.mean(axis=axis), permutation_type="samples", vectorized=True, n_resamples=10_000
    )
    assert sign_flip(found, [0.0] * 11).p_value == pytest.approx(expected.pvalue)


def test_for_right_or_wrong_answers_the_sign_flip_is_exact_mcnemar_at_any_size() -> None:
    rng = random.Random(5)
    a = [float(rng.random() < 0.55) for _ in range(3000)]
    b = [float(rng.random() < 0.52) for _ in range(3000)]
    result = sign_flip(a, b)
    assert result.exact
    assert result.p_value == pytest.approx(mcnemar(a, b).exact, rel=1e-9)


@pytest.mark.parametrize("distinct", [40, 3])
def test_monte_carlo_comes_near_the_normal_p_value_and_is_seeded(distinct: int) -> None:
    rng = random.Random(distinct)
    sizes = [rng.random() for _ in range(distinct)]
    found = [rng.choice((-1, -1, -1, 1, 1, 1, 1)) * rng.choice(sizes) for _ in range(120 if distinct == 3 else 40)]
    found += [0.001 * 1.1**place for place in range(19)]
    result = sign_flip(found, [0.0] * len(found), seed=1)
    z = abs(sum(found)) / sum(value**2 for value in found) ** 0.5
    assert not result.exact
    assert result.p_value == pytest.approx(2 * stats.norm.sf(z), abs=0.015)
    assert result == sign_flip(found, [0.0] * len(found), seed=1)
    assert result.p_value != sign_flip(found, [0.0] * len(found), seed=2).p_value


def test_a_monte_carlo_p_value_is_never_0() -> None:
    found = [1.0 + 0.001 * place for place in range(60)]
    result = sign_flip(found, [0.0] * 60, resamples=999)
    assert result.p_value == pytest.approx(1 / 1000)


def test_a_cluster_is_flipped_as_a_whole() -> None:
    a, b = [1.0] * 40, [0.0] * 40
    labels = [place // 10 for place in range(40)]
    result = sign_flip(a, b, clusters=labels)
    assert result.units == 4
    assert result.p_value == pytest.approx(2 / 16)


def test_equal_systems_have_p_1() -> None:
    assert sign_flip([0.5, 1.0], [0.5, 1.0]).p_value == 1


def test_paired_right_or_wrong_answers_have_the_adjusted_wald_interval() -> None:
    a, b = [1] * 12 + [0] * 4 + [1] * 84, [0] * 12 + [1] * 4 + [1] * 84
    found = paired_difference(a, b)
    center, spread = 8 / 102, (18 / 102 - (8 / 102) ** 2) / 102
    assert found.value == pytest.approx(0.08)
    assert found.low == pytest.approx(center - 1.959964 * spread**0.5, abs=1e-6)
    assert found.high == pytest.approx(center + 1.959964 * spread**0.5, abs=1e-6)


def test_the_standard_error_is_that_of_the_differences() -> None:
    rng = random.Random(1)
    a = [float(rng.random() < 0.8) for _ in range(200)]
    b = [float(rng.random() < 0.7) for _ in range(200)]
    found = [x - y for x, y in zip(a, b, strict=True)]
    middle = sum(found) / 200
    expected = (sum((value - middle) ** 2 for value in found) / 199 / 200) ** 0.5
    assert paired_difference(a, b).se == pytest.approx(expected)


def test_partial_credit_has_the_interval_of_a_paired_t_test() -> None:
    a, b = [0.2, 0.9, 0.5, 1.0, 0.3], [0.1, 0.6, 0.7, 0.5, 0.3]
    expected = stats.ttest_rel(a, b).confidence_interval()
    found = paired_difference(a, b)
    assert found.low == pytest.approx(expected.low)
    assert found.high == pytest.approx(expected.high)
    assert found.method == "paired Student"


@pytest.mark.parametrize("scores", [[1, 0, 1, 1] * 5, [0.5, 0.25, 0.0, 1.0] * 5])
def test_systems_that_never_differed_may_still_differ(scores: list[float]) -> None:
    alone = paired_difference(scores, scores)
    clustered = paired_difference(scores, scores, clusters=[place // 2 for place in range(20)])
    assert alone.value == clustered.value == 0
    assert alone.low is not None
    assert clustered.low is not None
    assert clustered.low < alone.low < -0.05


def test_swapping_the_systems_mirrors_the_interval() -> None:
    a, b = [1, 1, 0, 1, 0, 1, 1], [0, 1, 0, 0, 1, 0, 1]
    one, other = paired_difference(a, b), paired_difference(b, a)
    assert one.low is not None
    assert other.high is not None
    assert one.value == -other.value
    assert one.low == pytest.approx(-other.high)


def test_systems_on_different_numbers_of_items_cannot_be_paired() -> None:
    with pytest.raises(ValidationError, match="a has 2 scores and b has 1"):
        paired_difference([1, 0], [1])


def test_the_sign_flip_of_many_units_is_that_of_the_normal_distribution() -> None:
    rng = random.Random(8)
    found = [rng.uniform(-1, 1.04) for _ in range(4000)]
    result = sign_flip(found, [0.0] * 4000, seed=3)
    z = abs(sum(found)) / math.sqrt(sum(value * value for value in found))
    expected = math.erfc(z / math.sqrt(2))
    assert 0.01 < expected < 0.5
    assert result.p_value == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / 10_000))
    assert result == sign_flip(found, [0.0] * 4000, seed=3)
