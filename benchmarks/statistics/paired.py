"""Two systems on the same items: the difference with its interval, and tests of "no difference"."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Sequence

from phalanx.errors import ValidationError
from phalanx.messages import Data

from .distributions import check_level, fair_coin, fair_coin_tail, z_of
from .intervals import Clusters, Estimate, check_scores, is_binary, mean, sums_by_cluster

EXACT_PATTERNS = 2**18
# From how many differing units on the random patterns are summed digit by digit.
MANY = 1000
DIGITS = 24


class McNemar(Data):
    """McNemar's test on the items where two right-or-wrong systems differ.

    wins: items only the first got right; losses: items only the second did; n: all items. `exact` is the two-sided
    binomial p-value, `mid_p` the less conservative one (Fagerland, Lydersen and Laake 2013).
    """

    wins: int
    losses: int
    n: int | None
    exact: float
    mid_p: float

    def __str__(self) -> str:
        of = "" if self.n is None else f" of n={self.n}"
        return f"{self.wins} won, {self.losses} lost{of}: McNemar exact p={self.exact:.4g}, mid-p={self.mid_p:.4g}"


class SignFlip(Data):
    """A permutation test that flips the signs of the differences.

    p_value: two-sided. n: items, units: independent ones (items or clusters) that differ. `exact` says whether every
    pattern of signs was counted; else it is Monte Carlo with `resamples` and `seed`.
    """

    p_value: float
    n: int
    units: int
    exact: bool
    resamples: int | None = None
    seed: int | None = None

    def __str__(self) -> str:
        how = "exact" if self.exact else f"{self.resamples} resamples, seed {self.seed}"
        return f"sign-flip p={self.p_value:.4g} (n={self.n}, {self.units} units differ, {how})"


def differences(a: Sequence[float], b: Sequence[float]) -> list[float]:
    """a − b, item by item. Raises ValidationError when the two do not have the same number of finite scores."""
    first, second = check_scores(a, "a"), check_scores(b, "b")
    if len(first) != len(second):
        raise ValidationError(
            f"a has {len(first)} scores and b has {len(second)}; a paired comparison needs both on the same items"
        )
    return [x - y for x, y in zip(first, second, strict=True)]


def paired_difference(
    a: Sequence[float], b: Sequence[float], *, clusters: Clusters = None, level: float = 0.95
) -> Estimate:
    """The mean of a − b with its interval; a[i] and b[i] are scores of the same item.

    Independent right-or-wrong items: Bonett and Price's adjusted Wald interval (2012), which adds one win and one
    loss and so keeps its coverage with few discordant items. Otherwise Student's, clustered where `clusters` are
    given. When scores in 0..1 show no spread at all, it is as wide as Bonett and Price's for that many units
    without a discordant one: two systems that never differed may still differ.
    """
    found = differences(a, b)
    if clusters is None and is_binary(a) and is_binary(b):
        wins, losses = found.count(1.0), found.count(-1.0)
        return _adjusted(wins, losses, len(found), level)
    estimate = mean(found, clusters=clusters, level=level)
    units = estimate.n if estimate.clusters is None else estimate.clusters
    flat = estimate.low is None or "want of spread" in estimate.method
    if flat and units > 1 and all(0 <= score <= 1 for score in itertools.chain(a, b)):
        reach = _adjusted_reach(0, 0, units, level)
        ends = (max(-1.0, estimate.value - reach), min(1.0, estimate.value + reach))
        method = "Bonett-Price, for want of spread"
    elif flat:
        ends, method = None, "Student"
    else:
        return estimate.model_copy(update={"method": f"paired {estimate.method}"})
    low, high = ends or (None, None)
    return estimate.model_copy(update={"low": low, "high": high, "method": f"paired {method}"})


def mcnemar(a: Sequence[float], b: Sequence[float]) -> McNemar:
    """McNemar's test on scores that are 0 or 1. Raises ValidationError for any other score."""
    found = differences(a, b)
    for name, scores in (("a", a), ("b", b)):
        for place, score in () if is_binary(scores) else enumerate(scores):
            if score not in (0, 1):
                raise ValidationError(f"{name}[{place}] is {score!r}; McNemar's test takes 0 and 1, use sign_flip")
    return mcnemar_counts(found.count(1.0), found.count(-1.0), n=len(found))


def mcnemar_counts(wins: int, losses: int, *, n: int | None = None) -> McNemar:
    """McNemar's test from the two discordant counts. Raises ValidationError for counts that cannot be."""
    if wins < 0 or losses < 0 or (n is not None and wins + losses > n):
        raise ValidationError(f"{wins} wins and {losses} losses of {n} items cannot be")
    fewer, both = min(wins, losses), wins + losses
    tail = fair_coin_tail(fewer, both)
    return McNemar(
        wins=wins,
        losses=losses,
        n=n,
        exact=min(1.0, 2 * tail),
        mid_p=min(1.0, 2 * tail - fair_coin(fewer, both)),
    )


