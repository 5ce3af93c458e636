"""One of several models at each turn, drawn by the run's seed: a team of copies that does not think alike."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from phalanx.errors import ConfigurationError
from phalanx.messages import Completion, Delta, Request

from .chance import bits
from .fallback import Fallback
from .model import FREE, Model, check, close, is_free, price, stream


class Drawn(Fallback):
    """Each turn of each member draws one of several models, all alike likely.

    Which one is drawn depends on the run's seed, the question, the member, the stage, the round and the attempt, and
    on nothing that happens, so a run is the same when it is made again; all calls of one turn go to the same model.
    It costs what the dearest would at most, and each call what its own model does. Takes tools natively if all do.
    Heter-MAD: Zhang et al. 2025, arXiv:2502.08788.

    Raises ConfigurationError for fewer than two models.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        if len(models) < 2:
            raise ConfigurationError("drawing a model needs at least two to draw from")
        super().__init__(models)

    @property
    def name(self) -> str:
        return " or ".join(model.name for model in self.models)

    def drawn(self, request: Request) -> Model:
        """The model that answers a `request`."""
        about = request.about
        turn = (about.seed, about.question, about.member, about.stage, about.round, about.attempt)
        return self.models[bits(*turn, "which model") % len(self.models)]

    def check(self) -> None:
        """Raise ConfigurationError when one of the models is known to be unable to answer; asks nobody."""
        for model in self.models:
            check(model)

    async def complete(self, request: Request, /) -> Completion:
        model = self.drawn(request)
        return await _priced(model, await model.complete(request))

    async def stream(self, request: Request, /) -> AsyncGenerator[Delta, None]:
        model = self.drawn(request)
        pieces = stream(model, request)
        try:
            async for delta in pieces:
                whole = delta.completion
                yield delta if whole is None else replace(delta, completion=await _priced(model, whole))
        finally:
            await close(pieces)

    def __repr__(self) -> str:
        return f"Drawn({list(self.models)!r})"


async def _priced(model: Model, completion: Completion) -> Completion:
    """A completion at its own model's price, before anybody takes it for the dearest one's."""
    usage = completion.usage
    if completion.cached or usage.known_cost or usage.unpriced_calls:
        return completion
    return replace(completion, usage=usage.priced(FREE if is_free(model) else await price(model)))
