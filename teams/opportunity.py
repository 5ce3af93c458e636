"""Constructors of teams whose members decide themselves who acts: blackboard, market."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Self, Unpack

from .members import Who, seats_of
from .options import Construction, TeamOptions, made, with_team_options

if TYPE_CHECKING:
    from phalanx.agents.task import Task
    from phalanx.formations.voting import Equivalence, Rule

# Each formation is imported where it is built, so that a team of another one does not wait for it.


class Opportunity(Construction):
    """Constructors of teams whose members decide themselves who acts."""

    @classmethod
    @with_team_options
    def blackboard(
        cls,
        agents: Sequence[Who],
        *,
        decider: Who = None,
        bids: bool = False,
        interests: Mapping[str, Sequence[str]] | None = None,
        threshold: float = 1.0,
        max_turns: int = 8,
        patience: int = 2,
        regions: Sequence[str] = (),
        view_tokens: int = 8000,
        entry_tokens: int = 2000,
        rule: Rule | None = None,
        equivalence: Equivalence | None = None,
        **options: Unpack[TeamOptions],
    ) -> Self:
        """Members volunteer when the board holds something for them; the best volunteer acts, until nobody has more.

        agents: the members. decider: writes the answer from the board; without one all answer from it, unseen, and a
        vote decides. bids: members rate themselves what they could add (one short call each a turn); without, ratings
        come from their interests. interests: by member, words whose appearance on the board calls on it (default: its
        skills and its role's name). threshold: the rating, from 0 to 10, below which nobody acts. max_turns: turns at
        most. patience: turns in a row that may bring nothing new. regions: further regions of the team's board that
        call on members and are shown. view_tokens, entry_tokens: how much of the board a member is shown, and the
        longest entry it can write. rule, equivalence: decide the vote. Other keywords: TeamOptions.

        Returns the team. Its result's `board` holds every contribution with its author and what that had been shown,
        and the agenda of every turn. Raises ConfigurationError for fewer than two members.
        """
        from phalanx.formations.blackboard import BlackboardFormation
        from phalanx.formations.voting import Equivalence, Plurality

        formation = made(
            BlackboardFormation,
            bids=bids, interests={name: tuple(words) for name, words in (interests or {}).items()},
            threshold=threshold, max_turns=max_turns, patience=patience, regions=tuple(regions),
            view_tokens=view_tokens, entry_tokens=entry_tokens, rule=rule or Plurality(tie_break=()),
            equivalence=equivalence or Equivalence(),
        )  # fmt: skip
        return cls(agents, formation=formation, seats=seats_of(decider=decider), **options)

    @classmethod
    @with_team_options
    def market(
        cls,
        agents: Sequence[Who],
        *,
        winners: int = 1,
        verifier: Who = None,
        settle: Callable[[str, Task], float | Awaitable[float]] | None = None,
        reputation: Mapping[str, float] | None = None,
        accept: float = 0.5,
        rule: Rule | None = None,
        equivalence: Equivalence | None = None,
        quorum: int | float | None = 1,
        deadline: float | None = None,
        **options: Unpack[TeamOptions],
    ) -> Self:
        """Members bid confidence and cost, sealed; the best expected value does the task, and is held to its promise.

        agents: the bidders. winners: how many do the task; several are voted on. verifier: says how right each
        winner's answer is. settle: a function of (answer, task) that says it instead, from 0 (wrong) to 1 (right).
        reputation: by member, from 0 to 1, to begin with (default: 1); kept on the team's `board` from run to run.
        accept: the outcome below which the answer's status is "partial". rule, equivalence: decide among several
        winners. quorum: how many must bid. deadline: seconds for the bids, and for the work. Other keywords:
        TeamOptions.

        Returns the team. Raises ConfigurationError for fewer than two bidders, or a team among them.
        """
        from phalanx.formations.market import Market
        from phalanx.formations.voting import Equivalence, Plurality

        formation = made(
            Market,
            winners=winners, settle=settle, reputation=reputation or {}, accept=accept,
            rule=rule or Plurality(tie_break=()), equivalence=equivalence or Equivalence(), quorum=quorum,
            deadline=deadline,
        )  # fmt: skip
        return cls(agents, formation=formation, seats=seats_of(verifier=verifier), **options)
