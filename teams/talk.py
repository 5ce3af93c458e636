"""Constructors of teams whose members hear each other: consensus, debate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self, Unpack

from phalanx.formations.consensus import Consensus
from phalanx.formations.debate import Debate
from phalanx.formations.rounds import Topology, Update, View
from phalanx.formations.voting import Equivalence, Plurality, Rule

from .members import Who, seats_of
from .options import Construction, TeamOptions, made, with_team_options


class Talk(Construction):
    """Constructors of teams whose members hear each other."""

    @classmethod
    @with_team_options
    def consensus(
        cls,
        agents: Sequence[Who],
        min_agreement: int | float | None = None,
        *,
        rounds: int = 2,
        rule: Rule | None = None,
        exchange: Literal["solutions", "messages"] = "solutions",
        equivalence: Equivalence | None = None,
        quorum: int | float | None = 0.5,
        deadline: float | None = None,
        **options: Unpack[TeamOptions],
    ) -> Self:
        """Blind drafts, counted; while they do not agree, solutions are exchanged and improved.

        agents: the members. min_agreement: how many of them must agree (2), or what part of the ballots cast (0.75);
        default: more than half. rounds: of exchange at most; 0 is a vote. rule: another rule, e.g. Unanimity().
        exchange: members see only the set of "solutions", or each other's "messages". equivalence: which answers count
        as the same. quorum: how many must answer. deadline: seconds for each round. Other keywords: TeamOptions.

        Returns the team. Its result's `decision` holds tally and margin; without agreement `status` is "undecided".
        """
        formation = made(
            Consensus,
            min_agreement=min_agreement, rounds=rounds, rule=rule, exchange=exchange,
            equivalence=equivalence or Equivalence(), quorum=quorum, deadline=deadline,
        )  # fmt: skip
        return cls(agents, formation=formation, **options)

    @classmethod
    @with_team_options
    def debate(
        cls,
        agents: Sequence[Who],
        rounds: int = 1,
        *,
        judge: Who = None,
        topology: Topology = "auto",
        view: View = "full",
        update: Update = "free",
        follow: float = 0.3,
        stubbornness: int = 7,
        trigger: Literal["always", "on_disagreement"] = "on_disagreement",
        rule: Rule | None = None,
        equivalence: Equivalence | None = None,
        quorum: int | float | None = 0.5,
        deadline: float | None = None,
        **options: Unpack[TeamOptions],
    ) -> Self:
        """Blind drafts, then rounds in which each sees its peers' answers and revises; the last round is voted on.

        agents: the members. rounds: revisions after the draft; 0 is a vote. judge: decides when the last round is not
        unanimous; it sees the candidates in both orders, and a verdict that changes with the order does not count.
        topology: who sees whom: "full", "ring", "star", "auto" (full up to four members, then ring). view: peers'
        "full" texts, or only their "answer". update: "free", "conformist", or "follower" with probability `follow`.
        stubbornness: 0 to 10, how firmly members are told to keep their answer. trigger: revise "always", or only
        "on_disagreement" of the drafts. rule: decides on the last round (default: plurality). equivalence: which
        answers count as the same. quorum: how many must answer. deadline: seconds for each round. Other keywords:
        TeamOptions.

        Returns the team. Peers are shown anonymously, shuffled by the run's seed.
        """
        formation = made(
            Debate,
            rounds=rounds, topology=topology, view=view, update=update, follow=follow, stubbornness=stubbornness,
            trigger=trigger, rule=rule or Plurality(tie_break=()), equivalence=equivalence or Equivalence(),
            quorum=quorum, deadline=deadline,
        )  # fmt: skip
        return cls(agents, formation=formation, seats=seats_of(judge=judge), **options)
