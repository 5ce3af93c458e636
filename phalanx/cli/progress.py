"""What a run's events come to so far: a tree of members, what each is doing, and what each has cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from phalanx.messages import Completion, Usage
from phalanx.runtime.events import (
    AnyEvent,
    Delegated,
    MemberFinished,
    MemberStarted,
    Retried,
    RunFinished,
    RunResumed,
    RunStarted,
    StepFinished,
    StepStarted,
    TeamFinished,
    TeamStarted,
    Token,
)
from phalanx.teams.stages import in_words

from .text import advised, many, one_line

Path = tuple[str, ...]

TAIL = 400


@dataclass
class Row:
    """A member, or a whole team. `state` is waiting, working, or how its last asking (a team's: its run) ended."""

    name: str
    role: str = ""
    formation: str = ""
    above: Row | None = None
    rows: dict[str, Row] = field(default_factory=dict)
    state: str = "waiting"
    stage: str = ""
    activity: str = ""
    said: str = ""
    error: str = ""
    usage: Usage = Usage()
    busy: float = 0.0
    asked_at: float | None = None
    asked: int = 0
    retry_at: float | None = None
    task: str = ""

    @property
    def label(self) -> str:
        """Its name among all members: "cleo > bob" inside of the team cleo."""
        names = [self.name]
        row = self.above
        while row is not None and row.above is not None:
            names.append(row.name)
            row = row.above
        return " > ".join(one_line(name) for name in reversed(names))

    @property
    def speaks(self) -> bool:
        """Whether words of its answer are coming in: `said` ends in them. JSON is no words."""
        return self.state == "working" and not self.activity and bool(self.said) and self.said[0] not in "{["

    def seconds(self, now: float) -> float:
        """How long it has been at work."""
        return self.busy + (0.0 if self.asked_at is None else max(0.0, now - self.asked_at))

    def doing(self, now: float) -> str:
        """What it does, in a few words; what came of it, or what went wrong, when it does nothing."""
        if self.state == "working":
            if self.retry_at is not None and self.retry_at > now:
                return f"asks again in {self.retry_at - now:.0f}s: {self.error}"
            return self.activity or self.stage
        if self.error and self.state != "cancelled":
            return self.error
        if self.rows or self.state == "cancelled":
            return "" if self.state == "waiting" else self.state
        if not self.said or self.said[0] in "{[":
            return ""
        # The line that carries the answer says more about what came of it than how the text begins.
        ends = [line for line in self.said.splitlines() if line.startswith("Answer:")]
        return ends[-1] if ends else self.said

    def child(self, name: str, role: str = "") -> Row:
        """The row of this name below it, new if there is none."""
        if (row := self.rows.get(name)) is None:
            row = self.rows[name] = Row(name, role, above=self)
        return row

    def all(self) -> Iterator[Row]:
        """It and every row below it, in seat order."""
        yield self
        for row in self.rows.values():
            yield from row.all()

    def begin(self, time: float) -> None:
        """It is asked something; it may be asked several things at the same time."""
        if self.asked == 0:
            self.asked_at, self.said = time, ""
        self.asked += 1
        self.state, self.activity, self.error, self.retry_at = "working", "", "", None

    def hear(self, text: str) -> None:
        """It has answered, though its end is not told yet: who follows a run from its journal hears of that later."""
        self.said = text[: 4 * TAIL]
        if self.asked == 1 and not self.speaks:
            self.activity = "has answered"

    def end(self, time: float, state: str) -> None:
        """It answered, or did not."""
        self.asked = max(0, self.asked - 1)
        if self.asked == 0:
            if self.asked_at is not None:
                self.busy += max(0.0, time - self.asked_at)
            self.asked_at, self.activity, self.retry_at = None, "", None
            self.state = state

    def spend(self, usage: Usage) -> None:
        """Count what it cost, here and in every team around it."""
        row: Row | None = self
        while row is not None:
            row.usage += usage
            row = row.above


class Progress:
    """The fold of a run's events: give each to `see`, in order.

    top: the row of the team itself. models: the names of the models that were asked, in order.
    """

    def __init__(self) -> None:
        self.top = Row("")
        self.run_id = self.task = ""
        self.started: float | None = None
        self.finished: float | None = None
        self._idle = self._last = 0.0
        self.models: dict[str, None] = {}
        self._rows: dict[Path, Row] = {}

    @property
    def usage(self) -> Usage:
        """What was spent so far."""
        return self.top.usage

    def seconds(self, now: float) -> float:
        """How long the run has taken; the time in which nobody worked on it, before it was resumed, does not count."""
        return 0.0 if self.started is None else max(0.0, (self.finished or now) - self.started - self._idle)

    def row(self, path: Path) -> Row:
        """The member or team in whose branch a path lies."""
        for length in range(len(path), 0, -1):
            if (row := self._rows.get(path[:length])) is not None:
                return row
        return self.top

    def see(self, event: AnyEvent) -> None:
        """Take in the next event."""
        self._take(event)
        self._last = event.time

    def _take(self, event: AnyEvent) -> None:
        match event:
            case Token():
                row = self.row(event.path)
                row.said, row.activity = (row.said + event.text)[-2 * TAIL :], ""
            case RunStarted():
                self.run_id, self.task, self.started, self.finished = event.run_id, event.task, event.time, None
                self._idle = 0.0
                self.top = self._rows[event.path] = Row(event.name, formation=event.formation)
                self._seat(self.top, event.roster, event.time)
                self.top.task = event.task
            case RunResumed():
                self._go_on(event.time)
            case RunFinished():
                self.finished = event.time
                self.top.end(event.time, event.status)
                self.top.usage = event.usage
            case TeamStarted():
                self._seat(self._team(event), event.roster, event.time)
            case TeamFinished():
                self.row(event.path).end(event.time, event.status)
            case MemberStarted():
                row = self._rows[event.path] = self.row(event.path[:-1]).child(event.member, event.role)
                row.stage = row.task if event.stage == "assignment" and row.task else stage(event.stage, event.round)
                row.begin(event.time)
            case MemberFinished():
                self._ended(event)
            case Delegated():
                team = self.row(event.path)
                team.child(event.worker).task = one_line(event.task, TAIL)
            case StepStarted():
                self._called(event)
            case StepFinished():
                row = self.row(event.path)
                row.spend(event.usage)
                row.activity, row.retry_at = "", None
                if isinstance(event.result, Completion) and not event.result.tool_calls:
                    row.hear(event.result.text)
            case Retried():
                row = self.row(event.path)
                reason = one_line(event.error.replace(f"{event.model}: ", ""), TAIL)
                row.retry_at, row.error, row.said = event.time + event.wait, reason, ""
            case _:
                pass

    def _go_on(self, time: float) -> None:
        gap = max(0.0, time - self._last)
        self._idle += gap
        self.finished = None
        for row in self.top.all():
            row.asked_at = None if row.asked_at is None else row.asked_at + gap
        if self.top.asked == 0:
            self.top.begin(time)

    def _called(self, event: StepStarted) -> None:
        row = self.row(event.path)
        again: Row | None = row
        while again is not None and again.asked == 0:  # it ended before the run was resumed, and is not begun anew
            again.begin(event.time)
            again = again.above
        if event.step == "model":
            self.models[event.name] = None
            row.said, row.activity = "", ""
        else:
            row.activity = f"uses {one_line(event.name)}" if event.step == "tool" else "waits for a person"

    def _team(self, event: TeamStarted) -> Row:
        """The row of a nested team: a member's own, or a new one below the member that uses it as a tool."""
        row = self.row(event.path)
        if event.path not in self._rows:
            row = self._rows[event.path] = row.child(event.name)
        row.formation = event.formation
        return row

    def _seat(self, team: Row, roster: tuple[tuple[str, str], ...], time: float) -> None:
        for name, role in roster:
            team.child(name, role)
        team.stage = f"{many(len(roster), 'member')} at work"
        team.begin(time)

    def _ended(self, event: MemberFinished) -> None:
        row = self.row(event.path)
        row.end(event.time, event.status)
        row.error = advised(one_line(event.error, TAIL)) if event.error else ""
        row.said = event.text[: 4 * TAIL]


def stage(name: str, round: int) -> str:
    """A stage in words."""
    return one_line(in_words(name, round))
