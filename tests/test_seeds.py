"""Every documented form of agents, teams, tasks and errors runs as it is written, in each of its spellings.

Where a document names no model, the environment names one that is registered here, as it would name a user's.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from typing import Any

import anyio
import pytest

import phalanx
from phalanx import (
    Agent,
    AgentError,
    AgentResponse,
    AgentResult,
    AgentTeam,
    BaseProvider,
    ConfigurationError,
    Formation,
    FunctionTool,
    InvalidToolSchemaError,
    Limits,
    LLMCallError,
    MaxIterationsError,
    Message,
    OpenAIClient,
    OpenRouterClient,
    ProviderError,
    ResponseParseError,
    RetryConfig,
    Role,
    SimpleAgentMemory,
    StreamChunk,
    SyncAgent,
    Task,
    TaskHook,
    Team,
    TeamResult,
    ToolCall,
    ToolError,
    ToolExecutionError,
    ToolNotFoundError,
    ToolSet,
    ValidationError,
    VictorError,
    exponential,
    hooks,
    register_provider,
    tool,
)
from phalanx.agents.task import Hooks
from phalanx.messages import Completion, Request, Usage
from phalanx.runtime.events import AnyEvent, Warned
from phalanx.testing import FunctionModel, ScriptedModel
from tests.recording import DONE, Recording, Reply, plan

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "PHALANX_PROVIDER", "PHALANX_API_KEY")


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recording]:
    """The model that everybody gets who names none; it answers who was asked for what."""
    model = Recording()
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PHALANX_MODEL", "house/best")
    with register_provider("house", lambda **_: model):
        yield model


@pytest.fixture
def anthropic() -> Iterator[list[Any]]:
    """A provider of one's own under the name "anthropic"; gives what it was made with and asked."""
    asked: list[Any] = []

    class Anthropic(BaseProvider):
        def __init__(self, model: str = "", **options: Any) -> None:
            super().__init__(model)
            asked.append({"model": model, **options})

        async def chat(self, messages: list[dict[str, str]], **options: Any) -> AgentResponse:
            asked.append((messages, options))
            return AgentResponse(content="Mocked response", tokens_used=10)

    with register_provider("anthropic", Anthropic):
        yield asked


def sent(model: Recording, at: int = -1) -> list[str]:
    """The texts of a request."""
    return [message.content for message in model.requests[at].messages]


def warnings(events: list[AnyEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, Warned)]


# -- making agents: C1, C6, C9, C18, C20, C24, C30 --------------------------------------------------------------------


async def test_an_agent_of_a_provider_runs_and_its_answer_is_a_str(anthropic: list[Any]) -> None:
    agent = await Agent.create(provider="anthropic")
    result = await agent.run("Test")
    assert result == "Mocked response"
    assert result.lower() == "mocked response"
    assert result.usage.tokens == 10
    assert anthropic[0] == {"model": ""}


async def test_model_temperature_and_max_tokens_reach_the_provider(anthropic: list[Any]) -> None:
    agent = await Agent.create(provider="anthropic", model="claude-sonnet-4-20250514", temperature=0.3, max_tokens=8192)
    await agent.run("Explain recursion")
    assert anthropic[0] == {"model": "claude-sonnet-4-20250514"}
    messages, options = anthropic[1]
    assert options == {"temperature": 0.3, "max_tokens": 8192}
    assert [each["role"] for each in messages] == ["system", "user"]


async def test_positional_arguments_mean_what_the_signature_says(anthropic: list[Any]) -> None:
    agent = await Agent.create("anthropic", "claude", 0.1, 99)
    await agent.run("Go")
    assert anthropic[0] == {"model": "claude"}
    assert anthropic[1][1] == {"temperature": 0.1, "max_tokens": 99}


async def test_without_arguments_the_environment_says_which_model(house: Recording) -> None:
    agent = await Agent.create()
    assert await agent.run("Write a function to sort an array") == "worker on run 0"


async def test_without_any_model_creating_says_how_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*KEYS, "PHALANX_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.environ", {"OLLAMA_HOST": "127.0.0.1:9"})
    with pytest.raises(ConfigurationError, match=r"no model is named: give model='provider/name'.*PHALANX_MODEL"):
        await Agent.create()


