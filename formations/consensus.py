"""Blind drafts, counted; while they do not agree, solutions are exchanged and improved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import ClassVar, Literal

from pydantic import Field, StrictFloat, StrictInt

from phalanx.agents.prompts import fenced_all, label
from phalanx.agents.task import Task
from phalanx.errors import ValidationError

from .base import Answer, Asking, Member, Outcome
from .count import Counted, ballots_of, count
from .rounds import Deliberation, Seen, cut, own_answer
from .rule_field import RuleField
from .team_run import TeamRun
from .voting import Approval, Majority, Plurality, Rule, Unanimity, VotingRule, cannot_change
from .voting.counting import HeadCount


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

    summary: ClassVar[str] = "blind answers are counted; without agreement, solutions are exchanged and improved"
    calls: ClassVar[str] = "n * (1 + rounds)"
    least: ClassVar[int] = 2

    def check(self, members: Sequence[Member]) -> None:
        super().check(members)
        free = sum(member.seat is None for member in members)
        agreement = self.min_agreement
        if agreement is not None and self.rule is not None:
            raise ValidationError("give min_agreement=… or rule=…, not both: a rule has a min_agreement of its own")
        if self.topology != "auto" and self.exchange == "solutions":
            raise ValidationError(
                f"topology={self.topology!r} has no meaning where everybody sees all solutions; "
                "give it with exchange='messages'"
            )
        if isinstance(agreement, int) and not 1 <= agreement <= free:
            raise ValidationError(
                f"min_agreement={agreement} cannot be reached by {free} members; it must be from 1 to {free}"
            )
        if isinstance(agreement, float) and not 0 < agreement <= 1:
            raise ValidationError(f"min_agreement={agreement} is no part of the ballots; write 0.75, or a whole number")

    def neighbours(self, seat: int, members: int) -> list[int]:
        if self.exchange == "solutions":
            return [at for at in range(members) if at != seat]
        return super().neighbours(seat, members)

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

    def lacking(self, run: TeamRun, latest: Mapping[str, Outcome]) -> int:
        members, answered, rule = len(run.members), len(latest), self.the_rule()
        if not isinstance(rule, HeadCount | Approval):
            return members  # no certainty before the last answer
        least = max(self.needed(members), _least(rule, members))
        if answered < least:
            return least - answered
        counted = self.count(run, latest)
        out = members - answered
        ballots = ballots_of(counted)
        sizes = [size for _, size in Counter(each.choice for each in ballots if each is not None).most_common(2)]
        first, second = (*sizes, 0, 0)[:2]
        # Those still out may all join the second, so the first must be ahead by as many; and each further answer brings
        # that nearer by two at most. An answer that joins two classes can only make this look again too late.
        short = max(-((first - second - out) // 2), _least(rule, members - ballots.count(None)) - first)
        if short > 0 and not rule.weighs:
            return short
        if self.is_settled(counted) and cannot_change(ballots, out, rule, eligible=members):
            return 0
        return 1

    def plan(self, members: Sequence[Member]) -> list[Asking]:
        if self.exchange == "messages":
            return super().plan(members)
        free = [member.name for member in members if member.seat is None]
        asks = [Asking(name, "draft") for name in free]
        for round in range(1, self.rounds + 1):
            asks += [Asking(name, "revise", round, round * len(free)) for name in free]
        return asks

    def revision(self, run: TeamRun, task: Task, own: Outcome | None, peers: Sequence[Outcome], seen: Seen) -> str:
        contract = run.prompts("answer_line")
        if self.exchange == "messages":
            return run.prompts(
                "revise", task=run.text(task), own=own_answer(own), peers=self.peers(peers, seen.choices),
                contract=contract, stubbornness="Change your answer only for a reason you can name.",
            )  # fmt: skip
        return run.prompts("exchange", task=run.text(task), solutions=self.solutions(seen), contract=contract)

    def solutions(self, seen: Seen) -> str:
        """All answers proposed so far as data: anonymous, in no order, each once, cut to the budget.

        seen: the counts so far, and the member's own chance.
        """
        texts: dict[str, None] = {}
        for counted in seen.counts:
            for name, outcome in counted.outcomes.items():
                text = outcome.text if self.view == "full" else counted.choices[name]
                if text is not None:
                    texts[cut(text, self.peer_tokens)] = None
        order = list(texts)
        seen.chance.shuffle(order)
        return fenced_all((label(at), text) for at, text in enumerate(order))

    async def __call__(self, run: TeamRun, task: Task, /) -> Answer:
        counted = await self.deliberate(run, task)
        answer = self.answer(counted)
        assert answer is not None
        return answer


def _least(rule: VotingRule, members: int) -> int:
    """How many votes the winner has at least, if everybody who is still out votes for another."""
    if rule.weighs:
        return 1
    if isinstance(rule, Unanimity):
        return members
    if isinstance(rule, Majority):
        return members // 2 + 1
    asked = rule.min_agreement
    if asked is None:
        return 1
    return asked if isinstance(asked, int) else -((-Fraction(asked) * members) // 1)
