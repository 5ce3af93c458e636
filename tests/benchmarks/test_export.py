"""What other programs get: every attempt, nothing made up, in files that are whole or not there."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

from phalanx.benchmarks import export
from phalanx.benchmarks.record import Comparison
from phalanx.errors import ConfigurationError, ValidationError
from tests.benchmarks.comparisons import attempt, comparison, debate

ODD = 'a "quoted", ünïcode\nanswer\t=1+1'


def told() -> Comparison:
    base = comparison({"a": [1.0, 0.0], "b": [0.0, 0.5]}, baselines={"b": "a"}, clusters=2)
    made = (
        attempt("a", "q0", 1.0, usd=0.25, answer=ODD, run_id="run-1", seed=5),
        attempt("a", "q1", 0.0, status="failed", error="boom", answer=None, read=None),
        attempt("b", "q0", 0.0),
        attempt("b", "q1", 0.5, seconds=None),
    )
    return base.model_copy(update={"attempts": made, "started": 1_700_000_000.0})


def test_a_row_says_all_of_an_attempt_and_none_is_what_is_not_known() -> None:
    first, second, third, last = export.rows(told())
    assert list(first) == list(export.COLUMNS)
    assert (first["system"], first["item"], first["score"], first["usd"], first["answer"]) == (
        "a",
        "q0",
        1.0,
        0.25,
        ODD,
    )
    assert (first["cluster"], first["gold"], first["commit"], first["comparison_seed"]) == ("page 0", "0", "abc1234", 7)
    assert (second["status"], second["error"], second["answer"], second["usd"]) == ("failed", "boom", None, None)
    assert (third["baseline_of"], first["baseline_of"], last["seconds"]) == ("a", None, None)


def test_csv_holds_every_row_and_odd_text_survives(tmp_path: Path) -> None:
    export.write(told(), tmp_path / "r.csv")
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert len(found) == 4
    assert found[0]["answer"] == ODD
    assert (found[0]["usd"], found[1]["usd"], found[1]["score"]) == ("0.25", "", "0.0")


def test_json_lines_tell_none_from_nothing_and_keep_the_ballots(tmp_path: Path) -> None:
    export.write(told(), tmp_path / "r.jsonl")
    found = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [each["usd"] for each in found] == [0.25, None, None, None]
    assert found[0]["answer"] == ODD
    assert found[0]["gold"] == 0
    rounds = debate([[[True, False], [True, True]]])
    export.write(rounds, tmp_path / "d.jsonl")
    (line,) = (tmp_path / "d.jsonl").read_text(encoding="utf-8").splitlines()
    assert [each["round"] for each in json.loads(line)["ballots"]] == [0, 1]


def test_parquet_has_a_type_for_every_column(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    broken = told().attempts[0].model_copy(update={"answer": "half \ud800"})
    export.write(told().model_copy(update={"attempts": (broken, *told().attempts[1:])}), tmp_path / "r.parquet")
    table = pq.read_table(tmp_path / "r.parquet")
    assert table.column_names == list(export.COLUMNS)
    assert table.column("usd").to_pylist() == [0.25, None, None, None]
    assert table.column("answer").to_pylist()[0] == "half ?"
    assert str(table.schema.field("calls").type) == "int64"


def test_without_pyarrow_it_says_what_to_do_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigurationError, match=r"pip install pyarrow, or write a \.csv"):
        export.write(told(), tmp_path / "r.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("before", encoding="utf-8")
    broken = told().model_copy(update={"attempts": (*told().attempts, attempt("ghost", "q0", 1.0))})
    with pytest.raises(ValidationError, match="ghost"):
        export.write(broken, path)
    assert path.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_another_ending_and_an_unknown_system_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"use one of \.csv, \.jsonl, \.parquet, \.eval"):
        export.write(told(), tmp_path / "r.xlsx")
    with pytest.raises(ValidationError, match="no system 'z' in 'quiz'; there are a, b"):
        export.write(told(), tmp_path / "r.csv", system="z")
    with pytest.raises(ValidationError, match="has 2; give system="):
        export.write(told(), tmp_path / "r.eval")


def test_one_system_can_be_written_alone(tmp_path: Path) -> None:
    export.write(told(), tmp_path / "r.csv", system="b")
    assert len((tmp_path / "r.csv").read_text(encoding="utf-8").splitlines()) == 3
