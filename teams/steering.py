"""Constructors of teams in which somebody steers: routes, hands over, splits, keeps a ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self, Unpack

from phalanx.agents.agent import Agent
from phalanx.agents.role import Role
from phalanx.agents.task import Task
from phalanx.errors import ValidationError

from .members import Who, seats_of
from .options import Construction, TeamOptions, made, with_team_options

if TYPE_CHECKING:
    from phalanx.formations.aggregate import Aggregation
    from phalanx.formations.pieces import By

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

        by_function = _is_function(router)
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

    @classmethod
    @with_team_options
    def map_reduce(
        cls,
        mappers: Who | Sequence[Who],
        reducer: Who,
        *,
        split: By | Callable[[Task], object] | Who = "paragraphs",
        piece_tokens: int = 4000,
        max_pieces: int = 16,
        concurrency: int | None = None,
        fan_in: int = 4,
        reduce_tokens: int = 24_000,
        quorum: int | float | None = 0.5,
        deadline: float | None = None,
        **options: Unpack[TeamOptions],
    ) -> Self:
        """A long task in pieces: split, each piece worked on by itself, the results merged in a tree.

        What is split is the task's context; without one, the first paragraph of the task is what is to be done, and
        the rest is split. Pieces that fail are named to the reducer, and in `receipts_of(result.board)`.

        mappers: one member, or several that are given pieces in turn. reducer: merges the results. split:
        "paragraphs", "lines" or "tokens" (by size alone); a function of the task that gives a list of texts; or a
        member (an agent, a role, another name) who splits. piece_tokens: the most of a piece, as estimated.
        max_pieces: more are refused before anything is spent. concurrency: how many pieces at the same time (None:
        all). fan_in: how many results are merged at once. reduce_tokens: the most of results that one merging is
        shown. quorum: how many pieces must be worked on, as a number or a part. deadline: seconds for all of them.
        Other keywords: TeamOptions.

        Returns the team. The status of its result is "partial" when pieces are missing. Raises ConfigurationError or
        ValidationError for options that do not fit. Its run raises QuorumMissed when too few pieces are worked on,
        ValidationError for a task of too many pieces.
        """
        from phalanx.formations.map_reduce import MapReduce

        by_member = not _is_function(split) and split not in (ways := ("paragraphs", "lines", "tokens"))
        if by_member and isinstance(split, str) and (meant := f"{split.lower().rstrip('s')}s") in ways:
            raise ValidationError(f"split={split!r} would be a member of that name; did you mean {meant!r}?")
        formation = made(
            MapReduce,
            split="member" if by_member else split, piece_tokens=piece_tokens, max_pieces=max_pieces,
            concurrency=concurrency, fan_in=fan_in, reduce_tokens=reduce_tokens, quorum=quorum, deadline=deadline,
        )  # fmt: skip
        seats = seats_of(reducer=reducer, splitter=split if by_member else None)
        several = isinstance(mappers, Sequence) and not isinstance(mappers, str)
        return cls(mappers if several else [mappers], formation=formation, seats=seats, **options)

    @classmethod
    @with_team_options
    def ledger(
        cls,
        lead: Who,
        workers: Sequence[Who],
        *,
        max_steps: int = 12,
        max_stalls: int = 2,
        max_replans: int = 2,
        result_tokens: int = 2000,
        view_tokens: int = 16_000,
        **options: Unpack[TeamOptions],
    ) -> Self:
        """A lead who keeps a ledger of facts and plan, and one of progress, and plans anew when the work is stuck.

        Step by step the lead says whether the task is done, goes in circles, gets on, and who goes on with what. That
        nothing can be found is a way to be done. Both ledgers stand on the board, in the region "ledger".

        lead: who leads. workers: who do the steps. max_steps: how many at most. max_stalls: how many steps may stall
        before the ledger is written anew: steps that the lead sees no progress in, that fail, or that repeat something.
        max_replans: how often that happens before the lead has to answer. result_tokens: the most that is shown of one
        step's result. view_tokens: the most that is shown of all of them. Other keywords: TeamOptions.

        Returns the team. The status of its result is "partial" when the work did not come to an end by itself. Raises
        ConfigurationError without a lead or workers, AccessDenied when the lead's role forbids delegating. Its run
        raises MemberFailed when the lead writes no ledger.
        """
        from phalanx.formations.ledger import Ledger

        formation = made(
            Ledger, max_steps=max_steps, max_stalls=max_stalls, max_replans=max_replans, result_tokens=result_tokens,
            view_tokens=view_tokens,
        )  # fmt: skip
        return cls(workers, formation=formation, seats=seats_of(lead=lead), **options)


def _is_function(given: object) -> bool:
    """Whether this is the user's own function; agents, roles, teams and names are none, whatever else they are."""
    return callable(given) and not isinstance(given, str | Role | Agent) and not hasattr(given, "run_inside")
