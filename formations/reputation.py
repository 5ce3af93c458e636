"""How far a member's promises are believed: a reputation made of what it promised and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from pydantic import Field

from phalanx.messages import Data

PRIOR = 2.0
"""How many kept promises of certainty everybody is credited with before anything is known of it."""


class Settlement(Data):
    """A promise that was settled.

    member: whose. task: what for. confidence: the probability of being right that it had promised. outcome: how right
    it was, from 0 to 1.
    """

    member: str
    task: str
    confidence: float = Field(ge=0, le=1)
    outcome: float = Field(ge=0, le=1)

    @property
    def loss(self) -> float:
        """The Brier score (1950): 0 for a certain promise kept, 1 for a certain promise broken."""
        return float((self.confidence - self.outcome) ** 2)


@dataclass
class Standing:
    """What is known of one member: how often it was settled, and the sums of its promises, outcomes and losses."""

    start: float = 1.0
    settled: int = 0
    promised: float = 0.0
    kept: float = 0.0
    lost: float = 0.0

    def add(self, settlement: Settlement) -> None:
        """Take a settlement into account."""
        self.settled += 1
        self.promised += settlement.confidence
        self.kept += settlement.outcome
        self.lost += settlement.loss

    @property
    def reputation(self) -> float:
        """How far its promises are believed: (kept / promised) · (1 - mean Brier loss), each from a prior, times the
        start.

        The first factor takes a promise back to what such promises were worth, so that over many settlements
        confidence times it is the member's true rate p whatever it promised; the second is a strictly proper score
        (Brier 1950; Gneiting and Raftery 2007, doi 10.1198/016214506000001437). Their product with a confidence c tends
        to p (1 - p (1 - p) - (c - p)²), which is largest for the truth, c = p.
        """
        calibration = (PRIOR + self.kept) / (PRIOR + self.promised)
        sharpness = 1.0 - self.lost / (PRIOR + self.settled)
        return self.start * calibration * sharpness


class _Known(Protocol):
    @property
    def value(self) -> object: ...


def standings(entries: Iterable[_Known], start: Mapping[str, float]) -> dict[str, Standing]:
    """What is known of each member that has a start or was ever settled.

    entries: settlements as they stand on a board. start: reputations to begin with, by member.
    """
    found = {name: Standing(value) for name, value in start.items()}
    for entry in entries:
        settlement = entry.value
        assert isinstance(settlement, Settlement)
        found.setdefault(settlement.member, Standing()).add(settlement)
    return found
