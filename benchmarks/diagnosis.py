"""Did talking help? What voting and each round of it did inside a system, from the ballots of its attempts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import pairwise
from typing import TypeVar

from phalanx.messages import Data

from .budget import SampleWithin
from .grouping import Grouped
from .rows import RIGHT, Row, rows_of
from .shares import Share, decided_by, shares
from .statistics.intervals import Estimate, accuracy
from .statistics.paired import paired_difference
from .statistics.transitions import Transitions
from .statistics.votes import EffectiveVotes, agreement_when_wrong, effective_votes

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
    told = rows_of(group)
    held = [(attempt, rounds) for attempt, rounds in told if rounds and rounds[0].members]
    if not held:
        return None

    items = [attempt.item for attempt, _ in held]
    drafts = [rounds[0] for _, rounds in held]
    rows = _rows(items, drafts)
    members = list(dict.fromkeys(member for names in dict.fromkeys(row.members for row in rows) for member in names))
    last = max(len(rounds) for _, rounds in held) - 1

    def mean(values: Sequence[float]) -> Estimate:
        names, means = group.averaged(items, values)
        return accuracy(means, clusters=group.clusters(names), level=level)

    final, voted = [attempt.score for attempt, _ in held], [draft.ballots.decided for draft in drafts]
    talked = None
    if last:
        (names, ended), (_, began) = group.averaged(items, final), group.averaged(items, voted)
        talked = paired_difference(ended, began, clusters=group.clusters(names), level=level)
    # The samples of a baseline are one member's, and not as many on each item: there is nobody to tell apart.
    members_of = () if group.system.kind == SampleWithin.kind else shares(group, told, level=level)
    return Diagnosis(
        system=group.system.name,
        attempts=len(held),
        of=len(group.attempts),
        rounds=last,
        draft=mean([sum(draft.worth) / len(draft.worth) for draft in drafts]),
        vote=mean(voted),
        final=mean(final),
        talked=talked,
        coverage=mean([float(any(draft.right)) for draft in drafts]),
        turns=tuple(_turns([rounds for _, rounds in held])),
        decided=_table((rounds[0].ballots.decided >= RIGHT, each.score >= RIGHT) for each, rounds in held),
        votes=_effective(rows, members, level) if len(members) > 1 else None,
        same_wrong=_same_wrong(rows, members, level) if len(members) > 1 else None,
        abstained=sum(draft.seats.count(None) for draft in drafts) / sum(len(draft.seats) for draft in drafts),
        members=members_of,
        decided_by=decided_by(told) if members_of else "",
    )


def _table(pairs: Iterable[tuple[bool, bool]]) -> Transitions:
    return _counted(Counter(pairs))


def _counted(found: Counter[tuple[bool, bool]]) -> Transitions:
    return Transitions(
        kept=found[True, True], broke=found[True, False], fixed=found[False, True], missed=found[False, False]
    )


def _turns(attempts: Sequence[Sequence[Row]]) -> Iterable[Turn]:
    pairs: dict[tuple[int, int], list[tuple[Row, Row]]] = {}
    for rounds in attempts:
        for before, after in pairwise(rounds):
            pairs.setdefault((before.ballots.round, after.ballots.round), []).append((before, after))
    for (first, then), found in sorted(pairs.items()):
        flips: Counter[tuple[bool, bool]] = Counter()
        # Who was right before and after is the same in many attempts.
        kinds = Counter((before.members, before.right, after.members, after.right) for before, after in found)
        for (was_of, was, became_of, became), times in kinds.items():
            now = dict(zip(became_of, became, strict=True))
            for member, right in zip(was_of, was, strict=True):
                if member in now:
                    flips[right, now[member]] += times
        if flips:
            decisions = _table(
                (before.ballots.decided >= RIGHT, after.ballots.decided >= RIGHT) for before, after in found
            )
            yield Turn(before=first, after=then, members=_counted(flips), decisions=decisions)


def _rows(items: Sequence[str], drafts: Sequence[Row]) -> list[Row]:
    """The drafts that the correlation of errors is told from: one row an item, for repeats are not more items."""
    first: dict[str, Row] = {}
    for item, draft in zip(items, drafts, strict=True):
        first.setdefault(item, draft)
    rows = list(first.values())
    members = max(len(row.members) for row in rows)
    most = max(2, ENTRIES // max(1, members * (members - 1) // 2))
    return rows if len(rows) <= most else rows[:: -(-len(rows) // most)]


def _effective(rows: Sequence[Row], members: Sequence[str], level: float) -> EffectiveVotes:
    return effective_votes(_aligned([(row.members, row.right) for row in rows], members), level=level)


def _same_wrong(rows: Sequence[Row], members: Sequence[str], level: float) -> Estimate | None:
    # Whatever is right is the same answer here, however it was counted.
    said = [
        (row.members, tuple(["right" if right else seat for right, seat in zip(row.right, row.seats, strict=True)]))
        for row in rows
    ]
    return agreement_when_wrong(_aligned(said, members), ["right"] * len(said), level=level)


Entry = TypeVar("Entry", bound=Hashable)


def _aligned(
    rows: Sequence[tuple[tuple[str, ...], tuple[Entry, ...]]], members: Sequence[str]
) -> list[tuple[Entry | None, ...]]:
    """Rows with an entry for each of all members; None for those who are not in a row."""
    everyone = tuple(members)
    return [
        entries if names == everyone else tuple(map(dict(zip(names, entries, strict=True)).get, everyone))
        for names, entries in rows
    ]
