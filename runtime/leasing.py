"""Claiming, renewing and giving back leases on a board (see `claims` for what a lease is worth)."""

from __future__ import annotations

import math

from phalanx.errors import ReplayDivergence, ValidationError

from .board_log import BoardLog
from .claims import Lease, check_holder, lost
from .entries import BoardRecord, Claimed, Released
from .fold import Fold
from .regions import Identity, check_name


async def claim(board: BoardLog, key: str, ttl: float, who: Identity | None, op: str) -> Lease | None:
    """A lease on a key that nobody holds."""
    holder = _claimant(board, key, who)
    _check_ttl(ttl)
    lease: Lease | None = None

    def decide(fold: Fold) -> list[BoardRecord]:
        nonlocal lease
        now, current = board.clock(), fold.leases.get(key)
        done = fold.ops.get(op)
        if done is not None:
            seq, record = done
            if not isinstance(record, Claimed) or (record.key, record.author) != (key, holder.name):
                raise ReplayDivergence(op, "claim", record.kind, f"{Claimed.kind} {key} by {holder.name}")
            lease = current if current is not None and current.token == seq else None
            return []
        if current is not None and now < current.expires:
            lease = None
            return []
        lease = Lease(key, holder.name, fold.seq + 1, now + ttl)
        return [Claimed(key, lease.expires, None, holder.name, holder.role, now, op)]

    await board.commit(decide)
    return lease


async def renew(board: BoardLog, lease: Lease, ttl: float, who: Identity | None) -> Lease:
    """The same lease for longer."""
    holder = _claimant(board, lease.key, who or Identity(lease.holder))
    _check_ttl(ttl)
    longer = lease

    def decide(fold: Fold) -> list[BoardRecord]:
        nonlocal longer
        check_holder(lease, holder.name)
        if (late := lost(lease, fold.leases.get(lease.key), None)) is not None:
            raise late
        now = board.clock()
        longer = Lease(lease.key, lease.holder, lease.token, now + ttl)
        return [Claimed(lease.key, longer.expires, lease.token, lease.holder, holder.role, now, "")]

    await board.commit(decide)
    return longer


async def release(board: BoardLog, lease: Lease, who: Identity | None) -> bool:
    """Give a lease back; whether it still held."""
    holder = who or Identity(lease.holder)

    def decide(fold: Fold) -> list[BoardRecord]:
        check_holder(lease, holder.name)
        if lost(lease, fold.leases.get(lease.key), None) is not None:
            return []
        return [Released(lease.key, lease.token, holder.name, holder.role, board.clock())]

    before, at = await board.commit(decide)
    return at > before


async def holder(board: BoardLog, key: str) -> Lease | None:
    """The lease that holds on a key now."""
    lease = (await board.latest()).leases.get(key)
    return lease if lease is not None and board.clock() < lease.expires else None


def _claimant(board: BoardLog, key: str, who: Identity | None) -> Identity:
    if not key:
        raise ValidationError("claim needs a key: the name of what is worked on, e.g. 'tasks/3'")
    check_name("the key of a claim", key)
    if who is None:
        raise ValidationError(f"claim({key!r}, …) needs author=: a lease has a holder")
    if (region := board.regions.get(key.partition("/")[0])) is not None:
        region.require_write(who)
    return who


def _check_ttl(ttl: float) -> None:
    if not (math.isfinite(ttl) and ttl > 0):
        raise ValidationError(f"a lease lasts a positive number of seconds, not {ttl!r}")
