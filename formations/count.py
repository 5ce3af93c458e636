"""From what members wrote to a decision: read each answer, merge equal ones, count by a rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .base import Outcome
from .stated import answered, confidence, is_text, said, typed
from .voting import Ballot, BucketedConfidence, Decision, Equivalence, Rule


@dataclass(frozen=True, slots=True)
class Counted:
    """A count of answers.

    outcomes: the answers that were read, by member. choices: what each member's answer was counted as: the
    representative of its class; None is an abstention. decision: what the rule made of it. rule: that rule. ballots:
    what it was given, in the order of the choices. sure: how sure members said they are, of those that said it.
    """

    outcomes: Mapping[str, Outcome]
    choices: Mapping[str, str | None]
    decision: Decision
    rule: Rule | None = None
    ballots: tuple[Ballot | None, ...] = ()
    sure: Mapping[str, float] = field(default_factory=dict)

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
        return said(self.outcomes[self.author_of(choice)])

    def output_of(self, choice: str) -> object:
        """What that member answered as the validated object of its own type; None when it has none."""
        return typed(self.outcomes[self.author_of(choice)])


def count(
    outcomes: Sequence[Outcome],
    rule: Rule,
    equivalence: Equivalence,
    *,
    eligible: int,
    seed: int,
    sure: Mapping[str, float] | None = None,
    read: dict[str | None, str | None] | None = None,
) -> Counted:
    """Read, merge and count answers; an answer that cannot be read abstains.

    outcomes: one answer a member. rule, equivalence: what decides, and which answers are the same. eligible: how many
    may vote, those who gave no answer included. seed: what chance is drawn from. sure: how sure members said they
    are, besides what typed answers state. read: what texts were read as before, which is added to.
    """
    chosen = choices_of(outcomes, equivalence, {} if read is None else read)
    choices: dict[str, str | None] = {}
    by_name: dict[str, Outcome] = {}
    known: dict[str, float] = {}
    for outcome, choice in zip(outcomes, chosen, strict=True):
        name = outcome.member
        choices[name], by_name[name] = choice, outcome
        if not is_text(outcome) and (told := confidence(outcome)) is not None:
            known[name] = told
    known.update(sure or {})
    ballots = tuple(ballots_for(by_name, choices, known, rule))
    decision = rule.decide(ballots, seed=seed, eligible=eligible)
    return Counted(by_name, choices, decision, rule, ballots, known)


def choices_of(
    outcomes: Sequence[Outcome], equivalence: Equivalence, read: dict[str | None, str | None]
) -> tuple[str | None, ...]:
    """What answers are counted as, in their order: the representative of the class of each; None is an abstention.

    outcomes: one answer a member. equivalence: which answers are the same. read: what texts were read as before,
    which is added to.
    """
    return equivalence.choices(read_all([answered(outcome) for outcome in outcomes], equivalence, read))


def read_all(
    texts: Sequence[str | None], equivalence: Equivalence, read: dict[str | None, str | None]
) -> list[str | None]:
    """What texts are read as, in their order. Each is read once, however many wrote it and however often it is counted.

    texts: those of answers; None is a blank one. equivalence: how they are read. read: what texts were read as before,
    which is added to.
    """
    found = []
    for text in texts:
        if text not in read:
            read[text] = equivalence.read(text)
        found.append(read[text])
    return found


def ballots_of(counted: Counted) -> list[Ballot | None]:
    """The ballots that were counted, in seat order."""
    return list(counted.ballots)


def ballots_for(
    outcomes: Mapping[str, Outcome],
    choices: Mapping[str, str | None],
    sure: Mapping[str, float],
    rule: Rule,
) -> list[Ballot | None]:
    """A ballot for each of the `choices`, in their order; None abstains.

    outcomes: the answers that were counted as these. sure: how sure they say they are. rule: what is to count them.
    """
    # Who does not say how sure it is has no ballot that can be weighed by it.
    silent = isinstance(rule, BucketedConfidence)
    return [
        None
        if choice is None or (silent and name not in sure)
        else Ballot.of(choice, voter=name, text=said(outcomes[name]), confidence=sure.get(name))
        for name, choice in choices.items()
    ]


def undecided_text(decision: Decision) -> str:
    """What to say when nothing was decided and nobody is alone in front."""
    return f"No decision: {decision.explanation}"
