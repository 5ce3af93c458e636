"""A team keeps to what its provider allows, first come first served, and gives every permit back."""

from __future__ import annotations

import random
from collections.abc import Callable

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given
from hypothesis import strategies as st

from phalanx.agents.models.governor import Governed, Governor, governed, governor_for
from phalanx.agents.models.offline import ScriptedModel
from phalanx.agents.models.retry import Retrying
from phalanx.errors import CircuitOpen, ConfigurationError, InvalidRequest, ProviderTimeout, RateLimited
from phalanx.messages import Completion, Request, Usage, estimate_request
from phalanx.runtime.events import Warned
from tests.clock import backend
from tests.models.calling import Streaming, ask_in_run, down, question, read, too_many


class Provider:
    """A server that takes `seconds` a call and notes when calls begin and how many there are at the same time.

    `rule(n)` may give the error of the n-th call.
    """

    free = True

    def __init__(
        self,
        seconds: float = 0.0,
        rule: Callable[[int], Exception | None] = lambda _: None,
        *,
        name: str = "local/model",
        tokens: int = 10,
    ) -> None:
        self.seconds, self.rule, self.name, self.tokens = seconds, rule, name, tokens
        self.began: list[float] = []
        self.asked: list[str] = []
        self.at_once = self.most = 0

    async def complete(self, request: Request, /) -> Completion:
        number = len(self.began)
        self.began.append(round(anyio.current_time(), 4))
        self.asked.append(request.messages[0].content)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            if self.seconds:
                await anyio.sleep(self.seconds)
            if failure := self.rule(number):
                raise failure
            return Completion(text="yes", usage=Usage(1, self.tokens, 0))
        finally:
            self.at_once -= 1


async def ask_all(model: Governed, times: int, request: Request | None = None) -> None:
    """So many calls at once, in order; those that the provider refuses are let go."""

    async def ask(number: int) -> None:
        try:
            await model.complete(request or question(str(number)))
        except RateLimited:
            pass

    async with anyio.create_task_group() as group:
        for number in range(times):
            group.start_soon(ask, number)
            await checkpoint()  # so that they arrive in order


def since(moments: list[float], start: float) -> list[float]:
    return [round(moment - start, 3) for moment in moments]


# rates


async def test_a_hundred_calls_at_sixty_a_minute_take_exactly_forty_seconds() -> None:
    provider, start = Provider(), anyio.current_time()
    await ask_all(Governed(provider, requests_per_minute=60), 100)
    assert since(provider.began, start) == [0.0] * 60 + [float(second) for second in range(1, 41)]
    assert provider.asked == [str(number) for number in range(100)]


async def test_after_a_pause_only_what_the_pause_gave_is_free() -> None:
    provider = Provider()
    model = Governed(provider, Governor(requests_per_minute=60))
    await ask_all(model, 60)
    await anyio.sleep(10)
    start = anyio.current_time()
    await ask_all(model, 12)
    assert since(provider.began[60:], start) == [0.0] * 10 + [1.0, 2.0]


@given(rate=st.floats(1, 10_000), count=st.integers(1, 60), slot=st.floats(0, 1), seed=st.integers(0, 10))
@pytest.mark.parametrize("name", ["asyncio", "trio"])
def test_no_minute_sees_more_calls_than_a_full_bucket_and_its_refill(
    name: str, rate: float, count: int, slot: float, seed: int
) -> None:
    provider, chance = Provider(), random.Random(seed)

    async def arrive() -> None:
        model = Governed(provider, Governor(requests_per_minute=rate))
        async with anyio.create_task_group() as group:
            for _ in range(count):
                group.start_soon(model.complete, question())
                await anyio.sleep(slot * chance.random())

    kind, options = backend(name)
    anyio.run(arrive, backend=kind, backend_options=options)
    assert len(provider.began) == count
    for first, begun in enumerate(provider.began):
        for last in range(first, count):
            refilled = (provider.began[last] - begun + 0.001) * rate / 60
            assert last - first + 1 <= rate + refilled + 0.001


