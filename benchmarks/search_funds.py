"""What a search may spend: a part is kept for the confirmation, and no step begins that cannot be paid for."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import anyio

from phalanx.errors import ValidationError
from phalanx.runtime.limits import Limits

from .record import Attempt
from .search_grid import Choice
from .search_record import Spent

PILOT = 4
"""The questions of a step for choices of which nobody knows yet what they cost."""
SAFETY = 1.15
"""By how much a step may turn out dearer than what was measured before."""
UNITS = ("calls", "tokens", "usd")


class Funds:
    """The budget of a search. Limits hold it; this only plans, so that they need not cut a step short.

    budget: all of it; None is no limit. reserve: the part that is kept for the confirmation. repeats: attempts a
    question. cut_off: set when a limit ended the development.
    """

    def __init__(self, budget: Limits | None, reserve: float, repeats: int) -> None:
        if budget is not None and budget.depth is not None:
            raise ValidationError("depth belongs to a team: give it in the limits of the team, not of the search")
        self.budget, self.reserve, self.repeats = budget or Limits(), reserve, repeats
        self.cut_off = False
        self._development: dict[tuple[str, str, int, int], Attempt] = {}
        self._confirmation: dict[tuple[str, str, int, int], Attempt] = {}
        self._began = anyio.current_time()
        self._rung = dict.fromkeys(UNITS, 0.0)

    def take(self, attempts: Collection[Attempt], *, confirming: bool = False) -> None:
        """Take note of attempts that were made."""
        (self._confirmation if confirming else self._development).update({each.key: each for each in attempts})

    @property
    def spent(self) -> Spent:
        """All that was spent on attempts that came to an end."""
        made = [*self._development.values(), *self._confirmation.values()]
        usd = None if any(each.usd is None for each in made) else math.fsum(each.usd or 0.0 for each in made)
        return Spent(
            calls=sum(each.usage.calls for each in made), tokens=sum(each.usage.tokens for each in made), usd=usd
        )

    def for_development(self) -> Limits | None:
        """The limits of the development, what it has spent before included; None when its time is over."""
        return self._limits({unit: self._part(unit) for unit in UNITS}, 1 - self.reserve)

    def for_confirmation(self) -> Limits | None:
        """The limits of the confirmation: what the development left of the budget; None when the time is over."""
        return self._limits({unit: self._left(unit) for unit in UNITS}, 1.0)

    def begin_rung(self) -> None:
        """A rung begins: its part is reckoned from what is left now."""
        self._rung = {unit: self._used(unit) for unit in UNITS}

    def questions(self, choices: Sequence[Choice], rungs_left: int) -> float:
        """How many more questions this rung pays for, for all of these choices; inf without a limit.

        Every rung to come, this one included, gets an equal part of what was left when it began. Of choices that were
        not measured yet only the calls are known, at their worst case; where more than calls is limited, a few
        questions are done first.
        """
        fewest = math.inf
        for unit in UNITS:
            if (part := self._part(unit)) is None:
                continue
            left = (part - self._rung[unit]) / rungs_left - (self._used(unit) - self._rung[unit])
            costs = [self._a_question(each, unit) for each in choices]
            known = [cost for cost in costs if cost is not None]
            if len(known) < len(costs):
                fewest = min(fewest, PILOT if left > 0 else 0)
            elif (total := math.fsum(known)) > 0:
                fewest = min(fewest, left / total)
        return fewest

    def confirmable(self, who: Sequence[Choice]) -> float:
        """How many held-out questions are paid for, for all of these; a vote at a formation's calls costs as it."""
        fewest = math.inf
        for unit in UNITS:
            left = self._left(unit)
            cost = math.fsum(self._a_question(each, unit) or 0.0 for each in who)
            if left is not None and cost > 0:
                fewest = min(fewest, left / cost)
        return fewest

    def mean(self, name: str, unit: str) -> float | None:
        """What an attempt of a choice has cost so far; None when there was none, or its price is not known."""
        made = [each for each in self._development.values() if each.system == name]
        if not made or (unit == "usd" and any(each.usd is None for each in made)):
            return None
        return math.fsum(_amount(each, unit) for each in made) / len(made)

    def _a_question(self, choice: Choice, unit: str) -> float | None:
        mean = self.mean(choice.name, unit)
        if mean is not None:
            return mean * self.repeats * SAFETY
        return None if unit != "calls" or choice.calls is None else float(choice.calls * self.repeats)

    def _part(self, unit: str) -> float | None:
        given: float | None = getattr(self.budget, unit)
        if given is None:
            return None
        return given * (1 - self.reserve) if unit == "usd" else math.floor(given * (1 - self.reserve))

    def _left(self, unit: str) -> float | None:
        # Where a limit cut development off, calls in flight were paid for too: all it was allowed counts as spent.
        given: float | None = getattr(self.budget, unit)
        if given is None:
            return None
        # Nothing is left, and not less, where an earlier call with a larger budget spent more than this one has.
        return max(0.0, given - ((self._part(unit) or 0.0) if self.cut_off else self._used(unit)))

    def _used(self, unit: str) -> float:
        return math.fsum(_amount(each, unit) for each in self._development.values())

    def _limits(self, amounts: dict[str, float | None], part: float) -> Limits | None:
        seconds = self.budget.seconds
        if seconds is not None:
            seconds = seconds * part - (anyio.current_time() - self._began)
            if seconds <= 0:
                return None
        whole = {unit: amount if amount is None or unit == "usd" else int(amount) for unit, amount in amounts.items()}
        return Limits.model_validate({**whole, "seconds": seconds, "concurrency": self.budget.concurrency})


def _amount(attempt: Attempt, unit: str) -> float:
    usage = attempt.usage
    return {"calls": float(usage.calls), "tokens": float(usage.tokens), "usd": usage.known_cost}[unit]
