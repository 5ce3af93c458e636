"""Models that need no provider: a function, a script. They cost nothing and say so by their name."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

from phalanx.errors import PhalanxError
from phalanx.messages import Completion, Delta, Price, Request, Usage, estimate_request, estimate_tokens

from .model import FREE

Reply = str | Completion | Exception


class FunctionModel:
    """A model that is a function of the request: `function(request)` gives text or a Completion, now or awaited.

    name: what it is called in events and results. Tokens are estimated when the function gives text. An exception
    that it raises is the call's error.
    """

    free = True
    native_tools = True

    def __init__(
        self,
        function: Callable[[Request], str | Completion | Awaitable[str | Completion]],
        *,
        name: str = "offline/function",
    ) -> None:
        self.function, self.name = function, name

    async def complete(self, request: Request, /) -> Completion:
        answer = self.function(request)
        if inspect.isawaitable(answer):
            answer = await answer
        return as_completion(answer, request, self.name)

    async def stream(self, request: Request, /) -> AsyncIterator[Delta]:
        async for delta in in_pieces(await self.complete(request)):
            yield delta

    async def price(self) -> Price:
        return FREE

    def __repr__(self) -> str:
        # Not its repr: that of a bound method shows the object, which may be this one.
        return f"FunctionModel({getattr(self.function, '__qualname__', type(self.function).__name__)})"


class ScriptError(PhalanxError, AssertionError):
    """A script was asked for more than it holds, or was left with replies nobody asked for."""


class ScriptedModel:
    """A model that gives prepared replies in order: text, a Completion, or an exception to raise.

    replies: what it gives. name: what it is called in events and errors.

    An unexpected call raises ScriptError; so does `assert_done()`, and leaving it as a context manager, when replies
    are left over. `requests` holds every request it was sent. Calls that run at the same time get their replies in
    the order in which they arrive: give each member a script of its own.
    """

    free = True
    native_tools = True

    def __init__(self, replies: Iterable[Reply], *, name: str = "offline/scripted") -> None:
        self.replies: Sequence[Reply] = tuple(replies)
        self.name = name
        self.requests: list[Request] = []

    async def complete(self, request: Request, /) -> Completion:
        at = len(self.requests)
        self.requests.append(request)
        if at >= len(self.replies):
            asked = request.messages[-1].content if request.messages else ""
            raise ScriptError(f"{self.name} has {len(self.replies)} replies and was called once more, with {asked!r}")
        reply = self.replies[at]
        if isinstance(reply, Exception):
            raise reply
        return as_completion(reply, request, self.name)

    async def stream(self, request: Request, /) -> AsyncIterator[Delta]:
        async for delta in in_pieces(await self.complete(request)):
            yield delta

    async def price(self) -> Price:
        return FREE

    def assert_done(self) -> None:
        """Raise ScriptError when a reply was never asked for."""
        left = len(self.replies) - len(self.requests)
        if left > 0:
            raise ScriptError(f"{self.name} has {left} of {len(self.replies)} replies left that nobody asked for")

    def __enter__(self) -> ScriptedModel:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self.assert_done()

    def __repr__(self) -> str:
        return f"ScriptedModel({len(self.replies)} replies, {len(self.requests)} calls)"


def as_completion(answer: str | Completion, request: Request, name: str) -> Completion:
    """An offline answer as a completion; the tokens of plain text are estimated."""
    if isinstance(answer, Completion):
        return answer
    if not isinstance(answer, str):
        raise TypeError(f"{name} must give str or Completion, not {type(answer).__name__}")
    usage = Usage(1, estimate_request(request), estimate_tokens(answer), estimated=True)
    return Completion(text=answer, usage=usage, model=name)


def in_pieces(completion: Completion) -> AsyncIterator[Delta]:
    """A whole answer as a stream: a word at a time, then the completion. It may be left at any piece."""
    return _Pieces(completion)


class _Pieces:
    """Not a generator, because one that is left early would have to be closed."""

    def __init__(self, completion: Completion) -> None:
        words = completion.text.split(" ")
        said = [Delta(text=word if at == 0 else f" {word}") for at, word in enumerate(words)]
        self._left = iter((*said, Delta(completion=completion)))

    def __aiter__(self) -> AsyncIterator[Delta]:
        return self

    async def __anext__(self) -> Delta:
        for delta in self._left:
            return delta
        raise StopAsyncIteration
