"""What a discussion decides on: the answers of its last round, of its drafts, or of all rounds together.

In later rounds members follow each other, also away from what was right (Cui et al. 2025, Free-MAD, arXiv:2509.11035,
which scores the answers of all rounds); so what was said and left can count too.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from .base import Outcome
from .count import Counted, ballots_for, choices_of
from .voting import VotingRule
from .voting.exact import exact

if TYPE_CHECKING:
    from .discussion import Discussion
    from .rounds import Deliberation


def decided_over(talk: Discussion) -> Counted:
    """The count that a discussion (`talk`) decides by, as its formation's `decide_over` says."""
    over = talk.how.decide_over
    if over == "first":
        return talk.counts[0]
    return talk.counts[-1] if over == "last" or len(talk.counts) == 1 else _over_all(talk)


def _over_all(talk: Discussion) -> Counted:
    """One vote on what every member answered in every round, newest first: a ballot for each, merged anew."""
    how, last = talk.how, len(talk.counts) - 1
    decay = exact(how.decay)
    outcomes: dict[str, Outcome] = {}
    sure: dict[str, float] = {}
    weights: dict[str, Fraction] = {}
    for round in range(last, -1, -1):
        counted = talk.counts[round]
        for name, outcome in counted.outcomes.items():
            # A ballot's name tells the rounds apart, as no member's name can: it has no "/". Whose it is the outcome
            # says.
            key = name if round == last else f"{name}/{round}"
            outcomes[key], weights[key] = outcome, decay ** (last - round)
            if name in counted.sure:
                sure[key] = counted.sure[name]
    classes = choices_of(list(outcomes.values()), how.equivalence, talk.read)
    choices = dict(zip(outcomes, classes, strict=True))
    rule = how.the_rule()
    given = zip(choices, ballots_for(outcomes, choices, sure, rule), strict=True)
    ballots = tuple([
        None if each is None else each.model_copy(update={"voter": outcomes[key].member, "weight": weights[key]})
        for key, each in given
    ])  # fmt: skip
    # Who gave no answer in a round did not vote in it.
    eligible = sum(max(len(counted.outcomes), counted.decision.eligible) for counted in talk.counts)
    decision = rule.decide(ballots, seed=talk.run.seed, eligible=eligible)
    return Counted(outcomes, choices, decision, rule, ballots, sure)


def over_problems(how: Deliberation) -> Iterator[str]:
    """What is wrong with how a formation (`how`) decides over its rounds."""
    if how.decide_over != "all":
        if how.decay != 1:
            yield f"decay={how.decay} weighs earlier rounds, and only decide_over='all' counts them"
        return
    rule = how.the_rule()
    if not isinstance(rule, VotingRule):
        return
    for name in ("quorum", "min_agreement"):
        if isinstance(number := getattr(rule, name), int):
            yield (
                f"{name}={number} counts members, and with decide_over='all' each has a ballot a round; "
                "give a part of them, such as 0.5"
            )
