"""A lead with two ledgers (Magentic-One): what is known and planned, and at every step whether the work gets on."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from phalanx.agents.agent import Agent
from phalanx.agents.output import Shape
from phalanx.agents.prompts import fenced, fenced_all
from phalanx.agents.task import Task
from phalanx.errors import ConfigurationError, MemberFailed, ValidationError
from phalanx.messages import Data, estimate_tokens
from phalanx.runtime.board import Blackboard
from phalanx.runtime.events import Delegated
from phalanx.runtime.regions import Region

from .aggregate import concat
from .base import Answer, Asking, FormationModel, Member, Outcome, Stage, Wiring
from .naming import ask_for_names, best_match, costliest, known, quoted, shape_with_names
from .receipts import capped, file, note, receipt, step
from .team_run import TeamRun


class TaskLedger(Data):
    """What a lead knows and plans.

    given: facts the task states. look_up: facts to be found, and where. derive: facts to be worked out. guesses: what
    is only believed. plan: who does what, in order.
    """

    given: list[str] = []
    look_up: list[str] = []
    derive: list[str] = []
    guesses: list[str] = []
    plan: list[str] = []


class ProgressLedger(Data):
    """How a lead sees the work before a step.

    done: the task is settled, also when nothing can be found. looping: the work goes in circles. progressing: the last
    step brought something. next: the member that goes on. instruction: what it does. reason: why.
    """

    done: bool
    looping: bool
    progressing: bool
    next: str
    instruction: str
    reason: str = ""


LEDGER = "ledger"
REGION = Region(LEDGER, TaskLedger | ProgressLedger, "last_writer_wins")


class Ledger(FormationModel):
    """Magentic-One's two loops (Fourney et al. 2024, arXiv:2411.04468).

    The lead writes a task ledger: facts given, to look up, to derive, guesses, a plan. Then, step by step, a progress
    ledger: done, looping, progressing, who goes on, with what instruction. A step stalls when the lead says that it
    loops or does not progress, and also, whatever the lead says, when its member failed, gave a text that was there
    before, or would repeat finished work (which is then not done again). A step that does not stall takes one stall
    back. More than `max_stalls`: the ledger is written anew and the members start from it alone, `max_replans` times
    at most; then the lead answers with what there is, and the status is "partial". So it is after `max_steps`.

    result_tokens: the most that is shown of one step's result. view_tokens: the most that is shown of all of them;
    the latest come first. Both ledgers stand on the board, in the region "ledger" under "task" and "progress", each
    version of them; every step leaves a Receipt.
    """

    kind: Literal["ledger"] = "ledger"
    max_steps: int = Field(default=12, ge=1)
    max_stalls: int = Field(default=2, ge=0)
    max_replans: int = Field(default=2, ge=0)
    result_tokens: int = Field(default=2000, ge=100)
    view_tokens: int = Field(default=16_000, ge=200)

    seats: ClassVar[tuple[str, ...]] = ("lead",)
    summary: ClassVar[str] = "a lead keeps ledgers of facts, plan and progress, and plans anew when the work is stuck"
    calls: ClassVar[str] = "2 + 2 * max_steps"
    stages: ClassVar[Mapping[str, Stage]] = {
        "ledger": Stage(("ledger", "replan"), shaped=True),
        "progress": Stage(("progress",), shaped=True),
        "step": Stage(("step",)),
        "synthesis": Stage(("ledger_answer",)),
    }

    def check(self, members: Sequence[Member]) -> None:
        """Raise ConfigurationError or ValidationError when it cannot work with these `members`."""
        super().check(members)
        lead = next(member for member in members if member.seat == "lead")
        if not isinstance(lead.who, Agent):
            raise ConfigurationError(
                f"the seat 'lead' needs an agent: it answers in a form of its own, and the team {lead.name!r} answers "
                "in plain text"
            )
        lead.role.require("delegate")
        if self.view_tokens < self.result_tokens:
            raise ValidationError(
                f"view_tokens={self.view_tokens} would not show one result of result_tokens={self.result_tokens}"
            )

    def plan(self, members: Sequence[Member]) -> list[Asking]:
        """Every asking of `members` when the lead never is done: a step each time, or a dearer new plan."""
        lead = next(member for member in members if member.seat == "lead")
        dear = costliest([member for member in members if member.seat is None])[0]
        # A new plan takes a step that is made, the stalls that are too many, and its own.
        anew = min(self.max_replans, self.max_steps // (self.max_stalls + 2))
        asks = [Asking(lead.name, "ledger")]
        for at in range(self.max_steps):
            asks.append(Asking(lead.name, "progress", at, at + 1))
            if at >= self.max_steps - anew and costliest([lead, dear])[0] is lead:
                asks.append(Asking(lead.name, "ledger", at, at + 1))
            else:
                asks.append(Asking(dear.name, "step", at, at + 2))
        return [*asks, Asking(lead.name, "synthesis", 0, self.max_steps + 1)]

    def wiring(self, members: Sequence[Member]) -> Wiring:
        lead = next(member.name for member in members if member.seat == "lead")
        arrows = tuple((lead, "<-->", member.name) for member in members if member.seat is None)
        return Wiring((lead,), (lead,), arrows, board=True)

    def longest(self, lengths: Mapping[str, int], members: Sequence[Member]) -> int:
        return next(lengths[member.name] for member in members if member.seat == "lead")

    async def __call__(self, run: TeamRun, task: Task, /) -> Answer:
        return await _Books(self, run, task).keep()


class _Books:
    """One task under one lead: its ledgers, what was done, and how often it did not get on."""

    def __init__(self, formation: Ledger, run: TeamRun, task: Task) -> None:
        self.formation, self.run, self.task = formation, run, task
        self.text, self.lead = run.text(task), run.seat("lead")
        self.names = [member.name for member in run.members]
        self.load = dict.fromkeys(self.names, 0)
        self.ledger = TaskLedger()
        self.results: dict[str, Outcome] = {}
        self.shown_from = self.stalls = self.replans = 0
        self.finished: set[str] = set()
        self.said: set[str] = set()
        self.trouble = ""

    async def keep(self) -> Answer:
        self.run.hold(lambda: concat(list(self.results.values())))
        await self.write_ledger("ledger")
        for at in range(self.formation.max_steps):
            self.run.begin("progress", at)
            try:
                progress = await self.progress(at)
            except MemberFailed as failed:
                return await self.answer(f"the lead does not say how the work gets on: {failed}")
            if progress.done:
                return await self.answer()
            self.count(progress)
            if self.stalls > self.formation.max_stalls:
                if self.replans == self.formation.max_replans:
                    return await self.answer(f"the work is stuck after {self.replans} new plans")
                try:
                    await self.replan()
                except MemberFailed as failed:
                    return await self.answer(f"the lead makes no new plan: {failed}")
                continue
            await self.take(progress, at)
        return await self.answer(f"the work was not done after max_steps={self.formation.max_steps}")

    async def write_ledger(self, slot: str) -> None:
        """The lead's task ledger, the first one or anew."""
        self.run.begin("ledger", self.replans)
        words = {"results": self.shown()} if slot == "replan" else {}
        prompt = self.run.prompts(slot, task=self.text, roster=self.run.roster(), **words)
        result = await self.run.ask(
            self.lead, prompt, stage="ledger", round=self.replans, shape=_ledger_shape(), question=self.task.id
        )
        self.ledger = result.output
        await self.post("task", self.ledger, self.replans)

    async def replan(self) -> None:
        """The ledger written anew; the members see only that from now on."""
        self.run.run.warn(f"the work is stuck ({self.trouble}); the lead plans anew")
        self.replans += 1
        await self.write_ledger("replan")
        # What was finished stays finished, but may be done again: the new plan may need it with another view.
        self.stalls, self.shown_from, self.trouble = 0, len(self.results), ""
        self.finished.clear()
        self.said.clear()

    async def progress(self, at: int) -> ProgressLedger:
        """The lead's progress ledger, with the name of a member that there is."""
        prompt = self.run.prompts("progress", task=self.text, roster=self.run.roster(), results=self.shown())
        shape = shape_with_names(ProgressLedger, self.names, "next")
        said = await ask_for_names(
            self.run, self.lead, prompt, shape, lambda progress: [] if progress.done else [progress.next],
            names=self.names, stage="progress", round=at, question=self.task.id,
        )  # fmt: skip
        name = known(said.next, self.names)
        if name is None and not said.done:
            name = best_match(said.next, self.load)
            self.run.run.warn(f"there is no member {quoted([said.next])}; the step goes to {name!r}")
        progress = said if name is None else said.model_copy(update={"next": name})
        await self.post("progress", progress, at)
        return progress

    def count(self, progress: ProgressLedger) -> None:
        """Whether the last step stalled, by what was done and by what the lead says of it."""
        if not self.trouble and len(self.results) == self.shown_from:
            return  # nothing was done yet, so nothing can have stalled
        if not self.trouble and progress.looping:
            self.trouble = "the lead says that it goes in circles"
        if not self.trouble and not progress.progressing:
            self.trouble = "the lead sees no progress"
        self.stalls = self.stalls + 1 if self.trouble else max(0, self.stalls - 1)

    async def take(self, progress: ProgressLedger, at: int) -> None:
        """Let the next member do its step, unless it did the same before."""
        self.trouble = ""
        name, same = progress.next, step(progress.next, progress.instruction)
        if same in self.finished:
            self.trouble = f"{name} was to repeat a step"
            self.run.run.warn(f"{name} was given the same instruction again; it was not repeated")
            return
        self.load[name] += 1
        id = f"step {at + 1}"
        self.run.begin("step", at)
        self.run.run.emit(Delegated, id, name, progress.instruction)
        prompt = self.run.prompts(
            "step", task=self.text, results=self.shown(), assignment=fenced(progress.instruction, "the lead")
        )
        outcome = await self.run.try_ask(name, prompt, stage="step", round=at, question=self.task.id)
        self.results[id] = outcome
        await file(self.run, [receipt(id, name, progress.instruction, outcome, round=at)], self.results)
        self.run.raise_refusal(outcome)
        words = " ".join(outcome.text.split()).casefold()
        if not outcome.ok:
            self.trouble = f"{name} gave no answer"
        elif words in self.said:
            self.trouble = f"{name} said what was said before"
        else:
            self.finished.add(same)
            self.said.add(words)

    async def answer(self, trouble: str = "") -> Answer:
        """The lead's answer from all that was done; "partial" when the work did not come to an end by itself."""
        if trouble:
            self.run.run.warn(f"{trouble}; the lead answers with what there is")
        self.run.begin("synthesis")
        prompt = self.run.prompts("ledger_answer", task=self.text, results=self.shown(whole=True))
        outcome = await self.run.try_ask(self.lead, prompt, stage="synthesis", question=self.task.id)
        self.run.raise_refusal(outcome)
        if outcome.answer is None:
            best = concat(list(self.results.values()))
            if best is None:
                raise MemberFailed(self.lead.name, outcome, f"gave no answer ({outcome.status}): {outcome.error}")
            self.run.run.warn(f"the lead wrote no answer ({outcome.error}); the steps' results stand as they are")
            return Answer(best.text, status="partial")
        status = "partial" if trouble else "completed"
        return Answer(outcome.text, outcome.answer.output, status=status, author=self.lead.name)

    def shown(self, *, whole: bool = False) -> str:
        """The ledger and what was done under it, the latest that fit; `whole`: also what was done before it."""
        formation = self.formation
        done = list(self.results.items())[0 if whole else self.shown_from :]
        parts: list[tuple[str, str]] = []
        left = formation.view_tokens
        for id, outcome in reversed(done):
            text = f"FAILED ({outcome.status}): {str(outcome.error)[:200]}"
            if outcome.ok:
                text = capped(outcome.text, formation.result_tokens, f"{outcome.member}'s result")
            left -= estimate_tokens(text)
            if left < 0:
                parts.append(("earlier steps", f"({len(done) - len(parts)} earlier steps are not shown)"))
                break
            parts.append((f"{outcome.member} on {id}", text))
        return fenced_all([("the ledger", _written(self.ledger)), *reversed(parts)])

    async def post(self, key: str, ledger: TaskLedger | ProgressLedger, round: int) -> None:
        """Put a ledger on the board, in the lead's name."""
        place = f"{self.run.run.run_id}/{'/'.join(self.run.run.path)}"
        who = (self.lead.name, self.lead.role.name)
        await note(self.run, functools.partial(_post, key, ledger, round, who, f"{place}/{key}-{round}"))


async def _post(
    key: str, ledger: TaskLedger | ProgressLedger, round: int, who: tuple[str, str], op: str, board: Blackboard
) -> None:
    board.declare(REGION)
    await board.post(LEDGER, ledger, key=key, author=who[0], role=who[1], round=round, op=op)


def _written(ledger: TaskLedger) -> str:
    """A task ledger as prompts show it."""
    named = {
        "Facts given": ledger.given, "Facts to look up": ledger.look_up, "Facts to derive": ledger.derive,
        "Guesses": ledger.guesses, "Plan": ledger.plan,
    }  # fmt: skip
    return "\n".join(
        f"{name}:\n" + ("\n".join(f"- {each}" for each in lines) if lines else "- (none)")
        for name, lines in named.items()
    )


@functools.cache
def _ledger_shape() -> Shape[TaskLedger]:
    return Shape(TaskLedger)
