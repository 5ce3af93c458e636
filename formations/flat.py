"""Equals: in turn over a shared board, or all at once and unseen; then one aggregation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field, StrictFloat, StrictInt

from phalanx.agents.task import Task
from phalanx.errors import ValidationError

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
from .base import Answer, Asking, Member, Outcome, Stage, Wiring
from .gather import Gathering
from .one_voice import warn_of_one_voice
from .team_run import TeamRun


class Flat(Gathering):
    """Members are equals.

    shared_memory: they speak in turn and each sees what stands on the board; without it all work at once and blind.
    rounds: how often each speaks (more than once only makes sense with a shared memory). aggregation: "synthesize"
    (the aggregator, else the first member, writes one answer), "concat", "majority_vote", a rule, or a function of
    the texts (it may be async). view_tokens: how much of the board a member is shown. quorum: how many must answer
    (default: one). deadline: seconds for the blind gathering; those who speak in turn have none.
    """

    kind: Literal["flat"] = "flat"
    shared_memory: bool = True
    rounds: int = Field(default=1, ge=1)
    aggregation: Aggregation = "synthesize"
    view_tokens: int = Field(default=8000, ge=100)
    quorum: StrictInt | StrictFloat | None = 1

    summary: ClassVar[str] = (
        "equals speak in turn over a shared board, or all at once and unseen; then one answer is made of theirs"
    )
    calls: ClassVar[str] = "n * rounds + synthesize"
    optional_seats: ClassVar[tuple[str, ...]] = ("aggregator",)
    stages: ClassVar[Mapping[str, Stage]] = {"turn": Stage(("turn",)), **AGGREGATE}

    def check(self, members: Sequence[Member]) -> None:
        """Raise ConfigurationError or ValidationError when it cannot work with these `members`."""
        super().check(members)
        check_aggregation(self.aggregation, members)
        if self.rounds > 1 and not self.shared_memory:
            raise ValidationError("flat with shared_memory=False is blind: rounds must be 1 (use debate for revisions)")
        if self.deadline is not None and self.shared_memory:
            raise ValidationError(
                "flat with shared_memory=True speaks in turn: deadline= is for shared_memory=False; "
                "give each member Limits(seconds=…), or the team"
            )

    def plan(self, members: Sequence[Member]) -> list[Asking]:
        free = [member for member in members if member.seat is None]
        asks = [
            Asking(member.name, "turn", round, round * len(free) + at if self.shared_memory else 0)
            for round in range(self.rounds)
            for at, member in enumerate(free)
        ]
        return asks + aggregation_asks(self.aggregation, members, len(free))

    @property
    def board_tokens(self) -> int:
        """The most that a prompt shows of the team's board, in tokens."""
        return self.view_tokens

    def wiring(self, members: Sequence[Member]) -> Wiring:
        return aggregation_wiring(self.aggregation, members, board=self.shared_memory)

    def longest(self, lengths: Mapping[str, int], members: Sequence[Member]) -> int:
        return aggregation_longest(self.aggregation, lengths, members)

    async def __call__(self, run: TeamRun, task: Task, /) -> Answer:
        if is_vote(self.aggregation) and not self.shared_memory:
            warn_of_one_voice(run)
        said: list[Outcome] = []
        for round in range(self.rounds):
            run.begin("turn", round)
            if self.shared_memory:
                said = await self._in_turn(run, task, round, said)
            else:
                prompt = run.prompts("draft", task=run.text(task))
                said = await self.gather(run, prompt, stage="turn", question=task.id, best=concat)
        return await aggregate(self.aggregation, run, task, run.require(said, self.needed(len(run.members))))

    async def _in_turn(self, run: TeamRun, task: Task, round: int, before: Sequence[Outcome]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        # Of those who have not answered in this round, what they said in the one before.
        run.hold(lambda: concat(_latest(outcomes, before)))
        text, roster = run.text(task), run.names()
        for member in run.members:
            board, shown = await run.see(member, tokens=self.view_tokens, about=task.description)
            prompt = run.prompts("turn", task=text, roster=roster, board=board)
            outcome = await run.try_ask(member, prompt, stage="turn", round=round, question=task.id, causes=shown)
            outcomes.append(outcome)
            run.raise_refusal(outcome)
        return outcomes


def _latest(now: Sequence[Outcome], before: Sequence[Outcome]) -> list[Outcome]:
    """Each member's answer of this round, or else of the round before."""
    if not before:
        return list(now)
    return [now[at] if at < len(now) and now[at].ok else earlier for at, earlier in enumerate(before)]
