"""The seam to a model: one call wide. Whatever wraps a model is a model again."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from typing import Protocol, TypeGuard, runtime_checkable

from phalanx.messages import Completion, Delta, Price, Request

FREE = Price(0.0, 0.0)


@runtime_checkable
class Model(Protocol):
    """Anything that answers a request.

    It may also have: `stream(request)`, an async iterator of Delta whose last carries the completion; `price()`, a
    coroutine that gives its Price or None if it is not known; `context_window()`, a coroutine that gives the most
    tokens it reads; `native_tools`, whether it takes tool definitions (None: not known); `free`, whether it is known
    to cost nothing; `check()`, which raises ConfigurationError when it cannot answer, asking nobody; `aclose()`. The
    functions of this file use them where they are there.
    """

    @property
    def name(self) -> str:
        """Provider and model, e.g. "openai/gpt-4o-mini"."""
        ...

    async def complete(self, request: Request, /) -> Completion:
        """Answer. Raises ProviderError, and nothing else, when the model cannot."""
        ...


def is_model(given: object) -> TypeGuard[Model]:
    """Whether something (`given`, not a class) is a Model whose `complete` can be awaited.

    To ask `isinstance` takes ten times as long: it looks up what the protocol holds each time.
    """
    complete = getattr(given, "complete", None)
    return inspect.iscoroutinefunction(complete) and hasattr(given, "name") and not inspect.isclass(given)


async def stream(model: Model, request: Request) -> AsyncIterator[Delta]:
    """A model's answer in pieces; in one piece from a model that does not stream."""
    streaming = getattr(model, "stream", None)
    if streaming is None:
        completion = await model.complete(request)
        yield Delta(text=completion.text, reasoning=completion.reasoning, completion=completion)
        return
    pieces = streaming(request)
    try:
        async for delta in pieces:
            yield delta
    finally:
        await close(pieces)


async def price(model: Model) -> Price | None:
    """What a model costs; None when that is not known."""
    asking = getattr(model, "price", None)
    return None if asking is None else await asking()


def native_tools(model: Model) -> bool | None:
    """Whether a model takes tool definitions; None when that is not known."""
    return getattr(model, "native_tools", None)


def check(model: Model) -> None:
    """Raise ConfigurationError when a model is known to be unable to answer, such as for want of a key; asks nobody."""
    checking = getattr(model, "check", None)
    if checking is not None:
        checking()


def is_free(model: Model) -> bool:
    """Whether a model is known to cost nothing, without asking anybody."""
    return bool(getattr(model, "free", False))


async def context_window(model: Model) -> int | None:
    """The most tokens a model reads; None when that is not known."""
    asking = getattr(model, "context_window", None)
    return None if asking is None else await asking()


async def close(model: object) -> None:
    """Let go of a model's connections, if it has any."""
    closing = getattr(model, "aclose", None)
    if closing is not None:
        done = closing()
        if inspect.isawaitable(done):
            await done


class Wrapper:
    """A model around another: it forwards what it does not change."""

    def __init__(self, model: Model) -> None:
        self.model = model

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def native_tools(self) -> bool | None:
        return native_tools(self.model)

    @property
    def free(self) -> bool:
        return is_free(self.model)

    def check(self) -> None:
        """Raise ConfigurationError when the model inside is known to be unable to answer; asks nobody."""
        check(self.model)

    async def price(self) -> Price | None:
        return await price(self.model)

    async def context_window(self) -> int | None:
        """The most tokens that the model inside reads; None when that is not known."""
        return await context_window(self.model)

    async def complete(self, request: Request, /) -> Completion:
        return await self.model.complete(request)

    async def stream(self, request: Request, /) -> AsyncIterator[Delta]:
        pieces = stream(self.model, request)
        try:
            async for delta in pieces:
                yield delta
        finally:
            await close(pieces)

    async def aclose(self) -> None:
        await close(self.model)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r})"
