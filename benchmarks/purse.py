"""A budget that several processes spend: each attempt is given a share, and what it did not use comes back."""

from __future__ import annotations

import math

from phalanx.messages import Usage
from phalanx.runtime.limits import Limits

from .store import Key

Amounts = tuple[float, float, float]


class Purse:
    """Calls, tokens and money of a suite or of one system, shared out so that they can never be overdrawn.

    limits: what there is; None is no limit. owner: whose it is, in words.
    """

    def __init__(self, limits: Limits | None, owner: str) -> None:
        self.owner = owner
        given = (None, None, None) if limits is None else (limits.calls, limits.tokens, limits.usd)
        self._most: Amounts = tuple(math.inf if each is None else float(each) for each in given)  # type: ignore[assignment]
        self._spent: dict[Key, Amounts] = {}
        self._held: dict[Key, Amounts] = {}

    def share(self, key: Key, slots: int) -> Amounts:
        """What an attempt may spend, what it spent before included: an equal part of what is free."""
        before = self._spent.get(key, (0.0, 0.0, 0.0))
        parts = max(1, slots - len(self._held))
        held: Amounts = tuple(max(0.0, free) / parts for free in self._free())  # type: ignore[assignment]
        # Whole calls and tokens, for half a call is none, and money without the dust of floats.
        held = (_whole(held[0]), _whole(held[1]), round(held[2], 12))
        self._held[key] = held
        return (before[0] + held[0], before[1] + held[1], before[2] + held[2])

    def settle(self, key: Key, usage: Usage) -> None:
        """Take note of all that an attempt has spent so far, and of what it gives back."""
        self._held.pop(key, None)
        self._spent[key] = (float(usage.calls), float(usage.tokens), usage.known_cost)

    def words(self, what: str) -> str:
        """What is limited and what is spent: "45 calls: 42 are spent, and the rest pays for no other attempt"."""
        at = ("calls", "tokens", "usd").index(what)
        unit = "US dollars" if what == "usd" else what
        spent = sum(each[at] for each in self._spent.values())
        return f"{self._most[at]:g} {unit}: {spent:g} are spent, and the rest pays for no other attempt"

    def is_tighter(self, other: Purse, what: str) -> bool:
        """Whether less is left here than in the other, of calls, tokens or usd."""
        at = ("calls", "tokens", "usd").index(what)
        return self._free()[at] <= other._free()[at]

    def _free(self) -> list[float]:
        return [
            most
            if math.isinf(most)
            else most - sum(each[at] for each in self._spent.values()) - sum(each[at] for each in self._held.values())
            for at, most in enumerate(self._most)
        ]


def as_limits(*shares: Amounts) -> Limits | None:
    """The smallest of several shares as limits; None when there is no limit at all."""
    calls, tokens, usd = (min(each[at] for each in shares) for at in range(3))
    given = {
        name: amount
        for name, amount in (
            ("calls", None if math.isinf(calls) else int(calls)),
            ("tokens", None if math.isinf(tokens) else int(tokens)),
            ("usd", None if math.isinf(usd) else usd),
        )
        if amount is not None
    }
    return Limits.model_validate(given) if given else None


def tighter(one: Limits | None, other: Limits | None) -> Limits | None:
    """The smaller of two limits in everything that either limits; None when neither does.

    one, other: the limits.
    """
    if one is None or other is None:
        return one or other
    given = [each.model_dump(exclude_none=True) for each in (one, other)]
    least = {name: min(each[name] for each in given if name in each) for name in {**given[0], **given[1]}}
    return Limits.model_validate(least)


def _whole(amount: float) -> float:
    return amount if math.isinf(amount) else float(int(amount))
