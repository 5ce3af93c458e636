"""What each member brought to a result, as a value; and the same over many results."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from phalanx.messages import Data, Usage

from .flips import Flip
from .voting.exact import Exact


class Spread(Data):
    """How far apart the votes of one round were.

    round: its number. cast: how many votes were no abstentions. classes: how many different answers they were.
    entropy: semantic entropy in nats (Farquhar et al. 2024, doi 10.1038/s41586-024-07421-0), None without a vote; its
    exponential is the number of equally frequent answers that would be as diverse. redundancy: the part of the votes
    that repeated another's answer, None without a vote.
    """

    round: int
    cast: int
    classes: int
    entropy: float | None
    redundancy: Exact | None


class Transitions(Data):
    """How often a vote stayed or became right or wrong from one round to the next, a vote's worth of 1/2 or more being
    right. An abstention is wrong. right_right, right_wrong, wrong_right, wrong_wrong: the counts."""

    right_right: int = 0
    right_wrong: int = 0
    wrong_right: int = 0
    wrong_wrong: int = 0


class Share(Data):
    """What one member brought, to one result or to many.

    member: its name. worth: what its vote is worth when it is known what is right. leave_one_out: what the decision
    loses without its ballot. shapley, standard_error: its Shapley value, and how far off that may be. flips: how often
    it changed its vote. persuaded: how many changes of others led to what it had said to them, each shared by all who
    had said so. chances, conformed: how often it voted against the plurality of a round, and how often it had gone over
    to it in the next. usage: what asking it cost. Over many results `worth`, `leave_one_out` and `shapley` are means
    over those in which the number is known, None when there is none; flips and all after it are sums.
    """

    member: str
    worth: Exact | None = None
    leave_one_out: Exact | None = None
    shapley: Exact | None = None
    standard_error: float | None = None
    flips: int = 0
    persuaded: Exact = Fraction(0)
    chances: int = 0
    conformed: int = 0
    usage: Usage = Usage()

    @property
    def conformity(self) -> Fraction | None:
        """The part of its chances to go over to the plurality that it took; None when it had none."""
        return conformity([self])


def conformity(members: Sequence[Share]) -> Fraction | None:
    """The part of all chances to go over to the plurality that `members` took; None when there were none."""
    chances = sum(each.chances for each in members)
    return Fraction(sum(each.conformed for each in members), chances) if chances else None


class Contribution(Share):
    """What one member brought to one result.

    first, last: what it was counted as in the first and in the counted round; None if it abstained or did not vote.
    without: what the ballots without its own decide; None when they decide nothing, or when that is not known. The rest
    is what `Share` says, with `worth` that of its last vote and a `standard_error` of 0.0 where the value is exact.
    """

    first: str | None = None
    last: str | None = None
    without: str | None = None


class Contributions(Data):
    """What each member brought to one result, and how its votes came about.

    members: those who voted, in seat order, then the others who were asked. worth: of the decision: how right it is
    when that is known, else 1 if it decided; the members' Shapley values add up to it. None when it is not known.
    is_graded: whether it is known what is right. flips: every vote that changed, and whose words it had been shown.
    spread: how far apart the votes of each round were. transitions: None unless it is known what is right.
    effective_votes: the number of votes that as many equal ones would be worth, by their weights: (Σw)²/Σw² (Kish
    1965, Survey Sampling); how many independent ones they are worth, only several results together can tell
    (`aggregate`). usage: what the whole run cost. notes: why something above is not known.
    """

    members: tuple[Contribution, ...] = ()
    worth: Exact | None = None
    is_graded: bool = False
    flips: tuple[Flip, ...] = ()
    spread: tuple[Spread, ...] = ()
    transitions: Transitions | None = None
    effective_votes: Exact | None = None
    usage: Usage = Usage()
    notes: tuple[str, ...] = ()

    @property
    def conformity(self) -> Fraction | None:
        """The part of the chances to go over to the plurality that members took; None when there were none."""
        return conformity(self.members)

    @property
    def cost_per_right(self) -> float | None:
        """US dollars for each right answer; None when the answer is wrong, or this or the price is not known."""
        if not self.is_graded or not self.worth or self.usage.cost is None:
            return None
        return self.usage.cost / float(self.worth)

    def of(self, member: str) -> Contribution:
        """What the `member` of this name brought. Raises KeyError when it was never asked."""
        for each in self.members:
            if each.member == member:
                return each
        raise KeyError(f"{member!r} was not asked; asked were: {', '.join(each.member for each in self.members)}")
