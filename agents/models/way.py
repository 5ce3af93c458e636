"""How a model's requests go: worked out once for each kind of request, then only the messages differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from phalanx.errors import ConfigurationError, InvalidRequest
from phalanx.messages import OutputSpec, Request, ToolSpec
from phalanx.runtime.run import warn_here
from phalanx.settings import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE

from .classify import provider_words
from .connection import Connection
from .direct import Direct, NotDirect, Sending
from .general import General
from .library import Facts, Library
from .loops import PerLoop
from .mapping import JsonObject, parameters_of
from .options import Path, check_options
from .trial import Changed

# What Phalanx asks for when nobody said anything: left out, with a word, for a model that does not take it.
_DEFAULTS: Mapping[str, object] = {"temperature": DEFAULT_TEMPERATURE, "max_tokens": DEFAULT_MAX_TOKENS}
_MOST_KINDS = 64


@dataclass(frozen=True)
class Transport:
    """Which path a model's requests take, and why."""

    path: Literal["direct", "general"]
    reason: str

    def __str__(self) -> str:
        return f"{self.path} ({self.reason})"


@dataclass(frozen=True, slots=True)
class Way:
    """A kind of request: what goes with its messages, and by which path; `sending` is None on the general one."""

    parameters: JsonObject
    transport: Transport
    sending: Sending | None = None


@dataclass(frozen=True, slots=True)
class _Kind:
    tools: tuple[ToolSpec, ...]
    output: OutputSpec | None
    options: Mapping[str, object]
    way: Way
    notes: tuple[str, ...] = ()  # what to warn of, also where this was worked out for another model that is alike


