"""Looking at a comparison while it runs, without paying for the looks: e-values and always-valid intervals.

A plain test repeated after every item is wrong far more often than it says: peeking after each discordant pair from
the 10th to the 300th finds a difference between equals 29 times in 100. An e-value is a bettor's wealth in a fair
game under "no difference": by Ville's inequality it ever reaches 1/alpha with probability alpha at most, however
often one looks. Pass one difference an independent unit, in any order.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from math import log1p
from typing import Literal

from phalanx.errors import ValidationError
from phalanx.messages import Data

from .distributions import log_beta
from .intervals import Estimate, check_scores

Look = Literal["better", "worse", "futile", "continue"]

NODES = 128
BETS = [math.cos((2 * node - 1) * math.pi / (2 * NODES)) for node in range(1, NODES + 1)]
BETS_BELOW = [stake for stake in BETS if stake < 0]


class EarlyStop(Data):
    """What one look at a running comparison says.

    look: better or worse (the e-value reached 1/alpha), futile (the always-valid interval lies within ±margin), or
    continue. e_value: the evidence against "no difference". difference: the mean with its always-valid interval.
    """

    look: Look
    e_value: float
    alpha: float
    margin: float | None
    difference: Estimate

    def __str__(self) -> str:
        aim = f"e={self.e_value:.4g} of {1 / self.alpha:.4g} needed"
        within = "" if self.margin is None else f", futile within ±{self.margin:g}"
        return f"{self.look}: {aim}{within}; {self.difference}"


def e_value(wins: int, losses: int) -> float:
    """E = 2^(b+c) · Beta(b+½, c+½) / Beta(½, ½) for b wins and c losses among discordant items.

    The wealth of a bettor who mixes all stakes on "wins and losses are equally likely" by Jeffreys' prior. Stop when
    it reaches 1/alpha. It may be infinite when the evidence is overwhelming.
    """
    if wins < 0 or losses < 0:
        raise ValidationError(f"{wins} wins and {losses} losses cannot be")
    return _exp((wins + losses) * math.log(2) + log_beta(wins + 0.5, losses + 0.5) - log_beta(0.5, 0.5))


def e_value_of(differences: Sequence[float]) -> float:
    """The e-value of "the mean difference is 0" for differences in −1..1, such as partial credits or clusters' means.

    The mean over 128 stakes λ of Π(1 + λ d), the stakes being the Gauss–Chebyshev nodes, so that it equals
    `e_value` for right-or-wrong items with fewer than 256 discordant ones; valid for any number of them.
    """
    counts = Counter(_bounded(differences))
    return math.fsum(_exp(_log_wealth(counts, stake)) for stake in BETS) / NODES


def always_valid(differences: Sequence[float], *, level: float = 0.95) -> Estimate:
    """The mean of differences in −1..1 with an interval that holds at every look at once.

    Each end is where a bettor against it, with half of alpha, would have won (a hedged betting confidence sequence,
    Waudby-Smith and Ramdas 2024); it needs no normal approximation. Order does not matter.
    """
    values = _bounded(differences)
    counts = Counter(values)
    center = math.fsum(values) / len(values)
    bar = math.log(2 / (1 - level))
    return Estimate(
        value=center,
        low=-_highest(Counter({-value: times for value, times in counts.items()}), -center, bar),
        high=_highest(counts, center, bar),
        level=level,
        n=len(values),
        method="always valid, betting",
    )


def look(differences: Sequence[float], *, alpha: float = 0.05, margin: float | None = None) -> EarlyStop:
    """Should a comparison stop now? Valid however often it is asked.

    differences: a − b in −1..1, one an independent unit, all so far. margin: the smallest difference that matters;
    without one there is no stopping for futility. Raises ValidationError for alpha or margin out of 0..1.
    """
    if not 0 < alpha <= 0.5 or (margin is not None and not 0 < margin <= 1):
        raise ValidationError(f"alpha={alpha!r} must be in 0..0.5 and margin={margin!r} in 0..1")
    found = always_valid(differences, level=1 - alpha)
    wealth = e_value_of(differences)
    low, high = found.low, found.high
    verdict: Look = "continue"
    if wealth >= 1 / alpha:
        verdict = "better" if found.value > 0 else "worse"
    elif margin is not None and low is not None and high is not None and -margin <= low and high <= margin:
        verdict = "futile"
    return EarlyStop(look=verdict, e_value=wealth, alpha=alpha, margin=margin, difference=found)


def _bounded(differences: Sequence[float]) -> list[float]:
    values = check_scores(differences, "differences")
    for place, value in enumerate(values):
        if abs(value) > 1:
            raise ValidationError(f"differences[{place}] is {value!r}; they must lie in -1..1, as those of scores do")
    return values


def _log_wealth(counts: Counter[float], stake: float) -> float:
    return math.fsum(times * log1p(stake * value) for value, times in counts.items() if value)


def _highest(counts: Counter[float], center: float, bar: float) -> float:
    """The highest mean m against which nobody who bets on lower values has won yet.

    The wealth Π(1 + λ (d − m)/(1 + |m|)) of a stake λ < 0 never falls as m rises, so bisection finds the end.
    """
    low, high = center, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        scale = 1 / (1 + abs(middle))
        shifted = [((value - middle) * scale, times) for value, times in counts.items()]
        logs = [sum([times * log1p(stake * value) for value, times in shifted]) for stake in BETS_BELOW]
        top = max(logs)
        wealth = top + math.log(math.fsum(math.exp(each - top) for each in logs) / len(logs))
        if wealth < bar:
            low = middle
        else:
            high = middle
    return high


def _exp(power: float) -> float:
    return math.exp(power) if power < 709 else math.inf
