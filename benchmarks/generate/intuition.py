"""Counter-intuitive arithmetic: the answer that comes to mind first is wrong, and is known too."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction

from phalanx.benchmarks.tasks import TaskItem, TaskSet

from .draw import draw, item

Trap = tuple[str, int | Fraction, int | Fraction]


def counter_intuitive(n: int, *, seed: int = 0, difficulty: int | None = None) -> TaskSet:
    """Word problems with a trap; `meta["intuitive"]` is the tempting wrong answer, `meta["trap"]` its kind.

    Difficulty widens the numbers. Answers are whole numbers or end after two decimal places.
    """
    return draw("counter-intuitive", _problem, n, seed=seed, difficulty=difficulty)


def _problem(rng: random.Random, difficulty: int) -> TaskItem:
    while True:
        trap = rng.choice(TRAPS)
        question, gold, tempting = trap(rng, difficulty)
        if gold != tempting:
            facts = {"trap": trap.__name__.strip("_"), "intuitive": plain(tempting)}
            return item(f"{question} Give the number.", plain(gold), "numeric", meta=facts)


def plain(value: int | Fraction) -> int | float:
    """A whole number as int, else a float."""
    return int(value) if Fraction(value).denominator == 1 else float(value)


def _pair_and_difference(rng: random.Random, difficulty: int) -> Trap:
    more = 100 * rng.randint(1, 5 * difficulty)
    small = 5 * rng.randint(1, 20 * difficulty)
    things = rng.choice(["bat and a ball", "desk and a lamp", "pot and a lid", "phone and a case"])
    large, _, little = things.partition(" and a ")
    question = (
        f"A {things} cost {more + 2 * small} cents together. The {large} costs {more} cents more than the {little}."
    )
    return f"{question} How many cents does the {little} cost?", small, 2 * small


def _machines(rng: random.Random, difficulty: int) -> Trap:
    machines, minutes = rng.randint(3, 10 * difficulty), rng.randint(2, 12)
    many = machines * rng.randint(2, 5 + difficulty)
    question = f"It takes {machines} machines {minutes} minutes to make {machines} parts."
    return f"{question} How many minutes do {many} machines take to make {many} parts?", minutes, many


def _doubling(rng: random.Random, difficulty: int) -> Trap:
    days, back = 2 * rng.randint(10, 20 + 5 * difficulty), rng.randint(1, min(4, difficulty + 1))
    part = {1: "half", 2: "a quarter", 3: "an eighth", 4: "a sixteenth"}[back]
    question = f"A patch of algae doubles in size every day and covers the whole pond after {days} days."
    return f"{question} After how many days did it cover {part} of the pond?", days - back, Fraction(days, 2**back)


def _average_speed(rng: random.Random, difficulty: int) -> Trap:
    for _ in range(1000):
        there, back = 6 * rng.randint(2, 5 + 3 * difficulty), 6 * rng.randint(2, 5 + 3 * difficulty)
        mean = Fraction(2 * there * back, there + back)
        if there != back and (mean * 100).denominator == 1:
            break
    else:
        there, back, mean = 60, 30, Fraction(40)
    question = f"A van drives to a town at {there} km/h and returns by the same road at {back} km/h."
    return f"{question} What is its average speed over the whole trip, in km/h?", mean, Fraction(there + back, 2)


def _up_and_down(rng: random.Random, difficulty: int) -> Trap:
    rate, price = 5 * rng.randint(2, 8), 100 * rng.randint(1, 20 * difficulty)
    after = Fraction(price * (100 + rate) * (100 - rate), 10_000)
    question = f"A price of {price} euros is raised by {rate} percent and then lowered by {rate} percent."
    return f"{question} What is it now, in euros?", after, price


def _posts(rng: random.Random, difficulty: int) -> Trap:
    gap, gaps = rng.randint(2, 5 + difficulty), rng.randint(5, 20 * difficulty)
    question = f"A straight fence is {gap * gaps} metres long and has a post every {gap} metres, with one at each end."
    return f"{question} How many posts does it have?", gaps + 1, gaps


def _cuts(rng: random.Random, difficulty: int) -> Trap:
    first, each = rng.randint(3, 6 + difficulty), rng.randint(2, 9 * difficulty)
    second = rng.randint(first + 1, first + 8 * difficulty)
    question = f"It takes {each * (first - 1)} minutes to saw a log into {first} pieces."
    tempting = Fraction(each * (first - 1) * second, first)
    tempting = tempting if (tempting * 100).denominator == 1 else Fraction(each * second)
    return (
        f"{question} At the same pace, how many minutes does it take to saw it into {second} pieces?",
        each * (second - 1),
        tempting,
    )


def _snail(rng: random.Random, difficulty: int) -> Trap:
    night = rng.randint(1, 3 + difficulty)
    net = rng.randint(1, 2 + difficulty)
    day, days = night + net, rng.randint(4, 10 * difficulty)
    depth = net * (days - 1) + day
    tempting = Fraction(depth, net)
    tempting = Fraction(-(-depth // net)) if tempting.denominator != 1 else tempting
    question = f"A snail is at the bottom of a well {depth} metres deep. Each day it climbs {day} metres, each night it"
    return f"{question} slips back {night} metres. On which day does it get out?", days, tempting


def _socks(rng: random.Random, difficulty: int) -> Trap:
    colours = pick_colours(rng, min(5, 1 + difficulty))
    amounts = [2 * rng.randint(3, 5 + 3 * difficulty) for _ in colours]
    drawer = ", ".join(f"{amount} {colour}" for amount, colour in zip(amounts, colours, strict=True))
    question = f"A dark drawer holds loose socks: {drawer}. Without looking, how many must you take to be sure"
    return f"{question} that two have the same colour?", len(colours) + 1, max(amounts) + 1


def _handshakes(rng: random.Random, difficulty: int) -> Trap:
    people = rng.randint(4, 10 * difficulty + 5)
    question = f"{people} people meet and each shakes hands once with each of the others."
    return f"{question} How many handshakes are there?", people * (people - 1) // 2, people * (people - 1)


def _all_but(rng: random.Random, difficulty: int) -> Trap:
    sheep = rng.randint(8, 60 * difficulty)
    left = rng.randint(2, sheep // 2 - 1)
    animal = rng.choice(["sheep", "goats", "hens", "cows"])
    question = f"A farmer has {sheep} {animal}. All but {left} run away."
    return f"{question} How many {animal} does the farmer have left?", left, sheep - left


def pick_colours(rng: random.Random, n: int) -> list[str]:
    """n different colours."""
    return rng.sample(["black", "white", "red", "blue", "green", "grey", "brown"], n)


TRAPS: tuple[Callable[[random.Random, int], Trap], ...] = (
    _pair_and_difference,
    _machines,
    _doubling,
    _average_speed,
    _up_and_down,
    _posts,
    _cuts,
    _snail,
    _socks,
    _handshakes,
    _all_but,
)
