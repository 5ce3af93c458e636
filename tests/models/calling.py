"""Ways to call a model that the tests of its wrappers share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import anyio

from phalanx.agents.models.model import Model, close, stream
from phalanx.errors import PhalanxError, ProviderUnavailable, RateLimited
from phalanx.messages import About, Completion, Delta, Message, Request, Usage
from phalanx.runtime.events import AnyEvent
from phalanx.runtime.limits import Limits, Need
from phalanx.runtime.run import Run


def question(text: str = "why?", *, about: About | None = None, **options: Any) -> Request:
    """A request with one user message."""
    plain = Request(messages=(Message(role="user", content=text),), about=about or About())
    return replace(plain, **options)


def down(status: int = 503) -> ProviderUnavailable:
    return ProviderUnavailable("out of order", model="offline/scripted", status_code=status)


def too_many(retry_after: float | None = None) -> RateLimited:
    return RateLimited("slow down", model="offline/scripted", status_code=429, retry_after=retry_after)


@dataclass
class Asked:
    """What became of a step: its answer or error, its events, what it cost, and how long it took (virtual seconds)."""

    completion: Completion | None = None
    error: Exception | None = None
    events: list[AnyEvent] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events if not event.kind.startswith("step.")]


async def ask_in_run(model: Model, request: Request | None = None, *, limits: Limits | None = None) -> Asked:
    """Ask as a step of a run, as an agent does; each call may need up to 100 tokens."""
    asked, asking = Asked(), request or question()
    run = Run.open("test", limits=limits, listeners=(asked.events.append,))
    started = anyio.current_time()

    async def call(key: str) -> Completion:
        return await model.complete(asking)

    try:
        asked.completion = await run.step("model", model.name, asking, call, need=Need(1, 100, free=True))
    except (PhalanxError, ValueError) as failure:
        asked.error = failure
    asked.usage, asked.seconds = run.usage, anyio.current_time() - started
    return asked


async def read(model: Model, request: Request | None = None) -> list[str]:
    """All pieces of a streamed answer; the completion's text in brackets at the end."""
    pieces: list[str] = []
    streaming = stream(model, request or question())
    try:
        async for delta in streaming:
            pieces.append(delta.text if delta.completion is None else f"{delta.text}[{delta.completion.text}]")
    finally:
        await close(streaming)
    return pieces


class Streaming:
    """A model whose n-th stream is made of the n-th list: pieces of text, seconds to wait, an error, a completion.

    `opened` and `closed` count its streams.
    """

    native_tools: bool | None = True
    free = True

    def __init__(self, *streams: Sequence[str | float | Exception | Completion | Delta], name: str = "offline/stream"):
        self.streams, self.name = streams, name
        self.opened = self.closed = 0

    async def complete(self, request: Request, /) -> Completion:
        raise AssertionError("this model is only streamed")

    async def stream(self, request: Request, /) -> AsyncIterator[Delta]:
        at, self.opened = self.opened, self.opened + 1
        try:
            for part in self.streams[at]:
                if isinstance(part, Exception):
                    raise part
                if isinstance(part, float):
                    await anyio.sleep(part)
                elif isinstance(part, Delta):
                    yield part
                elif isinstance(part, Completion):
                    yield Delta(completion=part)
                else:
                    yield Delta(text=part)
        finally:
            self.closed += 1
