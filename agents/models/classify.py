"""From what went wrong on the wire to the error our users see: one place, by status, headers and message."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from typing import Literal

from phalanx.errors import (
    AuthenticationFailed,
    ContentFiltered,
    ContextTooLong,
    InvalidRequest,
    LLMCallError,
    ModelNotFound,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    StreamCut,
)

Kind = Literal["status", "timeout", "unreachable", "cut", "unreadable"]

_TOO_LONG = re.compile(
    r"context.?(length|window|size)|maximum (context|input|prompt)|max_(model|input)_len|too many (input )?tokens"
    r"|(prompt|input|request|messages?)\b.{0,40}\btoo (long|large)|exceeds?\b.{0,60}\btokens?|reduce the length",
    re.IGNORECASE | re.DOTALL,
)
_FILTERED = re.compile(
    r"content.?(filter|policy|management)|responsible.?ai|safety (system|policy|reasons)|flagged as"
    r"|blocked by.{0,20}safety",
    re.IGNORECASE,
)
_KEY_REFUSED = re.compile(r"(incorrect|invalid) api.?key|api.?key (is )?(not valid|invalid|expired)", re.IGNORECASE)
_NO_MODEL = re.compile(
    r"model\b.{0,120}(does not exist|not found|is not supported)|(unknown|no such) model", re.IGNORECASE
)


def classify(status: int | None, headers: Mapping[str, str], message: str) -> type[LLMCallError]:
    """Which error an answer means.

    status: the HTTP status, None when there was no answer. headers: of the answer, by lower-case name; a provider's
    own word on whether to ask again (x-should-retry) is taken. message: what the provider said, in any form.
    """
    if status is None:
        return LLMCallError
    again = headers.get("x-should-retry")
    if status == 429:
        spent = "insufficient_quota" in message or again == "false"  # no waiting helps against an empty account
        return LLMCallError if spent else RateLimited
    if status in (408, 504):
        return ProviderTimeout
    if status == 413:
        return ContextTooLong
    if status in (409, 425) or status >= 500 or again == "true":
        # Some gateways hide a refusal inside a 500; asking again would only be refused again.
        if status == 500 and _TOO_LONG.search(message):
            return ContextTooLong
        return LLMCallError if again == "false" else ProviderUnavailable
    return _refusal(status, message) if status >= 400 else LLMCallError


def _refusal(status: int, message: str) -> type[LLMCallError]:
    if status == 402:
        return LLMCallError
    if status == 401 or _KEY_REFUSED.search(message):
        return AuthenticationFailed
    if _FILTERED.search(message):
        return ContentFiltered
    if status in (403, 404):
        return AuthenticationFailed if status == 403 else ModelNotFound
    if _TOO_LONG.search(message):
        return ContextTooLong
    return ModelNotFound if status == 400 and _NO_MODEL.search(message) else InvalidRequest


class Trouble(Exception):
    """What went wrong on the wire, before it is anybody's error.

    kind: "status" (the provider answered with an error), "timeout", "unreachable", "cut" (the answer broke off) or
    "unreadable" (it is none). status: the HTTP status of an answer, None without one. headers: of the answer, by
    lower-case name. text: the answer's body, or what is known otherwise.
    """

    def __init__(self, kind: Kind, text: str, *, status: int | None = None, headers: Mapping[str, str] | None = None):
        super().__init__(text)
        self.kind, self.text, self.status, self.headers = kind, text, status, headers or {}


_KINDS: dict[Kind, type[LLMCallError]] = {
    "timeout": ProviderTimeout,
    "unreachable": ProviderUnavailable,
    "cut": StreamCut,
    "unreadable": ProviderUnavailable,
}
_OF_THE_REQUEST = (AuthenticationFailed, ContextTooLong, ContentFiltered, RateLimited, ProviderTimeout)


def failure(trouble: Trouble, model: str, *, secrets: Iterable[str] = (), begun: bool = False) -> LLMCallError:
    """The error to raise for `trouble`, with no secret in it.

    begun: whether a part of the answer was already shown; what goes wrong after that is a cut stream, unless it says
    something about the request. secrets: texts that must not appear.
    """
    kind = _KINDS.get(trouble.kind) or classify(trouble.status, trouble.headers, trouble.text)
    if begun and not issubclass(kind, _OF_THE_REQUEST):
        kind = StreamCut
    status = trouble.status if trouble.kind == "status" else None
    wait = retry_after(trouble.headers, trouble.text) if kind in (RateLimited, ProviderUnavailable) else None
    words = scrubbed(provider_words(trouble.text) or "it gave no reason", secrets)
    if trouble.kind == "unreachable" and _NOBODY_THERE.search(trouble.text) and "certificate" not in trouble.text:
        words += f"; {_advice(model)}"
    return kind(words, model=model, status_code=status, retry_after=wait)


_NOBODY_THERE = re.compile(
    r"refused|cannot connect|connect(ion)? (error|call failed|attempts failed)|getaddrinfo|name resolution"
    r"|(name or service|nodename).{0,30} not known",
    re.IGNORECASE,
)


def _advice(model: str) -> str:
    """What to do when there is no connection to a model's server."""
    if model.startswith(("ollama/", "ollama_chat/")):
        return "start Ollama (`ollama serve`), or say where it is with api_base=… (--api-base) or OLLAMA_HOST"
    return "check that its server runs, the network, and the address, where one is given: api_base=… (--api-base)"


