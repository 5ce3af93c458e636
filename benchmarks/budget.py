"""Equal budget: one member is sampled and voted on with exactly what a team spent on the very same item."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from phalanx.agents.agent import Agent
from phalanx.agents.models.model import price
from phalanx.agents.task import Task
from phalanx.formations.base import Answer, Member, Outcome
from phalanx.formations.count import Counted, count, undecided_text
from phalanx.formations.team_run import TeamRun
from phalanx.formations.voting import Equivalence, Plurality
from phalanx.messages import Message, Request, Usage, estimate_request
from phalanx.runtime.limits import Limits

Matching = Literal["calls", "tokens", "usd"]
WORDS: dict[Matching, str] = {"calls": "the same calls", "tokens": "the same tokens", "usd": "the same money"}
PATIENCE = 3


@dataclass(frozen=True)
class Budget:
    """What each attempt of a baseline is held to: as much as the system `of` spent on the same item and repeat.

    of: the hash of that system. matching: calls, tokens or US dollars.
    """

    of: str
    matching: Matching

    def allowed(self, spent: Usage) -> float | None:
        """What was spent, in what is matched; None when it is not known."""
        return {"calls": float(spent.calls), "tokens": float(spent.tokens), "usd": spent.cost}[self.matching]

    def limits(self, spent: Usage) -> Limits | None:
        """What was spent as the most another may spend; None when it is not known."""
        amount = self.allowed(spent)
        if amount is None:
            return None
        return Limits.model_validate({self.matching: amount if self.matching == "usd" else int(amount)})


@dataclass(frozen=True)
class SampleWithin:
    """Ask one member again and again, blind, as long as the budget lasts; then a plurality vote.

    matching, amount: the budget. Another sample is drawn while what is left pays for an average one; the answer's
    length is held to what is left, so that the limit of the run, which is the same, never has to cut a vote short.
    """

    matching: Matching
    amount: float
    kind: str = "sample-and-vote"

    async def __call__(self, run: TeamRun, task: Task, /) -> Answer:
        member, prompt = run.members[0], run.prompts("draft", task=run.text(task))
        drawn: list[Outcome] = []
        spent, failures = Usage(), 0
        run.begin("draft")
        while failures < PATIENCE and self._pays_for_another(spent, len(drawn)):
            who = await self._fitted(run, member, prompt, spent)
            outcome = await run.try_ask(who, prompt, stage="draft", attempt=len(drawn), question=task.id)
            if outcome.status == "refused":
                if not any(each.ok for each in drawn):
                    run.raise_refusal(outcome)
                break
            spent += outcome.usage
            failures = 0 if outcome.ok else failures + 1
            drawn.append(replace(outcome, member=f"sample-{len(drawn) + 1}"))
            run.hold(lambda: _counted_answer(run, drawn))
        run.require(drawn, 1)
        counted = _count(run, drawn)
        run.record(counted, 0)
        return _answer(counted)

    def _pays_for_another(self, spent: Usage, drawn: int) -> bool:
        used = Budget("", self.matching).allowed(spent)
        if used is None:
            return False
        mean = used / drawn if drawn else 0.0
        return used + mean <= self.amount * (1 + 1e-9) and (drawn == 0 or used > 0)

    async def _fitted(self, run: TeamRun, member: Member, prompt: str, spent: Usage) -> Member:
        """The member, told to answer no longer than the budget still pays for."""
        agent = member.who
        if self.matching == "calls" or not isinstance(agent, Agent):
            return member
        left = self.amount - (Budget("", self.matching).allowed(spent) or 0.0)
        card = agent.system_prompt(member.role, agent.prompts.over(run.prompts), now=run.run.started)
        said = (Message(role="system", content=card), Message(role="user", content=prompt))
        asked = estimate_request(Request(messages=said))
        if self.matching == "usd":
            known = await price(await agent.model_or(run.default_model))
            if known is None or known.output <= 0:
                return member
            dearest = max(known.input, known.cache_write or 0.0)
            room = (left * 1e6 - asked * dearest) / known.output
        else:
            room = left - asked
        if room >= agent.max_tokens:
            return member
        shorter = copy.copy(agent)
        shorter.max_tokens = max(1, int(room * (1 - 1e-9)))  # a hair less, for sums of floats
        return replace(member, who=shorter)


def _count(run: TeamRun, drawn: Sequence[Outcome]) -> Counted:
    good = [each for each in drawn if each.ok]
    return count(good, Plurality(tie_break=()), Equivalence(), eligible=len(drawn), seed=run.seed)


def _counted_answer(run: TeamRun, drawn: Sequence[Outcome]) -> Answer | None:
    return _answer(_count(run, drawn)) if any(each.ok for each in drawn) else None


def _answer(counted: Counted) -> Answer:
    decision = counted.decision
    if decision.winner is None:
        return Answer(undecided_text(decision), status="undecided", decision=decision)
    return Answer(counted.text_of(decision.winner), decision=decision)