class Ways:
    """The ways to one model.

    name: as our users call it; sent: as LiteLLM does. options: those of the provider. path: "auto", or which one to
    insist on. clients: LiteLLM's connections. Raises ConfigurationError when it must be direct and cannot.
    """

    def __init__(
        self,
        library: Library,
        facts: Facts,
        clients: PerLoop[None],
        name: str,
        sent: str,
        connection: Connection,
        options: Mapping[str, object],
        path: Path,
    ) -> None:
        self.library, self.name, self._options, self._path = library, name, options, path
        self._facts, self.model, self.provider = facts, facts.model, facts.provider
        library.hush(self.provider, self.model)
        self._sent, self._connection, self._clients = sent, connection, clients
        self._general: General | None = None
        self._said: set[str] = set()
        self._notes: list[str] = []
        self.direct, self.transport = self._choose(connection)
        self._kinds = self._shared()

    @property
    def general(self) -> General:
        """The general path, made when it is first needed."""
        if self._general is None:
            call, given = self.library.module.acompletion, _call(self._sent, self._connection)
            self._general = General(call, given, self._connection.timeout, self._clients)
        return self._general

    async def aclose(self) -> None:
        """Need this loop's connections no more."""
        for path in (self._general, self.direct):
            if path is not None:
                await path.aclose()

    def of(self, request: Request, *, stream: bool) -> Way:
        """The way of a request. Raises InvalidRequest when the model does not take what it asks for."""
        key = (
            stream, request.temperature, request.max_tokens, request.top_p, request.stop, request.seed,
            request.tool_choice, tuple([tool.name for tool in request.tools]),
        )  # fmt: skip
        kind = self._kinds.get(key)
        if (
            kind is None
            or kind.tools != request.tools
            or kind.output != request.output
            or kind.options != request.options
        ):
            self._notes = []
            way, notes = self._work_out(request, stream), tuple(self._notes)
            if len(self._kinds) >= _MOST_KINDS:
                self._kinds.clear()
            kind = self._kinds[key] = _Kind(request.tools, request.output, request.options, way, notes)
        elif kind.notes:
            for text in kind.notes:
                self.say(text)
        way = kind.way
        if way.sending is not None and self._path == "auto" and (reason := self.library.heard()) is not None:
            return Way(way.parameters, Transport("general", reason))
        return way

    def _shared(self) -> dict[tuple[object, ...], _Kind]:
        """The kinds of requests worked out so far, shared by all direct models that are alike."""
        if self.direct is None:
            return {}
        options = json.dumps(self._options, sort_keys=True, default=repr)
        alike = (self.name, self._path, str(self._connection.ssl_verify), options, self.direct.mapper.alike())
        kinds: dict[tuple[object, ...], _Kind] = self.library.shared(alike)
        return kinds

    def say(self, text: str) -> None:
        """Warn in the step around the caller, once."""
        if text not in self._notes:
            self._notes.append(text)
        if text not in self._said:
            self._said.add(text)
            warn_here(text)

    def give_up(self, problem: str) -> Transport:
        """The general path for a request that cannot be mapped; said once. Raises when it must be direct."""
        return self._not_direct(problem, unexpected=True)

    def _choose(self, connection: Connection) -> tuple[Direct | None, Transport]:
        if self._path == "general":
            return None, Transport("general", "path='general' is given")
        try:
            direct = self.library.direct(self._facts, connection, self._options)
        except NotDirect as reason:
            return None, self._not_direct(str(reason))
        except Changed as change:
            return None, self._not_direct(str(change), unexpected=True)
        return direct, Transport("direct", f"LiteLLM {self.library.version} maps, one session carries")

    def _not_direct(self, reason: str, *, unexpected: bool = False) -> Transport:
        if self._path == "direct":
            raise ConfigurationError(f"path='direct' is not possible for {self.name}: {reason}")
        if unexpected:
            reason = f"LiteLLM {self.library.version} does not map as expected: {reason}"
            self.say(f"{self.name} is asked through LiteLLM's own call, which is slower: {reason}")
        return Transport("general", reason)

    def _work_out(self, request: Request, stream: bool) -> Way:
        given = self._taken(self._given(request))
        if stream:
            usage: JsonObject = {"stream_options": {"include_usage": True}}
            given |= {} if self.library.refused(self.provider, self.model, usage) else usage
        way = self._direct_way(given, stream)
        if way.sending is None and self._connection.ssl_verify is not None:
            self.say(
                "ssl_verify= is given to LiteLLM's own call, which does not heed it for every provider; "
                "SSL_CERT_FILE in the environment is heeded for all"
            )
        return way

    def _direct_way(self, given: JsonObject, stream: bool) -> Way:
        if self.direct is None:
            return Way(given, self.transport)
        if control := next((name for name in given if name in self.library.controls()), None):
            return Way(given, self._not_direct(f"{control!r} is an option of LiteLLM's own calls"))
        try:
            return Way(given, self.transport, self.direct.prepare(given, stream=stream))
        except NotDirect as reason:
            return Way(given, self._not_direct(str(reason)))
        except Exception as problem:  # noqa: BLE001 - a changed library may raise anything
            return Way(given, self._not_direct(f"{type(problem).__name__}: {problem}", unexpected=True))

    def _given(self, request: Request) -> JsonObject:
        check_options(request.options)
        schema = request.output is not None and self.library.takes_schema(self.provider, self.model)
        given = parameters_of(request, model=self.name, output=schema) | dict(self._options) | dict(request.options)
        if self.provider == "ollama_chat" and given.get("tool_choice") == "none":
            for name in ("tools", "tool_choice"):  # it knows no tool_choice; without tools none can be called
                given.pop(name)
        return given

    def _taken(self, given: JsonObject) -> JsonObject:
        """What of it the model takes. Raises InvalidRequest for the rest, unless it is only our default."""
        library, provider, model = self.library, self.provider, self.model
        controls = library.controls()
        while refused := library.refused(provider, model, {k: v for k, v in given.items() if k not in controls}):
            for name, reason in refused.items():
                if name == "response_format":
                    pass  # the prompt holds the schema too
                elif name in given and given[name] == _DEFAULTS.get(name):
                    self.say(f"{self.name} does not take {name}={given[name]!r}, the default; it is left out")
                else:
                    value = f"={given[name]!r}" if name in given and name not in ("tools", "functions") else ""
                    raise InvalidRequest(f"it does not take {name}{value}: {provider_words(reason)}", model=self.name)
                del given[name]
        mappable = {name: value for name, value in given.items() if name not in controls}
        for name in library.ignored(provider, model, mappable, ("seed", "stop", "top_p", "tool_choice")):
            if given[name] != "auto":
                self.say(f"{self.name} has no {name}: {name}={given[name]!r} has no effect")
        return given


def _call(sent: str, connection: Connection) -> JsonObject:
    """What each of LiteLLM's own calls is given. Its defaults are 6000 s and three requests a call."""
    given: dict[str, Any] = {
        "model": sent,
        "api_base": connection.api_base,
        "api_key": connection.api_key,
        "api_version": connection.api_version,
        "organization": connection.organization,
        "extra_headers": dict(connection.extra_headers) or None,
        "ssl_verify": connection.ssl_verify,
    }
    known = {name: value for name, value in given.items() if value is not None}
    return known | {"timeout": connection.timeout, "max_retries": 0, "num_retries": 0}
