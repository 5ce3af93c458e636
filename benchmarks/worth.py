"""What a result is worth: its answer's score, the expected score of a tie, and the worth of every round of a vote."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from phalanx.formations.base import Round
from phalanx.formations.count import undecided_text
from phalanx.teams.result import TeamResult

from .confidence import bids_in
from .record import Ballots
from .recorded import Recalled
from .rule_text import rule_text
from .score import Score
from .scoring import Scorer, score, score_tied
from .tasks import TaskItem


class Appraiser:
    """Scores answers to one item; the same text is scored once.

    scorer: what an answer is worth. item: the question. known: what texts were found to be worth before, which is
    added to.
    """

    def __init__(self, scorer: Scorer, item: TaskItem, known: dict[str, Score] | None = None) -> None:
        self.scorer, self.item = scorer, item
        self._known: dict[str, Score] = {} if known is None else known

    async def of(self, answer: str | None, tied: Sequence[str] = ()) -> Score:
        """The score of an answer; of several tied ones, that of a draw among them. Raises what the scorer raises."""
        if tied:
            if not self.scores_members:
                return await score_tied(self.scorer, tied, self.item)
            each = [await self._once(text) for text in tied]
            return await score_tied(lambda text, _: each[tied.index(text)], tied, self.item)
        return await score(self.scorer, None, self.item) if answer is None else await self._once(answer)

    async def ballots(self, result: TeamResult | Recalled) -> tuple[Ballots, ...]:
        """Every round with the worth of each member's answer and of the vote; () when scoring them would cost money.

        result: with the rounds.
        """
        if not self.scores_members or not result.rounds:
            return ()
        promised = bids_in(result)
        return tuple([await self._round(each, promised) for each in result.rounds])

    @property
    def scores_members(self) -> bool:
        """Whether members' own answers are scored too: not by a scorer with `asks_models`, which would be paid for."""
        return not getattr(self.scorer, "asks_models", False)

    async def _round(self, round: Round, promised: Mapping[str, float]) -> Ballots:
        worth = {name: (await self._once(text)).value for name, text in round.texts.items()}
        leaders = leaders_of(round)
        values = [worth[next(name for name, each in round.choices.items() if each == choice)] for choice in leaders]
        decided = math.fsum(values) / len(values) if values else 0.0
        stated = {name: promised[name] for name, choice in round.choices.items() if choice and name in promised}
        for name, ballot in zip(round.choices, round.ballots, strict=False):
            if ballot is not None and ballot.confidence is not None:
                stated[name] = ballot.confidence
        return Ballots(
            round=round.number, choices=dict(round.choices), worth=worth, decided=decided, rule=rule_text(round.rule),
            stated=stated,
        )  # fmt: skip

    async def _once(self, text: str) -> Score:
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = await score(self.scorer, text, self.item)
        return found


def leaders_of(round: Round) -> list[str]:
    """The choices that a vote of the round comes to: its winner, those tied, or the one alone in front.

    So the vote is worth what it would be worth as an answer. Where nothing was decided yet: those with the most votes.
    """
    if (decision := round.decision) is not None:
        if decision.winner is None and decision.status != "tie" and len(decision.leaders) != 1:
            return []
        choices = set(round.choices.values())
        first = decision.leaders if decision.winner is None else (decision.winner,)
        if found := [each for each in first if each in choices]:
            return found
    votes = Counter(choice for choice in round.choices.values() if choice is not None)
    return [choice for choice, count in votes.items() if count == max(votes.values())]


def gives_no_answer(text: str | None, result: TeamResult | Recalled) -> bool:
    """Whether a text is no answer but the words that nothing was decided, which speak of votes and not of the question.

    text: what a system said. result: what it said it in.
    """
    return result.decision is not None and text == undecided_text(result.decision)


def tied_answers(result: TeamResult | Recalled) -> tuple[str, ...]:
    """The full answers that share first place in a result that a tie left undecided; () for any other result."""
    decision = result.decision
    if result.status != "undecided" or decision is None or decision.status != "tie" or not result.rounds:
        return ()
    last = result.rounds[-1]
    authors = {choice: name for name, choice in reversed(list(last.choices.items())) if choice is not None}
    return tuple(last.texts[authors[choice]] for choice in decision.leaders if choice in authors)
