"""Chance from a seed, made when it is needed: most of what could be drawn in a run never is."""

from __future__ import annotations

import hashlib
import random
from typing import TypeVar

T = TypeVar("T")

_MOST = 50
"""Up to how many things one hash can put in any order: 256 bits are more than 50! orders by a factor of 2^41."""


class Chance:
    """What is drawn under one name, the same in every run of the same seed.

    key: the name, which holds the seed and says what for; other names draw independently.
    """

    __slots__ = ("_drawn", "_key")

    def __init__(self, key: str) -> None:
        self._key, self._drawn = key, 0

    def shuffle(self, items: list[T]) -> None:
        """Put `items` in an order drawn by lot (Fisher and Yates; Durstenfeld 1964, doi 10.1145/364520.364540)."""
        if len(items) < 2:
            return
        number = self._next()
        if len(items) > _MOST:
            random.Random(number).shuffle(items)
            return
        for at in range(len(items) - 1, 0, -1):
            number, other = divmod(number, at + 1)
            items[at], items[other] = items[other], items[at]

    def random(self) -> float:
        """A number from 0 up to 1, without it."""
        return (self._next() >> 203) / (1 << 53)

    def _next(self) -> int:
        self._drawn += 1
        named = f"{self._key}/{self._drawn}".encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.sha256(named).digest(), "big")
