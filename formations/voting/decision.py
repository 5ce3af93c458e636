"""What a vote came to: a decision, a tie, too few voters, or too little agreement. Never a guess."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Protocol, Self

from pydantic import Field, model_validator

from phalanx.errors import ValidationError
from phalanx.messages import Data

from .ballots import Invalid, RawBallot
from .exact import Exact

Status = Literal["decided", "tie", "no_quorum", "no_agreement"]
Step = Literal["verifier", "leader", "confidence", "votes", "earliest", "random"]


@dataclass(frozen=True, slots=True)
class Dissent:
    """Those who wanted something else: what they put first, and who they are.

    preferred: their first choice (several, when they put several first). weight: how much they count together.
    ballots: their places among the ballots. voters, texts: their names and reasons, where they gave any.
    """

    preferred: tuple[str, ...]
    weight: Exact
    ballots: tuple[int, ...]
    voters: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()


class Fallback(Data):
    """A vote that did not decide was settled in another way: what it had come to, and who or what settled it."""

    status: Status
    by: str


class Decision(Data):
    """The outcome of a vote.

    status: "decided", "tie", "no_quorum" (too few voted) or "no_agreement" (nobody has the agreement or the margin
    asked for). winner: None unless decided. leaders: those in first place by the rule alone, before any tie-break.
    tally: each candidate's result in the rule's own units, best first. margin: first place's tally minus the
    second's (None: nobody voted). agreement: the share of the weight cast that has a leader on top. dissent: those
    who wanted someone else than the winner, or than the leaders when there is none.
    cast, abstained, eligible: how many ballots count, how many were given but do not, how many voters there are.
    invalid: the ballots among the abstained that could not be counted. seed: what chance was drawn from. tie_break:
    the step that decided a tie. level: those of the tied whom nothing but chance could part. fallback: how it was
    settled after the vote itself did not decide. rule: its kind. notes: where chance or a special case had a say
    before the last step. explanation: all of it in one sentence.
    """

    status: Status
    winner: str | None = None
    leaders: tuple[str, ...] = ()
    tally: dict[str, Exact] = Field(default_factory=dict)
    margin: Exact | None = None
    agreement: Exact | None = None
    dissent: tuple[Dissent, ...] = ()
    cast: int = 0
    abstained: int = 0
    eligible: int = 0
    invalid: tuple[Invalid, ...] = ()
    seed: int = 0
    tie_break: Step | None = None
    level: tuple[str, ...] = ()
    fallback: Fallback | None = None
    rule: str = ""
    notes: tuple[str, ...] = ()
    explanation: str = ""

    @model_validator(mode="after")
    def _winner_means_decided(self) -> Self:
        if (self.winner is not None) != (self.status == "decided"):
            raise ValidationError("a decision has a winner if and only if its status is 'decided'")
        return self

    @property
    def tied(self) -> tuple[str, ...]:
        """Those who shared first place by the rule alone, also when a tie-break then chose; empty without a tie."""
        return self.leaders if len(self.leaders) > 1 else ()

    def fall_back(self, winner: str, *, by: str) -> Decision:
        """This outcome settled in another way (`by`: "plurality", "judge", …); it keeps saying what the vote came to.

        Raises ValidationError when the vote had decided.
        """
        if self.status == "decided":
            raise ValidationError(f"the vote decided for {self.winner!r}; there is nothing to fall back from")
        reason = self.explanation.rstrip(".")
        return self.model_copy(
            update={
                "status": "decided",
                "winner": winner,
                "fallback": Fallback(status=self.status, by=by),
                "explanation": f"{reason}; {by} chose {shown(winner)}.",
            }
        )

    def credit(self, right: str) -> Fraction:
        """What this outcome is worth when `right` is right: 1, 0, or 1/n for one of n that only chance could part.

        Counting a tie by its expected worth takes the luck of the draw out of a benchmark.
        """
        if self.fallback is None and self.level:
            return Fraction(self.level.count(right), len(self.level))
        return Fraction(self.winner == right)


class Rule(Protocol):
    """A way to decide: pure, the same ballots and seed always come to the same decision."""

    def decide(
        self,
        ballots: Sequence[RawBallot],
        *,
        seed: int = 0,
        eligible: int | None = None,
        candidates: Iterable[str] | None = None,
    ) -> Decision:
        """Decide.

        ballots: one a voter, None for an abstention. seed: what chance is drawn from, when chance is needed; give
        each question its own. eligible: how many may vote (default: as many as there are ballots). candidates: whom
        one may vote for (default: whoever is named). Raises ValidationError for an invalid ballot.
        """
        ...


def shown(name: str) -> str:
    """A candidate in a sentence: quoted, and cut when it is long."""
    line = " ".join(name.split())
    return repr(line if len(line) <= 60 else line[:59] + "…")


def listed(names: Sequence[str]) -> str:
    """Candidates in a sentence, at most five by name."""
    heads = [shown(name) for name in names[:5]]
    if len(names) > 5:
        return f"{', '.join(heads)} and {len(names) - 5} more"
    return " and ".join(filter(None, [", ".join(heads[:-1]), heads[-1]]))
