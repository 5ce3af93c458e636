"""A fork is a run of its own: made with what it was forked with, it goes on, plays back and is forked itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from phalanx import Agent, AgentTeam, Limits, tool
from phalanx.agents.models.offline import FunctionModel
from phalanx.cli.story import Story
from phalanx.errors import ConfigurationError, LimitExceeded, LogError, ReplayDivergence, UncertainStep
from phalanx.messages import Completion, Request, ToolCall
from phalanx.runtime.events import MemberStarted, RunResumed, RunStarted, StepFinished, StepStarted
from phalanx.runtime.human import Question
from phalanx.runtime.log import MemoryLog

AT = "line/stage-1/bob/model-1"
OTHER_PROMPTS = {"improve": "Otherwise: {task} {author} {previous}"}


class Said:
    """A model of a name, whose answers begin with a word, and how often it was asked."""

    def __init__(self, word: str, name: str) -> None:
        self.word, self.calls = word, 0
        self.model = FunctionModel(self.answer, name=name)

    def answer(self, request: Request) -> str:
        self.calls += 1
        return f"{self.word} by {request.about.member}"


def line(said: Said, **options: object) -> AgentTeam:
    return AgentTeam.pipeline(["ada", "bob", "cy"], name="line", model=said.model, **options)  # type: ignore[arg-type]


async def forked(log: MemoryLog, **limits: int) -> Said:
    """A run "old", and a fork "new" of it with another model and other prompts; gives what the other model said."""
    await line(Said("first", "offline/one")).run("Go.", run_id="old", log=log)
    other = Said("second", "offline/two")
    fork = line(other, prompts=OTHER_PROMPTS)
    await fork.fork("old", AT, log=log, new_id="new", limits=Limits(**limits) if limits else None)
    return other


async def test_a_fork_with_another_model_and_other_prompts_goes_on_and_pays_nothing_twice() -> None:
    log = MemoryLog()
    assert (await forked(log, calls=2)).calls == 1
    other = Said("second", "offline/two")
    result = await line(other, prompts=OTHER_PROMPTS).resume("new", log=log, limits=Limits(calls=3))
    assert (result, other.calls) == ("second by cy", 1)
    assert [each.text for each in result.members] == ["first by ada", "second by bob", "second by cy"]


async def test_a_fork_plays_back_without_any_model_to_what_it_was() -> None:
    log = MemoryLog()
    await forked(log)
    silent = line(Said("never", "offline/three"), prompts=OTHER_PROMPTS)
    result = await silent.replay("new", log=log)
    assert [each.text for each in result.members] == ["first by ada", "second by bob", "second by cy"]
    assert [each.status for each in result.members] == ["ok"] * 3


async def test_behind_the_fork_another_prompt_or_model_is_a_divergence_and_before_it_is_not() -> None:
    log = MemoryLog()
    await forked(log, calls=2)
    with pytest.raises(ReplayDivergence, match=f"{AT} differs from the journal in messages"):
        await line(Said("x", "offline/two")).resume("new", log=log, limits=Limits(calls=3))
    with pytest.raises(ReplayDivergence, match=f"{AT} differs from the journal in name: recorded 'offline/two'"):
        await line(Said("x", "offline/one"), prompts=OTHER_PROMPTS).resume("new", log=log, limits=Limits(calls=3))


async def test_only_the_team_that_forked_a_run_goes_on_with_it() -> None:
    log = MemoryLog()
    await line(Said("first", "offline/one")).run("Go.", run_id="old", log=log)
    four = AgentTeam.pipeline(["ada", "bob", "cy", "dan"], name="line", model=Said("second", "offline/two").model)
    assert await four.fork("old", AT, log=log, new_id="new") == "second by dan"
    assert await four.resume("new", log=log) == "second by dan"
    with pytest.raises(
        ReplayDivergence,
        match=r"run 'new' was begun by another team: its number of members was 4, and of this one it is 3",
    ):
        await line(Said("first", "offline/one")).resume("new", log=log)


async def test_a_fork_says_in_its_journal_from_where_it_came_and_under_which_limits_it_works() -> None:
    log = MemoryLog()
    await forked(log, calls=2)
    records = [record for _, record in await log.read("run/new")]
    start = records[0]
    assert isinstance(start, RunStarted)
    assert (start.forked_from, start.forked_at, start.limits) == ("old", AT, {"calls": 2})
    # What was taken over stands as it was said, once.
    prompts = [each.prompt for each in records if isinstance(each, MemberStarted) and each.member == "ada"]
    assert len(prompts) == 1


async def test_a_fork_goes_on_when_it_is_forked_and_not_when_the_old_run_began() -> None:
    first, yesterday = MemoryLog(), MemoryLog()
    await line(Said("first", "offline/one")).run("Go.", run_id="old", log=first)
    events: list[Any] = [record for _, record in await first.read("run/old")]
    await yesterday.append("run/old", [replace(each, time=each.time - 86_400) for each in events])
    await line(Said("second", "offline/two")).fork("old", AT, log=yesterday, new_id="new")
    new = [record for _, record in await yesterday.read("run/new")]
    started, resumed = new[0], next(each for each in new if isinstance(each, RunResumed))
    assert isinstance(started, RunStarted)
    assert started.time == events[0].time - 86_400
    assert resumed.time >= events[-1].time
    assert Story("new", new).seconds < 3600


async def test_a_fork_of_a_fork_keeps_both_beginnings() -> None:
    log = MemoryLog()
    await forked(log)
    third = Said("third", "offline/three")
    result = await line(third).fork("new", "line/stage-2/cy/model-1", log=log, new_id="newest")
    assert [each.text for each in result.members] == ["first by ada", "second by bob", "third by cy"]
    assert await line(Said("never", "offline/three")).replay("newest", log=log) == result


async def test_a_call_that_a_limit_refused_can_be_forked_at() -> None:
    log = MemoryLog()
    await line(Said("first", "offline/one")).run("Go.", run_id="old", log=log, limits=Limits(calls=1))
    other = Said("second", "offline/two")
    result = await line(other).fork("old", AT, log=log, new_id="new")
    assert (result.status, result, other.calls) == ("completed", "second by cy", 2)
    kinds = [getattr(record, "kind", "") for _, record in await log.read("run/new")]
    assert "limit.refused" not in kinds, "what the old run was refused is not the new one's"


async def test_a_step_that_is_not_there_is_named_with_the_nearest_that_is() -> None:
    log = MemoryLog()
    team = line(Said("first", "offline/one"))
    await team.run("Go.", run_id="old", log=log)
    with pytest.raises(LogError, match=rf"has no step '{AT}x' \(did you mean '{AT}'"):
        await team.fork("old", AT + "x", log=log)


async def test_a_team_of_another_name_cannot_fork_since_steps_are_named_after_it() -> None:
    log = MemoryLog()
    await line(Said("first", "offline/one")).run("Go.", run_id="old", log=log)
    other = Said("second", "offline/two")
    with pytest.raises(ConfigurationError, match="give the team that forks it the same name, name='line'"):
        await AgentTeam.pipeline(["ada", "bob"], name="row", model=other.model).fork("old", AT, log=log)
    with pytest.raises(ReplayDivergence, match="its name was 'line', and of this one it is 'row'"):
        await AgentTeam.pipeline(["ada", "bob", "cy"], name="row", model=other.model).resume("old", log=log)
    assert other.calls == 0


async def test_an_id_that_is_taken_is_refused_and_nothing_is_written() -> None:
    log = MemoryLog()
    team = line(Said("first", "offline/one"))
    await team.run("Go.", run_id="old", log=log)
    before = len(await log.read("run/old"))
    with pytest.raises(ConfigurationError, match="there is a run 'old' in this log already"):
        await team.fork("old", AT, log=log, new_id="old")
    assert len(await log.read("run/old")) == before


async def test_a_fork_asks_people() -> None:
    async def careful(run, task):  # type: ignore[no-untyped-def]
        draft = await run.ask(run.members[0], task.text)
        return draft if await run.ask_human("Send it?", options=("yes", "no")) == "yes" else "not sent"

    asked: list[Question] = []

    def person(question: Question) -> str:
        asked.append(question)
        return "no"

    log = MemoryLog()
    team = AgentTeam(["ada"], formation=careful, model=Said("first", "offline/one").model, name="office")
    assert await team.run("Go.", run_id="old", log=log, human=lambda _: "yes") == "first by ada"
    [key] = [record.key for _, record in await log.read("run/old") if isinstance(record, StepStarted)][1:]
    assert await team.fork("old", key, log=log, new_id="new", human=person) == "not sent"
    assert [each.key for each in asked] == [key]
    assert await team.replay("new", log=log) == "not sent"


async def test_a_tool_under_way_where_a_run_is_forked_waits_for_a_decision_before_anything_is_written() -> None:
    sent: list[str] = []

    @tool
    async def send(to: str) -> str:
        """Send a mail."""
        sent.append(to)
        return "sent"

    def answer(request: Request) -> str | Completion:
        if request.about.member == "ada" and request.messages[-1].role == "user":
            return Completion(tool_calls=(ToolCall(id="t", tool_name="send", parameters={"to": "x"}),))
        return "done"

    model = FunctionModel(answer, name="offline/one")
    team = AgentTeam.pipeline([Agent("worker", name="ada", tools=[send]), "bob"], name="line", model=model)
    log = MemoryLog()
    await team.run("Go.", run_id="old", log=log)
    whole = [record for _, record in await log.read("run/old")]
    # As if bob had been asked while ada's tool was still under way.
    last = next(at for at, each in enumerate(whole) if isinstance(each, StepFinished) and each.step == "tool")
    bent = MemoryLog()
    await bent.append("run/old", [each for at, each in enumerate(whole) if at != last])
    at, sent[:] = "line/stage-1/bob/model-1", []
    with pytest.raises(UncertainStep):
        await team.fork("old", at, log=bent, new_id="new")
    assert await bent.read("run/new") == []
    assert await team.fork(
        "old", at, log=bent, new_id="new", decisions={"line/stage/ada/tool-1": "skip"}
    ) == "done"  # fmt: skip
    assert sent == []


async def test_a_runs_own_limits_are_in_its_journal_and_hold_again_when_it_goes_on() -> None:
    log, said = MemoryLog(), Said("first", "offline/one")
    team = line(said, limits=Limits(tokens=100_000))
    await team.run("Go.", run_id="old", log=log, limits=Limits(calls=1, usd=1.0))
    start = (await log.read("run/old"))[0][1]
    assert isinstance(start, RunStarted)
    assert (start.limits, start.team_limits) == ({"calls": 1, "usd": 1.0}, {"tokens": 100_000})
    for _ in range(2):
        again = await team.resume("old", log=log)
        assert (again.status, said.calls) == ("stopped", 1)
    # One that is given replaces that one; the others stay, and the last word counts from then on.
    more = await team.resume("old", log=log, limits=Limits(calls=2))
    assert (more.status, said.calls) == ("stopped", 2)
    assert (await team.resume("old", log=log)).stop_reason == more.stop_reason
    resumed = [record for _, record in await log.read("run/old") if getattr(record, "kind", "") == "run.resumed"]
    assert resumed[-1].limits == {"calls": 2, "usd": 1.0}  # type: ignore[attr-defined]
    assert (await team.resume("old", log=log, limits=Limits(calls=None))).status == "completed"


async def test_a_run_that_its_own_seconds_stopped_plays_back_to_the_same_end() -> None:
    import anyio

    async def slow(request: Request) -> str:
        await anyio.sleep(10)
        return f"by {request.about.member}"

    log = MemoryLog()
    team = AgentTeam.pipeline(["ada", "bob", "cy"], name="line", model=FunctionModel(slow, name="offline/one"))
    first = await team.run("Go.", run_id="old", log=log, limits=Limits(seconds=15))
    again = await team.replay("old", log=log)
    assert (first.status, again.status, again.stop_reason) == ("stopped", "stopped", first.stop_reason)
    assert [each.status for each in again.members] == [each.status for each in first.members]


async def test_limits_of_a_fork_count_what_it_took_over() -> None:
    log = MemoryLog()
    await line(Said("first", "offline/one")).run("Go.", run_id="old", log=log)
    other = Said("second", "offline/two")
    result = await line(other).fork("old", AT, log=log, limits=Limits(calls=2))
    assert (result.status, result.usage.calls, other.calls) == ("stopped", 2, 1)
    with pytest.raises(LimitExceeded):
        await line(other).fork("old", "line/stage/ada/model-1", log=log, limits=Limits(calls=0))
