"""A token bucket without a clock of its own: how long to wait for an amount at a steady rate."""

from __future__ import annotations


class Bucket:
    """Holds a minute's worth of something and refills evenly.

    Kept as the one moment at which it will be full again (the generic cell rate algorithm, ITU-T I.371), so nothing
    adds up rounding errors. An amount larger than it holds passes when it is full, and what comes after waits longer.
    """

    __slots__ = ("full_at", "per_minute")

    def __init__(self, per_minute: float) -> None:
        self.per_minute = per_minute
        self.full_at = float("-inf")

    def delay(self, now: float, amount: float) -> float:
        """Seconds until `amount` can be taken."""
        spare = 60.0 - 60.0 * min(amount, self.per_minute) / self.per_minute
        return max(0.0, self.full_at - now - spare)

    def take(self, now: float, amount: float) -> None:
        """Take an amount, whether it is there or not; a negative one is given back."""
        self.full_at = max(self.full_at, now) + 60.0 * amount / self.per_minute

    def refill(self) -> None:
        """Be full, whatever was taken."""
        self.full_at = float("-inf")
