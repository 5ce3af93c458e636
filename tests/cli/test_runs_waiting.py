"""Runs that wait for a person, were killed, were interrupted, or still work."""

from __future__ import annotations

import json
import re
import shlex
import signal
from pathlib import Path

import pytest

from tests.cli.command import Done, interrupt, phalanx, several, started, wait_until
from tests.cli.teams import DEBATE, write
from tests.wire.servers import Received, Reply, serve

OFFICE = """\
import os
from pathlib import Path

from phalanx import Agent, AgentTeam
from phalanx.agents.tools.tool import tool
from phalanx.messages import Completion, ToolCall
from phalanx.testing import FunctionModel


@tool(needs_approval=True)
def send(text: str) -> str:
    \"\"\"Send a letter.\"\"\"
    Path("sent.txt").open("a").write(text)
    return "sent"


@tool
def burn(text: str) -> str:
    \"\"\"Burn a letter; the first time the house goes with it.\"\"\"
    Path("burnt.txt").open("a").write(text)
    if len(Path("burnt.txt").read_text()) == 1:
        os._exit(9)
    return "burnt"


def think(request):
    last = request.messages[-1]
    if last.role == "tool":
        return "Done: " + last.content.splitlines()[1]
    Path("asked.txt").open("a").write("x")
    return Completion(tool_calls=(ToolCall(id="1", tool_name=request.tools[0].name, parameters={"text": "L"}),))


office = AgentTeam.pipeline([Agent("worker", name="ada", tools=[send], model=FunctionModel(think))], name="office")
oven = AgentTeam.pipeline([Agent("worker", name="ada", tools=[burn], model=FunctionModel(think))], name="oven")
"""


def read(folder: Path, name: str) -> str:
    file = folder / name
    return file.read_text() if file.exists() else ""


def advised(done: Done, name: str) -> list[str]:
    """The words of the command that stderr says to give, after `phalanx`."""
    line = next(line for line in done.err.splitlines() if f"phalanx {name}" in line)
    return shlex.split(line[line.index("phalanx ") :].partition("   (")[0])[1:]


def test_a_question_pauses_the_run_and_the_command_that_is_shown_answers_it(tmp_path: Path) -> None:
    (tmp_path / "office.py").write_text(OFFICE)
    paused = phalanx("run", "office.py:office", "Write.", "--json", cwd=tmp_path)
    resume = advised(paused, "resume")
    team = ("--team", "office.py:office")

    wrong, nobody, listed, shown, bare, done, again = several(
        [*resume[:-1], "office/stage/ada/human-1=maybe"],
        [each for each in resume if each not in team],
        ["runs", "--json"],
        ["show", "last"],
        ["resume", "last", *team, "-q"],
        resume,
        resume,
        cwd=tmp_path,
    )

    assert paused.code == 6
    assert json.loads(paused.out)["status"] == "paused"
    assert json.loads(paused.out)["questions"][0]["key"] in paused.err
    assert "question: May ada use send" in paused.err
    assert (wrong.code, "is not among the answers: yes, no" in wrong.err) == (2, True)
    assert (nobody.code, "give it with --team" in nobody.err) == (2, True)
    assert json.loads(listed.out)[0]["status"] == "paused"
    # A journal does not know in which file a team stands that it cannot hold.
    assert advised(shown, "resume") == [each.replace("office.py:office", "FILE.py:NAME") for each in resume]
    assert "ada (worker) does stage 1: waits for a person" in shown.out
    assert "office/stage/ada/human-1: human, waits for a person" in shown.out
    assert "asks a person: May ada use send" in paused.err
    assert "ada: is not told: the run waits for the answer" in paused.err
    assert "RunPaused" not in shown.out + paused.err + bare.err
    assert (bare.code, bare.out, advised(bare, "resume")) == (6, "", resume)
    assert (done.code, done.out) == (0, "Done: sent\n")
    assert read(tmp_path, "sent.txt") == "L"
    assert read(tmp_path, "asked.txt") == "x", "the model was asked again"
    assert (again.code, "the questions that are open: none" in again.err) == (2, True)


