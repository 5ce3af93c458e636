"""Tools: plain functions, classes, or anything with a name, a description, a schema and `execute`."""

from __future__ import annotations

import functools
import inspect
import typing
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, Protocol, overload, runtime_checkable

import anyio
import anyio.to_thread
from pydantic import BaseModel, ConfigDict, create_model
from pydantic import ValidationError as PydanticError

from phalanx.errors import InvalidToolSchemaError, ToolNotFoundError
from phalanx.messages import ToolSpec

CostTier = Literal["free", "low", "medium", "high"]


@runtime_checkable
class Tool(Protocol):
    """Something an agent can do.

    It may also have: `idempotent` (False: never repeated when its end is unknown), `timeout` (seconds),
    `cost_tier`, `needs_approval`, `category`.
    """

    name: str
    description: str

    @property
    def parameters(self) -> Mapping[str, Any]:
        """A JSON schema of an object: the arguments."""
        ...

    async def execute(self, **arguments: Any) -> Any:
        """Do it. What it returns is shown to the model: text, a JSON value or a ToolResult."""
        ...


class BaseTool(ABC):
    """A tool as a class: set `name`, `description` and `parameters`, and write `execute`.

    `parameters` is a JSON schema of an object, or a mapping {argument: {"type": …, "required": True}}. `execute` may
    be sync or async, and returns text, any JSON value, or a ToolResult.
    """

    name: str = ""
    description: str = ""
    parameters: Mapping[str, Any] = {}
    idempotent: bool = False
    timeout: float | None = None
    cost_tier: CostTier = "free"
    needs_approval: bool = False

    @abstractmethod
    def execute(self, **arguments: Any) -> Any:
        """Do it.

        arguments: what the model gave, checked against `parameters`. Returns what the model is shown: text, a JSON
        value or a ToolResult. Whatever it raises is told to the model as an error.
        """


class FunctionTool:
    """A function as a tool.

    func: the function, sync or async. name, description, schema: what the model is told of it; they default to the
    function's name, docstring and type hints. idempotent: it may be repeated when its end is unknown. timeout:
    seconds. cost_tier: how dear a call is, "free", "low", "medium" or "high", for those who look.
    needs_approval: somebody must allow each call.
    Raises InvalidToolSchemaError when there is no function, or when the schema is not one of an object or names
    arguments the function lacks.
    """

    def __init__(
        self,
        name: str | None = None,
        description: str | None = None,
        func: Callable[..., Any] | None = None,
        schema: Mapping[str, Any] | None = None,
        *,
        idempotent: bool = False,
        timeout: float | None = None,
        cost_tier: CostTier = "free",
        needs_approval: bool = False,
    ) -> None:
        if func is None or not callable(func):
            raise InvalidToolSchemaError(name or "?", "a FunctionTool needs func=, a function")
        self.func = func
        self.name: str = name or str(getattr(func, "__name__", type(func).__name__))
        self.description = description or inspect.getdoc(func) or ""
        self.idempotent, self.timeout = idempotent, timeout
        self.cost_tier, self.needs_approval = cost_tier, needs_approval
        self._given = None if schema is None else object_schema(self.name, schema)
        self._derived: dict[str, Any] | None = None
        self._model: type[BaseModel] | None = None
        if self._given is not None:
            self._check_arguments(self._given)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The JSON schema of the arguments, from the type hints unless one was given."""
        if self._given is not None:
            return self._given
        if self._derived is None:
            self._derived = self._arguments().model_json_schema()
            for titled in (self._derived, *self._derived.get("properties", {}).values()):
                titled.pop("title", None)
        return self._derived

    async def execute(self, **arguments: Any) -> Any:
        """Call the function; a plain function runs in a thread, so that it cannot hold up other members.

        arguments: by name; without a schema of its own they are converted to the types of the function's hints, and
        pydantic's ValidationError is raised when they cannot be. Returns and raises what the function does.
        """
        if self._given is None:
            checked = self._arguments().model_validate(arguments)
            arguments = {name: getattr(checked, name) for name in type(checked).model_fields if name in arguments}
        return await call_maybe_async(self.func, **arguments)

    @property
    def has_own_schema(self) -> bool:
        """Whether a schema was given, rather than derived from the type hints."""
        return self._given is not None

    def check(self, arguments: Mapping[str, object]) -> str | None:
        """What is wrong with the arguments, in one line; None when nothing is."""
        if self._given is not None:
            return check_schema(self._given, arguments)
        try:
            self._arguments().model_validate(dict(arguments))
        except PydanticError as problem:
            return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in problem.errors())
        return None

    def _arguments(self) -> type[BaseModel]:
        if self._model is None:
            try:
                hints = typing.get_type_hints(self.func, include_extras=True)
                signature = inspect.signature(self.func)
            except (TypeError, ValueError, NameError) as problem:
                raise InvalidToolSchemaError(self.name, f"its type hints cannot be read: {problem}") from None
            fields: dict[str, Any] = {}
            for name, parameter in signature.parameters.items():
                if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
                    raise InvalidToolSchemaError(self.name, f"argument {parameter} cannot be given by name")
                default = ... if parameter.default is parameter.empty else parameter.default
                fields[name] = (hints.get(name, Any), default)
            config = ConfigDict(extra="forbid", arbitrary_types_allowed=False)
            try:
                self._model = create_model(f"{self.name}_arguments", __config__=config, **fields)
                self._model.model_json_schema()
            except Exception as problem:
                raise InvalidToolSchemaError(self.name, f"no JSON schema for its arguments: {problem}") from problem
        return self._model

    def _check_arguments(self, schema: Mapping[str, Any]) -> None:
        try:
            parameters = inspect.signature(self.func).parameters
        except (TypeError, ValueError):
            return
        if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
            return
        if strange := [name for name in schema.get("properties", {}) if name not in parameters]:
            raise InvalidToolSchemaError(self.name, f"the function has no argument {strange[0]!r}")

    def __repr__(self) -> str:
        return f"FunctionTool({self.name!r})"


class _InstanceTool:
    """A BaseTool or an object like one, behind the Tool seam."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.name = str(getattr(inner, "name", "") or type(inner).__name__)
        self.description = str(getattr(inner, "description", "") or inspect.getdoc(inner) or "")
        own = inner.get_schema() if hasattr(inner, "get_schema") else inner.parameters
        self.parameters = object_schema(self.name, own)
        self.idempotent = bool(getattr(inner, "idempotent", False))
        self.timeout = getattr(inner, "timeout", None)
        self.cost_tier = getattr(inner, "cost_tier", "free")
        self.needs_approval = bool(getattr(inner, "needs_approval", False))

    async def execute(self, **arguments: Any) -> Any:
        return await call_maybe_async(self.inner.execute, **arguments)

    def __repr__(self) -> str:
        return repr(self.inner)


