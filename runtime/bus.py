"""Events by topic: subscribe with a pattern, publish by hand, hear every run.

    EventBus.subscribe("tool.execution", print)          # on the class: the default bus
    bus = EventBus()                                     # a bus of one's own; it hears every run too
    @bus.on("agent.*")
    async def note(event): ...

Topics are dotted names, patterns are globs on them. A handler may be sync or async; one that fails is reported on
the topic "error.handler" and in the log, and harms nobody; one that is slow slows nobody, and is told what it missed.
"""

from __future__ import annotations

import fnmatch
import functools
import inspect
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

import anyio

from phalanx.messages import Completion, ToolResult
from phalanx.settings import logger

from .events import AnyEvent, Event, MemberFinished, MemberStarted, RunFinished, RunStarted, StepFinished, StepStarted
from .execution import HEARERS
from .stream import detached

P = ParamSpec("P")
R = TypeVar("R")
# How many events wait for one async handler before it misses some.
BEHIND = 10_000

# Other spellings of a topic.
ALIASES = {
    "task_started": "agent.start",
    "task.started": "agent.start",
    "task_completed": "agent.complete",
    "task.completed": "agent.complete",
    "task_failed": "agent.error",
    "task.failed": "agent.error",
    "tool_executed": "tool.execution",
    "tool.executed": "tool.execution",
    "tool.complete": "tool.execution",
    "cache_hit": "cache.hit",
    "cache_miss": "cache.miss",
}


class Events:
    """The topics by constant names."""

    TASK_STARTED = "agent.start"
    TASK_COMPLETED = "agent.complete"
    TASK_FAILED = "agent.error"
    TOOL_EXECUTED = "tool.execution"
    TOOL_FAILED = "tool.error"
    PROVIDER_REQUEST = "provider.request"
    PROVIDER_RESPONSE = "provider.response"
    PROVIDER_ERROR = "provider.error"
    CACHE_HIT = "cache.hit"
    CACHE_MISS = "cache.miss"
    HANDLER_FAILED = "error.handler"


@dataclass(frozen=True)
class BusEvent:
    """What a handler is given: a topic, and data whose fields are attributes too; `event` is the run's, if any."""

    topic: str
    data: Mapping[str, Any] = field(default_factory=dict)
    event: AnyEvent | None = None

    def __getattr__(self, name: str) -> Any:
        if name in ("data", "topic", "event") or name.startswith("__"):
            raise AttributeError(name)
        try:
            return self.data[name]
        except KeyError:
            known = ", ".join(self.data) or "nothing"
            raise AttributeError(f"an event on {self.topic!r} has no {name!r}; it has: {known}") from None


Handler = Callable[[BusEvent], object]


class Subscription(AbstractContextManager["Subscription"]):
    """A handler's place on a bus. Calling or leaving it (as a context manager) unsubscribes; awaiting gives it."""

    def __init__(self, bus: EventBus, pattern: str, handler: Handler) -> None:
        # Weak, so that a bus that nobody else holds is gone, and hears nothing any more.
        self._bus, self.pattern, self.handler = weakref.ref(bus), pattern, handler
        self.missed = 0
        self.waiting: deque[BusEvent] = deque()
        self.stop: Callable[[], None] | None = None
        self.is_async = inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
            getattr(handler, "__call__", None)  # noqa: B004 - an object whose call is async
        )

    def matches(self, topic: str) -> bool:
        """Whether its pattern takes a topic."""
        return fnmatch.fnmatchcase(topic, self.pattern)

    def __call__(self) -> None:
        if (bus := self._bus()) is not None:
            bus.remove(self)

    def __await__(self) -> Generator[Any, None, Subscription]:
        yield from ()
        return self

    def __exit__(self, *_: object) -> None:
        self()


