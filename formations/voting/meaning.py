"""What a reply says and means: found and read once, and remembered, for a vote looks at each answer many times."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from .kinds import DecimalMark, Fallback, Kind, Percent

if TYPE_CHECKING:
    from .extract import Extracted
    from .parse import Reading

WHOLE: tuple[Fallback, ...] = ("whole",)


@functools.cache
def reader() -> tuple[
    Callable[..., Iterator[Extracted]],
    Callable[..., Reading | None],
    Callable[[str], str | None],
    Callable[[str], str | None],
]:
    """What finds the statements in a reply, parses one, finds the number in one, and sees the plainest of all."""
    # These compile many patterns: a program that never reads an answer does not pay for them.
    from .extract import labelled, statements
    from .parse import number_in, parse

    return statements, parse, number_in, labelled


# Replies up to this length are kept with what they mean: a vote that may end early reads each of them many times.
KEPT = 4000


@functools.lru_cache(maxsize=512)
def read_answer(
    answer: str,
    fallbacks: tuple[Fallback, ...],
    kind: Kind,
    options: tuple[tuple[str, str], ...] | str | None,
    decimal: DecimalMark,
    day_first: bool | None,
    percent: Percent,
) -> tuple[str, Reading] | None:
    """The answer in a reply as it was written, and what it means; None when there is none to read.

    answer: the reply. fallbacks: where to look when it states none. kind, options, decimal, day_first, percent: as
    `Equivalence` has them.
    """
    statements, _, number_in, labelled = reader()
    if (word := labelled(answer)) is not None:
        found = lookup(word)(word, kind, options, decimal, day_first, percent)
        if found is not None:
            return word, found

    def parsed(text: str) -> Reading | None:
        return lookup(text)(text, kind, options, decimal, day_first, percent)

    for stated in statements(answer, fallbacks):
        text, reading = stated.text, parsed(stated.text)
        if reading is None and kind == "number" and stated.is_explicit and (inside := number_in(text)):
            text, reading = inside, parsed(inside)
        if reading is not None:
            return text, reading
        if kind in ("auto", "text"):
            return None
    return None


@functools.lru_cache(maxsize=512)
def _parsed(
    text: str,
    kind: Kind,
    options: tuple[tuple[str, str], ...] | str | None,
    decimal: DecimalMark,
    day_first: bool | None,
    percent: Percent,
) -> Reading | None:
    choices = dict.fromkeys(options, "") if isinstance(options, str) else dict(options or ()) or None
    return reader()[1](text, kind, options=choices, decimal=decimal, day_first=day_first, percent=percent)


NUMERIC = frozenset({"auto", "number"})


def are_whole(answers: Sequence[str | None]) -> bool:
    """Whether all answers are whole numbers as these are nearly always written: a few digits, the first no zero."""
    for answer in answers:
        if answer is not None and not (
            len(answer) < 10 and answer.isdigit() and answer.isascii() and (answer[0] != "0" or answer == "0")
        ):
            return False
    return True


def lookup(text: str) -> Callable[..., Reading | None]:
    """What an answer is read by: kept with what it means when it is a word or a number that others will give too."""
    return _parsed if len(text) <= KEPT and text.isalnum() else _parsed.__wrapped__
