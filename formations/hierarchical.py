"""A lead who splits the task, workers who do the parts, a review, a synthesis, and perhaps a verifier with a veto."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field, StrictFloat, StrictInt

from phalanx.agents.output import Shape
from phalanx.agents.prompts import fenced, fenced_all
from phalanx.agents.result import AgentResult
from phalanx.agents.task import Task
from phalanx.errors import ConfigurationError, MemberFailed
from phalanx.messages import Data
from phalanx.runtime.events import Delegated

from .aggregate import concat
from .assignments import Assignment, Plan, Review, agreed, plan_shape, review_shape
from .base import Answer, Asking, Member, Outcome, Stage, Wiring
from .gather import Gathering
from .receipts import capped, file, receipt, step
from .team_run import Job, TeamRun


class Check(Data):
    """A verifier's verdict: `objection` says what is wrong when it is not accepted."""

    accepted: bool
    objection: str = ""


class Hierarchical(Gathering):
    """The lead sees the roster and gives typed assignments; the framework delegates them in dependency order.

    max_stalls: reviews in a row that may bring no newly finished assignment before the lead has to answer with what
    there is; progress is finished work, not the lead's opinion. max_rounds: rounds of assignments at most. review:
    the lead may give further assignments after seeing results (one more lead call a round). reworks: how often the
    lead may answer the verifier's objection; an answer that stays rejected is given with status "partial".
    quorum: how many assignments of the first round must succeed (default: one). depth: how deep teams may be nested
    in a worker: 0 is that workers are agents. result_tokens: the most that is shown of a worker's result, to the lead
    and to those who build on it.

    Every assignment leaves a Receipt on the board, in the region "receipts". An assignment that repeats finished work
    is not made again. When the verifier, or the lead after the plan, fails, the best answer so far is given with
    status "partial".
    """

    kind: Literal["hierarchical"] = "hierarchical"
    max_stalls: int = Field(default=3, ge=1)
    max_rounds: int = Field(default=3, ge=1)
    review: bool = True
    reworks: int = Field(default=1, ge=0)
    quorum: StrictInt | StrictFloat | None = 1
    depth: int = Field(default=1, ge=0)
    result_tokens: int = Field(default=2000, ge=100)

    seats: ClassVar[tuple[str, ...]] = ("lead",)
    summary: ClassVar[str] = (
        "a lead gives typed assignments, workers do them in dependency order, the lead reviews and answers; "
        "an optional verifier has a veto"
    )
    calls: ClassVar[str] = "max_rounds * (n + 1) + 1 + verifier * (1 + 2 * reworks)"
    optional_seats: ClassVar[tuple[str, ...]] = ("verifier",)
    typed_seats: ClassVar[tuple[str, ...]] = ("lead", "verifier")
    stages: ClassVar[Mapping[str, Stage]] = {
        "plan": Stage(("plan",), shaped=True),
        "assignment": Stage(("assignment",)),
        "review": Stage(("review",), shaped=True),
        "synthesis": Stage(("synthesis", "rework")),
        "verify": Stage(("verify",), shaped=True),
    }

    def check(self, members: Sequence[Member]) -> None:
        super().check(members)
        for member in members:
            if member.seat == "lead":
                member.role.require("delegate")
            elif (deep := _levels(member.who)) > self.depth:
                raise ConfigurationError(
                    f"worker {member.name!r} holds teams {deep} deep, and depth={self.depth}; "
                    f"give depth={deep}, or a worker with fewer teams in it"
                )

    def plan(self, members: Sequence[Member]) -> list[Asking]:
        """Every asking of `members` when nothing stops it early.

        With one assignment for each worker in every round, reviews that want more, and a verifier that objects.
        """
        lead = next(member.name for member in members if member.seat == "lead")
        workers = [member.name for member in members if member.seat is None]
        rounds = self.max_rounds if self.review else 1
        # What a round leaves to be read: a result of each worker, and the lead's words on who was to do what.
        left = len(workers) + 1
        asks = [Asking(lead, "plan")]
        for round in range(rounds):
            if round:
                asks.append(Asking(lead, "review", round - 1, round * left))
            asks += [Asking(name, "assignment", round, (round + 1) * left) for name in workers]
        asks.append(Asking(lead, "synthesis", 0, rounds * left))
        verifier = next((member.name for member in members if member.seat == "verifier"), None)
        if verifier is not None:
            asks.append(Asking(verifier, "verify", 0, 1))
            for again in range(1, self.reworks + 1):
                asks += [Asking(lead, "synthesis", again, 2), Asking(verifier, "verify", again, 1)]
        return asks

    def wiring(self, members: Sequence[Member]) -> Wiring:
        lead = next(member.name for member in members if member.seat == "lead")
        others = [member.name for member in members if member.seat is None]
        others += [member.name for member in members if member.seat == "verifier"]
        return Wiring((lead,), (lead,), tuple((lead, "<-->", name) for name in others))

    def longest(self, lengths: Mapping[str, int], members: Sequence[Member]) -> int:
        return next(lengths[member.name] for member in members if member.seat == "lead")

    async def __call__(self, run: TeamRun, task: Task, /) -> Answer:
        work = _Work(self, run, task)
        run.hold(work.best)
        await work.delegate(await work.plan())
        try:
            while (more := await work.review()) is not None:
                await work.delegate(more)
        except MemberFailed as failed:
            work.warn(f"the lead did not review the results ({failed}); they stand as they are")
        try:
            answer = await work.synthesis()
        except MemberFailed as failed:
            if (found := work.best()) is None:
                raise
            work.warn(f"the lead wrote no answer ({failed}); the workers' results stand as they are")
            return replace(found, status="partial")
        return await work.verified(answer)


