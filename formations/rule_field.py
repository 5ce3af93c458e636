"""A formation's field that holds a voting rule: a rule, its name, its options, or an object with `decide`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from phalanx.errors import ValidationError

from .voting import VotingRule, rule_of


def as_rule(given: object) -> object:
    """A rule from any of its forms; None stays None. Raises ValidationError when it is none of them."""
    if given is None or hasattr(given, "decide"):
        return given
    if isinstance(given, str | Mapping):
        return rule_of(given)
    raise ValidationError(f"{given!r} is no rule; a rule has decide(ballots), e.g. Majority()")


def written(rule: object) -> object:
    """A rule as it stands in a file. Raises ValidationError for one that is the user's own."""
    if rule is None or isinstance(rule, str):
        return rule
    if isinstance(rule, VotingRule):
        return {"kind": rule.kind, **rule.model_dump(mode="json", exclude_defaults=True)}
    raise ValidationError(f"{rule!r} is code, which a file cannot hold")


RuleField = Annotated[
    Any,
    BeforeValidator(as_rule),
    PlainSerializer(written, when_used="unless-none"),
    WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "object"}, {"type": "null"}], "description": "A voting rule, by name"}
    ),
]
