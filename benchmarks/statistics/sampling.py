"""Several tries at one item: the mean over repeats, pass@k (any right) and pass^k (all right)."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from statistics import fmean
from typing import TypeVar

from phalanx.errors import ValidationError

from .intervals import Clusters, Estimate, check_scores, mean

Item = TypeVar("Item", bound=Hashable)


def item_means(results: Iterable[tuple[Item, float]]) -> dict[Item, float]:
    """The mean score of each item over its repeats, items in order of appearance.

    The question is the unit of analysis: repeats make its score less noisy, they are not more questions.
    """
    scores: dict[Item, list[float]] = {}
    for item, score in results:
        scores.setdefault(item, []).append(score)
    return {item: fmean(check_scores(each, f"scores of {item!r}")) for item, each in scores.items()}


def pass_at_k(right: int, samples: int, k: int) -> float:
    """The chance that at least one of k samples drawn from these is right: 1 − C(n−c, k)/C(n, k) (Chen 2021)."""
    _check(right, samples, k)
    return 1 - math.comb(samples - right, k) / math.comb(samples, k)


def pass_hat_k(right: int, samples: int, k: int) -> float:
    """The chance that all k samples drawn from these are right: C(c, k)/C(n, k) (pass^k of tau-bench, Yao 2024)."""
    _check(right, samples, k)
    return math.comb(right, k) / math.comb(samples, k)


def mean_pass_at_k(
    counts: Sequence[tuple[int, int]], k: int, *, clusters: Clusters = None, level: float = 0.95
) -> Estimate:
    """pass@k over items given as (right, samples), with an interval over items.

    Raises ValidationError when an item has fewer than k samples: pass@k cannot be known from them.
    """
    values = [pass_at_k(right, samples, k) for right, samples in counts]
    found = mean(values, clusters=clusters, level=level)
    return found.model_copy(update={"method": f"pass@{k}, {found.method}"})


def mean_pass_hat_k(
    counts: Sequence[tuple[int, int]], k: int, *, clusters: Clusters = None, level: float = 0.95
) -> Estimate:
    """pass^k over items given as (right, samples), with an interval over items."""
    values = [pass_hat_k(right, samples, k) for right, samples in counts]
    found = mean(values, clusters=clusters, level=level)
    return found.model_copy(update={"method": f"pass^{k}, {found.method}"})


def _check(right: int, samples: int, k: int) -> None:
    if not 0 <= right <= samples:
        raise ValidationError(f"{right} right of {samples} samples cannot be")
    if not 1 <= k <= samples:
        raise ValidationError(f"k={k} with {samples} samples: k must be from 1 to the number of samples")
