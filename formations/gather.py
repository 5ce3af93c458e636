"""What all formations share that ask everybody at the same time: a quorum and a deadline."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, ClassVar

from pydantic import Field, StrictFloat, StrictInt

from phalanx.agents.output import Shape
from phalanx.errors import ConfigurationError, ValidationError

from .base import FormationModel, Member, Outcome
from .team_run import Best, Say, TeamRun, Until


class Gathering(FormationModel):
    """A formation that gathers answers.

    quorum: how many members must answer: a number, a part (0.5: half), or None for all. deadline: seconds for each
    gathering, after which those still working are timed out.
    """

    quorum: StrictInt | StrictFloat | None = None
    deadline: float | None = Field(default=None, gt=0)

    typed_seats: ClassVar[tuple[str, ...]] = ()
    """The seats whose answers have a form of their own, which only an agent can be asked for."""

    def check(self, members: Sequence[Member]) -> None:
        super().check(members)
        for member in members:
            if member.seat in self.typed_seats and hasattr(member.who, "run_inside"):
                raise ConfigurationError(
                    f"the seat {member.seat!r} needs an agent: it answers in a form of its own, and the team "
                    f"{member.name!r} answers in plain text"
                )
        free = sum(member.seat is None for member in members)
        if isinstance(self.quorum, int) and not 1 <= self.quorum <= free:
            raise ValidationError(f"quorum={self.quorum} cannot be met by {free} members; it must be from 1 to {free}")
        if isinstance(self.quorum, float) and not 0 < self.quorum <= 1:
            raise ValidationError(
                f"quorum={self.quorum} is no part of the members; write 0.5 for half, or a whole number"
            )

    def needed(self, members: int) -> int:
        """How many of so many `members` must answer."""
        if self.quorum is None:
            return members
        if isinstance(self.quorum, int):
            return min(self.quorum, members)
        return _share(self.quorum, members)

    async def gather(
        self,
        run: TeamRun,
        prompts: Say,
        *,
        stage: str,
        round: int = 0,
        members: Sequence[Member] | None = None,
        shape: Shape[Any] | None = None,
        question: str = "",
        until: Until | None = None,
        best: Best | None = None,
    ) -> list[Outcome]:
        """Ask members at once, within the deadline; takes what `TeamRun.ask_all` takes, of the run `run`."""
        return await run.ask_all(
            prompts, stage=stage, round=round, members=members, shape=shape, question=question,
            deadline=self.deadline, until=until, best=best,
        )  # fmt: skip


@functools.lru_cache(maxsize=64)  # a fraction is made of a decimal more slowly than all else that a vote asks for
def _share(part: float, members: int) -> int:
    return max(1, -((-Fraction(str(part)) * members) // 1))
