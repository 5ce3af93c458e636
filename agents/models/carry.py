"""What carries the bytes of the direct path: one pooled session a loop, proxies, answers, a stream's events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from .classify import Trouble, status_in
from .loops import PerLoop
from .mapping import JsonObject
from .surroundings import environment

if TYPE_CHECKING:
    import aiohttp

Family = Literal["openai", "anthropic", "ollama"]
"""Which wire format: how a stream is cut into events, and what an error in it looks like."""


@lru_cache(64)
def timeouts(seconds: float) -> tuple[aiohttp.ClientTimeout, aiohttp.ClientTimeout]:
    """For a whole answer, and for a streamed one."""
    import aiohttp

    whole = aiohttp.ClientTimeout(total=seconds)
    return whole, aiohttp.ClientTimeout(total=None, sock_connect=seconds, sock_read=seconds)


def proxy_for(url: str) -> str | None:
    """The proxy that the environment (HTTPS_PROXY, NO_PROXY, …) names for an address."""
    return _proxy_for(url, environment())


@lru_cache(256)
def _proxy_for(url: str, _environment: int) -> str | None:
    parts = urlsplit(url)
    known = getproxies()
    proxy = known.get(parts.scheme) or known.get("all")
    if not proxy or proxy_bypass(parts.netloc):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


END: JsonObject = {}
"""The mark at the end of a server-sent stream."""


async def events(content: aiohttp.StreamReader, family: Family) -> AsyncIterator[JsonObject]:
    """The JSON events of a stream, server-sent or one a line, and END. Raises Trouble for a line that is none."""
    rest = b""
    async for part in content.iter_any():
        lines = (rest + part).split(b"\n")
        rest = lines.pop()
        for line in lines:
            if (event := _event(line, family)) is not None:
                yield event
    if rest and (event := _event(rest, family)) is not None:
        yield event


def _event(line: bytes, family: Family) -> JsonObject | None:
    if family != "ollama":
        if not line.startswith(b"data:"):
            return None  # an event's name, a comment, a blank line between events
        line = line[5:]
    text = line.strip()
    if not text or text == b"[DONE]":
        return END if text else None
    try:
        event = json.loads(text)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise Trouble("unreadable", f"a line of the stream is not a JSON object: {text[:200]!r}", status=200)
    return event


class RawAnswer:
    """What LiteLLM's classes read of an HTTP answer."""

    __slots__ = ("content", "headers", "status_code")

    def __init__(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.status_code, self.headers, self.content = status, headers, content

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        return json.loads(self.content)

    def check(self) -> None:
        """Raise Trouble for an answer that is an HTTP error."""
        if self.status_code >= 400:
            headers = {name.lower(): value for name, value in self.headers.items()}
            raise Trouble("status", self.text, status=self.status_code, headers=headers)

    def trouble(self, problem: Exception) -> Trouble:
        """What is wrong with an answer that could not be read: its own error, if it holds one."""
        try:
            body = self.json()
        except ValueError:
            body = None
        if isinstance(body, dict) and (error := body.get("error")):
            return Trouble("status", self.text, status=status_in(error))
        text = f"the answer cannot be read ({type(problem).__name__}: {problem}); it begins {self.text[:200]!r}"
        return Trouble("unreadable", text, status=self.status_code)


def _open() -> aiohttp.ClientSession:
    import aiohttp

    connector = aiohttp.TCPConnector(limit=0, limit_per_host=0)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


async def _close(session: aiohttp.ClientSession) -> None:
    await session.close()


sessions: PerLoop[aiohttp.ClientSession] = PerLoop(_open, _close)
