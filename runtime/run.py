"""One execution. `Run.step` is the only place where a model, a tool or a person is called."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self

import anyio

from phalanx.errors import CircuitOpen, LimitExceeded, NoModelAnswered, ProviderTimeout, StreamCut
from phalanx.messages import Completion, Request, ToolCall, Usage, estimate_request

from .events import (
    DeadlinePassed,
    Event,
    LimitRefused,
    OutcomeStatus,
    StepFinished,
    StepKind,
    StepStarted,
    Token,
    Warned,
)
from .execution import HEARERS, Execution, Listener, Result
from .limits import Accounts, Limits, Need, block_accounts
from .log import Log

if TYPE_CHECKING:
    from .playback import Playback

FREE = Usage()


class Run:
    """One branch of an execution: it makes calls, draws on its accounts, and names what it does causally.

    Branches are opened with `branch`, always in program order and never in order of arrival, so the same run gives
    every step the same key however its calls are scheduled.
    """

    __slots__ = ("_counts", "accounts", "depth", "execution", "parent", "path", "up", "usage")

    def __init__(
        self,
        execution: Execution,
        path: tuple[str, ...],
        accounts: Accounts,
        *,
        up: Run | None = None,
        deeper: bool = False,
    ) -> None:
        self.execution, self.path, self.accounts, self.up = execution, path, accounts, up
        self.parent = execution.seq or None
        self.depth: int = 0 if up is None else up.depth + deeper
        self.usage = FREE
        self._counts: dict[str, int] = {}

    @classmethod
    def open(
        cls,
        name: str,
        *,
        limits: Limits | None = None,
        log: Log | None = None,
        seed: int = 0,
        run_id: str | None = None,
        listeners: tuple[Listener, ...] = (),
        streaming: bool = False,
        playback: Playback | None = None,
    ) -> Run:
        """A new execution's root branch.

        limits: what all of it may use, besides the `with limits(...)` blocks around the caller. log: where its
        events go (default: to the listeners only, and where there are none, nowhere). playback: the journal of a run
        to go on from, or to play back. streaming: ask models for streamed answers, so that listeners see tokens.
        """
        for hearer in list(HEARERS):
            if hearer.is_listening():
                listeners = (*listeners, hearer.hear)
        execution = Execution(run_id or new_run_id(), log, seed, listeners, streaming, playback)
        return cls(execution, (name,), block_accounts().within(limits, f"run {name!r}"))

    @property
    def run_id(self) -> str:
        """The execution's id."""
        return self.execution.run_id

    @property
    def started(self) -> float:
        """When the run began, in seconds since the epoch; a resumed or replayed one began when it first did."""
        return self.execution.time

    @property
    def seed(self) -> int:
        """The execution's seed, from which all chance in it comes."""
        return self.execution.seed

    def branch(self, name: str, *, limits: Limits | None = None, owner: str = "", deeper: bool = False) -> Run:
        """A branch below this one; a name used before gets a number, in program order."""
        count = self._counts[name] = self._counts.get(name, 0) + 1
        label = name if count == 1 else f"{name}#{count}"
        accounts = self.accounts.within(limits, owner or repr(name))
        return Run(self.execution, (*self.path, label), accounts, up=self, deeper=deeper)

    def within(self, limits: Limits | None, owner: str) -> Run:
        """This branch under further limits; the branch itself when there are none."""
        if limits is None:
            return self
        under = Run(self.execution, self.path, self.accounts.within(limits, owner), up=self)
        under.parent, under._counts = self.parent, self._counts
        return under

    def emit(self, kind: type[Event], *facts: object, **named: object) -> None:
        """Put an event of this branch into the one ordered stream; `facts` are its own fields, in order.

        In a run that goes on from its journal, what is recorded there already is not said again.
        """
        execution = self.execution
        if execution.unseen:
            return
        make: Any = kind
        event: Any = make(execution.run_id, execution.seq + 1, self.path, time.time(), self.parent, *facts, **named)
        if execution.playback is None or not execution.playback.was_emitted(event):
            execution.seq += 1
            execution.record(event)

    def emit_token(self, member: str, text: str, key: str) -> None:
        """Show a piece of an answer to listeners; it is not recorded."""
        execution = self.execution
        event = Token(execution.run_id, execution.seq, self.path, time.time(), self.parent, member, text, key)
        for listener in execution.listeners:
            listener(event)

    def warn(self, text: str) -> None:
        """Say something to the user in the event stream."""
        self.emit(Warned, text)

    def add_usage(self, usage: Usage) -> None:
        """Count what was spent, here and in every branch above."""
        branch: Run | None = self
        while branch is not None:
            branch.usage = usage if branch.usage is FREE else branch.usage + usage
            branch = branch.up

    async def step(
        self,
        step: StepKind,
        name: str,
        request: Request | ToolCall | str,
        call: Callable[[str], Awaitable[Result]],
        *,
        need: Need | None = None,
        idempotent: bool = True,
    ) -> Result:
        """Make one call: reserve, record its start, call, settle, record its end.

        step, name, request: what is called and with what. call: makes it; it gets the step's causal key. need: the
        most it may cost (None: it costs nothing). idempotent: whether it may be repeated when its end is unknown.
        Raises LimitExceeded before anything is called, or whatever `call` raises.
        """
        execution = self.execution
        count = self._counts[step] = self._counts.get(step, 0) + 1
        key = f"{'/'.join(self.path)}/{step}-{count}"
        if (playback := execution.playback) is not None:
            # What it cost was spent, whether it gave something, failed or was cancelled.
            spent = playback.spent(key)
            self.accounts.charge(spent)
            self.add_usage(spent)
            recorded = await playback.step(key, name, request, idempotent)
            if recorded is not None:
                outcome: Any = recorded.outcome()
                if recorded.fresh:
                    self.emit(StepFinished, key, step, name, "ok", 0.0, FREE, outcome)
                    await execution.flush()
                return outcome  # type: ignore[no-any-return]
        if need is not None:
            try:
                await self.accounts.reserve(need)
            except LimitExceeded as refusal:
                self.emit(LimitRefused, refusal.what, refusal.owner, refusal.spent, refusal.limit)
                self._end(key, step, name, 0.0, FREE, refusal)
                raise
        self.emit(StepStarted, key, step, name, request, idempotent)
        attempts = _Attempts(self.accounts, need, request)
        token = _current.set((self, attempts))
        started: float | None = None
        settled = False
        try:
            if execution.pending:
                await execution.flush()
            async with self._gates(step):
                started, attempts.made = 0.0 if execution.unseen else anyio.current_time(), True
                result = await (call(key) if step == "human" else execution.work(call(key)))
            usage = attempts.total(result)
            settled = True
            self._settle(attempts, usage)
            if not execution.unseen:
                self.emit(StepFinished, key, step, name, "ok", anyio.current_time() - started, usage, result)
            if execution.pending:
                await execution.flush()
        except BaseException as failure:
            if not settled:
                usage = attempts.total_of_failed(failure)
                self._settle(attempts, usage)
                seconds = 0.0 if started is None or execution.unseen else anyio.current_time() - started
                self._end(key, step, name, seconds, usage, failure)
            raise
        finally:
            _current.reset(token)
        return result

    def _end(self, key: str, step: StepKind, name: str, seconds: float, usage: Usage, failure: BaseException) -> None:
        """Record that a step ended without a result."""
        text = f"{type(failure).__name__}: {failure}"
        self.emit(StepFinished, key, step, name, _status(failure), seconds, usage, None, text, _facts(failure))

    @contextmanager
    def deadline(self, seconds: float | None, *, of_run: bool = False) -> Iterator[anyio.CancelScope]:
        """A scope that is cancelled after so many seconds (None: never); that it was is recorded.

        of_run: it is the time of the whole run, which begins anew when the run is resumed.
        """
        with anyio.CancelScope() as scope:
            if seconds is None:
                yield scope
                return
            count = self._counts["deadline"] = self._counts.get("deadline", 0) + 1
            key = f"{'/'.join(self.path)}/deadline-{count}"
            end = scope.deadline = anyio.current_time() + seconds
            if self.execution.playback is not None:
                self.execution.playback.watch(key, scope, of_run=of_run)
            try:
                yield scope
            finally:
                if anyio.current_time() >= end and scope.cancel_called:
                    self.emit(DeadlinePassed, key, seconds)

    def _gates(self, step: StepKind) -> AbstractAsyncContextManager[object]:
        if step != "model" or not self.accounts.gates:
            return _OPEN
        return _Gates(self.accounts.gates)

    def _settle(self, attempts: _Attempts, usage: Usage) -> None:
        if attempts.need is not None:
            self.accounts.settle(attempts.need, usage, attempts.lost)
        self.add_usage(usage)


