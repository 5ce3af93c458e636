"""How a system answers an item: a team in a run of its own, a function under limits, a record at once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import anyio

from phalanx.agents.result import AgentResult
from phalanx.agents.task import Task
from phalanx.errors import LimitExceeded, LogError, ReplayDivergence, TeamError, UncertainStep, ValidationError
from phalanx.messages import Usage
from phalanx.runtime.limits import PICO, Account, Limits, limits
from phalanx.teams.result import TeamResult
from phalanx.teams.team import AgentTeam

from .job import ATTEMPT, STUCK, Fence, Job, NotRun, fence_of, words
from .record import Ended
from .recorded import Recalled
from .store import Store, run_id_of
from .tasks import TaskItem

ENDED: dict[str, Ended] = {
    "completed": "completed", "undecided": "undecided", "partial": "partial", "stopped": "stopped",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answered:
    """What a system made of an item.

    status, answer, usage, metered, usd, seconds, run_id, error: as an attempt has them. result: with its rounds of
    voting, if there were any.
    """

    status: Ended
    answer: str | None
    usage: Usage
    usd: float | None
    seconds: float | None
    run_id: str | None = None
    error: str | None = None
    result: TeamResult | Recalled | None = None
    metered: bool = True


def recall(job: Job) -> Answered:
    """What the recorded answers to a job's item come to; nobody is asked, and no time is known."""
    record = job.entrant.recorded
    assert record is not None
    try:
        found = record.decide(job.item.id, seed=run_seed(job.seed, job.repeat))
    except Exception as failure:  # noqa: BLE001 - a rule of the user's own, or its relation of answers, may raise anything
        usage, metered = record.cost(job.item.id)
        return Answered("failed", None, usage, usage.cost, None, error=_said(failure), metered=metered)
    return Answered(found.status, found.text, found.usage, found.usage.cost, None, result=found, metered=found.metered)


async def answer(job: Job, store: Store, fences: Sequence[Fence]) -> Answered | NotRun:
    """Let a system do its item.

    job: which, and its own limits. store: where runs are journaled. fences: the limits around it, the nearest first.
    Whatever a system dies of is its answer; raises LogError where nothing can be kept.
    """
    if job.entrant.recorded is not None:
        return recall(job)
    began = anyio.current_time()
    run_id = None if job.entrant.team is None or store.log is None else run_id_of(store.name, job.key)
    resumed = False
    try:
        if (team := job.entrant.team) is None:
            return await _ask_function(job, fences, began)
        resumed = run_id is not None and await _has_begun(store, run_id)
        result = await _do(team, job, store, run_id, resumed)
    except (ReplayDivergence, UncertainStep) as lost:
        return NotRun(job.key, STUCK, str(lost), "", Usage())
    except LogError:
        raise
    except TeamError as failure:
        partial = failure.result if isinstance(failure.result, TeamResult) else None
        usage = Usage() if partial is None else partial.usage
        if isinstance(failure, LimitExceeded) and (fence := fence_of(failure, fences)):
            return NotRun(job.key, fence.owner, words(failure), failure.what, usage)
        seconds = None if resumed else anyio.current_time() - began
        status: Ended = "stopped" if isinstance(failure, LimitExceeded) else "failed"
        return Answered(status, None, usage, usage.cost, seconds, run_id, _said(failure), partial)
    except Exception as failure:  # noqa: BLE001 - whatever a system dies of is its result; it stays in the denominator
        seconds = None if resumed else anyio.current_time() - began
        return Answered("failed", None, Usage(), None, seconds, run_id, _said(failure))
    if result.refusal is not None and (fence := fence_of(result.refusal, fences)):
        return NotRun(job.key, fence.owner, words(result.refusal), result.refusal.what, result.usage)
    known = ENDED.get(result.status)
    return Answered(
        known or "failed", result.content if known else None, result.usage, result.usage.cost,
        None if resumed else anyio.current_time() - began, run_id,
        result.stop_reason if known != "completed" else None, result,
    )  # fmt: skip


async def _do(team: AgentTeam, job: Job, store: Store, run_id: str | None, resumed: bool) -> TeamResult:
    if run_id is not None and resumed:
        return await team.resume(run_id, log=store.log, limits=job.limits)
    # Without a log of the suite's, runs go where the team itself keeps them, if it does.
    return await team.run(
        _task(job.item), limits=job.limits, seed=run_seed(job.seed, job.repeat), run_id=run_id, log=store.log
    )


async def _has_begun(store: Store, run_id: str) -> bool:
    return store.log is not None and bool(await store.log.read(f"run/{run_id}"))


async def _ask_function(job: Job, fences: Sequence[Fence], began: float) -> Answered | NotRun:
    """A function's answer, within the limits of the attempt; what its own runs have spent is kept however it ends."""
    function, own = job.entrant.function, job.limits or Limits()
    assert function is not None
    said: str | None = None
    failure: Exception | None = None
    with limits(own.model_copy(update={"seconds": None})) as account:
        account.owner = ATTEMPT
        with anyio.move_on_after(own.seconds) as scope:
            try:
                said = await function(_task(job.item))
            except Exception as problem:  # noqa: BLE001 - whatever a system dies of is its result
                failure = problem
    if scope.cancelled_caught:
        assert own.seconds is not None
        failure = LimitExceeded("seconds", spent=own.seconds, limit=own.seconds, owner=ATTEMPT)
    usage, usd = _spent(said if failure is None else None, account)
    if failure is not None:
        if isinstance(failure, LimitExceeded) and (fence := fence_of(failure, fences)):
            return NotRun(job.key, fence.owner, words(failure), failure.what, usage)
        status: Ended = "stopped" if isinstance(failure, LimitExceeded) and not scope.cancelled_caught else "failed"
        return Answered(status, None, usage, usd, anyio.current_time() - began, error=_said(failure))
    if not isinstance(said, str):
        raise ValidationError(f"system {job.entrant.name!r} gave {type(said).__name__}; a function must give text")
    result = said if isinstance(said, TeamResult) else None
    return Answered("completed", str(said), usage, usd, anyio.current_time() - began, result=result)


def _spent(said: str | None, account: Account) -> tuple[Usage, float | None]:
    """What a function's own runs spent; its money is not known unless its result says so."""
    if isinstance(said, AgentResult):
        return said.usage, said.cost
    usage = Usage(calls=account.calls, input_tokens=account.tokens, known_cost=account.usd / PICO)
    return replace(usage, unpriced_calls=account.calls), None


def run_seed(seed: int, repeat: int) -> int:
    """The seed of an attempt's run: the suite's for the first repeat, and for each further one another."""
    if repeat == 0:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed}/{repeat}".encode()).digest()[:4], "big")


def _task(item: TaskItem) -> Task:
    return Task(item.text, id=item.id)


def _said(failure: BaseException) -> str:
    return f"{type(failure).__name__}: {failure}"
