from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx.benchmarks.statistics.correction import benjamini_hochberg, holm
from phalanx.errors import ValidationError

multitest = pytest.importorskip("statsmodels.stats.multitest")
stats = pytest.importorskip("scipy.stats")

families = st.lists(st.floats(0, 1), min_size=1, max_size=12).map(lambda ps: {f"c{i}": p for i, p in enumerate(ps)})


@settings(max_examples=25, deadline=None)
@given(families)
def test_holm_is_that_of_statsmodels(p_values: dict[str, float]) -> None:
    expected = multitest.multipletests(list(p_values.values()), method="holm")[1]
    assert [each.adjusted for each in holm(p_values).values()] == pytest.approx(list(expected))


@given(families)
def test_benjamini_hochberg_is_that_of_scipy(p_values: dict[str, float]) -> None:
    expected = stats.false_discovery_control(list(p_values.values()))
    assert [each.adjusted for each in benjamini_hochberg(p_values).values()] == pytest.approx(list(expected))


def test_a_family_of_one_is_left_as_it_is() -> None:
    assert holm({"only": 0.03})["only"].adjusted == 0.03


def test_four_comparisons_at_p_0_02_are_no_finding_under_holm() -> None:
    found = holm(dict.fromkeys("abcd", 0.02))
    assert not any(each.significant() for each in found.values())
    assert str(found["a"]) == "p=0.02, adjusted 0.08 (holm, 4 comparisons)"


def test_names_keep_their_order() -> None:
    assert list(holm({"z": 0.5, "a": 0.01, "m": 0.2})) == ["z", "a", "m"]


def test_a_p_value_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="'debate' is nan"):
        holm({"vote": 0.1, "debate": float("nan")})
