"""The docstrings of all that is public are enough to use it: what it gives, what it takes, what it raises."""

from __future__ import annotations

import ast
import functools
import inspect
import pydoc
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import pydantic
import pytest

import phalanx
import phalanx.testing
from phalanx import AgentTeam, Formation
from phalanx.agents.models.model import Model, Wrapper
from phalanx.agents.tools.tool import Tool
from phalanx.teams.options import TeamOptions

# Whoever implements a seam is documented by it, as a subclass is by its base.
SEAMS: tuple[type, ...] = (Model, Wrapper, Tool)
# What the seam of models says of methods that a model may have besides `complete`, in its own docstring.
OPTIONAL = frozenset({"stream", "price", "native_tools", "aclose", "free"})


@dataclass(frozen=True)
class Public:
    """Something public. `path` is how a user reaches it; `around` the class it stands in."""

    path: str
    thing: Any
    around: type | None = None

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]


def reachable() -> Iterator[Public]:
    """Everything in the two lists of public names, and the public members of the classes among it."""
    seen: set[object] = set()
    for module in (phalanx, phalanx.testing):
        for name in module.__all__:
            thing = getattr(module, name)
            found = [Public(name, thing)] if callable(thing) else []
            found += members(name, thing) if inspect.isclass(thing) else []
            for public in found:
                # What is inherited is told once; what a constructor takes stands in each class.
                key = (public.around, "__init__") if public.name == "__init__" else function_of(public.thing)
                if key not in seen:
                    seen.add(key)
                    yield public


def members(path: str, cls: type) -> Iterator[Public]:
    """The methods and properties that a class of ours has by itself or from another class of ours."""
    for name in dir(cls):
        home = next((base for base in cls.__mro__ if name in vars(base)), object)
        if not home.__module__.startswith("phalanx."):
            continue
        given = vars(home)[name]
        if name == "__init__":
            if issubclass(cls, BaseException):
                continue  # errors are caught and read; their attributes stand in the class
            yield Public(f"{path}.__init__", given, cls)
        elif not name.startswith("_") and isinstance(
            given, property | functools.cached_property | classmethod | staticmethod | Callable
        ) and not inspect.isclass(given):  # fmt: skip
            yield Public(f"{path}.{name}", given, cls)


def function_of(thing: Any) -> Any:
    """The function behind a method or property."""
    if isinstance(thing, property):
        return thing.fget
    if isinstance(thing, functools.cached_property):
        return thing.func
    return inspect.unwrap(thing.__func__ if isinstance(thing, classmethod | staticmethod) else thing)


PUBLIC = list(reachable())
FUNCTIONS = [each for each in PUBLIC if not inspect.isclass(each.thing)]


def own_doc(public: Public) -> str:
    """The docstring of a function: its own, that of the method it overrides, or the seam's."""
    if doc := inspect.getdoc(function_of(public.thing)):
        return doc
    around = public.around
    for base in () if around is None else (*around.__mro__[1:], *SEAMS):
        if (doc := inspect.getdoc(getattr(base, public.name, None))) and base.__module__.startswith("phalanx."):
            if base in SEAMS and not hasattr(around, "complete") and not hasattr(around, "execute"):
                continue
            return doc
    if public.name in OPTIONAL and hasattr(around, "complete"):
        return inspect.getdoc(Model) or ""
    return ""


def doc_of(public: Public) -> str:
    """All that a user is told: at the function, for a constructor at the class, and where these send the reader."""
    if public.name == "__init__":
        ours = [base for base in (public.around or object).__mro__ if base.__module__.startswith("phalanx.")]
        doc = "\n".join(filter(None, [*(vars(base).get("__doc__") for base in ours), inspect.getdoc(public.thing)]))
    else:
        doc = own_doc(public)
    told, ahead, seen = [], [doc], {public.name}
    while ahead:
        told.append(ahead.pop())
        for name in re.findall(r"`(?:self\.)?([A-Za-z_.]+)(?:\(\))?`", told[-1]):
            if name not in seen and (more := referred(name, public.around)):
                seen.add(name)
                ahead.append(more)
    return "\n".join(told)


def referred(name: str, around: type | None) -> str:
    """The docstring that a name in backticks stands for: a method beside it, or of another class, or a class."""
    first, _, rest = name.partition(".")
    home = getattr(phalanx, first, None) or getattr(phalanx.testing, first, None)
    thing = getattr(home, rest, None) if rest else getattr(around, name, None) or home
    if inspect.isclass(thing):
        return f"{inspect.getdoc(thing)}"
    return own_doc(Public(name, thing, home if rest else around)) if callable(thing) else ""


