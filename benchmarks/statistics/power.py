"""How many items a comparison needs, and what it can see with those it has; asked before spending anything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, variance

from phalanx.errors import ValidationError
from phalanx.messages import Data

from .distributions import NORMAL, z_of


class Plan(Data):
    """What `n` paired items can show: differences of at least `detectable` with this power.

    detectable is None when no difference that can occur at this `discordance` (the share of items on which the two
    systems differ) is that likely to be seen. items: how many it takes for a difference of `wanted`.
    """

    n: int
    detectable: float | None
    discordance: float
    level: float
    power: float
    wanted: float | None = None
    items: int | None = None

    def __str__(self) -> str:
        seen = "no difference" if self.detectable is None else f"differences of {100 * self.detectable:.1f} points"
        facts = f"{100 * self.power:g}% power, {100 * self.level:g}% level, {100 * self.discordance:g}% discordant"
        text = f"{self.n} items can show {seen} ({facts})"
        if self.wanted is not None and self.items is not None:
            text += f"; {100 * self.wanted:g} points take {self.items} items"
        return text


class Components(Data):
    """Where the variance of a paired difference comes from (Miller 2024, section 3).

    between: variance of the items' true differences (omega²). within_a, within_b: variance of the repeats of one
    item (sigma²). Estimated without bias, so `between` is cut at 0. n: items; repeats_a, repeats_b: the mean numbers.
    """

    between: float
    within_a: float
    within_b: float
    n: int
    repeats_a: float
    repeats_b: float


def items_needed(
    delta: float,
    *,
    discordance: float,
    power: float = 0.8,
    level: float = 0.95,
    design_effect: float = 1.0,
) -> int:
    """Items to see a difference of `delta` between two right-or-wrong systems: (z_α/2 + z_β)² (π_d − δ²)/δ².

    discordance: π_d, the share of items on which they differ. design_effect: how many times the variance grows
    because items come in clusters. Raises ValidationError when |delta| exceeds the discordance, which cannot be.
    """
    if not 0 < abs(delta) <= discordance <= 1:
        raise ValidationError(
            f"delta={delta!r}, discordance={discordance!r}: need 0 < |delta| <= discordance <= 1, "
            "for systems cannot differ by more than the share of items on which they differ"
        )
    return _up(design_effect * _z_sum(power, level) ** 2 * (discordance - delta**2) / delta**2)


def items_needed_for(
    delta: float,
    *,
    between: float,
    within_a: float = 0.0,
    within_b: float = 0.0,
    repeats_a: float = 1,
    repeats_b: float = 1,
    power: float = 0.8,
    level: float = 0.95,
    design_effect: float = 1.0,
) -> int:
    """Items for scores of any kind, with repeats: (z_α/2 + z_β)² (ω² + σ_A²/K_A + σ_B²/K_B)/δ² (Miller 2024).

    between, within_a, within_b: ω², σ_A² and σ_B², e.g. of `components` from a pilot run.
    """
    if delta == 0 or min(between, within_a, within_b) < 0 or min(repeats_a, repeats_b) <= 0:
        raise ValidationError("delta must not be 0, variances not negative, repeats positive")
    spread = between + within_a / repeats_a + within_b / repeats_b
    return _up(design_effect * _z_sum(power, level) ** 2 * spread / delta**2)


def detectable_difference(
    n: int, *, discordance: float, power: float = 0.8, level: float = 0.95, design_effect: float = 1.0
) -> float | None:
    """The smallest difference `n` items show with this power; None when it would exceed the discordance."""
    if n < 1 or not 0 < discordance <= 1:
        raise ValidationError(f"n={n!r} must be at least 1 and discordance={discordance!r} in 0..1")
    squares = _z_sum(power, level) ** 2 * design_effect
    delta = math.sqrt(squares * discordance / (n + squares))
    return delta if delta <= discordance else None


def power_of(n: int, delta: float, *, discordance: float, level: float = 0.95, design_effect: float = 1.0) -> float:
    """The chance that `n` items show a true difference of `delta`, by the same normal approximation."""
    items_needed(delta, discordance=discordance, level=level)
    spread = design_effect * (discordance - delta**2)
    if spread <= 0:
        return 1.0
    return NORMAL.cdf(abs(delta) * math.sqrt(n / spread) - z_of(level))


def plan(
    n: int,
    *,
    discordance: float,
    wanted: float | None = None,
    power: float = 0.8,
    level: float = 0.95,
    design_effect: float = 1.0,
) -> Plan:
    """What to print before a run: the minimum detectable effect, and the items that `wanted` would take."""
    least = detectable_difference(n, discordance=discordance, power=power, level=level, design_effect=design_effect)
    items = None
    if wanted is not None:
        items = items_needed(wanted, discordance=discordance, power=power, level=level, design_effect=design_effect)
    return Plan(n=n, detectable=least, discordance=discordance, level=level, power=power, wanted=wanted, items=items)


def expected_discordance(p_a: float, p_b: float, correlation: float = 0.0) -> float:
    """The share of items on which systems right with p_a and p_b differ, given the correlation of their successes.

    Raises ValidationError for a correlation that these two rates cannot have.
    """
    if not (0 <= p_a <= 1 and 0 <= p_b <= 1):
        raise ValidationError(f"p_a={p_a!r} and p_b={p_b!r} must be in 0..1")
    both = p_a * p_b + correlation * math.sqrt(p_a * (1 - p_a) * p_b * (1 - p_b))
    if not max(0.0, p_a + p_b - 1) - 1e-12 <= both <= min(p_a, p_b) + 1e-12:
        raise ValidationError(f"rates {p_a:g} and {p_b:g} cannot have correlation {correlation:g}")
    return max(0.0, p_a + p_b - 2 * both)


def components(a: Sequence[Sequence[float]], b: Sequence[Sequence[float]]) -> Components:
    """The variance components of a pilot run; a[i] and b[i] hold the repeats' scores of item i.

    Raises ValidationError for fewer than two items, or when no item of one system has two repeats, for then the
    variance within items cannot be told from that between them.
    """
    if len(a) != len(b) or len(a) < 2 or not all(map(len, a)) or not all(map(len, b)):
        raise ValidationError("components need the same two or more items on both sides, each with at least one score")
    within_a, within_b = _within(a, "a"), _within(b, "b")
    total = variance([fmean(x) - fmean(y) for x, y in zip(a, b, strict=True)])
    noise = fmean([within_a / len(x) + within_b / len(y) for x, y in zip(a, b, strict=True)])
    return Components(
        between=max(0.0, total - noise),
        within_a=within_a,
        within_b=within_b,
        n=len(a),
        repeats_a=fmean(map(len, a)),
        repeats_b=fmean(map(len, b)),
    )


def _within(scores: Sequence[Sequence[float]], name: str) -> float:
    repeated = [(variance(each), len(each) - 1) for each in scores if len(each) > 1]
    if not repeated:
        raise ValidationError(f"{name} has no item with two repeats, so the variance within items is unknown")
    return sum(spread * df for spread, df in repeated) / sum(df for _, df in repeated)


def _z_sum(power: float, level: float) -> float:
    if not 0 < power < 1:
        raise ValidationError(f"power={power!r} must be between 0 and 1; 0.8 is usual")
    return z_of(level) + NORMAL.inv_cdf(power)


def _up(items: float) -> int:
    return max(1, math.ceil(items - 1e-9))
