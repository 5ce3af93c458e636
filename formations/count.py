"""From what members wrote to a decision: read each answer, merge equal ones, count by a rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .base import Outcome
from .voting import Ballot, Decision, Equivalence, Rule


@dataclass(frozen=True, slots=True)
class Counted:
    """A count of answers.

    outcomes: the answers that were read, by member. choices: what each member's answer was counted as: the
    representative of its class; None is an abstention. decision: what the rule made of it. rule: that rule. ballots:
    what it was given, in the order of the choices.
    """

    outcomes: Mapping[str, Outcome]
    choices: Mapping[str, str | None]
    decision: Decision
    rule: Rule | None = None
    ballots: tuple[Ballot | None, ...] = ()

    @property
    def leader(self) -> str | None:
        """The choice that is alone in first place, decided or not; None when several share it."""
        leaders = self.decision.leaders
        return leaders[0] if len(leaders) == 1 else None

    def author_of(self, choice: str) -> str:
        """The first member, in seat order, whose answer was counted as this choice."""
        return next(name for name, each in self.choices.items() if each == choice)

    def text_of(self, choice: str) -> str:
        """The full answer of that member."""
        return self.outcomes[self.author_of(choice)].text


def count(outcomes: Sequence[Outcome], rule: Rule, equivalence: Equivalence, *, eligible: int, seed: int) -> Counted:
    """Read, merge and count answers; an answer that cannot be read abstains.

    outcomes: one answer a member. eligible: how many may vote, those who gave no answer included.
    """
    # Each text is read once, however many wrote it.
    said = {text: equivalence.read(text) for text in dict.fromkeys(outcome.text for outcome in outcomes)}
    partition = equivalence.classes([said[outcome.text] for outcome in outcomes])
    choices = dict(zip((outcome.member for outcome in outcomes), partition.choices, strict=True))
    read = {outcome.member: outcome for outcome in outcomes}
    ballots = _ballots(read, choices)
    decision = rule.decide(ballots, seed=seed, eligible=eligible)
    return Counted(read, choices, decision, rule, tuple(ballots))


def ballots_of(counted: Counted) -> list[Ballot | None]:
    """The ballots that were counted, in seat order."""
    return _ballots(counted.outcomes, counted.choices)


def _ballots(outcomes: Mapping[str, Outcome], choices: Mapping[str, str | None]) -> list[Ballot | None]:
    return [
        None if choice is None else Ballot(choice, voter=name, text=outcomes[name].text)
        for name, choice in choices.items()
    ]


def undecided_text(decision: Decision) -> str:
    """What to say when nothing was decided and nobody is alone in front."""
    return f"No decision: {decision.explanation}"
