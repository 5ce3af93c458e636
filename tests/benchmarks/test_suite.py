"""A suite: every system does every item, what is finished stays finished, and limits hold over all of it."""

from __future__ import annotations

from fractions import Fraction

import anyio
import pytest

from phalanx import Agent, AgentTeam, Limits, tool
from phalanx.agents.models.offline import FunctionModel
from phalanx.agents.task import Task
from phalanx.benchmarks.compare import SuiteBroken, compare, compare_sync
from phalanx.benchmarks.progress import Progress
from phalanx.benchmarks.record import Comparison
from phalanx.benchmarks.store import read_comparison
from phalanx.benchmarks.systems import Comparable
from phalanx.benchmarks.tasks import TaskItem, TaskSet
from phalanx.errors import ConfigurationError, LogError, ValidationError
from phalanx.messages import Completion, Request, ToolCall
from phalanx.runtime.log import MemoryLog
from tests.benchmarks.staff import Office, of_system, sums


def scores(comparison: Comparison, name: str) -> list[float]:
    return [each.score for each in of_system(comparison, name)]


async def test_every_system_does_every_item_as_often_as_asked() -> None:
    office = Office(lambda _, number: 0 if number == 2 else None)

    async def three(task: Task) -> str:
        assert "gold" not in task.text
        return "3"

    found = await compare(
        {"agent": office.agent(), "team": office.debate("ada", "bob"), "three": three},
        sums(4), repeats=2, baselines=False,
    )  # fmt: skip
    assert [each.name for each in found.systems] == ["agent", "team", "three"]
    assert [each.kind for each in found.systems] == ["agent", "debate", "function"]
    assert len(found.attempts) == 3 * 4 * 2
    assert scores(found, "agent") == [1, 1, 0, 0, 1, 1, 1, 1]
    assert scores(found, "three") == [0, 0, 1, 1, 0, 0, 0, 0]
    assert found.stopped is None
    # The first repeat has the suite's own seed, so that it can be run by itself; the others have their own.
    assert {each.seed for each in found.attempts} == {0}
    assert {each.repeat for each in found.attempts} == {0, 1}


async def test_a_system_that_always_fails_is_worth_nothing_and_is_shown_to_fail() -> None:
    async def broken(task: Task) -> str:
        raise OSError("no such luck")

    def refuse(_: object) -> str:
        raise ValueError("out of order")

    agent = Agent("worker", model=FunctionModel(refuse))
    found = await compare(
        {"broken": broken, "refuses": AgentTeam.parallel([agent]), "well": Office().agent()}, sums(5), baselines=False
    )
    for name in ("broken", "refuses"):
        attempts = of_system(found, name)
        assert len(attempts) == 5
        assert {(each.status, each.score, each.answer) for each in attempts} == {("failed", 0.0, None)}
    assert "OSError: no such luck" in str(of_system(found, "broken")[0].error)
    assert "out of order" in str(of_system(found, "refuses")[0].error)
    assert scores(found, "well") == [1.0] * 5


async def test_a_second_call_with_the_same_log_asks_nobody_again() -> None:
    log, office = MemoryLog(), Office()
    systems: dict[str, Comparable] = {"agent": office.agent(), "team": office.debate("ada", "bob")}
    first = await compare(systems, sums(4), log=log)
    asked = office.calls
    second = await compare(systems, sums(4), log=log)
    assert office.calls == asked > 0
    assert second.attempts == first.attempts
    assert (await read_comparison(log, "comparison")).attempts == first.attempts
    # More items: only they are done.
    more = await compare(systems, sums(5), log=log)
    fifth = [each for each in more.attempts if each.item == "s5"]
    assert office.calls == asked + sum(each.usage.calls for each in fifth)
    assert [each for each in more.attempts if each.item != "s5"] == list(first.attempts)


