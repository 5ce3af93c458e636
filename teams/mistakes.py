"""What is wrong with a team file, in words, with the line and the field where it stands."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from phalanx.agents.models.retry import RetryConfig
from phalanx.agents.role import Role
from phalanx.errors import SpecError, ValidationError
from phalanx.formations.kinds import KINDS
from phalanx.formations.voting import CodeTests, Equivalence
from phalanx.messages import Price
from phalanx.runtime.limits import Limits
from phalanx.settings import nearest

from .form import MemberSpec, TeamSpec
from .yaml_file import Place

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Path = tuple[str | int, ...]

# The models below each field, to name the nearest field that exists.
_INSIDE: dict[str, type[Any]] = {
    "members": MemberSpec, "team": TeamSpec, "limits": Limits, "role": Role, "price": Price, "retry": RetryConfig,
    "equivalence": Equivalence, "tests": CodeTests,
}  # fmt: skip

_UNKNOWN_FIELD = ("extra_forbidden", "unexpected_keyword_argument")


def as_spec_error(errors: Sequence[ErrorDetails], document: Place) -> SpecError:
    """The mistake that says most, of those that were found."""
    told = min(errors, key=_rank)
    path = _place(told, document)
    field, kind, given = str(path[-1]) if path else "", told["type"], told.get("input")
    if kind in _UNKNOWN_FIELD:
        problem = f"there is no field {field!r}{nearest(field, _fields_beside(path, document))}"
    elif kind == "missing":
        problem = f"the field {field!r} is missing"
    elif kind == "union_tag_invalid":
        asked = str(given.get("kind")) if isinstance(given, Mapping) else str(given)
        problem = f"there is no formation {asked!r}{nearest(asked, KINDS)}; there are: {', '.join(KINDS)}"
    elif kind == "too_short" and field == "members":
        problem = "a team needs at least one member; name one, such as members: [{name: ada}]"
    elif kind == "union_tag_not_found":
        problem = f"a formation needs a kind: one of {', '.join(KINDS)}"
    elif kind == "value_error":
        # Our own words, which name what they are about; a value that was read in several steps is told of in each.
        problem = told["msg"].replace("Value error, ", "")
        if field == "limits" and isinstance(given, Mapping):
            path, problem = _wrong_limit(given, path, problem)
    else:
        problem = f"{told['msg']}, not {short(given)}"
    where = ".".join(str(part) for part in path)
    return SpecError(problem, file=document.file, line=document.line_of(path), where=where)


def _rank(error: ErrorDetails) -> int:
    """A misspelt field is also a missing one, and what is no role is also no text: the more telling one comes first."""
    if error["type"] in _UNKNOWN_FIELD:
        return 0
    return 2 if error["type"] == "string_type" and isinstance(error.get("input"), Mapping) else 1


def _place(error: ErrorDetails, document: Place) -> Path:
    """The path of a field in the document, without the names of the forms that were tried on the way."""
    path: list[str | int] = []
    value: Any = document.value
    for at, part in enumerate(error["loc"]):
        is_last = at + 1 == len(error["loc"])
        if _holds(value, part):
            value = value[part]
        elif not (is_last and error["type"] == "missing"):
            continue
        path.append(part)
    return tuple(path)


def _holds(value: object, part: str | int) -> bool:
    if isinstance(value, dict):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and part < len(value)


def _wrong_limit(given: Mapping[str, Any], path: Path, problem: str) -> tuple[Path, str]:
    """Which limit it is that cannot be, and why: limits are refused all together."""
    for name, value in given.items():
        try:
            Limits(**{name: value})
        except ValidationError as wrong:
            if name not in Limits.model_fields:
                return (*path, name), f"there is no field {name!r}{nearest(name, Limits.model_fields)}"
            return (*path, name), f"{str(wrong).rpartition(': ')[2]}, not {short(value)}"
    return path, problem


def _fields_beside(path: Path, document: Place) -> Iterable[str]:
    """The names of the fields that exist where a wrong one stands."""
    names = [part for part in path[:-1] if isinstance(part, str)]
    last = names[-1] if names else ""
    model: type[Any] | None = _INSIDE.get(last, TeamSpec)
    if last == "formation":
        kind = document.at((*path[:-1], "kind"))
        model = KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        return ()
    return [each.name for each in dataclasses.fields(model)] if model is Price else list(model.model_fields)


def short(value: object) -> str:
    """A value as a message shows it: cut when it is long."""
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"
