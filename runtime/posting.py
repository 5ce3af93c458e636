"""From what somebody wants to write to the records to append, or the reason why not, on one state of the board."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phalanx.errors import AccessDenied, ReplayDivergence, SealedError, ValidationError
from phalanx.messages import estimate_tokens

from .cells import NEVER, Cell, Item
from .claims import check_holder, lost
from .entries import BoardRecord, Entry, Post, Posted
from .fold import Fold
from .regions import SINGLE, Identity, QuotaExceeded, Region, Regions, check_name, check_scope
from .values import canonical


@dataclass(frozen=True, slots=True)
class Clash:
    """Another version stands there than was expected: `item`, or nothing."""

    region: str
    key: str
    expected: int | None
    item: Item | None


Plan = list[Posted | Item]
"""What a batch of posts comes to: for each, in order, a new record or the item that already says it."""


def plan_posts(
    fold: Fold, regions: Regions, posts: Sequence[Post], who: Identity | None, unchanged: Sequence[Entry], now: float
) -> Plan | Clash:
    """Check posts against a state of the board, each as if those before it had been written.

    who: the member they are bound to, None for the run itself. unchanged: entries that must still stand as they were
    read. now: seconds, by the board's clock. Raises what `Blackboard.post` raises.
    """
    if len(posts) > 1 and len({bool(post.op) for post in posts}) > 1:
        raise ValidationError(
            "some posts of this batch have an op and some have none: repeated, those would come twice"
        )
    plan: Plan = []
    batch = _Batch(fold)
    for post in posts:
        author = _author(post, who)
        region = regions.named(post.region)
        if (space := fold.spaces.get(post.region)) is not None:
            regions.stored(post.region, space.policy)
        region.require_write(author)
        _check(post, region)
        value, text = regions.values(post.region).dump(post.value)
        if post.op:
            if (done := fold.ops.get(post.op)) is not None:
                plan.append(_same(fold, post, done))
                continue
            batch.take_op(post.op)
        if post.lease is not None:
            check_holder(post.lease, post.author)
            if (late := lost(post.lease, fold.leases.get(post.lease.key), now)) is not None:
                raise late
        cell = fold.cell(post.region, post.key, fold.seq)
        if post.expect is not None or region.policy in _COMPARED:
            newest = batch.newest(post, cell)
            if (0 if newest is None else newest.version) != (post.expect or 0):
                return Clash(post.region, post.key, post.expect, newest)
        if region.policy == "set" and (there := batch.element(post, region, value, cell, author)) is not None:
            plan.append(there)
            continue
        if region.policy == "ballots":
            batch.cast(post, cell)
        tokens = estimate_tokens(text)
        if region.has_quota:
            batch.fill(post, region, tokens, cell)
        record = Posted(
            post.region, post.key, region.policy, value, post.author, post.role, post.round,
            _causes(fold, regions, post, author), tokens, now, post.op,
            "sealed" if region.policy == "ballots" else post.visibility, post.pinned, post.resolved,
        )  # fmt: skip
        batch.wrote(record)
        plan.append(record)
    # A batch that is there already may itself have changed what it rested on.
    if unchanged and (new_records(plan) or not posts):
        for entry in unchanged:
            if (clash := _changed(fold, entry)) is not None:
                return clash
    return plan


def new_records(plan: Plan) -> list[BoardRecord]:
    """The records of a plan that have to be appended, each once."""
    if len(plan) == 1:
        return [plan[0]] if isinstance(plan[0], Posted) else []
    records: dict[int, BoardRecord] = {id(part): part for part in plan if isinstance(part, Posted)}
    return list(records.values())


class _Batch:
    """What the posts of a batch that were already looked at will have changed."""

    __slots__ = ("ballots", "counts", "elements", "fold", "ops", "tokens", "written")

    def __init__(self, fold: Fold) -> None:
        self.fold = fold
        self.written: set[tuple[str, str]] = set()
        self.elements: dict[tuple[str, str, str, str], Posted] = {}
        self.ballots: set[tuple[str, str, str]] = set()
        self.tokens: dict[str, int] = {}
        self.counts: dict[tuple[str, str], int] = {}
        self.ops: set[str] = set()

    def take_op(self, op: str) -> None:
        if op in self.ops:
            raise ValidationError(f"two posts of one batch have op={op!r}: each write needs its own")
        self.ops.add(op)

    def newest(self, post: Post, cell: Cell | None) -> Item | None:
        if (post.region, post.key) in self.written:
            raise ValidationError(
                f"two posts of one batch write {post.region}/{post.key}, and the later one depends on its version"
            )
        return None if cell is None else cell.newest(self.fold.seq)

    def element(
        self, post: Post, region: Region, value: object, cell: Cell | None, author: Identity | None
    ) -> Posted | Item | None:
        """The same value under the same key, already in the set where the author can see it."""
        name = canonical(value)
        if cell is not None and region.may_read(author):
            for item in cell.elements.get(name, ()):
                alike = item.retracted == NEVER and item.record.visibility == post.visibility
                if alike and item.is_visible(author, self.fold.seq):
                    return item
        return self.elements.get((post.region, post.key, name, post.visibility))

    def cast(self, post: Post, cell: Cell | None) -> None:
        if self.fold.closed_at(post.region, post.key) != NEVER:
            raise SealedError(f"ballots {_where(post)} are closed: {post.author!r} came too late")
        name = (post.region, post.key, post.author)
        if name in self.ballots or (cell is not None and post.author in cell.authors):
            raise SealedError(f"{post.author!r} has already cast a ballot {_where(post)}, and each member casts one")
        self.ballots.add(name)

    def fill(self, post: Post, region: Region, tokens: int, cell: Cell | None) -> None:
        if region.max_entry_tokens is not None and tokens > region.max_entry_tokens:
            raise QuotaExceeded(region.name, "max_entry_tokens", limit=region.max_entry_tokens, asked=tokens)
        space = self.fold.spaces.get(region.name)
        if region.max_entries_each is not None and post.author:
            name = (post.region, post.author)
            count = self.counts.get(name, 0) + 1 + (0 if space is None else space.counts.get(post.author, 0))
            if count > region.max_entries_each:
                raise QuotaExceeded(region.name, "max_entries_each", limit=region.max_entries_each, asked=count)
            self.counts[name] = self.counts.get(name, 0) + 1
        if region.max_tokens is not None:
            more = tokens + self.tokens.get(region.name, 0)
            if cell is not None and region.policy in SINGLE and (post.region, post.key) not in self.written:
                more -= 0 if (replaced := cell.newest(self.fold.seq)) is None else replaced.record.tokens
            total = more + (0 if space is None else space.tokens)
            if total > region.max_tokens:
                raise QuotaExceeded(region.name, "max_tokens", limit=region.max_tokens, asked=total)
            self.tokens[region.name] = more

    def wrote(self, record: Posted) -> None:
        self.written.add((record.region, record.key))
        if record.policy == "set":
            self.elements[record.region, record.key, canonical(record.value), record.visibility] = record


def _author(post: Post, who: Identity | None) -> Identity | None:
    if who is None:
        return Identity(post.author, post.role) if post.author or post.role else None
    if post.author != who.name or post.role != who.role:
        raise AccessDenied(who.role or who.name, f"write in the name of {post.author!r} ({post.role!r})")
    return who


def _check(post: Post, region: Region) -> None:
    policy = region.policy
    if post.key:
        check_name(f"a key of region {region.name!r}", post.key)
    elif policy == "map":
        raise ValidationError(f"region {region.name!r} is a map: say which key, e.g. post({region.name!r}, …, key='a')")
    if post.visibility != "public":
        check_scope(post.visibility, f"visibility in region {region.name!r}")
        if policy in {"ballots", "counter"}:
            raise ValidationError(f"region {region.name!r} ({policy}) takes no visibility={post.visibility!r}")
    if policy == "ballots" and not post.author:
        raise ValidationError(f"a ballot in region {region.name!r} needs an author")
    if post.expect is not None:
        if policy in {"ballots", "set"}:
            raise ValidationError(f"region {region.name!r} ({policy}) takes no expect={post.expect!r}")
        if post.expect < 0:
            raise ValidationError(f"expect={post.expect} must be a version (1, 2, …), or 0 for nothing there")


def _same(fold: Fold, post: Post, done: tuple[int, BoardRecord]) -> Item:
    """What was written under this op before.

    Its value may differ from what is posted now: a log may have redacted it, and what was written first counts.
    """
    seq, record = done
    if not isinstance(record, Posted):
        raise ReplayDivergence(post.op, "kind", record.kind, Posted.kind)
    for name in ("region", "key", "author"):
        if getattr(record, name) != getattr(post, name):
            raise ReplayDivergence(post.op, name, getattr(record, name), getattr(post, name))
    return fold.items[seq]


def _causes(fold: Fold, regions: Regions, post: Post, author: Identity | None) -> tuple[int, ...]:
    if not post.causes:
        return ()
    numbers: set[int] = set()
    for cause in post.causes:
        seq = cause.seq if isinstance(cause, Entry) else cause
        item = fold.items.get(seq)
        if item is None or (
            isinstance(cause, Entry) and (cause.region, cause.key) != (item.cell.region, item.cell.key)
        ):
            raise ValidationError(f"cause {cause!r} is not an entry of this board")
        if author is not None:
            region = regions.stored(item.cell.region, item.cell.policy)
            if not region.may_read(author) or not item.is_visible(author, fold.seq):
                raise AccessDenied(author.role or author.name, f"cite entry {seq}", "it may not read it")
        numbers.add(seq)
    return tuple(sorted(numbers))


def _changed(fold: Fold, entry: Entry) -> Clash | None:
    item = fold.items.get(entry.seq)
    if item is None or (item.cell.region, item.cell.key) != (entry.region, entry.key):
        raise ValidationError(f"{entry.where} is not an entry of this board")
    newest = item.cell.newest(fold.seq)
    replaced = item.cell.policy in SINGLE and newest is not item
    if item.retracted == NEVER and not replaced and (item.stale != NEVER) == entry.stale:
        return None
    return Clash(entry.region, entry.key, entry.version, newest)


def _where(post: Post) -> str:
    return f"in {post.region!r} under {post.key!r}" if post.key else f"in {post.region!r}"


_COMPARED = frozenset({"register", "map"})
