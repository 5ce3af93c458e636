"""Whether the answers so far are enough, asked of a rule or a function of the user's, which may break off."""

from __future__ import annotations

from collections.abc import Sequence

from phalanx.agents.models.stray import is_stray

from .base import Outcome
from .side_by_side import Until


class Enough:
    """Asks `until` after each answer; when it breaks off that is enough too, and `broken` is what it raised.

    It is asked in the midst of others' work, where what it raises would come out as a group of errors, and a
    cancellation of its own as one of theirs.
    """

    def __init__(self, until: Until) -> None:
        self.until = until
        self.broken: BaseException | None = None

    def __call__(self, done: Sequence[Outcome]) -> bool:
        """Whether the outcomes so far (`done`) are enough."""
        try:
            return self.until(done)
        except BaseException as broken:
            if not isinstance(broken, Exception) and not is_stray(broken):
                raise
            self.broken = broken
            return True
