"""All at once, each alone; then one aggregation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from phalanx.agents.task import Task

from .aggregate import (
    AGGREGATE,
    Aggregation,
    aggregate,
    aggregation_asks,
    aggregation_longest,
    aggregation_wiring,
    check_aggregation,
    concat,
    is_vote,
)
from .base import Answer, Asking, Member, Stage, Wiring
from .gather import Gathering
from .one_voice import warn_of_one_voice
from .team_run import TeamRun


class Parallel(Gathering):
    """Everybody does the whole task at the same time and unseen; `aggregation` makes one answer of them (see Flat)."""

    kind: Literal["parallel"] = "parallel"
    aggregation: Aggregation = "concat"

    summary: ClassVar[str] = "all at once and unseen; then joined, synthesized, voted on, or given to your function"
    calls: ClassVar[str] = "n + synthesize"
    optional_seats: ClassVar[tuple[str, ...]] = ("aggregator",)
    stages: ClassVar[Mapping[str, Stage]] = {"draft": Stage(("draft",)), **AGGREGATE}

    def check(self, members: Sequence[Member]) -> None:
        super().check(members)
        check_aggregation(self.aggregation, members)

    def plan(self, members: Sequence[Member]) -> list[Asking]:
        free = [member for member in members if member.seat is None]
        return [Asking(member.name, "draft") for member in free] + aggregation_asks(
            self.aggregation, members, len(free)
        )

    def wiring(self, members: Sequence[Member]) -> Wiring:
        return aggregation_wiring(self.aggregation, members)

    def longest(self, lengths: Mapping[str, int], members: Sequence[Member]) -> int:
        return aggregation_longest(self.aggregation, lengths, members)

    async def __call__(self, run: TeamRun, task: Task, /) -> Answer:
        if is_vote(self.aggregation):
            warn_of_one_voice(run)
        run.begin("draft")
        prompt = run.prompts("draft", task=run.text(task))
        outcomes = await self.gather(run, prompt, stage="draft", question=task.id, best=concat)
        return await aggregate(self.aggregation, run, task, run.require(outcomes, self.needed(len(run.members))))
