"""Text and numbers as a terminal shows them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx.cli.text import (
    advised,
    columns,
    cut,
    dollars,
    duration,
    json_line,
    many,
    money,
    one_line,
    refused_by,
    spent,
    tail,
    visible,
)
from phalanx.messages import Usage


def test_characters_that_act_on_a_terminal_are_written_out() -> None:
    assert visible("\x1b[31mred\x1b[0m \x07\x08\r\x9b2J") == r"\x1b[31mred\x1b[0m \x07\x08\x0d\x9b2J"
    assert visible("a\u202eb\u2066c\ud800") == r"a\u202eb\u2066c\ud800"


def test_tabs_lines_and_the_writing_of_the_world_stay_as_they_are() -> None:
    text = "a\tb\nc äöü 漢字 עברית 🙂 [bold]x[/bold]"

    assert visible(text) == text
    assert visible("a\r\nb") == "a\nb"


@given(st.text())
def test_nothing_shown_can_move_the_cursor(text: str) -> None:
    for shown in (visible(text), one_line(text), tail(text, 20), json_line(text)):
        assert not [each for each in shown if (each < " " and each not in "\t\n") or "\x7f" <= each <= "\x9f"]
        shown.encode("utf-8")


@given(st.text(), st.integers(min_value=-2, max_value=60))
def test_a_line_that_is_cut_is_one_line_and_not_wider_than_asked(text: str, width: int) -> None:
    for shown in (one_line(text, width), tail(text, width)):
        assert "\n" not in shown
        assert columns(shown) <= max(0, width)


def test_a_cut_keeps_the_beginning_and_a_tail_the_end() -> None:
    assert cut("one two three", 8) == "one two…"
    assert tail("one two three", 6) == "…three"
    assert tail("short", 6) == "short"
    assert cut("漢字漢字", 5) == "漢字…"


@given(st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.lists(inner)))
def test_a_json_line_is_the_same_value(value: object) -> None:
    line = json_line(value)

    assert "\n" not in line
    assert json.loads(line) == value


def test_an_unknown_cost_is_never_shown_as_a_number() -> None:
    unknown = Usage(calls=3, input_tokens=10, known_cost=0.0, unpriced_calls=3)
    partly = Usage(calls=3, input_tokens=10, known_cost=0.25, unpriced_calls=1)

    assert money(unknown) == money(partly) == "unknown"
    assert spent(unknown) == "3 calls, 10 tokens, cost unknown"
    assert spent(partly) == "3 calls, 10 tokens, $0.2500 and the unknown cost of 1 call"
    assert money(Usage(calls=1)) == "$0"


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "$0"),
        (1e-9, "<$0.000001"),
        (0.0000123, "$0.000012"),
        (0.00345, "$0.0034"),
        (0.25, "$0.2500"),
        (0.99999, "$1.00"),
        (1234.5, "$1,234.50"),
    ],
)
def test_an_amount_has_as_many_digits_as_it_needs_to_be_seen(amount: float, shown: str) -> None:
    assert dollars(amount) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-1, "0.0s"), (0.04, "0.0s"), (9.94, "9.9s"), (9.96, "10s"), (59.6, "1m00s"), (61, "1m01s"), (3725, "1h02m")],
)
def test_a_duration_is_short(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_one_thing_is_not_many() -> None:
    assert (many(1, "call"), many(0, "call"), many(2000, "call")) == ("1 call", "0 calls", "2,000 calls")


def test_a_limit_that_the_run_was_given_is_told_from_one_of_its_team() -> None:
    assert refused_by("calls limit of this run reached: 2 spent, 2 allowed") == ("calls", True)
    assert refused_by("usd limit of team 'office' reached: 2 spent, 2 allowed") == ("usd", False)
    assert refused_by("calls limit of member 'ada' reached: 2 spent, 2 allowed") == ("calls", False)
    assert refused_by(None) == ("NAME", True)


def test_advice_for_python_becomes_advice_for_the_command_line() -> None:
    assert "seat: lead" in advised("hierarchical needs somebody in the seat 'lead': give lead=…")
    assert "lead=…" not in advised("hierarchical needs somebody in the seat 'lead': give lead=…")
    assert "Agent(" not in advised("2 members are named 'a'; give each a name of its own: Agent(…, name=…)")
    assert "--system NAME" in advised("it has 2; give system=…, or write all of them with inspect_logs")
    assert advised("calls limit of this run reached: 2 spent; raise Limits(calls=…)").endswith("with --limit calls=N")
    assert advised("calls limit of team 't' reached: 2 spent; raise Limits(calls=…)").endswith("in the team file")
