"""`phalanx init` and `phalanx diagram`."""

from __future__ import annotations

from pathlib import Path

import pytest

from phalanx.cli.init import KINDS, text_of
from phalanx.errors import SpecError
from phalanx.teams.spec import parse_team
from tests.cli.command import phalanx
from tests.cli.teams import DEBATE, write


@pytest.mark.parametrize("formation", KINDS)
def test_each_starter_team_can_be_read_and_is_what_it_says(formation: str) -> None:
    team = parse_team(text_of(formation, Path("team.yaml")))

    assert team.kind == team.name == formation
    assert team.limits is not None


@pytest.mark.parametrize("formation", KINDS)
def test_the_limits_of_a_starter_team_pay_for_all_that_it_does(formation: str) -> None:
    team = parse_team(text_of(formation, Path("team.yaml")))

    assert team.limits is not None
    assert team.limits.calls is not None
    assert len(team.plan()) <= team.limits.calls


def test_there_is_a_starter_team_for_every_formation_that_a_file_can_name() -> None:
    with pytest.raises(SpecError) as refusal:
        parse_team("members: [{name: a}]\nformation: {kind: none-of-them}\n")

    known = str(refusal.value).rpartition("there are: ")[2].split(", ")
    assert set(KINDS) == set(known)


def test_what_init_prints_runs_as_it_is(tmp_path: Path) -> None:
    import shlex

    made = phalanx("init", cwd=tmp_path)
    command, *arguments = shlex.split(made.out)
    done = phalanx(*arguments, cwd=tmp_path)

    assert made.code == 0
    assert command == "phalanx"
    assert "wrote team.yaml" in made.err
    assert done.code == 0
    assert "Answer: " in done.out


def test_a_file_that_exists_is_written_over_only_with_force(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("precious", encoding="utf-8")

    refused = phalanx("init", "mine.yaml", cwd=tmp_path)
    kept = (tmp_path / "mine.yaml").read_text(encoding="utf-8")
    forced = phalanx("init", "mine.yaml", "--formation", "debate", "--force", cwd=tmp_path)

    assert refused.code == 2
    assert "mine.yaml exists already" in refused.err
    assert "--force" in refused.err
    assert kept == "precious"
    assert forced.code == 0
    assert "kind: debate" in (tmp_path / "mine.yaml").read_text(encoding="utf-8")


def test_an_unknown_formation_is_refused_with_the_nearest_and_nothing_is_written(tmp_path: Path) -> None:
    done = phalanx("init", "--formation", "debat", cwd=tmp_path)

    assert done.code == 2
    assert "did you mean 'debate'?" in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_diagram_is_mermaid_on_stdout(tmp_path: Path) -> None:
    write(tmp_path, DEBATE)

    done = phalanx("diagram", "team.yaml", cwd=tmp_path)

    assert done.code == 0
    assert done.out.startswith("flowchart TD\n")
    for name in ("ada", "bob", "cleo", "panel"):
        assert name in done.out
    assert done.err == ""


def test_a_diagram_of_a_file_that_is_wrong_says_where(tmp_path: Path) -> None:
    write(tmp_path, "members: []\n")

    done = phalanx("diagram", "team.yaml", cwd=tmp_path)

    assert done.code == 2
    assert "team.yaml:1: members" in done.err
    assert done.out == ""
