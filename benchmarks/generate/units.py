"""Unit questions: conversions with exact factors, alone and in chains."""

from __future__ import annotations

import random
from fractions import Fraction

from phalanx.benchmarks.tasks import TaskItem, TaskSet

from .draw import draw, item

# Each unit in terms of its kind's base, exactly.
LENGTH = {
    "millimetres": Fraction(1, 1000),
    "centimetres": Fraction(1, 100),
    "metres": Fraction(1),
    "kilometres": Fraction(1000),
    "inches": Fraction(254, 10_000),
    "feet": Fraction(3048, 10_000),
    "yards": Fraction(9144, 10_000),
    "miles": Fraction(1_609_344, 1000),
}
MASS = {
    "grams": Fraction(1, 1000),
    "kilograms": Fraction(1),
    "tonnes": Fraction(1000),
    "pounds": Fraction(45_359_237, 100_000_000),
    "ounces": Fraction(45_359_237, 1_600_000_000),
}
TIME = {
    "seconds": Fraction(1),
    "minutes": Fraction(60),
    "hours": Fraction(3600),
    "days": Fraction(86_400),
    "weeks": Fraction(604_800),
}
VOLUME = {
    "millilitres": Fraction(1, 1000),
    "centilitres": Fraction(1, 100),
    "litres": Fraction(1),
    "cubic metres": Fraction(1000),
    "US gallons": Fraction(3_785_411_784, 1_000_000_000),
}
METRIC = {
    name: unit
    for table in (LENGTH, MASS, VOLUME)
    for name, unit in table.items()
    if name.endswith(("metres", "grams", "tonnes", "litres"))
}
FACTS = {
    "inches": "1 inch is 2.54 centimetres",
    "feet": "1 foot is 30.48 centimetres",
    "yards": "1 yard is 0.9144 metres",
    "miles": "1 mile is 1609.344 metres",
    "pounds": "1 pound is 453.59237 grams",
    "ounces": "16 ounces are 1 pound of 453.59237 grams",
    "US gallons": "1 US gallon is 3.785411784 litres",
}


def units(n: int, *, seed: int = 0, difficulty: int | None = None) -> TaskSet:
    """Conversions between units; harder ones leave the metric system, square, cube, and divide units by units.

    Answers count when within 0.1 percent (`meta["rel"]`), so how they are rounded does not matter.
    """
    return draw("units", _question, n, seed=seed, difficulty=difficulty)


def _question(rng: random.Random, difficulty: int) -> TaskItem:
    if difficulty <= 2:
        return _plain(rng, metric=difficulty == 1)
    return rng.choice([_speed, _area] if difficulty == 3 else [_speed, _area, _price, _flow])(rng, difficulty)


def _plain(rng: random.Random, *, metric: bool) -> TaskItem:
    table = rng.choice([LENGTH, MASS, VOLUME] if metric else [LENGTH, MASS, TIME, VOLUME])
    names = [name for name in table if name in METRIC] if metric else list(table)
    one, other = rng.sample(names, 2)
    amount = _amount(rng, 1 if metric else 2)
    return _item(f"How many {other} are {_shown(amount)} {one}?", amount * table[one] / table[other], one, other)


def _speed(rng: random.Random, difficulty: int) -> TaskItem:
    far, near = rng.sample(list(LENGTH), 2)
    slow, fast = rng.sample(["seconds", "minutes", "hours"], 2)
    amount = _amount(rng, difficulty)
    value = amount * LENGTH[far] / TIME[slow] * TIME[fast] / LENGTH[near]
    question = f"Something moves at {_shown(amount)} {far} per {slow.removesuffix('s')}. How fast is that in {near} per"
    return _item(f"{question} {fast.removesuffix('s')}?", value, far, near)


def _area(rng: random.Random, difficulty: int) -> TaskItem:
    one, other = rng.sample(list(LENGTH), 2)
    power, word = rng.choice([(2, "square"), (3, "cubic")] if difficulty > 3 else [(2, "square")])
    amount = _amount(rng, difficulty)
    value = amount * (LENGTH[one] / LENGTH[other]) ** power
    return _item(f"How many {word} {other} are {_shown(amount)} {word} {one}?", value, one, other)


def _price(rng: random.Random, difficulty: int) -> TaskItem:
    sold, wanted = rng.sample(list(MASS), 2)
    price, amount = _amount(rng, 2), _amount(rng, difficulty)
    value = price * amount * MASS[wanted] / MASS[sold]
    question = f"A spice costs {_shown(price)} euros per {sold.removesuffix('s')}. What do {_shown(amount)} {wanted} of"
    return _item(f"{question} it cost, in euros?", value, sold, wanted)


def _flow(rng: random.Random, difficulty: int) -> TaskItem:
    tank, tap = rng.choice(list(VOLUME)), rng.choice(list(VOLUME))
    fast, asked = rng.sample(["seconds", "minutes", "hours"], 2)
    size, rate = _amount(rng, difficulty), _amount(rng, 2)
    value = size * VOLUME[tank] / (rate * VOLUME[tap] / TIME[fast]) / TIME[asked]
    question = (
        f"A tap gives {_shown(rate)} {tap} per {fast.removesuffix('s')}. How many {asked} does it take to fill a tank"
    )
    return _item(f"{question} of {_shown(size)} {tank}?", value, tank, tap)


def _item(question: str, value: Fraction, *named: str) -> TaskItem:
    given = "; ".join(dict.fromkeys(FACTS[name] for name in named if name in FACTS))
    text = f"{question} ({given}.)" if given else question
    gold = int(value) if value.denominator == 1 else float(value)
    asked = f"{text} Give the number, in full or as 1.23e4, to at least four significant digits."
    return item(asked, gold, "numeric", meta={"rel": 0.001, "exact": f"{value.numerator}/{value.denominator}"})


def _amount(rng: random.Random, difficulty: int) -> Fraction:
    places = rng.randint(0, min(2, difficulty - 1))
    return Fraction(rng.randint(2, 10 ** (1 + min(difficulty, 3))), 10**places)


def _shown(amount: Fraction) -> str:
    return f"{float(amount):g}"
