"""How sure a system was of its answer: what members said of it, and how many of them agreed."""

from __future__ import annotations

from collections.abc import Mapping

from phalanx.formations.base import Outcome
from phalanx.formations.market import Offer
from phalanx.formations.router import Routes
from phalanx.formations.stated import Confidence
from phalanx.teams.result import TeamResult

from .recorded import Recalled


def stated_in(result: TeamResult | Recalled) -> float | None:
    """How sure somebody said to be of the answer: from 0 to 1; None when nobody did.

    That is what the answer itself says, if it is of a type with a `confidence`; else what its author said in a bid, or
    when asked for it; else how sure a router was of the author. What voters say stands with their ballots.

    result: what a system gave.
    """
    if isinstance(result, Recalled):
        return None
    if result.rounds:
        # The votes decided, and each has its own.
        return None
    own = _number(getattr(result.output, "confidence", None))
    if own is not None:
        return own
    author = next((each for each in reversed(result.members) if each.text == result.content and _works(each)), None)
    if author is None:
        return None
    said = bids_in(result).get(author.member)
    return _chosen(result, author.member) if said is None else said


def bids_in(result: TeamResult | Recalled) -> Mapping[str, float]:
    """How sure members said they were, apart from their answers: in bids, or when asked for it; by name.

    result: what a system gave.
    """
    if isinstance(result, Recalled):
        return {}
    found: dict[str, float] = {}
    for each in result.members:
        output = None if each.answer is None else each.answer.output
        if isinstance(output, Offer | Confidence):
            found[each.member] = output.confidence
    return found


def share_of_votes(result: TeamResult | Recalled) -> float | None:
    """Which part of the votes cast the answer got; None without a vote, and where no answer is alone in front.

    result: what a system gave. Abstentions are no votes.
    """
    decision = result.decision
    if decision is None or not result.rounds:
        return None
    leader = decision.winner or (decision.leaders[0] if len(decision.leaders) == 1 else None)
    cast = [each for each in result.rounds[-1].choices.values() if each is not None]
    if leader is None or leader not in cast:
        return None
    return cast.count(leader) / len(cast)


def _works(outcome: Outcome) -> bool:
    output = None if outcome.answer is None else outcome.answer.output
    return outcome.ok and not isinstance(output, Offer | Confidence | Routes)


def _chosen(result: TeamResult, author: str) -> float | None:
    """How sure a router was when it chose the author alone."""
    for each in result.members:
        output = None if each.answer is None else each.answer.output
        if isinstance(output, Routes) and len(output.routes) == 1 and output.routes[0].member == author:
            return output.routes[0].confidence
    return None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        return None
    return float(value)
