"""Constructors of teams in which somebody steers: routes, hands over, splits, keeps a ledger."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self, Unpack

from phalanx.agents.agent import Agent
from phalanx.agents.role import Role
from phalanx.agents.task import Task

from .members import Who, seats_of
from .options import Construction, TeamOptions, made, with_team_options

if TYPE_CHECKING:
    from phalanx.formations.aggregate import Aggregation

# Each formation is imported where it is built, so that a team of another one does not wait for it.


class Steering(Construction):
    """Constructors of teams in which somebody steers: routes, hands over, splits, keeps a ledger."""

    @classmethod
    @with_team_options
    def router(
        cls,
        router: Who | Callable[[Task], object],
        members: Sequence[Who],
        *,
        fallback: Who = None,
        top: int = 1,
        min_confidence: float | None = None,
        aggregation: Aggregation = "synthesize",
        aggregator: Who = None,
        quorum: int | float | None = 1,
        deadline: float | None = None,
        **options: Unpack[TeamOptions],
    ) -> Self:
        """One member, or a few, are chosen for the task; the others cost nothing.

        router: who chooses, by name, with a reason and a confidence; or a function of the task that gives a member's
        name, several, or None for the fallback, and costs no call. members: whom it can choose. fallback: does the
        task when nobody was chosen, or too few of the chosen answer. top: how many are chosen at most.
        min_confidence: from 0 to 1; a choice the router is less sure of does not count. aggregation: how the answers
        of several become one: "synthesize", "concat", "majority_vote", a rule, or a function of the list of texts.
        aggregator: who synthesizes (default: the first who answered). quorum: how many of the chosen must answer.
        deadline: seconds for the chosen. Other keywords: TeamOptions.

        Returns the team. Its result's `member` of the stage "route" holds the choice. Raises ConfigurationError or
        ValidationError for options that do not fit. Its run raises MemberFailed or QuorumMissed when the router or
        the chosen give no answer and there is no fallback.
        """
        from phalanx.formations.router import Router

        # Agents, roles and teams are no functions, whatever else they are.
        by_function = inspect.isroutine(router) or (
            callable(router) and not isinstance(router, str | Role | Agent) and not hasattr(router, "run_inside")
        )
        formation = made(
            Router,
            choose=router if by_function else None, top=top, min_confidence=min_confidence, aggregation=aggregation,
            quorum=quorum, deadline=deadline,
        )  # fmt: skip
        seats = seats_of(router=None if by_function else router, fallback=fallback, aggregator=aggregator)
        return cls(members, formation=formation, seats=seats, **options)

    @classmethod
    @with_team_options
    def handoff(
        cls,
        members: Sequence[Who],
        *,
        max_handoffs: int = 5,
        note_tokens: int = 2000,
        **options: Unpack[TeamOptions],
    ) -> Self:
        """One member at a time has the task: it answers, or hands over to another by name.

        Whoever is handed the task sees it, who handed it over and why, and all notes so far. A task that goes round
        in a circle with nothing new, or was handed over often enough, has to be answered by whoever has it.

        members: the first begins. max_handoffs: how often the task can change hands. note_tokens: the most that is
        shown of the words of one handover. Other keywords: TeamOptions.

        Returns the team. The status of its result is "partial" where the answer is that of a member who wanted to
        hand over. Raises ConfigurationError for fewer than two members, or one with an `output` type of its own. Its
        run raises MemberFailed when nobody answers.
        """
        from phalanx.formations.handoff import Handoff

        return cls(members, formation=made(Handoff, max_handoffs=max_handoffs, note_tokens=note_tokens), **options)