def sign_flip(
    a: Sequence[float],
    b: Sequence[float],
    *,
    clusters: Clusters = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> SignFlip:
    """Could the sign of each difference as well have been the other? Two-sided, for scores of any kind.

    Exact when the distinct sizes of the differences allow at most 2**18 patterns of counts (always for up to 18
    differing units, and for any number of right-or-wrong items, where it equals McNemar's exact test); else seeded
    Monte Carlo, with p = (1 + as extreme) / (1 + resamples), which never is 0. With `clusters`, the sum within a
    cluster is one unit.
    """
    found = differences(a, b)
    sums = [total for total, _ in sums_by_cluster(found, clusters)]
    slack = 1e-9 * max(1.0, math.fsum(map(abs, sums)))
    sizes = Counter(round(abs(total), 12) for total in sums if abs(total) > slack)
    observed = abs(math.fsum(sums)) - slack
    units = sum(sizes.values())
    if math.prod(times + 1 for times in sizes.values()) <= EXACT_PATTERNS:
        return SignFlip(p_value=_all_patterns(sizes, observed), n=len(found), units=units, exact=True)
    if resamples < 100:
        raise ValidationError(f"resamples={resamples}: at least 100 are needed, 10000 are usual")
    extreme = sum(abs(total) >= observed for total in _random_patterns(sizes, resamples, seed))
    p_value = (1 + extreme) / (1 + resamples)
    return SignFlip(p_value=p_value, n=len(found), units=units, exact=False, resamples=resamples, seed=seed)


def _all_patterns(sizes: Counter[float], observed: float) -> float:
    """The probability of a sum at least as far from 0, over all sign patterns."""
    sums: list[tuple[float, float]] = [(0.0, 1.0)]
    for size, times in sizes.items():
        part = [(size * (2 * plus - times), fair_coin(plus, times)) for plus in range(times + 1)]
        sums = [(total + more, chance * of) for total, chance in sums for more, of in part]
    return min(1.0, math.fsum(chance for total, chance in sums if abs(total) >= observed))


def _random_patterns(sizes: Counter[float], resamples: int, seed: int) -> list[float]:
    rng = random.Random(f"sign-flip:{seed}")
    total = math.fsum(size * times for size, times in sizes.items())
    many = sum(sizes.values())
    # A draw for each size, where that is less work than counting the bits of each digit.
    if len(sizes) * 4 < many and (many <= MANY or len(sizes) <= DIGITS):
        groups = list(sizes.items())
        return [
            2 * math.fsum(size * rng.getrandbits(times).bit_count() for size, times in groups) - total
            for _ in range(resamples)
        ]
    values = list(sizes.elements())
    if len(values) > MANY:
        planes = _bit_planes(values)
        signs = (rng.getrandbits(len(values)) for _ in range(resamples))
        return [2 * sum([worth * (sign & plane).bit_count() for plane, worth in planes]) - total for sign in signs]
    low_bit = bytes(byte & 1 for byte in range(256))
    return [
        2 * sum(itertools.compress(values, rng.randbytes(len(values)).translate(low_bit))) - total
        for _ in range(resamples)
    ]


def _bit_planes(values: Sequence[float]) -> list[tuple[int, float]]:
    """The values in binary, to one part in 2**24 of the largest: for each digit, which of them have it, and its worth.

    The sum over a random half of the values is then a few counts of bits instead of an addition for each value.
    """
    unit = max(values) / 2**DIGITS
    whole = [round(value / unit) for value in values]
    planes = []
    for digit in range(DIGITS + 1):
        plane = int("".join("1" if number >> digit & 1 else "0" for number in whole), 2)
        if plane:
            planes.append((plane, unit * 2**digit))
    return planes


def _adjusted(wins: int, losses: int, n: int, level: float) -> Estimate:
    center, reach = (wins - losses) / (n + 2), _adjusted_reach(wins, losses, n, level)
    value = (wins - losses) / n
    spread = (wins + losses) / n - value**2
    return Estimate(
        value=value,
        low=max(-1.0, center - reach),
        high=min(1.0, center + reach),
        level=check_level(level),
        n=n,
        method="paired Bonett-Price",
        se=math.sqrt(spread / (n - 1)) if n > 1 else None,
    )


def _adjusted_reach(wins: int, losses: int, n: int, level: float) -> float:
    win, loss = (wins + 1) / (n + 2), (losses + 1) / (n + 2)
    return z_of(level) * math.sqrt((win + loss - (win - loss) ** 2) / (n + 2))
