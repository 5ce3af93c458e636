"""A search as a terminal shows it: what became of each choice, then what was confirmed, in words."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, TextIO

from .columns import tables
from .search_record import Search, Tried
from .table import safe
from .wording import count, facts, money, percent, percents

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WHY = {
    "worse": "worse than {against}, e={evidence}",
    "tied and dearer": "tied with {against}, dearer",
    "not among the best": "halved",
}
HALVED = "Halved: not among the better half, and so given no more questions; that says nothing of what it is worth."


def text(search: Search, *, width: int = 110) -> str:
    """The search as plain text.

    search: the result. width: columns of the terminal.
    """
    from rich.console import Console

    held = io.StringIO()
    _write(search, Console(file=held, width=width, color_system=None, force_terminal=False, legacy_windows=False))
    return "\n".join(line.rstrip() for line in held.getvalue().splitlines()) + "\n"


def show(search: Search, *, file: TextIO) -> None:
    """Write the search to a terminal, as wide as it is.

    search: the result. file: where to.
    """
    from rich.console import Console

    _write(search, Console(file=file, highlight=False))


def fate(search: Search, each: Tried) -> str:
    """What became of a choice, in words."""
    if each.why is not None:
        evidence = "" if each.e_value is None else count(round(each.e_value, 1))
        return f"{each.rung}: " + WHY[each.why].format(against=each.against, evidence=evidence)
    if each.name == search.finalist:
        return "to confirm"
    return "to beat" if each.name == search.against else "left"


def _write(search: Search, console: Console) -> None:
    from rich.text import Text

    def line(words: str, style: str = "") -> None:
        console.print(Text(safe(words), style=style))

    line(f"{search.name}: {search.tasks}", "bold")
    looks = ", ".join(f"{items:,}" for items in search.looks) or "none"
    line(f"development questions at each look: {looks}; seed {search.seed}, alpha {search.alpha:g}", "dim")
    for table in _choices(search, console.width):
        console.print()
        console.print(table)
    if any(each.why == "not among the best" for each in search.tried):
        line(HALVED, "dim")
    console.print()
    for words in search.text.split("\n"):
        line(words, "bold" if words == search.text.split("\n")[0] else "")
    if search.confirmation is not None:
        console.print()
        line(f"Confirmed once, on {search.confirmation.origin}", "bold")
        for standing in search.confirmation.standings:
            if standing.accuracy is not None:
                line(f"{standing.system.name}: {percent(standing.accuracy.value)} {percents(standing.accuracy)}, "
                     f"{standing.calls:,} calls, {count(standing.tokens)} tokens, {money(standing.usd)}")  # fmt: skip
        for finding in search.confirmation.findings:
            line(finding.text)
            line(f"  {facts(finding.verdict)}", "dim")
    spent = search.spent
    console.print()
    line(f"Spent: {spent.calls:,} calls, {count(spent.tokens)} tokens, {money(spent.usd)}{_of(search)}.", "dim")
    if search.stopped is not None:
        line(f"It ended early: {search.stopped}.", "dim")


def _choices(search: Search, width: int) -> list[Table]:
    """What became of each choice, beside its numbers where there is room, else below them."""
    paid = any(each.usd for each in search.tried)
    interval, fates = f"{100 * (1 - search.alpha):g}% at any look", "look: fate"
    head = ["choice", "n", "accuracy", interval, "calls", "money" if paid else "tokens", fates]
    rows = []
    for each in search.tried:
        found = each.accuracy
        right = ["—", "—"] if found is None else [percent(found.value), percents(found)]
        spent = [count(round(each.calls, 1)), money(each.usd) if paid else count(round(each.tokens))]
        rows.append([safe(each.name), f"{each.items:,}", *right, *spent, safe(fate(search, each))])
    return tables(head, rows, second=head.index(fates), width=width, words=fates)


def _of(search: Search) -> str:
    given = {} if search.budget is None else search.budget.model_dump(exclude_none=True)
    return f" of {', '.join(f'{name}={amount:g}' for name, amount in given.items())}" if given else ""