async def test_what_was_cancelled_goes_on_and_finished_calls_are_not_made_again() -> None:
    log, office = MemoryLog(), Office(lambda member, _: 0 if member == "bob" else None)
    systems = {"team": office.debate("ada", "bob", "cy", rounds=2)}
    with anyio.move_on_after(7.5) as scope:  # three rounds of a second each, two items at a time: in the midst of one
        await compare(systems, sums(6), log=log, baselines=False, concurrency=2)
    assert scope.cancelled_caught
    assert 0 < office.calls < 6 * 9
    assert office.busy == 0
    half = await read_comparison(log, "comparison")
    assert 0 < len(half.attempts) < 6
    assert half.stopped == "it was interrupted, or still runs"
    in_flight = 2 * 3
    found = await compare(systems, sums(6), log=log, baselines=False, concurrency=2)
    assert scores(found, "team") == [1.0] * 6
    assert 6 * 9 <= office.calls <= 6 * 9 + in_flight
    # All that was paid is in the result, whichever call paid it, and what was in flight when it was cancelled too.
    assert sum(each.usage.calls for each in found.attempts) == office.calls
    assert max(office.asked.values()) <= 3 + 1


async def test_at_most_so_many_attempts_are_made_at_the_same_time() -> None:
    office = Office()
    await compare({"a": office.agent("a"), "b": office.agent("b")}, sums(20), concurrency=3, baselines=False)
    assert office.most_busy == 3
    assert office.calls == 40


async def test_a_suite_that_hits_its_limit_ends_with_what_it_has_and_says_which() -> None:
    log, office = MemoryLog(), Office()
    systems = {"team": office.debate("ada", "bob", "cy")}  # six calls an item
    found = await compare(systems, sums(10), limits=Limits(calls=33), log=log, concurrency=3, baselines=False)
    assert office.calls <= 33
    assert 0 < len(found.attempts) < 10
    # What was not run is no wrong answer.
    assert {each.score for each in found.attempts} == {1.0}
    assert found.stopped == "the suite reached its limit of 33 calls: 33 are spent, and the next call needs 1"
    assert (await read_comparison(log, "comparison")).stopped == found.stopped
    # With more, it goes on where it was: what was spent counts, and is not spent again.
    whole = await compare(systems, sums(10), limits=Limits(calls=60), log=log, baselines=False)
    assert whole.stopped is None
    assert scores(whole, "team") == [1.0] * 10
    assert office.calls == 60
    barely = await compare(systems, sums(11), limits=Limits(calls=65), log=log, baselines=False)
    assert barely.stopped is not None
    assert office.calls <= 65


async def test_a_limit_of_one_system_stops_that_system_alone() -> None:
    poor, rich = Office(), Office()
    found = await compare(
        {"poor": poor.agent(), "rich": rich.agent("b")}, sums(8), limits_each={"poor": Limits(calls=3)},
        baselines=False,
    )  # fmt: skip
    assert (len(of_system(found, "poor")), poor.calls) == (3, 3)
    assert (len(of_system(found, "rich")), rich.calls) == (8, 8)
    assert found.stopped == "system 'poor' reached its limit of 3 calls: 3 are spent, and the next call needs 1"


async def test_a_suite_has_so_many_seconds() -> None:
    office = Office(pause=10.0)
    found = await compare({"a": office.agent()}, sums(8), limits=Limits(seconds=25), concurrency=1, baselines=False)
    assert len(found.attempts) == 2
    assert found.stopped == "the suite reached its limit of 25 seconds"
    assert office.busy == 0


async def test_a_budget_that_pays_for_no_item_runs_none_and_says_so() -> None:
    office = Office()
    found = await compare({"a": office.agent()}, sums(3), limits=Limits(calls=0), baselines=False)
    assert found.attempts == ()
    assert office.calls == 0
    assert found.stopped == "the suite reached its limit of 0 calls: 0 are spent, and the next call needs 1"


async def test_a_limit_of_the_team_itself_is_its_own_affair_and_counts() -> None:
    office = Office()
    team = AgentTeam.parallel([office.agent("ada"), office.agent("bob")], limits=Limits(calls=1))
    found = await compare({"team": team}, sums(3), limits=Limits(calls=100), baselines=False)
    assert len(found.attempts) == 3
    assert {each.status for each in found.attempts} == {"stopped"}
    assert found.stopped is None


