"""From a count to a decision: quorum, agreement, margin, tie-breaks, dissent, and one sentence that says it all."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from .decision import Decision, Dissent, Status, Step, listed, shown
from .exact import Number, exact, ratio
from .reading import Votes
from .trusted import trusted

if TYPE_CHECKING:
    from .ballots import Ballot
    from .rule import VotingRule


@dataclass(slots=True)
class Count:
    """What a rule made of the ballots: a tally, those in first place, and what else should be known.

    shares: the share of agreement behind each candidate, where it is not that of the weight cast. weights: the tally
    in whole numbers of the votes' 1/scale, where it is nothing but these: they compare in no time.
    """

    tally: Mapping[str, Fraction]
    leaders: Sequence[str]
    notes: Sequence[str] = ()
    shares: Mapping[str, Fraction] | None = None
    weights: Mapping[str, int] | None = None


class Draw:
    """Chance from a seed: the same question gets the same answer, whatever else was asked before."""

    def __init__(self, seed: int, context: str = "") -> None:
        self.seed, self.context = seed, context

    def order(self, names: Iterable[str], what: str) -> list[str]:
        """The names in an order drawn by lot; `what` says what for, so that two draws differ."""

        def lot(name: str) -> bytes:
            drawn = "\x1f".join((str(self.seed), self.context, what, name))
            return hashlib.sha256(drawn.encode("utf-8", "surrogatepass")).digest()

        return sorted(sorted(names), key=lot)


def outcome(
    rule: VotingRule,
    votes: Votes,
    *,
    eligible: int,
    verified: Mapping[str, Number],
    leader: str | None,
) -> Decision:
    """Count the votes by a rule and decide, as its options say."""
    return _Vote(rule, votes, eligible, verified, leader).decision()


class _Vote:
    """One vote on its way to a decision."""

    def __init__(
        self,
        rule: VotingRule,
        votes: Votes,
        eligible: int,
        verified: Mapping[str, Number],
        leader: str | None,
    ) -> None:
        self.rule, self.votes, self.eligible, self.seed = rule, votes, eligible, votes.seed
        self.verified, self.leader = verified, leader
        self.count = Count({}, ())
        # Those of one mind: whom they count for (None: no say in it), and where what they said stands in `votes.said`.
        self.minds: dict[Collection[str] | None, list[int]] = {}
        self._lead: Fraction | None = None

    def decision(self) -> Decision:
        rule, votes = self.rule, self.votes
        if votes.mass:
            self._count()
        if missing := self._missing_quorum():
            return self._end("no_quorum", f"no quorum, {missing}")
        leaders = self.count.leaders
        if not leaders:
            return self._end("no_agreement", "no agreement, nobody was voted for")
        if not any(self._agreed(name) for name in leaders):
            return self._end("no_agreement", self._too_little(leaders))
        margin = self._margin
        if rule.min_margin is not None and margin < exact(rule.min_margin):
            lead = f"{listed(leaders)} leads by {plain(margin)}, {plain(exact(rule.min_margin))} is needed"
            return self._end("no_agreement", f"no agreement, {lead}")
        if len(leaders) == 1:
            return self._end("decided", self._won(leaders[0]), leaders[0])
        winner, step, level = self._break(leaders)
        tie = tied_at(leaders, self.count.tally[leaders[0]])
        if winner is None:
            return self._end("tie", tie, level=level)
        if not self._agreed(winner):
            return self._end("no_agreement", self._too_little([winner]))
        how = f"drawn by lot from seed {self.seed}" if step == "random" else f"chosen by the tie-break {step!r}"
        return self._end("decided", f"{tie}; {shown(winner)} was {how}", winner, step, level)

    def _count(self) -> None:
        rule = self.rule
        self.count = rule.count(self.votes)
        backs = rule.backs if rule.tells_backing else rule.preferred
        for at, mind in enumerate(map(backs, self.votes.said)):
            self.minds.setdefault(mind, []).append(at)

    def _behind(self, name: str) -> list[int]:
        """What was said that counts for a candidate, by its place."""
        return [at for mind, said in self.minds.items() if mind is not None and name in mind for at in said]

    def _heads(self, name: str) -> int:
        return sum(len(self.votes.seats[at]) for at in self._behind(name))

    def _missing_quorum(self) -> str | None:
        """What is missing to a quorum, if anything is; without a vote there is never one."""
        votes, quorum = self.votes, self.rule.quorum
        if not votes.cast:
            return f"none of {self.eligible} voted"
        if not votes.mass:
            return f"the {votes.cast} ballots cast weigh nothing"
        if quorum is None:
            return None
        needed = Fraction(quorum) if isinstance(quorum, int) else exact(quorum) * self.eligible
        return None if votes.cast >= needed else f"{votes.cast} of {self.eligible} voted, {_ceil(needed)} are needed"

    def _share(self, name: str) -> Fraction:
        """The share of what was cast that is behind a candidate."""
        votes, shares = self.votes, self.count.shares
        if shares is not None:
            return shares[name]
        return ratio(sum(votes.weights[at] for at in self._behind(name)), votes.total) if votes.total else _NONE

    def _share_asked(self, name: str) -> Fraction:
        """The share behind a candidate as the rule asks for it: of what was cast, or of all that could have been."""
        if self.rule.agreement_of == "cast":
            return self._share(name)
        votes = self.votes
        cast = Fraction(votes.total, votes.scale)
        return self._share(name) * cast / (cast + votes.silent + self.eligible - len(votes.ballots))

    def _agreed(self, name: str) -> bool:
        return agreed_by(self.rule, self._share_asked(name), self._heads(name))

    @property
    def _margin(self) -> Fraction:
        if self._lead is None:
            self._lead = self._ahead()
        return self._lead

    def _ahead(self) -> Fraction:
        count, leaders = self.count, self.count.leaders
        if len(leaders) > 1:
            return _NONE
        if count.weights is not None:
            rest = [weight for name, weight in count.weights.items() if name != leaders[0]]
            return ratio(count.weights[leaders[0]] - max(rest, default=0), self.votes.scale)
        others = [value for name, value in count.tally.items() if name != leaders[0]]
        return count.tally[leaders[0]] - max(others, default=_NONE)

    @property
    def _worth(self) -> Mapping[str, int | Fraction]:
        """What candidates came to, in numbers that compare as those of the tally do."""
        return self.count.tally if self.count.weights is None else self.count.weights

    def _ranked(self) -> list[str]:
        """The candidates, the best first, and equal ones by name."""
        worth = self._worth
        return sorted(worth, key=lambda name: (-worth[name], name))

    def _break(self, leaders: Sequence[str]) -> tuple[str | None, Step | None, Sequence[str]]:
        """Who is left when the tie-breaks are through, the step that left only one, and whom only chance could part."""
        left = list(leaders)
        for step in self.rule.tie_break:
            before, left = left, self._narrow(left, step)
            if len(left) == 1:
                return left[0], step, before if step == "random" else ()
        return None, None, left

    def _narrow(self, left: list[str], step: Step) -> list[str]:
        if step == "random":
            context = ",".join(f"{name}={value}" for name, value in sorted(self.count.tally.items()))
            return Draw(self.seed, context).order(left, "tie")[:1]
        if step == "leader":
            return [name for name in left if name == self.leader] or left
        if step == "earliest":
            first = self._first_seats()
            known = [name for name in left if name in first]
            return [min(known, key=first.__getitem__)] if known else left
        merit = {name: self._merit(name, step) for name in left}
        best = max(merit.values())
        return [name for name in left if merit[name] == best]

    def _merit(self, name: str, step: Step) -> Fraction:
        if step == "verifier":
            return exact(self.verified.get(name, 0))
        votes, preferred = self.votes, self.rule.preferred
        tops = [at for at, content in enumerate(votes.said) if name in preferred(content)]
        if step == "votes":
            return Fraction(sum(votes.weights[at] for at in tops))
        sure = [votes.signed[seat].confidence for at in tops for seat in votes.seats[at] if seat in votes.signed]
        return sum((exact(confidence) for confidence in sure if confidence is not None), Fraction(0))

    def _first_seats(self) -> dict[str, tuple[int, int]]:
        """Where each candidate was first put on top."""
        first: dict[str, tuple[int, int]] = {}
        for content, seats in zip(self.votes.said, self.votes.seats, strict=True):
            for rank, name in enumerate(self.rule.preferred(content)):
                place = (seats[0], rank)
                first[name] = min(first.get(name, place), place)
        return first

    def _won(self, winner: str) -> str:
        at, second, heads = self.count.tally[winner], self._second(winner), self._heads(winner)
        return won(winner, at, second, self._margin, heads, self.votes.cast, by_heads=self._counts_heads)

    @property
    def _counts_heads(self) -> bool:
        """Whether the tally is the number of those who chose each: no points, no weights, one choice a ballot."""
        votes = self.votes
        if self.count.weights is None or self.rule.tells_backing:
            return False
        heads = [votes.scale * len(seats) for seats in votes.seats]
        return heads == votes.weights

    def _second(self, winner: str) -> str | None:
        """Who comes after the winner; of several equal ones the last by name."""
        worth = self._worth
        return max([name for name in worth if name != winner], key=lambda name: (worth[name], name), default=None)

    def _too_little(self, leaders: Sequence[str]) -> str:
        share = max(self._share_asked(name) for name in leaders)
        return too_little(leaders, share, "what was cast" if self.rule.agreement_of == "cast" else "all eligible")

    def _end(
        self,
        status: Status,
        what: str,
        winner: str | None = None,
        step: Step | None = None,
        level: Sequence[str] = (),
    ) -> Decision:
        votes, count = self.votes, self.count
        against = [winner] if winner is not None else list(count.leaders)
        facts: dict[str, object] = {
            "status": status,
            "winner": winner,
            "leaders": tuple(sorted(count.leaders)),
            "tally": {name: count.tally[name] for name in self._ranked()},
            "margin": self._margin if count.leaders else None,
            "agreement": max([self._share(name) for name in count.leaders], default=None),
            "dissent": self._dissent(against),
            "cast": votes.cast,
            "abstained": len(votes.ballots) - votes.cast,
            "eligible": self.eligible,
            "invalid": tuple(votes.invalid),
            "seed": self.seed,
            "tie_break": step,
            "level": tuple(sorted(level)),
            "fallback": None,
            "rule": self.rule.kind,
            "notes": tuple(count.notes),
            "explanation": f"{self.rule.kind}: {what}.",
        }
        return trusted(Decision, facts, SET)

    def _dissent(self, against: Sequence[str]) -> tuple[Dissent, ...]:
        """The ballots that have none of these on top, together with those of the same mind."""
        if not against:
            return ()
        weights, behind = self.votes.weights, set(against)
        others = [
            (-sum([weights[at] for at in said]), mind if isinstance(mind, tuple) else tuple(sorted(mind)), said)
            for mind, said in self.minds.items()
            if mind is not None and behind.isdisjoint(mind)
        ]
        others.sort()
        return tuple([self._of_one_mind(-weight, preferred, said) for weight, preferred, said in others])

    def _of_one_mind(self, weight: int, preferred: tuple[str, ...], said: Sequence[int]) -> Dissent:
        votes = self.votes
        if len(said) == 1:
            seats = votes.seats[said[0]]
        else:
            seats = sorted([seat for at in said for seat in votes.seats[at]])
        return dissent(preferred, weight, votes.scale, seats, votes.signed)


def dissent(
    preferred: tuple[str, ...], weight: int, scale: int, seats: Sequence[int], signed: Mapping[int, Ballot]
) -> Dissent:
    """Those at these seats, who wanted somebody else, with what the signed ones among them said of themselves."""
    if not signed:
        return Dissent(preferred, ratio(weight, scale), tuple(seats))
    theirs = [signed[seat] for seat in seats if seat in signed]
    return Dissent(
        preferred,
        ratio(weight, scale),
        tuple(seats),
        tuple([ballot.voter for ballot in theirs if ballot.voter is not None]),
        tuple([ballot.text for ballot in theirs if ballot.text is not None]),
    )


_NONE = Fraction(0)
SET = frozenset(Decision.model_fields) - {"fallback"}
"""The fields that count as set in a decision that a vote came to."""


def agreed_by(rule: VotingRule, share: Fraction, heads: int) -> bool:
    """Whether a candidate has the agreement that a `rule` asks for: with such a `share`, of so many `heads`."""
    if not rule.agrees(share):
        return False
    least = rule.min_agreement
    if isinstance(least, int):
        return heads >= least
    return least is None or share >= exact(least)


def won(
    winner: str,
    at: Fraction | int,
    second: str | None,
    margin: Fraction | int,
    heads: int,
    cast: int,
    *,
    by_heads: bool,
) -> str:
    """How a winner won: with what (`at`) in the tally, how far (`margin`) ahead of whom (`second`), backed by whom.

    heads, cast: the ballots for the winner, and all that count. by_heads: whether the tally is the number of ballots.
    """
    ahead = f", {plain(margin)} ahead of {shown(second)}" if second is not None else ""
    if by_heads:
        return f"{shown(winner)} wins with {heads} of {cast} votes{ahead}"
    return f"{shown(winner)} wins at {plain(at)}{ahead}, backed by {heads} of {cast} ballots"


def tied_at(leaders: Sequence[str], votes: Fraction | int) -> str:
    """That `leaders` are tied, at how many `votes`."""
    return f"{listed(leaders)} are tied at {plain(votes)}"


def too_little(leaders: Sequence[str], share: Fraction, whole: str = "what was cast") -> str:
    """That `leaders` have too small a `share` of the `whole` behind them."""
    have = "has" if len(leaders) == 1 else "each have"
    return f"no agreement, {listed(leaders)} {have} {plain(share)} of {whole} behind it, which is not enough"


def _ceil(number: Fraction) -> int:
    return -(-number.numerator // number.denominator)


def plain(number: Fraction | int) -> str:
    """A fraction for reading: as it is when it is short, else to four digits."""
    return str(number) if number.denominator <= 1000 else f"{float(number):.4g}"
