"""Which path a request takes and why, and what is done about parameters that a model does not take."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from phalanx.agents.models.guard import RealCallForbidden, forbid_real_calls
from phalanx.agents.models.litellm import LiteLLM, describe, loaded
from phalanx.errors import ConfigurationError, InvalidRequest
from phalanx.messages import Completion, Message, Price, Request
from phalanx.runtime.events import AnyEvent, Warned
from phalanx.runtime.run import Run
from phalanx.settings import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE
from tests.wire.servers import FormatName, Reply, Use, serve
from tests.wire.talk import ADD, ASK, KEY, STREAMED, WAYS, Path, hear, model_at

pytestmark = pytest.mark.wire


async def warnings_of(model: LiteLLM, *requests: Request) -> list[str]:
    """What a model says in a run that asks it these things, one after the other."""
    seen: list[AnyEvent] = []
    run = Run.open("test", listeners=(seen.append,))

    async def ask(request: Request) -> Completion:
        return await run.step("model", model.name, request, lambda _: model.complete(request))

    for request in requests:
        await ask(request)
    await model.aclose()
    return [event.text for event in seen if isinstance(event, Warned)]


@pytest.mark.parametrize(("form", "path"), WAYS)
async def test_by_itself_a_model_takes_the_direct_path_where_there_is_one(form: FormatName, path: Path) -> None:
    with serve(form) as server:
        model = LiteLLM(server.model, api_base=server.url, api_key=KEY)
        before = model.transport
        await hear(model)

        assert before is None
        assert model.transport is not None
        assert model.transport.path == ("general" if form == "gemini" else "direct")
        assert model.transport.reason


CALLBACKS = (
    "callbacks", "input_callback", "success_callback", "failure_callback",
    "_async_input_callback", "_async_success_callback", "_async_failure_callback",
)  # fmt: skip


@pytest.fixture
async def module() -> AsyncIterator[Any]:
    """The loaded LiteLLM, whose lists of callbacks are afterwards what they were."""
    found = (await loaded()).module
    before = {name: list(getattr(found, name)) for name in CALLBACKS}
    yield found
    for name, callbacks in before.items():
        getattr(found, name)[:] = callbacks


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("success_callback", lambda *_: None),
        ("headers", {"X-A": "b"}),
        ("model_alias_map", {"a": "b"}),
    ],
)
async def test_what_is_set_on_litellm_for_its_own_calls_is_heeded_by_using_them(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, value: object
) -> None:
    with serve("openai") as server:
        model = LiteLLM(server.model, api_base=server.url, api_key=KEY)
        await model.complete(ASK)
        if name in CALLBACKS:
            getattr(module, name).append(value)
        else:
            monkeypatch.setattr(module, name, value)
        await model.complete(ASK)
        late = model.transport
        early = LiteLLM(server.model, api_base=server.url, api_key=KEY)
        await hear(early)
        await model.aclose()

    assert late is not None
    assert early.transport is not None
    assert (late.path, late.reason) == ("general", f"litellm.{name} is set")
    assert (early.transport.path, early.transport.reason) == ("general", f"litellm.{name} is set")


async def test_options_of_litellms_own_calls_take_them_there() -> None:
    with serve("openai") as server:
        model = LiteLLM(
            server.model, api_base=server.url, api_key=KEY, provider_options={"mock_response": "made up here"}
        )
        heard = await hear(model)

        assert heard.completion.text == "made up here"
        assert server.requests == []
        assert str(model.transport) == "general ('mock_response' is an option of LiteLLM's own calls)"


async def test_an_option_of_litellms_own_calls_in_one_request_takes_that_one_there() -> None:
    with serve("openai") as server:
        model = LiteLLM(server.model, api_base=server.url, api_key=KEY)
        made_up = await hear(model, replace(ASK, options={"mock_response": "made up here"}))
        assert model.transport is not None
        paths = [model.transport.path]
        real = await hear(model)
        paths.append(model.transport.path)

        assert (made_up.completion.text, real.completion.text) == ("made up here", "hello")
        assert paths == ["general", "direct"]
        assert len(server.requests) == 1


async def test_insisting_on_a_path_that_does_not_exist_is_an_error() -> None:
    with serve("gemini") as server, pytest.raises(ConfigurationError, match="path='direct' is not possible"):
        await hear(model_at(server, "direct"))


@pytest.mark.parametrize("streamed", STREAMED)
async def test_a_tool_name_that_must_be_rewritten_leaves_it_to_litellm(streamed: bool) -> None:
    odd = ADD.model_copy(update={"name": "maths/add"})
    with serve(
        "anthropic", lambda request: Reply(uses=(Use(str(_names(request.body)[0]), {"a": 1, "b": 2}),))
    ) as server:
        model = LiteLLM(server.model, api_base=server.url, api_key=KEY)
        heard = await hear(model, replace(ASK, tools=(odd,)), streamed=streamed)

        assert model.transport is not None
        assert model.transport.path == "general"
        assert _names(server.requests[0].body) == ["maths_add"]
    assert heard.completion.tool_calls[0].tool_name == "maths/add"


def _names(body: Any) -> list[object]:
    return [tool["name"] for tool in body["tools"]]


BREAKS: dict[str, Callable[..., object]] = {
    "transform_response": lambda *_, **given: given["model_response"],
    "validate_environment": lambda *_: {},
    "get_complete_url": lambda *_, **__: 1 / 0,
    "get_model_response_iterator": lambda *_, **__: None,
}


@pytest.mark.parametrize("method", BREAKS)
async def test_a_litellm_that_maps_otherwise_is_used_by_its_own_call_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    # LiteLLM's own call to OpenAI, which goes by OpenAI's client, has no use for these.
    monkeypatch.setattr((await loaded()).module.OpenAIGPTConfig, method, BREAKS[method])
    with serve("openai") as server:
        model = LiteLLM(server.model, api_base=server.url, api_key=KEY)
        said = await warnings_of(model, ASK, ASK)

        assert len(server.requests) == 2
        assert model.transport is not None
        assert model.transport.path == "general"
        assert "does not map as expected" in model.transport.reason
        assert len(said) == 1
        assert "slower" in said[0]


@pytest.mark.parametrize("streamed", STREAMED)
async def test_a_request_that_cannot_be_mapped_goes_by_litellms_own_call(
    monkeypatch: pytest.MonkeyPatch, streamed: bool
) -> None:
    config = (await loaded()).module.OpenAIGPTConfig
    plain, trips = config.transform_request, iter([ZeroDivisionError("odd words")])

    def stumble(self: object, model: str, messages: list[dict[str, object]], *more: object, **named: object) -> object:
        if "stumble" in str(messages) and (problem := next(trips, None)) is not None:
            raise problem
        return plain(self, model, messages, *more, **named)

    monkeypatch.setattr(config, "transform_request", stumble)
    with serve("openai", Reply(text="it went")) as server:
        model = LiteLLM(server.model, api_base=server.url, api_key=KEY)
        odd = replace(ASK, messages=(Message(role="user", content="stumble over this"),))
        heard = await hear(model, odd, streamed=streamed)

        assert heard.completion.text == "it went"
        assert len(server.requests) == 1
        assert model.transport is not None
        assert "odd words" in model.transport.reason
        await hear(model, odd, streamed=streamed)
        assert model.transport.path == "direct"


async def test_insisting_on_a_mapping_that_changed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    config = (await loaded()).module.OpenAIGPTConfig
    monkeypatch.setattr(config, "transform_request", lambda *_, **__: {"nothing": "of what was said"})
    with serve("openai") as server:
        with pytest.raises(ConfigurationError, match="path='direct' is not possible"):
            await hear(model_at(server, "direct"))

        assert server.requests == []


@pytest.mark.parametrize("path", ["direct", "general"])
async def test_a_default_that_a_model_does_not_take_is_left_out_and_that_is_said_once(path: Path) -> None:
    with serve("openai") as server:
        model = model_at(server, path, name="openai/o3-mini")
        default = replace(ASK, temperature=DEFAULT_TEMPERATURE, max_tokens=DEFAULT_MAX_TOKENS)
        said = await warnings_of(model, default, default, replace(default, seed=3))

        assert said == ["openai/o3-mini does not take temperature=0.7, the default; it is left out"]
        assert all("temperature" not in request.body for request in server.requests)
        assert server.requests[0].body["max_completion_tokens"] == DEFAULT_MAX_TOKENS


@pytest.mark.parametrize("path", ["direct", "general"])
@pytest.mark.parametrize("streamed", STREAMED)
async def test_a_wish_that_a_model_does_not_take_is_refused_by_name_before_anything_is_sent(
    path: Path, streamed: bool
) -> None:
    with serve("openai") as server:
        with pytest.raises(InvalidRequest, match=r"temperature=0\.2"):
            await hear(model_at(server, path, name="openai/o3-mini"), ASK, streamed=streamed)

        assert server.requests == []


@pytest.mark.parametrize("path", ["direct", "general"])
async def test_a_seed_goes_where_it_is_taken_and_is_refused_where_it_is_not(path: Path) -> None:
    with serve("openai") as server, serve("anthropic") as other:
        await hear(model_at(server, path), replace(ASK, seed=7))
        with pytest.raises(InvalidRequest, match="seed=7"):
            await hear(model_at(other, path), replace(ASK, seed=7))

        assert server.requests[0].body["seed"] == 7
        assert other.requests == []


@pytest.mark.parametrize("path", ["direct", "general"])
async def test_a_tool_choice_is_sent_as_the_provider_wants_it(path: Path) -> None:
    with serve("openai") as openai, serve("anthropic") as anthropic:
        for server in (openai, anthropic):
            for choice in ("required", "add"):
                await hear(model_at(server, path), replace(ASK, tools=(ADD,), tool_choice=choice))

        assert [request.body["tool_choice"] for request in openai.requests] == [
            "required",
            {"type": "function", "function": {"name": "add"}},
        ]
        chosen: list[Any] = [request.body["tool_choice"] for request in anthropic.requests]
        assert [choice["type"] for choice in chosen] == ["any", "tool"]
        assert chosen[1]["name"] == "add"


@pytest.mark.parametrize("path", ["direct", "general"])
async def test_a_tool_choice_without_effect_is_said_and_none_means_no_tools(path: Path) -> None:
    with serve("ollama") as server:
        forced, none = (replace(ASK, tools=(ADD,), tool_choice=choice) for choice in ("required", "none"))
        said = await warnings_of(model_at(server, path), forced, forced, none)

        assert said == ["ollama/loopback has no tool_choice: tool_choice='required' has no effect"]
        assert ["tools" in request.body for request in server.requests] == [True, True, False]


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (replace(ASK, tool_choice="required"), "needs tools"),
        (replace(ASK, tools=(ADD,), tool_choice="subtract"), "none of the tools"),
    ],
)
async def test_a_tool_choice_that_cannot_be_is_refused(request_: Request, problem: str) -> None:
    with serve("openai") as server:
        with pytest.raises(InvalidRequest, match=problem):
            await hear(model_at(server, "direct"), request_)

        assert server.requests == []


@pytest.mark.parametrize("path", ["direct", "general"])
@pytest.mark.parametrize("streamed", STREAMED)
async def test_more_options_are_sent_as_they_are(path: Path, streamed: bool) -> None:
    with serve("vllm") as server, serve("ollama") as ollama:
        model = model_at(server, path, provider_options={"top_k": 5, "frequency_penalty": 0.5})
        await hear(model, replace(ASK, options={"min_p": 0.1, "top_k": 9}), streamed=streamed)
        await hear(model_at(ollama, path, provider_options={"num_ctx": 8192}), streamed=streamed)

        body = server.requests[0].body
        assert (body["top_k"], body["min_p"], body["frequency_penalty"]) == (9, 0.1, 0.5)
        assert '"num_ctx": 8192' in json.dumps(ollama.requests[0].body)


async def test_an_option_of_a_request_that_has_another_place_is_refused() -> None:
    with serve("openai") as server, pytest.raises(ConfigurationError, match="use timeout="):
        await hear(model_at(server, "direct"), replace(ASK, options={"timeout": 3}))


@pytest.mark.parametrize(("form", "path"), WAYS)
async def test_no_call_is_made_where_real_calls_are_forbidden(form: FormatName, path: Path) -> None:
    with serve(form) as server:
        for streamed in STREAMED:
            with forbid_real_calls(), pytest.raises(RealCallForbidden):
                await hear(model_at(server, path), streamed=streamed)

        assert server.requests == []


@pytest.mark.parametrize(
    ("name", "price"),
    [
        ("openai/gpt-4o-mini", Price(0.15, 0.6, 0.075)),
        ("anthropic/claude-haiku-4-5", Price(1.0, 5.0, 0.1, 1.25)),
        ("gemini/gemini-2.5-flash", Price(0.3, 2.5, 0.03)),
        ("ollama/llama3", Price(0.0, 0.0)),
        ("ollama/nobody-knows", Price(0.0, 0.0)),
        ("ollama/nobody-knows:120b-cloud", None),
        ("openai/nobody-knows", None),
    ],
)
async def test_prices_come_from_litellms_map(name: str, price: Price | None) -> None:
    assert await LiteLLM(name).price() == price


async def test_an_answer_costs_what_the_map_says() -> None:
    with serve("openai", Reply(text="x", input_tokens=1000, output_tokens=100, cached=400)) as server:
        usage = (await hear(model_at(server, "direct", name="openai/gpt-4o-mini"))).completion.usage

    assert usage.cost == pytest.approx((600 * 0.15 + 400 * 0.075 + 100 * 0.6) / 1e6)
    assert usage.unpriced_calls == 0


async def test_asking_an_ollama_does_not_make_its_price_known() -> None:
    with serve("ollama") as server:
        for path in ("general", "direct", "general"):
            model = model_at(server, path, name="ollama/not-in-the-map-cloud")
            assert (await hear(model)).completion.usage.cost is None
            assert await LiteLLM("ollama/not-in-the-map-cloud").price() is None


async def test_a_model_is_described_without_asking_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serve("openai") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        facts = await describe(LiteLLM("openai/gpt-4o-mini"))

        assert server.requests == []
    assert (facts.name, facts.price) == ("openai/gpt-4o-mini", Price(0.15, 0.6, 0.075))
    assert (facts.context_window, facts.native_tools) == (128_000, True)
    assert facts.transport.path == "direct"
    assert facts.litellm[0].isdigit()
    assert facts.key == "OPENAI_API_KEY"
    assert KEY not in repr(facts)


async def test_a_missing_key_shows_in_the_description(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    facts = await describe(LiteLLM("anthropic/claude-haiku-4-5"))

    assert (facts.key, facts.key_needed) == (None, True)
    assert (await describe(LiteLLM("anthropic/x", api_key=KEY))).key == "api_key="
    assert not (await describe(LiteLLM("ollama/llama3"))).key_needed


async def test_whether_a_model_takes_tools_is_known_once_litellm_is_asked() -> None:
    known, unknown = LiteLLM("openai/gpt-4o-mini"), LiteLLM("openai/nobody-knows")
    before = known.native_tools
    await known.price()
    await unknown.price()

    assert (before, known.native_tools, unknown.native_tools) == (None, True, None)
    assert await known.context_window() == 128_000
    assert await unknown.context_window() is None
