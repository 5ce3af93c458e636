"""All attempts of a comparison, worked off on an engine, under limits that hold over all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from contextvars import Context, copy_context
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice

import anyio

from phalanx.messages import Usage
from phalanx.runtime.limits import Account, Accounts, Limits, limits

from .baselines import Single, sampled
from .court import negative
from .engines.engine import Engine
from .engines.order import Carried, NotScored, Order, check_travels, work
from .heap import settled
from .job import STUCK, SUITE, Fence, Job, NotRun
from .judging import Judge
from .progress import Count, Progress, Told
from .purse import Purse, as_limits, tighter
from .record import Attempt, Comparison
from .scoring import Scorer, compares
from .store import AttemptKept, Key, Store, run_id_of
from .suite import ScorerFailed, attempt, recalled
from .systems import Entrant
from .tasks import TaskItem

AT_ONCE = 64
"""How many recorded answers are looked up and kept together: a few hundredths of a second of work."""


@dataclass
class Matrix:
    """Systems × items × repeats, and what becomes of them.

    limits, limits_each, limits_attempt: of all of it, of single systems by name, and of each single attempt. where: for
    engines with other processes, the path or address of the log. sampled_from: the member that a baseline samples, by
    the baseline's name.

    stopped says which limit ended all of it; broken is what the scorer failed with; closed the systems whose own limit
    was reached, with the words for it; stuck the attempts that cannot go on from their journals.
    """

    comparison: Comparison
    store: Store
    scorer: Scorer
    engine: Engine
    limits: Limits | None = None
    limits_each: Mapping[str, Limits] = field(default_factory=dict)
    limits_attempt: Limits | None = None
    where: str = ""
    told: Told | None = None
    sampled_from: dict[str, Single] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)
    stopped: str | None = None
    broken: ScorerFailed | None = None
    closed: dict[str, str] = field(default_factory=dict)
    stuck: list[str] = field(default_factory=list)
    _suite: Fence | None = None
    _purses: dict[str, Purse] = field(default_factory=dict)
    _begun: dict[str, Usage] = field(default_factory=dict)
    _outside: Context | None = None

    async def run(self, phases: Callable[[], Awaitable[None]]) -> None:
        """Hold the suite's own limits around `phases`, an async function that calls `work_off` for its systems."""
        seconds = None if self.limits is None else self.limits.seconds
        self.progress.started = self.progress.now = anyio.current_time()
        with settled(), _block(self.limits) as account, anyio.move_on_after(seconds) as scope:
            if account is not None:
                self._suite = Fence(SUITE, account)
            self._outside = copy_context()
            self._begun = await self.store.unfinished()
            self.store.adjourned = dict(self._begun)
            kept = self.store.kept
            done = [*(each.paid for each in kept.attempts.values())]
            done += [each.usage for each in kept.judgements.values()]
            for spent in (*done, *self._begun.values()):
                if account is not None:
                    Accounts([account]).charge(spent)
            await phases()
        if scope.cancelled_caught:
            self.stopped = f"{SUITE} reached its limit of {seconds:g} seconds"
        if self.stopped is None and (self.closed or self.stuck):
            self.stopped = "; ".join([*self.closed.values(), *self.stuck])
        self.progress.stopped = self.stopped
        self.tell()

    def count(self, entrants: Sequence[Entrant]) -> None:
        """Take systems into the progress, with what is finished already."""
        for each in entrants:
            of = len(self.comparison.items) * self.comparison.repeats
            count = self.progress.systems[each.name] = Count(each.name, of, self.comparison.repeats)
            for done in self._finished(each):
                count.add(done)

    async def work_off(self, entrants: Sequence[Entrant]) -> None:
        """Make the attempts of these systems that are not made yet."""
        if self.engine.remote:
            await self._elsewhere(entrants)
            return
        turns = _Turns(len(entrants))
        async with anyio.create_task_group() as group:
            for each in entrants:
                group.start_soon(self._here, each, turns)

    async def _here(self, entrant: Entrant, turns: _Turns) -> None:
        """One system in this process, under its own limits inside the suite's."""
        own = self.limits_each.get(entrant.name)
        with _block(own) as account, anyio.move_on_after(None if own is None else own.seconds) as scope:
            fences = [] if account is None else [Fence(f"system {entrant.name!r}", account)]
            if account is not None and entrant.recorded is None:
                for done in self._finished(entrant):
                    Accounts([account]).charge(done.usage)
            if self._suite is not None:
                fences.append(self._suite)
            async with turns.first():
                if fences:
                    await self._go_on(entrant, fences)
            if entrant.recorded is not None and compares(self.scorer, self.comparison.items):
                await self._recall(entrant)
            else:
                await self.engine.map(partial(self._attempt, fences), self._jobs(entrant), self._take)
        if scope.cancelled_caught and own is not None:
            self.closed[entrant.name] = f"system {entrant.name!r} reached its limit of {own.seconds:g} seconds"

    async def _recall(self, entrant: Entrant) -> None:
        """Recorded answers, which nobody need be asked for: many at a time, and no faster on any engine."""
        jobs = self._jobs(entrant)
        while (some := list(islice(jobs, AT_ONCE))) and self._is_open(entrant):
            try:
                for done in await recalled(some, self.store, self.scorer):
                    self._take(done)
            except ScorerFailed as failure:
                self._take(failure)

    async def _go_on(self, entrant: Entrant, fences: Sequence[Fence]) -> None:
        """Finish what was interrupted, one by one and before all else, for what it spent before counts already.

        It counts a second time as its journal is played back; so it is given back right before, while nobody else
        is there who could spend it.
        """
        store = self.store
        begun = [job for job in self._jobs(entrant) if run_id_of(store.name, job.key) in self._begun]
        waiting = [job for job in self._jobs(entrant) if store.unscored(job.key) is not None]
        own = [each.account for each in fences if each is not self._suite]
        for job in begun:
            Accounts(own).charge(self._begun[run_id_of(store.name, job.key)])
        for job in (*begun, *waiting):
            if (spent := self._begun.pop(run_id_of(store.name, job.key), None)) is not None:
                Accounts([each.account for each in fences]).charge(negative(spent))
            self._take(await self._attempt(fences, job))

    async def _attempt(self, fences: Sequence[Fence], job: Job) -> AttemptKept | NotRun | ScorerFailed | None:
        if not self._is_open(job.entrant):
            return None
        try:
            return await attempt(job, self.store, self.scorer, fences, outside=self._outside)
        except ScorerFailed as failure:
            return failure

    def _take(self, found: AttemptKept | NotRun | ScorerFailed | None) -> None:
        if isinstance(found, ScorerFailed):
            self.broken = self.broken or found
        elif isinstance(found, NotRun):
            self._close(found.owner, found.why, found.key)
        elif found is not None:
            self._count(found.attempt)

    def _count(self, done: Attempt) -> None:
        if (count := self.progress.systems.get(done.system)) is not None:
            count.add(done)
        self.progress.fresh += 1
        self.progress.now = anyio.current_time()
        self.tell()

    def tell(self) -> None:
        """Tell whoever wants to know how far it is."""
        if self.told is not None:
            self.told(self.progress)

    def _close(self, owner: str, why: str, key: Key) -> None:
        if owner == STUCK:
            self.stuck.append(f"item {key[1]!r} cannot go on: {why}")
        elif owner == SUITE:
            self.stopped = self.stopped or f"{SUITE} reached its limit of {why}"
        else:
            name = next(each.name for each in self.comparison.systems if each.spec == key[0])
            self.closed.setdefault(name, f"system {name!r} reached its limit of {why}")

    def _is_open(self, entrant: Entrant) -> bool:
        return self.stopped is None and self.broken is None and entrant.name not in self.closed

    # -- what there is to do ---------------------------------------------------------------------------------------

    def _finished(self, entrant: Entrant) -> Iterator[Attempt]:
        for item, repeat in self._cells():
            key = (entrant.system.spec, item.id, repeat, self.comparison.seed)
            if (done := self.store.finished(key)) is not None:
                yield done

    def _cells(self) -> Iterator[tuple[TaskItem, int]]:
        for repeat in range(self.comparison.repeats):
            for item in self.comparison.items:
                yield item, repeat

    def _jobs(self, entrant: Entrant) -> Iterator[Job]:
        for item, repeat in self._cells():
            if not self._is_open(entrant):
                return
            job = Job(entrant, item, repeat, self.comparison.seed, self.limits_attempt)
            if self.store.finished(job.key) is not None:
                continue
            if entrant.budget is None:
                yield job
            elif (held := self._within_budget(job)) is not None:
                yield held

    def _within_budget(self, job: Job) -> Job | None:
        """A baseline's attempt, held to what its team spent on the very item; None when that is not known."""
        entrant = job.entrant
        budget, single = entrant.budget, self.sampled_from[entrant.name]
        assert budget is not None
        spent = self.store.finished((budget.of, *job.key[1:]))
        amount = None if spent is None else budget.allowed(spent.usage)
        if spent is None or amount is None:
            return None
        held = replace(entrant, team=sampled(single, budget, amount))
        return replace(job, entrant=held, limits=tighter(budget.limits(spent.usage), self.limits_attempt))

    # -- in other processes ----------------------------------------------------------------------------------------

    async def _elsewhere(self, entrants: Sequence[Entrant]) -> None:
        """Attempts in other processes: each gets a share of what is left; refused ones are made again, one by one."""
        purses = self._purses
        purses.setdefault(SUITE, Purse(self.limits, SUITE))
        for kept in self.store.kept.attempts.values():
            purses[SUITE].settle(kept.attempt.key, kept.paid + kept.judged)
        for each in entrants:
            own = self.limits_each.get(each.name)
            purses.setdefault(each.name, Purse(own, f"system {each.name!r}"))
            for done in self._finished(each) if each.recorded is None else ():
                purses[each.name].settle(done.key, done.usage)
        orders: dict[Key, tuple[Entrant, Order]] = {}
        for each in entrants:
            if each.recorded is not None and compares(self.scorer, self.comparison.items):
                await self._recall(each)
            for job in self._jobs(each):
                if (spent := self._begun.pop(run_id_of(self.store.name, job.key), None)) is not None:
                    purses[SUITE].settle(job.key, spent)
                    purses[each.name].settle(job.key, spent)
                carried = Carried.of(job.entrant, job.item)
                order = Order(
                    self.where, self.store.name, carried, job.item, job.repeat, job.seed, self.scorer, job.limits
                )
                if each.name not in {entrant.name for entrant, _ in orders.values()}:
                    check_travels(order)
                orders[job.key] = (each, order)
        # What its share did not pay for is made again, alone, with all that is left.
        refused = await self._hand_out(orders, self.engine.slots)
        for key in refused:
            await self._hand_out({key: orders[key]}, 1)
        if isinstance(self.scorer, Judge):
            await self.store.refresh()  # what was judged stands in the log alone

    async def _hand_out(self, orders: Mapping[Key, tuple[Entrant, Order]], slots: int) -> list[Key]:
        """Let the engine make attempts, each with its share of the budgets; gives the keys of those refused by it."""
        refused: list[Key] = []
        given: dict[Key, tuple[Purse, Purse]] = {}

        def each() -> Iterator[Order]:
            for key, (entrant, order) in orders.items():
                if self._is_open(entrant):
                    given[key] = purses = (self._purses[SUITE], self._purses[entrant.name])
                    yield replace(order, share=as_limits(*(purse.share(key, slots) for purse in purses)))

        def take(found: AttemptKept | NotRun | NotScored) -> None:
            if isinstance(found, NotScored):
                self.broken = self.broken or ScorerFailed(found.problem)
                return
            key = found.key if isinstance(found, NotRun) else found.attempt.key
            usage = found.usage if isinstance(found, NotRun) else found.paid
            suite, own = given[key]
            short = isinstance(found, NotRun) and found.owner != STUCK and suite.is_tighter(own, found.what)
            tighter = suite if short else own
            suite.settle(key, usage + found.judged)
            own.settle(key, usage)
            if isinstance(found, AttemptKept):
                self.store.kept.take(found)
                self._count(found.attempt)
                return
            if found.owner == STUCK:
                self._close(STUCK, found.why, key)
                return
            refused.append(key)
            if slots == 1:
                self._close(tighter.owner, tighter.words(found.what), key)

        await self.engine.map(work, each(), take)
        return refused


class _Turns:
    """Lets systems go on one after the other, and none begin anything new before all have."""

    def __init__(self, count: int) -> None:
        self._left, self._lock, self._all = count, anyio.Lock(), anyio.Event()

    @asynccontextmanager
    async def first(self) -> AsyncIterator[None]:
        """A system's turn to go on; back when all have had theirs."""
        try:
            async with self._lock:
                yield
        finally:
            self._left -= 1
            if not self._left:
                self._all.set()
        await self._all.wait()


def _block(given: Limits | None) -> AbstractContextManager[Account | None]:
    if given is None:
        return nullcontext()
    return limits(given.model_copy(update={"seconds": None}))
