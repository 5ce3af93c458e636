"""The form of a team file: what may stand in it, and the agents and teams that it describes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from phalanx.agents.agent import Agent
from phalanx.agents.models.options import Path
from phalanx.agents.models.retry import RetryConfig
from phalanx.agents.role import Role
from phalanx.errors import ValidationError
from phalanx.formations.base import FormationModel
from phalanx.formations.flat import Flat
from phalanx.formations.kinds import KINDS
from phalanx.messages import Data, Price
from phalanx.runtime.limits import Limits

from .team import AgentTeam

ORDINARY = "member"
"""The seat that is none."""

if TYPE_CHECKING:
    AnyFormation = FormationModel
else:
    AnyFormation = Annotated[
        Annotated[reduce(or_, KINDS.values()), Field(discriminator="kind")],
        BeforeValidator(lambda given: {"kind": given} if isinstance(given, str) else given),
    ]
    """A formation's options, or its name alone."""


class MemberSpec(Data):
    """A member: an agent, or with `team` a whole team.

    name: what others call it. role: a role's name, or a role with its rights. seat: a special seat of the formation,
    such as lead, judge, aggregator or verifier; "member" is none (default: the seat that its role names, if there is
    one and it is free). The rest is what `Agent` takes. A member that is a team takes name, seat and team alone.
    """

    name: str | None = None
    role: str | Role | None = None
    seat: str | None = None
    team: TeamSpec | None = None
    model: str | None = None
    provider: str | None = None
    api_base: str | None = None
    api_version: str | None = None
    organization: str | None = None
    timeout: float | None = Field(default=None, gt=0)
    path: Path | None = None
    retry: RetryConfig | None = None
    price: Price | None = None
    instructions: str | None = None
    answer_format: str | None = None
    skills: list[str] = []
    timezone: str | None = None
    stream: bool | None = None
    verbose: bool | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1)
    max_iterations: int | None = Field(default=None, ge=1)
    top_p: float | None = Field(default=None, ge=0, le=1)
    seed: int | None = None
    stop: list[str] | None = None
    limits: Limits | None = None
    prompts: dict[str, str] = {}
    provider_options: dict[str, Any] = {}

    def build(self) -> Agent | AgentTeam:
        """The agent or team it describes. Raises ConfigurationError or ValidationError when it cannot be one."""
        given = {name: value for name, value in self if value is not None and value != {} and value != []}
        given.pop("seat", None)
        if self.team is not None:
            if strange := sorted(set(given) - {"team", "name"}):
                raise ValidationError(f"a member that is a team takes no {strange[0]!r}; set it inside the team")
            return self.team.build(name=self.name)
        role = given.pop("role", None) or self.name
        if role is None:
            raise ValidationError("a member needs a name or a role")
        return Agent(role, **given)


if TYPE_CHECKING:
    AnyMember = MemberSpec
else:
    AnyMember = Annotated[
        MemberSpec, BeforeValidator(lambda given: {"name": given} if isinstance(given, str) else given)
    ]
    """A member, or its name alone, which is its role too."""


class TeamSpec(Data):
    """A team: its members, and how they work together.

    name: what it is called (default: its formation's name). model: for members that have none of their own.
    members: who is in it. formation: a formation's options with its `kind`, or its name alone. limits: of each run.
    prompts: its own text for prompt slots.
    """

    name: str = ""
    model: str | None = None
    members: list[AnyMember] = Field(min_length=1)
    formation: AnyFormation = Flat()
    limits: Limits | None = None
    prompts: dict[str, str] = {}

    def build(self, name: str | None = None) -> AgentTeam:
        """The team it describes. Raises ConfigurationError or ValidationError when it cannot be one."""
        seats: dict[str, Agent | AgentTeam] = {}
        free: list[Agent | AgentTeam] = []
        for member in self.members:
            who = member.build()
            seat = member.seat or self.seat_by_role(member, seats)
            if seat is None or seat == ORDINARY:
                free.append(who)
            elif seat in seats:
                raise ValidationError(f"two members are in the seat {seat!r}; one of them needs another role or seat")
            else:
                seats[seat] = who
        return AgentTeam(
            free, formation=self.formation, seats=seats, name=name or self.name, model=self.model, limits=self.limits,
            prompts=self.prompts or None,
        )  # fmt: skip

    def seat_by_role(self, member: MemberSpec, taken: Mapping[str, object]) -> str | None:
        """The seat that a member's role names, if the formation has it and it is not among those taken."""
        if member.team is not None:
            return None
        kind = Role.of(member.role or member.name or "worker").kind
        seats = (*self.formation.seats, *self.formation.optional_seats)
        return kind if kind in seats and kind not in taken else None


MemberSpec.model_rebuild()
