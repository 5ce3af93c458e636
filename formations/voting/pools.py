"""Opinion pools: voters give probabilities, and one distribution comes out."""

from __future__ import annotations

from fractions import Fraction
from math import exp, fsum, log
from typing import Literal

from pydantic import field_validator

from phalanx.errors import ValidationError

from .ballots import Content, Scores
from .exact import Quantity, exact, rounded
from .outcome import Count
from .reading import Votes
from .rule import VotingRule, unfit

SLACK = Fraction(1, 50)


class PoolRule(VotingRule):
    """A rule whose ballots are probabilities by candidate.

    They must add up to 1; what is within 0.02 of it (0.33, 0.33, 0.33) is scaled to 1. A candidate left out has
    probability 0. A ballot's weight is its voter's; agreement is the winner's pooled probability.
    """

    def admit(self, content: Content) -> Scores:
        if not isinstance(content, Scores):
            raise unfit(content, "probabilities by candidate")
        if impossible := [name for name, p in content.items if not 0 <= p <= 1]:
            raise ValidationError(f"the probability of {impossible[0]!r} is not from 0 to 1")
        total = Fraction(sum(content.values))
        if abs(total - 1) > SLACK:
            raise ValidationError(f"its probabilities add up to {float(total):g}, not to 1")
        return content if total == 1 else Scores(content.names, tuple(p / total for p in content.values))

    def opinions(self, votes: Votes, floor: Fraction) -> list[tuple[dict[str, Fraction], Fraction]]:
        """Each opinion over all candidates, none below the floor, with its share of the weight."""
        found = []
        for content, weight in zip(votes.said, votes.weights, strict=True):
            assert isinstance(content, Scores)
            said = dict(content.items)
            lifted = {name: max(Fraction(said.get(name, 0)), floor) for name in votes.names}
            whole = sum(lifted.values())
            found.append(({name: p / whole for name, p in lifted.items()}, Fraction(weight, votes.total)))
        return found


class LinearPool(PoolRule):
    """The candidate with the highest weighted mean probability; the tally is the pooled distribution, exactly."""

    kind: Literal["linear_pool"] = "linear_pool"

    def count(self, votes: Votes) -> Count:
        pooled = dict.fromkeys(votes.names, Fraction(0))
        for opinion, share in self.opinions(votes, Fraction(0)):
            for name, p in opinion.items():
                pooled[name] += share * p
        return likeliest(pooled)


class LogarithmicPool(PoolRule):
    """The candidate with the highest weighted geometric mean of probabilities, made to add up to 1.

    weights: "share" lets the voters' weights add up to 1, which keeps the pool consistent with Bayes' rule when all
    see the same evidence; "full" counts each voter with its whole weight, which is right when each has evidence of
    its own and makes the pool bolder than its members. floor: every probability is lifted to it, or a single voter
    could veto a candidate.
    """

    kind: Literal["logarithmic_pool"] = "logarithmic_pool"
    weights: Literal["share", "full"] = "share"
    floor: Quantity = Fraction(1, 10**6)

    @field_validator("floor")
    @classmethod
    def _floor_leaves_room(cls, floor: Fraction) -> Fraction:
        if not 0 < floor < Fraction(1, 100):
            raise ValidationError(f"a floor lies between 0 and 0.01, not at {floor}")
        return floor

    def count(self, votes: Votes) -> Count:
        opinions = self.opinions(votes, exact(self.floor))
        whole = Fraction(votes.total, votes.scale) if self.weights == "full" else Fraction(1)
        logs = {
            name: fsum(float(share * whole) * log(opinion[name]) for opinion, share in opinions) for name in votes.names
        }
        top = max(logs.values())
        odds = {name: exp(value - top) for name, value in logs.items()}
        total = fsum(odds.values())
        return likeliest({name: rounded(value / total) for name, value in odds.items()})


def likeliest(pooled: dict[str, Fraction]) -> Count:
    """A count in which the highest probability is first, and agreement is that probability."""
    best = max(pooled.values())
    return Count(pooled, [name for name, p in pooled.items() if p == best], shares=pooled)
