"""Models of every provider, through LiteLLM: loaded at the first call, by this file and no other.

LiteLLM maps between providers. Where its mapping can be used by itself we carry the bytes (the direct path, direct.py);
everywhere else its own call does (general.py). The path changes what a call costs, never what comes out of it.
"""

from __future__ import annotations

import gc
import importlib
import importlib.metadata
import importlib.util
import os
import sys
import threading
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace

import anyio.to_thread

from phalanx.errors import AuthenticationFailed, ConfigurationError, LLMCallError
from phalanx.messages import Completion, Delta, Price, Request, Usage
from phalanx.runtime.run import waiting

from .classify import Trouble, failure
from .connection import Connection
from .direct import NotDirect
from .guard import check_allowed
from .keys import check_key, find_key, needs_key, set_in_litellm
from .library import Facts, Library
from .loops import PerLoop, running_loop
from .mapping import Pieces, completion_of, messages_of
from .model import FREE
from .names import check_provider
from .ollama import address
from .options import (
    Path,
    check_options,
    checked_base,
    checked_path,
    checked_timeout,
    checked_verification,
    secrets_in,
    shown,
)
from .way import Transport, Way, Ways

ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # otherwise importing it fetches a price map
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "true",  # otherwise a call to Anthropic fetches a list of headers
    "LITELLM_MODE": "PRODUCTION",  # otherwise it reads .env from the working directory
    "LITELLM_LOG": "ERROR",  # otherwise it prints its warnings too, which Python's logging gets anyway
}
"""Set before LiteLLM is loaded, where the user has not set them."""

# Models that run on a machine of one's own.
LOCAL = frozenset({"ollama", "ollama_chat"})
BROKEN = frozenset({"1.106.0", "1.106.1", "1.106.2"})
"""Releases in which each call with tools fails unless `mcp` is installed."""


