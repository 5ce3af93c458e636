"""A team's run: from a task to a result, whatever becomes of it on the way."""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import anyio

from phalanx.agents.agent import Agent
from phalanx.agents.loop import unknown_price
from phalanx.agents.models.model import Model, check, is_free, price
from phalanx.agents.models.offline import FunctionModel
from phalanx.agents.models.stray import LEAKED, is_stray
from phalanx.agents.prompts import Prompts
from phalanx.agents.task import Task, call_hooks
from phalanx.agents.tools.use import jsonable
from phalanx.errors import ConfigurationError, LimitExceeded, LogError, PhalanxError, TeamError, ValidationError
from phalanx.formations.base import Answer, Outcome
from phalanx.formations.team_run import TeamRun
from phalanx.runtime.asked import check_asked
from phalanx.runtime.events import RunFinished, RunResumed, RunStarted
from phalanx.runtime.execution import Listener
from phalanx.runtime.holding import held
from phalanx.runtime.human import Human, Question, RunPaused
from phalanx.runtime.limits import Limits, as_limits, shortest
from phalanx.runtime.log import Log
from phalanx.runtime.playback import ANY_MODEL, Playback
from phalanx.runtime.run import Run
from phalanx.runtime.turns import take_turn

from .result import TeamResult

if TYPE_CHECKING:
    from .team import AgentTeam


def _not_asked(_: object) -> str:
    raise AssertionError("a run that is played back asks no model")


PLAYED_BACK = FunctionModel(_not_asked, name=ANY_MODEL)


async def perform(
    team: AgentTeam,
    job: Task,
    limits: Limits | None,
    seed: int,
    run_id: str,
    log: Log | None,
    listeners: tuple[Listener, ...],
    playback: Playback | None = None,
    *,
    streaming: bool = False,
    human: Human | None = None,
    answers: Mapping[str, str] | None = None,
    fork: bool = False,
) -> TeamResult:
    """Let a team do a task, as a run of its own; a new run is held in its log while it works.

    limits: of this run, besides the team's. playback: the journal to go on from, or to play back; then whoever calls
    holds the run. fork: that journal was just copied for it. The rest is what AgentTeam.run takes. Raises what it does.
    """
    check_asked(seed, run_id if playback is None else None, listeners)
    await take_turn()
    if playback is None and log is not None:
        async with held(log, run_id):
            return await _perform(
                team, job, limits, seed, run_id, log, listeners, None, streaming, human, answers, fork
            )
    return await _perform(team, job, limits, seed, run_id, log, listeners, playback, streaming, human, answers, fork)


async def _perform(
    team: AgentTeam,
    job: Task,
    limits: Limits | None,
    seed: int,
    run_id: str,
    log: Log | None,
    listeners: tuple[Listener, ...],
    playback: Playback | None,
    streaming: bool,
    human: Human | None,
    answers: Mapping[str, str] | None,
    fork: bool,
) -> TeamResult:
    default = PLAYED_BACK if playback is not None and playback.only else await team.default_model()
    run = Run.open(
        team.name, log=log, seed=seed, run_id=run_id, listeners=listeners, streaming=streaming, playback=playback
    ).within(team.limits, owner=_owner(team))
    limits = as_limits(limits)
    if playback is None and log is not None and await log.read(f"run/{run_id}"):
        raise ConfigurationError(f"there is a run {run_id!r} in this log already; resume it, or leave run_id= out")
    run = run.within(limits, owner="this run")
    if playback is None or not playback.only:
        await preflight(team, default, money=run.accounts.counts_money)
    run.execution.human, run.execution.answers = human, answers or {}
    if playback is None:
        run.emit(
            RunStarted, team.name, team.kind, job.description, seed, roster(team), _given(job), spec_in(team, log),
            facts_of(limits), facts_of(team.limits),
        )  # fmt: skip
    elif not playback.only and not fork:
        run.emit(RunResumed, limits=facts_of(limits) or {})
    _warn(team, run)
    hooks = (*team.hooks, *job.hooks)
    job.status, job.error, job.result = "running", None, None
    status, text, reason = "cancelled", "", None
    cut_off = False
    did_not_go_on = False
    try:
        await call_hooks(run.warn, hooks, "on_start", job)
        result = await work(team, run, job, default, team.prompts, limits)
        status, text, reason = result.status, result.content, result.stop_reason
        job.status, job.result = "completed", result
    except Exception as failure:
        job.status, job.error = "failed", failure
        status, reason, did_not_go_on = "failed", str(failure), isinstance(failure, LogError)
        await call_hooks(run.warn, hooks, "on_error", job, failure)
        raise
    except BaseException as stop:  # cancelled, or the process is told to end: no time for hooks
        job.status, job.error, cut_off, did_not_go_on = "failed", stop, True, True
        raise
    finally:
        if did_not_go_on and not fork:
            run.execution.withdraw()
        run.emit(RunFinished, status, text, reason, run.usage)
        await run.execution.finish(cut_off=cut_off)
    await call_hooks(run.warn, hooks, "on_complete", job, result)
    return result


