"""Runs that are kept: listed, shown, explained, resumed, replayed, forked and exported by the real command."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from phalanx.runtime.export import import_run
from phalanx.runtime.log import MemoryLog
from tests.cli.command import Done, on_terminal, phalanx, several
from tests.cli.teams import DEBATE, LONE, PIPELINE, write

OFFLINE = ("--model", "offline/simulated")
TASK = "Which one?"
SECOND = "line/stage-1/bob/model-1"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Done]:
    """How commands ended that were given one after the other: a run that a limit stops, and what is done with it."""
    folder = tmp_path_factory.mktemp("kept")
    write(folder, DEBATE.replace("rounds: 1", "rounds: 1, trigger: always"))
    write(folder, PIPELINE, "line.yaml")
    commands: dict[str, tuple[object, ...]] = {
        "nothing yet": ("runs",),
        "debate": ("run", "team.yaml", TASK, *OFFLINE, "--json"),
        "stopped": ("run", "line.yaml", TASK, *OFFLINE, "-l", "calls=1", "--json"),
        "list": ("runs",),
        "list json": ("runs", "--json"),
        "one": ("runs", "--limit", "1"),
        "show stopped": ("show", "last"),
        "why stopped": ("why", "last"),
        "replay stopped": ("replay", "last", "--json"),
        "resume": ("resume", "last", "--limit", "calls=2", "--json"),
        "show": ("show", "last"),
        "show json": ("show", "last", "--json"),
        "show prompts": ("show", "last", "--prompts"),
        "show json prompts": ("show", "last", "--prompts", "--json"),
        "follow": ("show", "last", "--follow"),
        "replay": ("replay", "last", "--json"),
        "why": ("why", "last"),
        "fork": ("fork", "last", "--at", SECOND, "--json"),
        "after": ("runs", "--json"),
        "export": ("export", "last", "run.jsonl"),
        "export again": ("export", "last", "run.jsonl"),
        "export with force": ("export", "last", "run.jsonl", "--force"),
        "other model": ("resume", "last", "--model", "ollama/other"),
        "no run": ("show", "nothing"),
        "no prefix": ("show", ""),
        "no step": ("fork", "last", "--at", SECOND.replace("bob", "bab")),
        "no question": ("resume", "last", "--answer", "x=yes"),
        "no decision": ("resume", "last", "--decide", "x=skip"),
        "no number": ("runs", "--limit", "0"),
        "follow json": ("show", "last", "--follow", "--json"),
        "no file": ("export", "last", "no/such/run.jsonl"),
    }
    ends = dict(zip(commands, several(*commands.values(), cwd=folder), strict=True))
    debate = json.loads(ends["debate"].out)["run_id"]
    ends["debate why"], ends["debate by prefix"] = several(("why", debate), ("show", debate[:-1]), cwd=folder)
    ends["lines"] = Done(0, (folder / "run.jsonl").read_text(encoding="utf-8"), "")
    ends["rights"] = Done(0, "", oct(stat.S_IMODE((folder / "run.jsonl").stat().st_mode)))
    return ends


def facts(done: Done) -> Any:
    return json.loads(done.out)


def test_runs_are_listed_the_latest_first_with_what_they_cost(told: dict[str, Done]) -> None:
    head, first, second = told["list"].out.splitlines()

    assert head.split() == ["run", "when", "team", "task", "status", "calls", "cost"]
    assert ("line" in first, "stopped" in first, first.split()[-2:]) == (True, True, ["1", "$0"])
    assert ("panel" in second, "completed" in second, second.split()[-2:]) == (True, True, ["6", "$0"])
    assert [each["run_id"] for each in facts(told["list json"])] == [
        facts(told["stopped"])["run_id"], facts(told["debate"])["run_id"],
    ]  # fmt: skip
    assert facts(told["debate"])["run_id"].startswith(second.split()[0])


def test_a_list_that_leaves_runs_out_says_so_and_one_without_any_says_where_it_looked(told: dict[str, Done]) -> None:
    assert len(told["one"].out.splitlines()) == 2
    assert "1 more; --limit 2 lists all" in told["one"].err
    assert (told["nothing yet"].code, told["nothing yet"].out) == (0, "")
    assert ".phalanx/runs.db" in told["nothing yet"].err


def test_a_stopped_run_says_how_it_goes_on_and_does_with_what_it_had(told: dict[str, Done]) -> None:
    run_id = facts(told["stopped"])["run_id"]
    before, after = facts(told["stopped"]), facts(told["resume"])

    assert told["stopped"].code == 4
    assert f"phalanx resume {run_id} --limit calls=N" in told["stopped"].err
    assert f"phalanx resume {run_id} --limit calls=N" in told["show stopped"].err
    assert told["resume"].code == 0
    assert (after["run_id"], after["status"], after["usage"]["calls"]) == (run_id, "completed", 2)
    assert after["members"][0]["text"] == before["members"][0]["text"]


def test_a_replay_gives_the_same_again_and_exits_alike(told: dict[str, Done]) -> None:
    for name, again in (("stopped", "replay stopped"), ("resume", "replay")):
        first, second = facts(told[name]), facts(told[again])
        assert told[name].code == told[again].code
        for each in ("text", "status", "run_id", "cost", "members"):
            assert second[each] == first[each], each
        assert second["usage"]["calls"] == first["usage"]["calls"]


def test_a_run_is_shown_as_a_tree_with_its_steps_and_its_answer(told: dict[str, Done]) -> None:
    shown, answer = told["show"].out, facts(told["resume"])["text"]

    assert f"run {facts(told['resume'])['run_id']}: line (pipeline), seed 0" in shown
    assert f"task: {TASK}" in shown
    assert "- ada (planner) does stage 1: ok; 1 call" in shown
    assert f"    {SECOND}: offline/simulated, ok" in shown
    assert shown.rstrip().endswith(answer)
    assert "You are" not in shown
    assert "SIMULATED" in told["show"].err
    assert "2 calls" in shown


def test_prompts_are_shown_in_full_when_they_are_asked_for(told: dict[str, Done]) -> None:
    sent = facts(told["resume"])["members"][1]["messages"][:-1]

    assert [each["role"] for each in sent] == ["system", "user"]
    assert facts(told["show json prompts"])["askings"][1]["calls"][0]["messages"] == sent
    for message in sent:
        for line in message["content"].splitlines():
            assert f"| {line}".rstrip() in told["show prompts"].out
    assert "messages" not in facts(told["show json"])["askings"][1]["calls"][0]
    assert facts(told["show json"])["askings"][1]["calls"][0]["key"] == SECOND


def test_following_a_run_that_has_ended_shows_all_of_it_and_exits_as_it_did(told: dict[str, Done]) -> None:
    assert told["follow"].code == 0
    assert "ada: does stage 1" in told["follow"].out
    assert "line: completed" in told["follow"].out


def test_why_tells_votes_changes_and_who_was_shown_what(told: dict[str, Done]) -> None:
    result, why = facts(told["debate"]), told["debate why"].out

    for round in result["rounds"]:
        assert (
            f"round {round['number']}: " + ", ".join(f"{who}: {said}" for who, said in round["choices"].items()) in why
        )
    flips = [who for who, said in result["rounds"][1]["choices"].items() if result["rounds"][0]["choices"][who] != said]
    assert all(f"{who} from " in why for who in flips)
    assert ("nobody changed its answer" in why) == (not flips)
    assert result["decision"]["explanation"] in why
    assert (
        '  ada (debater), revises, round 1: its own answer (drafts alone); bob (debater), drafts alone as "Response '
        in why
    )
    assert "the answer rests on:" in why
    assert "line, " not in why


def test_why_follows_the_answer_back_to_what_it_was_made_from(told: dict[str, Done]) -> None:
    lines = told["why"].out.splitlines()
    at = lines.index("the answer rests on:")

    assert lines[at + 1].startswith("  bob (coder), does stage 2: ")
    assert lines[at + 2].startswith("    ada (planner), does stage 1: ")


def test_why_does_not_say_that_somebody_saw_what_a_limit_kept_from_being_sent(told: dict[str, Done]) -> None:
    stopped = told["why stopped"].out

    assert "bob (coder), does stage 2 gave no answer (refused): calls limit of this run reached" in stopped
    assert "nobody was shown what another member wrote" in stopped
    assert "  bob (coder), does stage 2: ada (planner), does stage 1" in told["why"].out


def test_a_fork_is_a_new_run_that_keeps_what_came_before_the_step(told: dict[str, Done]) -> None:
    old, new = facts(told["resume"]), facts(told["fork"])

    assert told["fork"].code == 0
    assert new["run_id"] != old["run_id"]
    assert new["members"][0]["text"] == old["members"][0]["text"]
    listed = facts(told["after"])
    assert (listed[0]["run_id"], listed[0]["forked_from"]) == (new["run_id"], old["run_id"])
    assert len(listed) == 3


async def test_an_exported_run_can_be_imported_and_is_its_owners_alone(told: dict[str, Done]) -> None:
    assert await import_run(told["lines"].out.splitlines(), MemoryLog()) == facts(told["fork"])["run_id"]
    assert told["rights"].err == "0o600"
    assert (told["export again"].code, told["export with force"].code) == (2, 0)
    assert "--force" in told["export again"].err


def test_another_model_is_refused_with_the_command_that_forks(told: dict[str, Done]) -> None:
    done = told["other model"]

    assert done.code == 2
    # What the fork took over stands as it was; what it made itself is compared.
    assert f"step {SECOND} differs from the journal in name: recorded 'offline/simulated'" in done.err
    assert f"phalanx fork {facts(told['fork'])['run_id']} --at {SECOND}" in done.err


WRONG = {
    "no run": "there is no run 'nothing'",
    "no prefix": "there is no run ''",
    "no step": f"has no such step (did you mean '{SECOND}'?)",
    "no question": "the questions that are open: none",
    "no decision": "the steps that are undecided: none",
    "no number": "--limit 0",
    "follow json": "--follow",
    "no file": "there is no directory 'no/such'",
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_line(case: str, told: dict[str, Done]) -> None:
    done = told[case]

    assert (done.code, done.out) == (2, "")
    assert WRONG[case] in done.err
    assert "Traceback" not in done.err


def test_the_unique_beginning_of_an_id_is_enough_and_one_that_two_share_is_not(
    tmp_path: Path, told: dict[str, Done]
) -> None:
    assert facts(told["debate"])["run_id"] in told["debate by prefix"].out.splitlines()[0]

    write(tmp_path, LONE)
    run = ("run", "team.yaml", TASK, *OFFLINE, "-q")
    done = several(run, run, ("show", "0"), cwd=tmp_path)[-1]

    assert done.code == 2
    assert "2 runs begin with '0'" in done.err


def test_without_a_journal_nothing_is_written(tmp_path: Path) -> None:
    write(tmp_path, LONE)

    done = phalanx("run", "team.yaml", TASK, *OFFLINE, "--no-journal", "-l", "calls=1", cwd=tmp_path)

    assert done.code == 0
    assert "phalanx resume" not in done.err
    assert [each.name for each in tmp_path.iterdir()] == ["team.yaml"]


def test_the_file_of_runs_is_its_owners_alone_and_lies_where_the_platform_keeps_data(tmp_path: Path) -> None:
    write(tmp_path, LONE)
    place = {"PHALANX_HOME": "", "HOME": str(tmp_path / "me"), "XDG_DATA_HOME": ""}

    run = ("run", "team.yaml", TASK, *OFFLINE, "-q")
    phalanx(*run, cwd=tmp_path, environment=place)
    phalanx(*run, cwd=tmp_path, environment=place | {"XDG_DATA_HOME": str(tmp_path / "data")})

    mac = sys.platform == "darwin"
    folders = [tmp_path / "me" / ("Library/Application Support" if mac else ".local/share")]
    folders += [] if mac else [tmp_path / "data"]
    for folder in folders:
        file = folder / "phalanx" / "runs.db"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_place_that_cannot_be_written_costs_nothing_and_names_the_way_without(tmp_path: Path) -> None:
    write(tmp_path, LONE)
    (tmp_path / "file").write_text("I am no folder")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "runs.db").write_text("I am no log, and somebody may still want me." * 40)

    for home in ("file", "foreign"):
        done = phalanx("run", "team.yaml", TASK, *OFFLINE, cwd=tmp_path, environment={"PHALANX_HOME": home})
        assert (done.code, done.out) == (2, "")
        assert "--no-journal" in done.err
        assert "begins" not in done.err
        assert "Traceback" not in done.err
    assert "somebody may still want me" in (tmp_path / "foreign" / "runs.db").read_text()


def test_what_a_model_wrote_cannot_act_on_the_terminal_that_shows_it(tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text(
        "from phalanx import AgentTeam\n"
        "from phalanx.testing import FunctionModel\n"
        "evil = '\\x1b[2J\\x9b31m\\u202eAnswer: \\x1b]0;owned\\x07 [bold]no markup[/bold]'\n"
        "team = AgentTeam.debate(['ada', 'bob'], 1, trigger='always', model=FunctionModel(lambda _: evil))\n"
    )
    looks = [
        ("show", "last"), ("show", "last", "--prompts"), ("show", "last", "--json"), ("show", "last", "--follow"),
        ("why", "last"), ("runs",), ("runs", "--json"), ("replay", "last", "--team", "evil.py:team"),
    ]  # fmt: skip

    ends = several(("run", "evil.py:team", "\x1b[31mred", "-q"), *looks, cwd=tmp_path)

    for done in ends:
        assert done.code == 0, done.err
        assert not {"\x1b", "\x9b", "\u202e", "\x07"} & set(done.out + done.err)
    assert "\\x1b[2J" in ends[1].out
    # Both said the same, word for word; whose it was is told by the label it was shown under.
    assert 'ada, revises, round 1: its own answer (drafts alone); bob, drafts alone as "Response A"' in ends[5].out
    assert "[bold]no markup[/bold]" in ends[2].out


def test_lines_for_programs_are_not_written_to_a_terminal(tmp_path: Path) -> None:
    write(tmp_path, LONE)
    phalanx("run", "team.yaml", TASK, *OFFLINE, "-q", cwd=tmp_path)

    with on_terminal("export", "last", cwd=tmp_path) as terminal:
        code = terminal.wait()
    piped = phalanx("export", "last", cwd=tmp_path)

    assert code == 2
    assert "give a FILE" in terminal.text
    assert json.loads(piped.out.splitlines()[-1])["end"] == len(piped.out.splitlines()) - 1
