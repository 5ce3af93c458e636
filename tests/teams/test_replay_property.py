"""Any run, however its replies are scheduled, plays back to an equal result, and goes on from anywhere to the same one.

Teams, limits, deadlines, faults and the time that each reply takes are drawn; all of it in virtual time.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phalanx import Agent, AgentTeam, Limits, TeamResult, tool
from phalanx.agents.models.offline import FunctionModel
from phalanx.errors import LogError, PhalanxError, ProviderTimeout, ReplayDivergence, TeamError, UncertainStep
from phalanx.messages import Completion, Request, ToolCall
from phalanx.runtime.events import Event, StepFinished, StepStarted
from phalanx.runtime.log import MemoryLog
from phalanx.runtime.sqlite import SqliteLog
from tests.clock import backend
from tests.recording import DONE, plan

TORTURE = bool(os.environ.get("PHALANX_TORTURE"))
RUN = "the-run"
NAMES = ("ada", "bob", "cy", "dan")


@dataclass(frozen=True)
class Scene:
    """A team and a world, as drawn: `chance` decides how long each reply takes, what it says, and what goes wrong."""

    kind: str
    members: int
    rounds: int
    chance: int
    faults: int
    calls: int | None
    seconds: int | None
    deadline: int | None
    concurrency: int | None
    nested: bool

    @property
    def timed(self) -> bool:
        """Whether what is finished depends on time."""
        return self.seconds is not None or self.deadline is not None


def scenes(*, timed: bool = True) -> st.SearchStrategy[Scene]:
    kinds = ("hierarchical", "flat", "blind", "pipeline", "parallel", "consensus", "debate", "judged")
    never = st.none()
    return st.builds(
        Scene,
        kind=st.sampled_from(kinds),
        members=st.integers(2, 4),
        rounds=st.integers(1, 2),
        chance=st.integers(0, 10_000),
        faults=st.sampled_from((0, 0, 10, 30)),
        calls=never | st.integers(1, 12),
        seconds=never | st.integers(5, 60) if timed else never,
        deadline=never | st.integers(3, 20) if timed else never,
        concurrency=never | st.integers(1, 2),
        nested=st.booleans(),
    )


@dataclass
class World:
    """What a scene's members and tools really did."""

    scene: Scene
    silent: bool = False
    calls: list[str] = field(default_factory=list)

    def chance(self, *about: object) -> int:
        """A number from 0 to 99 that depends on the scene and on what it is for, and on nothing else."""
        return hashlib.sha256(f"{self.scene.chance}/{about}".encode()).digest()[0] * 100 // 256

    async def answer(self, request: Request) -> str | Completion:
        about = request.about
        asked = (about.path, len(request.messages))
        self.calls.append("/".join(about.path))
        assert not self.silent, f"asked {asked}"
        await anyio.sleep(self.chance("delay", asked) % 17)
        if self.chance("fault", asked) < self.scene.faults:
            return self._fault(self.chance("which", asked))
        if about.stage in ("plan", "review", "verify", "judge"):
            return json.dumps(self._form(about.stage, about.round))
        used = any(message.role == "tool" for message in request.messages)
        if request.tools and not used and self.chance("tool", asked) < 60:
            wishes = 1 + self.chance("wishes", asked) % 2
            calls = [
                ToolCall(id=f"t{at}", tool_name="look", parameters={"at": f"{asked} {at}"}) for at in range(wishes)
            ]
            return Completion(tool_calls=tuple(calls))
        return f"{about.member} thinks so.\nAnswer: {self.chance('answer', asked) % 3}"

    def _fault(self, which: int) -> str:
        if which < 30:
            return ""
        if which < 60:
            raise ConnectionError("the cable is cut")
        raise ProviderTimeout("no answer in time", model="offline/world")

    def _form(self, stage: str, round: int) -> dict[str, object]:
        workers = NAMES[: self.scene.members]
        if stage == "plan":
            return plan(*((str(at), name, f"part {at}", ["0"] if at > 1 else []) for at, name in enumerate(workers)))
        if stage == "review":
            return DONE
        if stage == "verify":
            return {"accepted": round > 0, "objection": "do it again"}
        return {"verdict": f"Candidate {1 + self.chance('verdict', round) % 2}"}

    def team(self) -> AgentTeam:
        """The scene's team over this world."""

        @tool(idempotent=True)
        async def look(at: str) -> str:
            """Look."""
            self.calls.append(f"look {at}")
            assert not self.silent
            await anyio.sleep(self.chance("look", at) % 11)
            return f"seen {at}"

        scene, model = self.scene, FunctionModel(self.answer, name="offline/world")
        agents: list[Agent | AgentTeam] = [
            Agent("worker", name=name, tools=[look] if at % 2 else [], limits=Limits(calls=4) if at == 3 else None)
            for at, name in enumerate(NAMES[: scene.members])
        ]
        if scene.nested:
            inner = [Agent("worker", name=f"in-{at}", tools=[look]) for at in range(2)]
            name = NAMES[scene.members - 1]
            agents[-1] = AgentTeam.debate(inner, scene.rounds, trigger="always", name=name, deadline=scene.deadline)
        limits = Limits(calls=scene.calls, seconds=scene.seconds, concurrency=scene.concurrency)
        return build(scene, agents, model=model, name="team", limits=limits)


