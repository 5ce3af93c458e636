"""An agent for code that is not async: a conversation, and events that come while the model still speaks."""

from __future__ import annotations

import gc
import threading
from collections.abc import AsyncGenerator, Iterator

import anyio
import anyio.to_thread
import pytest

from phalanx import (
    AgentFinalResponseEvent,
    AgentStreamEnd,
    AgentStreamStart,
    AgentToken,
    AgentToolResultsEvent,
    LimitExceeded,
    LLMCallError,
    MaxIterationsError,
    RetryConfig,
    SimpleAgentMemory,
    StreamingEvent,
    SyncAgent,
    ToolCall,
    ToolNotFoundError,
    limits,
)
from phalanx.agents.sync_stream import iterate
from phalanx.messages import Completion, Delta, Request, Usage
from phalanx.testing import FunctionModel, ScriptedModel
from tests.recording import Recording


class Gated:
    """A model that says one word, and the next only when the test lets it."""

    name, free = "offline/gated", True

    def __init__(self) -> None:
        self.gate, self.ended = threading.Event(), threading.Event()
        self.cancelled = False

    async def complete(self, request: Request, /) -> Completion:
        raise AssertionError("this model is only streamed")

    async def stream(self, request: Request, /) -> AsyncGenerator[Delta, None]:
        try:
            yield Delta(text="one")
            while not self.gate.is_set():  # noqa: ASYNC110 - it is set in another thread
                await anyio.sleep(0.001)
            yield Delta(text=" two")
            yield Delta(completion=Completion(text="one two", usage=Usage(1, 5, 2)))
        except BaseException as stop:
            self.cancelled = not isinstance(stop, Exception)
            raise
        finally:
            self.ended.set()


