"""A model with one thing changed: what it costs, how warm it may be, that it answers in pieces."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from weakref import WeakSet

from phalanx.messages import Completion, Delta, Price, Request
from phalanx.runtime.execution import Execution
from phalanx.runtime.run import current_run

from .model import FREE, Model, Wrapper, close, stream

WARMEST = {"anthropic": 1.0, "anthropic_text": 1.0, "bedrock": 1.0, "cohere": 1.0, "cohere_chat": 1.0, "mistral": 1.5}
"""The highest temperature that a provider takes, where that is less than 2; by their API references."""


def warmest(name: str) -> float | None:
    """The highest temperature that a model "provider/name" takes; None where 2 is."""
    provider, _, rest = name.partition("/")
    if provider in ("vertex_ai", "azure_ai") and "claude" in rest:
        return WARMEST["anthropic"]
    return WARMEST.get(provider)


class Clamped(Wrapper):
    """A model that is asked at no more than `most` temperature; a run that wanted more is warned, once."""

    def __init__(self, model: Model, most: float) -> None:
        super().__init__(model)
        self.most = most
        self._warned: WeakSet[Execution] = WeakSet()

    async def complete(self, request: Request, /) -> Completion:
        return await self.model.complete(self._clamped(request))

    async def stream(self, request: Request, /) -> AsyncGenerator[Delta, None]:
        pieces = stream(self.model, self._clamped(request))
        try:
            async for delta in pieces:
                yield delta
        finally:
            await close(pieces)

    def _clamped(self, request: Request) -> Request:
        if request.temperature is None or request.temperature <= self.most:
            return request
        run = current_run()
        if run is not None and run.execution not in self._warned:
            self._warned.add(run.execution)
            run.warn(f"{self.name} takes a temperature of at most {self.most:g}; {request.temperature:g} is too warm")
        return replace(request, temperature=self.most)


class Priced(Wrapper):
    """A model whose price its user knows, in place of what it says itself."""

    def __init__(self, model: Model, price: Price) -> None:
        super().__init__(model)
        self._price = price

    @property
    def free(self) -> bool:
        return self._price == FREE

    async def price(self) -> Price | None:
        return self._price

    async def complete(self, request: Request, /) -> Completion:
        return self._priced(await self.model.complete(request))

    async def stream(self, request: Request, /) -> AsyncGenerator[Delta, None]:
        pieces = stream(self.model, request)
        try:
            async for delta in pieces:
                yield delta if delta.completion is None else replace(delta, completion=self._priced(delta.completion))
        finally:
            await close(pieces)

    def _priced(self, completion: Completion) -> Completion:
        return completion if completion.cached else replace(completion, usage=completion.usage.priced(self._price))


class Streamed(Wrapper):
    """A model that is asked for its answer in pieces, also where nobody watches them come.

    A provider's timeout then holds for each piece instead of the whole answer.
    """

    async def complete(self, request: Request, /) -> Completion:
        completion: Completion | None = None
        pieces = stream(self.model, request)
        try:
            async for delta in pieces:
                completion = delta.completion or completion
        finally:
            await close(pieces)
        if completion is None:
            raise TypeError(f"{self.name}'s stream ended without a completion")
        return completion
