"""The clients and options of the documents on a real wire."""

from __future__ import annotations

import time

import anyio.to_thread
import pytest

from phalanx import (
    Agent,
    LimitExceeded,
    LLMCallError,
    Message,
    OpenAIClient,
    OpenRouterClient,
    RetryConfig,
    SyncAgent,
    limits,
)
from phalanx.errors import ConfigurationError, ProviderTimeout, RateLimited
from phalanx.runtime.events import AnyEvent, Warned
from tests.wire.servers import Reply, serve
from tests.wire.talk import KEY

pytestmark = pytest.mark.wire

NO_KEYS = ("OPENAI_API_KEY", "OPENROUTER_API_KEY", "OR_API_KEY", "PHALANX_API_KEY")


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NO_KEYS:
        monkeypatch.delenv(name, raising=False)


def test_a_call_is_a_call_and_a_stream_a_stream() -> None:
    with serve("openai", "Hello there, you.") as server:
        client = OpenAIClient(api_key=KEY, model="loopback", base_url=server.url)
        messages = [Message(role="user", content="Hello!")]
        assert client.call(messages, temperature=0.7, max_tokens=9, stop="END") == "Hello there, you."
        assert list(client.call_stream([{"role": "user", "content": "Hello!"}], top_p=0.5)) != ["Hello there, you."]
        assert "".join(client.call_stream("Hello!")) == "Hello there, you."
        first, second, third = server.requests
    assert first.body["model"] == "loopback"
    assert first.body["messages"] == second.body["messages"] == third.body["messages"]
    assert first.body["messages"] == [{"role": "user", "content": "Hello!"}]
    assert (first.body["temperature"], first.body["max_tokens"]) == (0.7, 9)
    assert "END" in str(first.body["stop"])
    assert (second.body["top_p"], second.streamed, first.streamed) == (0.5, True, False)
    assert "temperature" not in third.body
    assert first.headers["authorization"] == f"Bearer {KEY}"


def test_organization_and_headers_are_sent() -> None:
    with serve("openai") as server:
        client = OpenAIClient(KEY, "loopback", server.url, "org-7", {"X-Team": "seven"})
        client.call("Hello!")
        (request,) = server.requests
    assert request.headers["openai-organization"] == "org-7"
    assert request.headers["x-team"] == "seven"
    assert KEY not in repr(client)


def test_openrouter_is_told_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve("openai") as server:
        monkeypatch.setenv("OPENROUTER_API_BASE", server.url)
        monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
        client = OpenRouterClient(model="anthropic/claude-3-opus", site_url="https://myapp.com", app_name="My App")
        assert client.call("Hello!") == "hello"
        (request,) = server.requests
    assert request.body["model"] == "anthropic/claude-3-opus"
    assert request.headers["http-referer"] == "https://myapp.com"
    assert request.headers["x-title"] == "My App"
    assert request.headers["authorization"] == f"Bearer {KEY}"


def test_an_agent_over_a_client_asks_the_same_server() -> None:
    with serve("openai", "hello") as server:
        client = OpenAIClient(api_key=KEY, model="loopback", base_url=server.url)
        assert SyncAgent(client, "Be brief.").run("Hi") == "hello"
        assert Agent(llm_client=client).run_sync("Hi") == "hello"
        assert list(SyncAgent(client, stream=True).run_stream("Hi"))[-1].kind == "final"
        assert len(server.requests) == 3
    assert "Be brief." in str(server.requests[0].body["messages"])


def test_failed_calls_are_made_again_and_then_are_errors() -> None:
    busy = Reply(status=429, error="slow down", headers={"retry-after": "0.01"})
    with serve("openai", [busy, "hello"]) as server:
        client = OpenAIClient(api_key=KEY, model="loopback", base_url=server.url)
        assert client.call("Hi") == "hello"
        assert len(server.requests) == 2
    with serve("openai", busy) as server:
        client = OpenAIClient(api_key=KEY, model="loopback", base_url=server.url)
        agent = SyncAgent(client, retry_config=RetryConfig(max_attempts=2, min_wait=0, max_wait=1))
        with pytest.raises(LLMCallError) as caught:
            agent.run("Hi")
        assert len(server.requests) == 2
    assert isinstance(caught.value, RateLimited)
    assert caught.value.retry_count == 1


