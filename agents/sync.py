"""An agent for code that is not async, with a conversation that goes on."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from phalanx.messages import Message
from phalanx.runtime.blocking import run_blocking

from .agent import Agent
from .memory import AgentMemory, SimpleAgentMemory
from .models.retry import RetryConfig
from .result import AgentResult
from .step_events import StepStream, StreamingEvent
from .sync_stream import iterate


class SyncAgent:
    """An agent whose `run` is a plain call and remembers what was said before.

    llm_client: a client object, a Model, or a provider's name; without one, and without model=, the environment's.
    system_prompt: what it always has to keep in mind. max_iterations: model calls in one turn. retry_config: how
    failed calls are made again (default: RetryConfig()). stream: ask for answers in pieces. timezone: of the date and
    time that it is told. memory: what is kept of a long conversation (default: 8000 tokens of it).
    final_answer_format_instructions: what an answer has to look like. verbose: log what it does, from
    PHALANX_LOG_LEVEL on (default INFO). Other keywords: Agent's.

    `agent` is the Agent inside. Raises what Agent raises.
    """

    def __init__(
        self,
        llm_client: object = None,
        system_prompt: str | None = None,
        max_iterations: int = Agent.DEFAULT_MAX_ITERATIONS,
        retry_config: RetryConfig | None = None,
        stream: bool = False,
        final_answer_format_instructions: str | None = None,
        timezone: str = "UTC",
        memory: AgentMemory | None = None,
        verbose: bool = False,
        **options: Any,
    ) -> None:
        if llm_client is not None:
            options["llm_client"] = llm_client
        if retry_config is not None:
            options["retry_config"] = retry_config
        if final_answer_format_instructions is not None:
            options["final_answer_format_instructions"] = final_answer_format_instructions
        self.agent = Agent(
            system_prompt=system_prompt,
            max_iterations=max_iterations,
            memory=memory or SimpleAgentMemory(),
            timezone=timezone,
            stream=stream,
            verbose=verbose,
            **options,
        )

    def run(self, user_input: str) -> AgentResult:
        """Answer, as the next turn of the conversation.

        user_input: what is said to it. Returns the answer, a str with facts. Raises MaxIterationsError, LLMCallError,
        and what else Agent.run raises.
        """

        async def work() -> AgentResult:
            try:
                return await self.agent.chat(user_input)
            finally:
                await self.agent.aclose()

        return run_blocking(work)

    def run_stream(self, user_input: str) -> Generator[StreamingEvent, None, None]:
        """Answer, as the next turn of the conversation, and give each step as it happens.

        user_input: what is said to it. The run goes on in a thread; closing the generator early cancels it, and then
        nothing is remembered. Gives the events of Agent.run_stream. Raises what `run` raises.
        """
        return iterate(lambda: StepStream(self.agent.chat_events(user_input), self.agent.name), self.agent.aclose)

    def register_tool(self, tool: object) -> None:
        """Give it one more tool. Raises InvalidToolSchemaError for what is no tool, or when its name is taken."""
        self.agent.register_tool(tool)

    register_toolset = register_tool

    def unregister_tool(self, tool_name: str) -> None:
        """Take the tool named `tool_name` away. Raises ToolNotFoundError."""
        self.agent.unregister_tool(tool_name)

    def list_tools(self) -> list[str]:
        """The names of its tools."""
        return self.agent.list_tools()

    def reset(self) -> None:
        """Forget the conversation."""
        self.agent.reset()

    def add_message(self, role: str, content: str) -> None:
        """Add a message to the conversation.

        role: who spoke: "system", "user", "assistant" or "tool". content: the text. Raises pydantic's ValidationError
        for an unknown role.
        """
        self.agent.add_message(role, content)

    def get_conversation_history(self) -> list[Message]:
        """A copy of the conversation."""
        return self.agent.get_conversation_history()

    def set_system_prompt(self, prompt: str) -> None:
        """Replace its instructions by `prompt`."""
        self.agent.set_system_prompt(prompt)

    def set_timezone(self, timezone: str) -> None:
        """Tell it the date and time.

        timezone: of which zone, an IANA name such as "Europe/London". Raises ValidationError for an unknown one.
        """
        self.agent.set_timezone(timezone)

    def __repr__(self) -> str:
        return f"SyncAgent({self.agent!r})"
