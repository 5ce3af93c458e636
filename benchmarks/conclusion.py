"""What a summary comes to, for those who read one sentence of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .naming import own_title
from .wording import points, times

if TYPE_CHECKING:
    from .summary import Finding, Summary

# Costs within a tenth of each other count as the same: budgets are matched call by call, so tokens differ a little.
SAME = 0.1


def conclusions(summary: Summary) -> list[str]:
    """Whether each system is worth its cost, one sentence a system that was run against baselines.

    summary: as `summary.of` gives it. Gives nothing for systems without baselines: there the verdicts say all. The
    sentences follow from the verdicts alone, and claim no more than they do.
    """
    told = []
    so_far = "" if summary.stopped is None else "So far: "
    for each in summary.standings:
        found = [finding for finding in summary.findings if finding.baseline and finding.verdict.a == each.system.name]
        if found:
            told.append(so_far + _conclusion(each.system.name, found, summary))
    return told


def _conclusion(name: str, findings: Sequence[Finding], summary: Summary) -> str:
    # The sentence is about one team: its baselines need not repeat whose they are.
    titles = {each.verdict.b: own_title(each.verdict.b, name) for each in findings}
    by_size = sorted(findings, key=lambda each: each.verdict.difference.value)
    kinds = {each.verdict.kind for each in findings}
    as_good = [each for each in by_size if each.verdict.kind in ("worse", "tied") and not _is_cheaper(each)]
    if as_good:
        first = as_good[0]
        does = "is better" if first.verdict.kind == "worse" else f"is as good within ±{_margin(summary)}"
        by = f" by {points(abs(first.verdict.difference.value))[1:]} points" if first.verdict.kind == "worse" else ""
        why = f"{titles[first.verdict.b]} {does}{by}, and {name} was run {_at(first, summary)}"
        return f"{name} is not worth its cost: {why}."
    if kinds == {"better"}:
        nearest = by_size[0]
        over = "its baseline" if len(findings) == 1 else f"each of its {len(findings)} baselines"
        by = f"{points(nearest.verdict.difference.value)[1:]} points over {titles[nearest.verdict.b]}"
        return f"{name} is better than {over}: the smallest gain is {by}, {_at(nearest, summary)}."
    if "not enough items" in kinds:
        needed = [each.verdict.more_items for each in findings if each.verdict.more_items is not None]
        more = f"{max(needed):,} more items" if needed else "more items"
        return f"{name} may or may not be worth its cost: it takes {more} to tell."
    first = next(each for each in by_size if each.verdict.kind != "better")
    less = "less accurate than" if first.verdict.kind == "worse" else f"as accurate within ±{_margin(summary)} as"
    return f"{name} is {less} {titles[first.verdict.b]}, but cheaper: it was run {_at(first, summary)}."


def _is_cheaper(found: Finding) -> bool:
    """Whether the system cost less than what it is compared with, for sure."""
    ratio = found.verdict.cost_ratio
    return ratio is not None and ratio.value < 1 - SAME


def _at(found: Finding, summary: Summary) -> str:
    return times(found.verdict, summary.unit)


def _margin(summary: Summary) -> str:
    return f"{100 * summary.margin:g} points"
