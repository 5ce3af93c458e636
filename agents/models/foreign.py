"""Answers of other make, read as a Completion: text, mappings, objects, the OpenAI form."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from phalanx.errors import LLMCallError
from phalanx.messages import Completion, FinishReason, Request, ToolCall, Usage, estimate_tokens

from .mapping import FINISH, estimated_usage, usage_of


def read(answer: object, request: Request, name: str) -> Completion:
    """The completion in whatever a client gave for `request`; its tokens are estimated where it does not tell them.

    name: the client's, for errors. Raises LLMCallError when there is no text and no tool call in it.
    """
    if isinstance(answer, Completion):
        return answer
    if isinstance(answer, str):
        return Completion(text=answer, usage=estimated_usage(request, answer, ()), model=name)
    choices = _part(answer, "choices")
    choice = choices[0] if isinstance(choices, Sequence) and not isinstance(choices, str) and choices else None
    said = answer if choice is None else _part(choice, "message")
    text, calls = _part(said, "content"), _calls(_part(said, "tool_calls"))
    if not isinstance(text, str) and not (text is None and calls):
        raise LLMCallError(f"it gave {type(answer).__name__}, not text or something with content", model=name)
    return Completion(
        text=text or "",
        tool_calls=calls,
        usage=used(answer, request, text or "", calls),
        finish_reason=_finish(_part(choice, "finish_reason"), calls),
        model=str(_part(answer, "model") or name),
        reasoning=str(_part(said, "reasoning_content") or ""),
        id=str(_part(answer, "id") or ""),
    )


def text_in(piece: object) -> str:
    """The text in a piece of a streamed answer."""
    if isinstance(piece, str):
        return piece
    choices = _part(piece, "choices")
    text = _part(_part(choices[0], "delta") if choices else piece, "content")
    return text if isinstance(text, str) else ""


def used(answer: object, request: Request, text: str, calls: tuple[ToolCall, ...] = ()) -> Usage:
    """What an answer took: as it says in `usage`, or as a sum in `tokens_used`, or estimated."""
    told = _part(answer, "usage")
    if isinstance(told, Usage):
        return told
    if (usage := usage_of(_opened(told))) is not None:
        return usage
    total = _part(answer, "tokens_used")
    if isinstance(total, int) and not isinstance(total, bool):
        output = min(total, estimate_tokens(text))
        return Usage(1, total - output, output, estimated=True)
    return estimated_usage(request, text, calls)


def _part(holder: object, name: str) -> Any:
    return holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)


def _opened(value: object) -> Any:
    """A mapping, and those in it, as objects; the names of token counts differ between APIs."""
    if not isinstance(value, Mapping):
        return value
    facts = {str(name): _opened(each) for name, each in value.items()}
    facts.setdefault("prompt_tokens", facts.get("input_tokens"))
    facts.setdefault("completion_tokens", facts.get("output_tokens"))
    return SimpleNamespace(**facts)


def _finish(reason: object, calls: tuple[ToolCall, ...]) -> FinishReason:
    if calls:
        return "tool_calls"
    return "stop" if reason is None else FINISH.get(str(reason), "other")


def _calls(given: object) -> tuple[ToolCall, ...]:
    if not isinstance(given, Sequence) or isinstance(given, str):
        return ()
    return tuple(each if isinstance(each, ToolCall) else _call(each, at) for at, each in enumerate(given))


def _call(given: object, at: int) -> ToolCall:
    """A tool call: in the OpenAI form, or with its name and arguments at the top."""
    function = _part(given, "function") or given
    name = str(_part(function, "name") or _part(given, "tool_name") or "")
    id, arguments = str(_part(given, "id") or f"call_{at}"), _part(function, "arguments")
    if arguments is None:
        arguments = _part(given, "parameters") or {}
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except ValueError as problem:
            told = f"the arguments are not JSON ({problem}): {arguments[:200]}"
            return ToolCall(id=id, tool_name=name, arguments_error=told)
    if not isinstance(arguments, Mapping):
        return ToolCall(id=id, tool_name=name, arguments_error=f"the arguments are not an object: {arguments!r:.200}")
    return ToolCall(id=id, tool_name=name, parameters=dict(arguments))
