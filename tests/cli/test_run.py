"""`phalanx run` without a terminal and without a provider."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import Done, phalanx, several, started
from tests.cli.teams import DEBATE, LONE, PIPELINE, write

OFFLINE = ("--model", "offline/simulated")


def test_the_answer_alone_is_on_stdout_and_the_progress_on_stderr(tmp_path: Path) -> None:
    write(tmp_path, DEBATE)

    done = phalanx("run", "team.yaml", "Which one?", *OFFLINE, cwd=tmp_path)

    assert done.code == 0
    assert "Answer: " in done.out
    assert "ada" not in done.out
    assert "ada: drafts alone" in done.err
    assert "panel: completed" in done.err
    assert "calls" in done.err


def test_a_made_up_answer_never_passes_for_a_models(tmp_path: Path) -> None:
    write(tmp_path, LONE)

    shown = phalanx("run", "team.yaml", "Why?", *OFFLINE, cwd=tmp_path)
    quiet = phalanx("run", "team.yaml", "Why?", *OFFLINE, "--quiet", cwd=tmp_path)

    assert "SIMULATED: offline/simulated made this answer up" in shown.err
    assert quiet.err == "SIMULATED: offline/simulated made this answer up; no model was asked\n"
    assert quiet.out == shown.out


def test_json_is_one_object_on_stdout_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path, DEBATE)

    done = phalanx("run", "team.yaml", "Which one?", *OFFLINE, "--json", cwd=tmp_path)

    assert done.code == 0
    assert done.out.count("\n") == 1
    facts = json.loads(done.out)
    assert facts["status"] == "completed"
    assert facts["stop_reason"] is None
    assert "Answer: " in facts["text"]
    assert facts["run_id"]
    assert facts["usage"]["calls"] == len(facts["members"]) >= 3
    assert facts["cost"] == 0
    assert facts["decision"]["status"] == "decided"
    assert facts["models"] == ["offline/simulated"]
    assert {each["member"] for each in facts["members"]} == {"ada", "bob", "cleo"}
    assert "ada: drafts alone" in done.err


def test_the_same_seed_gives_the_same_answer_and_another_one_may_not(tmp_path: Path) -> None:
    write(tmp_path, LONE)

    runs = [("run", "team.yaml", "Why?", *OFFLINE, "-q", "--seed", seed) for seed in (1, 1, 2, 3, 4)]

    answers = [done.out for done in several(*runs, cwd=tmp_path)]

    assert answers[0] == answers[1]
    assert len(set(answers)) > 1


def test_a_task_comes_from_stdin_and_a_context_from_a_file(tmp_path: Path) -> None:
    write(tmp_path, LONE)
    (tmp_path / "facts.txt").write_text("The moon is round.", encoding="utf-8")

    done = phalanx(
        "run", "team.yaml", "-", *OFFLINE, "--json", "--context", "@facts.txt", cwd=tmp_path, stdin="Täsk from stdin"
    )

    sent = json.loads(done.out)["members"][0]["messages"]
    assert any("Täsk from stdin" in message["content"] for message in sent)
    assert any("The moon is round." in message["content"] for message in sent)


def test_a_context_with_two_at_signs_is_text_that_begins_with_one(tmp_path: Path) -> None:
    write(tmp_path, LONE)

    done = phalanx("run", "team.yaml", "Why?", *OFFLINE, "--json", "-c", "@@home", cwd=tmp_path)

    assert any("@home" in message["content"] for message in json.loads(done.out)["members"][0]["messages"])


def test_a_limit_holds_and_what_was_paid_for_is_returned_with_exit_code_4(tmp_path: Path) -> None:
    write(tmp_path, PIPELINE)

    done = phalanx("run", "team.yaml", "Why?", *OFFLINE, "--limit", "calls=1", "--json", cwd=tmp_path)

    facts = json.loads(done.out)
    assert done.code == 4
    assert facts["status"] == "stopped"
    assert "calls limit" in facts["stop_reason"]
    assert facts["usage"]["calls"] == 1
    assert facts["text"]


def test_a_run_that_a_limit_leaves_without_any_answer_says_what_to_do(tmp_path: Path) -> None:
    write(tmp_path, LONE)

    done = phalanx("run", "team.yaml", "Why?", *OFFLINE, "-l", "calls=0", cwd=tmp_path)

    assert done.code == 4
    assert done.out == ""
    assert "phalanx: error: calls limit of this run reached" in done.err
    assert "--limit calls=N" in done.err
    assert "Limits(" not in done.err
    assert "Traceback" not in done.err


def test_save_writes_the_whole_result_to_a_file(tmp_path: Path) -> None:
    write(tmp_path, LONE)

    done = phalanx("run", "team.yaml", "Why?", *OFFLINE, "-q", "--save", "result.json", cwd=tmp_path)

    saved = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert done.code == 0
    assert saved["text"].strip() == done.out.strip()
    assert saved["status"] == "completed"


def test_a_file_that_cannot_be_saved_to_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    write(tmp_path, LONE)

    done = phalanx("run", "team.yaml", "Why?", *OFFLINE, "--save", "no/such/result.json", cwd=tmp_path)

    assert done.code == 2
    assert "there is no directory 'no/such'" in done.err
    assert "begins" not in done.err


def test_a_vote_without_a_winner_ends_with_exit_code_3(tmp_path: Path) -> None:
    # Nobody agrees: each of the three has a wall of its own to climb.
    write(
        tmp_path,
        "members: [{name: a, role: proposer}, {name: b, role: proposer}, {name: c, role: proposer}]\n"
        "formation: {kind: consensus, min_agreement: 3, rounds: 0}\n",
    )

    runs = [("run", "team.yaml", f"Question {at}?", *OFFLINE, "--json") for at in range(4)]

    ends = {done.code for done in several(*runs, cwd=tmp_path)}

    assert ends <= {0, 3}
    assert 3 in ends


WRONG = {
    "a missing file": (("run", "none.yaml", "x"), 2, "none.yaml: No such file or directory"),
    "no YAML": (("run", "broken.yaml", "x"), 2, "broken.yaml:3: not readable as YAML"),
    "an unknown field": (("run", "typo.yaml", "x"), 2, "typo.yaml:1: formatoin: there is no field 'formatoin'"),
    "an empty task": (("run", "team.yaml", " ", *OFFLINE), 2, "task"),
    "an unknown limit": (("run", "team.yaml", "x", "--limit", "call=1"), 2, "no limit 'call' (did you mean 'calls'?)"),
    "a limit without value": (("run", "team.yaml", "x", "--limit", "calls"), 2, "--limit usd=1"),
    "a limit that is no number": (("run", "team.yaml", "x", "--limit", "usd=many"), 2, "--limit usd=many"),
    "a limit below zero": (("run", "team.yaml", "x", "--limit", "calls=-1"), 2, "--limit calls=-1"),
    "a limit twice": (("run", "team.yaml", "x", "-l", "calls=1", "-l", "calls=2"), 2, "given twice"),
    "a missing context file": (("run", "team.yaml", "x", "--context", "@none.txt"), 2, "none.txt: No such file"),
    "a seed that is no number": (("run", "team.yaml", "x", "--seed", "one"), 2, "--seed"),
    "an unknown option": (("run", "team.yaml", "x", "--modle", "y"), 2, "--modle"),
    "no task": (("run", "team.yaml"), 2, "TASK"),
    "an address that is none": (("run", "team.yaml", "x", "--api-base", "localhost"), 2, "--api-base 'localhost'"),
    "an address for no server": (("run", "team.yaml", "x", *OFFLINE, "--api-base", "http://a/"), 2, "no address"),
    "no model at all": (("run", "team.yaml", "x"), 5, "PHALANX_MODEL"),
    "an unknown provider": (("run", "team.yaml", "x", "--model", "opnai/x"), 5, "did you mean 'openai'?"),
    "an unknown offline model": (("run", "team.yaml", "x", "--model", "offline/x"), 5, "offline/simulated"),
}  # fmt: skip


@pytest.fixture(scope="module")
def wrongs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Done]:
    """How each of the wrong commands ended."""
    folder = tmp_path_factory.mktemp("wrong")
    write(folder, LONE)
    write(folder, "members: [\n  {name: a\n", "broken.yaml")
    write(folder, "formatoin: flat\nmembers: [{name: a}]\n", "typo.yaml")
    ended = several(*(arguments for arguments, _, _ in WRONG.values()), cwd=folder)
    return dict(zip(WRONG, ended, strict=True))


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_line_with_its_exit_code(case: str, wrongs: dict[str, Done]) -> None:
    _, code, said = WRONG[case]

    done = wrongs[case]

    assert done.code == code
    assert said in done.err
    assert "Traceback" not in done.err
    assert done.out == ""


def test_json_is_written_for_a_failure_too(tmp_path: Path) -> None:
    write(tmp_path, LONE)

    done = phalanx("run", "team.yaml", "x", "--json", cwd=tmp_path)

    facts = json.loads(done.out)
    assert done.code == 5
    assert facts["status"] == "failed"
    assert "PHALANX_MODEL" in facts["stop_reason"]
    assert facts["error"] == "NoModel"
    assert facts["run_id"] is None
    assert facts["text"] == ""
    assert facts["usage"]["calls"] == 0


def test_debug_shows_the_traceback_and_logs_every_event_on_stderr(tmp_path: Path) -> None:
    write(tmp_path, LONE)

    failed = phalanx("run", "team.yaml", "x", "--debug", cwd=tmp_path)
    done = phalanx("run", "team.yaml", "x", *OFFLINE, cwd=tmp_path, environment={"PHALANX_LOG_LEVEL": "debug"})
    plain = phalanx("run", "team.yaml", "x", *OFFLINE, cwd=tmp_path)

    assert "Traceback" in failed.err
    assert failed.err.rstrip().splitlines()[-1].startswith("phalanx: error: ")
    assert "kind=step.started" in done.err
    assert "kind=" not in done.out + plain.err


def test_a_log_level_that_is_none_is_refused(tmp_path: Path) -> None:
    write(tmp_path, LONE)

    done = phalanx("run", "team.yaml", "x", *OFFLINE, cwd=tmp_path, environment={"PHALANX_LOG_LEVEL": "lout"})

    assert done.code == 2
    assert "PHALANX_LOG_LEVEL='lout'" in done.err


def test_binary_on_stdin_is_refused(tmp_path: Path) -> None:
    write(tmp_path, LONE)

    done = phalanx("run", "team.yaml", "-", *OFFLINE, cwd=tmp_path, stdin="abc\udcff\udcfe")

    assert done.code == 2
    assert "stdin is not UTF-8 text (byte 4)" in done.err


def test_a_model_on_the_command_line_is_asked_by_every_member_nested_teams_included(tmp_path: Path) -> None:
    write(
        tmp_path,
        "model: openai/gpt-4o-mini\n"
        "members:\n"
        "  - {name: ada, role: planner, model: ollama/llama3, price: {input: 1, output: 2}}\n"
        "  - name: jury\n"
        "    team:\n"
        "      model: anthropic/claude-haiku-4-5\n"
        "      members: [{name: bob, role: debater, api_base: 'http://127.0.0.1:9/'}, {name: cleo, role: debater}]\n"
        "      formation: {kind: debate}\n"
        "formation: pipeline\n",
    )

    done = phalanx("run", "team.yaml", "x", *OFFLINE, "--json", cwd=tmp_path)

    assert done.code == 0, done.err
    assert json.loads(done.out)["models"] == ["offline/simulated"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_costs_the_progress_but_not_the_answer(tmp_path: Path) -> None:
    write(tmp_path, LONE)

    without_progress = phalanx("run", "team.yaml", "Why?", *OFFLINE, cwd=tmp_path, err="/dev/full")
    without_answer = phalanx("run", "team.yaml", "Why?", *OFFLINE, cwd=tmp_path, out="/dev/full")
    without_help = phalanx("--help", cwd=tmp_path, out="/dev/full")

    assert without_progress.code == 0
    assert "Answer: " in without_progress.out
    for done in (without_answer, without_help):
        assert done.code == 2
        assert "No space left on device" in done.err
        assert "Traceback" not in done.err


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    write(tmp_path, LONE)
    with started("demo", cwd=tmp_path) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, err = process.communicate(timeout=60)

    assert process.returncode == 1
    assert err == ""
