from __future__ import annotations

import random
import statistics

import pytest

from phalanx.benchmarks.statistics.bootstrap import bootstrap_difference, bootstrap_mean, resampled_sums
from phalanx.errors import ValidationError


def skewed(n: int, seed: int) -> list[float]:
    rng = random.Random(seed)
    return [rng.expovariate(1) ** 1.5 for _ in range(n)]


def test_bca_ends_are_those_of_scipy_up_to_resampling() -> None:
    stats = pytest.importorskip("scipy.stats")
    scores = skewed(40, 2)
    expected = stats.bootstrap(
        (scores,), statistics.fmean, vectorized=False, n_resamples=20_000, method="BCa", rng=1
    ).confidence_interval
    found = bootstrap_mean(scores, resamples=20_000)
    width = expected.high - expected.low
    assert found.low == pytest.approx(expected.low, abs=0.02 * width)
    assert found.high == pytest.approx(expected.high, abs=0.02 * width)


def test_bca_shifts_the_interval_of_skewed_scores_upwards() -> None:
    scores = skewed(40, 2)
    bca, plain = bootstrap_mean(scores), bootstrap_mean(scores, kind="percentile")
    assert bca.low is not None
    assert plain.low is not None
    assert bca.low > plain.low
    assert bca.high is not None
    assert plain.high is not None
    assert bca.high > plain.high


def test_percentiles_are_those_of_scipy_up_to_resampling() -> None:
    stats = pytest.importorskip("scipy.stats")
    scores = skewed(30, 5)
    expected = stats.bootstrap(
        (scores,), statistics.fmean, vectorized=False, n_resamples=20_000, method="percentile", rng=1
    ).confidence_interval
    found = bootstrap_mean(scores, kind="percentile", resamples=20_000)
    assert found.low == pytest.approx(expected.low, rel=0.02)
    assert found.high == pytest.approx(expected.high, rel=0.02)


def test_few_distinct_values_are_drawn_by_counts_with_the_right_spread() -> None:
    right = [1.0] * 700 + [0.0] * 300
    found = bootstrap_mean(right)
    error = (0.7 * 0.3 / 1000) ** 0.5
    assert found.low == pytest.approx(0.7 - 1.96 * error, abs=0.002)
    assert found.high == pytest.approx(0.7 + 1.96 * error, abs=0.002)


def test_whole_clusters_are_drawn() -> None:
    scores = [1.0] * 100 + [0.0] * 100
    labels = [place // 20 for place in range(200)]
    found = bootstrap_mean(scores, clusters=labels)
    naive = bootstrap_mean(scores)
    assert found.low is not None
    assert found.high is not None
    assert naive.low is not None
    assert naive.high is not None
    assert found.high - found.low > 3.5 * (naive.high - naive.low)
    assert found.clusters == 10


def test_clusters_of_unequal_size_keep_the_mean_over_items() -> None:
    rng = random.Random(8)
    labels = [label for label in range(60) for _ in range(1 + label % 5)]
    scores = [rng.random() * (1 + label % 5) / 5 for label in labels]
    found = bootstrap_mean(scores, clusters=labels, kind="percentile")
    sums = resampled_sums([scores, [1.0] * len(scores)], resamples=4000, seed=9, clusters=labels)
    spread = statistics.stdev(total / size for total, size in sums)
    assert found.value == pytest.approx(statistics.fmean(scores))
    assert found.low is not None
    assert found.high is not None
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(spread, rel=0.06)


def test_a_seed_gives_the_same_interval_and_another_seed_another() -> None:
    scores = skewed(50, 1)
    first, again, other = (bootstrap_mean(scores, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.low != other.low
    assert first.seed == 1
    assert first.resamples == 5000


def test_a_paired_bootstrap_is_narrower_than_the_two_systems_vary() -> None:
    rng = random.Random(2)
    base = [rng.random() for _ in range(80)]
    better = [min(1.0, score + 0.05 + rng.gauss(0, 0.02)) for score in base]
    found = bootstrap_difference(better, base)
    assert found.low is not None
    assert found.low > 0.03
    assert found.method == "paired BCa bootstrap"


def test_no_spread_is_an_unknown_interval() -> None:
    found = bootstrap_mean([0.5] * 20)
    assert (found.value, found.low, found.high) == (0.5, None, None)


def test_too_few_resamples_are_refused() -> None:
    with pytest.raises(ValidationError, match="resamples=10"):
        bootstrap_mean([0, 1, 1], resamples=10)