def as_tool(given: object) -> Tool:
    """Any form of a tool as a Tool: a function, a BaseTool class or instance, or a Tool itself.

    Raises InvalidToolSchemaError when it is none of them.
    """
    if isinstance(given, FunctionTool | _InstanceTool):
        return given
    if inspect.isclass(given) and hasattr(given, "execute"):
        return _InstanceTool(given())
    if hasattr(given, "execute") and (hasattr(given, "parameters") or hasattr(given, "get_schema")):
        return _InstanceTool(given)
    if callable(given):
        return FunctionTool(func=given)
    raise InvalidToolSchemaError(
        type(given).__name__, "a tool is a function, a BaseTool, or has name, description, parameters and execute"
    )


@overload
def tool(func: Callable[..., Any], /) -> FunctionTool: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    idempotent: bool = False,
    timeout: float | None = None,
    cost_tier: CostTier = "free",
    needs_approval: bool = False,
) -> Callable[[Callable[..., Any]], FunctionTool]: ...
def tool(
    func: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    idempotent: bool = False,
    timeout: float | None = None,
    cost_tier: CostTier = "free",
    needs_approval: bool = False,
) -> FunctionTool | Callable[[Callable[..., Any]], FunctionTool]:
    """Make a function a tool: `@tool` or `@tool(timeout=10, idempotent=True)`.

    name, description: what the model is told (default: the function's name and docstring). idempotent: it may be
    repeated when its end is unknown. timeout: seconds. cost_tier: how dear a call is, "free", "low", "medium" or
    "high", for those who look. needs_approval: somebody must allow each call.
    Returns a `FunctionTool`, whose type hints are its schema; raises InvalidToolSchemaError when it is first used, if
    they can be none.
    """

    def make(function: Callable[..., Any]) -> FunctionTool:
        return FunctionTool(
            name, description, function, idempotent=idempotent, timeout=timeout, cost_tier=cost_tier,
            needs_approval=needs_approval,
        )  # fmt: skip

    return make if func is None else make(func)


def spec_of(tool: Tool) -> ToolSpec:
    """A tool as a model sees it."""
    return ToolSpec(name=tool.name, description=tool.description, parameters=dict(tool.parameters))


def object_schema(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON schema of an object from either form; raises InvalidToolSchemaError when it is none."""
    if not isinstance(schema, Mapping):
        raise InvalidToolSchemaError(name, f"it must be a mapping, not {type(schema).__name__}")
    if schema.get("type") == "object":
        if not isinstance(schema.get("properties", {}), Mapping):
            raise InvalidToolSchemaError(name, "'properties' must be a mapping")
        return {"properties": {}, **schema}
    if "type" in schema and isinstance(schema["type"], str):
        raise InvalidToolSchemaError(name, f"its type must be 'object', not {schema['type']!r}")
    properties: dict[str, Any] = {}
    required: list[str] = []
    for argument, facts in schema.items():
        if not isinstance(facts, Mapping):
            raise InvalidToolSchemaError(name, f"argument {argument!r} must be described by a mapping")
        if facts.get("required") is True:
            required.append(argument)
        properties[argument] = {key: value for key, value in facts.items() if key != "required"}
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def check_arguments(tool: Tool, arguments: Mapping[str, object]) -> str | None:
    """What is wrong with the arguments by the tool's schema, in one line; None when nothing is."""
    own: Callable[[Mapping[str, object]], str | None] | None = getattr(tool, "check", None)
    return check_schema(tool.parameters, arguments) if own is None else own(arguments)


def check_schema(schema: Mapping[str, Any], arguments: Mapping[str, object]) -> str | None:
    """What is wrong with the arguments by a JSON schema, in one line; None when nothing is."""
    import jsonschema

    problems = jsonschema.Draft202012Validator(dict(schema)).iter_errors(dict(arguments))
    return "; ".join(f"{'.'.join(map(str, each.path)) or 'arguments'}: {each.message}" for each in problems) or None


async def call_maybe_async(function: Callable[..., Any], *given: Any, **arguments: Any) -> Any:
    """Call a function that may be async; a plain one runs in a thread, left behind when the caller is cancelled."""
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004
        return await function(*given, **arguments)
    work = functools.partial(function, *given, **arguments)
    result = await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
    return await result if isinstance(result, Awaitable) else result


def find(tools: Mapping[str, Tool], name: str) -> Tool:
    """The tool of this name. Raises ToolNotFoundError, which names those there are."""
    try:
        return tools[name]
    except KeyError:
        raise ToolNotFoundError(name, tuple(tools)) from None
