"""What is compared: an agent, a team, or any async function of a task, under a name and with a hash of what it is."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import itertools
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from phalanx.agents.agent import Agent
from phalanx.agents.models.model import Model
from phalanx.agents.task import Task
from phalanx.errors import ValidationError
from phalanx.formations.base import Answer
from phalanx.formations.rule_field import written
from phalanx.formations.team_run import TeamRun
from phalanx.runtime.limits import Limits
from phalanx.teams.running import preflight
from phalanx.teams.spec import to_yaml
from phalanx.teams.team import AgentTeam

from .budget import Budget
from .record import System
from .recorded import Recorded

if TYPE_CHECKING:
    from phalanx.teams.members import Who

TaskFunction = Callable[[Task], Awaitable[str]]
Comparable = Agent | AgentTeam | Recorded | TaskFunction
"""What can be compared."""


async def alone(run: TeamRun, task: Task) -> Answer:
    """One member answers the task, told what it would be told outside of a team."""
    text = await run.ask(run.members[0], run.text(task), stage="run", question=task.id)
    return Answer(text.content, text.output, author=run.members[0].name)


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """A system as the suite runs it.

    system: its name, its hash and how it was made. team: what does the tasks; an agent is a team of one. function,
    recorded: in a team's place. budget: for a baseline, what each attempt is held to.
    """

    system: System
    team: AgentTeam | None = None
    function: TaskFunction | None = None
    recorded: Recorded | None = None
    budget: Budget | None = None

    @property
    def name(self) -> str:
        """Its name in the comparison."""
        return self.system.name


def team_of(who: Agent | AgentTeam, *, model: object = None) -> AgentTeam:
    """The team that does the tasks: the team itself, or a team of one agent.

    model: for an agent without one of its own.
    """
    return who if isinstance(who, AgentTeam) else AgentTeam([who], formation=alone, name="agent", model=model)


def with_model(team: AgentTeam, model: object) -> AgentTeam:
    """The team with a model for members that have none of their own; the team itself when it names one.

    model: the model, or its name; None leaves the team as it is.
    """
    if model is None or team.given_model is not None:
        return team
    seats = {member.seat: member.who for member in team.members if member.seat is not None}
    free = [member.who for member in team.members if member.seat is None]
    return AgentTeam(
        cast("list[Who]", free), formation=team.formation, seats=cast("dict[str, Who]", seats), name=team.name,
        model=model, limits=team.limits, prompts=dict(team.prompts.overrides) or None,
    )  # fmt: skip


async def entrant(name: str, who: Comparable) -> Entrant:
    """A system under a name.

    Raises ValidationError for a name that is blank or a system that is none of these, and what finding the
    models of its members raises: ConfigurationError where there is none.
    """
    if not isinstance(name, str) or not name.strip():
        raise ValidationError(f"a system needs a name, not {name!r}")
    if isinstance(who, Agent | AgentTeam):
        team = team_of(who)
        described = await described_team(team)
        kind = "agent" if team.formation is alone else team.kind
        made = System(name=name, spec=hashed(f"{kind}\n{described}"), kind=kind, described=described)
        return Entrant(system=made, team=team)
    if isinstance(who, Recorded):
        described = _described_record(who)
        system = System(name=name, spec=hashed(f"recorded\n{described}"), kind="recorded", described=described)
        return Entrant(system=system, recorded=who)
    if inspect.isclass(who) or not callable(who):
        raise ValidationError(
            f"system {name!r} is {who!r}: give an Agent, an AgentTeam, Recorded answers, or an async function of a "
            "task that gives text"
        )
    described = _described_function(who)
    return Entrant(system=System(name=name, spec=hashed(described), kind="function", described=described), function=who)


async def check(entrants: Mapping[str, Entrant], *, limits: Limits | None, scorer: object = None) -> None:
    """Look, before anything is spent, whether every member's model can be asked, and those of a judge.

    limits: of the suite; with money among them prices must be known. scorer: what will score, if it asks models.
    Raises ConfigurationError, naming the system.
    """
    money = limits is not None and limits.usd is not None
    if (ready := getattr(scorer, "ready", None)) is not None:
        try:
            await ready(money=money)
        except Exception as problem:
            problem.add_note("the judge that scores")
            raise
    for each in entrants.values():
        if each.team is None:
            continue
        try:
            await preflight(each.team, await each.team.default_model(), money=money)
        except Exception as problem:
            problem.add_note(f"system {each.name!r}")
            raise


async def described_team(team: AgentTeam) -> str:
    """All that makes a team what it is, as text: its YAML where it has one, else its parts."""
    try:
        text = to_yaml(team)
    except ValidationError:
        text = "\n".join(_parts(team))
    default = await team.default_model()
    return text if default is None else f"{text}\n# model: {_model(default)}\n"


def hashed(text: str) -> str:
    """A short hash of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _parts(team: AgentTeam) -> list[str]:
    formation = team.formation
    code = _described_function(formation) if inspect.isroutine(formation) else _steady(formation)
    lines = [f"formation: {code}", f"limits: {team.limits!r}", f"prompts: {dict(team.prompts.overrides)!r}"]
    for member in team.members:
        who = member.who
        if isinstance(who, AgentTeam):
            lines += [f"member {member.name} seat={member.seat}", *(f"  {line}" for line in _parts(who))]
        elif isinstance(who, Agent):
            lines.append(f"member {member.name} seat={member.seat}: {_agent(who)}")
        else:
            lines.append(f"member {member.name} seat={member.seat}: {_steady(who)}")
    return lines


