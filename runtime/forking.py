"""What a run takes over from its own past, or from another's: the copy for a fork, the failed calls to try again."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from phalanx.errors import LogError
from phalanx.settings import nearest

from .events import (
    AnyEvent,
    Event,
    LimitRefused,
    MemberFinished,
    MemberStarted,
    RunFinished,
    RunResumed,
    RunStarted,
    StepFinished,
    StepStarted,
)

Path = tuple[str, ...]


def copied(events: Sequence[AnyEvent], at: str, start: RunStarted) -> list[object]:
    """What a run had done before a step began, as the beginning of a new run.

    events: of the recorded run. at: the step's key; a call that a limit refused is a step too. start: how the new run
    begins; it names the run that it is forked from. Raises LogError when the recorded run has no such step.
    """
    before = _beginning(events, at)
    if before is None:
        steps = list(dict.fromkeys(each.key for each in events if isinstance(each, StepStarted | StepFinished)))
        hint = nearest(str(at), steps) or (
            f"; its steps begin with: {', '.join(steps[:5])}, …" if steps else "; it has none"
        )
        raise LogError(f"run {start.forked_from!r} has no step {at!r}{hint}")
    kept: list[Event] = [start]
    for event in events:
        if event.seq < before and not isinstance(event, RunStarted | RunFinished | RunResumed):
            kept.append(replace(event, run_id=start.run_id))
    numbered: list[object] = [replace(event, seq=seq) for seq, event in enumerate(kept, 1)]
    end = len(numbered) + 1
    # It goes on now; what it took over happened then, and time may have passed in between.
    numbered.append(RunResumed(start.run_id, end, start.path, time.time(), None, start.forked_from, at))
    return numbered


def fork_point(events: Iterable[AnyEvent]) -> int:
    """The number of the event at which a forked run began to be its own; 0 in a run that is no fork."""
    return max(
        (each.seq for each in events if isinstance(each, RunResumed) and each.forked_from is not None), default=0
    )


def failed_calls(events: Sequence[AnyEvent]) -> dict[str, Path]:
    """The calls whose failure left a run without an answer, by key, with the path of each.

    They failed last, so nothing that is recorded rests on them: their member made no call after, and in its team, or a
    team around it, no other stage was begun after. Tools that must not be repeated are never among them.
    """
    end = max((each.seq for each in events if isinstance(each, RunFinished) and each.status == "failed"), default=0)
    started: dict[str, StepStarted] = {}
    ended: dict[str, StepFinished] = {}
    for event in events:
        if isinstance(event, StepStarted):
            started[event.key] = event
        elif isinstance(event, StepFinished):
            ended[event.key] = event
    return {
        key: each.path
        for key, each in ended.items()
        if each.seq < end
        and each.status in ("failed", "timed_out")
        and key in started
        and started[key].idempotent
        and not any(_rests_on(event, each.path) for event in events if each.seq < event.seq < end)
    }


def _rests_on(event: AnyEvent, path: Path) -> bool:
    """Whether an event says that somebody went on after a failure in a branch of the run."""
    if isinstance(event, StepStarted):
        return _is_around(event.path, path)
    if isinstance(event, MemberStarted):
        # Its path ends with stage and member; who is asked in one stage is asked at once, whoever begins first.
        return _is_around(event.path[:-2], path) and not _is_around(event.path[:-1], path)
    return isinstance(event, MemberFinished) and event.status == "ok" and _is_around(event.path, path)


def _is_around(outer: Path, path: Path) -> bool:
    return path[: len(outer)] == outer


def _beginning(events: Sequence[AnyEvent], at: str) -> int | None:
    """The number of the event with which a step began."""
    found = None
    for place, event in enumerate(events):
        if isinstance(event, StepStarted) and event.key == at:
            found = event.seq
        elif isinstance(event, StepFinished) and event.key == at and found is None and event.status == "refused":
            # A refused call has no start; what comes right before its end says which limit refused it.
            said = events[place - 1]
            found = said.seq if isinstance(said, LimitRefused) and said.path == event.path else event.seq
    return found
