"""How far a suite is: counts, money, tokens, time left, and accuracies with intervals, as they stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from phalanx.messages import Usage

from .record import Attempt
from .statistics.intervals import Estimate, wilson


@dataclass
class Count:
    """How far one system is.

    name: its own. of: attempts that are to be made. done: made, also in earlier calls. failed: of those, the ones
    without an answer. right: the sum of their scores. usage, usd: what they spent; usd is None as soon as one price
    is not known. metered: whether the tokens of all of them are. repeats: attempts an item.
    """

    name: str
    of: int
    repeats: int = 1
    done: int = 0
    failed: int = 0
    right: float = 0.0
    usage: Usage = Usage()
    usd: float | None = 0.0
    metered: bool = True

    @property
    def accuracy(self) -> Estimate | None:
        """The mean score so far with Wilson's interval; None before the first attempt.

        Repeats of an item do not count as items. The report's interval, which knows of clusters, is the one to quote.
        """
        if not self.done:
            return None
        items = max(1, self.done // self.repeats)
        return wilson(items * min(1.0, self.right / self.done), items)

    def add(self, attempt: Attempt) -> None:
        """Count an attempt."""
        self.done += 1
        self.failed += attempt.answer is None
        self.right += attempt.score
        self.usage += attempt.usage
        self.metered &= attempt.metered
        self.usd = None if self.usd is None or attempt.usd is None else self.usd + attempt.usd


@dataclass
class Progress:
    """How far a suite is; one object that is kept up to date.

    systems: by name, in the order of the comparison. started: the clock when this call began; now: when it was last
    told of something. fresh: attempts made since then. stopped: the limit that ended it early. left_behind: results of
    what systems were before they changed, which are not gone on with, by name. beside: what else is kept under the name
    of the comparison, in sentences.
    """

    systems: dict[str, Count] = field(default_factory=dict)
    started: float = 0.0
    now: float = 0.0
    fresh: int = 0
    stopped: str | None = None
    left_behind: dict[str, int] = field(default_factory=dict)
    beside: tuple[str, ...] = ()

    @property
    def done(self) -> int:
        """Attempts that are made."""
        return sum(each.done for each in self.systems.values())

    @property
    def of(self) -> int:
        """Attempts that are to be made."""
        return sum(each.of for each in self.systems.values())

    @property
    def failed(self) -> int:
        """Attempts without an answer."""
        return sum(each.failed for each in self.systems.values())

    @property
    def usage(self) -> Usage:
        """What all of it spent."""
        return sum((each.usage for each in self.systems.values()), Usage())

    @property
    def metered(self) -> bool:
        """Whether the tokens of all attempts are known."""
        return all(each.metered for each in self.systems.values())

    @property
    def usd(self) -> float | None:
        """US dollars of all of it; None as soon as one price is not known."""
        found = [each.usd for each in self.systems.values()]
        return None if None in found else sum(each for each in found if each is not None)

    @property
    def seconds(self) -> float:
        """How long this call has worked."""
        return self.now - self.started

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at the speed of this call; None before its first attempt."""
        if not self.fresh or self.seconds <= 0:
            return None
        return (self.of - self.done) * self.seconds / self.fresh


Told = Callable[[Progress], None]
"""Called with the progress, after each attempt and at the end."""
