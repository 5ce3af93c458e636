"""While a suite works the garbage collector leaves alone what was there before; then all is as it was."""

from __future__ import annotations

import gc

import pytest

from phalanx.agents.task import Task
from phalanx.benchmarks.compare import SuiteBroken, compare
from phalanx.benchmarks.tasks import TaskItem
from tests.benchmarks.staff import sums


async def test_the_collector_is_as_before_when_a_suite_ends_also_when_it_breaks() -> None:
    before, seen = gc.get_freeze_count(), list[int]()

    async def solver(task: Task) -> str:
        seen.append(gc.get_freeze_count())
        return task.id

    def broken(answer: str, item: TaskItem) -> float:
        raise ValueError("out of order")

    await compare({"solver": solver}, sums(2), baselines=False)
    with pytest.raises(SuiteBroken):
        await compare({"solver": solver}, sums(2), scorer=broken, baselines=False)
    assert min(seen) > 0
    assert gc.get_freeze_count() == before


async def test_what_somebody_else_has_frozen_stays_frozen() -> None:
    async def solver(task: Task) -> str:
        return task.id

    gc.freeze()
    try:
        count = gc.get_freeze_count()
        await compare({"solver": solver}, sums(2), baselines=False)
        assert gc.get_freeze_count() > count / 2
    finally:
        gc.unfreeze()
