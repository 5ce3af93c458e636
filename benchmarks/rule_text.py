"""A voting rule as a comparison keeps it, so that its ballots can be decided again."""

from __future__ import annotations

import functools
import json

from phalanx.formations.rule_field import written
from phalanx.formations.voting import Rule, VotingRule, rule_of

# A suite decides by few rules and often; comparing two of them costs more than writing one down.
_KNOWN: dict[int, tuple[Rule, str]] = {}
_MANY = 256


def rule_text(rule: Rule | None) -> str:
    """A rule in a line: JSON of one that a file can hold, the name of the user's own, "" for none.

    rule: what decided.
    """
    if rule is None:
        return ""
    known = _KNOWN.get(id(rule))
    if known is None:
        if len(_KNOWN) >= _MANY:
            _KNOWN.clear()
        text = json.dumps(written(rule), sort_keys=True) if isinstance(rule, VotingRule) else type(rule).__name__
        known = _KNOWN[id(rule)] = rule, text
    return known[1]


@functools.lru_cache(maxsize=_MANY)
def rule_in(text: str) -> VotingRule | None:
    """The rule that a line holds; None for one of the user's own, or none.

    text: as `rule_text` gives it.
    """
    return rule_of(json.loads(text)) if text.startswith("{") else None


def rule_name(text: str) -> str:
    """What a rule is called in a report: "plurality", "log odds", or the name of the user's own.

    text: as `rule_text` gives it.
    """
    rule = rule_in(text)
    return text if rule is None else rule.kind.replace("_", " ")
