"""An agent for code that is not async, with a conversation that goes on."""

from __future__ import annotations

from typing import Any

from phalanx.messages import Message
from phalanx.runtime.blocking import run_blocking

from .agent import Agent
from .result import AgentResult


class SyncAgent:
    """An agent whose `run` is a plain call and remembers what was said before.

    It takes what Agent takes; `SyncAgent(client, system_prompt=…)` works too. `reset()` forgets the conversation.
    """

    def __init__(self, llm_client: object = None, **options: Any) -> None:
        self.agent = Agent(llm_client, **options) if llm_client is not None else Agent(**options)

    def run(self, user_input: str) -> AgentResult:
        """Answer, as the next turn of the conversation. Raises what Agent.run raises."""

        async def work() -> AgentResult:
            try:
                return await self.agent.chat(user_input)
            finally:
                await self.agent.aclose()

        return run_blocking(work)

    def register_tool(self, tool: object) -> None:
        """Give it one more tool."""
        self.agent.register_tool(tool)

    register_toolset = register_tool

    def unregister_tool(self, tool_name: str) -> None:
        """Take a tool away. Raises ToolNotFoundError."""
        self.agent.unregister_tool(tool_name)

    def list_tools(self) -> list[str]:
        """The names of its tools."""
        return self.agent.list_tools()

    def reset(self) -> None:
        """Forget the conversation."""
        self.agent.reset()

    def add_message(self, role: str, content: str) -> None:
        """Add a message to the conversation."""
        self.agent.add_message(role, content)

    def get_conversation_history(self) -> list[Message]:
        """A copy of the conversation."""
        return self.agent.get_conversation_history()

    def set_system_prompt(self, prompt: str) -> None:
        """Replace its instructions."""
        self.agent.set_system_prompt(prompt)

    def set_timezone(self, timezone: str) -> None:
        """Tell it the date and time of a zone. Raises ValueError for an unknown IANA name."""
        self.agent.set_timezone(timezone)
