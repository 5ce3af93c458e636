"""A condition on a comparison, for continuous integration: "debate < vote + 2pp"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from phalanx.errors import ValidationError
from phalanx.settings import nearest

from .baselines import ONE, TITLES
from .record import Comparison
from .statistics.intervals import Estimate, accuracy
from .statistics.paired import paired_difference
from .statistics.sampling import item_means
from .wording import gap, percent, percents, points

Held = Literal["yes", "no", "unknown"]

_NAME = r"(?:'(?P<{0}q>[^']+)'|(?P<{0}>[^\s'<>+]+))"
_CONDITION = re.compile(
    rf"\s*{_NAME.format('a')}\s*(?P<sign>[<>])\s*"
    rf"(?:(?P<level>\d+(?:\.\d+)?)\s*(?P<unit>%)?"
    rf"|{_NAME.format('b')}(?:\s*(?P<way>[+-])\s*(?P<points>\d+(?:\.\d+)?)\s*(?:pp|points?))?)\s*"
)
GRAMMAR = '"A < B", "A > B + 2pp", "A < \'a name with spaces\' - 1pp" or "A < 80%"'


@dataclass(frozen=True)
class Gate:
    """A condition: system `a` is below ("<") or above (">") system `b` plus `offset`, or below or above `offset`.

    text: as it was written. b: None when the accuracy of `a` itself is meant. offset: 0.02 for two points.
    """

    text: str
    a: str
    sign: Literal["<", ">"]
    b: str | None
    offset: float

    @classmethod
    def read(cls, text: str) -> Gate:
        """The condition in a text.

        Names with spaces stand in single quotes; points are written 2pp. Raises ValidationError for any other text.
        """
        found = _CONDITION.fullmatch(text)
        if found is None:
            raise ValidationError(f"{text!r} is no condition; write {GRAMMAR}")
        a, b = found["a"] or found["aq"], found["b"] or found["bq"]
        if found["level"] is not None:
            offset = float(found["level"]) / (100 if found["unit"] else 1)
            if not 0 <= offset <= 1:
                raise ValidationError(f"{text!r}: an accuracy is between 0 and 1, or 0% and 100%")
        else:
            offset = float(found["points"] or 0) / 100 * (-1 if found["way"] == "-" else 1)
        return cls(text, a, "<" if found["sign"] == "<" else ">", b, offset)

    def check(self, names: tuple[str, ...]) -> None:
        """Raise ValidationError when it names a system that is not among these."""
        for name in filter(None, (self.a, self.b)):
            if name not in names:
                raise ValidationError(
                    f"{self.text!r}: there is no system {name!r}{nearest(name, names)}; there are: {', '.join(names)}"
                )

    def check_before(self, names: tuple[str, ...], *, baselines: bool = True) -> None:
        """As `check`, before anything is run: what is named as a system's baselines are may yet be one.

        names: the systems. baselines: whether any will be run. Raises ValidationError for a name that none can have.
        """
        for name in filter(None, (self.a, self.b)):
            of = next((each for each in names if name.startswith(f"{each}: ")), None)
            if name in names or (baselines and of is not None and _may_be_baseline(name[len(of) + 2 :])):
                continue
            hoped = [f"{each}: {title}" for each in names for title in (ONE, *TITLES.values())] if baselines else []
            raise ValidationError(
                f"{self.text!r}: there will be no system {name!r}{nearest(name, [*names, *hoped])}; "
                f"there will be: {', '.join(names)}" + (", and their baselines" if baselines else "")
            )

    def fits(self, names: tuple[str, ...]) -> bool:
        """Whether all that it names is among these."""
        return all(name in names for name in (self.a, self.b) if name is not None)

    def judge(self, comparison: Comparison) -> Judged:
        """Whether it holds: only when the whole interval says so, and not when the interval leaves it open."""
        first = _means(comparison, self.a)
        if self.b is None:
            shared = list(first)
            found = accuracy([first[item] for item in shared], clusters=_labels(comparison, shared)) if shared else None
            return Judged(self, _held(self.sign, found, self.offset), found)
        second = _means(comparison, self.b)
        shared = [item for item in first if item in second]
        pairs = ([first[item] for item in shared], [second[item] for item in shared])
        difference = paired_difference(*pairs, clusters=_labels(comparison, shared)) if shared else None
        return Judged(self, _held(self.sign, difference, self.offset), difference)


@dataclass(frozen=True)
class Judged:
    """What a condition came to. held: "unknown" when the interval leaves it open. found: None without any items."""

    gate: Gate
    held: Held
    found: Estimate | None

    def __str__(self) -> str:
        words = {"yes": "holds", "no": "does not hold", "unknown": "cannot be told with these items"}[self.held]
        if self.found is None:
            return f"{self.gate.text!r} {words}: nothing was run"
        found = self.found
        if self.gate.b is None:
            told = f"accuracy {percent(found.value)} {percents(found)}"
        else:
            told = f"difference {points(found.value)} points {gap(found)}"
        return f"{self.gate.text!r} {words}: {told} ({found.facts})"


def _may_be_baseline(title: str) -> bool:
    return title == ONE or title in TITLES.values() or title.endswith(" alone")


def _held(sign: str, found: Estimate | None, offset: float) -> Held:
    if found is None or found.low is None or found.high is None:
        return "unknown"
    low, high = found.low - offset, found.high - offset
    if sign == ">":
        low, high = -high, -low
    if high < 0:
        return "yes"
    return "no" if low >= 0 else "unknown"


def _means(comparison: Comparison, system: str) -> dict[str, float]:
    """An item's mean score over its repeats, by item."""
    return item_means((each.item, each.score) for each in comparison.attempts if each.system == system)


def _labels(comparison: Comparison, items: list[str]) -> list[str] | None:
    found = {item.id: item.cluster for item in comparison.items}
    if all(found[item] is None for item in items):
        return None
    return [found[item] or f"item {item}" for item in items]
