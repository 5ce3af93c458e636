"""What is said: messages, tool calls, requests to a model and its completions, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Speaker = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "other"]


class Data(BaseModel):
    """A frozen value that refuses unknown fields: what is sent, stored or shown."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class ToolCall(Data):
    """A model's wish to call a tool.

    id: tells calls of one answer apart, and ties a result to its call. tool_name: which tool. parameters: the
    arguments, by name. arguments_error: why they could not be read, if they could not.
    """

    id: str
    tool_name: str
    parameters: dict[str, object] = Field(default_factory=dict)
    arguments_error: str | None = None


class ToolResult(Data):
    """What a tool gave back.

    success: stored, never guessed from the text. output: text or a JSON value, shown to the model. error: what went
    wrong, if it did; shown in its place. metadata: more facts, for code; the model is not shown them.
    tool_call_id, tool_name: which call it answers.
    """

    success: bool = True
    output: object = None
    error: str | None = None
    metadata: dict[str, object] = Field(default_factory=dict)
    tool_call_id: str = ""
    tool_name: str = ""

    @property
    def result(self) -> object:
        """The output under its other name."""
        return self.output


class Message(Data):
    """One message of a conversation.

    role: "system", "user", "assistant" or "tool". content: the text. name: who speaks. tool_calls: the tools that an
    assistant wants to call. tool_call_id: ties a tool's answer to its call.
    """

    role: Speaker
    content: str = ""
    name: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


class ToolSpec(Data):
    """A tool as a model sees it: `parameters` is a JSON schema of an object."""

    name: str
    description: str
    parameters: dict[str, object]


class OutputSpec(Data):
    """The shape an answer must have: a JSON schema with a name."""

    name: str
    schema_: dict[str, object] = Field(alias="schema")

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, defer_build=True)


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in US dollars per million tokens.

    input: of the prompt. output: of what it generates. cached_input, cache_write: of what is read from and written to
    the provider's cache (default: as `input`). Raises ValueError for one below 0, or none at all (nan, infinite).
    """

    input: float
    output: float
    cached_input: float | None = None
    cache_write: float | None = None

    def __post_init__(self) -> None:
        # One below 0 would pay money back to a run, and so lift its limit.
        for name in ("input", "output", "cached_input", "cache_write"):
            amount = getattr(self, name)
            if amount is not None and not 0 <= amount < math.inf:
                raise ValueError(f"Price({name}={amount!r}): a price is 0 or more US dollars")

    def of(self, usage: Usage) -> float:
        """The cost of `usage`, in US dollars."""
        cached = self.input if self.cached_input is None else self.cached_input
        write = self.input if self.cache_write is None else self.cache_write
        plain = max(0, usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens)
        total = plain * self.input + usage.cached_tokens * cached + usage.cache_write_tokens * write
        return (total + usage.output_tokens * self.output) / 1e6


@dataclass(frozen=True, slots=True)
class Usage:
    """What was spent. Usages add up; the sum's cost is unknown (None) as soon as one part's is.

    calls: requests to a model, retries included. input_tokens: all of the prompt, cached parts included, of which
    cached_tokens were read from and cache_write_tokens written to the provider's cache. output_tokens: all that was
    generated, of which reasoning_tokens were not shown. known_cost: US dollars of the calls whose price is known;
    unpriced_calls: how many calls have none. estimated: a provider reported no tokens, so they were estimated.
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    known_cost: float = 0.0
    unpriced_calls: int = 0
    estimated: bool = False

    @property
    def tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens

    @property
    def cost(self) -> float | None:
        """US dollars, or None when the price of a call is not known."""
        return None if self.unpriced_calls else self.known_cost

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            round(self.known_cost + other.known_cost, 12),
            self.unpriced_calls + other.unpriced_calls,
            self.estimated or other.estimated,
        )

    def priced(self, price: Price | None) -> Usage:
        """This usage with its cost at `price`; with no price its calls count as unpriced."""
        if price is None:
            return replace(self, known_cost=0.0, unpriced_calls=self.calls)
        return replace(self, known_cost=price.of(self), unpriced_calls=0)


@dataclass(frozen=True, slots=True)
class About:
    """Who asks a model, and where in a run: facts for simulators, recordings and logs; never sent to a provider.

    path: the causal position in the run; member, role: who asks; stage: what the call is for, e.g. "draft" or
    "revise"; round: 0 for a first draft, then 1, 2, …; attempt: which sample of the same question; question: the
    task's id or text; seed: the run's.
    """

    path: tuple[str, ...] = ()
    member: str = ""
    role: str = ""
    stage: str = ""
    round: int = 0
    attempt: int = 0
    question: str = ""
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question to a model, the same for every provider.

    max_tokens: the most it may generate. output: the shape its answer must have. tool_choice: "auto", "none",
    "required" or a tool's name. Sampling options that are None are left to the provider.
    """

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str | None = None
    output: OutputSpec | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    about: About = About()


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A model's answer. `model` is the name the provider gave; `cached` says that nothing was paid for it."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage(calls=1)
    finish_reason: FinishReason = "stop"
    model: str = ""
    reasoning: str = ""
    id: str = ""
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a streamed answer; the last one carries the whole `completion`."""

    text: str = ""
    reasoning: str = ""
    completion: Completion | None = None


def estimate_tokens(text: str) -> int:
    """An upper estimate of the tokens of `text`, without a tokenizer: a third of its UTF-8 bytes, rounded up."""
    return (len(text.encode("utf-8", "replace")) + 2) // 3


def estimate_request(request: Request) -> int:
    """An upper estimate of a request's input tokens: its texts, tools and schema, and 8 tokens a message."""
    total = 0
    for message in request.messages:
        total += 8 + estimate_tokens(message.content)
        for call in message.tool_calls:
            total += 8 + estimate_tokens(call.tool_name) + estimate_tokens(str(call.parameters))
    for tool in request.tools:
        total += 16 + estimate_tokens(tool.name + tool.description + str(tool.parameters))
    if request.output is not None:
        total += 16 + estimate_tokens(str(request.output.schema_))
    return total