async def test_an_agent_with_retries_is_created_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    agent = await Agent.create(
        provider="openai", model="gpt-4o", retry_attempts=3, retry_backoff=exponential, retry_jitter=True
    )
    assert "openai/gpt-4o" in repr(agent)
    for config in (RetryConfig(max_attempts=5), {"max_attempts": 5}, 5):
        assert agent.options.retry == RetryConfig(max_attempts=3, backoff="exponential", jitter=True)
        assert Agent("coder", model="openai/gpt-4o", retry_config=config).options.retry == RetryConfig(max_attempts=5)


async def test_the_constructor_and_create_make_the_same_agent(house: Recording) -> None:
    made, created = Agent("coder", name="ada"), await Agent.create(role="coder", name="ada")
    assert type(made) is type(created) is Agent
    assert await made.run("Go") == await created.run("Go") == "ada on run 0"
    assert sent(house, 0) == sent(house, 1)


def test_not_awaiting_create_is_a_mistake_python_tells() -> None:
    pending: Any = Agent.create()
    with pytest.raises(AttributeError, match="run"):
        pending.run("Task")
    pending.close()


async def test_a_role_is_a_keyword_of_both(house: Recording) -> None:
    coder = await Agent.create(role="coder")
    await coder.run("Go")
    assert sent(house)[0].startswith("You are coder, coder. You write small, correct, readable code")
    await Agent(role="System architect").run("Go")
    assert sent(house)[0].startswith("You are System architect, System architect.")


async def test_a_client_stands_in_the_first_place_or_goes_by_llm_client() -> None:
    class Client:
        def __init__(self) -> None:
            self.seen: list[list[Message]] = []

        async def call(self, messages: list[Message], **options: Any) -> str:
            self.seen.append(messages)
            return "from the client"

    client = Client()
    for agent in (
        Agent(client, "You are a helpful coding assistant", max_iterations=15),
        Agent(client, system_prompt="You are a helpful coding assistant"),
        Agent(llm_client=client, system_prompt="You are a helpful coding assistant", timezone="America/New_York"),
        Agent(provider=client, instructions="You are a helpful coding assistant"),
        Agent("coder", model=client, system_prompt="You are a helpful coding assistant"),
    ):
        assert await agent.run("Hi") == "from the client"
        first, last = client.seen[-1]
        assert (first.role, last.role) == ("system", "user")
        assert "You are a helpful coding assistant" in first.content
        assert "Hi" in last.content
    assert "in America/New_York." in client.seen[2][0].content


def test_the_documented_agent_over_a_client_can_be_made() -> None:
    client = OpenAIClient(api_key="sk-...", model="gpt-4o")
    agent = Agent(
        llm_client=client,
        system_prompt="You are a helpful coding assistant",
        max_iterations=15,
        retry_config=RetryConfig(max_attempts=5),
        memory=SimpleAgentMemory(max_history_tokens=10000),
        timezone="America/New_York",
        verbose=True,
    )
    assert repr(agent) == "Agent('worker', name='worker', model='openai/gpt-4o')"
    for base in ("http://localhost:8000/v1", "https://api.openai.com/v1"):
        assert OpenAIClient(api_key="not-needed", model="llama-3", base_url=base).base_url == base
    router = OpenRouterClient(
        api_key="sk-or-...", model="anthropic/claude-3-opus", site_url="https://myapp.com", app_name="My App"
    )
    assert "openrouter/anthropic/claude-3-opus" in repr(SyncAgent(router))


async def test_a_function_is_a_provider_too() -> None:
    async def answer(messages: list[dict[str, str]]) -> str:
        return messages[-1]["role"]

    async def echo(prompt: str) -> str:
        return f"{len(prompt) > 100}, {prompt[-9:]}"

    assert await Agent(provider=answer).run("Go") == "user"
    assert await Agent(provider=echo).run("Tell me.") == "True, \nTell me."


async def test_a_profile_as_a_dict_makes_an_agent(anthropic: list[Any]) -> None:
    profile = {"name": "production", "provider": "anthropic", "model": "claude", "temperature": 0.3, "max_tokens": 8192}
    agent = await Agent.create(**profile)  # type: ignore[arg-type]
    assert agent.name == "production"
    await agent.run("Go")
    assert anthropic[0] == {"model": "claude"}
    assert anthropic[1][1] == {"temperature": 0.3, "max_tokens": 8192}


@pytest.mark.parametrize("temperature", [0, 0.7, 1.0, 2])
async def test_temperatures_from_0_to_2_are_taken(temperature: float, house: Recording) -> None:
    await (await Agent.create(temperature=temperature)).run("Go")
    assert house.requests[0].temperature == temperature


