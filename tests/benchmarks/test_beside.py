"""A suite that goes on says what else is kept under its name: what counts no more, and what was made otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phalanx import Limits
from phalanx.benchmarks import summary
from phalanx.benchmarks.compare import compare
from phalanx.benchmarks.progress import Progress
from phalanx.benchmarks.record import Comparison
from phalanx.benchmarks.recorded import Recorded
from phalanx.benchmarks.store import ComparisonBegun, read_comparison
from phalanx.benchmarks.tasks import TaskItem, TaskSet
from phalanx.errors import ConfigurationError
from phalanx.runtime.log import Log, MemoryLog
from phalanx.runtime.sqlite import SqliteLog
from tests.benchmarks.staff import Office, sums
from tests.cli.command import several

VOTE = Recorded({f"q{at}": ["A", "A"] for at in range(5)})


def items(*places: int) -> TaskSet:
    return TaskSet.of("items", [TaskItem(id=f"q{at}", question=f"Which one? ({at})", gold="A") for at in places])


async def vote(log: Log, tasks: TaskSet, *, said: list[tuple[int, str]] | None = None, **options: object) -> Comparison:
    heard = [] if said is None else said

    def told(progress: Progress) -> None:
        known = {words for _, words in heard}
        heard.extend((progress.fresh, words) for words in progress.beside if words not in known)

    return await compare({"vote": VOTE}, tasks, baselines=False, log=log, on_progress=told, **options)  # type: ignore[arg-type]


async def test_results_of_another_seed_are_told_of_before_anything_is_done_again(tmp_path: Path) -> None:
    async with SqliteLog(tmp_path / "bench.db") as log:
        assert (await vote(log, items(0, 1, 2), seed=1)).beside == ()
        said: list[tuple[int, str]] = []
        found = await vote(log, items(0, 1, 2), seed=2, said=said)
        words = "3 results made with seed 1 and not 2 are left behind and not counted."
        assert said == [(0, words)]
        assert found.beside == (words,)
        assert words in summary.of(found).notes
        assert (await read_comparison(log, "comparison")).beside == (words,)
        assert len(found.attempts) == 3
        # What is gone back to counts again, and the other is left.
        assert (await vote(log, items(0, 1, 2), seed=1)).beside == (words.replace("1 and not 2", "2 and not 1"),)


async def test_results_of_items_and_repeats_that_are_asked_for_no_more_are_told_of() -> None:
    log = MemoryLog()
    await vote(log, items(0, 1, 2), repeats=3)
    found = await vote(log, items(1, 2, 3), repeats=2)
    assert found.beside == (
        "3 results of items that are asked no more are left behind and not counted.",
        "2 results of repeats after the first 2 are left behind and not counted.",
    )
    assert len(found.attempts) == 6


async def test_each_result_that_is_left_behind_is_told_of_once() -> None:
    log = MemoryLog()
    await vote(log, items(0, 1), seed=1)
    other = Recorded({"q0": ["B"], "q1": ["A"]})
    found = await compare({"vote": other}, items(0, 1), baselines=False, log=log, seed=2)
    assert found.left_behind == {}
    assert found.beside == ("2 results made with seed 1 and not 2 are left behind and not counted.",)


async def test_results_made_under_other_limits_of_an_attempt_count_and_are_told_of() -> None:
    log, office = MemoryLog(), Office()

    async def go(n: int, limits: Limits | None) -> Comparison:
        return await compare({"solo": office.agent()}, sums(n), baselines=False, log=log, limits_attempt=limits)

    assert (await go(1, Limits(calls=3))).beside == ()
    assert (await go(2, Limits(calls=3))).beside == ()
    found = await go(3, Limits(calls=5, tokens=900))
    now = "now attempts are made under the limits calls=5, tokens=900."
    assert found.beside == (f"2 results made under the limits calls=3 are counted as before; {now}",)
    assert found.beside[0] in summary.of(found).notes
    assert (office.calls, len(found.attempts)) == (3, 3)
    assert (await go(3, None)).beside == (
        "2 results made under the limits calls=3 are counted as before; now attempts are made without limits of their "
        "own.",
        "1 result made under the limits calls=5, tokens=900 is counted as before; now attempts are made without limits "
        "of their own.",
    )


async def test_of_a_log_that_does_not_tell_the_limits_nothing_is_made_up() -> None:
    log = MemoryLog()
    await vote(log, items(0))
    [(_, begun), *_] = await log.read("bench/comparison")
    assert isinstance(begun, ComparisonBegun)
    old = MemoryLog()
    untold = begun.model_copy(
        update={"within": None, "comparison": begun.comparison.model_copy(update={"version": ""})}
    )
    await old.append("bench/comparison", [untold, *(each for _, each in (await log.read("bench/comparison"))[1:])])
    assert (await vote(old, items(0), limits_attempt=Limits(calls=1))).beside == ()


async def test_results_of_another_version_count_and_are_told_of() -> None:
    log = MemoryLog()
    await vote(log, items(0))
    [(_, begun), *rest] = await log.read("bench/comparison")
    assert isinstance(begun, ComparisonBegun)
    old = MemoryLog()
    earlier = begun.model_copy(update={"comparison": begun.comparison.model_copy(update={"version": "0.0.1"})})
    await old.append("bench/comparison", [earlier, *(each for _, each in rest)])
    found = await vote(old, items(0))
    assert found.beside == (f"1 result made by Phalanx 0.0.1 is counted as before; this is {found.version}.",)


async def test_another_scorer_or_another_question_under_the_name_is_refused() -> None:
    log = MemoryLog()
    await vote(log, items(0, 1), scorer="exact")
    with pytest.raises(ConfigurationError, match="was scored by exact, not by choice"):
        await vote(log, items(0, 1), scorer="choice")
    changed = TaskSet.of("items", [TaskItem(id="q0", question="Another one?", gold="A")])
    with pytest.raises(ConfigurationError, match=r"'q0' .*was another question"):
        await vote(log, changed, scorer="exact")


TASKS = '{"id": "a", "question": "1 + 1?", "gold": 2}\n'
SPEC = "tasks: {file: tasks.jsonl}\nsimulate: {skill: 1}\nbaselines: false\nsystems:\n  solo: {agent: {role: solver}}\n"


@pytest.mark.wire
def test_the_command_says_what_it_leaves_before_it_goes_on(tmp_path: Path) -> None:
    (tmp_path / "tasks.jsonl").write_text(TASKS)
    (tmp_path / "bench.yaml").write_text(f"seed: 1\n{SPEC}")
    (first,) = several(["bench", "bench.yaml", "--json"], cwd=tmp_path)
    assert first.code == 0, first.err
    (tmp_path / "bench.yaml").write_text(f"seed: 2\n{SPEC}")
    (again,) = several(["bench", "bench.yaml", "--json", "--resume"], cwd=tmp_path)
    words = "1 result made with seed 1 and not 2 is left behind and not counted."
    assert again.err.count(words) == 1
    assert words in json.loads(again.out)["notes"]
