"""How long to wait before asking again: a function from the number of the failed attempt (1, 2, …) to seconds."""

from __future__ import annotations

import math
from collections.abc import Callable

Backoff = Callable[[int], float]


def exponential(attempt: int, min_wait: float = 1.0, multiplier: float = 2.0) -> float:
    """`min_wait` seconds after the first failed attempt, then each time `multiplier` times as long."""
    try:
        return float(min_wait * multiplier ** (attempt - 1))
    except OverflowError:
        return math.inf


def linear(attempt: int, min_wait: float = 1.0, multiplier: float = 2.0) -> float:
    """`min_wait` seconds after the first failed attempt, then each time `(multiplier - 1) * min_wait` more."""
    return min_wait * (1 + (multiplier - 1) * (attempt - 1))


def constant(_attempt: int, min_wait: float = 1.0, _multiplier: float = 1.0) -> float:
    """`min_wait` seconds after every failed attempt."""
    return min_wait


BACKOFFS: dict[str, Callable[[int, float, float], float]] = {
    "exponential": exponential,
    "linear": linear,
    "constant": constant,
}
