"""Scorers that compare an answer with the right one: text, number, choice, set, pattern.

All find the final answer first ("Answer: …", "the answer is …", a box, JSON); `fallbacks` says what to take when
nothing is said explicitly. Where an item has several right answers (`gold` is a tuple), any of them is right, except
for sets, where they are the set. What cannot be read is worth 0 and says so: `Score.read` is None.
"""

from __future__ import annotations

import functools
import re
from dataclasses import replace
from fractions import Fraction
from typing import Literal, Self

from pydantic import Field, model_validator

from phalanx.errors import ValidationError
from phalanx.formations.voting.extract import extract
from phalanx.formations.voting.kinds import Fallback
from phalanx.formations.voting.numbers import Measure
from phalanx.formations.voting.parse import Key, parse, text_key
from phalanx.messages import Data

from .score import Score
from .tasks import TaskItem, letter

UNREAD = Score(value=0.0, why="no final answer could be read")
LONGEST = 200_000


class Exact(Data):
    """Right or wrong by comparing texts.

    compare: "meaning" evens out case, punctuation and the way numbers, dates, lists and formulas are written; "text"
    only case, punctuation, spaces and a leading article; "verbatim" takes the whole answer, spaces around it aside.
    """

    compare: Literal["meaning", "text", "verbatim"] = "meaning"
    fallbacks: tuple[Fallback, ...] = ("line",)

    def __call__(self, answer: str, item: TaskItem) -> Score:
        golds = [str(gold) for gold in golds_of(item)]
        if self.compare == "verbatim":
            return _verdict(answer.strip() in [gold.strip() for gold in golds], answer.strip())
        found = extract(answer, ("whole",) if any("\n" in gold for gold in golds) else self.fallbacks)
        if found is None:
            return UNREAD
        right = any(text_key(found.text) == text_key(gold) for gold in golds)
        if not right and self.compare == "meaning":
            right = any(_meaning(found.text) == _meaning(gold) for gold in golds)
        return _verdict(right, found.text)


class Numeric(Data):
    """Right when the number is within a tolerance of the right one: |x − gold| <= max(absolute, relative · |gold|).

    An item's own `meta["rel"]` and `meta["abs"]` go before. A unit written behind the number is ignored, unless the
    right answer has one too; 25% is right for 25 and for 0.25. Of a final answer with words around, the number at its
    beginning counts, or the only one in it; with several numbers it cannot be read.
    """

    relative: float = Field(default=1e-6, ge=0)
    absolute: float = Field(default=1e-9, ge=0)
    fallbacks: tuple[Fallback, ...] = ("number",)

    def __call__(self, answer: str, item: TaskItem) -> Score:
        golds = [_measure(gold, item) for gold in golds_of(item)]
        found = extract(answer, self.fallbacks)
        measure = None if found is None else _number_in(found.text)
        if found is None or measure is None:
            return UNREAD
        relative, absolute = _tolerance(item, "rel", self.relative), _tolerance(item, "abs", self.absolute)
        candidates = [measure]
        if _PERCENT.search(found.text):
            candidates.append(Measure(measure.value * 100, "", measure.value * 100))
        right = any(_near(one, gold, relative, absolute) for one in candidates for gold in golds)
        return _verdict(right, found.text)


class Choice(Data):
    """Right when the chosen letter, or the text of a choice, is the right one.

    The right answer may be given as a letter, as the text of a choice, or as its index from 0. Raises ValidationError
    when it is none of these, or could be two of them.
    """

    fallbacks: tuple[Fallback, ...] = ("choice", "line")

    def __call__(self, answer: str, item: TaskItem) -> Score:
        options = {letter(place): choice for place, choice in enumerate(item.choices)}
        golds = {_letter_of(gold, options, item) for gold in golds_of(item)}
        found = extract(answer, self.fallbacks)
        reading = None if found is None else parse(found.text, "choice", options=options or None)
        if found is None or reading is None:
            return UNREAD
        return _verdict(reading.key in golds, str(reading.key))


class SetOf(Data):
    """How far a set of answers is the right one; order and repetitions do not count.

    credit: "exact" is all or nothing; "jaccard" is common members over all that occur; "f1" is the harmonic mean of
    precision and recall.
    """

    credit: Literal["exact", "jaccard", "f1"] = "exact"
    fallbacks: tuple[Fallback, ...] = ("whole",)

    def __call__(self, answer: str, item: TaskItem) -> Score:
        golds = {key for gold in golds_of(item) for key in _members(str(gold), split=isinstance(item.gold, str))}
        found = extract(answer, self.fallbacks)
        if found is None:
            return UNREAD
        given = _members(found.text, split=True)
        common, union = len(given & golds), len(given | golds)
        if self.credit == "exact":
            value = float(given == golds)
        elif self.credit == "jaccard":
            value = common / union if union else 1.0
        else:
            value = 2 * common / (len(given) + len(golds)) if union else 1.0
        missing, extra = len(golds - given), len(given - golds)
        return Score(value=value, read=found.text, why=f"{common} right, {missing} missing, {extra} too many")


