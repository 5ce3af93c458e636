"""Between our messages and the OpenAI form, which LiteLLM takes and gives whoever the provider is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from phalanx.errors import InvalidRequest
from phalanx.messages import (
    Completion,
    Delta,
    FinishReason,
    Message,
    OutputSpec,
    Request,
    ToolCall,
    ToolSpec,
    Usage,
    estimate_request,
    estimate_tokens,
)

from .classify import Trouble

JsonObject = dict[str, Any]
Priced = Callable[[Usage], Usage]
Given = Any
"""An answer, or a piece of one, as LiteLLM gives it: read here and never passed on."""

FINISH: Mapping[str, FinishReason] = {
    "stop": "stop", "end_turn": "stop", "stop_sequence": "stop", "eos": "stop",
    "length": "length", "max_tokens": "length",
    "tool_calls": "tool_calls", "tool_use": "tool_calls", "function_call": "tool_calls",
    "content_filter": "content_filter", "refusal": "content_filter",
}  # fmt: skip


def messages_of(request: Request) -> list[JsonObject]:
    """The messages in the OpenAI form, new ones at each call: whoever gets them may change them.

    A message's `name` is not sent: most providers refuse or drop it, and who speaks stands in the text.
    """
    return [_message(message) for message in request.messages]


def _message(message: Message) -> JsonObject:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.tool_call_id or "", "content": message.content}
    if not message.tool_calls:
        return {"role": message.role, "content": message.content}
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.tool_name, "arguments": json.dumps(call.parameters)},
        }
        for call in message.tool_calls
    ]
    return {"role": message.role, "content": message.content or None, "tool_calls": calls}


def parameters_of(request: Request, *, model: str, output: bool) -> JsonObject:
    """What goes with the messages, in the OpenAI form; `output` says whether the model takes an answer's schema."""
    given: JsonObject = {
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
        "top_p": request.top_p,
        "seed": request.seed,
        "stop": list(request.stop) or None,
        "tools": [_tool(tool) for tool in request.tools] or None,
        "tool_choice": _choice(request, model),
        "response_format": _format(request.output) if output and request.output is not None else None,
    }
    return {name: value for name, value in given.items() if value is not None}


def _tool(tool: ToolSpec) -> JsonObject:
    function = {"name": tool.name, "description": tool.description, "parameters": fresh(tool.parameters)}
    return {"type": "function", "function": function}


def _choice(request: Request, model: str) -> str | JsonObject | None:
    choice = request.tool_choice
    if not request.tools:
        if choice in (None, "auto", "none"):
            return None
        raise InvalidRequest(f"tool_choice={choice!r} needs tools, and there are none", model=model)
    if choice in (None, "auto", "none", "required"):
        return choice
    if choice not in {tool.name for tool in request.tools}:
        raise InvalidRequest(f"tool_choice={choice!r} is none of the tools", model=model)
    return {"type": "function", "function": {"name": choice}}


def _format(output: OutputSpec) -> JsonObject:
    return {"type": "json_schema", "json_schema": {"name": output.name, "schema": fresh(output.schema_)}}


def fresh(value: Any) -> Any:
    """A copy of JSON data, for whoever changes what he is given."""
    if isinstance(value, dict):
        return {key: fresh(each) for key, each in value.items()}
    return [fresh(each) for each in value] if isinstance(value, list) else value


def completion_of(answer: Given, request: Request, priced: Priced) -> Completion:
    """A whole answer as a Completion; `priced` gives usage its cost. Raises Trouble when there is none in it."""
    if not answer.choices:
        raise Trouble("unreadable", "the answer holds no choice", status=200)
    choice = answer.choices[0]
    said = choice.message
    text, calls = said.content or "", _calls(said.tool_calls)
    usage = usage_of(getattr(answer, "usage", None)) or estimated_usage(request, text, calls)
    return Completion(
        text=text,
        tool_calls=calls,
        usage=priced(usage),
        finish_reason=_finish(choice.finish_reason, calls),
        model=_name(answer.model),
        reasoning=getattr(said, "reasoning_content", None) or "",
        id=answer.id or "",
    )


