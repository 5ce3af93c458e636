"""What a comparison says, in words and with its numbers: better, worse, tied, or not enough items."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from phalanx.errors import ValidationError
from phalanx.messages import Data

from .correction import Adjusted
from .distributions import t_of, z_of
from .intervals import (
    Clusters,
    Estimate,
    check_scores,
    clustered_error,
    degrees_of_freedom,
    is_binary,
    sums_by_cluster,
)
from .paired import McNemar, SignFlip, mcnemar, paired_difference, sign_flip
from .power import items_needed_for

Kind = Literal["better", "worse", "tied", "not enough items"]
MARGIN = 0.02


class Verdict(Data):
    """One system against another on the same items.

    kind: better or worse (the interval excludes 0 and the p-value, adjusted if it belongs to a family, is at most
    1 − level), tied (the interval lies within ±margin), or not enough items. difference: mean of a − b with its
    interval. test: McNemar's or a sign-flip test of no difference. cost_ratio: cost of a over cost of b, None when a
    cost is unknown or b's is zero. more_items: how many more it would take, None where it is settled: enough to
    see a difference of `margin` with 80% power at the spread seen here, or, if there are that many already, for the
    interval to settle at the difference seen.
    """

    kind: Kind
    a: str
    b: str
    difference: Estimate
    margin: float
    test: McNemar | SignFlip
    adjusted: Adjusted | None = None
    cost_ratio: Estimate | None = None
    more_items: int | None = None

    def __str__(self) -> str:
        found = self.difference
        points = f"{100 * found.value:+.1f} points [{_points(found.low)}, {_points(found.high)}]"
        facts = f"{found.facts}; {self.p_text}"
        if self.kind == "tied":
            claim = f"{self.a} and {self.b} are tied within ±{100 * self.margin:g} points: {points}"
        elif self.kind == "not enough items":
            need = "more items are needed" if self.more_items is None else f"{self.more_items} more needed"
            claim = f"not enough items to tell {self.a} from {self.b} ({need}): {points}"
        else:
            claim = f"{self.a} is {self.kind} than {self.b} by {points}"
        return f"{claim} {self.cost_text} ({facts})"

    @property
    def cost_text(self) -> str:
        """The cost in words: "for 3.1 times the cost", or that it is unknown."""
        if self.cost_ratio is None:
            return "at a cost that is not known"
        return f"for {self.cost_ratio.value:.2g} times the cost"

    @property
    def p_text(self) -> str:
        """The p-value in words, adjusted if it belongs to a family."""
        if self.adjusted is not None:
            return str(self.adjusted)
        if isinstance(self.test, McNemar):
            return f"McNemar mid-p={self.test.mid_p:.3g}"
        return f"sign-flip p={self.test.p_value:.3g}"

    @property
    def p_value(self) -> float:
        """The p-value before adjustment; what goes into `correction.holm`."""
        return self.test.mid_p if isinstance(self.test, McNemar) else self.test.p_value

    def within_family(self, adjusted: Adjusted) -> Verdict:
        """This verdict as one of a family of comparisons: better and worse then need the adjusted p-value."""
        if not math.isclose(adjusted.p_value, self.p_value, rel_tol=1e-9, abs_tol=1e-15):
            raise ValidationError(
                f"the adjusted p-value is for p={adjusted.p_value:g}, but this comparison has p={self.p_value:g}"
            )
        kind = _kind(self.difference, self.margin, adjusted.adjusted)
        more = self.more_items
        if kind == "not enough items" and more is None:
            more = _more_items(self.difference, self.margin)
        return self.model_copy(update={"kind": kind, "adjusted": adjusted, "more_items": more})


def compare(
    a: Sequence[float],
    b: Sequence[float],
    *,
    names: tuple[str, str] = ("a", "b"),
    costs_a: Sequence[float | None] | None = None,
    costs_b: Sequence[float | None] | None = None,
    clusters: Clusters = None,
    margin: float = MARGIN,
    level: float = 0.95,
    seed: int = 0,
) -> Verdict:
    """Compare two systems by their scores on the same items, one score an item, in the same order.

    costs_a, costs_b: what each item cost; None where unknown. clusters: one label an item when items come in groups.
    margin: the smallest difference that matters; within ±margin systems are tied. seed: of the permutation test.
    Being tied goes before being better: a difference that is real but surely too small to matter is a tie.
    """
    if not 0 < margin < 1:
        raise ValidationError(f"margin={margin!r} must be between 0 and 1, e.g. 0.02 for two points")
    found = paired_difference(a, b, clusters=clusters, level=level)
    binary = clusters is None and is_binary(a) and is_binary(b)
    test = mcnemar(a, b) if binary else sign_flip(a, b, clusters=clusters, seed=seed)
    kind = _kind(found, margin, test.mid_p if isinstance(test, McNemar) else test.p_value)
    return Verdict(
        kind=kind,
        a=names[0],
        b=names[1],
        difference=found,
        margin=margin,
        test=test,
        cost_ratio=cost_ratio(costs_a, costs_b, clusters=clusters, level=level),
        more_items=_more_items(found, margin) if kind == "not enough items" else None,
    )


def cost_ratio(
    costs_a: Sequence[float | None] | None,
    costs_b: Sequence[float | None] | None,
    *,
    clusters: Clusters = None,
    level: float = 0.95,
) -> Estimate | None:
    """Total cost of a over total cost of b on the same items, with a delta-method interval on the log scale.

    None when a cost is unknown or b cost nothing, for then no factor says it.
    """
    if costs_a is None or costs_b is None or None in costs_a or None in costs_b:
        return None
    first = check_scores([cost for cost in costs_a if cost is not None], "costs_a")
    second = check_scores([cost for cost in costs_b if cost is not None], "costs_b")
    if len(first) != len(second) or min(first) < 0 or min(second) < 0:
        raise ValidationError("costs_a and costs_b must be for the same items and not negative")
    total_a, total_b, n = math.fsum(first), math.fsum(second), len(first)
    if total_b == 0:
        return None
    if total_a == 0:
        return Estimate(value=0.0, low=None, high=None, level=level, n=n, method="ratio of costs")
    share = [n * x / total_a - n * y / total_b for x, y in zip(first, second, strict=True)]
    units = sums_by_cluster(share, clusters)
    error, ratio = clustered_error(units, 0.0), total_a / total_b
    reach = None if error is None else math.exp(t_of(level, degrees_of_freedom(units)) * error)
    return Estimate(
        value=ratio,
        low=None if reach is None else ratio / reach,
        high=None if reach is None else ratio * reach,
        level=level,
        n=n,
        method="ratio of costs, delta method",
        clusters=None if clusters is None else len(units),
    )


def _kind(found: Estimate, margin: float, p_value: float) -> Kind:
    low, high = found.low, found.high
    if low is None or high is None:
        return "not enough items"
    if -margin <= low and high <= margin:
        return "tied"
    believed = p_value <= 1 - found.level + 1e-12
    if believed and low > 0:
        return "better"
    if believed and high < 0:
        return "worse"
    return "not enough items"


def _more_items(found: Estimate, margin: float) -> int | None:
    if found.low is None or found.high is None:
        return None
    reach = (found.high - found.low) / 2
    spread = found.n * (reach / z_of(found.level)) ** 2
    planned = items_needed_for(margin, between=spread, level=found.level)
    if planned > found.n:
        return planned - found.n
    distance = max(abs(found.value), margin - abs(found.value))
    return max(1, math.ceil(found.n * (reach / distance) ** 2) - found.n)


def _points(end: float | None) -> str:
    return "unknown" if end is None else f"{100 * end:+.1f}"