class Regex(Data):
    """Right by a regular expression.

    With a `pattern`, its last match in the answer (its first group, if it has one) is the final answer and is
    compared with the right one as text. Without, the right answer itself is a pattern that must occur in the answer,
    or be all of it with `whole`. Patterns come from the author of the tasks; a bad one can take very long.
    """

    pattern: str | None = None
    ignore_case: bool = True
    whole: bool = False

    @model_validator(mode="after")
    def _pattern_compiles(self) -> Self:
        if self.pattern is not None:
            self._compiled(self.pattern)
        return self

    def __call__(self, answer: str, item: TaskItem) -> Score:
        answer = answer[:LONGEST]
        golds = [str(gold) for gold in golds_of(item)]
        if self.pattern is None:
            for gold in golds:
                try:
                    pattern = self._compiled(gold)
                except ValueError as problem:
                    raise ValidationError(f"item {item.id!r}: {problem}") from None
                found = pattern.fullmatch(answer.strip()) if self.whole else pattern.search(answer)
                if found is not None:
                    return Score(value=1.0, read=found[0], why=f"matches {gold!r}")
            return Score(value=0.0, read=answer.strip() or None, why="matches no pattern")
        read = None
        for match in self._compiled(self.pattern).finditer(answer):
            read = match[1] if match.re.groups else match[0]
        if read is None:
            return UNREAD
        return _verdict(any(text_key(read) == text_key(gold) for gold in golds), read)

    def _compiled(self, pattern: str) -> re.Pattern[str]:
        try:
            return re.compile(pattern, re.IGNORECASE if self.ignore_case else 0)
        except re.error as problem:
            raise ValueError(f"{pattern!r} is not a regular expression: {problem}") from None


def golds_of(item: TaskItem) -> tuple[str | int | float | bool, ...]:
    """The right answers of an item. Raises ValidationError when it has none."""
    if item.gold is None:
        raise ValidationError(f"item {item.id!r} has no right answer to compare with")
    return item.gold if isinstance(item.gold, tuple) else (item.gold,)


def _verdict(right: bool, read: str) -> Score:
    return Score(value=float(right), read=read, why="right" if right else "wrong")


def _meaning(text: str) -> tuple[str, Key] | None:
    reading = parse(text)
    return None if reading is None else (reading.kind, _without_variable(reading.key))


def _without_variable(key: Key) -> Key:
    """What was read, without the name it was given: "x = 5" answers a question for x."""
    return replace(key, variable="") if isinstance(key, Measure) else key


def _members(text: str, *, split: bool) -> frozenset[Key]:
    if not split:
        reading = parse(text)
        return frozenset() if reading is None else frozenset({(reading.kind, reading.key)})
    reading = parse(text, "set")
    return reading.key if reading is not None and isinstance(reading.key, frozenset) else frozenset()


def _measure(gold: str | int | float | bool, item: TaskItem) -> Measure:
    if isinstance(gold, (int, float)) and not isinstance(gold, bool):
        value = Fraction(gold) if isinstance(gold, int) else _fraction(gold)
        return Measure(value, "", value)
    reading = parse(str(gold), "number")
    if reading is None or reading.measure is None:
        raise ValidationError(f"item {item.id!r}: its right answer {gold!r} is not a number")
    return reading.measure


_PERCENT = re.compile(r"%|per ?cent")
_NUMBER = re.compile(r"(?<![\w.,])[-−+]?[$€£]?\d[\d,.]*(?<=\d)(?:[eE][-+]?\d+)?(?:/\d+)?%?(?![\w/])")


def _number_in(text: str) -> Measure | None:
    """The number a final answer is; if it says more, the one it begins with or the only one in it."""
    reading = parse(text, "number")
    if reading is None:
        found = list(_NUMBER.finditer(text))
        if not found or (len(found) > 1 and found[0].start() > 0):
            return None
        reading = parse(found[0][0], "number")
    return None if reading is None else reading.measure


def _near(one: Measure, gold: Measure, relative: Fraction, absolute: Fraction) -> bool:
    if one.unit and gold.unit:
        same, given, wanted = one.unit == gold.unit, one.base, gold.base
    else:
        same, given, wanted = True, one.value, gold.value
    return same and (given == wanted or abs(given - wanted) <= max(absolute, relative * abs(wanted)))


@functools.lru_cache(maxsize=64)  # a fraction is read from a decimal more slowly than an answer is compared
def _fraction(number: float) -> Fraction:
    """A number as it is written: 0.1 is a tenth."""
    return Fraction(repr(number))


def _tolerance(item: TaskItem, name: str, usual: float) -> Fraction:
    own = item.meta.get(name)
    if own is None:
        return _fraction(usual)
    if isinstance(own, bool) or not isinstance(own, (int, float)) or not 0 <= own < float("inf"):
        raise ValidationError(f"item {item.id!r}: meta[{name!r}] is {own!r}; a tolerance is a number of at least 0")
    return _fraction(own)


def _letter_of(gold: str | int | float | bool, options: dict[str, str], item: TaskItem) -> str:
    by_text = {name for name, text in options.items() if text_key(text) == text_key(str(gold))}
    named: set[str] = set()
    if isinstance(gold, str) and (not options or gold.strip().upper() in options):
        named = {gold.strip().upper()}
    elif isinstance(gold, int) and not isinstance(gold, bool) and 0 <= gold < len(options):
        named = {letter(gold)}
    found = named | by_text
    if len(found) != 1:
        what = "none of" if not found else "more than one of"
        raise ValidationError(f"item {item.id!r}: its right answer {gold!r} is {what} the choices {list(item.choices)}")
    return found.pop()
