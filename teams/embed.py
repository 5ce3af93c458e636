"""A team inside something else: as a tool of an agent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from phalanx.agents.task import Task
from phalanx.agents.tools.tool import FunctionTool
from phalanx.formations.team_run import TeamRun
from phalanx.runtime.run import current_run

if TYPE_CHECKING:
    from .team import AgentTeam


def as_tool(team: AgentTeam, name: str = "", description: str = "") -> FunctionTool:
    """The team as a tool; see AgentTeam.as_tool."""

    async def ask_team(task: str) -> str:
        around = current_run()
        if around is None:
            return (await team.run(task)).content
        branch = around.branch(team.name, deeper=True)
        outside = TeamRun(around, team.name, team.members, default_model=await team.default_model())
        return (await team.run_inside(outside, branch, Task(task))).content

    return FunctionTool(
        name or re.sub(r"\W+", "_", team.name),
        description or f"Give a task to the team {team.name!r} ({team.kind}) and get its answer.",
        ask_team,
        {
            "type": "object",
            "properties": {"task": {"type": "string", "description": "What the team is to do, in full."}},
            "required": ["task"],
            "additionalProperties": False,
        },
        cost_tier="high",
    )
