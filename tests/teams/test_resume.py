"""Pay once: a run that broke off anywhere goes on without making a finished call again; a journal plays back a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import anyio
import pytest

from phalanx import Agent, AgentTeam, Limits, Task, TeamResult, tool
from phalanx.agents.models.offline import FunctionModel
from phalanx.errors import LogError, ReplayDivergence, RunBusy, UncertainStep
from phalanx.messages import Completion, Request, ToolCall
from phalanx.runtime.events import AnyEvent, Event, RunFinished, RunResumed, StepFinished, StepStarted
from phalanx.runtime.log import MemoryLog
from tests.recording import DONE, plan

RUN = "the-run"


class World:
    """Models and a tool whose replies take times of their own, and that count what they were really asked."""

    def __init__(self, speed: int = 0) -> None:
        self.speed = speed
        self.calls: list[str] = []
        self.model = FunctionModel(self.answer, name="offline/world")

    async def pause(self, about: object) -> None:
        digest = hashlib.sha256(f"{self.speed}/{about}".encode()).digest()
        await anyio.sleep(digest[0] % 17)

    async def answer(self, request: Request) -> str | Completion:
        about = request.about
        self.calls.append("/".join(about.path))
        await self.pause((about.member, about.stage, about.round))
        if about.stage == "plan":
            return json.dumps(
                plan(("1", "bob", "first", []), ("2", "cy", "second", []), ("3", "bob", "third", ["1", "2"]))
            )
        if about.stage == "review":
            return json.dumps(DONE)
        if about.stage == "verify":
            return json.dumps({"accepted": about.round > 0, "objection": "do it again"})
        if about.stage == "judge":
            return json.dumps({"verdict": "Candidate 1" if about.round == 0 else "Candidate 2"})
        if about.member == "cy" and not any(message.role == "tool" for message in request.messages):
            return Completion(tool_calls=(ToolCall(id="t", tool_name="look", parameters={"at": about.stage}),))
        digest = hashlib.sha256(f"{about.member}/{about.stage}/{about.round}".encode()).digest()
        return f"{about.member} thinks so.\nAnswer: {digest[1] % 2}"

    @property
    def tool(self) -> object:
        @tool(idempotent=True)
        async def look(at: str) -> str:
            """Look."""
            self.calls.append(f"look {at}")
            await self.pause(at)
            return f"seen {at}"

        return look

    def members(self) -> list[Agent]:
        return [Agent("coder", name="bob"), Agent("critic", name="cy", tools=[self.tool]), Agent("worker", name="dan")]


BUILDS: dict[str, Callable[[World], AgentTeam]] = {
    "hierarchical": lambda w: AgentTeam.hierarchical("ada", w.members(), verifier="vic", model=w.model),
    "flat": lambda w: AgentTeam.flat(w.members(), rounds=2, model=w.model),
    "blind": lambda w: AgentTeam.flat(w.members(), shared_memory=False, aggregator="agg", model=w.model),
    "pipeline": lambda w: AgentTeam.pipeline(w.members(), model=w.model),
    "parallel": lambda w: AgentTeam.parallel(w.members(), aggregation="majority_vote", model=w.model),
    "consensus": lambda w: AgentTeam.consensus(w.members(), 3, rounds=2, model=w.model),
    "debate": lambda w: AgentTeam.debate([*w.members(), "eve"], 2, judge="jude", trigger="always", model=w.model),
    "nested": lambda w: AgentTeam.pipeline(
        [AgentTeam.debate(w.members(), 1, name="inner"), "last"], model=w.model, name="outer"
    ),
}


QUICK = Agent("worker", name="quick", model=FunctionModel(lambda _: "Answer: 1", name="offline/quick"))

# Here what is finished in time depends on time, so it plays back but need not go on to the same end.
DEADLINE: dict[str, Callable[[World], AgentTeam]] = {
    "deadline": lambda w: AgentTeam.parallel([*w.members(), QUICK], quorum=1, deadline=12, model=w.model),
    "seconds": lambda w: AgentTeam.debate(w.members(), 3, trigger="always", limits=Limits(seconds=40), model=w.model),
}


def facts(result: TeamResult) -> object:
    """All of a result but how long it took and what it is called."""
    whole = result.to_dict()
    whole.pop("duration")
    for entry in whole["board"]:
        entry.pop("time")
    return whole


async def recorded(build: Callable[[World], AgentTeam], world: World) -> tuple[TeamResult, list[object]]:
    log = MemoryLog()
    result = await build(world).run("Which?", context={"a": "b"}, seed=5, run_id=RUN, log=log)
    return result, [record for _, record in await log.read(f"run/{RUN}")]


async def log_with(records: list[object]) -> MemoryLog:
    log = MemoryLog()
    await log.append(f"run/{RUN}", records)
    return log


def steps(records: list[object]) -> tuple[set[str], set[str]]:
    """The keys of the steps that were started, and of those that gave a result."""
    return (
        {each.key for each in records if isinstance(each, StepStarted)},
        {each.key for each in records if isinstance(each, StepFinished) and each.status == "ok"},
    )


@pytest.mark.parametrize("name", BUILDS)
async def test_a_run_cut_off_after_any_event_goes_on_to_the_same_result_and_pays_nothing_twice(name: str) -> None:
    build, world = BUILDS[name], World()
    whole, records = await recorded(build, world)
    made = len(world.calls)
    for cut in range(1, len(records)):
        again = World()
        log = await log_with(records[:cut])
        result = await build(again).resume(RUN, log=log)
        assert facts(result) == facts(whole), f"cut after {cut} of {len(records)} events"
        _, finished = steps(records[:cut])
        assert len(again.calls) == made - len(finished), f"cut after {cut}: {again.calls}"
        after = [record for _, record in await log.read(f"run/{RUN}")]
        _, done = steps(after)
        assert done == steps(records)[1]
        seqs = [record.seq for record in after if isinstance(record, Event)]
        assert seqs == list(range(1, len(seqs) + 1))
        kinds = [record.kind for record in after if isinstance(record, Event)]
        if kinds[-1] == "run.finished" and "run.finished" not in kinds[:-1]:
            once = [each for each in after if not isinstance(each, StepStarted | RunResumed)]
            assert len(once) == len([each for each in records if not isinstance(each, StepStarted)])


@pytest.mark.parametrize("name", [*BUILDS, *DEADLINE])
@pytest.mark.parametrize("speed", range(5))
async def test_a_journal_plays_back_to_an_equal_result_without_any_model(name: str, speed: int) -> None:
    build, world = (BUILDS | DEADLINE)[name], World(speed)
    whole, records = await recorded(build, world)
    silent = World()
    silent.model = FunctionModel(lambda _: 1 / 0, name="offline/world")  # type: ignore[arg-type, return-value]
    log = await log_with(records)
    started = anyio.current_time()
    result = await build(silent).replay(RUN, log=log)
    assert facts(result) == facts(whole)
    assert silent.calls == []
    assert anyio.current_time() == started, "playing back takes no time"
    assert len(await log.read(f"run/{RUN}")) == len(records), "playing back writes nothing"


async def test_playing_back_needs_no_default_model(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    whole, records = await recorded(BUILDS["debate"], world)
    team = AgentTeam.debate([*World().members(), "eve"], 2, judge="jude", trigger="always")
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    assert facts(await team.replay(RUN, log=await log_with(records))) == facts(whole)


async def test_another_prompt_is_a_divergence_at_its_step_that_names_the_field() -> None:
    _, records = await recorded(BUILDS["debate"], World())
    world = World()
    team = AgentTeam.debate(
        [*world.members(), "eve"], 2, judge="jude", trigger="always", model=world.model,
        prompts={"revise": "Think again. {task} {own} {peers} {stubbornness}{contract}"},
    )  # fmt: skip
    with pytest.raises(
        ReplayDivergence, match=r"debate/revise-1/\w+/model-1 differs from the journal in messages\[1\]"
    ):
        await team.replay(RUN, log=await log_with(records))
    assert world.calls == []


@pytest.mark.parametrize("share", [1.0, 0.5])
async def test_who_cannot_go_on_with_a_run_leaves_its_journal_as_it_was(share: float) -> None:
    whole, records = await recorded(BUILDS["debate"], World())
    records = records[: int(share * len(records))]
    log, shown = await log_with(records), list[AnyEvent]()
    other = AgentTeam.debate(
        [*World().members(), "eve"], 2, judge="jude", trigger="always", model=World().model,
        prompts={"draft": "Think. {task}"},
    )  # fmt: skip
    with pytest.raises(ReplayDivergence):
        await other.resume(RUN, log=log, on_event=shown.append)
    assert isinstance(shown[-1], RunFinished)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await BUILDS["debate"](World()).resume(RUN, log=log)
    assert [record for _, record in await log.read(f"run/{RUN}")] == records

    assert facts(await BUILDS["debate"](World()).resume(RUN, log=log)) == facts(whole)


async def test_a_fork_keeps_what_was_before_and_goes_on_anew() -> None:
    whole, records = await recorded(BUILDS["pipeline"], World())
    log = await log_with(records)
    other = World()
    other.model = FunctionModel(lambda request: f"{request.about.member} was changed", name="offline/other")
    at = "pipeline/stage-2/dan/model-1"
    result = await BUILDS["pipeline"](other).fork(RUN, at, log=log, new_id="the-fork")
    assert result == "dan was changed"
    assert result.run_id == "the-fork"
    assert [each.text for each in result.members[:2]] == [each.text for each in whole.members[:2]]
    started, _ = steps([record for _, record in await log.read("run/the-fork")])
    assert at in started
    assert len(await log.read(f"run/{RUN}")) == len(records)
    with pytest.raises(LogError, match="has no step 'nowhere'"):
        await BUILDS["pipeline"](other).fork(RUN, "nowhere", log=log)


async def test_a_stopped_run_goes_on_with_more_to_spend() -> None:
    world, log = World(), MemoryLog()
    team = BUILDS["pipeline"](world)
    first = await team.run("Which?", run_id=RUN, log=log, limits=Limits(calls=2))
    assert first.status == "stopped"
    assert len(world.calls) == 3
    second = await team.resume(RUN, log=log, limits=Limits(calls=4))
    assert second.status == "completed"
    assert second.usage.calls == 4
    assert [call.split("/")[-1] for call in world.calls] == ["bob", "cy", "look stage", "cy", "dan"]


async def test_what_was_spent_before_counts_against_the_limit_after() -> None:
    world, log = World(), MemoryLog()
    team = BUILDS["pipeline"](world)
    await team.run("Which?", run_id=RUN, log=log, limits=Limits(calls=2))
    again = await team.resume(RUN, log=log, limits=Limits(calls=3))
    assert again.status == "stopped"
    assert again.usage.calls == 3


async def test_a_tool_that_must_not_be_repeated_and_whose_end_is_unknown_waits_for_a_decision() -> None:
    sent: list[str] = []

    @tool
    async def send(to: str) -> str:
        """Send a mail."""
        sent.append(to)
        return "sent"

    def answer(request: Request) -> str | Completion:
        if request.messages[-1].role == "user":
            return Completion(tool_calls=(ToolCall(id="t", tool_name="send", parameters={"to": "bob"}),))
        return request.messages[-1].content

    def team() -> AgentTeam:
        return AgentTeam.pipeline([Agent("worker", name="ada", model=FunctionModel(answer), tools=[send])])

    log = MemoryLog()
    await team().run("Send it.", run_id=RUN, log=log)
    records = [record for _, record in await log.read(f"run/{RUN}")]
    cut = next(at for at, each in enumerate(records) if isinstance(each, StepStarted) and each.step == "tool")
    sent.clear()
    key = "pipeline/stage/ada/tool-1"
    with pytest.raises(UncertainStep, match=f"{key} .*may or may not have happened"):
        await team().resume(RUN, log=await log_with(records[: cut + 1]))
    assert sent == []
    skipped = await team().resume(RUN, log=await log_with(records[: cut + 1]), decisions={key: "skip"})
    assert sent == []
    assert "its outcome is unknown" in skipped
    again = await team().resume(RUN, log=await log_with(records[: cut + 1]), decisions={key: "retry"})
    assert sent == ["bob"]
    assert "sent" in again


async def test_failures_are_played_back_as_what_they_were() -> None:
    def answer(request: Request) -> str:
        if request.about.member == "bob":
            raise ConnectionError("the cable is cut")
        return "fine"

    def team(model: FunctionModel) -> AgentTeam:
        return AgentTeam.parallel(["ada", "bob"], quorum=1, model=model)

    log = MemoryLog()
    first = await team(FunctionModel(answer)).run("Go.", run_id=RUN, log=log)
    again = await team(FunctionModel(lambda _: 1 / 0)).replay(RUN, log=log)  # type: ignore[arg-type, return-value]
    assert first.member("bob").error == again.member("bob").error == "the cable is cut"
    assert type(again.member("bob").failure) is ConnectionError


async def test_the_second_of_two_who_resume_one_run_at_the_same_time_is_refused() -> None:
    _, records = await recorded(BUILDS["pipeline"], World())
    log = await log_with(records[:3])
    results: list[object] = []

    async def go() -> None:
        try:
            results.append(await BUILDS["pipeline"](World()).resume(RUN, log=log))
        except LogError as failure:
            results.append(failure)

    async with anyio.create_task_group() as group:
        group.start_soon(go)
        group.start_soon(go)
    assert sum(isinstance(each, TeamResult) for each in results) == 1
    [refused] = [each for each in results if isinstance(each, RunBusy)]
    assert "run 'the-run' is being worked on by this process; wait for its end" in str(refused)


async def test_what_cannot_be_resumed_is_an_error() -> None:
    team = BUILDS["pipeline"](World())
    with pytest.raises(LogError, match="no run 'nothing' in this log"):
        await team.resume("nothing", log=MemoryLog())
    with pytest.raises(ValueError, match="no log to read the run from"):
        await team.resume("nothing")
    log = MemoryLog()
    await team.run("Go.", run_id=RUN, log=log)
    with pytest.raises(ValueError, match="there is a run 'the-run' in this log already"):
        await team.run("Go.", run_id=RUN, log=log)


async def test_a_listener_of_a_resumed_run_sees_all_of_it_in_order() -> None:
    whole, records = await recorded(BUILDS["consensus"], World())
    seen: list[AnyEvent] = []
    task = Task("x")
    assert task.status == "pending"
    await BUILDS["consensus"](World()).resume(
        RUN, log=await log_with(records[: len(records) // 2]), on_event=seen.append
    )
    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
    assert isinstance(seen[-1], RunFinished)
    assert seen[-1].text == whole


@pytest.mark.parametrize("said", ["112", "121", "211", "111"])
async def test_answers_that_all_arrive_at_once_play_back_as_they_were_counted(said: str) -> None:
    """Who answered in the moment in which the others' answers had decided it is not cut off in a replay."""
    model = FunctionModel(lambda request: f"Answer: {said['abc'.index(request.about.member)]}", name="offline/instant")
    team, log = AgentTeam.consensus(["a", "b", "c"], 2, rounds=1, model=model), MemoryLog()
    whole = await team.run("Which?", run_id=RUN, log=log)
    assert facts(await team.replay(RUN, log=log)) == facts(whole)


async def test_whom_a_limit_refused_posts_beside_the_others_when_the_run_goes_on() -> None:
    """Each write on the board has a name of its own, whoever else writes."""
    model = FunctionModel(lambda request: f"{request.about.member} speaks", name="offline/any")
    log = MemoryLog()
    members = [Agent("worker", name="a"), Agent("worker", name="b", limits=Limits(tokens=1)), Agent("worker", name="c")]
    tight = AgentTeam.parallel(members, quorum=1, model=model, name="p")
    first = await tight.run("Speak.", run_id=RUN, log=log)
    assert [outcome.status for outcome in first.members] == ["ok", "refused", "ok"]
    wide = AgentTeam.parallel([Agent("worker", name=name) for name in "abc"], quorum=1, model=model, name="p")
    result = await wide.resume(RUN, log=log)
    assert [outcome.status for outcome in result.members] == ["ok"] * 3
    assert sorted(entry["author"] for entry in result.to_dict()["board"]) == ["a", "b", "c"]
