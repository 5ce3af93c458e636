"""Accuracy against cost: which systems are worth having, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from phalanx.errors import ValidationError
from phalanx.messages import Data

from .bootstrap import quantile, resampled_sums
from .distributions import check_level
from .intervals import Clusters, Estimate, check_scores


@dataclass(frozen=True)
class Measured:
    """One system's score and cost on each item, the same items in the same order for all; a cost may be unknown."""

    scores: Sequence[float]
    costs: Sequence[float | None]


class Point(Data):
    """A system in the plane of accuracy and mean cost an item.

    on_front: no other is at least as accurate and as cheap, and better in one. frequency: in which share of the
    resamples it was on the front. dominated_by: who dominates it, with the share of resamples in which each does.
    """

    system: str
    accuracy: float
    cost: float
    on_front: bool
    frequency: float
    dominated_by: dict[str, float]

    def __str__(self) -> str:
        place = "on the front" if self.on_front else "dominated"
        often = f"on it in {self.frequency:.0%} of resamples"
        return f"{self.system}: {self.accuracy:.4g} at {self.cost:.4g} an item, {place} ({often})"


class Front(Data):
    """All points, cheapest first; `unpriced` names systems left out because a cost is unknown.

    hypervolume: the share of the rectangle (cost up to `reference_cost`, accuracy 0..1) that the front dominates,
    with its percentile interval; None when nothing is priced above zero.
    """

    points: tuple[Point, ...]
    unpriced: tuple[str, ...]
    hypervolume: Estimate | None
    reference_cost: float | None
    n: int
    clusters: int | None
    resamples: int
    seed: int

    def __str__(self) -> str:
        front = ", ".join(f"{point.system} ({point.frequency:.0%})" for point in self.points if point.on_front)
        left_out = f"; no price known for {', '.join(self.unpriced)}" if self.unpriced else ""
        return f"front: {front or 'empty'} (n={self.n}, {self.resamples} resamples, seed {self.seed}){left_out}"


class CostToReach(Data):
    """The least mean cost an item at which some system reaches an accuracy.

    system, cost: the cheapest that does, None when none does. reached: the share of resamples in which one does;
    low, high: the percentile interval of the cost among those, None when there are none.
    """

    accuracy: float
    system: str | None
    cost: float | None
    low: float | None
    high: float | None
    level: float
    reached: float
    n: int
    resamples: int
    seed: int

    def __str__(self) -> str:
        facts = f"reached in {self.reached:.0%} of {self.resamples} resamples, n={self.n}, seed {self.seed}"
        if self.cost is None:
            return f"no system reaches {self.accuracy:g} ({facts})"
        interval = "" if self.low is None or self.high is None else f" [{self.low:.4g}, {self.high:.4g}]"
        return f"{self.accuracy:g} costs {self.cost:.4g}{interval} an item with {self.system} ({facts})"


Place = tuple[float, float]


