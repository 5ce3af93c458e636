"""Drafts, then rounds in which each sees what its peers say and revises; the vote of the last round decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

from phalanx.agents.output import Shape
from phalanx.agents.prompts import fenced_all
from phalanx.agents.task import Task
from phalanx.errors import MemberFailed
from phalanx.messages import Data

from .base import Answer, Asking, Member, Outcome
from .count import Counted, count
from .rounds import Deliberation, Seen, cut, own_answer
from .rule_field import RuleField
from .team_run import TeamRun
from .voting import Ballot, Decision, Plurality, Rule, Unanimity


class Verdict(Data):
    """A judge's verdict: the label of the right candidate and the reason, or "undecided"."""

    verdict: str
    reason: str = ""


class Debate(Deliberation):
    """Society of minds (Du et al. 2023, arXiv:2305.14325): blind drafts, then synchronous revisions.

    stubbornness: from 0 (take over what convinces) to 10 (change only for a concrete error that can be named); it
    decides how members are told to weigh their peers. rule: decides on the answers of the last round. With somebody
    in the seat "judge", a last round that is not unanimous goes to the judge, who sees the candidates in both orders;
    a verdict that changes with the order is "undecided".
    """

    kind: Literal["debate"] = "debate"
    stubbornness: int = Field(default=7, ge=0, le=10)
    rule: RuleField = Plurality.model_construct(tie_break=())  # as it is validated, without building a validator

    least: ClassVar[int] = 2
    summary: ClassVar[str] = (
        "blind drafts, then revisions that see the peers' answers; a vote decides, or a judge in both "
        "orders"
    )
    calls: ClassVar[str] = "n * (1 + rounds) + 2 * judge"
    optional_seats: ClassVar[tuple[str, ...]] = ("judge",)
    typed_seats: ClassVar[tuple[str, ...]] = ("judge",)

    def plan(self, members: Sequence[Member]) -> list[Asking]:
        judge = next((member.name for member in members if member.seat == "judge"), None)
        free = sum(member.seat is None for member in members)
        verdicts = [] if judge is None else [Asking(judge, "judge", order, free) for order in range(2)]
        return [*super().plan(members), *verdicts]

    def count(self, run: TeamRun, latest: Mapping[str, Outcome]) -> Counted:
        rule: Rule = self.rule
        return count(list(latest.values()), rule, self.equivalence, eligible=len(run.members), seed=run.seed)

    def is_settled(self, counted: Counted) -> bool:
        """Whether all who answered agree, by a count (`counted`)."""
        return len(counted.decision.tally) == 1 and None not in counted.choices.values()

    def revision(self, run: TeamRun, task: Task, own: Outcome | None, peers: Sequence[Outcome], seen: Seen) -> str:
        return run.prompts(
            "revise", task=run.text(task), own=own_answer(own), peers=self.peers(peers, seen.choices),
            stubbornness=_WEIGH[(self.stubbornness + 2) // 4], contract=run.prompts("answer_line"),
        )  # fmt: skip

    async def __call__(self, run: TeamRun, task: Task, /) -> Answer:
        counted = await self.deliberate(run, task)
        judge = run.seat_or_none("judge")
        if judge is not None and not self.is_settled(counted):
            try:
                return await self._judged(run, task, judge, counted)
            except MemberFailed as failed:
                run.run.warn(f"the judge gave no verdict ({failed}); the vote of the last round stands")
                counted_answer = self.answer(counted)
                if counted_answer is None:
                    raise
                return replace(counted_answer, status="partial")
        answer = self.answer(counted)
        assert answer is not None
        return answer

    async def _judged(self, run: TeamRun, task: Task, judge: Member, counted: Counted) -> Answer:
        candidates = sorted(counted.decision.tally)
        if not candidates:
            return self.answer(counted) or Answer("", status="undecided")
        votes: list[str | None] = []
        for order in range(2):
            run.begin("judge", order)
            shown = candidates if order == 0 else candidates[::-1]
            names = [f"Candidate {at + 1}" for at in range(len(shown))]
            texts = [cut(counted.text_of(each), self.peer_tokens) for each in shown]
            prompt = run.prompts("judge", task=run.text(task), candidates=fenced_all(zip(names, texts, strict=True)))
            result = await run.ask(
                judge, prompt, stage="judge", round=order, shape=_verdict_shape(names), question=task.id
            )
            verdict: Verdict = result.output
            votes.append(shown[names.index(verdict.verdict)] if verdict.verdict in names else None)
        decision = _both_orders(votes, candidates, run.seed)
        run.decided(decision)
        if decision.winner is None:
            answer = self.answer(counted)
            text = "" if answer is None else answer.text
            return Answer(text, status="undecided", decision=decision)
        return Answer(counted.text_of(decision.winner), decision=decision, author=counted.author_of(decision.winner))


_WEIGH = (
    "Take over what convinces you.",
    "Change your answer where another is better founded.",
    "Keep your answer unless you find a real error in it.",
    "Keep your answer unless somebody names a concrete error in it; then say which.",
)


def _verdict_shape(names: Sequence[str]) -> Shape[Verdict]:
    schema = Verdict.model_json_schema()
    schema["properties"]["verdict"]["enum"] = [*names, "undecided"]
    return Shape(Verdict, schema=schema)


def _both_orders(votes: Sequence[str | None], candidates: Sequence[str], seed: int) -> Decision:
    """The judge's decision: only what it says in both orders counts."""
    ballots = [Ballot(vote, voter=f"judge, order {at + 1}") if vote else None for at, vote in enumerate(votes)]
    return Unanimity(quorum=2).decide(ballots, seed=seed, eligible=2, candidates=candidates)
