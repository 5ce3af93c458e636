"""Vectors that stand for texts: checked when they come from outside, and how near two of them are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import hypot, isfinite
from operator import mul
from typing import cast

from phalanx.errors import ValidationError

Vector = tuple[float, ...]


def unit_vectors(given: object, texts: Sequence[str], length: int | None = None) -> list[Vector]:
    """Vectors as an embedding gave them, one a text, made as long as one.

    given: a sequence of sequences of numbers; arrays will do. texts: what was embedded, in order. length: how many
    numbers each must have (None: as many as the first). Raises ValidationError, naming the text, for too few or too
    many vectors, one of another length, one of nothing but zeros, and what is no finite number.
    """
    rows = _listed(given)
    if rows is None:
        raise ValidationError(f"embed= must give a list of vectors, one a text, not {type(given).__name__}")
    if len(rows) != len(texts):
        raise ValidationError(f"embed= gave {len(rows)} vectors for {len(texts)} texts; it must give one for each")
    found = []
    for text, row in zip(texts, rows, strict=True):
        vector = _vector(row, text)
        length = len(vector) if length is None else length
        if len(vector) != length:
            raise ValidationError(
                f"embed= gave {len(vector)} numbers for {_short(text)}, and {length} for others; "
                "all vectors must come from one model"
            )
        found.append(vector)
    return found


def cosine(one: Vector, other: Vector) -> float:
    """The cosine of the angle between two vectors (`one`, `other`) that are as long as one: 1 is the same direction."""
    near: float = sum(map(mul, one, other))
    return near


def _vector(row: object, text: str) -> Vector:
    numbers = _listed(row)
    if numbers is None or not numbers:
        raise ValidationError(f"embed= gave no vector for {_short(text)} but {str(row)[:40]!r}")
    try:
        # A truth value or a text of digits is a mistake that float() would hide.
        if any(isinstance(each, bool | str | bytes) for each in numbers):
            raise TypeError
        vector = [float(cast("float", each)) for each in numbers]
    except (TypeError, ValueError, OverflowError):
        raise ValidationError(f"embed= gave something that is no number for {_short(text)}") from None
    if not all(map(isfinite, vector)):
        raise ValidationError(f"embed= gave a number that is not finite for {_short(text)}")
    # Scaled first: the squares of very large numbers are infinite, and those of very small ones nothing.
    largest = max(map(abs, vector))
    if largest == 0:
        raise ValidationError(f"embed= gave nothing but zeros for {_short(text)}, which is like no other vector")
    scaled = [each / largest for each in vector]
    size = hypot(*scaled)
    return tuple([each / size for each in scaled])


def _listed(given: object) -> list[object] | None:
    if isinstance(given, str | bytes | dict | set | frozenset) or not isinstance(given, Iterable):
        return None
    return list(given)


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
