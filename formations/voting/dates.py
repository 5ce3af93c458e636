"""Dates as people and models write them."""

from __future__ import annotations

import re
from datetime import date

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<name>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_WEEKDAY = re.compile(r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s+(?:the\s+)?", re.I)
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_FORMS = tuple(
    re.compile(form, re.I)
    for form in (
        r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})",
        rf"{_DAY}(?:\s+of)?\s+{_MONTH},?\s+(?P<year>\d{{4}})",
        rf"{_MONTH}\s+{_DAY},?\s+(?P<year>\d{{4}})",
        rf"{_DAY}-{_MONTH}-(?P<year>\d{{4}})",
        r"(?P<day>\d{1,2})\.\s?(?P<month>\d{1,2})\.\s?(?P<year>\d{4})",
    )
)
_SLASHED = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})")


def day(text: str, day_first: bool | None = None) -> date | None:
    """The day a text names, or None when it names none, or may name two.

    day_first: how 3/4/2024 is read; None reads it only when both ways give one day (13/4/2024, 4/4/2024).
    """
    plain = " ".join(_WEEKDAY.sub("", text.strip(), count=1).split())
    if found := _SLASHED.fullmatch(plain):
        return _slashed(int(found[1]), int(found[2]), int(found[3]), day_first)
    for form in _FORMS:
        if found := form.fullmatch(plain):
            parts = found.groupdict()
            month = _month(parts["name"]) if parts.get("name") else int(parts["month"])
            return _date(int(parts["year"]), month, int(parts["day"]))
    return None


def _slashed(first: int, second: int, year: int, day_first: bool | None) -> date | None:
    by_day, by_month = _date(year, second, first), _date(year, first, second)
    if day_first is not None:
        return by_day if day_first else by_month
    if by_day is None or by_month is None:
        return by_day or by_month
    return by_day if by_day == by_month else None


def _month(name: str) -> int:
    return _MONTHS.index(name.lower()[:3]) + 1


def _date(year: int, month: int, number: int) -> date | None:
    try:
        return date(year, month, number)
    except ValueError:
        return None