async def test_tokens_are_taken_at_their_most_and_settled_to_what_was_used() -> None:
    request = question(max_tokens=600)
    need = estimate_request(request) + 600
    provider = Provider(tokens=100)
    model = Governed(provider, Governor(tokens_per_minute=2 * need))
    start = anyio.current_time()
    await ask_all(model, 3, request)
    # Two fit at once; what they did not use makes room for the third at once.
    assert since(provider.began, start) == [0.0, 0.0, 0.0]
    slow = Provider(seconds=1000, tokens=100)
    model = Governed(slow, Governor(tokens_per_minute=2 * need))
    start = anyio.current_time()
    await ask_all(model, 3, request)
    assert since(slow.began, start) == [0.0, 0.0, 30.0]


async def test_more_tokens_than_asked_for_are_paid_back_in_time() -> None:
    provider = Provider(tokens=300)
    model = Governed(provider, Governor(tokens_per_minute=100))
    start = anyio.current_time()
    request = question(max_tokens=0)
    need = estimate_request(request)
    for _ in range(2):
        await model.complete(request)
    # 300 of 100 are gone: 200 missing and the next call's own need must flow in first.
    assert since(provider.began, start) == [0.0, round((200 + need) * 0.6, 3)]


async def test_a_request_larger_than_the_bucket_waits_for_a_full_one_and_passes() -> None:
    provider = Provider(tokens=1)
    model = Governed(provider, Governor(tokens_per_minute=60))
    start = anyio.current_time()
    for _ in range(2):
        await model.complete(question(max_tokens=500))
    assert since(provider.began, start) == [0.0, 1.0], "the one token that was used must flow in again"


@pytest.mark.parametrize(("failure", "wait"), [(InvalidRequest("bad"), 0.0), (ProviderTimeout("slow"), 30.0)])
async def test_tokens_of_a_refused_call_come_back_and_those_of_a_lost_one_do_not(
    failure: Exception, wait: float
) -> None:
    request = question(max_tokens=600)
    provider = Provider(rule=lambda number: failure if number == 0 else None)
    model = Governed(provider, Governor(tokens_per_minute=(estimate_request(request) + 600) * 1.5))
    start = anyio.current_time()
    with pytest.raises(type(failure)):
        await model.complete(request)
    await model.complete(request)
    assert since(provider.began, start) == [0.0, pytest.approx(wait * 2 / 3, abs=0.01)]


# calls at the same time


async def test_no_more_calls_than_allowed_run_at_the_same_time_and_all_get_their_turn() -> None:
    provider, start = Provider(seconds=1), anyio.current_time()
    await ask_all(Governed(provider, concurrency=3), 10)
    assert provider.most == 3
    assert since(provider.began, start) == [0.0] * 3 + [1.0] * 3 + [2.0] * 3 + [3.0]
    assert provider.asked == [str(number) for number in range(10)]


async def test_nobody_overtakes_those_who_wait() -> None:
    provider = Provider(seconds=1)
    model = Governed(provider, Governor(concurrency=1))
    async with anyio.create_task_group() as group:
        group.start_soon(ask_all, model, 3)
        await anyio.sleep(1)
        group.start_soon(model.complete, question("late"))
    assert provider.asked == ["0", "1", "2", "late"]


async def test_without_limits_nothing_waits() -> None:
    provider = Provider(seconds=1)
    model = Governed(provider)
    await ask_all(model, 500)
    assert provider.most == 500
    assert model.governor.in_flight == 0


# after a 429


async def test_after_a_retry_after_all_calls_to_the_provider_wait() -> None:
    provider = Provider(rule=lambda number: too_many(20) if number == 0 else None)
    refused, other = Governed(provider), Governed(Provider(name="local/other"))
    start = anyio.current_time()
    await ask_all(refused, 1)
    await anyio.sleep(5)
    await ask_all(other, 1)
    assert isinstance(other.model, Provider)
    assert since(other.model.began, start) == [20.0]


async def test_other_providers_and_addresses_do_not_wait() -> None:
    class There(Provider):
        api_base = "http://127.0.0.1:9/v1"

    refused = Governed(Provider(rule=lambda _: too_many(20)))
    await ask_all(refused, 1)
    start = anyio.current_time()
    for other in (Provider(name="elsewhere/model"), There()):
        await Governed(other).complete(question())
        assert since(other.began, start) == [0.0]


