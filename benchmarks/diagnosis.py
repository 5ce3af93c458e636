"""Did talking help? What voting and each round of it did inside a system, from the ballots of its attempts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import pairwise

from phalanx.messages import Data

from .budget import SampleWithin
from .grouping import Grouped, by_item
from .record import Attempt, Ballots
from .shares import Share, decided_by, shares
from .statistics.intervals import Estimate, accuracy
from .statistics.paired import paired_difference
from .statistics.transitions import Transitions
from .statistics.votes import EffectiveVotes, agreement_when_wrong, effective_votes

RIGHT = 1 - 1e-9
# How many (pair of members, item) entries the error correlation looks at; beyond it items are taken at even steps.
ENTRIES = 1_000_000


class Turn(Data):
    """What became of answers between two rounds.

    before, after: the rounds. members: over all answers of members who are in both. decisions: over the votes of the
    two rounds, one an attempt.
    """

    before: int
    after: int
    members: Transitions
    decisions: Transitions


class Diagnosis(Data):
    """Where the accuracy of a system that votes comes from.

    draft: what one member alone is worth before it hears another, on average over members. vote: the vote of the
    drafts. final: the answer that the system gave. The three are of the same items, those with ballots (`attempts` of
    `of`). talked: final less vote with its paired interval, which is what talking won; None without a round of it.
    coverage: the share of items of which some draft is wholly right: what a perfect choice among them would reach.
    turns: between consecutive rounds. decided: from the vote of the drafts to the final answer. votes: how many
    independent votes the drafts amount to, with the correlation of their errors; None with a single member.
    same_wrong: of two members who are both wrong, how often they say the same. abstained: the share of drafts from
    which no answer could be read. members: what each of them brought; () when all are samples of one. decided_by: the
    rule that the last votes are decided by again for that, in words; "" without members. An answer counts
    as right in a table of turns when it has full credit.
    """

    system: str
    attempts: int
    of: int
    rounds: int
    draft: Estimate
    vote: Estimate
    final: Estimate
    talked: Estimate | None
    coverage: Estimate
    turns: tuple[Turn, ...]
    decided: Transitions
    votes: EffectiveVotes | None
    same_wrong: Estimate | None
    abstained: float
    members: tuple[Share, ...]
    decided_by: str = ""

    @property
    def talking(self) -> Transitions | None:
        """All turns of members together; None when nobody answered twice."""
        tables = [turn.members for turn in self.turns]
        if not tables:
            return None
        return Transitions(
            kept=sum(each.kept for each in tables),
            broke=sum(each.broke for each in tables),
            fixed=sum(each.fixed for each in tables),
            missed=sum(each.missed for each in tables),
        )


def diagnose(group: Grouped, *, level: float = 0.95) -> Diagnosis | None:
    """The diagnosis of a system; None when no attempt of it has ballots with a draft.

    group: its attempts. level: of the intervals.
    """
    told = [(each, _rounds(each)) for each in group.attempts]
    held = [(attempt, rounds) for attempt, rounds in told if rounds and rounds[0].choices]
    if not held:
        return None

    def mean(scores: Mapping[str, float]) -> Estimate:
        return accuracy(list(scores.values()), clusters=group.clusters(scores), level=level)

    drafts = [rounds[0] for _, rounds in held]
    given = [choice for draft in drafts for choice in draft.choices.values()]
    rows = _rows(held)
    members = list(dict.fromkeys(member for draft in rows for member in draft.choices))
    last = max(len(rounds) for _, rounds in held) - 1
    final = by_item([(each.item, each.score) for each, _ in held])
    voted = by_item([(each.item, rounds[0].decided) for each, rounds in held])
    talked = None
    if last:
        pairs = list(final.values()), list(voted.values())
        talked = paired_difference(*pairs, clusters=group.clusters(final), level=level)
    # The samples of a baseline are one member's, and not as many on each item: there is nobody to tell apart.
    members_of = () if group.system.kind == SampleWithin.kind else shares(group, level=level)
    return Diagnosis(
        system=group.system.name,
        attempts=len(held),
        of=len(group.attempts),
        rounds=last,
        draft=mean(by_item([(each.item, _one(rounds[0])) for each, rounds in held])),
        vote=mean(voted),
        final=mean(final),
        talked=talked,
        coverage=mean(by_item([(each.item, float(any(_rights(rounds[0]).values()))) for each, rounds in held])),
        turns=tuple(_turns([rounds for _, rounds in held])),
        decided=_table((_right(rounds[0].decided), _right(each.score)) for each, rounds in held),
        votes=_effective(rows, members, level) if len(members) > 1 else None,
        same_wrong=_same_wrong(rows, members, level) if len(members) > 1 else None,
        abstained=given.count(None) / len(given),
        members=members_of,
        decided_by=decided_by(group) if members_of else "",
    )


def _rounds(attempt: Attempt) -> list[Ballots]:
    """Its rounds in order; a round that was written twice counts as it was last."""
    if len(attempt.ballots) < 2:
        return list(attempt.ballots)
    return [each for _, each in sorted({each.round: each for each in attempt.ballots}.items())]


def _one(draft: Ballots) -> float:
    """What one draft is worth on average over the members."""
    given = [draft.worth.get(member, 0.0) for member, choice in draft.choices.items() if choice is not None]
    return sum(given) / len(draft.choices)


def _right(worth: float) -> bool:
    return worth >= RIGHT


def _rights(ballots: Ballots) -> dict[str, bool]:
    worth = ballots.worth
    return {
        member: choice is not None and worth.get(member, 0.0) >= RIGHT for member, choice in ballots.choices.items()
    }


def _table(pairs: Iterable[tuple[bool, bool]]) -> Transitions:
    found = Counter(pairs)
    return Transitions(
        kept=found[True, True], broke=found[True, False], fixed=found[False, True], missed=found[False, False]
    )


def _turns(attempts: Sequence[Sequence[Ballots]]) -> Iterable[Turn]:
    pairs: dict[tuple[int, int], list[tuple[Ballots, Ballots]]] = {}
    for rounds in attempts:
        for before, after in pairwise(rounds):
            pairs.setdefault((before.round, after.round), []).append((before, after))
    for (first, then), found in sorted(pairs.items()):
        flips = []
        for before, after in found:
            was, became = _rights(before), _rights(after)
            flips += [(was[member], became[member]) for member in was if member in became]
        if flips:
            decisions = _table((_right(before.decided), _right(after.decided)) for before, after in found)
            yield Turn(before=first, after=then, members=_table(flips), decisions=decisions)


def _rows(held: Sequence[tuple[Attempt, Sequence[Ballots]]]) -> list[Ballots]:
    """The drafts that the correlation of errors is told from: one row an item, for repeats are not more items."""
    first: dict[str, Ballots] = {}
    for attempt, rounds in held:
        first.setdefault(attempt.item, rounds[0])
    rows = list(first.values())
    members = max(len(row.choices) for row in rows)
    most = max(2, ENTRIES // max(1, members * (members - 1) // 2))
    return rows if len(rows) <= most else rows[:: -(-len(rows) // most)]


def _effective(rows: Sequence[Ballots], members: Sequence[str], level: float) -> EffectiveVotes:
    right = [_rights(row) for row in rows]
    return effective_votes([[row.get(member) for member in members] for row in right], level=level)


def _same_wrong(rows: Sequence[Ballots], members: Sequence[str], level: float) -> Estimate | None:
    answers: list[list[Hashable | None]] = []
    for row in rows:
        rights = _rights(row)
        # Whatever is right is the same answer here, however it was counted.
        answers.append(["right" if rights.get(m) else _other(row.choices.get(m)) for m in members])
    return agreement_when_wrong(answers, ["right"] * len(answers), level=level)


def _other(choice: str | None) -> Hashable | None:
    return None if choice is None else ("wrong", choice)