_OPEN: AbstractAsyncContextManager[object] = nullcontext()


class _Gates(AsyncExitStack):
    """All semaphores of a branch, entered in one order (outermost first) so that branches cannot block each other."""

    def __init__(self, gates: tuple[anyio.Semaphore, ...]) -> None:
        super().__init__()
        self._semaphores = gates

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        try:
            for gate in reversed(self._semaphores):
                await self.enter_async_context(gate)
        except BaseException:
            await self.aclose()
            raise
        return self


class _Attempts:
    """How often a step's call was really made: retries and fallbacks are calls too, and draw on the same limits."""

    __slots__ = ("accounts", "failed", "lost", "made", "need", "request", "worst")

    def __init__(self, accounts: Accounts, need: Need | None, request: object) -> None:
        self.accounts, self.need, self.request = accounts, need, request
        self.worst = None if need is None else need.copy()
        self.failed, self.made = FREE, False
        self.lost: Need | None = None

    def another(self, failure: BaseException) -> None:
        """One attempt failed and another follows; an attempt that may have been paid for stays held at its worst."""
        if self.need is not None and self.worst is not None:
            more = self.worst.copy() if _may_be_paid(failure) else Need(1)
            self.accounts.take(more)
            self.need.add(more)
        self.failed += self._cost_of(failure)

    def total(self, result: object) -> Usage:
        if not isinstance(result, Completion) or result.cached:
            return self.failed
        return result.usage if self.failed is FREE else self.failed + result.usage

    def total_of_failed(self, failure: BaseException) -> Usage:
        return self.failed + self._cost_of(failure)

    def _cost_of(self, failure: BaseException) -> Usage:
        """Nothing but the call if the provider refused it; the prompt, at no known price, if nobody knows."""
        while isinstance(failure, NoModelAnswered) and failure.failures:
            failure = failure.failures[-1]
        if self.worst is None or not self.made or isinstance(failure, LimitExceeded | CircuitOpen):
            return FREE
        if not _may_be_paid(failure):
            return Usage(calls=1)
        if self.lost is None:
            self.lost = Need(0)
        self.lost.add(self.worst)
        tokens = estimate_request(self.request) if isinstance(self.request, Request) else 0
        return Usage(calls=1, input_tokens=tokens, unpriced_calls=0 if self.worst.free else 1, estimated=True)


