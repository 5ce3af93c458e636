"""Simulated suites with a known truth, shared by the tests of coverage."""

from __future__ import annotations

import random
from collections.abc import Callable

from phalanx.benchmarks.statistics.intervals import Estimate

Suite = tuple[list[float], list[float], list[int]]


def right_or_wrong(n: int, discordance: float, delta: float) -> Callable[[random.Random], Suite]:
    """Two systems on n independent items that differ on a share of them; the first is better by delta."""
    weights = [(discordance + delta) / 2, (discordance - delta) / 2, 1 - discordance]

    def make(rng: random.Random) -> Suite:
        pairs = rng.choices([(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)], weights=weights, k=n)
        return [a for a, _ in pairs], [b for _, b in pairs], list(range(n))

    return make


def documents(count: int, questions: int) -> Callable[[random.Random], Suite]:
    """Documents of 1 to 2·questions−1 questions; how well the first system does depends on the document."""

    def make(rng: random.Random) -> Suite:
        a, b, labels = [], [], []
        for document in range(count):
            skill = rng.betavariate(1, 1)
            for _ in range(rng.randint(1, 2 * questions - 1)):
                a.append(float(rng.random() < skill))
                b.append(float(rng.random() < 0.5))
                labels.append(document)
        return a, b, labels

    return make


def repeated(n: int, repeats: int) -> Callable[[random.Random], Suite]:
    """Mean scores over repeats; the first system is better by 0.1 on average."""

    def make(rng: random.Random) -> Suite:
        a, b = [], []
        for _ in range(n):
            skill = rng.random()
            a.append(sum(rng.random() < skill for _ in range(repeats)) / repeats)
            b.append(sum(rng.random() < 0.8 * skill for _ in range(repeats)) / repeats)
        return a, b, list(range(n))

    return make


def coverage(
    make: Callable[[random.Random], Suite],
    estimate: Callable[[Suite], Estimate],
    truth: float,
    *,
    suites: int,
    seed: int,
) -> float:
    """In which share of the suites the interval holds the truth."""
    rng = random.Random(seed)
    held = 0
    for _ in range(suites):
        found = estimate(make(rng))
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
    return held / suites
