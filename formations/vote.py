"""The same task several times, unseen by each other; equal answers are merged and the most frequent one wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field, StrictFloat, StrictInt

from phalanx.agents.task import Task

from .base import Answer, Asking, FormationModel, Member, Stage
from .gather import Gathering
from .one_voice import warn_of_one_voice
from .rule_field import RuleField
from .samples import (
    Samples,
    ahead,
    answer_of,
    check_part,
    check_rule,
    check_stop,
    check_turns,
    stop_text,
)
from .team_run import TeamRun
from .voting import Equivalence, Plurality
from .voting.composed import StopField

FEW = 5
"""The samples that are drawn when nobody says how many."""


class Vote(Gathering):
    """Sample and vote (self-consistency: Wang et al. 2022, arXiv:2203.11171; Li et al. 2024, arXiv:2402.05120).

    samples: how many are drawn at most, from the members in turn (default: five, or one of each member when there are
    more). stop: when fewer will do: `beta(0.95)` (Adaptive-Consistency: Aggarwal et al. 2023, arXiv:2305.11860) or
    `esc(5)` (windows: Li et al. 2024, arXiv:2401.10480); default: all are drawn. Samples are asked for in batches that
    depend on what was answered and not on when, so the seed alone says how many there are. rule: decides on their
    answers. equivalence: which answers are the same. early: cancel what is still running once it cannot change the
    winner. quorum: how many of the samples drawn must be answers (default: half). deadline: seconds for each batch.
    """

    kind: Literal["vote"] = "vote"
    samples: StrictInt | None = Field(default=None, ge=1)
    stop: StopField | None = None
    rule: RuleField = Plurality.model_construct(tie_break=())
    equivalence: Equivalence = Equivalence()
    early: bool = True
    quorum: StrictInt | StrictFloat | None = 0.5

    summary: ClassVar[str] = "the same task several times, unseen by each other; the most frequent answer wins"
    calls: ClassVar[str] = "samples"
    stages: ClassVar[Mapping[str, Stage]] = {"draft": Stage(("draft",))}

    def most(self, members: int) -> int:
        """How many samples so many `members` give at most."""
        return max(FEW, members) if self.samples is None else self.samples

    def check(self, members: Sequence[Member]) -> None:
        FormationModel.check(self, members)
        most = self.most(len(members))
        check_turns(self.kind, most, members)
        check_part(self.quorum, most, "samples")
        check_stop(self.stop, most)
        check_rule(self.rule, members)

    def plan(self, members: Sequence[Member]) -> list[Asking]:
        return [Asking(members[at % len(members)].name, "draft") for at in range(self.most(len(members)))]

    async def __call__(self, run: TeamRun, task: Task, /) -> Answer:
        most = self.most(len(run.members))
        samples = Samples(run, task, most, self.needed(most), self.rule, self.equivalence)
        warn_of_one_voice(run, most)
        run.begin("draft")
        reached = False
        while len(samples.drawn) < most and not (reached or samples.is_certain):
            more = most if self.stop is None else ahead(self.stop, samples.answers(), most)
            fresh = await samples.draw(more, deadline=self.deadline, early=self.early)
            if not samples.is_certain:
                for outcome in fresh:
                    run.raise_refusal(outcome)
            reached = self.stop is not None and self.stop.reached(samples.answers())
        if not samples.is_certain:
            run.require(samples.drawn, self.needed(len(samples.drawn)))
        reached = reached and not samples.is_certain
        counted = samples.count(samples.drawn, len(samples.drawn) if reached else most)
        note = ""
        if samples.is_certain and len(counted.outcomes) < most:
            note = f"{len(counted.outcomes)} of at most {most} samples were in when no other could change the winner"
        elif self.stop is not None and reached:
            note = f"{len(samples.drawn)} of at most {most} samples were drawn: {stop_text(self.stop)} was reached"
        if note:
            decision = counted.decision.model_copy(update={"notes": (*counted.decision.notes, note)})
            counted = replace(counted, decision=decision)
        run.record(counted, 0)
        answer = answer_of(counted)
        assert answer is not None
        return answer
