"""All generated task sets by name."""

from __future__ import annotations

from typing import Protocol

from phalanx.benchmarks.tasks import TaskSet
from phalanx.errors import ValidationError
from phalanx.settings import nearest

from .arithmetic import arithmetic
from .coding import coding
from .dates import dates
from .extraction import extraction
from .intuition import counter_intuitive
from .logic import logic_grids
from .planning import planning
from .units import units


class Generator(Protocol):
    """Makes n items from a seed, at one difficulty of 1 to 5 or at all in turn."""

    def __call__(self, n: int, *, seed: int = 0, difficulty: int | None = None) -> TaskSet: ...


GENERATORS: dict[str, Generator] = {
    "arithmetic": arithmetic,
    "coding": coding,
    "counter-intuitive": counter_intuitive,
    "dates": dates,
    "extraction": extraction,
    "logic-grids": logic_grids,
    "planning": planning,
    "units": units,
}


def generate(kind: str, n: int = 100, *, seed: int = 0, difficulty: int | None = None) -> TaskSet:
    """A generated set by its name, one of those in GENERATORS.

    Raises ValidationError for an unknown name, size or difficulty.
    """
    if kind not in GENERATORS:
        raise ValidationError(
            f"no generated task set {kind!r}{nearest(kind, GENERATORS)}; there are: {', '.join(GENERATORS)}"
        )
    return GENERATORS[kind](n, seed=seed, difficulty=difficulty)
