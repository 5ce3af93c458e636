"""A trial of LiteLLM's inner classes before they are relied on: a known answer must come out of them as we know it."""

from __future__ import annotations

import json
from dataclasses import replace

from phalanx.messages import Completion, Message, Request, ToolSpec, Usage

from .carry import Family, RawAnswer
from .direct import Direct, NotDirect, Sending
from .mapping import JsonObject, Pieces, completion_of, messages_of, parameters_of

REQUEST = Request(
    messages=(Message(role="system", content="Be brief."), Message(role="user", content="2 + 2?")),
    tools=(
        ToolSpec(
            name="add",
            description="Adds.",
            parameters={"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
        ),
    ),
)


class Changed(Exception):
    """LiteLLM's inner classes do not do what they did; the text says what is different."""


def check(direct: Direct, *, tools: bool) -> None:
    """Take a known request and a known answer, whole and streamed, through the mapping; nothing is sent.

    tools: whether the model takes any. Raises Changed when something else comes out, and NotDirect when this model
    does not go the direct path at all.
    """
    asked = REQUEST if tools else replace(REQUEST, tools=())
    for stream in (False, True):
        parameters = parameters_of(asked, model=direct.mapper.model, output=False)
        if stream:
            parameters["stream_options"] = {"include_usage": True}
        try:
            sending = direct.prepare(parameters, stream=stream)
        except NotDirect:
            raise
        except Exception as problem:  # noqa: BLE001 - a changed library may raise anything
            raise Changed(f"{type(problem).__name__}: {problem}") from None
        try:
            body, headers, found = _through(direct, sending)
        except Exception as problem:  # noqa: BLE001 - a changed library may raise anything
            raise Changed(f"{type(problem).__name__}: {problem}") from None
        _check_request(json.loads(body), headers, tools)
        _check_answer(found, "streamed" if stream else "whole")


def _through(direct: Direct, sending: Sending) -> tuple[bytes, dict[str, str], Completion]:
    family, given, facts = direct.mapper.family, dict(sending.parameters), dict(direct.mapper.facts)
    body, headers, data = direct.request(sending, messages_of(REQUEST), given, facts)
    if not sending.stream:
        raw = RawAnswer(200, {"content-type": "application/json"}, json.dumps(ANSWERS[family]).encode())
        return body, headers, completion_of(direct.answer(sending, raw, data, given, facts), REQUEST, _free)
    pieces, read = Pieces(), direct.mapper.new_reader(sending.json_mode).chunk_parser
    for event in EVENTS[family]:
        pieces.add(direct.piece(read, json.loads(json.dumps(event))))
    return body, headers, pieces.completion(REQUEST, _free)


def _free(usage: Usage) -> Usage:
    return usage


def _check_request(body: JsonObject, headers: dict[str, str], tools: bool) -> None:
    texts = json.dumps(body)
    missing = [word for word in ("2 + 2?", "Be brief.", *(['"add"'] if tools else [])) if word not in texts]
    if missing or not headers:
        raise Changed(f"the request lacks {missing or 'its headers'}")


def _check_answer(found: Completion, how: str) -> None:
    calls = [(call.tool_name, call.parameters, call.arguments_error) for call in found.tool_calls]
    seen = (found.text, calls, found.finish_reason, found.usage.input_tokens, found.usage.output_tokens)
    expected = ("Let me add.", [("add", {"a": 2}, None)], "tool_calls", 9, 5)
    if seen != expected:
        raise Changed(f"a {how} answer reads {seen!r} instead of {expected!r}")


_USE = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 2}'}}
_USAGE = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
_HEAD = {"id": "c1", "created": 1, "model": "m", "service_tier": "default"}
_MESSAGE: JsonObject = {
    "id": "m1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [],
    "stop_reason": None,
}
_LINE = {"model": "m", "created_at": "2025-01-01T00:00:00Z"}
_OLLAMA_USE = [{"function": {"name": "add", "arguments": {"a": 2}}}]
_OLLAMA_END = {"done": True, "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 5}

ANSWERS: dict[Family, JsonObject] = {
    "openai": {
        **_HEAD,
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Let me add.", "tool_calls": [_USE]},
                "finish_reason": "tool_calls",
            }
        ],
        "usage": _USAGE,
    },
    "anthropic": {
        **_MESSAGE,
        "content": [
            {"type": "text", "text": "Let me add."},
            {"type": "tool_use", "id": "call_1", "name": "add", "input": {"a": 2}},
        ],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 9, "output_tokens": 5},
    },
    "ollama": {
        **_LINE,
        "message": {"role": "assistant", "content": "Let me add.", "tool_calls": _OLLAMA_USE},
        **_OLLAMA_END,
    },
}


def _openai(delta: JsonObject, finish: str | None = None) -> JsonObject:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {**_HEAD, "object": "chat.completion.chunk", "choices": [choice]}


EVENTS: dict[Family, tuple[JsonObject, ...]] = {
    "openai": (
        _openai({"role": "assistant", "content": ""}),
        _openai({"content": "Let me"}),
        _openai({"content": " add."}),
        _openai({"tool_calls": [{**_USE, "function": {"name": "add", "arguments": '{"a":'}}]}),
        _openai({"tool_calls": [{"index": 0, "function": {"arguments": " 2}"}}]}),
        _openai({}, "tool_calls"),
        {**_HEAD, "object": "chat.completion.chunk", "choices": [], "usage": _USAGE},
    ),
    "anthropic": (
        {"type": "message_start", "message": {**_MESSAGE, "usage": {"input_tokens": 9, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Let me add."}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "content_block_start",
            "index": 1,
            "content_block": {"type": "tool_use", "id": "call_1", "name": "add", "input": {}},
        },
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": '{"a": 2}'},
        },
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    ),
    "ollama": (
        {**_LINE, "message": {"role": "assistant", "content": "Let me"}, "done": False},
        {**_LINE, "message": {"role": "assistant", "content": " add."}, "done": False},
        {**_LINE, "message": {"role": "assistant", "content": "", "tool_calls": _OLLAMA_USE}, "done": False},
        {**_LINE, "message": {"role": "assistant", "content": ""}, **_OLLAMA_END},
    ),
}