Facts = Mapping[str, object] | None


def facts_of(limits: Limits | None) -> Facts:
    """Limits as a journal holds them: by name, those that there are; None when there are none."""
    return None if limits is None else limits.model_dump(exclude_none=True) or None


def spec_in(team: AgentTeam, log: Log | None) -> str | None:
    """The team as YAML, for those who resume the run from its log alone; None when it cannot be written."""
    if log is None or log.instant:
        return None
    try:
        return team.to_yaml()
    except ValidationError:
        return None


async def work(
    team: AgentTeam, run: Run, task: Task, default: Model | None, prompts: Prompts, limits: Limits | None
) -> TeamResult:
    """Let the formation do the task, and make a result of whatever comes of it.

    limits: of this run, besides the team's own; their calls, tokens and money are among the run's accounts already.
    """
    started = anyio.current_time()
    inside = TeamRun(run, team.name, team.members, prompts=prompts, default_model=default, board=team.board)
    seconds, owner = shortest((limits, "this run"), (team.limits, _owner(team)))
    refusal: TeamError | None = None
    answer: Answer | None = None
    questions: tuple[Question, ...] = ()
    try:
        with run.deadline(seconds, of_run=True) as scope:
            given = _formation_of(team, inside, task)(inside, task)
            if inspect.isawaitable(given):
                given = await given
            answer = _checked(given if isinstance(given, Answer) else Answer(_text(given, team.kind)))
        if scope.cancelled_caught:
            assert seconds is not None
            refusal = LimitExceeded("seconds", spent=seconds, limit=seconds, owner=owner)
    except TeamError as stop:
        refusal = stop
    except PhalanxError:
        raise
    except RunPaused as waiting:
        if run.depth:
            raise
        questions = waiting.questions
    except Exception as broken:  # noqa: BLE001 - a function of the user's; what was paid for goes on with its error
        refusal = TeamError(f"{team.kind} broke off with {type(broken).__name__}: {broken}")
        refusal.__cause__ = broken
    except BaseException as stop:
        if not is_stray(stop):
            raise
        # It came out of a function of the user's: to whoever waits for the run nothing is cancelled.
        refusal = TeamError(f"{team.kind} broke off: {LEAKED}")
        refusal.__cause__ = stop
    if refusal is None:
        refusal = inside.cut_short
    stopped = isinstance(refusal, LimitExceeded)
    if answer is None:
        answer = _best(inside)
    else:
        answer = _as_meant(answer, inside.history)
    inside.let_go()
    result = TeamResult(
        answer.text if answer else "",
        output=answer.output if answer else None,
        status=_status(refusal, questions, answer),
        stop_reason=str(refusal) if refusal else "; ".join(each.text for each in questions) or None,
        questions=questions,
        refusal=refusal if isinstance(refusal, LimitExceeded) else None,
        decision=answer.decision if answer else None,
        author=answer.author if answer else "",
        members=inside.history,
        rounds=inside.rounds,
        board=await inside.board.entries() if inside.is_board_made else inside.answers.entries,
        usage=run.usage,
        run_id=run.run_id,
        tool_calls=[call for outcome in inside.history if outcome.answer for call in outcome.answer.tool_calls],
        steps=run.usage.calls,
        duration=anyio.current_time() - started,
    )
    if refusal is not None and (not stopped or answer is None):
        # A copy: the error itself may stand in an outcome, and must not hold what holds it.
        failure = copy.copy(refusal)
        failure.result = result
        raise failure from refusal.__cause__ or refusal
    return result


def _formation_of(team: AgentTeam, inside: TeamRun, task: Task) -> Any:
    """A team's formation as it works in this run."""
    if _relation(team) is None:
        return team.formation
    from phalanx.formations.comparing import for_run  # most compare nothing but what can be read

    return for_run(team.formation, inside, task)


