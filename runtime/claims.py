"""Leases: who works on what, for how long, and why a worker that came back from the dead cannot write.

A claim gives a token that grows with every claim on the board. A write under a lease is refused once the lease has
run out or a newer token was given for the same key (fencing tokens: Gray and Cheriton, "Leases", SOSP 1989; Kleppmann,
"How to do distributed locking", 2016).
"""

from __future__ import annotations

from dataclasses import dataclass

from phalanx.errors import BoardError, ValidationError


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on `key` until `expires` (seconds, by the board's clock), held by `holder`.

    token: grows with every claim; hand the lease to `post(..., lease=)` and a late write is refused.
    """

    key: str
    holder: str
    token: int
    expires: float


class LeaseLost(BoardError):
    """Something was done under a lease that no longer holds; `lease` is it, `current` who has the key now, if known."""

    def __init__(self, lease: Lease, why: str, current: Lease | None = None) -> None:
        super().__init__(f"the lease of {lease.holder!r} on {lease.key!r} (token {lease.token}) {why}")
        self.lease, self.current = lease, current


def lost(lease: Lease, current: Lease | None, now: float | None) -> LeaseLost | None:
    """Why `lease` does not hold, given what stands for its key; None when it does. With no time it cannot run out."""
    if current is None:
        return LeaseLost(lease, "was released or never given; claim it again")
    if current.token != lease.token:
        return LeaseLost(lease, f"was taken over by {current.holder!r} (token {current.token})", current)
    if now is not None and now >= current.expires:
        return LeaseLost(lease, f"ran out {now - current.expires:.3g} s ago; renew it before writing", current)
    return None


def check_holder(lease: Lease, name: str) -> None:
    """Raise ValidationError when a lease is not this member's."""
    if lease.holder != name:
        raise ValidationError(f"the lease on {lease.key!r} belongs to {lease.holder!r}, not to {name!r}")
