"""Blind drafts, counted; while they do not agree, solutions are exchanged and improved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field, StrictFloat, StrictInt

from phalanx.agents.task import Task
from phalanx.errors import ValidationError

from .base import Answer, Member, Outcome
from .count import Counted, ballots_of, count
from .rounds import Deliberation, own_answer
from .rule_field import RuleField
from .team_run import TeamRun
from .voting import Majority, Plurality, Rule, VotingRule, cannot_change


class Consensus(Deliberation):
    """Members answer unseen; equal answers are merged and counted; without agreement they see each other's solutions.

    min_agreement: how many members must agree, as a number, or what part of the ballots cast (0.75); default: more
    than half. rule: another rule than plurality with that agreement. exchange: "solutions" (only the set of answers
    proposed so far, Kaesberg et al. 2025) or "messages" (each one's own and its peers' full answers). rounds: of
    exchange, stopping as soon as there is agreement. Without agreement in the end the status is "undecided" and the
    text that of the plurality, if there is one.
    """

    kind: Literal["consensus"] = "consensus"
    min_agreement: StrictInt | StrictFloat | None = None
    rule: RuleField = None
    exchange: Literal["solutions", "messages"] = "solutions"
    rounds: int = Field(default=2, ge=0)

    least: ClassVar[int] = 2

    def check(self, members: Sequence[Member]) -> None:
        super().check(members)
        free = sum(member.seat is None for member in members)
        agreement = self.min_agreement
        if agreement is not None and self.rule is not None:
            raise ValidationError("give min_agreement=… or rule=…, not both: a rule has a min_agreement of its own")
        if isinstance(agreement, int) and not 1 <= agreement <= free:
            raise ValidationError(
                f"min_agreement={agreement} cannot be reached by {free} members; it must be from 1 to {free}"
            )
        if isinstance(agreement, float) and not 0 < agreement <= 1:
            raise ValidationError(f"min_agreement={agreement} is no part of the ballots; write 0.75, or a whole number")

    def the_rule(self) -> Rule:
        """The rule that decides."""
        if self.rule is not None:
            rule: Rule = self.rule
            return rule
        if self.min_agreement is None:
            return Majority(tie_break=())
        return Plurality(min_agreement=self.min_agreement, tie_break=())

    def count(self, run: TeamRun, latest: Mapping[str, Outcome]) -> Counted:
        return count(list(latest.values()), self.the_rule(), self.equivalence, eligible=len(run.members), seed=run.seed)

    def is_settled(self, counted: Counted) -> bool:
        return counted.decision.status == "decided"

    def is_certain(self, run: TeamRun, latest: Mapping[str, Outcome]) -> bool:
        rule = self.the_rule()
        if len(latest) < self.needed(len(run.members)) or not isinstance(rule, VotingRule):
            return False
        counted = self.count(run, latest)
        if not self.is_settled(counted):
            return False
        out = len(run.members) - len(latest)
        return cannot_change(ballots_of(counted), out, rule, eligible=len(run.members))

    def revision(self, run: TeamRun, task: Task, own: Outcome | None, peers: Sequence[Outcome]) -> str:
        contract = run.prompts("answer_line")
        if self.exchange == "messages":
            return run.prompts(
                "revise", task=run.text(task), own=own_answer(own), peers=self.peers(peers, {}), contract=contract,
                stubbornness="Change your answer only for a reason you can name.",
            )  # fmt: skip
        everyone = [*peers, *([] if own is None else [own])]
        return run.prompts("exchange", task=run.text(task), solutions=self.peers(everyone, {}), contract=contract)

    async def __call__(self, run: TeamRun, task: Task, /) -> Answer:
        counted = await self.deliberate(run, task)
        answer = self.answer(counted)
        assert answer is not None
        return answer
