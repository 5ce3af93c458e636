"""A summary as a terminal shows it."""

from __future__ import annotations

import io
import re
import sys
from functools import partial
from typing import TYPE_CHECKING, TextIO

from .columns import tables
from .conclusion import conclusions
from .naming import as_shown
from .statistics.transitions import Transitions
from .summary import detectable
from .sureness import sentences
from .wording import AN_ITEM, cost, count, duration, facts, gap, money, percent, percents, points, simulated

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from .diagnosis import Diagnosis
    from .summary import Summary

BROUGHT = (
    "Brought: the member's Shapley value in the last vote, in points, decided again by {rule}; the members' add up to "
    "what that vote is worth. Lost without it: what the vote loses when its ballot is left out."
)
FRONT = "On the front: no other is at least as accurate and as cheap, and better in one of the two."
SURE = "How sure, and how right"

# What acts on a terminal: controls, marks that reorder what follows, line separators.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def text(summary: Summary, *, width: int = 110) -> str:
    """The summary as plain text: what each round of voting did, a table of systems, the verdicts, what they come to.

    summary: as `summary.of` gives it. width: columns of the terminal.
    """
    from rich.console import Console

    held = io.StringIO()
    _write(summary, Console(file=held, width=width, color_system=None, force_terminal=False, legacy_windows=False))
    return "\n".join(line.rstrip() for line in held.getvalue().splitlines()) + "\n"


def print(summary: Summary, *, file: TextIO | None = None) -> None:
    """Write the summary to a terminal, in colour where it can show them, as wide as it is.

    summary: as `summary.of` gives it. file: where to; by default the standard output.
    """
    from rich.console import Console

    _write(summary, Console(file=file or sys.stdout, highlight=False))


def safe(words: str) -> str:
    """The words on one line, without what could move the cursor or set colours."""
    return _CONTROL.sub(lambda found: " " if found[0] in "\n\t\r" else repr(found[0])[1:-1], words)


def _write(summary: Summary, console: Console) -> None:
    """From the particular to what it comes to: what is written last is what stands on the screen at the end."""
    summary = as_shown(summary)
    line = partial(_line, console)
    made_up = simulated(summary.simulated, all_of=len(summary.standings)) if summary.simulated else ""
    line(f"{summary.name}: {summary.tasks}", "bold")
    line(summary.origin, "dim")
    if made_up:
        line(made_up, "yellow")
    _inside(summary, console)
    if summary.sureness:
        console.print()
        line(SURE, "bold")
        for told_of in summary.sureness:
            for words in sentences(told_of):
                line(words)
    if summary.front is not None and summary.front.points:
        console.print()
        line("Worth having (accuracy against cost)", "bold")
        line(FRONT, "dim")
        for point in summary.front.points:
            often = f"on the front in {point.frequency:.0%} of {summary.front.resamples:,} resamples"
            by = "" if point.on_front else f"; beaten by {', '.join(point.dominated_by)}"
            where = f"{point.system}: {percent(point.accuracy)} at {cost(point.cost, summary.unit)} an item"
            line(f"{where}, {often}{by}", "" if point.on_front else "dim")
    if summary.notes:
        console.print()
        line("Notes", "bold")
        for note in summary.notes:
            line(note, "dim")
    for table in _systems(summary, console.width):
        console.print()
        console.print(table)
    if summary.findings:
        console.print()
        line("Verdicts", "bold")
        colour = {"better": "green", "worse": "red"}
        for found in summary.findings:
            line(found.text, colour.get(found.verdict.kind, ""))
            line(facts(found.verdict) + detectable(found), "dim", indent=2)
    if told_in_short := conclusions(summary):
        console.print()
        # Again: the beginning of a long report is off the screen by now.
        if made_up:
            line(made_up, "yellow")
        for words in told_in_short:
            line(words, "bold")


def _line(console: Console, words: str, style: str = "", indent: int = 0) -> None:
    from rich.padding import Padding
    from rich.text import Text

    text = Text(safe(words), style=style)
    console.print(Padding(text, (0, 0, 0, indent), expand=False) if indent else text)


def _inside(summary: Summary, console: Console) -> None:
    line = partial(_line, console)
    for diagnosis in summary.diagnoses:
        console.print()
        line(f"Inside {diagnosis.system}", "bold")
        for words in told(diagnosis):
            line(words)
        if not diagnosis.members:
            continue
        head, *rows = ([safe(cell) for cell in row] for row in brought(diagnosis))
        for table in tables(head, rows, second=head.index("brought"), width=console.width):
            console.print(table)
        line(BROUGHT.format(rule=diagnosis.decided_by), "dim")


