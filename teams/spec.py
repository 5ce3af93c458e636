"""A team in a YAML file: it mirrors the constructors one to one, and round-trips.

name: review
model: openai/gpt-4o-mini
members:
  - {name: ada, role: lead}
  - {name: bob, role: coder, instructions: Write small functions., model: ollama/llama3}
formation: {kind: hierarchical, max_stalls: 3}
limits: {usd: 0.50, seconds: 600}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pydantic
from pydantic import Field

from phalanx.agents.agent import Agent
from phalanx.agents.role import Role
from phalanx.errors import SpecError, ValidationError
from phalanx.formations.base import FormationModel, Member
from phalanx.formations.consensus import Consensus
from phalanx.formations.debate import Debate
from phalanx.formations.flat import Flat
from phalanx.formations.hierarchical import Hierarchical
from phalanx.formations.parallel import Parallel
from phalanx.formations.pipeline import Pipeline
from phalanx.messages import Data, Price
from phalanx.runtime.limits import Limits
from phalanx.settings import nearest

from .team import AgentTeam
from .yaml_file import Place, read_yaml, write_yaml

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

FormationSpec = Annotated[Hierarchical | Flat | Pipeline | Parallel | Consensus | Debate, Field(discriminator="kind")]


class MemberSpec(Data):
    """A member: an agent, or with `team` a whole team.

    name: what others call it. role: a role's name, or a role with its rights. seat: a special seat of the formation,
    such as lead, judge, aggregator or verifier (default: the seat that its role names). The rest is what `Agent`
    takes.
    """

    name: str | None = None
    role: str | Role | None = None
    seat: str | None = None
    team: TeamSpec | None = None
    model: str | None = None
    provider: str | None = None
    api_base: str | None = None
    instructions: str | None = None
    skills: list[str] = []
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1)
    max_iterations: int | None = Field(default=None, ge=1)
    top_p: float | None = Field(default=None, ge=0, le=1)
    seed: int | None = None
    stop: list[str] | None = None
    timeout: float | None = Field(default=None, gt=0)
    timezone: str | None = None
    price: Price | None = None
    limits: Limits | None = None
    prompts: dict[str, str] = {}
    provider_options: dict[str, Any] = {}

    def build(self) -> Agent | AgentTeam:
        """The agent or team it describes."""
        given = {name: value for name, value in self if value is not None and value != {} and value != []}
        for own in ("seat",):
            given.pop(own, None)
        if self.team is not None:
            if strange := sorted(set(given) - {"team", "name"}):
                raise ValidationError(f"a member that is a team takes no {strange[0]!r}; set it inside the team")
            return self.team.build(name=self.name)
        role = given.pop("role", None) or self.name
        if role is None:
            raise ValidationError("a member needs a name or a role")
        return Agent(role, **given)


class TeamSpec(Data):
    """A team: its members and how they work together; see the module's docstring for the form of the file."""

    name: str = ""
    model: str | None = None
    members: list[MemberSpec] = Field(min_length=1)
    formation: FormationSpec = Flat()
    limits: Limits | None = None
    prompts: dict[str, str] = {}

    def build(self, name: str | None = None) -> AgentTeam:
        """The team it describes. Raises ConfigurationError or ValidationError when it cannot be one."""
        formation = self.formation
        seats: dict[str, Agent | AgentTeam] = {}
        free: list[Agent | AgentTeam] = []
        for member in self.members:
            who = member.build()
            seat = member.seat or self._seat_of(member, seats)
            if seat is None:
                free.append(who)
            elif seat in seats:
                raise ValidationError(f"two members are in the seat {seat!r}; one of them needs another role or seat")
            else:
                seats[seat] = who
        return AgentTeam(
            free, formation=formation, seats=seats, name=name or self.name, model=self.model, limits=self.limits,
            prompts=self.prompts or None,
        )  # fmt: skip

    def _seat_of(self, member: MemberSpec, taken: Mapping[str, object]) -> str | None:
        """The seat that a member's role names, if the formation has it and it is free."""
        if member.team is not None:
            return None
        kind = Role.of(member.role or member.name or "worker").kind
        seats = (*self.formation.seats, *self.formation.optional_seats)
        return kind if kind in seats and kind not in taken else None


MemberSpec.model_rebuild()


def load_team(path: str | Path) -> AgentTeam:
    """The team in a YAML file.

    Raises SpecError, with file, line and field, for whatever is wrong with it; OSError when it cannot be read.
    """
    text = Path(path).read_bytes()
    return parse_team(text, file=str(path))


def parse_team(text: str | bytes, *, file: str | None = None) -> AgentTeam:
    """The team in a YAML text. Raises SpecError, with line and field, for whatever is wrong with it."""
    document = read_yaml(text, file=file)
    if not isinstance(document.value, dict):
        raise SpecError("a team file holds a mapping with 'members' and 'formation'", file=file, line=1)
    given = dict(document.value)
    if isinstance(given.get("formation"), str):
        given["formation"] = {"kind": given["formation"]}
    try:
        spec = TeamSpec.model_validate(given)
    except pydantic.ValidationError as problem:
        raise _first(problem.errors(), document) from None
    try:
        return spec.build()
    except ValueError as problem:
        raise SpecError(str(problem), file=file, line=document.line_of(_about(str(problem), spec))) from problem


