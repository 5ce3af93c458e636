"""Rules for rankings: Borda and instant runoff. Candidates left out of a ranking share its last place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Literal, cast

from .ballots import Content
from .decision import shown
from .outcome import Count, Draw
from .reading import Votes
from .rule import VotingRule, unfit

Pile = list[tuple[tuple[str, ...], int, int]]
"""Rankings, each with the place it was read to and its weight."""


class RankedRule(VotingRule):
    """A rule whose ballots are rankings, best first; a single choice ranks one."""

    def admit(self, content: Content) -> tuple[str, ...]:
        if isinstance(content, str):
            return (content,)
        if isinstance(content, tuple):
            return content
        raise unfit(content, "rankings")

    def fits(self, said: Collection[Content]) -> bool:
        return set(map(type, said)) <= {tuple}

    def preferred(self, content: Content) -> tuple[str, ...]:
        assert isinstance(content, tuple)
        return content[:1]


def rankings(votes: Votes) -> Iterable[tuple[tuple[str, ...], int]]:
    """Each ranking with its weight."""
    return zip(cast("list[tuple[str, ...]]", votes.said), votes.weights, strict=True)


class Borda(RankedRule):
    """The candidate with the most points: one from each ballot for every candidate it is ranked above.

    Those left out of a ballot share the points that remain, so nobody gains by leaving candidates out.
    """

    kind: Literal["borda"] = "borda"

    def count(self, votes: Votes) -> Count:
        halves = dict.fromkeys(votes.names, 0)
        last, names = len(votes.names) - 1, set(votes.names)
        for length, weight, listed in _alike(votes):
            # By columns: how often each stands first, second, ... is counted without a step for each ballot.
            for rank, column in enumerate(zip(*listed, strict=True)):
                for name, times in Counter(column).items():
                    halves[name] += 2 * (last - rank) * weight * times
            if length < last:
                for ranking in listed:
                    for name in names.difference(ranking):
                        halves[name] += (last - length) * weight
        best = max(halves.values())
        tally = {name: Fraction(points, 2 * votes.scale) for name, points in halves.items()}
        return Count(tally, [name for name, points in halves.items() if points == best])


def _alike(votes: Votes) -> Iterable[tuple[int, int, Sequence[tuple[str, ...]]]]:
    """The rankings of the same length and weight together, with both."""
    said = cast("list[tuple[str, ...]]", votes.said)
    lengths, weights = set(map(len, said)), set(votes.weights)
    if len(lengths) == len(weights) == 1:
        return [(lengths.pop(), weights.pop(), said)]
    alike: dict[tuple[int, int], list[tuple[str, ...]]] = {}
    for ranking, weight in zip(said, votes.weights, strict=True):
        alike.setdefault((len(ranking), weight), []).append(ranking)
    return [(length, weight, listed) for (length, weight), listed in alike.items()]


class InstantRunoff(RankedRule):
    """The candidate who is left when the one with the fewest first places is dropped, again and again.

    A dropped candidate's votes go to the next on each ballot. The count ends when one has more than half of the
    votes that are left, or all who are left have the same, which is a tie. `elimination` says who goes when several
    have the fewest: "previous", the one who had fewer the stage before, or before that, else one drawn by lot;
    "random", one drawn by lot; "all", all of them together, which treats equals as equals. The tally is each
    candidate's votes in the last stage it took part in.
    """

    kind: Literal["instant_runoff"] = "instant_runoff"
    elimination: Literal["previous", "random", "all"] = "previous"

    def count(self, votes: Votes) -> Count:
        standing = set(votes.names)
        # Who stands has the ballots on which it is the first to stand, and how far each of them was read.
        piles: dict[str, Pile] = {name: [] for name in votes.names}
        for ranking, weight in rankings(votes):
            piles[ranking[0]].append((ranking, 0, weight))
        stages: list[Mapping[str, int]] = []
        tally: dict[str, Fraction] = {}
        notes: list[str] = []
        while True:
            stage = {name: sum([weight for _, _, weight in piles[name]]) for name in sorted(standing)}
            stages.append(stage)
            tally |= {name: Fraction(weight, votes.scale) for name, weight in stage.items()}
            leading = [name for name, weight in stage.items() if 2 * weight > sum(stage.values())]
            fewest = min(stage.values())
            lowest = [name for name, weight in stage.items() if weight == fewest]
            if leading or len(lowest) == len(stage):
                return Count(tally, leading or lowest, notes)
            # Those whom nobody puts first pass nothing on: they can go together, without a lot.
            dropped = self._dropped(lowest, stages, votes.seed, notes) if fewest else lowest
            standing.difference_update(dropped)
            for name in dropped:
                for ranking, read, weight in piles.pop(name):
                    for at in range(read + 1, len(ranking)):
                        if ranking[at] in standing:
                            piles[ranking[at]].append((ranking, at, weight))
                            break

    def _dropped(
        self, lowest: Sequence[str], stages: Sequence[Mapping[str, int]], seed: int, notes: list[str]
    ) -> Sequence[str]:
        if self.elimination == "all" or len(lowest) == 1:
            return lowest
        left = list(lowest)
        if self.elimination == "previous":
            for stage in reversed(stages[:-1]):
                fewest = min(stage[name] for name in left)
                left = [name for name in left if stage[name] == fewest]
        if len(left) > 1:
            left = Draw(seed).order(left, f"stage {len(stages)}")[:1]
            notes.append(f"{shown(left[0])} was dropped by lot in stage {len(stages)}")
        return left