def judge_in(team: AgentTeam) -> Agent | None:
    """The agent that judges for a `team` which answers are the same; None where none does."""
    if _relation(team) is None:
        return None
    from phalanx.formations.comparing import judge_of

    return judge_of(team.formation)


def _relation(team: AgentTeam) -> object:
    return getattr(getattr(team.formation, "equivalence", None), "relation", None)


def _owner(team: AgentTeam) -> str:
    """Whose limits those of the team itself are, in words."""
    return f"team {team.name!r}"


def _as_meant(answer: Answer, history: Sequence[Outcome]) -> Answer:
    """An answer that is a nested team's own, word for word, is no more settled than that team says it is."""
    if answer.status != "completed" or answer.decision is not None:
        return answer
    if not any(isinstance(each.answer, TeamResult) for each in history):
        return answer
    whose = [each.answer for each in history if each.text == answer.text and answer.author in ("", each.member)]
    statuses = {each.status if isinstance(each, TeamResult) else "completed" for each in whose if each is not None}
    if not statuses or "completed" in statuses:
        return answer
    return dataclasses.replace(answer, status="undecided" if statuses == {"undecided"} else "partial")


def _best(inside: TeamRun) -> Answer | None:
    """The best answer so far; None, with a warning, where what would say so breaks off itself."""
    try:
        return inside.best()
    except BaseException as broken:
        # A rule or a relation of the user's: why the run ended, and what was paid for, is told all the same.
        if not isinstance(broken, Exception) and not is_stray(broken):
            raise
        inside.run.warn(f"what was answered so far cannot be decided on: {type(broken).__name__}: {broken}")
        return None


STATUSES = ("completed", "undecided", "partial")
"""How a formation can say that it has ended."""


def roster(team: AgentTeam) -> tuple[tuple[str, str], ...]:
    """The members' names and roles, in seat order."""
    return tuple((member.name, member.role.name) for member in team.members)


async def preflight(team: AgentTeam, default: Model | None, *, money: bool) -> None:
    """Look, before anything is spent, whether every member's model can be asked at all.

    money: whether money is limited, so that prices must be known. Raises ConfigurationError, naming the member, for a
    missing key, or a price that nobody knows.
    """
    default = default if team.own_model is None else team.own_model
    money = money or (team.limits is not None and team.limits.usd is not None)
    judge = judge_in(team)
    asked: list[Any] = [*(member.who for member in team.members), *([] if judge is None else [judge])]
    for who in asked:
        if not isinstance(who, Agent):
            if hasattr(who, "own_model"):
                await preflight(who, default, money=money)
            continue
        model = await who.model_or(default)
        check(model)
        limited = money or (who.limits is not None and who.limits.usd is not None)
        if limited and not is_free(model) and await price(model) is None:
            raise unknown_price(model)


def _warn(team: AgentTeam, run: Run) -> None:
    for member in team.members:
        if isinstance(member.who, Agent):
            for text in member.who.tools.warnings:
                run.warn(f"{member.name}: {text}")


def _given(task: Task) -> dict[str, object]:
    """What a task holds besides its description, as JSON values."""
    facts = {"name": task.name, "id": task.id, "context": task.context, "requirements": list(task.requirements)}
    return {name: jsonable(value) for name, value in facts.items() if value}


def _status(refusal: TeamError | None, questions: Sequence[Question], answer: Answer | None) -> str:
    if questions:
        return "paused"
    if refusal is not None:
        return "stopped" if isinstance(refusal, LimitExceeded) else "failed"
    return answer.status if answer else "failed"


def _checked(answer: Answer) -> Answer:
    """What a formation gave, if it is an answer: a text that says something, or a status that says why not."""
    if not isinstance(answer.text, str):
        raise TypeError(f"an answer's text is a str, not {type(answer.text).__name__}: {answer.text!r:.80}")
    if answer.status not in STATUSES:
        raise ValueError(f"an answer's status is {', '.join(STATUSES[:-1])} or {STATUSES[-1]}, not {answer.status!r}")
    if answer.status == "completed" and not answer.text.strip():
        raise ValueError("its answer is empty; where there is none, give Answer('', status='undecided')")
    return answer


def _text(given: object, kind: str) -> str:
    if not isinstance(given, str):
        raise TypeError(f"formation {kind!r} must give an Answer or text, not {type(given).__name__}")
    return given
