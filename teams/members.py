"""Who is in a team: members and seats from whatever users give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from unicodedata import normalize

from phalanx.agents.agent import Agent
from phalanx.agents.role import Role
from phalanx.errors import ConfigurationError, ValidationError
from phalanx.formations.base import FormationModel, Member
from phalanx.settings import nearest

MOST = 100
"""The most characters of a member's name."""

Who = Any  # an Agent, a Role, a team, or a name; checked by `member_of`


def listed(agents: object) -> Sequence[Who]:
    """The members as a sequence. Raises ConfigurationError when they are none, or a single name."""
    if agents is None:
        raise ConfigurationError("a team needs members: give agents=[…] or a formation that brings its own")
    if isinstance(agents, str | bytes) or not isinstance(agents, Sequence):
        raise ConfigurationError(f"members come as a list, not as {type(agents).__name__}: {agents!r}")
    return agents


def members_of(agents: Sequence[Who], seats: Mapping[str, Who], formation: object) -> tuple[Member, ...]:
    """Members from whatever was given, those in special seats first.

    Raises ConfigurationError for a seat the formation does not have, a name given twice, or no member at all.
    """
    known = (*getattr(formation, "seats", ()), *getattr(formation, "optional_seats", ()))
    for seat in seats:
        if isinstance(formation, FormationModel) and seat not in known:
            there = ", ".join(known) or "no special seats"
            raise ConfigurationError(f"{formation.kind} has no seat {seat!r}{nearest(seat, known)}; it has: {there}")
    members = [member_of(who, seat) for seat, who in seats.items() if who is not None]
    members += [member_of(who, None) for who in agents]
    names: dict[str, int] = {}
    for member in members:
        names[member.name] = names.get(member.name, 0) + 1
    if twice := [name for name, count in names.items() if count > 1]:
        raise ConfigurationError(
            f"{names[twice[0]]} members are named {twice[0]!r}; give each a name of its own: Agent(…, name=…)"
        )
    folded: dict[str, str] = {}
    for name in names:
        if (other := folded.setdefault(normalize("NFKC", name).casefold(), name)) != name:
            raise ConfigurationError(
                f"members {other!r} and {name!r} differ only in case or in how a letter is made, which models mix up; "
                "give one of them another name"
            )
    return tuple(members)


def member_of(who: Who, seat: str | None) -> Member:
    if isinstance(who, Role | str):
        if isinstance(who, str) and not who.strip():
            raise ConfigurationError("a member's name is empty")
        who = Agent(who)
    if isinstance(who, Agent):
        role = who.role.seated("delegate") if seat == "lead" else who.role
        return Member(named(who.name), who, role, seat)
    if hasattr(who, "run_inside"):
        return Member(named(who.name), who, Role(name=f"team ({who.kind})"), seat)
    raise ConfigurationError(f"{who!r} is no member: a member is an Agent, a Role, a team, or a name")


def named(name: str, whose: str = "member") -> str:
    """A name that can stand in prompts, paths and logs.

    whose: a "member" or a "team". Raises ConfigurationError when it is empty, ValidationError when it cannot.
    """
    if not isinstance(name, str):
        raise ValidationError(f"a {whose}'s name is text, not {type(name).__name__}: {name!r}")
    if "/" in name:
        raise ValidationError(f"a {whose}'s name must not hold '/': {name!r}; give name=…")
    if not name.strip():
        raise ConfigurationError(f"a {whose}'s name is empty")
    if len(name) > MOST:
        raise ValidationError(f"a {whose}'s name has at most {MOST} characters, not {len(name)}: {name[:40]!r}…")
    # Control, format and separator characters and lone surrogates: names stand in prompts, fences, paths and logs.
    if odd := next((each for each in name if not each.isprintable()), None):
        raise ValidationError(
            f"a {whose}'s name must be printable on one line: {name!r} holds U+{ord(odd):04X}; give name=…"
        )
    return name


def either(name: str, value: object, other: str, alias: object) -> Any:
    if value is not None and alias is not None:
        raise ConfigurationError(f"{name} and {other} are the same; give one of them")
    found = value if value is not None else alias
    if found is None:
        raise ConfigurationError(f"hierarchical needs {name}=…")
    return found


def seats_of(**seats: Who) -> dict[str, Who]:
    """The special seats that somebody was given for."""
    return {seat: who for seat, who in seats.items() if who is not None}
