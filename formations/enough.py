"""Functions that are called in the midst of others' work, and may break off: whose error it is stays plain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from phalanx.agents.models.stray import LEAKED, is_stray

from .base import Outcome
from .side_by_side import Job, Until


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


def telling(jobs: Sequence[Job]) -> Sequence[Job]:
    """The `jobs`; where a prompt is a function, a cancellation of its own is its error, and not its siblings' end."""
    if all(isinstance(job.prompt, str) for job in jobs):
        return jobs
    return [job if isinstance(job.prompt, str) else job._replace(prompt=_telling(job.prompt)) for job in jobs]


def _telling(prompt: Callable[[Mapping[str, Outcome]], str]) -> Callable[[Mapping[str, Outcome]], str]:
    def told(done: Mapping[str, Outcome]) -> str:
        try:
            return prompt(done)
        except BaseException as stop:
            if not is_stray(stop):
                raise
            raise RuntimeError(LEAKED) from stop

    return told
