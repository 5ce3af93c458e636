"""One attempt of a suite: a system does an item, its answer is scored, and the result is durable before it counts."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import Context

from phalanx.errors import LimitExceeded
from phalanx.messages import Data, Usage
from phalanx.runtime.limits import Accounts
from phalanx.teams.result import TeamResult

from .answering import Answered, answer, recall
from .confidence import share_of_votes, stated_in
from .court import Court
from .job import SUITE, Fence, Job, NotRun, fence_of, words
from .judging import Judge
from .record import Attempt
from .recorded import Recalled
from .scoring import Scorer
from .store import AttemptKept, Store
from .worth import Appraiser, gives_no_answer, tied_answers


class ScorerFailed(Exception):
    """The scorer raised; the answer is kept and is scored when the suite goes on. `problem` is what it raised."""

    def __init__(self, message: str, problem: Exception | None = None) -> None:
        super().__init__(message)
        self.problem = problem


async def attempt(
    job: Job, store: Store, scorer: Scorer, fences: Sequence[Fence] = (), *, outside: Context | None = None
) -> AttemptKept | NotRun:
    """Make an attempt, or give the finished one: its answer, scored and kept.

    store: where results are kept; with a log in it, an attempt that was interrupted goes on from its own journal.
    fences: the limits around it, the nearest first. outside: the context that judges work in, which has the limits of
    the suite and not those of the system. Raises ScorerFailed, after the answer was kept, and LogError when nothing can
    be kept.
    """
    if (finished := store.finished(job.key)) is not None:
        recalled = job.entrant.recorded is not None
        return AttemptKept(attempt=finished, asked=store.hash_of(job.item), recalled=recalled)
    if isinstance(scorer, Judge):
        suite = next((each.account for each in fences if each.owner == SUITE), None)
        scorer = Court(scorer, store, job.key, outside, suite)
        # A system's own limit is none of its judges'.
        judges_fences = fences if outside is None else [each for each in fences if each.owner == SUITE]
    else:
        judges_fences = []
    appraiser = _appraiser(job, store, scorer)
    result: TeamResult | Recalled | None = None
    if (waiting := store.unscored(job.key)) is not None:
        kept = waiting
        if job.entrant.recorded is not None:
            result = recall(job).result
        if outside is None:
            # A share of the budget holds what was spent before, and here no journal is played back to count it.
            Accounts([each.account for each in fences]).charge(waiting.paid)
    else:
        answered = await answer(job, store, fences)
        if isinstance(answered, NotRun):
            return answered
        kept, result = _unscored(job, store, answered), answered.result
    try:
        done = await _scored(job, appraiser, kept, result)
    except ScorerFailed as failure:
        if waiting is None:
            await store.add(kept)
        problem, court = failure.problem, appraiser.scorer
        fence = fence_of(problem, judges_fences) if isinstance(problem, LimitExceeded) else None
        if isinstance(problem, LimitExceeded) and isinstance(court, Court) and fence is not None:
            why = f"{words(problem)}, a judge's"
            return NotRun(job.key, fence.owner, why, problem.what, kept.paid, court.spent)
        raise
    await store.add(done)
    return done


async def recalled(jobs: Sequence[Job], store: Store, scorer: Scorer) -> list[AttemptKept]:
    """The attempts of recorded answers, made together and kept in one piece: nobody is asked, so nothing is waited for.

    jobs: which. store: where results are kept; they are durable when this returns. scorer: one that compares, see
    `scoring.compares`. Raises ScorerFailed, after all that was made until then was kept, and LogError when nothing can
    be.
    """
    done: list[AttemptKept] = []
    broken: ScorerFailed | None = None
    for job in jobs:
        answered = recall(job)
        kept = store.unscored(job.key) or _unscored(job, store, answered)
        try:
            done.append(await _scored(job, _appraiser(job, store, scorer), kept, answered.result))
        except ScorerFailed as failure:
            done.append(kept)
            broken = failure
            break
    await store.add(*done)
    if broken is not None:
        raise broken
    return done


def _appraiser(job: Job, store: Store, scorer: Scorer) -> Appraiser:
    # A scorer that is a value says the same of the same text, whoever wrote it; of a function nobody knows.
    known = store.scores.setdefault(job.item.id, {}) if isinstance(scorer, Data) else None
    return Appraiser(scorer, job.item, known)


def _unscored(job: Job, store: Store, answered: Answered) -> AttemptKept:
    system, result = job.entrant.system, answered.result
    made = Attempt(
        system=system.name, spec=system.spec, item=job.item.id, repeat=job.repeat, seed=job.seed,
        status=answered.status, answer=answered.answer, score=0.0, error=answered.error, usage=answered.usage,
        metered=answered.metered, usd=answered.usd, seconds=answered.seconds, run_id=answered.run_id,
        confidence=None if result is None else stated_in(result),
        share=None if result is None else share_of_votes(result),
    )  # fmt: skip
    tied = () if result is None else tied_answers(result)
    return AttemptKept(
        attempt=made, asked=store.hash_of(job.item), scored=False, tied=tied,
        recalled=job.entrant.recorded is not None,
        answers=result is None or not gives_no_answer(answered.answer, result),
    )  # fmt: skip


async def _scored(
    job: Job, appraiser: Appraiser, kept: AttemptKept, result: TeamResult | Recalled | None
) -> AttemptKept:
    """The attempt with its score and the worth of its rounds. Raises ScorerFailed."""
    made, court = kept.attempt, appraiser.scorer
    try:
        found = await appraiser.of(made.answer if kept.answers else None, kept.tied)
        ballots = () if result is None else await appraiser.ballots(result)
    except Exception as problem:
        where = f"the scorer failed on item {job.item.id!r} of {job.entrant.name!r}"
        raise ScorerFailed(f"{where}: {type(problem).__name__}: {problem}", problem) from problem
    value = found.value if made.status != "failed" else 0.0
    why = found.why if made.answer is not None else made.error or found.why
    scored = made.model_copy(update={"score": value, "read": found.read, "why": why, "ballots": ballots})
    spent = court.spent if isinstance(court, Court) else Usage()
    return kept.model_copy(update={"attempt": scored, "scored": True, "judged": spent})
