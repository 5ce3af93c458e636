"""A benchmark in a YAML file: which systems do which tasks, how answers are scored, and what it may cost.

name: is-debate-worth-it
tasks: {generated: {kind: arithmetic, n: 200, difficulty: 3}}
simulate: {skill: 0.6}
systems:
  debate: {team: {members: [ada, bob, cy], formation: {kind: debate, rounds: 2}}}
  single: {agent: {role: solver}}
limits: {usd: 5}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import pydantic
from pydantic import Field, field_validator, model_validator

from phalanx.agents.models.recorded import RecordedModel
from phalanx.agents.models.simulated import SimulatedModel
from phalanx.errors import ConfigurationError, PhalanxError, SpecError, ValidationError
from phalanx.messages import Data
from phalanx.runtime.limits import Limits
from phalanx.settings import nearest
from phalanx.teams.form import MemberSpec, TeamSpec
from phalanx.teams.mistakes import as_spec_error
from phalanx.teams.spec import load_team
from phalanx.teams.team import AgentTeam
from phalanx.teams.yaml_file import Place, read_yaml

from .baselines import chosen
from .generate.catalogue import generate
from .hubs import from_dataset
from .judge_spec import JudgeSpec
from .made_up import simulated_answers
from .readers import Columns, read_tasks
from .scoring import named
from .spec_forms import (
    ColumnSpec,
    GeneratedSpec,
    HubSpec,
    RecordedSpec,
    RecordedVoteSpec,
    SimulateSpec,
    SystemSpec,
    TaskSpec,
)
from .spec_records import Records
from .systems import Comparable, team_of, with_model
from .tasks import TaskSet

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class BenchSpec(Data):
    """A benchmark.

    name: default, the file's. tasks: where questions come from. systems: what is compared, by name. scorer: exact,
    numeric, choice, set, regex or code (default: as each item asks), or a judge. model: for members that have none of
    their own; or simulate, or recorded. repeats, seed, limits, limits_each, baselines, margin, concurrency: as
    `compare` has them, and limits_attempt, which hold for each single attempt.
    """

    name: str | None = None
    tasks: TaskSpec
    systems: dict[str, SystemSpec] = Field(min_length=1)
    scorer: str | JudgeSpec | None = None
    model: str | None = None
    simulate: SimulateSpec | None = None
    recorded: RecordedSpec | None = None
    repeats: int = Field(default=1, ge=1)
    seed: int = 0
    limits: Limits | None = None
    limits_each: dict[str, Limits] = {}
    limits_attempt: Limits | None = None
    baselines: bool | list[str] = True
    margin: float = Field(default=0.02, gt=0, lt=1)
    concurrency: int | None = Field(default=None, ge=1)

    @field_validator("scorer")
    @classmethod
    def _known(cls, scorer: str | JudgeSpec | None) -> str | JudgeSpec | None:
        if isinstance(scorer, str):
            named(scorer)
        return scorer

    @field_validator("baselines")
    @classmethod
    def _exist(cls, baselines: bool | list[str]) -> bool | list[str]:
        chosen(baselines)
        return baselines

    @model_validator(mode="after")
    def _fits(self) -> BenchSpec:
        if sum(each is not None for each in (self.model, self.simulate, self.recorded)) > 1:
            raise ValueError("members without a model of their own get one of model, simulate and recorded, not two")
        return self


S = TypeVar("S", bound=BenchSpec)
T = TypeVar("T")


@dataclass(frozen=True)
class Bench:
    """A benchmark that is ready to be run.

    name, spec: as in the file. tasks: its questions. systems: what is compared. made_up: whether members that name no
    model are simulated.
    """

    name: str
    spec: BenchSpec
    tasks: TaskSet
    systems: dict[str, Comparable]
    made_up: bool


def load_bench(path: str | Path, *, skip_bad: bool = False, simulate: bool = False) -> Bench:
    """The benchmark in a YAML file, with its tasks and teams.

    path: the file's; paths in it are relative to it. skip_bad: leave bad rows of the task file out, and count them.
    simulate: let members without a model of their own be simulated where the file names no model for them.

    Raises SpecError, with file, line and field, for whatever is wrong with it or with a file it names; OSError when
    one cannot be read; what reading data sets and recordings raises.
    """
    opened = open_spec(path, BenchSpec, skip_bad=skip_bad, simulate=simulate)
    return Bench(opened.name, opened.spec, opened.tasks, opened.systems, opened.made_up)


@dataclass(frozen=True)
class Opened(Generic[S]):
    """What a file holds: its spec, and the tasks, the model and the systems that were made of it.

    name: of the file, where it names none. document: the file's lines, for errors found later.
    """

    name: str
    spec: S
    document: Place
    tasks: TaskSet
    model: object
    systems: dict[str, Comparable]
    made_up: bool


def open_spec(path: str | Path, form: type[S], *, skip_bad: bool, simulate: bool) -> Opened[S]:
    """What a YAML file of a form holds; see `load_bench`."""
    file = Path(path)
    document = read_yaml(file.read_bytes(), file=str(file))
    spec = _spec(document, form)
    here = file.parent
    try:
        tasks = _at(document, ("tasks",), lambda: _tasks(spec, here, skip_bad))
    except SpecError as problem:
        raise _in_a_file(problem) from problem.__cause__
    made_up = spec.simulate is not None or (simulate and spec.model is None and spec.recorded is None)
    part = next((each for each in ("simulate", "recorded") if each in document.value), "model")
    model = _at(document, (part,), lambda: _model(spec, here, tasks, made_up))
    systems: dict[str, Comparable] = {}
    records = Records(here, spec.recorded)
    for name, each in spec.systems.items():

        def make(each: SystemSpec = each) -> Comparable:
            if each.recorded is not None:
                return records.system(each.recorded, tasks)
            return _system(each, here, model)

        # Members of one name, or an empty seat: what is wrong with a team is wrong with the file.
        systems[name] = _at(document, ("systems", name), make, also=ConfigurationError)
    return Opened(spec.name or file.stem, spec, document, tasks, model, systems, made_up)


# What Python calls it, and what it is called in a benchmark's file and on the command line.
_WORDS = (
    ("skip_bad leaves bad rows out", "--skip-bad leaves bad rows out"),
    ("name one with Columns(question=…)", "name one with `columns: {question: …}`"),
    ("name its column with Columns(gold=…), or read with need_gold=False", "name its column with `columns: {gold: …}`"),
)


def _in_a_file(problem: SpecError) -> SpecError:
    """An error of a task file, with the advice for those who have a file and a command line, and no Python."""
    text = problem.problem
    for python, file in _WORDS:
        text = text.replace(python, file)
    return SpecError(text, file=problem.file, line=problem.line, where=problem.where)


def _spec(document: Place, form: type[S]) -> S:
    value = document.value
    if not isinstance(value, dict):
        needed = " and ".join(repr(name) for name, field in form.model_fields.items() if field.is_required())
        raise SpecError(f"a benchmark's file holds a mapping with {needed}", file=document.file, line=1)
    systems: Mapping[object, object] = given if isinstance(given := value.get("systems"), dict) else {}
    for name, each in systems.items():
        if isinstance(each, dict):
            _check_system(document, str(name), each)
    for name in limited if isinstance(limited := value.get("limits_each"), dict) else ():
        if name not in systems:
            problem = f"there is no system {name!r}{nearest(str(name), map(str, systems))}"
            where = ("limits_each", name)
            raise SpecError(problem, file=document.file, line=document.line_of(where), where=f"limits_each.{name}")
    if isinstance(judge := value.get("scorer"), dict):
        # By itself: what is wrong in it is not that it is no name of a scorer.
        try:
            JudgeSpec.model_validate(judge)
        except pydantic.ValidationError as problem:
            errors = [{**each, "loc": ("scorer", *each["loc"])} for each in problem.errors()]
            raise _mistake(cast("Sequence[ErrorDetails]", errors), document, form) from None
    try:
        return form.model_validate(value)
    except pydantic.ValidationError as problem:
        raise _mistake(problem.errors(), document, form) from None


def _check_system(document: Place, name: str, given: Mapping[str, Any]) -> None:
    """Look at a system by itself, so that what is wrong in a team is told as it is for a team's own file."""
    if sum(each in given for each in SystemSpec.model_fields) != 1:
        raise SpecError(
            "a system is one of agent, team and recorded", file=document.file, line=document.line_of(("systems", name)),
            where=f"systems.{name}",
        )  # fmt: skip
    for field, form in (("team", TeamSpec), ("agent", MemberSpec), ("recorded", RecordedVoteSpec)):
        inner = given.get(field)
        if isinstance(inner, dict):
            try:
                form.model_validate(inner)
            except pydantic.ValidationError as problem:
                errors = [{**each, "loc": ("systems", name, field, *each["loc"])} for each in problem.errors()]
                raise as_spec_error(cast("Sequence[ErrorDetails]", errors), document) from None