class LiteLLM:
    """A model of any provider that LiteLLM knows. Making one loads nothing and does no I/O.

    model: "provider/name", e.g. "openai/gpt-4o-mini", "anthropic/claude-haiku-4-5", "ollama/llama3.2".
    api_base: another address of the provider, or an OpenAI-compatible server ("openai/…", "hosted_vllm/…").
    api_key: the key; by default the provider's environment variable. api_version: Azure's. organization: OpenAI's.
    timeout: seconds to wait for an answer, or for each next piece of a streamed one. extra_headers: sent with each
    request. price: US dollars per million tokens, where LiteLLM's map does not know better. path: "direct" or
    "general" to insist on one, for comparison and diagnosis. provider_options: more options of the provider or of
    LiteLLM's call, sent as they are; `ssl_verify` is False or a file of certificates.

    Raises ConfigurationError for an unknown provider or an option that cannot work.
    """

    def __init__(
        self,
        model: str,
        *,
        api_base: str | None = None,
        api_key: str | None = None,
        api_version: str | None = None,
        organization: str | None = None,
        timeout: float = 120.0,
        extra_headers: Mapping[str, str] | None = None,
        price: Price | None = None,
        path: Path = "auto",
        provider_options: Mapping[str, object] | None = None,
    ) -> None:
        self.provider, _, rest = model.partition("/")
        if not rest:
            raise ConfigurationError(f"model {model!r} does not say whose it is; write 'provider/{model}'")
        check_provider(self.provider)
        options = dict(provider_options or {})
        check_options(options)
        self.name, self._price, self._path, self._options = model, price, checked_path(path), options
        self._sent = f"ollama_chat/{rest}" if self.provider == "ollama" else model
        self._connection = Connection(
            checked_base(api_base), api_key, api_version, organization, dict(extra_headers or {}),
            checked_timeout(timeout), checked_verification(options.pop("ssl_verify", None)),
        )  # fmt: skip
        self._facts: Facts | None = None
        self._ways: Ways | None = None
        self._transport: Transport | None = None

    @property
    def native_tools(self) -> bool | None:
        """Whether it takes tool definitions; None while that is not known, as before the first call."""
        return None if self._facts is None else self._facts.tools

    @property
    def free(self) -> bool:
        """Whether it was said to cost nothing."""
        return self._price == FREE

    @property
    def transport(self) -> Transport | None:
        """The path that the last request took, and why; None before the first."""
        return self._transport

    async def complete(self, request: Request, /) -> Completion:
        """The model's answer. Raises LLMCallError, by kind (see phalanx.errors), when there is none."""
        ways, way = await self._way(request, stream=False)
        try:
            answer = None
            if way.sending is not None and ways.direct is not None:
                try:
                    answer = await ways.direct.complete(way.sending, messages_of(request))
                except NotDirect as reason:
                    self._transport = ways.give_up(str(reason))
            if answer is None:
                answer = await ways.general.complete(way.parameters, messages_of(request))
            return completion_of(answer, request, self._priced)
        except Trouble as trouble:
            problem = self._failure(trouble)
        raise problem

    async def stream(self, request: Request, /) -> AsyncGenerator[Delta, None]:
        """The answer in pieces; the last carries the whole. Raises like `complete`, and StreamCut once begun."""
        ways, way = await self._way(request, stream=True)
        pieces = Pieces(ways.model)
        try:
            async with aclosing(self._pieces(ways, way, request, pieces)) as deltas:
                async for delta in deltas:
                    yield delta
            completion = pieces.completion(request, self._priced)
        except Trouble as trouble:
            problem = self._failure(trouble, begun=pieces.begun)
        else:
            yield Delta(completion=completion)
            return
        raise problem

    async def _pieces(self, ways: Ways, way: Way, request: Request, pieces: Pieces) -> AsyncGenerator[Delta, None]:
        if way.sending is not None and ways.direct is not None:
            try:
                async with aclosing(ways.direct.stream(way.sending, messages_of(request), pieces)) as deltas:
                    async for delta in deltas:
                        yield delta
                return
            except NotDirect as reason:
                self._transport = ways.give_up(str(reason))
        async with aclosing(ways.general.stream(way.parameters, messages_of(request), pieces)) as deltas:
            async for delta in deltas:
                yield delta

    @property
    def _is_ones_own(self) -> bool:
        """Whether Ollama runs it on a machine of one's own, and not in its makers' cloud."""
        hosted = self.name.endswith("cloud") or "ollama.com" in (self.api_base or "")
        return self.provider in LOCAL and not hosted

    @property
    def api_base(self) -> str | None:
        """The server it was told to ask; None for the provider's own."""
        return self._connection.api_base

    def check(self) -> None:
        """Raise ConfigurationError, which says what to set, when it can only fail for want of a key; loads nothing."""
        if needs_key(self.provider, self._connection, self._options):
            try:
                check_key(self.name, self.provider, self._connection)
            except AuthenticationFailed as missing:
                raise ConfigurationError(f"{self.name}: {missing.original_error}") from None

    async def price(self) -> Price | None:
        """US dollars per million tokens: as given, or by LiteLLM's map; None when neither knows.

        A model that Ollama runs on a machine of one's own costs nothing, unless a price is given.
        """
        if self._price is not None:
            return self._price
        if self._is_ones_own:
            return FREE
        tariff = self._known(await loaded()).tariff
        return None if tariff is None else tariff.price

    async def context_window(self) -> int | None:
        """The most tokens it reads; None when LiteLLM's map does not say."""
        return self._known(await loaded()).window

    async def aclose(self) -> None:
        """Let go of the connections of this loop; those that other models use too stay open for them."""
        if self._ways is not None:
            await self._ways.aclose()

    def __repr__(self) -> str:
        base = self._connection.api_base
        return f"LiteLLM({self.name!r}{'' if base is None else f', api_base={shown(base)!r}'})"

    async def _way(self, request: Request, *, stream: bool) -> tuple[Ways, Way]:
        check_allowed(self.name)
        running_loop()
        ways = self._ways
        if ways is None:
            if needs_key(self.provider, self._connection, self._options):
                check_key(self.name, self.provider, self._connection)
            with waiting():  # whoever is cancelled while it loads has called nobody
                library = await loaded()
            if (ways := self._ways) is None:  # nobody else was faster
                ways = self._ways = self._all_ways(library, self._reached())
        way = ways.of(request, stream=stream)
        self._transport = way.transport
        return ways, way

    def _known(self, library: Library) -> Facts:
        if self._facts is None:
            self._facts = library.facts(self.name, self._sent)
        return self._facts

    def _all_ways(self, library: Library, connection: Connection) -> Ways:
        facts = self._known(library)
        return Ways(library, facts, _clients, self.name, self._sent, connection, self._options, self._path)

    def _reached(self) -> Connection:
        """The connection as the environment completes it."""
        connection = self._connection
        elsewhere = connection.api_base or os.environ.get("OLLAMA_API_BASE")
        if self.provider in ("ollama", "ollama_chat") and not elsewhere and os.environ.get("OLLAMA_HOST"):
            host, port = address()
            connection = replace(connection, api_base=f"http://{host}:{port}")
        if self.provider == "openai" and find_key("openai", connection) is None and not set_in_litellm("openai"):
            connection = replace(connection, api_key="none")  # a server of one's own may want none; the client does
        return connection

    def _priced(self, usage: Usage) -> Usage:
        if self._price is None and self._is_ones_own:
            return usage.priced(FREE)
        tariff = self._facts.tariff if self._facts is not None else None
        return tariff.priced(usage) if self._price is None and tariff is not None else usage.priced(self._price)

    def _failure(self, trouble: Trouble, *, begun: bool = False) -> LLMCallError:
        at, given = self._connection, {**self._connection.extra_headers, **self._options}
        return failure(trouble, self.name, secrets=secrets_in(at.api_key, at.api_base, given), begun=begun)


