"""Somebody's client object, provider class or function behind the Model seam."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Any

import anyio.to_thread

from phalanx.errors import (
    ConfigurationError,
    InvalidRequest,
    LLMCallError,
    PhalanxError,
    ProviderTimeout,
    ProviderUnavailable,
)
from phalanx.messages import Completion, Delta, Request
from phalanx.settings import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE

from .classify import classify, retry_after
from .foreign import read, text_in, used
from .mapping import messages_of, parameters_of
from .model import Model, close, is_model
from .provider import BaseProvider
from .retry import Retrying

METHODS = (("chat", "stream_chat"), ("call", "call_stream"))
"""The methods that answer whole and in pieces. `chat` is given mappings, `call` Message objects."""

DEFAULTS = {"temperature": DEFAULT_TEMPERATURE, "max_tokens": DEFAULT_MAX_TOKENS}
"""What a request holds when nobody asked for it, so that a client that has no such argument may go without."""

TEXTS = frozenset({"prompt", "query", "text", "message", "question", "user_input"})
"""Names of a first argument that is one text, where it has no type."""


def adapt(given: object) -> Model:
    """A Model from an object: a Model, something that has one (`as_model()`), a client with `chat` or `call`, the
    class of one, or a function of the messages. What is no Model by itself is asked again as RetryConfig() says.

    Raises ConfigurationError when it is none of them.
    """
    if inspect.isclass(given):
        return adapt(made(given, given.__name__))
    if is_model(given):
        return given
    if callable(having := getattr(given, "as_model", None)):
        return adapt(having())
    for whole, pieces in METHODS:
        ask, talk = getattr(given, whole, None), getattr(given, pieces, None)
        if callable(ask):
            asking = Method(ask, as_objects=whole == "call")
            if not callable(talk) or getattr(talk, "__func__", None) is BaseProvider.stream_chat:
                return Retrying(Adapted(given, asking))
            return Retrying(_Talking(given, asking, Method(talk, as_objects=whole == "call")))
    if callable(given):
        return Retrying(Adapted(given, Method(given)))
    raise ConfigurationError(
        f"{type(given).__name__} is no model: it needs complete(request), chat(messages) or call(messages), "
        "or must be a function of the messages"
    )


def made(make: Callable[..., object], name: str, **options: Any) -> object:
    """What a class or function makes with these options. Raises ConfigurationError for one that it does not take."""
    try:
        inspect.signature(make).bind(**options)
    except TypeError as problem:
        told = ", ".join(f"{option}=…" for option in options)
        raise ConfigurationError(f"provider {name!r} cannot be made by {name}({told}): {problem}") from None
    except ValueError:
        pass
    return make(**options)


class Method:
    """A client's method: what it takes, so that nothing is sent that it has no argument for."""

    def __init__(self, function: Callable[..., Any], *, as_objects: bool = False) -> None:
        self.function, self.as_objects = function, as_objects
        self.name = getattr(function, "__name__", type(function).__name__)
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):  # some functions written in C do not say what they take
            parameters = []
        places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        first = next((each for each in parameters if each.kind in places), None)
        self.wants_text = first is not None and _is_text(first)
        self.takes_all = any(each.kind is each.VAR_KEYWORD for each in parameters)
        self._takes = {each.name for each in parameters if each is not first}

    def takes(self, option: str) -> bool:
        """Whether it has an argument of this name."""
        return self.takes_all or option in self._takes

    def call(self, request: Request, model: str) -> Any:
        """Call it, in a thread unless it is async; what it gives has to be awaited.

        Raises InvalidRequest for a setting that it has no argument for.
        """
        from phalanx.agents.tools.tool import call_maybe_async

        return call_maybe_async(self.function, self.said(request), **self.options(request, model))

    def said(self, request: Request) -> object:
        """The conversation, as it wants it."""
        if self.wants_text:
            return _as_text(request)
        return list(request.messages) if self.as_objects else messages_of(request)

    def options(self, request: Request, model: str) -> dict[str, Any]:
        """The settings of a request that it takes. Raises InvalidRequest for one that was given and it does not."""
        given = parameters_of(request, model=model, output=False) | dict(request.options)
        for option, value in given.items():
            if not self.takes(option) and DEFAULTS.get(option) != value:
                raise InvalidRequest(
                    f"{self.name}() takes no {option}, and it was set to {value!r}: leave it out, or give "
                    f"{self.name}() an argument of this name",
                    model=model,
                )
        return {option: value for option, value in given.items() if self.takes(option)}


