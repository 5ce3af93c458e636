"""A run as plain lines, one an event: what is shown where a tree cannot be drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from phalanx.messages import Completion, ToolCall, ToolResult
from phalanx.runtime.events import (
    AnyEvent,
    BallotCast,
    BreakerChanged,
    Decided,
    Delegated,
    LimitRefused,
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
    Warned,
)

from .progress import Progress, Row, stage
from .text import advised, duration, one_line, spent

WIDTH = 200


class LinesView:
    """Shows a run by writing a line for each event that says something; `write` gets the line."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.progress, self._write = Progress(), write

    def see(self, event: AnyEvent) -> None:
        """Take in the next event."""
        self.progress.see(event)
        if (said := tell(event, self.progress)) is not None:
            self._write(f"{self.progress.seconds(event.time):7.2f}s  {said}")

    def draw(self) -> None:
        """Nothing moves between events."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Lines need no end."""


class QuietView(LinesView):
    """Shows nothing, but knows what was spent."""

    def __init__(self) -> None:
        super().__init__(lambda _: None)


def tell(event: AnyEvent, progress: Progress) -> str | None:
    """An event that was just seen, in one line; None for one that says nothing new."""
    if (notice := notify(event, progress)) is not None:
        return notice
    row = progress.row(event.path)
    match event:
        case RunStarted():
            said = f"run {event.run_id} begins: {_team(event)}, seed {event.seed}"
        case RunResumed():
            said = "goes on" if event.forked_from is None else f"goes on, forked from {one_line(event.forked_from)}"
        case RunFinished():
            reason = f" ({one_line(advised(event.stop_reason), WIDTH)})" if event.stop_reason else ""
            said = f"{event.status}{reason} after {duration(progress.seconds(event.time))}: {spent(event.usage)}"
        case TeamStarted():
            said = f"begins: {_team(event)}"
        case TeamFinished():
            said = f"{event.status}: {spent(event.usage)}"
        case MemberStarted():
            said = stage(event.stage, event.round)
        case MemberFinished():
            said = f"{_ended(event)}; {spent(event.usage)}"
        case Delegated():
            row = _child(row, event.worker)
            after = f" after {', '.join(map(one_line, event.depends_on))}" if event.depends_on else ""
            said = f"gets {one_line(event.assignment)}{after}: {one_line(event.task, WIDTH)}"
        case StepStarted() if event.step == "human":
            said = f"asks a person: {one_line(str(event.request), WIDTH)}"
        case StepFinished() if event.step == "human":
            said = f"is told: {_came_of(event)}" if event.status == "ok" else f"is not told: {waits(event.error or '')}"
        case StepStarted() if event.step != "model":
            asked = event.request.parameters if isinstance(event.request, ToolCall) else event.request
            said = f"uses {one_line(event.name)}: {one_line(str(asked), WIDTH)}"
        case StepFinished() if event.step != "model":
            said = f"used {one_line(event.name)} in {duration(event.seconds)}: {_came_of(event)}"
        case BallotCast():
            row = _child(row, event.member)
            said = "abstains" if event.choice is None else f"answers {one_line(event.choice, 80)}"
        case _:
            return None
    return f"{row.label}: {said}"


def notify(event: AnyEvent, progress: Progress) -> str | None:
    """What the user should not miss, in one line: warnings, retries, refusals, decisions; None for other events."""
    who = progress.row(event.path).label
    match event:
        case Warned():
            return f"{who}: warning: {one_line(event.text)}"
        case Retried():
            again = f"asks {one_line(event.model)} again in {duration(event.wait)}, try {event.attempt + 1}"
            return f"{who}: {again}: {one_line(event.error.replace(f'{event.model}: ', ''))}"
        case BreakerChanged() if event.state == "open":
            return f"{who}: {one_line(event.model)} failed {event.failures} times in a row; it is not asked for a while"
        case BreakerChanged():
            state = "answers again" if event.state == "closed" else "is tried again"
            return f"{who}: {one_line(event.model)} {state}"
        case LimitRefused():
            used = f"{event.spent:g} of {event.limit:g} used"
            return f"{who}: a call was refused: {event.what} limit of {one_line(event.owner)}, {used}"
        case Decided():
            return f"{who}: vote: {one_line(event.explanation, WIDTH)}"
        case _:
            return None


def _team(event: RunStarted | TeamStarted) -> str:
    members = ", ".join(
        one_line(name if name == role or not role else f"{name} ({role})") for name, role in event.roster
    )
    return f"{one_line(event.formation)} of {members}"


def _child(team: Row, name: str) -> Row:
    return team.rows.get(name) or Row(name, above=team)


def _ended(event: MemberFinished) -> str:
    status, error = event.status.replace("_", " "), advised(one_line(event.error or ""))
    if event.status == "ok":
        return "done"
    return error if error.startswith(status) else f"{status}: {error}"


def waits(error: str) -> str:
    """Why a person's answer is not there, in words: a run that pauses for it has not failed."""
    return "the run waits for the answer" if error.startswith("RunPaused") else one_line(error, WIDTH)


def _came_of(event: StepFinished) -> str:
    result = event.result
    if isinstance(result, ToolResult):
        return one_line(str(result.output) if result.success else f"failed: {result.error}", WIDTH)
    if event.error is not None or isinstance(result, Completion):
        return one_line(event.error or "", WIDTH)
    return one_line(result or "", WIDTH)
