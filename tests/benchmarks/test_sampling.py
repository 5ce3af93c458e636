from __future__ import annotations

import itertools

import pytest

from phalanx.benchmarks.statistics.sampling import (
    item_means,
    mean_pass_at_k,
    mean_pass_hat_k,
    pass_at_k,
    pass_hat_k,
)
from phalanx.errors import ValidationError


def test_pass_at_k_and_pass_hat_k_give_the_golden_numbers() -> None:
    assert pass_at_k(3, 10, 5) == pytest.approx(0.91667, abs=5e-6)
    assert pass_hat_k(7, 10, 3) == pytest.approx(0.29167, abs=5e-6)


@pytest.mark.parametrize("right", range(6))
@pytest.mark.parametrize("k", range(1, 6))
def test_both_count_the_draws_of_k_samples(right: int, k: int) -> None:
    samples = [True] * right + [False] * (5 - right)
    draws = list(itertools.combinations(samples, k))
    assert pass_at_k(right, 5, k) == pytest.approx(sum(any(draw) for draw in draws) / len(draws))
    assert pass_hat_k(right, 5, k) == pytest.approx(sum(all(draw) for draw in draws) / len(draws))


def test_over_items_both_are_means_with_intervals() -> None:
    counts = [(1, 4), (4, 4), (0, 4), (2, 4)]
    at, hat = mean_pass_at_k(counts, 2), mean_pass_hat_k(counts, 2)
    assert at.value == pytest.approx((0.5 + 1 + 0 + 5 / 6) / 4)
    assert hat.value == pytest.approx((0 + 1 + 0 + 1 / 6) / 4)
    assert at.n == 4
    assert at.method == "pass@2, Student"
    assert hat.method == "pass^2, Student"


def test_more_tries_than_samples_cannot_be_known() -> None:
    with pytest.raises(ValidationError, match="k=5 with 3 samples"):
        mean_pass_at_k([(1, 5), (1, 3)], 5)


def test_repeats_make_one_score_an_item_in_order_of_appearance() -> None:
    assert item_means([("q2", 1), ("q1", 0), ("q2", 0), ("q2", 1)]) == {"q2": pytest.approx(2 / 3), "q1": 0}


def test_a_missing_score_is_refused_by_item() -> None:
    with pytest.raises(ValidationError, match="'q1'"):
        item_means([("q1", float("nan"))])
