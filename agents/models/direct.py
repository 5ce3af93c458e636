"""The direct path: LiteLLM's provider classes map requests and answers, one pooled HTTP session carries the bytes.

The same calls as `litellm.acompletion` makes, at a fraction of their cost: most of that is bookkeeping around the
mapping. This file does not import LiteLLM; it is given the mapping as a `Mapper`.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncGenerator, Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from phalanx.messages import Delta
from phalanx.runtime.turns import take_turn

from .carry import END, Family, RawAnswer, events, proxy_for, sessions, timeouts
from .classify import Trouble, status_in
from .mapping import Given, JsonObject, Pieces, fresh

if TYPE_CHECKING:
    from aiohttp.client import _RequestContextManager as _Answering

_INNER = (
    "validate_environment", "get_complete_url", "map_openai_params", "transform_request", "transform_response",
    "get_model_response_iterator", "should_fake_stream", "supports_stream_param_in_request_body",
)  # fmt: skip


class NotDirect(Exception):
    """This request cannot go the direct path; the text says why."""


@dataclass(frozen=True)
class Mapper:
    """LiteLLM's mapping of one model, and where its provider is.

    config: LiteLLM's configuration object of the provider. parameters: from the OpenAI form to the provider's, given
    the parameters and whether to stream; may raise NotDirect. new_answer: an empty answer to fill in. new_reader: the
    parser of a stream's events, given whether the answer is a disguised tool call. finish: the last touch to headers
    and body. url: None when config says it. facts: what config is told about the call.
    """

    config: Any
    provider: str
    model: str
    family: Family
    parameters: Callable[[JsonObject, bool], JsonObject]
    new_answer: Callable[[], Given]
    new_reader: Callable[[bool], Given]
    finish: Callable[[dict[str, str], JsonObject], tuple[dict[str, str], JsonObject]] | None
    api_key: str | None
    api_base: str | None
    url: str | None
    headers: Mapping[str, str]
    facts: JsonObject
    ssl: ssl.SSLContext | bool
    timeout: float

    def alike(self) -> tuple[Hashable, ...]:
        """Equal for mappers that map alike: the same model, reached in the same way, through the same classes."""
        kind = type(self.config)
        inner = (getattr(kind, name, None) for name in _INNER)
        headers = tuple(self.headers.items())
        return (self.provider, self.model, self.api_key, self.api_base, self.url, headers, self.new_answer, *inner)


@dataclass(frozen=True)
class Sending:
    """A kind of request, worked out once: all that is the same however the messages read."""

    parameters: JsonObject
    headers: dict[str, str]
    url: str
    stream: bool
    json_mode: bool
    extra_body: JsonObject
    plain: bool = field(default=False)  # whether parameters hold nothing that could be changed in place


class Direct:
    """Carries requests of one model."""

    __slots__ = ("__weakref__", "_proxy", "mapper")

    def __init__(self, mapper: Mapper) -> None:
        self.mapper = mapper
        self._proxy: tuple[str, str | None] | None = None

    def prepare(self, parameters: JsonObject, *, stream: bool) -> Sending:
        """Work out a kind of request. Raises NotDirect, or whatever LiteLLM's classes raise for it."""
        mapper = self.mapper
        mapped = mapper.parameters(parameters, stream)
        json_mode = bool(mapped.pop("json_mode", False))
        extra_body = mapped.pop("extra_body", None) or {}
        extra_headers = mapped.pop("extra_headers", None) or {}
        mapped.pop("max_retries", None)
        if mapped.pop("fake_stream", False) or mapper.config.should_fake_stream(
            model=mapper.model, stream=stream, custom_llm_provider=mapper.provider
        ):
            raise NotDirect("LiteLLM only pretends to stream this model")
        if stream and not mapper.config.supports_stream_param_in_request_body:
            raise NotDirect("this provider is asked for a stream in another way")
        facts = dict(mapper.facts)
        headers = mapper.config.validate_environment(
            headers={**mapper.headers, **extra_headers},
            model=mapper.model,
            messages=[],
            optional_params=fresh(mapped),
            litellm_params=facts,
            api_key=mapper.api_key,
            api_base=mapper.api_base,
        )
        url = mapper.url or mapper.config.get_complete_url(
            api_base=mapper.api_base,
            api_key=mapper.api_key,
            model=mapper.model,
            optional_params=fresh(mapped),
            litellm_params=facts,
            stream=stream,
        )
        headers = {"Content-Type": "application/json", "User-Agent": "phalanx", **headers}
        plain = not any(isinstance(value, dict | list) for value in mapped.values())
        return Sending(mapped, headers, url, stream, json_mode, extra_body, plain)

    async def complete(self, sending: Sending, messages: list[JsonObject]) -> Given:
        """The provider's answer, mapped. Raises Trouble, or NotDirect before anything was sent."""
        parameters, facts = self._parameters(sending), dict(self.mapper.facts)
        body, headers, data = self.request(sending, messages, parameters, facts)
        raw = None
        try:
            async with await self._post(sending, body, headers) as response:
                raw = RawAnswer(response.status, response.headers, await response.read())
        except Exception as problem:  # noqa: BLE001 - looked at there
            trouble = self._wire_trouble(problem)
        if raw is None:
            raise trouble
        await take_turn()
        raw.check()
        return self.answer(sending, raw, data, parameters, facts)

    async def stream(self, sending: Sending, messages: list[JsonObject], pieces: Pieces) -> AsyncGenerator[Delta, None]:
        """What is new in each piece, while the answer gathers in `pieces`. Raises like `complete`."""
        parameters, facts = self._parameters(sending), dict(self.mapper.facts)
        body, headers, _ = self.request(sending, messages, parameters, facts)
        read = self.mapper.new_reader(sending.json_mode).chunk_parser
        trouble = None
        try:
            async with await self._post(sending, body, headers) as response:
                if response.status >= 400:
                    RawAnswer(response.status, response.headers, await response.read()).check()
                async for event in events(response.content, self.mapper.family):
                    if event is END:
                        pieces.end()
                    elif (delta := pieces.add(self.piece(read, event))) is not None:
                        yield delta
        except Trouble:
            raise
        except Exception as problem:  # noqa: BLE001 - looked at there
            trouble = self._wire_trouble(problem)
        if trouble is not None and pieces.finish is None:
            raise trouble  # otherwise the answer was whole, and only the server's good-bye is missing

    async def aclose(self) -> None:
        """Need the session no more."""
        await sessions.leave(self)

    def request(
        self, sending: Sending, messages: list[JsonObject], parameters: JsonObject, facts: JsonObject
    ) -> tuple[bytes, dict[str, str], JsonObject]:
        """The bytes to send, their headers, and the body they came from. Raises NotDirect when nothing can be sent."""
        mapper, headers = self.mapper, dict(sending.headers)
        try:
            data: JsonObject = mapper.config.transform_request(
                model=mapper.model,
                messages=messages,
                optional_params=parameters,
                litellm_params=facts,
                headers=headers,
            )
            if sending.extra_body:
                data = {**data, **sending.extra_body}
            if mapper.finish is not None:
                headers, data = mapper.finish(headers, data)
            if sending.stream:
                data["stream"] = True
            return json.dumps(data).encode(), headers, data
        except Exception as problem:  # noqa: BLE001 - whatever another library stumbles over
            raise NotDirect(f"{type(problem).__name__}: {problem}") from None

    def answer(
        self, sending: Sending, raw: RawAnswer, data: JsonObject, parameters: JsonObject, facts: JsonObject
    ) -> Given:
        """An answer's bytes, mapped. Raises Trouble when they are none."""
        mapper = self.mapper
        try:
            mapped = mapper.config.transform_response(
                model=mapper.model,
                raw_response=raw,
                model_response=mapper.new_answer(),
                logging_obj=_Unheard(),
                request_data=data,
                messages=[],
                optional_params=parameters,
                litellm_params=facts,
                encoding=None,
                api_key=mapper.api_key,
                json_mode=sending.json_mode,
            )
        except Exception as problem:  # noqa: BLE001 - whatever a parser of another library stumbles over
            raise raw.trouble(problem) from None
        if mapper.family == "ollama" and not (b'"eval_count"' in raw.content and b'"prompt_eval_count"' in raw.content):
            mapped.usage = None  # LiteLLM counts tokens itself then, and does not say so
        return mapped

    def piece(self, read: Callable[..., Given], event: JsonObject) -> Given:
        """An event of a stream, mapped. Raises Trouble when it is an error or cannot be read."""
        if error := event.get("error"):
            raise Trouble("status", json.dumps(event), status=status_in(error))
        try:
            return read(chunk=event)
        except Exception as problem:  # noqa: BLE001 - whatever a parser of another library stumbles over
            text = f"a piece of the stream cannot be read ({type(problem).__name__}: {problem})"
        raise Trouble("unreadable", text, status=200)

    def _parameters(self, sending: Sending) -> JsonObject:
        return dict(sending.parameters) if sending.plain else fresh(sending.parameters)

    async def _post(self, sending: Sending, body: bytes, headers: dict[str, str]) -> _Answering:
        """The answer to one POST, to be entered. Leaving it early, or being cancelled, closes the connection."""
        session = await sessions.get(self)
        if self._proxy is None or self._proxy[0] != sending.url:  # looked up once
            self._proxy = sending.url, proxy_for(sending.url)
        return session.post(
            sending.url,
            data=body,
            headers=headers,
            ssl=self.mapper.ssl,
            proxy=self._proxy[1],
            timeout=timeouts(self.mapper.timeout)[sending.stream],
        )

    def _wire_trouble(self, problem: Exception) -> Trouble:
        import aiohttp

        if isinstance(problem, TimeoutError):
            return Trouble("timeout", f"no answer within {self.mapper.timeout:g} s")
        if isinstance(problem, aiohttp.ClientPayloadError):
            return Trouble("cut", f"the answer broke off: {problem}")
        if isinstance(problem, aiohttp.ClientError | OSError):
            return Trouble("unreachable", f"{type(problem).__name__}: {problem}")
        raise problem


class _Unheard:
    """Stands where LiteLLM's log object would, and keeps nothing."""

    def __init__(self) -> None:
        self.model_call_details: JsonObject = {}
        self.optional_params: JsonObject = {}

    def pre_call(self, *_: object, **__: object) -> None:
        """Nobody listens."""

    def post_call(self, *_: object, **__: object) -> None:
        """Nobody listens."""
