"""Where work is done makes no difference: the same results, the same limits; a dead worker costs nothing twice."""

from __future__ import annotations

import os
import signal
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from phalanx import Limits
from phalanx.benchmarks.compare import compare
from phalanx.benchmarks.engines.dask import DaskEngine
from phalanx.benchmarks.engines.local import LocalEngine
from phalanx.benchmarks.engines.ray import RayEngine
from phalanx.benchmarks.record import Attempt, Comparison
from phalanx.benchmarks.systems import Comparable
from phalanx.errors import ConfigurationError, ValidationError
from phalanx.runtime.log import MemoryLog
from phalanx.runtime.sqlite import SqliteLog
from tests.benchmarks.desk import begun, debate, lines, one_more
from tests.benchmarks.staff import Office, sums

pytestmark = [
    pytest.mark.wire,  # processes of their own take real time
    pytest.mark.timeout(170),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@contextmanager
def dask_workers(count: int = 2) -> Iterator[object]:
    """A client of real worker processes, which are started again when they die."""
    distributed = pytest.importorskip("distributed", exc_type=ImportError)
    with (
        warnings.catch_warnings(),
        distributed.LocalCluster(
            n_workers=count, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        warnings.simplefilter("ignore")
        yield client


async def kill_one(book: Path) -> None:
    """Kill a worker as soon as one is in the second round of a later item: the first has been paid."""
    while True:
        await anyio.sleep(0.02)
        last = {int(pid): call.split() for what, pid, call in lines(book) if what == "begin"}
        for pid, (_, _, item, round, _) in last.items():
            if round == "1" and item not in ("s1", "s2"):
                os.kill(pid, signal.SIGKILL)
                return


def check_that_nothing_was_paid_twice(book: Path) -> None:
    """Only what the dead worker had begun and not ended was asked again; its finished calls were not."""
    again = {call for call, count in begun(book).items() if count > 1}
    open_calls = begun(book) - _ended(book)
    assert again <= set(open_calls)
    assert 1 <= len(open_calls) <= 3


def facts(found: Comparison) -> list[tuple[object, ...]]:
    """All of the attempts but how long they took."""

    def of(each: Attempt) -> tuple[object, ...]:
        return (each.system, each.key, each.status, each.answer, each.score, each.usage.calls, each.ballots)

    return [of(each) for each in found.attempts]


async def test_dask_gives_what_the_local_engine_gives_limits_and_a_killed_worker_included(tmp_path: Path) -> None:
    book, items = tmp_path / "book", sums(9)
    systems: dict[str, Comparable] = {"debate": debate(book), "function": one_more}
    here = await compare(systems, items, baselines=["calls"])
    book.unlink()
    with dask_workers() as client:
        async with anyio.create_task_group() as group:
            group.start_soon(kill_one, book)
            there = await compare(
                systems, items, baselines=["calls"], engine=DaskEngine(client), log=tmp_path / "log.db"
            )
        assert facts(there) == facts(here)
        assert len({pid for _, pid, _ in lines(book)} - {str(os.getpid())}) >= 2
        check_that_nothing_was_paid_twice(book)
        asked = sum(begun(book).values())
        once_more = await compare(
            systems, items, baselines=["calls"], engine=DaskEngine(client), log=tmp_path / "log.db"
        )
        assert facts(once_more) == facts(here)
        assert sum(begun(book).values()) == asked
        # The same limits, over all processes: never overdrawn, and used up to what a whole item takes.
        poor = tmp_path / "poor"
        limited = await compare(
            {"debate": debate(poor, 0.02)}, items, baselines=False, engine=DaskEngine(client),
            log=tmp_path / "poor.db", limits=Limits(calls=45),
        )  # fmt: skip
        assert sum(begun(poor).values()) <= 45
        assert 6 <= len(limited.attempts) <= 7
        assert limited.stopped is not None
        assert limited.stopped.startswith("the suite reached its limit of 45 calls: ")
        assert {each.score for each in limited.attempts} == {1.0}


async def test_ray_gives_what_the_local_engine_gives_a_killed_worker_included(tmp_path: Path) -> None:
    if not os.environ.get("PHALANX_REQUIRE_RAY"):
        pytest.importorskip("ray", reason="Ray is not installed; there is none for every Python", exc_type=ImportError)
    book, items = tmp_path / "book", sums(9)
    systems = {"debate": debate(book)}
    here = await compare(systems, items, baselines=False)
    book.unlink()
    engine = RayEngine(workers=2)
    try:
        async with SqliteLog(tmp_path / "log.db") as log, anyio.create_task_group() as group:
            group.start_soon(kill_one, book)
            there = await compare(systems, items, baselines=False, engine=engine, log=log)
            check_that_nothing_was_paid_twice(book)
            asked = sum(begun(book).values())
            again = await compare(systems, items, baselines=False, engine=engine, log=log)
    finally:
        await engine.aclose()
    assert facts(there) == facts(again) == facts(here)
    assert sum(begun(book).values()) == asked
    assert str(os.getpid()) not in {pid for _, pid, _ in lines(book)}


async def test_other_processes_need_a_log_and_systems_that_can_travel(tmp_path: Path) -> None:
    engine = _Elsewhere()
    systems = {"debate": debate(tmp_path / "book")}
    with pytest.raises(ConfigurationError, match="needs a log that they can open"):
        await compare(systems, sums(1), engine=engine)
    with pytest.raises(ConfigurationError, match="needs a log that they can open"):
        await compare(systems, sums(1), engine=engine, log=MemoryLog())
    async with SqliteLog(tmp_path / "log.db", redact=str.upper) as log:
        with pytest.raises(ConfigurationError, match="cannot redact"):
            await compare(systems, sums(1), engine=engine, log=log)
    generator = (number for number in range(1))
    tied = Office().agent()
    tied.approve = lambda _: generator is None
    with pytest.raises(ConfigurationError, match="the system 'tied' cannot be sent to another process"):
        await compare({"tied": tied}, sums(1), engine=engine, log=tmp_path / "log.db", baselines=False)
    assert engine.asked == 0


async def test_the_local_engine_takes_items_one_by_one_and_never_more_than_it_has_slots() -> None:
    taken: list[int] = []
    busy = most = 0
    done: list[int] = []

    def source() -> Iterator[int]:
        for number in range(20):
            taken.append(number)
            yield number

    async def double(number: int) -> int:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        assert len(taken) - len(done) <= 4
        await anyio.sleep(0.001)
        busy -= 1
        return 2 * number

    await LocalEngine(4).map(double, source(), done.append)
    assert sorted(done) == [2 * number for number in range(20)]
    assert most == 4
    with pytest.raises(ValidationError, match="at least 1"):
        LocalEngine(0)


def _ended(book: Path) -> Counter[str]:
    return Counter(call for what, _, call in lines(book) if what == "end")


class _Elsewhere:
    """An engine with other processes, of which none is ever reached."""

    remote = True
    slots = 1

    def __init__(self) -> None:
        self.asked = 0

    async def map(self, function: object, items: object, done: object) -> None:
        self.asked += 1

    async def aclose(self) -> None:
        pass
