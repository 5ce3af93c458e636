"""A long text in pieces: by paragraphs, by lines, or by size alone; nothing of it is lost."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal

By = Literal["paragraphs", "lines", "tokens"]
_UNITS: dict[str, re.Pattern[str]] = {
    "paragraphs": re.compile(r".+?(?:\n[^\S\n]*\n\s*|\Z)", re.DOTALL),
    "lines": re.compile(r"[^\n]*\n|[^\n]+\Z"),
}


def split_text(text: str, by: By, tokens: int) -> list[str]:
    """Pieces of a text, in order, that make up the text again when they are joined.

    by: "paragraphs" and "lines" keep these whole, as many to a piece as fit; "tokens" cuts at spaces. tokens: the most
    of a piece, as estimated; a paragraph or line that is longer is cut at spaces too.
    """
    most = 3 * tokens  # bytes, as tokens are estimated
    units = [text] if by == "tokens" else _UNITS[by].findall(text)
    pieces: list[list[str]] = []
    size = most + 1
    for unit in _cut(units, most):
        length = len(unit.encode("utf-8", "replace"))
        if size + length > most:
            pieces.append([])
            size = 0
        pieces[-1].append(unit)
        size += length
    return ["".join(piece) for piece in pieces]


def _cut(units: Iterable[str], most: int) -> Iterator[str]:
    """The units, those that are too long cut: at a space in the last quarter of what fits, else where it ends."""
    for unit in units:
        at = 0
        while at < len(unit):
            # So many characters have at least as many bytes: more of a long text need not be looked at.
            head = unit[at : at + most].encode("utf-8", "replace")[:most].decode("utf-8", "ignore")
            end = at + max(1, len(head))
            if end < len(unit):
                early = end - (end - at) // 4
                space = max(unit.rfind(" ", early, end), unit.rfind("\n", early, end))
                end = space + 1 if space >= 0 else end
            yield unit[at:end]
            at = end
