"""Compare agents, teams and functions on the same questions, at equal budget."""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from phalanx.errors import ConfigurationError, PhalanxError, ValidationError
from phalanx.runtime.blocking import run_blocking
from phalanx.runtime.limits import Limits, as_limits
from phalanx.runtime.log import Log
from phalanx.settings import nearest

from .baselines import SINGLE, Single, best_of, chosen, singles, votes
from .engines.engine import Engine, engine_named
from .engines.order import open_log
from .matrix import Matrix
from .progress import Told
from .record import Comparison
from .recorded import Recorded
from .scoring import ByItem, Scorer, scorer_named
from .store import Store, in_order
from .systems import Comparable, Entrant, check, entrant, hashed
from .tasks import Gold, TaskItem, TaskSet

Tasks = TaskSet | Iterable[TaskItem | tuple[str, Gold] | Mapping[str, object]]


class SuiteBroken(PhalanxError):
    """A comparison could not go on because its scorer raised. `comparison` holds all that was done until then."""

    def __init__(self, message: str, comparison: Comparison) -> None:
        super().__init__(
            f"{message}; {len(comparison.attempts)} results are kept, and the answer too where there is a log"
        )
        self.comparison = comparison


async def compare(
    systems: Mapping[str, Comparable],
    tasks: Tasks,
    *,
    scorer: Scorer | str | None = None,
    limits: Limits | Mapping[str, float] | None = None,
    limits_each: Limits | Mapping[str, Limits] | None = None,
    limits_attempt: Limits | Mapping[str, float] | None = None,
    repeats: int = 1,
    seed: int = 0,
    engine: Engine | str | None = None,
    concurrency: int | None = None,
    log: Log | str | os.PathLike[str] | None = None,
    baselines: bool | Sequence[str] = True,
    margin: float = 0.02,
    name: str = "comparison",
    on_progress: Told | None = None,
) -> Comparison:
    """Let every system do every item, and give what became of it.

    systems: by name: agents, teams, Recorded answers, or async functions of a Task that give text. tasks: a TaskSet,
    or what `TaskSet.of` takes. scorer: what an answer is worth, or its name (default: as each item asks).
    limits: of the whole suite, what a call before this one spent included. limits_each: the same for single systems,
    for all alike or by name. limits_attempt: of each single attempt; one that it ends is a result, with what it has
    paid for. repeats: how often each item is done; each repeat has a seed of its own. seed: of all chance. engine:
    where the work is done: "local", "dask", "ray", or an engine. concurrency: attempts at the same time. log: where
    results and runs are kept: a log, the path of an SQLite file, or a Postgres address. With one, a call with the same
    name goes on: what is finished is not done again, and what was interrupted goes on from its journal. baselines: for
    each team, its best single member and sample-and-vote at equal calls, tokens and money; True for all, False for
    none, or the names "single", "calls", "tokens", "usd". margin: the smallest difference that matters. name: what it
    is called. on_progress: called after each attempt, and after many at once of recorded answers.

    Each result is durable before it counts. A failed attempt scores 0 and stays; one that a limit of the suite did not
    let finish is not run, and `stopped` says which limit.

    Raises ValidationError and ConfigurationError before anything is spent; SuiteBroken when the scorer raises, with
    all that was done; LogError when results cannot be kept.
    """
    items = tasks if isinstance(tasks, TaskSet) else TaskSet.of(name, tasks)
    score, scored_by = _scorer(scorer, items)
    whole, each, single = as_limits(limits), _limits_each(limits_each, systems), as_limits(limits_attempt)
    wanted = chosen(baselines)
    _check(systems, (whole, single, *each.values()), repeats, margin, name)
    own_engine = not hasattr(engine, "map")
    works = engine_named(engine or "local", concurrency=concurrency) if own_engine else engine  # type: ignore[arg-type]
    if not own_engine and concurrency is not None:
        raise ConfigurationError("concurrency= belongs to the engine when the engine is given as an object")
    opened = open_log(os.fspath(log)) if isinstance(log, str | os.PathLike) else None
    held: Log | None = opened if opened is not None else log  # type: ignore[assignment]
    try:
        where = _where(log, held) if works.remote else ""  # type: ignore[union-attr]
        given = [await entrant(each_name, who) for each_name, who in systems.items()]
        _check_functions(given)
        for one in given:
            if one.recorded is not None:
                _check_recorded(one.name, one.recorded, items)
        matrix = Matrix(
            Comparison(
                name=name, tasks=str(items), systems=(), items=items.items, attempts=(), repeats=repeats, seed=seed,
                margin=margin, skipped_rows=len(items.skipped), version=_version(), commit=_commit(),
                started=time.time(),
            ),
            Store(held, name), score, works, whole, each, single, where, on_progress,  # type: ignore[arg-type]
        )  # fmt: skip
        return await _Course(matrix, given, wanted, scored_by).run()
    finally:
        if own_engine:
            await works.aclose()  # type: ignore[union-attr]
        if opened is not None:
            await opened.aclose()


