"""A stored run as it can be told: who was asked what in which place, what came of it, and what it still waits for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, get_args

from phalanx.agents.prompts import fences
from phalanx.errors import LogError
from phalanx.messages import Completion, Request, ToolCall, ToolResult, Usage
from phalanx.runtime.events import (
    AnyEvent,
    BallotCast,
    Decided,
    LimitRefused,
    MemberFinished,
    MemberStarted,
    Paused,
    RunFinished,
    RunResumed,
    RunStarted,
    StepFinished,
    StepStarted,
    TeamStarted,
    Warned,
)

Path = tuple[str, ...]


@dataclass
class Call:
    """A call to a model, a tool or a person. `status` is unknown when its end is not recorded."""

    key: str
    step: str
    name: str
    seq: int
    request: Request | ToolCall | str | None = None
    idempotent: bool = True
    status: str = "unknown"
    seconds: float | None = None
    usage: Usage = Usage()
    result: Completion | ToolResult | str | None = None
    error: str | None = None

    @property
    def waits(self) -> bool:
        """Whether it is a question that nobody has answered, and for which the run paused."""
        return self.step == "human" and (self.error or "").startswith("RunPaused")

    @property
    def said(self) -> str:
        """What it gave, as text."""
        if isinstance(self.result, Completion):
            calls = [f"[uses {each.tool_name}: {each.parameters}]" for each in self.result.tool_calls]
            return "\n".join(part for part in (self.result.text, *calls) if part)
        if isinstance(self.result, ToolResult):
            return str(self.result.output) if self.result.success else f"failed: {self.result.error}"
        return self.result or ""


@dataclass
class Note:
    """Something that happened to a team: a vote, a warning, a refusal by a limit."""

    seq: int
    text: str


@dataclass
class Shown:
    """Something somebody else wrote that stood in a prompt, under a label; by whom, if that is known."""

    label: str
    text: str
    source: Asking | None


@dataclass
class Asking:
    """One asking of one member. `inside`: what a member that is a team asked its own."""

    path: Path
    seq: int
    member: str
    role: str
    stage: str
    round: int
    prompt: str
    began: float
    ended: float | None = None
    status: str = "unknown"
    text: str = ""
    error: str | None = None
    formation: str = ""
    calls: list[Call] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    inside: list[Asking] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)

    @property
    def usage(self) -> Usage:
        """What it cost, its own members' askings included."""
        spent = [each.usage for each in self.calls] + [each.usage for each in self.inside]
        return sum(spent, Usage())

    def walk(self) -> Iterator[Asking]:
        """It and all inside of it."""
        yield self
        for each in self.inside:
            yield from each.walk()


@dataclass
class Ballots:
    """One round of a vote: what each answer was counted as, and what a rule made of it."""

    team: str
    round: int
    choices: dict[str, str | None] = field(default_factory=dict)
    decided: Decided | None = None


