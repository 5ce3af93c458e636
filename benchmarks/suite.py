"""One attempt of a suite: a system does an item, its answer is scored, and the result is durable before it counts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass, replace

import anyio

from phalanx.agents.result import AgentResult
from phalanx.agents.task import Task
from phalanx.errors import LimitExceeded, LogError, ReplayDivergence, TeamError, UncertainStep, ValidationError
from phalanx.messages import Data, Usage
from phalanx.runtime.limits import PICO, Account, Accounts, Limits, limits
from phalanx.teams.result import TeamResult
from phalanx.teams.team import AgentTeam

from .court import Court
from .judging import Judge
from .record import Attempt, Ended
from .scoring import Scorer
from .store import AttemptKept, Key, Store, item_hash, run_id_of
from .systems import Entrant
from .tasks import TaskItem
from .worth import Appraiser, tied_answers

ENDED: dict[str, Ended] = {
    "completed": "completed", "undecided": "undecided", "partial": "partial", "stopped": "stopped",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt to be made.

    item, repeat, seed: of what; seed is the suite's. limits: of this attempt, besides those that are around it.
    """

    entrant: Entrant
    item: TaskItem
    repeat: int
    seed: int
    limits: Limits | None = None

    @property
    def key(self) -> Key:
        """What tells it from all others."""
        return (self.entrant.system.spec, self.item.id, self.repeat, self.seed)


@dataclass(frozen=True, slots=True)
class Fence:
    """A limit around attempts: whose it is in words, and the account that holds it."""

    owner: str
    account: Account

    def refused(self, refusal: LimitExceeded) -> bool:
        """Whether it was this one."""
        limit = getattr(self.account.limits, refusal.what, None)
        return limit is not None and limit == refusal.limit


@dataclass(frozen=True, slots=True)
class NotRun:
    """An attempt that a limit around it did not let happen, or not to its end; what it paid for is journaled.

    owner, why: whose limit, and which, in words; what: calls, tokens or usd. usage: what it spent; judged: what judging
    its answer has cost, where it was that which the limit refused; the answer is kept then. An owner of STUCK:
    no limit, but its journal does not fit what it would do now, or a step in it must not be repeated and nobody knows
    whether it happened, so that it cannot go on.
    """

    key: Key
    owner: str
    why: str
    what: str
    usage: Usage = Usage()
    judged: Usage = Usage()


SUITE = "the suite"
"""The owner of the limits that hold over all attempts."""


class ScorerFailed(Exception):
    """The scorer raised; the answer is kept and is scored when the suite goes on. `problem` is what it raised."""

    def __init__(self, message: str, problem: Exception | None = None) -> None:
        super().__init__(message)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class _Answered:
    status: Ended
    answer: str | None
    usage: Usage
    usd: float | None
    seconds: float | None
    run_id: str | None = None
    error: str | None = None
    result: TeamResult | None = None


async def attempt(
    job: Job, store: Store, scorer: Scorer, fences: Sequence[Fence] = (), *, outside: Context | None = None
) -> AttemptKept | NotRun:
    """Make an attempt, or give the finished one: its answer, scored and kept.

    store: where results are kept; with a log in it, an attempt that was interrupted goes on from its own journal.
    fences: the limits around it, the nearest first. outside: the context that judges work in, which has the limits of
    the suite and not those of the system. Raises ScorerFailed, after the answer was kept, and LogError when nothing can
    be kept.
    """
    if (done := store.finished(job.key)) is not None:
        return AttemptKept(attempt=done, asked=item_hash(job.item))
    if isinstance(scorer, Judge):
        suite = next((each.account for each in fences if each.owner == SUITE), None)
        scorer = Court(scorer, store, job.key, outside, suite)
        # A system's own limit is none of its judges'.
        judges_fences = fences if outside is None else [each for each in fences if each.owner == SUITE]
    else:
        judges_fences = []
    # A scorer that is a value says the same of the same text, whoever wrote it; of a function nobody knows.
    appraiser = Appraiser(
        scorer, job.item, store.scores.setdefault(job.item.id, {}) if isinstance(scorer, Data) else None
    )
    if (waiting := store.unscored(job.key)) is not None:
        if outside is None:
            # A share of the budget holds what was spent before, and here no journal is played back to count it.
            Accounts([each.account for each in fences]).charge(waiting.attempt.usage)
        return await _scored(job, store, appraiser, waiting, None, judges_fences)
    answered = await _answer(job, store, fences)
    if isinstance(answered, NotRun):
        return answered
    system = job.entrant.system
    made = Attempt(
        system=system.name, spec=system.spec, item=job.item.id, repeat=job.repeat, seed=job.seed,
        status=answered.status, answer=answered.answer, score=0.0, error=answered.error, usage=answered.usage,
        usd=answered.usd, seconds=answered.seconds, run_id=answered.run_id,
    )  # fmt: skip
    tied = () if answered.result is None else tied_answers(answered.result)
    kept = AttemptKept(attempt=made, asked=item_hash(job.item), scored=False, tied=tied)
    return await _scored(job, store, appraiser, kept, answered.result, judges_fences)


