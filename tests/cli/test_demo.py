"""`phalanx demo` without a key."""

from __future__ import annotations

import re
import time
from pathlib import Path

from tests.cli.command import phalanx


def test_the_demo_needs_no_key_and_says_that_its_members_are_simulated_before_they_do_anything(tmp_path: Path) -> None:
    done = phalanx("demo", cwd=tmp_path)

    assert done.code == 0, done.err
    assert done.out.startswith("The members of these teams are SIMULATED")
    assert list(tmp_path.iterdir()) == []


def test_a_hierarchy_delegates_and_a_debate_changes_its_mind(tmp_path: Path) -> None:
    shown = phalanx("demo", cwd=tmp_path).out

    for worker in ("researcher", "planner", "critic"):
        assert f"{worker}: gets a" in shown
        assert f"{worker}: works on its assignment" in shown
    assert "lead: writes the answer" in shown
    first, second = re.findall(r"debate: vote: (.*)", shown)
    assert "'10' wins at 2" in first
    assert "'5' wins at 3" in second
    assert "Answer: 8   [right: 8]" in shown
    assert "Answer: 5   [right: 5]" in shown


def test_it_ends_with_what_each_cost_and_the_line_that_asks_a_real_model(tmp_path: Path) -> None:
    shown = phalanx("demo", cwd=tmp_path).out

    table = shown[shown.index("What each cost (simulated") :]
    for name in ("team", "calls", "tokens", "money", "time", "status", "hierarchy", "debate", "$0", "completed"):
        assert name in table
    assert "  phalanx demo --model openai/gpt-4o-mini\n" in table
    assert max(map(len, table.splitlines())) <= 80


def test_the_line_names_the_model_whose_key_is_there(tmp_path: Path) -> None:
    shown = phalanx("demo", cwd=tmp_path, environment={"ANTHROPIC_API_KEY": "sk-secret"}).out

    assert "phalanx demo --model anthropic/" in shown
    assert "sk-secret" not in shown


def test_equal_seeds_give_equal_demos(tmp_path: Path) -> None:
    def answers(seed: int) -> list[str]:
        return re.findall(r"^\w.*\[right: .*\]$|answers .*$", phalanx("demo", "--seed", seed, cwd=tmp_path).out, re.M)

    assert answers(0) == answers(0) != []
    assert len({tuple(answers(seed)) for seed in (0, 1, 2)}) > 1


def test_without_a_terminal_nobody_has_to_wait(tmp_path: Path) -> None:
    started = time.monotonic()
    shown = phalanx("demo", cwd=tmp_path).out

    assert time.monotonic() - started < 20
    assert re.search(r"hierarchy: completed after 0\.\ds", shown)


def test_an_address_without_a_model_is_refused(tmp_path: Path) -> None:
    done = phalanx("demo", "--api-base", "http://127.0.0.1:9/v1", cwd=tmp_path)

    assert done.code == 2
    assert "--model" in done.err
