"""Ending a run from outside: every member is cancelled, and what was spent is said."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from tests.cli.command import interrupt, on_terminal, started, wait_until
from tests.cli.teams import DEBATE, write
from tests.wire.servers import Received, Reply, serve

pytestmark = pytest.mark.wire
HANG = 60.0


def answers_once(request: Received) -> Reply:
    """The first member is answered, the others are kept waiting."""
    return Reply(text="Answer: 7") if "ada" in str(request.body["messages"]) else Reply(text="late", delay=HANG)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_cancels_every_member_and_says_what_was_spent(tmp_path: Path, number: int, code: int) -> None:
    write(tmp_path, DEBATE)
    with serve("openai", answers_once) as server:
        asked = ("-m", "openai/gpt-4o-mini", "--api-base", server.url, "--json")
        with started("run", "team.yaml", "Why?", *asked, cwd=tmp_path) as process:
            assert wait_until(lambda: len(server.requests) == 3, 60)
            time.sleep(0.3)
            sent = time.monotonic()
            done = interrupt(process, number)
            took = time.monotonic() - sent

    facts = json.loads(done.out)
    assert done.code == code
    assert took < 5
    assert facts["status"] == "cancelled"
    assert facts["stop_reason"] == "interrupted"
    assert facts["usage"]["calls"] == 3
    assert facts["cost"] is None
    assert "bob: cancelled" in done.err
    assert "cleo: cancelled" in done.err
    assert "phalanx: interrupted, every member was cancelled; spent: 3 calls" in done.err
    assert "the unknown cost of 2 calls" in done.err
    assert "Traceback" not in done.err


def test_control_c_on_a_terminal_leaves_the_tree_and_the_terminal_as_they_should_be(tmp_path: Path) -> None:
    write(tmp_path, DEBATE)
    with serve("openai", Reply(text="late", delay=HANG)) as server:
        asked = ("-m", "openai/gpt-4o-mini", "--api-base", server.url)
        with on_terminal("run", "team.yaml", "Why?", *asked, cwd=tmp_path) as terminal:
            terminal.wait_for("drafts alone")
            terminal.read_until(lambda: len(server.requests) == 3)
            terminal.type("\x03")
            code = terminal.wait(20)

    assert code == 130
    assert "– ada" in terminal.text
    assert "phalanx: interrupted, every member was cancelled; spent: 3 calls" in terminal.text
    assert terminal.shown.rindex("\x1b[?25h") > terminal.shown.rindex("\x1b[?25l"), "the cursor was left hidden"
    assert "Traceback" not in terminal.text


def test_control_c_while_the_model_library_is_being_loaded_ends_at_once(tmp_path: Path) -> None:
    write(tmp_path, DEBATE)
    with serve("openai", "late") as server:
        asked = ("-m", "openai/gpt-4o-mini", "--api-base", server.url)
        with on_terminal("run", "team.yaml", "Why?", *asked, cwd=tmp_path) as terminal:
            terminal.wait_for("drafts alone")
            terminal.type("\x03")
            code = terminal.wait(20)

    assert code == 130
    assert server.requests == []
    assert "Traceback" not in terminal.text
