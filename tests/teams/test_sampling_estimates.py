"""Estimates of teams that sample, mix, reflect or escalate hold where every answer is as long as it may be."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from phalanx import Agent, AgentTeam
from phalanx.messages import Request, estimate_tokens
from phalanx.testing import FunctionModel

TOKENS = 700


class Lengthy(FunctionModel):
    """Never agrees, never accepts, and fills its answers up to `max_tokens`."""

    def __init__(self) -> None:
        super().__init__(self._answer, name="offline/lengthy")
        self.count = 0

    def _answer(self, request: Request) -> str:
        self.count += 1
        if request.output is None:
            text = f"FILL\nAnswer: {self.count}"
        elif request.output.name == "Confidence":
            return '{"confidence": 0.1}'
        else:
            text = json.dumps({"accepted": False, "objection": f"{self.count} FILL", "quote": "", "score": 3})
            if request.output.name == "Critique":
                text = text.replace(', "score": 3', "")
        room = 3 * TOKENS - len(text.replace("FILL", ""))
        text = text.replace("FILL", "w" * room)
        assert estimate_tokens(text) == TOKENS
        return text


def one(name: str) -> Agent:
    return Agent("worker", name=name, max_tokens=TOKENS)


def agents(*names: str) -> list[Agent]:
    return [one(name) for name in names]


TEAMS: dict[str, Callable[[], AgentTeam]] = {
    "vote": lambda: AgentTeam.vote(agents("ada", "bob"), 7, stop="beta(0.95)", model=Lengthy()),
    "mixture": lambda: AgentTeam.mixture(agents("ada", "bob"), one("agg"), 4, proposals=5, model=Lengthy()),
    "cut mixture": lambda: AgentTeam.mixture(one("ada"), layers=3, proposal_tokens=10, model=Lengthy()),
    "reflect": lambda: AgentTeam.reflect(one("ada"), one("vic"), 3, model=Lengthy()),
    "scored": lambda: AgentTeam.reflect(one("ada"), one("vic"), 2, scores=True, model=Lengthy()),
    "self": lambda: AgentTeam.reflect(one("ada"), rounds=2, model=Lengthy()),
    "adaptive": lambda: AgentTeam.adaptive(agents("ada", "bob", "cy"), 7, confidence=0.9, rounds=2, model=Lengthy()),
}


@pytest.mark.parametrize("kind", TEAMS)
async def test_an_estimate_holds_where_every_answer_is_as_long_as_it_may_be(kind: str) -> None:
    team = TEAMS[kind]()
    estimate = team.estimate("Which is it, and why?")
    result = await team.run("Which is it, and why?")
    assert result.usage.calls == estimate.calls
    assert result.usage.tokens <= estimate.tokens
    # Nor is it a number so large that it says nothing.
    if kind != "cut mixture":
        assert estimate.tokens < 2 * result.usage.tokens
    for name, (calls, tokens) in estimate.by_member.items():
        asked = [outcome for outcome in result.members if outcome.member == name]
        assert sum(outcome.usage.calls for outcome in asked) == calls
        assert sum(outcome.usage.tokens for outcome in asked) <= tokens
