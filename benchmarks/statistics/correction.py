"""Many comparisons at once: Holm for a family declared beforehand, Benjamini–Hochberg for exploration."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from phalanx.errors import ValidationError
from phalanx.messages import Data

Correction = Literal["holm", "benjamini-hochberg"]


class Adjusted(Data):
    """A p-value adjusted for the family of `family` comparisons that it belongs to.

    Holm keeps the chance of any false finding in the family at alpha; Benjamini–Hochberg keeps the expected share of
    false ones among the findings there, which is for exploring, not for claiming.
    """

    p_value: float
    adjusted: float
    family: int
    method: Correction

    def significant(self, alpha: float = 0.05) -> bool:
        """Whether it is a finding at this alpha."""
        return self.adjusted <= alpha

    def __str__(self) -> str:
        return f"p={self.p_value:.4g}, adjusted {self.adjusted:.4g} ({self.method}, {self.family} comparisons)"


def holm(p_values: Mapping[str, float]) -> dict[str, Adjusted]:
    """Holm's step-down adjustment (1979), valid however the comparisons depend on each other."""
    ordered = _ordered(p_values)
    found, highest = {}, 0.0
    for place, (name, p_value) in enumerate(ordered):
        highest = max(highest, min(1.0, (len(ordered) - place) * p_value))
        found[name] = Adjusted(p_value=p_value, adjusted=highest, family=len(ordered), method="holm")
    return {name: found[name] for name in p_values}


def benjamini_hochberg(p_values: Mapping[str, float]) -> dict[str, Adjusted]:
    """Benjamini and Hochberg's adjustment (1995), for comparisons that are independent or depend positively."""
    ordered = _ordered(p_values)
    found, lowest = {}, 1.0
    for place, (name, p_value) in reversed(list(enumerate(ordered, start=1))):
        lowest = min(lowest, len(ordered) / place * p_value)
        found[name] = Adjusted(p_value=p_value, adjusted=lowest, family=len(ordered), method="benjamini-hochberg")
    return {name: found[name] for name in p_values}


def _ordered(p_values: Mapping[str, float]) -> list[tuple[str, float]]:
    for name, p_value in p_values.items():
        if math.isnan(p_value) or not 0 <= p_value <= 1:
            raise ValidationError(f"the p-value of {name!r} is {p_value!r}; p-values lie in 0..1")
    return sorted(p_values.items(), key=lambda pair: pair[1])
