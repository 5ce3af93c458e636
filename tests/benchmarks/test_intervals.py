from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx.benchmarks.statistics.intervals import accuracy, mean, wilson
from phalanx.errors import ValidationError


def test_wilson_gives_the_golden_interval() -> None:
    found = wilson(85, 100)
    assert found.low == pytest.approx(0.7672, abs=5e-5)
    assert found.high == pytest.approx(0.9069, abs=5e-5)


@pytest.mark.parametrize(("right", "n"), [(0, 1), (0, 10), (3, 10), (10, 10), (499, 500), (6, 7)])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_wilson_is_that_of_scipy(right: int, n: int, level: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    expected = stats.binomtest(right, n).proportion_ci(level, method="wilson")
    found = wilson(right, n, level=level)
    assert found.low == pytest.approx(expected.low, abs=1e-12)
    assert found.high == pytest.approx(expected.high, abs=1e-12)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_its_estimate_and_stays_within_0_and_1(counts: tuple[int, int]) -> None:
    found = wilson(*counts)
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high


def test_the_mean_has_the_student_interval_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    scores = [3.0, 4.5, -1.0, 2.25, 7.0, 0.5]
    expected = stats.ttest_1samp(scores, 0).confidence_interval(0.9)
    found = mean(scores, level=0.9)
    assert found.low == pytest.approx(expected.low)
    assert found.high == pytest.approx(expected.high)
    assert found.se == pytest.approx(stats.sem(scores))


def test_for_clusters_of_one_size_the_standard_error_is_that_of_statsmodels() -> None:
    api = pytest.importorskip("statsmodels.api")
    rng = random.Random(4)
    labels = [place % 12 for place in range(84)]
    shift = [rng.gauss(0, 1) for _ in range(12)]
    scores = [shift[label] + rng.gauss(0, 0.5) for label in labels]
    fit = api.OLS(scores, [[1.0]] * 84).fit(cov_type="cluster", cov_kwds={"groups": labels})
    found = mean(scores, clusters=labels)
    assert found.se == pytest.approx(fit.bse[0], rel=1e-12)
    assert found.clusters == 12


def test_the_clustered_error_is_the_formula_of_the_paper_times_its_small_sample_correction() -> None:
    scores = [1.0, 1.0, 0.0, 0.0, 1.0, 0.0]
    labels = ["x", "x", "y", "y", "z", "z"]
    plain = math.sqrt(sum(total**2 for total in (1.0, -1.0, 0.0))) / 6
    assert mean(scores, clusters=labels).se == pytest.approx(plain * math.sqrt(3 / 2))


def test_the_clustered_error_is_unbiased_for_few_clusters_of_unequal_size() -> None:
    rng = random.Random(1)
    labels = [label for label, size in enumerate([1, 2, 9, 4]) for _ in range(size)]
    errors = [mean([rng.gauss(0, 1) for _ in labels], clusters=labels).se for _ in range(4000)]
    assert sum(error**2 for error in errors if error is not None) / 4000 == pytest.approx(1 / 16, rel=0.05)


def test_one_large_cluster_among_small_ones_widens_the_interval() -> None:
    stats = pytest.importorskip("scipy.stats")
    scores = [1.0, 4.0, 6.0, 5.0, 9.0, 2.0, 3.0, 8.0]
    for labels, clusters in (("aabbccdd", 4), ("aaaaabcd", 64 / 28)):
        found = mean(scores, clusters=list(labels))
        assert found.low is not None
        assert found.se is not None
        assert (found.value - found.low) / found.se == pytest.approx(stats.t.ppf(0.975, clusters - 1))


def test_clusters_of_one_change_nothing() -> None:
    scores = [0.2, 0.9, 0.4, 0.7]
    alone, clustered = mean(scores), mean(scores, clusters=["a", "b", "c", "d"])
    assert (alone.low, alone.high, alone.se) == (clustered.low, clustered.high, clustered.se)


def test_questions_about_one_document_widen_the_interval() -> None:
    scores = [1.0] * 10 + [0.0] * 10 + [1.0] * 10 + [0.0] * 10
    labels = [place // 10 for place in range(40)]
    naive, honest = mean(scores).se, mean(scores, clusters=labels).se
    assert naive is not None
    assert honest is not None
    assert honest > 3 * naive


def test_right_or_wrong_items_get_wilson_and_partial_credit_gets_student() -> None:
    assert accuracy([True, False, True]).method == "Wilson"
    assert accuracy([1, 0.5, 0]).method == "Student"
    assert accuracy([1, 0, 1], clusters=[1, 1, 2]).method == "Student, clustered SE"


def test_ten_of_ten_is_not_certainty() -> None:
    clustered = accuracy([1] * 30, clusters=[place // 3 for place in range(30)])
    partial = accuracy([0.5] * 10)
    assert clustered.low == pytest.approx(wilson(10, 10).low)
    assert clustered.low is not None
    assert clustered.low < 0.8
    assert partial.low is not None
    assert partial.high is not None
    assert partial.high - partial.low > 0.4


def test_one_item_has_no_interval_and_says_so() -> None:
    found = mean([0.5])
    assert (found.low, found.high, found.se) == (None, None, None)
    assert "[unknown]" in str(found)
    one_cluster = mean([0.0, 1.0], clusters=["x", "x"])
    assert one_cluster.low is None


def test_an_interval_of_scores_ends_at_0_and_1() -> None:
    found = mean([1.0, 1.0, 1.0, 0.5])
    assert found.high == 1.0
    beyond = mean([10.0, 12.0, 11.0])
    assert beyond.high is not None
    assert beyond.high > 12


def test_an_estimate_is_one_line_with_all_its_facts_and_survives_json() -> None:
    found = mean([0.1, 0.4, 0.9, 1.0], clusters=["a", "a", "b", "c"])
    assert str(found) == "0.6 [0, 1] (95%, n=4, 3 clusters, Student, clustered SE)"
    assert type(found).model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("scores", "problem"),
    [([], "empty"), ([1, None], r"scores\[1\] is None"), ([float("nan")], "nan"), (["1"], "'1'"), ([math.inf], "inf")],
)
def test_scores_that_are_none_are_refused_by_place(scores: list[float], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        mean(scores)


def test_labels_and_items_must_match() -> None:
    with pytest.raises(ValidationError, match="2 cluster labels for 3 items"):
        mean([1, 0, 1], clusters=["a", "b"])


@pytest.mark.parametrize(("right", "n"), [(1, 0), (3, 2), (-1, 5)])
def test_shares_that_cannot_be_are_refused(right: int, n: int) -> None:
    with pytest.raises(ValidationError, match="right of"):
        wilson(right, n)