class _Work:
    """One task under one lead: what was assigned, what came back."""

    def __init__(self, formation: Hierarchical, run: TeamRun, task: Task) -> None:
        self.formation, self.run, self.task = formation, run, task
        self.text, self.lead = run.text(task), run.seat("lead")
        self.names = [member.name for member in run.members]
        self.assigned: dict[str, Assignment] = {}
        self.results: dict[str, Outcome] = {}
        self.rounds = self.stalls = 0

    async def plan(self) -> list[Assignment]:
        """The lead's assignments, all of them to members that exist."""
        self.run.begin("plan")
        prompt = self.run.prompts("plan", task=self.text, roster=self.run.roster())
        shape = plan_shape(self.names)
        plan: Plan = (await self._ask_lead(prompt, "plan", shape)).output
        return await agreed(plan.assignments, self, prompt)

    async def repaired(self, prompt: str, unknown: Sequence[str]) -> list[Assignment]:
        """The assignments once more, after naming members that do not exist."""
        names = ", ".join(self.names)
        objection = self.run.prompts("plan_repair", unknown=", ".join(map(repr, unknown)), names=names)
        plan: Plan = (await self._ask_lead(f"{prompt}\n\n{objection}", "plan", plan_shape(self.names), 1)).output
        return list(plan.assignments)

    async def delegate(self, assignments: Sequence[Assignment]) -> None:
        """Let the workers do them: in dependency order, at the same time where they are free of each other."""
        jobs = []
        for each in assignments:
            self.assigned[each.id] = each
            self.run.run.emit(Delegated, each.id, each.worker, each.task, tuple(each.depends_on))
            inside = tuple(other for other in each.depends_on if other not in self.results)
            jobs.append(Job(each.id, self.run.member(each.worker), self._prompt(each), after=inside))
        self.run.hold(self.best)
        before = self._finished()
        outcomes = await self.run.ask_jobs(
            jobs, stage="assignment", round=self.rounds, question=self.task.id, deadline=self.formation.deadline
        )
        for job, outcome in zip(jobs, outcomes, strict=True):
            self.results[job.id] = outcome
        # The receipts come first: what a limit refuses after this is accounted for too.
        await file(
            self.run,
            [
                receipt(each.id, each.worker, each.task, outcome, round=self.rounds, depends_on=each.depends_on)
                for each, outcome in zip(assignments, outcomes, strict=True)
            ],
            self.results,
        )
        for outcome in outcomes:
            self.run.raise_refusal(outcome)
        if self.rounds == 0:
            self.run.require(outcomes, min(self.formation.needed(len(outcomes)), len(outcomes)))
        self.rounds += 1
        self.stalls = self.stalls + 1 if self._finished() == before else 0

    async def review(self) -> list[Assignment] | None:
        """What the lead wants done besides; None when it is done, or may not go on."""
        formation = self.formation
        if not formation.review or self.rounds >= formation.max_rounds or self.stalls >= formation.max_stalls:
            return None
        self.run.begin("review", self.rounds - 1)
        prompt = self.run.prompts("review", task=self.text, roster=self.run.roster(), results=self._shown())
        review: Review = (await self._ask_lead(prompt, "review", review_shape(self.names), self.rounds - 1)).output
        if review.done or not review.assignments:
            return None
        return await agreed(review.assignments, self, prompt) or None

    async def synthesis(self) -> Answer:
        self.run.begin("synthesis")
        prompt = self.run.prompts("synthesis", task=self.text, results=self._shown())
        result = await self.run.ask(self.lead, prompt, stage="synthesis", question=self.task.id)
        answer = Answer(result.content, result.output, author=self.lead.name)
        self.run.hold(answer)
        return answer

    async def verified(self, answer: Answer) -> Answer:
        """The answer as the verifier lets it pass; "partial" when its objection stands."""
        verifier = self.run.seat_or_none("verifier")
        if verifier is None:
            return answer
        objection = ""
        for attempt in range(self.formation.reworks + 1):
            try:
                if attempt:
                    answer = await self.reworked(answer, objection, attempt)
                check = await self.checked(verifier, answer, attempt)
            except MemberFailed as failed:
                self.warn(f"the answer is not verified: {failed}")
                break
            if check.accepted:
                return answer
            objection = check.objection
        else:
            self.warn(f"the verifier's objection stands: {capped(objection, 200, 'it')}")
        return replace(answer, status="partial")

    async def checked(self, verifier: Member, answer: Answer, attempt: int) -> Check:
        """What the verifier says of the answer."""
        self.run.begin("verify", attempt)
        prompt = self.run.prompts("verify", task=self.text, answer=fenced(answer.text, self.lead.name))
        result = await self.run.ask(
            verifier, prompt, stage="verify", round=attempt, shape=_check_shape(), question=self.task.id
        )
        check: Check = result.output
        return check

    async def reworked(self, answer: Answer, objection: str, attempt: int) -> Answer:
        """The lead's answer to the verifier's objection."""
        prompt = self.run.prompts(
            "rework", task=self.text, answer=fenced(answer.text, self.lead.name),
            objection=fenced(objection, self.run.seat("verifier").name),
        )  # fmt: skip
        again = await self.run.ask(self.lead, prompt, stage="synthesis", round=attempt, question=self.task.id)
        better = Answer(again.content, again.output, author=self.lead.name)
        self.run.hold(better)
        return better

    def warn(self, text: str) -> None:
        """Say what was mended."""
        self.run.run.warn(text)

    def _prompt(self, each: Assignment) -> Callable[[Mapping[str, Outcome]], str]:
        def said(done: Mapping[str, Outcome]) -> str:
            known = {**self.results, **done}
            inputs = [self._part(other, known[other]) for other in each.depends_on]
            return self.run.prompts(
                "assignment",
                task=self.text,
                assignment=fenced(each.task, "the lead"),
                inputs=self.run.prompts("inputs", results=fenced_all(inputs)) if inputs else "",
            )

        return said

    async def _ask_lead(self, prompt: str, stage: str, shape: Shape[Any], round: int = 0) -> AgentResult:
        return await self.run.ask(self.lead, prompt, stage=stage, round=round, shape=shape, question=self.task.id)

    def _shown(self) -> str:
        return fenced_all(self._part(id, outcome) for id, outcome in self.results.items())

    def _part(self, id: str, outcome: Outcome) -> tuple[str, str]:
        """A result under its worker and assignment, as others are shown it."""
        whose = f"{self.assigned[id].worker} on {id}"
        if not outcome.ok:
            return whose, f"FAILED ({outcome.status}): {outcome.error}"
        return whose, capped(outcome.text, self.formation.result_tokens, f"{outcome.member}'s result")

    def best(self) -> Answer | None:
        """What the workers have found, if there is no synthesis of it."""
        return concat([outcome for outcome in self.run.history if outcome.stage == "assignment"])

    def _finished(self) -> int:
        return sum(outcome.ok for outcome in self.results.values())

    @property
    def finished(self) -> Mapping[str, str]:
        """What is done already: the step's name, and the id of the assignment that did it."""
        done = [self.assigned[id] for id, outcome in self.results.items() if outcome.ok]
        return {step(each.worker, each.task): each.id for each in done}


@functools.cache
def _check_shape() -> Shape[Check]:
    return Shape(Check)


def _levels(who: object) -> int:
    """How deep teams are nested here: 0 for an agent, 1 for a team of agents."""
    inside: Sequence[Member] = getattr(who, "members", ()) if hasattr(who, "run_inside") else ()
    return 1 + max((_levels(member.who) for member in inside), default=0) if hasattr(who, "run_inside") else 0
