"""What every constructor of a team takes and does."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict, TypeVar

import pydantic

from phalanx.agents.task import Hooks
from phalanx.errors import ValidationError
from phalanx.formations.base import FormationModel
from phalanx.runtime.board import Blackboard
from phalanx.runtime.limits import Limits
from phalanx.runtime.log import Log

F = TypeVar("F", bound=FormationModel)


class TeamOptions(TypedDict, total=False):
    """Keywords that every team takes.

    name: what it is called. model: for members that have none of their own. limits: of each run. prompts: its own
    text for prompt slots. hooks: on_start, on_complete, on_error. board: a blackboard that outlives single runs
    (default: a new one for each run). log: where runs are journaled (default: in memory, run by run).
    """

    name: str
    model: object
    limits: Limits | None
    prompts: Mapping[str, str]
    hooks: Hooks
    board: Blackboard
    log: Log


Build = TypeVar("Build", bound=Callable[..., object])


def with_team_options(build: Build) -> Build:
    """A constructor whose docstring says what TeamOptions' keywords mean, so that `help()` is enough to use it."""
    if build.__doc__ and TeamOptions.__doc__:
        meanings = inspect.cleandoc(TeamOptions.__doc__).partition("\n\n")[2]
        added = f"\n\noptions, which every team takes:\n{meanings}"
        build.__doc__ = re.sub(r"\s+Other keywords:\s+TeamOptions\.", added, inspect.cleandoc(build.__doc__))
    return build


@dataclass(frozen=True)
class Brought:
    """A formation that brings its own members along."""

    team: Any


class Construction:
    """What constructors build: a team, whatever its members are."""

    def __init__(self, agents: Any = None, *, formation: Any = None, seats: Any = None, **options: Any) -> None:
        """Takes what AgentTeam takes."""
        raise NotImplementedError


def made(kind: type[F], **options: Any) -> F:
    """A formation from its options. Raises ValidationError, naming the option, for a value that cannot be."""
    try:
        return kind(**options)
    except pydantic.ValidationError as problem:
        first = problem.errors()[0]
        # Without the names of the forms that were tried on the way, and what pydantic calls our own words.
        option = ".".join(part for part in map(str, first["loc"]) if "[" not in part)
        said = first["msg"].replace("Value error, ", "")
        raise ValidationError(f"{option}={first['input']!r}: {said}") from None


def briefly(value: object) -> str:
    """A value as one would write it: a model without the fields that are at their defaults."""
    if not isinstance(value, pydantic.BaseModel):
        return repr(value)
    kind = type(value)
    at_default = {
        name: field.get_default(call_default_factory=True)
        for name, field in kind.model_fields.items()
        if not field.is_required() and not field.default_factory_takes_validated_data
    }
    held = {name: getattr(value, name) for name in kind.model_fields}
    given = [
        f"{name}={briefly(each)}" for name, each in held.items() if name not in at_default or at_default[name] != each
    ]
    return f"{kind.__name__}({', '.join(given)})"
