from __future__ import annotations

import math
import random

import pytest

from phalanx.benchmarks.statistics.bootstrap import bootstrap_difference
from phalanx.benchmarks.statistics.intervals import Estimate, accuracy, wilson
from phalanx.benchmarks.statistics.paired import paired_difference
from phalanx.benchmarks.statistics.verdict import compare
from tests.benchmarks.suites import Suite, coverage, documents, repeated, right_or_wrong


def paired(suite: Suite) -> Estimate:
    return paired_difference(suite[0], suite[1])


def clustered(suite: Suite) -> Estimate:
    return paired_difference(suite[0], suite[1], clusters=suite[2])


@pytest.mark.parametrize(
    ("n", "discordance", "delta"), [(100, 0.2, 0.0), (100, 0.4, 0.1), (300, 0.1, 0.0), (300, 0.2, 0.08)]
)
def test_95_percent_of_paired_intervals_hold_the_truth(n: int, discordance: float, delta: float) -> None:
    held = coverage(right_or_wrong(n, discordance, delta), paired, delta, suites=1000, seed=n)
    assert 0.93 <= held <= 0.97


def test_with_few_discordant_items_the_interval_errs_on_the_wide_side() -> None:
    assert coverage(right_or_wrong(30, 0.05, 0.0), paired, 0.0, suites=1000, seed=1) >= 0.97


@pytest.mark.parametrize("count", [15, 40])
def test_95_percent_of_clustered_intervals_hold_the_truth(count: int) -> None:
    assert 0.93 <= coverage(documents(count, 5), clustered, 0.0, suites=1000, seed=2) <= 0.97


def test_forgetting_the_clusters_makes_intervals_too_narrow() -> None:
    assert coverage(documents(40, 5), paired, 0.0, suites=600, seed=2) < 0.9


def test_95_percent_of_clustered_accuracies_hold_the_truth() -> None:
    held = coverage(documents(40, 5), lambda suite: accuracy(suite[0], clusters=suite[2]), 0.5, suites=1000, seed=4)
    assert 0.93 <= held <= 0.97


def test_95_percent_of_intervals_over_repeated_items_hold_the_truth() -> None:
    assert 0.93 <= coverage(repeated(60, 4), paired, 0.1, suites=1000, seed=5) <= 0.97


def test_bootstrap_intervals_hold_the_truth_nearly_as_often() -> None:
    def resampled(suite: Suite) -> Estimate:
        return bootstrap_difference(suite[0], suite[1], resamples=500)

    assert 0.91 <= coverage(repeated(60, 4), resampled, 0.1, suites=300, seed=6) <= 0.97


def test_wilson_covers_95_percent_on_average_over_all_rates() -> None:
    n = 50
    intervals = [wilson(right, n) for right in range(n + 1)]
    covered = []
    for rate in (step / 200 for step in range(10, 191)):
        chances = (math.comb(n, right) * rate**right * (1 - rate) ** (n - right) for right in range(n + 1))
        covered.append(
            sum(
                chance
                for chance, found in zip(chances, intervals, strict=True)
                if found.low is not None and found.high is not None and found.low <= rate <= found.high
            )
        )
    assert 0.945 <= sum(covered) / len(covered) <= 0.957
    assert min(covered) > 0.9


def test_equal_systems_are_called_better_or_worse_at_most_5_times_in_100() -> None:
    rng = random.Random(8)
    make = right_or_wrong(150, 0.25, 0.0)
    kinds = [compare(a, b, margin=0.02).kind for a, b, _ in (make(rng) for _ in range(1000))]
    assert kinds.count("better") <= 35
    assert kinds.count("better") + kinds.count("worse") <= 60
