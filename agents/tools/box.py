"""The tools an agent holds, and the words given as tools that are none."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import SecretBytes, SecretStr
from pydantic import ValidationError as PydanticError

from phalanx.agents.showable import unshowable
from phalanx.errors import InvalidToolSchemaError, ToolNotFoundError, ValidationError
from phalanx.messages import Data, ToolResult

from .tool import FunctionTool, Tool, as_tool
from .use import jsonable

HIDDEN = "[hidden]"


class ToolSet(Data):
    """Tools that belong together, with a description for the model and a hidden configuration.

    name, description: told to the model. tools: in any form an agent takes. config: values given to every tool of the
    set when it is called (keys, connections); the model never sees them: where a tool's result or error holds a text
    of the configuration (4 characters or more, on any level of it), it is shown "[hidden]". What a model says goes
    before them only for arguments that a tool's own schema shows; anything else it says is refused by that schema.
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
        _check_list(given)
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
        """Just these: names of tools held, or new ones. Raises ValidationError for what is no list."""
        _check_list(given)
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
        self._secrets = _secrets_in(config)
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
            return self._without_secrets(await self.inner.execute(**{**self._config, **said}))
        except PydanticError as failure:
            # It quotes its input in part, which would not be recognized.
            told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in failure.errors())
            raise RuntimeError(f"{type(failure).__name__}: {self._clean(told)}") from None
        except Exception as failure:
            # A library's error may quote the key it was given; the model and the log must not see it.
            told = str(failure)
            if (clean := self._clean(told)) != told:
                raise RuntimeError(f"{type(failure).__name__}: {clean}") from None
            raise

    def _without_secrets(self, value: object) -> object:
        """A result with the texts of the configuration hidden; one that no model can be shown is left to be refused."""
        if isinstance(value, ToolResult):
            return value.model_copy(
                update={
                    "output": self._without_secrets(value.output),
                    "error": None if value.error is None else self._clean(value.error),
                    "metadata": self._hidden(value.metadata),
                }
            )
        if isinstance(value, str):
            return self._clean(value)
        return value if unshowable(value) is not None else self._hidden(jsonable(value))

    def _hidden(self, value: object) -> object:
        if isinstance(value, str):
            return self._clean(value)
        if isinstance(value, Mapping):
            return {self._hidden(name): self._hidden(part) for name, part in value.items()}
        return [self._hidden(part) for part in value] if isinstance(value, list | tuple) else value

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def __repr__(self) -> str:
        return f"{self.inner!r} with a hidden configuration"


def _secrets_in(config: object) -> list[str]:
    """Every text in a configuration that must not be seen, as it is and as JSON and Python quote it; longest first."""
    found, waiting, seen = set[str](), [config], set[int]()
    while waiting:
        part = waiting.pop()
        if isinstance(part, SecretStr | SecretBytes):
            part = part.get_secret_value()
        if isinstance(part, bytes | bytearray):
            found.add(repr(bytes(part))[2:-1])
            found.add(base64.b64encode(part).decode())
            part = part.decode("utf-8", "replace")
        if isinstance(part, str):
            found.update((part, json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1], repr(part)[1:-1]))
        elif isinstance(part, Mapping | list | tuple | set | frozenset) and id(part) not in seen:
            seen.add(id(part))
            waiting.extend(part.values() if isinstance(part, Mapping) else part)
    return sorted((text for text in found if len(text) >= 4), key=lambda text: (-len(text), text))


def _without(schema: Mapping[str, Any], hidden: Mapping[str, Any]) -> dict[str, Any]:
    """A schema without the arguments that the configuration gives."""
    shown = {name: facts for name, facts in schema.get("properties", {}).items() if name not in hidden}
    required = [name for name in schema.get("required", ()) if name not in hidden]
    return {**schema, "properties": shown, "required": required}


def _check_list(given: object) -> None:
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise ValidationError(f"tools= takes a list, not {given!r}")
