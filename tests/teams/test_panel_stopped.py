"""A panel that a limit stops answers with what enough referees had scored in both orders by then."""

from __future__ import annotations

import json

import anyio
import pytest

from phalanx import Agent, AgentTeam, Limits, TeamError, TeamResult
from phalanx.formations.panel import Panel
from phalanx.messages import Request
from phalanx.testing import FunctionModel

SLOW = {"a": 1, "b": 2, "c": 30}


async def prefers_the_first(request: Request) -> str:
    """Scores "One." above "Two.", wherever it stands; who is asked says how long that takes."""
    await anyio.sleep(SLOW[request.about.member])
    text = request.messages[-1].content
    marks = (9, 2) if text.index("One.") < text.index("Two.") else (2, 9)
    return json.dumps({"scores": {"Candidate 1": marks[0], "Candidate 2": marks[1]}, "reason": "So."})


async def panel(limits: Limits | None = None, *, own: Limits | None = None, turns: int = 2) -> TeamResult:
    """What a panel came to, of whose referees b has a limit of its own."""
    members = ["a", Agent("referee", name="b", limits=own), "c"]
    how = Panel(order="simultaneous", turns=turns, candidates={"x": "One.", "y": "Two."})
    return await AgentTeam(members, formation=how, model=FunctionModel(prefers_the_first)).run("Which?", limits=limits)


async def test_time_that_ends_in_the_first_turn_leaves_what_enough_referees_had_scored() -> None:
    result = await panel(Limits(seconds=3))
    assert (result, result.status) == ("One.", "stopped")
    assert result.decision is not None
    assert (result.decision.winner, result.decision.eligible, result.decision.cast) == ("x", 3, 2)


async def test_one_referee_that_may_not_be_asked_again_loses_nobody_elses_scores() -> None:
    result = await panel(own=Limits(calls=1), turns=1)
    assert [(each.member, each.ok) for each in result.members].count(("b", False)) == 1
    assert (result, result.status) == ("One.", "stopped")


async def test_scores_in_one_order_alone_are_no_answer() -> None:
    with pytest.raises(TeamError, match="calls limit"):
        await panel(Limits(calls=3))


async def test_too_few_referees_are_no_answer_either() -> None:
    with pytest.raises(TeamError, match="seconds limit"):
        await panel(Limits(seconds=1.5))


async def test_scores_of_the_turn_before_stand_for_those_who_did_not_speak_again() -> None:
    result = await panel(Limits(seconds=33))
    assert (result, result.status) == ("One.", "stopped")
    assert result.decision is not None
    assert result.decision.cast == 3