def pareto(
    systems: Mapping[str, Measured],
    *,
    clusters: Clusters = None,
    reference_cost: float | None = None,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Front:
    """The Pareto front with the bootstrap's word on it; items are drawn jointly for all systems.

    reference_cost: where the hypervolume's rectangle ends (default: the highest mean cost). Raises ValidationError
    when the systems were not measured on the same items, or a cost is negative.
    """
    check_level(level)
    priced, unpriced, n = _split(systems)
    names = list(priced)
    observed = [_place(priced[name]) for name in names]
    limit = reference_cost if reference_cost is not None else max((cost for _, cost in observed), default=0.0)
    # One that costs nothing is the front, whatever is drawn.
    is_certain = len(names) == 1 and limit <= 0 and resamples >= 100
    drawn = [observed] * resamples if is_certain else _resample(priced, clusters, resamples, seed)
    fronts = [_front(places) for places in drawn]
    found = []
    on_front = _front(observed)
    for this, name in enumerate(names):
        rivals = [other for other in range(len(names)) if _dominates(observed[other], observed[this])]
        shares = {
            names[other]: sum(_dominates(places[other], places[this]) for places in drawn) / resamples
            for other in rivals
        }
        found.append(
            Point(
                system=name,
                accuracy=observed[this][0],
                cost=observed[this][1],
                on_front=this in on_front,
                frequency=sum(this in front for front in fronts) / resamples,
                dominated_by=shares,
            )
        )
    volume = None
    if observed and limit > 0:
        spread = sorted(_volume(places, limit) for places in drawn)
        volume = Estimate(
            value=_volume(observed, limit),
            low=quantile(spread, (1 - level) / 2),
            high=quantile(spread, (1 + level) / 2),
            level=level,
            n=n,
            method=f"hypervolume to cost {limit:.4g}, percentile bootstrap",
            clusters=None if clusters is None else len(set(clusters)),
            seed=seed,
            resamples=resamples,
        )
    return Front(
        points=tuple(sorted(found, key=lambda point: (point.cost, -point.accuracy, point.system))),
        unpriced=tuple(unpriced),
        hypervolume=volume,
        reference_cost=limit if volume else None,
        n=n,
        clusters=None if clusters is None else len(set(clusters)),
        resamples=resamples,
        seed=seed,
    )


def cost_to_reach(
    systems: Mapping[str, Measured],
    accuracy: float,
    *,
    clusters: Clusters = None,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> CostToReach:
    """What it costs to be right that often, with whichever system is cheapest; unpriced systems are left out."""
    check_level(level)
    priced, _, n = _split(systems)
    names = list(priced)
    observed = _cheapest([_place(priced[name]) for name in names], accuracy)
    costs = []
    for places in _resample(priced, clusters, resamples, seed):
        best = _cheapest(places, accuracy)
        if best is not None:
            costs.append(places[best][1])
    costs.sort()
    return CostToReach(
        accuracy=accuracy,
        system=None if observed is None else names[observed],
        cost=None if observed is None else _place(priced[names[observed]])[1],
        low=quantile(costs, (1 - level) / 2) if costs else None,
        high=quantile(costs, (1 + level) / 2) if costs else None,
        level=level,
        reached=len(costs) / resamples,
        n=n,
        resamples=resamples,
        seed=seed,
    )


Priced = dict[str, tuple[list[float], list[float]]]


def _split(systems: Mapping[str, Measured]) -> tuple[Priced, list[str], int]:
    if not systems:
        raise ValidationError("there are no systems to compare")
    priced: Priced = {}
    unpriced = []
    sizes = {}
    for name, measured in systems.items():
        scores = check_scores(measured.scores, f"scores of {name!r}")
        sizes[name] = len(scores)
        if len(measured.costs) != len(scores):
            raise ValidationError(f"{name!r} has {len(scores)} scores and {len(measured.costs)} costs")
        known = [cost for cost in measured.costs if cost is not None]
        if len(known) < len(scores):
            unpriced.append(name)
            continue
        costs = check_scores(known, f"costs of {name!r}")
        if min(costs) < 0:
            raise ValidationError(f"{name!r} has a negative cost, {min(costs)!r}")
        priced[name] = (scores, costs)
    if len(set(sizes.values())) > 1:
        raise ValidationError(f"the systems were not measured on the same items: {sizes}")
    return priced, unpriced, next(iter(sizes.values()))


def _place(measured: tuple[list[float], list[float]]) -> Place:
    scores, costs = measured
    return math.fsum(scores) / len(scores), math.fsum(costs) / len(costs)


def _resample(priced: Priced, clusters: Clusters, resamples: int, seed: int) -> list[list[Place]]:
    if resamples < 100:
        raise ValidationError(f"resamples={resamples}: at least 100 are needed, 1000 are usual")
    if not priced:
        return [[] for _ in range(resamples)]
    columns: list[Sequence[float]] = [column for measured in priced.values() for column in measured]
    columns.append([1.0] * len(columns[0]))
    places = []
    for sums in resampled_sums(columns, resamples=resamples, seed=seed, clusters=clusters):
        size = sums[-1]
        places.append([(sums[2 * i] / size, sums[2 * i + 1] / size) for i in range(len(priced))])
    return places


def _dominates(a: Place, b: Place) -> bool:
    return a[0] >= b[0] and a[1] <= b[1] and a != b


def _front(places: Sequence[Place]) -> set[int]:
    return {this for this, place in enumerate(places) if not any(_dominates(other, place) for other in places)}


def _volume(places: Sequence[Place], limit: float) -> float:
    area, best, reached = 0.0, 0.0, 0.0
    for accuracy, cost in sorted(places, key=lambda place: (place[1], -place[0])):
        if cost > limit:
            break
        area += best * (cost - reached)
        best, reached = max(best, accuracy), cost
    return (area + best * (limit - reached)) / limit


def _cheapest(places: Sequence[Place], accuracy: float) -> int | None:
    good = [this for this, place in enumerate(places) if place[0] >= accuracy - 1e-12]
    return min(good, key=lambda this: (places[this][1], -places[this][0]), default=None)
