"""Runs that are kept go on under their limits, as forks of their own, from another place, and one at a time."""

from __future__ import annotations

import json
import re
from pathlib import Path

import anyio
import pytest

from phalanx.messages import Usage
from phalanx.runtime.events import RunFinished, RunStarted, StepStarted
from phalanx.runtime.sqlite import SqliteLog
from tests.cli.command import Done, on_terminal, phalanx, several, started, wait_until
from tests.cli.teams import DEBATE, PIPELINE, write
from tests.wire.servers import Received, Reply, serve

OFFLINE = ("--model", "offline/simulated")
SECOND = "line/stage-1/bob/model-1"
HANG = 60.0


def facts(done: Done) -> dict[str, object]:
    found: dict[str, object] = json.loads(done.out)
    return found


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Done]:
    folder = tmp_path_factory.mktemp("again")
    write(folder, PIPELINE, "line.yaml")
    limited = PIPELINE + "limits: {tokens: 100000}\n"
    write(folder, limited, "limited.yaml")
    write(folder, PIPELINE.replace("role: coder", "role: coder, instructions: Be brief."), "brief.yaml")
    commands: dict[str, tuple[object, ...]] = {
        "stopped": ("run", "limited.yaml", "Which?", *OFFLINE, "-l", "calls=1", "-l", "usd=1", "--json"),
        "show": ("show", "last"),
        "show json": ("show", "last", "--json"),
        "again": ("resume", "last", "--json"),
        "fork refused": ("fork", "last", "--at", SECOND, "--json"),
        "lifted": ("resume", "last", "-l", "calls=none", "--json"),
        "run": ("run", "line.yaml", "Which?", *OFFLINE, "--json"),
        "fork": ("fork", "last", "--at", SECOND, "--team", "brief.yaml", *OFFLINE, "-l", "calls=1"),
        "fork json": ("show", "last", "--json"),
        "fork again": ("resume", "last", "-l", "calls=9", "--json"),
        "fork replay": ("replay", "last", "--json"),
        "export": ("export", "last", "run.jsonl"),
        "import again": ("import", "run.jsonl"),
        "import nothing": ("import", "no.jsonl"),
        "import team": ("import", "line.yaml"),
        "wrong option": ("runs", "--limt", "3"),
        "wrong command": ("rnu",),
        "no argument": ("show",),
        "wrong number": ("runs", "--limit", "x"),
        "help": ("runs", "--help"),
        "version": ("--version",),
        "nothing": (),
    }
    ends = dict(zip(commands, several(*commands.values(), cwd=folder), strict=True))
    elsewhere = {"PHALANX_HOME": str(folder / "elsewhere")}
    ends["import"], ends["shown there"], ends["replayed there"] = several(
        ("import", "run.jsonl"), ("show", "last", "--json"), ("replay", "last", "--json"), cwd=folder,
        environment=elsewhere,
    )  # fmt: skip
    (folder / "torn.jsonl").write_text((folder / "run.jsonl").read_text().partition("\n")[0] + "\n")
    (ends["import torn"],) = several(("import", "torn.jsonl"), cwd=folder, environment=elsewhere)
    return ends


def test_the_limits_of_a_run_and_of_its_team_are_shown(told: dict[str, Done]) -> None:
    assert "limits of this run: calls=1, usd=1\n" in told["show"].out
    assert "limits of its team: tokens=100000\n" in told["show"].out
    assert facts(told["show json"])["limits"] == {"calls": 1, "usd": 1.0}
    assert facts(told["show json"])["team_limits"] == {"tokens": 100000}


def test_a_run_that_goes_on_keeps_its_limits_until_they_are_lifted(told: dict[str, Done]) -> None:
    assert (told["again"].code, facts(told["again"])["status"]) == (4, "stopped")
    assert (told["lifted"].code, facts(told["lifted"])["status"]) == (0, "completed")


def test_a_run_that_a_limit_of_its_team_stopped_goes_on_in_the_way_it_says(tmp_path: Path) -> None:
    own = PIPELINE + "model: offline/simulated\n"
    team = write(tmp_path, own + "limits: {calls: 1}\n")
    stopped = phalanx("run", team, "Which?", cwd=tmp_path)
    shown = phalanx("show", "last", cwd=tmp_path)
    write(tmp_path, own + "limits: {calls: 5}\n")
    went_on = phalanx("resume", "last", "--team", team, cwd=tmp_path)

    way = r"to go on.*: allow more calls in the team's file, then phalanx resume [0-9a-f]{24} --team TEAM.yaml\n"
    assert (stopped.code, went_on.code) == (4, 0)
    assert re.search(way, stopped.err)
    assert re.search(way, shown.err)
    assert "--limit" not in stopped.err


