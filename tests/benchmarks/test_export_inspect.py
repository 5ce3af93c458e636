"""Logs that Inspect reads with its own reader."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import pytest

from phalanx.benchmarks import export
from tests.benchmarks.comparisons import attempt, comparison
from tests.benchmarks.test_export import ODD, told

pytestmark = pytest.mark.filterwarnings("ignore")


def test_each_system_is_a_log_that_inspect_reads(tmp_path: Path) -> None:
    reader = pytest.importorskip("inspect_ai.log")
    first, second = export.inspect_logs(told(), tmp_path / "logs")
    log = reader.read_eval_log(str(first))
    assert (log.status, log.eval.task, log.eval.model, log.eval.dataset.samples) == ("success", "quiz", "phalanx/a", 2)
    assert log.eval.created.startswith("2023-11-14T22:13:20")
    metrics = log.results.scores[0].metrics
    assert metrics["accuracy"].value == 0.5
    assert metrics["low"].value < 0.5 < metrics["high"].value
    good, bad = log.samples
    assert (good.id, good.epoch, good.input, good.target) == ("q0", 1, "What is 0 + 0?", "0")
    assert good.output.completion == ODD
    assert (good.scores["phalanx"].value, good.scores["phalanx"].answer) == (1.0, "1")
    assert good.metadata["usd"] == 0.25
    assert bad.error is not None
    assert bad.error.message == "boom"
    assert bad.scores["phalanx"].value == 0.0
    assert reader.read_eval_log(str(second)).results.scores[0].metrics["accuracy"].value == 0.25


def test_summaries_and_single_samples_can_be_read_without_the_whole_log(tmp_path: Path) -> None:
    reader = pytest.importorskip("inspect_ai.log")
    (path, _) = export.inspect_logs(told(), tmp_path)
    assert [each.id for each in reader.read_eval_log_sample_summaries(str(path))] == ["q0", "q1"]
    assert reader.read_eval_log_sample(str(path), id="q1", epoch=1).error.message == "boom"
    assert reader.read_eval_log(str(path), header_only=True).samples is None


def test_repeats_are_epochs_and_what_was_not_run_is_no_success(tmp_path: Path) -> None:
    reader = pytest.importorskip("inspect_ai.log")
    base = comparison({"a": [1.0]}).model_copy(update={"repeats": 3})
    made = tuple(attempt("a", "q0", 1.0, repeat=at) for at in range(2))
    export.write(base.model_copy(update={"attempts": made}), tmp_path / "a.eval")
    log = reader.read_eval_log(str(tmp_path / "a.eval"))
    assert [each.epoch for each in log.samples] == [1, 2]
    assert (log.status, log.results.total_samples, log.results.completed_samples) == ("cancelled", 3, 2)


def test_an_id_cannot_name_a_file_outside_of_the_log(tmp_path: Path) -> None:
    base = comparison({"a": [1.0]})
    item = base.items[0].model_copy(update={"id": "../../etc/passwd"})
    made = (attempt("a", "../../etc/passwd", 1.0),)
    export.write(base.model_copy(update={"items": (item,), "attempts": made}), tmp_path / "a.eval")
    with ZipFile(tmp_path / "a.eval") as log:
        names = log.namelist()
    assert "samples/..%2F..%2Fetc%2Fpasswd_epoch_1.json" in names
    assert not [name for name in names if "../" in name]
