"""How many calls may be under way at the same time, learned from a provider's refusals."""

from __future__ import annotations


class Window:
    """No cap until the first refusal, then half as many as were under way, then slowly more again.

    Additive increase, multiplicative decrease, as in TCP's congestion avoidance (RFC 5681): one more each time as
    many calls as may be under way have succeeded. What was under way at a cut says nothing about the time after it,
    so each call remembers `cuts` when it begins.
    """

    __slots__ = ("cap", "cuts", "refusals", "successes")

    def __init__(self) -> None:
        self.cap: int | None = None
        self.cuts = self.refusals = self.successes = 0

    def refused(self, cuts: int, under_way: int) -> bool:
        """A call was refused that began at `cuts`, one of so many; whether that made the window smaller."""
        self.refusals += 1
        if cuts != self.cuts:
            return False
        self.cap = max(1, under_way // 2)
        self.cuts, self.successes = self.cuts + 1, 0
        return True

    def succeeded(self, cuts: int) -> None:
        """A call was answered that began at `cuts`."""
        if self.cap is None or cuts != self.cuts:
            return
        self.refusals, self.successes = 0, self.successes + 1
        if self.successes >= self.cap:
            self.cap, self.successes = self.cap + 1, 0
