"""An agent: a role, a model, tools and a memory, ready to be asked."""

from __future__ import annotations

import datetime
import time
import zoneinfo
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self, overload

import anyio

from phalanx.errors import LimitExceeded, ToolNotFoundError, ValidationError
from phalanx.messages import About, Message, Price, ToolCall, ToolResult
from phalanx.runtime.blocking import run_blocking
from phalanx.runtime.events import AnyEvent, RunFinished, RunStarted, Token
from phalanx.runtime.limits import Limits
from phalanx.runtime.run import Listener, Run
from phalanx.runtime.stream import EventStream
from phalanx.settings import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE, Settings

from . import options as keywords
from .loop import Turn, take
from .memory import AgentMemory
from .models.model import Model, close
from .models.resolve import resolve_now
from .output import Shape
from .prompts import Prompts
from .result import AgentResult
from .role import Role
from .task import Context, Hooks, Task, call_hooks, hooks_of
from .tools.box import ToolBox
from .tools.use import Approver, use


class Agent:
    """One mind with a role.

    Making one does no I/O; it is reusable and may run many tasks at the same time.

    role: a Role, or its name ("coder", "Frontend developer").
    name: what others call it; default: the role's name.
    model: "provider/name", a Model, or a client object; default: the team's, then the environment's.
    provider: a provider's name, or a client object (`llm_client` is the same).
    instructions: what it always has to keep in mind (`system_prompt` is the same).
    tools: functions, BaseTool classes or instances, ToolSets. Names that are no tools become skills in the prompt,
        with a warning; with strict_tools=True they are an error.
    output: a pydantic type that its answers must have; `result.output` is the validated object.
    temperature: 0 to 2; default PHALANX_TEMPERATURE, else 0.7. max_tokens: the most it may generate (default 4096).
    max_iterations: model calls in one turn. memory: what is kept of a long conversation. limits: of each run of it.
    price: what its model costs, where LiteLLM's price map does not know it. prompts: its own text for prompt slots.
    skills: what it knows. hooks: on_start, on_complete, on_error. approve: asked before tools that need approval;
    with none they are denied. provider_options: passed to the provider as they are.
    Other keywords: api_base, api_key, api_version, organization, timeout, extra_headers, top_p, seed, stop, retry,
    retry_attempts, retry_backoff, retry_jitter, timezone, answer_format, verbose, stream.

    Raises ConfigurationError for an unknown keyword or provider, ValidationError for a value out of range.
    """

    DEFAULT_MAX_TOKENS = DEFAULT_MAX_TOKENS
    DEFAULT_MAX_ITERATIONS = 10

    def __init__(
        self,
        role: object = None,
        *,
        name: str | None = None,
        model: object = None,
        tools: Sequence[object] = (),
        output: type | None = None,
        temperature: float | None = None,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        max_iterations: int = 10,
        memory: AgentMemory | None = None,
        limits: Limits | None = None,
        price: Price | None = None,
        prompts: Mapping[str, str] | None = None,
        skills: Sequence[str] = (),
        hooks: Hooks = None,
        approve: Approver | None = None,
        strict_tools: bool = False,
        provider_options: Mapping[str, object] | None = None,
        **options: Any,
    ) -> None:
        if role is not None and not isinstance(role, Role | str):
            # The first argument may also be a client, as in Agent(llm_client, system_prompt=…).
            options.setdefault("provider", role)
            role = None
        self.options = keywords.sort(options, _KEYWORDS)
        self.role = Role.of(role if isinstance(role, Role | str) else "worker")
        if skills:
            self.role = self.role.model_copy(update={"skills": (*self.role.skills, *skills)})
        self.name = name or self.role.name
        self.instructions = self.options.instructions or ""
        environment = Settings.from_environment()
        warmth = environment.temperature if temperature is None else temperature
        self.temperature = _in_range("temperature", DEFAULT_TEMPERATURE if warmth is None else warmth, 0, 2)
        self.max_tokens = int(_in_range("max_tokens", max_tokens, 1, None))
        self.max_iterations = int(_in_range("max_iterations", max_iterations, 1, None))
        self.memory, self.limits, self.price = memory, limits, price
        self.prompts = Prompts(prompts)
        self.hooks, self.approve = hooks_of(hooks), approve
        self.shape: Shape[Any] | None = None if output is None else Shape(output)
        self.tools = ToolBox(tools, strict=strict_tools)
        self.provider_options = dict(provider_options or {})
        self.timezone = self.options.timezone
        self.given_model, self.given_temperature = model, temperature
        self._model: Model | None = None
        self._history: list[Message] = []
        if model is not None or self.options.provider is not None:
            self._model = self._resolve(model, self.options.provider)

    @classmethod
    async def create(
        cls,
        provider: object = None,
        model: object = None,
        temperature: float | None = None,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        *,
        role: Role | str | None = None,
        **options: Any,
    ) -> Self:
        """An agent, with its model found and checked.

        Takes what the constructor takes. Raises ConfigurationError when no model can be found, besides what the
        constructor raises.
        """
        if provider is not None:
            options["provider"] = provider
        agent = cls(role, model=model, temperature=temperature, max_tokens=max_tokens, **options)
        await agent.model_or(None)
        return agent

    # -- asking ---------------------------------------------------------------------------------------------------

    async def run(
        self,
        task: Task | str,
        context: Context | None = None,
        tools: Sequence[object] | None = None,
        *,
        output: type | None = None,
        limits: Limits | None = None,
        seed: int = 0,
        run_id: str | None = None,
        on_event: Listener | None = None,
    ) -> AgentResult:
        """Do a task.

        context: what it needs to know, as text or named parts. tools: only these, for this run (names of its own, or
        new ones). output: the type of the answer. limits: of this run. seed: of all chance. on_event: called with
        each event as it happens.

        Returns the answer, a str with facts. Raises ProviderError, ToolError, MaxIterationsError,
        ResponseParseError, LimitExceeded; ValidationError for a task that cannot be worked on.
        """
        listeners = () if on_event is None else (on_event,)
        return await self._perform(task, context, tools, output, limits, seed, run_id, listeners, self.options.stream)

    def run_sync(self, task: Task | str, context: Context | None = None, **options: Any) -> AgentResult:
        """`run` for code that is not async; works inside a running event loop too, so in notebooks."""

        async def work() -> AgentResult:
            try:
                return await self.run(task, context, **options)
            finally:
                await self.aclose()

        return run_blocking(work)

    def stream_events(
        self, task: Task | str, context: Context | None = None, **options: Any
    ) -> EventStream[AgentResult]:
        """Do a task and iterate over its events as they happen, tokens included; `.result` holds the answer after.

        Leaving the loop early, or the `async with` block, cancels the run. Takes what `run` takes.
        """

        async def work(listener: Listener) -> AgentResult:
            given = {"tools": None, "output": None, "limits": None, "seed": 0, "run_id": None} | options
            if strange := sorted(set(given) - {"tools", "output", "limits", "seed", "run_id"}):
                raise TypeError(f"stream_events() has no argument {strange[0]!r}")
            return await self._perform(
                task, context, given["tools"], given["output"], given["limits"], given["seed"], given["run_id"],
                (listener,), True,
            )  # fmt: skip

        return EventStream(work)

    async def astream(self, task: Task | str, context: Context | None = None, **options: Any) -> AsyncIterator[str]:
        """Do a task and give its answer piece by piece, as text. Takes and raises what `run` does."""
        async with self.stream_events(task, context, **options) as events:
            async for event in events:
                if isinstance(event, Token):
                    yield event.text

    @overload
    async def chat(self, messages: str, **options: Any) -> AgentResult: ...
    @overload
    async def chat(self, messages: Sequence[Mapping[str, str] | Message], **options: Any) -> dict[str, Any]: ...
    async def chat(self, messages: object, **options: Any) -> AgentResult | dict[str, Any]:
        """Talk.

        With text: go on with the conversation, which this agent keeps; returns the answer. With a list of messages
        (role and content): answer that conversation without keeping anything; returns a dict with role, content,
        usage, model and tool_calls. Raises what `run` raises.
        """
        if isinstance(messages, str):
            result = await self._perform(messages, history=tuple(self._history), plain=True, **options)
            self._history += [Message(role="user", content=messages), Message(role="assistant", content=result.content)]
            return result
        given = [each if isinstance(each, Message) else Message.model_validate(each) for each in _sequence(messages)]
        if not given or given[-1].role != "user":
            raise ValidationError("chat needs at least one message, and the last one must have the role 'user'")
        result = await self._perform(given[-1].content, history=tuple(given[:-1]), plain=True, **options)
        return {
            "role": "assistant", "content": result.content, "usage": result.usage, "model": result.model,
            "tool_calls": list(result.tool_calls),
        }  # fmt: skip

    async def execute_tool(self, tool_name: str, **arguments: object) -> ToolResult:
        """Use one of its tools directly. Raises ToolNotFoundError; a failing tool gives a result with `error`."""
        if tool_name not in self.tools.tools:
            raise ToolNotFoundError(tool_name, tuple(self.tools.tools))
        call = ToolCall(id="direct", tool_name=tool_name, parameters=arguments)
        return await use(Run.open(self.name, limits=self.limits), self.tools.tools, call, self.approve)

    # -- what a team uses -----------------------------------------------------------------------------------------

    async def turn(
        self,
        prompt: str,
        *,
        model: Model,
        role: Role | None = None,
        prompts: Prompts | None = None,
        shape: Shape[Any] | None = None,
        tools: Sequence[object] | None = None,
        history: Sequence[Message] = (),
        about: About = About(),
        now: float | None = None,
    ) -> Turn:
        """A turn of this agent, to be taken in a run: its role card, its tools, its sampling, and a prompt."""
        role = role or self.role
        words = self.prompts.over(prompts) if prompts is not None else self.prompts
        box = self.tools if tools is None else self.tools.only(tools)
        if role.tools is not None:
            box = box.allowed(role.tools)
        return Turn(
            model=model,
            system=self.system_prompt(role, words, box, now),
            prompt=prompt,
            history=history,
            tools=box.tools,
            shape=shape or self.shape,
            memory=self.memory,
            prompts=words,
            approve=self.approve,
            max_iterations=self.max_iterations,
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            sampling=self.options.sampling,
            about=replace(about, member=about.member or self.name, role=role.name),
            name=self.name,
        )

    def system_prompt(
        self,
        role: Role | None = None,
        prompts: Prompts | None = None,
        box: ToolBox | None = None,
        now: float | None = None,
    ) -> str:
        """The system message: role card, skills, instructions, the notice on data, the date if a zone is set.

        now: seconds since the epoch; a run says when it began, so that it can be resumed with the same words.
        """
        role, words, box = role or self.role, prompts or self.prompts, box or self.tools
        skills = (*role.skills, *box.skills)
        extra = [self.instructions, box.notes, self.options.answer_format]
        if self.timezone is not None:
            moment = time.time() if now is None else now
            date = datetime.datetime.fromtimestamp(moment, zoneinfo.ZoneInfo(self.timezone))
            extra.append(f"It is {date:%A, %Y-%m-%d %H:%M} in {self.timezone}.")
        rest = "\n\n".join(part for part in extra if part)
        return words(
            "role",
            name=self.name,
            role=role.name,
            duty=role.described_duty,
            skills=f"\nYou know: {', '.join(skills)}." if skills else "",
            instructions=f"\n\n{rest}" if rest else "",
            data_notice=words("data_notice"),
        )

    @property
    def needs_model(self) -> bool:
        """Whether it has no model of its own, so that a team's or the environment's is used."""
        return self._model is None and not self._has_model_options()

    async def model_or(self, default: Model | None) -> Model:
        """Its model: its own, or `default`, or the environment's. Raises ConfigurationError when there is none."""
        if self._model is not None:
            return self._model
        if default is not None and self.needs_model:
            return default
        self._model = await resolve_now(
            options=self.options.transport,
            provider_options=self.provider_options,
            price=self.price,
            retry=self.options.retry,
        )
        return self._model

    # -- history, tools, settings ---------------------------------------------------------------------------------

    def reset(self) -> None:
        """Forget the conversation kept by `chat`."""
        self._history.clear()

    def add_message(self, role: str, content: str) -> None:
        """Add a message to the conversation kept by `chat`. Raises pydantic's ValidationError for an unknown role."""
        self._history.append(Message.model_validate({"role": role, "content": content}))

    def get_conversation_history(self) -> list[Message]:
        """A copy of the conversation kept by `chat`."""
        return list(self._history)

    def register_tool(self, tool: object) -> None:
        """Give it one more tool, in any form `tools=` takes."""
        self.tools = self.tools.plus(tool)

    register_toolset = register_tool

    def unregister_tool(self, tool_name: str) -> None:
        """Take a tool away. Raises ToolNotFoundError."""
        self.tools = self.tools.minus(tool_name)

    def list_tools(self) -> list[str]:
        """The names of its tools."""
        return list(self.tools.tools)

    def set_system_prompt(self, prompt: str) -> None:
        """Replace its instructions."""
        self.instructions = prompt

    def set_timezone(self, timezone: str) -> None:
        """Tell it the date and time of a zone in every prompt. Raises ValueError for an unknown IANA name."""
        self.timezone = keywords.check_timezone(timezone)

    def add_hook(self, hook: Hooks) -> None:
        """Run a hook with every task."""
        self.hooks = (*self.hooks, *hooks_of(hook))

    async def aclose(self) -> None:
        """Let go of its model's connections; it can be used again after."""
        if self._model is not None:
            await close(self._model)

    cleanup = close = aclose

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        model = "" if self._model is None else f", model={self._model.name!r}"
        return f"Agent({self.role.name!r}, name={self.name!r}{model})"

    # -- inside ---------------------------------------------------------------------------------------------------

    async def _perform(
        self,
        task: Task | str,
        context: Context | None = None,
        tools: Sequence[object] | None = None,
        output: type | None = None,
        limits: Limits | None = None,
        seed: int = 0,
        run_id: str | None = None,
        listeners: tuple[Callable[[AnyEvent], None], ...] = (),
        streaming: bool = False,
        *,
        history: Sequence[Message] = (),
        plain: bool = False,
    ) -> AgentResult:
        job = Task.of(task, context)
        model = await self.model_or(None)
        allowed = limits or self.limits
        run = Run.open(self.name, limits=allowed, seed=seed, run_id=run_id, listeners=listeners, streaming=streaming)
        turn = await self.turn(
            job.description if plain and job.context is None else job.render(self.prompts),
            model=model,
            shape=None if output is None else Shape(output),
            tools=tools,
            history=history,
            about=About(path=run.path, stage="run", question=job.id, seed=seed),
            now=run.started,
        )
        run.emit(RunStarted, self.name, "agent", job.description, seed, ((self.name, self.role.name),))
        for warning in self.tools.warnings:
            run.warn(warning)
        hooks = (*self.hooks, *job.hooks)
        job.status = "running"
        await call_hooks(run.warn, hooks, "on_start", job)
        status, text, reason = "failed", "", None
        try:
            seconds = None if allowed is None else allowed.seconds
            with run.deadline(seconds, of_run=True) as scope:
                result = await take(run, turn)
            if scope.cancelled_caught and seconds is not None:
                raise LimitExceeded("seconds", spent=seconds, limit=seconds, owner=f"run {self.name!r}")
            status, text, job.status, job.result = "completed", result.content, "completed", result
        except BaseException as failure:
            job.status, job.error, reason = "failed", failure, str(failure)
            if not isinstance(failure, Exception):
                status = "cancelled"
                raise
            await call_hooks(run.warn, hooks, "on_error", job, failure)
            raise
        finally:
            run.emit(RunFinished, status, text, reason, run.usage)
            with anyio.move_on_after(5, shield=True):
                await run.execution.flush()
        await call_hooks(run.warn, hooks, "on_complete", job, result)
        return result

    def _resolve(self, model: object, provider: object) -> Model:
        from .models.resolve import resolve

        return resolve(
            model, provider, options=self.options.transport, provider_options=self.provider_options,
            price=self.price, retry=self.options.retry,
        )  # fmt: skip

    def _has_model_options(self) -> bool:
        return bool(self.options.transport or self.provider_options or self.options.retry or self.price)


_KEYWORDS = (
    "role", "name", "model", "tools", "output", "temperature", "max_tokens", "max_iterations", "memory", "limits",
    "price", "prompts", "skills", "hooks", "approve", "strict_tools", "provider_options",
)  # fmt: skip


def _in_range(what: str, value: float, least: float, most: float | None) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValidationError(f"{what} must be a number, not {type(value).__name__}")
    if not value >= least or (most is not None and value > most):
        span = f"at least {least}" if most is None else f"from {least} to {most}"
        raise ValidationError(f"{what} must be {span}, not {value}")
    return value


def _sequence(given: object) -> Sequence[Any]:
    if isinstance(given, Sequence):
        return given
    raise ValidationError(f"chat takes text or a list of messages, not {type(given).__name__}")
