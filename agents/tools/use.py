"""One tool call, from a model's wish to a result that it can be shown."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
from pydantic_core import to_jsonable_python

from phalanx.agents.models.stray import LEAKED, is_stray
from phalanx.agents.showable import unshowable
from phalanx.errors import PhalanxError, ToolDenied, ToolExecutionError, ToolNotFoundError
from phalanx.messages import ToolCall, ToolResult
from phalanx.runtime.human import ask_human
from phalanx.runtime.run import Run

from .tool import Tool, check_arguments, find

Approver = Callable[[ToolCall], bool | Awaitable[bool]]
MAX_RESULT_CHARS = 200_000
NOBODY = "nobody is there to approve it"


async def use(run: Run, tools: Mapping[str, Tool], call: ToolCall, approve: Approver | None) -> ToolResult:
    """Make one tool call as a step of the run. What goes wrong becomes a result with `error`, for the model to see.

    approve: asked before a tool that needs approval; without it the run's person is, and without one it is denied.
    """
    try:
        tool = find(tools, call.tool_name)
    except ToolNotFoundError as missing:
        return _failed(call, missing)
    problem = call.arguments_error or check_arguments(tool, call.parameters)
    if problem is not None:
        return ToolResult(
            success=False, error=f"invalid arguments: {problem}", tool_call_id=call.id, tool_name=call.tool_name
        )
    if getattr(tool, "needs_approval", False) and (reason := await _objection(run, call, approve)) is not None:
        return _failed(call, ToolDenied(call.tool_name, reason))

    async def execute(_key: str) -> ToolResult:
        try:
            with anyio.fail_after(getattr(tool, "timeout", None)):
                return as_result(call, await tool.execute(**call.parameters))
        except PhalanxError as failure:
            return _failed(call, failure)
        except Exception as failure:  # noqa: BLE001 - a tool may raise anything; the model is told what
            return _failed(call, ToolExecutionError(call.tool_name, failure))
        except anyio.get_cancelled_exc_class() as stop:
            if not is_stray(stop):
                raise
            return _failed(call, ToolExecutionError(call.tool_name, RuntimeError(LEAKED)))

    return await run.step("tool", call.tool_name, call, execute, idempotent=bool(getattr(tool, "idempotent", False)))


def as_result(call: ToolCall, value: object) -> ToolResult:
    """Whatever a tool returned as a ToolResult; what no model can be shown is an error that says so.

    That is binary data, broken text, and what is no value yet (iterators, generators, coroutines), on any level.
    """
    if isinstance(value, ToolResult):
        inner = as_result(call, value.output)
        if not inner.success:
            return inner
        named = {"tool_call_id": call.id, "tool_name": call.tool_name, "output": inner.output}
        return value.model_copy(update=named)
    if (problem := unshowable(value)) is not None:
        told = f"it returned {problem}; return a list or text, or another JSON value"
        return _failed(call, ToolExecutionError(call.tool_name, TypeError(told)))
    text = shown(value)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as broken:
        return _failed(call, ToolExecutionError(call.tool_name, ValueError(f"it returned broken text: {broken}")))
    return ToolResult(output=value if isinstance(value, str) else jsonable(value), tool_call_id=call.id,
                      tool_name=call.tool_name)  # fmt: skip


def shown(value: object) -> str:
    """A tool's output as the text a model is shown; very long text is cut, and says so."""
    text = value if isinstance(value, str) else json.dumps(jsonable(value), ensure_ascii=False)
    if len(text) > MAX_RESULT_CHARS:
        return f"{text[:MAX_RESULT_CHARS]}\n[cut: {len(text) - MAX_RESULT_CHARS} of {len(text)} characters not shown]"
    return text


def result_text(result: ToolResult) -> str:
    """A tool's result as the model is shown it."""
    return shown(result.output) if result.success else f"Error: {result.error}"


def jsonable(value: object) -> Any:
    """A value as JSON can hold it; what JSON cannot hold is shown by its repr."""
    return to_jsonable_python(value, fallback=repr, bytes_mode="base64")


async def _objection(run: Run, call: ToolCall, approve: Approver | None) -> str | None:
    """Why a tool may not run; None when somebody allowed it."""
    if approve is not None:
        verdict = approve(call)
        allowed = bool(await verdict if isinstance(verdict, Awaitable) else verdict)
        return None if allowed else "it was not approved"
    asked = f"May {run.path[-1]} use {call.tool_name} with {shown(call.parameters)}?"
    answer = await ask_human(run, asked, options=("yes", "no"), default=NOBODY, member=run.path[-1])
    return None if answer == "yes" else "it was not approved" if answer == "no" else answer


def _failed(call: ToolCall, failure: Exception) -> ToolResult:
    return ToolResult(success=False, error=str(failure), tool_call_id=call.id, tool_name=call.tool_name)
