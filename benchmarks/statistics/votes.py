"""How many independent votes a team amounts to, and whether its members err together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations
from statistics import fmean

from phalanx.errors import ValidationError
from phalanx.messages import Data

from .distributions import check_level, z_of
from .intervals import Estimate, jackknife_error, wilson

Pattern = tuple[bool | None, ...]
Table = tuple[int, int, int, int]


class EffectiveVotes(Data):
    """How many independent votes `members` amount to: n_eff = n / (1 + (n−1)·rho).

    rho: the mean correlation of two members' errors, low and high its jackknife interval over items. pairs: how many
    pairs could be compared; a member who is always right or always wrong correlates with nobody. votes is None when
    rho is unknown, or so negative that no number fits. items: those answered by at least two members.
    """

    votes: float | None
    members: int
    rho: float | None
    low: float | None
    high: float | None
    level: float
    pairs: int
    items: int

    def __str__(self) -> str:
        if self.rho is None:
            return f"effective votes of {self.members} members unknown: no pair errs in comparable ways"
        count = "no finite number of" if self.votes is None else f"{self.votes:.2f}"
        interval = "" if self.low is None or self.high is None else f" [{self.low:.3f}, {self.high:.3f}]"
        facts = f"{100 * self.level:g}%, {self.pairs} pairs, {self.items} items, jackknife"
        return (
            f"{self.members} members are {count} effective votes: error correlation {self.rho:.3f}{interval} ({facts})"
        )


def effective_votes(right: Sequence[Sequence[bool | None]], *, level: float = 0.95) -> EffectiveVotes:
    """Effective votes from right[item][member]: was the member right? None where there is no answer.

    Raises ValidationError for fewer than two members or rows of different length.
    """
    check_level(level)
    members = len(right[0]) if right else 0
    if members < 2 or set(map(len, right)) != {members}:
        raise ValidationError("effective votes need rows of equal length, one entry a member, and at least two members")
    kinds: Counter[Pattern] = Counter()
    for row, times in Counter(map(tuple, right)).items():
        if sum(entry is not None for entry in row) > 1:
            kinds[tuple(None if entry is None else bool(entry) for entry in row)] += times
    pairs = list(combinations(range(members), 2))
    tables = {pair: _table(kinds, pair) for pair in pairs}
    known = [rho for rho in map(_phi, tables.values()) if rho is not None]
    rho = fmean(known) if known else None
    error = None
    if rho is not None:
        left_out = [(_rho_without(kind, tables), times) for kind, times in kinds.items()]
        error = jackknife_error(left_out)
    reach = None if error is None else z_of(level) * error
    divisor = None if rho is None else 1 + (members - 1) * rho
    return EffectiveVotes(
        votes=None if divisor is None or divisor <= 1e-12 else members / divisor,
        members=members,
        rho=rho,
        low=None if rho is None or reach is None else max(-1.0, rho - reach),
        high=None if rho is None or reach is None else min(1.0, rho + reach),
        level=level,
        pairs=len(known),
        items=sum(kinds.values()),
    )


def agreement_when_wrong(
    answers: Sequence[Sequence[Hashable | None]], gold: Sequence[Hashable], *, level: float = 0.95
) -> Estimate | None:
    """Of the pairs of members who are both wrong on an item, the share who give the same wrong answer.

    answers[item][member]; None where there is none. The interval is Wilson's for as many independent trials as there
    are items with such a pair (pairs within an item are not independent). None when no two members erred together.
    """
    if len(answers) != len(gold):
        raise ValidationError(f"{len(answers)} rows of answers for {len(gold)} gold answers")
    same, pairs, items = 0, 0, 0
    for (row, truth), times in Counter(zip(map(tuple, answers), gold, strict=True)).items():
        wrong = Counter(answer for answer in row if answer is not None and answer != truth)
        both = math.comb(wrong.total(), 2)
        items += times * (both > 0)
        pairs += times * both
        same += times * sum(math.comb(count, 2) for count in wrong.values())
    if not pairs:
        return None
    found = wilson(same / pairs * items, items, level=level)
    return found.model_copy(update={"method": f"Wilson on items, {pairs} pairs"})


def error_correlations(right: Sequence[Sequence[bool | None]]) -> Mapping[tuple[int, int], float | None]:
    """The correlation of errors of each two members of right[item][member]; None where one of them never varies."""
    members = len(right[0]) if right else 0
    kinds: Counter[Pattern] = Counter(tuple(row) for row in right)
    return {pair: _phi(_table(kinds, pair)) for pair in combinations(range(members), 2)}


def _table(kinds: Mapping[Pattern, int], pair: tuple[int, int]) -> Table:
    """Items both answered: how many, the first right, the second right, both right."""
    n = first = second = both = 0
    for kind, times in kinds.items():
        a, b = kind[pair[0]], kind[pair[1]]
        if a is not None and b is not None:
            n, first, second, both = n + times, first + times * a, second + times * b, both + times * (a and b)
    return n, first, second, both


def _phi(table: Table) -> float | None:
    n, first, second, both = table
    spread = first * (n - first) * second * (n - second)
    return (n * both - first * second) / math.sqrt(spread) if spread > 0 else None


def _rho_without(kind: Pattern, tables: Mapping[tuple[int, int], Table]) -> float | None:
    values = []
    for (i, j), (n, first, second, both) in tables.items():
        a, b = kind[i], kind[j]
        if a is None or b is None:
            values.append(_phi((n, first, second, both)))
        else:
            values.append(_phi((n - 1, first - a, second - b, both - (a and b))))
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
