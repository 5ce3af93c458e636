"""When enough has been said: rules that stop sampling or debating."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, field_validator

from phalanx.errors import ValidationError
from phalanx.messages import Data
from phalanx.settings import nearest

from .exact import Number, Quantity, exact
from .sampling import beta_tail, dirichlet_first

Answers = Sequence[str | None]
"""Answers as classes, in seat order or in the order they were drawn; None is an abstention."""


class StopRule(Data):
    """Says when to stop: `reached` is asked after every answer, or after every round."""

    model_config = ConfigDict(defer_build=True)

    kind: str

    def reached(self, answers: Answers, before: Sequence[Answers] = ()) -> bool:
        """Whether to stop now.

        answers: of this round in seat order, or all samples so far in the order they were drawn. before: the rounds
        before, oldest first.
        """
        return self.holds([*before, answers])

    def holds(self, rounds: Sequence[Answers]) -> bool:
        """Whether to stop after these rounds, the last of which is this one."""
        raise NotImplementedError

    def __or__(self, other: StopRule) -> StopRule:
        """Stop when either says so."""
        from .composed import AnyOf

        return AnyOf(stops=sum((each.stops if isinstance(each, AnyOf) else (each,) for each in (self, other)), ()))

    def __and__(self, other: StopRule) -> StopRule:
        """Stop when both say so."""
        from .composed import AllOf

        return AllOf(stops=sum((each.stops if isinstance(each, AllOf) else (each,) for each in (self, other)), ()))


class Beta(StopRule):
    """Stop when the leader is the majority's choice with probability `c`, judged by the two largest classes.

    With a and b answers in them, theta ~ Beta(a+1, b+1) and P(theta > 1/2) >= c. It is not free when members are
    barely better than chance: see `expected_beta`. Adaptive-Consistency: Aggarwal et al. 2023 (arXiv 2305.11860).
    """

    kind: Literal["beta"] = "beta"
    c: Quantity = Fraction(19, 20)

    @field_validator("c")
    @classmethod
    def _is_confidence(cls, c: Fraction) -> Fraction:
        return _confidence(c)

    def holds(self, rounds: Sequence[Answers]) -> bool:
        counts = class_sizes(rounds[-1])
        a, b = ([*counts, 0, 0])[:2]
        return a > 0 and beta_tail(a, b) >= exact(self.c)


class Dirichlet(StopRule):
    """Stop when the leader is the most probable class with probability `c`, judged by the five largest classes.

    The classes' shares are Dirichlet with one added to each size. More willing to go on than `Beta` when the rest is
    scattered. Adaptive-Consistency: Aggarwal et al. 2023 (arXiv 2305.11860).
    """

    kind: Literal["dirichlet"] = "dirichlet"
    c: Quantity = Fraction(19, 20)

    @field_validator("c")
    @classmethod
    def _is_confidence(cls, c: Fraction) -> Fraction:
        return _confidence(c)

    def holds(self, rounds: Sequence[Answers]) -> bool:
        counts = class_sizes(rounds[-1])[:5]
        return bool(counts) and dirichlet_first(*([*counts, 0] if len(counts) == 1 else counts)) >= exact(self.c)


class Esc(StopRule):
    """Stop when one whole window of `window` samples in a row agrees; windows follow one another from the start.

    Early-stopping self-consistency: Li et al. 2024 (arXiv 2401.10480).
    """

    kind: Literal["esc"] = "esc"
    window: int = Field(default=5, ge=1)

    def holds(self, rounds: Sequence[Answers]) -> bool:
        answers = rounds[-1]
        windows = (answers[at : at + self.window] for at in range(0, len(answers), self.window))
        return any(len(window) == self.window and len({*window}) == 1 and window[0] is not None for window in windows)


class Unanimous(StopRule):
    """Stop when all answers are the same; an abstention is not."""

    kind: Literal["unanimous"] = "unanimous"

    def holds(self, rounds: Sequence[Answers]) -> bool:
        answers = rounds[-1]
        return bool(answers) and answers[0] is not None and len({*answers}) == 1


class Agreement(StopRule):
    """Stop when a share `q` of all answers, abstentions included, is the same; `strict`: more than that share."""

    kind: Literal["agreement"] = "agreement"
    q: Quantity = Fraction(2, 3)
    strict: bool = False

    @field_validator("q")
    @classmethod
    def _is_share(cls, q: Fraction) -> Fraction:
        if not 0 < q <= 1:
            raise ValidationError(f"a share to agree on lies above 0 and up to 1, not at {q}")
        return q

    def holds(self, rounds: Sequence[Answers]) -> bool:
        counts = class_sizes(rounds[-1])
        share = Fraction(counts[0], len(rounds[-1])) if counts else Fraction(0)
        return share > exact(self.q) if self.strict else share >= exact(self.q)


class Stable(StopRule):
    """Stop when everybody gave the same answer as before in the last `rounds` rounds, this one included."""

    kind: Literal["stable"] = "stable"
    rounds: int = Field(default=2, ge=2)

    def holds(self, rounds: Sequence[Answers]) -> bool:
        last = [list(answers) for answers in rounds[-self.rounds :]]
        return len(last) == self.rounds and bool(last[0]) and all(answers == last[0] for answers in last)


def class_sizes(answers: Answers) -> list[int]:
    """How many answers each class has, largest first; abstentions are in none."""
    return sorted(Counter(answer for answer in answers if answer is not None).values(), reverse=True)


def _confidence(c: Fraction) -> Fraction:
    if not Fraction(1, 2) < c < 1:
        raise ValidationError(f"a confidence to stop at lies between 0.5 and 1, not at {c}")
    return c


def beta(c: Number = "0.95") -> Beta:
    """Stop when the leader is the majority's choice with probability `c`."""
    return Beta(c=exact(c))


