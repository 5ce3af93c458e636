"""Recorded verdicts of real judges, through the judge that scores: the published counts come out.

The recordings lie beside the repository, in ../shared/data; without them these tests are skipped.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from phalanx.agents.models.offline import FunctionModel
from phalanx.agents.task import Task
from phalanx.benchmarks.compare import compare
from phalanx.benchmarks.judging import Judge
from phalanx.benchmarks.record import Comparison
from phalanx.benchmarks.tasks import TaskItem
from phalanx.messages import Request

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "llmbar-judges"
SIX = ("GPT-4", "ChatGPT", "ChatGPT-0301", "LLaMA2", "PaLM2", "Falcon")

pytestmark = [
    pytest.mark.skipif(not DATA.is_dir(), reason=f"the recordings are not at {DATA}"),
    pytest.mark.timeout(170),
]


@cache
def records() -> dict[str, dict[str, Any]]:
    with gzip.open(DATA / "llmbar_judges.jsonl.gz", "rt", encoding="utf-8") as lines:
        return {record["id"]: record for record in map(json.loads, lines)}


def outputs(record: dict[str, Any]) -> tuple[str, str]:
    """The better reply and the other one."""
    both = record["meta"]["output_1"], record["meta"]["output_2"]
    return both if record["gold"] == "1" else both[::-1]


def speaks(judge: str) -> Callable[[Request], str]:
    """What a recorded judge said when it was shown the better reply first, or last."""

    def say(request: Request) -> str:
        record = records()[request.about.question]
        better_first = request.about.attempt == 0
        order = "12" if (record["gold"] == "1") is better_first else "21"
        (said,) = [
            each["parsed"] for each in record["answers"] if (each["agent"], each["order"]) == (f"{judge}/CoT", order)
        ]
        verdict = "undecided" if said is None else "Answer 1" if (said == order[0]) else "Answer 2"
        return json.dumps({"reason": "recorded", "verdict": verdict})

    return say


async def judged(*judges: str) -> Comparison:
    """The better reply of every item, judged against the other one."""

    async def better(task: Task) -> str:
        return outputs(records()[task.id])[0]

    items = [TaskItem(id=id, question=record["question"], gold=outputs(record)[1]) for id, record in records().items()]
    judge = Judge([FunctionModel(speaks(each)) for each in judges], by="prefer")
    return await compare({"better": better}, items, scorer=judge, baselines=False)


async def test_the_best_recorded_judge_is_as_often_right_as_published_and_turns_as_often() -> None:
    wanted = json.loads((DATA / "expected.json").read_text(encoding="utf-8"))["right_of_838_per_judge"]["GPT-4/CoT"]
    found = await judged("GPT-4")
    assert found.judging is not None
    assert found.judging.undecided == 0
    assert math.fsum(each.score for each in found.attempts) == wanted["right"] / 2 == 681 / 2
    assert found.judging.turned == found.judging.judgements - wanted["same_verdict_in_both_orders"] == 419 - 374


async def test_a_panel_of_six_recorded_judges_decides_as_published_and_hardly_agrees() -> None:
    wanted = json.loads((DATA / "expected.json").read_text(encoding="utf-8"))["panels"]["CoT/six"]
    found = await judged(*SIX)
    scores = [each.score for each in found.attempts]
    # The published count takes single votes, ours whole opinions: on two of the seventeen items where a judge gave a
    # verdict in one order alone, its lone vote against the better reply was what broke a balance.
    assert scores.count(1.0) == wanted["win"] == 215
    assert (scores.count(0.5), scores.count(0.0)) == (wanted["tie"] + 2, wanted["loss"] - 2)
    assert found.judging is not None
    assert found.judging.alpha is not None
    assert found.judging.alpha < 0.4
