"""The commonest vote, in one go: single choices of equal weight, and nothing else to be looked at.

It comes to what `outcome` comes to in more steps; nearly all of a vote of few members would be the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .ballots import ONE, Ballot, RawBallot
from .decision import Decision, Status
from .exact import ratio
from .outcome import SET, agreed_by, dissent, tied_at, too_little, won
from .trusted import trusted

if TYPE_CHECKING:
    from .rule import VotingRule


def of_heads(
    rule: VotingRule,
    ballots: Sequence[RawBallot],
    seed: int,
    eligible: int | None,
    candidates: Sequence[str] | None = None,
) -> Decision | None:
    """What a rule that counts heads makes of ballots; None where there is more to it than counting equal choices.

    rule: plurality or one that only asks for more agreement. ballots, seed, eligible, candidates: as
    `VotingRule.decide` takes them. None for a ballot that is not one choice that counts as one, a tie that is to be
    broken, a rule that asks for more than a share of what was cast, a quorum that is missed, and whatever is an error.
    """
    if rule.min_margin is not None or rule.agreement_of != "cast":
        return None
    signed: dict[int, Ballot] = {}
    places = _places(ballots, signed)
    if not places or (eligible is not None and eligible < len(ballots)):
        return None
    cast = sum(map(len, places.values()))
    if rule.quorum is not None and not (type(rule.quorum) is int and cast >= rule.quorum):
        return None
    if candidates is not None and not _all_stand(places, candidates):
        return None
    ranked = sorted(places, key=lambda name: (-len(places[name]), name))
    most = len(places[ranked[0]])
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
        status, what, level = "tie", tied_at(leaders, most), tuple(leaders)
    else:
        winner, second = leaders[0], None
        if len(ranked) > 1:
            next_best = len(places[ranked[1]])
            second = max([name for name in ranked[1:] if len(places[name]) == next_best])
        what = won(winner, most, second, lead, most, cast, by_heads=True)
    against = [name for name in ranked[len(leaders) :] if places[name]]
    others = [dissent((name,), len(places[name]), 1, places[name], signed) for name in against]
    facts: dict[str, object] = {
        "status": status, "winner": winner, "leaders": tuple(leaders),
        "tally": {name: ratio(len(places[name]), 1) for name in ranked}, "margin": ratio(lead, 1), "agreement": share,
        "dissent": tuple(others),
        "cast": cast, "abstained": len(ballots) - cast, "eligible": len(ballots) if eligible is None else eligible,
        "invalid": (), "seed": seed, "tie_break": None, "level": level, "fallback": None, "rule": rule.kind,
        "notes": (), "explanation": f"{rule.kind}: {what}.",
    }  # fmt: skip
    return trusted(Decision, facts, SET)


def cannot_be_overtaken(rule: VotingRule, ballots: Sequence[RawBallot], out: int) -> bool | None:
    """Whether so many further choices (`out`) leave the outcome as it is, whichever they are; None: look closer.

    rule: as for `of_heads`. ballots: those cast; whoever is still out may vote for somebody new. Counting tells in
    most cases, as the ballots that are out may all go to the second, to somebody new, or never come.
    """
    places = _places(ballots, {}) if _is_by_share(rule) else None
    if not places:
        return None
    sizes = sorted(map(len, places.values()), reverse=True)
    most, after, cast = sizes[0], sizes[1] if len(sizes) > 1 else 0, sum(sizes)
    if after + out > most and _is_enough(rule, after + out, cast + out):
        return False  # Either of two wins, if all the others are for it.
    if most == after or after + out == most or not _is_enough(rule, most, cast):
        return None  # A tie may come or stay, or nobody has won by now.
    return after + out < most and _is_enough(rule, most, cast + out)


def _is_by_share(rule: VotingRule) -> bool:
    """Whether a rule asks for nothing but votes, and a share of what was cast."""
    return rule.quorum is None and rule.min_margin is None and rule.agreement_of == "cast"


def _all_stand(places: dict[str, list[int]], candidates: Sequence[str]) -> bool:
    """Whether all that were chosen are among the candidates, who then have their places, even if nobody chose them."""
    if not all(type(name) is str and name and not name.isspace() for name in candidates):
        return False
    if len(standing := set(candidates)) < len(candidates) or not standing >= places.keys():
        return False
    for name in candidates:
        places.setdefault(name, [])
    return True


def _is_enough(rule: VotingRule, heads: int, cast: int) -> bool:
    return agreed_by(rule, ratio(heads, cast), heads)


def _places(ballots: Sequence[RawBallot], signed: dict[int, Ballot]) -> dict[str, list[int]] | None:
    """Where each choice stands among the ballots; None when one is anything but a choice that counts as one.

    signed: those that are a Ballot, by place, which is added to.
    """
    if type(ballots) is not list and type(ballots) is not tuple:
        return None
    places: dict[str, list[int]] = {}
    for at, raw in enumerate(ballots):
        if raw is None:
            continue
        if type(raw) is str:
            choice: str | None = raw
        elif type(raw) is Ballot and (raw.weight is ONE or raw.weight == 1):
            choice, signed[at] = raw.choice, raw
        else:
            return None
        if not choice or choice.isspace():
            return None
        if choice in places:
            places[choice].append(at)
        else:
            places[choice] = [at]
    return places
