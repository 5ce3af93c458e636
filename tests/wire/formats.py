"""How five providers write an answer, whole and streamed, and an error: what the loopback servers speak."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .servers import Received, Reply, Use

Json = dict[str, object]


class Format(Protocol):
    """One provider's way of speaking."""

    provider: str
    base: str
    environment: Mapping[str, str]

    def content_type(self, streamed: bool) -> str: ...
    def whole(self, request: Received, reply: Reply) -> Json: ...
    def pieces(self, request: Received, reply: Reply) -> Iterator[bytes]: ...
    def error(self, reply: Reply) -> Json: ...
    def stream_error(self, reply: Reply) -> bytes: ...


def words(text: str) -> list[str]:
    """A text in the pieces in which it is streamed."""
    parts = text.split(" ")
    return [part if at == 0 else f" {part}" for at, part in enumerate(parts)] if text else []


def arguments(use: Use) -> str:
    """A tool call's arguments as text."""
    return use.arguments if isinstance(use.arguments, str) else json.dumps(use.arguments)


def sse(value: Json, event: str | None = None) -> bytes:
    """A server-sent event."""
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {json.dumps(value)}\n\n".encode()


class OpenAI:
    """Chat completions."""

    def __init__(self, provider: str, key: str, address: str) -> None:
        self.provider, self.base = provider, "/v1"
        self.environment: Mapping[str, str] = {key: "sk-loopback", address: "{url}"}

    def content_type(self, streamed: bool) -> str:
        return "text/event-stream" if streamed else "application/json"

    def whole(self, request: Received, reply: Reply) -> Json:
        message: Json = {"role": "assistant", "content": reply.text or None}
        if reply.reasoning:
            message["reasoning_content"] = reply.reasoning
        if reply.uses:
            message["tool_calls"] = [
                {
                    "id": use.id or f"call_{at}",
                    "type": "function",
                    "function": {"name": use.name, "arguments": arguments(use)},
                }
                for at, use in enumerate(reply.uses)
            ]
        choice = {"index": 0, "message": message, "finish_reason": self._finish(reply)}
        answer = self._head(request, "chat.completion") | {"choices": [] if reply.empty else [choice]}
        return answer | ({"usage": self._usage(reply)} if reply.usage else {})

    def pieces(self, request: Received, reply: Reply) -> Iterator[bytes]:
        head = self._head(request, "chat.completion.chunk")

        def chunk(delta: Json, finish: str | None = None) -> bytes:
            return sse(head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

        if not reply.empty:
            yield chunk({"role": "assistant", "content": ""})
            for word in words(reply.reasoning):
                yield chunk({"reasoning_content": word})
            for word in words(reply.text):
                yield chunk({"content": word})
            for at, use in enumerate(reply.uses):
                name = {"index": at, "id": use.id or f"call_{at}", "type": "function"}
                yield chunk({"tool_calls": [name | {"function": {"name": use.name, "arguments": ""}}]})
                text = arguments(use)
                for part in (text[: len(text) // 2], text[len(text) // 2 :]):
                    yield chunk({"tool_calls": [{"index": at, "function": {"arguments": part}}]})
            yield chunk({}, self._finish(reply))
        options = request.body.get("stream_options")
        if reply.usage and isinstance(options, dict) and options.get("include_usage"):
            yield sse(head | {"choices": [], "usage": self._usage(reply)})
        yield b"data: [DONE]\n\n"

    def error(self, reply: Reply) -> Json:
        kinds = {429: "rate_limit_exceeded"} | dict.fromkeys((400, 401, 403, 404), "invalid_request_error")
        kind = kinds.get(reply.status, "server_error")
        return {"error": {"message": reply.error, "type": kind, "param": None, "code": reply.code}}

    def stream_error(self, reply: Reply) -> bytes:
        return sse(self.error(reply))

    def _finish(self, reply: Reply) -> str:
        return reply.finish or ("tool_calls" if reply.uses else "stop")

    def _head(self, request: Received, kind: str) -> Json:
        head = {"id": "chatcmpl-1", "object": kind, "created": 1_700_000_000, "service_tier": "default"}
        return {**head, "model": request.body.get("model")}

    def _usage(self, reply: Reply) -> Json:
        return {
            "prompt_tokens": reply.input_tokens,
            "completion_tokens": reply.output_tokens,
            "total_tokens": reply.input_tokens + reply.output_tokens,
            "prompt_tokens_details": {"cached_tokens": reply.cached},
            "completion_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
        }


class Anthropic:
    """Messages."""

    provider, base = "anthropic", ""
    environment: Mapping[str, str] = {"ANTHROPIC_API_KEY": "sk-loopback", "ANTHROPIC_API_BASE": "{url}"}

    def content_type(self, streamed: bool) -> str:
        return "text/event-stream" if streamed else "application/json"

    def whole(self, request: Received, reply: Reply) -> Json:
        answer = self._head(request) | {"content": self._blocks(reply), "stop_reason": self._finish(reply)}
        return answer | ({"usage": self._usage(reply)} if reply.usage else {})

    def pieces(self, request: Received, reply: Reply) -> Iterator[bytes]:
        start = self._usage(reply) | {"output_tokens": 1} if reply.usage else {}
        message = self._head(request) | {"content": [], "stop_reason": None, "usage": start}
        yield sse({"type": "message_start", "message": message}, "message_start")
        for at, block in enumerate(self._blocks(reply)):
            empty: dict[str, Json] = {
                "text": {"text": ""},
                "thinking": {"thinking": "", "signature": ""},
                "tool_use": {"input": {}},
            }
            kind = str(block["type"])
            yield self._piece("content_block_start", at, content_block=block | empty[kind])
            if kind == "text":
                deltas: list[Json] = [{"type": "text_delta", "text": word} for word in words(reply.text)]
            elif kind == "thinking":
                deltas = [{"type": "thinking_delta", "thinking": word} for word in words(reply.reasoning)]
            else:
                text = json.dumps(block["input"])
                halves = (text[: len(text) // 2], text[len(text) // 2 :])
                deltas = [{"type": "input_json_delta", "partial_json": half} for half in halves]
            for delta in deltas:
                yield self._piece("content_block_delta", at, delta=delta)
            yield self._piece("content_block_stop", at)
        usage = {"usage": {"output_tokens": reply.output_tokens}} if reply.usage else {}
        end: Json = {"delta": {"stop_reason": self._finish(reply), "stop_sequence": None}}
        yield sse({"type": "message_delta"} | end | usage, "message_delta")
        yield sse({"type": "message_stop"}, "message_stop")

    def error(self, reply: Reply) -> Json:
        kinds = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error"}
        kind = reply.code or kinds.get(reply.status, "invalid_request_error" if reply.status == 400 else "api_error")
        return {"type": "error", "error": {"type": kind, "message": reply.error}}

    def stream_error(self, reply: Reply) -> bytes:
        return sse(self.error(reply), "error")

    def _piece(self, kind: str, at: int, **more: object) -> bytes:
        return sse({"type": kind, "index": at, **more}, kind)

    def _blocks(self, reply: Reply) -> list[Json]:
        blocks: list[Json] = []
        if reply.reasoning:
            blocks.append({"type": "thinking", "thinking": reply.reasoning, "signature": "signed"})
        if reply.text:
            blocks.append({"type": "text", "text": reply.text})
        for at, use in enumerate(reply.uses):
            blocks.append(
                {
                    "type": "tool_use",
                    "id": use.id or f"call_{at}",
                    "name": use.name,
                    "input": json.loads(arguments(use) or "{}"),
                }
            )
        return [] if reply.empty else blocks

    def _finish(self, reply: Reply) -> str:
        return reply.finish or ("tool_use" if reply.uses else "end_turn")

    def _head(self, request: Received) -> Json:
        model = request.body.get("model")
        return {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "stop_sequence": None}

    def _usage(self, reply: Reply) -> Json:
        return {
            "input_tokens": reply.input_tokens - reply.cached - reply.written,
            "cache_read_input_tokens": reply.cached,
            "cache_creation_input_tokens": reply.written,
            "output_tokens": reply.output_tokens,
        }


class Ollama:
    """The chat of Ollama: JSON lines."""

    provider, base = "ollama", ""
    environment: Mapping[str, str] = {"OLLAMA_API_BASE": "{url}"}

    def content_type(self, streamed: bool) -> str:
        return "application/x-ndjson" if streamed else "application/json"

    def whole(self, request: Received, reply: Reply) -> Json:
        message: Json = {"role": "assistant", "content": reply.text}
        if reply.reasoning:
            message["thinking"] = reply.reasoning
        if reply.uses:
            message["tool_calls"] = self._uses(reply)
        return self._head(request) | {"message": message} | self._end(reply)

    def pieces(self, request: Received, reply: Reply) -> Iterator[bytes]:
        def line(message: Json, **more: object) -> bytes:
            whole = self._head(request) | {"message": {"role": "assistant", "content": ""} | message, "done": False}
            return json.dumps(whole | more).encode() + b"\n"

        for word in words(reply.reasoning):
            yield line({"thinking": word})
        for word in words(reply.text):
            yield line({"content": word})
        if reply.uses:
            yield line({"tool_calls": self._uses(reply)})
        yield line({}, **self._end(reply))

    def error(self, reply: Reply) -> Json:
        return {"error": reply.error}

    def stream_error(self, reply: Reply) -> bytes:
        return json.dumps(self.error(reply)).encode() + b"\n"

    def _uses(self, reply: Reply) -> list[Json]:
        return [{"function": {"name": use.name, "arguments": json.loads(arguments(use))}} for use in reply.uses]

    def _head(self, request: Received) -> Json:
        return {"model": request.body.get("model"), "created_at": "2025-05-24T02:12:05.859654Z"}

    def _end(self, reply: Reply) -> Json:
        end: Json = {"done": True, "done_reason": reply.finish or "stop"}
        counts: Json = {"prompt_eval_count": reply.input_tokens, "eval_count": reply.output_tokens}
        return end | (counts if reply.usage else {})


class Gemini:
    """generateContent."""

    provider, base = "gemini", ""
    environment: Mapping[str, str] = {"GEMINI_API_KEY": "sk-loopback", "GEMINI_API_BASE": "{url}"}

    def content_type(self, streamed: bool) -> str:
        return "text/event-stream" if streamed else "application/json"

    def whole(self, request: Received, reply: Reply) -> Json:
        return self._part(reply, self._parts(reply), self._finish(reply), usage=True)

    def pieces(self, request: Received, reply: Reply) -> Iterator[bytes]:
        for word in words(reply.reasoning):
            yield sse(self._part(reply, [{"text": word, "thought": True}]))
        for word in words(reply.text):
            yield sse(self._part(reply, [{"text": word}]))
        calls = [part for part in self._parts(reply) if "functionCall" in part]
        yield sse(self._part(reply, calls or [{"text": ""}], self._finish(reply), usage=True))

    def error(self, reply: Reply) -> Json:
        names = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
        status = reply.code or names.get(reply.status, "UNAVAILABLE")
        return {"error": {"code": reply.status, "message": reply.error, "status": status}}

    def stream_error(self, reply: Reply) -> bytes:
        return sse(self.error(reply))

    def _finish(self, reply: Reply) -> str:
        return reply.finish or "STOP"

    def _parts(self, reply: Reply) -> list[Json]:
        parts: list[Json] = [{"text": reply.reasoning, "thought": True}] if reply.reasoning else []
        if reply.text:
            parts.append({"text": reply.text})
        return parts + [{"functionCall": {"name": use.name, "args": json.loads(arguments(use))}} for use in reply.uses]

    def _part(self, reply: Reply, parts: list[Json], finish: str | None = None, usage: bool = False) -> Json:
        candidate: Json = {"content": {"role": "model", "parts": parts}, "index": 0}
        if finish:
            candidate["finishReason"] = finish
        answer: Json = {
            "candidates": [] if reply.empty else [candidate],
            "modelVersion": "loopback",
            "responseId": "r1",
        }
        counts = {
            "promptTokenCount": reply.input_tokens,
            "candidatesTokenCount": reply.output_tokens - reply.reasoning_tokens,
            "thoughtsTokenCount": reply.reasoning_tokens,
            "cachedContentTokenCount": reply.cached,
            "totalTokenCount": reply.input_tokens + reply.output_tokens,
        }
        return answer | ({"usageMetadata": counts} if usage and reply.usage else {})


FORMATS: Mapping[str, Format] = {
    "openai": OpenAI("openai", "OPENAI_API_KEY", "OPENAI_BASE_URL"),
    "vllm": OpenAI("hosted_vllm", "HOSTED_VLLM_API_KEY", "HOSTED_VLLM_API_BASE"),
    "anthropic": Anthropic(),
    "ollama": Ollama(),
    "gemini": Gemini(),
}
