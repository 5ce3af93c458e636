"""Rules for points and grades: cumulative, score (range), and median (majority judgement)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import chain
from math import lcm
from typing import Literal, Self, cast

from pydantic import model_validator

from phalanx.errors import ValidationError

from .ballots import Content, Scores
from .exact import Quantity, Value, exact
from .outcome import Count
from .reading import Votes
from .rule import VotingRule, unfit


class ScoredRule(VotingRule):
    """A rule whose ballots give numbers to candidates."""

    def admit(self, content: Content) -> Scores:
        if isinstance(content, Scores):
            self.check(content)
            return content
        raise unfit(content, "scores")

    def check(self, scores: Scores) -> None:
        """Raise ValidationError for scores that this rule does not allow."""

    def preferred(self, content: Content) -> tuple[str, ...]:
        assert isinstance(content, Scores)
        return content.best


def columns(votes: Votes) -> Iterator[tuple[str, tuple[int | Fraction, ...], int]]:
    """Each candidate with scores it got and the weight behind each of them; a candidate may come several times."""
    alike: dict[tuple[tuple[str, ...], int], list[tuple[int | Fraction, ...]]] = {}
    for content, weight in zip(cast("list[Scores]", votes.said), votes.weights, strict=True):
        alike.setdefault((content.names, weight), []).append(content.values)
    for (names, weight), rows in alike.items():
        for name, column in zip(names, zip(*rows, strict=True), strict=True):
            yield name, column, weight


class Cumulative(ScoredRule):
    """The candidate with the most points; each voter has the same number of `points` and must spend them all."""

    kind: Literal["cumulative"] = "cumulative"
    points: Quantity = 10

    def check(self, scores: Scores) -> None:
        if least := [name for name, score in scores.items if score < 0]:
            raise ValidationError(f"it gives {least[0]!r} negative points")
        spent = sum(scores.values)
        if spent != exact(self.points):
            raise ValidationError(f"its points add up to {spent}, not to {exact(self.points)}")

    def fits(self, said: Collection[Content]) -> bool:
        if set(map(type, said)) != {Scores}:
            return False
        rows = [scores.values for scores in cast("Collection[Scores]", said)]
        return min(map(min, rows)) >= 0 and set(map(sum, rows)) == {exact(self.points)}

    def count(self, votes: Votes) -> Count:
        sums: dict[str, int | Fraction] = dict.fromkeys(votes.names, 0)
        for name, scores, weight in columns(votes):
            sums[name] += sum(scores) * weight
        best = max(sums.values())
        leaders = [name for name, total in sums.items() if total == best] if best else []
        return Count({name: Fraction(total) / votes.scale for name, total in sums.items()}, leaders)


class Graded(ScoredRule):
    """A rule whose scores lie between `low` and `high`.

    missing: a candidate that a ballot does not score is judged by the others alone ("ignore"), or gets the lowest
    score from it ("low"). A candidate that nobody scores cannot win.
    """

    low: Value = 0
    high: Value = 10
    missing: Literal["ignore", "low"] = "ignore"

    @model_validator(mode="after")
    def _low_is_below_high(self) -> Self:
        if exact(self.low) >= exact(self.high):
            raise ValidationError(f"scores go from low to high; {self.low} is not below {self.high}")
        return self

    def check(self, scores: Scores) -> None:
        low, high = exact(self.low), exact(self.high)
        for name, score in scores.items:
            if not low <= score <= high:
                raise ValidationError(f"it scores {name!r} {score}; scores go from {low} to {high}")

    def fits(self, said: Collection[Content]) -> bool:
        if set(map(type, said)) != {Scores}:
            return False
        given = set(chain.from_iterable([scores.values for scores in cast("Collection[Scores]", said)]))
        return exact(self.low) <= min(given) and max(given) <= exact(self.high)

    def grades(self, votes: Votes) -> dict[str, dict[int | Fraction, int]]:
        """For each candidate somebody scored, the weight behind each score."""
        found: dict[str, dict[int | Fraction, int]] = {}
        for name, scores, weight in columns(votes):
            given = found.setdefault(name, {})
            for score, times in Counter(scores).items():
                given[score] = given.get(score, 0) + weight * times
        if self.missing == "low":
            low = exact(self.low)
            for given in found.values():
                if silent := votes.total - sum(given.values()):
                    given[low] = given.get(low, 0) + silent
        return {name: given for name, given in found.items() if any(given.values())}


class Score(Graded):
    """The candidate with the highest mean score (range voting)."""

    kind: Literal["score"] = "score"

    def count(self, votes: Votes) -> Count:
        sums: dict[str, int | Fraction] = {}
        weights: dict[str, int] = {}
        for name, scores, weight in columns(votes):
            sums[name] = sums.get(name, 0) + sum(scores) * weight
            weights[name] = weights.get(name, 0) + len(scores) * weight
        if self.missing == "low":
            for name, weight in weights.items():
                sums[name] += exact(self.low) * (votes.total - weight)
                weights[name] = votes.total
        means = {name: Fraction(sums[name]) / weight for name, weight in weights.items() if weight}
        best = max(means.values(), default=None)
        return Count(means, sorted(name for name, mean in means.items() if mean == best))


class Median(Graded):
    """The candidate with the best median score (majority judgement): a few extreme voters cannot move it.

    Among equal medians, those closest to the middle on both sides decide, then the next, outwards (Balinski and
    Laraki 2007, doi 10.1073/pnas.0702634104). The tally is the lower median, so a decision may have a margin of 0.
    """

    kind: Literal["median"] = "median"

    def count(self, votes: Votes) -> Count:
        graded = self.grades(votes)
        if not graded:
            return Count({}, [])
        middles = _middles(graded)
        best = max(middles.values())
        tally = {name: Fraction(middle[0]) for name, middle in middles.items()}
        leaders = sorted(name for name, middle in middles.items() if middle == best)
        level = sum(median == best[0] for median in tally.values())
        notes = (
            [f"{level} candidates share the best median; the scores around it decided"] if level > len(leaders) else []
        )
        return Count(tally, leaders, notes)


def _middles(graded: Mapping[str, Mapping[int | Fraction, int]]) -> dict[str, list[int | Fraction]]:
    """For each candidate its scores just below and just above the middle, then at each place further out.

    Places are distances from the middle of the sorted scores at which some candidate's score changes, in units that
    make all of them whole.
    """
    whole = lcm(*(sum(given.values()) for given in graded.values()))
    steps = {name: _steps(given, whole) for name, given in graded.items()}
    places = sorted({0, *(abs(end) for ends in steps.values() for _, end in ends)})[:-1]
    return {name: _outwards(ends, places) for name, ends in steps.items()}


def _steps(given: Mapping[int | Fraction, int], whole: int) -> list[tuple[int | Fraction, int]]:
    """The scores, sorted, and where each ends: from -whole, the lowest end, to whole, the highest."""
    total, reached, ends = sum(given.values()), 0, []
    for grade in sorted(given):
        reached += given[grade]
        ends.append((grade, (2 * reached - total) * (whole // total)))
    return ends


def _outwards(steps: Sequence[tuple[int | Fraction, int]], places: Sequence[int]) -> list[int | Fraction]:
    """The scores just beyond each place, below the middle and above it."""
    below = sum(end < 0 for _, end in steps)  # the first that ends at the middle or above it
    above = sum(end <= 0 for _, end in steps)  # the first that ends above it
    found: list[int | Fraction] = []
    for place in places:
        while below and steps[below - 1][1] >= -place:
            below -= 1
        while steps[above][1] <= place:
            above += 1
        found += (steps[below][0], steps[above][0])
    return found
