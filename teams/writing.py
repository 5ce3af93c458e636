"""A team as a spec, or an error that names what a file cannot hold: functions, objects, secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

from phalanx.agents.agent import Agent
from phalanx.agents.role import Role
from phalanx.errors import ValidationError
from phalanx.formations.base import Member
from phalanx.formations.kinds import KINDS
from phalanx.formations.voting import RULES, VotingRule

from .form import ORDINARY, MemberSpec, TeamSpec
from .mistakes import short
from .team import AgentTeam

# Options of providers that are, by their names, nobody else's business.
_SECRET = re.compile(r"(api_?key|access_?key|secret\w*|token|password|credentials?)$", re.IGNORECASE)


def spec_of(team: AgentTeam) -> TeamSpec:
    """A team as a spec.

    Where its runs are journaled (`log`) is left out: that is said where it is run. Raises ValidationError, naming it,
    for what else a file cannot hold: functions, objects, tools, classes of the user's own, keys.
    """
    whose = f"team {team.name!r}"
    if type(team) is not AgentTeam:
        raise _refused(whose, f"is a {type(team).__name__}")
    for what, there in (("hooks", team.hooks), ("a board of its own", team.board)):
        if there:
            raise _refused(whose, f"has {what}")
    formation = _formation(team)
    members: list[MemberSpec] = []
    spec = TeamSpec(
        name=team.name, model=_name_of_model(whose, team.given_model), members=[_member(each) for each in team.members],
        formation=formation, limits=team.limits, prompts=dict(team.prompts.overrides),
    )  # fmt: skip
    seats: dict[str, object] = {}
    for member, each in zip(team.members, spec.members, strict=True):
        said = spec.seat_by_role(each, seats)
        seat = member.seat if member.seat != said else None
        members.append(each.model_copy(update={"seat": ORDINARY if member.seat is None and said else seat}))
        if member.seat is not None:
            seats[member.seat] = member
    return spec.model_copy(update={"members": members})


def facts_of(spec: TeamSpec) -> dict[str, Any]:
    """A spec as plain values, in the order of its fields, without what is at its default."""
    facts: dict[str, Any] = spec.model_dump(mode="json", exclude_defaults=True, exclude={"members", "formation"})
    rest: dict[str, Any] = {key: facts.pop(key) for key in ("limits", "prompts") if key in facts}
    formation = spec.formation.model_dump(mode="json", exclude_defaults=True)
    # A field with a serializer of its own is dumped at its default too.
    formation.get("equivalence", {}).pop("relation", None)
    facts["members"] = [_facts_of_member(member) for member in spec.members]
    return {**facts, "formation": {"kind": spec.formation.kind, **formation}, **rest}


def _facts_of_member(member: MemberSpec) -> dict[str, Any]:
    facts: dict[str, Any] = member.model_dump(mode="json", exclude_defaults=True, exclude={"team"})
    return facts if member.team is None else {**facts, "team": facts_of(member.team)}


def _formation(team: AgentTeam) -> Any:
    formation = team.formation
    if KINDS.get(team.kind) is not type(formation):
        raise ValidationError(f"formation {team.kind!r} is code; a file can only hold a built-in formation")
    whose = f"formation {team.kind!r} of team {team.name!r}"
    for name, value in formation:
        if isinstance(value, VotingRule) and RULES.get(value.kind) is not type(value):
            raise _refused(whose, f"has a {name} that is code ({short(value)})")
    _check_writable(formation, whose)
    return formation


def _member(member: Member) -> MemberSpec:
    who, whose = member.who, f"member {member.name!r}"
    if isinstance(who, AgentTeam):
        return MemberSpec(name=member.name, team=spec_of(who))
    if type(who) is not Agent:
        raise _refused(whose, f"is a {type(who).__name__}")
    options = who.options
    transport, sampling = options.transport, options.sampling
    for what, there in (
        ("tools", who.tools.tools), ("an output type", who.shape), ("a memory", who.memory), ("hooks", who.hooks),
        ("an approver", who.approve), ("an api_key", transport.get("api_key")),
        ("extra_headers", transport.get("extra_headers")),
    ):  # fmt: skip
        if there:
            raise _refused(whose, f"has {what}")
    role = who.role.model_copy(update={"skills": ()})
    name: str | Role | None = role.name if role.name.strip() and Role.of(role.name) == role else role
    spec = MemberSpec(
        name=member.name,
        role=None if name == member.name else name,
        model=_name_of_model(whose, who.given_model),
        provider=_name_of_model(whose, options.provider),
        api_base=_without_password(whose, transport.get("api_base")),
        api_version=transport.get("api_version"),
        organization=transport.get("organization"),
        timeout=transport.get("timeout"),
        path=transport.get("path"),
        retry=options.retry,
        price=who.price,
        instructions=who.instructions or None,
        answer_format=options.answer_format or None,
        # Words that were given as tools and are none are shown to the model as skills.
        skills=[*who.role.skills, *who.tools.skills],
        timezone=who.timezone,
        stream=options.stream or None,
        verbose=options.verbose or None,
        temperature=who.given_temperature,
        max_tokens=None if who.max_tokens == Agent.DEFAULT_MAX_TOKENS else who.max_tokens,
        max_iterations=None if who.max_iterations == Agent.DEFAULT_MAX_ITERATIONS else who.max_iterations,
        top_p=sampling.get("top_p"),
        seed=sampling.get("seed"),
        stop=list(sampling["stop"]) if "stop" in sampling else None,
        limits=who.limits,
        prompts=dict(who.prompts.overrides),
        provider_options=_plain(whose, who.provider_options),
    )
    _check_writable(spec, whose)
    return spec


def _name_of_model(whose: str, model: object) -> str | None:
    if model is None or isinstance(model, str):
        return model
    raise ValidationError(f"{whose} has a model that is an object ({model!r}); a file can only name one")


def _without_password(whose: str, address: str | None) -> str | None:
    if address is not None and urlsplit(address).password is not None:
        raise _refused(whose, "has an api_base with a password in it")
    return address


def _plain(whose: str, options: Mapping[str, object]) -> dict[str, Any]:
    """Options as JSON holds them."""
    plain: dict[str, Any] = {}
    for name, value in options.items():
        if _SECRET.search(name):
            raise _refused(whose, f"has a secret in its provider_options ({name!r})")
        try:
            plain[name] = json.loads(json.dumps(value))
        except (TypeError, ValueError):
            raise _refused(
                whose, f"has provider_options with {name!r} that is no JSON value ({short(value)})"
            ) from None
    return plain


def _check_writable(model: BaseModel, whose: str) -> None:
    """Raise ValidationError for a field whose value is code."""
    for name in type(model).model_fields:
        try:
            model.model_dump(mode="json", include={name})
        except PydanticSerializationError:
            raise _refused(whose, f"has code in {name} ({short(getattr(model, name))})") from None


def _refused(whose: str, what: str) -> ValidationError:
    return ValidationError(f"{whose} {what}, which a file cannot hold")