def test_without_a_journal_nobody_is_asked_and_the_tool_is_denied(tmp_path: Path) -> None:
    (tmp_path / "office.py").write_text(OFFICE)

    done = phalanx("run", "office.py:office", "Write.", "--no-journal", cwd=tmp_path)

    assert done.code == 0
    assert read(tmp_path, "sent.txt") == ""
    assert not (tmp_path / ".phalanx").exists()


def test_a_killed_run_waits_for_a_decision_on_the_step_that_may_have_happened(tmp_path: Path) -> None:
    (tmp_path / "office.py").write_text(OFFICE)
    killed = phalanx("run", "office.py:oven", "Burn.", cwd=tmp_path)
    team = ("--team", "office.py:oven")

    shown, bare, wrong = several(
        ["show", "last"],
        ["resume", "last", *team],
        ["resume", "last", *team, "--decide", "oven/stage/ada/tool-1=maybe"],
        cwd=tmp_path,
    )
    skip = advised(bare, "resume")
    done = phalanx(*skip, cwd=tmp_path)

    assert killed.code == 9
    assert "unfinished" in shown.out
    assert bare.code == 6
    assert "may or may not have happened" in bare.err
    assert advised(shown, "resume") == [each.replace("office.py:oven", "FILE.py:NAME") for each in skip]
    assert (wrong.code, "it is retry or skip" in wrong.err) == (2, True)
    assert (done.code, "it was not repeated" in done.out) == (0, True)
    assert read(tmp_path, "burnt.txt") == "L"


def test_a_decision_to_retry_makes_the_step_again(tmp_path: Path) -> None:
    (tmp_path / "office.py").write_text(OFFICE)
    phalanx("run", "office.py:oven", "Burn.", cwd=tmp_path)
    key = "oven/stage/ada/tool-1"

    done = phalanx("resume", "last", "--team", "office.py:oven", "--decide", f"{key}=retry", cwd=tmp_path)

    assert (done.code, done.out) == (0, "Done: burnt\n")
    assert read(tmp_path, "burnt.txt") == "LL"


def test_a_python_file_without_such_a_team_is_refused(tmp_path: Path) -> None:
    (tmp_path / "office.py").write_text(OFFICE)

    unnamed, unknown, none = several(
        ["run", "office.py", "x"], ["run", "office.py:shop", "x"], ["run", "none.py:team", "x"], cwd=tmp_path
    )

    assert (unnamed.code, "office.py:NAME" in unnamed.err) == (2, True)
    assert (unknown.code, "has no team 'shop'; it has: office, oven" in unknown.err) == (2, True)
    assert (none.code, "none.py: No such file" in none.err) == (2, True)


@pytest.mark.wire
def test_control_c_says_how_to_go_on_and_only_what_is_missing_is_asked_then(tmp_path: Path) -> None:
    write(tmp_path, DEBATE)
    slow = True

    def reply(request: Received) -> Reply:
        wait = slow and "ada" not in str(request.body["messages"])
        return Reply(text="Answer: 7", delay=60.0 if wait else 0.0)

    with serve("openai", reply) as server:
        asked = ("-m", "openai/gpt-4o-mini", "--api-base", server.url)
        with started("run", "team.yaml", "Why?", *asked, cwd=tmp_path) as process:
            assert wait_until(lambda: len(server.requests) == 3, 60)
            followed = started("show", "last", "--follow", cwd=tmp_path)
            with followed as watcher:
                assert watcher.stdout is not None
                assert "begins" in watcher.stdout.readline()
                broken = interrupt(process, signal.SIGINT)
                seen, _ = watcher.communicate(timeout=30)
        slow = False
        done = phalanx(*advised(broken, "resume"), "--json", cwd=tmp_path, environment={"OPENAI_API_KEY": "x"})
        requests = len(server.requests)

    assert broken.code == 130
    assert watcher.returncode == 130
    assert "bob: cancelled" in seen
    assert re.search(r"^to go on: phalanx resume [0-9a-f]{24}$", broken.err, re.M)
    assert done.code == 0, done.err
    assert json.loads(done.out)["text"] == "Answer: 7"
    assert requests == 5, "what was answered was asked again"