def test_limits_hold_for_calls_of_clients() -> None:
    with serve("openai") as server, limits(calls=1):
        client = OpenAIClient(api_key=KEY, model="loopback", base_url=server.url)
        client.call("Hi")
        with pytest.raises(LimitExceeded):
            client.call("Hi")
        with pytest.raises(LimitExceeded):
            list(client.call_stream("Hi"))
        assert len(server.requests) == 1


def test_a_stream_left_early_hangs_up() -> None:
    with serve("openai", Reply(text="one two three four", stall=2)) as server:
        pieces = OpenAIClient(api_key=KEY, model="loopback", base_url=server.url).call_stream("Count.")
        assert next(pieces)
        pieces.close()
        assert list(pieces) == []
        left = time.monotonic() + 5
        while server.connections and time.monotonic() < left:
            time.sleep(0.01)
        assert server.connections == 0


@pytest.mark.parametrize(
    ("client", "variable"), [(OpenAIClient, "OPENAI_API_KEY"), (OpenRouterClient, "OPENROUTER_API_KEY")]
)
def test_without_a_key_there_is_no_client(
    client: type[OpenAIClient] | type[OpenRouterClient], variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=f"{client.__name__} has no key: give api_key=…, or set {variable}"):
        client()
    monkeypatch.setenv(variable, "sk-environment")
    assert client().model.endswith("gpt-4o")


def test_what_a_client_cannot_send_is_refused() -> None:
    client = OpenAIClient(api_key=KEY)
    with pytest.raises(ValueError, match="no message"):
        client.call([])
    with pytest.raises(ValueError, match="robot"):
        client.call([{"role": "robot", "content": "Hi"}])
    with pytest.raises(TypeError, match="temprature"):
        client.call("Hi", temprature=1)  # type: ignore[call-arg]
    with pytest.raises(ConfigurationError, match="api_base="):
        OpenAIClient(api_key=KEY, base_url="localhost:8000").call("Hi")


# -- options of agents ------------------------------------------------------------------------------------------------


async def test_transport_options_of_an_agent_reach_the_provider() -> None:
    with serve("openai") as server:
        agent = Agent(
            "coder",
            model=server.model,
            base_url=server.url,
            api_key=KEY,
            organization="org-7",
            default_headers={"X-Team": "seven"},
            path="general",
            provider_options={"logit_bias": {"50256": -100}},
            top_p=0.3,
            seed=5,
            stop=["END"],
        )
        assert await agent.run("Hi") == "hello"
        await agent.aclose()
        (request,) = server.requests
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["openai-organization"] == "org-7"
    assert request.headers["x-team"] == "seven"
    assert (request.body["top_p"], request.body["seed"]) == (0.3, 5)
    assert "END" in str(request.body["stop"])
    assert request.body["logit_bias"] == {"50256": -100}


async def test_an_agents_api_version_is_in_azures_address() -> None:
    with serve("openai") as server:
        base = server.url.removesuffix("/v1")
        agent = Agent("coder", model="azure/loopback", api_base=base, api_key=KEY, api_version="2024-10-21")
        assert await agent.run("Hi") == "hello"
        await agent.aclose()
        (request,) = server.requests
    assert "api-version=2024-10-21" in request.path


async def test_an_agents_timeout_holds() -> None:
    with serve("openai", Reply(text="late", delay=30)) as server:
        agent = Agent("coder", model=server.model, api_base=server.url, api_key=KEY, timeout=0.2, retry_attempts=1)
        with pytest.raises(ProviderTimeout):
            await agent.run("Hi")
        await agent.aclose()


async def test_a_temperature_that_is_too_warm_for_a_provider_is_clamped_with_a_warning() -> None:
    with serve("anthropic") as server:
        agent = Agent("coder", model=server.model, api_base=server.url, api_key=KEY, temperature=1.7)
        events: list[AnyEvent] = []
        await agent.run("Hi", on_event=events.append)
        await agent.aclose()
        (request,) = server.requests
    assert request.body["temperature"] == 1.0
    told = [event.text for event in events if isinstance(event, Warned) and "warm" in event.text]
    assert told == [f"{server.model} takes a temperature of at most 1; 1.7 is too warm"]


async def test_a_client_works_inside_a_running_loop() -> None:
    with serve("openai") as server:
        client = OpenAIClient(api_key=KEY, model="loopback", base_url=server.url)
        assert client.call("Hi") == "hello"
        assert await anyio.to_thread.run_sync(client.call, "Hi") == "hello"
        assert "".join(client.call_stream("Hi")) == "hello"
