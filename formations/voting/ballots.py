"""Ballots: what one voter says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite

from pydantic import BaseModel

from phalanx.errors import ValidationError
from phalanx.messages import Data

from .exact import Exact, Number, exact
from .trusted import trusted


@dataclass(frozen=True, slots=True)
class Scores:
    """Points, grades or probabilities by candidate; whole numbers are ints, which is faster.

    names: who is scored, sorted. values: the score of each, in this order.
    """

    names: tuple[str, ...]
    values: tuple[int | Fraction, ...]

    def __hash__(self) -> int:
        return hash((self.names, self.values))

    @classmethod
    def of(cls, scores: Mapping[str, Number]) -> Scores:
        """Scores from a mapping. Raises ValidationError for what is not a finite number."""
        names = tuple(sorted(scores))
        return cls(tuple(map(plain_text, names)), tuple(_plain(scores[name]) for name in names))

    @property
    def items(self) -> Iterable[tuple[str, int | Fraction]]:
        """Each candidate with its score."""
        return zip(self.names, self.values, strict=True)

    @property
    def best(self) -> tuple[str, ...]:
        """Who has the highest score."""
        values, top = self.values, max(self.values)
        if values.count(top) == 1:
            return (self.names[values.index(top)],)
        return tuple([name for name, score in zip(self.names, values, strict=True) if score == top])


ONE = Fraction(1)
"""The weight of a ballot that was given none."""

Content = str | tuple[str, ...] | frozenset[str] | Scores
"""What a ballot says: a choice, a ranking, approvals, or scores."""


class Ballot(Data):
    """What one voter says: one choice, a ranking, a set of approved candidates, or scores; nothing is an abstention.

    choice: the one candidate voted for. ranking: candidates, best first; those left out share the last place.
    approved: all candidates the voter can live with (an empty set approves of none). scores: points, grades or
    probabilities by candidate. voter: who votes. weight: how much the ballot counts. confidence: how sure the voter
    is, from 0 to 1 (None: unknown). text: the voter's reasons, kept as dissent when the vote goes another way.

    Raises ValidationError for a ballot that says two things, names a candidate twice or not at all, or has a number
    that is negative where it must not be, or not finite.
    """

    choice: str | None = None
    ranking: tuple[str, ...] | None = None
    approved: frozenset[str] | None = None
    scores: dict[str, Exact] | None = None
    voter: str | None = None
    weight: Exact = ONE
    confidence: float | None = None
    text: str | None = None

    def __init__(
        self,
        choice: str | None = None,
        *,
        ranking: Sequence[str] | None = None,
        approved: Iterable[str] | None = None,
        scores: Mapping[str, Number] | None = None,
        voter: str | None = None,
        weight: Number = 1,
        confidence: float | None = None,
        text: str | None = None,
    ) -> None:
        said = {"choice": choice, "ranking": ranking, "approved": approved, "scores": scores}
        given = {kind: value for kind, value in said.items() if value is not None}
        if len(given) > 1:
            raise ValidationError(f"a ballot says one thing, not {' and '.join(given)}")
        if approved is not None:
            given["approved"] = frozenset(approved)
        for value in given.values():
            content_of(value)
        if (type(weight) is not int or weight < 0) and exact(weight) < 0:
            raise ValidationError(f"a ballot's weight is {weight}; it must not be negative")
        if confidence is not None and not (isfinite(confidence) and 0 <= confidence <= 1):
            raise ValidationError(f"a confidence is from 0 to 1, not {confidence}; write 95 % as 0.95")
        facts = {"voter": voter, "weight": weight, "confidence": confidence, "text": text}
        BaseModel.__init__(self, **given, **facts)

    @classmethod
    def of(cls, choice: str, *, voter: str, text: str, confidence: float | None = None) -> Ballot:
        """`Ballot(choice, …)` of an answer that was read as `choice`, and of a confidence that was checked before.

        voter: who votes. text: its reasons. confidence: how sure it is, from 0 to 1 (None: unknown).
        """
        facts: dict[str, object] = {
            "choice": choice, "ranking": None, "approved": None, "scores": None, "voter": voter, "weight": ONE,
            "confidence": confidence, "text": text,
        }  # fmt: skip
        return trusted(cls, facts, _OF)

    @property
    def content(self) -> Content | None:
        """What the ballot says, whichever way; None when it abstains."""
        if self.choice is not None:
            return self.choice
        if self.ranking is not None:
            return self.ranking or None
        if self.approved is not None:
            return self.approved
        return Scores.of(self.scores) if self.scores else None


_OF = frozenset({"choice", "voter", "weight", "confidence", "text"})

RawBallot = Ballot | str | Sequence[str] | AbstractSet[str] | Mapping[str, Number] | None
"""A choice, a list (ranked), a set (approved), a mapping (points, scores), a Ballot, or None (abstains)."""


def content_of(raw: object) -> Content | None:
    """What a ballot without a name says; None when it abstains. Raises ValidationError when it says nothing clear."""
    if isinstance(raw, str):
        if not raw.strip():
            raise ValidationError("its choice is blank; None abstains")
        return plain_text(raw)
    if isinstance(raw, (list, tuple)):
        check_names(raw)
        if len(set(raw)) < len(raw):
            twice = next(name for name in raw if raw.count(name) > 1)
            raise ValidationError(f"it ranks {twice!r} more than once; rank each candidate once")
        return tuple(map(plain_text, raw)) or None
    if isinstance(raw, Mapping):
        check_names(raw)
        return Scores.of(raw) if raw else None
    if isinstance(raw, AbstractSet):
        check_names(raw)
        return frozenset(map(plain_text, raw))
    raise ValidationError(
        f"{raw!r} is no ballot; a ballot is text, a list (ranked), a set (approved), a mapping (scores), a Ballot, or "
        "None (abstains)"
    )


def check_names(names: Iterable[object]) -> None:
    """Raise ValidationError for a name that no candidate can have."""
    for name in names:
        if not isinstance(name, str) or not name or name.isspace():
            raise ValidationError(f"{name!r} is no candidate; candidates are texts that are not blank")


def plain_text(name: str) -> str:
    """A name as text and nothing more: a member of an enumeration of texts is written otherwise in some places."""
    return name if type(name) is str else str.__str__(name)


def _plain(score: Number) -> int | Fraction:
    if type(score) is int:
        return score
    number = exact(score)
    return number.numerator if number.denominator == 1 else number


class Invalid(Data):
    """A ballot that could not be counted and abstains instead: its place among the ballots, its voter, and why."""

    ballot: int
    voter: str | None = None
    problem: str
