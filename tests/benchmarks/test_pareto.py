from __future__ import annotations

import random

import pytest

from phalanx.benchmarks.statistics.pareto import Measured, cost_to_reach, pareto
from phalanx.errors import ValidationError


def measured(accuracy: float, cost: float | None, *, n: int = 400, seed: int = 0) -> Measured:
    rng = random.Random(f"{accuracy}:{cost}:{seed}")
    return Measured([float(rng.random() < accuracy) for _ in range(n)], [cost] * n)


def test_a_system_that_costs_more_and_is_right_less_often_is_off_the_front() -> None:
    front = pareto({"debate": measured(0.6, 9.0), "single": measured(0.7, 1.0), "vote": measured(0.85, 5.0)})
    points = {point.system: point for point in front.points}
    assert [point.system for point in front.points] == ["single", "vote", "debate"]
    assert points["single"].on_front
    assert points["vote"].on_front
    assert not points["debate"].on_front
    assert points["debate"].dominated_by["vote"] == 1.0
    assert points["vote"].frequency > 0.99
    assert points["debate"].frequency < 0.02


def test_equals_at_different_cost_are_on_the_front_about_half_the_time() -> None:
    one = Measured([1.0, 0.0] * 300, [1.0] * 600)
    other = Measured([0.0, 1.0] * 300, [2.0] * 600)
    points = {point.system: point for point in pareto({"cheap": one, "dear": other}).points}
    assert not points["dear"].on_front
    assert points["dear"].frequency == pytest.approx(0.5, abs=0.06)
    assert points["dear"].dominated_by["cheap"] == pytest.approx(0.5, abs=0.06)


def test_two_systems_at_one_point_are_both_on_the_front() -> None:
    same = Measured([1.0, 0.0, 1.0], [1.0, 1.0, 1.0])
    front = pareto({"x": same, "y": same})
    assert [point.on_front for point in front.points] == [True, True]


def test_items_are_drawn_jointly_so_a_constant_lead_is_certain() -> None:
    rng = random.Random(1)
    base = [rng.random() * 0.9 for _ in range(50)]
    systems = {"base": Measured(base, [1.0] * 50), "more": Measured([score + 0.01 for score in base], [1.0] * 50)}
    points = {point.system: point for point in pareto(systems).points}
    assert points["base"].dominated_by == {"more": 1.0}


def test_hypervolume_is_the_share_of_the_rectangle_under_the_front() -> None:
    systems = {"a": Measured([0.5, 0.5], [1.0, 1.0]), "b": Measured([0.8, 0.8], [3.0, 3.0])}
    front = pareto(systems, reference_cost=4)
    assert front.hypervolume is not None
    assert front.hypervolume.value == pytest.approx((2 * 0.5 + 1 * 0.8) / 4)
    nearer = pareto(systems, reference_cost=2)
    assert nearer.hypervolume is not None
    assert nearer.hypervolume.value == pytest.approx(0.25)


def test_a_system_without_a_price_is_named_and_left_out() -> None:
    front = pareto({"priced": measured(0.7, 1.0), "free?": measured(0.9, None)})
    assert front.unpriced == ("free?",)
    assert [point.system for point in front.points] == ["priced"]
    assert "no price known for free?" in str(front)
    nothing = pareto({"free?": measured(0.9, None)})
    assert nothing.points == ()
    assert nothing.hypervolume is None


def test_cost_to_reach_names_the_cheapest_that_does() -> None:
    systems = {"single": measured(0.7, 1.0), "vote": measured(0.85, 5.0), "debate": measured(0.85, 9.0)}
    found = cost_to_reach(systems, 0.8)
    assert (found.system, found.cost) == ("vote", 5.0)
    assert found.reached > 0.95
    never = cost_to_reach(systems, 0.99)
    assert (never.system, never.cost, never.low) == (None, None, None)
    assert str(never).startswith("no system reaches 0.99")


def test_the_same_seed_gives_the_same_front() -> None:
    systems = {"a": measured(0.7, 1.0), "b": measured(0.72, 2.0)}
    labels = [place // 4 for place in range(400)]
    assert pareto(systems, seed=3, clusters=labels) == pareto(systems, seed=3, clusters=labels)
    assert pareto(systems, seed=3) != pareto(systems, seed=4)


@pytest.mark.parametrize(
    ("systems", "problem"),
    [
        ({}, "no systems"),
        ({"a": Measured([1.0], [1.0]), "b": Measured([1.0, 0.0], [1.0, 1.0])}, "same items"),
        ({"a": Measured([1.0], [-1.0])}, "negative cost"),
        ({"a": Measured([1.0], [])}, "1 scores and 0 costs"),
    ],
)
def test_what_cannot_be_compared_is_refused(systems: dict[str, Measured], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        pareto(systems)


def test_a_system_alone_that_costs_nothing_is_the_front_without_a_draw_and_as_if_all_were_drawn() -> None:
    free = Measured([1.0, 0.0, 1.0] * 20, [0.0] * 60)
    alone = pareto({"free": free}, resamples=200)
    # A limit makes it draw; there is no volume to speak of either way but where the limit gives one.
    drawn = pareto({"free": free}, resamples=200, reference_cost=1.0)
    assert alone.points == drawn.points
    assert (alone.points[0].frequency, alone.points[0].on_front) == (1.0, True)
    with pytest.raises(ValidationError, match="resamples=50"):
        pareto({"free": free}, resamples=50)
