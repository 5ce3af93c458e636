from __future__ import annotations

import itertools
import random

import pytest

from phalanx.benchmarks.statistics.agreement import Scale, krippendorff_alpha
from phalanx.benchmarks.statistics.votes import agreement_when_wrong, effective_votes, error_correlations
from phalanx.errors import ValidationError

# Krippendorff, "Computing Krippendorff's alpha-reliability" (2011), example C: 12 units, 4 observers, missing data.
EXAMPLE: list[list[int | None]] = [
    [1, 1, None, 1],
    [2, 2, 3, 2],
    [3, 3, 3, 3],
    [3, 3, 3, 3],
    [2, 2, 2, 2],
    [1, 2, 3, 4],
    [4, 4, 4, 4],
    [1, 1, 2, 1],
    [2, 2, 2, 2],
    [None, 5, 5, 5],
    [None, None, 1, 1],
    [None, None, 3, None],
]


@pytest.mark.parametrize(("scale", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_gives_the_published_values_with_missing_ratings(scale: Scale, alpha: float) -> None:
    found = krippendorff_alpha(EXAMPLE, scale=scale)
    assert found.value == pytest.approx(alpha, abs=5e-4)
    assert (found.units, found.ratings) == (11, 40)
    assert found.low is not None
    assert found.high is not None
    assert found.low < alpha < found.high <= 1


def by_definition(units: list[list[int]], scale: str) -> float:
    """Alpha by its definition, pair by pair."""
    totals = [value for unit in units for value in unit]

    def apart(x: int, y: int) -> float:
        if scale == "nominal":
            return float(x != y)
        if scale == "interval":
            return (x - y) ** 2
        low, high = min(x, y), max(x, y)
        between = sum(low <= value <= high for value in totals)
        return (between - (totals.count(low) + totals.count(high)) / 2) ** 2

    observed = sum(apart(x, y) / (len(unit) - 1) for unit in units for x, y in itertools.permutations(unit, 2)) / len(
        totals
    )
    expected = sum(apart(x, y) for x, y in itertools.permutations(totals, 2)) / len(totals) / (len(totals) - 1)
    return 1 - observed / expected


@pytest.mark.parametrize("scale", ["nominal", "ordinal", "interval"])
def test_alpha_is_what_its_definition_gives_pair_by_pair(scale: Scale) -> None:
    rng = random.Random(9)
    for _ in range(20):
        units = [[rng.choice([1, 1, 2, 3, 7]) for _ in range(rng.randint(2, 4))] for _ in range(8)]
        assert krippendorff_alpha(units, scale=scale).value == pytest.approx(by_definition(units, scale))


def test_perfect_agreement_is_1_and_random_ratings_are_near_0() -> None:
    rng = random.Random(2)
    assert krippendorff_alpha([["a", "a"], ["b", "b"], ["c", "c"]]).value == 1
    chance = krippendorff_alpha([[rng.choice("ab"), rng.choice("ab")] for _ in range(4000)])
    assert chance.value == pytest.approx(0, abs=0.05)
    assert chance.low is not None
    assert chance.high is not None
    assert chance.low < 0 < chance.high


def test_the_interval_of_alpha_is_as_wide_as_alpha_varies() -> None:
    rng = random.Random(3)

    def rated() -> list[list[int]]:
        truths = [rng.randrange(3) for _ in range(80)]
        return [[truth if rng.random() < 0.75 else rng.randrange(3) for _ in range(3)] for truth in truths]

    values = [krippendorff_alpha(rated()).value for _ in range(200)]
    known = [value for value in values if value is not None]
    middle = sum(known) / len(known)
    spread = (sum((value - middle) ** 2 for value in known) / (len(known) - 1)) ** 0.5
    found = krippendorff_alpha(rated())
    assert found.low is not None
    assert found.high is not None
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * spread, rel=0.3)


def test_alpha_is_undefined_without_pairs_or_without_variation() -> None:
    assert krippendorff_alpha([[1, None], [None, 2]]).value is None
    assert krippendorff_alpha([["x", "x"], ["x", "x"]]).value is None
    assert "undefined" in str(krippendorff_alpha([]))


def test_a_scale_of_numbers_takes_numbers() -> None:
    with pytest.raises(ValidationError, match="rating 'good'"):
        krippendorff_alpha([["good", "bad"]], scale="interval")


def correlated(members: int, rho: float, items: int, seed: int) -> list[list[bool]]:
    """Members that copy one shared answer with chance sqrt(rho) each, so that two of them correlate by rho."""
    rng = random.Random(seed)
    rows = []
    for _ in range(items):
        shared = rng.random() < 0.7
        rows.append([shared if rng.random() < rho**0.5 else rng.random() < 0.7 for _ in range(members)])
    return rows


def test_nine_judges_with_the_known_correlation_are_two_votes() -> None:
    found = effective_votes(correlated(9, 0.4375, 20_000, 1))
    assert found.votes == pytest.approx(2.0, abs=0.05)
    assert found.low is not None
    assert found.high is not None
    assert found.rho is not None
    assert found.low < 0.4375 < found.high
    assert found.pairs == 36


def test_independent_members_are_as_many_votes_as_they_are() -> None:
    found = effective_votes(correlated(5, 0.0, 20_000, 2))
    assert found.votes == pytest.approx(5, abs=0.3)


def test_copies_of_one_member_are_one_vote() -> None:
    found = effective_votes([[True] * 3, [False] * 3, [True] * 3])
    assert found.votes == pytest.approx(1)
    assert found.rho == pytest.approx(1)


def test_pairwise_correlations_are_those_of_the_statistics_module() -> None:
    import statistics

    rows = correlated(3, 0.3, 200, 4)
    pairs = error_correlations(rows)
    columns = [[float(row[member]) for row in rows] for member in range(3)]
    for (i, j), rho in pairs.items():
        assert rho == pytest.approx(statistics.correlation(columns[i], columns[j]))


def test_missing_answers_are_left_out_pair_by_pair() -> None:
    rows: list[list[bool | None]] = [
        [True, True, None],
        [False, False, None],
        [True, True, True],
        [False, True, False],
        [True, None, None],
    ]
    found = effective_votes(rows)
    assert found.items == 4
    assert found.pairs == 2
    assert error_correlations(rows)[(0, 1)] == pytest.approx(1 / 3**0.5)


def test_members_that_never_err_give_no_correlation() -> None:
    found = effective_votes([[True, True], [True, True]])
    assert (found.votes, found.rho) == (None, None)
    assert "unknown" in str(found)


def test_members_that_err_in_turn_have_no_finite_number_of_votes() -> None:
    found = effective_votes([[True, False], [False, True], [True, False], [False, True]])
    assert found.rho == pytest.approx(-1)
    assert found.votes is None


def test_one_member_is_no_team() -> None:
    with pytest.raises(ValidationError, match="at least two members"):
        effective_votes([[True], [False]])


def test_agreement_when_wrong_counts_pairs_that_are_both_wrong() -> None:
    answers: list[list[str | None]] = [["a", "b", "b"], ["c", "c", "c"], ["x", "y", None], ["g", "h", "g"]]
    found = agreement_when_wrong(answers, ["a", "a", "z", "g"])
    assert found is not None
    assert found.value == pytest.approx((1 + 3 + 0) / (1 + 3 + 1))
    assert found.n == 3


def test_a_shared_distractor_shows_in_agreement_when_wrong() -> None:
    rng = random.Random(5)
    popular = 0.755

    def wrong() -> str:
        return "d" if rng.random() < popular else rng.choice("ef")

    answers = [[wrong(), wrong()] for _ in range(8000)]
    found = agreement_when_wrong(answers, ["gold"] * 8000)
    assert found is not None
    assert found.value == pytest.approx(0.6, abs=0.02)


def test_when_nobody_errs_together_there_is_nothing_to_say() -> None:
    assert agreement_when_wrong([["a", "b"]], ["a"]) is None
