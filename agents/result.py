"""What an agent gives back: text that knows what it cost and how it came about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from phalanx.messages import Message, ToolCall, Usage


class AgentResult(str):
    """An answer: a `str` with facts.

    output: the validated object when a type was asked for, else the text. usage, cost: what it took (cost in US
    dollars, None if a price is not known). tool_calls: every tool call made. messages: the whole conversation, as
    sent. steps: model calls made. duration: seconds. run_id: the run it belongs to. model: who answered.
    """

    output: Any
    usage: Usage
    tool_calls: tuple[ToolCall, ...]
    messages: tuple[Message, ...]
    run_id: str
    steps: int
    duration: float
    model: str

    def __new__(
        cls,
        text: str,
        *,
        output: object = None,
        usage: Usage | None = None,
        tool_calls: Sequence[ToolCall] = (),
        messages: Sequence[Message] = (),
        run_id: str = "",
        steps: int = 0,
        duration: float = 0.0,
        model: str = "",
    ) -> Self:
        self = super().__new__(cls, text)
        self.output = str(text) if output is None else output
        self.usage = usage or Usage()
        self.tool_calls, self.messages = tuple(tool_calls), tuple(messages)
        self.run_id, self.steps, self.duration, self.model = run_id, steps, duration, model
        return self

    @property
    def content(self) -> str:
        """The text, as a plain str."""
        return str(self)

    @property
    def cost(self) -> float | None:
        """US dollars, or None when the price of a call is not known."""
        return self.usage.cost

    @property
    def success(self) -> bool:
        """True: a failed run raises instead."""
        return True

    def __str__(self) -> str:
        return str.__str__(self)  # of exactly this type, whatever `self` is

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), str(self), self.__dict__)


def _restore(cls: type[AgentResult], text: str, facts: dict[str, object]) -> AgentResult:
    self = str.__new__(cls, text)
    self.__dict__.update(facts)
    return self
