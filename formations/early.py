"""When answers still awaited cannot matter any more: a discussion need not wait for them, nor pay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from .base import Outcome
from .count import ballots_of, choices_of
from .stated import answered as text_of
from .team_run import TeamRun
from .voting import Approval, BucketedConfidence, Majority, Unanimity, VotingRule, cannot_change
from .voting.composed import is_certain
from .voting.counting import HeadCount
from .voting.settled import in_any_order

if TYPE_CHECKING:
    from .rounds import Deliberation


def lacking(
    how: Deliberation,
    run: TeamRun,
    latest: Mapping[str, Outcome],
    rounds: Sequence[Sequence[str | None]],
    read: dict[str | None, str | None] | None = None,
) -> int:
    """How many more answers there must be before those given can be certain to decide, whatever the others say.

    Zero: they do now. how: the formation. run: the run. latest: the last answer of each member that gave one. rounds:
    what was counted in the rounds before. read: what texts were read as before, which is added to.
    """
    members, answered, rule = len(run.members), len(latest), how.the_rule()
    if not isinstance(rule, HeadCount | Approval) or isinstance(rule, BucketedConfidence):
        return members  # no certainty before the last answer
    least = max(how.needed(members), _least(rule, members))
    if answered < least:
        return least - answered
    # Whether it can be certain shows in the classes alone; the rule is asked when it can.
    read = {} if read is None else read
    choices = choices_of(list(latest.values()), how.equivalence, read)
    out = members - answered
    sizes: dict[str, int] = {}
    for choice in choices:
        if choice is not None:
            sizes[choice] = sizes.get(choice, 0) + 1
    first, second = (*sorted(sizes.values(), reverse=True), 0, 0)[:2]
    # Those still out may all join the second, so the first must be ahead by as many; and each further answer brings
    # that nearer by two at most. An answer that joins two classes can only make this look again too late.
    short = max(-((first - second - out) // 2), _least(rule, members - choices.count(None)) - first)
    if short > 0 and not rule.weighs:
        return short
    counted = how.count(run, latest, read=read)
    ballots = ballots_of(counted)
    certain = in_any_order(rule)
    if not cannot_change(ballots, out, certain, eligible=members):
        return 1
    # What may yet be counted as another answer (7, which is 7 km and 7 m) is as good as still out.
    reads = [read[text_of(outcome)] for outcome in latest.values()]
    kept = [each for each, stays in zip(ballots, how.equivalence.firm(reads), strict=True) if stays or each is None]
    loose = len(ballots) - len(kept)
    if loose and not cannot_change(kept, out + loose, certain, eligible=members):
        return 1
    if how.stop is None:
        return 0 if how.is_settled(counted) else 1
    here = [counted.choices.get(member.name) for member in run.members]
    is_decided = counted.decision.status == "decided"
    return 0 if is_decided and is_certain(how.stop, [*rounds, here], is_decided=is_decided) else 1


def _least(rule: VotingRule, members: int) -> int:
    """How many votes the winner has at least, if everybody who is still out votes for another."""
    if rule.weighs:
        return 1
    if isinstance(rule, Unanimity):
        return members
    if isinstance(rule, Majority):
        return members // 2 + 1
    asked = rule.min_agreement
    if asked is None:
        return 1
    return asked if isinstance(asked, int) else -((-Fraction(asked) * members) // 1)
