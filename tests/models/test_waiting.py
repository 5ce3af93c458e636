"""A call that ends while it waits, for a place or for its next attempt, costs only the calls that were made."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

import anyio
import pytest

from phalanx.agents.models.governor import Governed, Governor
from phalanx.agents.models.model import Model, Wrapper, context_window, stream
from phalanx.agents.models.offline import FunctionModel, ScriptedModel
from phalanx.agents.models.retry import RetryConfig, Retrying
from phalanx.errors import CircuitOpen
from phalanx.messages import Completion, Delta, Request, Usage
from phalanx.runtime.limits import Limits, Need
from phalanx.runtime.run import Run
from tests.models.calling import down, question, too_many

STEADY = RetryConfig(max_attempts=5, jitter=False)


class Slow:
    """A model that takes ten seconds for each answer, whole or streamed."""

    name, free = "offline/slow", True

    def __init__(self) -> None:
        self.calls = 0

    async def complete(self, request: Request, /) -> Completion:
        self.calls += 1
        await anyio.sleep(10)
        return Completion(text="yes", usage=Usage(1, 10, 5))

    async def stream(self, request: Request, /) -> AsyncGenerator[Delta, None]:
        yield Delta(completion=await self.complete(request))


async def whole(model: Model) -> Completion:
    return await model.complete(question())


async def streamed(model: Model) -> Completion:
    completion = None
    async for delta in stream(model, question()):
        completion = delta.completion
    assert completion is not None
    return completion


async def step_for(seconds: float, model: Model, ask: Callable[[Model], object], limits: Limits | None = None) -> Run:
    """A step that is cancelled after so many seconds; its run knows what it cost."""
    run = Run.open("test", limits=limits)

    async def call(key: str) -> Completion:
        return await ask(model)  # type: ignore[misc,no-any-return]

    with anyio.move_on_after(seconds) as scope:
        await run.step("model", model.name, question(), call, need=Need(1, 100, free=True))
    assert scope.cancelled_caught
    return run


@pytest.mark.parametrize("ask", [whole, streamed])
async def test_a_call_cancelled_in_the_queue_costs_nothing(ask: Callable[[Model], object]) -> None:
    inner = Slow()
    model = Governed(inner, Governor(concurrency=1))
    async with anyio.create_task_group() as group:
        group.start_soon(model.complete, question())
        await anyio.sleep(1)
        waiting = await step_for(5, model, ask)
        assert inner.calls == 1
    assert waiting.usage == Usage()
    made = await step_for(5, model, ask)
    assert inner.calls == 2
    assert made.usage.calls == 1, "this one was cancelled after its place came"


@pytest.mark.parametrize("ask", [whole, streamed])
async def test_a_call_that_got_its_place_after_waiting_is_counted(ask: Callable[[Model], object]) -> None:
    inner = Slow()
    model = Governed(inner, Governor(concurrency=1))
    async with anyio.create_task_group() as group:
        group.start_soon(model.complete, question())
        await anyio.sleep(1)
        run = await step_for(12, model, ask)
    assert inner.calls == 2
    assert (run.usage.calls, run.usage.estimated) == (1, True)


async def test_a_call_that_the_governor_turns_away_costs_nothing() -> None:
    model = Governed(ScriptedModel([too_many(500)]), Governor(max_wait=60))
    with pytest.raises(Exception, match="slow down"):
        await model.complete(question())
    run = Run.open("test")

    async def call(key: str) -> Completion:
        return await model.complete(question())

    with pytest.raises(CircuitOpen):
        await run.step("model", model.name, question(), call, need=Need(1, 100, free=True))
    assert run.usage == Usage()


@pytest.mark.parametrize("ask", [whole, streamed])
@pytest.mark.parametrize(("seconds", "calls"), [(0.5, 1), (2, 2), (6.5, 3)])
async def test_a_call_cancelled_while_it_waits_to_be_made_again_costs_the_calls_made(
    ask: Callable[[Model], object], seconds: float, calls: int
) -> None:
    inner = ScriptedModel([down()] * 5)
    run = await step_for(seconds, Retrying(inner, STEADY), ask)
    assert len(inner.requests) == calls
    assert run.usage == Usage(calls=calls), "each was refused, so that nothing but the call is known to be spent"


async def test_a_call_cancelled_in_its_second_attempt_costs_both() -> None:
    calls = 0

    async def answer(request: Request) -> str:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise down()
        await anyio.sleep(100)
        return "late"

    run = await step_for(5, Retrying(FunctionModel(answer), STEADY), whole)
    assert calls == 2
    assert (run.usage.calls, run.usage.estimated) == (2, True)


async def test_the_calls_of_a_limit_are_given_back_when_none_was_made() -> None:
    model = Governed(Slow(), Governor(concurrency=1))
    limits = Limits(calls=1)
    async with anyio.create_task_group() as group:
        group.start_soon(model.complete, question())
        await anyio.sleep(1)
        run = await step_for(5, model, whole, limits)

    async def call(key: str) -> Completion:
        return await model.complete(question())

    done = await run.step("model", model.name, question(), call, need=Need(1, 100, free=True))
    assert done.text == "yes"
    assert run.usage.calls == 1


async def test_a_wrapper_knows_the_context_window_of_the_model_inside() -> None:
    class Wide(Slow):
        async def context_window(self) -> int:
            return 8192

    assert await context_window(Retrying(Governed(Wide(), Governor()))) == 8192
    assert await context_window(Wrapper(Slow())) is None
