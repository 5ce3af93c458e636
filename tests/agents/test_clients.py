"""Clients, providers and functions of the user's own as models: what they are sent, and how their answers are read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from phalanx import (
    Agent,
    AgentResponse,
    BaseProvider,
    ConfigurationError,
    Limits,
    LLMCallError,
    Message,
    Price,
    ProviderError,
    RetryConfig,
    StreamChunk,
    ToolCall,
    register_provider,
)
from phalanx.errors import AuthenticationFailed, InvalidRequest, ProviderTimeout, ProviderUnavailable, RateLimited
from phalanx.messages import Completion, Request, Usage
from phalanx.runtime.events import AnyEvent, Retried, Token
from phalanx.testing import FunctionModel, ScriptedModel

ONCE = RetryConfig(max_attempts=1)


def giving(answer: object) -> Callable[..., Any]:
    """A function of the messages that gives this answer."""

    async def give(messages: list[dict[str, Any]]) -> object:
        return answer

    return give


# -- what they are sent -----------------------------------------------------------------------------------------------


class Noting(BaseProvider):
    """Notes what it was called with."""

    def __init__(self, model: str = "") -> None:
        super().__init__(model)
        self.calls: list[tuple[Any, dict[str, Any]]] = []

    async def chat(self, messages: list[dict[str, Any]], **options: Any) -> str:
        self.calls.append((messages, options))
        return "noted"


async def test_settings_of_an_agent_reach_a_client_that_takes_them() -> None:
    client = Noting()
    agent = Agent(client, "Be brief.", temperature=0.2, max_tokens=50, top_p=0.9, seed=7, stop=["END"])
    await agent.run("Hi")
    messages, options = client.calls[0]
    assert options == {"temperature": 0.2, "max_tokens": 50, "top_p": 0.9, "seed": 7, "stop": ["END"]}
    assert [each["role"] for each in messages] == ["system", "user"]
    assert all(set(each) == {"role", "content"} for each in messages)


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ({"temperature": 0.2}, "temperature"),
        ({"max_tokens": 50}, "max_tokens"),
        ({"stop": "END"}, "stop"),
        ({"seed": 1}, "seed"),
    ],
)
async def test_a_setting_that_a_client_has_no_argument_for_is_an_error(setting: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidRequest, match=rf"give\(\) takes no {named}, and it was set to"):
        await Agent(provider=giving("never"), **setting).run("Hi")
    assert await Agent(provider=giving("fine")).run("Hi") == "fine"


async def test_a_client_gets_single_settings_by_their_names() -> None:
    seen: list[float] = []

    async def answer(messages: list[dict[str, Any]], temperature: float = 1.0) -> str:
        seen.append(temperature)
        return "warm"

    await Agent(provider=answer, temperature=0.4).run("Hi")
    assert seen == [0.4]


@pytest.mark.parametrize("form", ["prompt", "typed", "list"])
async def test_who_takes_one_text_gets_the_conversation_as_one(form: str) -> None:
    seen: list[Any] = []

    async def prompted(prompt):  # type: ignore[no-untyped-def]
        seen.append(prompt)
        return "a"

    async def typed(said: str) -> str:
        seen.append(said)
        return "a"

    async def listed(prompt: list[dict[str, str]]) -> str:
        seen.append(prompt)
        return "a"

    forms: dict[str, object] = {"prompt": prompted, "typed": typed, "list": listed}
    agent = Agent("coder", model=forms[form])
    await agent.chat("One.")
    await agent.chat("Two.")
    if form == "list":
        assert [each["content"] for each in seen[1]][1:] == ["One.", "a", "Two."]
    else:
        assert seen[0].startswith("You are coder, coder.")
        assert seen[0].endswith("\n\nOne.")
        assert seen[1].endswith("\n\nUser: One.\n\nAssistant: a\n\nUser: Two.")


async def test_a_method_named_call_gets_message_objects() -> None:
    class Client:
        async def call(self, messages: list[Message]) -> str:
            return " ".join(message.role for message in messages)

    assert await Agent(Client()).run("Hi") == "system user"


async def test_a_client_that_takes_tools_is_given_them_and_calls_them() -> None:
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    class Able(Noting):
        async def chat(self, messages: list[dict[str, Any]], **options: Any) -> Any:
            self.calls.append((messages, options))
            if len(self.calls) > 1:
                return f"It is {messages[-1]['content'].splitlines()[1]}."
            function = {"name": "add", "arguments": '{"a": 2, "b": 3}'}
            return {"content": None, "tool_calls": [{"id": "x", "type": "function", "function": function}]}

        def supports_tools(self) -> bool:
            return True

    client = Able()
    result = await Agent(client, tools=[add]).run("2 + 3?")
    assert result == "It is 5."
    assert result.tool_calls[0].parameters == {"a": 2, "b": 3}
    spec = client.calls[0][1]["tools"][0]
    assert (spec["type"], spec["function"]["name"]) == ("function", "add")
    assert client.calls[1][0][-1]["tool_call_id"] == "x"


@pytest.mark.parametrize("supports", [True, False])
async def test_a_client_that_cannot_take_tools_is_told_of_them_in_words(supports: bool) -> None:
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    class Unable(BaseProvider):
        async def chat(self, prompt: str) -> str:
            if "Result of add" in prompt:
                return "It is 5."
            assert '"name": "add"' in prompt
            return '```tool_call\n{"name": "add", "arguments": {"a": 2, "b": 3}}\n```'

        def supports_tools(self) -> bool:
            return supports

    assert await Agent(provider=Unable(), tools=[add]).run("2 + 3?") == "It is 5."


# -- how answers are read ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "usage"),
    [
        ("yes", None),
        (AgentResponse(content="yes", tokens_used=1000), 1000),
        (AgentResponse(content="yes"), None),
        ({"content": "yes"}, None),
        ({"content": "yes", "tokens_used": 900}, 900),
        ({"content": "yes", "usage": {"input_tokens": 30, "output_tokens": 4}}, 34),
        (SimpleNamespace(content="yes", tokens_used=800), 800),
        (Completion(text="yes", usage=Usage(1, 20, 5)), 25),
        (
            {"choices": [{"message": {"content": "yes"}}], "usage": {"prompt_tokens": 40, "completion_tokens": 2}},
            42,
        ),
        (
            SimpleNamespace(
                choices=[SimpleNamespace(message=SimpleNamespace(content="yes"), finish_reason="stop")],
                usage=SimpleNamespace(prompt_tokens=50, completion_tokens=3),
                model="gpt",
                id="1",
            ),
            53,
        ),
    ],
    ids=lambda given: type(given).__name__,
)
async def test_answers_are_read_in_every_form(answer: object, usage: int | None) -> None:
    result = await Agent(provider=giving(answer)).run("Hi")
    assert result == "yes"
    assert result.usage.calls == 1
    if usage is None:
        assert result.usage.estimated
    else:
        assert result.usage.tokens == usage


@pytest.mark.parametrize("answer", [None, 7, {}, {"content": 7}, {"choices": []}, SimpleNamespace(text="yes"), ["yes"]])
async def test_what_is_no_answer_is_an_error_that_says_what_it_is(answer: object) -> None:
    with pytest.raises(LLMCallError, match=f"it gave {type(answer).__name__}, not text or something with content"):
        await Agent(provider=giving(answer)).run("Hi")


@pytest.mark.parametrize(
    ("call", "read"),
    [
        (ToolCall(id="1", tool_name="add", parameters={"a": 1}), {"a": 1}),
        ({"id": "1", "name": "add", "arguments": {"a": 1}}, {"a": 1}),
        ({"id": "1", "tool_name": "add", "parameters": {"a": 1}}, {"a": 1}),
        ({"function": {"name": "add", "arguments": ""}}, {}),
        ({"function": {"name": "add", "arguments": "{a"}}, "the arguments are not JSON"),
        ({"function": {"name": "add", "arguments": "[1]"}}, "the arguments are not an object"),
    ],
)
async def test_tool_calls_are_read_in_every_form(call: object, read: object) -> None:
    answers = iter([{"content": "", "tool_calls": [call]}, "done"])

    class Able(BaseProvider):
        async def chat(self, messages: list[dict[str, Any]], **options: Any) -> object:
            return next(answers)

        def supports_tools(self) -> bool:
            return True

    def add(a: int = 0) -> int:
        """Add."""
        return a

    made = (await Agent(provider=Able(), tools=[add]).run("Go")).tool_calls[0]
    assert made.tool_name == "add"
    if isinstance(read, str):
        assert read in (made.arguments_error or "")
    else:
        assert (made.parameters, made.arguments_error) == (read, None)


class Status(Exception):
    """An error as clients of HTTP APIs raise it."""

    def __init__(self, status_code: int, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"status {status_code}")
        self.status_code, self.response = status_code, SimpleNamespace(headers=headers or {})


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (KeyError("x"), LLMCallError),
        (TimeoutError(), ProviderTimeout),
        (ConnectionResetError("gone"), ProviderUnavailable),
        (Status(401), AuthenticationFailed),
        (Status(429, {"Retry-After": "3"}), RateLimited),
        (Status(503), ProviderUnavailable),
    ],
)
async def test_what_a_client_raises_is_an_error_by_its_kind(raised: Exception, kind: type[LLMCallError]) -> None:
    async def answer(messages: list[dict[str, str]]) -> str:
        raise raised

    with pytest.raises(ProviderError) as caught:
        await Agent(provider=answer, retry=ONCE).run("Hi")
    assert type(caught.value) is kind
    assert caught.value.original_error is raised
    if kind is RateLimited:
        assert caught.value.retry_after == 3


async def test_a_client_that_may_recover_is_asked_again() -> None:
    failures: list[Exception] = [ConnectionResetError("gone"), Status(429, {"Retry-After": "30"})]

    async def answer(messages: list[dict[str, str]]) -> str:
        if failures:
            raise failures.pop(0)
        return "at last"

    events: list[AnyEvent] = []
    started = anyio.current_time()
    result = await Agent(provider=answer).run("Hi", on_event=events.append)
    assert result == "at last"
    assert result.usage.calls == 3
    assert [event.attempt for event in events if isinstance(event, Retried)] == [1, 2]
    assert anyio.current_time() - started > 30


def test_what_is_no_model_is_refused_by_its_type() -> None:
    for wrong in (7, SimpleNamespace(chat="no method")):
        with pytest.raises(ConfigurationError, match=f"{type(wrong).__name__} is no model"):
            Agent("coder", model=wrong)


def test_a_client_that_is_not_async_runs_in_a_thread() -> None:
    class Client:
        def call(self, messages: list[Message], **options: Any) -> str:
            return f"{len(messages)} messages, {options['max_tokens']} tokens"

    assert Agent(Client(), max_tokens=9).run_sync("Hi") == "2 messages, 9 tokens"


# -- streams ----------------------------------------------------------------------------------------------------------


class Pieces:
    """A client whose streams come in every form."""

    def __init__(self, form: str) -> None:
        self.form, self.closed = form, 0

    async def chat(self, prompt: str) -> str:
        return "whole"

    def stream_chat(self, prompt: str) -> Any:
        if self.form == "list":
            return ["one", " two"]
        if self.form == "chunks":
            return iter([StreamChunk(content="one"), SimpleNamespace(content=" two"), StreamChunk(is_final=True)])
        if self.form == "openai":
            deltas = [{"choices": [{"delta": {"content": each}}]} for each in ("one", " two")]
            return iter([*deltas, {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}])
        return self._generator() if self.form == "generator" else self._async_generator()

    def _generator(self) -> Iterator[str]:
        try:
            yield from ("one", " two")
        finally:
            self.closed += 1

    async def _async_generator(self) -> AsyncIterator[str]:
        try:
            for piece in ("one", " two"):
                yield piece
        finally:
            self.closed += 1


@pytest.mark.parametrize("form", ["list", "chunks", "openai", "generator", "async generator"])
async def test_pieces_come_in_every_form(form: str) -> None:
    client = Pieces(form)
    agent = Agent(provider=client)
    assert [piece async for piece in agent.astream("Go")] == ["one", " two"]
    assert client.closed == ("generator" in form)
    assert await agent.run("Go") == "whole"


@pytest.mark.parametrize("form", ["generator", "async generator"])
async def test_a_stream_left_early_is_closed(form: str) -> None:
    client = Pieces(form)
    async with Agent(provider=client).stream_events("Go") as events:
        async for event in events:
            if isinstance(event, Token):
                break
    assert client.closed == 1


async def test_what_a_stream_raises_is_the_same_error() -> None:
    class Breaking(Pieces):
        async def _async_generator(self) -> AsyncIterator[str]:
            yield "one"
            raise ConnectionResetError("gone")

    with pytest.raises(ProviderUnavailable):
        async for _ in Agent(provider=Breaking("async generator")).astream("Go"):
            pass


async def test_a_stream_that_is_none_says_what_it_is() -> None:
    class Wrong(Pieces):
        def stream_chat(self, prompt: str) -> int:
            return 7

    with pytest.raises(LLMCallError, match="it gave int, not pieces of an answer"):
        async for _ in Agent(provider=Wrong("")).astream("Go"):
            pass


async def test_a_provider_that_does_not_stream_gives_one_piece() -> None:
    assert [piece async for piece in Agent(provider=Noting()).astream("Go")] == ["noted"]


# -- registering ------------------------------------------------------------------------------------------------------


async def test_a_registered_name_is_taken_back_and_taken_only_once() -> None:
    made: list[dict[str, Any]] = []

    def make(**options: Any) -> Noting:
        made.append(options)
        return Noting()

    with register_provider("noting", make):
        register_provider("noting", make)
        with pytest.raises(ConfigurationError, match="'noting' is registered already"):
            register_provider("noting", Noting)
        assert await Agent("coder", model="noting/big", api_key="k", provider_options={"x": 1}).run("Hi") == "noted"
        assert await Agent("coder", provider="noting").run("Hi") == "noted"
        assert made == [{"model": "big", "api_key": "k", "x": 1}, {}]
    with pytest.raises(ConfigurationError, match="noting"):
        Agent("coder", provider="noting")
    for name in ("", "a/b"):
        with pytest.raises(ConfigurationError, match="is no name for a provider"):
            register_provider(name, make)


def test_an_option_that_a_registered_provider_does_not_take_is_refused() -> None:
    with (
        register_provider("noting", Noting),
        pytest.raises(ConfigurationError, match=r"cannot be made by noting\(model=…, api_key=…\): .*'api_key'"),
    ):
        Agent("coder", model="noting/big", api_key="k")


def test_a_model_object_and_a_providers_name_do_not_go_together() -> None:
    with pytest.raises(ConfigurationError, match="either a model object or a provider object"):
        Agent("coder", model=Noting(), provider="openai")
    with pytest.raises(ConfigurationError, match="a role is a Role or a name, not Noting"):
        Agent(Noting(), llm_client=Noting())


# -- prices and retries of models given as objects --------------------------------------------------------------------


async def test_a_price_given_with_a_model_object_is_what_its_calls_cost() -> None:
    used = Usage(1, 1_000_000, 500_000, known_cost=99)
    model = FunctionModel(lambda _: Completion(text="yes", usage=used))
    for agent in (Agent("coder", model=model, price=Price(2, 4)), Agent(Noting(), price=Price(2, 4))):
        result = await agent.run("Hi")
        assert result.cost == pytest.approx(Price(2, 4).of(result.usage))
    priced = Agent("coder", model=model, price=Price(2, 4))
    assert [piece async for piece in priced.astream("Hi")] == ["yes"]
    async with priced.stream_events("Hi") as events:
        async for _ in events:
            pass
    assert events.result.cost == 4.0
    limited = await Agent("coder", model=model, price=Price(2, 4)).run("Hi", limits=Limits(usd=5))
    assert limited.cost == 4.0
    with pytest.raises(ConfigurationError, match="money is limited but the price"):
        await Agent(Noting()).run("Hi", limits=Limits(usd=5))


async def test_retries_given_with_a_model_object_are_made() -> None:
    calls: list[Request] = []

    def failing(request: Request) -> str:
        calls.append(request)
        raise ProviderUnavailable("down")

    model = ScriptedModel([ProviderUnavailable("down"), ProviderUnavailable("down"), "yes"])
    assert await Agent("coder", model=model, retry_attempts=3).run("Hi") == "yes"
    with pytest.raises(ProviderUnavailable) as caught:
        await Agent("coder", model=FunctionModel(failing)).run("Hi")
    assert caught.value.retry_count == 0
    calls.clear()
    twice = await Agent("coder", model=FunctionModel(failing), retry=2).model_or(None)
    agent = Agent("coder", model=twice, retry=4)
    with pytest.raises(ProviderUnavailable) as caught:
        await agent.run("Hi")
    assert caught.value.retry_count == 3
    assert len(calls) == 4, "one configuration in place of the other, not one inside the other"
