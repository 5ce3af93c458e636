"""Tables in a terminal of any width: whole numbers under whole headings, beside or below each other."""

from __future__ import annotations

import io
import random
import re

import pytest
from rich.console import Console

from phalanx.benchmarks import summary, table
from phalanx.benchmarks.columns import tables
from phalanx.benchmarks.record import Comparison
from tests.benchmarks.comparisons import attempt, comparison, debate, system

LONG = "eine Mannschaft mit einem ausgesprochen langen Namen"


def with_votes(*, name: str = "debate", tokens: int = 1_234_567) -> Comparison:
    rng = random.Random(4)
    base = debate([[[rng.random() < 0.6 for _ in range(3)] for _ in range(2)] for _ in range(100)], name=name)
    vote = f"{name}: vote at equal tokens"
    made = [attempt(vote, f"q{at}", float(rng.random() < 0.9), calls=15, tokens=tokens) for at in range(100)]
    return base.model_copy(
        update={
            "systems": (*base.systems, system(vote, baseline_of=name)),
            "attempts": base.attempts + tuple(made),
        }
    )


def cells(words: str, first: str) -> list[str]:
    """What the rows of the tables under a heading hold, in the order of their columns."""
    found: list[str] = []
    inside = False
    for line in words.splitlines():
        inside = line.startswith(first) or (inside and bool(line))
        if inside and not line.startswith(first):
            found += re.split(r"  +", line)[1:]
    return found


@pytest.mark.parametrize("tokens", [50, 1_234_567])
@pytest.mark.parametrize("name", ["debate", LONG])
def test_no_number_of_the_table_of_systems_is_cut_at_any_width(name: str, tokens: int) -> None:
    found = summary.of(with_votes(name=name, tokens=tokens))
    wide = cells(table.text(found, width=300), "system")
    assert len(wide) == 20
    for width in range(40, 200):
        words = table.text(found, width=width)
        assert max(map(len, words.splitlines())) <= width
        assert sorted(cells(words, "system")) == sorted(wide), width


def test_no_number_of_what_members_brought_is_cut_at_any_width() -> None:
    found = summary.of(with_votes())
    for width in range(40, 200):
        words = table.text(found, width=width)
        rows = [line for line in words.splitlines() if re.match(r"m[0-2] ", line)]
        assert len(re.findall(r"\d+\.\d% \[\d+\.\d%, \d+\.\d%\]", " ".join(rows))) == 6, width
        assert len(re.findall(r"[+−]?\d+\.\d \[[+−]?\d+\.\d, [+−]?\d+\.\d\]", " ".join(rows))) == 6, width


def test_headings_are_whole_at_the_usual_width() -> None:
    words = table.text(summary.of(with_votes()))
    above, head = words[: words.index("\ndebate  ")].splitlines()[-2:]
    assert head.startswith("system")
    assert (above.split()[-1], head.split()[-2:]) == ("tokens", ["an", "item"])


def test_what_has_no_room_at_all_is_broken_and_not_lost() -> None:
    found = summary.of(comparison({"debate": [1.0, 0.0, 1.0]}, calls={"debate": 41}))
    words = table.text(found, width=12)
    assert max(map(len, words.splitlines())) <= 12
    assert "12,300" in words
    assert "66.7%" in words


def test_the_table_of_a_search_is_whole_at_any_width_and_only_its_words_are_folded() -> None:
    numbers = ["1,200", "66.7%", "[17.4%, 100.0%]", "4.8", "1,234,567"]
    words = "2: worse than vote(samples=9), e=25"
    head = ["choice", "n", "accuracy", "95% at any look", "calls", "tokens", "look: fate"]
    rows = [["debate(rounds=1)", *numbers, words], ["single agent", *numbers, "to beat"]]
    for width in range(34, 160):
        console = Console(file=io.StringIO(), width=width, color_system=None)
        for made in tables(head, rows, second=6, width=width, words="look: fate"):
            console.print(made)
        shown = console.file.getvalue()  # type: ignore[attr-defined]
        assert max(map(len, shown.splitlines())) <= width
        for number in numbers:
            assert shown.count(number) == 2, (width, number)
        assert shown.count("e=25") == 1
