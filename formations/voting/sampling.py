"""What sampling the same question again costs and gives: closed forms, exact where they can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import comb, factorial

from phalanx.errors import ValidationError

from .exact import Number, exact


def beta_tail(a: int, b: int) -> Fraction:
    """P(theta > 1/2) for theta ~ Beta(a+1, b+1), exactly: how sure a answers against b make of a majority.

    It equals P(Bin(a+b+1, 1/2) <= a).
    """
    if a < 0 or b < 0:
        raise ValidationError(f"counts of answers cannot be negative: {a}, {b}")
    n = a + b + 1
    return Fraction(sum(comb(n, j) for j in range(a + 1)), 2**n)


def dirichlet_first(*counts: int) -> Fraction:
    """P(the first class has the largest share) when the shares are Dirichlet with one added to each count, exactly.

    The shares are independent gamma variables over their sum, and with whole shapes a gamma's tail is a polynomial
    times an exponential, so the integral is a finite sum.
    """
    if len(counts) < 2 or min(counts) < 0:
        raise ValidationError(f"at least two counts from 0 are needed, not {counts}")
    first, *others = (count + 1 for count in counts)
    total = Fraction(0)
    for size in range(len(others) + 1):
        for chosen in combinations(others, size):
            # The product of e^-x * sum_(j<shape) x^j/j! over the chosen rivals, as coefficients of x^j.
            product = [Fraction(1)]
            for shape in chosen:
                product = _times(product, [Fraction(1, factorial(j)) for j in range(shape)])
            for power, coefficient in enumerate(product):
                moment = Fraction(factorial(first - 1 + power), factorial(first - 1) * (size + 1) ** (first + power))
                total += (-1) ** size * coefficient * moment
    return total


def _times(left: Sequence[Fraction], right: Sequence[Fraction]) -> list[Fraction]:
    product = [Fraction(0)] * (len(left) + len(right) - 1)
    for i, x in enumerate(left):
        for j, y in enumerate(right):
            product[i + j] += x * y
    return product


@dataclass(frozen=True, slots=True)
class Expected:
    """What a stop rule comes to on average: samples drawn, and how often the plurality is right."""

    samples: float
    accuracy: float


def expected_beta(p: float, *, c: Number = "0.95", cap: int = 40) -> Expected:
    """Samples and accuracy of the Beta stop rule for two answers, the right one drawn with probability `p`.

    Ties at the cap count half.
    """
    least = exact(c)
    going = {(0, 0): 1.0}
    samples = accuracy = 0.0
    for drawn in range(1, cap + 1):
        after: dict[tuple[int, int], float] = {}
        for (right, wrong), chance in going.items():
            for state, step in (((right + 1, wrong), p), ((right, wrong + 1), 1 - p)):
                after[state] = after.get(state, 0.0) + chance * step
        going = {}
        for (right, wrong), chance in after.items():
            if drawn == cap or beta_tail(max(right, wrong), min(right, wrong)) >= least:
                samples += drawn * chance
                accuracy += chance * (1.0 if right > wrong else 0.5 if right == wrong else 0.0)
            else:
                going[right, wrong] = chance
    return Expected(samples, accuracy)


def expected_esc(shares: Sequence[float], *, window: int = 5, cap: int = 40) -> float:
    """Samples drawn by the window rule when answers have these probabilities: w (1 - (1-q)^m) / q.

    q is the probability that one window is unanimous, m how many whole windows the cap allows.
    Raises ValidationError when the cap is not a multiple of the window.
    """
    if cap % window:
        raise ValidationError(f"the cap of {cap} samples is not a multiple of the window of {window}")
    q = sum(share**window for share in shares)
    windows = cap // window
    return float(window * (1 - (1 - q) ** windows) / q) if q else float(cap)


def pass_at_k(n: int, right: int, k: int) -> Fraction:
    """The chance that at least one of k samples is right, estimated without bias from n samples of which `right` are.

    1 - C(n-right, k) / C(n, k); Chen et al. 2021 (arXiv 2107.03374). Raises ValidationError for impossible numbers.
    """
    _check(n, right, k)
    return 1 - Fraction(comb(n - right, k), comb(n, k))


def pass_hat_k(n: int, right: int, k: int) -> Fraction:
    """The chance that all of k samples are right (pass^k), estimated without bias: C(right, k) / C(n, k).

    Yao et al. 2024 (arXiv 2406.12045). Raises ValidationError for impossible numbers.
    """
    _check(n, right, k)
    return Fraction(comb(right, k), comb(n, k))


def _check(n: int, right: int, k: int) -> None:
    if not 0 <= right <= n or not 1 <= k <= n:
        raise ValidationError(f"of n={n} samples, right={right} must be from 0 to n and k={k} from 1 to n")
