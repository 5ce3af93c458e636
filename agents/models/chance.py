"""Chance that depends on names alone: the same key gives the same draw, in any order, process and Python version."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")
Part = str | int | float | None


def bits(*key: Part) -> int:
    """64 random bits for a key."""
    digest = hashlib.blake2b(json.dumps(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def uniform(*key: Part) -> float:
    """A number from 0 (included) to 1 (excluded) for a key."""
    return (bits(*key) >> 11) * 2.0**-53


def pick(items: Sequence[T], *key: Part) -> T:
    """One of the items for a key, each equally likely. Raises IndexError when there are none."""
    return items[int(uniform(*key) * len(items))]


def dice(*key: Part) -> random.Random:
    """A generator of its own for a key, for whoever needs more than one number."""
    return random.Random(bits(*key))


@lru_cache(maxsize=4096)
def beta_quantile(u: float, a: float, b: float) -> float:
    """The value below which a Beta(a, b) lies with probability u; to 2**-60, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if beta_cdf(middle, a, b) < u:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def beta_cdf(x: float, a: float, b: float) -> float:
    """The probability that a Beta(a, b) is at most x: the regularised incomplete beta function I_x(a, b).

    By its continued fraction (DLMF 8.17.22), evaluated with Lentz's method; accurate to about 1e-14.
    """
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1.0 - beta_cdf(1.0 - x, b, a)  # the fraction converges fast below the mean only
    log_front = a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    numerator, denominator, fraction = 1.0, 0.0, 1.0
    for term in range(400):
        half = term // 2
        if term == 0:
            step = 1.0
        elif term % 2 == 0:
            step = half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))
        else:
            step = -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
        denominator = 1.0 / _not_zero(1.0 + step * denominator)
        numerator = _not_zero(1.0 + step / numerator)
        fraction *= numerator * denominator
        if abs(1.0 - numerator * denominator) < 1e-15:
            break
    return math.exp(log_front) * (fraction - 1.0) / a


def _not_zero(number: float) -> float:
    return number if abs(number) > 1e-300 else 1e-300
