"""The same question is paid for once; another question, or another sample, is not the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from phalanx.agents.models.cache import Answers, Cached, request_key
from phalanx.agents.models.offline import FunctionModel, ScriptedModel
from phalanx.errors import ConfigurationError, ProviderUnavailable, StreamCut, ValidationError
from phalanx.messages import About, Completion, Delta, Message, OutputSpec, Request, ToolCall, ToolSpec, Usage
from phalanx.runtime.limits import Limits
from tests.clock import backend
from tests.models.calling import Streaming, ask_in_run, down, question, read


def cold(text: str = "why?", **options: Any) -> Request:
    """A request whose answer may be kept."""
    return question(text, temperature=0.0, **options)


class Slow:
    """Answers "yes" after a second, or raises what `failures` has for its n-th call."""

    name = "offline/slow"

    def __init__(self, *failures: Exception | None) -> None:
        self.failures, self.calls = failures, 0

    async def complete(self, request: Request, /) -> Completion:
        at, self.calls = self.calls, self.calls + 1
        await anyio.sleep(1)
        if at < len(self.failures) and (failure := self.failures[at]) is not None:
            raise failure
        return Completion(text=f"yes {at}", usage=Usage(1, 5, 2))


async def ask_together(model: Cached, times: int, request: Request) -> list[Completion | Exception]:
    """What so many calls at once came to, in the order in which they began."""
    ends: list[Completion | Exception] = [RuntimeError("did not end")] * times

    async def ask(at: int) -> None:
        try:
            ends[at] = await model.complete(request)
        except ProviderUnavailable as failure:
            ends[at] = failure

    async with anyio.create_task_group() as group:
        for at in range(times):
            group.start_soon(ask, at)
            await checkpoint()
    return ends


# the same and not the same


async def test_the_second_answer_comes_from_the_cache_and_has_used_nothing() -> None:
    model = Cached(ScriptedModel(["yes"]))
    first = await model.complete(cold())
    second = await model.complete(cold())
    assert not first.cached
    assert first.usage.calls == 1
    assert second == replace(first, cached=True, usage=Usage())
    assert (model.hits, model.misses, model.skipped) == (1, 1, 0)


async def test_an_answer_from_the_cache_is_no_call_to_the_limits() -> None:
    model = Cached(ScriptedModel(["yes"]))
    await model.complete(cold())
    asked = await ask_in_run(model, cold(), limits=Limits(calls=1))
    assert asked.completion is not None
    assert asked.completion.cached
    assert asked.usage == Usage()
    assert asked.kinds() == []


TOOL = ToolSpec(name="look", description="Looks.", parameters={"type": "object", "properties": {}})
CHANGES: list[dict[str, Any]] = [
    {"messages": (Message(role="user", content="how?"),)},
    {"messages": (Message(role="system", content="why?"),)},
    {"messages": (Message(role="user", content="why?", name="ada"),)},
    {"messages": (Message(role="user", content="wh"), Message(role="user", content="y?"))},
    {"messages": (Message(role="assistant", content="why?", tool_calls=(ToolCall(id="1", tool_name="look"),)),)},
    {"tools": (TOOL,)},
    {"tool_choice": "none"},
    {"output": OutputSpec(name="shape", schema={"type": "object"})},
    {"max_tokens": 5},
    {"top_p": 0.5},
    {"stop": ("END",)},
    {"seed": 1},
    {"options": {"reasoning_effort": "low"}},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
async def test_another_question_is_asked_anew(change: dict[str, Any]) -> None:
    inner = ScriptedModel(["one", "other"])
    model = Cached(inner)
    await model.complete(cold())
    assert (await model.complete(replace(cold(), **change))).text == "other"
    assert (await model.complete(cold())).text == "one"


def test_all_parts_of_a_request_make_different_keys() -> None:
    requests = [cold(), *(replace(cold(), **change) for change in CHANGES), replace(cold(), temperature=0.1)]
    keys = {request_key("offline/a", request) for request in requests} | {request_key("offline/b", cold())}
    assert len(keys) == len(requests) + 1


def test_the_order_of_a_shape_makes_a_difference_because_answers_follow_it() -> None:
    def shaped(*names: str) -> Request:
        return cold(output=OutputSpec(name="shape", schema={"properties": {name: {} for name in names}}))

    assert request_key("offline/a", shaped("why", "what")) != request_key("offline/a", shaped("what", "why"))


def test_who_asks_and_the_order_of_options_make_no_difference() -> None:
    asked = cold(about=About(member="ada", round=3), options={"a": 1, "b": {"c": 2, "d": 3}})
    again = cold(options={"b": {"d": 3, "c": 2}, "a": 1})
    assert request_key("offline/a", asked) == request_key("offline/a", again)


async def test_what_cannot_be_compared_is_refused_and_not_guessed() -> None:
    with pytest.raises(ValidationError, match=r"cannot be told apart.*object"):
        await Cached(ScriptedModel(["never"])).complete(cold(options={"client": object()}))


async def test_text_that_is_no_proper_unicode_is_kept_too() -> None:
    model = Cached(ScriptedModel(["yes"]))
    for _ in range(2):
        assert (await model.complete(cold("half a pair: \ud83d"))).text == "yes"


# samples


@pytest.mark.parametrize("temperature", [None, 0.7])
async def test_samples_are_not_copies_of_each_other(temperature: float | None) -> None:
    model = Cached(ScriptedModel(["a", "b"]))
    asked = question(temperature=temperature)
    assert [(await model.complete(asked)).text for _ in range(2)] == ["a", "b"]
    assert (model.hits, model.misses, model.skipped) == (0, 0, 2)


async def test_samples_asked_for_at_the_same_time_are_asked_for_each() -> None:
    inner = Slow()
    await ask_together(Cached(inner), 3, question(temperature=0.7))
    assert inner.calls == 3


async def test_a_seed_says_which_sample_is_meant() -> None:
    model = Cached(ScriptedModel(["a", "b"]))
    asked = [question(temperature=0.7, seed=seed) for seed in (1, 2, 1)]
    assert [(await model.complete(request)).text for request in asked] == ["a", "b", "a"]


async def test_any_temperature_is_kept_on_demand() -> None:
    model = Cached(ScriptedModel(["a"]), any_temperature=True)
    assert [(await model.complete(question(temperature=1.0))).text for _ in range(2)] == ["a", "a"]


# errors and many at once


async def test_errors_are_not_kept() -> None:
    model = Cached(ScriptedModel([down(), "yes"]))
    with pytest.raises(ProviderUnavailable):
        await model.complete(cold())
    assert (await model.complete(cold())).text == "yes"


async def test_equal_requests_at_the_same_time_make_one_call() -> None:
    inner, start = Slow(), anyio.current_time()
    ends = await ask_together(Cached(inner), 10, cold())
    assert inner.calls == 1
    assert anyio.current_time() - start == pytest.approx(1, abs=1e-6)
    completions = [end for end in ends if isinstance(end, Completion)]
    assert [completion.cached for completion in completions] == [False] + [True] * 9
    assert sum((completion.usage for completion in completions), Usage()) == Usage(1, 5, 2)


async def test_equal_requests_make_one_call_even_when_its_answer_is_not_kept_for_long() -> None:
    inner = Slow()
    model = Cached(inner, max_entries=1)
    async with anyio.create_task_group() as group:
        for text in "abcabcabc":
            group.start_soon(model.complete, cold(text))
    assert inner.calls == 3


async def test_different_requests_at_the_same_time_do_not_wait_for_each_other() -> None:
    inner, start = Slow(), anyio.current_time()
    model = Cached(inner)
    async with anyio.create_task_group() as group:
        for number in range(5):
            group.start_soon(model.complete, cold(str(number)))
    assert inner.calls == 5
    assert anyio.current_time() - start == pytest.approx(1, abs=1e-6)


async def test_when_the_one_who_asks_fails_the_next_in_line_asks() -> None:
    failure, inner = down(), Slow(down())
    inner.failures = (failure,)
    ends = await ask_together(Cached(inner), 4, cold())
    assert inner.calls == 2
    assert ends[0] is failure
    assert [end.text for end in ends[1:] if isinstance(end, Completion)] == ["yes 1"] * 3


async def test_when_the_one_who_asks_is_cancelled_the_next_in_line_asks() -> None:
    inner, texts = Slow(), list[str]()
    model = Cached(inner)

    async def ask(patience: float) -> None:
        with anyio.move_on_after(patience):
            texts.append((await model.complete(cold())).text)

    start = anyio.current_time()
    async with anyio.create_task_group() as group:
        for patience in (0.5, 10, 10):
            group.start_soon(ask, patience)
            await checkpoint()
    assert texts == ["yes 1", "yes 1"]
    assert inner.calls == 2
    assert anyio.current_time() - start == pytest.approx(1.5, abs=1e-6)


async def test_who_waits_may_give_up_without_disturbing_the_one_who_asks() -> None:
    inner, texts = Slow(), list[str]()
    model = Cached(inner)

    async def ask(patience: float) -> None:
        with anyio.move_on_after(patience):
            texts.append((await model.complete(cold())).text)

    async with anyio.create_task_group() as group:
        for patience in (10, 0.5, 10):
            group.start_soon(ask, patience)
            await checkpoint()
    assert texts == ["yes 0", "yes 0"]
    assert inner.calls == 1


# how much and how long


async def test_the_least_recently_used_answer_goes_first() -> None:
    inner = FunctionModel(lambda request: request.messages[0].content)
    model = Cached(inner, max_entries=2)
    for text in ("a", "b", "a", "c", "a", "b"):
        await model.complete(cold(text))
    assert (model.hits, model.misses) == (2, 4)
    assert len(model.store) == 2


async def test_an_answer_is_good_for_its_time_only() -> None:
    model = Cached(ScriptedModel(["old", "new"]), ttl=60)
    texts = []
    for pause in (0, 59, 2, 59):
        await anyio.sleep(pause)
        texts.append((await model.complete(cold())).text)
    assert texts == ["old", "old", "new", "new"]


@pytest.mark.parametrize("name", ["asyncio", "trio"])
def test_a_time_to_live_does_not_trust_the_clock_of_another_event_loop(name: str) -> None:
    model = Cached(ScriptedModel(["old", "new"]), ttl=60)

    async def ask_late() -> Completion:
        await anyio.sleep(1000)
        return await model.complete(cold())

    kind, options = backend(name)
    assert anyio.run(ask_late, backend=kind, backend_options=options).text == "old"
    kind, options = backend(name)
    assert anyio.run(model.complete, cold(), backend=kind, backend_options=options).text == "new"


async def test_a_store_may_be_shared_and_models_do_not_mix() -> None:
    store = Answers(max_entries=10)
    one, same = Cached(ScriptedModel(["a"]), store), Cached(ScriptedModel([]), store)
    other = Cached(ScriptedModel(["b"], name="offline/other"), store)
    assert [(await model.complete(cold())).text for model in (one, same, other)] == ["a", "a", "b"]
    store.clear()
    assert len(store) == 0


@pytest.mark.parametrize("given", [{"max_entries": 0}, {"ttl": 0.0}, {"store": Answers(), "ttl": 5.0}])
def test_settings_that_make_no_sense_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        Cached(ScriptedModel([]), **given)


# streams


async def test_a_stream_fills_the_cache_and_is_answered_from_it() -> None:
    whole = Completion(text="ab", reasoning="hm")
    model = Cached(Streaming(["a", "b", whole]))
    assert await read(model, cold()) == ["a", "b", "[ab]"]
    again = [delta async for delta in model.stream(cold())]
    kept = replace(whole, cached=True, usage=Usage())
    assert again == [Delta(text="ab", reasoning="hm", completion=kept)]
    assert await model.complete(cold()) == kept


async def test_a_stream_that_was_cut_or_left_is_not_kept() -> None:
    model = Cached(Streaming(["a", StreamCut("cut")], ["a", "b"], ["a", Completion(text="a")]))
    with pytest.raises(StreamCut):
        await read(model, cold())
    streaming = model.stream(cold())
    await anext(streaming)
    await streaming.aclose()
    assert await read(model, cold()) == ["a", "[a]"]
    assert (model.hits, model.misses) == (0, 3)


async def test_a_stream_waits_for_an_equal_call_under_way() -> None:
    inner, pieces = Slow(), list[str]()
    model = Cached(inner)

    async def stream() -> None:
        pieces.extend(await read(model, cold()))

    async with anyio.create_task_group() as group:
        group.start_soon(model.complete, cold())
        await checkpoint()
        group.start_soon(stream)
    assert inner.calls == 1
    assert pieces == ["yes 0[yes 0]"]


async def test_streams_that_are_read_in_turns_do_not_block_each_other() -> None:
    whole = Completion(text="ab")
    model = Cached(Streaming(["a", "b", whole], ["a", "b", whole]))
    one, other = model.stream(cold()), model.stream(cold())
    with anyio.fail_after(1):
        texts = [(await anext(stream)).text for _ in range(2) for stream in (one, other)]
        assert texts == ["a", "a", "b", "b"]
        assert [(await anext(stream)).completion is not None for stream in (one, other)] == [True, True]
    for stream in (one, other):
        await stream.aclose()


async def test_a_stream_at_a_temperature_is_not_kept() -> None:
    model = Cached(Streaming(["a", Completion(text="a")], ["b", Completion(text="b")]))
    assert [await read(model, question(temperature=1.0)) for _ in range(2)] == [["a", "[a]"], ["b", "[b]"]]
    assert model.skipped == 2
