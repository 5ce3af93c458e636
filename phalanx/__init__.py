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
    from phalanx.agents.models.backoff import constant as constant
    from phalanx.agents.models.backoff import exponential as exponential
    from phalanx.agents.models.backoff import linear as linear
    from phalanx.agents.models.clients import OpenAIClient as OpenAIClient
    from phalanx.agents.models.clients import OpenRouterClient as OpenRouterClient
    from phalanx.agents.models.provider import AgentResponse as AgentResponse
    from phalanx.agents.models.provider import BaseProvider as BaseProvider
    from phalanx.agents.models.provider import StreamChunk as StreamChunk
    from phalanx.agents.models.resolve import register_provider as register_provider
    from phalanx.agents.models.retry import RetryConfig as RetryConfig
    from phalanx.agents.result import AgentResult as AgentResult
    from phalanx.agents.role import Role as Role
    from phalanx.agents.step_events import AgentFinalResponse as AgentFinalResponse
    from phalanx.agents.step_events import AgentFinalResponseEvent as AgentFinalResponseEvent
    from phalanx.agents.step_events import AgentPlan as AgentPlan
    from phalanx.agents.step_events import AgentPlanEvent as AgentPlanEvent
    from phalanx.agents.step_events import AgentStep as AgentStep
    from phalanx.agents.step_events import AgentStepEvent as AgentStepEvent
    from phalanx.agents.step_events import AgentStreamEnd as AgentStreamEnd
    from phalanx.agents.step_events import AgentStreamStart as AgentStreamStart
    from phalanx.agents.step_events import AgentToken as AgentToken
    from phalanx.agents.step_events import AgentToolResultsEvent as AgentToolResultsEvent
    from phalanx.agents.step_events import StreamingEvent as StreamingEvent
    from phalanx.agents.sync import SyncAgent as SyncAgent
    from phalanx.agents.task import Task as Task
    from phalanx.agents.task import TaskHook as TaskHook
    from phalanx.agents.task import hooks as hooks
    from phalanx.agents.tools.box import ToolSet as ToolSet
    from phalanx.agents.tools.tool import BaseTool as BaseTool
    from phalanx.agents.tools.tool import FunctionTool as FunctionTool
    from phalanx.agents.tools.tool import tool as tool
    from phalanx.benchmarks.compare import compare as compare
    from phalanx.benchmarks.compare import compare_sync as compare_sync
    from phalanx.benchmarks.search import search as search
    from phalanx.benchmarks.search import search_sync as search_sync
    from phalanx.errors import AgentError as AgentError
    from phalanx.errors import ConfigurationError as ConfigurationError
    from phalanx.errors import InvalidToolSchemaError as InvalidToolSchemaError
    from phalanx.errors import LimitExceeded as LimitExceeded
    from phalanx.errors import LLMCallError as LLMCallError
    from phalanx.errors import MaxIterationsError as MaxIterationsError
    from phalanx.errors import MemberFailed as MemberFailed
    from phalanx.errors import PhalanxError as PhalanxError
    from phalanx.errors import ProviderError as ProviderError
    from phalanx.errors import QuorumMissed as QuorumMissed
    from phalanx.errors import ResponseParseError as ResponseParseError
    from phalanx.errors import SpecError as SpecError
    from phalanx.errors import TeamError as TeamError
    from phalanx.errors import ToolError as ToolError
    from phalanx.errors import ToolExecutionError as ToolExecutionError
    from phalanx.errors import ToolNotFoundError as ToolNotFoundError
    from phalanx.errors import ValidationError as ValidationError
    from phalanx.errors import VictorError as VictorError
    from phalanx.formations.adaptive import Adaptive as Adaptive
    from phalanx.formations.base import Answer as Answer
    from phalanx.formations.blackboard import BlackboardFormation as BlackboardFormation
    from phalanx.formations.consensus import Consensus as Consensus
    from phalanx.formations.contribution import Contributions as Contributions
    from phalanx.formations.debate import Debate as Debate
    from phalanx.formations.flat import Flat as Flat
    from phalanx.formations.hierarchical import Hierarchical as Hierarchical
    from phalanx.formations.market import Market as Market
    from phalanx.formations.mixture import Mixture as Mixture
    from phalanx.formations.panel import Panel as Panel
    from phalanx.formations.parallel import Parallel as Parallel
    from phalanx.formations.pipeline import Pipeline as Pipeline
    from phalanx.formations.receipts import Receipt as Receipt
    from phalanx.formations.receipts import receipts_of as receipts_of
    from phalanx.formations.reflect import Reflect as Reflect
    from phalanx.formations.team_run import TeamRun as TeamRun
    from phalanx.formations.vote import Vote as Vote
    from phalanx.messages import Message as Message
    from phalanx.messages import Price as Price
    from phalanx.messages import ToolCall as ToolCall
    from phalanx.messages import ToolResult as ToolResult
    from phalanx.messages import Usage as Usage
    from phalanx.runtime.board import Blackboard as Blackboard
    from phalanx.runtime.bus import EventBus as EventBus
    from phalanx.runtime.bus import Events as Events
    from phalanx.runtime.limits import Limits as Limits
    from phalanx.runtime.limits import limits as limits
    from phalanx.runtime.log import MemoryLog as MemoryLog
    from phalanx.runtime.postgres import PostgresLog as PostgresLog
    from phalanx.runtime.regions import Region as Region
    from phalanx.runtime.sqlite import SqliteLog as SqliteLog
    from phalanx.teams.formation import Formation as Formation
    from phalanx.teams.result import TeamResult as TeamResult
    from phalanx.teams.team import AgentTeam as AgentTeam
    from phalanx.teams.team import Team as Team

