"""The few distributions the other files need, from the standard library alone.

Accuracy: relative error below 1e-10 over the ranges used here; the tests compare each with scipy.
"""

from __future__ import annotations

import math
import random
from functools import lru_cache
from statistics import NormalDist

from phalanx.errors import ValidationError

NORMAL = NormalDist()


def check_level(level: float) -> float:
    """The level itself. Raises ValidationError unless it is a confidence level such as 0.95."""
    if not 0.5 <= level < 1:
        raise ValidationError(f"level={level!r} must be from 0.5 to below 1; 0.95 is usual")
    return level


def z_of(level: float) -> float:
    """How many standard errors a two-sided normal interval of this level reaches to each side."""
    return NORMAL.inv_cdf((1 + check_level(level)) / 2)


@lru_cache(maxsize=1024)
def t_of(level: float, df: float) -> float:
    """How many standard errors a two-sided Student interval of this level reaches; `df`: degrees of freedom."""
    if df < 1:
        raise ValidationError(f"df={df} must be at least 1")
    tail = (1 - check_level(level)) / 2
    low, high = z_of(level), 2.0
    while student_tail(high, df) > tail:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        if student_tail(middle, df) > tail:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def student_tail(t: float, df: float) -> float:
    """P(T > t) of Student's distribution with `df` degrees of freedom."""
    tail = regularized_beta(df / 2, 0.5, df / (df + t * t)) / 2
    return tail if t >= 0 else 1 - tail


def regularized_beta(a: float, b: float, x: float) -> float:
    """The regularized incomplete beta function I_x(a, b), by its continued fraction (Lentz)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - regularized_beta(b, a, 1 - x)
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - log_beta(a, b)) / a
    tiny = 1e-300
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1), tiny)
    fraction = d
    for m in range(1, 100_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / _away_from_zero(1 + even * d, tiny)
        c = _away_from_zero(1 + even / c, tiny)
        fraction *= c * d
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1 / _away_from_zero(1 + odd * d, tiny)
        c = _away_from_zero(1 + odd / c, tiny)
        step = c * d
        fraction *= step
        if abs(step - 1) < 1e-15:
            break
    return front * fraction


def log_beta(a: float, b: float) -> float:
    """The logarithm of Euler's beta function."""
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def fair_coin_tail(k: int, n: int) -> float:
    """P(X <= k) for X heads of n fair coins."""
    if k < 0:
        return 0.0
    if 2 * k >= n:
        return 1 - fair_coin_tail(n - k - 1, n)
    term = total = fair_coin(k, n)
    while k > 0 and term > total * 1e-18:
        term *= k / (n - k + 1)
        total += term
        k -= 1
    return total


def fair_coin(k: int, n: int) -> float:
    """P(X = k) for X heads of n fair coins."""
    if n <= 1000:
        return math.comb(n, k) / (1 << n)
    return math.exp(math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2))


def draw_binomial(rng: random.Random, n: int, p: float) -> int:
    """How many of n uniform numbers fall below p, exactly, at a cost of about two random bits each.

    The numbers are compared with p one binary digit at a time; at each digit a fair half of those still undecided
    is decided, so the counts are popcounts of random integers and 100,000 items take microseconds.
    """
    below = 0
    while n and 0 < p < 1:
        ones = rng.getrandbits(n).bit_count()
        p *= 2
        if p >= 1:
            p -= 1
            below += n - ones
            n = ones
        else:
            n -= ones
    return below + (n if p >= 1 else 0)


def draw_counts(rng: random.Random, counts: list[int]) -> list[int]:
    """One bootstrap resample of a population given by how often each kind occurs: again how often each occurs."""
    left, population = sum(counts), sum(counts)
    drawn = []
    for count in counts:
        hits = left if count == population else draw_binomial(rng, left, count / population)
        drawn.append(hits)
        left -= hits
        population -= count
    return drawn


def _away_from_zero(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny
