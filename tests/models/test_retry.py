"""A failed call is made again: when, how often, after which failures, and within the limits."""

from __future__ import annotations

import pickle
from itertools import pairwise

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx.agents.models.offline import FunctionModel, ScriptedModel
from phalanx.agents.models.retry import RetryConfig, Retrying, constant, exponential, linear
from phalanx.errors import (
    AuthenticationFailed,
    CircuitOpen,
    InvalidRequest,
    LimitExceeded,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    StreamCut,
    ValidationError,
)
from phalanx.messages import About, Completion, Delta, Request
from phalanx.runtime.events import Retried
from phalanx.runtime.limits import Limits
from tests.models.calling import Streaming, ask_in_run, down, question, read, too_many

STEADY = RetryConfig(max_attempts=5, jitter=False)


async def seconds_of(model: Retrying, request: Request | None = None) -> float:
    """How long a call takes that may fail."""
    started = anyio.current_time()
    try:
        await model.complete(request or question())
    except (RateLimited, ProviderUnavailable):
        pass
    return anyio.current_time() - started


# how long it waits


async def test_waits_double_from_the_shortest_to_the_longest() -> None:
    config = RetryConfig(max_attempts=8, min_wait=1, max_wait=10, multiplier=2, jitter=False)
    moments: list[float] = []

    def answer(request: Request) -> str:
        moments.append(anyio.current_time())
        if len(moments) < 8:
            raise down()
        return "at last"

    completion = await Retrying(FunctionModel(answer), config).complete(question())
    assert completion.text == "at last"
    assert [later - earlier for earlier, later in pairwise(moments)] == pytest.approx(
        [1, 2, 4, 8, 10, 10, 10], abs=1e-6
    )


@pytest.mark.parametrize(
    ("backoff", "waits"),
    [
        (exponential, [2, 6, 18]),
        ("exponential", [2, 6, 18]),
        (linear, [2, 6, 10]),
        ("linear", [2, 6, 10]),
        (lambda attempt: attempt / 10, [0.1, 0.2, 0.3]),
    ],
)
async def test_each_backoff_has_its_own_waits(backoff: object, waits: list[float]) -> None:
    config = RetryConfig(max_attempts=4, min_wait=2, multiplier=3, jitter=False, backoff=backoff)  # type: ignore[arg-type]
    model = Retrying(ScriptedModel([down()] * 3 + ["yes"]), config)
    assert await seconds_of(model) == pytest.approx(sum(waits), abs=1e-6)
    assert [config.bounds(attempt) for attempt in (1, 2, 3)] == [pytest.approx((wait, wait)) for wait in waits]


async def test_constant_backoff_waits_the_same_each_time() -> None:
    config = RetryConfig(max_attempts=4, min_wait=3, backoff=constant, jitter=False)
    assert await seconds_of(Retrying(ScriptedModel([down()] * 4), config)) == pytest.approx(9, abs=1e-6)


def test_a_function_of_ones_own_is_held_to_the_longest_wait_only() -> None:
    config = RetryConfig(min_wait=5, max_wait=8, backoff=lambda attempt: 3.0 * attempt)
    assert [config.bounds(attempt) for attempt in (1, 2, 3)] == [(1.5, 3), (3, 6), (4, 8)]


async def test_a_wait_is_never_shorter_than_the_provider_asked_for() -> None:
    model = Retrying(ScriptedModel([too_many(retry_after=7.5), too_many(retry_after=0.1), "yes"]), STEADY)
    assert await seconds_of(model) == pytest.approx(7.5 + 2, abs=1e-6)


async def test_a_retry_after_beyond_the_longest_wait_ends_it_at_once() -> None:
    model = ScriptedModel([down(), too_many(retry_after=61), "never"])
    with pytest.raises(RateLimited) as caught:
        await Retrying(model, STEADY).complete(question())
    assert caught.value.retry_after == 61
    assert caught.value.retry_count == 1
    assert len(model.requests) == 2


