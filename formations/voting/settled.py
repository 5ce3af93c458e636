"""Whether the ballots still out can change anything: if not, nobody needs to wait or pay for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile

from phalanx.errors import ValidationError

from .ballots import Ballot, RawBallot
from .counting import BY_SHARE, Approval, HeadCount
from .decision import Decision
from .exact import Number
from .heads import cannot_be_overtaken
from .rule import VotingRule

# Tie-breaks that later ballots cannot sway otherwise than by their choice.
_FORESEEABLE = frozenset({"verifier", "leader", "earliest"})


def cannot_change(
    ballots: Sequence[RawBallot],
    remaining: int | Sequence[Ballot],
    rule: VotingRule,
    *,
    eligible: int | None = None,
    candidates: Iterable[str] | None = None,
    verified: Mapping[str, Number] | None = None,
    leader: str | None = None,
) -> bool:
    """Whether the outcome (status and winner) is the same however the remaining ballots fall, or if they never come.

    ballots: those cast so far. remaining: how many are still out, or an empty Ballot for each, with what is known of
    it: its voter and weight. (With BucketedConfidence give confidence=1, the most it may come to.) The other
    arguments are those of the vote. A tie that would go to a lot, or be broken by what remaining voters may yet say
    of themselves, counts as open.

    Exact for rules that count single choices or approvals: plurality, majority, supermajority, unanimity, approval
    and the weighted votes. With any other rule it is True only when nothing remains.

    Raises ValidationError for an invalid ballot, or a remaining ballot that already says something.
    """
    out = remaining if isinstance(remaining, int) else len(remaining)
    if out <= 0:
        return True
    if not isinstance(rule, (HeadCount, Approval)):
        return False
    waiting = None if isinstance(remaining, int) else list(remaining)
    if waiting is not None and any(ballot.content is not None for ballot in waiting):
        raise ValidationError("a remaining ballot already says something; it belongs to ballots=")
    size = len(ballots) + out if eligible is None else eligible
    if waiting is None and candidates is None and type(rule) in BY_SHARE and size >= len(ballots) + out:
        told = cannot_be_overtaken(rule, ballots, out)
        if told is not None:
            return told
    chain = tuple(takewhile(_FORESEEABLE.__contains__, rule.tie_break))
    without_lots = rule.model_copy(update={"tie_break": chain})
    known = None if candidates is None else list(candidates)

    def decided(rest: Sequence[RawBallot]) -> Decision:
        return without_lots.decide([*ballots, *rest], eligible=size, candidates=known, verified=verified, leader=leader)

    def all_say(content: str | frozenset[str]) -> Sequence[RawBallot]:
        if waiting is None:
            return [content] * out
        update = {"choice" if isinstance(content, str) else "approved": content}
        return [ballot.model_copy(update=update) for ballot in waiting]

    nobody_more = decided([None] * out if waiting is None else waiting)
    outcome = _outcome(nobody_more)
    names = [*nobody_more.tally]
    if known is None:
        names.append(_newcomer(names))
    return all(_outcome(decided(all_say(content))) == outcome for content in _extremes(rule, names))


def in_any_order(rule: VotingRule) -> VotingRule:
    """A rule for asking whether ballots that come in any order can change anything: where it would take the earliest of
    those that are level, that is open.

    Answers are counted in the order of seats, so one that comes later may be the earlier one. rule: what decides.
    """
    if "earliest" not in rule.tie_break:
        return rule
    return rule.model_copy(update={"tie_break": rule.tie_break[: rule.tie_break.index("earliest")]})


def _extremes(rule: HeadCount | Approval, names: Sequence[str]) -> Iterator[str | frozenset[str]]:
    """What is worst for somebody if all remaining ballots say it: whatever else happens lies between these.

    All for one candidate takes the share of every other down and the margin over it to its least; approving all but
    one does the same to that one; approving nobody takes every share down.
    """
    if isinstance(rule, HeadCount):
        yield from names
        return
    yield frozenset(names)
    yield frozenset()
    for name in names:
        yield frozenset({name})
        yield frozenset(names) - {name}


def _outcome(decision: Decision) -> tuple[str, str | None, tuple[str, ...]]:
    return decision.status, decision.winner, decision.tied if decision.status == "tie" else ()


def _newcomer(names: Sequence[str]) -> str:
    """A candidate nobody has voted for yet."""
    name = "another answer"
    while name in names:
        name += "'"
    return name