def _agent(who: Agent) -> str:
    facts = {
        "role": who.role, "instructions": who.instructions, "temperature": who.temperature,
        "max_tokens": who.max_tokens, "max_iterations": who.max_iterations, "tools": sorted(who.tools.tools),
        "prompts": dict(who.prompts.overrides), "limits": who.limits, "sampling": dict(who.options.sampling),
        "answer_format": who.options.answer_format, "model": who.given_model, "shape": who.shape and who.shape.text,
    }  # fmt: skip
    return ", ".join(f"{name}={_steady(value)}" for name, value in facts.items())


def agent_facts(who: Agent) -> str:
    """What makes an agent answer as it does, its name aside; agents that are equal in it are the same for a vote."""
    return _agent(who)


def _described_record(who: Recorded) -> str:
    """Which answers count, and how they are counted."""
    try:
        rule: object = written(who.rule)
    except ValidationError:  # a rule of the user's own
        rule = f"{_steady(who.rule)} {_described_function(who.rule)}"
    relation = who.equivalence.relation
    same = who.equivalence.model_copy(update={"relation": None}).model_dump_json(exclude_defaults=True)
    facts = {
        "answers": who, "rule": rule, "equivalence": same, "voters": who.voters, "samples": who.samples,
        "rounds": who.rounds, "relation": None if relation is None else _described_function(relation),
    }  # fmt: skip
    return "".join(f"{name}: {value}\n" for name, value in facts.items() if value is not None)


def _model(model: Model) -> str:
    return f"{model.name} {_steady(model)}"


def _described_function(function: object) -> str:
    """A function's name and a hash of its source and of what it holds: one that was changed is another system."""
    where = f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', type(function).__qualname__)}"
    try:
        source = inspect.getsource(function if inspect.isroutine(function) else type(function))
    except (OSError, TypeError):
        source = ""
    held = _held(function)
    return f"{where} {hashed(source) if source else '(no source)'}" + (f" with {hashed(held)}" if held else "")


def _held(function: object) -> str:
    """What a function carries besides its source: what it closes over, its defaults, the object it is a method of."""
    if not inspect.isroutine(function):
        return _fixed(function)
    try:
        closed = inspect.getclosurevars(function).nonlocals if inspect.isfunction(function) else {}
    except ValueError:  # a variable that is not set yet
        closed = {}
    parts = [f"{name}={_fixed(value)}" for name, value in sorted(closed.items())]
    defaults = (getattr(function, "__defaults__", None), getattr(function, "__kwdefaults__", None))
    parts += [_fixed(each) for each in (*defaults, getattr(function, "__self__", None)) if each is not None]
    return "\n".join(parts)


def _fixed(value: object) -> str:
    """A value as text if it cannot change, else its type: a list that grows makes no other system of its function."""
    if value is None or isinstance(value, str | bytes | int | float):
        return repr(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(_fixed, value))})"
    if isinstance(value, functools.partial):
        given = (*value.args, *itertools.chain(*sorted(value.keywords.items())))
        return f"{_described_function(value.func)} {_fixed(given)}"
    frozen = getattr(getattr(value, "__dataclass_params__", None), "frozen", False)
    if dataclasses.is_dataclass(value) and not isinstance(value, type) and frozen:
        inside = (f"{each.name}={_fixed(getattr(value, each.name))}" for each in dataclasses.fields(value))
        return f"{type(value).__qualname__}({', '.join(inside)})"
    return _described_function(value) if inspect.isfunction(value) else type(value).__qualname__


def _steady(value: object) -> str:
    """A repr without the places in memory, which are others in the next process."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))
