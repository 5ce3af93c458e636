"""Rules that weigh voters: by what is known of their skill, or by how sure they say they are."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from math import log
from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from phalanx.errors import ValidationError

from .ballots import Ballot, RawBallot
from .counting import HeadCount
from .exact import exact, rounded
from .outcome import Count
from .reading import Votes


def log_odds(skill: float, options: int = 2, *, negative: bool = False) -> float:
    """The best weight of an independent voter who is right with probability `skill` among `options` answers.

    log((K-1) p / (1-p)), with p kept within [1/K + 0.01, 0.99] so that no voter counts less than nothing or decides
    alone; `negative` lets p go down to 0.01, so that who is usually wrong counts against what it says.
    Nitzan and Paroush 1982 (doi 10.2307/2526438). Raises ValidationError for a skill outside [0, 1] or under two
    options.
    """
    if not 0 <= skill <= 1:
        raise ValidationError(f"a skill is a probability from 0 to 1, not {skill}")
    if options < 2:
        raise ValidationError(f"a vote has at least 2 options, not {options}")
    low = 0.01 if negative else 1 / options + 0.01
    p = min(max(skill, low), 0.99)
    return log((options - 1) * p / (1 - p))


@lru_cache(maxsize=4096)
def _weight(skill: float, options: int, negative: bool) -> Fraction:
    return rounded(log_odds(skill, options, negative=negative))


class LogOdds(HeadCount):
    """The candidate with the most weight, each voter weighing the log-odds of its skill.

    skills: the probability of being right, by voter. unknown: the skill of a voter not listed (None: its ballot is
    invalid). options: how many answers there are to choose from. negative: whether those usually wrong count
    against what they vote for; agreement is then a share of all weight, for or against.
    """

    kind: Literal["log_odds"] = "log_odds"
    skills: dict[str, float] = Field(default_factory=dict)
    unknown: float | None = None
    options: int = 2
    negative: bool = False

    weighs: ClassVar[bool] = True

    @field_validator("skills")
    @classmethod
    def _sorted(cls, skills: Mapping[str, float]) -> dict[str, float]:
        return dict(sorted(skills.items()))

    @model_validator(mode="after")
    def _skills_are_probabilities(self) -> Self:
        for skill in (*self.skills.values(), *([] if self.unknown is None else [self.unknown])):
            log_odds(skill, self.options)
        return self

    def weigh(self, raw: RawBallot) -> Fraction:
        voter = raw.voter if isinstance(raw, Ballot) else None
        skill = self.unknown if voter is None else self.skills.get(voter, self.unknown)
        if skill is None:
            raise ValidationError(f"nothing is known of the skill of {voter or 'a voter without a name'}; set unknown=")
        return _times(_weight(skill, self.options, self.negative), super().weigh(raw))

    def count(self, votes: Votes) -> Count:
        weights = dict.fromkeys(votes.names, 0)
        for content, weight in zip(votes.said, votes.weights, strict=True):
            for name in self.preferred(content):
                weights[name] += weight
        best = max(weights.values())
        return Count(
            {name: Fraction(weight, votes.scale) for name, weight in weights.items()},
            [name for name, weight in weights.items() if weight == best],
            shares={name: Fraction(weight, votes.mass) for name, weight in weights.items()},
        )


class BucketedConfidence(HeadCount):
    """The candidate with the most weight, each voter weighing what its stated confidence is worth.

    Stated confidence is inflated, so it is counted in steps: 1 for certainty, 0.8 from 0.9, 0.5 from 0.8, 0.3 above
    0.6, else 0.1 (ReConcile: Chen et al. 2023, arXiv 2309.13007). A ballot without a confidence is invalid.
    """

    kind: Literal["bucketed_confidence"] = "bucketed_confidence"

    weighs: ClassVar[bool] = True

    def weigh(self, raw: RawBallot) -> Fraction:
        if not isinstance(raw, Ballot) or raw.confidence is None:
            raise ValidationError("it has no confidence; this rule counts Ballot(choice, confidence=…)")
        return _times(bucket(raw.confidence), raw.weight)


@lru_cache(maxsize=4096)
def bucket(confidence: float) -> Fraction:
    """What a stated confidence is worth."""
    sure = exact(confidence)
    if sure >= 1:
        return Fraction(1)
    if sure >= Fraction(9, 10):
        return Fraction(4, 5)
    if sure >= Fraction(4, 5):
        return Fraction(1, 2)
    return Fraction(3, 10) if sure > Fraction(3, 5) else Fraction(1, 10)


def _times(weight: Fraction, own: Fraction) -> Fraction:
    """The product; multiplying fractions is slow, and most ballots weigh one."""
    return weight if own.numerator == own.denominator else weight * own