async def _scored(
    job: Job, store: Store, appraiser: Appraiser, kept: AttemptKept, result: TeamResult | None, fences: Sequence[Fence]
) -> AttemptKept | NotRun:
    made, court = kept.attempt, appraiser.scorer
    try:
        found = await appraiser.of(made.answer, kept.tied)
        ballots = () if result is None else await appraiser.ballots(result.rounds)
    except Exception as problem:
        if store.unscored(job.key) is None:
            await store.add(kept)
        if isinstance(problem, LimitExceeded) and isinstance(court, Court) and (fence := _fence(problem, fences)):
            return NotRun(job.key, fence.owner, f"{_words(problem)}, a judge's", problem.what, made.usage, court.spent)
        where = f"the scorer failed on item {job.item.id!r} of {job.entrant.name!r}"
        raise ScorerFailed(f"{where}: {type(problem).__name__}: {problem}", problem) from problem
    value = found.value if made.status != "failed" else 0.0
    why = found.why if made.answer is not None else made.error or found.why
    scored = made.model_copy(update={"score": value, "read": found.read, "why": why, "ballots": ballots})
    spent = court.spent if isinstance(court, Court) else Usage()
    done = AttemptKept(attempt=scored, asked=kept.asked, tied=kept.tied, judged=spent)
    await store.add(done)
    return done


async def _answer(job: Job, store: Store, fences: Sequence[Fence]) -> _Answered | NotRun:
    began = anyio.current_time()
    run_id = None if job.entrant.team is None or store.log is None else run_id_of(store.name, job.key)
    resumed = False
    try:
        if (team := job.entrant.team) is None:
            return await _ask_function(job, began)
        resumed = run_id is not None and await _has_begun(store, run_id)
        result = await _do(team, job, store, run_id, resumed)
    except (ReplayDivergence, UncertainStep) as lost:
        return NotRun(job.key, STUCK, str(lost), "", Usage())
    except LogError:
        raise
    except TeamError as failure:
        partial = failure.result if isinstance(failure.result, TeamResult) else None
        usage = Usage() if partial is None else partial.usage
        if isinstance(failure, LimitExceeded) and (fence := _fence(failure, fences)):
            return NotRun(job.key, fence.owner, _words(failure), failure.what, usage)
        seconds = None if resumed else anyio.current_time() - began
        status: Ended = "stopped" if isinstance(failure, LimitExceeded) else "failed"
        return _Answered(status, None, usage, usage.cost, seconds, run_id, _said(failure), partial)
    except Exception as failure:  # noqa: BLE001 - whatever a system dies of is its result; it stays in the denominator
        seconds = None if resumed else anyio.current_time() - began
        return _Answered("failed", None, Usage(), None, seconds, run_id, _said(failure))
    if result.refusal is not None and (fence := _fence(result.refusal, fences)):
        return NotRun(job.key, fence.owner, _words(result.refusal), result.refusal.what, result.usage)
    known = ENDED.get(result.status)
    return _Answered(
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


async def _ask_function(job: Job, began: float) -> _Answered | NotRun:
    function = job.entrant.function
    assert function is not None
    with limits(Limits()) as account:
        try:
            said = await function(_task(job.item))
        except LimitExceeded:
            raise
        except Exception as failure:  # noqa: BLE001 - whatever a system dies of is its result
            usage, usd = _spent(None, account)
            return _Answered("failed", None, usage, usd, anyio.current_time() - began, None, _said(failure))
    if not isinstance(said, str):
        raise ValidationError(f"system {job.entrant.name!r} gave {type(said).__name__}; a function must give text")
    usage, usd = _spent(said, account)
    result = said if isinstance(said, TeamResult) else None
    return _Answered("completed", str(said), usage, usd, anyio.current_time() - began, None, None, result)


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


def _fence(refusal: LimitExceeded, fences: Sequence[Fence]) -> Fence | None:
    if refusal.owner != OUTSIDE:
        return None
    return next((each for each in fences if each.refused(refusal)), None)


STUCK = "its journal"
OUTSIDE = "the with-block"
"""How a refusal names a limit that stands around a run."""


def _words(refusal: LimitExceeded) -> str:
    """What a refusal says of the limit: "33 calls: 33 are spent, and the next call needs 1"."""
    unit = "US dollars" if refusal.what == "usd" else refusal.what
    needs = "" if refusal.asked is None else f", and the next call needs {refusal.asked:g}"
    return f"{refusal.limit:g} {unit}: {refusal.spent:g} are spent{needs}"


def _said(failure: BaseException) -> str:
    return f"{type(failure).__name__}: {failure}"