_INSIDE: dict[str, type[Data]] = {
    "tasks": TaskSpec, "generated": GeneratedSpec, "hub": HubSpec, "columns": ColumnSpec, "simulate": SimulateSpec,
    "recorded": RecordedSpec, "limits": Limits, "scorer": JudgeSpec, "panel": MemberSpec,
}  # fmt: skip


def _mistake(errors: Sequence[ErrorDetails], document: Place, form: type[BenchSpec]) -> SpecError:
    """The first mistake, an unknown field before all others, for a misspelt field is also a missing one."""
    told = min(errors, key=lambda each: each["type"] != "extra_forbidden")
    if len(told["loc"]) > 1 and told["loc"][0] in ("members", "formations"):
        return as_spec_error(errors, document)
    path = tuple(part for part in told["loc"] if not isinstance(part, str) or "[" not in part)
    field = str(path[-1]) if path else ""
    around = [part for part in path[:-1] if isinstance(part, str)]
    if told["type"] == "extra_forbidden":
        beside = SystemSpec if around[:1] == ["systems"] else _INSIDE.get(around[-1] if around else "", form)
        if around[:1] == ["limits_each"]:
            beside = Limits
        problem = f"there is no field {field!r}{nearest(field, beside.model_fields)}"
    elif told["type"] == "missing":
        problem = f"the field {field!r} is missing"
    elif told["type"] == "too_short" and not told.get("input"):
        problem = "there is nothing in it; give at least one"
    elif told["type"] == "value_error":
        problem = told["msg"].replace("Value error, ", "")
    else:
        problem = f"{told['msg'][0].lower()}{told['msg'][1:]}, not {told.get('input')!r}"
    where = ".".join(str(part) for part in path)
    return SpecError(problem, file=document.file, line=document.line_of(path), where=where)


