"""What a team has to beat: its best single member, and sampling and voting at equal calls, tokens and money."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from phalanx.agents.agent import Agent
from phalanx.agents.models.model import is_free, price
from phalanx.errors import ConfigurationError, ValidationError
from phalanx.settings import nearest
from phalanx.teams.team import AgentTeam

from .budget import WORDS, Budget, Matching, SampleWithin
from .record import Attempt, System
from .systems import Entrant, agent_facts, alone, described_team, hashed

SINGLE = "single"
NAMES: tuple[str, ...] = (SINGLE, "calls", "tokens", "usd")
TITLES: dict[Matching, str] = {
    "calls": "vote at equal calls", "tokens": "vote at equal tokens", "usd": "vote at equal money",
}  # fmt: skip

ONE = "one member"


@dataclass(frozen=True)
class Single:
    """A member on its own, as a baseline.

    entrant: it as a system. agent: the member. model: its team's, for when it has none of its own.
    """

    entrant: Entrant
    agent: Agent
    model: object


def chosen(given: bool | Sequence[str]) -> tuple[str, ...]:
    """Which baselines are wanted: all, none, or those named. Raises ValidationError for an unknown name."""
    if isinstance(given, bool):
        return NAMES if given else ()
    if isinstance(given, str):
        given = [given]
    for name in given:
        if name not in NAMES:
            raise ValidationError(
                f"there is no baseline {name!r}{nearest(str(name), NAMES)}; there are: {', '.join(NAMES)}"
            )
    return tuple(name for name in NAMES if name in given)


async def singles(of: Entrant) -> list[Single]:
    """A team's members on their own; those that differ in nothing but their name are one.

    A team of one agent that simply answers has none.
    """
    if of.team is None or of.team.formation is alone:
        return []
    found: dict[str, tuple[Agent, object]] = {}
    for agent, model in _agents(of.team, None):
        found.setdefault(f"{agent_facts(agent)} {model if isinstance(model, str) else id(model)}", (agent, model))
    same = len(found) == 1
    made = []
    for agent, model in found.values():
        team = AgentTeam([agent], formation=alone, name="agent", model=model)
        described = await described_team(team)
        name = f"{of.name}: {ONE}" if same else f"{of.name}: {agent.name} alone"
        system = System(
            name=name, spec=hashed(f"agent\n{described}"), kind="agent", baseline_of=of.name,
            budget="one member, asked once", described=described,
        )  # fmt: skip
        made.append(Single(Entrant(system=system, team=team), agent, model))
    return made


async def votes(of: Entrant, best: Single, wanted: Collection[str], *, among: int) -> list[Entrant]:
    """Sample-and-vote of a member, held to what the team spends on each item: a baseline for each wanted matching.

    best: the member that is sampled. wanted: calls, tokens, usd. among: how many members it is the best of. Money is
    left out where nothing costs any, or a price is not known; all are, for a team that is itself that vote.
    """
    matchings: list[Matching] = [each for each in WORDS if each in wanted]
    if "usd" in matchings and not await _is_priced(of):
        matchings.remove("usd")
    if among == 1 and only_drafts(of):
        # One prompt, asked n times: the same calls are the same tokens and the same money; counted, it is that vote.
        matchings = [] if is_vote(of) else matchings[:1]
    chosen_from = "" if among == 1 else f", of {best.agent.name}, the best of {among} members on these items"
    made = []
    for matching in matchings:
        budget = Budget(of.system.spec, matching)
        described = f"{best.entrant.system.described}\nsampled and voted on at {WORDS[matching]} as {of.name}\n"
        system = System(
            name=f"{of.name}: {TITLES[matching]}",
            spec=hashed(f"{best.entrant.system.spec} {matching} {of.system.spec}"), kind=SampleWithin.kind,
            baseline_of=of.name, budget=f"{WORDS[matching]} on each item{chosen_from}", described=described,
        )  # fmt: skip
        made.append(Entrant(system=system, team=sampled(best, budget, 0.0), budget=budget))
    return made


def sampled(best: Single, budget: Budget, amount: float) -> AgentTeam:
    """The team of one that samples within an amount."""
    formation = SampleWithin(budget.matching, amount)
    return AgentTeam([best.agent], formation=formation, name="sample-and-vote", model=best.model)


def best_of(found: Sequence[Single], attempts: Iterable[Attempt]) -> Single:
    """The member with the highest mean score; the first in seat order of equal ones."""
    totals: dict[str, list[float]] = {}
    for each in attempts:
        totals.setdefault(each.spec, []).append(each.score)

    def mean(single: Single) -> float:
        scores = totals.get(single.entrant.system.spec, [])
        return sum(scores) / len(scores) if scores else -1.0

    return max(found, key=mean)


def only_drafts(of: Entrant) -> bool:
    """Whether a team is itself nothing but members that are asked the same once, and a count of their answers."""
    if of.team is None:
        return False
    try:
        plan = of.team.plan()
    except (ConfigurationError, NotImplementedError):
        return False
    return all(each.stage == "draft" and each.reads == 0 for each in plan)


def is_vote(of: Entrant) -> bool:
    """Whether what a team makes of its drafts is a count of them."""
    formation = getattr(of.team, "formation", None)
    aggregation = getattr(formation, "aggregation", None)
    counted = aggregation == "majority_vote" or hasattr(aggregation, "decide")
    return counted or getattr(formation, "kind", "") in ("vote", "consensus", "debate")


def _agents(team: AgentTeam, around: object) -> Iterable[tuple[Agent, object]]:
    model = team.given_model if team.given_model is not None else around
    for member in team.members:
        if isinstance(member.who, Agent):
            yield member.who, model if member.who.needs_model else None
        elif isinstance(member.who, AgentTeam):
            yield from _agents(member.who, model)


async def _is_priced(of: Entrant) -> bool:
    """Whether something in a team costs money, and every price is known."""
    assert of.team is not None
    paid = False
    default = await of.team.default_model()
    for agent, given in _agents(of.team, None):
        model = await agent.model_or(of.team.own_model if given is not None else default)
        if is_free(model):
            continue
        if await price(model) is None:
            return False
        paid = True
    return paid
