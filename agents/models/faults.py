"""A model that goes wrong on purpose: the failures that real providers have, by chance or by schedule, reproducibly."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import anyio

from phalanx.errors import (
    LLMCallError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    StreamCut,
    ValidationError,
)
from phalanx.messages import About, Completion, Delta, FinishReason, Request, estimate_tokens
from phalanx.settings import DEFAULT_MAX_TOKENS

from .chance import Part, dice, uniform
from .model import Model, Wrapper, close, price, stream
from .offline import in_pieces


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that goes wrong. probability: of each call. calls: which calls of the model (1 is the first)."""

    kind: ClassVar[str] = "fault"
    probability: float = 0.0
    calls: Collection[int] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValidationError(f"probability must be from 0 to 1, not {self.probability!r}")
        if not self.probability and not self.calls:
            raise ValidationError(f"{type(self).__name__} never happens: give probability=… or calls=(1, …)")
        if any(number < 1 for number in self.calls):
            raise ValidationError(f"calls are counted from 1, so {tuple(self.calls)!r} names one that never comes")

    async def refuse(self, model: str) -> None:
        """Raise instead of calling the model, or come back to let it be called."""

    def spoil(self, completion: Completion, request: Request) -> Completion:  # noqa: ARG002 - for those who need it
        """What becomes of a good answer (`completion`) to `request`."""
        return completion


@dataclass(frozen=True, kw_only=True)
class RateLimit(Fault):
    """429, as RateLimited. retry_after: the seconds that the provider asks to wait (None: it does not say)."""

    retry_after: float | None = 1.0

    async def refuse(self, model: str) -> None:
        raise RateLimited("too many requests", model=model, status_code=429, retry_after=self.retry_after)


@dataclass(frozen=True, kw_only=True)
class ServerError(Fault):
    """A failure on the provider's side, as ProviderUnavailable. status: from 500 to 599."""

    status: int = 503

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 500 <= self.status <= 599:
            raise ValidationError(f"status must be from 500 to 599, not {self.status!r}")

    async def refuse(self, model: str) -> None:
        raise ProviderUnavailable("the provider failed", model=model, status_code=self.status)


@dataclass(frozen=True, kw_only=True)
class Timeout(Fault):
    """No answer within `seconds`, which pass before it fails with ProviderTimeout."""

    seconds: float = 0.0

    async def refuse(self, model: str) -> None:
        await anyio.sleep(self.seconds)
        raise ProviderTimeout(f"no answer within {self.seconds:g} s", model=model)


@dataclass(frozen=True, kw_only=True)
class Hang(Fault):
    """No answer ever: the call ends when it is cancelled."""

    async def refuse(self, model: str) -> None:  # noqa: ARG002 - it never comes to naming the model
        await anyio.sleep_forever()


@dataclass(frozen=True, kw_only=True)
class CutStream(Fault):
    """The connection breaks in the middle of the answer; a call that is not streamed fails as a whole.

    after: the share of the answer, 0 to 1, that comes before. It ends with StreamCut.
    """

    after: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.after <= 1:
            raise ValidationError(f"after must be a share from 0 to 1, not {self.after!r}")


