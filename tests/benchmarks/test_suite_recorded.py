"""Recorded debates of real models, through a suite: the published counts, the paired interval, the verdict.

The recordings lie beside the repository, in ../shared/data; without them these tests are skipped.
"""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import pytest

from phalanx import compare
from phalanx.agents.task import Task
from phalanx.benchmarks import summary
from phalanx.benchmarks.gate import Gate
from phalanx.benchmarks.statistics.distributions import z_of
from phalanx.benchmarks.tasks import TaskItem, TaskSet
from phalanx.formations.voting import Plurality

FOLDER = Path(__file__).parents[2].parent / "shared" / "data" / "dylan-math"
FIRST_SEEN = Plurality(tie_break=("earliest",))

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the recordings are not at {FOLDER}")


def is_right(answer: str, item: TaskItem) -> bool:
    return answer == item.gold


async def test_the_debates_on_mathematics_lose_to_the_votes_of_their_drafts_but_not_by_two_points() -> None:
    with gzip.open(FOLDER / "dylan_math.jsonl.gz", "rt", encoding="utf-8") as file:
        records: dict[str, Any] = {record["id"]: record for record in map(json.loads, file)}
    expected = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))["dylan_math"]

    def voted(record: Any, round: int) -> str:
        answers = [each["parsed"] for each in record["answers"] if each["round"] == round]
        return FIRST_SEEN.decide(answers).winner or "(none)"

    async def drafts(task: Task) -> str:
        return voted(records[task.id], 0)

    async def debate(task: Task) -> str:
        record = records[task.id]
        return voted(record, max(each["round"] for each in record["answers"]))

    items = [TaskItem(id=name, question=name, gold=record["gold"]) for name, record in records.items()]
    found = await compare({"debate": debate, "vote": drafts}, TaskSet("dylan-math", tuple(items)), scorer=is_right)

    n = expected["questions"]
    report = summary.of(found)
    right = {each.system.name: each.accuracy for each in report.standings}
    assert right["debate"] is not None
    assert right["vote"] is not None
    assert round(right["debate"].value * n) == expected["plurality_last_round_right"] == 1800
    assert round(right["vote"].value * n) == expected["plurality_round0_right"] == 1834
    (finding,) = report.findings
    difference = finding.verdict.difference
    fixed, broke = expected["debate_fixed"], expected["debate_broke"]
    # Bonett and Price's interval, from the published counts alone.
    wins, losses = (fixed + 1) / (n + 2), (broke + 1) / (n + 2)
    reach = z_of(0.95) * math.sqrt((wins + losses - (wins - losses) ** 2) / (n + 2))
    assert difference.value == pytest.approx((fixed - broke) / n)
    assert difference.low == pytest.approx(wins - losses - reach)
    assert difference.high == pytest.approx(wins - losses + reach)
    assert finding.verdict.kind == "tied"
    assert Gate.read("debate < vote + 2pp").judge(found).held == "yes"
    assert Gate.read("debate < vote").judge(found).held == "unknown"
