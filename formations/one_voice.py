"""Copies of one agent at temperature 0 say the same: however many they are, they count as one voter."""

from __future__ import annotations

from collections.abc import Sequence

from phalanx.agents.agent import Agent

from .base import Member
from .team_run import TeamRun


def warn_of_one_voice(run: TeamRun, samples: int | None = None, members: Sequence[Member] | None = None) -> None:
    """Say so where answers that are given unseen, and then counted, likely come from one voice.

    It is said once for each such voice. run: the run. samples: how many answers are given, by its members in turn
    (default: one each). members: who answers (default: all of them).
    """
    if members is None:
        members = run.members
    else:
        there = {member.name for member in members}
        members = [member for member in run.members if member.name in there]
    asked = len(members) if samples is None else samples
    for names in voices(members[:asked]):
        if len(names) > 1:
            run.run.warn(
                f"{', '.join(names[:-1])} and {names[-1]} are the same agent at temperature 0: they likely say the "
                "same, and count as one voter; give them different models or roles, or a temperature above 0"
            )
        elif asked > len(members) + [each.name for each in members].index(names[0]):
            run.run.warn(
                f"{names[0]} is sampled more than once at temperature 0: its answers are likely all the same, and "
                "count as one voter; give it a temperature above 0"
            )


def voices(members: Sequence[Member]) -> list[list[str]]:
    """The names of those among `members` who answer at temperature 0, those of one voice together, in seat order.

    One voice are agents of the same model, role, instructions and tools: what they are sent differs by no more than
    their name.
    """
    found: dict[object, list[str]] = {}
    for member in members:
        if isinstance(member.who, Agent) and member.who.temperature == 0:
            found.setdefault(_voice(member, member.who), []).append(member.name)
    return list(found.values())


def _voice(member: Member, agent: Agent) -> object:
    given = agent.given_model
    return (
        # Two models that are no names are the same only when they are one object: what is inside cannot be known.
        given if isinstance(given, str) or given is None else id(given),
        str(agent.options.provider),
        member.role.model_dump_json(),
        agent.instructions,
        tuple(agent.tools.tools),
    )
