"""What each member brought to a result, from what was recorded of it: no model is asked anything again."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import log

from phalanx.errors import ValidationError
from phalanx.messages import Usage

from .base import Outcome, Round
from .contribution import Contribution, Contributions, Spread, Transitions
from .flips import Choices, common_names, flips
from .shapley import shapley
from .voting import Ballot, Decision, Equivalence, Rule
from .voting.exact import exact

Right = str | Callable[[str], float]
"""The right answer, or how right an answer is: a function of its text, from 0 to 1."""


def attribute(
    rounds: Sequence[Round],
    outcomes: Sequence[Outcome] = (),
    usage: Usage = Usage(),
    *,
    answer: str = "",
    right: Right | None = None,
    rule: Rule | None = None,
    equivalence: Equivalence | None = None,
    round: int = -1,
    samples: int = 400,
) -> Contributions:
    """What each member brought, by deciding the recorded ballots again without some of them.

    The game whose values are computed: a group of members is worth what its ballots alone decide. That is how right
    the decision is if `right` says so, and otherwise 1 if it is what was decided and 0 if not; a tie that only chance
    could part counts in equal parts, nobody's ballots for 0. Whoever is left out is not eligible either.

    rounds: the recorded rounds of votes. outcomes: the recorded askings. usage: what the run cost. answer: its text,
    graded where nothing was voted on. right: the right answer, or a function that grades an answer from 0 to 1. rule:
    what decides (default: the recorded rule). equivalence: how names of answers and the right one are compared.
    round: the place of the round whose ballots count (default: the last). samples: how many orders are drawn for more
    than ten voters; they come from the decision's seed.
    Raises ValidationError for a round that is not there or a grade that is not from 0 to 1.
    """
    how = Equivalence() if equivalence is None else equivalence
    grade = _grader(right, how)
    asked = list(dict.fromkeys(each.member for each in outcomes))
    notes: list[str] = []
    if not rounds:
        worth = None if grade is None else grade(answer)
        members = [Contribution(member=name, usage=_spent(name, outcomes)) for name in asked]
        notes.append("nothing was voted on, so no member's part in the answer is known")
        return Contributions(
            members=tuple(members), worth=worth, is_graded=grade is not None, usage=usage, notes=tuple(notes)
        )
    if not -len(rounds) <= round < len(rounds):
        raise ValidationError(f"round={round}: there are {len(rounds)} rounds of votes, 0 to {len(rounds) - 1}")
    counted = rounds[round]
    ballots = _ballots(counted)
    used = rule if rule is not None else counted.rule
    choices = common_names(rounds, how)
    changed = flips(rounds, choices, outcomes)
    if grade is not None:
        changed = [
            flip.model_copy(update={"gain": _worth(flip.after, grade) - _worth(flip.before, grade)}) for flip in changed
        ]
    game = _game(counted, ballots, used, grade, notes)
    values: list[tuple[Fraction, float]] = []
    if game is not None:
        values = shapley(len(ballots), game.worth, samples=samples, seed=str(game.recorded.seed))
    worth = None if game is None else game.worth(game.everybody)
    if worth is None and grade is not None and counted.decision is not None:
        worth = _credit(counted.decision, grade)
    members = []
    everyone = [*ballots, *(name for name in asked if name not in ballots)]
    for at, name in enumerate(everyone):
        last = counted.choices.get(name)
        mine: dict[str, object] = {}
        if game is not None and at < len(values):
            rest = game.everybody & ~(1 << at)
            mine = {
                "without": game.decide(rest).winner, "shapley": values[at][0], "standard_error": values[at][1],
                "leave_one_out": game.worth(game.everybody) - game.worth(rest),
            }  # fmt: skip
        chances, conformed = _conformity(name, choices)
        members.append(
            Contribution(
                member=name, first=choices[0].get(name), last=last,
                worth=None if grade is None or name not in ballots else _worth(last, grade),
                flips=sum(flip.member == name for flip in changed),
                persuaded=sum((Fraction(1, len(flip.by)) for flip in changed if name in flip.by), Fraction(0)),
                chances=chances, conformed=conformed, usage=_spent(name, outcomes), **mine,  # type: ignore[arg-type]
            )
        )  # fmt: skip
    return Contributions(
        members=tuple(members), worth=worth,
        is_graded=grade is not None, flips=tuple(changed),
        spread=tuple(_spread(each.number, names) for each, names in zip(rounds, choices, strict=True)),
        transitions=None if grade is None else _transitions(choices, grade),
        effective_votes=_effective(ballots.values(), used), usage=usage, notes=tuple(notes),
    )  # fmt: skip


Grade = Callable[[str], Fraction]


@dataclass
class _Game:
    """A group of voters is worth what its ballots decide."""

    ballots: Sequence[Ballot | None]
    rule: Rule
    recorded: Decision
    grade: Grade

    def __post_init__(self) -> None:
        self.everybody = 2 ** len(self.ballots) - 1

    def decide(self, group: int) -> Decision:
        """What the ballots of a group decide."""
        inside = [each for at, each in enumerate(self.ballots) if group >> at & 1]
        # Those who gave no answer at all stay eligible; nobody can tell what they would have said.
        eligible = max(self.recorded.eligible - len(self.ballots) + len(inside), len(inside))
        return self.rule.decide(inside, seed=self.recorded.seed, eligible=eligible)

    def worth(self, group: int) -> Fraction:
        """What that is worth."""
        if not group:
            return Fraction(0)
        return _credit(self.decide(group), self.grade)


def _credit(decision: Decision, grade: Grade) -> Fraction:
    """What a decision is worth; what only chance could part counts in equal parts."""
    if decision.level and decision.fallback is None:
        return sum((grade(name) for name in decision.level), Fraction(0)) / len(decision.level)
    return Fraction(0) if decision.winner is None else grade(decision.winner)


def _game(
    counted: Round, ballots: Mapping[str, Ballot | None], rule: Rule | None, grade: Grade | None, notes: list[str]
) -> _Game | None:
    """The game of a round; None, with a note that says why, where it cannot be played."""
    recorded = counted.decision
    if recorded is None:
        notes.append(f"what round {counted.number} decided was not recorded, so no member's part in it is known")
        return None
    if recorded.fallback is not None:
        notes.append(f"{recorded.fallback.by} settled it and not the ballots, so no member's part in it is known")
        return None
    if rule is None:
        notes.append("the rule that decided was not recorded, so no member's part in it is known; give rule=…")
        return None
    if grade is None and recorded.winner is None:
        notes.append("nothing was decided, so no member's part in it is known; give right=… to grade the votes")
        return None
    if grade is None:
        winner = recorded.winner

        def agrees(name: str) -> Fraction:
            return Fraction(name == winner)

        grade = agrees
    game = _Game(list(ballots.values()), rule, recorded, grade)
    again = game.decide(game.everybody)
    if (again.status, again.winner) != (recorded.status, recorded.winner):
        notes.append(
            f"the ballots decided again by {again.rule or type(rule).__name__} come to {again.winner or again.status}, "
            f"not to {recorded.winner or recorded.status} as recorded, so no member's part in it is known; "
            "give the rule= that decided"
        )
        return None
    return game


def _ballots(counted: Round) -> dict[str, Ballot | None]:
    """The ballots of a round by voter, in seat order; what was counted, where no ballots were recorded."""
    if len(counted.ballots) == len(counted.choices):
        return dict(zip(counted.choices, counted.ballots, strict=True))
    return {name: None if each is None else Ballot(each, voter=name) for name, each in counted.choices.items()}


def _grader(right: Right | None, equivalence: Equivalence) -> Grade | None:
    if right is not None and not isinstance(right, str) and not callable(right):
        raise ValidationError(f"right={right!r} is neither text nor a function; write right='{right}'")
    if right is None:
        return None
    known: dict[str, Fraction] = {}

    def grade(text: str) -> Fraction:
        if text not in known:
            if isinstance(right, str):
                known[text] = Fraction(equivalence.same(text, right))
            else:
                known[text] = exact(_as_number(right(text)))
            if not 0 <= known[text] <= 1:
                raise ValidationError(f"right= graded {text!r} as {float(known[text]):g}; a grade is from 0 to 1")
        return known[text]

    return grade


def _as_number(given: object) -> float:
    if isinstance(given, bool | int | float):
        return float(given)
    raise ValidationError(f"right= must give a number from 0 to 1, or True or False, not {given!r}")


def _worth(choice: str | None, grade: Grade) -> Fraction:
    return Fraction(0) if choice is None else grade(choice)


def _spent(member: str, outcomes: Sequence[Outcome]) -> Usage:
    return sum((each.usage for each in outcomes if each.member == member), Usage())


def _conformity(member: str, choices: Sequence[Choices]) -> tuple[int, int]:
    """How often a member voted against a round's plurality, and how often it had gone over to it in the next."""
    chances = conformed = 0
    for before, after in itertools.pairwise(choices):
        first, second = (*Counter(each for each in before.values() if each is not None).most_common(2), None, None)[:2]
        if first is None or (second is not None and second[1] == first[1]):
            continue  # nobody is alone in front
        mine, then = before.get(member), after.get(member)
        if mine is not None and then is not None and mine != first[0]:
            chances += 1
            conformed += then == first[0]
    return chances, conformed


