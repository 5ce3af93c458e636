from __future__ import annotations

import random

import pytest

from phalanx.benchmarks.statistics.calibration import brier, calibration
from phalanx.errors import ValidationError


def test_brier_is_the_mean_squared_error() -> None:
    found = brier([0.9, 0.6, 0.2], [True, False, False])
    assert found.value == pytest.approx((0.01 + 0.36 + 0.04) / 3)


def test_calibration_error_is_the_weighted_gap_of_the_bins() -> None:
    found = calibration([0.95, 0.95, 0.95, 0.95, 0.55, 0.55], [True, True, True, False, True, False])
    assert found.error == pytest.approx(4 / 6 * abs(0.95 - 0.75) + 2 / 6 * abs(0.55 - 0.5))
    assert [(each.n, each.accuracy) for each in found.bins] == [(2, 0.5), (4, 0.75)]
    assert found.overconfidence == pytest.approx((4 * 0.95 + 2 * 0.55) / 6 - 4 / 6)


def test_brier_splits_exactly_when_confidences_are_equal_within_bins() -> None:
    rng = random.Random(1)
    confidences = [rng.choice([0.15, 0.35, 0.65, 0.85]) for _ in range(500)]
    right = [rng.random() < confidence**2 for confidence in confidences]
    found = calibration(confidences, right)
    assert found.brier.value == pytest.approx(found.reliability - found.resolution + found.uncertainty)


def test_calibrated_confidences_show_just_the_error_that_comes_by_chance() -> None:
    rng = random.Random(2)
    errors, chances = [], []
    for _ in range(200):
        confidences = [rng.random() for _ in range(100)]
        found = calibration(confidences, [rng.random() < confidence for confidence in confidences])
        errors.append(found.error)
        chances.append(found.by_chance)
    assert sum(errors) / 200 == pytest.approx(sum(chances) / 200, rel=0.06)
    assert sum(errors) / 200 > 0.08


def test_bins_of_equal_mass_hold_as_many_answers_each() -> None:
    rng = random.Random(3)
    confidences = [0.5 + rng.random() / 20 for _ in range(100)]
    found = calibration(confidences, [True] * 100, bins=5, binning="mass")
    assert [each.n for each in found.bins] == [20] * 5
    assert len(calibration(confidences, [True] * 100, bins=5).bins) == 1


def test_equal_confidences_stay_in_one_bin() -> None:
    found = calibration([0.9] * 7 + [0.2] * 3, [True] * 10, bins=5, binning="mass")
    assert [each.n for each in found.bins] == [3, 7]


def test_full_confidence_belongs_to_the_last_bin() -> None:
    found = calibration([1.0, 0.0], [True, False])
    assert found.error == 0
    assert [(each.low, each.high) for each in found.bins] == [(0.0, 0.1), (0.9, 1.0)]


@pytest.mark.parametrize(
    ("confidences", "right", "problem"),
    [([1.2], [True], r"confidences\[0\] is 1.2"), ([0.5], [], "1 confidences for 0"), ([], [], "at least one")],
)
def test_bad_confidences_are_refused(confidences: list[float], right: list[bool], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        calibration(confidences, right)
