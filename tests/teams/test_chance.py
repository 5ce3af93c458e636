"""Chance in a run comes from its seed alone, and is fair."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx.formations.chance import Chance


@given(st.text(max_size=9), st.integers(0, 60))
def test_the_same_name_draws_the_same_order_of_all_there_is(key: str, many: int) -> None:
    one, other = list(range(many)), list(range(many))
    Chance(key).shuffle(one)
    Chance(key).shuffle(other)

    assert one == other
    assert sorted(one) == list(range(many))


def test_every_order_is_as_likely_as_any_other() -> None:
    orders: Counter[str] = Counter()
    for at in range(2400):
        letters = list("abcd")
        Chance(f"0/task/ada/{at}").shuffle(letters)
        orders["".join(letters)] += 1

    # Chi squared with 23 degrees of freedom is over 49.7 in one of a thousand fair draws.
    assert len(orders) == 24
    assert sum((count - 100) ** 2 / 100 for count in orders.values()) < 49.7


def test_what_is_drawn_next_does_not_follow_from_what_was_drawn() -> None:
    chance = Chance("0/task/ada/1")
    draws = [chance.random() for _ in range(2000)]
    later = [draws[at + 1] for at in range(1999) if draws[at] < 0.5]

    assert len({*draws}) == 2000
    assert all(0 <= each < 1 for each in draws)
    assert sum(draws) / 2000 == pytest.approx(0.5, abs=0.02)
    assert sum(later) / len(later) == pytest.approx(0.5, abs=0.04)