def build(scene: Scene, agents: list[Agent | AgentTeam], **options: Any) -> AgentTeam:
    """A team of the scene's kind."""
    rounds, deadline = scene.rounds, scene.deadline
    match scene.kind:
        case "hierarchical":
            return AgentTeam.hierarchical("lead", agents, verifier="vic", **options)
        case "flat":
            return AgentTeam.flat(agents, rounds=rounds, **options)
        case "blind":
            return AgentTeam.flat(agents, shared_memory=False, aggregator="agg", deadline=deadline, **options)
        case "pipeline":
            return AgentTeam.pipeline(agents, **options)
        case "parallel":
            return AgentTeam.parallel(agents, aggregation="majority_vote", quorum=1, deadline=deadline, **options)
        case "consensus":
            return AgentTeam.consensus(agents, 2, rounds=rounds, deadline=deadline, **options)
        case "debate":
            return AgentTeam.debate(agents, rounds, deadline=deadline, **options)
        case "judged":
            return AgentTeam.debate(agents, rounds, judge="jude", trigger="always", **options)
    raise ValueError(scene.kind)


async def outcome(work: Awaitable[TeamResult]) -> object:
    """All that came of a run but how long it took: its result, or its error with the result that it carries."""
    try:
        return facts(await work)
    except (ReplayDivergence, LogError):
        raise
    except TeamError as failure:
        carried = facts(failure.result) if isinstance(failure.result, TeamResult) else failure.result
        return type(failure).__name__, str(failure), carried
    except PhalanxError as failure:
        return type(failure).__name__, str(failure)


def facts(result: TeamResult) -> dict[str, object]:
    whole = result.to_dict()
    whole.pop("duration")
    for entry in whole["board"]:
        entry.pop("time")
    return whole


async def recorded(world: World) -> tuple[object, list[object]]:
    log = MemoryLog()
    ended = await outcome(world.team().run("Which?", seed=world.scene.chance, run_id=RUN, log=log))
    return ended, [record for _, record in await log.read(f"run/{RUN}")]


async def log_with(records: list[object]) -> MemoryLog:
    log = MemoryLog()
    await log.append(f"run/{RUN}", records)
    return log


