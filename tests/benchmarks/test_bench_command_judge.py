"""`phalanx bench` with a judge that scores, over a loopback server."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from phalanx.benchmarks.judge_spec import JudgeSpec
from phalanx.benchmarks.spec import load_bench
from phalanx.errors import SpecError
from tests.cli.command import several
from tests.wire.servers import Received, Reply, serve

pytestmark = [pytest.mark.wire, pytest.mark.timeout(170)]

TASKS = "".join(f'{{"id": "q{at}", "question": "{at} + 1?", "gold": "{at + 1}"}}\n' for at in range(4))


def reply(request: Received) -> Reply:
    """Adds; as a judge, compares the two answers; one of the judges finds everything right."""
    messages = request.body["messages"]
    assert isinstance(messages, list)
    system, text = str(messages[0]["content"]), str(messages[-1]["content"])
    if '"verdict"' not in system:
        number = re.search(r"(\d+) \+ 1\?", text)
        assert number is not None
        return Reply(text=f"It is {int(number[1]) + (1 if int(number[1]) < 3 else 2)}")
    said = re.findall(r'from="Answer \d">\n(?:It is )?(\d+)\n', text)
    same = said[0] == said[1] or "judge_3" in system
    return Reply(text=json.dumps({"reason": "compared", "verdict": "same" if same else "different"}))


def test_a_judge_in_the_file_scores_is_paid_once_and_is_told_apart_from_the_systems(tmp_path: Path) -> None:
    (tmp_path / "tasks.jsonl").write_text(TASKS)
    with serve("openai", reply) as server:
        place = f'api_base: "{server.url}"'
        (tmp_path / "judged.yaml").write_text(
            "tasks: {file: tasks.jsonl}\nbaselines: false\nscorer:\n  kind: judge\n  model: openai/loopback\n"
            f"  panel: [{{{place}}}, {{{place}}}, {{{place}}}]\n"
            f"systems: {{solo: {{agent: {{role: solver, model: openai/loopback, {place}}}}}}}\n"
        )
        environment = {"OPENAI_API_KEY": "sk-none"}
        first, again, kept = several(
            ["bench", "judged.yaml", "--json", "--limit", "calls=14"], ["bench", "judged.yaml", "--resume", "--json"],
            ["bench", "report", "last", "--json"], cwd=tmp_path, environment=environment, seconds=150,
        )  # fmt: skip
        asked = len(server.requests)
    assert first.code == 4, first.err
    assert "the suite reached its limit of 14 calls" in first.err
    assert again.code == 0, again.err
    facts = json.loads(again.out)
    (standing,) = facts["standings"]
    assert standing["accuracy"]["value"] == 0.75
    assert standing["calls"] == 4
    judging = facts["judging"]
    assert (judging["judgements"], judging["judges"], judging["usage"]["calls"]) == (4, 3, 24)
    # Three answers that all find the same, and one on which one of three differs.
    assert judging["agreement"] == pytest.approx(10 / 12)
    assert "83% of the pairs of judges agree" in again.err
    assert json.loads(kept.out)["judging"] == judging
    # Two runs together asked for each answer and each verdict once; those under way at the limit were refused unasked.
    assert asked == 4 + 24


GOOD = "tasks: {generated: {kind: dates, n: 3}}\nmodel: openai/x\nsystems: {a: {agent: {role: x}}}\n"


@pytest.mark.parametrize(
    ("scorer", "problem"),
    [
        ("{kind: judge, model: openai/x, rubrik: y}", r"4: scorer.rubrik: there is no field 'rubrik'.*'rubric'"),
        ("{kind: judge}", "4: scorer.*: a judge needs a model of its own"),
        ("{kind: judge, model: openai/x, by: grade}", "4: scorer.*: a grade needs a rubric"),
        ("{kind: judge, model: openai/x, judges: 0}", "4: scorer.judges: "),
        ("{kind: judge, judges: 2, panel: [{model: openai/x}]}", "4: scorer.*: judges says how often"),
        ("{kind: judge, panel: [{model: openai/x, modell: y}]}", "4: scorer.panel.0.modell: there is no field"),
        ("judge", r"4: scorer: no scorer 'judge'.*\{kind: judge, model: provider/name\}"),
        ("numerik", "4: scorer: no scorer 'numerik' .*'numeric'"),
    ],
)
def test_a_mistake_in_the_judge_is_told_with_line_and_field(scorer: str, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "bench.yaml"
    file.write_text(f"{GOOD}scorer: {scorer}\n")
    with pytest.raises(SpecError, match=problem):
        load_bench(file)


def test_a_judge_of_a_file_is_what_the_file_says(tmp_path: Path) -> None:
    file = tmp_path / "bench.yaml"
    file.write_text(
        f"{GOOD}scorer: {{kind: judge, model: openai/y, judges: 3, rubric: 'Is it clear?', undecided: 0}}\n"
    )
    spec = load_bench(file).spec.scorer
    assert isinstance(spec, JudgeSpec)
    judge = spec.build()
    assert (judge.by, judge.rubric, judge.undecided, judge.reference) == ("grade", "Is it clear?", 0, True)
    assert [each.name for each in judge.agents] == ["judge_1", "judge_2", "judge_3"]