async def test_a_scorer_that_raises_stops_the_suite_and_the_answer_is_scored_when_it_goes_on() -> None:
    log, office = MemoryLog(), Office()
    broken = [True]

    def scorer(answer: str, item: TaskItem) -> float:
        if broken[0] and item.id == "s3":
            raise KeyError("what?")
        return float(str(item.gold) in answer)

    asked: list[str] = []

    async def function(task: Task) -> str:
        asked.append(task.id)
        return str(int(task.description.split()[0]) + 1)

    with pytest.raises(SuiteBroken, match="scorer failed on item 's3' of 'f'"):
        await compare({"f": function}, sums(3), scorer=scorer, log=log, name="functions", concurrency=1)
    with pytest.raises(SuiteBroken, match=r"scorer failed on item 's3' of 'a': KeyError: 'what\?'") as caught:
        await compare({"a": office.agent()}, sums(5), scorer=scorer, log=log, baselines=False, concurrency=1)
    assert [each.item for each in caught.value.comparison.attempts] == ["s1", "s2"]
    assert office.calls == 3
    broken[0] = False
    # Nothing but the log knows what a function answered.
    assert scores(await compare({"f": function}, sums(3), scorer=scorer, log=log, name="functions"), "f") == [1.0] * 3
    assert asked == ["s1", "s2", "s3"]
    found = await compare({"a": office.agent()}, sums(5), scorer=scorer, log=log, baselines=False)
    assert scores(found, "a") == [1.0] * 5
    assert office.calls == 5


async def test_a_tie_is_worth_the_expected_score_of_a_draw() -> None:
    office = Office(lambda member, _: {"bob": 0, "cy": 100}.get(member))
    team = AgentTeam.parallel([office.agent(name) for name in ("ada", "bob", "cy")], aggregation="majority_vote")
    found = await compare({"team": team}, sums(2), baselines=False)
    for each in found.attempts:
        assert each.status == "undecided"
        assert each.score == pytest.approx(float(Fraction(1, 3)))
        (ballots,) = each.ballots
        assert ballots.worth == {"ada": 1.0, "bob": 0.0, "cy": 0.0}
        assert ballots.decided == pytest.approx(1 / 3)


async def test_the_progress_counts_and_estimates() -> None:
    office, seen = Office(pause=2.0), list[tuple[int, int, float | None]]()

    def told(progress: Progress) -> None:
        seen.append((progress.done, progress.usage.calls, progress.seconds_left))
        count = progress.systems["a"]
        assert count.accuracy is not None
        assert count.accuracy.value == 1.0
        assert count.accuracy.low is not None
        assert 0 < count.accuracy.low < 1

    await compare({"a": office.agent()}, sums(4), concurrency=1, baselines=False, on_progress=told)
    assert seen[:4] == [(1, 1, 6.0), (2, 2, 4.0), (3, 3, 2.0), (4, 4, 0.0)]


async def test_what_is_kept_is_not_mixed_with_other_questions_or_another_scorer() -> None:
    log, office = MemoryLog(), Office()
    await compare({"a": office.agent()}, sums(2), log=log, baselines=False)
    other = TaskSet.of("sums", [TaskItem(id="s1", question="1 + 2?", gold=3)])
    with pytest.raises(ConfigurationError, match=r"item 's1' .* was another question"):
        await compare({"a": office.agent()}, other, log=log, baselines=False)
    with pytest.raises(ConfigurationError, match="was scored by ByItem, not by exact"):
        await compare({"a": office.agent()}, sums(2), scorer="exact", log=log, baselines=False)
    with pytest.raises(LogError, match="no comparison 'nothing' in this log; there are: comparison"):
        await read_comparison(log, "nothing")
    # Another system under the same name is another system.
    asked = office.calls
    changed = office.agent()
    changed.instructions = "Think twice."
    await compare({"a": changed}, sums(2), log=log, baselines=False)
    assert office.calls == asked + 2


