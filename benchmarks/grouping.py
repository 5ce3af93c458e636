"""The attempts of a comparison by system and item, checked against what the comparison says of itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean

from phalanx.errors import ValidationError

from .record import Attempt, Comparison, System
from .tasks import TaskSet
from .wording import CostUnit


@dataclass
class Grouped:
    """What one system did: its attempts by item, items in the order of the comparison.

    labels: the cluster of every item of the comparison; empty when items stand alone.
    """

    system: System
    by_item: dict[str, list[Attempt]]
    labels: dict[str, str]
    _costs: dict[CostUnit, dict[str, float | None]] = field(default_factory=dict)

    @cached_property
    def attempts(self) -> list[Attempt]:
        """All of them, by item, then by repeat."""
        return [each for made in self.by_item.values() for each in made]

    @cached_property
    def scores(self) -> dict[str, float]:
        """The mean score of each item over its repeats; items that were not run are not among them."""
        return {item: _mean([each.score for each in made]) for item, made in self.by_item.items()}

    def costs(self, unit: CostUnit) -> dict[str, float | None]:
        """The mean cost of each item over its repeats; None where it is unknown for one of them."""
        if unit not in self._costs:
            self._costs[unit] = {item: _mean_cost(made, unit) for item, made in self.by_item.items()}
        return self._costs[unit]

    def clusters(self, items: Iterable[str]) -> list[str] | None:
        """One label an item, for the statistics; None when items stand alone."""
        return [self.labels[item] for item in items] if self.labels else None

    @property
    def repeats(self) -> bool:
        """Whether there is an item with more than one attempt."""
        return len(self.attempts) > len(self.by_item)

    def averaged(self, items: Sequence[str], values: Sequence[float]) -> tuple[Sequence[str], Sequence[float]]:
        """The items in order of appearance, and the mean of each one's values.

        items: of which item each value is. values: one an attempt, of all attempts or some.
        """
        if not self.repeats:
            return items, values
        means = by_item(items, values)
        return list(means), list(means.values())


def group(comparison: Comparison) -> list[Grouped]:
    """One group a system, in the order of the comparison.

    Raises ValidationError for an attempt of a system or an item that the comparison does not have, for one that is
    there twice, and for a doubled name of a system or id of an item.
    """
    labels = TaskSet(comparison.name, comparison.items).clusters if comparison.items else None
    places = {item.id: place for place, item in enumerate(comparison.items)}
    found: dict[str, dict[str, list[Attempt]]] = {}
    for system in comparison.systems:
        if system.name in found:
            raise ValidationError(f"comparison {comparison.name!r} has more than one system {system.name!r}")
        found[system.name] = {}
    for attempt in comparison.attempts:
        if attempt.system not in found:
            raise ValidationError(f"there is an attempt of {attempt.system!r}, which is no system of the comparison")
        if attempt.item not in places:
            raise ValidationError(f"{attempt.system!r} has an attempt at {attempt.item!r}, which is no item of it")
        made = found[attempt.system].setdefault(attempt.item, [])
        if made and any(each.repeat == attempt.repeat for each in made):
            raise ValidationError(f"{attempt.system!r} has repeat {attempt.repeat} of {attempt.item!r} twice")
        if not 0 <= attempt.repeat < comparison.repeats:
            raise ValidationError(
                f"{attempt.system!r} has repeat {attempt.repeat} of {attempt.item!r}; "
                f"with repeats={comparison.repeats} they count from 0 to {comparison.repeats - 1}"
            )
        made.append(attempt)
    by_id = {} if labels is None else dict(zip(places, labels, strict=True))
    groups = []
    for system in comparison.systems:
        made_by = found[system.name]
        ordered = sorted(made_by, key=places.__getitem__)
        by_item = {item: _in_order(made_by[item]) for item in ordered}
        groups.append(Grouped(system, by_item, by_id))
    return groups


def by_item(items: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    """The mean of each item's values, items in order of appearance.

    items: of which item each value is. values: one for each repeat of an item.
    """
    single = dict(zip(items, values, strict=True))
    if len(single) == len(items):
        return single
    found: dict[str, list[float]] = {}
    for item, value in zip(items, values, strict=True):
        found.setdefault(item, []).append(value)
    return {item: fmean(each) for item, each in found.items()}


def _in_order(made: list[Attempt]) -> list[Attempt]:
    return made if len(made) == 1 else sorted(made, key=lambda each: each.repeat)


def _mean(values: list[float]) -> float:
    return values[0] if len(values) == 1 else fmean(values)


def _mean_cost(made: list[Attempt], unit: CostUnit) -> float | None:
    total = 0.0
    for each in made:
        cost = _cost(each, unit)
        if cost is None:
            return None
        total += cost
    return total / len(made)


def _cost(attempt: Attempt, unit: CostUnit) -> float | None:
    if unit == "usd":
        return attempt.usd
    if unit == "tokens":
        return float(attempt.usage.tokens) if attempt.metered else None
    return float(attempt.usage.calls) if unit == "calls" else attempt.seconds
