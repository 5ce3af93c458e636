"""Rules that compare candidates two by two: Copeland, Schulze, ranked pairs, minimax.

A candidate who beats every other in a straight comparison (a Condorcet winner) wins under each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from .decision import shown
from .outcome import Count, Draw
from .ranked import RankedRule, rankings
from .reading import Votes

Margins = list[list[int]]


def margins(votes: Votes) -> Margins:
    """By how much weight the candidate of the row is ranked above the one of the column, more than the reverse.

    A whole row of sums is kept in one long integer, a field for each rival, so that a ballot costs two additions a
    candidate instead of one for each pair.
    """
    names = votes.names
    place = {name: at for at, name in enumerate(names)}
    bits = votes.total.bit_length()
    field = [1 << (bits * at) for at in range(len(names))]
    everybody = sum(field)
    rows = [0] * len(names)
    for ranking, weight in rankings(votes):
        below = everybody
        for name in ranking:
            at = place[name]
            below -= field[at]
            rows[at] += below if weight == 1 else below * weight
    mask = (1 << bits) - 1
    above = [[row >> (bits * at) & mask for at in range(len(names))] for row in rows]
    return [[above[x][y] - above[y][x] for y in range(len(names))] for x in range(len(names))]


class Copeland(RankedRule):
    """The candidate who wins the most comparisons, a draw counting half."""

    kind: Literal["copeland"] = "copeland"

    def count(self, votes: Votes) -> Count:
        halves = [sum((m > 0) - (m < 0) + 1 for m in row) - 1 for row in margins(votes)]
        return first(votes.names, [Fraction(score, 2) for score in halves])


class Minimax(RankedRule):
    """The candidate whose worst defeat is the smallest. The tally is minus that defeat's margin."""

    kind: Literal["minimax"] = "minimax"

    def count(self, votes: Votes) -> Count:
        size, table = range(len(votes.names)), margins(votes)
        worst = [max((table[y][x] for y in size if y != x), default=0) for x in size]
        return first(votes.names, [Fraction(-margin, votes.scale) for margin in worst])


class Schulze(RankedRule):
    """The candidate whom nobody beats along a chain of comparisons stronger than every chain back.

    Chains are as strong as their weakest margin (Schulze 2011, doi 10.1007/s00355-010-0475-4). The tally counts the
    rivals that do not beat a candidate.
    """

    kind: Literal["schulze"] = "schulze"

    def count(self, votes: Votes) -> Count:
        size = range(len(votes.names))
        path = [[margin if margin > 0 else 0 for margin in row] for row in margins(votes)]
        for via in size:
            onward = path[via]
            for row in path:
                reach = row[via]
                if reach:
                    for to in size:
                        strength = onward[to] if onward[to] < reach else reach
                        if strength > row[to]:
                            row[to] = strength
        unbeaten = [sum(path[y][x] <= path[x][y] for y in size if y != x) for x in size]
        return first(votes.names, [Fraction(score) for score in unbeaten])


class RankedPairs(RankedRule):
    """The candidate at the top when comparisons are locked in, strongest first, unless one would close a circle.

    Tideman 1987 (doi 10.1007/BF00433944). `ties` says how comparisons of equal strength are ordered: "seeded", by
    lot, one after the other; "together", all at once, leaving out those that would close a circle with each other or
    with stronger ones, which treats equals as equals. The tally counts the rivals that are not locked in above a
    candidate.
    """

    kind: Literal["ranked_pairs"] = "ranked_pairs"
    ties: Literal["seeded", "together"] = "seeded"

    def count(self, votes: Votes) -> Count:
        size, table = range(len(votes.names)), margins(votes)
        by_strength: dict[int, list[tuple[int, int]]] = {}
        for x in size:
            for y in size:
                if table[x][y] > 0:
                    by_strength.setdefault(table[x][y], []).append((x, y))
        below = [1 << x for x in size]  # below[x]: x itself and all that it is locked in above, as bits
        notes: list[str] = []
        for strength in sorted(by_strength, reverse=True):
            pairs = by_strength[strength]
            if len(pairs) == 1 or self.ties == "seeded":
                pairs = self._lot(pairs, strength, votes, below, notes)
                for x, y in pairs:
                    if not below[y] >> x & 1:
                        _lock(below, x, y)
            else:
                together = list(below)
                for x, y in pairs:
                    _lock(together, x, y)
                for x, y in pairs:
                    if not together[y] >> x & 1:
                        _lock(below, x, y)
        free = [sum(not below[y] >> x & 1 for y in size if y != x) for x in size]
        return first(votes.names, [Fraction(score) for score in free], notes)

    def _lot(
        self, pairs: list[tuple[int, int]], strength: int, votes: Votes, below: Sequence[int], notes: list[str]
    ) -> list[tuple[int, int]]:
        """The pairs in an order drawn by lot; noted where the order makes a difference."""
        open_pairs = [(x, y) for x, y in pairs if not below[y] >> x & 1]
        if len(open_pairs) < 2:
            return open_pairs
        together = list(below)
        for x, y in open_pairs:
            _lock(together, x, y)
        if not any(together[y] >> x & 1 for x, y in open_pairs):
            return open_pairs
        called = {f"{votes.names[x]}\x1e{votes.names[y]}": (x, y) for x, y in open_pairs}
        ordered = [called[pair] for pair in Draw(votes.seed).order(called, f"margin {strength}")]
        shown_pairs = ", ".join(f"{shown(votes.names[x])} over {shown(votes.names[y])}" for x, y in ordered[:3])
        notes.append(f"{len(ordered)} comparisons of equal strength were ordered by lot: {shown_pairs}")
        return ordered


def _lock(below: list[int], x: int, y: int) -> None:
    """Put x above y, and so everybody above x above everybody below y."""
    for above, reach in enumerate(below):
        if reach >> x & 1:
            below[above] = reach | below[y]


def first(names: Sequence[str], scores: Sequence[Fraction], notes: Sequence[str] = ()) -> Count:
    """A count in which the highest score is first."""
    best = max(scores)
    leaders = [name for name, score in zip(names, scores, strict=True) if score == best]
    return Count(dict(zip(names, scores, strict=True)), leaders, notes)