@pytest.mark.parametrize("temperature", [-0.1, 2.1])
async def test_others_are_refused(temperature: float) -> None:
    with pytest.raises(ValidationError, match="temperature must be from 0 to 2"):
        await Agent.create(provider="openai", temperature=temperature)


async def test_what_are_no_tools_become_skills_with_a_warning(house: Recording) -> None:
    events: list[AnyEvent] = []
    agent = Agent(role="Frontend developer", tools=["react", "typescript"])
    await agent.run("Build a form", on_event=events.append)
    assert "You know: react, typescript." in sent(house)[0]
    assert [each.partition(" is no tool")[0] for each in warnings(events)] == ["'react'", "'typescript'"]
    with pytest.raises(ToolNotFoundError):
        Agent(role="Frontend developer", tools=["react"], strict_tools=True)


# -- running: C2, C3, C4, C5, C7, C15, C27 ----------------------------------------------------------------------------


async def test_context_is_text_or_named_parts(house: Recording) -> None:
    agent = await Agent.create()
    await agent.run("Create a class", context="Use SQLAlchemy for database operations")
    assert "## Context" in sent(house)[-1]
    assert "Use SQLAlchemy for database operations" in sent(house)[-1]
    await agent.run("Optimize this function", context={"code": "def slow_func(): ...", "limit": 3})
    assert 'from="code">\ndef slow_func(): ...' in sent(house)[-1]
    assert 'from="limit">\n3' in sent(house)[-1]
    with pytest.raises(ValidationError, match="context must be text or a mapping"):
        await agent.run("Go", context=7)  # type: ignore[arg-type]


async def test_tools_of_a_run_are_for_that_run_only(house: Recording) -> None:
    def read(path: str) -> str:
        """Read."""
        return path

    def write(path: str) -> str:
        """Write."""
        return path

    agent = await Agent.create(tools=[read, write])
    events: list[AnyEvent] = []
    await agent.run("Go", tools=["read"])
    await agent.run("Run tests", tools=["pytest", "coverage"], on_event=events.append)
    await agent.run("Go")
    assert [[spec.name for spec in each.tools] for each in house.requests] == [["read"], [], ["read", "write"]]
    assert "You know: pytest, coverage." in sent(house, 1)[0]
    assert "You know" not in sent(house, 2)[0]
    assert len(warnings(events)) == 2


async def test_a_result_is_text_with_the_documented_facts(house: Recording) -> None:
    result = await (await Agent.create(tools=[])).run("Go")
    assert isinstance(result, str)
    assert isinstance(result, AgentResult)
    assert result.content == result == "worker on run 0"
    assert (result.usage.calls, result.cost, result.tool_calls, result.steps, result.success) == (1, 0.0, (), 1, True)
    assert result.duration >= 0


async def test_an_agent_streams_text_with_and_without_context(house: Recording) -> None:
    agent = await Agent.create()
    assert "".join([token async for token in agent.astream("Explain microservices")]) == "worker on run 0"
    chunks = [chunk async for chunk in agent.astream("Explain", {"level": "simple"})]
    assert len(chunks) > 1
    assert "simple" in sent(house)[-1]


def test_run_is_async_and_run_sync_and_the_sync_agent_are_not(house: Recording) -> None:
    assert Agent("coder").run_sync("Go") == "coder on run 0"
    assert SyncAgent().run("Go") == "worker on run 0"
    pending = Agent("coder").run("Go")
    assert hasattr(pending, "__await__")
    pending.close()


async def test_chat_takes_text_and_remembers(house: Recording) -> None:
    agent = await Agent.create()
    first = await agent.chat("Create a class for User")
    second = await agent.chat("Add authentication")
    assert isinstance(first, AgentResult)
    assert second == "worker on run 0"
    assert sent(house)[1:] == ["Create a class for User", "worker on run 0", "Add authentication"]


async def test_chat_takes_messages_and_gives_a_dict(house: Recording) -> None:
    agent = await Agent.create()
    messages = [
        {"role": "user", "content": "What is recursion?"},
        {"role": "assistant", "content": "Recursion is..."},
        {"role": "user", "content": "Give me an example"},
    ]
    response = await agent.chat(messages)
    assert set(response) == {"role", "content", "usage", "model", "tool_calls"}
    assert (response["role"], response["content"], response["usage"].calls) == ("assistant", "worker on run 0", 1)
    assert sent(house)[1:] == [each["content"] for each in messages]
    assert agent.get_conversation_history() == []
    same = await agent.chat([Message(role="user", content="Hi")])
    assert same["content"] == "worker on run 0"
    wrong: Any
    for wrong in ([], [{"role": "assistant", "content": "Hi"}], {"role": "user"}, 7):
        with pytest.raises(ValidationError):
            await agent.chat(wrong)
    with pytest.raises(ValueError, match="robot"):
        await agent.chat([{"role": "robot", "content": "Hi"}])


