"""The tools an agent holds, and the words given as tools that are none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from phalanx.errors import InvalidToolSchemaError, ToolNotFoundError, ValidationError
from phalanx.messages import Data

from .tool import FunctionTool, Tool, as_tool


class ToolSet(Data):
    """Tools that belong together, with a description for the model and a hidden configuration.

    name, description: told to the model. tools: in any form an agent takes. config: values given to every tool of the
    set when it is called (keys, connections); the model never sees them. What a model says goes before them only for
    arguments that a tool's own schema shows; anything else it says is refused by that schema.
    """

    model_config = {"frozen": True, "extra": "forbid", "arbitrary_types_allowed": True}

    name: str
    description: str
    tools: Sequence[Any] = ()
    config: Mapping[str, Any] = {}

    def __repr__(self) -> str:
        names = ", ".join(str(getattr(each, "name", None) or getattr(each, "__name__", "?")) for each in self.tools)
        return f"ToolSet({self.name!r}, tools=[{names}], config of {len(self.config)} values)"

    __str__ = __repr__


class ToolBox:
    """Tools by name; never changed, only replaced."""

    def __init__(self, given: Iterable[object] = (), *, strict: bool = False) -> None:
        self.tools: dict[str, Tool] = {}
        self.skills: tuple[str, ...] = ()
        self.warnings: tuple[str, ...] = ()
        self.notes = ""
        self.strict = strict
        if isinstance(given, str | bytes):
            raise ValidationError(f"tools= takes a list, not {given!r}")
        for each in given:
            self._add(each)

    def plus(self, tool: object) -> ToolBox:
        """These and one more tool or toolset."""
        box = self._copy()
        box._add(tool)
        return box

    def minus(self, name: str) -> ToolBox:
        """These without one. Raises ToolNotFoundError."""
        if name not in self.tools:
            raise ToolNotFoundError(name, tuple(self.tools))
        box = self._copy()
        del box.tools[name]
        return box

    def only(self, given: Sequence[object]) -> ToolBox:
        """Just these: names of tools held, or new ones."""
        held = [self.tools.get(each, each) if isinstance(each, str) else each for each in given]
        box = ToolBox(held, strict=self.strict)
        box.skills, box.notes = (*self.skills, *box.skills), self.notes
        return box

    def allowed(self, names: Sequence[str]) -> ToolBox:
        """Those whose names are given."""
        box = self._copy()
        box.tools = {name: tool for name, tool in self.tools.items() if name in names}
        return box

    def _add(self, given: object) -> None:
        if isinstance(given, str):
            if self.strict:
                raise ToolNotFoundError(given, tuple(self.tools))
            self.skills = (*self.skills, given)
            self.warnings = (*self.warnings, f"{given!r} is no tool; it is named as a skill in the prompt instead")
            return
        if isinstance(given, ToolSet):
            for each in given.tools:
                self._put(_Configured(as_tool(each), given.config) if given.config else as_tool(each))
            self.notes = "\n".join(part for part in (self.notes, f"{given.name}: {given.description}") if part)
            return
        self._put(as_tool(given))

    def _put(self, tool: Tool) -> None:
        if self.tools.get(tool.name, tool) is not tool:
            raise InvalidToolSchemaError(tool.name, "two tools have this name; rename one")
        self.tools[tool.name] = tool

    def _copy(self) -> ToolBox:
        box = ToolBox(strict=self.strict)
        box.tools, box.skills = dict(self.tools), self.skills
        box.warnings, box.notes = self.warnings, self.notes
        return box


class _Configured:
    """A tool that is given its set's hidden configuration with every call."""

    def __init__(self, inner: Any, config: Mapping[str, Any]) -> None:
        self.inner, self._config = inner, config
        self.name, self.description = inner.name, inner.description
        self.parameters: Mapping[str, Any] = inner.parameters
        if isinstance(inner, FunctionTool) and not inner.has_own_schema:
            self.parameters = _without(inner.parameters, config)
        self.idempotent, self.timeout = inner.idempotent, inner.timeout
        self.cost_tier, self.needs_approval = inner.cost_tier, inner.needs_approval

    async def execute(self, **arguments: Any) -> Any:
        shown = self.parameters.get("properties", {})
        said = {name: value for name, value in arguments.items() if name in shown}
        try:
            return await self.inner.execute(**{**self._config, **said})
        except Exception as failure:
            # A library's error may quote the key it was given; the model and the log must not see it.
            if any(isinstance(value, str) and value and value in str(failure) for value in self._config.values()):
                raise RuntimeError(f"{type(failure).__name__} (its text quotes hidden configuration)") from None
            raise

    def __repr__(self) -> str:
        return f"{self.inner!r} with a hidden configuration"


def _without(schema: Mapping[str, Any], hidden: Mapping[str, Any]) -> dict[str, Any]:
    """A schema without the arguments that the configuration gives."""
    shown = {name: facts for name, facts in schema.get("properties", {}).items() if name not in hidden}
    required = [name for name in schema.get("required", ()) if name not in hidden]
    return {**schema, "properties": shown, "required": required}
