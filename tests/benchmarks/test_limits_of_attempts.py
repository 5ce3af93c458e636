"""A limit of each single attempt: what it ends is a result that says so, and what was paid for is kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TypeVar

import anyio
import pytest

from phalanx import AgentTeam, Limits
from phalanx.agents.task import Task
from phalanx.benchmarks import summary
from phalanx.benchmarks.compare import compare
from phalanx.benchmarks.record import Comparison
from phalanx.benchmarks.systems import Comparable
from phalanx.errors import ValidationError
from phalanx.formations.voting import never
from tests.benchmarks.staff import Office, sums
from tests.benchmarks.test_engines import dask_workers

T = TypeVar("T")
R = TypeVar("R")


class Elsewhere:
    """An engine of other processes, in this one: what travels is taken as it is."""

    remote = True
    slots = 2

    async def map(self, function: Callable[[T], Awaitable[R]], items: Iterable[T], done: Callable[[R], None]) -> None:
        for item in items:
            done(await function(item))

    async def aclose(self) -> None:
        pass


async def hangs_on_the_second(task: Task) -> str:
    if task.id == "s2":
        await anyio.sleep_forever()
    return str(int(task.description.split()[0]) + 1)


def ended(found: Comparison, system: str) -> dict[str, tuple[str, str | None]]:
    return {each.item: (each.status, each.answer) for each in found.attempts if each.system == system}


@pytest.mark.parametrize("engine", [None, Elsewhere()], ids=["local", "elsewhere"])
async def test_a_function_that_hangs_is_a_failed_attempt_that_says_so(tmp_path: Path, engine: Elsewhere | None) -> None:
    found = await compare(
        {"function": hangs_on_the_second}, sums(3), limits_attempt=Limits(seconds=30), engine=engine,
        log=tmp_path / "bench.db", concurrency=None,
    )  # fmt: skip
    assert ended(found, "function") == {"s1": ("completed", "2"), "s2": ("failed", None), "s3": ("completed", "4")}
    (hung,) = [each for each in found.attempts if each.item == "s2"]
    assert hung.error is not None
    assert "seconds limit of the attempt reached: 30 spent, 30 allowed" in hung.error
    assert hung.score == 0.0
    assert hung.seconds == pytest.approx(30, abs=0.5)
    # It is a result like others: the suite is whole, and a second call does not wait for it again.
    assert found.stopped is None
    again = await compare({"function": hangs_on_the_second}, sums(3), log=tmp_path / "bench.db")
    assert again.attempts == found.attempts
    assert "seconds limit of the attempt" in str(summary.of(found))


async def test_what_a_function_paid_for_until_its_time_was_over_is_kept() -> None:
    office = Office()
    team = AgentTeam.vote(office.agent(), samples=2)

    async def asks_and_hangs(task: Task) -> str:
        await team.run(task)
        await anyio.sleep_forever()
        return "never"

    found = await compare({"function": asks_and_hangs}, sums(2), limits_attempt={"seconds": 20}, baselines=False)
    assert [each.status for each in found.attempts] == ["failed", "failed"]
    assert [each.usage.calls for each in found.attempts] == [2, 2]
    assert all(each.usage.tokens > 0 for each in found.attempts)
    assert office.calls == 4


async def test_a_function_may_call_no_more_than_its_attempt_may() -> None:
    office = Office()
    team = AgentTeam.vote(office.agent(), samples=1)

    async def asks_three_times(task: Task) -> str:
        return [await team.run(task) for _ in range(3)][-1]

    limits = Limits(calls=2)
    # The suite's own limit is the same number: the attempt's is its own all the same.
    found = await compare(
        {"function": asks_three_times}, sums(1), limits=limits, limits_attempt=limits, baselines=False
    )
    (made,) = found.attempts
    assert (made.status, made.answer, made.usage.calls) == ("stopped", None, 2)
    assert made.error is not None
    assert "calls limit of the attempt reached" in made.error
    assert found.stopped is None


async def test_a_team_ends_with_the_best_it_has_when_its_attempt_is_over() -> None:
    office = Office(pause=10)
    members = [office.agent(name) for name in ("ada", "bob", "cy")]
    team = AgentTeam.debate(members, rounds=5, trigger="always", stop=never())
    found = await compare({"debate": team}, sums(2), limits_attempt=Limits(seconds=25), baselines=False)
    assert [each.status for each in found.attempts] == ["stopped", "stopped"]
    assert all(each.usage.calls >= 6 for each in found.attempts)
    assert all(each.answer is not None and each.score == 1.0 for each in found.attempts)


async def test_a_baseline_has_no_more_time_than_its_team() -> None:
    office = Office(pause=10)
    team = AgentTeam.debate([office.agent(name) for name in ("ada", "bob", "cy")], rounds=1, trigger="always")
    found = await compare({"debate": team}, sums(1), limits_attempt=Limits(seconds=25), baselines=["calls"])
    vote = next(each for each in found.attempts if each.system.endswith("equal calls"))
    assert vote.status == "stopped"
    assert vote.usage.calls < 6


async def test_a_limit_that_no_attempt_can_have_is_refused() -> None:
    with pytest.raises(ValidationError, match="depth belongs to a team"):
        await compare({"function": hangs_on_the_second}, sums(1), limits_attempt=Limits(depth=1))
    with pytest.raises(ValidationError, match="no limit 'second'"):
        await compare({"function": hangs_on_the_second}, sums(1), limits_attempt={"second": 1})


@pytest.mark.wire
@pytest.mark.timeout(170)
@pytest.mark.filterwarnings("ignore")
async def test_a_function_that_hangs_on_a_dask_worker_is_a_failed_attempt_too(tmp_path: Path) -> None:
    from phalanx.benchmarks.engines.dask import DaskEngine

    systems: dict[str, Comparable] = {"function": hangs_on_the_second}
    with dask_workers() as client:
        found = await compare(
            systems, sums(3), limits_attempt=Limits(seconds=0.5), engine=DaskEngine(client),
            log=tmp_path / "bench.db",
        )  # fmt: skip
    assert ended(found, "function")["s2"] == ("failed", None)
    assert found.stopped is None
