"""Tools, by this name: what they are made of, and what a call of one is and gives."""

from phalanx.agents.tools.box import ToolSet
from phalanx.agents.tools.tool import BaseTool, FunctionTool, Tool, tool
from phalanx.messages import ToolCall, ToolResult

__all__ = ["BaseTool", "FunctionTool", "Tool", "ToolCall", "ToolResult", "ToolSet", "tool"]
