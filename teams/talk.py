"""Constructors of teams whose members hear each other: consensus, debate, panel, and published protocols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack

from phalanx.agents.agent import Agent
from phalanx.agents.role import Role
from phalanx.errors import ConfigurationError

from .members import Who, seats_of
from .options import Construction, TeamOptions, made, with_team_options

if TYPE_CHECKING:
    from phalanx.formations.rounds import Topology, Update, View
    from phalanx.formations.voting import Equivalence, Rule, StopRule

# Each formation is imported where it is built, so that a team of another one does not wait for it.


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
        verifier: Who = None,
        summarizer: Who = None,
        topology: Topology = "auto",
        view: View = "full",
        update: Update = "free",
        follow: float = 0.3,
        stop: StopRule | str | None = None,
        confidence: Literal["none", "typed", "separate"] = "none",
        decide_over: Literal["last", "first", "all"] = "last",
        decay: float = 1.0,
        early: bool = True,
        equivalence: Equivalence | None = None,
        quorum: int | float | None = 0.5,
        deadline: float | None = None,
        **options: Unpack[TeamOptions],
    ) -> Self:
        """Blind drafts, counted; while they do not agree, solutions are exchanged and improved.

        agents: the members. min_agreement: how many of them must agree (2), or what part of the ballots cast (0.75);
        default: more than half. rounds: of exchange at most; 0 is a vote. rule: another rule, e.g. Unanimity().
        exchange: members see only the set of "solutions", or each other's "messages". verifier: has to accept every
        change of an answer (update="verified_only"). summarizer: sums the messages up (view="summary"). topology,
        view: who sees whose messages, and how. update, follow, stop, confidence, decide_over, decay: as in `debate`.
        early: cancel what is still running once it cannot change the outcome, where the last round decides; the winner
        is the same, whose words stand for it may differ.
        equivalence: which answers count as the same. quorum: how many must answer. deadline: seconds for each round.
        Other keywords: TeamOptions.

        Returns the team. Its result's `decision` holds tally and margin; without agreement `status` is "undecided".
        """
        from phalanx.formations.consensus import Consensus
        from phalanx.formations.voting import Equivalence

        formation = made(
            Consensus,
            min_agreement=min_agreement, rounds=rounds, rule=rule, exchange=exchange, topology=topology, view=view,
            update=update, follow=follow, stop=stop, confidence=confidence, decide_over=decide_over, decay=decay,
            early=early,
            equivalence=equivalence or Equivalence(), quorum=quorum, deadline=deadline,
        )  # fmt: skip
        return cls(agents, formation=formation, seats=seats_of(verifier=verifier, summarizer=summarizer), **options)

    @classmethod
    @with_team_options
    def debate(
        cls,
        agents: Sequence[Who],
        rounds: int = 1,
        *,
        judge: Who | Sequence[Who] = None,
        moderator: Who = None,
        verifier: Who = None,
        summarizer: Who = None,
        ranker: Who = None,
        topology: Topology = "auto",
        order: Literal["sync", "sequential"] = "sync",
        blind: bool = True,
        view: View = "full",
        show_counts: bool = False,
        peer_tokens: int = 2000,
        view_tokens: int | None = None,
        memory: int | Literal["all"] = 1,
        update: Update = "free",
        follow: float = 0.3,
        leave_after: int = 2,
        stubbornness: int = 7,
        stance: Literal["advice", "oppose"] = "advice",
        trigger: Literal["always", "on_disagreement"] = "on_disagreement",
        stop: StopRule | str | None = None,
        confidence: Literal["none", "typed", "separate"] = "none",
        rate: bool = False,
        keep: int | None = None,
        keep_from: int = 2,
        groups: int = 1,
        pool_every: int = 2,
        decide_over: Literal["last", "first", "all"] = "last",
        decay: float = 1.0,
        early: bool = False,
        rule: Rule | None = None,
        decide: Literal["vote", "hub"] = "vote",
        evidence: Literal["last", "all"] = "last",
        equivalence: Equivalence | None = None,
        quorum: int | float | None = 0.5,
        deadline: float | None = None,
        **options: Unpack[TeamOptions],
    ) -> Self:
        """Blind drafts, then rounds in which each sees its peers' answers and revises; the last round is voted on.

        agents: the members. rounds: revisions after the draft; 0 is a vote. judge: decides when the last round is not
        unanimous; it sees the candidates in both orders, and a verdict that changes with the order does not count.
        Several judges, as a list, are a panel: more than half of those whose verdict held decide. moderator: asked
        after every round instead of the judges, with stop="judge_decides". verifier: has to accept every change of an
        answer (update="verified_only"). summarizer: sums up what was said (view="summary", groups). ranker: chooses
        who goes on (keep).

        topology: who sees whom: "full", "ring", "relay", "star", "tree", {"kind": "k_regular", "k": 2},
        {"kind": "custom", "edges": {…}}, "auto" (full up to four members, then ring). order: all revise at once
        ("sync"), or in turn ("sequential"); blind=False: draft in turn too. groups: see each other within so many
        groups, and every `pool_every` rounds a summary of each.

        view: peers' "full" texts, their "answer" alone, "answer_and_reason", a "summary", or "grouped" (each answer
        with how many hold it, why, and how sure they are). show_counts: say how many gave an answer that is shown
        once. peer_tokens, view_tokens: the most that is shown of one peer, of all. memory: how many rounds are shown,
        or "all".

        update: "free", "conformist", "follower" with probability `follow`, "verified_only", or "stable" (who gave the
        same answer `leave_after` times running says no more). stubbornness: 0 to 10, how firmly members are told to
        keep their answer. stance: others' answers are "advice", or to "oppose". trigger: revise "always", or only
        "on_disagreement" of the drafts. stop: when to stop, such as "agreement(2/3) | max_rounds(2)" (default: when
        all agree). confidence: how sure members are is asked for with the answer ("typed"), or in a call of its own
        ("separate"). rate: members rate the answers they see. keep: from round `keep_from` on only so many go on.

        rule: decides (default: plurality). decide_over: on the answers of the "last" round, of the "first" (the
        drafts), or of "all", each weighing `decay` times as much as one of the round after it. decide: "hub" makes the
        last answer of a star's hub final. early: as in `consensus`, where the stop rule allows it. evidence: the judge
        is shown the candidates of the "last" round or of "all". equivalence: which answers count as the same. quorum:
        how many must answer. deadline: seconds for each round. Other keywords: TeamOptions.

        Returns the team. Peers are shown anonymously, shuffled by the run's seed. Raises ConfigurationError for a seat
        that is missing or would never be asked, ValidationError for options that contradict each other.
        """
        from phalanx.formations.debate import Debate
        from phalanx.formations.judging import PANEL
        from phalanx.formations.voting import Equivalence, Plurality

        formation = made(
            Debate,
            rounds=rounds, topology=topology, order=order, blind=blind, view=view, show_counts=show_counts,
            peer_tokens=peer_tokens, view_tokens=view_tokens, memory=memory, update=update, follow=follow,
            leave_after=leave_after, stubbornness=stubbornness, stance=stance, trigger=trigger, stop=stop,
            confidence=confidence, rate=rate, keep=keep, keep_from=keep_from, groups=groups, pool_every=pool_every,
            decide_over=decide_over, decay=decay, early=early, rule=rule or Plurality(tie_break=()), decide=decide,
            evidence=evidence, equivalence=equivalence or Equivalence(), quorum=quorum, deadline=deadline,
        )  # fmt: skip
        judges = list(judge) if isinstance(judge, Sequence) and not isinstance(judge, str) else [judge]
        if len(judges) > len(PANEL):
            raise ConfigurationError(f"a panel has at most {len(PANEL)} judges, not {len(judges)}")
        seats = seats_of(
            **dict(zip(PANEL, judges, strict=False)), moderator=moderator, verifier=verifier, summarizer=summarizer,
            ranker=ranker,
        )  # fmt: skip
        return cls(agents, formation=formation, seats=seats, **options)

    @classmethod
    @with_team_options
    def panel(
        cls,
        referees: Sequence[Who],
        turns: int = 2,
        *,
        order: Literal["one_by_one", "simultaneous", "summarized"] = "one_by_one",
        blind_last: bool = True,
        rubrics: Sequence[str] | None = None,
        candidates: Mapping[str, str] | None = None,
        summarizer: Who = None,
        quorum: int | float | None = 0.5,
        deadline: float | None = None,
        **options: Unpack[TeamOptions],
    ) -> Self:
        """Referees with different rubrics discuss candidate answers and score them from 1 to 10, in both orders.

        referees: the members. turns: how often each speaks. order: "one_by_one" (each sees all that was said so far),
        "simultaneous" (the turns before), or "summarized" (a summary of each, by the `summarizer`). blind_last: nobody
        sees the others' last scores. rubrics: what the referees look at, in seat order (default: three of their own);
        those beyond look at their role's duty. candidates: what is compared, by name (default: the named parts of the
        task's context). quorum: how many must have scored. deadline: seconds for each turn.
        Other keywords: TeamOptions.

        Returns the team. Its result is the winning candidate, its `decision` the mean scores of all.
        """
        from phalanx.formations.panel import RUBRICS, Panel

        formation = made(
            Panel,
            turns=turns, order=order, blind_last=blind_last, rubrics=RUBRICS if rubrics is None else tuple(rubrics),
            candidates=None if candidates is None else dict(candidates), quorum=quorum, deadline=deadline,
        )  # fmt: skip
        return cls(referees, formation=formation, seats=seats_of(summarizer=summarizer), **options)

    @classmethod
    @with_team_options
    def preset(
        cls,
        protocol: str,
        agents: Sequence[Who] | None = None,
        *,
        seats: Mapping[str, Who] | None = None,
        models: Sequence[object] = (),
        settings: Mapping[str, object] | None = None,
        **options: Unpack[TeamOptions],
    ) -> Self:
        """A published protocol with its paper's options: `AgentTeam.preset("society", model="openai/gpt-4o-mini")`.

        protocol: its name; `phalanx.formations.presets.PRESETS` lists them, `preset(name)` there tells paper, options
        and sampling. agents: the members (default: as many as in the paper). Members given by name or role, and the
        default ones, get the paper's temperature and top_p; agents are taken as they are. seats: members in special
        seats instead of the paper's. models: each turn draws one of these models, all alike likely (Heter-MAD: Zhang
        et al. 2025, arXiv:2502.08788). settings: options of the formation to be set otherwise, such as {"rounds": 1}.
        Other keywords: TeamOptions.

        Returns the team. Raises ValidationError for an unknown protocol or setting, ConfigurationError when model=
        and models= are both given.
        """
        from phalanx.formations.presets import preset

        found = preset(protocol)
        sampling: dict[str, Any] = dict(found.sampling)
        free: Sequence[Who] = _numbered(found.members, sampling) if agents is None else agents
        filled = {**found.seats, **(seats or {})}
        if models:
            if options.get("model") is not None:
                raise ConfigurationError("give model= or models=, not both")
            from phalanx.agents.models.drawn import Drawn
            from phalanx.agents.models.resolve import resolve

            options["model"] = Drawn([resolve(each) for each in models])
        if "name" not in options:
            options["name"] = protocol
        return cls(
            [_sampled(each, sampling) for each in free], formation=found.with_options(settings or {}),
            seats={seat: _sampled(who, sampling) for seat, who in filled.items()}, **options,
        )  # fmt: skip


def _numbered(roles: Sequence[str], sampling: Mapping[str, Any]) -> list[Agent]:
    """Agents in these roles, copies of one under names of their own."""
    return [
        Agent(role, name=f"{role} {roles[: at + 1].count(role)}" if roles.count(role) > 1 else role, **sampling)
        for at, role in enumerate(roles)
    ]


def _sampled(who: Who, sampling: Mapping[str, Any]) -> Who:
    """A member given by name or role as an agent with the paper's sampling; others as they are."""
    return Agent(who, **sampling) if isinstance(who, str | Role) else who
