"""Constructors of teams that divide work: hierarchical, flat, pipeline, parallel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self, Unpack

from .members import Who, either, seats_of
from .options import Construction, TeamOptions, made, with_team_options

if TYPE_CHECKING:
    from phalanx.formations.aggregate import Aggregation
    from phalanx.formations.pipeline import Validator

# Each formation is imported where it is built, so that a team of another one does not wait for it.


class Classic(Construction):
    """Constructors of teams that divide work."""

    @classmethod
    @with_team_options
    def hierarchical(
        cls,
        lead: Who = None,
        subagents: Sequence[Who] | None = None,
        *,
        verifier: Who = None,
        max_stalls: int = 3,
        max_rounds: int = 3,
        review: bool = True,
        reworks: int = 1,
        depth: int = 1,
        result_tokens: int = 2000,
        lead_agent: Who = None,
        support_agents: Sequence[Who] | None = None,
        **options: Unpack[TeamOptions],
    ) -> Self:
        """A lead who delegates, workers who do the parts, a synthesis.

        The lead sees the roster and returns typed assignments; the framework delegates them in dependency order, in
        parallel where they are free of each other. Workers see their assignment, the goal, and the results it builds
        on. The lead reviews, may assign more, and writes the answer.

        lead: who leads (`lead_agent` is the same). subagents: the workers (`support_agents` is the same). verifier:
        checks the answer and may veto it. max_stalls: reviews in a row without newly finished work before the lead
        has to answer. max_rounds: rounds of assignments at most. review: whether the lead reviews before answering.
        reworks: how often the lead may answer the verifier's objection. depth: how deep teams may be nested in a
        worker; 0 is that workers are agents. result_tokens: the most that is shown of a worker's result, to the lead
        and to those who build on it. Other keywords: TeamOptions.

        What became of each assignment is told by `receipts_of(result.board)`.

        Returns the team. Raises ConfigurationError without a lead or workers, or for teams nested too deep,
        AccessDenied when the lead's role forbids delegating.
        """
        from phalanx.formations.hierarchical import Hierarchical

        seats = {"lead": either("lead", lead, "lead_agent", lead_agent)}
        if verifier is not None:
            seats["verifier"] = verifier
        workers = either("subagents", subagents, "support_agents", support_agents)
        formation = made(
            Hierarchical, max_stalls=max_stalls, max_rounds=max_rounds, review=review, reworks=reworks, depth=depth,
            result_tokens=result_tokens,
        )  # fmt: skip
        return cls(workers, formation=formation, seats=seats, **options)

    @classmethod
    @with_team_options
    def flat(
        cls,
        agents: Sequence[Who],
        shared_memory: bool = True,
        *,
        rounds: int = 1,
        aggregation: Aggregation = "synthesize",
        aggregator: Who = None,
        quorum: int | float | None = 1,
        deadline: float | None = None,
        **options: Unpack[TeamOptions],
    ) -> Self:
        """Equals.

        agents: the members. shared_memory: they speak in turn and each sees the board; without it all work at once and
        blind. rounds: how often each speaks. aggregation: "synthesize" (the aggregator, else the first member, writes
        one answer), "concat", "majority_vote", a rule, or a function of the list of texts. quorum: how many must
        answer. deadline: seconds for a blind gathering. Other keywords: TeamOptions.

        Returns the team. Raises ConfigurationError without members or for an unknown aggregation.
        """
        from phalanx.formations.flat import Flat

        formation = made(
            Flat, shared_memory=shared_memory, rounds=rounds, aggregation=aggregation, quorum=quorum, deadline=deadline
        )
        return cls(agents, formation=formation, seats=seats_of(aggregator=aggregator), **options)

    @classmethod
    @with_team_options
    def pipeline(
        cls,
        agents: Sequence[Who],
        *,
        validators: Mapping[str, Validator] | None = None,
        retries: int = 1,
        **options: Unpack[TeamOptions],
    ) -> Self:
        """Stages in a row: each member gets the task and what the one before it made.

        agents: the stages. One is typed by its agent's `output`. validators: by member name, a function of the stage's
        result that gives None when it is good, else what is wrong. retries: how often a stage is asked again when its
        validator objects. Other keywords: TeamOptions.

        Returns the team. Its run raises MemberFailed when a stage fails.
        """
        from phalanx.formations.pipeline import Pipeline

        return cls(agents, formation=made(Pipeline, validators=validators or {}, retries=retries), **options)

    @classmethod
    @with_team_options
    def parallel(
        cls,
        agents: Sequence[Who],
        *,
        aggregation: Aggregation = "concat",
        aggregator: Who = None,
        quorum: int | float | None = None,
        deadline: float | None = None,
        **options: Unpack[TeamOptions],
    ) -> Self:
        """All at once, each alone, then one aggregation.

        agents: the members. aggregation: "concat", "synthesize", "majority_vote", a rule, or a function of the list of
        texts. aggregator: who synthesizes (default: the first member). quorum: how many must answer: a number, a part
        (0.5), or None for all. deadline: seconds after which those still working are timed out. Other keywords:
        TeamOptions.

        Returns the team. Its run raises QuorumMissed when too few answer.
        """
        from phalanx.formations.parallel import Parallel

        formation = made(Parallel, aggregation=aggregation, quorum=quorum, deadline=deadline)
        return cls(agents, formation=formation, seats=seats_of(aggregator=aggregator), **options)
