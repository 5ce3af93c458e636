"""Bootstrap intervals: resample the independent units (items, or their clusters), never the repeats."""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from operator import itemgetter, mul
from statistics import fmean
from typing import Literal

from phalanx.errors import ValidationError

from .distributions import NORMAL, check_level, draw_counts
from .intervals import Clusters, Estimate, check_scores, sums_by_cluster

Kind = Literal["bca", "percentile"]
RESAMPLES = 5000


def bootstrap_mean(
    scores: Sequence[float],
    *,
    clusters: Clusters = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
    kind: Kind = "bca",
) -> Estimate:
    """The mean score with a bootstrap interval: bias-corrected and accelerated (Efron 1987), or plain percentiles.

    With `clusters` whole clusters are drawn, and the mean stays the mean over items. The interval is unknown (None)
    when all units are equal. Raises ValidationError as `intervals.mean` does, and for fewer than 100 resamples.
    """
    check_level(level)
    if resamples < 100:
        raise ValidationError(f"resamples={resamples}: at least 100 are needed, 2000 and more are usual")
    values = check_scores(scores)
    units = sums_by_cluster(values, clusters)
    center = math.fsum(values) / len(values)
    replicates = sorted(_means(units, resamples, seed))
    ends: tuple[float, float] | None = None
    if replicates[0] < replicates[-1]:
        tail = (1 - level) / 2
        shares = (tail, 1 - tail) if kind == "percentile" else _bca_shares(units, replicates, center, tail)
        ends = quantile(replicates, shares[0]), quantile(replicates, shares[1])
    name = "BCa bootstrap" if kind == "bca" else "percentile bootstrap"
    return Estimate(
        value=center,
        low=ends[0] if ends else None,
        high=ends[1] if ends else None,
        level=level,
        n=len(values),
        method=name if clusters is None else f"cluster {name}",
        clusters=None if clusters is None else len(units),
        seed=seed,
        resamples=resamples,
    )


def bootstrap_difference(
    a: Sequence[float],
    b: Sequence[float],
    *,
    clusters: Clusters = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
    kind: Kind = "bca",
) -> Estimate:
    """The mean of a − b over the same items in the same order, with a paired bootstrap interval."""
    from .paired import differences

    found = bootstrap_mean(differences(a, b), clusters=clusters, level=level, resamples=resamples, seed=seed, kind=kind)
    return found.model_copy(update={"method": f"paired {found.method}"})


def quantile(ordered: Sequence[float], share: float) -> float:
    """The quantile of sorted values, interpolated between neighbours."""
    place = share * (len(ordered) - 1)
    below = min(int(place), len(ordered) - 2) if len(ordered) > 1 else 0
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def resampled_sums(
    columns: Sequence[Sequence[float]], *, resamples: int, seed: int, clusters: Clusters = None
) -> list[list[float]]:
    """For each resample, the sum of each column over the drawn units; all columns see the same units."""
    units = [sums_by_cluster(column, clusters) for column in columns]
    totals = [[total for total, _ in column] for column in units]
    size = len(totals[0])
    rng = random.Random(f"sums:{seed}")
    if size == 1:
        return [[column[0] for column in totals] for _ in range(resamples)]
    rows = range(size)
    drawn = (itemgetter(*rng.choices(rows, k=size)) for _ in range(resamples))
    return [[sum(pick(column)) for column in totals] for pick in drawn]


def _means(units: Sequence[tuple[float, int]], resamples: int, seed: int) -> list[float]:
    rng = random.Random(f"bootstrap:{seed}")
    kinds = Counter(units)
    if len(kinds) * 20 < len(units):
        counts = list(kinds.values())
        totals, sizes = zip(*kinds, strict=True)
        drawn = (draw_counts(rng, counts) for _ in range(resamples))
        return [sum(map(mul, times, totals)) / sum(map(mul, times, sizes)) for times in drawn]
    if len({size for _, size in units}) == 1:
        sums, members = [total for total, _ in units], sum(size for _, size in units)
        return [sum(rng.choices(sums, k=len(sums))) / members for _ in range(resamples)]
    ratios = []
    for _ in range(resamples):
        sums_and_sizes = zip(*rng.choices(units, k=len(units)), strict=True)
        total, members = map(sum, sums_and_sizes)
        ratios.append(total / members)
    return ratios


def _bca_shares(
    units: Sequence[tuple[float, int]], replicates: Sequence[float], center: float, tail: float
) -> tuple[float, float]:
    """Which quantiles of the replicates are the ends, after Efron's corrections for bias and skew."""
    slack = 1e-9 * (replicates[-1] - replicates[0])
    below, upto = bisect_left(replicates, center - slack), bisect_right(replicates, center + slack)
    share = (below + upto) / (2 * len(replicates))
    share = min(max(share, 0.5 / len(replicates)), 1 - 0.5 / len(replicates))
    bias = NORMAL.inv_cdf(share)
    total, members = math.fsum(unit[0] for unit in units), sum(unit[1] for unit in units)
    without = [(total - part) / (members - size) for part, size in units]
    middle = fmean(without)
    squares = math.fsum((middle - value) ** 2 for value in without)
    cubes = math.fsum((middle - value) ** 3 for value in without)
    skew = cubes / (6 * squares**1.5) if squares > 0 else 0.0
    low, high = (bias + NORMAL.inv_cdf(end) for end in (tail, 1 - tail))
    return NORMAL.cdf(bias + low / (1 - skew * low)), NORMAL.cdf(bias + high / (1 - skew * high))
