"""A run that nobody watches says nothing, and gives the same result as one that is watched."""

from __future__ import annotations

import pickle
import time
from dataclasses import replace
from typing import Any

import pytest

from phalanx import Agent, AgentTeam, Limits, Role, TaskHook
from phalanx.agents.task import Task
from phalanx.errors import TeamError
from phalanx.formations.team_run import TeamRun
from phalanx.runtime.entries import Entry
from phalanx.runtime.events import AnyEvent
from phalanx.runtime.log import MemoryLog
from phalanx.teams.result import TeamResult
from phalanx.testing import FunctionModel

RUN = "the-run"


def model() -> FunctionModel:
    return FunctionModel(lambda request: f"{request.about.member} says {request.about.stage}-{request.about.round}")


def members() -> list[Agent]:
    mute = Role(name="mute", duty="keep quiet", writes=())
    return [Agent("coder", name="ada"), Agent(mute, name="bob"), Agent("critic", name="eve")]


async def two_looks(run: TeamRun, task: Task) -> str:
    """A formation of a user's that looks at the board halfway."""
    await run.ask_all("first", stage="one")
    seen, entries = await run.see(run.members[0], tokens=500)
    await run.try_ask(run.members[2], seen, stage="two", causes=entries)
    await run.board.post("answers", "closed", author="eve")
    return seen


TEAMS: dict[str, Any] = {
    "pipeline": lambda: AgentTeam.pipeline(members(), model=model()),
    "parallel": lambda: AgentTeam.parallel(members(), model=model()),
    "flat": lambda: AgentTeam.flat(members(), model=model(), rounds=2),
    "debate": lambda: AgentTeam.debate(members(), model=model(), trigger="always"),
    "custom": lambda: AgentTeam(members(), formation=two_looks, model=model()),
    "nested": lambda: AgentTeam.pipeline([AgentTeam.flat(members(), model=model()), "coder"], model=model()),
}


def authors(result: TeamResult) -> list[str]:
    return [entry.author for entry in result.board if isinstance(entry, Entry)]


def timeless(board: object) -> list[Entry]:
    assert isinstance(board, tuple)
    return [replace(entry, time=0.0) for entry in board]


@pytest.mark.parametrize("kind", TEAMS)
async def test_a_run_that_nobody_watches_has_the_result_and_the_board_of_a_watched_one(kind: str) -> None:
    seen: list[AnyEvent] = []
    unseen = await TEAMS[kind]().run("task", run_id=RUN)
    watched = await TEAMS[kind]().run("task", run_id=RUN, on_event=seen.append)
    logged = await TEAMS[kind]().run("task", run_id=RUN, log=MemoryLog())

    assert seen
    assert timeless(unseen.board) == timeless(watched.board) == timeless(logged.board)
    assert unseen.content == watched.content == logged.content
    assert [each.messages for each in unseen.members] == [each.messages for each in watched.members]
    assert unseen.usage == watched.usage == logged.usage


async def test_answers_of_a_role_that_may_not_write_are_left_off_the_board() -> None:
    result = await TEAMS["parallel"]().run("task")

    assert authors(result) == ["ada", "eve"]


async def test_a_board_that_is_looked_at_late_says_when_its_answers_came() -> None:
    result = await TEAMS["pipeline"]().run("task")
    ended = time.time()
    board = result.board

    times = [entry.time for entry in board if isinstance(entry, Entry)]
    assert times == sorted(times)
    assert times[-1] <= ended
    assert result.board is board  # it is written once


async def test_a_result_can_be_pickled_before_anybody_looked_at_its_board() -> None:
    result = await TEAMS["pipeline"]().run("task", run_id=RUN)

    again = pickle.loads(pickle.dumps(result))

    assert isinstance(again, TeamResult)
    assert timeless(again.board) == timeless(result.board) != []


async def test_a_log_that_is_given_holds_every_event_though_nobody_listens() -> None:
    log, seen = MemoryLog(), list[AnyEvent]()
    await TEAMS["pipeline"]().run("task", run_id=RUN, log=log)
    await TEAMS["pipeline"]().run("task", run_id=RUN, on_event=seen.append)

    kinds = [getattr(record, "kind", None) for _, record in await log.read(f"run/{RUN}")]
    assert kinds == [event.kind for event in seen]


async def test_limits_hold_and_hooks_are_called_in_a_run_that_nobody_watches() -> None:
    called: list[str] = []

    class Noting(TaskHook):
        async def on_start(self, task: Task) -> None:
            called.append("start")

        async def on_complete(self, task: Task, result: object) -> None:
            called.append("complete")

    team = AgentTeam.pipeline(members(), model=model(), hooks=Noting())
    result = await team.run("task", limits=Limits(calls=2))

    assert (result.status, result.usage.calls) == ("stopped", 2)
    assert called == ["start", "complete"]
    assert authors(result) == ["ada"]


async def test_a_run_that_fails_carries_its_board() -> None:
    def broken(request: object) -> str:
        raise RuntimeError("no")

    team = AgentTeam.pipeline([members()[0], Agent("critic", name="eve", model=FunctionModel(broken))], model=model())
    with pytest.raises(TeamError) as failure:
        await team.run("task")

    result = failure.value.result
    assert isinstance(result, TeamResult)
    assert authors(result) == ["ada"]
    assert result.members[-1].messages[-1].role == "user"
