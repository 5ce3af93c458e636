"""Calls to one provider, kept within what it allows: at the same time, a minute, and after it said "too many".

All models of a provider share one governor in an event loop, so a whole team slows down together instead of being
refused one by one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator

import anyio
from anyio.lowlevel import RunVar, current_token

from phalanx.errors import CircuitOpen, ConfigurationError, ProviderTimeout, RateLimited, StreamCut
from phalanx.messages import Completion, Delta, Request, estimate_request
from phalanx.runtime.run import waiting, warn_here

from .bucket import Bucket
from .model import Model, Wrapper, close, stream
from .options import shown
from .window import Window


class Governor:
    """What a provider allows, and who waits for it, first come first served.

    concurrency: calls at the same time. requests_per_minute, tokens_per_minute: token buckets that hold a minute's
    worth, as providers' own do; a request takes its estimated input and its `max_tokens` (nothing when it has none)
    and is settled to what it really used. None is no limit. max_wait: how long a Retry-After is waited out, in
    seconds; after a longer one calls raise CircuitOpen until it has passed.

    After a 429, all calls wait as long as it asks, and fewer are made at the same time, see `Window`.

    One governor serves one event loop at a time. Raises ConfigurationError for a limit that is not above 0, and
    when a second loop comes in while calls of the first are under way.
    """

    def __init__(
        self,
        name: str = "the provider",
        *,
        concurrency: int | None = None,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        max_wait: float = 60.0,
    ) -> None:
        self.name, self.max_wait = name, max_wait
        self.concurrency: int | None = None
        self.requests: Bucket | None = None
        self.tokens: Bucket | None = None
        self.in_flight = 0
        self.window = Window()
        self._blocked_until: float | None = None
        self._queue: deque[_Place] = deque()
        self._loop: object = None
        self._is_free = True
        self.limit(concurrency, requests_per_minute, tokens_per_minute)

    def limit(
        self,
        concurrency: int | None = None,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
    ) -> None:
        """Set limits that were not set yet. Raises ConfigurationError for one that is set to something else."""
        for what, new, old in (
            ("concurrency", concurrency, self.concurrency),
            ("requests_per_minute", requests_per_minute, self.requests and self.requests.per_minute),
            ("tokens_per_minute", tokens_per_minute, self.tokens and self.tokens.per_minute),
        ):
            if new is not None and not new > 0:
                raise ConfigurationError(f"{what} of {self.name} must be above 0, not {new!r}")
            if new is not None and old is not None and new != old:
                raise ConfigurationError(
                    f"{what} of {self.name} is {old:g} already; all its models share it, not {new:g}"
                )
        if concurrency is not None:
            self.concurrency = concurrency
        if requests_per_minute is not None and self.requests is None:
            self.requests = Bucket(requests_per_minute)
        if tokens_per_minute is not None and self.tokens is None:
            self.tokens = Bucket(tokens_per_minute)
        self._is_free = self.concurrency is None and self.requests is None and self.tokens is None

    def need(self, request: Request) -> int:
        """The tokens that a request must wait for; 0 when tokens are not limited."""
        return 0 if self.tokens is None else estimate_request(request) + (request.max_tokens or 0)

    def admit(self, need: int) -> bool:
        """Let a call begin now if nothing keeps it and nobody waits; whether it may. It must `leave` then."""
        if self._is_free and self.window.cap is None and self._blocked_until is None:
            self.in_flight += 1
            return True
        self._settle_in()
        if self._queue or self._delay(need) != 0.0:
            return False
        self._take(need)
        return True

    async def wait(self, need: int) -> None:
        """Wait until a call may begin, and begin it; it must `leave` then. Cancelled, it took nothing.

        Raises CircuitOpen when the provider asked to wait for longer than `max_wait`.
        """
        place = _Place()
        self._queue.append(place)
        try:
            while True:
                delay = self._delay(need) if self._queue[0] is place else None
                if delay == 0.0:
                    return self._take(need)
                place.called = anyio.Event()
                with anyio.move_on_after(delay):
                    await place.called.wait()
        finally:
            self._queue.remove(place)
            self._call_next()

    def leave(self, need: int, cuts: int, failure: BaseException | None, tokens: int | None) -> None:
        """A call ended. need, cuts: its need and `window.cuts` when it began. tokens: what it used, None: not known."""
        now = 0.0 if self._is_free and failure is None else anyio.current_time()
        if isinstance(failure, RateLimited):
            self._refused(failure, cuts, now)
        elif failure is None:
            self.window.succeeded(cuts)
        self.in_flight -= 1
        if self.tokens is not None:
            if tokens is None:
                tokens = need if _may_be_paid(failure) else 0
            self.tokens.take(now, tokens - need)
        if self.requests is not None and isinstance(failure, CircuitOpen):
            self.requests.take(now, -1)
        if self._queue:
            self._call_next()

    def _refused(self, failure: RateLimited, cuts: int, now: float) -> None:
        asked = failure.retry_after or 0.0
        if asked > 0:
            self._blocked_until = max(self._blocked_until or now, now + asked)
        if self.window.refused(cuts, self.in_flight):
            pause = f"its calls wait {asked:g} s, then " if asked else ""
            warn_here(f"{self.name} refuses calls (429): {pause}at most {self.window.cap} at the same time")

    def _delay(self, need: int) -> float | None:
        """Seconds until a call may begin; None until another one ends."""
        now = anyio.current_time()
        if self._blocked_until is not None:
            left = self._blocked_until - now
            if left > self.max_wait:
                raise CircuitOpen(self.name, seconds=left, failures=self.window.refusals)
            if left > _TICK:
                return left
            self._blocked_until = None
        if self.window.cap is not None and self.in_flight >= self.window.cap:
            return None
        if self.concurrency is not None and self.in_flight >= self.concurrency:
            return None
        requests = 0.0 if self.requests is None else self.requests.delay(now, 1)
        tokens = 0.0 if self.tokens is None else self.tokens.delay(now, need)
        delay = max(requests, tokens)
        return delay if delay > _TICK else 0.0

    def _take(self, need: int) -> None:
        self.in_flight += 1
        if self.requests is not None:
            self.requests.take(anyio.current_time(), 1)
        if self.tokens is not None:
            self.tokens.take(anyio.current_time(), need)

    def _call_next(self) -> None:
        if self._queue:
            self._queue[0].called.set()

    def _settle_in(self) -> None:
        """Clocks of different event loops have nothing to do with each other."""
        loop = current_token().native_token
        if loop is self._loop:
            return
        if self._loop is not None:
            if self.in_flight or self._queue:
                raise ConfigurationError(
                    f"the governor of {self.name} is in use in another event loop; without one, each loop has its own"
                )
            self._blocked_until = None
            for bucket in (self.requests, self.tokens):
                if bucket is not None:
                    bucket.refill()
        self._loop = loop


class _Place:
    """A place in the queue."""

    __slots__ = ("called",)

    def __init__(self) -> None:
        self.called = anyio.Event()


class Governed(Wrapper):
    """A model whose calls keep to what its provider allows.

    governor: whose rules to follow; without one, the one that all models of this provider and address share in the
    event loop, see `governor_for`. concurrency, requests_per_minute, tokens_per_minute: limits to set there.
    Raises ConfigurationError when both a governor and limits are given; a call does when a limit is set to something
    else already. A stream counts as under way until it is closed.
    """

    def __init__(
        self,
        model: Model,
        governor: Governor | None = None,
        *,
        concurrency: int | None = None,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
    ) -> None:
        super().__init__(model)
        self.limits = (concurrency, requests_per_minute, tokens_per_minute)
        self._sets_limits = self.limits != (None, None, None)
        if governor is not None and self._sets_limits:
            raise ConfigurationError("give limits to the Governor itself, or leave the governor out")
        self._given = governor
        self._key = (model.name.partition("/")[0], _address(model))

    @property
    def governor(self) -> Governor:
        """The governor that calls follow in this event loop."""
        if self._given is not None:
            return self._given
        governor = _here().get(self._key) or governor_for(*self._key)
        if self._sets_limits:
            governor.limit(*self.limits)
        return governor

    async def complete(self, request: Request, /) -> Completion:
        governor = self.governor
        need = governor.need(request)
        if not governor.admit(need):
            with waiting():
                await governor.wait(need)
        cuts = governor.window.cuts
        try:
            completion = await self.model.complete(request)
        except BaseException as failure:
            governor.leave(need, cuts, failure, None)
            raise
        governor.leave(need, cuts, None, completion.usage.tokens)
        return completion

    async def stream(self, request: Request, /) -> AsyncGenerator[Delta, None]:
        governor = self.governor
        need = governor.need(request)
        if not governor.admit(need):
            with waiting():
                await governor.wait(need)
        cuts, failure, tokens = governor.window.cuts, None, None
        pieces = stream(self.model, request)
        try:
            async for delta in pieces:
                if delta.completion is not None:
                    tokens = delta.completion.usage.tokens
                yield delta
        except BaseException as problem:
            failure = problem
            raise
        finally:
            try:
                await close(pieces)
            finally:
                governor.leave(need, cuts, None if tokens is not None else failure, tokens)


def governed(model: Model) -> Governed:
    """A model that follows the governor of its provider."""
    return Governed(model)


def governor_for(
    provider: str,
    api_base: str | None = None,
    *,
    concurrency: int | None = None,
    requests_per_minute: float | None = None,
    tokens_per_minute: float | None = None,
) -> Governor:
    """The governor that all models of a provider (at an address) share in the running event loop.

    Raises ConfigurationError for a limit that is set to something else already, NoEventLoopError outside of a loop.
    """
    shared = _here()
    governor = shared.get((provider, api_base))
    if governor is None:
        governor = shared[provider, api_base] = Governor(
            provider if api_base is None else f"{provider} at {shown(api_base)}"
        )
    governor.limit(concurrency, requests_per_minute, tokens_per_minute)
    return governor


_governors: RunVar[dict[tuple[str, str | None], Governor]] = RunVar("phalanx_governors")

_TICK = 1e-6
"""Seconds that are no time: less than any wait, more than the rounding of a clock."""


def _here() -> dict[tuple[str, str | None], Governor]:
    try:
        return _governors.get()
    except LookupError:
        shared: dict[tuple[str, str | None], Governor] = {}
        _governors.set(shared)
        return shared


def _address(model: object) -> str | None:
    """The server that a model, or the one it wraps, was told to ask; None for the provider's own."""
    while isinstance(model, Wrapper):
        model = model.model
    return getattr(model, "api_base", None)


def _may_be_paid(failure: BaseException | None) -> bool:
    return not isinstance(failure, Exception) or isinstance(failure, ProviderTimeout | StreamCut)
