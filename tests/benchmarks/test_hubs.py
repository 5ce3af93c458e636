from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from phalanx.benchmarks.hubs import from_dataset, from_inspect
from phalanx.benchmarks.readers import Columns
from phalanx.errors import ConfigurationError, SpecError, ValidationError


@dataclass
class Sample:
    """The attributes an Inspect sample has."""

    input: object
    target: str | list[str] = ""
    id: int | str | None = None
    choices: list[str] | None = None
    metadata: dict[str, object] | None = None
    sandbox: object = None
    files: dict[str, str] | None = None
    setup: str | None = None


@dataclass
class InspectTask:
    dataset: list[Sample]
    name: str = "quiz"
    solver: object = field(default=None)


def test_rows_of_a_loaded_data_set_become_items() -> None:
    rows = [{"question": "q1", "answer": "a", "subject": "x"}, {"question": "q2", "answer": "b", "subject": "y"}]
    found = from_dataset(rows, name="mine", columns=Columns(cluster="subject"))
    assert [(item.question, item.gold, item.cluster) for item in found] == [("q1", "a", "x"), ("q2", "b", "y")]
    assert found.name == "mine"


def test_a_bad_row_of_a_data_set_is_named_by_its_number() -> None:
    with pytest.raises(SpecError) as caught:
        from_dataset([{"question": "q", "answer": "a"}, {"question": "q2", "answer": None}])
    assert (caught.value.file, caught.value.line) == ("dataset", 2)


def test_choices_in_the_form_of_the_hub_are_read() -> None:
    row = {"question": "q", "choices": {"label": ["A", "B"], "text": ["x", "y"]}, "answer": "B"}
    assert from_dataset([row])[0].choices == ("x", "y")


def test_without_the_library_a_name_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ConfigurationError, match=r"phalanx\[datasets\]"):
        from_dataset("openai/gsm8k")


@pytest.mark.filterwarnings("ignore")
def test_a_real_data_set_on_disk_is_loaded_by_its_path_with_the_names_of_its_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "test.jsonl").write_text('{"question": "q1", "answer": 1}\n{"question": "q2", "answer": 0}\n')
    assert [item.gold for item in from_dataset(str(folder))] == [1, 0]
    features = datasets.Features(
        {"question": datasets.Value("string"), "answer": datasets.ClassLabel(names=["no", "yes"])}
    )
    labelled = datasets.Dataset.from_list([{"question": "q1", "answer": 1}], features=features)
    assert from_dataset(labelled)[0].gold == "yes"


def test_an_inspect_task_gives_its_questions_and_targets() -> None:
    task = InspectTask(
        [
            Sample("Capital of France?", "Paris", id=1, metadata={"level": 3}),
            Sample([SimpleNamespace(text="You are brief."), SimpleNamespace(text="2+2?")], "4"),
            Sample("Pick one.", "B", choices=["x", "y"]),
            Sample("Pick all.", ["A", "B"], choices=["x", "y", "z"]),
            Sample("Any name?", ["Bob", "Robert"]),
        ]
    )
    found = from_inspect(task)
    assert found.name == "quiz"
    assert [item.gold for item in found] == ["Paris", "4", "B", ("A", "B"), ("Bob", "Robert")]
    assert found[0].id == "1"
    assert found[0].meta == {"level": 3}
    assert found[1].question == "You are brief.\n\n2+2?"
    assert [item.scorer for item in found] == [None, None, None, "set", None]


def test_an_inspect_sample_that_needs_a_sandbox_is_a_bad_row() -> None:
    samples = [Sample("fine?", "yes"), Sample("Fix it.", "ok", files={"a.py": "x"})]
    with pytest.raises(SpecError, match="the sample needs files"):
        from_inspect(samples)
    assert [bad.line for bad in from_inspect(samples, skip_bad=True).skipped] == [2]


def test_messages_that_are_not_text_are_a_bad_row() -> None:
    with pytest.raises(SpecError, match="neither text nor messages"):
        from_inspect([Sample([SimpleNamespace(image="…")], "x")])


def test_something_else_is_no_inspect_task() -> None:
    with pytest.raises(ValidationError, match="not int"):
        from_inspect(5)
