"""Whatever wraps a model is that model again: wrappers stack in any order and give everything back."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import anyio
import pytest
from anyio.lowlevel import checkpoint

from phalanx.agents.models.breaker import Breaker
from phalanx.agents.models.cache import Cached
from phalanx.agents.models.fallback import Fallback
from phalanx.agents.models.governor import Governed, Governor
from phalanx.agents.models.model import Model, Wrapper, close, is_free, native_tools, price, stream
from phalanx.agents.models.offline import FunctionModel, ScriptedModel
from phalanx.agents.models.retry import RetryConfig, Retrying
from phalanx.errors import CircuitOpen, ProviderError
from phalanx.messages import Completion, Price, Request, Usage
from phalanx.runtime.limits import Limits
from tests.models.calling import Streaming, ask_in_run, down, question, read, too_many

WRAPPERS: dict[str, Callable[[Model], Wrapper]] = {
    "Retrying": Retrying,
    "Breaker": Breaker,
    "Governed": lambda model: Governed(model, Governor(concurrency=2)),
    "Cached": Cached,
    "Fallback": lambda model: Fallback([model]),
    "Wrapper": Wrapper,
}
ORDERS = list(permutations(["Retrying", "Breaker", "Governed", "Cached", "Fallback"]))
COLD = question(temperature=0.0)


def stack(model: Model, names: tuple[str, ...]) -> Model:
    for name in names:
        model = WRAPPERS[name](model)
    return model


class Known(Streaming):
    """A model that tells everything about itself."""

    free = False
    native_tools = False
    closings = 0

    async def price(self) -> Price:
        return Price(1, 2, 3, 4)

    async def aclose(self) -> None:
        self.closings += 1


@pytest.mark.parametrize("name", WRAPPERS)
async def test_a_wrapper_forwards_what_it_does_not_change(name: str) -> None:
    inner = Known(name="somewhere/model")
    model = WRAPPERS[name](inner)
    assert isinstance(model, Model)
    assert model.name == "somewhere/model"
    assert await price(model) == Price(1, 2, 3, 4)
    assert native_tools(model) is False
    assert not is_free(model)
    assert is_free(WRAPPERS[name](ScriptedModel([])))
    await close(model)
    assert inner.closings == 1
    assert repr(model).startswith(f"{name}(")


@pytest.mark.parametrize("name", WRAPPERS)
async def test_a_stream_left_early_is_closed_all_the_way_down(name: str) -> None:
    inner = Streaming(["a", 100.0, "b"])
    streaming = stream(stack(inner, (name, "Wrapper")), COLD)
    assert (await anext(streaming)).text == "a"
    await close(streaming)
    assert (inner.opened, inner.closed) == (1, 1)


@pytest.mark.parametrize("name", WRAPPERS)
async def test_a_cancelled_stream_is_closed_all_the_way_down(name: str) -> None:
    inner = Streaming(["a", 100.0, "b"])
    with anyio.move_on_after(50) as scope:
        await read(WRAPPERS[name](inner), COLD)
    assert scope.cancelled_caught
    assert (inner.opened, inner.closed) == (1, 1)


async def test_an_offline_stream_may_be_left_at_any_piece() -> None:
    for model in (FunctionModel(lambda _: "a b c"), ScriptedModel(["a b c"])):
        streaming = stream(model, question())
        assert (await anext(streaming)).text == "a"
        await close(streaming)


async def test_in_any_order_a_call_that_fails_twice_is_answered_and_counted_once_per_attempt() -> None:
    answer = Completion(text="yes", usage=Usage(1, 10, 5))
    for names in ORDERS:
        inner = ScriptedModel([down(), too_many(3), answer])
        if names.index("Fallback") < names.index("Retrying"):
            # A Fallback inside makes NoModelAnswered of a failure, which is not retried.
            inner = ScriptedModel([answer])
        asked = await ask_in_run(stack(inner, names), COLD, limits=Limits(calls=3))
        assert asked.completion is not None, f"{names}: {asked.error}"
        assert asked.completion.text == "yes", names
        assert asked.usage.calls == len(inner.replies), names
        inner.assert_done()


async def test_in_any_order_a_stream_arrives_piece_by_piece() -> None:
    for names in ORDERS:
        inner = Streaming(["a", "b", Completion(text="ab")])
        assert await read(stack(inner, names), COLD) == ["a", "b", "[ab]"], names
        assert (inner.opened, inner.closed) == (1, 1), names


async def cancel_after(turns: int, model: Model) -> None:
    """Ask four times at once, and cancel all of it after so many turns of the loop and tenths of a second."""

    async def ask() -> None:
        try:
            await model.complete(COLD)
        except ProviderError:
            pass

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(ask)
        for _ in range(turns % 12):
            await checkpoint()
        await anyio.sleep(turns // 12 / 10)
        group.cancel_scope.cancel()


@pytest.mark.parametrize("names", ORDERS[::13], ids="-".join)
async def test_cancelled_at_any_point_nothing_stays_taken(names: tuple[str, ...]) -> None:
    for turns in range(240):
        calls = 0

        async def answer(request: Request) -> str:
            nonlocal calls
            calls += 1
            number = calls
            await checkpoint()
            await anyio.sleep(0.25)
            if number % 3 == 1:
                raise down()
            return "yes"

        governor, breakers = Governor(concurrency=1), list[Breaker]()
        model: Model = FunctionModel(answer)
        for name in names:
            if name == "Governed":
                model = Governed(model, governor)
            elif name == "Retrying":
                model = Retrying(model, RetryConfig(min_wait=0.1))
            elif name == "Breaker":
                breakers.append(Breaker(model, failures=1, cooldown=0.5))
                model = breakers[0]
            else:
                model = WRAPPERS[name](model)
        await cancel_after(turns, model)
        assert governor.in_flight == 0
        await anyio.sleep(1)
        calls = 1  # the next one is answered
        try:
            with anyio.fail_after(5):
                assert (await model.complete(COLD)).text == "yes"
        except CircuitOpen:
            pytest.fail(f"after {turns} turns the breaker's probe was still taken")
        assert governor.in_flight == 0
        assert breakers[0].state == "closed"