async def test_stream_chat_gives_chunks_and_remembers(house: Recording) -> None:
    agent = await Agent.create()
    chunks = [chunk async for chunk in agent.stream_chat("Tell me")]
    assert all(isinstance(chunk, StreamChunk) for chunk in chunks)
    assert [chunk.is_final for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert "".join(chunk.content for chunk in chunks) == "worker on run 0"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.calls == 1
    await agent.chat("More")
    assert sent(house)[1:] == ["Tell me", "worker on run 0", "More"]


async def test_the_conversation_can_be_read_added_to_and_forgotten(house: Recording) -> None:
    agent = Agent(system_prompt="Be brief.")
    agent.add_message("user", "Hello!")
    agent.add_message("assistant", "Hi there!")
    history = agent.get_conversation_history()
    history.clear()
    assert [(msg.role, msg.content) for msg in agent.get_conversation_history()] == [
        ("user", "Hello!"),
        ("assistant", "Hi there!"),
    ]
    await agent.chat("And?")
    assert sent(house)[1:] == ["Hello!", "Hi there!", "And?"]
    agent.reset()
    assert agent.get_conversation_history() == []
    agent.set_system_prompt("You are now a Python expert")
    agent.set_timezone("Europe/London")
    await agent.chat("Go")
    assert "You are now a Python expert" in sent(house)[0]
    assert "Be brief." not in sent(house)[0]
    assert "in Europe/London." in sent(house)[0]
    with pytest.raises(ValueError, match="no IANA time zone"):
        agent.set_timezone("Mars/Base")


def test_messages_have_the_documented_form_and_the_roles_of_tools() -> None:
    assert Message(role="user", content="Hello!").content == "Hello!"
    call = ToolCall(id="call_123", tool_name="calculator", parameters={"a": 5})
    asking = Message(role="assistant", content="", tool_calls=(call,))
    answer = Message(role="tool", content="8", tool_call_id="call_123", name="calculator")
    assert (asking.tool_calls[0].parameters, answer.tool_call_id) == ({"a": 5}, "call_123")


async def test_one_tool_can_be_executed() -> None:
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    agent = Agent("coder", tools=[add])
    assert (await agent.execute_tool("add", a=2, b=3)).result == 5
    with pytest.raises(ToolNotFoundError):
        await agent.execute_tool("sub", a=2, b=3)


def test_tools_are_registered_listed_and_taken_away() -> None:
    def add(a: int) -> int:
        """Add."""
        return a

    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    agent = Agent("coder")
    agent.register_tool(FunctionTool(name="calc", description="Calculator", func=add, schema=schema))
    agent.register_toolset(ToolSet(name="math", description="Mathematics", tools=[add]))
    assert agent.list_tools() == ["calc", "add"]
    agent.unregister_tool("calc")
    assert agent.list_tools() == ["add"]
    with pytest.raises(ToolNotFoundError) as caught:
        agent.unregister_tool("calc")
    assert caught.value.tool_name == "calc"


async def test_an_agent_that_finds_no_answer_says_after_how_many_calls() -> None:
    @tool
    async def again() -> str:
        """Again."""
        return "again"

    endless = FunctionModel(lambda _: Completion(tool_calls=(ToolCall(id="1", tool_name="again"),)))
    with pytest.raises(MaxIterationsError) as caught:
        await Agent(llm_client=endless, max_iterations=4, tools=[again]).run("Go")
    assert caught.value.max_iterations == 4


async def test_agents_are_reused_and_cleaned_up_in_every_spelling(house: Recording) -> None:
    async with await Agent.create() as agent:
        assert await agent.run("Task 1") == await agent.run("Task 2")
    for end in (agent.cleanup, agent.close, agent.aclose):
        await end()
    assert await agent.run("Task 3") == "worker on run 0"


# -- tasks and hooks: C14, C15 ----------------------------------------------------------------------------------------


async def test_a_task_has_context_and_requirements(house: Recording) -> None:
    task = Task(
        description="Implement a REST API",
        context={"framework": "FastAPI", "database": "PostgreSQL"},
        requirements=["CRUD endpoints", "Authentication", "Input validation"],
    )
    agent = await Agent.create()
    await agent.run(task)
    assert task.status == "completed"
    for said in ("Implement a REST API", "FastAPI", "PostgreSQL", "- CRUD endpoints", "- Input validation"):
        assert said in sent(house)[-1]
    assert Task(description="x", context={}, requirements=[]).text == "# Task\nx"


async def test_a_task_executes_itself_by_an_agent_or_a_team(house: Recording) -> None:
    agent = await Agent.create()
    task = Task(name="code_review", description="Review the authentication module", agent=agent)
    assert task.status == "pending"
    result = await task.execute()
    assert result == "worker on run 0"
    assert (task.status, task.result) == ("completed", result)
    team = AgentTeam.pipeline(["analyzer", "tester"])
    both = Task("Review it", agent=team)
    assert await both.execute() == "tester on stage 1"
    assert both.status == "completed"
    with pytest.raises(ConfigurationError, match="this task has no agent"):
        await Task("Review it").execute()


async def test_a_task_is_running_while_it_runs_and_failed_when_it_failed() -> None:
    seen: list[str] = []
    replies: Iterator[str | Exception] = iter([RuntimeError("boom"), "at last"])

    def answer(_: Request) -> str:
        seen.append(task.status)
        reply = next(replies)
        if isinstance(reply, Exception):
            raise reply
        return reply

    task = Task("Do it", agent=Agent("coder", model=FunctionModel(answer)))
    with pytest.raises(RuntimeError):
        await task.execute()
    assert (task.status, str(task.error), task.result) == ("failed", "boom", None)
    assert await task.execute() == "at last"
    assert (task.status, task.error) == ("completed", None)
    assert seen == ["running", "running"]


async def test_further_context_for_a_task_is_no_other_task(house: Recording) -> None:
    task = Task("Do it", context={"a": "one"})
    result = await Agent("coder").run(task, context={"b": "two"})
    assert (task.status, task.result) == ("completed", result)
    assert 'from="a">\none' in sent(house)[-1]
    assert 'from="b">\ntwo' in sent(house)[-1]
    assert task.context == {"a": "one"}


class LoggingHook(TaskHook):
    """The documented hook, which keeps what it would print."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def on_start(self, task: Task) -> None:
        self.lines.append(f"Starting: {task.description}")

    async def on_complete(self, task: Task, result: AgentResult) -> None:
        self.lines.append(f"Completed: {task.description}")

    async def on_error(self, task: Task, error: BaseException) -> None:
        self.lines.append(f"Error: {error}")


async def test_a_hook_object_is_added_to_an_agent(house: Recording) -> None:
    hook = LoggingHook()
    agent = await Agent.create()
    agent.add_hook(hook)
    await agent.run("Go")
    house.replies["worker", "run"] = RuntimeError("boom")
    with pytest.raises(RuntimeError):
        await agent.run("Again")
    assert hook.lines == ["Starting: Go", "Completed: Go", "Starting: Again", "Error: boom"]


async def test_hooks_are_a_mapping_an_object_a_list_or_made_of_functions(house: Recording) -> None:
    lines: list[str] = []

    async def on_start(task: Task) -> None:
        lines.append(f"Task {task.name} started")

    def on_complete(task: Task, result: AgentResult) -> None:
        lines.append(f"Task {task.name} completed: {result}")

    async def on_error(task: Task, error: BaseException) -> None:
        lines.append(f"Task {task.name} failed: {error}")

    agent, hook = await Agent.create(), LoggingHook()
    given: dict[str, Any] = {"on_start": on_start, "on_complete": on_complete, "on_error": on_error}
    forms: list[Hooks] = [given, [hook, given], hooks(on_start, on_complete), hooks(on_complete=on_complete)]
    for form in forms:
        await Task(name="my_task", description="Do something", agent=agent, hooks=form).execute()
    done = "Task my_task completed: worker on run 0"
    assert lines == [*["Task my_task started", done] * 3, done]
    assert hook.lines == ["Starting: Do something", "Completed: Do something"]


@pytest.mark.parametrize("wrong", [LoggingHook, "on_start", 7, {"on_strat": print}, {"on_start": "no function"}, [7]])
def test_what_is_no_hook_is_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError, match="hook"):
        Task("Go", hooks=wrong)


async def test_a_failing_hook_is_a_warning_and_fails_nothing(house: Recording) -> None:
    def broken(task: Task) -> None:
        raise ValueError("hook down")

    events: list[AnyEvent] = []
    assert await Agent("coder", hooks=hooks(broken)).run("Go", on_event=events.append) == "coder on run 0"
    assert warnings(events) == ["hook on_start failed: ValueError: hook down"]


# -- teams: C8, C9 ----------------------------------------------------------------------------------------------------


def delegating(model: Recording, lead: str, *workers: str) -> None:
    """Let the lead give each worker a part, and be content with what comes back."""
    parts = [(str(at), worker, f"part {at}", list[str]()) for at, worker in enumerate(workers)]
    replies: dict[tuple[str, str], Reply] = {(lead, "plan"): plan(*parts), (lead, "review"): DONE}
    model.replies.update(replies)


async def test_the_hierarchical_team_of_the_documents_delegates(house: Recording) -> None:
    frontend = Agent(role="Frontend developer", tools=["react", "typescript"])
    backend = Agent(role="Backend developer", tools=["fastapi", "sqlalchemy"])
    tester = Agent(role="QA engineer", tools=["pytest", "selenium"])
    delegating(house, "senior-developer", frontend.name, backend.name, tester.name)
    team = AgentTeam.hierarchical(lead="senior-developer", subagents=[frontend, backend, tester])
    result = await team.run("Implement user registration")
    assert result == "senior-developer on synthesis 0"
    assert result.status == "completed"
    for at, member in enumerate((frontend, backend, tester)):
        told = house.sent(member.name, "assignment")
        assert f"part {at}" in told
        assert "Implement user registration" in told
    assert "You know: pytest, selenium." in house.sent("QA engineer", "assignment")


async def test_a_lead_may_be_an_agent(house: Recording) -> None:
    architect, frontend = Agent(role="System architect"), Agent(role="Frontend developer")
    delegating(house, "System architect", "Frontend developer")
    team = AgentTeam.hierarchical(lead=architect, subagents=[frontend])
    assert await team.run("Design it") == "System architect on synthesis 0"


async def test_members_by_name_work_in_every_formation(house: Recording) -> None:
    names = ["agent1", "agent2", "agent3"]
    for name in names:
        house.replies[name, "draft"] = "Answer: 4"
    delegating(house, "lead_agent", *names)
    teams = {
        AgentTeam.hierarchical(lead="lead_agent", subagents=names): "lead_agent on synthesis 0",
        AgentTeam.flat(agents=names, shared_memory=True): "agent1 on aggregate 0",
        AgentTeam.flat(agents=names, shared_memory=False): "agent1 on aggregate 0",
        AgentTeam.pipeline(agents=["analyzer", "implementer", "tester"]): "tester on stage 2",
        AgentTeam.consensus(agents=names, min_agreement=2): "Answer: 4",
        AgentTeam.debate(agents=names, rounds=3): "Answer: 4",
    }
    for team, answer in teams.items():
        result = await team.run("How many?")
        assert (result, result.status) == (answer, "completed"), team
        assert isinstance(result, TeamResult)


async def test_a_team_of_agents_takes_a_workflow_by_name(anthropic: list[Any]) -> None:
    coder = await Agent.create(provider="anthropic", role="coder")
    reviewer = await Agent.create(provider=ScriptedReviewer(), role="reviewer")
    team = Team(agents=[coder, reviewer])
    team.set_workflow("coding_review")
    result = await team.execute("Implement a sorting algorithm")
    assert result == "reviewed: Mocked response"
    with pytest.raises(ValidationError, match="no workflow 'coding_revue'"):
        team.set_workflow("coding_revue")


class ScriptedReviewer(BaseProvider):
    """Says what it was shown of the work before it."""

    async def chat(self, prompt: str) -> str:
        return "reviewed: Mocked response" if "Mocked response" in prompt else "nothing to review"


async def test_formations_come_with_their_members_in_the_documented_words(house: Recording) -> None:
    coder, tester, documenter = Agent("coder"), Agent("tester"), Agent(role="documenter")
    delegating(house, "coder", "tester", "documenter")
    formation = Formation.hierarchical(lead_agent=coder, support_agents=[tester, documenter])
    team = Team(formation=formation)
    assert await team.execute("Write it") == "coder on synthesis 0"

    coders = [Agent("coder", name=f"coder{at}") for at in (1, 2, 3)]
    for at, name in enumerate(("coder1", "coder2", "coder3")):
        house.replies[name, "draft"] = "yes" if at else "no"
    formation = Formation.parallel(agents=coders, aggregation="majority_vote")
    result = await Team(formation=formation).execute("Is it?")
    assert result == "yes"
    assert result.decision is not None
    assert result.decision.winner is not None


async def test_aggregations_are_names_or_functions(house: Recording) -> None:
    members = ["a", "b"]
    concat = await Team(formation=Formation.parallel(members, aggregation="concat")).run("Go")
    assert concat == "## a\na on draft 0\n\n## b\nb on draft 0"
    assert await Team(formation=Formation.parallel(members, aggregation="synthesize")).run("Go") == "a on aggregate 0"
    joined = Team(formation=Formation.parallel(members, aggregation=lambda texts: " | ".join(texts)))
    assert await joined.run("Go") == "a on draft 0 | b on draft 0"
    with pytest.raises(ConfigurationError, match="no aggregation 'vote'"):
        Formation.parallel(members, aggregation="vote")


async def test_both_spellings_of_leads_and_of_teams_are_one() -> None:
    assert Team is AgentTeam
    assert Team.execute is Team.run
    one = AgentTeam.hierarchical(lead="a", subagents=["b"])
    other = AgentTeam.hierarchical(lead_agent="a", support_agents=["b"])
    assert repr(one) == repr(other) == repr(Team(formation=Formation.hierarchical(lead="a", subagents=["b"])))


async def test_a_teams_result_has_the_documented_facts(house: Recording) -> None:
    for name in ("a", "b"):
        house.replies[name, "draft"] = "Answer: 4"
    result = await AgentTeam.consensus(["a", "b"], min_agreement=2).run("How many?")
    assert result.final_output == result
    assert result.member_results == {"a": "Answer: 4", "b": "Answer: 4"}
    assert result.votes == {"a": "4", "b": "4"}
    assert [message.name for message in result.transcript] == ["a", "b"]


async def test_members_are_of_different_providers_and_the_rest_get_the_teams_model(anthropic: list[Any]) -> None:
    model = Recording()
    team = AgentTeam.parallel(
        [await Agent.create(provider="anthropic", role="coder"), Agent("tester"), "critic", Role(name="judge")],
        model=model,
        aggregation="concat",
    )
    result = await team.run("Go")
    assert result.member_results["coder"] == "Mocked response"
    assert {who for who, _, _ in model.stages()} == {"tester", "critic", "judge"}


# -- errors and retries: C18, C22 -------------------------------------------------------------------------------------


def test_one_root_has_both_trees_names_and_attributes() -> None:
    assert VictorError is AgentError is phalanx.PhalanxError
    problem = ValueError("bad")
    assert ToolNotFoundError("calc").tool_name == "calc"
    ran = ToolExecutionError("calc", problem)
    assert (ran.tool_name, ran.original_error) == ("calc", problem)
    call = LLMCallError(problem, retry_count=2)
    assert (call.original_error, call.retry_count) == (problem, 2)
    assert LLMCallError(problem).retry_count == 0
    assert MaxIterationsError(10).max_iterations == 10
    parse = ResponseParseError("text", problem)
    assert (parse.response_text, parse.original_error) == ("text", problem)
    schema = InvalidToolSchemaError("calc", "no object")
    assert (schema.tool_name, schema.reason) == ("calc", "no object")
    assert issubclass(LLMCallError, ProviderError)
    for tool_error in (ToolNotFoundError, ToolExecutionError, InvalidToolSchemaError):
        assert issubclass(tool_error, ToolError)
    for kind in (ProviderError, ToolError, ValidationError, ConfigurationError, MaxIterationsError, ResponseParseError):
        assert issubclass(kind, VictorError)
    from phalanx import errors

    assert errors.VictorError is VictorError


async def test_a_failing_provider_is_caught_by_the_documented_handlers() -> None:
    class Broken(BaseProvider):
        async def chat(self, prompt: str) -> str:
            raise RuntimeError("no such luck")

    agent = await Agent.create(provider=Broken())
    caught = ""
    try:
        await agent.run("Do something")
    except ProviderError as e:
        caught = f"Provider error: {e}"
    except VictorError:
        caught = "something else"
    assert caught == "Provider error: custom/Broken: no such luck"
    with pytest.raises(LLMCallError) as failed:
        await agent.run("Do something")
    assert isinstance(failed.value.original_error, RuntimeError)
    with pytest.raises(ValidationError):
        await agent.run("")


async def test_a_retry_configuration_has_the_documented_fields_and_no_others() -> None:
    config = RetryConfig(
        max_attempts=5, min_wait=2.0, max_wait=120.0, multiplier=3.0, retry_on_exceptions=(Exception,), jitter=False
    )
    calls: list[float] = []

    class Flaky(BaseProvider):
        async def chat(self, prompt: str) -> str:
            calls.append(anyio.current_time())
            if len(calls) < 5:
                raise KeyError("sometimes")
            return "at last"

    assert await Agent(llm_client=Flaky(), retry_config=config).run("Go") == "at last"
    waits = [later - earlier for earlier, later in pairwise(calls)]
    assert waits == pytest.approx([2, 6, 18, 54], abs=1e-6)
    with pytest.raises(ValueError, match="min_wiat"):
        RetryConfig(min_wiat=1)  # type: ignore[call-arg]
    assert RetryConfig().max_attempts == 3


async def test_only_the_named_exceptions_of_a_client_are_retried() -> None:
    calls: list[str] = []

    async def answer(messages: list[dict[str, str]]) -> str:
        calls.append("call")
        raise KeyError("missing") if len(calls) == 1 else IndexError("gone")

    config = RetryConfig(retry_on_exceptions=(KeyError,))
    with pytest.raises(LLMCallError) as caught:
        await Agent(provider=answer, retry_config=config).run("Go")
    assert isinstance(caught.value.original_error, IndexError)
    assert caught.value.retry_count == 1
    assert len(calls) == 2


async def test_the_documented_loop_of_ones_own_around_an_agent_works() -> None:
    agent = Agent("coder", model=ScriptedModel([RuntimeError("once"), "done"]))

    async def run_with_retry(agent: Agent, task: str, max_retries: int = 3) -> str:
        for attempt in range(max_retries):
            try:
                return await agent.run(task)
            except Exception:
                if attempt == max_retries - 1:
                    raise
                await anyio.sleep(2**attempt)
        raise AssertionError

    assert await run_with_retry(agent, "Complex task") == "done"


# -- providers: C23 ---------------------------------------------------------------------------------------------------


class MyProvider(BaseProvider):
    """The documented provider, filled in."""

    async def chat(self, prompt: str) -> str:
        return f"{self.model}: {prompt.splitlines()[-1]}"

    async def stream_chat(self, prompt: str) -> AsyncIterator[StreamChunk]:
        for word in ("one", " two"):
            yield StreamChunk(content=word)
        yield StreamChunk(is_final=True, usage=Usage(1, 7, 3))

    def supports_tools(self) -> bool:
        return True

    @property
    def name(self) -> str:
        return "my_provider"


async def test_the_documented_provider_is_registered_and_used_by_name_class_or_object() -> None:
    with register_provider("my_provider", MyProvider):
        agent = await Agent.create(provider="my_provider", model="large")
        assert await agent.run("Hello") == "large: Hello"
        assert await Agent("coder", model="my_provider/small").run("Hello") == "small: Hello"
    assert await (await Agent.create(provider=MyProvider, model="huge")).run("Hello") == "huge: Hello"
    for given in (MyProvider, MyProvider("tiny")):
        result = await Agent(provider=given).run("Hello")
        assert result.endswith(": Hello")
        assert result.model == "my_provider"
    with pytest.raises(ConfigurationError, match="unknown provider 'my_provider'"):
        await Agent.create(provider="my_provider")


async def test_a_provider_that_streams_is_streamed() -> None:
    agent = Agent(provider=MyProvider())
    assert [token async for token in agent.astream("Count")] == ["one", " two"]
    async with agent.stream_events("Count") as events:
        async for _ in events:
            pass
    assert (events.result, events.result.usage.tokens) == ("one two", 10)


async def test_limits_hold_for_providers_of_ones_own(anthropic: list[Any]) -> None:
    agent = await Agent.create(provider="anthropic")
    with pytest.raises(phalanx.LimitExceeded):
        await agent.run("Go", limits=Limits(calls=0))
    assert len(anthropic) == 1


def test_the_documented_memory_is_a_keyword() -> None:
    agent = Agent(llm_client=ScriptedModel([]), memory=SimpleAgentMemory(max_history_tokens=10000))
    assert isinstance(agent.memory, SimpleAgentMemory)
    assert agent.memory.max_history_tokens == 10000
