"""An agent's turn: ask the model, use the tools it asks for, until it answers; then give the answer its shape."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel

from phalanx.errors import (
    ConfigurationError,
    InvalidRequest,
    LLMCallError,
    MaxIterationsError,
    ResponseParseError,
    ToolExecutionError,
)
from phalanx.messages import (
    About,
    Completion,
    Message,
    Request,
    ToolCall,
    ToolResult,
    Usage,
    estimate_request,
)
from phalanx.runtime.limits import Need
from phalanx.runtime.run import Run
from phalanx.runtime.together import together
from phalanx.settings import DEFAULT_MAX_TOKENS

from .halves import whole
from .memory import AgentMemory
from .models.model import Model, is_free, native_tools, price, stream
from .models.stray import LEAKED, is_stray
from .output import Shape
from .prompts import Prompts, fenced
from .result import AgentResult
from .tools.tool import Tool, spec_of
from .tools.use import Approver, result_text, use


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """All that one turn of an agent needs: who speaks, to which model, with what, about what."""

    model: Model
    system: str
    prompt: str
    history: Sequence[Message] = ()
    tools: Mapping[str, Tool] = field(default_factory=dict)
    text_tools: bool = False
    shape: Shape[Any] | None = None
    memory: AgentMemory | None = None
    prompts: Prompts = field(default_factory=Prompts)
    approve: Approver | None = None
    max_iterations: int = 10
    max_tool_errors: int = 5
    temperature: float | None = None
    max_tokens: int | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)
    about: About = About()
    name: str = ""


async def take(run: Run, turn: Turn) -> AgentResult:
    """Take the turn: model calls and tool calls as steps of the run.

    Raises MaxIterationsError, ToolExecutionError after `max_tool_errors` failed tool calls, ResponseParseError when
    the answer does not fit its shape after one repair, LimitExceeded, ProviderError.
    """
    return await _Conversation(run, turn).answer()


class _Conversation:
    def __init__(self, run: Run, turn: Turn) -> None:
        self.run, self.turn = run, turn
        self.text_tools = bool(turn.tools) and (turn.text_tools or native_tools(turn.model) is False)
        self.messages: list[Message] = []
        self.calls: list[ToolCall] = []
        self.usage = Usage()
        self.steps = self.tool_errors = 0
        self.model_name = ""

    async def answer(self) -> AgentResult:
        turn, started = self.turn, anyio.current_time()
        self.messages = [
            Message(role="system", content=self._system()),
            *turn.history,
            Message(role="user", content=turn.prompt),
        ]
        completion = await self._until_answered()
        text, output = completion.text, None
        if turn.shape is not None:
            text, output = await self._shaped(turn.shape, completion)
        self.messages.append(Message(role="assistant", content=text))
        return AgentResult(
            text,
            output=output,
            usage=self.usage,
            tool_calls=self.calls,
            messages=self.messages,
            run_id=self.run.run_id,
            steps=self.steps,
            duration=anyio.current_time() - started,
            model=self.model_name,
        )

    def _system(self) -> str:
        turn = self.turn
        parts = [turn.system]
        if self.text_tools:
            shown = "\n".join(
                json.dumps({"name": each.name, "description": each.description, "arguments": dict(each.parameters)})
                for each in turn.tools.values()
            )
            parts.append(turn.prompts("text_tools", tools=shown))
        if turn.shape is not None:
            parts.append(turn.prompts("shape", schema=turn.shape.text))
        return "\n\n".join(parts)

    async def _until_answered(self) -> Completion:
        for _ in range(self.turn.max_iterations):
            completion = await self._ask()
            calls = calls_in_text(completion.text) if self.text_tools else completion.tool_calls
            if not calls:
                return completion
            self.messages.append(
                Message(role="assistant", content=completion.text, tool_calls=() if self.text_tools else calls)
            )
            await self._use(calls)
        raise MaxIterationsError(self.turn.max_iterations, agent=self.turn.name)

    async def _ask(self) -> Completion:
        turn = self.turn
        kept = self.messages if turn.memory is None else turn.memory.manage_history(list(self.messages))
        tools = () if self.text_tools else tuple(spec_of(each) for each in turn.tools.values())
        request = Request(
            messages=tuple(kept),
            tools=tools,
            output=None if turn.shape is None else turn.shape.spec,
            temperature=turn.temperature,
            max_tokens=turn.max_tokens,
            about=turn.about,
            **turn.sampling,
        )
        try:
            completion = await ask_model(self.run, turn.model, request, member=turn.name)
        except InvalidRequest as refusal:
            if not tools or "support tools" not in str(refusal).lower():
                raise
            self.run.warn(f"{turn.model.name} takes no tool definitions; tools are described in the prompt instead")
            self.text_tools = True
            self.messages[0] = Message(role="system", content=self._system())
            return await self._ask()
        self.steps += 1
        self.usage += completion.usage
        self.model_name = completion.model or turn.model.name
        if completion.finish_reason == "length":
            self.run.warn(f"{turn.name}'s answer was cut at max_tokens={turn.max_tokens}; raise max_tokens=…")
        return completion

    async def _use(self, calls: Sequence[ToolCall]) -> None:
        turn = self.turn
        # Calls of one turn run at the same time, each in a branch of its own, numbered in the order of the wishes.
        branches = [self.run]
        if len(calls) > 1:
            branches = [self.run.branch(f"call-{len(self.calls) + at + 1}") for at in range(len(calls))]
        results = await together(
            [partial(use, branch, turn.tools, call, turn.approve) for branch, call in zip(branches, calls, strict=True)]
        )
        # A tool may have swallowed a cancellation: whoever cancelled wants no further call.
        await anyio.lowlevel.checkpoint_if_cancelled()
        self.calls += calls
        for call, result in zip(calls, results, strict=True):
            self._note(call, result)

    def _note(self, call: ToolCall, result: ToolResult) -> None:
        text = fenced(result_text(result), f"tool {call.tool_name}")
        if self.text_tools:
            content = self.turn.prompts("text_tool_result", tool=call.tool_name, result=text)
            self.messages.append(Message(role="user", content=content))
        else:
            self.messages.append(Message(role="tool", content=text, tool_call_id=call.id, name=call.tool_name))
        if not result.success:
            self.tool_errors += 1
            if self.tool_errors > self.turn.max_tool_errors:
                raise ToolExecutionError(
                    call.tool_name,
                    RuntimeError(f"{self.tool_errors} tool calls failed, the last with: {result.error}"),
                )

    async def _shaped(self, shape: Shape[Any], completion: Completion) -> tuple[str, Any]:
        try:
            return completion.text, shape.parse(completion.text)
        except ValueError as problem:
            first = self._cut(completion, shape, "write a shorter one") or problem
        self.messages.append(Message(role="assistant", content=completion.text))
        self.messages.append(Message(role="user", content=self.turn.prompts("repair", problem=str(first))))
        self.turn = replace(self.turn, about=replace(self.turn.about, stage="repair"))
        completion = await self._until_answered()
        try:
            return completion.text, shape.parse(completion.text)
        except ValueError as problem:
            advice = f"give {self.turn.name!r} more with Agent(…, max_tokens=…), or ask it for less"
            problem = self._cut(completion, shape, advice) or problem
            raise ResponseParseError(completion.text, problem) from problem

    def _cut(self, completion: Completion, shape: Shape[Any], advice: str) -> ValueError | None:
        """What is wrong with an answer that was cut; None with one that came to its end."""
        if completion.finish_reason != "length":
            return None
        most, written = self.turn.max_tokens, completion.usage.output_tokens
        at = " at the model's own limit" if most is None else f" at max_tokens={most}"
        told = f" after {written} tokens" if written else ""
        return ValueError(f"the {shape.spec.name} was cut{at}{told}, before its end; {advice}")


def unknown_price(model: Model) -> ConfigurationError:
    """The error of a money limit over a model whose price nobody knows."""
    return ConfigurationError(
        f"money is limited but the price of {model.name!r} is not known; "
        "give it with Agent(…, price=Price(input=…, output=…)), in US dollars per million tokens"
    )


async def ask_model(run: Run, model: Model, request: Request, *, member: str = "") -> Completion:
    """One model call as a step of the run, its worst case reserved, its usage priced.

    Raises ConfigurationError when money is limited and the model's price is not known; LimitExceeded; ProviderError.
    """
    accounts = run.accounts
    need = Need(free=is_free(model))
    if accounts.counts_tokens or accounts.counts_money:
        most = DEFAULT_MAX_TOKENS if request.max_tokens is None else request.max_tokens
        worst = Usage(1, estimate_request(request), most)
        need.tokens = worst.tokens
        if accounts.counts_money and not need.free:
            known = await price(model)
            if known is None:
                raise unknown_price(model)
            need = Need(1, worst.tokens, known.of(worst))

    async def call(key: str) -> Completion:
        try:
            return await asked(key)
        except anyio.get_cancelled_exc_class() as stop:
            if not is_stray(stop):
                raise
            # It would end the member's siblings, or the whole program, for what is a failed call.
            raise LLMCallError(LEAKED, model=model.name) from stop

    async def asked(key: str) -> Completion:
        if not run.execution.streaming:
            return await _priced(model, _whole(run, member, await model.complete(request)))
        completion: Completion | None = None
        async for delta in stream(model, request):
            if delta.text:
                run.emit_token(member, delta.text, key)
            completion = delta.completion or completion
        if completion is None:
            raise TypeError(f"{model.name}'s stream ended without a completion")
        return await _priced(model, _whole(run, member, completion))

    return await run.step("model", model.name, request, call, need=need)


def _whole(run: Run, member: str, completion: Completion) -> Completion:
    mended = whole(completion)
    if mended is not completion:
        run.warn(f"{member}'s answer held half of a character, as one that was cut can; U+FFFD stands in its place")
    return mended


async def _priced(model: Model, completion: Completion) -> Completion:
    usage = completion.usage
    if completion.cached or usage.known_cost or usage.unpriced_calls or is_free(model):
        return completion
    return replace(completion, usage=usage.priced(await price(model)))


TEXT_CALL = re.compile(r"```tool_call[^\S\n]*+\n(.*?)```", re.DOTALL)


def calls_in_text(text: str) -> tuple[ToolCall, ...]:
    """The tool calls a model without native tools wrote into its answer."""
    calls = []
    for at, block in enumerate(TEXT_CALL.findall(text), 1):
        problem = None
        name, arguments = "", dict[str, Any]()
        try:
            wish = json.loads(block)
            name, arguments = str(wish["name"]), wish.get("arguments") or {}
            if not isinstance(arguments, dict):
                raise TypeError("arguments must be an object")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            problem, arguments = f'the block is not {{"name": …, "arguments": {{…}}}}: {error}', {}
        calls.append(ToolCall(id=f"text-{at}", tool_name=name, parameters=arguments, arguments_error=problem))
    return tuple(calls)
