"""A model that keeps failing is left alone for a while, and asked again gently."""

from __future__ import annotations

import anyio
import pytest
from anyio.lowlevel import checkpoint

from phalanx.agents.models.breaker import Breaker
from phalanx.agents.models.offline import ScriptedModel
from phalanx.errors import (
    AuthenticationFailed,
    CircuitOpen,
    ConfigurationError,
    InvalidRequest,
    NoModelAnswered,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    StreamCut,
)
from phalanx.messages import Completion, Request
from phalanx.runtime.events import BreakerChanged
from tests.clock import backend
from tests.models.calling import Streaming, ask_in_run, down, question, read, too_many


class Held:
    """A model whose calls end only when they are told to: `calls[n].give("text")` or `.fail(error)`."""

    name = "offline/held"

    def __init__(self) -> None:
        self.calls: list[Call] = []

    async def complete(self, request: Request, /) -> Completion:
        call = Call()
        self.calls.append(call)
        await call.ended.wait()
        if call.error is not None:
            raise call.error
        return Completion(text=call.text)


class Call:
    """One call under way."""

    def __init__(self) -> None:
        self.ended, self.text = anyio.Event(), ""
        self.error: Exception | None = None

    def give(self, text: str) -> None:
        self.text = text
        self.ended.set()

    def fail(self, error: Exception) -> None:
        self.error = error
        self.ended.set()


def state_of(breaker: Breaker) -> str:
    return breaker.state


async def settle() -> None:
    """Let every task go on as far as it can."""
    for _ in range(10):
        await checkpoint()


