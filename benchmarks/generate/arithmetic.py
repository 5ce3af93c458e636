"""Arithmetic: evaluate an expression."""

from __future__ import annotations

import random

from phalanx.benchmarks.tasks import TaskItem, TaskSet

from .draw import draw, item

SHAPES = {1: (3, 20, "+-"), 2: (4, 50, "+-*"), 3: (6, 100, "+-*"), 4: (7, 100, "+-*("), 5: (9, 300, "+-*(")}


def arithmetic(n: int, *, seed: int = 0, difficulty: int | None = None) -> TaskSet:
    """Whole-number expressions such as 23 + 45 * 12; harder ones are longer, have larger numbers and brackets."""
    return draw("arithmetic", _expression, n, seed=seed, difficulty=difficulty)


def _expression(rng: random.Random, difficulty: int) -> TaskItem:
    terms, largest, signs = SHAPES[difficulty]
    numbers = [rng.randint(2, largest) for _ in range(terms)]
    between = [rng.choice(signs.replace("(", "")) for _ in range(terms - 1)]
    opening = rng.randrange(0, terms - 2) if "(" in signs else None
    closing = None if opening is None else min(terms - 1, opening + rng.randint(1, 2))
    if opening is not None and between[opening] == "*":
        between[opening] = "+"
    words = []
    for place, number in enumerate(numbers):
        word = f"({number}" if place == opening else f"{number})" if place == closing else str(number)
        words.append(word)
        if place < len(between):
            words.append(between[place])
    expression = " ".join(words)
    return item(f"What is {expression}? Give the number.", evaluate(expression), "numeric", meta={"form": expression})


def evaluate(expression: str) -> int:
    """The value of a whole-number expression of + - * and brackets, with the usual precedence."""
    tokens = expression.replace("(", "( ").replace(")", " )").split()
    value, rest = _sum(tokens)
    if rest:
        raise ValueError(f"{expression!r} goes on after its end")
    return value


def _sum(tokens: list[str]) -> tuple[int, list[str]]:
    value, tokens = _product(tokens)
    while tokens and tokens[0] in "+-":
        right, rest = _product(tokens[1:])
        value = value + right if tokens[0] == "+" else value - right
        tokens = rest
    return value, tokens


def _product(tokens: list[str]) -> tuple[int, list[str]]:
    value, tokens = _factor(tokens)
    while tokens and tokens[0] == "*":
        right, tokens = _factor(tokens[1:])
        value *= right
    return value, tokens


def _factor(tokens: list[str]) -> tuple[int, list[str]]:
    if tokens[0] == "(":
        value, tokens = _sum(tokens[1:])
        return value, tokens[1:]
    return int(tokens[0]), tokens[1:]
