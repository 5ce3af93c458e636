"""Rules that count heads: plurality, majority, supermajority, unanimity, approval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import chain
from typing import ClassVar, Literal, cast

from .ballots import Content, RawBallot
from .decision import Decision, Step, shown
from .exact import Amount, Number, exact, ratio
from .heads import of_heads
from .outcome import Count
from .reading import Votes
from .rule import VotingRule, unfit


class HeadCount(VotingRule):
    """One vote a head."""

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
        # A rule of the user's own that is made from one of these may count in another way.
        if type(self) in BY_SHARE:
            standing = candidates = None if candidates is None else tuple(candidates)
            found = of_heads(self, ballots, seed, eligible, standing)
            if found is not None:
                return found
        return super().decide(
            ballots, seed=seed, eligible=eligible, candidates=candidates, verified=verified, leader=leader
        )

    def admit(self, content: Content) -> str:
        if isinstance(content, str):
            return content
        if isinstance(content, tuple):
            return content[0]
        raise unfit(content, "one choice")

    def fits(self, said: Collection[Content]) -> bool:
        return set(map(type, said)) <= {str}

    def count(self, votes: Votes) -> Count:
        weights = dict.fromkeys(votes.names, 0)
        for content, weight in zip(votes.said, votes.weights, strict=True):
            for name in self.preferred(content):
                weights[name] += weight
        return most(weights, votes.scale)


class Plurality(HeadCount):
    """The candidate with the most votes. A ranking counts for its first place."""

    kind: Literal["plurality"] = "plurality"


class Majority(HeadCount):
    """The candidate with more than half of the weight cast; exactly half is no majority."""

    kind: Literal["majority"] = "majority"

    def agrees(self, share: Fraction) -> bool:
        return 2 * share.numerator > share.denominator


class Supermajority(HeadCount):
    """The candidate with at least a share `q` of the weight cast, two thirds unless said otherwise."""

    kind: Literal["supermajority"] = "supermajority"
    q: Amount = Fraction(2, 3)

    def agrees(self, share: Fraction) -> bool:
        return share >= exact(self.q)


class Unanimity(HeadCount):
    """The candidate that every ballot cast is for."""

    kind: Literal["unanimity"] = "unanimity"

    def agrees(self, share: Fraction) -> bool:
        return share == 1


BY_SHARE: frozenset[type[VotingRule]] = frozenset({Plurality, Majority, Supermajority, Unanimity})
"""The rules that count one choice a head, and differ in the share of them that they ask for."""


class Approval(VotingRule):
    """The candidate that most voters approve of. A ballot is a set; a single choice approves of one."""

    kind: Literal["approval"] = "approval"

    tells_backing: ClassVar[bool] = True

    def admit(self, content: Content) -> Content:
        if isinstance(content, str):
            return frozenset({content})
        if isinstance(content, frozenset):
            return content
        raise unfit(content, "sets of approved candidates")

    def fits(self, said: Collection[Content]) -> bool:
        return set(map(type, said)) <= {frozenset}

    def backs(self, content: Content) -> frozenset[str]:
        return cast("frozenset[str]", content)

    def count(self, votes: Votes) -> Count:
        weights = dict.fromkeys(votes.names, 0)
        alike: dict[int, list[Content]] = {}
        for content, weight in zip(votes.said, votes.weights, strict=True):
            alike.setdefault(weight, []).append(content)
        for weight, said in alike.items():
            for name, times in Counter(chain.from_iterable(cast("list[frozenset[str]]", said))).items():
                weights[name] += weight * times
        return most(weights, votes.scale)


class Approvals(VotingRule):
    """The proposed answer that most verifiers approve of; equal approvals go to the answer proposed more often.

    A single choice is a proposer's answer, a set holds the answers that one verifier approves of. Only proposed
    answers can win, and agreement is that of the verifiers.
    Best-of-n with several verifiers: Lifshitz et al. 2025 (arXiv 2502.20379).
    """

    kind: Literal["approvals"] = "approvals"
    tie_break: tuple[Step, ...] = ("votes", "random")

    tells_backing: ClassVar[bool] = True

    def admit(self, content: Content) -> Content:
        if isinstance(content, (str, frozenset)):
            return content
        raise unfit(content, "proposers' single choices and verifiers' sets")

    def count(self, votes: Votes) -> Count:
        proposed = {content for content in votes.said if isinstance(content, str)}
        weights = {name: 0 for name in votes.names if name in proposed}
        strangers: set[str] = set()
        verifiers = 0
        for content, weight in zip(votes.said, votes.weights, strict=True):
            if isinstance(content, frozenset):
                verifiers += weight
                strangers |= content - proposed
                for name in content & proposed:
                    weights[name] += weight
        best = max(weights.values(), default=0)
        return Count(
            {name: Fraction(weight, votes.scale) for name, weight in weights.items()},
            [name for name, weight in weights.items() if weight == best],
            [f"verifiers approve of {shown(name)}, which nobody proposed" for name in sorted(strangers)],
            {name: Fraction(weight, verifiers or 1) for name, weight in weights.items()},
        )

    def preferred(self, content: Content) -> tuple[str, ...]:
        return (content,) if isinstance(content, str) else ()

    def backs(self, content: Content) -> frozenset[str] | None:
        return content if isinstance(content, frozenset) else None


def most(weights: dict[str, int], scale: int) -> Count:
    """A count in which the largest weight is first; no weight leads nothing."""
    best = max(weights.values(), default=0)
    leaders = [name for name, weight in weights.items() if weight == best] if best > 0 else []
    return Count({name: ratio(weight, scale) for name, weight in weights.items()}, leaders, weights=weights)
