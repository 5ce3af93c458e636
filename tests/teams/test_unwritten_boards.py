"""What a blackboard formation puts on a board that is not there yet is what would stand on it."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx import Agent, AgentTeam, Role, Task
from phalanx.formations.base import Answer
from phalanx.formations.blackboard import BlackboardFormation
from phalanx.formations.shared_board import Contribution
from phalanx.formations.team_run import TeamRun
from phalanx.messages import Request
from phalanx.runtime.entries import Entry
from phalanx.teams.result import TeamResult
from phalanx.testing import FunctionModel

RUN = "the-run"

Meanwhile = Callable[[TeamRun, int], None]

contributions = st.builds(
    Contribution,
    text=st.sampled_from(("", "A fact.", "Another fact.", "Ein Gef\u00fchl, das z\u00e4hlt.", "river rates")),
    settles=st.lists(st.integers(1, 30), max_size=3),
    retracts=st.lists(st.integers(1, 30), max_size=1),
    questions=st.lists(st.sampled_from(("Is it?", "Why?", "When?")), max_size=2),
    done=st.booleans(),
)


def said(given: list[Contribution]) -> FunctionModel:
    """Members that add these in turn, and conclude."""

    def reply(request: Request) -> str:
        about = request.about
        if about.stage == "volunteer":
            return json.dumps({"rating": {"ada": 3, "bob": 5}.get(about.member, 4)})
        if about.stage != "contribute":
            return f"{about.member} has read {len(request.messages[-1].content)} characters.\nAnswer: 4"
        return given[about.round % len(given)].model_dump_json()

    return FunctionModel(reply)


async def worked(
    given: list[Contribution], *, watched: bool, bids: bool, meanwhile: Meanwhile | None = None
) -> tuple[TeamResult, bool]:
    """What comes of it, and whether there was a board in the end. meanwhile: what somebody does during each turn."""
    runs: list[TeamRun] = []
    model = said(given)

    def reply(request: Request) -> Any:
        if meanwhile is not None and request.about.stage == "contribute":
            meanwhile(runs[0], request.about.round)
        return model.function(request)

    async def works(run: TeamRun, task: Task) -> Answer:
        runs.append(run)
        return await BlackboardFormation(bids=bids, max_turns=5)(run, task)

    blind = Role(name="blind", duty="guess", reads=("contributions", "problem", "answers"))
    team = AgentTeam(["ada", "bob", Agent(blind, name="eve")], formation=works, model=FunctionModel(reply))
    listener = (lambda _: None) if watched else None
    result = await team.run("how the rates of a river bend", run_id=RUN, on_event=listener)
    return result, runs[0].is_board_made


def board_of(result: TeamResult) -> list[Entry]:
    return [replace(entry, time=0.0) for entry in result.board if isinstance(entry, Entry)]


@settings(max_examples=40)
@given(st.lists(contributions, min_size=1, max_size=5), st.booleans())
async def test_whatever_is_added_settled_or_taken_back_the_unwritten_board_is_the_written_one(
    given: list[Contribution], bids: bool
) -> None:
    unseen, _ = await worked(given, watched=False, bids=bids)
    watched, _ = await worked(given, watched=True, bids=bids)

    assert board_of(unseen) == board_of(watched) != []
    assert [each.messages for each in unseen.members] == [each.messages for each in watched.members]
    assert unseen.content == watched.content


async def test_no_board_is_made_for_what_nobody_looks_at_or_takes_back() -> None:
    plain = [Contribution(text=f"Fact {at}.", questions=[f"And {at}?"], settles=[4], done=at == 4) for at in range(5)]

    assert not (await worked(plain, watched=False, bids=True))[1]
    assert (await worked(plain, watched=True, bids=True))[1]
    taken_back = [Contribution(text=f"Fact {at}.", retracts=list(range(20))) for at in range(5)]
    assert (await worked(taken_back, watched=False, bids=True))[1]


@pytest.mark.parametrize("turn", [0, 1, 3])
async def test_a_board_that_somebody_asks_for_in_the_middle_is_gone_on_with(turn: int) -> None:
    given = [Contribution(text=f"Fact {at}.", questions=[f"And {at}?"], settles=[4], done=at == 4) for at in range(5)]

    def asks(run: TeamRun, round: int) -> None:
        if round == turn:
            assert run.board.seq > 0

    unseen, is_made = await worked(given, watched=False, bids=False, meanwhile=asks)
    watched, _ = await worked(given, watched=True, bids=False)

    assert is_made
    assert board_of(unseen) == board_of(watched)
    assert [each.messages for each in unseen.members] == [each.messages for each in watched.members]


async def test_what_others_keep_for_the_board_meanwhile_has_its_place_on_it() -> None:
    given = [Contribution(text=f"Fact {at}.") for at in range(3)]

    def notes(run: TeamRun, round: int) -> None:
        if round == 1:
            run.answers.note(lambda board: board.post("contributions", "A note.", op="a-note"))

    unseen, _ = await worked(given, watched=False, bids=False, meanwhile=notes)

    found = [entry.value for entry in board_of(unseen) if entry.region == "contributions"]
    assert found == ["Fact 0.", "A note.", "Fact 1.", "Fact 2."]
    assert "A note." in str(unseen.members[-1].messages)


async def test_what_comes_after_it_in_the_same_run_sees_the_same_board_watched_or_not() -> None:
    shown: list[str] = []

    async def seen(run: TeamRun, task: Task) -> Answer:
        await BlackboardFormation(max_turns=2)(run, task)
        board, _ = await run.see(run.members[0], tokens=4000)
        shown.append(board)
        return Answer(board)

    team = AgentTeam(["ada", "bob"], formation=seen, model=said([Contribution(text="A fact.")]))
    await team.run("task", run_id=RUN)
    await team.run("task", run_id=RUN, on_event=lambda _: None)

    assert shown[0] == shown[1]
    assert "A fact." in shown[0]
    assert "contributions, by you" in shown[0]


@pytest.mark.parametrize("kind", ["blackboard", "consensus", "debate", "vote"])
async def test_a_run_that_is_over_leaves_nothing_behind_that_a_collector_must_find(kind: str) -> None:
    given = said([Contribution(text="A fact.")])
    teams = {
        "blackboard": lambda: AgentTeam.blackboard(["ada", "bob"], model=given),
        "consensus": lambda: AgentTeam.consensus(["ada", "bob"], model=given),
        "debate": lambda: AgentTeam.debate(["ada", "bob"], trigger="always", model=given),
        "vote": lambda: AgentTeam.vote("ada", 3, model=given),
    }
    team = teams[kind]()
    await team.run("task")
    gc.collect()
    before = runs_in_memory()
    gc.disable()
    try:
        await team.run("task")
        after = runs_in_memory()
    finally:
        gc.enable()

    assert after == before


def runs_in_memory() -> int:
    return sum(isinstance(each, TeamRun) for each in gc.get_objects())
