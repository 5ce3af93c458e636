"""Constructors of teams that draw several answers and pick or improve one: vote, mixture, reflect, adaptive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self, Unpack

from phalanx.agents.agent import Agent
from phalanx.agents.role import Role
from phalanx.errors import ConfigurationError

from .members import Who, seats_of
from .options import Construction, TeamOptions, made, with_team_options

if TYPE_CHECKING:
    from phalanx.formations.voting import Equivalence, Rule, StopRule

# Each formation is imported where it is built, so that a team of another one does not wait for it.


class Sampling(Construction):
    """Constructors of teams that draw several answers and pick or improve one."""

    @classmethod
    @with_team_options
    def vote(
        cls,
        agents: Who | Sequence[Who],
        samples: int | None = None,
        *,
        stop: StopRule | str | None = None,
        rule: Rule | None = None,
        equivalence: Equivalence | None = None,
        temperature: float | None = None,
        early: bool = True,
        quorum: int | float | None = 0.5,
        deadline: float | None = None,
        **options: Unpack[TeamOptions],
    ) -> Self:
        """The same task several times, unseen by each other; equal answers are merged and counted (self-consistency).

        agents: one member, or several that are asked in turn. samples: how many answers are drawn at most (default:
        five, or one of each member when there are more). stop: draw fewer where they agree: beta(0.95), esc(5), or
        such a text. rule: decides (default: plurality; a tie is told). equivalence: which answers count as the same.
        temperature: of members given by name (default: an agent's own, 0.7). early: cancel what is still running once
        it cannot change the winner; with False, equal seeds give equal texts in whatever order replies arrive.
        quorum: how many of the samples drawn must be answers. deadline: seconds for each batch. Other keywords:
        TeamOptions.

        Returns the team. Its result's `decision` holds tally and margin; a tie is "undecided". Raises ValidationError
        for a stop that samples cannot reach, ConfigurationError for a member who would never be asked.
        """
        from phalanx.formations.vote import Vote
        from phalanx.formations.voting import Equivalence, Plurality

        formation = made(
            Vote,
            samples=samples, stop=stop, rule=rule or Plurality(tie_break=()), equivalence=equivalence or Equivalence(),
            early=early, quorum=quorum, deadline=deadline,
        )  # fmt: skip
        return cls(_warm(_several(agents), temperature), formation=formation, **options)

    @classmethod
    @with_team_options
    def mixture(
        cls,
        proposers: Who | Sequence[Who],
        aggregator: Who = None,
        layers: int = 2,
        *,
        proposals: int | None = None,
        proposal_tokens: int = 1000,
        temperature: float | None = None,
        quorum: int | float | None = 0.5,
        deadline: float | None = None,
        **options: Unpack[TeamOptions],
    ) -> Self:
        """Layers of proposals, each written with the last layer's in view, and one aggregator that writes the answer.

        proposers: who propose; one alone proposes several times (Self-MoA). aggregator: who writes the answer (default:
        the first proposer). layers: all of them, the aggregator's included: 2 is proposals and an aggregation.
        proposals: in each layer, by the proposers in turn (default: one of each, or five of a single one).
        proposal_tokens: the most that others are shown of one proposal. temperature: of proposers given by name
        (default: an agent's own, 0.7). quorum: how many proposals of a layer must come. deadline: seconds for each
        layer of proposals. Other keywords: TeamOptions.

        Returns the team. Raises ConfigurationError for a proposer who would never be asked.
        """
        from phalanx.formations.mixture import Mixture

        formation = made(
            Mixture,
            layers=layers, proposals=proposals, proposal_tokens=proposal_tokens, quorum=quorum, deadline=deadline,
        )  # fmt: skip
        members = _warm(_several(proposers), temperature)
        return cls(members, formation=formation, seats=seats_of(aggregator=aggregator), **options)

    @classmethod
    @with_team_options
    def reflect(
        cls,
        author: Who,
        critic: Who = None,
        rounds: int = 2,
        *,
        scores: bool = False,
        **options: Unpack[TeamOptions],
    ) -> Self:
        """An author drafts, a critic accepts or objects, the author revises.

        author: who writes. critic: an agent who reads each version and accepts it, or says what is wrong and quotes
        it; without one the author is its own critic, which without feedback from outside rarely helps. rounds:
        revisions at most. scores: the critic also gives scores, and the version with the best one is the answer.
        Other keywords: TeamOptions.

        Returns the team. Its result is "partial" when the critic did not accept it. Raises ConfigurationError for a
        critic that is a team.
        """
        from phalanx.formations.reflect import Reflect

        formation = made(Reflect, rounds=rounds, scores=scores)
        return cls([], formation=formation, seats=seats_of(author=author, critic=critic), **options)

    @classmethod
    @with_team_options
    def adaptive(
        cls,
        agents: Sequence[Who],
        samples: int | None = None,
        *,
        confidence: float | None = None,
        stop: StopRule | str | None = None,
        rounds: int = 1,
        rule: Rule | None = None,
        equivalence: Equivalence | None = None,
        temperature: float | None = None,
        quorum: int | float | None = 0.5,
        deadline: float | None = None,
        **options: Unpack[TeamOptions],
    ) -> Self:
        """One answer, then a vote, then a debate: each only where the one before leaves doubt.

        agents: the members, two at least; the first one answers first. samples: drawn for the vote at most (default:
        five, or one of each member when there are more). confidence: the probability of being right at which the
        first answer alone is enough; the member is asked for it (default: one answer is never enough). stop: what
        agreement of the samples is enough (default: beta(0.95)). rounds: revisions of the debate. rule: decides in
        the vote and in the debate (default: plurality). equivalence: which answers count as the same. temperature: of
        members given by name (default: an agent's own, 0.7). quorum: how many must answer. deadline: seconds for each
        gathering. Other keywords: TeamOptions.

        Returns the team. Its result's `decision.explanation` says which level answered and why. Raises
        ValidationError for a stop that the samples cannot reach.
        """
        from phalanx.formations.adaptive import Adaptive
        from phalanx.formations.voting import Equivalence, Plurality, beta

        formation = made(
            Adaptive,
            samples=samples, confidence=confidence, stop=stop or beta(), rounds=rounds,
            rule=rule or Plurality(tie_break=()), equivalence=equivalence or Equivalence(), quorum=quorum,
            deadline=deadline,
        )  # fmt: skip
        return cls(_warm(agents, temperature), formation=formation, **options)


def _several(agents: Who | Sequence[Who]) -> Sequence[Who]:
    """Members as a list, also when one was given by itself."""
    return agents if isinstance(agents, Sequence) and not isinstance(agents, str | bytes) else [agents]


def _warm(agents: Sequence[Who], temperature: float | None) -> Sequence[Who]:
    """The members, those given by name as agents of this temperature; raises ConfigurationError when none is."""
    if temperature is None or isinstance(agents, str) or not isinstance(agents, Sequence):
        return agents
    if not any(isinstance(who, str | Role) for who in agents):
        raise ConfigurationError("temperature= is for members given by name; set that of an agent where it is made")
    return [Agent(who, temperature=temperature) if isinstance(who, str | Role) else who for who in agents]
