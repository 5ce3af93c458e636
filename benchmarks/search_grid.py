"""What a search chooses among: a declared, finite set of formations that fit the members, and each member alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phalanx.agents.agent import Agent
from phalanx.agents.role import Role
from phalanx.errors import ConfigurationError, ValidationError
from phalanx.formations.adaptive import Adaptive
from phalanx.formations.base import FormationModel
from phalanx.formations.consensus import Consensus
from phalanx.formations.debate import Debate
from phalanx.formations.mixture import Mixture
from phalanx.formations.reflect import Reflect
from phalanx.formations.vote import Vote
from phalanx.teams.team import AgentTeam

from .baselines import singles
from .systems import entrant

if TYPE_CHECKING:
    from phalanx.teams.members import Who

VOTES = (3, 5, 9)
Given = Mapping[str, FormationModel | AgentTeam] | Iterable[FormationModel]


@dataclass(frozen=True)
class Choice:
    """One thing that a search may choose.

    name: in the search. team: what does the tasks. single: whether it is one member alone. calls: the most calls of an
    item when nothing is repaired or retried; None where that cannot be known before.
    """

    name: str
    team: AgentTeam
    single: bool
    calls: int | None


def grid(members: int) -> list[FormationModel]:
    """The formations that are tried when nobody says which: those that so many members can be in.

    One member: votes of 3, 5 and 9 samples, a mixture of its own proposals, and a second look at its own work. Two
    or more: votes of as many samples as there are members and more, consensus, debates of one and two rounds, an
    adaptive team, a mixture, and the first member's work read by the second.

    members: how many there are. Raises ValidationError for none.
    """
    if members < 1:
        raise ValidationError("a search needs at least one member")
    votes = [Vote(samples=samples) for samples in sorted({members, *VOTES}) if samples >= max(2, members)]
    if members == 1:
        return [*votes, Mixture(layers=2), Reflect(rounds=1)]
    several = [Consensus(), Debate(rounds=1), Debate(rounds=2), Adaptive()]
    return [*votes, *several, Mixture(layers=2), Reflect(rounds=1)]


async def choices(members: Sequence[Who], model: object, formations: Given | None) -> list[Choice]:
    """All that a search chooses among, the members alone first.

    members: agents, roles or names. model: of members that have none of their own. formations: by name or not, or None
    for `grid`; a whole team may stand in a formation's place. Raises ConfigurationError and ValidationError for
    members that cannot be in one of them, a name that is there twice, and where there is nothing to choose.
    """
    agents = [_agent(who) for who in members]
    if not agents:
        raise ValidationError("a search needs at least one member")
    given = _named(grid(len(agents)) if formations is None else formations)
    if not given:
        raise ValidationError("there is no formation to search; leave formations= out for the usual ones")
    found = []
    alone = await singles(await entrant("members", AgentTeam(agents, model=model)))
    for each in alone:
        assert each.entrant.team is not None
        name = "single agent" if len(alone) == 1 else f"{each.agent.name} alone"
        found.append(Choice(name, each.entrant.team, True, 1))
    for name, what in given.items():
        team = what if isinstance(what, AgentTeam) else _team(name, what, agents, model)
        found.append(Choice(name, team, False, _calls(team)))
    names = [each.name for each in found]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValidationError(f"the name {twice.pop()!r} is that of a member alone; give the formation another one")
    return found


def name_of(formation: FormationModel) -> str:
    """A formation's kind and what was set in it: "debate(rounds=2)"."""
    options = (f"{name}={getattr(formation, name)}" for name in type(formation).model_fields
               if name in formation.model_fields_set and name != "kind")  # fmt: skip
    told = ", ".join(options)
    return f"{formation.kind}({told})" if told else formation.kind


def _agent(who: Who) -> Agent:
    if isinstance(who, Role | str):
        return Agent(who)
    if not isinstance(who, Agent):
        raise ConfigurationError(f"{who!r} cannot be a member of a search: give an Agent, a Role, or a name")
    return who


def _named(formations: Given) -> dict[str, FormationModel | AgentTeam]:
    pairs = formations.items() if isinstance(formations, Mapping) else ((_checked(each), each) for each in formations)
    found: dict[str, FormationModel | AgentTeam] = {}
    for name, each in pairs:
        if name in found:
            raise ValidationError(f"{name!r} is there twice among the formations")
        if not isinstance(each, FormationModel | AgentTeam):
            raise ValidationError(
                f"formation {name!r} is {each!r}: give a formation such as Debate(rounds=2), or a team"
            )
        found[name] = each
    return found


def _checked(each: object) -> str:
    if not isinstance(each, FormationModel):
        raise ValidationError(f"{each!r} has no name here: give formations={{name: …}} for whole teams")
    return name_of(each)


def _team(name: str, formation: FormationModel, agents: Sequence[Agent], model: object) -> AgentTeam:
    """The members in a formation: the first of them in its seats, if it has any that must be filled."""
    seats = dict(zip(formation.seats, agents, strict=False))
    free = list(agents[len(seats) :])
    if isinstance(formation, Reflect):
        # It has two seats and no other place: the second member reads what the first one writes.
        seats, free = dict(zip(("author", "critic"), agents, strict=False)), []
    try:
        return AgentTeam(free, formation=formation, seats=seats, model=model)
    except (ConfigurationError, ValidationError) as problem:
        problem.add_note(f"formation {name!r} with {len(agents)} members")
        raise


def _calls(team: AgentTeam) -> int | None:
    try:
        return len(team.plan())
    except (ConfigurationError, NotImplementedError):
        return None