@pytest.mark.parametrize("public", [each for each in PUBLIC if each.name != "__init__"], ids=lambda each: each.path)
def test_everything_public_says_what_it_is(public: Public) -> None:
    doc = (inspect.getdoc(public.thing) if inspect.isclass(public.thing) else own_doc(public)) or ""
    assert len(doc.split()) >= 2, f"{public.path} has no docstring"


def parameters(public: Public) -> list[str]:
    function = function_of(public.thing)
    if isinstance(public.thing, property | functools.cached_property):
        return []
    names = []
    for name, parameter in inspect.signature(function).parameters.items():
        if name in ("self", "cls") or name.startswith("_") or parameter.kind is parameter.POSITIONAL_ONLY:
            continue
        names.append(name)
    return names


def is_rest(public: Public, name: str) -> bool:
    """Whether a parameter is what is left of the others, such as `**options`."""
    kind = inspect.signature(function_of(public.thing)).parameters[name].kind
    return kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def tells_of_its_arguments(public: Public) -> bool:
    """Whether it takes any, and is no method that another class, which it implements, documents."""
    return bool(parameters(public)) and (public.name == "__init__" or bool(function_of(public.thing).__doc__))


def missing_arguments(public: Public) -> list[str]:
    doc = doc_of(public)
    missing = [name for name in parameters(public) if not re.search(rf"\b{name}\b", doc)]
    if "keywords" in doc or re.search(r"[Tt]akes what", doc):
        missing = [name for name in missing if not is_rest(public, name)]
    return missing


@pytest.mark.parametrize(
    "public", [each for each in FUNCTIONS if tells_of_its_arguments(each)], ids=lambda each: each.path
)
def test_every_argument_of_a_public_function_is_named_where_a_user_looks(public: Public) -> None:
    missing = missing_arguments(public)
    assert not missing, f"{public.path} does not say what {', '.join(missing)} is"


def raised_by(function: Any) -> list[str]:
    """The names of the errors that a function raises in its own body; nested functions and re-raising aside."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return []
    found: list[str] = []
    function_def = tree.body[0]
    ahead: list[ast.AST] = [*getattr(function_def, "body", ())]
    while ahead:
        node = ahead.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name):
            found.append(node.exc.func.id)
        ahead += ast.iter_child_nodes(node)
    return sorted(name for name in set(found) if name[0].isupper())


def missing_errors(public: Public) -> list[str]:
    doc = f"{doc_of(public)}\n{inspect.getdoc(public.around) if public.around else ''}"
    return [name for name in raised_by(function_of(public.thing)) if name not in doc]


@pytest.mark.parametrize(
    "public", [each for each in FUNCTIONS if raised_by(function_of(each.thing))], ids=lambda each: each.path
)
def test_what_a_public_function_raises_is_named_where_a_user_looks(public: Public) -> None:
    missing = missing_errors(public)
    assert not missing, f"{public.path} raises {', '.join(missing)} and does not say so"


VALUES = [
    each for each in PUBLIC
    if inspect.isclass(each.thing) and (is_dataclass(each.thing) or issubclass(each.thing, pydantic.BaseModel))
]  # fmt: skip


def missing_fields(public: Public) -> list[str]:
    given = fields(public.thing) if is_dataclass(public.thing) else ()
    names = [each.name for each in given] or list(public.thing.model_fields)
    doc = doc_of(Public(f"{public.path}.__init__", public.thing.__init__, public.thing))
    shown = [name.rstrip("_") for name in names if not name.startswith("_") and name != "kind"]
    return [name for name in shown if not re.search(rf"\b{name}\b", doc)]


@pytest.mark.parametrize("public", VALUES, ids=lambda each: each.path)
def test_every_field_of_a_public_value_is_named_in_its_class(public: Public) -> None:
    missing = missing_fields(public)
    assert not missing, f"{public.path} does not say what {', '.join(missing)} is"


@pytest.mark.parametrize(
    "name",
    ["hierarchical", "flat", "pipeline", "parallel", "consensus", "debate", "vote", "mixture", "reflect", "adaptive"],
)
@pytest.mark.parametrize("home", [AgentTeam, Formation])
def test_help_on_a_constructor_is_enough_to_use_it(home: type, name: str) -> None:
    """Without looking anything up: its own options, and those that every team takes."""
    build = getattr(home, name)
    said = pydoc.plain(pydoc.render_doc(build)).split("\n", 3)[3]
    options = [each for each in inspect.signature(build).parameters if each != "cls"]
    for option in [*options, *TeamOptions.__annotations__]:
        assert re.search(rf"\b{option}\b", said), f"help does not say what {option} is"
    assert "TeamOptions" not in said, "it sends the reader elsewhere"
    assert "Returns the team" in said
