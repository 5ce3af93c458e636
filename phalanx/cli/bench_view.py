"""A benchmark as it runs: a table that is redrawn on a terminal, or now and then a line."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, Self

from phalanx.benchmarks.progress import Count, Progress

from .failures import say
from .text import dollars, duration, one_line, short

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

EVERY = 10.0
HEAD = ("system", "done", "accuracy", "95% interval", "failed", "calls", "tokens", "money")


class BenchView(Protocol):
    """Shows a benchmark. Entered before it begins, left after its end."""

    progress: Progress

    def told(self, progress: Progress) -> None:
        """Take in how far it is."""
        ...

    def draw(self) -> None:
        """Called ten times a second."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


def view_for(where: Console, *, quiet: bool) -> BenchView:
    """What shows it: a table on a terminal that can redraw one, else a line every ten seconds; with `quiet` nothing."""
    from .live import can_draw

    if quiet:
        return LinesBench(every=None)
    return LiveBench(where) if can_draw(where) else LinesBench(every=EVERY)


class LinesBench:
    """A line on stderr every so many seconds (None: never), and one at the end."""

    def __init__(self, every: float | None) -> None:
        self.progress, self._every, self._last = Progress(), every, time.monotonic()

    def told(self, progress: Progress) -> None:
        self.progress = progress

    def draw(self) -> None:
        if self._every is not None and time.monotonic() - self._last >= self._every:
            self._say()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._every is not None and self.progress.done:
            self._say()

    def _say(self) -> None:
        self._last = time.monotonic()
        say(line(self.progress))


class LiveBench:
    """The systems as rows of a table that is redrawn in place, and gone at the end, when the report takes its place."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        self.progress = Progress()
        self._live = Live(console=console, auto_refresh=False, transient=True, get_renderable=self.picture)

    def told(self, progress: Progress) -> None:
        self.progress = progress

    def draw(self) -> None:
        self._live.refresh()

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def picture(self) -> RenderableType:
        """The table as it is now."""
        from rich import box
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for name in HEAD:
            table.add_column(Text(name), justify="left" if name == HEAD[0] else "right", no_wrap=name != HEAD[0])
        for count in self.progress.systems.values():
            table.add_row(*(Text(cell) for cell in row(count)))
        return Group(table, Text(line(self.progress), "bold", no_wrap=True, overflow="ellipsis"))


def row(count: Count) -> tuple[str, ...]:
    """A system in the cells of the table."""
    found = count.accuracy
    mean = "" if found is None else f"{100 * found.value:.1f}%"
    interval = ""
    if found is not None and found.low is not None and found.high is not None:
        interval = f"[{100 * found.low:.0f}%, {100 * found.high:.0f}%]"
    return (
        one_line(count.name), f"{count.done:,}/{count.of:,}", mean, interval, str(count.failed or ""),
        short(count.usage.calls), short(count.usage.tokens) if count.metered else "unknown",
        "unknown" if count.usd is None else dollars(count.usd),
    )  # fmt: skip


def line(progress: Progress) -> str:
    """All of it in a line: how many, how much, how long still."""
    usage, left = progress.usage, progress.seconds_left
    parts = [
        f"{progress.done:,} of {progress.of:,}", f"{short(usage.calls)} calls",
        f"{short(usage.tokens)} tokens" if progress.metered else "tokens unknown",
        "cost unknown" if progress.usd is None else dollars(progress.usd),
    ]  # fmt: skip
    if progress.failed:
        parts.append(f"{progress.failed:,} failed")
    parts.append(duration(progress.seconds))
    if left is not None and progress.done < progress.of:
        parts.append(f"about {duration(left)} left")
    return ", ".join(parts)