async def test_a_later_retry_after_extends_the_wait_of_those_in_the_queue() -> None:
    provider = Provider(seconds=5, rule=lambda number: {0: too_many(10), 1: too_many(20)}.get(number))
    model = Governed(provider, Governor())
    start = anyio.current_time()
    async with anyio.create_task_group() as group:
        group.start_soon(ask_all, model, 1)
        await anyio.sleep(3)
        group.start_soon(ask_all, model, 1)
        await anyio.sleep(3)
        group.start_soon(ask_all, model, 1)
    assert since(provider.began, start) == [0.0, 3.0, 28.0]


async def test_a_shorter_retry_after_does_not_end_a_longer_one() -> None:
    provider = Provider(seconds=5, rule=lambda number: {0: too_many(30), 1: too_many(2)}.get(number))
    model = Governed(provider, Governor())
    start = anyio.current_time()
    async with anyio.create_task_group() as group:
        group.start_soon(ask_all, model, 1)
        await anyio.sleep(3)
        group.start_soon(ask_all, model, 1)
    await ask_all(model, 1)
    assert since(provider.began, start) == [0.0, 3.0, 35.0]


async def test_a_retry_after_that_is_too_long_is_not_waited_out() -> None:
    provider = Provider(rule=lambda number: too_many(3600) if number == 0 else None)
    model = Governed(provider, Governor("local", max_wait=60))
    with pytest.raises(RateLimited):
        await model.complete(question())
    start = anyio.current_time()
    with pytest.raises(CircuitOpen) as caught:
        await model.complete(question())
    assert caught.value.seconds == pytest.approx(3600, abs=1e-3)
    assert anyio.current_time() == start
    await anyio.sleep(3550)
    await model.complete(question())
    assert since(provider.began[1:], start) == [3600.0]


async def test_a_too_long_retry_after_lets_go_of_all_who_wait() -> None:
    provider = Provider(seconds=1, rule=lambda _: too_many(3600))
    model, refused = Governed(provider, Governor(concurrency=1)), list[float]()
    start = anyio.current_time()

    async def ask() -> None:
        with pytest.raises((RateLimited, CircuitOpen)):
            await model.complete(question())
        refused.append(anyio.current_time() - start)

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(ask)
    assert refused == pytest.approx([1] * 4, abs=1e-6)
    assert model.governor.in_flight == 0


async def test_a_refusal_halves_what_runs_at_the_same_time_once_for_all_that_were_under_way() -> None:
    provider = Provider(seconds=1, rule=lambda number: too_many() if number < 64 else None)
    model = Governed(provider, Governor())
    await ask_all(model, 64)
    assert provider.most == 64
    assert model.governor.window.cap == 32
    provider.most = 0
    await ask_all(model, 33)
    assert provider.most == 32


async def test_each_round_of_refusals_halves_again_down_to_one() -> None:
    provider = Provider(seconds=1, rule=lambda _: too_many())
    model = Governed(provider, Governor())
    caps: list[int | None] = []
    for _ in range(5):
        await ask_all(model, 8 if model.governor.window.cap is None else model.governor.window.cap)
        caps.append(model.governor.window.cap)
    assert caps == [4, 2, 1, 1, 1]


async def test_successes_of_calls_from_before_a_refusal_do_not_open_it_again() -> None:
    provider = Provider(seconds=10, rule=lambda number: too_many() if number == 0 else None)
    model = Governed(provider, Governor())
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(ask_all, model, 1)
            await anyio.sleep(0.5)
    assert model.governor.window.cap == 5


async def test_successes_open_it_again_by_one_at_a_time() -> None:
    provider = Provider(seconds=1, rule=lambda number: too_many() if number == 0 else None)
    model = Governed(provider, Governor())
    await ask_all(model, 1)
    caps: list[int | None] = [model.governor.window.cap]
    for _ in range(9):
        await model.complete(question())
        caps.append(model.governor.window.cap)
    assert caps == [1, 2, 2, 3, 3, 3, 4, 4, 4, 4]


