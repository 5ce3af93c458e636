"""`phalanx bench`: from a file to a table, an exit code for continuous integration, and benchmarks that are kept."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from phalanx.benchmarks.gate import Gate
from phalanx.benchmarks.record import Attempt, Comparison, System
from phalanx.benchmarks.spec import load_bench
from phalanx.benchmarks.tasks import TaskItem
from phalanx.errors import SpecError, ValidationError
from tests.cli.command import interrupt, phalanx, several, started, wait_until
from tests.cli.teams import DEBATE, write

SIMULATED = """\
name: small
tasks: {generated: {kind: arithmetic, n: 12, seed: 1}}
simulate: {skill: 0.6}
systems:
  debate:
    team:
      members: [{name: ada, role: debater}, {name: bob, role: debater}, {name: cy, role: debater}]
      formation: {kind: debate, rounds: 1}
  solo: {agent: {role: solver}}
"""
EXAMPLE = Path(__file__).parents[2] / "examples" / "bench.yaml"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(SIMULATED)
    return file


def test_a_benchmark_runs_is_kept_goes_on_and_is_reported_and_compared(spec: Path, tmp_path: Path) -> None:
    never, always = "debate < 0%", "debate > 'debate: one member' - 99pp"
    open_question = "debate > solo"
    ends = several(
        ["bench", spec, "--fail-if", never, "--fail-if", open_question],
        ["bench", spec, "--resume", "--json", "--fail-if", always],
        ["bench", "run", spec, "--limit", "calls=20"],
        ["bench", spec, "--resume"],
        ["bench", "list"],
        ["bench", "report", "last", "--json"],
        ["bench", "report", "small", "--html", "page.html", "--markdown", "page.md"],
        ["bench", "compare", "small", "small-2"],
        ["bench", "compare", "last", "small-2"],
        ["bench", spec, "--no-keep", "--no-baselines", "--json", "-q"],
        cwd=tmp_path, seconds=150,
    )  # fmt: skip
    first, resumed, limited, whole, listed, report, page, compared, itself, unkept = ends

    assert first.code == 0, first.err
    kept = "kept as small; as a page with every item, prompt and answer: phalanx bench report small --html report.html"
    assert first.err.splitlines()[-1] == kept
    assert "report.html" not in unkept.err
    assert "└ vote at equal tokens" in " ".join(first.out.split())
    assert "12 items can show no difference" in first.err or "12 items can show differences of" in first.err
    assert "2 points take" in first.err
    assert "SIMULATED" in first.err
    assert f"--fail-if '{never}' does not hold" in first.err
    assert f"--fail-if '{open_question}' cannot be told" in first.err

    assert resumed.code == 7
    facts = json.loads(resumed.out)
    assert facts["fail_if"] == [{"condition": always, "held": "yes"}]
    assert facts["simulated"] is True
    assert facts["name"] == "small"
    assert facts["stopped"] is None

    assert limited.code == 4
    assert "reached its limit of 20 calls" in limited.err
    assert limited.err.splitlines()[-1] == f"to go on: phalanx bench {spec} --resume --limit calls=N"
    assert whole.code == 0
    assert [line.split()[0] for line in listed.out.splitlines()] == ["small-2", "small"]
    again = json.loads(report.out)
    assert again["name"] == "small-2"
    # The second benchmark, which was stopped and went on, found what the first did.
    for mine, theirs in zip(facts["standings"], again["standings"], strict=True):
        assert mine["accuracy"] == theirs["accuracy"]
        assert mine["calls"] == theirs["calls"]
    assert page.code == 0
    assert "<html" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "| debate" in (tmp_path / "page.md").read_text(encoding="utf-8")
    assert compared.code == 0
    assert "0.0" in compared.out
    assert "small debate" in compared.out
    assert (itself.code, itself.out) == (2, "")
    assert "'small-2' is one benchmark; name two that differ" in itself.err
    assert unkept.code == 0
    assert unkept.err == ""
    assert {each["system"]["name"] for each in json.loads(unkept.out)["standings"]} == {"debate", "solo"}


def test_what_cannot_be_run_is_refused_in_one_line_with_its_exit_code(spec: Path, tmp_path: Path) -> None:
    team = write(tmp_path, DEBATE)
    commands: dict[tuple[str, ...], tuple[int, str]] = {
        (str(spec), "--fail-if", "debate beats vote"): (2, "is no condition; write"),
        (str(spec), "--fail-if", "debbate < solo"): (2, "no system 'debbate' (did you mean 'debate'?)"),
        (str(spec), "--limit", "euro=1"): (2, "there is no limit 'euro'"),
        (str(spec), "--engine", "desk"): (5, "no engine 'desk' (did you mean 'dask'?)"),
        (str(spec), "--resume"): (2, "there is no benchmark 'small' to go on with"),
        (str(spec), "--resume", "--no-keep"): (2, "--no-keep cannot go with --resume"),
        (str(team),): (2, "a benchmark has systems"),
        ("nothing.yaml",): (2, "nothing.yaml: No such file"),
        ("report", "small"): (2, "there is no benchmark 'small'"),
        ("compare", "a", "b"): (2, "there is no benchmark 'a'"),
    }
    for (code, words), done in zip(
        commands.values(), several(*(["bench", *each] for each in commands), cwd=tmp_path, seconds=100), strict=True
    ):
        assert done.code == code, done.err
        assert words in done.err
        assert "Traceback" not in done.err
        assert done.out == ""


@pytest.mark.parametrize(
    ("limits", "hint"),
    [
        ("limits: {tokens: 900}", "--resume --limit tokens=N"),
        ("limits_each: {debate: {calls: 9}}", "allow more calls under limits_each: in small.yaml, then phalanx bench"),
    ],
)
def test_what_a_limit_of_the_file_ended_says_which_one_to_raise(
    limits: str, hint: str, spec: Path, tmp_path: Path
) -> None:
    spec.write_text(f"{SIMULATED}{limits}\n")
    (ended,) = several(["bench", "small.yaml"], cwd=tmp_path, seconds=60)
    assert ended.code == 4
    assert "to go on: " in ended.err.splitlines()[-1]
    assert hint in ended.err.splitlines()[-1]


def test_an_interrupted_benchmark_says_how_to_go_on(spec: Path, tmp_path: Path) -> None:
    spec.write_text(SIMULATED.replace("n: 12", "n: 4000"))
    with started("bench", spec, "--no-baselines", cwd=tmp_path) as process:
        kept = tmp_path / ".phalanx" / "benches.db-wal"
        assert wait_until(lambda: kept.exists() and kept.stat().st_size > 500_000, 60)
        done = interrupt(process, signal.SIGINT)
    assert done.code == 130
    assert "to go on: phalanx bench" in done.err
    assert "--resume" in done.err
    assert "interrupted" in done.err
    listed = phalanx("bench", "list", cwd=tmp_path)
    assert "it was interrupted, or still runs" in listed.out


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ('{"question": "1?", "gold": 1}\n{"question": "2?"', r"tasks\.jsonl:2: not JSON"),
        ('{"id": "a", "question": "1?", "gold": 1}\n{"id": "a", "question": "2?", "gold": 2}', "2: id 'a' was already"),
        ('{"question": "1?", "gold": 1}\n{"question": "2?"}', r"2: no right answer \(gold\)"),
        ("", "is empty"),
    ],
)
def test_a_bad_task_file_is_refused_with_its_line(rows: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "tasks.jsonl").write_text(rows)
    file = tmp_path / "bench.yaml"
    file.write_text("tasks: {file: tasks.jsonl}\nmodel: openai/x\nsystems: {solo: {agent: {role: solver}}}\n")
    with pytest.raises(SpecError, match=problem):
        load_bench(file)


def test_bad_rows_can_be_left_out_and_are_counted(tmp_path: Path) -> None:
    (tmp_path / "tasks.jsonl").write_text('{"question": "1?", "gold": 1}\n{"question": "2?"}\n')
    file = tmp_path / "bench.yaml"
    file.write_text(
        "tasks: {file: tasks.jsonl}\nsimulate: {skill: 1}\nbaselines: false\nsystems: {solo: {agent: {role: solver}}}\n"
    )
    refused = phalanx("bench", file, cwd=tmp_path)
    done = phalanx("bench", file, "--skip-bad", "--json", cwd=tmp_path)
    assert refused.code == 2
    assert "skip_bad" in refused.err or "--skip-bad" in refused.err
    assert done.code == 0, done.err
    assert json.loads(done.out)["skipped_rows"] == 1
    assert "left out: line 2: no right answer" in done.err


GOOD = "tasks: {generated: {kind: dates, n: 3}}\nmodel: openai/x\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- 1\n", "1: a benchmark's file holds a mapping"),
        ("tasks: {generated: {kind: dates}}\n", "the field 'systems' is missing"),
        (GOOD + "systems: {}\n", "3: systems"),
        (GOOD + "systems: {a: {agent: {role: x}}}\nrepeat: 2\n", "4: repeat: there is no field 'repeat'.*'repeats'"),
        (GOOD + "systems:\n  a: {agent: {role: x}, team: t.yaml}\n", "4: systems.a: a system is one of agent, team"),
        (GOOD + "systems:\n  a:\n    agent: {role: x, modell: y}\n", "5: systems.a.agent.modell: .*'model'"),
        (
            GOOD + "systems:\n  a:\n    team:\n      members: [ada]\n      formation: {kind: debat}\n",
            "no formation 'debat'|valid dictionary",
        ),
        (GOOD + "systems:\n  a: {team: missing.yaml}\n", "missing.yaml"),
        (GOOD + "systems: {a: {agent: {role: x}}}\nmargin: 3\n", "4: margin: "),
        (GOOD + "systems: {a: {agent: {role: x}}}\nbaselines: [singel]\n", "no baseline 'singel'"),
        (GOOD + "systems: {a: {agent: {role: x}}}\nlimits: {euro: 3}\n", r"4: limits.*: there is no \w+ 'euro'"),
        (GOOD + "systems: {a: {agent: {role: x}}}\nlimits_each: {b: {calls: 3}}\n", "there is no system 'b'"),
        (GOOD + "systems: {a: {agent: {role: x}}}\nsimulate: {}\n", "one of model, simulate and recorded"),
        ("tasks: {file: a.jsonl, generated: {kind: x}}\nsystems: {a: {agent: {role: x}}}\n", "tasks come from one"),
        ("tasks: {generated: {kind: date}}\nsystems: {a: {agent: {role: x}}}\n", "1: tasks: no generated.*'dates'"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_told_with_line_and_field(text: str, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "bench.yaml"
    file.write_text(text)
    with pytest.raises((SpecError, OSError), match=problem):
        load_bench(file)


def test_a_team_in_a_file_of_its_own_is_found_beside_the_benchmark(tmp_path: Path) -> None:
    (tmp_path / "team.yaml").write_text("members: [{name: ada}, {name: bob}]\nformation: parallel\n")
    file = tmp_path / "bench.yaml"
    file.write_text(GOOD + "name: mine\nsystems: {a: {team: team.yaml}, b: {agent: {role: x, model: ollama/y}}}\n")
    bench = load_bench(file)
    assert (bench.name, list(bench.systems), len(bench.tasks)) == ("mine", ["a", "b"], 3)
    assert "openai/x" in str(getattr(bench.systems["a"], "given_model", None))
    assert not bench.made_up


def test_the_example_is_a_benchmark() -> None:
    assert list(load_bench(EXAMPLE).systems) == ["debate"]


def made(a: list[float], b: list[float]) -> Comparison:
    items = tuple(TaskItem(id=f"{at}", question="?", gold=1) for at in range(len(a)))
    attempts = [
        Attempt(system=name, spec=name, item=f"{at}", status="completed", answer="1", score=score)
        for name, scores in (("a", a), ("b: vote", b))
        for at, score in enumerate(scores)
    ]
    systems = (System(name="a", spec="a", kind="agent"), System(name="b: vote", spec="b: vote", kind="agent"))
    return Comparison(name="made", tasks="made", systems=systems, items=items, attempts=tuple(attempts))


@pytest.mark.parametrize(
    ("condition", "held"),
    [
        ("a > 'b: vote'", "yes"), ("a < 'b: vote'", "no"), ("a > 'b: vote' + 30pp", "unknown"),
        ("a > 'b: vote' + 60pp", "no"), ("a < 'b: vote' + 60 points", "yes"), ("a > 'b: vote' - 1pp", "yes"),
        ("a > 80%", "yes"), ("a < 0.8", "no"), ("'b: vote' < 80%", "yes"), ("a > 95%", "unknown"),
    ],
)  # fmt: skip
def test_a_condition_holds_only_when_the_whole_interval_says_so(condition: str, held: str) -> None:
    # 95 and 65 of 100 right, all differences one way: 30 points [20, 39] or so.
    comparison = made([1.0] * 95 + [0.0] * 5, [1.0] * 65 + [0.0] * 35)
    assert Gate.read(condition).judge(comparison).held == held


@pytest.mark.parametrize("text", ["", "a", "a < ", "a = b", "a < b + 2", "a < b + 2pp + 1pp", "a < 300%", "< b"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match=r"is no condition|between 0 and 1"):
        Gate.read(text)
