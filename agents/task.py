"""What is to be done: a task, its context, and hooks on its life."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from phalanx.errors import ConfigurationError, ValidationError
from phalanx.settings import MAX_TASK_CHARS

from .prompts import Prompts, fenced
from .showable import unshowable

if TYPE_CHECKING:
    from .result import AgentResult

TaskStatus = Literal["pending", "running", "completed", "failed"]
Context = str | Mapping[str, object]
HookFunction = Callable[..., object]


class TaskHook:
    """Code that runs at the turns of a task's life; override what you need, sync or async.

    A hook that fails is reported as a warning in the run and harms nobody.
    """

    def on_start(self, task: Task) -> Awaitable[None] | None:
        """The task begins."""

    def on_complete(self, task: Task, result: AgentResult) -> Awaitable[None] | None:
        """The task has a result."""

    def on_error(self, task: Task, error: BaseException) -> Awaitable[None] | None:
        """The task failed; `error` is what it failed with."""


Hooks = TaskHook | Mapping[str, HookFunction] | Sequence["TaskHook | Mapping[str, HookFunction]"] | None


def hooks(
    on_start: HookFunction | None = None,
    on_complete: HookFunction | None = None,
    on_error: HookFunction | None = None,
) -> TaskHook:
    """A TaskHook of functions, sync or async: on_start(task), on_complete(task, result), on_error(task, error).

    Raises ValidationError when one of them is no function.
    """
    given = {"on_start": on_start, "on_complete": on_complete, "on_error": on_error}
    return _MappedHook({name: function for name, function in given.items() if function is not None})


class Task:
    """Something to be done.

    description: what, in words. name: what to call it. context: what it needs to know, as text or as named parts.
    requirements: what the result must satisfy. agent: who does it when `execute()` is called (an Agent or a team).
    hooks: TaskHook objects, or mappings with on_start, on_complete, on_error. id: names it in benchmarks and
    simulations (default: the name, else the description).

    `status` is pending, running, completed or failed; `result` and `error` hold how it ended. They are the same
    whether `execute()`, an agent or a team does it, with or without further context.
    Raises ValidationError for an empty or far too long description, a context that no model can be shown (binary data,
    values that are not there yet), or an unknown hook.
    """

    def __init__(
        self,
        description: str,
        *,
        name: str = "",
        context: Context | None = None,
        requirements: Sequence[str] = (),
        agent: object = None,
        hooks: Hooks = None,
        id: str = "",
    ) -> None:
        check_task_text(description)
        for what, text in (("name", name), ("id", id)):
            if not isinstance(text, str):
                raise ValidationError(f"a task's {what} is text, not {type(text).__name__}: {text!r}")
        self.description, self.name, self.context = description, name, _checked(context)
        self.requirements, self.agent = _requirements(requirements), agent
        self.id = id or name or description
        self.hooks = hooks_of(hooks)
        self._life = _Life()
        check_task_text(self.render(Prompts()))

    @classmethod
    def of(cls, task: Task | str, context: Context | None = None) -> Task:
        """A task from text, or the task itself; `context` is added to its own."""
        if isinstance(task, str):
            return cls(task, context=context)
        if not isinstance(task, Task):
            raise ValidationError(f"a task is text or a Task, not {type(task).__name__}")
        if context is None:
            return task
        merged = _parts(task.context) | _parts(context)
        more = Task(task.description, name=task.name, context=merged, requirements=task.requirements, id=task.id)
        more.hooks, more._life = task.hooks, task._life
        return more

    @property
    def status(self) -> TaskStatus:
        """Where it stands. Setting it to "running" begins it anew: what became of it before is forgotten."""
        return self._life.status

    @status.setter
    def status(self, status: TaskStatus) -> None:
        if status == "running":
            self.result = self.error = None
        self._life.status = status

    @property
    def result(self) -> AgentResult | None:
        """What it came to; None before it did."""
        return self._life.result

    @result.setter
    def result(self, result: AgentResult | None) -> None:
        self._life.result = result

    @property
    def error(self) -> BaseException | None:
        """What it failed with."""
        return self._life.error

    @error.setter
    def error(self, error: BaseException | None) -> None:
        self._life.error = error

    @property
    def text(self) -> str:
        """The task as members are shown it, with its requirements and context."""
        return self.render(Prompts())

    def render(self, prompts: Prompts) -> str:
        """The task as members are shown it, with its requirements and context; `prompts` are the words."""
        parts = [prompts("task", task=self.description)]
        if self.requirements:
            parts.append(prompts("requirements", requirements="\n".join(f"- {each}" for each in self.requirements)))
        if given := _parts(self.context):
            shown = "\n\n".join(fenced(str(value), key) for key, value in given.items())
            parts.append(prompts("context", context=shown))
        return "\n\n".join(parts)

    async def execute(self) -> AgentResult:
        """Let `agent` do it. Raises ConfigurationError when there is none, and whatever the agent's run raises."""
        run = getattr(self.agent, "run", None)
        if run is None:
            raise ConfigurationError("this task has no agent; give Task(…, agent=…) an Agent or a team")
        result: AgentResult = await run(self)
        return result

    def __repr__(self) -> str:
        return f"Task({self.name or self.description[:60]!r}, status={self.status!r})"


