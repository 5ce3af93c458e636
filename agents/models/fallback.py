"""Another model when one cannot answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import TypeVar

from phalanx.errors import ConfigurationError, NoModelAnswered, ProviderError
from phalanx.messages import Completion, Delta, Price, Request
from phalanx.runtime.run import warn_here

from .attempt import allow_another, open_stream
from .model import Model, Wrapper, close, is_free, native_tools, price

T = TypeVar("T")


class Fallback(Wrapper):
    """Models that are asked in turn until one answers; only a ProviderError moves on to the next.

    Goes by the name of the first; who else answered is in the Completion and, as a warning, among the events. Costs
    what the dearest would, and nothing known as soon as one price is not known. Takes tools natively if all do. Each
    further model is one more call to the limits; when they allow none, the failure before it stands. A stream moves on
    only as long as nothing of it was shown. Raises NoModelAnswered with the failures in order when every model
    failed, ConfigurationError when there is no model to ask.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        if not models:
            raise ConfigurationError("a Fallback needs at least one model")
        super().__init__(models[0])
        self.models = tuple(models)

    @property
    def native_tools(self) -> bool | None:
        known = [native_tools(model) for model in self.models]
        return False if False in known else None if None in known else True

    @property
    def free(self) -> bool:
        return all(is_free(model) for model in self.models)

    async def price(self) -> Price | None:
        prices: list[Price] = []
        for model in self.models:
            if (one := await price(model)) is None:
                return None
            prices.append(one)
        return Price(
            input=max(one.input for one in prices),
            output=max(one.output for one in prices),
            cached_input=max(one.input if one.cached_input is None else one.cached_input for one in prices),
            cache_write=max(one.input if one.cache_write is None else one.cache_write for one in prices),
        )

    async def complete(self, request: Request, /) -> Completion:
        return await self._first(lambda model: model.complete(request))

    async def stream(self, request: Request, /) -> AsyncGenerator[Delta, None]:
        early, pieces = await self._first(lambda model: open_stream(model, request))
        try:
            for delta in early:
                yield delta
            async for delta in pieces:
                yield delta
        finally:
            await close(pieces)

    async def aclose(self) -> None:
        async with AsyncExitStack() as closing:
            for model in self.models:
                closing.push_async_callback(close, model)

    async def _first(self, ask: Callable[[Model], Awaitable[T]]) -> T:
        failures: list[ProviderError] = []
        for model in self.models:
            if failures:
                allow_another(failures[-1])
            try:
                answer = await ask(model)
            except ProviderError as failure:
                failures.append(failure)
                continue
            if failures:
                reasons = "; ".join(str(failure) for failure in failures)
                warn_here(f"{model.name} answered instead of {self.name}: {reasons}")
            return answer
        raise NoModelAnswered(failures)

    def __repr__(self) -> str:
        return f"Fallback({list(self.models)!r})"
