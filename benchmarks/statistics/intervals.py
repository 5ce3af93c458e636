"""One system's mean score, with the interval it deserves."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import chain, repeat
from statistics import fmean

from phalanx.errors import ValidationError
from phalanx.messages import Data

from .distributions import check_level, t_of, z_of

Clusters = Sequence[Hashable] | None


class Estimate(Data):
    """A number with its interval, and all it takes to say how it came about.

    value: the estimate. low, high: the interval's ends, None when the data cannot give one (a single item).
    level: its confidence, e.g. 0.95. n: independent items, in `clusters` groups if they come in groups.
    method: in words. se: standard error, where the method has one. seed, resamples: of a resampling method.
    """

    value: float
    low: float | None
    high: float | None
    level: float
    n: int
    method: str
    se: float | None = None
    clusters: int | None = None
    seed: int | None = None
    resamples: int | None = None

    def __str__(self) -> str:
        return f"{self.value:.4g} {self.interval} ({self.facts})"

    @property
    def interval(self) -> str:
        """The interval as text, e.g. "[0.767, 0.907]"."""
        return "[unknown]" if self.low is None or self.high is None else f"[{self.low:.4g}, {self.high:.4g}]"

    @property
    def facts(self) -> str:
        """Level, n, method, resamples and seed as text."""
        parts = [f"{100 * self.level:g}%", f"n={self.n}"]
        if self.clusters is not None:
            parts.append(f"{self.clusters} clusters")
        parts.append(self.method)
        if self.resamples is not None:
            parts.append(f"{self.resamples} resamples")
        if self.seed is not None:
            parts.append(f"seed {self.seed}")
        return ", ".join(parts)


def wilson(right: float, n: int, *, level: float = 0.95) -> Estimate:
    """The share of `right` among `n` with Wilson's score interval (1927), good for few items and rates near 0 or 1.

    `right` may be fractional, as expected credits for ties are. Raises ValidationError unless 0 <= right <= n, n > 0.
    """
    if n < 1 or not 0 <= right <= n:
        raise ValidationError(f"{right!r} right of {n!r}: a share needs at least one item and 0 <= right <= n")
    low, high = _wilson_ends(right / n, n, z_of(level))
    return Estimate(value=right / n, low=low, high=high, level=level, n=n, method="Wilson")


def mean(scores: Sequence[float], *, clusters: Clusters = None, level: float = 0.95) -> Estimate:
    """The mean of one score an item with Student's interval: mean ± t · SE.

    Average the repeats of an item first (`sampling.item_means`): repeats are not items. With `clusters` (one label
    an item: its document, its template) SE² = N⁻² · Σ over clusters of (Σ within (s − mean))² / (1 − size/N): the
    formula of Miller 2024 (arXiv 2411.00640) with the correction of Bell and McCaffrey 2002, which makes it unbiased
    for few clusters, and t has the effective number of clusters of Carter, Schnepel and Steigerwald 2017 less one
    as its degrees of freedom: with a few large clusters among small ones the interval is wider.

    The interval is unknown (None) for a single item or cluster, and when all agree, unless all scores lie in 0..1:
    then it is Wilson's for that many items or clusters, because no spread seen is not no spread. Ends are cut to
    0..1 where all scores lie there. Raises ValidationError for no scores, a score that is not finite, or labels
    that do not match.
    """
    values = check_scores(scores)
    units = sums_by_cluster(values, clusters)
    center = fmean(values)
    groups = None if clusters is None else len(units)
    within = min(values) >= 0 and max(values) <= 1
    method = "Student" if clusters is None else "Student, clustered SE"
    se = clustered_error(units, center)
    low: float | None = None
    high: float | None = None
    if se is not None and se > 1e-12 * max(1.0, abs(center)):
        reach = t_of(level, degrees_of_freedom(units)) * se
        low, high = center - reach, center + reach
        if within:
            low, high = max(0.0, low), min(1.0, high)
    elif within and len(units) > 1:
        low, high = _wilson_ends(center, len(units), z_of(level))
        method = "Wilson on the clusters, for want of spread" if groups else "Wilson, for want of spread"
    return Estimate(
        value=center,
        low=low,
        high=high,
        level=check_level(level),
        n=len(values),
        method=method,
        se=se,
        clusters=groups,
    )


def accuracy(scores: Sequence[float], *, clusters: Clusters = None, level: float = 0.95) -> Estimate:
    """The interval that fits: Wilson for independent right-or-wrong items, else `mean` with its clusters."""
    values = check_scores(scores)
    if clusters is None and is_binary(values):
        return wilson(sum(values), len(values), level=level)
    return mean(values, clusters=clusters, level=level)


def is_binary(scores: Iterable[float]) -> bool:
    """Whether every score is 0 or 1."""
    return set(scores) <= {0, 1}


def check_scores(scores: Sequence[float], what: str = "scores") -> list[float]:
    """The scores as floats. Raises ValidationError when there are none or one is missing, infinite or not a number."""
    if scores and set(map(type, scores)) == {float} and all(map(math.isfinite, scores)):
        return list(scores)
    values: list[float] = []
    for place, score in enumerate(scores):
        if not isinstance(score, (int, float)) or not math.isfinite(score):
            raise ValidationError(f"{what}[{place}] is {score!r}; each must be a finite number (a failed run scores 0)")
        values.append(float(score))
    if not values:
        raise ValidationError(f"{what} is empty; there is nothing to estimate from")
    return values


def sums_by_cluster(values: Sequence[float], clusters: Clusters) -> list[tuple[float, int]]:
    """For each cluster, in order of appearance, the sum of its values and how many; without clusters, each item."""
    if clusters is None:
        return [(value, 1) for value in values]
    if len(clusters) != len(values):
        raise ValidationError(f"{len(clusters)} cluster labels for {len(values)} items; give one label an item")
    sums: dict[Hashable, tuple[float, int]] = {}
    for value, label in zip(values, clusters, strict=True):
        total, count = sums.get(label, (0.0, 0))
        sums[label] = (total + value, count + 1)
    return list(sums.values())


def clustered_error(units: Sequence[tuple[float, int]], center: float) -> float | None:
    """The standard error of a mean whose independent units are (sum, size); None for a single unit."""
    if len(units) < 2:
        return None
    n = sum(size for _, size in units)
    # Many units are alike; each kind is worked out once, and the sum is exact in any order.
    kinds = Counter(units)
    squares = {unit: (unit[0] - unit[1] * center) ** 2 / (1 - unit[1] / n) for unit in kinds}
    return math.sqrt(math.fsum(chain.from_iterable(map(repeat, squares.values(), kinds.values())))) / n


def degrees_of_freedom(units: Sequence[tuple[float, int]]) -> float:
    """How many independent units a clustered error stands on, less one: G/(1 + the sizes' squared variation) − 1."""
    sizes = Counter([size for _, size in units])
    total, squares = (sum(size**power * times for size, times in sizes.items()) for power in (1, 2))
    return max(1.0, total**2 / squares - 1)


def jackknife_error(left_out: Sequence[tuple[float | None, int]]) -> float | None:
    """The jackknife standard error from (the estimate without a unit, how many units give just that).

    None when an estimate is missing or there are fewer than two units.
    """
    units = sum(count for _, count in left_out)
    known = [(value, count) for value, count in left_out if value is not None]
    if units < 2 or len(known) < len(left_out):
        return None
    center = math.fsum(value * count for value, count in known) / units
    return math.sqrt((units - 1) / units * math.fsum(count * (value - center) ** 2 for value, count in known))


def _wilson_ends(share: float, n: int, z: float) -> tuple[float, float]:
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = max(0.0, middle - reach), min(1.0, middle + reach)
    return (0.0 if share == 0 else low), (1.0 if share == 1 else high)