@dataclass(frozen=True, kw_only=True)
class MalformedJSON(Fault):
    """JSON that ends in the middle: the answer's own, or one around it; tool calls arrive without their arguments."""

    def spoil(self, completion: Completion, request: Request) -> Completion:  # noqa: ARG002
        calls = tuple(
            call.model_copy(update={"parameters": {}, "arguments_error": "the arguments are not JSON: they break off"})
            for call in completion.tool_calls
        )
        text = completion.text
        if text.lstrip().startswith(("{", "[")):
            text = text[: max(1, len(text) * 2 // 3)].rstrip("}] \n")
        elif not calls:
            text = '{"answer": "' + text.replace('"', "'")
        return replace(_retold(completion, text), tool_calls=calls)


@dataclass(frozen=True, kw_only=True)
class EmptyAnswer(Fault):
    """An answer without any text."""

    def spoil(self, completion: Completion, request: Request) -> Completion:  # noqa: ARG002
        return _retold(completion, "")


@dataclass(frozen=True, kw_only=True)
class Garbage(Fault):
    """Characters without sense: control characters, other scripts, invisible ones, broken markup."""

    characters: int = 400

    def spoil(self, completion: Completion, request: Request) -> Completion:  # noqa: ARG002
        chance = dice("garbage", completion.text)
        return _retold(completion, "".join(chance.choice(_ODD) for _ in range(self.characters)))


@dataclass(frozen=True, kw_only=True)
class HugeAnswer(Fault):
    """An answer of very many tokens, whatever was allowed."""

    tokens: int = 200_000

    def spoil(self, completion: Completion, request: Request) -> Completion:  # noqa: ARG002
        return _retold(completion, _repeated(completion.text or "word", self.tokens))


@dataclass(frozen=True, kw_only=True)
class Repetition(Fault):
    """The same line over and over, up to the most tokens allowed."""

    line: str = "Let me think about this once more."

    def spoil(self, completion: Completion, request: Request) -> Completion:
        most = DEFAULT_MAX_TOKENS if request.max_tokens is None else request.max_tokens
        return _retold(completion, _repeated(self.line, most), finish="length")


class Faulty(Wrapper):
    """A model with faults; of several that are due for one call, the first in the list happens.

    A fault with a probability is drawn by `seed`, the fault's place in the list, who asks for what (`request.about`)
    and how often that has been asked before: retries get draws of their own, and no draw depends on the order in
    which members run. `calls` counts this object's calls as they arrive, so give each member an object of its own
    where several run at the same time. `happened` holds what went wrong so far, as (number of the call, fault).
    """

    def __init__(self, model: Model, faults: Sequence[Fault], *, seed: int = 0) -> None:
        super().__init__(model)
        self.faults, self.seed = tuple(faults), seed
        self.happened: list[tuple[int, Fault]] = []
        self._count = 0
        self._asked: Counter[About] = Counter()

    async def complete(self, request: Request, /) -> Completion:
        fault = self._next(request)
        if fault is None:
            return await self.model.complete(request)
        await fault.refuse(self.name)
        completion = await self.model.complete(request)
        if isinstance(fault, CutStream):
            raise self._cut()
        return await self._priced(fault.spoil(completion, request), completion)

    async def stream(self, request: Request, /) -> AsyncIterator[Delta]:
        fault = self._next(request)
        if fault is None:
            pieces = stream(self.model, request)
            try:
                async for delta in pieces:
                    yield delta
            finally:
                await close(pieces)
            return
        await fault.refuse(self.name)
        completion = await self.model.complete(request)
        if isinstance(fault, CutStream):
            left = int(len(completion.text) * fault.after)
            async for delta in in_pieces(replace(completion, text=completion.text[:left])):
                if delta.completion is None:
                    yield delta
            raise self._cut()
        async for delta in in_pieces(await self._priced(fault.spoil(completion, request), completion)):
            yield delta

    def _next(self, request: Request) -> Fault | None:
        self._count += 1
        about = request.about
        times = self._asked[about] = self._asked[about] + 1
        who: tuple[Part, ...] = (
            *about.path, about.member, about.stage, about.round, about.attempt, about.question, about.seed, times,
        )  # fmt: skip
        for place, fault in enumerate(self.faults):
            if self._count in fault.calls or uniform(self.seed, place, *who) < fault.probability:
                self.happened.append((self._count, fault))
                return fault
        return None

    def _cut(self) -> LLMCallError:
        return StreamCut("the connection broke in the middle of the answer", model=self.name)

    async def _priced(self, spoiled: Completion, completion: Completion) -> Completion:
        """A spoiled answer costs what its own length costs."""
        if spoiled.usage.output_tokens == completion.usage.output_tokens:
            return spoiled
        return replace(spoiled, usage=spoiled.usage.priced(await price(self.model)))


_ODD = [*"\x01\x07\x1b\x7f\u200b\u200f\u202e\ufeff\ufffd", *"{}[]<>\\\"'`$%&|;", *"жßعあ漢🙂é", " ", "\n", "\t"]


def _repeated(line: str, tokens: int) -> str:
    """A line repeated to this many tokens, by the estimate that counts offline tokens."""
    piece = line + "\n"
    size = len(piece.encode("utf-8", "replace"))
    return (piece * (3 * tokens // size + 1)).encode("utf-8", "replace")[: 3 * tokens].decode("utf-8", "ignore")


def _retold(completion: Completion, text: str, *, finish: FinishReason | None = None) -> Completion:
    usage = replace(completion.usage, output_tokens=estimate_tokens(text), estimated=True)
    return replace(completion, text=text, usage=usage, finish_reason=finish or completion.finish_reason)
