"""Answers kept for the next time the same is asked."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import AsyncGenerator
from dataclasses import replace

import anyio
import pydantic_core
from anyio.lowlevel import current_token

from phalanx.errors import ConfigurationError, ValidationError
from phalanx.messages import Completion, Delta, Request, Usage

from .model import Model, Wrapper, close, stream

MAX_ENTRIES = 1024


class Answers:
    """Completions by key, in memory: the least recently used goes when there are more than `max_entries`.

    ttl: seconds for which an answer is good; None is for ever. Raises ConfigurationError for numbers not above 0.
    """

    def __init__(self, max_entries: int = MAX_ENTRIES, ttl: float | None = None) -> None:
        if max_entries < 1 or (ttl is not None and not ttl > 0):
            raise ConfigurationError(f"a cache needs max_entries >= 1 and ttl > 0, not {max_entries!r} and {ttl!r}")
        self.max_entries, self.ttl = max_entries, ttl
        self._kept: OrderedDict[str, tuple[float, Completion]] = OrderedDict()

    def get(self, key: str) -> Completion | None:
        """What was kept under a key, if it is there and still good."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        stored, completion = kept
        if self.ttl is not None and not 0 <= anyio.current_time() - stored < self.ttl:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return completion

    def put(self, key: str, completion: Completion) -> None:
        """Keep a completion."""
        self._kept[key] = (anyio.current_time() if self.ttl is not None else 0.0, completion)
        self._kept.move_to_end(key)
        while len(self._kept) > self.max_entries:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)


class Cached(Wrapper):
    """A model that is asked only once for the same thing.

    The same: model, messages, tools, output shape, sampling and options are equal; who asks does not matter. An
    answer from the cache says `cached` and has used nothing. Errors are not kept. Equal requests at the same time
    make one call and the others wait for its answer; when the one who asks fails or is cancelled, the next in line
    asks. Only streams that run at the same time ask each for themselves, because one that is not read on would hold
    up all others.

    Asking a model twice at a temperature is asking for two samples, and a vote among copies is no vote. So requests
    go past the cache, and count as `skipped`, unless their temperature is 0 or they name a seed; a temperature that
    is not given is the provider's, and counts as above 0. `any_temperature=True` keeps all answers.

    store: the answers, to share among models whose names tell them apart; its own ttl and max_entries hold. Raises
    ConfigurationError when they are given twice; a call raises ValidationError when an option is not JSON, so that
    requests cannot be compared.
    """

    def __init__(
        self,
        model: Model,
        store: Answers | None = None,
        ttl: float | None = None,
        max_entries: int | None = None,
        *,
        any_temperature: bool = False,
    ) -> None:
        super().__init__(model)
        if store is not None and (ttl is not None or max_entries is not None):
            raise ConfigurationError("give ttl and max_entries to the store itself, or leave the store out")
        self.store = Answers(MAX_ENTRIES if max_entries is None else max_entries, ttl) if store is None else store
        self.any_temperature = any_temperature
        self.hits = self.misses = self.skipped = 0
        # By event loop too: one loop cannot wait for what happens in another.
        self._asking: dict[tuple[object, str], _Asking] = {}

    async def complete(self, request: Request, /) -> Completion:
        if not self._is_repeatable(request):
            self.skipped += 1
            return await self.model.complete(request)
        key = request_key(self.name, request)
        if (known := await self._known(key)) is not None:
            return known
        here = current_token().native_token, key
        asking = self._asking[here] = _Asking()
        try:
            self.misses += 1
            asking.answer = await self.model.complete(request)
            self.store.put(key, asking.answer)
            return asking.answer
        finally:
            del self._asking[here]
            asking.ended.set()

    async def stream(self, request: Request, /) -> AsyncGenerator[Delta, None]:
        key = request_key(self.name, request) if self._is_repeatable(request) else None
        if key is None:
            self.skipped += 1
        elif (known := await self._known(key)) is not None:
            yield Delta(text=known.text, reasoning=known.reasoning, completion=known)
            return
        else:
            self.misses += 1
        pieces = stream(self.model, request)
        try:
            async for delta in pieces:
                if key is not None and delta.completion is not None:
                    self.store.put(key, delta.completion)
                yield delta
        finally:
            await close(pieces)

    def _is_repeatable(self, request: Request) -> bool:
        return self.any_temperature or request.temperature == 0 or request.seed is not None

    async def _known(self, key: str) -> Completion | None:
        """The answer that is kept, or that somebody is getting just now; None when it is the caller's turn to ask."""
        kept = self.store.get(key)
        here = current_token().native_token, key
        while kept is None and (asking := self._asking.get(here)) is not None:
            await asking.ended.wait()
            kept = asking.answer or self.store.get(key)
        if kept is None:
            return None
        self.hits += 1
        return replace(kept, cached=True, usage=Usage())


class _Asking:
    """A call under way, and its answer once there is one."""

    __slots__ = ("answer", "ended")

    def __init__(self) -> None:
        self.ended = anyio.Event()
        self.answer: Completion | None = None


def request_key(model: str, request: Request) -> str:
    """A hash of what a model is asked: all of a request but `about`.

    The order of options is no matter; that of a schema's properties is, since models answer in it.
    Raises ValidationError when an option is not JSON.
    """
    said = {
        "model": model,
        "messages": request.messages,
        "tools": request.tools,
        "tool_choice": request.tool_choice,
        "output": request.output,
        "sampling": (request.temperature, request.max_tokens, request.top_p, request.stop, request.seed),
    }
    try:
        options = json.dumps(pydantic_core.to_jsonable_python(dict(request.options)), sort_keys=True)
        text = json.dumps([pydantic_core.to_jsonable_python(said), options])
    except (TypeError, ValueError) as problem:
        raise ValidationError(
            f"requests with these options cannot be told apart, so not cached: {problem}"
        ) from problem
    return hashlib.sha256(text.encode()).hexdigest()
