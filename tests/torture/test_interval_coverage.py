"""Coverage and error rates to within a point; minutes of work, so run only with PHALANX_TORTURE=1."""

from __future__ import annotations

import os
import random

import pytest

from phalanx.benchmarks.statistics.intervals import Estimate, accuracy
from phalanx.benchmarks.statistics.paired import paired_difference, sign_flip
from phalanx.benchmarks.statistics.power import power_of
from phalanx.benchmarks.statistics.sequential import look
from phalanx.benchmarks.statistics.verdict import compare
from tests.benchmarks.suites import Suite, coverage, documents, repeated, right_or_wrong

pytestmark = [
    pytest.mark.skipif(not os.environ.get("PHALANX_TORTURE"), reason="set PHALANX_TORTURE=1 to spend minutes"),
    pytest.mark.timeout(1200),
]


def paired(suite: Suite) -> Estimate:
    return paired_difference(suite[0], suite[1])


@pytest.mark.parametrize("n", [60, 150, 500])
@pytest.mark.parametrize("discordance", [0.2, 0.4])
def test_paired_intervals_cover_95_percent(n: int, discordance: float) -> None:
    assert coverage(right_or_wrong(n, discordance, 0.05), paired, 0.05, suites=8000, seed=n) == pytest.approx(
        0.95, abs=0.015
    )


@pytest.mark.parametrize("count", [10, 30, 100])
def test_clustered_intervals_cover_95_percent(count: int) -> None:
    def difference(suite: Suite) -> Estimate:
        return paired_difference(suite[0], suite[1], clusters=suite[2])

    def alone(suite: Suite) -> Estimate:
        return accuracy(suite[0], clusters=suite[2])

    assert coverage(documents(count, 5), difference, 0.0, suites=6000, seed=1) == pytest.approx(0.95, abs=0.015)
    assert coverage(documents(count, 5), alone, 0.5, suites=6000, seed=2) == pytest.approx(0.95, abs=0.03)


@pytest.mark.parametrize("n", [30, 100, 300])
def test_intervals_over_repeated_items_cover_95_percent(n: int) -> None:
    assert coverage(repeated(n, 5), paired, 0.1, suites=5000, seed=n) == pytest.approx(0.95, abs=0.012)


def test_equal_systems_are_rarely_called_better() -> None:
    rng = random.Random(1)
    make = right_or_wrong(200, 0.3, 0.0)
    kinds = [compare(a, b).kind for a, b, _ in (make(rng) for _ in range(10_000))]
    assert kinds.count("better") / 10_000 <= 0.03
    assert (kinds.count("better") + kinds.count("worse")) / 10_000 <= 0.055


def test_the_permutation_test_keeps_its_level_for_partial_credit() -> None:
    rng = random.Random(2)
    found = 0
    for _ in range(2000):
        a, b = [rng.random() for _ in range(40)], [rng.random() for _ in range(40)]
        found += sign_flip(a, b, resamples=999).p_value <= 0.05
    assert found / 2000 == pytest.approx(0.05, abs=0.012)


def test_peeking_at_every_tenth_item_keeps_the_level_and_the_power_is_bought_with_items() -> None:
    rng = random.Random(3)

    def stops(delta: float) -> bool:
        a, b, _ = right_or_wrong(400, 0.3, delta)(rng)
        found = [x - y for x, y in zip(a, b, strict=True)]
        return any(look(found[:upto]).look in ("better", "worse") for upto in range(10, 401, 10))

    assert sum(stops(0.0) for _ in range(600)) / 600 <= 0.05
    assert sum(stops(0.15) for _ in range(150)) / 150 > 0.9


@pytest.mark.parametrize(("n", "delta"), [(200, 0.05), (400, 0.06), (800, 0.05)])
def test_power_is_within_three_points_of_the_formula(n: int, delta: float) -> None:
    rng = random.Random(n)
    make = right_or_wrong(n, 0.25, delta)
    found = [paired(make(rng)).low for _ in range(6000)]
    share = sum(low is not None and low > 0 for low in found) / 6000
    assert share == pytest.approx(power_of(n, delta, discordance=0.25), abs=0.03)
