from __future__ import annotations

import random

import pytest

from phalanx.benchmarks.statistics.correction import holm
from phalanx.benchmarks.statistics.verdict import compare, cost_ratio
from phalanx.errors import ValidationError

Scores = tuple[list[float], list[float]]


def counts(wins: int, losses: int, even: int) -> Scores:
    return [1.0] * wins + [0.0] * losses + [1.0] * even, [0.0] * wins + [1.0] * losses + [1.0] * even


def test_better_says_by_how_much_and_for_what_cost() -> None:
    a, b = counts(90, 30, 380)
    found = compare(a, b, names=("vote", "single"), costs_a=[0.05] * 500, costs_b=[0.01] * 500)
    assert found.kind == "better"
    assert found.more_items is None
    assert str(found) == (
        "vote is better than single by +12.0 points [+7.8, +16.1] for 5 times the cost "
        "(95%, n=500, paired Bonett-Price; McNemar mid-p=2.5e-08)"
    )


def test_worse_is_better_the_other_way_round() -> None:
    a, b = counts(30, 90, 380)
    found = compare(a, b, names=("debate", "vote"))
    assert found.kind == "worse"
    assert str(found).startswith("debate is worse than vote by -12.0 points [-16.1, -7.8] at a cost that is not known")


def test_systems_that_surely_differ_by_little_are_tied() -> None:
    found = compare(*counts(40, 40, 7920), margin=0.01)
    assert found.kind == "tied"
    assert "tied within ±1 points: +0.0 points [-0.2, +0.2]" in str(found)


def test_a_difference_that_is_real_but_too_small_to_matter_is_a_tie() -> None:
    a, b = counts(60, 10, 9930)
    assert compare(a, b, margin=0.001).kind == "better"
    assert compare(a, b, margin=0.02).kind == "tied"


def test_not_enough_items_says_how_many_more() -> None:
    found = compare(*counts(12, 8, 80), names=("a", "b"), margin=0.05)
    assert found.kind == "not enough items"
    assert found.more_items == pytest.approx(621 - 100, abs=80)
    assert f"not enough items to tell a from b ({found.more_items} more needed)" in str(found)


def test_at_a_difference_of_just_the_margin_it_asks_for_items_that_settle_it() -> None:
    a, b = counts(1100, 900, 8000)
    found = compare(a, b, margin=0.02)
    settled = compare(*counts(110, 90, 8000 + 1800), margin=0.02)
    assert found.kind == "better"
    assert settled.kind == "tied"
    between = compare(*counts(216, 200, 584), margin=0.05)
    assert between.kind == "not enough items"
    assert between.more_items is not None
    assert between.more_items > 0


def test_a_comparison_of_one_item_is_not_enough() -> None:
    found = compare([0.5], [0.25])
    assert found.kind == "not enough items"
    assert found.more_items is None
    assert "more items are needed" in str(found)


def test_two_systems_that_agreed_on_twenty_items_are_not_yet_tied() -> None:
    scores = [1.0, 0.0] * 10
    found = compare(scores, scores)
    assert found.kind == "not enough items"
    assert found.more_items is not None
    assert found.more_items > 100


def test_within_a_family_better_needs_the_adjusted_p_value_too() -> None:
    verdicts = {f"system {place}": compare(*counts(17, 6, 177)) for place in range(4)}
    assert all(verdict.kind == "better" for verdict in verdicts.values())
    adjusted = holm({name: verdict.p_value for name, verdict in verdicts.items()})
    corrected = {name: verdict.within_family(adjusted[name]) for name, verdict in verdicts.items()}
    assert all(verdict.kind == "not enough items" for verdict in corrected.values())
    assert all(verdict.more_items for verdict in corrected.values())
    assert "holm, 4 comparisons" in str(corrected["system 0"])


def test_few_clusters_cannot_say_better_even_when_all_agree() -> None:
    b = [0.5, 0.45, 0.5, 0.52] * 5
    a = [score + 0.3 + 0.01 * (place // 4) for place, score in enumerate(b)]
    found = compare(a, b, clusters=[place // 4 for place in range(20)])
    assert found.difference.low is not None
    assert found.difference.low > 0
    assert found.p_value == pytest.approx(2 / 32)
    assert found.kind == "not enough items"


def test_an_adjusted_p_value_of_another_comparison_is_refused() -> None:
    with pytest.raises(ValidationError, match="but this comparison has"):
        compare(*counts(5, 2, 10)).within_family(holm({"other": 0.9})["other"])


def test_partial_credit_and_clusters_are_tested_by_flipping_signs() -> None:
    rng = random.Random(2)
    b = [rng.random() for _ in range(120)]
    a = [min(1.0, score + 0.1 * rng.random()) for score in b]
    found = compare(a, b, clusters=[place // 3 for place in range(120)])
    assert found.kind == "better"
    assert "40 clusters" in str(found)
    assert "sign-flip p=" in str(found)


def test_an_unknown_cost_is_no_ratio() -> None:
    assert cost_ratio([1.0, None], [1.0, 1.0]) is None
    assert cost_ratio(None, [1.0]) is None
    assert cost_ratio([1.0, 1.0], [0.0, 0.0]) is None


def test_the_interval_of_a_cost_ratio_covers_the_true_ratio() -> None:
    covered = 0
    for seed in range(400):
        rng = random.Random(seed)
        found = cost_ratio([3 * rng.expovariate(1) for _ in range(60)], [rng.expovariate(1) for _ in range(60)])
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 3 <= found.high
    assert 0.92 <= covered / 400 <= 0.98


def test_costs_that_vary_together_give_a_narrow_ratio() -> None:
    rng = random.Random(1)
    single = [0.5 + rng.random() for _ in range(50)]
    found = cost_ratio([4 * cost for cost in single], single)
    assert found is not None
    assert found.value == pytest.approx(4)
    assert found.low == pytest.approx(4)
    assert found.high == pytest.approx(4)


def test_a_verdict_survives_json() -> None:
    found = compare(*counts(12, 8, 80))
    assert type(found).model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize("margin", [0, 2, -0.1])
def test_a_margin_is_a_share(margin: float) -> None:
    with pytest.raises(ValidationError, match="margin"):
        compare([1.0, 0.0], [0.0, 1.0], margin=margin)
