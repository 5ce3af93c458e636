"""Rules for points and grades: cumulative, score (range), and median (majority judgement)."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, Self

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


def scores_in(votes: Votes) -> list[tuple[tuple[tuple[str, int | Fraction], ...], int]]:
    """Each distinct set of scores with its weight."""
    return [(group.content.items, group.weight) for group in votes.groups if isinstance(group.content, Scores)]


class Cumulative(ScoredRule):
    """The candidate with the most points; each voter has the same number of `points` and must spend them all."""

    kind: Literal["cumulative"] = "cumulative"
    points: Quantity = 10

    def check(self, scores: Scores) -> None:
        if least := [name for name, score in scores.items if score < 0]:
            raise ValidationError(f"it gives {least[0]!r} negative points")
        spent = sum(score for _, score in scores.items)
        if spent != exact(self.points):
            raise ValidationError(f"its points add up to {spent}, not to {exact(self.points)}")

    def count(self, votes: Votes) -> Count:
        sums: dict[str, int | Fraction] = dict.fromkeys(votes.names, 0)
        for scores, weight in scores_in(votes):
            for name, score in scores:
                sums[name] += score * weight
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

    def grades(self, votes: Votes) -> dict[str, dict[int | Fraction, int]]:
        """For each candidate somebody scored, the weight behind each score."""
        found: dict[str, dict[int | Fraction, int]] = {}
        for scores, weight in scores_in(votes):
            for name, score in scores:
                given = found.setdefault(name, {})
                given[score] = given.get(score, 0) + weight
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
        means = {
            name: Fraction(sum(score * weight for score, weight in given.items())) / sum(given.values())
            for name, given in self.grades(votes).items()
        }
        best = max(means.values(), default=None)
        return Count(means, [name for name, mean in means.items() if mean == best])


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
        breaks = {Fraction(0)}
        for given in graded.values():
            breaks |= {abs(half) for half in _halves(given)}
        values = {name: _outwards(given, sorted(breaks)[:-1]) for name, given in graded.items()}
        best = max(values.values())
        tally = {name: Fraction(value[0]) for name, value in values.items()}
        leaders = [name for name, value in values.items() if value == best]
        level = sum(median == best[0] for median in tally.values())
        notes = (
            [f"{level} candidates share the best median; the scores around it decided"] if level > len(leaders) else []
        )
        return Count(tally, leaders, notes)


def _halves(given: dict[int | Fraction, int]) -> list[Fraction]:
    """Where the sorted scores change, as the distance from the middle: -1/2 is the lowest end, 1/2 the highest."""
    total, reached, places = sum(given.values()), 0, []
    for grade in sorted(given):
        reached += given[grade]
        places.append(Fraction(reached, total) - Fraction(1, 2))
    return places


def _outwards(given: dict[int | Fraction, int], breaks: list[Fraction]) -> list[int | Fraction]:
    """The scores just below and just above the middle, then at each break further out."""
    grades = sorted(given)
    ends = _halves(given)
    found: list[int | Fraction] = []
    for distance in breaks:
        # Just beyond `distance` below the middle: the first end at or above -distance; above it: the first beyond.
        found.append(next(grade for grade, end in zip(grades, ends, strict=True) if end >= -distance))
        found.append(next(grade for grade, end in zip(grades, ends, strict=True) if end > distance))
    return found
