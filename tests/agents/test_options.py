"""No keyword of an agent is accepted and ignored: each does something that can be seen, or is refused."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Iterator, MutableMapping
from typing import Any

import anyio
import pytest
import structlog

from phalanx import (
    Agent,
    AgentTeam,
    ConfigurationError,
    FunctionTool,
    LimitExceeded,
    Limits,
    MemberFailed,
    Price,
    ProviderError,
    RetryConfig,
    SimpleAgentMemory,
    ToolCall,
    ValidationError,
    register_provider,
)
from phalanx.agents.models.adjust import Clamped, warmest
from phalanx.agents.models.offline import in_pieces
from phalanx.agents.models.resolve import SAMPLING, TRANSPORT, resolve
from phalanx.agents.options import ALIASES, NAMED, REST, RETRY
from phalanx.errors import ProviderUnavailable
from phalanx.messages import Completion, Delta, Request, Usage
from phalanx.runtime.events import AnyEvent, Retried, Token, Warned
from phalanx.testing import FunctionModel, ScriptedModel
from tests.recording import DONE, Recording, plan

SEEN_HERE = {"top_p", "seed", "stop", "retry", "retry_attempts", "retry_backoff", "retry_jitter", "timezone",
             "answer_format", "verbose", "stream"}  # fmt: skip
SEEN_ON_THE_WIRE = set(TRANSPORT)


def test_the_tests_here_and_on_the_wire_know_every_option() -> None:
    assert {*SAMPLING, *RETRY, *REST} == SEEN_HERE
    assert set(ALIASES.values()) <= {*SEEN_HERE, *SEEN_ON_THE_WIRE, "provider", "instructions"}


def test_the_hints_know_every_named_argument() -> None:
    for name in NAMED:
        wrong: dict[str, Any] = {f"{name}z": 1}
        with pytest.raises(ConfigurationError, match=f"did you mean {name!r}"):
            Agent("coder", **wrong)


# -- of each call -----------------------------------------------------------------------------------------------------


async def test_sampling_is_in_each_request() -> None:
    model = Recording()
    await Agent("coder", model=model, top_p=0.5, seed=11, stop="END").run("Go")
    request = model.requests[0]
    assert (request.top_p, request.seed, request.stop) == (0.5, 11, ("END",))


async def test_an_answer_format_and_its_other_name_are_in_the_prompt() -> None:
    model = Recording()
    await Agent("coder", model=model, answer_format="Answer in YAML.").run("Go")
    await Agent("coder", model=model, final_answer_format_instructions="Answer in YAML.").run("Go")
    assert all("Answer in YAML." in request.messages[0].content for request in model.requests)


async def test_a_time_zone_is_the_date_and_time_of_the_prompt() -> None:
    model = Recording()
    await Agent("coder", model=model, timezone="Asia/Tokyo").run("Go")
    today = datetime.datetime.now(zoneinfo.ZoneInfo("Asia/Tokyo"))
    assert f"It is {today:%A, %Y-%m-%d}" in model.requests[0].messages[0].content
    assert "in Asia/Tokyo." in model.requests[0].messages[0].content


@pytest.mark.parametrize(
    ("options", "waits"),
    [
        ({"retry": {"max_attempts": 3, "jitter": False}}, [1, 2]),
        ({"retry": 2, "retry_jitter": False}, [1]),
        ({"retry_attempts": 4, "retry_backoff": "linear", "retry_jitter": False}, [1, 2, 3]),
        ({"retry_config": RetryConfig(max_attempts=2, min_wait=5, jitter=False)}, [5]),
        ({"retry_backoff": lambda attempt: 10.0 * attempt, "retry_jitter": False}, [10, 20]),
    ],
)
async def test_retries_are_made_as_told(options: dict[str, Any], waits: list[float]) -> None:
    def down(_: Request) -> str:
        raise ProviderUnavailable("down")

    events: list[AnyEvent] = []
    agent = Agent("coder", model=FunctionModel(down), **options)
    with pytest.raises(ProviderError):
        await agent.run("Go", on_event=events.append)
    assert [event.wait for event in events if isinstance(event, Retried)] == pytest.approx(waits)


# -- streaming --------------------------------------------------------------------------------------------------------


class Streams:
    """A model that says by which way it was asked."""

    name, free, native_tools = "offline/streams", True, True

    async def complete(self, request: Request, /) -> Completion:
        return Completion(text="asked whole", usage=Usage(1, 1, 1))

    async def stream(self, request: Request, /) -> Any:
        async for delta in in_pieces(Completion(text="asked in pieces", usage=Usage(1, 1, 1))):
            yield delta


async def test_stream_asks_in_pieces_wherever_the_agent_works() -> None:
    for stream, answer in ((True, "asked in pieces"), (False, "asked whole")):
        agent = Agent("coder", model=Streams(), stream=stream)
        assert await agent.run("Go") == answer
        assert await agent.chat("Go") == answer
        assert (await agent.chat([{"role": "user", "content": "Go"}]))["content"] == answer
        assert (await AgentTeam.pipeline([agent]).run("Go")) == answer
        assert agent.run_sync("Go") == answer


async def test_stream_shows_its_tokens_to_whoever_listens() -> None:
    events: list[AnyEvent] = []
    await Agent("coder", model=Streams(), stream=True).run("Go", on_event=events.append)
    assert [event.text for event in events if isinstance(event, Token)] == ["asked", " in", " pieces"]


async def test_a_stream_without_an_end_is_an_error() -> None:
    class Endless(Streams):
        async def stream(self, request: Request, /) -> Any:
            yield Delta(text="a")

    with pytest.raises(MemberFailed, match="offline/streams's stream ended without a completion"):
        await AgentTeam.pipeline([Agent("coder", model=Endless(), stream=True)], model=Streams()).run("Go")


# -- verbosity --------------------------------------------------------------------------------------------------------


Lines = list[MutableMapping[str, Any]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What is logged; the configuration of logging is the test's, as it would be the program's."""
    with structlog.testing.capture_logs() as captured:
        yield captured


