"""`phalanx demo` without a key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.command import phalanx, several


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the demo writes without a terminal, without a key."""
    folder = tmp_path_factory.mktemp("demo")
    done = phalanx("demo", cwd=folder)
    assert done.code == 0, done.err
    assert list(folder.iterdir()) == []
    return done.out


def test_it_says_that_its_members_are_simulated_before_they_do_anything(shown: str) -> None:
    assert shown.startswith("The members of these teams are SIMULATED")


def test_a_hierarchy_delegates_and_a_debate_changes_its_mind(shown: str) -> None:
    for worker in ("researcher", "planner", "critic"):
        assert f"{worker}: gets a" in shown
        assert f"{worker}: works on its assignment" in shown
    assert "lead: writes the answer" in shown
    first, second = re.findall(r"debate: vote: (.*)", shown)
    assert "'10' wins with 2 of 3 votes" in first
    assert "'5' wins with 3 of 3 votes" in second
    assert "Answer: 8   [right: 8]" in shown
    assert "Answer: 5   [right: 5]" in shown


def test_it_ends_with_what_each_cost_and_the_line_that_asks_a_real_model(shown: str) -> None:
    table = shown[shown.index("What each cost (simulated") :]
    for name in ("team", "calls", "tokens", "money", "time", "status", "hierarchy", "debate", "$0", "completed"):
        assert name in table
    assert "    phalanx demo --model openai/gpt-4o-mini\n" in table
    assert max(map(len, table.splitlines())) <= 80


def test_it_ends_with_a_benchmark_at_equal_calls_that_claims_nothing_of_real_models(shown: str) -> None:
    told = " ".join(shown[shown.index("Was the team worth it?") :].split())
    calls = re.findall(r"(debate|one member|vote at equal calls) \d+\.\d% \[\d.*?%\] (\d\.\d)", told)
    assert [name for name, _ in calls] == ["debate", "one member", "vote at equal calls"]
    spent = {name: float(number) for name, number in calls}
    assert spent["one member"] == 1.0
    assert spent["vote at equal calls"] == spent["debate"] > 3
    assert "debate is better than one member by " in told
    assert "debate is worse than vote at equal calls by " in told
    assert "These members are SIMULATED too" in told
    assert "says nothing of any real model" in told
    assert "n=150, seed 0" in told


def test_a_blank_line_stands_before_each_verdict_and_between_the_parts(shown: str) -> None:
    lines = shown.splitlines()
    for beginning in (
        "A hierarchy:", "A debate:", "What each cost", "Was the team", "debate is better", "debate is worse", "n=150",
        "What next",
    ):  # fmt: skip
        (at,) = (number for number, line in enumerate(lines) if line.startswith(beginning))
        assert lines[at - 1].strip() == "", beginning


def test_without_a_terminal_nobody_has_to_wait(shown: str) -> None:
    assert re.search(r"hierarchy: completed after 0\.\ds", shown)


def test_the_line_names_the_model_whose_key_is_there(tmp_path: Path) -> None:
    shown = phalanx("demo", cwd=tmp_path, environment={"ANTHROPIC_API_KEY": "sk-secret"}).out

    assert "phalanx demo --model anthropic/" in shown
    assert "sk-secret" not in shown


def test_equal_seeds_give_equal_demos(tmp_path: Path) -> None:
    ended = several(*(("demo", "--seed", seed) for seed in (0, 0, 1, 2)), cwd=tmp_path)

    answers = [re.findall(r"^\w.*\[right: .*\]$|answers .*$", done.out, re.MULTILINE) for done in ended]
    assert answers[0] == answers[1] != []
    assert any(each != answers[0] for each in answers[2:])


def test_an_address_without_a_model_is_refused(tmp_path: Path) -> None:
    done = phalanx("demo", "--api-base", "http://127.0.0.1:9/v1", cwd=tmp_path)

    assert done.code == 2
    assert "--model" in done.err


def test_simulated_members_are_called_so_when_they_are_asked_for_by_name_too(tmp_path: Path) -> None:
    done = phalanx("demo", "--model", "offline/simulated", cwd=tmp_path)

    assert done.code == 0
    assert done.out.startswith("The members of these teams are SIMULATED")
    assert "What each cost (simulated" in done.out