def _systems(summary: Summary, width: int) -> list[Table]:
    """What each is worth and what it cost: side by side where there is room, else below each other."""
    head, *rows = measured(summary)
    for each, row in zip(summary.grouped, rows, strict=True):
        row[0] = ("" if each.system.baseline_of is None else "└ ") + safe(row[0])
    return tables(head, rows, second=head.index("calls"), width=width)


def measured(summary: Summary) -> list[list[str]]:
    """What each system is worth and what it cost, as a table of texts, baselines below theirs.

    summary: of what. The first row is the heading, the first column the names. The same in a terminal and as Markdown.
    """
    level = f"{100 * summary.level:g}% interval"
    worth = ["system", "accuracy", level, "n", "failed", "not run"]
    rows = [[*worth, "calls", "tokens", "cost", "time", AN_ITEM[summary.unit]]]
    for each in summary.grouped:
        found = each.accuracy
        right = ["—", "—"] if found is None else [percent(found.value), percents(found)]
        counted = [f"{many:,}" for many in (each.items, each.failed, each.not_run, each.calls)]
        an_item = "unknown" if each.cost is None else cost(each.cost, summary.unit)
        spent = [count(each.tokens), money(each.usd), duration(each.seconds), an_item]
        rows.append([each.system.name, *right, *counted, *spent])
    return rows


def brought(diagnosis: Diagnosis) -> list[list[str]]:
    """What each member brought, as a table of texts; the first row is the heading. The same in every report."""
    rows = [["member", "draft right", "last answer right", "abstained", "brought", "lost without it"]]
    for each in diagnosis.members:
        shown = [
            None if found is None else f"{percent(found.value)} {percents(found)}" for found in (each.draft, each.last)
        ]
        parts = [
            None if found is None else f"{points(found.value)} {gap(found)}" for found in (each.brought, each.without)
        ]
        first, last, worth, without = (cell or "—" for cell in (*shown, *parts))
        rows.append([each.member, first, last, f"{each.abstained:,}", worth, without])
    return rows


def told(diagnosis: Diagnosis) -> list[str]:
    """What happened inside a system that votes, in sentences; the same in every report."""
    draft, vote, final = diagnosis.draft, diagnosis.vote, diagnosis.final
    words = [
        f"One draft {percent(draft.value)} {percents(draft)}, vote of the drafts {percent(vote.value)} "
        f"{percents(vote)}, final answer {percent(final.value)} {percents(final)} (n={final.n}, {final.method}).",
        f"Some draft is right on {percent(diagnosis.coverage.value)} {percents(diagnosis.coverage)} of the items; "
        f"{percent(diagnosis.abstained)} of the drafts abstained.",
    ]
    if diagnosis.attempts < diagnosis.of:
        words.append(f"This is of the {diagnosis.attempts:,} of {diagnosis.of:,} attempts that have ballots.")
    words += turned(diagnosis)
    if diagnosis.turns or diagnosis.rounds:
        words.append("Here c(1−a) is the share of all answers that were corrected, e·a the share that were spoilt.")
    if diagnosis.talked is not None:
        won = diagnosis.talked
        words.append(
            f"Talking changed the accuracy of the vote by {points(won.value)} points {gap(won)} ({won.facts})."
        )
    if diagnosis.votes is not None:
        words.append(f"{_capital(str(diagnosis.votes))}.")
    if diagnosis.same_wrong is not None:
        same = diagnosis.same_wrong
        words.append(f"Two who are both wrong say the same in {percent(same.value)} {percents(same)} ({same.method}).")
    return words


def turned(diagnosis: Diagnosis) -> list[str]:
    """What each round of a system that votes, and all of them, fixed and broke, in sentences."""
    words = [
        f"Round {turn.before} to {turn.after}, members' answers: {inequality(turn.members)}" for turn in diagnosis.turns
    ]
    if diagnosis.rounds:
        words.append(f"Vote of the drafts to the final answer: {inequality(diagnosis.decided)}")
    return words


def inequality(table: Transitions) -> str:
    """Whether c(1−a) > e·a, from measured flips, with the four counts."""
    if table.helped:
        said, sign = "fixed more than it broke", ">"
    elif table.fixed == table.broke:
        said, sign = "fixed as much as it broke", "="
    else:
        said, sign = "broke more than it fixed", "<"
    rule = f"c(1−a) = {table.gain:.3f} {sign} e·a = {table.loss:.3f}"
    counts = f"kept {table.kept:,}, fixed {table.fixed:,}, broke {table.broke:,}, missed {table.missed:,}"
    return f"{said}, {rule} ({counts}, n={table.n:,})."


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
