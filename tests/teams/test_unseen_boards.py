"""Formations that work over the board leave the same board behind whether or not anybody watches."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx import Agent, AgentTeam, Role
from phalanx.formations.agenda import Item, Minutes, Turn
from phalanx.formations.market import Offer
from phalanx.formations.reputation import Settlement
from phalanx.messages import Request
from phalanx.runtime.entries import Entry
from phalanx.runtime.events import AnyEvent
from phalanx.runtime.log import MemoryLog
from phalanx.runtime.values import text_of
from phalanx.teams.result import TeamResult
from phalanx.testing import FunctionModel

RUN = "the-run"


def trader() -> FunctionModel:
    """Bids by name; who bids highest fails, so that the next one works; every answer is three quarters right."""

    def reply(request: Request) -> str:
        about = request.about
        if about.stage == "bid":
            return json.dumps({"confidence": {"ada": 0.9, "bob": 0.8}.get(about.member, 0.5), "cost": 0.1})
        if about.stage == "settle":
            return '{"outcome": 0.75, "reason": "nearly"}'
        if about.member == "ada":
            raise RuntimeError("no")
        return f"{about.member} did it.\nAnswer: 4"

    return FunctionModel(reply)


def thinker() -> FunctionModel:
    """Contributes, asks, settles, takes back and repeats itself, by turn."""

    def reply(request: Request) -> str:
        about = request.about
        if about.stage == "volunteer":
            return json.dumps({"rating": {"ada": 3, "bob": 5}.get(about.member, 4), "adds": "more"})
        if about.stage != "contribute":
            return f"{about.member} concludes from {len(request.messages[-1].content)} characters.\nAnswer: 4"
        said: dict[int, dict[str, Any]] = {
            0: {"text": "The first fact.", "questions": ["Is it so?", "And then?"]},
            1: {"text": "It is so.", "settles": [4]},
            2: {"text": "The first fact.", "settles": [999]},
            3: {"text": "Another fact.", "retracts": [2, 3, 4, 5, 6, 7, 8, 9]},
        }
        return json.dumps(said.get(about.round, {"text": f"Fact {about.round}.", "done": about.round == 5}))

    return FunctionModel(reply)


def members() -> list[Agent]:
    mute = Role(name="mute", duty="keep quiet", writes=())
    return [Agent("coder", name="ada"), Agent(mute, name="bob"), Agent("critic", name="eve")]


TEAMS: dict[str, Any] = {
    "market": lambda: AgentTeam.market(members(), model=trader()),
    "market of two winners, settled": lambda: AgentTeam.market(members(), winners=2, verifier="vic", model=trader()),
    "market inside": lambda: AgentTeam.pipeline([AgentTeam.market(members(), model=trader()), "eve"], model=trader()),
    "blackboard": lambda: AgentTeam.blackboard(members(), decider="dee", model=thinker()),
    "blackboard with bids": lambda: AgentTeam.blackboard(members(), bids=True, model=thinker()),
}


def timeless(board: object) -> list[Entry]:
    assert isinstance(board, tuple)
    return [replace(entry, time=0.0) for entry in board]


@pytest.mark.parametrize("kind", TEAMS)
async def test_the_board_is_the_same_whether_or_not_anybody_watches(kind: str) -> None:
    seen: list[AnyEvent] = []
    unseen = await TEAMS[kind]().run("task", run_id=RUN)
    watched = await TEAMS[kind]().run("task", run_id=RUN, on_event=seen.append)
    logged = await TEAMS[kind]().run("task", run_id=RUN, log=MemoryLog())

    assert seen
    assert timeless(unseen.board) == timeless(watched.board) == timeless(logged.board) != []
    assert unseen.content == watched.content == logged.content
    assert [each.messages for each in unseen.members] == [each.messages for each in watched.members]
    assert [each.messages for each in unseen.members] == [each.messages for each in logged.members]
    assert unseen.usage == watched.usage == logged.usage


async def test_a_market_that_nobody_watches_leaves_its_bids_and_settlements_on_its_board() -> None:
    result: TeamResult = await TEAMS["market of two winners, settled"]().run("task")

    board = [entry for entry in result.board if isinstance(entry, Entry)]
    bids = {entry.author: entry.value for entry in board if entry.region == "bids"}
    assert bids == {"ada": Offer(confidence=0.9, cost=0.1), "eve": Offer(confidence=0.5, cost=0.1)}
    settled = [entry.value for entry in board if isinstance(entry.value, Settlement)]
    assert [(each.member, each.confidence, each.outcome) for each in settled] == [
        ("bob", 0.8, 0.75),
        ("eve", 0.5, 0.75),
    ]


@given(st.lists(st.builds(Item, member=st.text(), trigger=st.integers(), rating=st.floats(0, 10), adds=st.text())))
def test_a_turn_of_the_agenda_is_written_as_its_own_json_however_often_its_items_wait(items: list[Item]) -> None:
    minutes = Minutes()
    for number in range(2):
        turn = Turn(
            number=number, agenda=tuple(items), obviated=tuple(items[:1]), chosen=items[0].member if items else None
        )

        known = minutes.known(turn)

        assert known.stored == turn.model_dump(mode="json")
        assert known.text == text_of(known.stored)
