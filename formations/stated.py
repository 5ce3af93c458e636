"""Typed answers of a discussion: the answer apart from its reasons, a confidence, ratings of the others."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import Field

from phalanx.agents.output import Shape
from phalanx.agents.result import AgentResult
from phalanx.messages import Data

from .base import Outcome


class Stated(Data):
    """An answer and the reasons for it."""

    reasoning: str
    answer: str


class Sure(Stated):
    """With `confidence`, how sure its author is that it is right: from 0 to 1."""

    confidence: float = Field(ge=0, le=1)


class Rating(Data):
    """What one answer of the others is worth, from 1 to 5; `label` is the one it was shown under."""

    label: str
    rating: int = Field(ge=1, le=5)


class Rated(Stated):
    """With `ratings` of the answers it was shown."""

    ratings: tuple[Rating, ...] = ()


class SureRated(Sure, Rated):
    """With both."""


class Confidence(Data):
    """How sure a member is of the answer it gave: from 0 to 1."""

    confidence: float = Field(ge=0, le=1)


def contract(*, sure: bool, rates: bool) -> Shape[Stated] | None:
    """The shape of an answer, or None for plain text.

    sure: it states its confidence. rates: it rates the answers it was shown.
    """
    if rates:
        return Shape(SureRated if sure else Rated)
    return Shape(Sure) if sure else None


def is_text(outcome: Outcome) -> bool:
    """Whether an outcome's answer is text, as most are."""
    return outcome.answer is not None and type(outcome.answer.output) is str


def stated(outcome: Outcome) -> Stated | None:
    """The typed answer of an outcome, if it is one."""
    answer = outcome.answer
    if answer is None:
        return None
    # Most answers are text, which shows sooner than that something is no kind of a class.
    output = answer.output
    return None if type(output) is str or not isinstance(output, Stated) else output


def typed(outcome: Outcome) -> object:
    """An outcome's answer as an object of the member's own type; None for text, and for a shape of the formation's."""
    return None if outcome.answer is None or stated(outcome) is not None else outcome.answer.output


def said(outcome: Outcome) -> str:
    """An outcome's answer as people read it: a typed one as its reasons and then the answer."""
    told = stated(outcome)
    if told is None:
        return outcome.text
    return f"{told.reasoning}\nAnswer: {told.answer}" if told.answer.strip() else told.reasoning


def answered(outcome: Outcome) -> str | None:
    """The text that an outcome's answer is read from; None when it abstains.

    So does a typed answer that is left blank, and a nested team that came to no decision, whatever it says of it.
    """
    typed = stated(outcome)
    if typed is None:
        return None if is_undecided(outcome) else outcome.text
    return said(outcome) if typed.answer.strip() else None


def is_undecided(outcome: Outcome) -> bool:
    """Whether an outcome's answer is that of a nested team whose members did not agree."""
    answer = outcome.answer
    # What a team gives back is known by what it says of itself: teams are built on formations, and not known here.
    return type(answer) is not AgentResult and getattr(answer, "status", None) == "undecided"


def confidence(outcome: Outcome) -> float | None:
    """The confidence that a typed answer states."""
    typed = stated(outcome)
    return typed.confidence if isinstance(typed, Sure) else None


def ratings(outcome: Outcome) -> Sequence[Rating]:
    """The ratings that a typed answer gives."""
    typed = stated(outcome)
    return typed.ratings if isinstance(typed, Rated) else ()


_ANSWER = re.compile(r"^[ \t>*_#-]*(?:final[ \t]+)?answer[ \t*_]*:.*$", re.IGNORECASE)


def reason(outcome: Outcome) -> str:
    """The reasons in an answer: the typed ones, or its text without the lines that state the answer."""
    typed = stated(outcome)
    if typed is not None:
        return typed.reasoning.strip()
    return "\n".join(line for line in outcome.text.splitlines() if not _ANSWER.match(line)).strip()
