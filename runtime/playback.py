"""A recorded run, played back: finished calls answer from the journal, in the order in which they ended.

Whoever asks for a step that is recorded gets what was recorded, and only when every step that ended before it has been
given out and all that the run had said by then was said again: so what a formation did with the first answer to
arrive, it does again. A deadline that passed is recorded too, and passes again at its place; no time has to go by. A
step that was cancelled waits until it is cancelled.
"""

from __future__ import annotations

import builtins
import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal, NoReturn, get_args

import anyio
import anyio.lowlevel

from phalanx import errors
from phalanx.errors import LogError, PhalanxError, ReplayDivergence, UncertainStep, ValidationError
from phalanx.messages import Completion, Request, ToolCall, ToolResult, Usage

from .comparing import ANY_MODEL as ANY_MODEL
from .comparing import compare
from .events import (
    AnyEvent,
    BallotCast,
    BoardWritten,
    DeadlinePassed,
    Decided,
    Delegated,
    Event,
    MemberFinished,
    MemberStarted,
    RoundStarted,
    RunFinished,
    RunResumed,
    RunStarted,
    StepFinished,
    StepStarted,
    TeamStarted,
)
from .forking import failed_calls, fork_point

Decision = Literal["retry", "skip"]
# How often a step looks whether it is its turn before it goes ahead of one that nobody asks for any more.
PATIENCE = 1000


@dataclass(frozen=True, slots=True)
class Recorded:
    """How a step ended. `fresh`: that was decided just now, and is not in the journal yet."""

    finished: StepFinished
    fresh: bool = False

    def outcome(self) -> Completion | ToolResult | str:
        """What it gave; raises what it raised."""
        if self.finished.result is not None:
            return self.finished.result
        raise failure_of(self.finished)


