"""An agent: a role, a model, tools and a memory, ready to be asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from phalanx.errors import ConfigurationError
from phalanx.messages import About, Message, Price
from phalanx.runtime.blocking import run_blocking
from phalanx.runtime.events import Token
from phalanx.runtime.execution import Listener
from phalanx.runtime.limits import Limits, as_limits
from phalanx.runtime.stream import EventStream
from phalanx.settings import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE

from . import options as keywords
from .card import card
from .chat import Conversing
from .equipment import Equipped
from .loop import Turn
from .memory import AgentMemory
from .models.adjust import Streamed
from .models.model import Model, close
from .models.resolve import adjusted, resolve, resolve_now
from .models.surroundings import current_settings
from .output import Shape
from .perform import perform
from .prompts import Prompts
from .result import AgentResult
from .role import Role
from .task import Context, Hooks, Task, hooks_of
from .tools.box import ToolBox
from .tools.use import Approver
from .verbose import Verbose, log_level

if TYPE_CHECKING:
    from .step_events import StepStream


class Agent(Conversing, Equipped):
    """One mind with a role.

    Making one does no I/O; it is reusable and may run many tasks at the same time.

    role: a Role, or its name ("coder", "Frontend developer"); in its place a client object may stand.
    system_prompt: what it always has to keep in mind (`instructions` is the same).
    name: what others call it; default: the role's name.
    model: "provider/name", a Model, a client object (`chat`, `call`) or a function; default: the team's, then the
        environment's.
    provider: a provider's name, or a BaseProvider or client object (`llm_client` is the same).
    tools: functions, BaseTool classes or instances, ToolSets. Names that are no tools become skills in the prompt,
        with a warning; with strict_tools=True they are an error.
    output: a pydantic type that its answers must have; `result.output` is the validated object.
    temperature: 0 to 2; default PHALANX_TEMPERATURE, else 0.7. Where a provider takes less, less is sent, with a
        warning. max_tokens: the most it may generate (default 4096).
    max_iterations: model calls in one turn. memory: what is kept of a long conversation. limits: of each run of it,
        a Limits or its fields.
    price: what its model costs, where that is not known or known better. prompts: its own text for prompt slots.
    skills: what it knows. hooks: on_start, on_complete, on_error. approve: asked before tools that need approval;
        with none they are denied. provider_options: passed to the provider as they are.

    Other keywords. Of its model, when that is given by name: api_base (base_url), api_key, api_version,
    organization, timeout (seconds), extra_headers (default_headers), path. Of each call: top_p, seed, stop. After
    failed calls: retry (retry_config), a RetryConfig, or retry_attempts, retry_backoff, retry_jitter. timezone: an
    IANA name, to be told the date and time in. answer_format (final_answer_format_instructions): what an answer has
    to look like. verbose: log what it does through structlog, from PHALANX_LOG_LEVEL on (default INFO). stream: ask
    for answers in pieces also where nobody watches them come.

    Raises ConfigurationError for an unknown keyword or provider, or one that does not go with another;
    ValidationError for a value of the wrong type or out of range.
    """

    DEFAULT_MAX_TOKENS = DEFAULT_MAX_TOKENS
    DEFAULT_MAX_ITERATIONS = 10

    def __init__(
        self,
        role: object = None,
        system_prompt: str | None = None,
        *,
        name: str | None = None,
        model: object = None,
        tools: Sequence[object] = (),
        output: type | None = None,
        temperature: float | None = None,
        max_tokens: int = DEFAULT_MAX_TOKENS,
        max_iterations: int = 10,
        memory: AgentMemory | None = None,
        limits: Limits | Mapping[str, float] | None = None,
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
            if "provider" in options or "llm_client" in options:
                raise ConfigurationError(f"a role is a Role or a name, not {type(role).__name__}")
            options["provider"] = role
            role = None
        if system_prompt is not None:
            options["system_prompt"] = system_prompt
        self.options = keywords.sort(options)
        self.role = Role.of(role if isinstance(role, Role | str) else "worker")
        if known := keywords.texts("skills", () if skills is None else skills):
            self.role = self.role.model_copy(update={"skills": (*self.role.skills, *known)})
        self.name = keywords.text("name", name) or self.role.name
        self.instructions = self.options.instructions or ""
        environment = current_settings()
        warmth = environment.temperature if temperature is None else temperature
        self.temperature = keywords.in_range("temperature", DEFAULT_TEMPERATURE if warmth is None else warmth, 0, 2)
        self.max_tokens = keywords.whole("max_tokens", max_tokens, 1)
        self.max_iterations = keywords.whole("max_iterations", max_iterations, 1)
        self.memory, self.limits, self.price = keywords.memory(memory), as_limits(limits), keywords.price(price)
        keywords.texts("prompts", keywords.mapping("prompts", prompts).values())
        self.prompts = Prompts(prompts)
        self.hooks, self.approve = hooks_of(hooks), keywords.function("approve", approve)
        self.shape: Shape[Any] | None = None if output is None else Shape(output)
        self.tools = ToolBox(tools, strict=keywords.flag("strict_tools", strict_tools))
        self.provider_options = dict(keywords.mapping("provider_options", provider_options))
        self.timezone = self.options.timezone
        self.given_model, self.given_temperature = model, temperature
        if self.options.verbose:
            log_level()
        self._model: Model | None = None  # its own
        self._default: Model | None = None  # the environment's, for when nobody gives it one
        self._lent: tuple[Model, Model] | None = None  # a team's, and what was made of it for this agent
        self._history: list[Message] = []
        self._card: tuple[tuple[object, ...], str] | None = None  # the last system message, and what it was made of
        if model is not None or self.options.provider is not None:
            self._model = resolve(model, self.options.provider, **self._wishes())

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

        provider, model, temperature, max_tokens, role: as `Agent` has them; so are the other keywords. Raises
        ConfigurationError when no model can be found, besides what the constructor raises.
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
        limits: Limits | Mapping[str, float] | None = None,
        seed: int = 0,
        run_id: str | None = None,
        on_event: Listener | None = None,
    ) -> AgentResult:
        """Do a task.

        context: what it needs to know, as text or named parts. tools: only these, for this run (names of its own, or
        new ones). output: the type of the answer. limits: of this run. seed: of all chance. run_id: what the run is
        called in its events and in the result (default: a new id). on_event: called with each event as it happens.

        Returns the answer, a str with facts. Raises ProviderError, ToolError, MaxIterationsError,
        ResponseParseError, LimitExceeded; ValidationError for a task that cannot be worked on.
        """
        return await perform(
            self, Task.of(task, context), tools=tools, output=output, limits=as_limits(limits), seed=seed,
            run_id=run_id, on_event=on_event,
        )  # fmt: skip

    def run_sync(self, task: Task | str, context: Context | None = None, **options: Any) -> AgentResult:
        """`run` for code that is not async; works inside a running event loop too, so in notebooks.

        task, context: as `run` has them. options: its other keywords. Returns and raises what it does; the model's
        connections are closed after.
        """

        async def work() -> AgentResult:
            try:
                return await self.run(task, context, **options)
            finally:
                await self.aclose()

        return run_blocking(work)

    def stream_events(
        self,
        task: Task | str,
        context: Context | None = None,
        tools: Sequence[object] | None = None,
        *,
        output: type | None = None,
        limits: Limits | Mapping[str, float] | None = None,
        seed: int = 0,
        run_id: str | None = None,
    ) -> EventStream[AgentResult]:
        """Do a task and iterate over all events of its run as they happen, tokens included; `.result` is the answer.

        Leaving its `async with` block cancels the run; so does letting go of a stream that was not entered. Takes
        what `run` does, run_id included, and the iteration raises what `run` does.
        """
        return EventStream(
            lambda listener: perform(
                self, Task.of(task, context), tools=tools, output=output, limits=as_limits(limits), seed=seed,
                run_id=run_id, on_event=listener, streaming=True,
            )
        )  # fmt: skip

    def run_stream(self, task: Task | str, context: Context | None = None, **options: Any) -> StepStream:
        """Do a task and iterate over its steps as they happen: what is said, tools called, their results, the answer.

        Gives AgentStreamStart, AgentToken, AgentStreamEnd, AgentPlanEvent, AgentStepEvent, AgentToolResultsEvent and
        AgentFinalResponseEvent, each with `step_id`; `.result` is the answer after. `stream_events` gives all that can
        be seen of the run. Takes what that does, and raises the same.
        """
        from .step_events import StepStream

        return StepStream(self.stream_events(task, context, **options), self.name)

    astream_events = run_stream

    async def astream(self, task: Task | str, context: Context | None = None, **options: Any) -> AsyncIterator[str]:
        """Do a task and give its answer piece by piece, as text. Takes what `stream_events` does; raises the same."""
        async with self.stream_events(task, context, **options) as events:
            async for event in events:
                if isinstance(event, Token):
                    yield event.text

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
        """A turn of this agent, to be taken in a run: its role card, its tools, its sampling, and a prompt.

        prompt: what it is asked. model: who answers. role: the part it plays, with the rights of that (default: its
        own). prompts: words for slots for which it has none of its own. shape: what the answer must look like
        (default: as the agent was told). tools: only these (default: all its own). history: what was said before.
        about: who asks what, and where in the run; never sent. now: seconds since the epoch, for the date it is told.
        Raises ToolNotFoundError or InvalidToolSchemaError for tools that are none.
        """
        role = role or self.role
        if self.options.stream:
            model = Streamed(model)
        if self.options.verbose:
            model = Verbose(model, self.name)
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
            about=about if about.role == role.name and about.member else _by(about, self.name, role.name),
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

        role: the part it plays. prompts: the words. box: the tools, whose skills and notes are told. All three are
        its own unless given. now: seconds since the epoch (default: the present); a run says when it began, so that
        it can be resumed with the same words.
        """
        role, prompts, box = role or self.role, prompts or self.prompts, box or self.tools
        if self.timezone is not None:
            return card(self, role, prompts, box, now)
        # Asked again and again for the same: only what it is made of is compared.
        made_of = (role, prompts, box, self.name, self.instructions, self.options.answer_format)
        if self._card is None or any(old is not new for old, new in zip(self._card[0], made_of, strict=True)):
            self._card = (made_of, card(self, role, prompts, box, now))
        return self._card[1]

    @property
    def needs_model(self) -> bool:
        """Whether it has no model of its own, so that a team's or the environment's is used."""
        return self._model is None

    async def model_or(self, default: Model | None) -> Model:
        """Its model: its own, or `default`, or the environment's; asked again and priced as this agent was told.

        Raises ConfigurationError when there is none, or when it has options, such as api_key, that belong to a model
        of its own and it has none.
        """
        if self._model is not None:
            return self._model
        if default is None:
            self._default = self._default or await resolve_now(**self._wishes())
            return self._default
        if homeless := (*self.options.transport, *self.provider_options):
            raise ConfigurationError(
                f"agent {self.name!r} has {homeless[0]}=… and no model of its own that this could be for: "
                "give it model='provider/name' too"
            )
        if self._lent is None or self._lent[0] is not default:
            self._lent = default, adjusted(default, price=self.price, retry=self.options.retry)
        return self._lent[1]

    # -- settings ----------------------------------------------------------------------------------------

    def set_system_prompt(self, prompt: str) -> None:
        """Replace its instructions by `prompt`. Raises ValidationError when that is no text."""
        self.instructions = keywords.text("a system prompt", prompt) or ""

    def set_timezone(self, timezone: str) -> None:
        """Tell it the date and time in every prompt.

        timezone: of which zone, an IANA name such as "Europe/London". Raises ValidationError for an unknown one.
        """
        self.timezone = keywords.check_timezone(timezone)

    def add_hook(self, hook: Hooks) -> None:
        """Run a hook with every task."""
        self.hooks = (*self.hooks, *hooks_of(hook))

    async def aclose(self) -> None:
        """Let go of its model's connections; it can be used again after."""
        for model in (self._model, self._default):
            if model is not None:
                await close(model)

    cleanup = close = aclose

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        model = "" if self._model is None else f", model={self._model.name!r}"
        return f"Agent({self.role.name!r}, name={self.name!r}{model})"

    def _wishes(self) -> dict[str, Any]:
        """What its model has to be like."""
        return {
            "options": self.options.transport, "provider_options": self.provider_options, "price": self.price,
            "retry": self.options.retry,
        }  # fmt: skip


def _by(about: About, member: str, role: str) -> About:
    return replace(about, member=about.member or member, role=role)
