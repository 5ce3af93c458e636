"""Stop rules put together with | and &, and those that look at rounds: `unanimous() | stable(2) & max_rounds(3)`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, InstanceOf, PlainSerializer, TypeAdapter, WithJsonSchema

from phalanx.errors import ConfigurationError, ValidationError
from phalanx.settings import nearest

from .exact import Number, exact
from .stopping import (
    Agreement,
    Answers,
    AnyStop,
    Beta,
    Dirichlet,
    Esc,
    Stable,
    StopRule,
    Unanimous,
    agreement,
    beta,
    dirichlet,
    esc,
    stable,
    unanimous,
)


class AnyOf(StopRule):
    """Stop when one of these `stops` says so; `a | b` is short for it."""

    kind: Literal["any_of"] = "any_of"
    stops: tuple[InstanceOf[StopRule], ...] = Field(min_length=1)

    def holds(self, rounds: Sequence[Answers]) -> bool:
        return any(stop.holds(rounds) for stop in self.stops)


class AllOf(StopRule):
    """Stop when all of these `stops` say so; `a & b` is short for it."""

    kind: Literal["all_of"] = "all_of"
    stops: tuple[InstanceOf[StopRule], ...] = Field(min_length=1)

    def holds(self, rounds: Sequence[Answers]) -> bool:
        return all(stop.holds(rounds) for stop in self.stops)


class NoChange(StopRule):
    """Stop when every answer is held by as many as in the round before, whoever they are."""

    kind: Literal["no_change"] = "no_change"

    def holds(self, rounds: Sequence[Answers]) -> bool:
        return len(rounds) > 1 and Counter(rounds[-1]) == Counter(rounds[-2])


class MaxRounds(StopRule):
    """Stop after `rounds` rounds of revision; the draft is none."""

    kind: Literal["max_rounds"] = "max_rounds"
    rounds: int = Field(ge=0)

    def holds(self, rounds: Sequence[Answers]) -> bool:
        return len(rounds) > self.rounds


class Decided(StopRule):
    """Stop when the formation's own rule decides; with a tie or without agreement it goes on."""

    kind: Literal["decided"] = "decided"

    def holds(self, rounds: Sequence[Answers]) -> bool:  # noqa: ARG002
        raise ConfigurationError("whether a rule decides only a formation knows; give decided() to a debate, as stop=")


class JudgeDecides(StopRule):
    """Stop when the judges agree on one answer, whatever its order; they are asked after every round."""

    kind: Literal["judge_decides"] = "judge_decides"

    def holds(self, rounds: Sequence[Answers]) -> bool:  # noqa: ARG002
        raise ConfigurationError("only a debate has judges to ask; give judge_decides() to one, as stop=")


class Never(StopRule):
    """Do not stop before the rounds are over, also where everybody agrees."""

    kind: Literal["never"] = "never"

    def holds(self, rounds: Sequence[Answers]) -> bool:  # noqa: ARG002
        return False


def never() -> Never:
    """Do not stop before the rounds are over."""
    return Never()


def no_change() -> NoChange:
    """Stop when every answer is held by as many as in the round before."""
    return NoChange()


def max_rounds(rounds: Number) -> MaxRounds:
    """Stop after so many `rounds` of revision. Raises ValidationError for what is no whole number from 0."""
    if (whole := exact(rounds)).denominator != 1 or whole < 0:
        raise ValidationError(f"max_rounds({rounds}) is no whole number from 0")
    return MaxRounds(rounds=int(whole))


def more_than(q: Number = "1/2") -> Agreement:
    """Stop when more than a share `q` of all answers is the same. Raises ValidationError for what is no share."""
    return Agreement(q=exact(q), strict=True)


def decided() -> Decided:
    """Stop when the formation's own rule decides."""
    return Decided()


def judge_decides() -> JudgeDecides:
    """Stop when the judges agree on an answer."""
    return JudgeDecides()