def add(a: int) -> int:
    """Add one."""
    return a + 1


def asking() -> ScriptedModel:
    call = ToolCall(id="1", tool_name="add", parameters={"a": 1})
    return ScriptedModel([Completion(text="Let me see.", tool_calls=(call,)), "It is 2. " + "x" * 600])


async def test_verbose_logs_what_the_agent_does(lines: Lines) -> None:
    await Agent("coder", name="ada", model=asking(), tools=[add, "python"], verbose=True).run("1 + 1?")
    assert {line["agent"] for line in lines} == {"ada"}
    assert [(line["log_level"], line["event"]) for line in lines] == [
        ("info", "agent begins"),
        ("warning", "agent is warned"),
        ("info", "agent asks its model"),
        ("info", "model answered"),
        ("info", "agent was given a tool's result"),
        ("info", "agent asks its model"),
        ("info", "model answered"),
        ("info", "agent is done"),
    ]
    assert lines[0]["task"] == "1 + 1?"
    assert lines[3]["tool_calls"] == ["add"]
    assert lines[4]["tool"] == "add"
    assert "\n2\n" in lines[4]["result"]
    assert lines[6]["text"].startswith("It is 2. xxx")
    assert len(lines[6]["text"]) == 501
    assert (lines[7]["status"], lines[7]["calls"]) == ("completed", 2)


async def test_nothing_is_logged_without_it(lines: Lines) -> None:
    await Agent("coder", model=asking(), tools=[add]).run("1 + 1?")
    assert lines == []


async def test_verbose_logs_failures_and_retries(lines: Lines) -> None:
    model = ScriptedModel([ProviderUnavailable("down"), RuntimeError("boom")])
    with pytest.raises(RuntimeError):
        await Agent("coder", model=model, retry=3, verbose=True).run("Go")
    said = [(line["log_level"], line["event"]) for line in lines]
    assert ("warning", "model is asked again") in said
    assert said[-2:] == [("warning", "model failed"), ("info", "agent is done")]
    assert lines[-2]["error"] == "RuntimeError: boom"
    assert lines[-1]["status"] == "failed"


async def test_a_verbose_member_of_a_team_logs_its_own_calls_and_nobody_elses(lines: Lines) -> None:
    model = Recording({("lead", "plan"): plan(("1", "ada", "Do it.", [])), ("lead", "review"): DONE})
    ada = Agent("coder", name="ada", verbose=True)
    await AgentTeam.hierarchical("lead", [ada, "bob"], model=model).run("Go")
    assert [(line["agent"], line["event"]) for line in lines] == [
        ("ada", "agent asks its model"),
        ("ada", "model answered"),
    ]


async def test_verbose_streams_are_logged_too(lines: Lines) -> None:
    async for _ in Agent("coder", model=Streams(), verbose=True).astream("Go"):
        pass
    assert [line["text"] for line in lines if line["event"] == "model answered"] == ["asked in pieces"]


