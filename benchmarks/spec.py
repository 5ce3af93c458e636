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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import pydantic
from pydantic import Field, field_validator, model_validator

from phalanx.agents.models.recorded import RecordedModel, Said
from phalanx.agents.models.simulated import SimulatedModel
from phalanx.errors import SpecError, ValidationError
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
from .readers import Columns, read_tasks
from .scoring import named
from .systems import Comparable, team_of, with_model
from .tasks import TaskSet

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class ColumnSpec(Data):
    """Which column of a row holds what; None takes the usual names."""

    question: str | None = None
    gold: str | None = None
    id: str | None = None
    cluster: str | None = None
    choices: str | None = None
    difficulty: str | None = None
    scorer: str | None = None


class GeneratedSpec(Data):
    """A generated task set: its kind, how many items, their seed, one difficulty (1 to 5) or all in turn."""

    kind: str
    n: int = Field(default=100, ge=1)
    seed: int = 0
    difficulty: int | None = None


class HubSpec(Data):
    """A data set of the Hugging Face hub; fix the revision to have the same questions tomorrow."""

    name: str
    split: str = "test"
    config: str | None = None
    revision: str | None = None


class TaskSpec(Data):
    """Where the questions come from: a file, a generator or a hub, exactly one of them.

    columns: which column holds what. sample: at most so many of them, drawn by the benchmark's seed.
    """

    file: str | None = None
    generated: GeneratedSpec | None = None
    hub: HubSpec | None = None
    columns: ColumnSpec = ColumnSpec()
    sample: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_source(self) -> TaskSpec:
        if sum(each is not None for each in (self.file, self.generated, self.hub)) != 1:
            raise ValueError("tasks come from one of file, generated and hub")
        return self


class SimulateSpec(Data):
    """Members without a model of their own are simulated: what they know and how they take the work of others.

    The fields are those of SimulatedModel that a file can hold.
    """

    skill: float | dict[str, float] = 0.6
    correlation: float = 0.0
    distractor: float | None = None
    revise_right: float = 0.0
    revise_wrong: float = 0.0
    stubbornness: float = 0.0
    sycophancy: float = 0.0
    judge_skill: float = 0.8
    abstain: float = 0.0
    unparseable: float = 0.0
    output_tokens: int | None = None
    seed: int = 0


class RecordedSpec(Data):
    """Members without a model of their own give recorded answers: files of JSON lines, as RecordedModel reads them.

    say, parsed, members: as there.
    """

    files: list[str] = Field(min_length=1)
    say: Said = "text"
    parsed: str = "parsed"
    members: dict[str, str] = {}


class SystemSpec(Data):
    """A system: an agent, or a team, here or in a file of its own (a path)."""

    agent: MemberSpec | None = None
    team: TeamSpec | str | None = None


class BenchSpec(Data):
    """A benchmark.

    name: default, the file's. tasks: where questions come from. systems: what is compared, by name. scorer: exact,
    numeric, choice, set, regex or code (default: as each item asks), or a judge. model: for members that have none of
    their own; or simulate, or recorded. repeats, seed, limits, limits_each, baselines, margin, concurrency: as
    `compare` has them.
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
    baselines: bool | list[str] = True
    margin: float = Field(default=0.02, gt=0, lt=1)
    concurrency: int | None = Field(default=None, ge=1)

    @field_validator("scorer")
    @classmethod
    def _known(cls, scorer: str | JudgeSpec | None) -> str | JudgeSpec | None:
        if isinstance(scorer, str):
            named(scorer)
        return scorer

    @model_validator(mode="after")
    def _fits(self) -> BenchSpec:
        if sum(each is not None for each in (self.model, self.simulate, self.recorded)) > 1:
            raise ValueError("members without a model of their own get one of model, simulate and recorded, not two")
        chosen(self.baselines)
        for name in self.limits_each:
            if name not in self.systems:
                raise ValueError(f"limits_each: there is no system {name!r}{nearest(name, self.systems)}")
        return self


S = TypeVar("S", bound=BenchSpec)


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
    tasks = _at(document, ("tasks",), lambda: _tasks(spec, here, skip_bad))
    made_up = spec.simulate is not None or (simulate and spec.model is None and spec.recorded is None)
    model = _model(spec, here, tasks, made_up)
    systems: dict[str, Comparable] = {}
    for name, each in spec.systems.items():
        systems[name] = _at(document, ("systems", name), lambda each=each: _system(each, here, model))
    return Opened(spec.name or file.stem, spec, document, tasks, model, systems, made_up)


def _spec(document: Place, form: type[S]) -> S:
    value = document.value
    if not isinstance(value, dict):
        needed = " and ".join(repr(name) for name, field in form.model_fields.items() if field.is_required())
        raise SpecError(f"a benchmark's file holds a mapping with {needed}", file=document.file, line=1)
    for name, each in (value.get("systems") or {}).items() if isinstance(value.get("systems"), dict) else ():
        if isinstance(each, dict):
            _check_system(document, str(name), each)
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
    if ("agent" in given) == ("team" in given):
        raise SpecError(
            "a system is one of agent and team", file=document.file, line=document.line_of(("systems", name)),
            where=f"systems.{name}",
        )  # fmt: skip
    for field, form in (("team", TeamSpec), ("agent", MemberSpec)):
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
    elif told["type"] == "value_error":
        problem = told["msg"].replace("Value error, ", "")
    else:
        problem = f"{told['msg'][0].lower()}{told['msg'][1:]}, not {told.get('input')!r}"
    where = ".".join(str(part) for part in path)
    return SpecError(problem, file=document.file, line=document.line_of(path), where=where)


def _at(document: Place, path: tuple[str, ...], make: Any) -> Any:
    """What `make` gives; an error of it that names no place gets this one."""
    try:
        return make()
    except SpecError:
        raise
    except ValidationError as problem:
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


def simulated_answers(tasks: TaskSet) -> dict[str, tuple[str, tuple[str, ...]]]:
    """What simulated members choose among, by item: the right answer and three that suggest themselves.

    Raises ValidationError for an item whose right answer cannot be said in a word: several, tests, or none.
    """
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for item in tasks:
        gold = item.gold
        if gold is None or isinstance(gold, tuple) or item.scorer == "code":
            raise ValidationError(f"item {item.id!r} cannot be answered by simulated members: it has no single answer")
        found[item.id] = (str(gold), (str(gold), *_others(gold, item.choices)))
    return found


def _others(gold: str | int | float | bool, choices: Sequence[str]) -> list[str]:
    if choices:
        letters = [chr(ord("A") + at) for at in range(len(choices))]
        known = letters if str(gold) in letters else list(choices)
        return [each for each in known if each != str(gold)]
    if isinstance(gold, bool):
        return [str(not gold)]
    if isinstance(gold, int | float):
        return [str(gold + 1), str(gold - 1), str(gold + 10)]
    return [f"not {gold}", f"{gold} or so", "something else"]


def _system(spec: SystemSpec, here: Path, model: object) -> Comparable:
    if spec.agent is not None:
        who = spec.agent.build()
        if isinstance(who, AgentTeam):
            return with_model(who, model)
        return who if model is None or not who.needs_model else team_of(who, model=model)
    team = spec.team
    assert team is not None
    return with_model(load_team(here / team) if isinstance(team, str) else team.build(), model)
