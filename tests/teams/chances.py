"""Every way that a team's chances can fall, each with its probability, so that what it comes to is known exactly."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import anyio

from phalanx import AgentTeam, TeamResult
from phalanx.messages import Request
from phalanx.testing import FunctionModel

RIGHT, WRONG = "R", "W"
NAMES = tuple(f"m{at}" for at in range(9))

Chance = Callable[[str | None, Sequence[str]], Fraction]
"""How likely a member is right next: by its own last answer and all that its prompt shows, its own included."""


@dataclass(frozen=True)
class Course:
    """One way a discussion can go: how likely it is, and the answers of each round."""

    chance: Fraction
    rounds: tuple[tuple[str | None, ...], ...]
    result: TeamResult

    def right(self, round: int) -> Fraction:
        """The share of members who are right in a round; beyond the last one, in the last."""
        answers = self.rounds[min(round, len(self.rounds) - 1)]
        return Fraction(answers.count(RIGHT), len(answers))

    def vote(self, round: int) -> Fraction:
        """What the vote of a round is worth, a tie half."""
        share = self.right(round)
        return Fraction(1, 2) if share == Fraction(1, 2) else Fraction(share > Fraction(1, 2))


def shown(prompt: str) -> list[str]:
    """The answers that a prompt shows, in all rounds, the member's own included."""
    return re.findall(r"^Answer: ([RW])$", prompt, re.MULTILINE)


def courses(
    build: Callable[[FunctionModel], AgentTeam], members: int, asked: int, skill: Fraction, revise: Chance
) -> Iterator[Course]:
    """Run a team once for each way that its `asked` answers can fall, right or wrong.

    build: a team over a model, of so many `members`. skill: how likely a draft is right. revise: how likely a revision
    is.
    """
    for said in itertools.product((True, False), repeat=asked):
        model = _Fated(said, skill, revise)
        result = anyio.run(build(model).run, "Which?")
        assert model.used == asked
        rounds = tuple(tuple(round.choices[name] for name in NAMES[:members]) for round in result.rounds)
        yield Course(model.chance, rounds, result)


def mean(found: Sequence[Course], worth: Callable[[Course], Fraction]) -> Fraction:
    """What something is worth on average over all courses, exactly."""
    assert sum(each.chance for each in found) == 1
    return sum((each.chance * worth(each) for each in found), Fraction(0))


class _Fated(FunctionModel):
    def __init__(self, said: Sequence[bool], skill: Fraction, revise: Chance) -> None:
        super().__init__(self._answer, name="offline/fated")
        self._said, self._skill, self._revise = said, skill, revise
        self._own: dict[str, str] = {}
        self.used, self.chance = 0, Fraction(1)

    def _answer(self, request: Request) -> str:
        about = request.about
        likely = self._skill
        if about.round > 0:
            likely = self._revise(self._own[about.member], shown(request.messages[-1].content))
        right = self._said[self.used]
        self.used += 1
        self.chance *= likely if right else 1 - likely
        self._own[about.member] = RIGHT if right else WRONG
        return f"{about.member} in round {about.round} says so.\nAnswer: {self._own[about.member]}"


# -- what theory says ----------------------------------------------------------------------------------------------


def chain(
    members: int, skill: Fraction, rounds: int, keeps: Callable[[int], Fraction], gains: Callable[[int], Fraction]
) -> list[list[Fraction]]:
    """The probability of each number of right members in each round, where revision depends on that number alone.

    keeps, gains: how likely one who is right stays so, and one who is wrong becomes so, by how many are right. Row k
    of the chain is the convolution of Bin(k, keeps(k)) with Bin(members - k, gains(k)).
    """
    found = [[_binomial(members, k, skill) for k in range(members + 1)]]
    for _ in range(rounds):
        after = [Fraction(0)] * (members + 1)
        for k, chance in enumerate(found[-1]):
            for kept in range(k + 1):
                for gained in range(members - k + 1):
                    after[kept + gained] += (
                        chance * _binomial(k, kept, keeps(k)) * _binomial(members - k, gained, gains(k))
                    )
        found.append(after)
    return found


def urn(members: int, skill: Fraction, size: int, rounds: int) -> list[tuple[Fraction, Fraction]]:
    """E[p(1-p)] and the worth of the vote in each round where all draw from one urn and put back what they drew.

    skill: the share of right balls in it at first. size: how many balls. A round draws `members` times from the urn
    as it is, and then adds a ball of the colour of each draw.
    """
    state = {Fraction(skill) * size: Fraction(1)}
    found = []
    for round in range(rounds + 1):
        total = size + round * members
        spread = vote = Fraction(0)
        after: dict[Fraction, Fraction] = {}
        for balls, chance in state.items():
            p = balls / total
            spread += chance * p * (1 - p)
            for k in range(members + 1):
                drawn = chance * _binomial(members, k, p)
                vote += drawn * (Fraction(1, 2) if 2 * k == members else Fraction(2 * k > members))
                after[balls + k] = after.get(balls + k, Fraction(0)) + drawn
        found.append((spread, vote))
        state = after
    return found


def accuracy(counts: Sequence[Fraction]) -> Fraction:
    """The share of right members, given how likely each number of them is."""
    return sum((chance * Fraction(k, len(counts) - 1) for k, chance in enumerate(counts)), Fraction(0))


def voted(counts: Sequence[Fraction]) -> Fraction:
    """How often the vote is right, ties half, given how likely each number of right members is."""
    half = Fraction(len(counts) - 1, 2)
    return sum((chance * (Fraction(1, 2) if k == half else Fraction(k > half)) for k, chance in enumerate(counts)),
               Fraction(0))  # fmt: skip


def _binomial(n: int, k: int, p: Fraction) -> Fraction:
    return math.comb(n, k) * p**k * (1 - p) ** (n - k)
