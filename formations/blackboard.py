"""Opportunistic control: members volunteer when the board holds something for them, and the best volunteer acts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from phalanx.agents.task import Task
from phalanx.errors import ValidationError
from phalanx.settings import nearest

from .agenda import TOP
from .base import Answer, Asking, FormationModel, Member, Stage, Wiring
from .board_work import BoardWork
from .rule_field import RuleField
from .shared_board import MOST_QUESTIONS
from .team_run import TeamRun
from .voting import Equivalence, Plurality

# What one turn leaves on the board at most.
_LEFT = 1 + MOST_QUESTIONS


class BlackboardFormation(FormationModel):
    """Members work over a shared board, and nobody is told when: who has most to add to it acts next.

    The cycle is that of the blackboard systems (Hayes-Roth 1985, doi 10.1016/0004-3702(85)90063-3; with language models
    Han and Zhang 2025, arXiv:2507.01701): new entries trigger members, triggered members wait on an agenda with a
    rating, the highest rated acts, and what waits on an entry that was since taken back or settled is dropped. It ends
    when nothing is rated high enough, after `patience` turns without anything new, or after `max_turns`.

    bids: every member with something new to it is asked what it could add and rates that itself, from 0 to 10 (at most
    n - 1 short calls a turn more); without, ratings are computed from the interests and cost nothing. interests: by
    member, words whose appearance in an entry triggers it (default: its skills and its role's name; a member without
    skills acts on the task and on open questions). threshold: the rating below which nobody acts, from 0 to 10.
    max_turns: turns at most. patience: turns in a row that may bring nothing new. regions: further regions of the
    team's board whose entries trigger and are shown. view_tokens: how much of the board a member is shown;
    entry_tokens: the longest entry that a member can write.

    Somebody in the seat "decider" writes the answer from the board. Without one, all members answer from it at once,
    unseen, and `rule` decides; equivalence: which of those answers are the same.
    """

    kind: Literal["blackboard"] = "blackboard"
    bids: bool = False
    interests: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    threshold: float = Field(default=1.0, ge=0, le=TOP)
    max_turns: int = Field(default=8, ge=1)
    patience: int = Field(default=2, ge=1)
    regions: tuple[str, ...] = ()
    view_tokens: int = Field(default=8000, ge=100)
    entry_tokens: int = Field(default=2000, ge=10)
    rule: RuleField = Plurality(tie_break=())
    equivalence: Equivalence = Equivalence()

    summary: ClassVar[str] = (
        "members volunteer when a shared board holds something for them; the best volunteer acts, until nobody has "
        "anything to add"
    )
    calls: ClassVar[str] = "max_turns * (1 + bids * (n - 1)) + bids + decider + n * (1 - decider)"
    least: ClassVar[int] = 2
    optional_seats: ClassVar[tuple[str, ...]] = ("decider",)
    stages: ClassVar[Mapping[str, Stage]] = {
        "volunteer": Stage(("volunteer",), shaped=True),
        "contribute": Stage(("contribute",), shaped=True),
        "decide": Stage(("conclude",)),
        # What an answer must end with is counted where there is a draft.
        "vote": Stage(("conclude", "draft")),
    }

    def __hash__(self) -> int:
        plain = self.model_copy(update={"interests": {}})
        return hash((tuple(value for _, value in plain if not isinstance(value, dict)), tuple(self.interests.items())))

    @property
    def board_tokens(self) -> int:
        return self.view_tokens

    def check(self, members: Sequence[Member]) -> None:
        super().check(members)
        names = [member.name for member in members if member.seat is None]
        for name in self.interests:
            if name not in names:
                raise ValidationError(
                    f"interests names {name!r}, who is no member without a seat{nearest(name, names)}; "
                    f"there are: {', '.join(names)}"
                )
        for member in members:
            if self.bids and member.seat is None and hasattr(member.who, "run_inside"):
                raise ValidationError(
                    f"bids=True asks for ratings, and the team {member.name!r} answers in plain text; "
                    "leave bids out, or make an agent a member in its place"
                )

    def plan(self, members: Sequence[Member]) -> list[Asking]:
        """Every asking of `members`: as many turns as there may be, taken one after the other, and the decision."""
        free = [member.name for member in members if member.seat is None]
        asks: list[Asking] = []
        for turn in range(self.max_turns):
            if self.bids:
                # Who has just acted has nothing new to bid on.
                last = None if turn == 0 else free[(turn - 1) % len(free)]
                asks += [Asking(name, "volunteer", turn, _LEFT * turn) for name in free if name != last]
            asks.append(Asking(free[turn % len(free)], "contribute", turn, _LEFT * turn + 1))
        left = _LEFT * self.max_turns
        decider = next((member.name for member in members if member.seat == "decider"), None)
        if decider is not None:
            return [*asks, Asking(decider, "decide", 0, left)]
        return asks + [Asking(name, "vote", 0, left) for name in free]

    def wiring(self, members: Sequence[Member]) -> Wiring:
        free = tuple(member.name for member in members if member.seat is None)
        decider = next((member.name for member in members if member.seat == "decider"), None)
        if decider is None:
            return Wiring(free, free, board=True)
        return Wiring(free, (decider,), tuple((name, "-->", decider) for name in free), board=True)

    async def __call__(self, run: TeamRun, task: Task, /) -> Answer:
        work = BoardWork(self, run, task)
        await work.open()
        for turn in range(self.max_turns):
            if not await work.turn(turn):
                break
        else:
            if await work.waits():
                run.run.warn(f"max_turns={self.max_turns} was reached while members still had something to add")
        return await work.conclude()
