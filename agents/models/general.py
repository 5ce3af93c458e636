"""The general path: `litellm.acompletion`, for every provider there is."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from json import JSONDecodeError
from typing import Any

import anyio

from phalanx.messages import Delta

from .classify import Trouble
from .loops import PerLoop
from .mapping import Given, JsonObject, Pieces, fresh


class General:
    """Asks one model through LiteLLM's own call.

    call: `litellm.acompletion`. connection: what each call is given besides parameters and messages. timeout: the
    seconds to wait for an answer, or for each next piece of a stream. clients: the connections that LiteLLM keeps.
    """

    def __init__(
        self, call: Callable[..., Awaitable[Given]], connection: JsonObject, timeout: float, clients: PerLoop[None]
    ) -> None:
        self._call, self._connection, self._timeout, self._clients = call, connection, timeout, clients

    async def complete(self, parameters: JsonObject, messages: list[JsonObject]) -> Given:
        """The answer, as LiteLLM gives it. Raises Trouble."""
        await self._clients.get(self)
        return await self._within(self._call(messages=messages, **self._connection, **fresh(parameters)))

    async def stream(
        self, parameters: JsonObject, messages: list[JsonObject], pieces: Pieces
    ) -> AsyncGenerator[Delta, None]:
        """What is new in each piece, while the answer gathers in `pieces`. Raises Trouble."""
        await self._clients.get(self)
        stream = await self._within(self._call(messages=messages, stream=True, **self._connection, **fresh(parameters)))
        try:
            reading = aiter(stream)
            while (piece := await self._within(_next(reading))) is not None:
                delta = pieces.add(piece, counted=False)
                if delta is not None:
                    yield delta
            # LiteLLM makes up an end and a usage where the provider gave none; what it was given is in `chunks`.
            chunks = getattr(stream, "chunks", None)
            for each in chunks or ():
                pieces.count(getattr(each, "usage", None))
            if chunks is not None and not _has_ended(stream, chunks):
                pieces.finish = None
        finally:
            with anyio.move_on_after(5, shield=True), suppress(Exception):  # must not hide why we leave
                await _close(stream)

    async def aclose(self) -> None:
        """Need LiteLLM's connections no more."""
        await self._clients.leave(self)

    async def _within(self, answer: Awaitable[Given]) -> Given:
        try:
            with anyio.fail_after(self._timeout):
                return await answer
        except TimeoutError:
            trouble = Trouble("timeout", f"no answer within {self._timeout:g} s")
        except Exception as problem:  # noqa: BLE001 - LiteLLM's classes differ from version to version
            trouble = trouble_of(problem)
        raise trouble


async def _next(reading: AsyncIterator[Given]) -> Given | None:
    return await anext(reading, None)


def _has_ended(stream: Given, chunks: list[Given]) -> bool:
    # Of Gemini it only keeps the last piece's reason, which is "stop" where the piece has none.
    if any(getattr(stream, f"{when}_finish_reason", None) for when in ("received", "intermittent")):
        return True
    return any(each.choices and each.choices[0].finish_reason for each in chunks)


async def _close(stream: Given) -> None:
    closing = getattr(stream, "aclose", None) or getattr(getattr(stream, "completion_stream", None), "aclose", None)
    if closing is not None:
        await closing()


_TIMEOUTS = frozenset({"Timeout", "APITimeoutError", "ReadTimeout", "ConnectTimeout", "WriteTimeout", "PoolTimeout"})
_UNREACHABLE = frozenset(
    {"ConnectError", "ClientConnectorError", "ClientConnectorCertificateError", "ServerDisconnectedError", "ProxyError"}
)
_CUT = frozenset({"ReadError", "ClientPayloadError", "RemoteProtocolError", "IncompleteRead"})


def trouble_of(problem: BaseException) -> Trouble:
    """What happened on the wire behind an exception of LiteLLM's, by what it was raised from.

    Its own classes and status codes differ between versions and providers; the HTTP library's below them do not.
    """
    chain = list(_causes(problem))
    names = {type(each).__name__ for each in chain}
    for each in chain:
        response = getattr(each, "response", None)
        if type(each).__name__.endswith("HTTPStatusError") and (status := _status(response)) is not None:
            return Trouble("status", _text(response) or str(problem), status=status, headers=_headers(response))
    if names & _TIMEOUTS or any(isinstance(each, TimeoutError) for each in chain):
        return Trouble("timeout", str(problem))
    if names & _UNREACHABLE or any(isinstance(each, ConnectionError) for each in chain):
        return Trouble("unreachable", str(problem))
    if names & _CUT:
        return Trouble("cut", str(problem))
    if any(isinstance(each, JSONDecodeError | LookupError | AttributeError | TypeError) for each in chain):
        return Trouble("unreadable", f"the answer cannot be read ({problem})", status=200)
    if any(type(each) in (ValueError, ImportError) for each in chain):
        # A plain error inside LiteLLM, which it reports as a broken connection: asking again would not help.
        return Trouble("status", str(problem))
    if "APIConnectionError" in names:
        return Trouble("unreachable", str(problem))
    return Trouble("status", str(problem), status=_status(problem), headers=_headers(problem))


def _causes(problem: BaseException) -> Iterator[BaseException]:
    waiting, seen = [problem], set[int]()
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        for cause in (getattr(each, "original_exception", None), each.__cause__, each.__context__):
            if isinstance(cause, BaseException):
                waiting.append(cause)


def _status(holder: object) -> int | None:
    value = getattr(holder, "status_code", None)
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    return value if isinstance(value, int) else None


def _text(response: Any) -> str:
    with suppress(Exception):  # the body of a stream that was not read
        return str(response.text)
    return ""


def _headers(holder: Any) -> Mapping[str, str]:
    for found in (
        getattr(holder, "litellm_response_headers", None),
        getattr(getattr(holder, "response", None), "headers", None),
        getattr(holder, "headers", None),
    ):
        if found:
            return {str(name).lower(): str(value) for name, value in dict(found).items()}
    return {}
