from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx.benchmarks.statistics.paired import mcnemar_counts
from phalanx.benchmarks.statistics.sequential import always_valid, e_value, e_value_of, look
from phalanx.errors import ValidationError


@pytest.mark.parametrize(
    ("wins", "losses", "value"), [(20, 5, 19.49), (15, 3, 14.50), (12, 4, 1.587), (0, 0, 1.0), (1, 0, 1.0)]
)
def test_the_e_value_gives_the_golden_numbers(wins: int, losses: int, value: float) -> None:
    assert e_value(wins, losses) == pytest.approx(value, rel=5e-4)


@given(st.integers(0, 120), st.integers(0, 120), st.integers(0, 50))
def test_the_general_e_value_equals_the_closed_form_for_right_or_wrong_items(wins: int, losses: int, even: int) -> None:
    found = [1.0] * wins + [-1.0] * losses + [0.0] * (even + 1)
    assert e_value_of(found) == pytest.approx(e_value(wins, losses), rel=1e-9)


def test_the_expected_e_value_of_one_more_fair_item_is_the_e_value_so_far() -> None:
    for wins, losses in [(0, 0), (3, 1), (10, 30)]:
        after = (e_value(wins + 1, losses) + e_value(wins, losses + 1)) / 2
        assert after == pytest.approx(e_value(wins, losses))


def test_overwhelming_evidence_is_infinite_not_an_overflow() -> None:
    assert e_value(5000, 0) == math.inf
    assert e_value_of([1.0] * 5000) == math.inf


def finds_a_difference_between_equals(stop: Callable[[int, int], bool], seed: int) -> bool:
    rng = random.Random(seed)
    wins = losses = 0
    for pair in range(1, 301):
        if rng.random() < 0.5:
            wins += 1
        else:
            losses += 1
        if pair >= 10 and stop(wins, losses):
            return True
    return False


def test_peeking_with_an_exact_test_finds_differences_between_equals_and_the_e_value_does_not() -> None:
    exact = sum(
        finds_a_difference_between_equals(lambda b, c: mcnemar_counts(b, c).exact <= 0.05, s) for s in range(400)
    )
    valid = sum(finds_a_difference_between_equals(lambda b, c: e_value(b, c) >= 20, s) for s in range(2000))
    assert 0.22 < exact / 400 < 0.36
    assert 0.02 < valid / 2000 < 0.05


def test_the_always_valid_interval_holds_at_every_look_at_once() -> None:
    missed = 0
    for seed in range(120):
        rng = random.Random(seed)
        found: list[float] = []
        outside = False
        for _ in range(12):
            found += rng.choices([1.0, 0.0, -1.0], weights=[20, 70, 10], k=30)
            interval = always_valid(found)
            assert interval.low is not None
            assert interval.high is not None
            outside = outside or not interval.low <= 0.1 <= interval.high
        missed += outside
    assert missed <= 0.05 * 120 + 5


def test_the_always_valid_interval_is_wider_than_that_of_one_look_but_closes_in() -> None:
    widths = []
    for n in (100, 1000, 10_000):
        interval = always_valid([1.0] * (n // 5) + [-1.0] * (n // 10) + [0.0] * (n - n // 5 - n // 10))
        assert interval.low is not None
        assert interval.high is not None
        assert interval.low < interval.value == 0.1 < interval.high
        widths.append(interval.high - interval.low)
    plain = 2 * 1.96 * math.sqrt((0.3 - 0.01) / 10_000)
    assert widths[0] > widths[1] > widths[2]
    assert plain < widths[2] < 3 * plain


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_the_ends_of_the_interval_are_where_a_bettor_would_have_won(level: float) -> None:
    integrate = pytest.importorskip("scipy.integrate")
    found = [1.0] * 9 + [-1.0] * 4 + [0.5, 0.25, 0.0, 0.0, -0.75]
    interval = always_valid(found, level=level)
    assert interval.low is not None
    assert interval.high is not None

    def wealth(angle: float, end: float, side: int) -> float:
        stake = side * math.cos(angle)
        return math.prod(1 + stake * (value - end) / (1 + abs(end)) for value in found)

    for end, side in ((interval.high, -1), (interval.low, 1)):
        mixed = integrate.quad(wealth, 0, math.pi / 2, args=(end, side))[0] / (math.pi / 2)
        assert mixed == pytest.approx(2 / (1 - level), rel=1e-3)


def test_swapping_the_systems_mirrors_the_interval() -> None:
    found = [0.5, -0.2, 1.0, 0.0, 0.3, 0.3]
    one, other = always_valid(found), always_valid([-value for value in found])
    assert one.low is not None
    assert other.high is not None
    assert one.low == pytest.approx(-other.high, abs=1e-9)


def test_an_interval_of_one_item_says_next_to_nothing() -> None:
    found = always_valid([1.0])
    assert found.low is not None
    assert found.low < -0.8
    assert found.high == pytest.approx(1.0)


def test_a_look_stops_for_better_worse_and_futile_and_else_goes_on() -> None:
    assert look([1.0] * 20 + [-1.0] * 5).look == "continue"
    assert look([1.0] * 21 + [-1.0] * 5).look == "better"
    assert look([-1.0] * 21 + [1.0] * 5).look == "worse"
    even = [1.0, -1.0] * 40 + [0.0] * 4000
    assert look(even, margin=0.02).look == "futile"
    assert look(even).look == "continue"
    assert look(even, margin=0.001).look == "continue"


def test_a_look_says_how_far_it_is() -> None:
    assert str(look([1.0] * 20 + [-1.0] * 5, margin=0.1)).startswith(
        "continue: e=19.49 of 20 needed, futile within ±0.1;"
    )


@pytest.mark.parametrize("bad", [[2.0], [0.1, -1.5]])
def test_differences_of_scores_lie_between_minus_1_and_1(bad: list[float]) -> None:
    with pytest.raises(ValidationError, match=r"-1\.\.1"):
        e_value_of(bad)


def test_alpha_and_margin_are_checked() -> None:
    with pytest.raises(ValidationError, match="alpha=5"):
        look([0.0], alpha=5)
    with pytest.raises(ValidationError, match="margin=0"):
        look([0.0], margin=0)
