"""Conversations with an agent: one that it keeps, and ones that others keep."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from phalanx.errors import ValidationError
from phalanx.messages import Message
from phalanx.runtime.events import Token
from phalanx.runtime.stream import EventStream

from .perform import perform
from .result import AgentResult
from .task import Task

if TYPE_CHECKING:
    from .agent import Agent
    from .models.provider import StreamChunk


class Conversing:
    """What an agent does in conversations."""

    _history: list[Message]

    @overload
    async def chat(self, messages: str, **options: Any) -> AgentResult: ...
    @overload
    async def chat(self, messages: Sequence[Mapping[str, str] | Message], **options: Any) -> dict[str, Any]: ...
    async def chat(self, messages: object, **options: Any) -> AgentResult | dict[str, Any]:
        """Talk.

        With text: go on with the conversation, which this agent keeps; returns the answer. With a list of messages
        (role and content): answer that conversation without keeping anything; returns a dict with role, content,
        usage, model and tool_calls. options: tools, output, limits, seed, run_id, on_event, as `run` has them. Raises
        what `run` raises.
        """
        if isinstance(messages, str):
            return await _talk(self._agent, messages, self._history, **options)
        return await _reply(self._agent, messages, **options)

    async def stream_chat(self, message: str, **options: Any) -> AsyncIterator[StreamChunk]:
        """Go on with the conversation and give the answer in pieces; the last one is empty and says what it took.

        message: what is said next. options: as in `chat`, without on_event. Raises what `run` raises.
        """
        from .models.provider import StreamChunk

        async with self.chat_events(message, **options) as events:
            async for event in events:
                if isinstance(event, Token):
                    yield StreamChunk(content=event.text)
        said = events.result
        yield StreamChunk(is_final=True, usage=said.usage, tool_calls=said.tool_calls, model=said.model)

    def chat_events(self, message: str, **options: Any) -> EventStream[AgentResult]:
        """Go on with the conversation and iterate over all events of that, as `stream_events` does of a task.

        message: what is said next. options: as in `chat`, without on_event. `.result` is the answer; the iteration
        raises what `run` raises, and then nothing is remembered.
        """
        return EventStream(
            lambda listener: _talk(self._agent, message, self._history, on_event=listener, streaming=True, **options)
        )

    def reset(self) -> None:
        """Forget the conversation kept by `chat`."""
        self._history.clear()

    def add_message(self, role: str, content: str) -> None:
        """Add a message to the conversation kept by `chat`. Raises pydantic's ValidationError for an unknown role."""
        self._history.append(Message.model_validate({"role": role, "content": content}))

    def get_conversation_history(self) -> list[Message]:
        """A copy of the conversation kept by `chat`."""
        return list(self._history)

    @property
    def _agent(self) -> Agent:
        from .agent import Agent

        assert isinstance(self, Agent)
        return self


async def _talk(agent: Agent, message: str, history: list[Message], **options: Any) -> AgentResult:
    """The agent's answer to a message, after which both stand in `history`. Raises what Agent.run raises."""
    result = await perform(agent, Task(message), history=tuple(history), plain=True, **options)
    history += [Message(role="user", content=message), Message(role="assistant", content=result.content)]
    return result


async def _reply(agent: Agent, messages: object, **options: Any) -> dict[str, Any]:
    """The agent's answer to a conversation given as messages, as a mapping: role, content, usage, model, tool_calls.

    Raises ValidationError when it is none or does not end with the user, pydantic's for a message that is none, and
    what Agent.run raises.
    """
    if not isinstance(messages, Sequence) or isinstance(messages, bytes | Mapping):
        raise ValidationError(f"chat takes text or a list of messages, not {type(messages).__name__}")
    given = [each if isinstance(each, Message) else Message.model_validate(each) for each in messages]
    if not given or given[-1].role != "user":
        raise ValidationError("chat needs at least one message, and the last one must have the role 'user'")
    result = await perform(agent, Task(given[-1].content), history=tuple(given[:-1]), plain=True, **options)
    return {
        "role": "assistant", "content": result.content, "usage": result.usage, "model": result.model,
        "tool_calls": list(result.tool_calls),
    }  # fmt: skip