@pytest.fixture
def threads() -> Iterator[None]:
    """No thread of ours is left behind."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before and "AnyIO worker" not in thread.name]
    assert not left


pytestmark = pytest.mark.usefixtures("threads")


def tokens(events: list[StreamingEvent]) -> str:
    return "".join(event.content for event in events if isinstance(event, AgentToken))


def test_events_come_while_the_model_still_speaks() -> None:
    model = Gated()
    events = SyncAgent(model).run_stream("Count.")
    assert isinstance(next(events), AgentStreamStart)
    first = next(events)
    assert isinstance(first, AgentToken)
    assert first.content == "one"
    assert not model.ended.is_set()
    model.gate.set()
    rest = list(events)
    assert tokens(rest) == " two"
    assert isinstance(rest[-1], AgentFinalResponseEvent)
    assert rest[-1].response.final_answer == "one two"


def test_closing_it_early_cancels_the_run_and_forgets_it() -> None:
    model = Gated()
    agent = SyncAgent(model)
    events = agent.run_stream("Count.")
    next(events)
    next(events)
    events.close()
    assert model.ended.is_set()
    assert model.cancelled
    assert agent.get_conversation_history() == []
    assert list(events) == []


def test_one_that_nobody_holds_any_more_is_cancelled() -> None:
    model = Gated()
    for event in SyncAgent(model).run_stream("Count."):
        if isinstance(event, AgentToken):
            break
    del event
    gc.collect()
    assert model.ended.wait(5)
    assert model.cancelled


def test_one_that_is_never_begun_does_nothing() -> None:
    model = ScriptedModel(["never"])
    SyncAgent(model).run_stream("Count.").close()
    assert model.requests == []


def test_an_error_of_the_run_comes_out_of_the_iteration() -> None:
    call = Completion(tool_calls=(ToolCall(id="1", tool_name="add", parameters={"a": 1}),))
    agent = SyncAgent(FunctionModel(lambda _: call), max_iterations=2)

    def add(a: int) -> int:
        """Add one."""
        return a + 1

    agent.register_tool(add)
    events: list[StreamingEvent] = []
    with pytest.raises(MaxIterationsError):
        events.extend(agent.run_stream("Go."))
    assert agent.get_conversation_history() == []


def test_limits_around_it_hold() -> None:
    agent = SyncAgent(FunctionModel(lambda _: "yes"))
    with limits(calls=1) as account:
        assert tokens(list(agent.run_stream("One."))) == "yes"
        with pytest.raises(LimitExceeded, match="with-block"):
            list(agent.run_stream("Two."))
    assert account.calls == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_it_works_inside_a_running_loop(backend: str) -> None:
    async def inside() -> tuple[str, str]:
        agent = SyncAgent(FunctionModel(lambda request: f"{len(request.messages)}"))
        return tokens(list(agent.run_stream("One."))), agent.run("Two.")

    assert anyio.run(inside, backend=backend) == ("2", "4")


def test_streamed_and_plain_turns_are_one_conversation() -> None:
    model = Recording()
    agent = SyncAgent(model, "Be brief.")
    assert tokens(list(agent.run_stream("One."))) == "worker on run 0"
    agent.run("Two.")
    texts = [message.content for message in model.requests[1].messages]
    assert "Be brief." in texts[0]
    assert texts[1:] == ["One.", "worker on run 0", "Two."]
    assert [message.content for message in agent.get_conversation_history()] == [
        "One.", "worker on run 0", "Two.", "worker on run 0",
    ]  # fmt: skip
    agent.reset()
    assert agent.get_conversation_history() == []


def test_the_documented_loop_over_events_runs() -> None:
    class Client:
        def call(self, messages: list[object], **options: object) -> str:
            raise AssertionError("it streams")

        def call_stream(self, messages: list[object], **options: object) -> Iterator[str]:
            yield from ("Once", " upon", " a time")

    said, done = "", ""
    for event in SyncAgent(llm_client=Client(), stream=True).run_stream("Tell me a story"):
        if isinstance(event, AgentToken):
            said += event.content
        elif isinstance(event, AgentFinalResponseEvent):
            done = event.response.final_answer
    assert said == done == "Once upon a time"


def test_the_constructor_has_the_documented_arguments_in_their_order() -> None:
    model = Recording()
    memory = SimpleAgentMemory(500)
    agent = SyncAgent(model, "Be kind.", 3, RetryConfig(max_attempts=2), True, "In YAML.", "Asia/Tokyo", memory, False)
    inner = agent.agent
    assert (inner.max_iterations, inner.options.stream, inner.timezone, inner.memory) == (3, True, "Asia/Tokyo", memory)
    assert inner.options.retry == RetryConfig(max_attempts=2)
    agent.run("Go.")
    for text in ("Be kind.", "In YAML.", "in Asia/Tokyo."):
        assert text in model.requests[0].messages[0].content
    plain = SyncAgent(model).agent
    assert isinstance(plain.memory, SimpleAgentMemory)
    assert (plain.memory.max_history_tokens, plain.timezone, plain.max_iterations) == (8000, "UTC", 10)
    assert SyncAgent(model, role="critic", name="eve").run("Go.") == "eve on run 0"


def test_settings_can_be_changed_and_tools_added_and_taken_away() -> None:
    model = Recording()
    agent = SyncAgent(model)
    agent.set_system_prompt("You are now a Python expert")
    agent.set_timezone("Europe/London")
    agent.add_message("user", "Hello!")
    agent.register_tool(len)
    assert agent.list_tools() == ["len"]
    agent.unregister_tool("len")
    with pytest.raises(ToolNotFoundError):
        agent.unregister_tool("len")
    agent.run("Go.")
    assert "You are now a Python expert" in model.requests[0].messages[0].content
    assert [message.content for message in model.requests[0].messages[1:]] == ["Hello!", "Go."]
    with pytest.raises(ValueError, match="no IANA time zone"):
        agent.set_timezone("Mars/Base")


def test_errors_of_a_call_come_out_of_run() -> None:
    def broken(messages: list[object]) -> str:
        raise KeyError("no")

    with pytest.raises(LLMCallError) as caught:
        SyncAgent(broken, retry_config=RetryConfig(max_attempts=1)).run("Go.")
    assert isinstance(caught.value.original_error, KeyError)


def test_tools_results_are_events_too() -> None:
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    call = ToolCall(id="1", tool_name="add", parameters={"a": 2, "b": 3})
    agent = SyncAgent(ScriptedModel([Completion(tool_calls=(call,)), "It is 5."]), tools=[add])
    results = [event.results[0].result for event in agent.run_stream("?") if isinstance(event, AgentToolResultsEvent)]
    assert results == [5]


def test_what_belongs_to_the_iteration_is_done_at_its_end_whatever_happened() -> None:
    done: list[str] = []

    class Items:
        def __init__(self) -> None:
            self.left = [1, 2]

        def __aiter__(self) -> Items:
            return self

        async def __anext__(self) -> int:
            if not self.left:
                raise StopAsyncIteration
            return self.left.pop()

        async def aclose(self) -> None:
            done.append("closed")
            raise RuntimeError("cannot close")

    async def after() -> None:
        done.append("after")

    with pytest.raises(RuntimeError, match="cannot close"):
        list(iterate(Items, after))
    assert done == ["closed", "after"]


def test_stream_ends_are_paired_with_starts() -> None:
    kinds = [type(event) for event in SyncAgent(FunctionModel(lambda _: "a b")).run_stream("?")]
    assert kinds == [AgentStreamStart, AgentToken, AgentToken, AgentStreamEnd, AgentFinalResponseEvent]