class Story:
    """The fold of a run's records.

    askings: of the team itself; those of nested teams are inside. calls: all, by their keys. status: how it ended, or
    "unfinished" when it was killed or still works. questions: what it waits for. undecided: steps that must not be
    repeated and whose end is unknown. spec: the team as YAML, if the journal holds it. limits: those that were given
    to the run, by the last word on them.
    Raises LogError when the records do not say how the run began.
    """

    def __init__(self, run_id: str, records: Sequence[object]) -> None:
        events: list[Any] = [record for record in records if isinstance(record, get_args(AnyEvent))]
        start = next((each for each in events if isinstance(each, RunStarted)), None)
        if start is None:
            raise LogError(f"the journal of run {run_id!r} does not say how it began")
        self.run_id, self.start, self.events = run_id, start, events
        self.began: float = start.time
        self.ended: float | None = None
        self.status, self.text = "unfinished", ""
        self.reason: str | None = None
        self.forked: RunResumed | None = None
        self.limits: Mapping[str, object] | None = start.limits
        self.askings: list[Asking] = []
        self.notes: list[Note] = []
        self.loose: list[Call] = []
        self.calls: dict[str, Call] = {}
        self.ballots: list[Ballots] = []
        self.usage = Usage()
        self._asked: dict[Path, Asking] = {}
        self._paused: dict[str, Paused] = {}
        for event in events:
            self._take(event)

    @property
    def spec(self) -> str | None:
        """The team as YAML, if the journal holds it."""
        return self.start.spec

    @property
    def models(self) -> list[str]:
        """The names of the models that were asked, in order."""
        return list(dict.fromkeys(each.name for each in self.calls.values() if each.step == "model"))

    @property
    def seconds(self) -> float:
        """From its beginning to its end, or to the last that is known of it, without the time before it went on."""
        idle = 0.0
        for before, event in pairwise(self.events):
            if isinstance(event, RunResumed):
                idle += max(0.0, event.time - before.time)
        return (self.events[-1].time if self.ended is None else self.ended) - self.began - idle

    @property
    def questions(self) -> list[Paused]:
        """What people are asked and have not answered."""
        return [each for key, each in self._paused.items() if self.calls[key].status not in ("ok", "failed")]

    @property
    def undecided(self) -> list[Call]:
        """Steps that must not be repeated and whose end is unknown."""
        return [each for each in self.calls.values() if not each.idempotent and each.status == "unknown"]

    def walk(self) -> Iterator[Asking]:
        """Every asking, those inside of nested teams after the one that holds them."""
        for each in self.askings:
            yield from each.walk()

    def author(self) -> Asking | None:
        """The asking whose answer is the run's, word for word; the last one that gave it."""
        found = [each for each in self.walk() if each.status == "ok" and each.text.strip() == self.text.strip()]
        return found[-1] if found and self.text.strip() else None

    def _take(self, event: AnyEvent) -> None:
        match event:
            case RunResumed():
                self.status, self.reason, self.ended = "unfinished", None, None
                self.forked = event if event.forked_from is not None else self.forked
                self.limits = self.limits if event.limits is None else event.limits
            case RunFinished():
                self.status, self.text, self.reason = event.status, event.text, event.stop_reason
                self.ended = event.time
            case TeamStarted():
                if (asking := self._asked.get(event.path)) is not None:
                    asking.formation = event.formation
            case MemberStarted():
                self._begin(event)
            case MemberFinished():
                if (asking := self._asked.get(event.path)) is not None:
                    asking.ended, asking.status = event.time, event.status
                    asking.text, asking.error = event.text, event.error
            case StepStarted():
                call = self._call(event)
                call.request, call.idempotent = event.request, event.idempotent
                call.status, call.error = "unknown", None
            case StepFinished():
                call = self._call(event)
                call.status, call.seconds, call.error = event.status, event.seconds, event.error
                call.result, call.usage = event.result, call.usage + event.usage
                self.usage += event.usage
            case Paused():
                self._paused[event.key] = event
            case BallotCast():
                self._count(event)
            case Decided():
                self._note(event, f"vote: {event.explanation}")
                if self.ballots and self.ballots[-1].team == event.path[-1] and self.ballots[-1].decided is None:
                    self.ballots[-1].decided = event
                else:
                    self.ballots.append(Ballots(event.path[-1], 0, {}, event))
            case Warned():
                self._note(event, f"warning: {event.text}")
            case LimitRefused():
                used = f"{event.spent:g} of {event.limit:g} used"
                self._note(event, f"a call was refused: {event.what} limit of {event.owner}, {used}")
            case _:
                pass

    def _begin(self, event: MemberStarted) -> None:
        around = self._around(event.path[:-1])
        asking = self._asked.get(event.path)
        if asking is None:
            asking = self._asked[event.path] = Asking(
                event.path, event.seq, event.member, event.role, event.stage, event.round, event.prompt, event.time
            )
            (self.askings if around is None else around.inside).append(asking)
        beside = self.askings if around is None else around.inside
        asking.shown = [self._source(label, held.strip(), beside, asking) for label, held in fences(event.prompt)]

    def _source(self, label: str, text: str, beside: Sequence[Asking], by: Asking) -> Shown:
        wrote = [each for each in beside if each is not by and each.text.strip() and each.text.strip() == text]
        # The last of those that said the same; its own word before that of others, if it is shown as such.
        own = [each for each in wrote if each.member == by.member]
        pick = own if label == "yourself" else [each for each in wrote if each.member != by.member] or wrote
        return Shown(label, text, pick[-1] if pick else None)

    def _call(self, event: StepStarted | StepFinished) -> Call:
        if (call := self.calls.get(event.key)) is None:
            call = self.calls[event.key] = Call(event.key, event.step, event.name, event.seq)
            around = self._around(event.path)
            (self.loose if around is None else around.calls).append(call)
        return call

    def _count(self, event: BallotCast) -> None:
        last = self.ballots[-1] if self.ballots else None
        if last is None or last.team != event.path[-1] or last.round != event.round or last.decided is not None:
            self.ballots.append(last := Ballots(event.path[-1], event.round))
        last.choices[event.member] = event.choice

    def _note(self, event: AnyEvent, text: str) -> None:
        around = self._around(event.path)
        (self.notes if around is None else around.notes).append(Note(event.seq, text))

    def _around(self, path: Path) -> Asking | None:
        """The innermost asking in whose branch a path lies; None for the team itself."""
        for length in range(len(path), 0, -1):
            if (asking := self._asked.get(path[:length])) is not None:
                return asking
        return None
