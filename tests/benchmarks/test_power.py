from __future__ import annotations

import random

import pytest

from phalanx.benchmarks.statistics.power import (
    components,
    detectable_difference,
    expected_discordance,
    items_needed,
    items_needed_for,
    plan,
    power_of,
)
from phalanx.errors import ValidationError


@pytest.mark.parametrize(
    ("discordance", "delta", "items"), [(0.2, 0.05, 621), (0.2, 0.03, 1737), (0.3, 0.05, 935), (0.1, 0.03, 865)]
)
def test_items_needed_gives_the_golden_numbers(discordance: float, delta: float, items: int) -> None:
    assert items_needed(delta, discordance=discordance) == items
    assert items_needed(-delta, discordance=discordance) == items


def test_the_general_formula_gives_its_golden_number() -> None:
    assert items_needed_for(0.03, between=1 / 9) == 969


def test_repeats_reduce_only_the_variance_within_items() -> None:
    once = items_needed_for(0.05, between=0.02, within_a=0.2, within_b=0.2)
    often = items_needed_for(0.05, between=0.02, within_a=0.2, within_b=0.2, repeats_a=1000, repeats_b=1000)
    assert once == pytest.approx(often * 0.42 / 0.0204, rel=0.03)


def test_a_hundred_items_cannot_resolve_less_than_about_twelve_points() -> None:
    least = detectable_difference(100, discordance=0.2)
    assert least == pytest.approx(0.12, abs=0.002)


@pytest.mark.parametrize("n", [50, 300, 2000])
@pytest.mark.parametrize("discordance", [0.1, 0.25, 0.6])
def test_what_is_just_detectable_needs_just_that_many_items(n: int, discordance: float) -> None:
    least = detectable_difference(n, discordance=discordance)
    if least is not None:
        assert items_needed(least, discordance=discordance) == n
        assert power_of(n, least, discordance=discordance) == pytest.approx(0.8, abs=1e-6)


def test_when_nothing_that_can_occur_is_detectable_it_says_so() -> None:
    assert detectable_difference(5, discordance=0.1) is None
    assert "no difference" in str(plan(5, discordance=0.1))


def test_clusters_multiply_the_items() -> None:
    assert items_needed(0.05, discordance=0.2, design_effect=3) == pytest.approx(3 * 621, abs=3)
    plain, clustered = (detectable_difference(600, discordance=0.2, design_effect=deff) for deff in (1, 3))
    assert plain is not None
    assert clustered is not None
    assert clustered > 1.6 * plain


def test_simulated_power_is_within_three_points_of_the_formula() -> None:
    from phalanx.benchmarks.statistics.paired import paired_difference

    n, discordance, delta = 300, 0.2, 0.08
    weights = [(discordance + delta) / 2, (discordance - delta) / 2, 1 - discordance]
    pairs = [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)]
    rng = random.Random(11)
    seen = 0
    for _ in range(2500):
        a, b = zip(*rng.choices(pairs, weights=weights, k=n), strict=True)
        low = paired_difference(a, b).low
        seen += low is not None and low > 0
    assert seen / 2500 == pytest.approx(power_of(n, delta, discordance=discordance), abs=0.03)


def test_a_plan_is_one_line_to_print_before_a_run() -> None:
    assert str(plan(100, discordance=0.2, wanted=0.05)) == (
        "100 items can show differences of 12.1 points (80% power, 95% level, 20% discordant); 5 points take 621 items"
    )


def test_discordance_follows_from_accuracies_and_their_correlation() -> None:
    assert expected_discordance(0.7, 0.6) == pytest.approx(0.7 * 0.4 + 0.3 * 0.6)
    assert expected_discordance(0.7, 0.7, 1.0) == pytest.approx(0)
    with pytest.raises(ValidationError, match="cannot have correlation"):
        expected_discordance(0.9, 0.1, 0.9)


def test_components_recover_the_variances_of_a_simulated_pilot() -> None:
    rng = random.Random(6)
    a, b = [], []
    for _ in range(3000):
        shift = rng.gauss(0, 0.3)
        a.append([shift + rng.gauss(0, 0.2) for _ in range(3)])
        b.append([rng.gauss(0, 0.1) for _ in range(2)])
    found = components(a, b)
    assert found.between == pytest.approx(0.09, rel=0.1)
    assert found.within_a == pytest.approx(0.04, rel=0.1)
    assert found.within_b == pytest.approx(0.01, rel=0.1)
    assert (found.repeats_a, found.repeats_b) == (3, 2)


def test_components_without_repeats_are_unknown() -> None:
    with pytest.raises(ValidationError, match="a has no item with two repeats"):
        components([[1.0], [0.0]], [[1.0, 0.0], [0.0, 1.0]])


@pytest.mark.parametrize(("delta", "discordance"), [(0.3, 0.2), (0, 0.2), (0.1, 1.2)])
def test_differences_that_cannot_be_are_refused(delta: float, discordance: float) -> None:
    with pytest.raises(ValidationError, match="cannot differ by more"):
        items_needed(delta, discordance=discordance)


def test_a_power_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="power=80"):
        items_needed(0.05, discordance=0.2, power=80)
