"""Conversations with an agent: one that it keeps, and ones that others keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from phalanx.errors import ValidationError
from phalanx.messages import Message

from .perform import perform
from .result import AgentResult
from .task import Task

if TYPE_CHECKING:
    from .agent import Agent


async def talk(agent: Agent, message: str, history: list[Message], **options: Any) -> AgentResult:
    """The agent's answer to a message, after which both stand in `history`. Raises what Agent.run raises."""
    result = await perform(agent, Task(message), history=tuple(history), plain=True, **options)
    history += [Message(role="user", content=message), Message(role="assistant", content=result.content)]
    return result


async def reply(agent: Agent, messages: object, **options: Any) -> dict[str, Any]:
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
