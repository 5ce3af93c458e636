"""Judges inside a suite: each answer is judged once, in a journaled run, and apart from what the system costs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass
from typing import Generic, TypeVar

import anyio

from phalanx.errors import LogConflict, RunBusy, TeamError
from phalanx.messages import Usage
from phalanx.runtime.limits import Account, Accounts
from phalanx.teams.result import TeamResult

from .judging import Judge
from .opinions import Judgement
from .score import Score
from .store import JudgementKept, Key, Store, content_hash, run_id_of
from .tasks import TaskItem

T = TypeVar("T")


@dataclass
class Court:
    """A judge for one attempt: a scorer that journals, and that knows what was judged already.

    store: where judgements are kept. key: of the attempt. outside: the context of the suite, without the limits of
    single systems; None judges within whatever limits there are. suite: the account of the suite, if it has limits.
    spent: what judging has cost here.
    """

    judge: Judge
    store: Store
    key: Key
    outside: Context | None = None
    suite: Account | None = None
    spent: Usage = Usage()

    asks_models = True

    async def __call__(self, answer: str, item: TaskItem) -> Score:
        """What the judges make of an answer; the same answer to the same question is judged once."""
        place = (item.id, content_hash(answer))
        async with self.store.sitting.setdefault(place, anyio.Lock()):
            if (known := self.store.kept.judgements.get(place)) is not None:
                return known.judgement.score
            try:
                found, usage, run_id = await in_context(self.outside, lambda: self._judged(answer, item))
            except TeamError as failure:
                self.spent += failure.result.usage if isinstance(failure.result, TeamResult) else Usage()
                raise
            self.spent += usage
            await self.store.add(
                JudgementKept(item=item.id, answer=place[1], judgement=found, usage=usage, run_id=run_id)
            )
        return found.score

    async def _judged(self, answer: str, item: TaskItem) -> tuple[Judgement, Usage, str | None]:
        log = self.store.log
        if log is None:
            found, result = await self.judge.judge(answer, item)
            return found, result.usage, None
        # One run for one answer, whoever gave it; only where another process is at it, a run of its own.
        shared = ("judged", f"{item.id}/{content_hash(answer)}", 0, 0)
        run_id = run_id_of(self.store.name, shared)
        try:
            return await self._journaled(answer, item, run_id)
        except (RunBusy, LogConflict):
            run_id = run_id_of(self.store.name, ("judged", f"{item.id}/{content_hash(answer)}/{self.key}", 0, 0))
            return await self._journaled(answer, item, run_id)

    async def _journaled(self, answer: str, item: TaskItem, run_id: str) -> tuple[Judgement, Usage, str | None]:
        log = self.store.log
        assert log is not None
        begun = bool(await log.read(f"run/{run_id}"))
        if (before := self.store.adjourned.pop(run_id, None)) is not None and self.suite is not None:
            # It counts already, and counts again as its journal is played back.
            Accounts([self.suite]).charge(negative(before))
        found, result = await self.judge.judge(answer, item, log=log, run_id=run_id, resume=begun)
        return found, result.usage, run_id


async def in_context(context: Context | None, work: Callable[[], Awaitable[T]]) -> T:
    """What an async function gives when its context variables are those of `context`; None is the caller's own.

    It is cancelled with the caller, and what it raises comes through.
    """
    if context is None:
        return await work()
    # A context belongs to a task, so the work is a task of its own. Out of its group an error would come wrapped in an
    # ExceptionGroup, which no caller looks for: the task hands it over, and it is raised here as it was raised there.
    ended: list[_Gave[T] | _Raised] = []

    async def there() -> None:
        try:
            ended.append(_Gave(await work()))
        except Exception as problem:  # noqa: BLE001 - handed over
            ended.append(_Raised(problem))

    async with anyio.create_task_group() as group:
        context.copy().run(group.start_soon, there)
    [end] = ended
    if isinstance(end, _Raised):
        raise end.problem
    return end.value


@dataclass(frozen=True)
class _Gave(Generic[T]):
    """How work ended that gave something."""

    value: T


@dataclass(frozen=True)
class _Raised:
    """How work ended that failed."""

    problem: Exception


def negative(usage: Usage) -> Usage:
    """What gives back what was charged for a usage."""
    return Usage(calls=-usage.calls, input_tokens=-usage.tokens, known_cost=-usage.known_cost)