async def test_a_run_is_warned_once_when_its_provider_refuses() -> None:
    model = Retrying(Governed(ScriptedModel([too_many(7), too_many(), "yes"]), Governor("local")))
    asked = await ask_in_run(model)
    assert [event.text for event in asked.events if isinstance(event, Warned)] == [
        "local refuses calls (429): its calls wait 7 s, then at most 1 at the same time",
        "local refuses calls (429): at most 1 at the same time",
    ]
    assert asked.kinds() == ["warning", "model.retried"] * 2


async def test_a_fan_out_under_a_strict_provider_ends_without_a_storm() -> None:
    taken: list[float] = []

    def strict(number: int) -> Exception | None:
        """At most 5 calls in any 10 seconds; whoever is over is told how long to wait."""
        now = anyio.current_time()
        recent = [moment for moment in taken if moment > now - 10]
        if len(recent) >= 5:
            return too_many(recent[0] + 10 - now)
        taken.append(now)
        return None

    provider = Provider(seconds=0.5, rule=strict)
    model = Retrying(Governed(provider, Governor()))
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(model.complete, question())
    assert len(taken) == 20
    assert len(provider.began) < 50


# sharing


async def test_all_models_of_a_provider_share_one_governor() -> None:
    small, large = Provider(seconds=1, name="local/small"), Provider(seconds=1, name="local/large")
    governor_for("local", concurrency=1)
    start = anyio.current_time()
    async with anyio.create_task_group() as group:
        group.start_soon(governed(small).complete, question())
        group.start_soon(governed(large).complete, question())
    assert since(sorted(small.began + large.began), start) == [0.0, 1.0]
    assert governor_for("local") is governed(small).governor
    assert governor_for("local") is not governor_for("local", "http://127.0.0.1:9")


async def test_a_password_in_an_address_is_not_shown() -> None:
    assert governor_for("local", "http://ada:secret@127.0.0.1:9/v1").name == "local at http://127.0.0.1:9/v1"


def test_each_event_loop_has_governors_of_its_own(anyio_backend_name: str) -> None:
    async def find() -> Governor:
        return governor_for("local", concurrency=2)

    assert anyio.run(find, backend=anyio_backend_name) is not anyio.run(find, backend=anyio_backend_name)


async def test_two_different_limits_for_one_provider_are_refused() -> None:
    governor_for("local", requests_per_minute=60)
    governor_for("local", requests_per_minute=60, concurrency=4)
    with pytest.raises(ConfigurationError, match="requests_per_minute of local is 60 already"):
        await Governed(Provider(), requests_per_minute=30).complete(question())


@pytest.mark.parametrize("what", ["concurrency", "requests_per_minute", "tokens_per_minute"])
def test_limits_that_make_no_sense_are_refused(what: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{what} .*must be above 0, not 0"):
        Governor(**{what: 0})  # type: ignore[arg-type]


def test_a_governor_and_limits_together_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="leave the governor out"):
        Governed(Provider(), Governor(), concurrency=3)


@pytest.mark.parametrize("name", ["asyncio", "trio"])
def test_a_governor_does_not_trust_the_clock_of_another_event_loop(name: str) -> None:
    provider = Provider(rule=lambda number: too_many(30) if number == 60 else None)
    model = Governed(provider, Governor(requests_per_minute=60))

    async def use_up() -> None:
        await anyio.sleep(1000)
        await ask_all(model, 61)

    async def again() -> float:
        await ask_all(model, 10)
        return anyio.current_time()

    kind, options = backend(name)
    anyio.run(use_up, backend=kind, backend_options=options)
    kind, options = backend(name)
    assert anyio.run(again, backend=kind, backend_options=options) == pytest.approx(0, abs=1e-6)


# giving back


