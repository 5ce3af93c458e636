"""Did talking help? What became right and what was broken between two rounds of the same items."""

from __future__ import annotations

from collections.abc import Sequence

from phalanx.errors import ValidationError
from phalanx.messages import Data

from .paired import McNemar, mcnemar_counts


class Transitions(Data):
    """The four-cell table of answers before and after a round.

    kept: right and still right; broke: right, then wrong; fixed: wrong, then right; missed: wrong and still wrong.
    Count one decision an item (a vote, or one member), or all members' answers; the test needs one an item.
    """

    kept: int
    broke: int
    fixed: int
    missed: int

    @property
    def n(self) -> int:
        return self.kept + self.broke + self.fixed + self.missed

    @property
    def before(self) -> float:
        """Accuracy before, a."""
        return (self.kept + self.broke) / self.n

    @property
    def after(self) -> float:
        """Accuracy after: a + c(1−a) − e·a."""
        return (self.kept + self.fixed) / self.n

    @property
    def correction(self) -> float | None:
        """c: the share of wrong answers that became right; None when none was wrong."""
        wrong = self.fixed + self.missed
        return self.fixed / wrong if wrong else None

    @property
    def corruption(self) -> float | None:
        """e: the share of right answers that became wrong; None when none was right."""
        right = self.kept + self.broke
        return self.broke / right if right else None

    @property
    def gain(self) -> float:
        """c(1−a), what was won, as a share of all."""
        return self.fixed / self.n

    @property
    def loss(self) -> float:
        """e·a, what was lost, as a share of all."""
        return self.broke / self.n

    @property
    def helped(self) -> bool:
        """Whether c(1−a) > e·a."""
        return self.fixed > self.broke

    @property
    def limit(self) -> float | None:
        """Where accuracy settles when every round is like this one: c/(c+e). None when it cannot be told."""
        c, e = self.correction, self.corruption
        return c / (c + e) if c is not None and e is not None and c + e > 0 else None

    def after_rounds(self, rounds: int) -> float | None:
        """Accuracy after that many rounds like this one: a* + (a − a*)(1 − c − e)^rounds."""
        c, e, limit = self.correction, self.corruption, self.limit
        if c is None or e is None or limit is None:
            return None
        return limit + (self.before - limit) * (1 - c - e) ** rounds

    def test(self) -> McNemar:
        """McNemar's test that as many were fixed as broken."""
        return mcnemar_counts(self.fixed, self.broke, n=self.n)

    def __str__(self) -> str:
        sign = ">" if self.helped else "=" if self.fixed == self.broke else "<"
        share = {">": "more than", "=": "as much as", "<": "less than"}[sign]
        rule = f"c(1-a) = {self.gain:.4f} {sign} e·a = {self.loss:.4f}"
        table = f"kept {self.kept}, fixed {self.fixed}, broke {self.broke}, missed {self.missed} of n={self.n}"
        facts = f"{table}; {self.before:.4f} -> {self.after:.4f}, mid-p={self.test().mid_p:.3g}"
        return f"the round fixed {share} it broke: {rule} ({facts})"


def transitions(before: Sequence[bool], after: Sequence[bool]) -> Transitions:
    """The table from whether each answer was right before and after. Raises ValidationError for unequal lengths."""
    if len(before) != len(after) or not before:
        raise ValidationError(f"{len(before)} answers before and {len(after)} after; need the same, and at least one")
    pairs = [(bool(first), bool(then)) for first, then in zip(before, after, strict=True)]
    return Transitions(
        kept=pairs.count((True, True)),
        broke=pairs.count((True, False)),
        fixed=pairs.count((False, True)),
        missed=pairs.count((False, False)),
    )
