"""All rules by name, and the one field type that holds any of them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, TypeAdapter
from pydantic import ValidationError as PydanticError

from phalanx.errors import ValidationError
from phalanx.settings import nearest

from .counting import Approval, Approvals, Majority, Plurality, Supermajority, Unanimity
from .pairwise import Copeland, Minimax, RankedPairs, Schulze
from .pools import LinearPool, LogarithmicPool
from .ranked import Borda, InstantRunoff
from .rule import VotingRule
from .scored import Cumulative, Median, Score
from .weighted import BucketedConfidence, LogOdds

RULES: dict[str, type[VotingRule]] = {
    str(rule.model_fields["kind"].default): rule
    for rule in (
        Plurality, Majority, Supermajority, Unanimity, Approval, Approvals, BucketedConfidence, LogOdds,
        Cumulative, Score, Median, Borda, InstantRunoff, Copeland, Schulze, RankedPairs, Minimax,
        LinearPool, LogarithmicPool,
    )
}  # fmt: skip


def _named(value: object) -> object:
    """A rule's name stands for the rule with its defaults."""
    if isinstance(value, str):
        value = {"kind": value}
    if isinstance(value, Mapping):
        kind = value.get("kind")
        if kind not in RULES:
            raise ValidationError(f"there is no voting rule {kind!r}{nearest(str(kind), RULES)}; {', '.join(RULES)}")
    return value


AnyRule = Annotated[
    Annotated[
        Plurality | Majority | Supermajority | Unanimity | Approval | Approvals | BucketedConfidence | LogOdds
        | Cumulative | Score | Median | Borda | InstantRunoff | Copeland | Schulze | RankedPairs | Minimax
        | LinearPool | LogarithmicPool,
        Field(discriminator="kind"),
    ],
    BeforeValidator(_named),
]  # fmt: skip
"""A voting rule, its name ("plurality"), or its options ({"kind": "supermajority", "q": "3/4"})."""


@functools.cache
def _adapter() -> TypeAdapter[VotingRule]:
    """Made at the first use, not at import: it knows every rule."""
    return TypeAdapter(AnyRule)


def rule_of(value: VotingRule | str | Mapping[str, object]) -> VotingRule:
    """A voting rule from its name or its options. Raises ValidationError for an unknown name or a wrong option."""
    try:
        return _adapter().validate_python(value)
    except PydanticError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValidationError(f"not a voting rule: {where}: {first['msg']}" if where else first["msg"]) from None