_HOMES = {
    "phalanx.agents.agent": "Agent",
    "phalanx.agents.memory": "AgentMemory SimpleAgentMemory",
    "phalanx.agents.models.backoff": "constant exponential linear",
    "phalanx.agents.models.clients": "OpenAIClient OpenRouterClient",
    "phalanx.agents.models.provider": "AgentResponse BaseProvider StreamChunk",
    "phalanx.agents.models.resolve": "register_provider",
    "phalanx.agents.models.retry": "RetryConfig",
    "phalanx.agents.result": "AgentResult",
    "phalanx.agents.role": "Role",
    "phalanx.agents.step_events": "AgentFinalResponse AgentFinalResponseEvent AgentPlan AgentPlanEvent AgentStep "
    "AgentStepEvent AgentStreamEnd AgentStreamStart AgentToken AgentToolResultsEvent StreamingEvent",
    "phalanx.agents.sync": "SyncAgent",
    "phalanx.agents.task": "Task TaskHook hooks",
    "phalanx.agents.tools.box": "ToolSet",
    "phalanx.agents.tools.tool": "BaseTool FunctionTool tool",
    "phalanx.benchmarks.compare": "compare compare_sync",
    "phalanx.benchmarks.search": "search search_sync",
    "phalanx.errors": "AgentError ConfigurationError InvalidToolSchemaError LLMCallError LimitExceeded "
    "MaxIterationsError MemberFailed PhalanxError ProviderError QuorumMissed ResponseParseError SpecError TeamError "
    "ToolError ToolExecutionError ToolNotFoundError ValidationError VictorError",
    "phalanx.formations.adaptive": "Adaptive",
    "phalanx.formations.base": "Answer",
    "phalanx.formations.blackboard": "BlackboardFormation",
    "phalanx.formations.consensus": "Consensus",
    "phalanx.formations.contribution": "Contributions",
    "phalanx.formations.debate": "Debate",
    "phalanx.formations.flat": "Flat",
    "phalanx.formations.hierarchical": "Hierarchical",
    "phalanx.formations.receipts": "Receipt receipts_of",
    "phalanx.formations.market": "Market",
    "phalanx.formations.mixture": "Mixture",
    "phalanx.formations.panel": "Panel",
    "phalanx.formations.parallel": "Parallel",
    "phalanx.formations.pipeline": "Pipeline",
    "phalanx.formations.reflect": "Reflect",
    "phalanx.formations.team_run": "TeamRun",
    "phalanx.formations.vote": "Vote",
    "phalanx.messages": "Message Price ToolCall ToolResult Usage",
    "phalanx.runtime.board": "Blackboard",
    "phalanx.runtime.bus": "EventBus Events",
    "phalanx.runtime.limits": "Limits limits",
    "phalanx.runtime.log": "MemoryLog",
    "phalanx.runtime.postgres": "PostgresLog",
    "phalanx.runtime.regions": "Region",
    "phalanx.runtime.sqlite": "SqliteLog",
    "phalanx.teams.result": "TeamResult",
    "phalanx.teams.formation": "Formation",
    "phalanx.teams.team": "AgentTeam Team",
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
