"""Blind drafts, counted; while they do not agree, solutions are exchanged and improved."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field, StrictFloat, StrictInt

from phalanx.agents.prompts import fenced_all, label
from phalanx.agents.task import Task
from phalanx.errors import ValidationError

from .base import Answer, Member, Outcome
from .chance import Chance
from .count import Counted
from .discussion import Discussion
from .rounds import Deliberation
from .rule_field import RuleField
from .stated import said
from .team_run import TeamRun
from .views import Shown, cut
from .voting import Majority, Plurality, Rule
from .voting.composed import JudgeDecides, parts_of


class Consensus(Deliberation):
    """Members answer unseen; equal answers are merged and counted; without agreement they see each other's solutions.

    min_agreement: how many members must agree, as a number, or what part of the ballots cast (0.75); default: more
    than half. rule: another rule than plurality with that agreement. exchange: "solutions" (the set of all answers
    proposed so far, by anybody, each once; Kaesberg et al. 2025) or "messages" (each one's own and its peers' full
    answers; only these can have a topology). rounds: of exchange, stopping as soon as there is agreement. Without
    agreement in the end the status is "undecided" and the text that of the plurality, if there is one.
    """

    kind: Literal["consensus"] = "consensus"
    min_agreement: StrictInt | StrictFloat | None = None
    rule: RuleField = None
    exchange: Literal["solutions", "messages"] = "solutions"
    rounds: int = Field(default=2, ge=0)
    early: bool = True

    summary: ClassVar[str] = "blind answers are counted; without agreement, solutions are exchanged and improved"
    calls: ClassVar[str] = "n * (1 + rounds)"
    least: ClassVar[int] = 2

    def check(self, members: Sequence[Member]) -> None:
        super().check(members)
        free = sum(member.seat is None for member in members)
        agreement = self.min_agreement
        if agreement is not None and self.rule is not None:
            raise ValidationError("give min_agreement=… or rule=…, not both: a rule has a min_agreement of its own")
        if self.exchange == "solutions":
            given = [name for name in _MESSAGES_ONLY if getattr(self, name) != type(self).model_fields[name].default]
            given += ["view"] if self.view not in ("full", "answer") else []
            for name in given:
                raise ValidationError(
                    f"{name}={getattr(self, name)!r} has no meaning where everybody sees all solutions; "
                    "give it with exchange='messages'"
                )
        if any(isinstance(each, JudgeDecides) for each in parts_of(self.stop)):
            raise ValidationError("a consensus has no judges to ask; give another stop=, or a debate")
        if isinstance(agreement, int) and not 1 <= agreement <= free:
            raise ValidationError(
                f"min_agreement={agreement} cannot be reached by {free} members; it must be from 1 to {free}"
            )
        if isinstance(agreement, float) and not 0 < agreement <= 1:
            raise ValidationError(f"min_agreement={agreement} is no part of the ballots; write 0.75, or a whole number")

    def neighbours(self, seat: int, names: Sequence[str]) -> list[int]:
        if self.exchange == "solutions":
            return [at for at in range(len(names)) if at != seat]
        return super().neighbours(seat, names)

    def the_rule(self) -> Rule:
        """The rule that decides."""
        if self.rule is not None:
            rule: Rule = self.rule
            return rule
        if self.min_agreement is None:
            return _MORE_THAN_HALF
        return _agreed(self.min_agreement)

    def is_settled(self, counted: Counted) -> bool:
        return counted.decision.status == "decided"

    def _reads(self, name: str, names: Sequence[str], round: int) -> int:
        return round * len(names) if self.exchange == "solutions" else super()._reads(name, names, round)

    def revision(
        self,
        talk: Discussion,
        member: Member,
        latest: Mapping[str, Outcome],
        round: int,
        chance: Chance,
        instead: Sequence[Shown] | None,
    ) -> str:
        if self.exchange == "messages":
            return super().revision(talk, member, latest, round, chance, instead)
        return talk.run.prompts(
            "exchange", task=talk.text, solutions=self.solutions(talk, chance), contract=talk.contract
        )

    def solutions(self, talk: Discussion, chance: Chance) -> str:
        """All answers proposed so far as data: anonymous, in no order, each once, cut to the budget.

        talk: the discussion. chance: the member's own.
        """
        order = talk.proposed(self._proposals)
        chance.shuffle(order)
        return fenced_all((label(at), text) for at, text in enumerate(order))

    def _proposals(self, counted: Counted) -> Iterator[str]:
        for name, outcome in counted.outcomes.items():
            text = said(outcome) if self.view == "full" else counted.choices[name]
            if text is not None:
                yield cut(text, self.peer_tokens)

    async def __call__(self, run: TeamRun, task: Task, /) -> Answer:
        talk = await self.deliberate(run, task)
        return self.conclude(talk)


_MORE_THAN_HALF = Majority.model_construct(tie_break=())  # as it is validated, without building a validator


@functools.lru_cache(maxsize=64, typed=True)
def _agreed(by: int | float) -> Plurality:
    """Plurality with an agreement, which is asked for many times in a run."""
    return Plurality(min_agreement=by, tie_break=())


# What has no meaning where everybody sees all solutions: it is about who sees whose answers, and how.
_MESSAGES_ONLY = (
    "topology", "order", "blind", "show_counts", "memory", "rate", "keep", "groups", "view_tokens",
)  # fmt: skip
