"""Do confidences mean what they say? Brier score, its parts, and calibration error."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import Literal

from phalanx.errors import ValidationError
from phalanx.messages import Data

from .intervals import Clusters, Estimate, mean

Binning = Literal["width", "mass"]


class Bin(Data):
    """The answers of like confidence: how many, how confident on average, how often right."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


class Calibration(Data):
    """How far confidence and accuracy are apart.

    error: expected calibration error, the mean over answers of |confidence − accuracy| of their bin. by_chance: what
    perfectly calibrated confidences like these would show on average for so few answers; an error below it is no
    error. overconfidence: mean confidence − accuracy. brier: mean squared error with its interval; it splits into
    reliability − resolution + uncertainty (Murphy 1973), exactly when confidences are equal within bins.
    """

    error: float
    by_chance: float
    overconfidence: float
    brier: Estimate
    reliability: float
    resolution: float
    uncertainty: float
    bins: tuple[Bin, ...]
    binning: Binning
    n: int

    def __str__(self) -> str:
        facts = f"{self.by_chance:.3f} by chance, {len(self.bins)} bins of equal {self.binning}, n={self.n}"
        return f"ECE {self.error:.3f} ({facts}); Brier {self.brier}"


def brier(
    confidences: Sequence[float], right: Sequence[bool], *, clusters: Clusters = None, level: float = 0.95
) -> Estimate:
    """The mean of (confidence − right)², 0 is perfect, with its interval. Raises ValidationError as `calibration`."""
    _check(confidences, right)
    squares = [(confidence - hit) ** 2 for confidence, hit in zip(confidences, right, strict=True)]
    return mean(squares, clusters=clusters, level=level)


def calibration(
    confidences: Sequence[float],
    right: Sequence[bool],
    *,
    bins: int = 10,
    binning: Binning = "width",
    clusters: Clusters = None,
    level: float = 0.95,
) -> Calibration:
    """Everything about stated confidences in 0..1 and whether each answer was right.

    bins: how many; empty ones are left out. binning: of equal "width", or of equal "mass" (as many answers in each;
    equal confidences stay together). Raises ValidationError for unequal lengths or a confidence outside 0..1.
    """
    _check(confidences, right)
    if bins < 1 or binning not in ("width", "mass"):
        raise ValidationError(f"bins={bins!r} must be at least 1 and binning={binning!r} either width or mass")
    n = len(confidences)
    kinds = sorted(Counter(zip(map(float, confidences), map(bool, right), strict=True)).items())
    pairs = [pair for pair, times in kinds for _ in range(times)]
    groups = _by_width(kinds, bins) if binning == "width" else _by_mass(pairs, bins)
    base = fmean([hit for _, hit in pairs])
    found, chance = [], 0.0
    for low, high, group in groups:
        found.append(
            Bin(
                low=low,
                high=high,
                n=len(group),
                confidence=fmean([confidence for confidence, _ in group]),
                accuracy=fmean([hit for _, hit in group]),
            )
        )
        chance += math.sqrt(2 / math.pi * math.fsum([confidence * (1 - confidence) for confidence, _ in group]))
    return Calibration(
        error=math.fsum(each.n * abs(each.confidence - each.accuracy) for each in found) / n,
        by_chance=chance / n,
        overconfidence=fmean(confidences) - base,
        brier=brier(confidences, right, clusters=clusters, level=level),
        reliability=math.fsum(each.n * (each.confidence - each.accuracy) ** 2 for each in found) / n,
        resolution=math.fsum(each.n * (each.accuracy - base) ** 2 for each in found) / n,
        uncertainty=base * (1 - base),
        bins=tuple(found),
        binning=binning,
        n=n,
    )


Pairs = list[tuple[float, bool]]


def _by_width(kinds: Sequence[tuple[tuple[float, bool], int]], bins: int) -> list[tuple[float, float, Pairs]]:
    groups: dict[int, Pairs] = {}
    for pair, times in kinds:
        groups.setdefault(min(int(pair[0] * bins), bins - 1), []).extend([pair] * times)
    return [(place / bins, (place + 1) / bins, group) for place, group in groups.items()]


def _by_mass(pairs: Pairs, bins: int) -> list[tuple[float, float, Pairs]]:
    groups: list[Pairs] = []
    for place, pair in enumerate(pairs):
        full = place * bins // len(pairs) >= len(groups)
        if not groups or (full and pair[0] != groups[-1][-1][0]):
            groups.append([])
        groups[-1].append(pair)
    return [(group[0][0], group[-1][0], group) for group in groups]


def _check(confidences: Sequence[float], right: Sequence[bool]) -> None:
    if not confidences or len(confidences) != len(right):
        raise ValidationError(
            f"{len(confidences)} confidences for {len(right)} answers; need one an answer, at least one"
        )
    for place, confidence in enumerate(confidences):
        if not 0 <= confidence <= 1:
            raise ValidationError(f"confidences[{place}] is {confidence!r}; confidences lie in 0..1")
