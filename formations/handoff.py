"""Transfer of control: the active member answers, or hands the task over to another with what it has so far."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import Field, TypeAdapter

from phalanx.agents.agent import Agent
from phalanx.agents.output import Shape
from phalanx.agents.prompts import fenced_all
from phalanx.agents.task import Task
from phalanx.errors import ConfigurationError, MemberFailed
from phalanx.messages import Data
from phalanx.runtime.events import Delegated

from .base import Answer, Asking, FormationModel, Member, Outcome, Stage, Wiring
from .naming import ask_for_names, costliest, known, quoted
from .receipts import capped, step
from .team_run import TeamRun


class Answered(Data):
    """The task is answered."""

    answer: str = Field(min_length=1)


class HandOver(Data):
    """The task goes to another member: why, and what there is so far."""

    to: str
    reason: str = ""
    notes: str = ""


Move = Answered | HandOver


@dataclass(frozen=True, slots=True)
class _Handed:
    """One handover that was made. `seen`: the same for the same words of the same member."""

    by: str
    to: str
    text: str
    seen: str


class Handoff(FormationModel):
    """One member at a time has the task: it answers, or hands over to another by name.

    The first member begins. Whoever is handed the task sees it, who handed it over, why, and all notes so far. A member
    that names nobody there is is asked once more, then has to answer. The same holds after `max_handoffs`, and where
    the task goes back to somebody who would be shown nothing new (it goes round in a circle): the answer is then given
    with status "partial". A member that fails is passed over: the task goes to the next in the order of the members.
    A team as a member answers; it cannot hand over.

    note_tokens: the most that is shown of the words of one handover.
    """

    kind: Literal["handoff"] = "handoff"
    max_handoffs: int = Field(default=5, ge=1)
    note_tokens: int = Field(default=2000, ge=100)

    least: ClassVar[int] = 2
    summary: ClassVar[str] = "one at a time has the task: it answers, or hands over to another with what it has so far"
    calls: ClassVar[str] = "1 + max_handoffs"
    stages: ClassVar[Mapping[str, Stage]] = {"handoff": Stage(("handoff", "handoff_last"), shaped=True)}

    def check(self, members: Sequence[Member]) -> None:
        """Raise ConfigurationError when it cannot work with these `members`."""
        super().check(members)
        for member in members:
            if isinstance(member.who, Agent) and member.who.shape is not None:
                raise ConfigurationError(
                    f"member {member.name!r} has output=…, and handoff asks for an answer or a handover in a form of "
                    "its own; leave output= out, or take pipeline or router"
                )

    def plan(self, members: Sequence[Member]) -> list[Asking]:
        """Every asking of `members` when nobody answers before the last: always the dearest who does not have it."""
        dear = costliest(members)
        asks = [Asking(members[0].name, "handoff")]
        for at in range(1, self.max_handoffs + 1):
            other = next(member for member in dear if member.name != asks[-1].member)
            asks.append(Asking(other.name, "handoff", at, at))
        return asks

    def wiring(self, members: Sequence[Member]) -> Wiring:
        names = [member.name for member in members]
        arrows = [(a, "<-->", b) for at, a in enumerate(names) for b in names[at + 1 :]]
        return Wiring((names[0],), tuple(names), tuple(arrows))

    async def __call__(self, run: TeamRun, task: Task, /) -> Answer:
        return await _Relay(self, run, task).run_through()


class _Relay:
    """One task on its way through the members."""

    def __init__(self, formation: Handoff, run: TeamRun, task: Task) -> None:
        self.formation, self.run, self.task = formation, run, task
        self.handed: list[_Handed] = []
        self.failed: list[Outcome] = []

    async def run_through(self) -> Answer:
        run = self.run
        run.hold(self.best)
        active = run.members[0]
        for hop in range(self.formation.max_handoffs + 1):
            run.begin("handoff", hop)
            last = hop == self.formation.max_handoffs
            try:
                if last or not isinstance(active.who, Agent):
                    return await self.answer(active, hop, "partial" if last else "completed")
                move = await self.move(active, hop)
            except MemberFailed as failed:
                heir = self.heir(active, hop, failed)
                if heir is None:
                    return self.left(failed)
                active = heir
                continue
            if isinstance(move, Answered):
                return Answer(move.answer, author=active.name)
            to = known(move.to, self.others(active))
            if to is None:
                run.run.warn(f"{active.name} hands over to {quoted([move.to])}, who is not there; it has to answer")
                return await self.stays(active, hop)
            handed = _Handed(active.name, to, _words(move), step(active.name, f"{move.reason}\n{move.notes}"))
            if not self.is_news(handed):
                run.run.warn(
                    f"the task goes round in a circle: {active.name} hands it back to {to} with nothing new; "
                    f"{active.name} has to answer"
                )
                return await self.stays(active, hop)
            self.handed.append(handed)
            run.run.emit(Delegated, f"handover {hop + 1}", to, move.reason)
            active = run.member(to)
        raise AssertionError("the last who has the task answers, or fails")

    def others(self, active: Member) -> list[str]:
        """Whom the active member can hand over to."""
        down = {outcome.member for outcome in self.failed}
        return [member.name for member in self.run.members if member is not active and member.name not in down]

    async def move(self, active: Member, hop: int) -> Move:
        """What the active member does: it answers, or hands over."""
        others = self.others(active)
        if not others:
            return Answered(answer=(await self.answer(active, hop, "completed")).text)
        members = [self.run.member(name) for name in others]
        prompt = self.run.prompts(
            "handoff", task=self.run.text(self.task), roster=self.run.roster(members), results=self.so_far()
        )

        def said(move: Move) -> list[str]:
            return [] if isinstance(move, Answered) else [move.to]

        return await ask_for_names(
            self.run, active, prompt, _shape(tuple(others)), said, names=others, stage="handoff", round=hop,
            question=self.task.id,
        )  # fmt: skip

    async def stays(self, active: Member, hop: int) -> Answer:
        """The answer of a member that wanted to hand over and may not."""
        try:
            return await self.answer(active, hop, "partial", 2)
        except MemberFailed as failed:
            return self.left(failed)

    async def answer(self, active: Member, hop: int, status: str, attempt: int = 0) -> Answer:
        """The answer of a member that cannot hand over, or not any more."""
        prompt = self.run.prompts("handoff_last", task=self.run.text(self.task), results=self.so_far())
        outcome = await self.run.try_ask(
            active, prompt, stage="handoff", round=hop, attempt=attempt, question=self.task.id
        )
        self.run.raise_refusal(outcome)
        if outcome.answer is not None:
            return Answer(outcome.text, author=active.name, status=status)
        raise MemberFailed(active.name, outcome, f"gave no answer ({outcome.status}): {outcome.error}")

    def heir(self, active: Member, hop: int, failed: MemberFailed) -> Member | None:
        """Who has the task after a member failed: the next in the order of the members that did not; None: nobody."""
        outcome = failed.outcome
        assert isinstance(outcome, Outcome)
        self.failed.append(outcome)
        others = self.others(active)
        if not others or hop == self.formation.max_handoffs:
            return None
        at = self.run.members.index(active)
        order = [*self.run.members[at:], *self.run.members[:at]]
        heir = next(member for member in order if member.name in others)
        self.run.run.warn(f"{failed}; the task goes to {heir.name}")
        self.handed.append(_Handed(active.name, heir.name, f"({active.name} gave no answer)", ""))
        return heir

    def left(self, failed: MemberFailed) -> Answer:
        """What there is when nobody is left to answer: the last notes. Raises the failure when there are none."""
        if (best := self.best()) is None:
            raise failed
        self.run.run.warn(f"{failed}; the last notes stand")
        return best

    def is_news(self, handed: _Handed) -> bool:
        """Whether who is handed the task would be shown anything that it has neither seen nor said."""
        had = [at for at, each in enumerate(self.handed) if each.by == handed.to]
        if not had:
            return True
        before = {each.seen for each in self.handed[: had[-1] + 1]}
        since = [*self.handed[had[-1] + 1 :], handed]
        return any(each.by != handed.to and each.seen not in before and each.text for each in since)

    def so_far(self) -> str:
        """What those who had the task handed over, as a prompt shows it."""
        most = self.formation.note_tokens
        parts = ((f"{each.by}, who handed over to {each.to}", capped(each.text, most, f"{each.by}'s words"))
                 for each in self.handed)  # fmt: skip
        return fenced_all(parts, "(nobody had it before you)")

    def best(self) -> Answer | None:
        """The last notes that somebody handed over, if nobody answers."""
        last = next((each for each in reversed(self.handed) if each.text and each.seen), None)
        return None if last is None else Answer(last.text, author=last.by, status="partial")


def _words(move: HandOver) -> str:
    parts = ((name, text.strip()) for name, text in (("Reason", move.reason), ("Notes", move.notes)))
    return "\n\n".join(f"{name}: {text}" for name, text in parts if text)


@functools.lru_cache(maxsize=256)  # making a schema takes longer than all else that is done for a call
def _shape(names: tuple[str, ...]) -> Shape[Any]:
    """An answer, or a handover to one of these names."""
    schema = TypeAdapter(Move).json_schema()
    schema["$defs"]["HandOver"]["properties"]["to"] = {"title": "To", "type": "string", "enum": list(names)}
    return Shape(Move, name="Move", schema=schema)  # type: ignore[arg-type]