async def test_the_level_of_the_environment_says_how_much(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHALANX_LOG_LEVEL", "warning")
    await Agent("coder", model=asking(), tools=[add, "python"], verbose=True).run("1 + 1?")
    assert [line["event"] for line in lines] == ["agent is warned"]
    lines.clear()
    monkeypatch.setenv("PHALANX_LOG_LEVEL", "DEBUG")
    await Agent("coder", model=asking(), tools=[add], verbose=True).run("1 + 1?")
    assert [line["role"] for line in lines if line["event"] == "message sent"][:2] == ["system", "user"]
    assert len([line["text"] for line in lines if line["event"] == "model answered"][1]) == 609
    monkeypatch.setenv("PHALANX_LOG_LEVEL", "LOUD")
    with pytest.raises(ConfigurationError, match=r"PHALANX_LOG_LEVEL='LOUD' is no level; the levels are TRACE, DEBUG"):
        Agent("coder", verbose=True)


# -- temperature ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("anthropic/claude-haiku-4-5", 1.0),
        ("bedrock/anthropic.claude-3", 1.0),
        ("vertex_ai/claude-sonnet", 1.0),
        ("mistral/small", 1.5),
        ("openai/gpt-4o", None),
        ("vertex_ai/gemini", None),
    ],
)
def test_it_is_known_who_takes_less_than_a_temperature_of_2(name: str, most: float | None) -> None:
    assert warmest(name) == most
    model = resolve(name)
    assert isinstance(model, Clamped) == (most is not None)
    assert model.name == name


async def test_a_team_is_warned_once_of_what_is_too_warm_whatever_its_members_change() -> None:
    model = Clamped(Recording(), 1.0)
    members = [Agent("a", temperature=1.5, retry=2), Agent("b", temperature=1.5)]
    events: list[AnyEvent] = []
    await AgentTeam.flat(members, rounds=3, model=model).run("Go", on_event=events.append)
    told = [event.text for event in events if isinstance(event, Warned) and "warm" in event.text]
    assert len(told) == 2, "once for the team's model, once for the one made of it for the member with other retries"


async def test_what_is_too_warm_is_sent_as_warm_as_can_be_and_the_run_is_warned_once() -> None:
    inner = Recording()
    model = Clamped(inner, 1.0)
    call = Completion(tool_calls=(ToolCall(id="1", tool_name="add", parameters={"a": 1}),))
    replies: Iterator[Completion | str] = iter([call, "done", "again", "cool", "default"])
    inner.replies["coder", "run"] = lambda _: next(replies)
    agent = Agent("coder", model=model, temperature=1.6, tools=[add])
    events: list[AnyEvent] = []
    await agent.run("Go", on_event=events.append)
    await agent.run("Go", on_event=events.append)
    told = [event.text for event in events if isinstance(event, Warned)]
    assert told == ["offline/recording takes a temperature of at most 1; 1.6 is too warm"] * 2
    await Agent("coder", model=model, temperature=0.9).run("Go", on_event=events.append)
    assert [request.temperature for request in inner.requests] == [1.0, 1.0, 1.0, 0.9]
    assert len([event for event in events if isinstance(event, Warned)]) == 2
    async for _ in Agent("coder", model=model, temperature=2).astream("Go"):
        pass
    assert inner.requests[-1].temperature == 1.0


# -- limits -----------------------------------------------------------------------------------------------------------


async def test_an_agents_limits_hold_besides_those_of_a_run() -> None:
    call = Completion(tool_calls=(ToolCall(id="1", tool_name="add", parameters={"a": 1}),))
    agent = Agent("coder", name="ada", model=FunctionModel(lambda _: call), tools=[add], limits=Limits(calls=2))
    with pytest.raises(LimitExceeded, match="calls limit of agent 'ada' reached: 2 spent"):
        await agent.run("Go", limits=Limits(calls=5))
    with pytest.raises(LimitExceeded, match="calls limit of this run reached: 1 spent"):
        await agent.run("Go", limits=Limits(calls=1))

    async def slow(_: Request) -> str:
        await anyio.sleep(100)
        return "late"

    for own, given in ((5, 9), (9, 5)):
        started = anyio.current_time()
        with pytest.raises(LimitExceeded, match="seconds limit"):
            await Agent("coder", model=FunctionModel(slow), limits=Limits(seconds=own)).run(
                "Go", limits=Limits(seconds=given)
            )
        assert anyio.current_time() - started == pytest.approx(5, abs=1e-6)