@given(
    attempt=st.integers(1, 2000),
    min_wait=st.floats(0, 100),
    more=st.floats(0, 1000),
    multiplier=st.floats(1, 10),
    backoff=st.sampled_from(["exponential", "linear"]),
)
def test_random_waits_lie_between_the_shortest_and_the_longest(
    attempt: int, min_wait: float, more: float, multiplier: float, backoff: str
) -> None:
    config = RetryConfig.of(
        {"min_wait": min_wait, "max_wait": min_wait + more, "multiplier": multiplier, "backoff": backoff}
    )
    exact, _ = config.model_copy(update={"jitter": False}).bounds(attempt)
    low, high = config.bounds(attempt)
    assert config.min_wait <= low <= exact <= high <= config.max_wait
    assert exact / 2 <= low
    assert high <= 1.5 * exact


async def test_random_waits_are_spread_over_their_whole_range() -> None:
    waits = [
        await seconds_of(Retrying(ScriptedModel([down(), "yes"]), RetryConfig(min_wait=10), seed=seed))
        for seed in range(200)
    ]
    assert 10 <= min(waits) < 10.2
    assert 14.8 < max(waits) <= 15 + 1e-6


async def test_random_waits_depend_on_the_seed_and_on_who_asks_only() -> None:
    def asked_by(member: str) -> Request:
        return question(about=About(path=("team", member), member=member))

    def fresh(seed: int) -> Retrying:
        return Retrying(ScriptedModel([down(), "yes", down(), "yes"]), seed=seed)

    one, other = fresh(1), fresh(1)
    forward = [await seconds_of(one, asked_by(member)) for member in ("ada", "bob")]
    backward = [await seconds_of(other, asked_by(member)) for member in ("bob", "ada")]
    assert forward == pytest.approx(backward[::-1], abs=1e-6)
    assert forward[0] != pytest.approx(forward[1], abs=1e-3)
    assert await seconds_of(fresh(2), asked_by("ada")) != pytest.approx(forward[0], abs=1e-3)


async def test_callers_without_a_name_do_not_all_wait_the_same_time() -> None:
    model = Retrying(ScriptedModel([down(), "yes"] * 5))
    waits = {round(await seconds_of(model), 6) for _ in range(5)}
    assert len(waits) == 5


# what is retried


@pytest.mark.parametrize("failure", [too_many(), down(), ProviderTimeout("slow"), StreamCut("cut")])
async def test_transient_failures_are_retried(failure: Exception) -> None:
    completion = await Retrying(ScriptedModel([failure, "yes"])).complete(question())
    assert completion.text == "yes"


@pytest.mark.parametrize(
    "failure",
    [AuthenticationFailed("key"), InvalidRequest("bad"), CircuitOpen("m", seconds=3, failures=5), ValueError("bug")],
)
async def test_other_failures_are_not(failure: Exception) -> None:
    model = ScriptedModel([failure, "never"])
    with pytest.raises(type(failure)) as caught:
        await Retrying(model).complete(question())
    assert caught.value is failure
    assert len(model.requests) == 1


async def test_only_the_named_exceptions_are_retried() -> None:
    config = RetryConfig(retry_on_exceptions=(ValueError,))
    assert (await Retrying(ScriptedModel([ValueError(), "yes"]), config).complete(question())).text == "yes"
    with pytest.raises(RateLimited):
        await Retrying(ScriptedModel([too_many(), "never"]), config).complete(question())


async def test_the_last_failure_comes_out_and_says_how_often_it_was_retried() -> None:
    failures = [down(500), down(502), down(503)]
    model = ScriptedModel([*failures, "never"])
    with pytest.raises(ProviderUnavailable) as caught:
        await Retrying(model).complete(question())
    assert caught.value is failures[2]
    assert caught.value.retry_count == 2
    assert len(model.requests) == 3


async def test_a_failure_that_is_not_transient_ends_retrying_and_is_counted_too() -> None:
    with pytest.raises(InvalidRequest) as caught:
        await Retrying(ScriptedModel([down(), InvalidRequest("bad")])).complete(question())
    assert caught.value.retry_count == 1