def met(stop: StopRule, rounds: Sequence[Answers], *, is_decided: bool = False, is_judged: bool = False) -> bool:
    """Whether to stop after these rounds.

    rounds: the answers of each as classes, oldest first. is_decided: whether the formation's rule decides.
    is_judged: whether the judges agree.
    """
    if isinstance(stop, AnyOf | AllOf):
        parts = (met(each, rounds, is_decided=is_decided, is_judged=is_judged) for each in stop.stops)
        return any(parts) if isinstance(stop, AnyOf) else all(parts)
    if isinstance(stop, Decided):
        return is_decided
    return is_judged if isinstance(stop, JudgeDecides) else stop.holds(rounds)


def is_certain(stop: StopRule, rounds: Sequence[Answers], *, is_decided: bool = False) -> bool:
    """Whether it stops after these rounds however those answer who have not yet: None in the last round.

    rounds: the answers of each as classes. is_decided: whether the formation's rule is certain to decide. False where
    it cannot be told before everybody has answered.
    """
    if isinstance(stop, AnyOf | AllOf):
        parts = (is_certain(each, rounds, is_decided=is_decided) for each in stop.stops)
        return any(parts) if isinstance(stop, AnyOf) else all(parts)
    if isinstance(stop, Decided):
        return is_decided
    # The answers still out can only add to the share of the leading one, or leave it as it is.
    return isinstance(stop, Agreement | MaxRounds) and stop.holds(rounds)


def most_rounds(stop: StopRule) -> int | None:
    """The round after which it stops whatever was said; None when there is none."""
    if isinstance(stop, AnyOf | AllOf):
        caps = [most_rounds(each) for each in stop.stops]
        known = [cap for cap in caps if cap is not None]
        if isinstance(stop, AnyOf):
            return min(known, default=None)
        return max(known) if len(known) == len(caps) else None
    return stop.rounds if isinstance(stop, MaxRounds) else None


def parts_of(stop: StopRule | None) -> tuple[StopRule, ...]:
    """The single stop rules that one is put together from."""
    if stop is None:
        return ()
    return sum((parts_of(each) for each in stop.stops), ()) if isinstance(stop, AnyOf | AllOf) else (stop,)


_NAMES: dict[str, Callable[..., StopRule]] = {
    "beta": beta, "dirichlet": dirichlet, "esc": esc, "unanimous": unanimous, "agreement": agreement,
    "more_than": more_than, "stable": stable, "no_change": no_change, "max_rounds": max_rounds, "decided": decided,
    "judge_decides": judge_decides, "never": never,
}  # fmt: skip
_TOKEN = re.compile(r"\s*(?:([a-z_]+)\s*(?:\(\s*([^()\s]*)\s*\))?|([|&()]))\s*")


def stop_from(text: str) -> StopRule:
    """A stop rule as it is written: "unanimous", "agreement(2/3) | max_rounds(3)", "stable(2) & (decided | beta)".

    & binds closer than |. Raises ValidationError for an unknown name, an impossible number, or a broken expression.
    """
    tokens: list[StopRule | str] = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValidationError(f"the stop rule {text!r} cannot be read from {text[at:]!r} on")
        tokens.append(found[3] or _named(found[1], found[2]))
        at = found.end()
    try:
        stop, rest = _either(tokens, text)
    except RecursionError:
        raise ValidationError(f"the stop rule {text[:40]!r}… is nested too deeply") from None
    if rest:
        raise _broken(text)
    return stop


def _either(tokens: Sequence[StopRule | str], text: str) -> tuple[StopRule, Sequence[StopRule | str]]:
    stop, rest = _both(tokens, text)
    while rest and rest[0] == "|":
        other, rest = _both(rest[1:], text)
        stop = stop | other
    return stop, rest


def _both(tokens: Sequence[StopRule | str], text: str) -> tuple[StopRule, Sequence[StopRule | str]]:
    stop, rest = _single(tokens, text)
    while rest and rest[0] == "&":
        other, rest = _single(rest[1:], text)
        stop = stop & other
    return stop, rest


