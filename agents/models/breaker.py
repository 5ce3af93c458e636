"""Stop asking a model that keeps failing, and find out gently whether it is back.

The circuit breaker of Nygard, Release It! (2007), section 5.2, with a limited number of probes.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator
from typing import Literal

import anyio

from phalanx.errors import CircuitOpen, ConfigurationError, NoModelAnswered, ProviderError
from phalanx.messages import Completion, Delta, Request
from phalanx.runtime.events import BreakerChanged
from phalanx.runtime.run import emit_here

from .model import Model, Wrapper, close, stream

State = Literal["closed", "open", "half_open"]


class Breaker(Wrapper):
    """A model that is not asked for `cooldown` seconds after so many transient failures in a row.

    closed: calls go through; `failures` transient ones in a row open it. open: calls raise CircuitOpen, which says
    how many seconds are left. half_open, once `cooldown` seconds have passed: `probes` calls at a time go through, the
    others raise CircuitOpen; a success closes it, a transient failure opens it again.

    A failure that is not transient (a wrong key, a bad request), a refusal by a breaker further in, and a cancelled
    call say nothing either way. A call counts only in the state in which it began: what comes back late does not
    disturb the state after it. Whoever uses the same Breaker shares its state. Raises ConfigurationError for counts
    below 1 or a negative cooldown.
    """

    def __init__(self, model: Model, failures: int = 5, cooldown: float = 30.0, probes: int = 1) -> None:
        if failures < 1 or probes < 1 or not cooldown >= 0:
            given = f"failures={failures!r}, probes={probes!r}, cooldown={cooldown!r}"
            raise ConfigurationError(f"a breaker needs failures >= 1, probes >= 1 and cooldown >= 0, not {given}")
        super().__init__(model)
        self.failures, self.cooldown, self.probes = failures, cooldown, probes
        self._state: State = "closed"
        self._in_a_row = 0
        self._opened_at = 0.0
        self._probing = 0
        self._changes = 0
        self._lock = threading.Lock()

    @property
    def state(self) -> State:
        """Where the breaker stands; an open one whose cooldown is over becomes half-open at the next call."""
        return self._state

    async def complete(self, request: Request, /) -> Completion:
        began = self._enter()
        try:
            completion = await self.model.complete(request)
        except BaseException as failure:
            self._leave(began, failure)
            raise
        self._leave(began, None)
        return completion

    async def stream(self, request: Request, /) -> AsyncGenerator[Delta, None]:
        began, failure, is_whole = self._enter(), None, False
        pieces = stream(self.model, request)
        try:
            async for delta in pieces:
                is_whole = is_whole or delta.completion is not None
                yield delta
        except BaseException as problem:
            failure = problem
            raise
        finally:
            try:
                await close(pieces)
            finally:
                self._leave(began, None if is_whole else failure)

    def _enter(self) -> int:
        """Let a call begin, or raise CircuitOpen; gives the number of the state it began in."""
        if self._state == "closed":
            return self._changes
        changed = False
        with self._lock:
            if self._state == "open":
                left = self._seconds_left()
                if left > 0:
                    raise CircuitOpen(self.name, seconds=left, failures=self._in_a_row)
                self._change("half_open")
                changed = True
            if self._state == "half_open":
                if self._probing >= self.probes:
                    raise CircuitOpen(self.name, seconds=0.0, failures=self._in_a_row)
                self._probing += 1
            began = self._changes
        if changed:
            emit_here(BreakerChanged, self.name, "half_open", self._in_a_row)
        return began

    def _leave(self, began: int, failure: BaseException | None) -> None:
        if failure is None and self._state == "closed" and not self._in_a_row:
            return
        state: State | None = None
        with self._lock:
            if began != self._changes:
                return
            if self._state == "half_open":
                self._probing -= 1
            if failure is None:
                self._in_a_row = 0
                state = "closed" if self._state == "half_open" else None
            elif _counts(failure):
                self._in_a_row += 1
                if self._in_a_row >= self.failures:  # always so when half-open: only a success starts again
                    state = "open"
            if state is not None:
                self._change(state)
            in_a_row = self._in_a_row
        if state is not None:
            emit_here(BreakerChanged, self.name, state, in_a_row)

    def _change(self, state: State) -> None:
        self._state, self._probing, self._changes = state, 0, self._changes + 1
        if state == "open":
            self._opened_at = anyio.current_time()

    def _seconds_left(self) -> float:
        left = self._opened_at + self.cooldown - anyio.current_time()
        # More than the whole cooldown: the clock is another event loop's, and says nothing about the time passed.
        return left if _TICK < left <= self.cooldown + _TICK else 0.0


_TICK = 1e-6
"""Seconds that are no time: less than any wait, more than the rounding of a clock."""


def _counts(failure: BaseException) -> bool:
    """Whether a failure says that the model is in trouble."""
    if isinstance(failure, NoModelAnswered):
        return bool(failure.failures) and all(_counts(each) for each in failure.failures)
    return isinstance(failure, ProviderError) and failure.transient and not isinstance(failure, CircuitOpen)
