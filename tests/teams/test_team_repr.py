"""How a team prints: what was said of it, and not what is at its default."""

from __future__ import annotations

import pytest

from phalanx import Agent, AgentTeam
from phalanx.formations.base import Answer
from phalanx.formations.kinds import KINDS
from phalanx.formations.team_run import TeamRun
from phalanx.formations.voting import Borda
from tests.teams.any_team import EXAMPLES, AnyModel


def test_it_shows_the_options_that_differ_from_the_defaults() -> None:
    assert repr(AgentTeam.debate(["ada", "bob"])) == "AgentTeam('debate', Debate(), members=[ada, bob])"
    team = AgentTeam.debate(["ada", "bob"], 3, rule=Borda(quorum=2), name="court")
    assert repr(team) == "AgentTeam('court', Debate(rounds=3, rule=Borda(quorum=2)), members=[ada, bob])"


def test_a_seat_is_shown_where_the_name_does_not_say_it() -> None:
    team = AgentTeam.hierarchical(Agent("lead", name="ada"), ["bob"], verifier="verifier")
    assert repr(team) == "AgentTeam('hierarchical', Hierarchical(), members=[ada (lead), verifier, bob])"


def test_a_function_is_shown_as_it_is() -> None:
    async def mine(_run: TeamRun, _task: object) -> Answer:
        return Answer("x")

    assert "mine" in repr(AgentTeam(["ada"], formation=mine))


@pytest.mark.parametrize("kind", KINDS)
def test_every_formation_prints_in_a_line(kind: str) -> None:
    told = repr(EXAMPLES[kind](AnyModel().model))
    assert len(told) < 200
    assert "None" not in told