def compare_sync(systems: Mapping[str, Comparable], tasks: Tasks, **options: object) -> Comparison:
    """`compare` for code that is not async; works inside a running event loop too, so in notebooks.

    systems, tasks: as `compare` has them. options: its other keywords. It raises what `compare` does.
    """

    async def work() -> Comparison:
        try:
            return await compare(systems, tasks, **options)  # type: ignore[arg-type]
        finally:
            for each in systems.values():
                if hasattr(each, "aclose"):
                    await each.aclose()

    return run_blocking(work)


class _Course:
    """The course of a comparison: the systems and their members first, then the baselines that follow from them."""

    def __init__(self, matrix: Matrix, given: Sequence[Entrant], wanted: Sequence[str], scored_by: str) -> None:
        self.matrix, self.given, self.wanted, self.scored_by = matrix, given, wanted, scored_by
        self.all = list(given)
        self.members: dict[str, list[Single]] = {}

    async def run(self) -> Comparison:
        """Work everything off. Raises SuiteBroken."""
        matrix = self.matrix
        for each in self.given if self.wanted else ():
            self.members[each.name] = await singles(each)
        alone = [one.entrant for found in self.members.values() for one in found] if self._needs_members else []
        await check({each.name: each for each in (*self.given, *alone)}, limits=_money(matrix), scorer=matrix.scorer)
        await self._begin(alone)
        # Two that are the same have the same results: they are made once, and shown under both names.
        first = _distinct([*self.given, *alone])
        matrix.count(first)

        async def phases() -> None:
            await matrix.work_off(first)
            if matrix.stopped is None and matrix.broken is None:
                follow = await self._votes()
                if follow:
                    await self._begin(follow)
                    fresh = [each for each in _distinct([*first, *follow]) if each.budget is not None]
                    matrix.count(fresh)
                    await matrix.work_off(fresh)

        await matrix.run(phases)
        made = matrix.comparison.model_copy(update={"stopped": matrix.stopped})
        made = made.model_copy(update={"attempts": in_order(made, matrix.store.kept.attempts)})
        made = made.model_copy(update=matrix.store.kept.besides(made))
        if matrix.broken is not None:
            raise SuiteBroken(str(matrix.broken), made) from matrix.broken.problem
        await matrix.store.end(matrix.stopped)
        return made

    @property
    def _needs_members(self) -> bool:
        """Members are measured on their own as baselines, and where the best of several is to be sampled."""
        several = any(len(found) > 1 for found in self.members.values())
        return SINGLE in self.wanted or (several and len(self.wanted) > 0)

    async def _votes(self) -> list[Entrant]:
        """The sample-and-vote baselines, of the best member as measured."""
        found: list[Entrant] = []
        for each in self.given:
            members = self.members.get(each.name, [])
            if not members:
                continue
            attempts = [kept.attempt for kept in self.matrix.store.kept.attempts.values() if kept.scored]
            best = best_of(members, attempts)
            for baseline in await votes(each, best, self.wanted, among=len(members)):
                self.matrix.sampled_from[baseline.name] = best
                found.append(baseline)
        return found

    async def _begin(self, more: Sequence[Entrant]) -> None:
        taken = {each.name for each in self.all}
        for each in more:
            if each.name in taken:
                raise ValidationError(f"the name {each.name!r} is that of a baseline; give your system another one")
        self.all += more
        systems = tuple(each.system for each in self.all)
        self.matrix.comparison = self.matrix.comparison.model_copy(update={"systems": systems})
        store, progress = self.matrix.store, self.matrix.progress
        await store.begin(self.matrix.comparison, self.scored_by, self.matrix.limits_attempt)
        found = store.kept.beside(self.matrix.comparison)
        if found.changed or found.told:
            progress.left_behind, progress.beside = found.changed, found.told
            self.matrix.tell()  # before anything is paid for a second time