@pytest.mark.parametrize(
    ("own", "given", "owner"), [(2, 5, "agent 'ada'"), (5, 2, "this run"), (2, None, "agent 'ada'")]
)
async def test_an_agent_whose_time_is_up_says_whose_limit_it_was(own: int, given: int | None, owner: str) -> None:
    async def slow(_: Request) -> str:
        await anyio.sleep(100)
        return "late"

    agent = Agent("coder", name="ada", model=FunctionModel(slow), limits=Limits(seconds=own))
    with pytest.raises(LimitExceeded, match=f"seconds limit of {owner} reached: 2 spent"):
        await agent.run("Go", limits=None if given is None else Limits(seconds=given))


# -- options of a model that is not there -----------------------------------------------------------------------------


@pytest.mark.parametrize("option", [{"api_key": "k"}, {"api_base": "http://x"}, {"provider_options": {"x": 1}}])
async def test_an_option_of_a_model_that_the_agent_does_not_have_is_an_error(option: dict[str, Any]) -> None:
    (name,) = option.get("provider_options", option)
    team = AgentTeam.pipeline([Agent("coder", **option)], model=Recording())
    with pytest.raises(Exception, match=f"agent 'coder' has {name}=… and no model of its own that this could be for"):
        await team.run("Go")
    for model in (Recording(), "offline/simulated"):
        with pytest.raises(ConfigurationError, match=f"{name!r} is an option of a model of a provider"):
            Agent("coder", model=model, **option)


async def test_retries_and_a_price_are_for_the_teams_model_too() -> None:
    model = ScriptedModel([ProviderUnavailable("down"), Completion(text="yes", usage=Usage(1, 1_000_000, 0))])
    team = AgentTeam.pipeline([Agent("coder", retry_attempts=2, price=Price(3, 5))], model=model)
    result = await team.run("Go")
    assert result == "yes"
    assert result.member("coder").usage.known_cost == pytest.approx(3)
    assert result.usage.calls == 2


async def test_an_agent_that_was_alone_before_takes_the_teams_model_in_a_team(monkeypatch: pytest.MonkeyPatch) -> None:
    mine, ours = Recording(), Recording()
    monkeypatch.setenv("PHALANX_MODEL", "mine/x")
    with register_provider("mine", lambda **_: mine):
        agent = await Agent.create(role="coder")
        await agent.run("Go")
    await AgentTeam.pipeline([agent], model=ours).run("Go")
    await agent.run("Go")
    assert (len(mine.requests), len(ours.requests)) == (2, 1)


# -- the rest ---------------------------------------------------------------------------------------------------------


async def test_memory_prompts_skills_and_instructions_are_in_what_is_sent() -> None:
    model = Recording()
    agent = Agent(
        "coder",
        "Be terse.",
        model=model,
        skills=["Rust"],
        prompts={"task": "JOB {task}"},
        memory=SimpleAgentMemory(300),
    )
    for at in range(9):
        await agent.chat(f"{at} " + "word " * 40)
    assert "You know: Rust." in model.requests[0].messages[0].content
    assert "Be terse." in model.requests[0].messages[0].content
    assert len(model.requests[-1].messages) < 8
    await agent.run("Go")
    assert model.requests[-1].messages[1].content == "JOB Go"


def test_a_tool_given_twice_by_one_object_is_one_tool() -> None:
    made = FunctionTool("add", "Add.", add)
    assert Agent("coder", tools=[made, made]).list_tools() == ["add"]


