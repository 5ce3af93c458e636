"""A search in a YAML file: which members, which tasks, which formations may be chosen, and what it may cost.

name: which-formation
tasks: {generated: {kind: arithmetic, n: 400, difficulty: 3}}
members: [ada, bob, cy]
model: openai/gpt-4o-mini
formations: [{kind: vote, samples: 5}, {kind: debate, rounds: 1}, consensus]
limits: {usd: 5}
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from phalanx.agents.agent import Agent
from phalanx.errors import SpecError
from phalanx.formations.base import FormationModel
from phalanx.teams.form import AnyFormation, AnyMember
from phalanx.teams.team import AgentTeam

from .search_grid import grid, name_of
from .spec import BenchSpec, open_spec
from .spec_forms import SystemSpec
from .systems import alone
from .tasks import TaskSet


class SearchSpec(BenchSpec):
    """A search.

    members: who is put into formations. formations: what is tried (default: the usual ones for so many members).
    systems: whole teams that are tried too, by name. held_out, reserve, alpha: as `search` has them. limits: its
    budget. The rest is as in a benchmark's file, except limits_each, limits_attempt and baselines, which a search has
    no use for.
    """

    members: list[AnyMember] = Field(min_length=1)
    formations: list[AnyFormation] | None = Field(default=None, min_length=1)
    systems: dict[str, SystemSpec] = {}
    held_out: float = Field(default=0.4, gt=0, lt=1)
    reserve: float = Field(default=0.4, gt=0, lt=1)
    alpha: float = Field(default=0.05, gt=0, le=0.5)

    @model_validator(mode="after")
    def _has_no_other(self) -> Self:
        for name in ("limits_each", "limits_attempt", "baselines"):
            if name in self.model_fields_set:
                raise ValueError(f"a search has no {name}: it has one budget, and the single agent is always in it")
        for each in self.members:
            if each.seat is not None or each.team is not None:
                raise ValueError(f"member {each.name or 'without a name'!r}: a search puts members into seats itself, "
                                 "and takes whole teams under systems")  # fmt: skip
        return self


@dataclass(frozen=True)
class SearchFile:
    """A search that is ready to be run.

    name, spec: as in the file. tasks: its questions. members: who is put into formations. model: of those that have
    none of their own. formations: what is tried, by name. made_up: whether members that name no model are simulated.
    """

    name: str
    spec: SearchSpec
    tasks: TaskSet
    members: tuple[Agent, ...]
    model: object
    formations: dict[str, FormationModel | AgentTeam]
    made_up: bool


def load_search(path: str | Path, *, skip_bad: bool = False, simulate: bool = False) -> SearchFile:
    """The search in a YAML file, with its tasks and members.

    path: the file's; paths in it are relative to it. skip_bad: leave bad rows of the task file out, and count them.
    simulate: let members without a model of their own be simulated where the file names no model for them.

    Raises SpecError, with file, line and field, for whatever is wrong with it or with a file it names; OSError when
    one cannot be read; what reading data sets and recordings raises.
    """
    opened = open_spec(path, SearchSpec, skip_bad=skip_bad, simulate=simulate)
    spec = opened.spec
    members = tuple(member for each in spec.members if isinstance(member := each.build(), Agent))
    formations: dict[str, FormationModel | AgentTeam] = {}
    for place, each in enumerate(grid(len(members)) if spec.formations is None else spec.formations):
        if (name := name_of(each)) in formations:
            where = ("formations", place)
            line = opened.document.line_of(where)
            raise SpecError(f"{name} is there twice", file=opened.document.file, line=line, where="formations")
        formations[name] = each
    for name, system in opened.systems.items():
        if not isinstance(system, AgentTeam) or system.formation is alone:
            line = opened.document.line_of(("systems", name))
            problem = f"{name!r} is one agent; a search tries each member alone anyway"
            if not isinstance(system, AgentTeam):
                problem = f"{name!r} is no team; a search needs members that it can ask"
            raise SpecError(problem, file=opened.document.file, line=line, where=f"systems.{name}")
        formations[name] = system
    return SearchFile(opened.name, spec, opened.tasks, members, opened.model, formations, opened.made_up)
