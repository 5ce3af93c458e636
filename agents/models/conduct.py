"""How a simulated member treats the answers of others: revises its own, judges between them, checks one."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .chance import Part, bits, dice, pick, uniform
from .knowledge import Mind, Question
from .reading import Shown

Revise = Callable[[str | None, Sequence[str], random.Random], str]


@dataclass(frozen=True)
class Conduct:
    """The rates of a member's behaviour, each a probability; `revise` replaces all of its revising.

    With revise_right c and revise_wrong e alone, accuracy follows a' = a + c (1 - a) - e a towards c / (c + e);
    with sycophancy alone, a vote neither gains nor loses (Choi et al. 2025, arXiv:2508.17536).
    """

    revise_right: float
    revise_wrong: float
    revise: Revise | None
    stubbornness: float
    sycophancy: float
    judge_skill: float
    position_bias: float
    verifier_sensitivity: float
    verifier_false_positive: float

    def revised(self, mind: Mind, question: Question, own: str, peers: Sequence[str], who: tuple[Part, ...]) -> str:
        """A member's next answer, after its own last one and those of its peers.

        With probability `stubbornness` nothing changes. Else with probability `sycophancy` it takes the answer that
        most of the group hold, itself included (a tie that it is part of changes nothing). Else a wrong answer
        becomes right with `revise_right`, a right one wrong with `revise_wrong`.
        """
        if self.revise is not None:
            return self.revise(own, tuple(peers), dice(*who, "revise"))
        if uniform(*who, "stubborn") < self.stubbornness:
            return own
        if (adopted := self.swayed(own, peers, who)) is not None:
            return adopted
        flip = uniform(*who, "flip")
        if own == question.gold:
            return mind.mistake(question, (*who, "flip")) if flip < self.revise_wrong else own
        return question.gold if flip < self.revise_right else own

    def swayed(self, own: str, peers: Sequence[str], who: tuple[Part, ...]) -> str | None:
        """The group's most frequent answer if the member gives in to it this time, else None."""
        if not peers or uniform(*who, "sway") >= self.sycophancy:
            return None
        tally = Counter([own, *peers])
        most = max(tally.values())
        leading = sorted(answer for answer, count in tally.items() if count == most)
        return own if own in leading else pick(leading, *who, "tie")

    def preferred(self, question: Question, candidates: Sequence[Shown], opinion: tuple[Part, ...]) -> Shown | None:
        """The candidate that a judge names; None when none can be read.

        With probability `position_bias` the first one shown. Else, where some are right and some wrong, a right one
        with probability `judge_skill`, otherwise a wrong one; which of several is drawn by what it says, not by its
        place. `opinion` is the key of the judge's view of the question: the same candidates in another order get the
        same verdict, but for the bias.
        """
        readable = [shown for shown in candidates if shown.answer is not None]
        if not readable:
            return None
        if uniform(*opinion, "position") < self.position_bias:
            return readable[0]
        right = [shown for shown in readable if shown.answer == question.gold]
        wrong = [shown for shown in readable if shown.answer != question.gold]
        if right and wrong:
            readable = right if uniform(*opinion, "judge") < self.judge_skill else wrong
        return min(readable, key=lambda shown: bits(*opinion, shown.text))

    def accepts(self, question: Question, answer: str | None, text: str, who: tuple[Part, ...]) -> bool:
        """Whether a verifier accepts an answer: a right one with its sensitivity, a wrong one as a false positive.

        The same text gets the same verdict each time it is shown to the same verifier in the same attempt.
        """
        rate = self.verifier_sensitivity if answer == question.gold else self.verifier_false_positive
        return answer is not None and uniform(*who, "verify", bits(text)) < rate