# -- wrong values -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"limits": {"usdd": 1}}, "no limit 'usdd'.*'usd'"),
        ({"limits": 5}, "limits=5 is no Limits"),
        ({"memory": 5}, "memory must be an AgentMemory.*not int"),
        ({"memory": SimpleAgentMemory}, "memory must be an AgentMemory.*not the class SimpleAgentMemory"),
        ({"price": 3}, "price must be a Price, not int"),
        ({"approve": 5}, "approve must be a function, not int"),
        ({"approve": True}, "approve must be a function, not bool"),
        ({"top_p": 9}, "top_p must be from 0 to 1, not 9"),
        ({"top_p": "x"}, "top_p must be a number, not str"),
        ({"seed": "x"}, "seed must be a whole number, not 'x'"),
        ({"seed": True}, "seed must be a whole number, not True"),
        ({"api_key": 5}, "api_key must be a text, not int"),
        ({"api_base": 5}, "api_base must be a text, not int"),
        ({"timeout": -1}, "timeout=-1 must be a number of seconds above 0"),
        ({"timeout": "x"}, "timeout='x' must be a number of seconds above 0"),
        ({"extra_headers": ["x"]}, "extra_headers must be a mapping, not list"),
        ({"default_headers": {"x": 5}}, "extra_headers must hold texts, not int"),
        ({"verbose": "no"}, "verbose must be True or False, not 'no'"),
        ({"stream": 1}, "stream must be True or False, not 1"),
        ({"strict_tools": "no"}, "strict_tools must be True or False, not 'no'"),
        ({"skills": "abc"}, "skills must be a list of texts, not str"),
        ({"skills": [5]}, "skills must hold texts, not int"),
        ({"skills": 0}, "skills must be a list of texts, not int"),
        ({"max_tokens": 5.9}, "max_tokens must be a whole number, not 5.9"),
        ({"max_tokens": 0}, "max_tokens must be at least 1, not 0"),
        ({"max_iterations": 2.7}, "max_iterations must be a whole number, not 2.7"),
        ({"max_iterations": "3"}, "max_iterations must be a whole number, not '3'"),
        ({"stop": 5}, "stop must be a list of texts, not int"),
        ({"stop": [5]}, "stop must hold texts, not int"),
        ({"provider_options": [1]}, "provider_options must be a mapping, not list"),
        ({"provider_options": {1: 1}}, "provider_options must have texts as keys, not int"),
        ({"prompts": [1]}, "prompts must be a mapping, not list"),
        ({"prompts": {"role": 5}}, "prompts must hold texts, not int"),
        ({"system_prompt": 5}, "system_prompt must be a text, not int"),
        ({"answer_format": 5}, "answer_format must be a text, not int"),
        ({"name": 5}, "name must be a text, not int"),
        ({"tools": 5}, "tools= takes a list, not 5"),
    ],
    ids=str,
)
def test_a_value_of_the_wrong_type_is_refused_at_once_by_its_name(options: dict[str, Any], told: str) -> None:
    with pytest.raises((ValidationError, ConfigurationError), match=told):
        Agent("coder", **options)


def test_a_key_of_the_wrong_type_is_not_quoted() -> None:
    key: Any = ["sk-4711"]
    with pytest.raises(ValidationError) as caught:
        Agent("coder", api_key=key)
    assert "4711" not in str(caught.value)


async def test_limits_may_be_given_by_their_fields() -> None:
    agent = Agent("coder", model=Recording(), limits={"calls": 1})
    assert agent.limits == Limits(calls=1)
    with pytest.raises(LimitExceeded, match="tokens"):
        await agent.run("Go", limits={"tokens": 1})
    assert await agent.run("Go", limits={"calls": 1})
    with pytest.raises(ValidationError, match="no limit 'call'"):
        await agent.run("Go", limits={"call": 2})


@pytest.mark.parametrize("provider", ["anthropic", "openai", "deepseek", "ollama"])
def test_a_model_and_a_provider_that_name_two_providers_are_refused(provider: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'groq/gpt-4o' and provider='{provider}' name two providers"):
        Agent("coder", model="groq/gpt-4o", provider=provider)


@pytest.mark.parametrize(
    ("model", "provider", "name"),
    [
        ("openai/gpt-4o", "openai", "openai/gpt-4o"),
        ("gpt-4o", "openai", "openai/gpt-4o"),
        ("openai/gpt-4o", "openrouter", "openrouter/openai/gpt-4o"),
        ("openai/gpt-4o", "litellm_proxy", "litellm_proxy/openai/gpt-4o"),
        ("openai/gpt-oss-20b", "together_ai", "together_ai/openai/gpt-oss-20b"),
        ("openai/gpt-oss-20b", "groq", "groq/openai/gpt-oss-20b"),
        ("team/model", "ollama", "ollama/team/model"),
    ],
)
def test_a_gateway_serves_the_models_of_other_providers(model: str, provider: str, name: str) -> None:
    assert resolve(model, provider).name == name


def test_an_address_of_its_own_may_be_a_gateway() -> None:
    found = resolve("anthropic/claude-haiku-4-5", "openai", options={"api_base": "https://gate.example/v1"})
    assert found.name == "openai/anthropic/claude-haiku-4-5"
