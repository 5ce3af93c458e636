"""A work item that can travel: what to do, with what, and where the result is kept."""

from __future__ import annotations

import contextlib
import importlib
import os
from dataclasses import dataclass
from typing import Any

from phalanx.benchmarks.job import Fence, Job, NotRun
from phalanx.benchmarks.judging import Judge
from phalanx.benchmarks.record import System
from phalanx.benchmarks.recorded import Recorded
from phalanx.benchmarks.scoring import Scorer
from phalanx.benchmarks.store import AttemptKept, Kept, Store
from phalanx.benchmarks.suite import ScorerFailed, attempt
from phalanx.benchmarks.systems import Entrant, TaskFunction
from phalanx.benchmarks.tasks import TaskItem
from phalanx.errors import ConfigurationError, LogConflict, ValidationError
from phalanx.formations.base import FormationModel
from phalanx.runtime.limits import Limits, limits
from phalanx.runtime.log import Log
from phalanx.teams.spec import parse_team, to_yaml
from phalanx.teams.team import AgentTeam

SHARE = "its share of the budget"


@dataclass(frozen=True)
class Carried:
    """A system as it travels: as YAML where a file can hold it, else as it is, which then must be picklable.

    yaml: of the team. formation: how a team of one works, which no file can hold. team, function: as they are.
    recorded: the answers to the one question that is asked.
    """

    system: System
    yaml: str | None = None
    formation: object = None
    team: AgentTeam | None = None
    function: TaskFunction | None = None
    recorded: Recorded | None = None

    @classmethod
    def of(cls, entrant: Entrant, item: TaskItem) -> Carried:
        """Make a system ready to travel.

        entrant: which. item: for which question.
        """
        team = entrant.team
        if entrant.recorded is not None:
            return cls(entrant.system, recorded=entrant.recorded.only(item.id))
        if team is None:
            return cls(entrant.system, function=entrant.function)
        built_in = isinstance(team.formation, FormationModel)
        try:
            if built_in:
                return cls(entrant.system, yaml=to_yaml(team))
            if team.log is None and len(team.members) == 1:
                members = AgentTeam([team.members[0].who], name=team.name, model=team.given_model)
                return cls(entrant.system, yaml=to_yaml(members), formation=team.formation)
        except ValidationError:
            pass  # a file cannot hold it: it travels as it is
        return cls(entrant.system, team=team)

    def entrant(self) -> Entrant:
        """The system, in the process that it came to."""
        if self.yaml is None:
            return Entrant(system=self.system, team=self.team, function=self.function, recorded=self.recorded)
        team = parse_team(self.yaml)
        if self.formation is not None:
            who = [member.who for member in team.members]
            team = AgentTeam(who, formation=self.formation, name=team.name, model=team.given_model)
        return Entrant(system=self.system, team=team)


@dataclass(frozen=True)
class Order:
    """One attempt, to be made in another process.

    log: the path of the SQLite file, or the address of the database, that all share. name: the comparison's. limits:
    of the attempt itself. share: what it may spend of the suite's budget.
    """

    log: str
    name: str
    carried: Carried
    item: TaskItem
    repeat: int
    seed: int
    scorer: Scorer
    limits: Limits | None = None
    share: Limits | None = None

    def job(self, entrant: Entrant) -> Job:
        """The attempt that it orders."""
        return Job(entrant, self.item, self.repeat, self.seed, self.limits)


@dataclass(frozen=True)
class NotScored:
    """The scorer failed on an answer, which is kept."""

    problem: str


# What a worker's process has read of each comparison, so that it reads only what is new.
_READ: dict[tuple[int, str, str], Kept] = {}


async def work(order: Order) -> AttemptKept | NotRun | NotScored:
    """Make an attempt, in whatever process this is; its result is in the shared log before this returns."""
    log = open_log(order.log)
    entrant: Entrant | None = None
    try:
        store = Store(log, order.name)
        store.kept = _READ.setdefault((os.getpid(), order.log, order.name), store.kept)
        await store.refresh()
        entrant = order.carried.entrant()
        job = order.job(entrant)
        with limits(order.share or Limits()) as account:
            fences = [Fence(SHARE, account)]
            try:
                return await attempt(job, store, order.scorer, fences)
            except LogConflict:
                # Somebody else, thought to be dead, does the same item: what counts is who ended it.
                await store.refresh()
                if store.finished(job.key) is None:
                    raise
                return await attempt(job, store, order.scorer, fences)
            except ScorerFailed as failure:
                return NotScored(str(failure))
    finally:
        if entrant is not None and entrant.team is not None:
            await entrant.team.aclose()
        if isinstance(order.scorer, Judge):
            await order.scorer.aclose()
        await log.aclose()


def open_log(where: str) -> Log:
    """The log at a path or at a Postgres address."""
    if where.startswith(("postgresql://", "postgres://")):
        from phalanx.runtime.postgres import PostgresLog

        return PostgresLog(where)
    from phalanx.runtime.sqlite import SqliteLog

    return SqliteLog(where)


def check_travels(order: Order) -> None:
    """Raise ConfigurationError, before anything is spent, when an order cannot be sent to another process."""
    from pickle import PicklingError

    cloudpickle = _cloudpickle()
    name = order.carried.system.name
    for what, part in (("system", order.carried), ("scorer of system", order.scorer)):
        try:
            cloudpickle.loads(cloudpickle.dumps(part))
        except (PicklingError, TypeError, AttributeError, ValueError) as problem:
            raise ConfigurationError(
                f"the {what} {name!r} cannot be sent to another process: {problem}; use the local engine, or name "
                "models as 'provider/name'"
            ) from None


def _cloudpickle() -> Any:
    """What Dask and Ray send values with: of its own, or Ray's copy. Raises ConfigurationError without either."""
    for name in ("cloudpickle", "ray.cloudpickle"):
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    raise ConfigurationError("work is sent to other processes by cloudpickle: pip install 'phalanx[dask]'")
