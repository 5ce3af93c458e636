"""A breaker under any sequence of calls, ends, cancellations and pauses does what its definition says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import anyio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, consumes, invariant, multiple, rule

from phalanx.agents.models.breaker import Breaker
from phalanx.errors import CircuitOpen, InvalidRequest, ProviderUnavailable
from phalanx.messages import Completion, Message, Request
from tests.clock import VirtualLoop

FAILURES, COOLDOWN, PROBES = 2, 10.0, 2
REQUEST = Request(messages=(Message(role="user", content="?"),))


@dataclass(eq=False)
class Call:
    """A call under way: what it will end with, and the period of the definition in which it began."""

    period: int
    ended: anyio.Event = field(default_factory=anyio.Event)
    error: Exception | None = None
    task: asyncio.Task[Completion] | None = None


class Definition:
    """The breaker as one would define it on paper: each period is a state that began at some time."""

    def __init__(self) -> None:
        self.period, self.state, self.since, self.in_a_row, self.probing = 0, "closed", 0.0, 0, 0

    def become(self, state: str, now: float) -> None:
        self.period, self.state, self.since, self.probing = self.period + 1, state, now, 0

    def begins(self, now: float) -> float | None:
        """None if a call may begin, else the seconds it is told."""
        if self.state == "open":
            left = self.since + COOLDOWN - now
            if left > 1e-6:
                return left
            self.become("half_open", now)
        if self.state == "half_open":
            if self.probing == PROBES:
                return 0.0
            self.probing += 1
        return None

    def ends(self, period: int, how: str, now: float) -> None:
        if period != self.period:
            return
        if self.state == "half_open":
            self.probing -= 1
        if how == "success":
            self.in_a_row = 0
            if self.state == "half_open":
                self.become("closed", now)
        if how == "failure":
            self.in_a_row += 1
            if self.state == "half_open" or self.in_a_row == FAILURES:
                self.become("open", now)


class BreakerMachine(RuleBasedStateMachine):
    """Calls stay open between rules, so that any number of them may be under way in any state."""

    calls: Bundle[Call] = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.begun: list[Call] = []
        self.breaker = Breaker(self, failures=FAILURES, cooldown=COOLDOWN, probes=PROBES)
        self.definition = Definition()

    name = "offline/machine"

    async def complete(self, request: Request, /) -> Completion:
        call = Call(self.definition.period)
        self.begun.append(call)
        await call.ended.wait()
        if call.error is not None:
            raise call.error
        return Completion(text="yes")

    def let_run(self) -> None:
        async def settle() -> None:
            for _ in range(5):
                await asyncio.sleep(0)

        self.loop.run_until_complete(settle())

    @rule(target=calls)
    def begin(self) -> Call | MultipleResults[Call]:
        refused = self.definition.begins(self.loop.time())
        before = len(self.begun)
        task = self.loop.create_task(self.breaker.complete(REQUEST))
        self.let_run()
        if refused is None:
            assert len(self.begun) == before + 1, "the call should have gone through"
            call = self.begun[-1]
            call.task = task
            return call
        assert len(self.begun) == before, "the call should have been refused"
        error = task.exception()
        assert isinstance(error, CircuitOpen)
        assert abs(error.seconds - refused) < 1e-6
        return multiple()

    @rule(call=consumes(calls), how=st.sampled_from(["failure", "failure", "success", "neutral", "cancelled"]))
    def end(self, call: Call, how: str) -> None:
        assert call.task is not None
        self.definition.ends(call.period, how, self.loop.time())
        if how == "cancelled":
            call.task.cancel()
        else:
            call.error = {"failure": ProviderUnavailable("down"), "neutral": InvalidRequest("bad")}.get(how)
            call.ended.set()
        self.let_run()
        assert call.task.done()
        if not call.task.cancelled():
            assert call.task.exception() is call.error

    @rule(seconds=st.sampled_from([COOLDOWN, COOLDOWN - 1]))
    def pause(self, seconds: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))

    @invariant()
    def states_agree(self) -> None:
        assert self.breaker.state == self.definition.state

    def teardown(self) -> None:
        for call in self.begun:
            if call.task is not None and not call.task.done():
                call.task.cancel()
        self.let_run()
        self.loop.close()


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