def _at(
    document: Place, path: tuple[str, ...], make: Callable[[], T], *, also: type[PhalanxError] = ValidationError
) -> T:
    """What `make` gives; an error of it that names no place gets this one. also: another kind of error that does."""
    try:
        return make()
    except SpecError:
        raise
    except (ValidationError, also) as problem:
        where = ".".join(path)
        raise SpecError(str(problem), file=document.file, line=document.line_of(path), where=where) from problem


def _tasks(spec: BenchSpec, here: Path, skip_bad: bool) -> TaskSet:
    given = spec.tasks
    columns = Columns(**given.columns.model_dump())
    if given.file is not None:
        found = read_tasks(here / given.file, columns=columns, skip_bad=skip_bad)
    elif given.generated is not None:
        made = given.generated
        found = generate(made.kind, made.n, seed=made.seed, difficulty=made.difficulty)
    else:
        assert given.hub is not None
        hub = given.hub
        found = from_dataset(
            hub.name, split=hub.split, config=hub.config, revision=hub.revision, columns=columns, skip_bad=skip_bad
        )
    return found if given.sample is None else found.sample(given.sample, seed=spec.seed)


def _model(spec: BenchSpec, here: Path, tasks: TaskSet, made_up: bool) -> object:
    """The model of members that have none of their own."""
    if spec.recorded is not None:
        paths = [here / each for each in spec.recorded.files]
        recorded = spec.recorded
        return RecordedModel.from_jsonl(*paths, say=recorded.say, parsed=recorded.parsed, members=recorded.members)
    if made_up:
        options = (spec.simulate or SimulateSpec()).model_dump()
        return SimulatedModel(answers=simulated_answers(tasks), **options)
    return spec.model


def _system(spec: SystemSpec, here: Path, model: object) -> Comparable:
    if spec.agent is not None:
        who = spec.agent.build()
        if isinstance(who, AgentTeam):
            return with_model(who, model)
        return who if model is None or not who.needs_model else team_of(who, model=model)
    team = spec.team
    assert team is not None
    return with_model(load_team(here / team) if isinstance(team, str) else team.build(), model)
