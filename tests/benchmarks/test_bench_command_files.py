"""`phalanx bench export` and `phalanx bench plots`: a benchmark that is kept, as files."""

from __future__ import annotations

import csv
import importlib.util
import json
from pathlib import Path

import pytest

from tests.benchmarks.test_bench_command import SIMULATED
from tests.cli.command import several

pytestmark = [pytest.mark.wire, pytest.mark.timeout(170)]


def test_a_benchmark_that_is_kept_becomes_files_for_other_programs(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SIMULATED)
    commands = {
        "run": ["small.yaml", "--json", "-q", "--no-baselines"],
        "csv": ["export", "last", "--to", "all.csv"],
        "jsonl": ["export", "small", "--to", "solo.jsonl", "--system", "solo"],
        "parquet": ["export", "last", "--to", "all.parquet"],
        "log of two": ["export", "last", "--to", "solo.eval"],
        "eval": ["export", "last", "--to", "solo.eval", "--system", "solo"],
        "plots": ["plots", "last", "--to", "figures"],
        "ending": ["export", "last", "--to", "all.xls"],
        "system": ["export", "last", "--to", "a.csv", "--system", "sole"],
        "name": ["export", "smal", "--to", "a.csv"],
        "folder": ["export", "last", "--to", "no/where.csv"],
        "format": ["plots", "last", "--to", "figures", "--format", "gif"],
        "onto a file": ["plots", "last", "--to", "all.csv"],
        "no file named": ["export", "last"],
    }
    done = dict(
        zip(
            commands, several(*(["bench", *each] for each in commands.values()), cwd=tmp_path, seconds=150), strict=True
        )
    )
    assert done["run"].code == 0, done["run"].err
    standings = {each["system"]["name"]: each for each in json.loads(done["run"].out)["standings"]}

    assert done["csv"].code == 0, done["csv"].err
    assert "24 attempts" in done["csv"].err
    with (tmp_path / "all.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 24
    for name, standing in standings.items():
        scores = [float(row["score"]) for row in rows if row["system"] == name]
        assert sum(scores) / 12 == pytest.approx(standing["accuracy"]["value"])

    assert done["jsonl"].code == 0, done["jsonl"].err
    lines = [json.loads(line) for line in (tmp_path / "solo.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {line["system"] for line in lines} == {"solo"}
    assert len(lines) == 12

    if importlib.util.find_spec("pyarrow") is None:
        assert done["parquet"].code == 5
    else:
        assert done["parquet"].code == 0, done["parquet"].err
        assert (tmp_path / "all.parquet").read_bytes()[:4] == b"PAR1"
    assert done["log of two"].code == 2
    assert "of one system" in done["log of two"].err
    if importlib.util.find_spec("matplotlib") is not None:
        assert done["plots"].code == 0, done["plots"].err
        assert "<svg" in (tmp_path / "figures" / "cost.svg").read_text(encoding="utf-8")
        assert "<svg" in (tmp_path / "figures" / "rounds.svg").read_text(encoding="utf-8")
    assert done["eval"].code == 0, done["eval"].err
    assert (tmp_path / "solo.eval").read_bytes()[:2] == b"PK"

    for name, words in {
        "ending": "no known ending", "system": "no system 'sole'", "name": "(did you mean 'small'?)",
        "folder": "no directory 'no'", "format": "none of: png, svg, pdf", "onto a file": "is a file; give a folder",
        "no file named": "--to",
    }.items():  # fmt: skip
        assert done[name].code == 2, (name, done[name].err)
        assert words in done[name].err
        assert "Traceback" not in done[name].err
    assert not (tmp_path / "a.csv").exists()
