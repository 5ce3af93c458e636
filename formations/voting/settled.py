"""Whether the ballots still out can change anything: if not, nobody needs to wait or pay for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile

from phalanx.errors import ValidationError

from .ballots import Ballot, RawBallot
from .counting import Approval, HeadCount
from .decision import Decision
from .exact import Number
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
    waiting = [Ballot()] * remaining if isinstance(remaining, int) else list(remaining)
    if not waiting:
        return True
    if not isinstance(rule, (HeadCount, Approval)):
        return False
    if any(ballot.content is not None for ballot in waiting):
        raise ValidationError("a remaining ballot already says something; it belongs to ballots=")
    chain = tuple(takewhile(_FORESEEABLE.__contains__, rule.tie_break))
    without_lots = rule.model_copy(update={"tie_break": chain})
    known = None if candidates is None else list(candidates)
    size = len(ballots) + len(waiting) if eligible is None else eligible

    def decided(rest: Sequence[Ballot]) -> Decision:
        return without_lots.decide([*ballots, *rest], eligible=size, candidates=known, verified=verified, leader=leader)

    nobody_more = decided(waiting)
    outcome = _outcome(nobody_more)
    names = [*nobody_more.tally]
    if known is None:
        names.append(_newcomer(names))
    return all(_outcome(decided(rest)) == outcome for rest in _extremes(rule, waiting, names))


def _extremes(rule: HeadCount | Approval, waiting: Sequence[Ballot], names: Sequence[str]) -> Iterator[list[Ballot]]:
    """The ways the remaining ballots can fall that are worst for somebody: whatever else happens lies between them.

    All for one candidate takes the share of every other down and the margin over it to its least; approving all but
    one does the same to that one; approving nobody takes every share down.
    """
    if isinstance(rule, HeadCount):
        for name in names:
            yield [ballot.model_copy(update={"choice": name}) for ballot in waiting]
    else:
        sets = [frozenset(names), frozenset[str]()]
        for name in names:
            sets += [frozenset({name}), frozenset(names) - {name}]
        for approved in sets:
            yield [ballot.model_copy(update={"approved": approved}) for ballot in waiting]


def _outcome(decision: Decision) -> tuple[str, str | None, tuple[str, ...]]:
    return decision.status, decision.winner, decision.tied if decision.status == "tie" else ()


def _newcomer(names: Sequence[str]) -> str:
    """A candidate nobody has voted for yet."""
    name = "another answer"
    while name in names:
        name += "'"
    return name
