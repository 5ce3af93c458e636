"""The rounds of a vote as JSON values, so that a stored result can be decided again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import Round
from .rule_field import as_rule, written
from .voting import Ballot, Decision, Rule, VotingRule


def round_facts(round: Round) -> dict[str, Any]:
    """A round as JSON values; a rule that is the user's own, which no file can hold, is left out."""
    ballots = [
        None if each is None else _said(each, name) for name, each in zip(round.choices, round.ballots, strict=False)
    ]
    is_plain = all(each is None or set(each) == {"choice"} for each in ballots)
    return {
        "number": round.number,
        "texts": dict(round.texts),
        "choices": dict(round.choices),
        "decision": None if round.decision is None else round.decision.model_dump(mode="json"),
        "rule": written(round.rule) if isinstance(round.rule, VotingRule) else None,
        # Ballots that say no more than the choices would only say it twice.
        "ballots": [] if is_plain else ballots,
    }


def round_of(facts: Mapping[str, Any]) -> Round:
    """The round whose facts these are. Raises KeyError, TypeError or ValueError when they are not a round's."""
    texts, choices, decision = facts["texts"], facts["choices"], facts.get("decision")
    given = facts.get("ballots") or []
    if given:
        ballots = [
            None if each is None else Ballot(**{"voter": name, "text": texts.get(name), **each})
            for name, each in zip(choices, given, strict=True)
        ]
    else:
        ballots = [
            None if each is None else Ballot(each, voter=name, text=texts.get(name)) for name, each in choices.items()
        ]
    rule: Rule | None = as_rule(facts.get("rule"))  # type: ignore[assignment]
    return Round(
        facts["number"], texts, choices, None if decision is None else Decision.model_validate(decision),
        rule, tuple(ballots),
    )  # fmt: skip


def _said(ballot: Ballot, name: str) -> dict[str, Any]:
    """What a ballot says, without what the round says anyway: whose it is is said where that is not its name."""
    known = {"text"} if ballot.voter not in (None, name) else {"voter", "text"}
    return ballot.model_dump(mode="json", exclude=known, exclude_defaults=True)