def _may_be_paid(failure: BaseException) -> bool:
    return isinstance(failure, ProviderTimeout | StreamCut) or not isinstance(failure, Exception)


_current: ContextVar[tuple[Run, _Attempts] | None] = ContextVar("phalanx_step", default=None)


def another_attempt(failure: BaseException) -> None:
    """Say that the step around the caller makes its call once more, after `failure`.

    Raises LimitExceeded when the limits do not allow another call; whoever retries then raises `failure`.
    """
    if (current := _current.get()) is not None:
        current[1].another(failure)


@contextmanager
def waiting() -> Iterator[None]:
    """Say that the step around the caller waits, for a rate or a retry; ended here, it called nobody."""
    current = _current.get()
    if current is None:
        yield
        return
    attempts = current[1]
    attempts.made = False
    yield
    attempts.made = True


def current_run() -> Run | None:
    """The branch whose step is around the caller; None outside of a run."""
    current = _current.get()
    return None if current is None else current[0]


def emit_here(kind: type[Event], *facts: object) -> None:
    """Emit an event in the step around the caller; outside of a run it goes nowhere."""
    if (current := _current.get()) is not None:
        current[0].emit(kind, *facts)


def warn_here(text: str) -> None:
    """Warn in the step around the caller."""
    emit_here(Warned, text)


@contextmanager
def outside_step() -> Iterator[None]:
    """Hide the step around the caller: what is inside is a run of its own."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


def _facts(failure: BaseException) -> dict[str, object]:
    """An error's attributes, as far as JSON can hold them."""
    plain = (str, int, float, bool, type(None))
    return {name: value for name, value in failure.__dict__.items() if isinstance(value, plain)}


def _status(failure: BaseException) -> OutcomeStatus:
    if isinstance(failure, LimitExceeded):
        return "refused"
    if isinstance(failure, ProviderTimeout | TimeoutError):
        return "timed_out"
    return "failed" if isinstance(failure, Exception) else "cancelled"


def new_run_id() -> str:
    """A new id that sorts by time: 12 hex digits of milliseconds, then 12 of chance."""
    return f"{time.time_ns() // 1_000_000:012x}{os.urandom(6).hex()}"
