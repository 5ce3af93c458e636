"""Judges of a suite whose work is done in other processes: their verdicts are kept, paid once, and limited too."""

from __future__ import annotations

import warnings
from pathlib import Path

import anyio
import pytest

from phalanx import Agent, Limits
from phalanx.benchmarks.compare import compare
from phalanx.benchmarks.engines.dask import DaskEngine
from phalanx.benchmarks.engines.order import Carried, Order, work
from phalanx.benchmarks.job import NotRun
from phalanx.benchmarks.judging import Judge
from phalanx.benchmarks.record import Comparison
from phalanx.benchmarks.store import AttemptKept, read_comparison
from phalanx.benchmarks.systems import entrant
from phalanx.runtime.sqlite import SqliteLog
from tests.benchmarks.bench_of_judges import JudgingModel
from tests.benchmarks.desk import DeskModel, begun, debate
from tests.benchmarks.staff import sums

pytestmark = [
    pytest.mark.wire,  # processes of their own take real time
    pytest.mark.timeout(170),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def test_judges_in_worker_processes_are_paid_once_and_held_to_the_suites_limit(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", exc_type=ImportError)
    book, verdicts, log = tmp_path / "book", tmp_path / "verdicts", tmp_path / "log.db"
    judge = Judge(JudgingModel(str(verdicts)), judges=2)

    def run(limits: Limits | None, client: object) -> Comparison:
        async def work() -> Comparison:
            return await compare(
                {"debate": debate(book, seconds=0.01)}, sums(6), scorer=judge, baselines=False, log=log,
                engine=DaskEngine(client), limits=limits,
            )  # fmt: skip

        return anyio.run(work)

    with (
        warnings.catch_warnings(),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        warnings.simplefilter("ignore")
        # Six calls an item for the debate, four for the judges: two items at once, and then parts of two more.
        part = run(Limits(calls=38), client)
        asked = begun(book).total() + len(verdicts.read_text().splitlines())
        whole = run(None, client)

    assert part.stopped is not None
    assert "the suite reached its limit of 38 calls" in part.stopped
    assert asked <= 38
    assert 2 <= len(part.attempts) <= 3
    assert whole.stopped is None
    assert [each.score for each in whole.attempts] == [1.0] * 6
    assert {each.usage.calls for each in whole.attempts} == {6}
    # Nobody was asked the same twice, in whichever process.
    assert set(begun(book).values()) == {1}
    lines = [line.split(" ", 1)[1] for line in verdicts.read_text().splitlines()]
    assert len(lines) == len(set(lines)) == 6 * 4
    assert len({line.split()[0] for line in verdicts.read_text().splitlines()}) == 2

    async def kept() -> Comparison:
        async with SqliteLog(log) as opened:
            return await read_comparison(opened, "comparison")

    judging = anyio.run(kept).judging
    assert judging is not None
    assert (judging.judgements, judging.judges, judging.usage.calls) == (6, 2, 24)
    assert whole.judging == judging


def test_a_judge_travels_as_what_it_is() -> None:
    import pickle

    judge = Judge(JudgingModel("book"), judges=2, rubric="Clear?", by="same", undecided=0.25, name="bar")
    again = pickle.loads(pickle.dumps(judge))
    assert repr(again) == repr(judge)


async def test_a_share_of_the_budget_holds_what_an_answer_cost_before_it_is_judged(tmp_path: Path) -> None:
    book, verdicts, log = tmp_path / "book", tmp_path / "verdicts", tmp_path / "log.db"
    solver = await entrant("solo", Agent("worker", name="ada", model=DeskModel(str(book), 0.01)))

    def order(calls: int) -> Order:
        judge = Judge(JudgingModel(str(verdicts)))
        (item,) = sums(1)
        return Order(str(log), "shared", Carried.of(solver, item), item, 0, 0, judge, share=Limits(calls=calls))

    # One answer and two verdicts: two calls are not enough, however often they are given.
    for _ in range(2):
        refused = await work(order(2))
        assert isinstance(refused, NotRun)
        assert refused.usage.calls + refused.judged.calls == 2
        assert begun(book).total() + len(verdicts.read_text().splitlines()) == 2
    made = await work(order(3))
    assert isinstance(made, AttemptKept)
    assert (made.attempt.score, made.attempt.usage.calls, made.judged.calls) == (1.0, 1, 2)
    assert begun(book).total() + len(verdicts.read_text().splitlines()) == 3
