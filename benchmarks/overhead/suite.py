"""What a suite costs: votes over recorded answers, as ballots and as teams, statistics and the store included."""

from __future__ import annotations

import gc
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from phalanx.agents.agent import Agent
from phalanx.agents.models.recorded import RecordedModel, Recording
from phalanx.agents.task import Task
from phalanx.benchmarks import summary
from phalanx.benchmarks.compare import compare
from phalanx.benchmarks.recorded import Recorded
from phalanx.benchmarks.systems import Comparable
from phalanx.benchmarks.tasks import TaskItem, TaskSet
from phalanx.teams.team import AgentTeam

from .measure import Row, Target

VOTERS = 9


async def measure(*, rounds: int, items: int) -> AsyncIterator[Row]:
    """The rows, as they are ready: items a second of one core's time, each way in turn in each round."""
    chance = random.Random(0)
    recordings = [
        Recording(f"q{at}", "ada", f"Answer: {2 * at + chance.choice((0, 0, 1, 2))}", 0, sample)
        for at in range(items)
        for sample in range(VOTERS)
    ]
    tasks = TaskSet.of(
        "doubling", [TaskItem(id=f"q{at}", question=f"What is {at} + {at}?", gold=2 * at) for at in range(items)]
    )
    few = TaskSet("doubling", tasks.items[: max(1, items // 10)])
    solver = Agent("solver", name="ada", model=RecordedModel(recordings))

    async def at_once(task: Task) -> str:
        return f"Answer: {len(task.id)}"

    ways: dict[str, tuple[Callable[[], Comparable], TaskSet, bool]] = {
        f"recorded ballots, vote of {VOTERS}, SQLite": (lambda: Recorded(recordings), tasks, True),
        "a function, SQLite": (lambda: at_once, tasks, True),
        f"team, vote of {VOTERS} of a recorded model, in memory": (lambda: _team(solver), few, False),
        f"team, vote of {VOTERS} of a recorded model, SQLite": (lambda: _team(solver), few, True),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (make, over, kept) in ways.items():
            found[name].append(await _rate(make(), over, kept))
    for at, (name, rates) in enumerate(found.items()):
        yield Row(f"suite: {name}", "items/s", tuple(rates), Target(2000, 5000, at_least=True) if at == 0 else None)


def _team(solver: Agent) -> AgentTeam:
    return AgentTeam.vote(solver, samples=VOTERS, early=False)


async def _rate(system: Comparable, tasks: TaskSet, kept: bool) -> float:
    """Items a second of this process's CPU: the suite, its store, the summary, and the summary as text."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        gc.collect()
        began = time.process_time()
        log = Path(folder) / "bench.db" if kept else None
        str(summary.of(await compare({"system": system}, tasks, baselines=False, log=log)))
        return len(tasks) / (time.process_time() - began)
