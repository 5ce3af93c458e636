"""`phalanx bench search`: from a file to a verdict with an exit code, kept, resumed and reported like any benchmark."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phalanx.benchmarks.search_spec import load_search
from phalanx.errors import SpecError
from tests.cli.command import phalanx, several

SPEC = """\
name: which
tasks: {generated: {kind: arithmetic, n: 60, seed: 1}}
simulate: {skill: 0.6}
members: [ada, bob, {name: cy, role: critic}]
formations: [{kind: vote, samples: 3}, consensus]
margin: 0.05
"""
EXAMPLE = Path(__file__).parents[2] / "examples" / "search.yaml"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    file = tmp_path / "which.yaml"
    file.write_text(SPEC)
    return file


def test_a_search_runs_is_kept_goes_on_and_its_two_parts_are_reported(spec: Path, tmp_path: Path) -> None:
    first, resumed, second, limited, listed, report = several(
        ["bench", "search", spec],
        ["bench", "search", spec, "--resume", "--json"],
        ["bench", "search", spec, "--json", "-q", "--limit", "calls=400"],
        ["bench", "search", spec, "--no-keep", "-q", "--limit", "calls=5"],
        ["bench", "list"],
        ["bench", "report", "which (held out)"],
        cwd=tmp_path,
    )
    assert first.code in (0, 3)
    assert "SIMULATED" in first.err
    assert "40% of the tasks are held out" in first.err
    for words in ("ada alone", "vote(samples=3)", "consensus", "Confirmed once"):
        assert words in " ".join(first.out.split())
    facts = json.loads(resumed.out)
    assert facts["simulated"] is True
    assert facts["outcome"] == ("undecided" if first.code == 3 else facts["outcome"])
    assert facts["looks"][-1] == 36
    again = json.loads(second.out)
    assert again["name"] == "which-2"
    assert again["spent"]["calls"] <= 400
    assert second.err == "" or "the budget paid for" in second.err
    assert limited.code == 2
    assert "this budget pays for no question" in limited.err
    names = [line.split("  ")[0] for line in listed.out.splitlines()]
    assert sum("which (" in name for name in names) == 2
    assert sum("which-2 (" in name for name in names) == 2
    assert report.code == 0
    assert "(held out)" in report.out


MISTAKES = {
    "tasks: {generated: {kind: dates, n: 9}}": "the field 'members' is missing",
    SPEC.replace("members: [ada", "membrs: [ada"): "there is no field 'membrs' (did you mean 'members'?)",
    SPEC.replace("consensus]", "consensu]"): "there is no formation 'consensu' (did you mean 'consensus'?)",
    SPEC.replace("samples: 3", "sampels: 3"): "which.yaml:5: formations.0.sampels: there is no field 'sampels'",
    SPEC.replace("consensus]", "{kind: vote, samples: 3}]"): "vote(samples=3) is there twice",
    SPEC.replace("margin: 0.05", "baselines: [single]"): "a search has no baselines",
    SPEC.replace("margin: 0.05", "limits_each: {}"): "a search has no limits_each",
    SPEC.replace("margin: 0.05", "held_out: 1.5"): "less than 1",
    SPEC.replace("role: critic", "seat: judge"): "a search puts members into seats itself",
    SPEC + "systems: {solo: {agent: {role: solver}}}\n": "which.yaml:7: systems.solo: 'solo' is one agent",
    SPEC.replace("[ada, bob, {name: cy, role: critic}]", "[]"): "members",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_in_the_file_is_told_with_line_and_field(text: str, tmp_path: Path) -> None:
    file = tmp_path / "which.yaml"
    file.write_text(text)
    with pytest.raises(SpecError) as caught:
        load_search(file)
    assert MISTAKES[text] in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_whole_team_of_the_file_is_tried_too(tmp_path: Path) -> None:
    file = tmp_path / "team.yaml"
    file.write_text(SPEC + "systems: {own: {team: {members: [eve, fay], formation: {kind: debate, rounds: 1}}}}\n")
    assert list(load_search(file).formations) == ["vote(samples=3)", "consensus", "own"]


def test_wrong_words_are_refused_in_one_line(spec: Path, tmp_path: Path) -> None:
    resumed = phalanx("bench", "search", spec, "--resume", cwd=tmp_path)
    assert resumed.code == 2
    assert "there is no search 'which' to go on with" in resumed.err
    unkept = phalanx("bench", "search", spec, "--resume", "--no-keep", cwd=tmp_path)
    assert unkept.code == 2


def test_the_example_can_be_read() -> None:
    assert [each.name for each in load_search(EXAMPLE).members] == ["ada", "bob", "cy"]