def spec_of(team: AgentTeam) -> TeamSpec:
    """A team as a spec. Raises ValidationError, naming it, for what a file cannot hold: functions, model objects."""
    formation = team.formation
    if not isinstance(formation, Hierarchical | Flat | Pipeline | Parallel | Consensus | Debate):
        raise ValidationError(f"formation {team.kind!r} is code; a file can only hold a built-in formation")
    return TeamSpec(
        name=team.name,
        model=_model_name(f"team {team.name!r}", team.given_model),
        members=[_member_spec(member) for member in team.members],
        formation=formation,
        limits=team.limits,
        prompts=dict(team.prompts.overrides),
    )


def to_yaml(team: AgentTeam) -> str:
    """A team as YAML that `parse_team` reads again. Raises ValidationError for what a file cannot hold."""
    spec = spec_of(team).model_dump(mode="json", exclude_defaults=True)
    spec["formation"] = _formation_fields(team.formation)
    return write_yaml(spec)


def json_schema() -> dict[str, Any]:
    """The JSON schema of a team file, for editors."""
    schema = TeamSpec.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A Phalanx team", **schema}


def _formation_fields(formation: FormationModel) -> dict[str, Any]:
    fields: dict[str, Any] = formation.model_dump(mode="json", exclude_defaults=True)
    for name, value in formation:
        if callable(value) or (isinstance(value, Mapping) and any(callable(each) for each in value.values())):
            raise ValidationError(f"{formation.kind}'s {name} is a function; a file cannot hold it")
    return {"kind": formation.kind, **fields}


def _member_spec(member: Member) -> MemberSpec:
    who = member.who
    if isinstance(who, AgentTeam):
        return MemberSpec(name=member.name, seat=member.seat, team=spec_of(who))
    if not isinstance(who, Agent):
        raise ValidationError(f"member {member.name!r} is a {type(who).__name__}, which a file cannot hold")
    for what, there in (
        ("tools", who.tools.tools), ("output type", who.shape), ("memory", who.memory), ("hooks", who.hooks),
        ("approver", who.approve), ("retry", who.options.retry),
    ):  # fmt: skip
        if there:
            raise ValidationError(f"member {member.name!r} has {what}, which a file cannot hold")
    plain = Role.of(who.role.name)
    role: str | Role = who.role.name if plain == who.role else who.role
    options = who.options
    return MemberSpec(
        name=member.name,
        role=None if role == member.name else role,
        seat=member.seat,
        model=_model_name(f"member {member.name!r}", who.given_model),
        provider=_model_name(f"member {member.name!r}", options.provider),
        api_base=options.transport.get("api_base"),
        timeout=options.transport.get("timeout"),
        instructions=who.instructions or None,
        skills=list(who.tools.skills),
        temperature=who.given_temperature,
        max_tokens=None if who.max_tokens == Agent.DEFAULT_MAX_TOKENS else who.max_tokens,
        max_iterations=None if who.max_iterations == Agent.DEFAULT_MAX_ITERATIONS else who.max_iterations,
        top_p=options.sampling.get("top_p"),
        seed=options.sampling.get("seed"),
        stop=list(options.sampling["stop"]) if "stop" in options.sampling else None,
        timezone=who.timezone,
        price=who.price,
        limits=who.limits,
        prompts=dict(who.prompts.overrides),
        provider_options=who.provider_options,
    )


def _model_name(whose: str, model: object) -> str | None:
    if model is None or isinstance(model, str):
        return model
    raise ValidationError(f"{whose} has a model that is an object ({model!r}); a file can only name one")


def _first(errors: Sequence[ErrorDetails], document: Place) -> SpecError:
    """The first thing that is wrong, in words, with its place."""
    # A misspelt field is also a missing one: say the first.
    error = min(errors, key=lambda each: each["type"] != "extra_forbidden")
    path = tuple(part for part in error["loc"] if part not in _KINDS or not isinstance(part, str))
    path = tuple(part for part in path if part not in ("str", "Role"))
    field = str(path[-1]) if path else ""
    kind, given = error["type"], error.get("input")
    if kind == "extra_forbidden":
        problem = f"there is no field {field!r}{nearest(field, _fields_at(path, document))}"
    elif kind == "missing":
        problem = f"the field {field!r} is missing"
    elif kind == "union_tag_invalid":
        asked = str(given.get("kind")) if isinstance(given, Mapping) else str(given)
        problem = f"there is no formation {asked!r}{nearest(asked, _KINDS)}; there are: {', '.join(_KINDS)}"
    elif kind == "union_tag_not_found":
        problem = f"a formation needs a kind: one of {', '.join(_KINDS)}"
    else:
        problem = f"{error['msg']}, not {_short(given)}"
    where = ".".join(str(part) for part in path)
    return SpecError(problem, file=document.file, line=document.line_of(path), where=where)


def _fields_at(path: Sequence[str | int], document: Place) -> list[str]:
    """The names of the fields that exist where a wrong one stands."""
    where = [part for part in path[:-1] if isinstance(part, str)]
    last = where[-1] if where else ""
    if last == "formation":
        kind = document.at((*path[:-1], "kind"))
        return list(_KINDS[kind].model_fields) if isinstance(kind, str) and kind in _KINDS else []
    known: dict[str, type[pydantic.BaseModel]] = {"members": MemberSpec, "limits": Limits, "role": Role}
    return list((known.get(last) or TeamSpec).model_fields)


def _about(problem: str, spec: TeamSpec) -> tuple[str | int, ...]:
    """The path of the member that a problem names, if it names one."""
    for at, member in enumerate(spec.members):
        if member.name and repr(member.name) in problem:
            return ("members", at)
    return ()


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"


_KINDS: dict[str, type[FormationModel]] = {
    "hierarchical": Hierarchical, "flat": Flat, "pipeline": Pipeline, "parallel": Parallel,
    "consensus": Consensus, "debate": Debate,
}  # fmt: skip
