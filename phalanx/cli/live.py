"""A run as a tree that is redrawn while it works: who does what, with how many tokens, for how much, for how long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from phalanx.runtime.events import AnyEvent, LimitRefused

from .lines import notify
from .progress import Progress, Row
from .text import duration, money, one_line, short, spent, tail

if TYPE_CHECKING:
    from rich.console import RenderableType

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
MARKS = {
    "waiting": ("·", "dim"),
    "ok": ("✓", "green"),
    "completed": ("✓", "green"),
    "undecided": ("?", "yellow"),
    "partial": ("?", "yellow"),
    "stopped": ("■", "yellow"),
    "refused": ("■", "yellow"),
    "timed_out": ("✗", "red"),
    "failed": ("✗", "red"),
    "cancelled": ("–", "dim"),
}
NAME, ROLE, TOKENS, MONEY, TIME = 26, 16, 9, 11, 7
NARROW, WIDE = 60, 100


def can_draw(console: Console) -> bool:
    """Whether a tree can be redrawn in place: on a terminal that can move its cursor and show these characters."""
    return console.is_terminal and not console.is_dumb_terminal and not console.options.ascii_only


class LiveView:
    """Shows a run as a tree in place, and what the user should not miss as lines above it.

    It is drawn when `draw` is called and not by a thread of its own, so the events and the drawing never meet.
    clock: the time that events carry, in seconds.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.time) -> None:
        self.progress, self._console, self._clock = Progress(), console, clock
        self._ended = False
        self._refused: frozenset[tuple[str, str]] = frozenset()
        self._live = Live(console=console, auto_refresh=False, get_renderable=self.picture)

    def see(self, event: AnyEvent) -> None:
        """Take in the next event."""
        self.progress.see(event)
        if (said := notify(event, self.progress)) is not None and not self._is_repeated(event):
            style = "cyan" if event.kind == "decided" else "yellow"
            self._console.print(Text(said, style))

    def _is_repeated(self, event: AnyEvent) -> bool:
        """Whether it is a refusal by a limit that has refused before: everybody it meets has it in their row."""
        if not isinstance(event, LimitRefused):
            return False
        limit = (event.what, event.owner)
        known, self._refused = limit in self._refused, self._refused | {limit}
        return known

    def draw(self) -> None:
        """Draw the tree as it is now."""
        self._live.refresh()

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._live.stop()

    def picture(self) -> RenderableType:
        """The tree as it is now, no higher than the terminal; at the end, all of it."""
        progress, now = self.progress, self._clock()
        if progress.started is None:
            return Text("")
        width = self._console.width
        room = max(3, self._console.height - 4)
        lines = list(_tree(progress.top))
        shown = lines if self._ended else _fit(lines, room)
        names = min(NAME, width // 3, max(len(guide) + 2 + Text(_name(row)).cell_len for guide, row in lines))
        picture = [_line(guide, row, names, width, now, drawn=not self._ended) for guide, row in shown]
        if len(shown) < len(lines):
            picture.append(Text(f"… and {len(lines) - len(shown)} more", "dim"))
        total = f"{spent(progress.usage)}, {duration(progress.seconds(now))}"
        picture.append(Text(total, "bold", no_wrap=True, overflow="ellipsis"))
        return Group(*picture)


def _tree(top: Row, guide: str = "", below: str = "") -> Iterator[tuple[str, Row]]:
    """Every row under its guide, the lines that hang it below its team."""
    yield guide, top
    rows = list(top.rows.values())
    for at, row in enumerate(rows):
        last = at == len(rows) - 1
        yield from _tree(row, below + ("└ " if last else "├ "), below + ("  " if last else "│ "))


def _fit(lines: list[tuple[str, Row]], room: int) -> list[tuple[str, Row]]:
    """The lines that fit: the team and those at work first, then the others in their order."""
    if len(lines) <= room:
        return lines
    at_work = [at for at, (_, row) in enumerate(lines) if row.state == "working"]
    others = [at for at, (_, row) in enumerate(lines) if row.state != "working"]
    kept = set((at_work + others)[: room - 1])
    return [line for at, line in enumerate(lines) if at in kept]


def _line(guide: str, row: Row, names: int, width: int, now: float, *, drawn: bool) -> Text:
    """A row as it is now. drawn: it will be again, so that what turns may turn."""
    mark, colour = MARKS.get(row.state, ("?", ""))
    if row.state == "working":
        mark, colour = (FRAMES[int(now * 10) % len(FRAMES)], "cyan") if drawn else ("…", "dim")
    line = Text(guide, "dim", no_wrap=True)
    line.append(f"{mark} ", colour)
    line.append_text(_cell(_name(row), names - len(guide) - 2, "bold" if row.rows else ""))
    left = width - names - TOKENS - 2
    if width >= NARROW:
        left -= MONEY + TIME
    if width >= WIDE:
        line.append_text(_cell(" " + one_line(_role(row)), ROLE, "dim"))
        left -= ROLE
    line.append("  ")
    line.append_text(_cell(_doing(row, left, now), left, _style(row)))
    usage = row.usage
    line.append_text(_cell(short(usage.tokens) if usage.calls else "", TOKENS, "", right=True))
    if width < NARROW:
        return line
    line.append_text(_cell(money(usage) if usage.calls else "", MONEY, "", right=True))
    busy = row.seconds(now)
    line.append_text(_cell(duration(busy) if busy or usage.calls else "", TIME, "dim", right=True))
    return line


def _cell(text: str, width: int, style: str, *, right: bool = False) -> Text:
    cell = Text(text, style, no_wrap=True, end="")
    cell.truncate(max(0, width), overflow="ellipsis", pad=not right)
    if right:
        cell.pad_left(max(0, width - cell.cell_len))
    return cell


def _name(row: Row) -> str:
    name = one_line(row.name)
    return f"{name} ({one_line(row.formation)})" if row.formation and row.formation != row.name else name


def _role(row: Row) -> str:
    return "" if row.formation or row.role == row.name else row.role


def _doing(row: Row, width: int, now: float) -> str:
    """What a row's member does or did, as much of it as fits; the end of what it says while it says it."""
    if row.speaks:
        return tail(row.said, width)
    return one_line(row.doing(now), width)


def _style(row: Row) -> str:
    if row.error:
        return "yellow" if row.state in ("working", "refused") else "red" if row.state != "cancelled" else "dim"
    return "italic dim" if row.speaks else "" if row.state == "working" else "dim"
