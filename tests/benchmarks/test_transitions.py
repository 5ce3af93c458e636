from __future__ import annotations

import pytest

from phalanx.benchmarks.statistics.transitions import Transitions, transitions
from phalanx.errors import ValidationError


def test_the_table_counts_the_four_cells() -> None:
    found = transitions([True, True, False, False, False], [True, False, True, True, False])
    assert (found.kept, found.broke, found.fixed, found.missed) == (1, 1, 2, 1)
    assert (found.before, found.after) == (0.4, 0.6)
    assert found.after == pytest.approx(found.before + found.gain - found.loss)


def test_the_recorded_debate_fixed_less_than_it_broke() -> None:
    found = Transitions(kept=1834 - 298, broke=298, fixed=264, missed=4800 - 1834 - 264)
    assert round(found.after * 4800) == 1800
    assert not found.helped
    assert str(found).startswith("the round fixed less than it broke: c(1-a) = 0.0550 < e·a = 0.0621")


def test_rates_predict_the_golden_rounds() -> None:
    found = Transitions(kept=540, broke=60, fixed=120, missed=280)
    assert found.correction == pytest.approx(0.3)
    assert found.corruption == pytest.approx(0.1)
    predicted = [found.after_rounds(rounds) for rounds in range(4)]
    assert predicted == pytest.approx([0.6, 0.66, 0.696, 0.7176])
    assert found.limit == pytest.approx(0.75)


def test_rates_of_what_did_not_occur_are_unknown() -> None:
    found = transitions([True, True], [True, False])
    assert found.correction is None
    assert found.limit is None
    assert found.after_rounds(3) is None


def test_as_many_fixed_as_broken_is_no_change() -> None:
    found = transitions([True, False], [False, True])
    assert not found.helped
    assert str(found).startswith("the round fixed as much as it broke")


def test_rounds_of_different_size_are_refused() -> None:
    with pytest.raises(ValidationError, match="2 answers before and 1 after"):
        transitions([True, False], [True])
