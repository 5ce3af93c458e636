"""What an attempt is of, and the limits that stand around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phalanx.errors import LimitExceeded
from phalanx.messages import Usage
from phalanx.runtime.limits import Account, Limits

from .store import Key
from .systems import Entrant
from .tasks import TaskItem

SUITE = "the suite"
"""The owner of the limits that hold over all attempts."""
STUCK = "its journal"
ATTEMPT = "the attempt"
"""How a refusal names the limit of a single attempt."""
OUTSIDE = "the with-block"
"""How a refusal names a limit that stands around a run."""


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt to be made.

    item, repeat, seed: of what; seed is the suite's. limits: of this attempt, besides those that are around it.
    """

    entrant: Entrant
    item: TaskItem
    repeat: int
    seed: int
    limits: Limits | None = None

    @property
    def key(self) -> Key:
        """What tells it from all others."""
        return (self.entrant.system.spec, self.item.id, self.repeat, self.seed)


@dataclass(frozen=True, slots=True)
class Fence:
    """A limit around attempts: whose it is in words, and the account that holds it."""

    owner: str
    account: Account

    def refused(self, refusal: LimitExceeded) -> bool:
        """Whether it was this one."""
        limit = getattr(self.account.limits, refusal.what, None)
        return limit is not None and limit == refusal.limit


@dataclass(frozen=True, slots=True)
class NotRun:
    """An attempt that a limit around it did not let happen, or not to its end; what it paid for is journaled.

    owner, why: whose limit, and which, in words; what: calls, tokens or usd. usage: what it spent; judged: what judging
    its answer has cost, where it was that which the limit refused; the answer is kept then. An owner of STUCK:
    no limit, but its journal does not fit what it would do now, or a step in it must not be repeated and nobody knows
    whether it happened, so that it cannot go on.
    """

    key: Key
    owner: str
    why: str
    what: str
    usage: Usage = Usage()
    judged: Usage = Usage()


def fence_of(refusal: LimitExceeded, fences: Sequence[Fence]) -> Fence | None:
    """Which of the limits around an attempt refused; None where it was a limit of its own.

    refusal: what was refused. fences: the limits around it, the nearest first.
    """
    if refusal.owner != OUTSIDE:
        return None
    return next((each for each in fences if each.refused(refusal)), None)


def words(refusal: LimitExceeded) -> str:
    """What a `refusal` says of the limit: "33 calls: 33 are spent, and the next call needs 1"."""
    unit = "US dollars" if refusal.what == "usd" else refusal.what
    needs = "" if refusal.asked is None else f", and the next call needs {refusal.asked:g}"
    return f"{refusal.limit:g} {unit}: {refusal.spent:g} are spent{needs}"
