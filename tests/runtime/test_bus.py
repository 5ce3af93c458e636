"""The event bus: class and instance, patterns and aliases, sync and async handlers, failing and slow ones."""

from __future__ import annotations

from collections.abc import Iterator

import anyio
import pytest

from phalanx import Agent, AgentTeam
from phalanx.agents.models.offline import FunctionModel, ScriptedModel
from phalanx.events import BusEvent, EventBus, Events, Subscription
from phalanx.messages import Completion, ToolCall
from phalanx.runtime import bus as module


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    module.default_bus().subscriptions.clear()


def agent(*replies: str | Completion | Exception) -> Agent:
    async def add(a: int) -> int:
        """Add one."""
        if a < 0:
            raise ValueError("negative")
        return a + 1

    return Agent("coder", name="ada", model=ScriptedModel(replies, name="test/model"), tools=[add])


def call(a: int) -> Completion:
    return Completion(tool_calls=(ToolCall(id="1", tool_name="add", parameters={"a": a}),))


async def test_the_class_is_the_default_bus_and_hears_every_run() -> None:
    heard: list[BusEvent] = []

    async def note(event: BusEvent) -> None:
        await anyio.sleep(1)
        heard.append(event)

    EventBus.subscribe("tool.execution", note)
    EventBus.subscribe("provider.*", note)
    await agent(call(1), "two").run("Go.")
    topics = [event.topic for event in heard]
    assert topics.count("tool.execution") == 1
    assert topics.count("provider.request") == topics.count("provider.response") == 2
    tool = next(event for event in heard if event.topic == "tool.execution")
    assert (tool.data["tool_name"], tool.tool, tool.result) == ("add", "add", 2)
    with pytest.raises(AttributeError, match=r"has no 'nonsense'; it has: .*tool_name"):
        tool.nonsense  # noqa: B018


async def test_an_instance_hears_every_run_too_under_the_old_names() -> None:
    bus, heard = EventBus(), []

    @bus.on("task_started")
    def started(event: BusEvent) -> None:
        heard.append(("started", event.task_id))

    @bus.on("tool_executed")
    def executed(event: BusEvent) -> None:
        heard.append((event.tool, event.duration >= 0))

    bus.subscribe(Events.TASK_COMPLETED, lambda event: heard.append(event.result))
    result = await agent(call(1), "two").run("Go.")
    assert heard == [("started", result.run_id), ("add", True), "two"]


async def test_errors_have_topics_of_their_own() -> None:
    heard: list[tuple[str, object]] = []
    bus = EventBus()
    bus.subscribe("*.error", lambda event: heard.append((event.topic, event.error)))
    with pytest.raises(ConnectionError):
        await agent(call(-1), ConnectionError("down")).run("Go.")
    assert [topic for topic, _ in heard] == ["tool.error", "provider.error", "agent.error"]
    assert "negative" in str(heard[0][1])
    assert "down" in str(heard[1][1])


async def test_members_of_a_team_are_agents_on_the_bus() -> None:
    bus, heard = EventBus(), []
    bus.subscribe("agent.start", lambda event: heard.append(event.agent))
    await AgentTeam.parallel(["a", "b"], name="team", model=FunctionModel(lambda _: "x")).run("Go.")
    assert heard[0] == "team"
    assert sorted(heard[1:]) == ["a", "b"]


async def test_a_failing_handler_is_reported_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    bus, heard = EventBus(), []

    def broken(event: BusEvent) -> None:
        raise ZeroDivisionError(event.topic)

    async def broken_too(event: BusEvent) -> None:
        raise ZeroDivisionError(event.topic)

    bus.subscribe("agent.complete", broken)
    bus.subscribe("agent.complete", broken_too)
    bus.subscribe("agent.complete", lambda event: heard.append(event.topic))
    bus.subscribe("error.handler", lambda event: heard.append(f"{event.topic}: {event.data['error']}"))
    assert await agent("fine").run("Go.") == "fine"
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert sorted(heard) == ["agent.complete", "error.handler: agent.complete", "error.handler: agent.complete"]


async def test_unsubscribing_in_every_form() -> None:
    bus = EventBus(attached=False)
    heard: list[str] = []

    def note(event: BusEvent) -> None:
        heard.append(event.topic)

    subscription = await bus.subscribe("a", note)
    assert isinstance(subscription, Subscription)
    subscription()
    with bus.subscribe("b", note):
        bus.emit("b")
    bus.subscribe("c", note)
    bus.unsubscribe("c", note)
    bus.unsubscribe(bus.subscribe("d", note))
    for topic in "abcd":
        await bus.publish(topic, {"x": 1})
    assert heard == ["b"]
    with pytest.raises(ValueError, match="is not subscribed to 'c'"):
        bus.unsubscribe("c", note)
    with pytest.raises(TypeError, match="a handler is a function"):
        bus.subscribe("a", "nothing")  # type: ignore[arg-type]


async def test_publishing_by_hand_waits_for_async_handlers_when_awaited() -> None:
    bus, heard = EventBus(attached=False), []

    async def note(event: BusEvent) -> None:
        await anyio.sleep(1)
        heard.append(event.data)

    bus.subscribe("my.*", note)
    await bus.publish("my.topic", {"a": 1}, b=2)
    assert heard == [{"a": 1, "b": 2}]


async def test_a_slow_handler_does_not_slow_the_run_and_is_told_what_it_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEHIND", 5)
    bus, heard = EventBus(attached=False), []

    async def slow(event: BusEvent) -> None:
        await anyio.sleep(1)
        heard.append(event.topic if event.topic != "missed" else event.data["count"])

    bus.subscribe("*", slow)
    started = anyio.current_time()
    for at in range(20):
        bus.emit(f"t{at}")
    assert anyio.current_time() == started
    await anyio.sleep(3)
    bus.emit("late")
    await bus.drain(100)
    assert heard[:5] == ["t0", "t1", "t2", "t3", "t4"]
    assert 15 in heard
    assert heard[-1] == "late"


async def test_a_bus_nobody_holds_hears_nothing() -> None:
    heard: list[BusEvent] = []
    EventBus().subscribe("*", heard.append)
    await agent("fine").run("Go.")
    assert heard == []