class _Published:
    """What publishing gives back: awaiting it waits until async handlers are done with what was published."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus

    def __await__(self) -> Generator[Any, None, None]:
        return self._bus.drain().__await__()


class _Hybrid(Generic[P, R]):
    """A method that, called on the class, acts on the default bus."""

    def __init__(self, function: Callable[Concatenate[EventBus, P], R]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    def __get__(self, bus: EventBus | None, owner: type[EventBus]) -> Callable[P, R]:
        return functools.partial(self.function, default_bus() if bus is None else bus)


class EventBus:
    """A bus. Every method may also be called on the class: then it is the default bus.

    attached: it hears every run of the process, as long as somebody holds it; else only what is published by hand.
    """

    def __init__(self, *, attached: bool = True) -> None:
        self.subscriptions: list[Subscription] = []
        self._quiet = anyio.Event()
        if attached:
            HEARERS.add(self)

    @_Hybrid
    def subscribe(self, topic: str, handler: Handler) -> Subscription:
        """Call `handler(event)` for each event whose topic matches the pattern `topic`; gives a Subscription."""
        return self._add(topic, handler)

    @_Hybrid
    def on(self, topic: str) -> Callable[[Handler], Handler]:
        """The same as a decorator."""

        def add(handler: Handler) -> Handler:
            self._add(topic, handler)
            return handler

        return add

    @_Hybrid
    def unsubscribe(self, topic: str | Subscription, handler: Handler | None = None) -> None:
        """Take a Subscription away, or a handler from a topic. Raises ValueError when it is not there."""
        if isinstance(topic, Subscription):
            self.remove(topic)
            return
        name = ALIASES.get(topic, topic)
        for subscription in self.subscriptions:
            if subscription.pattern == name and subscription.handler == handler:
                self.remove(subscription)
                return
        raise ValueError(f"{handler!r} is not subscribed to {topic!r}")

    @_Hybrid
    def emit(self, /, topic: str | BusEvent, data: Mapping[str, Any] | None = None, **more: Any) -> _Published:
        """Publish an event; awaiting the result waits until async handlers are done with it."""
        event = topic if isinstance(topic, BusEvent) else BusEvent(ALIASES.get(topic, topic), {**(data or {}), **more})
        self._deliver(event)
        return _Published(self)

    publish = emit

    def remove(self, subscription: Subscription) -> None:
        """Take a subscription away; what still waits for it is dropped."""
        if subscription in self.subscriptions:
            self.subscriptions.remove(subscription)
        subscription.waiting.clear()

    def is_listening(self) -> bool:
        """Whether anybody is subscribed."""
        return bool(self.subscriptions)

    def hear(self, event: AnyEvent) -> None:
        """Publish an event of a run, under its own kind and under the topics it stands for."""
        own = BusEvent(event.kind, _fields(event), event)
        self._deliver(own)
        for topic, data in topics_of(event):
            self._deliver(BusEvent(topic, data, event))

    async def drain(self, seconds: float = 5.0) -> None:
        """Wait until async handlers are done with what was published, at most `seconds`; what is left goes on."""
        with anyio.move_on_after(seconds):
            while any(each.stop is not None for each in self.subscriptions):
                self._quiet = anyio.Event()
                await self._quiet.wait()

    def _add(self, topic: str, handler: Handler) -> Subscription:
        if not callable(handler):
            raise TypeError(f"a handler is a function of the event, not {type(handler).__name__}")
        subscription = Subscription(self, ALIASES.get(topic, topic), handler)
        self.subscriptions.append(subscription)
        return subscription

    def _deliver(self, event: BusEvent) -> None:
        for subscription in list(self.subscriptions):
            if not subscription.matches(event.topic):
                continue
            if subscription.is_async:
                self._queue(subscription, event)
                continue
            try:
                subscription.handler(event)
            except Exception as failure:  # noqa: BLE001 - a user's handler may raise anything and must harm nobody
                self._report(subscription, event, failure)

    def _queue(self, subscription: Subscription, event: BusEvent) -> None:
        if len(subscription.waiting) >= BEHIND:
            subscription.missed += 1
            return
        if subscription.missed:
            subscription.waiting.append(BusEvent("missed", {"count": subscription.missed}))
            subscription.missed = 0
        subscription.waiting.append(event)
        if subscription.stop is None:
            subscription.stop = detached(lambda: self._work(subscription))

    async def _work(self, subscription: Subscription) -> None:
        try:
            while subscription.waiting:
                event = subscription.waiting.popleft()
                try:
                    done = subscription.handler(event)
                    if isinstance(done, Awaitable):
                        await done
                except Exception as failure:  # noqa: BLE001 - as above
                    self._report(subscription, event, failure)
        finally:
            subscription.stop = None
            self._quiet.set()

    def _report(self, subscription: Subscription, event: BusEvent, failure: Exception) -> None:
        logger().warning(
            "event handler failed", topic=event.topic, handler=repr(subscription.handler), error=repr(failure)
        )
        if event.topic != Events.HANDLER_FAILED:
            self._deliver(BusEvent(Events.HANDLER_FAILED, {"topic": event.topic, "error": str(failure)}, event.event))


_default: EventBus | None = None


def default_bus() -> EventBus:
    """The bus that the class itself stands for."""
    global _default
    if _default is None:
        _default = EventBus()
    return _default


def topics_of(event: AnyEvent) -> list[tuple[str, dict[str, Any]]]:
    """The topics an event of a run stands for, besides its own kind, each with its data."""
    at = {"run_id": event.run_id, "path": event.path}
    match event:
        case RunStarted(name=name, task=task):
            return [(Events.TASK_STARTED, {**at, "agent": name, "task": task, "task_id": event.run_id})]
        case RunFinished(status="failed" | "cancelled" as status, stop_reason=reason):
            return [(Events.TASK_FAILED, {**at, "error": reason or status, "task_id": event.run_id})]
        case RunFinished(text=text, status=status):
            return [(Events.TASK_COMPLETED, {**at, "result": text, "status": status, "task_id": event.run_id})]
        case MemberStarted(member=member, prompt=prompt):
            return [(Events.TASK_STARTED, {**at, "agent": member, "task": prompt})]
        case MemberFinished(member=member, status="ok", text=text):
            return [(Events.TASK_COMPLETED, {**at, "agent": member, "result": text})]
        case MemberFinished(member=member, status=status, error=error):
            return [(Events.TASK_FAILED, {**at, "agent": member, "error": error or status})]
        case StepStarted(step="model", name=name):
            return [(Events.PROVIDER_REQUEST, {**at, "provider": name.partition("/")[0], "model": name})]
        case StepFinished(step="model"):
            return _of_model(event, at)
        case StepFinished(step="tool", name=name, result=ToolResult() as result):
            duration = event.seconds * 1000
            data = {**at, "tool_name": name, "tool": name, "duration": duration, "duration_ms": duration}
            if result.success:
                return [(Events.TOOL_EXECUTED, {**data, "result": result.output})]
            return [(Events.TOOL_FAILED, {**data, "error": result.error})]
        case _:
            return []


def _of_model(event: StepFinished, at: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    data = {**at, "provider": event.name.partition("/")[0], "model": event.name, "duration_ms": event.seconds * 1000}
    if event.status != "ok":
        return [(Events.PROVIDER_ERROR, {**data, "error": event.error})]
    found = [(Events.PROVIDER_RESPONSE, {**data, "tokens": event.usage.tokens, "cost": event.usage.cost})]
    if isinstance(event.result, Completion) and event.result.cached:
        found.append((Events.CACHE_HIT, data))
    return found


def _fields(event: Event) -> dict[str, Any]:
    return {each.name: getattr(event, each.name) for each in fields(event)}
