"""The commonest vote, in one go: single choices of equal weight, and nothing else to be looked at.

It comes to what `outcome` comes to in more steps; nearly all of a vote of few members would be the steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .ballots import ONE, Ballot, RawBallot
from .decision import Decision, Dissent, Status
from .exact import ratio
from .outcome import SET, agreed_by, tied_at, too_little, won
from .trusted import trusted

if TYPE_CHECKING:
    from .rule import VotingRule


def of_heads(rule: VotingRule, ballots: Sequence[RawBallot], seed: int, eligible: int | None) -> Decision | None:
    """What a rule that counts heads makes of ballots; None where there is more to it than counting equal choices.

    rule: plurality or one that only asks for more agreement. ballots, seed, eligible: as `VotingRule.decide` takes
    them. None for a ballot that is no Ballot of one choice that counts as one, a tie that is to be broken, a rule with
    a quorum, an agreement or a margin of its own, and whatever is an error.
    """
    if rule.quorum is not None or rule.min_agreement is not None or rule.min_margin is not None:
        return None
    if rule.agreement_of != "cast" or (eligible is not None and eligible < len(ballots)):
        return None
    places: dict[str, list[int]] = {}
    for at, ballot in enumerate(ballots):
        if ballot is None:
            continue
        if type(ballot) is not Ballot or ballot.choice is None or (ballot.weight is not ONE and ballot.weight != 1):
            return None
        places.setdefault(ballot.choice, []).append(at)
    if not places:
        return None
    ranked = sorted(places, key=lambda name: (-len(places[name]), name))
    most, cast = len(places[ranked[0]]), len(ballots) - ballots.count(None)
    leaders = [name for name in ranked if len(places[name]) == most]
    share = ratio(most, cast)
    status: Status = "decided"
    winner: str | None = None
    level: tuple[str, ...] = ()
    lead = most - len(places[ranked[1]]) if len(ranked) > 1 else most
    if not agreed_by(rule, share, most):
        status, what = "no_agreement", too_little(leaders, share)
    elif len(leaders) > 1:
        if rule.tie_break:
            return None
        status, what, level = "tie", tied_at(leaders, ratio(most, 1)), tuple(leaders)
    else:
        winner, second = leaders[0], None
        if len(ranked) > 1:
            next_best = len(places[ranked[1]])
            second = max([name for name in ranked[1:] if len(places[name]) == next_best])
        what = won(winner, ratio(most, 1), second, ratio(lead, 1), most, cast)
    facts: dict[str, object] = {
        "status": status, "winner": winner, "leaders": tuple(leaders),
        "tally": {name: ratio(len(places[name]), 1) for name in ranked}, "margin": ratio(lead, 1), "agreement": share,
        "dissent": tuple([_dissent(name, places, ballots) for name in ranked if name not in leaders]),
        "cast": cast, "abstained": len(ballots) - cast, "eligible": len(ballots) if eligible is None else eligible,
        "invalid": (), "seed": seed, "tie_break": None, "level": level, "fallback": None, "rule": rule.kind,
        "notes": (), "explanation": f"{rule.kind}: {what}.",
    }  # fmt: skip
    return trusted(Decision, facts, SET)


def _dissent(name: str, places: Mapping[str, Sequence[int]], ballots: Sequence[RawBallot]) -> Dissent:
    """Those who are for somebody else."""
    seats = places[name]
    theirs = [ballot for at in seats if isinstance(ballot := ballots[at], Ballot)]
    return Dissent(
        (name,),
        ratio(len(seats), 1),
        tuple(seats),
        tuple([ballot.voter for ballot in theirs if ballot.voter is not None]),
        tuple([ballot.text for ballot in theirs if ballot.text is not None]),
    )