def _single(tokens: Sequence[StopRule | str], text: str) -> tuple[StopRule, Sequence[StopRule | str]]:
    if not tokens:
        raise _broken(text)
    first, rest = tokens[0], tokens[1:]
    if isinstance(first, StopRule):
        return first, rest
    if first == "(":
        inside, rest = _either(rest, text)
        if rest and rest[0] == ")":
            return inside, rest[1:]
    raise _broken(text)


def _broken(text: str) -> ValidationError:
    return ValidationError(f"the stop rule {text!r} is not complete; write e.g. 'agreement(2/3) | max_rounds(3)'")


def _named(name: str, number: str | None) -> StopRule:
    if name not in _NAMES:
        raise ValidationError(
            f"there is no stop rule {name!r}{nearest(name, _NAMES)}; there are: {', '.join(_NAMES)}, joined by | and &"
        )
    try:
        return _NAMES[name](number) if number else _NAMES[name]()
    except TypeError:
        right = f"{name}(3)" if name == "max_rounds" else name
        raise ValidationError(f"the stop rule {name!r} is written {right!r}") from None


def written(stop: StopRule | None) -> str | None:
    """A stop rule as `stop_from` reads it; None stays None. Raises ValidationError for one of the user's own."""
    if stop is None:
        return None
    if isinstance(stop, AnyOf):
        return " | ".join(filter(None, map(written, stop.stops)))
    if isinstance(stop, AllOf):
        parts = [f"({written(each)})" if isinstance(each, AnyOf) else written(each) for each in stop.stops]
        return " & ".join(filter(None, parts))
    name, number = _spelled(stop)
    return name if number is None else f"{name}({number})"


def _spelled(stop: StopRule) -> tuple[str, Fraction | int | None]:
    match stop:
        case Beta() | Dirichlet():
            return stop.kind, exact(stop.c)
        case Esc():
            return stop.kind, stop.window
        case Agreement():
            return ("more_than" if stop.strict else "agreement"), exact(stop.q)
        case Stable() | MaxRounds():
            return stop.kind, stop.rounds
        case Unanimous() | NoChange() | Decided() | JudgeDecides() | Never():
            return stop.kind, None
    raise ValidationError(f"the stop rule {stop!r} is code, which a file cannot hold")


def as_stop(given: object) -> object:
    """A stop rule from its text, its options ({"kind": "stable", "rounds": 3}), or itself; None stays None.

    Raises ValidationError when it is none of them.
    """
    if given is None or isinstance(given, StopRule):
        return given
    if isinstance(given, str):
        return stop_from(given)
    if isinstance(given, Mapping):
        options = dict(given)
        kind = options.pop("kind", None)
        if kind in ("any_of", "all_of"):
            stops = tuple(as_stop(each) for each in options.get("stops") or ())
            return (AnyOf if kind == "any_of" else AllOf)(stops=stops)  # type: ignore[arg-type]
        if kind in ("no_change", "max_rounds", "decided", "judge_decides", "never"):
            looking: dict[str, Callable[..., StopRule]] = {
                "no_change": NoChange, "max_rounds": MaxRounds, "decided": Decided, "judge_decides": JudgeDecides,
                "never": Never,
            }  # fmt: skip
            return looking[kind](**options)
        single: TypeAdapter[StopRule] = TypeAdapter(AnyStop)
        return single.validate_python(dict(given))
    raise ValidationError(f"{given!r} is no stop rule; write e.g. 'unanimous | max_rounds(3)'")


StopField = Annotated[
    Any,
    BeforeValidator(as_stop),
    PlainSerializer(written, when_used="unless-none"),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string"}, {"type": "object", "required": ["kind"]}, {"type": "null"}],
            "description": "A stop rule, such as 'unanimous | max_rounds(3)'",
        }
    ),
]
"""A formation's field that holds a stop rule, its text, or None."""
