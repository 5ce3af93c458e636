"""A changed system is said to have changed; names are taken once; what a command says fits those who typed it."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import pytest

from phalanx import AgentTeam
from phalanx.benchmarks import summary
from phalanx.benchmarks.compare import compare
from phalanx.benchmarks.gate import Gate
from phalanx.benchmarks.progress import Progress
from phalanx.benchmarks.readers import read_tasks
from phalanx.benchmarks.recorded import Recorded
from phalanx.benchmarks.spec import load_bench
from phalanx.benchmarks.store import Store, read_comparison, taken
from phalanx.benchmarks.tasks import TaskItem, TaskSet
from phalanx.errors import SpecError
from phalanx.runtime.log import MemoryLog
from phalanx.runtime.sqlite import SqliteLog
from tests.benchmarks.staff import Office, sums
from tests.cli.command import several


def items(n: int) -> TaskSet:
    return TaskSet.of("items", [TaskItem(id=f"q{at}", question=f"Which one? ({at})", gold="A") for at in range(n)])


async def test_a_system_that_changed_is_named_with_what_it_leaves_behind(tmp_path: Path) -> None:
    log = tmp_path / "bench.db"
    before = Recorded({"q0": ["A"], "q1": ["B"], "q2": ["A"]})
    same = Recorded({"q0": ["B"], "q1": ["B"], "q2": ["A"]})
    await compare({"vote": before, "other": same}, items(3), baselines=False, log=log)
    seen: list[tuple[int, dict[str, int]]] = []

    def told(progress: Progress) -> None:
        seen.append((progress.fresh, dict(progress.left_behind)))

    after = Recorded({"q0": ["A"], "q1": ["A"], "q2": ["A"]})
    found = await compare({"vote": after, "other": same}, items(3), baselines=False, log=log, on_progress=told)
    assert found.left_behind == {"vote": 3}
    # It is said before anything is done again.
    assert seen[0] == (0, {"vote": 3})
    assert [each.score for each in found.attempts if each.system == "vote"] == [1.0, 1.0, 1.0]
    words = "vote has changed since it was begun: 3 results are left behind, and what it is now begins anew."
    assert words in summary.of(found).notes
    opened = SqliteLog(log)
    assert (await read_comparison(opened, "comparison")).left_behind == {"vote": 3}
    await opened.aclose()


async def test_a_suite_that_goes_on_unchanged_leaves_nothing_behind(tmp_path: Path) -> None:
    vote = Recorded({"q0": ["A"], "q1": ["B"]})
    for _ in range(2):
        found = await compare({"vote": vote}, items(2), baselines=False, log=tmp_path / "bench.db")
        assert found.left_behind == {}
        assert not any("changed" in note for note in summary.of(found).notes)


async def test_two_who_take_a_name_at_the_same_moment_get_two(tmp_path: Path) -> None:
    log = tmp_path / "bench.db"
    got: list[str] = []

    async def take() -> None:
        async with SqliteLog(log) as opened:
            got.append(await taken(opened, (f"bench-{at}" for at in range(1, 100))))

    await take()
    async with anyio.create_task_group() as group:
        for _ in range(7):
            group.start_soon(take)
    assert sorted(got) == [f"bench-{at}" for at in range(1, 9)]


TASKS = '{"id": "a", "question": "1 + 1?", "gold": 2}\n{"id": "b", "question": "2?"}\n'
SPEC = "tasks: {file: tasks.jsonl}\nsimulate: {skill: 1}\nbaselines: false\nsystems:\n  solo: {agent: {role: solver}}\n"


def test_advice_on_a_task_file_fits_who_reads_it(tmp_path: Path) -> None:
    (tmp_path / "tasks.jsonl").write_text(TASKS)
    (tmp_path / "bench.yaml").write_text(SPEC)
    with pytest.raises(SpecError, match=r"tasks.jsonl:2: .*Columns\(gold=…\), or read with need_gold=False; skip_bad"):
        read_tasks(tmp_path / "tasks.jsonl")
    with pytest.raises(SpecError) as found:
        load_bench(tmp_path / "bench.yaml")
    assert "tasks.jsonl:2: no right answer (gold); name its column with `columns: {gold: …}`; --skip-bad leaves" in str(
        found.value
    )
    (tmp_path / "tasks.jsonl").write_text('{"id": "a", "gold": 2}\n')
    with pytest.raises(SpecError, match=r"name one with `columns: \{question: …\}`"):
        load_bench(tmp_path / "bench.yaml")


async def test_a_condition_speaks_in_percent_and_points() -> None:
    systems = {"a": Recorded({f"q{at}": ["A" if at % 2 else "B"] for at in range(40)}),
               "b": Recorded({f"q{at}": ["A"] for at in range(40)})}  # fmt: skip
    found = await compare({**systems}, items(40), baselines=False)
    said = str(Gate.read("a < b").judge(found))
    assert said.startswith("'a < b' holds: difference \u221250.0 points [")
    assert str(Gate.read("a < 80%").judge(found)).startswith("'a < 80%' holds: accuracy 50.0% [")


@pytest.mark.wire
@pytest.mark.timeout(170)
def test_the_command_says_which_system_changed_before_it_goes_on(tmp_path: Path) -> None:
    (tmp_path / "tasks.jsonl").write_text(TASKS.splitlines()[0] + "\n")
    (tmp_path / "bench.yaml").write_text(SPEC)
    (first,) = several(["bench", "bench.yaml", "--json"], cwd=tmp_path)
    assert first.code == 0, first.err
    (tmp_path / "bench.yaml").write_text(SPEC.replace("role: solver", "role: solver, instructions: Be brief."))
    again, fresh = several(
        ["bench", "bench.yaml", "--json", "--resume"], ["bench", "bench.yaml", "--json"], cwd=tmp_path
    )
    words = "solo has changed since it was begun: 1 result is left behind, and what it is now begins anew."
    assert words in again.err
    assert words in json.loads(again.out)["notes"]
    assert words not in fresh.err
    assert json.loads(fresh.out)["name"] == "bench-2"


async def test_a_call_that_was_cut_off_and_made_again_counts_twice_while_its_attempt_is_not_finished() -> None:
    log, office = MemoryLog(), Office()
    team = AgentTeam.pipeline([office.agent(name) for name in ("ada", "bob", "cy")])
    for _ in range(2):
        # A call takes a second: bob is cut off and asked again, and then cy is cut off.
        with anyio.move_on_after(1.5):
            await compare({"row": team}, sums(1), log=log, baselines=False)
    store = Store(log, "comparison")
    await store.refresh()
    (spent,) = (await store.unfinished()).values()
    assert (spent.calls, office.calls) == (4, 4)
