"""Limits that cannot be are refused when they are made, as one of our own errors that names the field."""

from __future__ import annotations

from typing import Any

import pytest

from phalanx import Limits, ValidationError, limits
from phalanx.runtime.limits import as_limits

ANY: Any = Limits


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"calls": -1}, r"limits: calls=-1: Input should be greater than or equal to 0"),
        ({"usd": "much"}, r"limits: usd='much'"),
        ({"seconds": 0}, r"limits: seconds=0: "),
        ({"call": 3}, r"there is no limit 'call' \(did you mean 'calls'\?\); there are: calls, tokens, usd"),
    ],
)
def test_an_impossible_limit_is_refused_by_its_name(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ANY(**given)
    with pytest.raises(ValidationError, match=message):
        as_limits(given)
    with pytest.raises(ValidationError, match=message), limits(**given):
        raise AssertionError("entered")


def test_limits_that_can_be_still_print_compare_and_copy() -> None:
    given = Limits(calls=3, usd=0.5)
    assert given == as_limits({"calls": 3, "usd": 0.5}) == given.model_copy()
    assert given.model_fields_set == {"calls", "usd"}
    assert Limits.model_validate(given.model_dump()) == given
    assert hash(given) == hash(given.model_copy())
