"""The benchmark of what formations cost has a team of every kind, and each does its work to the end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phalanx import AgentTeam
from phalanx.benchmarks.overhead import formations
from phalanx.benchmarks.overhead.__main__ import main
from phalanx.benchmarks.overhead.formations import WAYS, Way, rehearse
from phalanx.formations.kinds import KINDS


def test_every_formation_is_measured() -> None:
    measured = {way.make(way.model()).formation.kind for way in WAYS.values()}

    assert measured == set(KINDS)


@pytest.mark.parametrize("name", WAYS)
async def test_a_team_that_is_measured_does_its_work_to_the_end(name: str) -> None:
    assert await rehearse(name, WAYS[name]) > 1


async def test_a_team_that_does_not_do_its_work_is_not_measured() -> None:
    undecided = Way(lambda model: AgentTeam.consensus(["ada", "bob"], 2, rounds=1, model=model), counts=(41, 42))

    with pytest.raises(RuntimeError, match="disagreement does not do its work to the end: undecided"):
        await rehearse("disagreement", undecided)


async def test_a_formation_is_measured_beside_a_pipeline_of_as_many_calls() -> None:
    rows = [row async for row in formations.measure(rounds=2, times=1, only=["router"])]

    assert [row.name for row in rows] == ["router / a pipeline of 4, x", "router / a pipeline of 4, watched, x"]
    assert [row.target is not None and row.target.gate for row in rows] == [2.0, False]
    assert all(len(row.values) == 2 and min(row.values) > 0 for row in rows)


@pytest.mark.wire
def test_the_command_has_a_row_for_every_formation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rows.json"

    assert main(["--rounds", "1", "--times", "1", "--only", "formations", "--json", str(file)]) == 0

    rows = json.loads(file.read_text())["rows"]
    assert [row["name"].partition(" /")[0] for row in rows if row["gate"] == 2.0] == list(WAYS)
    assert "gates missed:" in capsys.readouterr().out
