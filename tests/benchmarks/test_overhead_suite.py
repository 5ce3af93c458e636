"""The speed of a suite is measured for recorded ballots and for teams, each over the same record."""

from __future__ import annotations

import pytest

from phalanx.benchmarks.overhead import suite


@pytest.mark.wire
async def test_every_way_of_voting_over_a_record_has_a_rate() -> None:
    rows = [row async for row in suite.measure(rounds=2, items=20)]
    assert [row.unit for row in rows] == ["items/s"] * 4
    assert all(len(row.values) == 2 and min(row.values) > 0 for row in rows)
    first = rows[0]
    assert "recorded ballots" in first.name
    assert first.target is not None
    assert (first.target.gate, first.target.at_least) == (2000, True)