def run_in(loop: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run something in a loop with virtual time."""
    name, options = backend(loop)
    anyio.run(work, backend=name, backend_options=options)


LOOPS = st.sampled_from(("asyncio", "trio"))
MANY = settings(
    max_examples=2000 if TORTURE else 60, deadline=None, derandomize=not TORTURE,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
FEW = settings(MANY, max_examples=300 if TORTURE else 20)


@MANY
@given(scene=scenes(), loop=LOOPS)
def test_any_run_plays_back_to_an_equal_result_without_model_or_time(scene: Scene, loop: str) -> None:
    async def work() -> None:
        ended, records = await recorded(World(scene))
        silent = World(scene, silent=True)
        log = await log_with(records)
        began = anyio.current_time()
        assert await outcome(silent.team().replay(RUN, log=log)) == ended
        assert silent.calls == []
        assert anyio.current_time() == began
        assert len(await log.read(f"run/{RUN}")) == len(records)

    run_in(loop, work)


@FEW
@given(scene=scenes(), loop=LOOPS)
def test_a_run_kept_in_a_file_plays_back_to_an_equal_result(scene: Scene, loop: str) -> None:
    # One deadline at most: while a file is written, virtual time jumps over both of two.
    scene = replace(scene, deadline=None if scene.seconds or scene.nested else scene.deadline)

    async def work() -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "log.db"
            # Its writes take real time and its replies virtual time, so they meet in ever new orders.
            async with SqliteLog(path) as log:
                ended = await outcome(World(scene).team().run("Which?", seed=scene.chance, run_id=RUN, log=log))
            async with SqliteLog(path) as log:
                assert await outcome(World(scene, silent=True).team().replay(RUN, log=log)) == ended

    run_in(loop, work)


@FEW
@given(scene=scenes(timed=False), loop=LOOPS, data=st.data())
def test_a_run_without_deadlines_goes_on_from_any_point_to_the_same_result(
    scene: Scene, loop: str, data: st.DataObject
) -> None:
    # Who is refused by a limit, and whose answer is not waited for, depends on who is first.
    scene = replace(scene, calls=None, kind="debate" if scene.kind == "consensus" else scene.kind)

    async def work() -> None:
        world = World(scene)
        ended, records = await recorded(world)
        cut = data.draw(st.integers(1, len(records) - 1), label="cut")
        ends = [each for each in records[:cut] if isinstance(each, StepFinished)]
        finished = [each for each in ends if each.status != "refused"]  # by a member's own limit: nobody was called
        again = World(scene)
        log = await log_with(records[:cut])
        assert await outcome(again.team().resume(RUN, log=log)) == ended
        assert len(again.calls) == len(world.calls) - len(finished)
        after = [record for _, record in await log.read(f"run/{RUN}")]
        assert [each.seq for each in after if isinstance(each, Event)] == list(range(1, len(after) + 1))
        whole = await outcome(World(scene, silent=True).team().replay(RUN, log=log))
        assert whole == ended

    run_in(loop, work)


@FEW
@given(scene=scenes(), loop=LOOPS, data=st.data())
def test_a_changed_request_is_a_divergence_at_its_step_in_its_first_field(
    scene: Scene, loop: str, data: st.DataObject
) -> None:
    async def work() -> None:
        _, records = await recorded(World(scene))
        steps = [each for each in records if isinstance(each, StepStarted) and isinstance(each.request, Request)]
        step = data.draw(st.sampled_from(steps), label="step")
        assert isinstance(step.request, Request)
        at = data.draw(st.integers(0, len(step.request.messages) - 1), label="message")
        messages = list(step.request.messages)
        messages[at] = messages[at].model_copy(update={"content": f"{messages[at].content} (changed)"})
        changed = replace(step, request=replace(step.request, messages=tuple(messages)))
        log = await log_with([changed if each is step else each for each in records])
        with pytest.raises(ReplayDivergence, match="differs from the journal") as caught:
            await World(scene, silent=True).team().replay(RUN, log=log)
        assert caught.value.key == step.key
        assert caught.value.field == f"messages[{at}]"

    run_in(loop, work)


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_changed_request_is_told_also_where_a_deadline_passes_while_others_wait_for_their_turn(loop: str) -> None:
    scene = Scene("blind", members=3, rounds=1, chance=1, faults=0, calls=None, seconds=5, deadline=None,
                  concurrency=None, nested=False)  # fmt: skip

    async def work() -> None:
        _, records = await recorded(World(scene))
        step = next(each for each in records if isinstance(each, StepStarted))
        assert isinstance(step.request, Request)
        changed = replace(step, request=replace(step.request, temperature=0.1))
        log = await log_with([changed if each is step else each for each in records])
        with pytest.raises(ReplayDivergence, match="differs from the journal") as caught:
            await World(scene, silent=True).team().replay(RUN, log=log)
        assert (caught.value.key, caught.value.field) == (step.key, "temperature")

    run_in(loop, work)


@pytest.mark.parametrize("kind", ["flat", "debate", "hierarchical"])
async def test_playing_back_a_run_that_was_cancelled_from_outside_says_where_it_was_cancelled(kind: str) -> None:
    scene = Scene(kind, 3, 1, 5, 0, None, None, None, None, False)
    log = MemoryLog()
    with anyio.move_on_after(9):
        await World(scene).team().run("Which?", run_id=RUN, log=log)
    with pytest.raises(ReplayDivergence, match="none: the run broke off there"):
        await World(scene, silent=True).team().replay(RUN, log=log)
    result = await World(scene).team().resume(RUN, log=log)
    assert result.status == "completed"


async def test_what_is_uncertain_is_asked_about_before_anything_else_is_called_and_the_decision_is_kept() -> None:
    made: list[str] = []

    @tool
    async def send(to: str) -> str:
        """Send a mail."""
        made.append(to)
        return "sent"

    async def answer(request: Request) -> str | Completion:
        made.append(request.about.member)
        await anyio.sleep(1)
        if request.about.member == "bob" and request.messages[-1].role == "user":
            return Completion(tool_calls=(ToolCall(id="t", tool_name="send", parameters={"to": "all"}),))
        return request.messages[-1].content

    def team() -> AgentTeam:
        members = [Agent("worker", name="ada"), Agent("worker", name="bob", tools=[send])]
        return AgentTeam.parallel(members, name="team", model=FunctionModel(answer, name="offline/world"))

    log = MemoryLog()
    await team().run("Send it.", run_id=RUN, log=log)
    records = [record for _, record in await log.read(f"run/{RUN}")]
    at = next(at for at, each in enumerate(records) if isinstance(each, StepStarted) and each.step == "tool")
    # Neither has ada's answer come back yet, as it happens when her call takes longer.
    kept = [each for each in records[: at + 1] if not (isinstance(each, StepFinished) and "ada" in each.key)]
    kept = [replace(each, seq=seq) for seq, each in enumerate(kept, 1) if isinstance(each, Event)]
    made.clear()
    log = await log_with(kept)
    key = "team/draft/bob/tool-1"
    with pytest.raises(UncertainStep, match=key):
        await team().resume(RUN, log=log)
    assert made == []
    assert len(await log.read(f"run/{RUN}")) == len(kept)
    skipped = await team().resume(RUN, log=log, decisions={key: "skip"})
    assert "its outcome is unknown" in skipped
    assert sorted(made) == ["ada", "bob"]
    assert await team().replay(RUN, log=log) == skipped
    assert await team().resume(RUN, log=log) == skipped
    assert sorted(made) == ["ada", "bob"]
