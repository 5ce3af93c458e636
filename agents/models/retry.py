"""Ask again: how often, how long to wait in between, and after which failures."""

from __future__ import annotations

import builtins
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Literal, Self, TypeVar

import anyio
import pydantic
from pydantic import Field, field_serializer, field_validator, model_validator

from phalanx import errors
from phalanx.errors import LLMCallError, ProviderTimeout, ProviderUnavailable, RateLimited, StreamCut, ValidationError
from phalanx.messages import About, Completion, Data, Delta, Request
from phalanx.runtime.events import Retried
from phalanx.runtime.run import emit_here, waiting
from phalanx.settings import nearest

from .attempt import allow_another, open_stream
from .backoff import BACKOFFS, Backoff
from .backoff import constant as constant
from .backoff import exponential as exponential
from .backoff import linear as linear
from .chance import uniform
from .model import Model, Wrapper, close

if TYPE_CHECKING:
    from tenacity import RetryCallState

TRANSIENT: tuple[type[Exception], ...] = (RateLimited, ProviderUnavailable, ProviderTimeout, StreamCut)
"""The failures after which the same call may well succeed."""

T = TypeVar("T")


class RetryConfig(Data):
    """How a failed call is made again.

    max_attempts: how many calls at most, the first one included; 1 never retries. min_wait, max_wait: the shortest
    and longest wait between two of them, in seconds. backoff: how waits grow: "exponential", "linear", "constant"
    (or the function of that name), or a function from the number of the failed attempt (1, 2, …) to seconds, to
    which only `max_wait` applies. multiplier: how fast they grow; see the functions. jitter: wait a random time
    instead, evenly between `min_wait` or half the wait, whichever is longer, and the wait, or half as much again as
    `min_wait`; so callers that failed together do not come back together. retry_on_exceptions: the failures that
    are worth another call; in files by name. What a provider asks for with Retry-After is always waited out; when
    that is longer than `max_wait` the call fails at once.

    Raises pydantic's ValidationError (a ValueError) for an unknown name or an impossible value.
    """

    max_attempts: int = Field(default=3, ge=1, strict=True)
    min_wait: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    max_wait: float = Field(default=60.0, ge=0, allow_inf_nan=False)
    multiplier: float = Field(default=2.0, ge=1, allow_inf_nan=False)
    retry_on_exceptions: tuple[type[Exception], ...] = TRANSIENT
    jitter: bool = True
    backoff: Literal["exponential", "linear", "constant"] | Backoff = "exponential"

    @classmethod
    def of(
        cls,
        retry: RetryConfig | Mapping[str, object] | int | None = None,
        *,
        retry_attempts: int | None = None,
        retry_backoff: str | Backoff | None = None,
        retry_jitter: bool | None = None,
    ) -> RetryConfig:
        """A configuration from any of its spellings; without any, the default one.

        retry: a RetryConfig, its fields, or the number of attempts. retry_attempts, retry_backoff, retry_jitter:
        single fields. Raises ValidationError when something is said twice, not known or not possible.
        """
        single = {"max_attempts": retry_attempts, "backoff": retry_backoff, "jitter": retry_jitter}
        given = {field: value for field, value in single.items() if value is not None}
        if isinstance(retry, RetryConfig):
            if given:
                words = " and ".join(f"retry_{field.removeprefix('max_')}" for field in given)
                raise ValidationError(f"give retry=RetryConfig(…) or {words}, not both")
            return retry
        fields = _fields(retry)
        if twice := fields.keys() & given.keys():
            raise ValidationError(f"{sorted(twice)[0]} is given twice, in retry= and as a keyword of its own")
        for field in fields:
            if field not in cls.model_fields:
                raise ValidationError(f"retry has no option {field!r}{nearest(field, cls.model_fields)}")
        try:
            return cls.model_validate(fields | given)
        except pydantic.ValidationError as problem:
            first = problem.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise ValidationError(f"retry: {place}: {first['msg']}, not {first['input']!r}") from None

    def bounds(self, attempt: int) -> tuple[float, float]:
        """The shortest and longest wait after failed attempt 1, 2, …, in seconds; the same without jitter.

        Raises ValidationError when a backoff function gives something else than a time.
        """
        if isinstance(self.backoff, str):
            wait = min(BACKOFFS[self.backoff](attempt, self.min_wait, self.multiplier), self.max_wait)
            low, high = max(self.min_wait, wait / 2), min(self.max_wait, max(wait, 1.5 * self.min_wait))
        else:
            wait = self.backoff(attempt)
            if not isinstance(wait, int | float) or not wait >= 0:
                raise ValidationError(f"the backoff function gave {wait!r} after attempt {attempt}, not seconds >= 0")
            wait = min(float(wait), self.max_wait)
            low, high = wait / 2, wait
        return (low, high) if self.jitter else (wait, wait)

    def covers(self, failure: BaseException) -> bool:
        """Whether a failure is worth another call. What a client of the user's raised counts under its own name."""
        own = getattr(failure, "original_error", None)
        return isinstance(failure, self.retry_on_exceptions) or isinstance(own, self.retry_on_exceptions)

    @field_validator("backoff", mode="before")
    @classmethod
    def _name_of(cls, backoff: object) -> object:
        for name, function in BACKOFFS.items():
            if backoff is function:
                return name
        if isinstance(backoff, str) and backoff not in BACKOFFS:
            known = ", ".join(BACKOFFS)
            raise ValueError(f"unknown backoff {backoff!r}{nearest(backoff, BACKOFFS)}; there are {known}")
        return backoff

    @field_validator("retry_on_exceptions", mode="before")
    @classmethod
    def _by_name(cls, kinds: object) -> object:
        listed = kinds if isinstance(kinds, tuple | list) else (kinds,)
        return tuple(_exception(kind) if isinstance(kind, str) else kind for kind in listed)

    @field_serializer("retry_on_exceptions", when_used="json")
    def _names(self, kinds: tuple[type[Exception], ...]) -> list[str]:
        for kind in kinds:
            if _known(kind.__name__) is not kind:
                raise ValueError(f"only Phalanx's and Python's own errors can be written down, not {kind.__qualname__}")
        return [kind.__name__ for kind in kinds]

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.max_wait < self.min_wait:
            raise ValueError(f"max_wait={self.max_wait:g} is shorter than min_wait={self.min_wait:g}")
        if self.backoff == "constant" and self.multiplier != RetryConfig.model_fields["multiplier"].default:
            raise ValueError("multiplier does nothing with constant backoff; leave it out")
        return self