def _spread(number: int, choices: Choices) -> Spread:
    sizes = Counter(each for each in choices.values() if each is not None)
    cast = sum(sizes.values())
    if not cast:
        return Spread(round=number, cast=0, classes=0, entropy=None, redundancy=None)
    entropy = max(0.0, -sum(size / cast * log(size / cast) for size in sizes.values()))
    return Spread(
        round=number, cast=cast, classes=len(sizes), entropy=entropy, redundancy=1 - Fraction(len(sizes), cast)
    )


def _transitions(choices: Sequence[Choices], grade: Grade) -> Transitions:
    cells: Counter[str] = Counter()
    for before, after in itertools.pairwise(choices):
        for name in before:
            if name in after:
                was, now = (2 * _worth(each[name], grade) >= 1 for each in (before, after))
                cells[f"{'right' if was else 'wrong'}_{'right' if now else 'wrong'}"] += 1
    return Transitions(**cells)


def _effective(ballots: Iterable[Ballot | None], rule: Rule | None) -> Fraction | None:
    """Kish's effective number of the ballots cast, by their weights; None without a weight."""
    weigh: Callable[[Ballot], Fraction] = getattr(rule, "weigh", lambda ballot: ballot.weight)
    weights = [weigh(each) for each in ballots if each is not None]
    squares = sum(weight**2 for weight in weights)
    return Fraction(sum(weights) ** 2) / squares if squares else None
