"""What an agent does, step by step, as the few events that a user interface needs.

They are made of the run's own events and say less: what is thought and said as it comes, which tools are called and
what they gave, the answer. `agent.stream_events(…)` has everything else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Literal, Self

from phalanx.messages import Completion, Data, Message, Request, ToolCall, ToolResult
from phalanx.runtime.events import AnyEvent, RunFinished, RunStarted, StepFinished, StepStarted, Token
from phalanx.runtime.stream import EventStream

from .loop import TEXT_CALL, calls_in_text
from .result import AgentResult


class AgentPlan(Data):
    """What the model thought before it acted, where its provider shows that. plan: the text."""

    plan: str = ""


class AgentStep(Data):
    """What the model does next. tool_calls: the tools it calls. tool_thought: what it said with that, or None."""

    tool_thought: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()


class AgentFinalResponse(Data):
    """The answer. final_answer: its text."""

    final_answer: str


class _AgentEvent(Data):
    """step_id: the model call it belongs to, by its causal key. agent_id: the agent's name."""

    step_id: str
    agent_id: str = ""


class AgentStreamStart(_AgentEvent):
    """A model is asked; what it says comes next."""

    kind: Literal["stream.start"] = "stream.start"


class AgentToken(_AgentEvent):
    """A piece of what the model says. content: the text, to be put after what came before."""

    kind: Literal["token"] = "token"
    content: str


class AgentStreamEnd(_AgentEvent):
    """The model has said what it had to say, or failed."""

    kind: Literal["stream.end"] = "stream.end"


class AgentPlanEvent(_AgentEvent):
    """What the model thought. plan: as an AgentPlan."""

    kind: Literal["plan"] = "plan"
    plan: AgentPlan


class AgentStepEvent(_AgentEvent):
    """The model wants to use tools. step: which, as an AgentStep."""

    kind: Literal["step"] = "step"
    step: AgentStep


class AgentToolResultsEvent(_AgentEvent):
    """The tools of a step are done. results: what they gave, in the order of the step's calls."""

    kind: Literal["tool.results"] = "tool.results"
    results: tuple[ToolResult, ...]


class AgentFinalResponseEvent(_AgentEvent):
    """The agent is done. response: the answer, as an AgentFinalResponse; `step_id` is the call that gave it."""

    kind: Literal["final"] = "final"
    response: AgentFinalResponse


StreamingEvent = (
    AgentStreamStart
    | AgentToken
    | AgentStreamEnd
    | AgentPlanEvent
    | AgentStepEvent
    | AgentToolResultsEvent
    | AgentFinalResponseEvent
)
"""Any of an agent's step events, told apart by `kind` or by type."""


