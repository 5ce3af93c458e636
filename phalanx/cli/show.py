"""How results look: the answer, what it cost, tables. Everything a model wrote is shown as text and never as markup."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from .failures import say
from .text import advised, duration, money, one_line, visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from phalanx.teams.result import TeamResult

    from .watch import View

COLOURS = {"completed": "green", "undecided": "yellow", "partial": "yellow", "stopped": "yellow", "paused": "yellow",
           "failed": "red"}  # fmt: skip


def console(file: TextIO | None = None) -> Console:
    """A console for a stream (default: stdout) that takes nothing it prints for markup."""
    from rich.console import Console

    return Console(file=file, markup=False, highlight=False, emoji=False)


def view_for(where: Console, *, quiet: bool = False, plain: bool = False) -> View:
    """What shows a run: a live tree on a terminal that can draw one, else lines; with `quiet` nothing."""
    from .lines import LinesView, QuietView
    from .live import LiveView, can_draw

    if quiet:
        return QuietView()
    if not plain and can_draw(where):
        return LiveView(where)
    if where.file is sys.stderr:
        return LinesView(say)
    return LinesView(lambda line: print(line, file=where.file, flush=True))


def is_live(view: View) -> bool:
    """Whether a view shows words as they come."""
    from .live import LiveView

    return isinstance(view, LiveView)


def show_answer(where: Console, result: TeamResult, models: Iterable[str]) -> None:
    """The answer in a frame, then how it came about."""
    from rich.panel import Panel
    from rich.text import Text

    colour = COLOURS.get(result.status, "red")
    title = Text(f" answer: {result.status} ", colour)
    text = Text(visible(result.content) or "(no text)")
    where.print(Panel(text, title=title, title_align="left", border_style=colour, padding=(0, 1)))
    if (note := made_up(models)) is not None:
        where.print(Text(note, "bold yellow"))
    for line in closing_lines(result):
        where.print(Text(line))


def made_up(models: Iterable[str]) -> str | None:
    """What has to be said of an answer that no model gave, or not alone; None when models gave it."""
    asked = list(models)
    offline = ", ".join(one_line(name) for name in asked if name.startswith("offline/"))
    if not offline:
        return None
    if all(name.startswith("offline/") for name in asked):
        return f"SIMULATED: {offline} made this answer up; no model was asked"
    return f"SIMULATED IN PART: some members are {offline}, which makes its answers up"


def closing_lines(result: TeamResult) -> list[str]:
    """How a result came about, a fact a line."""
    lines = []
    if result.stop_reason:
        lines.append(f"{result.status}: {advised(one_line(result.stop_reason))}")
    if result.decision is not None:
        lines.append(f"vote: {one_line(result.decision.explanation)}")
    for each in result.members:
        if each.status in ("failed", "timed_out"):
            ended = each.status.replace("_", " ")
            lines.append(f"{one_line(each.member)} ({one_line(each.stage)}) {ended}: {one_line(each.error or '')}")
    return [*lines, f"run {result.run_id}"]


@dataclass(frozen=True)
class Cost:
    """A line in the table of costs."""

    name: str
    result: TeamResult
    note: str = ""


def cost_table(costs: Iterable[Cost]) -> Table:
    """What each team cost: calls, tokens, money, time, and how it ended."""
    table = _table(("team", "calls", "tokens", "money", "time", "status", "answer"), right={1, 2, 3, 4})
    for cost in costs:
        usage, result = cost.result.usage, cost.result
        about = "~" if usage.estimated else ""
        table.add_row(
            cost.name, f"{usage.calls:,}", f"{about}{usage.tokens:,}", money(usage), duration(result.duration),
            result.status, cost.note or one_line(result.content, 40),
        )  # fmt: skip
    return table


def show_facts(where: Console, title: str, facts: Sequence[tuple[str, str]]) -> None:
    """Names and what they stand for, below a title; a fact stays on one line where no terminal's width forbids it."""
    from rich.table import Table
    from rich.text import Text

    where.print(Text(title, "bold"))
    if not where.is_terminal:
        for name, fact in facts:
            where.print(Text(f"  {one_line(name):<20} {one_line(fact)}"), soft_wrap=True)
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=1)
    table.add_column(min_width=18, no_wrap=True)
    table.add_column(overflow="fold")
    for name, fact in facts:
        table.add_row("", one_line(name), one_line(fact))
    where.print(table)


def _table(columns: Sequence[str], right: set[int]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for at, name in enumerate(columns):
        table.add_column(name, justify="right" if at in right else "left", overflow="fold")
    return table


def write_answer(text: str) -> None:
    """The answer alone on stdout, for pipes and files."""
    sys.stdout.write(visible(text).rstrip("\n") + "\n")
    sys.stdout.flush()