class Playback:
    """The journal of a run, to go on from it, or with `only=True` to play it back and nothing else.

    decisions: what to do with a step that must not be repeated and whose end is unknown: "retry" makes it again,
    "skip" gives the model an error in its place.

    A request that differs from the recorded one is an error, but not in what a fork took over: that stands as it was,
    whatever was changed.

    Going on is not playing back: then calls that a limit refused or that were cancelled are made after all, once
    everything that is recorded has been given out, and so are those whose failure ended the run; the time of the run
    itself begins anew.
    """

    def __init__(
        self,
        records: Sequence[object],
        *,
        only: bool = False,
        decisions: Mapping[str, Decision] | None = None,
    ) -> None:
        if decisions is not None and not isinstance(decisions, Mapping):
            raise ValidationError(f"decisions is a mapping of steps' keys to decisions, not {type(decisions).__name__}")
        self.only, self.decisions = only, dict(decisions or {})
        self.records = records
        self.events: list[AnyEvent] = [record for record in records if isinstance(record, get_args(AnyEvent))]
        self.started: dict[str, StepStarted] = {}
        self.finished: dict[str, StepFinished] = {}
        self._spent: dict[str, Usage] = {}
        self.passed: set[str] = set()
        self._ends: dict[str, int] = {}
        self._waiting: set[str] = set()
        self._at = 0
        self._diverged = False
        self._scopes: dict[str, anyio.CancelScope] = {}
        self._gone: set[str] = set()
        self._cut_off: set[tuple[str, ...]] = set()
        self._came_through: set[tuple[str, ...]] = set()
        self._emitted: dict[tuple[tuple[str, ...], str], deque[tuple[int, tuple[object, ...]]]] = {}
        # What is said again by whoever plays the run back, as long as it does what it did: its number, in order.
        self._awaited: list[int] = []
        self._said: set[int] = set()
        self._starts: dict[str, list[int]] = {}
        self._next = 0
        self._fork = fork_point(self.events)
        self._again_made = {} if only else failed_calls(self.events)
        for event in self.events:
            self._read(event)
        self._order = sorted(self._ends, key=self._ends.__getitem__)
        self._place = {key: at for at, key in enumerate(self._order)} | {"": len(self._order)}

    @property
    def start(self) -> RunStarted:
        """How the run began. Raises LogError when the journal does not say."""
        for event in self.events:
            if isinstance(event, RunStarted):
                return event
        raise LogError("this journal does not say how its run began; it is empty, or no run's journal")

    @property
    def last_seq(self) -> int:
        """The number of the last recorded event."""
        return self.events[-1].seq if self.events else 0

    def check_decided(self) -> None:
        """Raise UncertainStep for a step that must not be repeated, whose end is unknown and is not decided on.

        Before anything is called: an error in the midst of things would cancel, and waste, what others are doing.
        """
        if self.only:
            return
        for key, decision in self.decisions.items():
            if key not in self.started:
                raise ValidationError(f"decisions names {key!r}, and no such step is recorded")
            if decision not in ("retry", "skip"):
                raise ValidationError(f"decisions[{key!r}]={decision!r}; a step's decision is 'retry' or 'skip'")
        for key, started in self.started.items():
            if not started.idempotent and key not in self.finished and key not in self.decisions:
                raise UncertainStep(key, started.name)

    def is_to_make(self, key: str) -> bool:
        """Whether a step that was begun is made (again) when the run goes on, and does not answer from the journal."""
        ended = self.finished.get(key)
        return ended is None or ended.status in ("cancelled", "refused") or key in self._again_made

    def was_emitted(self, event: Event) -> bool:
        """Whether an event is recorded already, as the next of its kind in its place; each is said once."""
        if isinstance(event, DeadlinePassed):
            return event.key in self.passed
        facts = _facts(event)
        waiting = self._emitted.get((event.path, event.kind), ())
        # Not only the next one: what a call itself said is not said again when the call is not made again.
        found = next((each for each in waiting if each[1] == facts), None)
        if found is None and isinstance(event, MemberStarted | RoundStarted | TeamStarted):
            # What a fork took over was begun with other words; it stands as it was.
            found = next((each for each in waiting if each[0] < self._fork), None)
        if found is None:
            return False
        assert isinstance(waiting, deque)
        waiting.remove(found)
        self._again(found[0])
        return True

    async def step(self, key: str, name: str, request: Request | ToolCall | str, idempotent: bool) -> Recorded | None:
        """How a step ended in the recorded run; None when it is to be made now.

        Raises ReplayDivergence when the recorded step asked for something else, or when nothing but the recording
        may be played and it has no such step; UncertainStep when it must not be repeated and its end is unknown.
        """
        started, finished = self.started.get(key), self.finished.get(key)
        if started is not None and started.seq > self._fork:
            try:
                compare(key, started, name, request)
            except ReplayDivergence:
                self._diverged = True
                raise
        self._again(*self._starts.get(key, ()))
        if finished is None or finished.status == "cancelled":
            return await self._unfinished(key, name, idempotent)
        if key in self._again_made or (finished.status == "refused" and not self.only):
            await self._drained()
            return None
        await self._turn(key)
        return Recorded(finished)

    async def member_ended(self, path: tuple[str, ...], name: str) -> None:
        """Hear that a member comes to its end by itself; one that was cut off just before is cut off here too."""
        if self.only and path in self._cut_off:
            await self._until_cancelled("/".join(path), name)

    def spent(self, key: str) -> Usage:
        """What the recorded step cost, every time that it was made."""
        return self._spent.get(key, _NOTHING)

    def watch(self, key: str, scope: anyio.CancelScope, *, of_run: bool) -> None:
        """Cancel a deadline's scope at the place where it passed in the recorded run.

        of_run: it is the whole run's own time, which begins anew when a run goes on.
        """
        if self.only:
            scope.deadline = math.inf
        if key not in self.passed:
            return
        if self.only or not of_run:
            self._scopes[key] = scope
        else:
            self._gone.add(key)
        self._pass_deadlines()

    async def _unfinished(self, key: str, name: str, idempotent: bool) -> Recorded | None:
        started, finished = self.started.get(key), self.finished.get(key)
        # A deadline may have passed before it could be asked for.
        await anyio.lowlevel.checkpoint_if_cancelled()
        if self.only:
            if started is None:
                raise ReplayDivergence(key, "the step itself", "nothing", name)
            # It was cancelled, or the run that made it was killed and went on without it.
            await self._until_cancelled(key, name)
        if finished is not None:
            # If that was the formation's own doing, it will be cancelled again.
            await self._drained()
        if started is not None and not idempotent:
            return self._decided(key, name)
        return None

    def _read(self, event: Event) -> None:
        if isinstance(event, StepStarted):
            self.started[event.key] = event
            self._starts.setdefault(event.key, []).append(event.seq)
            self._awaited.append(event.seq)
        elif isinstance(event, StepFinished):
            self.finished[event.key] = event
            before = self._spent.get(event.key)
            self._spent[event.key] = event.usage if before is None else before + event.usage
            self._ends.pop(event.key, None)
            if event.key in self._again_made:
                return
            if event.status != "cancelled" and (self.only or event.status != "refused"):
                self._ends[event.key] = event.seq
        elif isinstance(event, DeadlinePassed):
            self.passed.add(event.key)
            self._ends[event.key] = event.seq
        elif not isinstance(event, RunFinished | RunResumed):
            self._emitted.setdefault((event.path, event.kind), deque()).append((event.seq, _facts(event)))
            if self._comes_again(event):
                self._awaited.append(event.seq)
            if isinstance(event, MemberFinished) and event.path not in self._came_through:
                # The last time counts: who was cut off when the run broke off may have ended in a later attempt. But
                # who answered has answered, though it may have been cut off while that was given out once more.
                self._cut_off.discard(event.path)
                if event.status in ("cancelled", "timed_out"):
                    self._cut_off.add(event.path)
                elif event.status == "ok":
                    self._came_through.add(event.path)

    def _comes_again(self, event: Event) -> bool:
        """Whether an event is said again in any case: not what cuts a member off, nor what a call says of itself."""
        if isinstance(event, MemberFinished):
            if event.status == "failed":
                return not any(path[: len(event.path)] == event.path for path in self._again_made.values())
            return event.status == "ok" or (self.only and event.status == "refused")
        return isinstance(event, _ALWAYS) or (self.only and isinstance(event, BoardWritten))

    def _decided(self, key: str, name: str) -> Recorded | None:
        decision = self.decisions.get(key)
        if decision == "retry":
            return None
        if decision == "skip":
            skipped = ToolResult(success=False, error="its outcome is unknown and it was not repeated", tool_name=name)
            event = self.started[key]
            call = event.request
            if isinstance(call, ToolCall):
                skipped = skipped.model_copy(update={"tool_call_id": call.id})
            return Recorded(
                StepFinished(
                    event.run_id, event.seq, event.path, event.time, event.parent, key, event.step, name, "ok", 0.0,
                    Usage(), skipped,
                ),
                fresh=True,
            )  # fmt: skip
        raise UncertainStep(key, name)

    async def _turn(self, key: str) -> None:
        """Wait until everything recorded to have ended before has been given out, and been made use of."""
        place = self._place.get(key, self._at)
        self._waiting.add(key)
        try:
            # Nothing cut off whoever is recorded to have answered, though nobody may have needed the answer any more.
            with anyio.CancelScope(shield=self._answered(key)):
                await self._until_turn(place, self._ends.get(key, math.inf))
        finally:
            self._waiting.discard(key)
        self._at = max(self._at, place + 1)
        self._pass_deadlines()
        if not self._answered(key):
            # If a deadline passed right after this step, what it gave was never made use of.
            await anyio.lowlevel.checkpoint_if_cancelled()

    async def _until_turn(self, place: int, end: float) -> None:
        seen, patience = self._progress(), PATIENCE
        while self._at < place or not self._is_said_until(end):
            await anyio.lowlevel.checkpoint()
            if (progress := self._progress()) != seen:
                seen, patience = progress, PATIENCE
                continue
            patience -= 1
            if patience <= 0 and self._is_first(place):
                # Whoever should be next, or should say something, does not: this run goes another way.
                self._said.update(seq for seq in self._awaited[self._next :] if seq < end)
                break
        for _ in range(3):
            await anyio.lowlevel.checkpoint()

    def _answered(self, key: str) -> bool:
        """Whether the member that made a step is recorded to have answered in the end."""
        if key not in self.started:
            return False
        path = self.started[key].path
        return any(path[:at] in self._came_through for at in range(len(path), 0, -1))

    async def _drained(self) -> None:
        """Wait until all that is recorded has been given out and made use of, or nobody asks for it any more."""
        await self._turn("")

    async def _until_cancelled(self, key: str, name: str) -> NoReturn:
        """Wait to be cancelled as in the recorded run. Raises ReplayDivergence when nobody does: the run itself was."""
        seen, patience = self._progress(), 10 * PATIENCE
        while patience > 0:
            await anyio.lowlevel.checkpoint()
            patience -= 1
            if (progress := self._progress()) != seen:
                seen, patience = progress, 10 * PATIENCE
        raise ReplayDivergence(key, "its end", "none: the run broke off there", name)

    def _again(self, *seqs: int) -> None:
        """What is recorded under these numbers was said again."""
        self._said.update(seqs)
        self._pass_deadlines()

    def _pass_deadlines(self) -> None:
        # In a run that goes another way none passes: the error that says so would be taken for a late answer.
        while self._at < len(self._order) and not self._diverged:
            key = self._order[self._at]
            if key not in self._gone:
                scope = self._scopes.get(key)
                if scope is None or not self._is_said_until(self._ends[key]):
                    return
                scope.cancel()
            self._at += 1

    def _is_said_until(self, end: float) -> bool:
        """Whether all that the run had said before an event was said again."""
        while self._next < len(self._awaited) and self._awaited[self._next] in self._said:
            self._next += 1
        return self._next == len(self._awaited) or self._awaited[self._next] > end

    def _progress(self) -> tuple[int, int]:
        return self._at, len(self._said)

    def _is_first(self, place: int) -> bool:
        return not any(other in self._waiting for other in self._order[self._at : place])


_ALWAYS = (MemberStarted, RoundStarted, TeamStarted, Delegated, BallotCast, Decided)


def _facts(event: Event) -> tuple[object, ...]:
    """What an event says, besides when and where."""
    names = _OWN_FIELDS.get(event.kind)
    if names is None:
        names = _OWN_FIELDS[event.kind] = tuple(each.name for each in fields(event)[_HEADER:])
    return tuple([getattr(event, name) for name in names])


_HEADER = len(fields(Event))
_OWN_FIELDS: dict[str, tuple[str, ...]] = {}
_NOTHING = Usage()


def failure_of(finished: StepFinished) -> Exception:
    """The exception a recorded step ended with: of the same class, with the same text and facts."""
    name, _, text = (finished.error or "RuntimeError: unknown").partition(": ")
    known = getattr(errors, name, None) or getattr(builtins, name, None)
    if isinstance(known, type) and issubclass(known, PhalanxError):
        failure = known.__new__(known)
        failure.args = (text,)
        failure.__dict__.update(finished.facts)
        return failure
    if isinstance(known, type) and issubclass(known, Exception):
        try:
            return known(text)
        except TypeError:  # an exception that wants other arguments than a text
            return RuntimeError(text)
    return RuntimeError(text)