async def test_one_attempt_means_no_retry() -> None:
    model = ScriptedModel([down(), "never"])
    with pytest.raises(ProviderUnavailable) as caught:
        await Retrying(model, RetryConfig(max_attempts=1)).complete(question())
    assert caught.value.retry_count == 0
    assert len(model.requests) == 1


@pytest.mark.parametrize("seconds", [0.5, 1.5])
async def test_cancellation_passes_through_the_call_and_the_wait(seconds: float) -> None:
    calls = 0

    async def answer(request: Request) -> str:
        nonlocal calls
        calls += 1
        await anyio.sleep(1)
        raise down()

    started = anyio.current_time()
    with anyio.move_on_after(seconds) as scope:
        await Retrying(FunctionModel(answer), STEADY).complete(question())
    assert scope.cancelled_caught
    assert calls == 1
    assert anyio.current_time() - started == pytest.approx(seconds, abs=1e-6)


async def test_a_deadline_in_a_later_attempt_passes_through_too() -> None:
    async def answer(request: Request) -> str:
        await anyio.sleep(1)
        raise down()

    started = anyio.current_time()
    with pytest.raises(TimeoutError), anyio.fail_after(2.5):
        await Retrying(FunctionModel(answer), STEADY).complete(question())
    assert anyio.current_time() - started == pytest.approx(2.5, abs=1e-6)


# in a run


async def test_a_run_shows_each_retry_before_its_wait() -> None:
    asked = await ask_in_run(Retrying(ScriptedModel([down(500), too_many(3), "yes"]), STEADY))
    retries = [event for event in asked.events if isinstance(event, Retried)]
    assert [(event.attempt, round(event.wait, 6)) for event in retries] == [(1, 1.0), (2, 3.0)]
    assert retries[0].error == "ProviderUnavailable: offline/scripted (status 500): out of order"
    assert retries[0].model == "offline/scripted"
    assert asked.usage.calls == 3


async def test_a_call_limit_holds_for_retries_and_nothing_is_waited_for() -> None:
    model = ScriptedModel([down(500), down(502), "never"])
    asked = await ask_in_run(Retrying(model, STEADY), limits=Limits(calls=2))
    assert isinstance(asked.error, ProviderUnavailable)
    assert asked.error.status_code == 502
    assert asked.error.retry_count == 1
    assert isinstance(asked.error.__cause__, LimitExceeded)
    assert len(model.requests) == 2
    assert asked.usage.calls == 2
    assert asked.seconds == pytest.approx(1, abs=1e-6)
    assert asked.kinds() == ["model.retried"]


# streams


async def test_a_stream_is_retried_before_its_first_visible_piece() -> None:
    model = Streaming([Delta(), 1.0, down()], [down()], ["a", "b", Completion(text="ab")])
    started = anyio.current_time()
    assert await read(Retrying(model, STEADY)) == ["a", "b", "[ab]"]
    assert anyio.current_time() - started == pytest.approx(1 + 1 + 2, abs=1e-6)
    assert (model.opened, model.closed) == (3, 3)


@pytest.mark.parametrize("shown", ["a", Delta(reasoning="hm")])
async def test_a_stream_is_not_retried_once_something_was_shown(shown: str | Delta) -> None:
    model = Streaming([shown, StreamCut("cut")], ["never"])
    streaming = Retrying(model).stream(question())
    first = await anext(streaming)
    assert shown in (first, first.text)
    with pytest.raises(StreamCut):
        await anext(streaming)
    assert (model.opened, model.closed) == (1, 1)


async def test_a_stream_that_never_opens_says_how_often_it_was_retried() -> None:
    with pytest.raises(ProviderUnavailable) as caught:
        await read(Retrying(Streaming([down()], [down()], [down()])))
    assert caught.value.retry_count == 2


async def test_a_stream_left_early_is_closed_at_once() -> None:
    model = Streaming([down()], ["a", "b", Completion(text="ab")])
    streaming = Retrying(model).stream(question())
    async for delta in streaming:
        assert delta.text == "a"
        break
    await streaming.aclose()
    assert (model.opened, model.closed) == (2, 2)


# the configuration


