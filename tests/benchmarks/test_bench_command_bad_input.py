"""What `phalanx bench` says of bad rows, systems, scorers and budgets: where it is, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import several
from tests.wire.servers import Reply, serve

pytestmark = [pytest.mark.wire, pytest.mark.timeout(170)]

SPEC = "tasks: {file: tasks.jsonl}\nsimulate: {skill: 1}\nbaselines: false\nsystems:\n  solo: {agent: {role: solver}}\n"
ROW = '{"id": "a", "question": "1 + 1?", "gold": 2}\n'


def test_bad_task_files_are_refused_by_line_before_anything_is_asked(tmp_path: Path) -> None:
    files = {
        "malformed": (ROW + '{"question": "2?"', "tasks.jsonl:2: not JSON"),
        "not a row": (ROW + "[1, 2]\n", "tasks.jsonl:2: "),
        "twice": (ROW + ROW, "tasks.jsonl:2: id 'a' was already"),
        "no gold": (ROW + '{"id": "b", "question": "2?"}\n', "tasks.jsonl:2: no right answer (gold)"),
        "no question": (ROW + '{"id": "b", "gold": 2}\n', "tasks.jsonl:2: "),
        "empty": ("", "is empty"),
    }
    commands = []
    for name, (rows, _) in files.items():
        place = tmp_path / name
        place.mkdir()
        (place / "tasks.jsonl").write_text(rows)
        (place / "bench.yaml").write_text(SPEC)
        commands += [["bench", place / "bench.yaml", "--json"], ["bench", place / "bench.yaml", "--skip-bad", "--json"]]
    ends = several(*commands, cwd=tmp_path, seconds=150)
    for at, (name, (_, problem)) in enumerate(files.items()):
        refused, skipped = ends[2 * at], ends[2 * at + 1]
        assert refused.code == 2, (name, refused.err)
        assert problem in refused.err
        assert "Traceback" not in refused.err
        assert refused.out == ""
        if name == "empty":
            assert skipped.code == 2
            continue
        # Left out, counted in the result, and shown with its line.
        assert skipped.code == 0, (name, skipped.err)
        assert json.loads(skipped.out)["skipped_rows"] == 1
        assert "left out: line 2" in skipped.err


def test_a_system_that_always_fails_stays_in_the_table_with_nothing_right(tmp_path: Path) -> None:
    (tmp_path / "tasks.jsonl").write_text(ROW + '{"id": "b", "question": "2 + 1?", "gold": 3}\n')
    with serve("openai", Reply(status=400, error="no such model here")) as server:
        (tmp_path / "bench.yaml").write_text(
            f"{SPEC}  away: {{agent: {{role: solver, model: openai/x, api_base: '{server.url}'}}}}\n"
        )
        ran, page = several(
            ["bench", "bench.yaml", "--json"], ["bench", "report", "last"],
            cwd=tmp_path, environment={"OPENAI_API_KEY": "sk-none"}, seconds=150,
        )  # fmt: skip
    assert ran.code == 0, ran.err
    standings = {each["system"]["name"]: each for each in json.loads(ran.out)["standings"]}
    assert standings["away"]["accuracy"]["value"] == 0.0
    assert standings["away"]["accuracy"]["n"] == 2
    assert standings["solo"]["accuracy"]["value"] == 1.0
    assert page.code == 0
    assert "2 failed" in " ".join(page.out.split()) or "failed" in page.out


def test_a_budget_that_pays_for_nothing_ends_it_with_that_said(tmp_path: Path) -> None:
    (tmp_path / "tasks.jsonl").write_text(ROW)
    (tmp_path / "bench.yaml").write_text(SPEC)
    (tmp_path / "each.yaml").write_text(SPEC + "limits_each: {solo: {calls: 0}}\n")
    whole, each = several(
        ["bench", "bench.yaml", "--limit", "calls=0", "--json"], ["bench", "each.yaml", "--json"], cwd=tmp_path
    )
    for done, owner in ((whole, "the suite"), (each, "system 'solo'")):
        assert done.code == 4, done.err
        assert f"{owner} reached its limit of 0 calls" in done.err
        (standing,) = json.loads(done.out)["standings"]
        # Nothing was run, so nothing is known: no accuracy of zero.
        assert standing["accuracy"] is None
        assert "Traceback" not in done.err


def test_a_scorer_that_raises_ends_it_and_names_the_item(tmp_path: Path) -> None:
    # Numeric takes "a few" for no number and says so when it has an answer to score.
    (tmp_path / "tasks.jsonl").write_text('{"id": "a", "question": "1 + 1?", "gold": "a few"}\n')
    (tmp_path / "bench.yaml").write_text(SPEC + "scorer: numeric\n")
    (done,) = several(["bench", "bench.yaml", "--json"], cwd=tmp_path)
    assert done.code == 1, done.err
    assert "the scorer failed on item 'a' of 'solo'" in done.err
    assert done.out == ""
    assert "Traceback" not in done.err


def test_an_unknown_system_or_field_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "tasks.jsonl").write_text(ROW)
    (tmp_path / "bench.yaml").write_text(SPEC)
    (tmp_path / "field.yaml").write_text(SPEC + "repeat: 2\n")
    (tmp_path / "inner.yaml").write_text(SPEC.replace("skill: 1", "skil: 1"))
    ends = several(
        ["bench", "bench.yaml", "--fail-if", "sole < 50%"], ["bench", "bench.yaml", "--fail-if", "solo < vote"],
        ["bench", "field.yaml"], ["bench", "inner.yaml"], ["bench", "list"], cwd=tmp_path,
    )  # fmt: skip
    problems = [
        "no system 'sole' (did you mean 'solo'?)", "no system 'vote'",
        "field.yaml:6: repeat: there is no field 'repeat' (did you mean 'repeats'?)",
        "inner.yaml:2: simulate.skil: there is no field 'skil' (did you mean 'skill'?)",
    ]  # fmt: skip
    for done, problem in zip(ends, problems, strict=False):
        assert done.code == 2, done.err
        assert problem in done.err
        assert done.out == ""
    assert ends[-1].out == ""
