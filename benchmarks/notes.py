"""What a reader of a report must know besides the numbers, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .naming import short_names
from .record import Comparison
from .statistics.pareto import Front
from .wording import AN_ITEM, CostUnit

if TYPE_CHECKING:
    from .summary import Standing

# Characters of an error that a note holds; the whole error stands with its attempt.
LONGEST = 300


def notes(
    comparison: Comparison, standings: Sequence[Standing], front: Front | None, unit: CostUnit, on_front: Sequence[str]
) -> list[str]:
    """The notes, in the order in which they stand, with the names that reports show.

    comparison: what was compared. standings: of its systems. front: accuracy against cost, if there is one. unit: what
    counts as cost. on_front: the systems that the front is of.
    """
    called = short_names(comparison.systems)
    found: list[str] = []
    if comparison.stopped is not None:
        found.append(f"The comparison ended early: {comparison.stopped}.")
    if comparison.skipped_rows:
        rows = "row" if comparison.skipped_rows == 1 else "rows"
        found.append(f"{comparison.skipped_rows:,} malformed {rows} of the task file left out.")
    for name, many in comparison.left_behind.items():
        found.append(left_behind(called.get(name, name), many))
    found += comparison.beside
    idle = [called[each.system.name] for each in standings if not each.attempts]
    if idle:
        found.append(f"Not run at all: {', '.join(idle)}.")
    run = [each for each in standings if each.attempts]
    for words, parts in (
        ("Attempts not run", [(each, each.not_run) for each in run]),
        ("Failed attempts, which score 0", [(each, each.failed) for each in run]),
        ("Attempts whose price is not known", [(each, each.unpriced) for each in run]),
    ):
        told = [
            f"{called[each.system.name]} ({many:,} of {each.attempts + each.not_run:,})" for each, many in parts if many
        ]
        if told:
            found.append(f"{words}: {', '.join(told)}.")
    for name, error, many in _errors(comparison):
        found.append(f"{called[name]}, {many:,} time{'' if many == 1 else 's'}: {error}")
    guessed = [called[each.system.name] for each in run if each.estimated]
    if guessed:
        found.append(f"Some tokens are estimates, because the provider reported none: {', '.join(guessed)}.")
    missing = [called[each.system.name] for each in run if each.system.name not in on_front]
    if missing:
        found.append(f"Not on the chart, for want of items in common with the others: {', '.join(missing)}.")
    if front is not None and front.n < len(comparison.items):
        found.append(f"The front of accuracy against cost is of the {front.n:,} items that all its systems have.")
    if comparison.judging is not None:
        said = str(comparison.judging)
        found.append(f"{said[0].upper()}{said[1:]}.")
    found.append(f"Cost is counted in {AN_ITEM[unit]}.")
    return found


def left_behind(name: str, many: int) -> str:
    """That a system is another one than it was, in a sentence.

    name: its name. many: how many results of what it was count no more.
    """
    results = "1 result is" if many == 1 else f"{many:,} results are"
    return f"{name} has changed since it was begun: {results} left behind, and what it is now begins anew."


def _errors(comparison: Comparison) -> list[tuple[str, str, int]]:
    """For each system that failed, the error it failed with most often, on one line, and how often."""
    errors: dict[str, Counter[str]] = {system.name: Counter() for system in comparison.systems}
    for each in comparison.attempts:
        if each.error:
            errors[each.system][each.error] += 1
    found = []
    for name, counted in errors.items():
        for error, many in counted.most_common(1):
            words = " ".join(error.split())
            found.append((name, words if len(words) <= LONGEST else words[: LONGEST - 1] + "…", many))
    return found
