"""An agent's tools, given, taken away, named, and used directly."""

from __future__ import annotations

from phalanx.errors import ToolNotFoundError
from phalanx.messages import ToolCall, ToolResult
from phalanx.runtime.limits import Limits
from phalanx.runtime.run import Run

from .tools.box import ToolBox
from .tools.use import Approver, use


class Equipped:
    """What is done with an agent's tools."""

    name: str
    tools: ToolBox
    limits: Limits | None
    approve: Approver | None

    async def execute_tool(self, tool_name: str, **arguments: object) -> ToolResult:
        """Use one of its tools directly.

        tool_name: which. arguments: what it is called with, by name. Returns its result; when the tool fails, is not
        approved, or cannot take these arguments, that has `error`. Raises ToolNotFoundError.
        """
        if tool_name not in self.tools.tools:
            raise ToolNotFoundError(tool_name, tuple(self.tools.tools))
        call = ToolCall(id="direct", tool_name=tool_name, parameters=arguments)
        return await use(Run.open(self.name, limits=self.limits), self.tools.tools, call, self.approve)

    def register_tool(self, tool: object) -> None:
        """Give it one more tool, in any form `tools=` takes."""
        self.tools = self.tools.plus(tool)

    register_toolset = register_tool

    def unregister_tool(self, tool_name: str) -> None:
        """Take the tool named `tool_name` away. Raises ToolNotFoundError."""
        self.tools = self.tools.minus(tool_name)

    def list_tools(self) -> list[str]:
        """The names of its tools."""
        return list(self.tools.tools)
