"""What a vote should come to, in closed form: simulated members must reproduce these numbers.

Independent voters (Condorcet's jury theorem and its plurality form), voters who share a question's difficulty, and
voters who share their mistakes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, exp, factorial, lgamma, log, log1p, sqrt

from phalanx.errors import ValidationError


def majority(n: int, p: float) -> float:
    """How often the majority of n independent voters is right, each with probability p, ties parted by a fair coin.

    An even number of voters does exactly as well as one voter less.
    """
    _check(n, p)
    return _upper_half([comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)])


def poisson_binomial(skills: Sequence[float]) -> list[float]:
    """The probability that exactly k of independent voters with these skills are right, for k = 0 … n."""
    found = [1.0]
    for p in skills:
        _check(1, p)
        found = [
            (found[k] * (1 - p) if k < len(found) else 0.0) + (found[k - 1] * p if k else 0.0)
            for k in range(len(found) + 1)
        ]
    return found


def majority_of(skills: Sequence[float]) -> float:
    """How often the majority of independent voters with these skills is right, ties parted by a fair coin."""
    _check(len(skills), 0.5)
    return _upper_half(poisson_binomial(skills))


def weighted_majority(skills: Sequence[float], weights: Sequence[float]) -> float:
    """How often a weighted vote between two answers is right; ties parted by a fair coin.

    Sums of weights that differ by less than 1e-9 count as equal. Costs 2^n in the worst case.
    """
    if len(skills) != len(weights):
        raise ValidationError(f"{len(skills)} skills and {len(weights)} weights do not pair up")
    leads = {0.0: 1.0}
    for p, weight in zip(skills, weights, strict=True):
        _check(1, p)
        after: dict[float, float] = {}
        for lead, chance in leads.items():
            for step, likely in ((weight, p), (-weight, 1 - p)):
                place = round(lead + step, 9)
                after[place] = after.get(place, 0.0) + chance * likely
        leads = after
    return sum(chance * (1.0 if lead > 0 else 0.5 if lead == 0 else 0.0) for lead, chance in leads.items())


def plurality(n: int, options: int, p: float) -> float:
    """How often the plurality of n independent voters among K options is right; ties parted fairly.

    Each is right with probability p and else picks one of the K-1 wrong answers, all alike. It gains from more voters
    as soon as p is above the share of each wrong answer, not only above one half.
    """
    _check(n, p)
    if options < 2:
        raise ValidationError(f"a vote has at least 2 options, not {options}")
    q = (1 - p) / (options - 1)
    total = 0.0
    for count in range(1, n + 1):
        # `level` wrong answers have as many votes as the right one, all others fewer.
        fewer = [q**j / factorial(j) for j in range(count)]
        for level in range(min(options - 1, n // count - 1) + 1):
            rest = n - count * (level + 1)
            ways = comb(options - 1, level) * (q**count / factorial(count)) ** level
            spread = _power_coefficient(fewer, options - 1 - level, rest)
            total += p**count / factorial(count) * ways * spread * factorial(n) / (level + 1)
    return total


def plurality_bound(n: int, options: int, margin: float) -> float:
    """A lower bound of how often the plurality of n voters is right when the right answer leads by `margin`.

    1 - exp(-n (margin/sqrt(K) - 1/sqrt(n))^2) for n > K/margin^2, else 0; Choi et al. 2025 (arXiv 2508.17536). It is
    loose: an inequality to check against, not a prediction.
    """
    if margin <= 0 or n * margin**2 <= options:
        return 0.0
    return 1 - exp(-n * (margin / sqrt(options) - 1 / sqrt(n)) ** 2)


def correlated_majority(n: int, p: float, rho: float) -> float:
    """How often the majority of n voters is right when their votes on one question correlate by rho.

    Each question has a skill of its own, theta ~ Beta(p s, (1-p) s) with s = 1/rho - 1, and voters are independent
    given it: the upper half of a beta-binomial.
    """
    _check(n, p)
    _check_correlation(rho)
    if rho == 0:
        return majority(n, p)
    if rho == 1 or p in (0.0, 1.0):
        return p
    s = 1 / rho - 1
    a, b = p * s, (1 - p) * s
    return _upper_half([exp(_log_comb(n, k) + _log_beta(k + a, n - k + b) - _log_beta(a, b)) for k in range(n + 1)])


def correlated_ceiling(p: float, rho: float) -> float:
    """What `correlated_majority` tends to with ever more voters: the share of questions most voters get right."""
    _check(1, p)
    _check_correlation(rho)
    if rho == 0:
        return 1.0 if p > 0.5 else 0.5 if p == 0.5 else 0.0
    if rho == 1 or p in (0.0, 1.0):
        return p
    s = 1 / rho - 1
    return 1 - incomplete_beta(0.5, p * s, (1 - p) * s)


def effective_voters(n: int, rho: float) -> float:
    """How many independent voters n correlated ones are worth: n / (1 + (n-1) rho); copies are worth one."""
    _check(n, 0.5)
    _check_correlation(rho)
    return n / (1 + (n - 1) * rho)


def bahadur_majority(n: int, p: float, c: float) -> float:
    """How often the majority of an odd n is right when votes correlate in pairs only, by c, and not in larger groups.

    Here more voters can do worse than fewer. Bahadur 1961.
    """
    _check(n, p)
    if n % 2 == 0:
        raise ValidationError(f"n={n} must be odd")
    half = (n + 1) / 2
    slope = exp((half - 1) * (log(p) + log1p(-p)) - _log_beta(half, half)) if 0 < p < 1 else 0.0
    return majority(n, p) + c * (n - 1) * (0.5 - p) / 2 * slope


def shared_mistakes(options: int, w: float) -> float:
    """How often two wrong voters agree when each picks the popular wrong answer of K options with probability w."""
    _check(1, w)
    if options < 3:
        raise ValidationError("with two options all wrong voters agree; options must be at least 3")
    return w**2 + (1 - w) ** 2 / (options - 2)


def pull_of_mistakes(options: int, agreement: float) -> float:
    """The w of `shared_mistakes` for an observed agreement of wrong voters: the larger of the two solutions.

    Raises ValidationError when no w gives so little agreement.
    """
    _check(1, agreement)
    if options < 3:
        raise ValidationError("with two options all wrong voters agree; options must be at least 3")
    m = options - 2
    inside = 1 - (m + 1) * (1 - m * agreement)
    if inside < 0:
        raise ValidationError(f"wrong voters among {options} options agree at least {1 / (m + 1):.3f} of the time")
    return (1 + sqrt(inside)) / (m + 1)


def incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by its continued fraction; to about 1e-12."""
    if not 0 <= x <= 1 or a <= 0 or b <= 0:
        raise ValidationError(f"I_x(a, b) needs x from 0 to 1 and a, b above 0, not {x}, {a}, {b}")
    if x in (0.0, 1.0):
        return x
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(1 - x, b, a)
    front = exp(a * log(x) + b * log1p(-x) - _log_beta(a, b)) / a
    tiny = 1e-300
    f, c, d = 1.0, 1.0, 0.0
    for step in range(400):
        m = step // 2
        if step == 0:
            term = 1.0
        elif step % 2 == 0:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        else:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1 + term * d
        d = 1 / (d if abs(d) > tiny else tiny)
        c = 1 + term / (c if abs(c) > tiny else tiny)
        f *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return front * (f - 1)


def _upper_half(right: Sequence[float]) -> float:
    """The probability that more than half are right, half of it where exactly half are."""
    n = len(right) - 1
    return sum(chance * (1.0 if 2 * k > n else 0.5 if 2 * k == n else 0.0) for k, chance in enumerate(right))


def _power_coefficient(base: Sequence[float], power: int, at: int) -> float:
    """The coefficient of x^at in base(x)^power."""
    product = [1.0]
    for _ in range(power):
        longer = [0.0] * min(len(product) + len(base) - 1, at + 1)
        for i, left in enumerate(product):
            for j, right in enumerate(base[: len(longer) - i]):
                longer[i + j] += left * right
        product = longer
    return product[at] if at < len(product) else 0.0


def _log_comb(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _check(n: int, p: float) -> None:
    if n < 1:
        raise ValidationError(f"a vote needs at least one voter, not {n}")
    if not 0 <= p <= 1:
        raise ValidationError(f"a probability is from 0 to 1, not {p}")


def _check_correlation(rho: float) -> None:
    if not 0 <= rho <= 1:
        raise ValidationError(f"a correlation is from 0 to 1 here, not {rho}")