@pytest.mark.parametrize("options", [{"concurrency": 2}, {"requests_per_minute": 30}, {}])
async def test_cancelled_at_any_moment_nothing_stays_taken(options: dict[str, int]) -> None:
    for tenth in range(1, 60, 3):
        governor = Governor(**options)  # type: ignore[arg-type]
        provider = Provider(seconds=1, rule=lambda number: too_many(1) if number % 3 == 0 else None)
        model = Governed(provider, governor)
        with anyio.move_on_after(tenth / 10):
            await ask_all(model, 12)
        assert governor.in_flight == 0
        start = anyio.current_time()
        with anyio.fail_after(60):
            await ask_all(model, 1)
        assert anyio.current_time() - start <= 60


async def test_those_who_give_up_do_not_hold_up_those_who_stay() -> None:
    provider = Provider(seconds=1)
    model = Governed(provider, Governor(concurrency=1))
    start = anyio.current_time()

    async def ask(number: int, patience: float) -> None:
        with anyio.move_on_after(patience):
            await model.complete(question(str(number)))

    async with anyio.create_task_group() as group:
        for number, patience in enumerate([10, 0.5, 10, 1.5, 10]):
            group.start_soon(ask, number, patience)
            await checkpoint()
    assert provider.asked == ["0", "2", "4"]
    assert since(provider.began, start) == [0.0, 1.0, 2.0]


async def test_a_deadline_at_the_very_moment_of_admission_loses_no_permit() -> None:
    provider = Provider(seconds=1)
    model = Governed(provider, Governor(concurrency=1))
    for _ in range(5):
        async with anyio.create_task_group() as group:
            group.start_soon(model.complete, question("first"))

            async def wait_a_second() -> None:
                with anyio.move_on_after(1):
                    await model.complete(question("second"))

            group.start_soon(wait_a_second)
        assert model.governor.in_flight == 0


async def test_failed_calls_give_their_permit_back() -> None:
    model = Governed(ScriptedModel([down(), ValueError("bug"), too_many(), "yes"]), Governor(concurrency=1))
    for kind in (type(down()), ValueError, RateLimited):
        with pytest.raises(kind):
            await model.complete(question())
    assert (await model.complete(question())).text == "yes"
    assert model.governor.in_flight == 0


async def test_a_call_that_a_breaker_keeps_back_costs_no_place_in_the_minute() -> None:
    provider = Provider(rule=lambda number: CircuitOpen("m", seconds=1, failures=1) if number < 10 else None)
    model = Governed(provider, Governor(requests_per_minute=1))
    for _ in range(10):
        with pytest.raises(CircuitOpen):
            await model.complete(question())
    start = anyio.current_time()
    await model.complete(question())
    assert since(provider.began[-1:], start) == [0.0]


async def test_a_stream_is_under_way_until_it_ends_or_is_left() -> None:
    model = Streaming(["a", Completion(text="a")], ["a", 5.0, "b"], ["a", too_many()])
    governed_model = Governed(model, Governor(concurrency=1))
    assert await read(governed_model) == ["a", "[a]"]
    assert governed_model.governor.in_flight == 0
    streaming = governed_model.stream(question())
    await anext(streaming)
    assert governed_model.governor.in_flight == 1
    await streaming.aclose()
    assert governed_model.governor.in_flight == 0
    with pytest.raises(RateLimited):
        await read(governed_model)
    assert (governed_model.governor.in_flight, governed_model.governor.window.cap) == (0, 1)
    assert model.closed == 3


async def test_a_stream_left_after_its_completion_was_a_success() -> None:
    model = Governed(Streaming([too_many()], ["a", Completion(text="a")]), Governor())
    with pytest.raises(RateLimited):
        await read(model)
    streaming = model.stream(question())
    while (await anext(streaming)).completion is None:
        pass
    await streaming.aclose()
    assert (model.governor.in_flight, model.governor.window.cap) == (0, 2)


async def test_the_tokens_of_a_stream_are_settled_too() -> None:
    used = Completion(text="a", usage=Usage(1, 50, 50))
    model = Governed(Streaming(["a", used], ["a", used]), Governor(tokens_per_minute=1000))
    start = anyio.current_time()
    for _ in range(2):
        await read(model, question(max_tokens=800))
    assert anyio.current_time() - start == pytest.approx(0, abs=0.5), "100 were used of the 800 that were taken"