def _fields(retry: Mapping[str, object] | int | None) -> dict[str, object]:
    if retry is None:
        return {}
    if isinstance(retry, int) and not isinstance(retry, bool):
        return {"max_attempts": retry}
    if isinstance(retry, Mapping):
        return dict(retry)
    raise ValidationError(f"retry must be a RetryConfig, its fields, or a number of attempts, not {retry!r}")


def _known(name: str) -> object:
    return getattr(errors, name, None) or getattr(builtins, name, None)


def _exception(name: str) -> type[Exception]:
    kind = _known(name)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        raise ValueError(f"no error is named {name!r}{nearest(name, vars(errors))}")
    return kind


class Retrying(Wrapper):
    """A model that is asked again after a transient failure, as `config` says.

    Random waits depend only on `seed` and on who asks, not on the order in which calls fail. Each further attempt is
    a call to the limits; when they allow none, the failure stands. An LLMCallError that comes out says in
    `retry_count` how often the call was repeated. A stream is repeated only as long as nothing of it was shown.
    """

    def __init__(self, model: Model, config: RetryConfig | None = None, *, seed: int = 0) -> None:
        super().__init__(model)
        self.config, self.seed = config or RetryConfig(), seed
        self._anonymous = 0

    async def complete(self, request: Request, /) -> Completion:
        try:
            return await self.model.complete(request)
        except Exception as failure:
            if self.config.max_attempts == 1 or not self.config.covers(failure):
                raise
            first = failure
        return await self._again(first, request.about, lambda: self.model.complete(request))

    async def stream(self, request: Request, /) -> AsyncGenerator[Delta, None]:
        try:
            early, pieces = await open_stream(self.model, request)
        except Exception as failure:
            if self.config.max_attempts == 1 or not self.config.covers(failure):
                raise
            early, pieces = await self._again(failure, request.about, lambda: open_stream(self.model, request))
        try:
            for delta in early:
                yield delta
            async for delta in pieces:
                yield delta
        finally:
            await close(pieces)

    async def _again(self, first: Exception, about: About, attempt: Callable[[], Awaitable[T]]) -> T:
        """Go on after the `first` failure. Nothing of this is paid for by calls that succeed at once."""
        from tenacity import AsyncRetrying, retry_if_exception

        config, key, made = self.config, self._key(about), 0

        async def call() -> T:
            nonlocal made
            made += 1
            if made == 1:
                raise first
            return await attempt()

        def wait(state: RetryCallState) -> float:
            low, high = config.bounds(state.attempt_number)
            drawn = low + (high - low) * uniform(*key, state.attempt_number)
            return max(drawn, _asked_to_wait(state))

        def is_last(state: RetryCallState) -> bool:
            return state.attempt_number >= config.max_attempts or _asked_to_wait(state) > config.max_wait

        def prepare(state: RetryCallState) -> None:
            failure = _failure(state)
            allow_another(failure)
            what = f"{type(failure).__name__}: {failure}"
            emit_here(Retried, self.name, state.attempt_number, state.upcoming_sleep, what)

        retrying = AsyncRetrying(
            retry=retry_if_exception(config.covers),
            stop=is_last,
            wait=wait,
            before_sleep=prepare,
            sleep=_pause,
            reraise=True,
        )
        try:
            return await retrying(call)
        except LLMCallError as failure:
            failure.retry_count = made - 1
            raise

    def _key(self, about: About) -> tuple[str | int, ...]:
        if about == _NOBODY:
            # Callers outside of a run cannot be told apart by name, and must not all wait for the same time.
            self._anonymous += 1
            return ("retry", self.seed, self._anonymous)
        who = (about.member, about.stage, about.round, about.attempt, about.question)
        return ("retry", self.seed, about.seed, *about.path, *who)


_NOBODY = About()


async def _pause(seconds: float) -> None:
    with waiting():
        await anyio.sleep(seconds)


def _failure(state: RetryCallState) -> Exception:
    failure = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(failure, Exception), "only failures are waited for"
    return failure


def _asked_to_wait(state: RetryCallState) -> float:
    return getattr(_failure(state), "retry_after", None) or 0.0
