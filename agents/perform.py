"""One task, done by one agent, as a run of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from phalanx.errors import LimitExceeded
from phalanx.messages import About, Message
from phalanx.runtime.asked import check_asked, guarded
from phalanx.runtime.events import RunFinished, RunStarted
from phalanx.runtime.execution import Listener
from phalanx.runtime.limits import Limits, as_limits, shortest
from phalanx.runtime.run import Run

from .loop import take
from .output import Shape
from .result import AgentResult
from .task import Task, call_hooks
from .verbose import listener

if TYPE_CHECKING:
    from .agent import Agent


async def perform(
    agent: Agent,
    job: Task,
    *,
    tools: Sequence[object] | None = None,
    output: type | None = None,
    limits: Limits | Mapping[str, float] | None = None,
    seed: int = 0,
    run_id: str | None = None,
    on_event: Listener | None = None,
    streaming: bool = False,
    history: Sequence[Message] = (),
    plain: bool = False,
) -> AgentResult:
    """Let an agent do a task.

    tools, output, limits, seed, run_id, on_event: as Agent.run has them. streaming: whether the model is asked for
    its answer in pieces. history: what was said before. plain: the task is said as it stands, as in a conversation.
    Returns and raises what Agent.run does.
    """
    limits = as_limits(limits)
    model = await agent.model_or(None)
    its_own = f"agent {agent.name!r}"
    seconds, owner = shortest((limits, "this run"), (agent.limits, its_own))
    listeners = guarded(on_event)
    check_asked(seed, run_id, listeners)
    if agent.options.verbose:
        listeners = (*listeners, listener(agent.name))
    run = Run.open(
        agent.name, seed=seed, run_id=run_id, listeners=listeners, streaming=streaming or agent.options.stream
    )
    run = run.within(agent.limits, owner=its_own).within(limits, owner="this run")
    turn = await agent.turn(
        job.description if plain and job.context is None else job.render(agent.prompts),
        model=model,
        shape=None if output is None else Shape(output),
        tools=tools,
        history=history,
        about=About(path=run.path, stage="run", question=job.id, seed=seed),
        now=run.started,
    )
    run.emit(RunStarted, agent.name, "agent", job.description, seed, ((agent.name, agent.role.name),))
    news = () if tools is None else agent.tools.only(tools).warnings
    for warning in (*agent.tools.warnings, *news):
        run.warn(warning)
    hooks = (*agent.hooks, *job.hooks)
    job.status, job.error, job.result = "running", None, None
    status, text, reason = "failed", "", None
    try:
        await call_hooks(run.warn, hooks, "on_start", job)
        with run.deadline(seconds, of_run=True) as scope:
            result = await take(run, turn)
        if scope.cancelled_caught and seconds is not None:
            raise LimitExceeded("seconds", spent=seconds, limit=seconds, owner=owner)
        result.usage = run.usage  # with failed attempts, and with what teams did as its tools
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
        await run.execution.finish(cut_off=status == "cancelled")
    await call_hooks(run.warn, hooks, "on_complete", job, result)
    return result