def _checked(context: Context | None) -> Context | None:
    for key, value in _parts(context).items():
        if (problem := unshowable(value)) is not None:
            raise ValidationError(
                f"context[{key!r}] holds {problem}; give text or JSON values, or a tool that reads the material"
            )
    return context


def _requirements(given: object) -> tuple[str, ...]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ValidationError(f"requirements are a list of texts; write requirements=[{given!r}]")
    texts = tuple(given)
    for each in texts:
        if not isinstance(each, str):
            raise ValidationError(f"each requirement is text, not {type(each).__name__}: {each!r}")
    return texts


def check_task_text(text: object) -> None:
    """Raise ValidationError when a task's text cannot be worked on: empty, not text, too long, not encodable."""
    if not isinstance(text, str):
        raise ValidationError(f"a task's description must be text, not {type(text).__name__}")
    if not text.strip():
        raise ValidationError("the task is empty; say what is to be done")
    if len(text) > MAX_TASK_CHARS:
        raise ValidationError(
            f"the task has {len(text):,} characters; the most is {MAX_TASK_CHARS:,}. "
            "Give the members a tool that reads the material instead of putting it all into the task"
        )
    if "\x00" in text:
        raise ValidationError("the task holds a NUL character, so it is binary, not text; decode it first")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as problem:
        raise ValidationError(f"the task is not valid Unicode text: {problem}") from None


def hooks_of(hooks: Hooks) -> tuple[TaskHook, ...]:
    """Hooks in any form as TaskHooks. Raises ValidationError for an unknown name or a thing that is no hook."""
    if hooks is None:
        return ()
    if isinstance(hooks, TaskHook):
        return (hooks,)
    if isinstance(hooks, Mapping):
        return (_MappedHook(hooks),)
    if not isinstance(hooks, list | tuple):
        told = (
            f"{hooks.__name__}(), not the class"
            if inspect.isclass(hooks)
            else f"one of these, not {type(hooks).__name__}"
        )
        raise ValidationError(f"hooks are TaskHooks, mappings of functions, or a list of these; give {told}")
    return tuple(hook for one in hooks for hook in hooks_of(one))


async def call_hooks(warn: Callable[[str], None], hooks: Sequence[TaskHook], moment: str, *facts: object) -> None:
    """Run one moment of every hook; a failing hook becomes a warning."""
    for hook in hooks:
        try:
            done = getattr(hook, moment)(*facts)
            if inspect.isawaitable(done):
                await done
        except Exception as failure:  # noqa: BLE001 - a user's hook may raise anything and must not fail the task
            whose = "" if isinstance(hook, _MappedHook) else f"{type(hook).__name__}."
            warn(f"hook {whose}{moment} failed: {type(failure).__name__}: {failure}")


@dataclass
class _Life:
    """What becomes of a task, and of all that were made of it by giving it more context."""

    status: TaskStatus = "pending"
    result: AgentResult | None = None
    error: BaseException | None = None


class _MappedHook(TaskHook):
    """Hooks given as a mapping of functions."""

    def __init__(self, functions: Mapping[str, HookFunction]) -> None:
        for name, function in functions.items():
            if name not in {"on_start", "on_complete", "on_error"}:
                raise ValidationError(f"there is no hook {name!r}; the hooks are on_start, on_complete and on_error")
            if not callable(function):
                raise ValidationError(f"hook {name!r} must be a function, not {type(function).__name__}")
            setattr(self, name, function)


def _parts(context: Context | None) -> dict[str, object]:
    if context is None:
        return {}
    if isinstance(context, str):
        return {"context": context}
    if isinstance(context, Mapping):
        for key in context:
            if unshowable(key) is not None:
                raise ValidationError(f"a part of the context has the name {key!r}, which is binary; name it by text")
        return {str(key): value for key, value in context.items()}
    raise ValidationError(f"context must be text or a mapping, not {type(context).__name__}")
