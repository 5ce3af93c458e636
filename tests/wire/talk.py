"""What the wire tests share: a request to make, a model at a server, and an answer with what came on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import anyio

from phalanx.agents.models.litellm import LiteLLM
from phalanx.messages import Completion, Delta, Message, OutputSpec, Request, ToolCall, ToolSpec
from tests.wire.servers import FormatName, Server

Path = Literal["direct", "general"]
KEY = "sk-loopback-4711"

# The paths that each format has: Gemini's own code is in LiteLLM's own call only.
WAYS: list[tuple[FormatName, Path]] = [
    ("openai", "direct"),
    ("openai", "general"),
    ("vllm", "direct"),
    ("vllm", "general"),
    ("anthropic", "direct"),
    ("anthropic", "general"),
    ("ollama", "direct"),
    ("ollama", "general"),
    ("gemini", "general"),
]
STREAMED = [False, True]

ASK = Request(
    messages=(Message(role="system", content="Be brief."), Message(role="user", content="Grüße, 世界?")),
    temperature=0.2,
    max_tokens=64,
)
ADD = ToolSpec(
    name="add",
    description="Adds two numbers.",
    parameters={
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
)
OUTPUT = OutputSpec(
    name="city",
    schema={
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
        "additionalProperties": False,
    },
)


@dataclass(frozen=True)
class Heard:
    """An answer, and the pieces it came in."""

    completion: Completion
    deltas: tuple[Delta, ...] = ()

    @property
    def plain(self) -> Completion:
        """The answer without the names that LiteLLM makes up where the provider gives none."""
        calls = tuple(replace_id(call, at) for at, call in enumerate(self.completion.tool_calls))
        return replace(self.completion, id="", tool_calls=calls)


def replace_id(call: ToolCall, at: int) -> ToolCall:
    return call.model_copy(update={"id": f"call_{at}"})


def model_at(server: Server, path: Path, *, name: str | None = None, **options: object) -> LiteLLM:
    given: dict[str, object] = {"api_base": server.url, "api_key": KEY, "timeout": 10.0, **options}
    return LiteLLM(name or server.model, path=path, **given)  # type: ignore[arg-type]


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether a condition came true in time; for what the other side notices a moment later."""
    with anyio.move_on_after(seconds):
        while not condition():  # noqa: ASYNC110 - it comes true in another thread
            await anyio.sleep(0.01)
    return condition()


async def listen(model: LiteLLM, seen: list[str], request: Request = ASK) -> None:
    """Read a stream to its end, taking its text down as it comes."""
    try:
        async for delta in model.stream(request):
            seen.append(delta.text)
    finally:
        await model.aclose()


async def hear(model: LiteLLM, request: Request = ASK, *, streamed: bool = False) -> Heard:
    """Ask, whole or streamed, and let go of the connections."""
    try:
        if not streamed:
            return Heard(await model.complete(request))
        deltas = [delta async for delta in model.stream(request)]
        last = deltas[-1].completion
        assert last is not None
        assert all(delta.completion is None for delta in deltas[:-1])
        return Heard(last, tuple(deltas[:-1]))
    finally:
        await model.aclose()
