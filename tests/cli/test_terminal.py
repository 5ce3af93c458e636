"""The command on a real terminal: the live view, its width, its colours, and what a model cannot do to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.command import on_terminal
from tests.cli.teams import DEBATE, LONE, write
from tests.wire.servers import Reply, serve

COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-9][0-9;]*m")
EVIL = (
    "Snow is \x1b[2J\x1b]0;owned\x07\x9b31m[bold red]white[/bold red] [link=http://evil]x[/link] :smile:\r\n"
    "Answer: [b]7"
)


def test_a_run_is_a_tree_and_ends_with_the_answer_in_a_frame(tmp_path: Path) -> None:
    write(tmp_path, DEBATE)

    with on_terminal("run", "team.yaml", "Which one?", "-m", "offline/simulated", cwd=tmp_path) as terminal:
        code = terminal.wait()

    assert code == 0
    assert COLOUR.search(terminal.shown)
    ended = terminal.text[terminal.text.rindex("✓ panel (debate)") :]
    for part in ("├ ✓ ada", "├ ✓ bob", "└ ✓ cleo", "calls, ", "answer: completed", "vote: ", "SIMULATED", "run "):
        assert part in ended
    assert re.search(r"^│ .*Answer: \w+ +│\r?$", terminal.text, re.M)


def test_no_line_is_wider_than_80_columns(tmp_path: Path) -> None:
    write(tmp_path, DEBATE)

    with on_terminal("run", "team.yaml", "Which one?", "-m", "offline/simulated", cwd=tmp_path) as terminal:
        terminal.wait()

    assert max(len(line.replace("\r", "")) for line in terminal.text.split("\n")) <= 80


def test_without_colour_there_is_none(tmp_path: Path) -> None:
    write(tmp_path, LONE)
    plain = {"NO_COLOR": "1"}

    with on_terminal(
        "run", "team.yaml", "Why?", "-m", "offline/simulated", cwd=tmp_path, environment=plain
    ) as terminal:
        code = terminal.wait()

    assert code == 0
    assert "✓ lone" in terminal.text
    assert not COLOUR.search(terminal.shown)


def test_a_dumb_terminal_gets_plain_lines_without_any_escape(tmp_path: Path) -> None:
    write(tmp_path, LONE)
    dumb = {"TERM": "dumb"}

    with on_terminal("run", "team.yaml", "Why?", "-m", "offline/simulated", cwd=tmp_path, environment=dumb) as terminal:
        code = terminal.wait()

    assert code == 0
    assert "ada: does stage 1" in terminal.text
    assert "answer: completed" in terminal.text
    assert "\x1b" not in terminal.shown


def test_quiet_on_a_terminal_is_the_answer_alone(tmp_path: Path) -> None:
    write(tmp_path, LONE)

    with on_terminal("run", "team.yaml", "Why?", "-q", "-m", "offline/simulated", cwd=tmp_path) as terminal:
        code = terminal.wait()

    assert code == 0
    assert "Answer: " in terminal.text
    assert "lone" not in terminal.text
    assert "\x1b" not in terminal.shown


def test_the_demo_is_shown_live_slow_enough_to_be_watched(tmp_path: Path) -> None:
    with on_terminal("demo", cwd=tmp_path) as terminal:
        code = terminal.wait()

    assert code == 0
    assert terminal.text.startswith("The members of these teams are SIMULATED")
    assert terminal.shown.count("\x1b[1A\x1b[2K") > 50, "the tree was not redrawn in place"
    assert re.search(r"├ [⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] researcher +….* \d\.\ds", terminal.text), "its words are not shown as they come"
    seconds = [float(each) for each in re.findall(r"\d calls, about [\d,]+ tokens, \$0, ([\d.]+)s", terminal.text)]
    assert 2 < max(seconds) < 10


def test_a_fast_demo_does_not_wait(tmp_path: Path) -> None:
    with on_terminal("demo", "--fast", cwd=tmp_path) as terminal:
        code = terminal.wait()

    assert code == 0
    seconds = [float(each) for each in re.findall(r"\d calls, about [\d,]+ tokens, \$0, ([\d.]+)s", terminal.text)]
    assert max(seconds) < 2


@pytest.mark.wire
def test_what_a_model_writes_cannot_act_on_the_terminal(tmp_path: Path) -> None:
    write(tmp_path, LONE)

    with serve("openai", Reply(text=EVIL, pause=0.05)) as server:
        asked = ("-m", "openai/gpt-4o-mini", "--api-base", server.url)
        with on_terminal("run", "team.yaml", "Why?", *asked, cwd=tmp_path) as terminal:
            code = terminal.wait()

    assert code == 0, terminal.text
    assert server.requests[0].streamed
    for raw in ("\x1b[2J", "\x1b]", "\x07", "\x9b"):
        assert raw not in terminal.shown
    assert r"Snow is \x1b[2J\x1b]0;owned\x07\x9b31m[bold red]white[/bold red]" in terminal.text
    assert "[link=http://evil]x[/link] :smile:" in re.sub(r" *│\r?\n│ ", " ", terminal.text)
    assert "Answer: [b]7" in terminal.text


@pytest.mark.wire
def test_whole_answers_are_asked_for_without_streaming(tmp_path: Path) -> None:
    write(tmp_path, LONE)

    with serve("openai", "Answer: 7") as server:
        asked = ("-m", "openai/gpt-4o-mini", "--api-base", server.url, "--no-stream")
        with on_terminal("run", "team.yaml", "Why?", *asked, cwd=tmp_path) as terminal:
            code = terminal.wait()

    assert code == 0, terminal.text
    assert [request.streamed for request in server.requests] == [False]
