"""An estimate takes the member that costs most where it cannot know who will be chosen: teams in teams count too."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from phalanx import AgentTeam
from tests.teams.any_team import AnyModel


def wrapped() -> AgentTeam:
    """A team of one, in which four are asked twice."""
    return AgentTeam.pipeline([AgentTeam.debate(list("wxyz"), 1, trigger="always", name="inner")], name="wrap")


TEAMS: dict[str, tuple[Callable[[object], AgentTeam], int]] = {
    "router": (lambda model: AgentTeam.router(lambda _: "wrap", ["ada", wrapped()], model=model), 8),
    "router of two": (
        lambda model: AgentTeam.router(lambda _: "wrap", ["ada", wrapped(), "bob"], top=2, model=model), 10
    ),
    "handoff": (lambda model: AgentTeam.handoff(["ada", wrapped()], max_handoffs=1, model=model), 9),
    "ledger": (lambda model: AgentTeam.ledger("lead", ["ada", wrapped()], max_steps=1, model=model), 11),
}  # fmt: skip


@pytest.mark.parametrize("kind", TEAMS)
async def test_a_team_inside_a_team_inside_counts_with_all_that_it_asks(kind: str) -> None:
    build, calls = TEAMS[kind]
    world = AnyModel()
    team = build(world.model)
    estimate = team.estimate("Which?")
    result = await team.run("Which?")
    assert result.usage.calls == len(world.calls) <= estimate.calls
    assert estimate.by_member["wrap"][0] == 8
    assert estimate.calls == calls
