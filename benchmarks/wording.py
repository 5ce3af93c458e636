"""Numbers and verdicts in words, the same in every report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from .statistics.intervals import Estimate
from .statistics.paired import McNemar
from .statistics.verdict import Verdict

CostUnit = Literal["usd", "tokens", "calls", "seconds"]
UNITS: dict[CostUnit, str] = {"usd": "money", "tokens": "tokens", "calls": "calls", "seconds": "time"}
AN_ITEM: dict[CostUnit, str] = {
    "usd": "US dollars an item",
    "tokens": "tokens an item",
    "calls": "calls an item",
    "seconds": "seconds an item",
}
MINUS = "\u2212"


def percent(share: float) -> str:
    """A share as a percentage with one digit: "63.5%"."""
    return f"{100 * share:.1f}%"


def percents(found: Estimate) -> str:
    """The interval of a share: "[58.2%, 68.5%]", "[unknown]" where the data cannot give one."""
    if found.low is None or found.high is None:
        return "[unknown]"
    return f"[{percent(found.low)}, {percent(found.high)}]"


def points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign: "+3.1", "−0.4"."""
    return signed(100 * difference, 1)


def gap(found: Estimate, sign: int = 1) -> str:
    """The interval of a difference in points: "[+1.2, +5.0]"; sign -1 turns it round."""
    if found.low is None or found.high is None:
        return "[unknown]"
    low, high = sorted((sign * found.low, sign * found.high))
    return f"[{points(low)}, {points(high)}]"


def signed(number: float, digits: int) -> str:
    """A number with its sign, a true minus, and nothing before a zero."""
    rounded = round(number, digits)
    sign = "" if rounded == 0 else "+" if rounded > 0 else MINUS
    return f"{sign}{abs(rounded):.{digits}f}"


def count(number: float | None) -> str:
    """A count of tokens or calls in few columns: 7, 1,234, 12.3M; "unknown" for None."""
    if number is None:
        return "unknown"
    if number < 10 and number != int(number):
        return f"{number:.1f}"
    return f"{number:,.0f}" if number < 1_000_000 else f"{number / 1e6:.1f}M"


def money(usd: float | None) -> str:
    """US dollars with as many digits as are needed to see them; "unknown" for None, which is not free."""
    if usd is None:
        return "unknown"
    if usd == 0:
        return "$0"
    if usd >= 0.995:
        return f"${usd:,.2f}"
    digits = 4 if usd >= 0.001 else 6
    return f"${usd:.{digits}f}" if usd >= 5e-7 else "<$0.000001"


def duration(seconds: float | None) -> str:
    """Seconds as 0.4 s, 12 s, 3 min 05 s or 1 h 02 min; "unknown" for None."""
    if seconds is None:
        return "unknown"
    if seconds < 9.95:
        return f"{seconds:.1f} s" if seconds == 0 or seconds >= 0.095 else f"{1000 * seconds:.2g} ms"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def cost(amount: float, unit: CostUnit) -> str:
    """An amount of whatever a comparison counts as cost."""
    if unit == "usd":
        return money(amount)
    return duration(amount) if unit == "seconds" else count(amount)


def times(verdict: Verdict, unit: CostUnit) -> str:
    """What it cost beside the other: "for 3.1 times the tokens"."""
    if verdict.cost_ratio is None:
        return f"at a cost that cannot be compared ({UNITS[unit]} not known, or none spent)"
    ratio = verdict.cost_ratio.value
    factor = f"{ratio:,.0f}" if ratio >= 9.95 else f"{ratio:.2g}"
    return f"for the same {UNITS[unit]}" if factor == "1" else f"for {factor} times the {UNITS[unit]}"


def sentence(verdict: Verdict, unit: CostUnit) -> str:
    """A verdict in one sentence: better by x points [interval] for y times the cost; tied; worse; too few items."""
    found = verdict.difference
    at = times(verdict, unit)
    if verdict.kind == "tied":
        inside = f"{points(found.value)} {gap(found)}"
        return f"{verdict.a} and {verdict.b} are tied within ±{100 * verdict.margin:g} points: {inside}, {at}."
    if verdict.kind == "not enough items":
        need = "more items are needed"
        if verdict.more_items is not None:
            need = f"{verdict.more_items:,} more needed for a margin of {100 * verdict.margin:g} points"
        seen = f"{points(found.value)} points {gap(found)}"
        told = f"Not enough items to tell {verdict.a} from {verdict.b} ({need}): {seen}, {at}."
        if found.low is not None and found.high is not None and verdict.adjusted and not found.low <= 0 <= found.high:
            told += f" The interval excludes 0, but among {verdict.adjusted.family} comparisons that may be chance."
        return told
    sign = 1 if verdict.kind == "better" else -1
    size = f"{100 * sign * found.value:.1f} points {gap(found, sign)}"
    return f"{verdict.a} is {verdict.kind} than {verdict.b} by {size} {at}."


def simulated(names: Sequence[str], *, all_of: int) -> str:
    """That members of these systems make their answers up, which every report says first.

    names: of the systems. all_of: how many systems there are.
    """
    where = "" if len(names) == all_of else f" in {', '.join(names)}"
    return f"SIMULATED: members' answers were made up by dice{where}. Such numbers say nothing of a model."


def facts(verdict: Verdict) -> str:
    """What stands behind a verdict: n, level, method, p-value and family."""
    test = verdict.test
    if isinstance(test, McNemar):
        tested = f"{test.wins} won, {test.losses} lost, McNemar mid-p={test.mid_p:.3g}"
    else:
        how = "exact" if test.exact else f"{test.resamples} resamples, seed {test.seed}"
        tested = f"sign-flip p={test.p_value:.3g}, {how}"
    if verdict.adjusted is None:
        return f"{verdict.difference.facts}; {tested}"
    family = f"Holm over {verdict.adjusted.family}: p={verdict.adjusted.adjusted:.3g}"
    return f"{verdict.difference.facts}; {tested}; {family}"
