"""Date questions: weekdays, distances, working days, months and leap years, by the calendar of today."""

from __future__ import annotations

import random
from calendar import isleap, monthrange
from datetime import date, timedelta

from phalanx.benchmarks.tasks import TaskItem, TaskSet

from .draw import draw, item

MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
FIRST, LAST = date(1950, 1, 1), date(2049, 12, 31)


def dates(n: int, *, seed: int = 0, difficulty: int | None = None) -> TaskSet:
    """Questions about dates; harder ones go further, over leap years, and count working days."""
    return draw("dates", _question, n, seed=seed, difficulty=difficulty)


def _question(rng: random.Random, difficulty: int) -> TaskItem:
    kinds = [_days_later, _weekday_later, _days_between, _months_later, _working_days, _last_of_month, _leap_days]
    return rng.choice(kinds[: 2 + difficulty])(rng, difficulty)


def _days_later(rng: random.Random, difficulty: int) -> TaskItem:
    start, days = _day(rng), rng.randint(3, 9 * 4**difficulty)
    later = rng.random() < 0.5
    end = start + timedelta(days=days if later else -days)
    when = "after" if later else "before"
    return item(f"Which date is {days} days {when} {_said(start)}? {ISO}", end.isoformat(), "exact")


def _weekday_later(rng: random.Random, difficulty: int) -> TaskItem:
    start, days = _day(rng), rng.randint(3, 9 * 4**difficulty)
    end = start + timedelta(days=days)
    known = f"{_said(start)} is a {WEEKDAYS[start.weekday()]}. "
    question = f"{known if difficulty < 4 else ''}Which day of the week is {days} days after {_said(start)}?"
    return item(f"{question} Answer with the name of the day.", WEEKDAYS[end.weekday()], "exact")


def _days_between(rng: random.Random, difficulty: int) -> TaskItem:
    start, days = _day(rng), rng.randint(10, 12 * 4**difficulty)
    end = start + timedelta(days=days)
    question = f"How many days after {_said(start)} is {_said(end)}? Give the number."
    return item(question, days, "numeric")


def _months_later(rng: random.Random, difficulty: int) -> TaskItem:
    start, months = _day(rng), rng.randint(2, 8 * difficulty)
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    end = date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))
    rule = "If that month has no such day, take its last day."
    return item(f"Which date is {months} months after {_said(start)}? {rule} {ISO}", end.isoformat(), "exact")


def _working_days(rng: random.Random, difficulty: int) -> TaskItem:
    start, days = _day(rng), rng.randint(5, 15 * difficulty)
    while start.weekday() > 4:
        start += timedelta(days=1)
    end, left = start, days
    while left:
        end += timedelta(days=1)
        left -= end.weekday() < 5
    question = (
        f"{_said(start)} is a {WEEKDAYS[start.weekday()]}. Which date is {days} working days (Monday to Friday, no"
    )
    return item(f"{question} holidays) after it? {ISO}", end.isoformat(), "exact")


def _last_of_month(rng: random.Random, difficulty: int) -> TaskItem:
    day, weekday = _day(rng), rng.randrange(7)
    end = date(day.year, day.month, monthrange(day.year, day.month)[1])
    while end.weekday() != weekday:
        end -= timedelta(days=1)
    first = date(day.year, day.month, 1)
    given = f"{_said(first)} is a {WEEKDAYS[first.weekday()]}. " if difficulty < 5 else ""
    question = f"Which date is the last {WEEKDAYS[weekday]} of {MONTHS[day.month - 1]} {day.year}?"
    return item(f"{given}{question} {ISO}", end.isoformat(), "exact")


def _leap_days(rng: random.Random, difficulty: int) -> TaskItem:
    first = rng.randint(1800, 2000)
    last = first + rng.randint(10, 40 * difficulty)
    count = sum(isleap(year) for year in range(first, last + 1))
    return item(
        f"How many leap years are there from {first} to {last}, both included? Give the number.", count, "numeric"
    )


ISO = "Answer as YYYY-MM-DD."


def _day(rng: random.Random) -> date:
    return FIRST + timedelta(days=rng.randrange((LAST - FIRST).days + 1))


def _said(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"
