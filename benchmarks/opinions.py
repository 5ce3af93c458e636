"""What judges made of answers, and how far they agree."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from phalanx.messages import Data

from .score import Score
from .statistics.agreement import krippendorff_alpha


class Opinion(Data):
    """What one judge made of an answer.

    worth: 0 to 1 in each order; None where it could not tell, or gave no verdict. reason: its own words, of the first
    order. error: why it gave no verdict, when it failed.
    """

    worth: tuple[float | None, ...]
    reason: str = ""
    error: str | None = None

    @property
    def mean(self) -> float | None:
        """The mean of both orders; None when it is missing in one of them: half a view is none."""
        given = [each for each in self.worth if each is not None]
        return math.fsum(given) / len(given) if given and len(given) == len(self.worth) else None

    @property
    def turned(self) -> bool:
        """Whether its verdict changed with the order."""
        return self.mean is not None and len(set(self.worth)) > 1


class Judgement(Data):
    """What the judges made of an answer: its score, and each judge's opinion by name."""

    score: Score
    opinions: dict[str, Opinion]


def agreement(ratings: Sequence[Sequence[float | None]]) -> tuple[float | None, float | None]:
    """How far judges agree: the share of pairs that say the same, and Krippendorff's alpha.

    ratings: a row for each thing that was judged, with what each judge made of it; None where it abstained. Alpha
    takes the ratings as numbers. Both are None where they have no meaning: with no two judges, or, for alpha, where
    all ratings are one and the same. Krippendorff 2011, Computing Krippendorff's Alpha-Reliability.
    """
    pairs = [
        one == other
        for row in ratings
        for one, other in itertools.combinations([each for each in row if each is not None], 2)
    ]
    if not pairs:
        return None, None
    return sum(pairs) / len(pairs), krippendorff_alpha(ratings, scale="interval").value


def agreed(opinions: Mapping[str, Opinion]) -> str:
    """How far the judges of one answer agree, in words."""
    means = [each.mean for each in opinions.values()]
    share, _ = agreement([means])
    _, alpha = agreement(list(zip(*(each.worth for each in opinions.values()), strict=True)))
    if share is None:
        return "no two opinions to compare"
    told = "cannot be told" if alpha is None else f"is {alpha:.2f}"
    return f"{share:.0%} of the pairs of judges agree, Krippendorff's alpha over the orders {told}"


def votes(opinions: Mapping[str, Opinion]) -> str:
    """How each judge voted: "judge: 1, 1 (the reason)"."""
    parts = []
    for name, each in opinions.items():
        verdicts = ", ".join("undecided" if worth is None else f"{worth:g}" for worth in each.worth)
        turned = ", changes with the order" if each.turned else ""
        note = f"failed: {each.error}" if each.error else each.reason
        parts.append(f"{name}: {verdicts}{turned}" + (f" ({note})" if note else ""))
    return "; ".join(parts)