def _check_recorded(name: str, recorded: Recorded, items: TaskSet) -> None:
    try:
        recorded.check(items)
    except ValidationError as problem:
        raise ValidationError(f"system {name!r}: {problem}") from None


def _check_functions(given: Sequence[Entrant]) -> None:
    """Refuse two functions that nothing tells apart: one would be given the other's results."""
    seen: dict[str, Entrant] = {}
    for each in given:
        other = seen.setdefault(each.system.spec, each)
        if each.function is not other.function:
            raise ValidationError(
                f"systems {other.name!r} and {each.name!r} cannot be told apart: both are {each.system.described}, and "
                "what differs between them can change; write two functions, or a frozen dataclass with what differs"
            )


def _distinct(entrants: Sequence[Entrant]) -> list[Entrant]:
    """One of each, by what they are."""
    found: dict[str, Entrant] = {}
    for each in entrants:
        found.setdefault(each.system.spec, each)
    return list(found.values())


def _scorer(given: Scorer | str | None, tasks: TaskSet) -> tuple[Scorer, str]:
    """The scorer, and what it is called where results are kept."""
    if given is None:
        by_item = ByItem()
        by_item.check(tasks.items)
        return by_item, "ByItem"
    if isinstance(given, str):
        return scorer_named(given), given
    if not callable(given):
        raise ValidationError(f"scorer={given!r} is no function of an answer and its item, and no name")
    if hasattr(given, "check"):
        given.check(tasks.items)
    if inspect.isroutine(given):
        return given, f"{given.__module__}.{given.__qualname__}"
    shown = repr(given)
    return given, type(given).__name__ if " at 0x" in shown else f"{type(given).__name__} {hashed(shown)}"


def _limits_each(given: Limits | Mapping[str, Limits] | None, systems: Mapping[str, Comparable]) -> dict[str, Limits]:
    if given is None:
        return {}
    if isinstance(given, Limits):
        return dict.fromkeys(systems, given)
    for name, each in given.items():
        if name not in systems:
            raise ValidationError(f"limits_each: there is no system {name!r}{nearest(name, systems)}")
        if not isinstance(each, Limits):
            raise ValidationError(f"limits_each[{name!r}]={each!r} is no Limits")
    return dict(given)


def _check(
    systems: Mapping[str, Comparable], limits: Iterable[Limits | None], repeats: int, margin: float, name: str
) -> None:  # fmt: skip
    if not systems:
        raise ValidationError("there is nothing to compare: give at least one system")
    if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 1:
        raise ValidationError(f"repeats={repeats!r} must be a whole number, at least 1")
    if not 0 < margin < 1:
        raise ValidationError(f"margin={margin!r} must be between 0 and 1, e.g. 0.02 for two points")
    if not isinstance(name, str) or not name.strip():
        raise ValidationError("a comparison needs a name")
    for given in limits:
        if given is not None and given.depth is not None:
            raise ValidationError("depth belongs to a team: give it in the limits of the team, not of the suite")


def _where(log: object, held: Log | None) -> str:
    """The path or the address under which other processes find the log."""
    if isinstance(log, str | os.PathLike):
        where = os.fspath(log)
        return where if "://" in where else str(Path(where).absolute())
    from phalanx.runtime.sqlite import SqliteLog

    if not isinstance(held, SqliteLog):
        raise ConfigurationError(
            "an engine with other processes needs a log that they can open: give log= as the path of an SQLite file or "
            "as a Postgres address"
        )
    if held.codec.redact is not None:
        raise ConfigurationError("other processes cannot redact as this log does: use the local engine with it")
    return str(held.path)


def _money(matrix: Matrix) -> Limits | None:
    """The limits with money in them, if any have."""
    every = (matrix.limits, matrix.limits_attempt, *matrix.limits_each.values())
    return next((each for each in every if each and each.usd is not None), None)


def _version() -> str:
    from importlib.metadata import version

    return version("phalanx")


def _commit() -> str | None:
    """The commit of this code, where it lies in a repository; None where it was installed."""
    git = Path(__file__).resolve().parent.parent / ".git"
    try:
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
        if not head.startswith("ref: "):
            return head[:12]
        return (git / head.removeprefix("ref: ")).read_text(encoding="utf-8").strip()[:12]
    except OSError:
        return None
