"""Limits that hold: reserved before a call, settled after it, over the whole tree of nested teams.

Calls are spent when they are reserved (one answered from a cache gives its back). Tokens and money are reserved at
their worst case, and what was not used comes back; a call that would only fit after that waits for it. All amounts
are integers inside (money in 10^-12 US dollars), so that reservations return to exactly zero.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal

import anyio
import anyio.lowlevel
import pydantic
from pydantic import Field

from phalanx.errors import LimitExceeded, ValidationError
from phalanx.messages import Data, Usage
from phalanx.settings import nearest

What = Literal["calls", "tokens", "usd"]
PICO = 10**12


class Limits(Data):
    """The most a run, a member or a block of code may use; None is no limit.

    calls: requests to models, retries included. tokens: input and output together. usd: US dollars. seconds: wall
    clock. depth: how deep teams may be nested (0: no team inside). concurrency: model calls at the same time.
    """

    calls: int | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0)
    usd: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    seconds: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    depth: int | None = Field(default=None, ge=0)
    concurrency: int | None = Field(default=None, ge=1)

    if not TYPE_CHECKING:  # type checkers read the fields

        def __init__(self, **given: object) -> None:
            """given: the fields, by name. Raises ValidationError, naming it, for an unknown or impossible limit."""
            for name in given:
                if name not in type(self).model_fields:
                    known = ", ".join(type(self).model_fields)
                    hint = nearest(name, type(self).model_fields)
                    raise ValidationError(f"there is no limit {name!r}{hint}; there are: {known}")
            try:
                super().__init__(**given)
            except pydantic.ValidationError as problem:
                wrong = problem.errors()[0]
                raise ValidationError(f"limits: {wrong['loc'][0]}={wrong['input']!r}: {wrong['msg']}") from None


def as_limits(given: Limits | Mapping[str, float] | None) -> Limits | None:
    """Limits from a `Limits` or its fields; None stays None. Raises ValidationError, naming the field, for others."""
    if given is None or isinstance(given, Limits):
        return given
    if not isinstance(given, Mapping):
        raise ValidationError(f"limits={given!r} is no Limits; write limits=Limits(calls=10, usd=0.5)")
    named: Any = {str(name): value for name, value in given.items()}
    return Limits(**named)


def shortest(*given: tuple[Limits | None, str]) -> tuple[float | None, str]:
    """The shortest time that limits allow, in seconds, and whose they are; None when none of them sets one.

    given: limits, each with whose they are, the nearest first.
    """
    timed = [(each.seconds, owner) for each, owner in given if each is not None and each.seconds is not None]
    return min(timed, key=lambda each: each[0], default=(None, ""))


class Need:
    """What one call may cost at most: one call, so many tokens, so much money (US dollars; inside 10^-12).

    free: the call is known to cost no money at all, whatever becomes of it.
    """

    __slots__ = ("calls", "free", "tokens", "usd")

    def __init__(self, calls: int = 1, tokens: int = 0, usd: float = 0.0, *, free: bool = False) -> None:
        self.calls, self.tokens, self.usd, self.free = calls, tokens, round(usd * PICO), free

    def copy(self) -> Need:
        """The same need, to hold once more."""
        other = Need(self.calls, self.tokens, free=self.free)
        other.usd = self.usd
        return other

    def add(self, other: Need) -> None:
        """Hold `other` too, from now on."""
        self.calls += other.calls
        self.tokens += other.tokens
        self.usd += other.usd


class Account:
    """One `Limits` and what was spent and is held against it. `owner` names whose it is."""

    def __init__(self, limits: Limits, owner: str) -> None:
        self.limits, self.owner = limits, owner
        self.max_usd = None if limits.usd is None else round(limits.usd * PICO)
        self.calls = self.tokens = self.usd = 0
        self.held_tokens = self.held_usd = 0
        self.gate = None if limits.concurrency is None else anyio.Semaphore(limits.concurrency)
        self.waiting: list[_Place] = []

    @property
    def counts_tokens(self) -> bool:
        """Whether a call's tokens matter here, so that they must be estimated."""
        return self.limits.tokens is not None

    @property
    def counts_money(self) -> bool:
        """Whether a call's price matters here, so that it must be known."""
        return self.max_usd is not None

    def refuses(self, need: Need) -> LimitExceeded | None:
        """Why `need` can never be met, even when all that is held comes back; None when it can."""
        limits = self.limits
        if limits.calls is not None and self.calls + need.calls > limits.calls:
            return self._refusal("calls", self.calls, limits.calls, need.calls)
        if limits.tokens is not None and self.tokens + need.tokens > limits.tokens:
            return self._refusal("tokens", self.tokens, limits.tokens, need.tokens)
        if self.max_usd is not None and self.usd + need.usd > self.max_usd:
            return self._refusal("usd", self.usd / PICO, self.max_usd / PICO, need.usd / PICO)
        return None

    def is_crowded(self, need: Need) -> bool:
        """Whether `need` does not fit now but may when something held comes back."""
        limits = self.limits
        return (limits.tokens is not None and self.tokens + self.held_tokens + need.tokens > limits.tokens) or (
            self.max_usd is not None and self.usd + self.held_usd + need.usd > self.max_usd
        )

    def hold(self, need: Need) -> None:
        self.calls += need.calls
        self.held_tokens += need.tokens
        self.held_usd += need.usd

    def settle(self, need: Need, calls: int, tokens: int, usd: int) -> None:
        self.calls += calls - need.calls
        self.held_tokens -= need.tokens
        self.held_usd -= need.usd
        self.tokens += tokens
        self.usd += usd

    def _refusal(self, what: What, spent: float, limit: float, asked: float) -> LimitExceeded:
        return LimitExceeded(what, spent=spent, limit=limit, owner=self.owner, asked=asked)