class Adapted:
    """A client or function as a Model. Its failures are LLMCallErrors; those it may recover from are transient."""

    def __init__(self, given: object, ask: Method) -> None:
        own = getattr(given, "name", None)
        self.name = own if isinstance(own, str) and own else f"custom/{type(given).__name__}"
        self._given, self._ask = given, ask
        supports = getattr(given, "supports_tools", False)
        self.native_tools = bool(supports() if callable(supports) else supports) and ask.takes("tools")

    async def complete(self, request: Request, /) -> Completion:
        try:
            answer = await self._ask.call(request, self.name)
        except PhalanxError:
            raise
        except Exception as failure:
            raise failure_of(failure, self.name) from failure
        return read(answer, request, self.name)

    async def aclose(self) -> None:
        await close(self._given)

    def __repr__(self) -> str:
        return f"Adapted({self._given!r})"


class _Talking(Adapted):
    """One that streams too. What it says with tools comes whole, because pieces of text hold no tool calls."""

    def __init__(self, given: object, ask: Method, talk: Method) -> None:
        super().__init__(given, ask)
        self._talk = talk

    async def stream(self, request: Request, /) -> AsyncGenerator[Delta, None]:
        if request.tools:
            completion = await self.complete(request)
            yield Delta(text=completion.text, reasoning=completion.reasoning, completion=completion)
            return
        said, last = list[str](), object()
        try:
            pieces = _each(await self._open(request))
            try:
                async for last in pieces:
                    if text := text_in(last):
                        said.append(text)
                        yield Delta(text=text)
            finally:
                await close(pieces)
        except PhalanxError:
            raise
        except Exception as failure:
            raise failure_of(failure, self.name) from failure
        whole = "".join(said)
        yield Delta(completion=Completion(text=whole, usage=used(last, request, whole), model=self.name))

    async def _open(self, request: Request) -> object:
        function = self._talk.function
        if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
            return function(self._talk.said(request), **self._talk.options(request, self.name))
        return await self._talk.call(request, self.name)


def failure_of(failure: Exception, name: str) -> LLMCallError:
    """A client's own exception as ours: by its HTTP status if it has one, else by what Python calls it."""
    status = getattr(failure, "status_code", None)
    if isinstance(status, int):
        headers = getattr(getattr(failure, "response", None), "headers", None) or {}
        headers = {str(key).lower(): str(value) for key, value in dict(headers).items()}
        kind = classify(status, headers, str(failure))
        return kind(failure, model=name, status_code=status, retry_after=retry_after(headers, str(failure)))
    if isinstance(failure, TimeoutError):
        return ProviderTimeout(failure, model=name)
    return (ProviderUnavailable if isinstance(failure, ConnectionError) else LLMCallError)(failure, model=name)


def _is_text(first: inspect.Parameter) -> bool:
    if first.annotation is first.empty:
        return first.name in TEXTS
    return first.annotation in (str, "str")


def _as_text(request: Request) -> str:
    """A conversation as one text: the instructions, then what was said; by whom, once there is more than one turn."""
    system = [each.content for each in request.messages if each.role == "system"]
    turns = [each for each in request.messages if each.role != "system"]
    if len(turns) == 1:
        return "\n\n".join([*system, turns[0].content])
    return "\n\n".join([*system, *(f"{each.role.capitalize()}: {each.content}" for each in turns)])


async def _each(pieces: object) -> AsyncGenerator[object, None]:
    """The pieces of an answer, from an async iterator, or from a plain one that is read in a thread."""
    if isinstance(pieces, AsyncIterator):
        try:
            async for piece in pieces:
                yield piece
        finally:
            await close(pieces)
    elif isinstance(pieces, Iterator):
        try:
            while (piece := await anyio.to_thread.run_sync(next, pieces, _END, abandon_on_cancel=True)) is not _END:
                yield piece
        finally:
            if not getattr(pieces, "gi_running", False):  # left in mid-piece, it ends by itself
                getattr(pieces, "close", lambda: None)()
    elif isinstance(pieces, list | tuple):
        for piece in pieces:
            yield piece
    else:
        raise TypeError(f"it gave {type(pieces).__name__}, not pieces of an answer")


_END = object()