class Pieces:
    """A streamed answer, put together from its pieces as they come; `model` is its name if no piece says one."""

    def __init__(self, model: str = "") -> None:
        self._asked = model
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.calls: list[list[str]] = []  # each: id, name, arguments so far
        self.finish: str | None = None
        self.usage: Usage | None = None
        self.id = self.model = ""
        self._at: dict[int, int] = {}

    @property
    def begun(self) -> bool:
        """Whether any of the answer has come."""
        return bool(self.text or self.reasoning or self.calls)

    def add(self, piece: Given, *, counted: bool = True) -> Delta | None:
        """Take a piece; what is new in it to show, if anything. counted: whether its usage is the provider's word."""
        self.id, self.model = self.id or piece.id or "", self.model or _name(piece.model)
        if counted:
            self.count(getattr(piece, "usage", None))
        if not piece.choices:
            return None
        choice = piece.choices[0]
        self.finish = choice.finish_reason or self.finish
        delta = choice.delta
        text, thought = delta.content or "", getattr(delta, "reasoning_content", None) or ""
        for call in delta.tool_calls or ():
            self._add_call(call)
        if text:
            self.text.append(text)
        if thought:
            self.reasoning.append(thought)
        return Delta(text, thought) if text or thought else None

    def count(self, usage: Given) -> None:
        """Take a report of tokens. Reports are running totals, and some hold only a part: the largest counts."""
        if (new := usage_of(usage)) is not None:
            self.usage = new if self.usage is None else _larger(self.usage, new)

    def end(self) -> None:
        """Take the mark at the end of a stream: some servers give no other sign that the answer is whole."""
        if self.begun and self.finish is None:
            self.finish = "stop"

    def completion(self, request: Request, priced: Priced) -> Completion:
        """The whole answer; `priced` gives usage its cost. Raises Trouble when its end never came."""
        if self.finish is None:
            if self.begun:
                raise Trouble("cut", "the stream ended before the answer did", status=200)
            raise Trouble("unreadable", "the stream holds no answer", status=200)
        text, calls = (
            "".join(self.text),
            tuple(_call(id, name, said, at) for at, (id, name, said) in enumerate(self.calls)),
        )
        return Completion(
            text=text,
            tool_calls=calls,
            usage=priced(self.usage or estimated_usage(request, text, calls)),
            finish_reason=_finish(self.finish, calls),
            model=self.model or self._asked,
            reasoning="".join(self.reasoning),
            id=self.id,
        )

    def _add_call(self, call: Given) -> None:
        index = call.index if isinstance(call.index, int) else len(self.calls)
        at = self._at.get(index)
        # Some providers send whole calls that all carry index 0: another id is another call.
        if at is None or (call.id and self.calls[at][0] and call.id != self.calls[at][0] and call.function.name):
            at = self._at[index] = len(self.calls)
            self.calls.append(["", "", ""])
        known = self.calls[at]
        known[0] = known[0] or call.id or ""
        known[1] = known[1] or call.function.name or ""
        known[2] += call.function.arguments or ""


def _calls(given: Sequence[Given] | None) -> tuple[ToolCall, ...]:
    return tuple(
        _call(call.id, call.function.name, call.function.arguments, at)
        for at, call in enumerate(given or ())
        if getattr(call, "function", None) is not None
    )


def _call(id: str | None, name: str | None, arguments: str | None, at: int) -> ToolCall:
    id, name, text = id or f"call_{at}", name or "", arguments or ""
    if not text.strip():
        return ToolCall(id=id, tool_name=name)
    try:
        parameters = json.loads(text)
    except ValueError as problem:
        return ToolCall(id=id, tool_name=name, arguments_error=f"the arguments are not JSON ({problem}): {text[:200]}")
    if not isinstance(parameters, dict):
        return ToolCall(id=id, tool_name=name, arguments_error=f"the arguments are not an object: {text[:200]}")
    return ToolCall(id=id, tool_name=name, parameters=parameters)


def _finish(reason: object, calls: tuple[ToolCall, ...]) -> FinishReason:
    known = FINISH.get(str(reason), "other")
    return "tool_calls" if calls and known == "stop" else known


def _name(model: str | None) -> str:
    """The model's name as the provider gave it; LiteLLM puts its own name of Ollama before it."""
    return (model or "").removeprefix("ollama_chat/")


def usage_of(usage: Given) -> Usage | None:
    """The tokens of one call by kind; None when nothing was reported."""

    def count(holder: Given, *names: str) -> int:
        for name in names:
            if isinstance(value := getattr(holder, name, None), int) and value:
                return value
        return 0

    prompt, output = count(usage, "prompt_tokens"), count(usage, "completion_tokens")
    if not prompt and not output:
        return None
    details = getattr(usage, "prompt_tokens_details", None)
    cached = count(details, "cached_tokens") or count(usage, "cache_read_input_tokens")
    written = count(details, "cache_creation_tokens", "cache_write_tokens") or count(
        usage, "cache_creation_input_tokens"
    )
    if cached + written > prompt:  # this one leaves them out of the total
        prompt += cached + written
    reasoning = count(getattr(usage, "completion_tokens_details", None), "reasoning_tokens")
    return Usage(1, prompt, output, cached, written, reasoning)


def estimated_usage(request: Request, text: str, calls: tuple[ToolCall, ...]) -> Usage:
    """An upper estimate, for a provider that reports nothing."""
    said = estimate_tokens(text + "".join(call.tool_name + str(call.parameters) for call in calls))
    return Usage(1, estimate_request(request), said, estimated=True)


def _larger(a: Usage, b: Usage) -> Usage:
    return replace(
        a,
        input_tokens=max(a.input_tokens, b.input_tokens),
        output_tokens=max(a.output_tokens, b.output_tokens),
        cached_tokens=max(a.cached_tokens, b.cached_tokens),
        cache_write_tokens=max(a.cache_write_tokens, b.cache_write_tokens),
        reasoning_tokens=max(a.reasoning_tokens, b.reasoning_tokens),
    )
