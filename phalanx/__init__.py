"""Phalanx: teams of role-typed LLM agents, and honest numbers on whether the team was worth its cost.

    from phalanx import Agent, AgentTeam

    team = AgentTeam.hierarchical(lead="lead", subagents=["researcher", "coder"], model="openai/gpt-4o-mini")
    result = await team.run("…")

Importing this package loads nothing but names; each comes with its first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phalanx.agents.agent import Agent as Agent
    from phalanx.agents.memory import AgentMemory as AgentMemory
    from phalanx.agents.memory import SimpleAgentMemory as SimpleAgentMemory
    from phalanx.agents.result import AgentResult as AgentResult
    from phalanx.agents.role import Role as Role
    from phalanx.agents.task import Task as Task
    from phalanx.agents.task import TaskHook as TaskHook
    from phalanx.errors import AgentError as AgentError
    from phalanx.errors import ConfigurationError as ConfigurationError
    from phalanx.errors import PhalanxError as PhalanxError
    from phalanx.errors import ProviderError as ProviderError
    from phalanx.errors import TeamError as TeamError
    from phalanx.errors import ToolError as ToolError
    from phalanx.errors import ValidationError as ValidationError
    from phalanx.errors import VictorError as VictorError
    from phalanx.messages import Message as Message
    from phalanx.messages import Price as Price
    from phalanx.messages import ToolCall as ToolCall
    from phalanx.messages import ToolResult as ToolResult
    from phalanx.messages import Usage as Usage
    from phalanx.runtime.limits import Limits as Limits
    from phalanx.runtime.limits import limits as limits

_HOMES = {
    "phalanx.agents.agent": "Agent",
    "phalanx.agents.memory": "AgentMemory SimpleAgentMemory",
    "phalanx.agents.result": "AgentResult",
    "phalanx.agents.role": "Role",
    "phalanx.agents.task": "Task TaskHook",
    "phalanx.errors": "AgentError ConfigurationError PhalanxError ProviderError TeamError ToolError ValidationError "
    "VictorError",
    "phalanx.messages": "Message Price ToolCall ToolResult Usage",
    "phalanx.runtime.limits": "Limits limits",
}
_WHERE = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("phalanx")
    try:
        home = _WHERE[name]
    except KeyError:
        raise AttributeError(f"module 'phalanx' has no attribute {name!r}") from None
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE])
