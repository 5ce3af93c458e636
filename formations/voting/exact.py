"""Exact numbers: what is written as 2/3, 0.66, "2/3" or "66%" is kept as a fraction and compared as one."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import isfinite
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from phalanx.errors import ValidationError

Number = int | float | Fraction | Decimal | str

# Long enough for the fraction of any float, short enough that a hostile text cannot cost much.
_WRITTEN = re.compile(r"[+-]?(?:\d{1,400}/\d{1,400}|\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})%?")


def exact(value: Number) -> Fraction:
    """The fraction a number stands for.

    A float is read as the simplest fraction it is the nearest float of (0.1 is 1/10, 2 / 3 is 2/3), and as the
    decimal it prints as when there is no simple one. A text is "2", "0.5", "2/3" or "66%".
    Raises ValidationError for what is not a finite number.
    """
    if isinstance(value, Fraction):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Fraction(value)
    if isinstance(value, float) and isfinite(value):
        return _of_float(value)
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) <= 400:
        return Fraction(value)
    if isinstance(value, str) and _WRITTEN.fullmatch(text := value.strip()):
        percent = text.endswith("%")
        try:
            number = Fraction(text.rstrip("%"))
        except ZeroDivisionError:
            raise ValidationError(f"{value!r} divides by zero") from None
        return number / 100 if percent else number
    raise ValidationError(f"{value!r} is not a finite number; write 2, 0.5, '2/3' or '66%'")


@lru_cache(maxsize=4096)
def _of_float(value: float) -> Fraction:
    simple = Fraction(value).limit_denominator(10_000)
    return simple if float(simple) == value else Fraction(repr(value))


@lru_cache(maxsize=4096)
def ratio(numerator: int, denominator: int) -> Fraction:
    """The fraction of two whole numbers; the small ones that votes are made of are made once."""
    return Fraction(numerator, denominator)


def rounded(value: float) -> Fraction:
    """A computed float to twelve decimals: sums that differ only by rounding errors then compare as equal."""
    return Fraction(round(value * 10**12), 10**12)


def amount(value: Number) -> int | Fraction:
    """How many (an int stays an int) or which share (anything else, from 0 to 1) of the voters.

    Raises ValidationError for a negative number or a share above 1.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise ValidationError(f"{value} voters are impossible; write a number from 0, or a share such as '2/3'")
        return value
    share = exact(value)
    if not 0 <= share <= 1:
        raise ValidationError(f"a share is from 0 to 1, not {value}; a number of voters is written as a whole number")
    return share


def quantity(value: Number) -> Fraction:
    """A number that is not negative. Raises ValidationError for one that is."""
    number = exact(value)
    if number < 0:
        raise ValidationError(f"{value} is negative; write a number from 0")
    return number


def written(value: Number) -> int | str:
    """A number as it is written to a file: an int as it is, a fraction as "n/d"."""
    if isinstance(value, int):
        return value
    fraction = exact(value)
    return f"{fraction.numerator}/{fraction.denominator}"


Exact = Annotated[
    Fraction,
    PlainValidator(exact),
    PlainSerializer(str, return_type=str, when_used="json"),
    WithJsonSchema({"type": ["number", "string"]}),
]
"""A fraction; in JSON "2/3" or "2"."""

Amount = Annotated[
    int | float | Fraction | str,
    PlainValidator(amount),
    PlainSerializer(written, return_type=int | str, when_used="json"),
    WithJsonSchema({"type": ["number", "string"]}),
]
"""A number of voters (an int) or a share of them (a float, a Fraction, "2/3" or "66%")."""

Quantity = Annotated[
    int | float | Fraction | str,
    PlainValidator(quantity),
    PlainSerializer(written, return_type=int | str, when_used="json"),
    WithJsonSchema({"type": ["number", "string"]}),
]
"""A number in the units of what it is compared with."""

Value = Annotated[
    int | float | Fraction | str,
    PlainValidator(exact),
    PlainSerializer(written, return_type=int | str, when_used="json"),
    WithJsonSchema({"type": ["number", "string"]}),
]
"""Any finite number."""
