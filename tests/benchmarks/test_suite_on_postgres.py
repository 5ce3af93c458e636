"""A suite whose results are kept in Postgres: cut and gone on with, nothing is paid twice, and others read it."""

from __future__ import annotations

import anyio
import pytest

from phalanx import AgentTeam
from phalanx.benchmarks.compare import compare
from phalanx.benchmarks.recorded import Recorded
from phalanx.benchmarks.store import comparison_names, read_comparison, taken
from phalanx.benchmarks.systems import Comparable
from phalanx.runtime.postgres import PostgresLog
from tests.benchmarks.staff import Office, sums
from tests.runtime.postgres_server import server

pytestmark = [pytest.mark.wire, pytest.mark.timeout(120)]


async def test_a_suite_on_postgres_goes_on_where_it_was_cut_and_pays_for_nothing_twice() -> None:
    running, office = server(), Office(pause=0.02)
    database = running.new_schema()
    running.run_sql(f"CREATE DATABASE {database}")
    team = AgentTeam.debate([office.agent(name) for name in ("ada", "bob", "cy")], rounds=1, trigger="always")
    record = Recorded({f"s{at}": [str(at + 1), str(at + 1), "0"] for at in range(1, 9)})
    systems: dict[str, Comparable] = {"debate": team, "record": record}
    finished = 0

    with anyio.CancelScope() as cut:

        def told(progress: object) -> None:
            nonlocal finished
            finished += 1
            if finished == 4:
                cut.cancel()

        # The address alone, as the command has it and as other processes are told it.
        await compare(
            systems, sums(8), log=running.dsn(database), baselines=False, concurrency=2, on_progress=told, name="b"
        )
    assert cut.cancelled_caught
    async with PostgresLog(running.dsn(database)) as log:
        kept = await read_comparison(log, "b")
        assert 0 < len(kept.attempts) < 16
        assert kept.stopped == "it was interrupted, or still runs"
        found = await compare(systems, sums(8), log=log, baselines=False, name="b")
        assert await comparison_names(log) == ["b"]
        assert (await read_comparison(log, "b")).attempts == found.attempts
        assert [await taken(log, ("b", "b-2", "b-3")) for _ in range(2)] == ["b-2", "b-3"]
    assert found.stopped is None
    assert len(found.attempts) == 16
    assert {each.score for each in found.attempts} == {1.0}
    assert [each for each in found.attempts if each.key in {one.key for one in kept.attempts}] == list(kept.attempts)
    # Six calls an item; only those that were under way when it was cut, at most three in each of two, are made again.
    assert 48 <= office.calls <= 48 + 6
    paid = sum(each.usage.calls for each in found.attempts if each.system == "debate")
    assert 48 <= paid <= 48 + 6
