"""What the file of a benchmark says: recorded answers as systems, limits, and where each mistake in it stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phalanx.benchmarks import summary
from phalanx.benchmarks.compare import compare
from phalanx.benchmarks.recorded import Recorded
from phalanx.benchmarks.search_spec import load_search
from phalanx.benchmarks.spec import load_bench
from phalanx.errors import SpecError
from phalanx.runtime.limits import Limits
from tests.cli.command import several

TASKS = "tasks: {generated: {kind: arithmetic, n: 3}}\n"
SYSTEM = "systems:\n  solo: {agent: {role: solver}}\n"
SIMULATED = "simulate: {skill: 1}\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            f"{TASKS}{SIMULATED}systems:\n  both: {{team: {{members: [ada, ada], formation: {{kind: flat}}}}}}\n",
            "bench.yaml:4: systems.both: 2 members are named 'ada'",
        ),
        (
            f"{TASKS}{SIMULATED}systems:\n  led: {{team: {{members: [ada], formation: {{kind: hierarchical}}}}}}\n",
            "bench.yaml:4: systems.led: hierarchical needs somebody in the seat 'lead'",
        ),
        (f"{TASKS}scorer: numerik\n{SIMULATED}{SYSTEM}", "bench.yaml:2: scorer: no scorer 'numerik'"),
        (f"{TASKS}simulate: {{skill: 7}}\n{SYSTEM}", "bench.yaml:2: simulate: skill must be a probability"),
        (f"{TASKS}{SIMULATED}systems: {{}}\n", "bench.yaml:3: systems: there is nothing in it; give at least one"),
        (f"{TASKS}{SIMULATED}{SYSTEM}baselines: [sngle]\n", "bench.yaml:5: baselines: there is no baseline 'sngle'"),
        (
            f"{TASKS}{SIMULATED}{SYSTEM}limits_each:\n  sole: {{usd: 1}}\n",
            "bench.yaml:6: limits_each.sole: there is no system 'sole' (did you mean 'solo'?)",
        ),
        (f"{TASKS}{SIMULATED}{SYSTEM}limits_attempt: {{second: 1}}\n", "bench.yaml:5: limits_attempt"),
        (f"{TASKS}{SIMULATED}systems:\n  none: {{}}\n", "bench.yaml:4: systems.none: a system is one of agent, team"),
        (
            f"{TASKS}systems:\n  vote: {{recorded: {{samples: 3}}}}\n",
            "bench.yaml:3: systems.vote: recorded answers come from files: name them here",
        ),
        (
            f"{TASKS}systems:\n  vote: {{recorded: {{files: answers.jsonl, rule: pluralty}}}}\n",
            "bench.yaml:3: systems.vote.recorded.rule: there is no voting rule 'pluralty' (did you mean 'plurality'?)",
        ),
        (
            f"{TASKS}systems:\n  vote: {{recorded: {{files: answers.jsonl, rounds: -1}}}}\n",
            "bench.yaml:3: systems.vote.recorded.rounds",
        ),
        (
            f"{TASKS}systems:\n  vote: {{recorded: {{files: answers.jsonl}}}}\n",
            "bench.yaml:3: systems.vote: there are no recorded answers to item",
        ),
    ],
)
def test_every_mistake_in_a_file_is_told_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "answers.jsonl").write_text('{"id": "q", "answers": [{"agent": "ada", "text": "4"}]}\n')
    (tmp_path / "bench.yaml").write_text(text)
    with pytest.raises(SpecError) as found:
        load_bench(tmp_path / "bench.yaml")
    assert problem in str(found.value)


RECORDED = """\
tasks: {file: answers.jsonl}
recorded: {files: [answers.jsonl], say: parsed, parsed: option}
scorer: exact
baselines: false
limits_attempt: {seconds: 60}
systems:
  vote of 3: {recorded: {rule: {kind: plurality, tie_break: [earliest]}}}
  first: {recorded: {samples: 1}}
  bob: {recorded: {files: answers.jsonl, say: text, voters: [bob], equivalence: {kind: choice}}}
"""


def rows(path: Path) -> None:
    said = {"q1": "AAB", "q2": "BAA", "q3": "CAB"}
    records = [
        {
            "id": id, "question": f"Which one? ({id})", "gold": "A",
            "answers": [
                {"agent": name, "option": option, "text": f"Answer: {option}"}
                for name, option in zip(("ada", "bob", "cy"), options, strict=True)
            ],
        }
        for id, options in said.items()
    ]  # fmt: skip
    path.write_text("".join(json.dumps(each) + "\n" for each in records))


async def test_a_file_compares_votes_over_one_record(tmp_path: Path) -> None:
    rows(tmp_path / "answers.jsonl")
    (tmp_path / "bench.yaml").write_text(RECORDED)
    bench = load_bench(tmp_path / "bench.yaml")
    assert bench.spec.limits_attempt == Limits(seconds=60)
    assert all(isinstance(each, Recorded) for each in bench.systems.values())
    found = summary.of(await compare(bench.systems, bench.tasks, scorer="exact", baselines=False))
    worth = {each.system.name: each.accuracy and each.accuracy.value for each in found.standings}
    assert worth == {
        "vote of 3": pytest.approx(2 / 3), "first": pytest.approx(1 / 3), "bob": pytest.approx(1.0),
    }  # fmt: skip


def test_a_search_has_no_use_for_records(tmp_path: Path) -> None:
    rows(tmp_path / "answers.jsonl")
    text = "members: [ada, bob]\nsimulate: {skill: 1}\ntasks: {file: answers.jsonl}\n"
    (tmp_path / "search.yaml").write_text(text + "systems:\n  vote: {recorded: {files: answers.jsonl}}\n")
    with pytest.raises(SpecError, match=r"search.yaml:5: systems.vote: 'vote' is no team"):
        load_search(tmp_path / "search.yaml")
    (tmp_path / "search.yaml").write_text(text + "limits_attempt: {seconds: 1}\n")
    with pytest.raises(SpecError, match="a search has no limits_attempt"):
        load_search(tmp_path / "search.yaml")


@pytest.mark.wire
@pytest.mark.timeout(170)
def test_the_command_says_what_a_record_says_and_what_it_does_not_know(tmp_path: Path) -> None:
    rows(tmp_path / "answers.jsonl")
    (tmp_path / "bench.yaml").write_text(RECORDED)
    ran, again = several(
        ["bench", "bench.yaml", "--json"], ["bench", "bench.yaml", "--json", "--resume"], cwd=tmp_path, seconds=150
    )
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert [each["input_tokens"] for each in told["standings"]] == [None, None, None]
    assert [each["usd"] for each in told["standings"]] == [None, None, None]
    assert json.loads(again.out)["standings"] == told["standings"]