def dirichlet(c: Number = "0.95") -> Dirichlet:
    """Stop when the leader is the most probable class with probability `c`."""
    return Dirichlet(c=exact(c))


def esc(window: Number = 5) -> Esc:
    """Stop when one whole window of samples agrees."""
    return Esc(window=_whole(window))


def unanimous() -> Unanimous:
    """Stop when all answers are the same."""
    return Unanimous()


def agreement(q: Number = "2/3") -> Agreement:
    """Stop when a share `q` of all answers is the same."""
    return Agreement(q=exact(q))


def stable(rounds: Number = 2) -> Stable:
    """Stop when nobody changed its answer for `rounds` rounds."""
    return Stable(rounds=_whole(rounds))


def _whole(number: Number) -> int:
    whole = exact(number)
    if whole.denominator != 1:
        raise ValidationError(f"{number} is not a whole number")
    return int(whole)


_BY_NAME: dict[str, Callable[..., StopRule]] = {
    "beta": beta, "dirichlet": dirichlet, "esc": esc, "unanimous": unanimous, "agreement": agreement, "stable": stable,
}  # fmt: skip
_CALL = re.compile(r"\s*([a-z]+)\s*(?:\(\s*([^()\s]*)\s*\))?\s*")


def stop_of(text: str) -> StopRule:
    """A stop rule as it is written in a team file or on the command line: "beta(0.95)", "esc(5)", "unanimous".

    Raises ValidationError for an unknown name or an impossible number.
    """
    call = _CALL.fullmatch(text)
    if call is None or call[1] not in _BY_NAME:
        near = nearest(text, _BY_NAME)
        raise ValidationError(f"there is no stop rule {text!r}{near}; write one of beta(0.95), esc(5), unanimous, …")
    make, number = _BY_NAME[call[1]], call[2]
    try:
        return make(number) if number else make()
    except TypeError:
        raise ValidationError(f"{call[1]} takes no number; write {call[1]!r} instead of {text!r}") from None


def _written(value: object) -> object:
    return stop_of(value) if isinstance(value, str) else value


AnyStop = Annotated[
    Annotated[Beta | Dirichlet | Esc | Unanimous | Agreement | Stable, Field(discriminator="kind")],
    BeforeValidator(_written),
]
"""A stop rule, its text ("beta(0.95)"), or its options ({"kind": "esc", "window": 5})."""
