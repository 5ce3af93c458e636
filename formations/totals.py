"""What members brought over many results, and how many independent votes theirs are worth."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import sqrt

from phalanx.messages import Data, Usage

from .contribution import Contribution, Contributions, Share, Transitions, conformity
from .voting.exact import Exact


class MemberTotal(Share):
    """What one member brought over many results.

    items: in how many results it was asked. The rest is what `Share` says of many results; `standard_error` is that
    of the mean Shapley value over results, None for fewer than two.
    """

    items: int


class Totals(Data):
    """What a team's members brought over many results.

    items: how many results; graded: how many of them whose worth is known and is how right they are; worth: the mean
    over these. members: in the order in which they first came up. transitions: sums over the results that have them.
    classes, entropy, redundancy: means over results of what their first round of votes was (see Spread).
    error_correlation: the mean correlation (Pearson) of the worth of two members' votes over results, of all pairs in
    which both vary. effective_votes: how many independent votes as good as theirs their number is worth by that,
    n / (1 + (n - 1) rho) (Kish 1965, design effect). usage: what all cost. conformity: over all chances.
    """

    items: int = 0
    graded: int = 0
    worth: Exact | None = None
    members: tuple[MemberTotal, ...] = ()
    transitions: Transitions | None = None
    classes: Exact | None = None
    entropy: float | None = None
    redundancy: Exact | None = None
    error_correlation: float | None = None
    effective_votes: float | None = None
    usage: Usage = Usage()
    graded_usage: Usage = Usage()

    @property
    def conformity(self) -> Fraction | None:
        """The part of the chances to go over to the plurality that members took; None when there were none."""
        return conformity(self.members)

    @property
    def cost_per_right(self) -> float | None:
        """US dollars for each right answer among the graded; None when none is right or a price is not known."""
        right = self._right
        return None if not right or self.graded_usage.cost is None else self.graded_usage.cost / right

    @property
    def calls_per_right(self) -> float | None:
        """Model calls for each right answer among the graded; None when none is right."""
        return self.graded_usage.calls / self._right if self._right else None

    @property
    def tokens_per_right(self) -> float | None:
        """Tokens for each right answer among the graded; None when none is right."""
        return self.graded_usage.tokens / self._right if self._right else None

    @property
    def _right(self) -> float:
        return 0.0 if self.worth is None else float(self.worth * self.graded)


def aggregate(contributions: Sequence[Contributions]) -> Totals:
    """What members brought over several results of one team.

    contributions: those of each result, e.g. `[result.contributions(gold) for result, gold in …]`. For the
    independence of members, take those of the drafts (`round=0`): a later round holds what they took from each other.
    """
    graded = [each for each in contributions if each.is_graded and each.worth is not None]
    firsts = [each.spread[0] for each in contributions if each.spread]
    names = list(dict.fromkeys(each.member for one in contributions for each in one.members))
    parts = {name: [part for one in contributions for part in one.members if part.member == name] for name in names}
    correlation = _correlation(contributions, names)
    moves = [each.transitions for each in contributions if each.transitions is not None]
    entropies = [each.entropy for each in firsts if each.entropy is not None]
    return Totals(
        items=len(contributions), graded=len(graded), worth=_mean(each.worth for each in graded),
        members=tuple(_total(name, parts[name]) for name in names),
        transitions=_sum(moves) if moves else None,
        classes=_mean(Fraction(each.classes) for each in firsts if each.cast),
        entropy=sum(entropies) / len(entropies) if entropies else None,
        redundancy=_mean(each.redundancy for each in firsts),
        error_correlation=correlation, effective_votes=_effective(contributions, correlation),
        usage=sum((each.usage for each in contributions), Usage()),
        graded_usage=sum((each.usage for each in graded), Usage()),
    )  # fmt: skip


def _total(name: str, parts: Sequence[Contribution]) -> MemberTotal:
    values = [float(each.shapley) for each in parts if each.shapley is not None]
    error = None
    if len(values) > 1:
        mean = sum(values) / len(values)
        error = sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values))
    return MemberTotal(
        member=name, items=len(parts), worth=_mean(each.worth for each in parts),
        shapley=_mean(each.shapley for each in parts), standard_error=error,
        leave_one_out=_mean(each.leave_one_out for each in parts),
        flips=sum(each.flips for each in parts), persuaded=sum((each.persuaded for each in parts), Fraction(0)),
        chances=sum(each.chances for each in parts), conformed=sum(each.conformed for each in parts),
        usage=sum((each.usage for each in parts), Usage()),
    )  # fmt: skip


def _mean(values: Iterable[Fraction | None]) -> Fraction | None:
    known = [each for each in values if each is not None]
    return sum(known, Fraction(0)) / len(known) if known else None


def _sum(moves: Sequence[Transitions]) -> Transitions:
    return Transitions(**{name: sum(getattr(each, name) for each in moves) for name in Transitions.model_fields})


def _correlation(contributions: Sequence[Contributions], names: Sequence[str]) -> float | None:
    worths = [{each.member: each.worth for each in one.members if each.worth is not None} for one in contributions]
    found = []
    for one, other in itertools.combinations(names, 2):
        pairs = [(float(each[one]), float(each[other])) for each in worths if one in each and other in each]
        if (value := _pearson(pairs)) is not None:
            found.append(value)
    return sum(found) / len(found) if found else None


def _pearson(pairs: Sequence[tuple[float, float]]) -> float | None:
    """The correlation of two members; None when one of them does not vary."""
    if len(pairs) < 2:
        return None
    means = [sum(pair[at] for pair in pairs) / len(pairs) for at in range(2)]
    moved = [(one - means[0], other - means[1]) for one, other in pairs]
    spread = sqrt(sum(one * one for one, _ in moved) * sum(other * other for _, other in moved))
    return sum(one * other for one, other in moved) / spread if spread > 1e-12 else None


def _effective(contributions: Sequence[Contributions], correlation: float | None) -> float | None:
    sizes = [sum(each.worth is not None for each in one.members) for one in contributions]
    voted = [size for size in sizes if size]
    if correlation is None or not voted:
        return None
    votes = sum(voted) / len(voted)
    inflation = 1 + (votes - 1) * correlation
    return votes / inflation if inflation > 1e-12 else None
