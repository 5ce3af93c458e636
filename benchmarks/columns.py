"""Columns of numbers in a terminal: side by side where there is room, else in tables below each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

GAP = 2
# How wide the names of rows may be, and how narrow they are made before columns go into another table.
NAMES = (32, 20)
# How narrow words are made that may be folded.
WORDS = 12

Column = tuple[str, Sequence[str]]


def tables(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, second: int, width: int, words: str | None = None
) -> list[Table]:
    """The rows as one table, or as several that each begin with the first column, the names.

    head: the headings. rows: each with a cell for every heading; long names are folded. second: the column that begins
    the second of two tables, when one has no room. width: columns of the terminal. words: the heading of a column that
    is folded as names are, if there is one. A number is broken only where it alone is wider than the terminal.
    """
    names, *columns = ((heading, [row[at] for row in rows]) for at, heading in enumerate(head))
    if (whole := _fitted(names, columns, width, words)) is not None:
        return [whole]
    found = []
    for left in (columns[: second - 1], columns[second - 1 :]):
        while left:
            fitting = ((many, _fitted(names, left[:many], width, words)) for many in range(len(left), 0, -1))
            many, table = next(((many, made) for many, made in fitting if made is not None), (1, None))
            found.append(_squeezed(names, left[0], width) if table is None else table)
            left = left[many:]
    return found


def _fitted(names: Column, columns: Sequence[Column], width: int, words: str | None) -> Table | None:
    """One table of all, headings on one line where there is room, else on two; None when a cell would be broken."""
    longest = _widest([names[0], *names[1]])
    whole = [_widest([heading, *cells]) for heading, cells in columns]
    folded = [
        min(WORDS, full) if heading == words else _widest([*_on_two_lines(heading), *cells])
        for full, (heading, cells) in zip(whole, columns, strict=True)
    ]
    for most in NAMES:
        for widths in (whole, folded):
            room = width - sum(widths) - GAP * len(widths) - min(longest, most)
            if room >= 0:
                given = [
                    min(full, each + room) if heading == words else each
                    for full, each, (heading, _) in zip(whole, widths, columns, strict=True)
                ]
                return _table(names, min(longest, most), columns, given, words)
    return None


def _squeezed(names: Column, column: Column, width: int) -> Table:
    """A column alone in very little room: first the names give way, then its cells."""
    heading, cells = column
    room = max(2, width - GAP)
    number = min(_widest([*_on_two_lines(heading), *cells]), room - 1)
    return _table(names, room - number, [column], [number], None)


def _table(
    names: Column, name_width: int, columns: Sequence[Column], widths: Sequence[int], words: str | None
) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="dim")
    table.add_column(names[0], overflow="fold", width=name_width)
    for (heading, _), width in zip(columns, widths, strict=True):
        table.add_column(heading, justify="left" if heading == words else "right", overflow="fold", width=width)
    for name, *cells in zip(names[1], *(cells for _, cells in columns), strict=True):
        table.add_row(*map(Text, (name, *cells)))
    return table


def _on_two_lines(heading: str) -> tuple[str, str]:
    words = heading.split()
    splits = [(" ".join(words[:at]), " ".join(words[at:])) for at in range(1, len(words) + 1)]
    return min(splits, key=_widest, default=(heading, ""))


def _widest(texts: Sequence[str]) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, texts), default=1)
