"""Who is dropped at a look: those shown to be worse, those tied and dearer, and then all but the best part."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from .search_record import Why
from .statistics.intervals import Estimate
from .statistics.sequential import always_valid, e_value_of
from .tasks import TaskItem


@dataclass(frozen=True)
class Drop:
    """Why a choice was dropped, for whom, and on what evidence (an e-value)."""

    why: Why
    against: str | None = None
    e_value: float | None = None


@dataclass(frozen=True)
class Units:
    """Independent units of the questions done so far: clusters, or the questions themselves.

    A unit counts by the sum of its questions over the size of the largest cluster there is, which is known before, so
    that the mean of what is compared is that of questions, and every value stays in −1..1. labels: of each question.
    largest: that size.
    """

    labels: Mapping[str, str]
    largest: int

    @classmethod
    def of(cls, items: Sequence[TaskItem]) -> Units:
        """Of all questions there will be."""
        labels = {item.id: f"item {item.id}" if item.cluster is None else item.cluster for item in items}
        return cls(labels, max(Counter(labels.values()).values()))

    def values(self, scores: Mapping[str, float]) -> list[float]:
        """What each unit counts, by the scores (or differences) of its questions."""
        sums: dict[str, float] = {}
        for item, score in scores.items():
            label = self.labels[item]
            sums[label] = sums.get(label, 0.0) + score
        return [total / self.largest for total in sums.values()]

    def interval(self, scores: Mapping[str, float], level: float) -> Estimate:
        """The mean over questions with an interval that holds at every look at once."""
        values = self.values(scores)
        found, scale = always_valid(values, level=level), len(values) * self.largest / len(scores)
        low, high = (None if end is None else end * scale for end in (found.low, found.high))
        return found.model_copy(
            update={
                "value": found.value * scale, "n": len(scores),
                "low": low if low is None else max(-1.0, low), "high": high if high is None else min(1.0, high),
                "clusters": None if self.largest == 1 else len(values),
            }
        )  # fmt: skip


@dataclass(frozen=True)
class Race:
    """The rule by which choices are dropped.

    units: of all development questions. alpha: the chance that the best choice is ever dropped as worse. opponents: how
    many others each choice had in the beginning; the e-value needed is opponents / alpha, for each of them gets its
    part of alpha and may be looked at as often as one likes (Ville's inequality). margin: the smallest difference that
    matters.
    """

    units: Units
    alpha: float
    opponents: int
    margin: float

    def drops(
        self, scores: Mapping[str, Mapping[str, float]], costs: Mapping[str, float], singles: Collection[str],
        keep: int, keep_singles: int,
    ) -> dict[str, Drop]:  # fmt: skip
        """Who is dropped now, given scores by choice and question, all of the same questions.

        costs: of each choice, in one unit. keep: how many formations go on at most; keep_singles: how many members
        alone; the best of these always goes on, for it is what a formation has to beat.
        """
        ranked = sorted(scores, key=lambda name: (-_mean(scores[name]), costs[name]))
        anchor = next(name for name in ranked if name in singles)
        found: dict[str, Drop] = {}
        for name in ranked:
            if name != anchor and (drop := self._worse(name, scores) or self._dearer(name, anchor, scores, costs)):
                found[name] = drop
        for group, most in ((False, keep), (True, keep_singles)):
            left = [name for name in ranked if (name in singles) is group and name not in found]
            if group:
                left.sort(key=lambda name: name != anchor)
            found |= {name: Drop("not among the best") for name in left[most:]}
        return found

    def _worse(self, name: str, scores: Mapping[str, Mapping[str, float]]) -> Drop | None:
        best: Drop | None = None
        for other in scores:
            gaps = _gaps(scores[other], scores[name])
            if math.fsum(gaps.values()) <= 0:
                continue
            wealth = e_value_of(self.units.values(gaps))
            if wealth >= self.opponents / self.alpha and (best is None or wealth > (best.e_value or 0)):
                best = Drop("worse", other, wealth)
        return best

    def _dearer(
        self, name: str, anchor: str, scores: Mapping[str, Mapping[str, float]], costs: Mapping[str, float]
    ) -> Drop | None:
        if costs[name] <= costs[anchor]:
            return None
        found = self.units.interval(_gaps(scores[name], scores[anchor]), 1 - self.alpha / self.opponents)
        if found.low is not None and found.high is not None and -self.margin <= found.low <= found.high <= self.margin:
            return Drop("tied and dearer", anchor)
        return None


def _gaps(a: Mapping[str, float], b: Mapping[str, float]) -> dict[str, float]:
    return {item: a[item] - b[item] for item in a}


def _mean(scores: Mapping[str, float]) -> float:
    return math.fsum(scores.values()) / len(scores)