class StepStream:
    """An agent's step events as they happen, and its result at the end.

    A plain `async for` works, `async with` closes it for sure. Leaving it early cancels the run. An error of the run
    is raised by the iteration. It can be iterated over once.
    """

    def __init__(self, events: EventStream[AgentResult], agent_id: str) -> None:
        self._events, self._steps = events, _Steps(agent_id)
        self._ready: deque[StreamingEvent] = deque()

    @property
    def result(self) -> AgentResult:
        """What the run returned. Raises RuntimeError before its end."""
        return self._events.result

    def __aiter__(self) -> AsyncIterator[StreamingEvent]:
        return self

    async def __anext__(self) -> StreamingEvent:
        while not self._ready:
            self._ready.extend(self._steps.of(await self._events.__anext__()))
        return self._ready.popleft()

    async def __aenter__(self) -> Self:
        await self._events.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cancel the run if it still goes on, and wait until it has cleaned up."""
        await self._events.aclose()


class _Steps:
    """Reads a run's events and says which step events they are.

    What runs below the agent (a team as a tool of it) has a longer path and is left out.
    """

    def __init__(self, agent_id: str) -> None:
        self.agent_id, self.key = agent_id, ""
        self.root: tuple[str, ...] = ()
        self.said = Completion()
        self.calls: tuple[ToolCall, ...] = ()
        self.results: list[ToolResult | None] = []
        self.places: dict[str, int] = {}

    def of(self, event: AnyEvent) -> Iterator[StreamingEvent]:
        match event:
            case RunStarted() if not self.root:
                self.root = event.path
            case Token() if event.path == self.root:
                yield AgentToken(step_id=event.key, agent_id=self.agent_id, content=event.text)
            case StepStarted(step="model", request=Request() as request) if event.path == self.root:
                yield from self._next_call(event.key, request)
            case StepFinished(step="model") if event.path == self.root:
                yield from self._said(event)
            case StepStarted(step="tool", request=ToolCall() as call) if self._is_own_tool(event):
                if not self.calls:
                    yield from self._step(calls_in_text(self.said.text))
                self._begins(event.key, call)
            case StepFinished(step="tool", result=ToolResult() as result) if event.key in self.places:
                yield from self._gave(self.places[event.key], result)
            case RunFinished(status="completed") if event.path == self.root:
                answer = AgentFinalResponse(final_answer=event.text)
                yield AgentFinalResponseEvent(step_id=self.key, agent_id=self.agent_id, response=answer)
            case _:
                return

    def _next_call(self, key: str, request: Request) -> Iterator[StreamingEvent]:
        if not self.calls and not request.tools:
            # Calls written as text of which none was made, because none could be.
            yield from self._step(calls_in_text(self.said.text))
        if None in self.results:
            yield self._results(request.messages)
        self.key, self.said, self.calls, self.results = key, Completion(), (), []
        yield AgentStreamStart(step_id=key, agent_id=self.agent_id)

    def _said(self, event: StepFinished) -> Iterator[StreamingEvent]:
        yield AgentStreamEnd(step_id=event.key, agent_id=self.agent_id)
        if not isinstance(event.result, Completion):
            return
        self.said = event.result
        if self.said.reasoning:
            plan = AgentPlan(plan=self.said.reasoning)
            yield AgentPlanEvent(step_id=event.key, agent_id=self.agent_id, plan=plan)
        yield from self._step(self.said.tool_calls)

    def _step(self, calls: tuple[ToolCall, ...]) -> Iterator[StreamingEvent]:
        if calls:
            self.calls, self.results, self.places = calls, [None] * len(calls), {}
            thought = TEXT_CALL.sub("", self.said.text).strip()
            step = AgentStep(tool_thought=thought or None, tool_calls=calls)
            yield AgentStepEvent(step_id=self.key, agent_id=self.agent_id, step=step)

    def _begins(self, key: str, call: ToolCall) -> None:
        """Remember which of the calls a tool's step is. Ids may be the same, and branches end in any order."""
        taken = self.places.values()
        place = next((at for at, each in enumerate(self.calls) if each == call and at not in taken), None)
        if place is not None:
            self.places[key] = place

    def _gave(self, place: int, result: ToolResult) -> Iterator[StreamingEvent]:
        self.results[place] = result
        if None not in self.results:
            yield self._results(())

    def _results(self, messages: Sequence[Message]) -> StreamingEvent:
        """All results; a call that was refused made no step, so what the model was told of it is read from there."""
        told: list[Message | None] = [None] * len(self.calls)
        told[max(0, len(told) - len(messages)) :] = messages[-len(told) :]
        results = tuple(
            result or _refused(call, message)
            for call, result, message in zip(self.calls, self.results, told, strict=True)
        )
        self.results = list(results)
        return AgentToolResultsEvent(step_id=self.key, agent_id=self.agent_id, results=results)

    def _is_own_tool(self, event: StepStarted) -> bool:
        return event.path[: len(self.root)] == self.root and len(event.path) <= len(self.root) + 1


def _refused(call: ToolCall, message: Message | None) -> ToolResult:
    """The result of a call that was refused: its error is what stands between the fences of what the model was told."""
    lines = [] if message is None else message.content.splitlines()
    first = next((at for at, line in enumerate(lines) if line.startswith("Error: ")), None)
    error = "it was not called" if first is None else "\n".join(lines[first:-1]).removeprefix("Error: ")
    return ToolResult(success=False, error=error, tool_call_id=call.id, tool_name=call.tool_name)