class Accounts:
    """The accounts that one branch of a run draws on, the nearest first; all of them must agree to a call."""

    __slots__ = ("chain", "counts_money", "counts_tokens", "gates")

    def __init__(self, chain: Sequence[Account] = ()) -> None:
        self.chain = tuple(chain)
        self.counts_tokens = any(account.counts_tokens for account in self.chain)
        self.counts_money = any(account.counts_money for account in self.chain)
        self.gates = tuple(account.gate for account in self.chain if account.gate is not None)

    def within(self, limits: Limits | None, owner: str) -> Accounts:
        """These accounts and a new, nearer one for `limits`; the same accounts when there are none."""
        if limits is None:
            return self
        return Accounts((Account(limits, owner), *self.chain))

    async def reserve(self, need: Need) -> None:
        """Hold `need` in every account.

        Waits while other calls hold what this one needs. Raises LimitExceeded, naming the nearest account that
        refuses, when it can never fit; then nothing is held.
        """
        while self.chain and (crowd := self._try(need)) is not None:
            await crowd.wait()

    def take(self, need: Need) -> None:
        """Hold `need` at once, or raise LimitExceeded; for a call inside one that is already reserved."""
        with _lock:
            self._check(need)
            for account in self.chain:
                account.hold(need)

    def charge(self, usage: Usage) -> None:
        """Spend what a recorded call cost, whatever the limits say: it was made and paid for."""
        with _lock:
            for account in self.chain:
                account.calls += usage.calls
                account.tokens += usage.tokens
                account.usd += round(usage.known_cost * PICO)

    def settle(self, need: Need, usage: Usage, lost: Need | None = None) -> None:
        """Give back what `need` held and spend what was used.

        A cost that is not known is taken as all the money that was held. lost: the part of `need` that was held by
        attempts whose price nobody knows; it is spent in full.
        """
        if not self.chain:
            return
        tokens, usd = usage.tokens, need.usd if usage.cost is None else round(usage.cost * PICO)
        if lost is not None:
            tokens = max(tokens, lost.tokens)
        waiting: list[_Place] = []
        with _lock:
            for account in self.chain:
                account.settle(need, usage.calls, tokens, usd)
                if account.waiting:
                    waiting += account.waiting
                    account.waiting = []
        for place in waiting:
            place.wake()

    def _try(self, need: Need) -> _Place | None:
        with _lock:
            self._check(need)
            for account in self.chain:
                if account.is_crowded(need):
                    place = _Place()
                    account.waiting.append(place)
                    return place
            for account in self.chain:
                account.hold(need)
        return None

    def _check(self, need: Need) -> None:
        for account in self.chain:
            if refusal := account.refuses(need):
                raise refusal


class _Place:
    """A place in the queue for held tokens or money; woken from whichever thread settles."""

    __slots__ = ("event", "token")

    def __init__(self) -> None:
        self.event, self.token = anyio.Event(), anyio.lowlevel.current_token()

    async def wait(self) -> None:
        await self.event.wait()

    def wake(self) -> None:
        try:
            here = anyio.lowlevel.current_token() == self.token
        except anyio.NoEventLoopError:
            here = False
        if here:
            self.event.set()
        else:
            from anyio import from_thread  # seldom needed, and slow to import

            from_thread.run_sync(self.event.set, token=self.token)


_lock = threading.Lock()
_blocks: ContextVar[tuple[Account, ...]] = ContextVar("phalanx_limits", default=())


@contextmanager
def limits(limits: Limits | None = None, /, **options: float) -> Iterator[Account]:
    """Limit all that runs inside the block, together: `with limits(usd=0.50): ...`.

    Takes a `Limits` or its fields as keywords. Gives the account, whose `calls`, `tokens` and `usd` (10^-12 US
    dollars) say what the block has spent. Blocks nest; `seconds` and `depth` belong to single runs and are refused.
    Raises ValidationError for an unknown or impossible limit, ValueError for `seconds` or `depth`.
    """
    fields: Any = options
    given = Limits(**fields) if limits is None else limits
    if given.seconds is not None or given.depth is not None:
        raise ValueError("a block takes calls, tokens, usd and concurrency; give seconds and depth to the run itself")
    account = Account(given, "the with-block")
    token = _blocks.set((account, *_blocks.get()))
    try:
        yield account
    finally:
        _blocks.reset(token)


def block_accounts() -> Accounts:
    """The accounts of the `with limits(...)` blocks around the caller."""
    return Accounts(_blocks.get())