def retry_after(headers: Mapping[str, str], message: str = "", now: float | None = None) -> float | None:
    """The seconds a provider asks to wait: by retry-after-ms, Retry-After (seconds or a date), or Google's retryDelay.

    now: seconds since the epoch, for a date. None when it does not say, or says something that is not a time.
    """
    for name, scale in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * scale
        except (KeyError, ValueError):
            continue
        return seconds if 0 <= seconds < float("inf") else None
    if date := headers.get("retry-after"):
        try:
            then = parsedate_to_datetime(date).timestamp()
        except (ValueError, TypeError):
            return None
        return max(0.0, then - (time.time() if now is None else now))
    delay = re.search(r'"retryDelay":\s*"(\d+(?:\.\d+)?)s"', message)
    return float(delay[1]) if delay else None


_PREFIX = re.compile(
    r"^(?:litellm\.)?(?:[A-Z]\w*(?:Error|Exception)|Timeout)\s*(?::|-)\s*|^[A-Z]\w*Exception\s+\w+Error\s*-\s*"
)

_OBJECT = re.compile(r" ssl:(?:default|<[^>]*>)")


def provider_words(text: str) -> str:
    """What a provider said, in its own words: without the library's prefixes, and out of a JSON body."""
    text = text.partition("\nTraceback (most recent call last)")[0].strip()
    while match := _PREFIX.match(text):
        text = text[match.end() :]
    text = _OBJECT.sub("", text.partition(" Original exception: ")[0]).removesuffix(
        ". Handle with `litellm.InternalServerError`."
    )
    if text.startswith(("b'{", 'b"{')):
        text = text[2:-1].replace("\\'", "'").replace("\\n", "\n")
    try:
        body = json.loads(text)
    except ValueError:
        return text[:2000]
    return (_message_in(body) or text)[:2000]


def _message_in(body: object) -> str | None:
    if isinstance(body, list) and body:
        return _message_in(body[0])
    if isinstance(body, str):
        return body
    if not isinstance(body, Mapping):
        return None
    for name in ("error", "message", "detail"):
        if found := _message_in(body.get(name)):
            return found
    return None


def status_in(error: object) -> int:
    """The status that an error inside a 200 answer or a stream stands for; 500 when it does not say."""
    if isinstance(error, Mapping):
        for value in (error.get("code"), error.get("status"), error.get("type")):
            if isinstance(value, int) and 400 <= value < 600:
                return value
            if isinstance(value, str) and value in _STATUS_NAMES:
                return _STATUS_NAMES[value]
    return 500


_STATUS_NAMES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "api_error": 500,
    "server_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


def scrubbed(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret of it, and the tail of a half-masked key, replaced by '…'."""
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, "…")
    return _MASKED.sub("…", text)


_MASKED = re.compile(r"\b[A-Za-z0-9_-]{2,}\*{3,}[A-Za-z0-9_-]*|(?<=[?&]key=)[^&\s'\"]+")
