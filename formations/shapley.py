"""What each player brings to a game: the Shapley value, exactly for few players and from drawn orders for many."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from math import factorial, sqrt

from phalanx.errors import ValidationError

EXACT = 10
"""The most players whose values are computed exactly: a game of n has 2^n coalitions."""


def shapley(
    players: int, worth: Callable[[int], Fraction], *, samples: int = 400, seed: str = ""
) -> list[tuple[Fraction, float]]:
    """Each player's value and its standard error (0.0 when it is exact).

    The average of what a player adds to those before it, over all orders of the players (Shapley 1953, "A value for
    n-person games"). Up to ten players by all coalitions; more by `samples` drawn orders (Castro, Gómez, Tejada 2009,
    doi 10.1016/j.cor.2008.04.004). Either way the values add up to the worth of all minus that of nobody.

    players: how many. worth: what a coalition is worth, as the sum of 2 to the power of each player's place; it is
    asked once for each coalition. seed: what the orders are drawn from.
    Raises ValidationError for fewer than two orders.
    """
    known = cache(worth)
    if players <= EXACT:
        return [(value, 0.0) for value in _exact(players, known)]
    if samples < 2:
        raise ValidationError(f"samples={samples} gives no standard error; draw at least 2 orders")
    return _drawn(players, known, samples, seed)


def _exact(players: int, worth: Callable[[int], Fraction]) -> list[Fraction]:
    values = [Fraction(0)] * players
    whole = factorial(players)
    for coalition in range(2**players):
        size = coalition.bit_count()
        if size == players:
            continue
        share = Fraction(factorial(size) * factorial(players - size - 1), whole)
        for player in range(players):
            if not coalition >> player & 1:
                values[player] += share * (worth(coalition | 1 << player) - worth(coalition))
    return values


def _drawn(players: int, worth: Callable[[int], Fraction], samples: int, seed: str) -> list[tuple[Fraction, float]]:
    chance = random.Random(f"{seed}/shapley")
    order = list(range(players))
    sums, squares = [Fraction(0)] * players, [0.0] * players
    for _ in range(samples):
        chance.shuffle(order)
        coalition, before = 0, worth(0)
        for player in order:
            coalition |= 1 << player
            after = worth(coalition)
            sums[player] += after - before
            squares[player] += float(after - before) ** 2
            before = after
    found = []
    for total, square in zip(sums, squares, strict=True):
        mean = total / samples
        spread = max(0.0, square - samples * float(mean) ** 2) / (samples - 1)
        found.append((mean, sqrt(spread / samples)))
    return found
