"""Copies of one agent at temperature 0 are told as one voter wherever their answers are counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from phalanx import Agent, AgentTeam
from phalanx.messages import Request
from phalanx.runtime.events import AnyEvent, Warned
from phalanx.testing import FunctionModel


def reply(request: Request) -> str:
    about = request.about
    if about.stage == "bid":
        return json.dumps({"confidence": 0.9 if about.member in "ab" else 0.5, "cost": 0.0})
    if about.stage == "route":
        routes = [{"member": name, "reason": "it knows", "confidence": 0.9} for name in "ab"]
        return json.dumps({"routes": routes})
    if about.stage == "contribute":
        return json.dumps({"text": f"A fact of {about.member}."})
    return "So it is.\nAnswer: 7"


MODEL = FunctionModel(reply)


def crowd(temperature: float | None = 0.0) -> list[Agent]:
    two = [Agent("solver", name=name, model=MODEL, temperature=temperature) for name in "ab"]
    return [*two, Agent("solver", name="c", model=MODEL, temperature=0.7)]


Made = Callable[[list[Agent]], AgentTeam]
COUNTED: dict[str, Made] = {
    "market": lambda who: AgentTeam.market(who, winners=2),
    "router": lambda who: AgentTeam.router(
        Agent("router", name="ria", model=MODEL), who, top=2, aggregation="majority_vote"
    ),
    "blackboard": lambda who: AgentTeam.blackboard(who, max_turns=1),
}  # fmt: skip
NOT_COUNTED: dict[str, Made] = {
    "market of one": lambda who: AgentTeam.market(who),
    "router to one": lambda who: AgentTeam.router(Agent("router", name="ria", model=MODEL), who),
    "router, joined": lambda who: AgentTeam.router(
        Agent("router", name="ria", model=MODEL), who, top=2, aggregation="concat"
    ),
    "blackboard, decided": lambda who: AgentTeam.blackboard(
        who, max_turns=1, decider=Agent("lead", name="dee", model=MODEL)
    ),
}


async def warnings(team: AgentTeam) -> list[str]:
    seen: list[AnyEvent] = []
    await team.run("Which?", on_event=seen.append)
    return [event.text for event in seen if isinstance(event, Warned) and "one voter" in event.text]


@pytest.mark.parametrize("kind", COUNTED)
async def test_copies_whose_answers_are_counted_are_told(kind: str) -> None:
    (said,) = await warnings(COUNTED[kind](crowd()))

    assert "a and b are the same agent at temperature 0" in said
    assert await warnings(COUNTED[kind](crowd(0.7))) == []


@pytest.mark.parametrize("kind", NOT_COUNTED)
async def test_where_nothing_is_counted_copies_are_nobodys_concern(kind: str) -> None:
    assert await warnings(NOT_COUNTED[kind](crowd())) == []


async def test_copies_that_were_not_chosen_are_not_told() -> None:
    def other(request: Request) -> str:
        if request.about.stage == "bid":
            return json.dumps({"confidence": {"a": 0.9, "b": 0.1, "c": 0.8}[request.about.member], "cost": 0.0})
        return reply(request)

    model = FunctionModel(other)
    cold: dict[str, Any] = {"model": model, "temperature": 0.0}
    who = [Agent("solver", name="a", **cold), Agent("solver", name="b", **cold), Agent("critic", name="c", **cold)]

    assert await warnings(AgentTeam.market(who, winners=2)) == []
    assert len(await warnings(AgentTeam.market(who, winners=3))) == 1
