"""Another model answers when one cannot, and everybody can see that."""

from __future__ import annotations

import anyio
import pytest

from phalanx.agents.models.fallback import Fallback
from phalanx.agents.models.model import is_free, native_tools, price
from phalanx.agents.models.offline import FunctionModel, ScriptedModel
from phalanx.errors import (
    AuthenticationFailed,
    CircuitOpen,
    ConfigurationError,
    LimitExceeded,
    NoModelAnswered,
    ProviderTimeout,
    ProviderUnavailable,
    StreamCut,
)
from phalanx.messages import Completion, Price, Request, Usage, estimate_request
from phalanx.runtime.events import Warned
from phalanx.runtime.limits import Limits
from tests.models.calling import Streaming, ask_in_run, down, question, read, too_many


class Priced(ScriptedModel):
    """A model with a price."""

    free = False

    def __init__(self, price: Price | None) -> None:
        super().__init__([])
        self._price = price

    async def price(self) -> Price | None:  # type: ignore[override]
        return self._price


async def test_the_first_model_that_can_answers() -> None:
    first, second, third = ScriptedModel([down()]), ScriptedModel(["second"]), ScriptedModel([])
    completion = await Fallback([first, second, third]).complete(question())
    assert completion.text == "second"
    assert not third.requests


async def test_when_none_can_all_failures_come_out_in_order() -> None:
    failures = [down(), AuthenticationFailed("no key"), too_many(5)]
    with pytest.raises(NoModelAnswered) as caught:
        await Fallback([ScriptedModel([failure]) for failure in failures]).complete(question())
    assert caught.value.failures == failures


async def test_a_programming_error_does_not_move_on() -> None:
    second = ScriptedModel(["never"])
    with pytest.raises(ZeroDivisionError):
        await Fallback([FunctionModel(lambda _: str(1 // 0)), second]).complete(question())
    assert not second.requests


async def test_cancellation_does_not_move_on() -> None:
    async def hang(request: Request) -> str:
        await anyio.sleep_forever()
        return ""

    second = ScriptedModel(["never"])
    with anyio.move_on_after(1) as scope:
        await Fallback([FunctionModel(hang), second]).complete(question())
    assert scope.cancelled_caught
    assert not second.requests


async def test_a_run_is_warned_who_answered_instead_and_why() -> None:
    first = ScriptedModel([down()], name="offline/first")
    asked = await ask_in_run(Fallback([first, ScriptedModel(["yes"], name="offline/second")]))
    warnings = [event.text for event in asked.events if isinstance(event, Warned)]
    assert warnings == ["offline/second answered instead of offline/first: offline/scripted (status 503): out of order"]
    assert asked.usage.calls == 2


async def test_no_warning_when_the_first_one_answers() -> None:
    asked = await ask_in_run(Fallback([ScriptedModel(["yes"]), ScriptedModel([])]))
    assert asked.kinds() == []
    assert asked.usage.calls == 1


async def test_each_further_model_is_a_call_to_the_limits() -> None:
    third = ScriptedModel(["never"])
    asked = await ask_in_run(
        Fallback([ScriptedModel([down(500)]), ScriptedModel([down(502)]), third]), limits=Limits(calls=2)
    )
    assert isinstance(asked.error, ProviderUnavailable)
    assert asked.error.status_code == 502
    assert isinstance(asked.error.__cause__, LimitExceeded)
    assert not third.requests
    assert asked.usage.calls == 2


async def test_a_model_that_an_open_breaker_kept_back_is_no_call() -> None:
    kept_back = ScriptedModel([CircuitOpen("offline/first", seconds=3, failures=5)])
    asked = await ask_in_run(Fallback([kept_back, ScriptedModel(["yes"])]), limits=Limits(calls=1))
    assert asked.completion is not None
    assert asked.completion.text == "yes"
    assert asked.usage.calls == 1


async def test_a_fallback_in_a_fallback_counts_every_call_once() -> None:
    inner = Fallback([ScriptedModel([down()]), ScriptedModel([ProviderTimeout("slow")])])
    last = ScriptedModel([Completion(text="yes", usage=Usage(calls=1, input_tokens=10))])
    asked = await ask_in_run(Fallback([inner, last]), limits=Limits(calls=3, tokens=1000))
    assert asked.completion is not None
    assert asked.usage.calls == 3
    prompt = estimate_request(question())
    assert asked.usage.input_tokens == prompt + 10, "the call that timed out may have been paid for"


async def test_it_costs_what_the_dearest_would() -> None:
    cheap_input, cheap_output = Price(1, 20, cached_input=0.5), Price(2, 10, cache_write=2.5)
    assert await price(Fallback([Priced(cheap_input), Priced(cheap_output)])) == Price(2, 20, 2, 2.5)


async def test_its_price_is_unknown_when_one_is() -> None:
    assert await price(Fallback([Priced(Price(1, 1)), Priced(None)])) is None


def test_it_is_free_and_takes_tools_only_if_all_do() -> None:
    free, other = ScriptedModel([]), Streaming([])
    assert is_free(Fallback([free, other]))
    assert not is_free(Fallback([free, Priced(Price(0, 0))]))
    assert native_tools(Fallback([free, other])) is True
    other.native_tools = None
    assert native_tools(Fallback([free, other])) is None
    other.native_tools = False
    assert native_tools(Fallback([free, other])) is False


def test_it_goes_by_the_name_of_its_first_model() -> None:
    assert Fallback([ScriptedModel([], name="offline/a"), ScriptedModel([], name="offline/b")]).name == "offline/a"


def test_no_models_at_all_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least one model"):
        Fallback([])


async def test_a_stream_moves_on_before_its_first_visible_piece() -> None:
    first, second = Streaming([1.0, down()]), Streaming(["a", Completion(text="a")])
    assert await read(Fallback([first, second])) == ["a", "[a]"]
    assert (first.closed, second.closed) == (1, 1)


async def test_a_stream_does_not_move_on_once_something_was_shown() -> None:
    second = Streaming(["never"])
    streaming = Fallback([Streaming(["a", StreamCut("cut")]), second]).stream(question())
    assert (await anext(streaming)).text == "a"
    with pytest.raises(StreamCut):
        await anext(streaming)
    assert not second.opened


async def test_closing_it_closes_all_models_even_if_one_fails_to() -> None:
    closed: list[str] = []

    class Closing(ScriptedModel):
        async def aclose(self) -> None:
            closed.append(self.name)
            if self.name == "offline/b":
                raise OSError("cannot")

    with pytest.raises(OSError, match="cannot"):
        await Fallback([Closing([], name=f"offline/{letter}") for letter in "abc"]).aclose()
    assert sorted(closed) == ["offline/a", "offline/b", "offline/c"]
