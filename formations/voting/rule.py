"""What all voting rules share: their options, and the way from ballots to a decision."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Mapping, Sequence, Set, Sized
from fractions import Fraction
from typing import ClassVar, Literal

from pydantic import ConfigDict

from phalanx.errors import ValidationError
from phalanx.messages import Data

from .ballots import Ballot, Content, RawBallot
from .decision import Decision, Step
from .exact import Amount, Number, Quantity
from .outcome import Count, outcome
from .reading import OnInvalid, Votes, read_votes

DEFAULT_TIE_BREAK: tuple[Step, ...] = ("verifier", "random")


class VotingRule(Data):
    """The options every rule has.

    quorum: how many must vote: a number of voters, or a share of the eligible. min_agreement: who must have the
    winner on top: a number of voters, or a share of the weight cast (`agreement_of="eligible"`: of all eligible).
    min_margin: how far the winner must be ahead of the second, in the tally's units. tie_break: the steps tried in
    order when several are first: "verifier" (most approvals of a verifier), "leader" (the one who led the round
    before), "confidence" (the largest sum of its voters' confidence), "votes" (on top most often), "earliest" (voted
    for first), "random" (drawn from the seed); an empty chain leaves the tie. A step that has nothing to go by is
    passed over. on_invalid: an invalid ballot is an error, or abstains and is listed in the decision.
    """

    model_config = ConfigDict(defer_build=True, validate_default=True)

    kind: str
    quorum: Amount | None = None
    min_agreement: Amount | None = None
    agreement_of: Literal["cast", "eligible"] = "cast"
    min_margin: Quantity | None = None
    tie_break: tuple[Step, ...] = DEFAULT_TIE_BREAK
    on_invalid: OnInvalid = "error"

    # Whether the rule has its own word on a ballot's weight (`weigh`), and on whom it counts for (`backs`).
    weighs: ClassVar[bool] = False
    tells_backing: ClassVar[bool] = False

    def __eq__(self, other: object) -> bool:
        # By what is written: one voter (1) and all of them (1.0) are equal as numbers.
        return isinstance(other, VotingRule) and type(self) is type(other) and self._written == other._written

    def __hash__(self) -> int:
        return hash(self._written)

    @property
    def _written(self) -> str:
        return self.model_dump_json()

    def decide(
        self,
        ballots: Sequence[RawBallot],
        *,
        seed: int = 0,
        eligible: int | None = None,
        candidates: Iterable[str] | None = None,
        verified: Mapping[str, Number] | None = None,
        leader: str | None = None,
    ) -> Decision:
        """Decide.

        ballots: one a voter: a choice, a list (ranked), a set (approved), a mapping (scores), a Ballot, or None. Each
        counts, also where several name the same voter, as several samples of one member do.
        seed: what chance is drawn from, when chance is needed; give each question its own. eligible: how many may
        vote (default: as many as there are ballots). candidates: whom one may vote for (default: whoever is named).
        verified: how many verifiers approve of a candidate; leader: who led the round before; both are used by the
        tie-break steps of these names.

        Raises ValidationError for an invalid ballot (unless on_invalid="abstain"), or fewer eligible than ballots.
        """
        if isinstance(ballots, (str, Mapping, Set, Ballot)):
            raise ValidationError("ballots= is one ballot; give a list of ballots")
        if not isinstance(ballots, Sized):
            raise ValidationError(f"ballots= is no list but {type(ballots).__name__}; give a list of ballots")
        size = len(ballots) if eligible is None else eligible
        if size < len(ballots):
            raise ValidationError(f"{len(ballots)} ballots, but only {eligible} are eligible to vote")
        votes = read_votes(
            ballots,
            admit=self.admit,
            fits=self.fits if _fits_what_it_admits(type(self)) else None,
            weigh=self.weigh if self.weighs else None,
            candidates=candidates,
            on_invalid=self.on_invalid,
            seed=seed,
        )
        return outcome(self, votes, eligible=size, verified=verified or {}, leader=leader)

    def admit(self, content: Content) -> Content:
        """What a ballot says, as this rule counts it. Raises ValidationError when it cannot count it."""
        raise NotImplementedError

    def fits(self, said: Collection[Content]) -> bool:
        """Whether `admit` is sure to take all of this as it is, seen at one glance; if not, each is put to it."""
        return not said

    def weigh(self, raw: RawBallot) -> Fraction:
        """The weight of a ballot, when the rule has a say in it."""
        return raw.weight if isinstance(raw, Ballot) else Fraction(1)

    def count(self, votes: Votes) -> Count:
        """The tally and those in first place, for at least one ballot that weighs something."""
        raise NotImplementedError

    def preferred(self, content: Content) -> tuple[str, ...]:
        """Whom a ballot puts on top; several when it puts them level."""
        if isinstance(content, str):
            return (content,)
        if isinstance(content, frozenset):
            return tuple(sorted(content))
        if isinstance(content, tuple):
            return content[:1]
        return content.best

    def backs(self, content: Content) -> Collection[str] | None:
        """Whom a ballot counts for as agreement; None when it has no say in that."""
        return self.preferred(content)

    def agrees(self, share: Fraction) -> bool:
        """Whether a share of agreement is enough by the rule itself, besides `min_agreement`."""
        return share is not None


@functools.cache
def _fits_what_it_admits(kind: type[VotingRule]) -> bool:
    """Whether `fits` was written for the rule's own way of admitting ballots, and not for one it has changed since."""
    for each in kind.__mro__:
        if not _ADMITTING.isdisjoint(vars(each)):
            return "fits" in vars(each)
    return False


_ADMITTING = frozenset({"admit", "check", "fits"})


def unfit(content: Content, wanted: str) -> ValidationError:
    """The error of a ballot that says something in another form than the rule counts."""
    if isinstance(content, str):
        form = "a single choice"
    elif isinstance(content, frozenset):
        form = "a set of approvals"
    else:
        form = "a ranking" if isinstance(content, tuple) else "scores"
    return ValidationError(f"it is {form}; this rule counts {wanted}")
