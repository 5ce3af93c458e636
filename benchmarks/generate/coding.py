"""Code with tests: a function to be written from a description, checked by running it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate, pairwise

from phalanx.benchmarks.tasks import TaskItem, TaskSet

from .draw import draw, item

Numbers = list[int]


@dataclass(frozen=True)
class Step:
    """One thing to do: in words, as an expression of `numbers`, and as what it does."""

    words: str
    code: str
    apply: Callable[[Numbers], Numbers]


@dataclass(frozen=True)
class End:
    """What to return: in words, as an expression of `numbers`, and as what it does."""

    words: str
    code: str
    apply: Callable[[Numbers], int | Numbers]


def coding(n: int, *, seed: int = 0, difficulty: int | None = None) -> TaskSet:
    """Functions on lists of whole numbers, described as 1 to 5 steps; `gold` holds assertions about `solve`.

    `meta["reference"]` is a solution that passes them.
    """
    return draw("coding", _task, n, seed=seed, difficulty=difficulty)


def _task(rng: random.Random, difficulty: int) -> TaskItem:
    steps: list[Step] = []
    while len(steps) < difficulty:
        step = rng.choice(STEPS)(rng)
        if not steps or step.words.split()[0] != steps[-1].words.split()[0]:
            steps.append(step)
    end = rng.choice(ENDS)
    listed = "\n".join(f"{place}. {step.words}" for place, step in enumerate(steps, start=1))
    question = (
        "Write a Python function solve(numbers) that takes a list of integers, does these steps in order and returns "
        f"the result. It must not change the list it is given.\n{listed}\n{len(steps) + 1}. {end.words}"
    )
    cases = [_case(rng) for _ in range(5)] + [[], [rng.randint(-9, 9)]]
    tests = tuple(f"assert solve({case}) == {_result(steps, end, case)}" for case in cases)
    lines = [f"    numbers = {step.code}" for step in steps]
    reference = "\n".join(["def solve(numbers):", *lines, f"    return {end.code}"])
    return item(question, tests, "code", meta={"reference": reference})


def _result(steps: list[Step], end: End, case: Numbers) -> int | Numbers:
    numbers = list(case)
    for step in steps:
        numbers = step.apply(numbers)
    return end.apply(numbers)


def _case(rng: random.Random) -> Numbers:
    return [rng.randint(-30, 60) for _ in range(rng.randint(4, 12))]


def _divisible(rng: random.Random) -> Step:
    k = rng.randint(2, 5)
    words = f"Keep only the numbers that are divisible by {k}."
    return Step(words, f"[n for n in numbers if n % {k} == 0]", lambda numbers: [n for n in numbers if n % k == 0])


def _above(rng: random.Random) -> Step:
    k = rng.randint(-10, 15)
    words = f"Drop the numbers that are less than or equal to {k}."
    return Step(words, f"[n for n in numbers if n > {k}]", lambda numbers: [n for n in numbers if n > k])


def _distinct(_: random.Random) -> Step:
    words = "Remove repeated values and keep the first of each, in their order."
    return Step(words, "list(dict.fromkeys(numbers))", lambda numbers: list(dict.fromkeys(numbers)))


def _alternate(rng: random.Random) -> Step:
    first = rng.randint(0, 1)
    words = f"Take every second number, beginning with the {['first', 'second'][first]}."
    return Step(words, f"numbers[{first}::2]", lambda numbers: numbers[first::2])


def _scaled(rng: random.Random) -> Step:
    factor, shift = rng.randint(2, 9), rng.randint(1, 9)
    words = f"Multiply each number by {factor} and then add {shift} to it."
    return Step(
        words, f"[n * {factor} + {shift} for n in numbers]", lambda numbers: [n * factor + shift for n in numbers]
    )


def _digits(_: random.Random) -> Step:
    words = "Replace each number by the sum of the decimal digits of its absolute value."
    code = "[sum(int(digit) for digit in str(abs(n))) for n in numbers]"
    return Step(words, code, lambda numbers: [sum(map(int, str(abs(n)))) for n in numbers])


def _folded(rng: random.Random) -> Step:
    k = rng.randint(3, 11)
    words = f"Replace each number by its remainder when divided by {k}, from 0 to {k - 1} also for negative numbers."
    return Step(words, f"[n % {k} for n in numbers]", lambda numbers: [n % k for n in numbers])


def _sorted(rng: random.Random) -> Step:
    down = rng.random() < 0.5
    words = f"Sort the numbers from the {'largest to the smallest' if down else 'smallest to the largest'}."
    return Step(words, f"sorted(numbers, reverse={down})", lambda numbers: sorted(numbers, reverse=down))


def _rotated(rng: random.Random) -> Step:
    k = rng.randint(1, 3)
    words = f"Move the first {k} numbers to the end, in their order; leave a list of at most {k} numbers as it is."
    return Step(words, f"numbers[{k}:] + numbers[:{k}]", lambda numbers: numbers[k:] + numbers[:k])


def _running(_: random.Random) -> Step:
    words = "Turn the list into its running totals."
    code = "[sum(numbers[: place + 1]) for place in range(len(numbers))]"
    return Step(words, code, lambda numbers: list(accumulate(numbers)))


def _gaps(_: random.Random) -> Step:
    words = "Form the list of differences, each number minus the one before it; it is one shorter, or empty."
    code = "[after - before for before, after in zip(numbers, numbers[1:])]"
    return Step(words, code, lambda numbers: [after - before for before, after in pairwise(numbers)])


STEPS: tuple[Callable[[random.Random], Step], ...] = (
    _divisible,
    _above,
    _distinct,
    _alternate,
    _scaled,
    _digits,
    _folded,
    _sorted,
    _rotated,
    _running,
    _gaps,
)

ENDS = (
    End("Return the list.", "numbers", lambda numbers: numbers),
    End("Return the sum, 0 for an empty list.", "sum(numbers)", sum),
    End(
        "Return the largest number, or -1 for an empty list.", "max(numbers, default=-1)", lambda n: max(n, default=-1)
    ),
    End("Return how many numbers there are.", "len(numbers)", len),
    End(
        "Return the first minus the second plus the third and so on, 0 for an empty list.",
        "sum(numbers[::2]) - sum(numbers[1::2])",
        lambda numbers: sum(numbers[::2]) - sum(numbers[1::2]),
    ),
    End("Return the numbers in reverse order.", "numbers[::-1]", lambda numbers: numbers[::-1]),
)