async def fail_times(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        with pytest.raises(ProviderUnavailable):
            await breaker.complete(question())


async def swallow(breaker: Breaker) -> None:
    try:
        await breaker.complete(question())
    except ProviderError:
        pass


async def test_it_opens_after_so_many_failures_in_a_row_and_says_how_long() -> None:
    model = ScriptedModel([down()] * 3)
    breaker = Breaker(model, failures=3, cooldown=30)
    await fail_times(breaker, 2)
    assert state_of(breaker) == "closed"
    await fail_times(breaker, 1)
    assert state_of(breaker) == "open"
    await anyio.sleep(12)
    with pytest.raises(CircuitOpen) as caught:
        await breaker.complete(question())
    assert caught.value.seconds == pytest.approx(18, abs=1e-6)
    assert caught.value.failures == 3
    assert caught.value.model == "offline/scripted"
    assert len(model.requests) == 3


async def test_a_success_in_between_starts_the_count_again() -> None:
    breaker = Breaker(ScriptedModel([down(), down(), "yes", down(), down()]), failures=3)
    await fail_times(breaker, 2)
    await breaker.complete(question())
    await fail_times(breaker, 2)
    assert state_of(breaker) == "closed"


@pytest.mark.parametrize(
    "failure",
    [too_many(), down(), ProviderTimeout("slow"), StreamCut("cut"), NoModelAnswered([down(), too_many()])],
)
async def test_transient_failures_count(failure: ProviderError) -> None:
    breaker = Breaker(ScriptedModel([failure]), failures=1)
    with pytest.raises(type(failure)):
        await breaker.complete(question())
    assert state_of(breaker) == "open"


@pytest.mark.parametrize(
    "failure",
    [
        AuthenticationFailed("key"),
        InvalidRequest("bad"),
        CircuitOpen("another", seconds=1, failures=1),
        NoModelAnswered([down(), InvalidRequest("bad")]),
        ZeroDivisionError(),
    ],
)
async def test_other_failures_neither_count_nor_reset_the_count(failure: Exception) -> None:
    breaker = Breaker(ScriptedModel([down(), failure, down()]), failures=2)
    await fail_times(breaker, 1)
    with pytest.raises(type(failure)):
        await breaker.complete(question())
    assert state_of(breaker) == "closed"
    await fail_times(breaker, 1)
    assert state_of(breaker) == "open"


async def test_after_the_cooldown_a_success_closes_it() -> None:
    breaker = Breaker(ScriptedModel([down(), "back", down()]), failures=1, cooldown=30)
    await fail_times(breaker, 1)
    await anyio.sleep(30)
    assert (await breaker.complete(question())).text == "back"
    assert state_of(breaker) == "closed"
    await fail_times(breaker, 1)
    assert state_of(breaker) == "open", "the count began anew and reached one"


async def test_after_the_cooldown_a_failure_opens_it_for_another_cooldown() -> None:
    breaker = Breaker(ScriptedModel([down()] * 4), failures=3, cooldown=30)
    await fail_times(breaker, 3)
    await anyio.sleep(30)
    await fail_times(breaker, 1)
    assert state_of(breaker) == "open"
    with pytest.raises(CircuitOpen) as caught:
        await breaker.complete(question())
    assert caught.value.seconds == pytest.approx(30, abs=1e-6)
    assert caught.value.failures == 4


async def test_just_before_the_end_of_the_cooldown_it_is_still_open() -> None:
    breaker = Breaker(ScriptedModel([down(), "back"]), failures=1, cooldown=30)
    await fail_times(breaker, 1)
    await anyio.sleep(29.999)
    with pytest.raises(CircuitOpen):
        await breaker.complete(question())


async def half_open(held: Held, probes: int) -> Breaker:
    """A breaker whose cooldown is over; its model has had one call."""
    breaker = Breaker(held, failures=1, cooldown=30, probes=probes)
    async with anyio.create_task_group() as group:
        group.start_soon(swallow, breaker)
        await settle()
        held.calls[0].fail(down())
    await anyio.sleep(30)
    return breaker


async def test_half_open_only_so_many_probes_go_through_at_a_time() -> None:
    held = Held()
    breaker = await half_open(held, probes=2)
    async with anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(swallow, breaker)
        await settle()
        assert (state_of(breaker), len(held.calls)) == ("half_open", 3)
        with pytest.raises(CircuitOpen) as caught:
            await breaker.complete(question())
        assert caught.value.seconds == 0
        held.calls[1].give("yes")
        held.calls[2].give("yes")
    assert state_of(breaker) == "closed"


@pytest.mark.parametrize(("first", "state"), [("success", "closed"), ("failure", "open")])
async def test_of_two_probes_the_one_that_ends_first_decides(first: str, state: str) -> None:
    held = Held()
    breaker = await half_open(held, probes=2)
    async with anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(swallow, breaker)
        await settle()
        one, other = held.calls[1:]
        if first == "success":
            one.give("yes")
            await settle()
            other.fail(down())
        else:
            one.fail(down())
            await settle()
            other.give("yes")
        await settle()
    assert state_of(breaker) == state


async def test_an_undecided_probe_gives_its_place_to_the_next() -> None:
    held = Held()
    breaker = await half_open(held, probes=1)
    async with anyio.create_task_group() as group:
        group.start_soon(swallow, breaker)
        await settle()
        held.calls[1].fail(InvalidRequest("bad"))
        await settle()
        assert state_of(breaker) == "half_open"
        group.start_soon(swallow, breaker)
        await settle()
        held.calls[2].give("yes")
    assert state_of(breaker) == "closed"


async def test_a_cancelled_probe_gives_its_place_to_the_next() -> None:
    held = Held()
    breaker = await half_open(held, probes=1)
    with anyio.move_on_after(5):
        await breaker.complete(question())
    assert state_of(breaker) == "half_open"
    async with anyio.create_task_group() as group:
        group.start_soon(swallow, breaker)
        await settle()
        held.calls[2].give("yes")
    assert state_of(breaker) == "closed"


async def test_what_comes_back_late_does_not_disturb_the_state_after_it() -> None:
    held = Held()
    breaker = Breaker(held, failures=1, cooldown=30)
    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(swallow, breaker)
        await settle()
        late_success, late_failure, later_failure, opener = held.calls
        opener.fail(down())
        await settle()
        late_success.give("yes")
        await settle()
        assert state_of(breaker) == "open"
        await anyio.sleep(30)
        group.start_soon(swallow, breaker)
        await settle()
        late_failure.fail(down())
        await settle()
        assert state_of(breaker) == "half_open"
        held.calls[4].give("yes")
        await settle()
        later_failure.fail(down())
    assert state_of(breaker) == "closed"


async def test_all_users_of_a_breaker_share_its_state() -> None:
    breaker = Breaker(ScriptedModel([down()] * 2), failures=2)
    results = [await ask_in_run(breaker) for _ in range(3)]
    assert [type(result.error) for result in results] == [ProviderUnavailable, ProviderUnavailable, CircuitOpen]
    assert results[2].usage.calls == 0


async def test_each_change_is_shown_in_the_run_that_caused_it() -> None:
    breaker = Breaker(ScriptedModel([down(), "back"]), failures=1, cooldown=30)
    opened = await ask_in_run(breaker)
    await anyio.sleep(30)
    closed = await ask_in_run(breaker)
    changes = [event for event in opened.events + closed.events if isinstance(event, BreakerChanged)]
    assert [(change.state, change.failures) for change in changes] == [("open", 1), ("half_open", 1), ("closed", 0)]
    assert {change.model for change in changes} == {"offline/scripted"}


async def test_a_cut_stream_counts_and_a_whole_one_closes() -> None:
    model = Streaming(["a", StreamCut("cut")], ["a", Completion(text="a")])
    breaker = Breaker(model, failures=1, cooldown=30)
    with pytest.raises(StreamCut):
        await read(breaker)
    assert state_of(breaker) == "open"
    with pytest.raises(CircuitOpen):
        await read(breaker)
    await anyio.sleep(30)
    assert await read(breaker) == ["a", "[a]"]
    assert state_of(breaker) == "closed"
    assert (model.opened, model.closed) == (2, 2)


async def test_a_stream_left_early_says_nothing_and_gives_its_place_back() -> None:
    model = Streaming([down()], ["a", "b"], ["a", Completion(text="a")])
    breaker = Breaker(model, failures=1, cooldown=30)
    with pytest.raises(ProviderUnavailable):
        await read(breaker)
    await anyio.sleep(30)
    streaming = breaker.stream(question())
    await anext(streaming)
    await streaming.aclose()
    assert state_of(breaker) == "half_open"
    assert await read(breaker) == ["a", "[a]"]
    assert state_of(breaker) == "closed"


async def test_a_stream_left_after_its_completion_was_a_success() -> None:
    breaker = Breaker(Streaming([down()], ["a", Completion(text="a")]), failures=1, cooldown=30)
    with pytest.raises(ProviderUnavailable):
        await read(breaker)
    await anyio.sleep(30)
    streaming = breaker.stream(question())
    while (await anext(streaming)).completion is None:
        pass
    await streaming.aclose()
    assert state_of(breaker) == "closed"


@pytest.mark.parametrize("name", ["asyncio", "trio"])
def test_an_open_breaker_does_not_trust_the_clock_of_another_event_loop(name: str) -> None:
    breaker = Breaker(ScriptedModel([down(), "back"]), failures=1, cooldown=30)

    async def fail_late() -> None:
        await anyio.sleep(1000)
        await fail_times(breaker, 1)

    first, options = backend(name)
    anyio.run(fail_late, backend=first, backend_options=options)
    assert state_of(breaker) == "open"
    second, options = backend(name)
    assert anyio.run(breaker.complete, question(), backend=second, backend_options=options).text == "back"


@pytest.mark.parametrize("given", [{"failures": 0}, {"probes": 0}, {"cooldown": -1.0}, {"cooldown": float("nan")}])
def test_counts_that_make_no_sense_are_refused(given: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(given))):
        Breaker(ScriptedModel([]), **given)  # type: ignore[arg-type]


async def test_a_rate_limit_within_the_count_passes_on_unchanged() -> None:
    failure = too_many(7)
    with pytest.raises(RateLimited) as caught:
        await Breaker(ScriptedModel([failure])).complete(question())
    assert caught.value is failure
