"""Two comparisons of the same questions, made at different times: what changed from one to the other."""

from __future__ import annotations

from collections.abc import Sequence

from phalanx.errors import ValidationError

from .grouping import group
from .record import Comparison
from .statistics.verdict import Verdict, compare
from .summary import Finding, as_family, unit_of
from .tasks import TaskItem


def same_items(first: Comparison, second: Comparison) -> list[TaskItem]:
    """The questions that are the same in both, in the order of the first."""
    known = {item.id: item for item in second.items}
    return [item for item in first.items if known.get(item.id) == item]


def between(first: Comparison, second: Comparison, pairs: Sequence[tuple[str, str]]) -> list[Finding]:
    """How systems of one comparison differ from those of another, question by question, as one family.

    first, second: the comparisons; the margin and the seed of resampling are the first's. pairs: a system of the
    first with one of the second. Pairs that share no question which both have done are left out. Cost is counted as in
    a summary, in a unit that is known of both. Raises ValidationError for a system that is not there, and what
    `summary.of` raises for attempts that do not fit.
    """
    ours = {each.system.name: each for each in group(first)}
    others = {each.system.name: each for each in group(second)}
    for name, there, where in [pair for a, b in pairs for pair in ((a, ours, first), (b, others, second))]:
        if name not in there:
            raise ValidationError(f"there is no system {name!r} in {where.name!r}; there are {', '.join(there)}")
    unit = unit_of([each for a, b in pairs for each in (ours[a], others[b])])
    same = same_items(first, second)
    found: list[tuple[Verdict, bool]] = []
    for a, b in pairs:
        mine, theirs = ours[a], others[b]
        items = [item.id for item in same if item.id in mine.scores and item.id in theirs.scores]
        if not items:
            continue
        costs = mine.costs(unit), theirs.costs(unit)
        verdict = compare(
            [mine.scores[item] for item in items],
            [theirs.scores[item] for item in items],
            names=(f"{first.name} {a}", f"{second.name} {b}"),
            costs_a=[costs[0][item] for item in items],
            costs_b=[costs[1][item] for item in items],
            clusters=mine.clusters(items),
            margin=first.margin,
            seed=first.seed,
        )
        found.append((verdict, False))
    return list(as_family(found, unit))