@dataclass(frozen=True)
class ModelFacts:
    """What is known about a model without asking it.

    litellm: its version. price, context_window (tokens), native_tools: by LiteLLM's map; None where it does not say.
    key: where the key comes from, "api_key=" or an environment variable's name; None when there is none, which is an
    error at the first call if key_needed.
    """

    name: str
    litellm: str
    transport: Transport
    price: Price | None
    context_window: int | None
    native_tools: bool | None
    key: str | None
    key_needed: bool


async def describe(model: LiteLLM) -> ModelFacts:
    """What is known about a model; nothing is sent. Raises ConfigurationError like its first call."""
    library = await loaded()
    facts, connection, key = model._known(library), model._reached(), find_key(model.provider, model._connection)
    if key is None and connection.api_key is None:
        connection = replace(connection, api_key="none")  # to see which path it would take
    return ModelFacts(
        name=model.name,
        litellm=library.version,
        transport=model.transport or model._all_ways(library, connection).transport,
        price=await model.price(),
        context_window=facts.window,
        native_tools=facts.tools,
        key=key,
        key_needed=needs_key(model.provider, model._connection, model._options),
    )


_library: Library | None = None
_loading = threading.Lock()


async def loaded() -> Library:
    """LiteLLM, loaded once a process, in a thread: that takes seconds.

    Raises ConfigurationError when it is not installed, or is a release that cannot work.
    """
    if _library is not None:
        return _library
    return await anyio.to_thread.run_sync(_load, abandon_on_cancel=True)


def _load() -> Library:
    global _library
    with _loading:
        if _library is None:
            version = _checked_version()
            module = sys.modules.get("litellm") or _import()
            module.suppress_debug_info = True  # type: ignore[attr-defined]
            _library = Library(module, version)
        return _library


def _import() -> object:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    collecting = gc.isenabled()
    gc.disable()  # a third of the import's time otherwise
    try:
        return importlib.import_module("litellm")
    finally:
        if collecting:
            gc.enable()
        gc.freeze()  # what it made stays for good: no collection need look at it again, at exit least of all


def _checked_version() -> str:
    try:
        version = importlib.metadata.version("litellm")
    except importlib.metadata.PackageNotFoundError:
        raise ConfigurationError("LiteLLM is not installed; run: pip install litellm") from None
    if version in BROKEN and importlib.util.find_spec("mcp") is None:
        raise ConfigurationError(
            f"LiteLLM {version} fails each call with tools unless mcp is installed; run: pip install 'mcp>=2.2,<3', "
            "or another release of LiteLLM"
        )
    return version


async def _close_clients(_: None) -> None:
    if _library is not None:
        await _library.close_clients()


_clients: PerLoop[None] = PerLoop(lambda: None, _close_clients)
