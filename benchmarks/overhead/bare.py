"""The same calls made by hand with the openai SDK; `litellm.py` has the other ways.

Each is written as somebody would who needs nothing else: one client, the messages, the answer's text.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

Body = dict[str, Any]
KEY = "sk-loopback"


@dataclass(frozen=True)
class Call:
    """One call as the team makes it: its messages and what goes with them, in the OpenAI form."""

    messages: list[Body]
    parameters: Body


class Bare(Protocol):
    """A way to make calls by hand."""

    async def ask(self, call: Call) -> tuple[str, list[str]]:
        """The answer's text, and the arguments of the tool calls in it."""
        ...

    def stream(self, call: Call) -> AsyncGenerator[str, None]:
        """The answer's text in pieces."""
        ...


class _OpenAI:
    def __init__(self, client: Any) -> None:
        self.client = client

    async def ask(self, call: Call) -> tuple[str, list[str]]:
        answer = await self.client.chat.completions.create(model="loopback", messages=call.messages, **call.parameters)
        message = answer.choices[0].message
        return message.content or "", [each.function.arguments for each in message.tool_calls or ()]

    async def stream(self, call: Call) -> AsyncGenerator[str, None]:
        chunks = await self.client.chat.completions.create(
            model="loopback", messages=call.messages, stream=True, stream_options={"include_usage": True},
            **call.parameters,
        )  # fmt: skip
        async for chunk in chunks:
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content


@asynccontextmanager
async def openai(url: str) -> AsyncIterator[Bare]:
    """The openai SDK."""
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0) as client:
        yield _OpenAI(client)