async def test_what_cannot_be_compared_is_refused_before_anything_is_spent() -> None:
    office = Office()
    agent = {"a": office.agent()}
    with pytest.raises(ValidationError, match="nothing to compare"):
        await compare({}, sums(2))
    with pytest.raises(ValidationError, match="give an Agent, an AgentTeam, Recorded answers, or an async function"):
        await compare({"a": 3}, sums(2))  # type: ignore[dict-item]
    with pytest.raises(ValidationError, match="has no items"):
        await compare(agent, [])
    with pytest.raises(ValidationError, match="more than one item with id 'x'"):
        await compare(agent, [TaskItem(id="x", question="1?", gold=1), TaskItem(id="x", question="2?", gold=2)])
    with pytest.raises(ValidationError, match="has no right answer"):
        await compare(agent, [TaskItem(id="x", question="1?")])
    with pytest.raises(ValidationError, match=r"no baseline 'singel' .*did you mean 'single'"):
        await compare(agent, sums(2), baselines=["singel"])
    with pytest.raises(ValidationError, match="there is no system 'b'"):
        await compare(agent, sums(2), limits_each={"b": Limits(calls=1)})
    with pytest.raises(ValidationError, match="depth belongs to a team"):
        await compare(agent, sums(2), limits=Limits(depth=1))
    for wrong in ({"repeats": 0}, {"margin": 0.0}, {"name": " "}, {"concurrency": 0}):
        with pytest.raises(ValidationError):
            await compare(agent, sums(2), **wrong)
    with pytest.raises(ConfigurationError, match=r"no engine 'desk'.*did you mean 'dask'"):
        await compare(agent, sums(2), engine="desk")
    assert office.calls == 0


async def test_a_step_that_must_not_be_repeated_is_not_repeated_and_the_attempt_counts_as_not_run() -> None:
    log, sent = MemoryLog(), list[str]()

    @tool
    async def send(to: str) -> str:
        """Send something that cannot be taken back."""
        sent.append(to)
        await anyio.sleep(10)
        return "sent"

    def answer(request: Request) -> str | Completion:
        if request.messages[-1].role == "tool" or request.about.question == "s2":
            return "Answer: 3"
        return Completion(text="", tool_calls=(ToolCall(id="1", tool_name="send", parameters={"to": "ada"}),))

    agent = Agent("worker", model=FunctionModel(answer), tools=[send])
    with anyio.move_on_after(5):
        await compare({"a": agent}, sums(2), log=log)
    found = await compare({"a": agent}, sums(2), log=log)
    assert sent == ["ada"]
    assert [each.item for each in found.attempts] == ["s2"]
    assert found.stopped is not None
    assert "item 's1' cannot go on" in found.stopped


def test_it_works_without_async() -> None:
    found = compare_sync({"a": Office(pause=0).agent()}, sums(2), baselines=False)
    assert [each.score for each in found.attempts] == [1.0, 1.0]


@pytest.mark.parametrize("seconds", [0.5, 1.5, 2.5, 3.5, 4.5])
async def test_what_an_interrupted_attempt_spent_counts_before_anything_else_is_spent(seconds: float) -> None:
    log, office = MemoryLog(), Office()

    def row(*names: str) -> AgentTeam:
        return AgentTeam.pipeline([office.agent(name) for name in names])

    systems: dict[str, Comparable] = {
        "one": row("ada", "bob", "cy"),
        "two": row("ed", "fay", "gus"),
        "three": row("hal"),
    }
    given = Limits(calls=40)
    with anyio.move_on_after(seconds):
        await compare(systems, sums(6), log=log, limits=given, concurrency=5, baselines=False)
    for _ in range(3):
        with anyio.move_on_after(seconds + 1.0):
            await compare(systems, sums(6), log=log, limits=given, concurrency=5, baselines=False)
        assert office.calls <= 40
    found = await compare(systems, sums(6), log=log, limits=given, concurrency=5, baselines=False)
    assert office.calls <= 40
    assert found.stopped is not None
    whole = await compare(systems, sums(6), log=log, concurrency=5, baselines=False)
    assert whole.stopped is None
    assert sum(each.usage.calls for each in whole.attempts) == office.calls