def test_a_replay_is_shown_to_end_once_when_the_run_did(tmp_path: Path) -> None:
    write(tmp_path, PIPELINE)
    ran = phalanx("run", "team.yaml", "Which?", *OFFLINE, "-l", "calls=1", cwd=tmp_path)
    phalanx("resume", "last", "-l", "calls=9", cwd=tmp_path)
    replayed = phalanx("replay", "last", cwd=tmp_path)

    ends = re.findall(r"line: (stopped|completed|goes on)", replayed.err)
    assert (ran.code, replayed.code) == (4, 0)
    assert ends == ["stopped", "goes on", "completed"]


def test_a_run_that_is_complete_is_resumed_to_its_answer_and_nothing_is_written(tmp_path: Path) -> None:
    write(tmp_path, PIPELINE)
    first, before, again, as_json, after = several(
        ("run", "team.yaml", "Which?", *OFFLINE, "-q"), ("export", "last", "before.jsonl"), ("resume", "last", "-q"),
        ("resume", "last", "--json"), ("export", "last", "after.jsonl"), cwd=tmp_path,
    )  # fmt: skip

    assert [done.code for done in (first, before, again, as_json, after)] == [0] * 5
    assert again.out == first.out
    assert "is complete: this is its answer" in again.err
    assert (facts(as_json)["status"], f"{facts(as_json)['text']}\n") == ("completed", first.out)
    assert (tmp_path / "after.jsonl").read_text() == (tmp_path / "before.jsonl").read_text()


def test_so_is_one_of_a_team_that_only_its_own_code_can_make(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN_CODE)
    first, before, without, again, after = several(
        ("run", "own.py:team", "Which?", "-q"), ("export", "last", "before.jsonl"), ("resume", "last", "-q"),
        ("resume", "last", "--team", "own.py:team", "-q"), ("export", "last", "after.jsonl"), cwd=tmp_path,
    )  # fmt: skip

    assert [done.code for done in (first, before, again, after)] == [0] * 4
    assert (without.code != 0, "is complete" in without.err, "--team" in without.err) == (True, False, True)
    assert again.out == first.out == "It is a cat.\n"
    assert (tmp_path / "after.jsonl").read_text() == (tmp_path / "before.jsonl").read_text()


OWN_CODE = """
from phalanx import AgentTeam
from phalanx.testing import FunctionModel

team = AgentTeam.pipeline(["ada"], model=FunctionModel(lambda request: "It is a cat."))
"""


def test_a_call_that_was_refused_is_listed_and_can_be_forked_at(told: dict[str, Done]) -> None:
    assert f"{SECOND}: offline/simulated, refused" in told["show"].out
    assert (told["fork refused"].code, facts(told["fork refused"])["status"]) == (0, "completed")


def test_a_fork_with_another_team_can_be_resumed_and_replayed_from_its_journal_alone(told: dict[str, Done]) -> None:
    assert told["fork"].code == 4
    assert re.search(r"to go on with more: phalanx resume [0-9a-f]{24} --limit calls=N", told["fork"].err)
    shown, went_on = facts(told["fork json"]), facts(told["fork again"])
    assert shown["forked_from"] == {"run_id": facts(told["run"])["run_id"], "at": SECOND}
    assert (went_on["run_id"], told["fork again"].code) == (shown["run_id"], 0)
    assert facts(told["fork replay"])["text"] == went_on["text"]


def test_an_exported_run_is_imported_elsewhere_and_is_the_same_there(told: dict[str, Done]) -> None:
    run_id = facts(told["fork again"])["run_id"]
    assert (told["import"].code, told["import"].out) == (0, f"{run_id}\n")
    assert facts(told["shown there"])["text"] == facts(told["fork again"])["text"]
    assert facts(told["replayed there"])["text"] == facts(told["fork again"])["text"]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("import again", "PHALANX_HOME"),
        ("import nothing", "no.jsonl: No such file"),
        ("import team", "line 1 is torn or damaged"),
        ("import torn", "its end is missing"),
        ("wrong option", "No such option: --limt"),
        ("wrong command", "No such command 'rnu'"),
        ("no argument", "Missing argument 'RUN'"),
        ("wrong number", "Invalid value for '--limit' / '-l'"),
    ],
)
def test_whatever_is_wrong_is_said_after_the_same_prefix(told: dict[str, Done], case: str, message: str) -> None:
    done = told[case]
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-1].startswith("phalanx: error: ")
    assert message in done.err.splitlines()[-1]


