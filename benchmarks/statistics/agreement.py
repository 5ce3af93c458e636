"""How much raters agree beyond chance."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Literal

from phalanx.errors import ValidationError
from phalanx.messages import Data

from .distributions import check_level, z_of
from .intervals import jackknife_error

Scale = Literal["nominal", "ordinal", "interval"]


class Agreement(Data):
    """Krippendorff's alpha: 1 is perfect agreement, 0 what chance gives, below 0 systematic disagreement.

    value is None when it is not defined: fewer than two ratings of a same unit, or one value throughout. low, high:
    a normal interval from the jackknife over units. ratings: those that could be paired. units: those they are of.
    """

    value: float | None
    low: float | None
    high: float | None
    level: float
    scale: Scale
    units: int
    ratings: int

    def __str__(self) -> str:
        if self.value is None:
            return f"alpha undefined ({self.scale}, {self.units} units, {self.ratings} ratings)"
        interval = "[unknown]" if self.low is None or self.high is None else f"[{self.low:.3f}, {self.high:.3f}]"
        facts = f"{100 * self.level:g}%, {self.scale}, {self.units} units, {self.ratings} ratings, jackknife"
        return f"alpha={self.value:.3f} {interval} ({facts})"


def krippendorff_alpha(
    ratings: Sequence[Sequence[Hashable | None]], *, scale: Scale = "nominal", level: float = 0.95
) -> Agreement:
    """Krippendorff's alpha (2011) of ratings[unit][rater]; None is a rating that is missing.

    Rows may differ in length: who rated does not matter, only what each unit was given. "ordinal" and "interval" take
    numbers. Raises ValidationError for an unknown scale or a value that is not a number where one is needed.
    """
    check_level(level)
    if scale not in ("nominal", "ordinal", "interval"):
        raise ValidationError(f"scale={scale!r} must be nominal, ordinal or interval")
    units = [[_rating(value, scale) for value in unit if value is not None] for unit in ratings]
    kinds = Counter(tuple(sorted(Counter(unit).items(), key=repr)) for unit in units if len(unit) > 1)
    totals: Counter[Hashable] = Counter()
    for kind, times in kinds.items():
        for rating, count in kind:
            totals[rating] += count * times
    value = _alpha(kinds, totals, scale)
    error = None
    if value is not None:
        left_out = [(_alpha_without(kind, kinds, totals, scale), times) for kind, times in kinds.items()]
        error = jackknife_error(left_out)
    reach = None if error is None else z_of(level) * error
    return Agreement(
        value=value,
        low=None if value is None or reach is None else max(-1.0, value - reach),
        high=None if value is None or reach is None else min(1.0, value + reach),
        level=level,
        scale=scale,
        units=sum(kinds.values()),
        ratings=sum(totals.values()),
    )


def _rating(value: Hashable, scale: Scale) -> Hashable:
    if scale == "nominal":
        return value
    if isinstance(value, (int, float)) and math.isfinite(value):
        return float(value)
    raise ValidationError(f"rating {value!r} is not a finite number, which the {scale} scale needs")


Unit = tuple[tuple[Hashable, int], ...]


def _alpha_without(unit: Unit, kinds: Counter[Unit], totals: Counter[Hashable], scale: Scale) -> float | None:
    kinds[unit] -= 1
    for rating, count in unit:
        totals[rating] -= count
    try:
        return _alpha(kinds, totals, scale)
    finally:
        kinds[unit] += 1
        for rating, count in unit:
            totals[rating] += count


def _alpha(kinds: Mapping[Unit, int], totals: Mapping[Hashable, int], scale: Scale) -> float | None:
    """1 − observed/expected disagreement. On all three scales a sum over pairs is a sum of squares, so it is linear.

    Ordinal distances are differences of mid-ranks, so ordinal alpha is interval alpha of the mid-ranks.
    """
    n = sum(totals.values())
    if n < 2:
        return None
    place = _places(totals, scale)
    observed = sum(
        times * _pairs_apart(dict(unit), place) / (sum(count for _, count in unit) - 1)
        for unit, times in kinds.items()
        if times
    )
    expected = _pairs_apart(totals, place) / (n - 1)
    return 1 - observed / expected if expected > 0 else None


def _places(totals: Mapping[Hashable, int], scale: Scale) -> Mapping[Hashable, float] | None:
    if scale == "nominal":
        return None
    numbers = [rating for rating in totals if isinstance(rating, float)]
    if scale == "interval":
        return {rating: rating for rating in numbers}
    ranks: dict[Hashable, float] = {}
    before = 0
    for rating in sorted(numbers):
        ranks[rating] = before + totals[rating] / 2
        before += totals[rating]
    return ranks


def _pairs_apart(counts: Mapping[Hashable, int], place: Mapping[Hashable, float] | None) -> float:
    """The sum of squared distances over all ordered pairs."""
    n = sum(counts.values())
    if place is None:
        return n * n - sum(count * count for count in counts.values())
    center = math.fsum(count * place[rating] for rating, count in counts.items()) / n
    return 2 * n * math.fsum(count * (place[rating] - center) ** 2 for rating, count in counts.items())