def test_the_default_is_three_attempts_with_growing_random_waits() -> None:
    assert RetryConfig.of() == RetryConfig.of(None) == RetryConfig()
    assert RetryConfig().model_dump(exclude={"retry_on_exceptions"}) == {
        "max_attempts": 3,
        "min_wait": 1.0,
        "max_wait": 60.0,
        "multiplier": 2.0,
        "jitter": True,
        "backoff": "exponential",
    }


def test_all_spellings_give_the_same_configuration() -> None:
    config = RetryConfig(max_attempts=5, backoff="linear", jitter=False)
    assert RetryConfig.of(config) is config
    assert RetryConfig.of({"max_attempts": 5, "backoff": "linear", "jitter": False}) == config
    assert RetryConfig.of(5, retry_backoff="linear", retry_jitter=False) == config
    assert RetryConfig.of(retry_attempts=5, retry_backoff=linear, retry_jitter=False) == config
    assert RetryConfig.of({"max_attempts": 5}, retry_backoff="linear", retry_jitter=False) == config


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"retry": {"min_wiat": 1}}, "no option 'min_wiat'.*'min_wait'"),
        ({"retry": {"max_attempts": 0}}, "max_attempts.*greater than or equal to 1"),
        ({"retry": 0}, "max_attempts"),
        ({"retry": True}, "number of attempts, not True"),
        ({"retry": "often"}, "not 'often'"),
        ({"retry": 3, "retry_attempts": 4}, "max_attempts is given twice"),
        ({"retry": RetryConfig(), "retry_jitter": False}, "retry_jitter, not both"),
        ({"retry_backoff": "exponentail"}, "unknown backoff 'exponentail'.*'exponential'"),
        ({"retry": {"min_wait": 5, "max_wait": 4}}, "max_wait=4 is shorter than min_wait=5"),
        ({"retry": {"min_wait": -1}}, "min_wait"),
        ({"retry": {"max_wait": float("inf")}}, "max_wait"),
        ({"retry": {"multiplier": 0.5}}, "multiplier"),
        ({"retry": {"backoff": "constant", "multiplier": 3}}, "multiplier does nothing"),
        ({"retry": {"retry_on_exceptions": ["RateLimitted"]}}, "no error is named 'RateLimitted'.*'RateLimited'"),
        ({"retry": {"retry_on_exceptions": (BaseException,)}}, "retry_on_exceptions"),
        ({"retry_attempts": 2.5}, "max_attempts"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(given: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        RetryConfig.of(**given)  # type: ignore[arg-type]


def test_an_unknown_keyword_is_refused_by_the_class_itself() -> None:
    with pytest.raises(ValueError, match="min_wiat"):
        RetryConfig(min_wiat=1)  # type: ignore[call-arg]


async def test_a_backoff_that_gives_no_time_is_refused() -> None:
    config = RetryConfig(backoff=lambda _: float("nan"))
    with pytest.raises(ValidationError, match="gave nan after attempt 1"):
        await Retrying(ScriptedModel([down(), "never"]), config).complete(question())


def test_a_configuration_survives_a_file_and_a_pickle() -> None:
    config = RetryConfig(max_attempts=4, backoff=constant, retry_on_exceptions=(RateLimited, TimeoutError))
    assert RetryConfig.model_validate_json(config.model_dump_json()) == config
    assert '"retry_on_exceptions":["RateLimited","TimeoutError"]' in config.model_dump_json()
    assert pickle.loads(pickle.dumps(config)) == config
    assert hash(config) == hash(config.model_copy())


def test_an_error_of_somebody_elses_is_not_written_to_a_file() -> None:
    class Mine(Exception):
        pass

    with pytest.raises(ValueError, match=r"not .*Mine"):
        RetryConfig(retry_on_exceptions=(Mine,)).model_dump_json()


def test_the_backoffs_are_plain_functions() -> None:
    assert [exponential(attempt) for attempt in (1, 2, 3, 4)] == [1, 2, 4, 8]
    assert [linear(attempt) for attempt in (1, 2, 3, 4)] == [1, 2, 3, 4]
    assert [constant(attempt) for attempt in (1, 2, 3, 4)] == [1, 1, 1, 1]
    assert exponential(5000) == float("inf")