def test_help_and_the_version_end_well_and_no_command_shows_the_help(told: dict[str, Done]) -> None:
    assert (told["help"].code, told["version"].code, told["nothing"].code) == (0, 0, 2)
    assert told["version"].out.startswith("phalanx ")
    assert "--limit" in told["help"].out
    assert "import" in told["nothing"].err


async def test_a_list_reads_the_ends_of_runs_and_nothing_between(tmp_path: Path) -> None:
    start = RunStarted("r", 1, ("t",), 7.0, None, "t", "pipeline", "Go.", 0)
    end = RunFinished("r", 3, ("t",), 8.0, None, "completed", "done", None, Usage(2))
    async with SqliteLog(tmp_path / "log.db") as log:
        assert await log.ends("run/r") is None
        await log.append("run/r", [start])
        assert await log.ends("run/r") == (start, start)
        await log.append("run/r", [StepStarted("r", 2, ("t",), 7.0, 1, "t/model-1", "model", "m", "x"), end])
        assert await log.ends("run/r") == (start, end)


@pytest.mark.wire
def test_a_run_under_way_is_refused_to_others_and_can_be_watched_on_a_terminal(tmp_path: Path) -> None:
    write(tmp_path, DEBATE)

    def slow(request: Received) -> Reply:
        return Reply(text="Answer: 7") if "ada" in str(request.body["messages"]) else Reply(text="late", delay=HANG)

    with serve("openai", slow) as server:
        asked = ("-m", "openai/gpt-4o-mini", "--api-base", server.url)
        with started("run", "team.yaml", "Why?", *asked, cwd=tmp_path) as process:
            assert wait_until(lambda: len(server.requests) == 3, 60)
            busy = phalanx("resume", "last", cwd=tmp_path)
            with on_terminal("show", "last", "--follow", cwd=tmp_path) as terminal:
                terminal.wait_for("drafts alone")
                terminal.wait_for("1 call, ")
                terminal.type("\x03")
                left = terminal.wait(20)
            with on_terminal("show", "last", "--follow", cwd=tmp_path) as other:
                other.wait_for("drafts alone")
                process.terminate()
                process.wait(30)
                followed = other.wait(30)
        requests = len(server.requests)

    assert busy.code == 2
    assert re.search(
        rf"run \S+ is being worked on by process {process.pid}; watch it with `phalanx show \S+ --follow`", busy.err
    )
    assert requests == 3, "nothing is asked twice"
    assert left == 130
    last = terminal.text[terminal.text.rindex("panel (debate)") - 4 :]
    assert not set(last) & set("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"), "a wheel was left standing"
    assert terminal.shown.rindex("\x1b[?25h") > terminal.shown.rindex("\x1b[?25l"), "the cursor was left hidden"
    assert "Traceback" not in terminal.text
    assert followed == 130
    assert "– bob" in other.text


def test_runs_that_have_ended_are_listed_without_reading_what_is_between(tmp_path: Path) -> None:
    """What is between the ends is unreadable here, and nobody minds."""
    file = tmp_path / ".phalanx" / "runs.db"
    file.parent.mkdir()

    async def fill() -> None:
        async with SqliteLog(file) as log:
            for at in range(200):
                run = f"{at:024x}"
                middle = [StepStarted(run, 2, ("t",), 7.0, 1, "t/model-1", "model", "m", "x")]
                end = RunFinished(run, 3, ("t",), 8.0, None, "completed", "done", None, Usage(2))
                start = RunStarted(run, 1, ("t",), 7.0, None, "t", "pipeline", f"task {at}", 0)
                await log.append(f"run/{run}", [start, *middle, end])

    anyio.run(fill)
    import sqlite3

    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE records SET data = x'00' WHERE kind = 'step.started'")
    connection.close()
    done = phalanx("runs", "--limit", "200", "--json", cwd=tmp_path)
    assert done.code == 0
    assert [each["calls"] for each in json.loads(done.out)] == [2] * 200
    assert done.err == ""
