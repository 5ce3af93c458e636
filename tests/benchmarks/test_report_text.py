"""A summary in a terminal and as Markdown: complete, and nothing in it can act on what shows it."""

from __future__ import annotations

import io
import random

from phalanx.benchmarks import markdown, summary, table
from tests.benchmarks.comparisons import comparison, debate

FIRST = [1.0] * 60 + [0.0] * 40
LATER = [1.0] * 80 + [0.0] * 20
EVIL = "a|b\x1b[31m*c*<script>`d`\n\u202eevil"


def both() -> summary.Summary:
    scores = {"debate": LATER, "vote": FIRST}
    return summary.of(comparison(scores, calls={"debate": 3}, baselines={"vote": "debate"}))


def test_the_table_says_n_interval_seed_version_commit_and_the_verdict() -> None:
    words = str(both())
    for part in (
        "quiz: doubling",
        "100 items, 1 repeat, seed 7, Phalanx 1.2.3, commit abc1234",
        "80.0%",
        "[71.1%, 86.7%]",
        "95% interval",
        "└ vote",
        "debate is better than vote by 20.0 points",
        "for 3 times the tokens",
        "20 won, 0 lost, McNemar mid-p=",
        "Holm over 1",
        "on the front in",
        "unknown",
    ):
        assert part in words, part


def test_the_table_fits_the_width_it_is_given() -> None:
    assert max(map(len, table.text(both(), width=140).splitlines())) <= 140


def test_printing_writes_to_the_file_it_is_given() -> None:
    held = io.StringIO()
    table.print(both(), file=held)
    assert "debate is better than vote" in held.getvalue().replace("\n", " ")


def test_what_happened_in_each_round_is_told() -> None:
    rng = random.Random(4)
    rows = [[[rng.random() < 0.6 for _ in range(3)] for _ in range(2)] for _ in range(50)]
    for words in (str(summary.of(debate(rows))), markdown.of(summary.of(debate(rows))).replace("\\", "")):
        flat = " ".join(words.split())
        assert "Inside debate" in flat
        assert "One draft" in flat
        assert "vote of the drafts" in flat
        assert "c(1−a) =" in flat
        assert "effective votes" in flat
    assert "| round 0 | round 1 |" in markdown.of(summary.of(debate(rows)))


def test_names_cannot_act_on_a_terminal() -> None:
    words = str(summary.of(comparison({EVIL: FIRST, "b": LATER})))
    assert "\x1b" not in words
    assert "\u202e" not in words
    assert "\\x1b[31m" in words


def test_names_cannot_break_markdown() -> None:
    words = markdown.of(summary.of(comparison({EVIL: FIRST, "b": LATER})))
    assert "<script>" not in words.replace("\\<script\\>", "")
    assert "\\|" in words
    assert "\x1b" not in words
    rows = [line for line in words.splitlines() if line.startswith("| ")]
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1


def test_the_markdown_has_a_row_for_each_system_and_every_note() -> None:
    told = both()
    words = markdown.of(told)
    assert words.count("\n| ") == 2 + len(told.standings)
    for note in told.notes:
        assert note in words.replace("\\", "")
