"""Members of a blackboard team are shown what their roles may read, as the board itself would show it to them."""

from __future__ import annotations

import json
import re

from phalanx import Agent, AgentTeam, Blackboard, Role
from phalanx.messages import Request
from phalanx.runtime.events import AnyEvent
from phalanx.runtime.regions import Identity
from phalanx.testing import FunctionModel

SAID = {
    0: {"text": "The first fact.", "questions": ["Is it so?"]},
    1: {"text": "A second fact."},
    2: {"text": "A third."},
}


def members() -> list[Agent]:
    facts_only = Role(name="checker", duty="check facts", reads=("contributions", "problem"))
    return [Agent("coder", name="ada"), Agent(facts_only, name="bob"), Agent("critic", name="cy")]


async def prompts(board: Blackboard | None = None, *, watched: bool = False) -> dict[tuple[str, str, int], str]:
    told: dict[tuple[str, str, int], str] = {}

    def reply(request: Request) -> str:
        about = request.about
        told[about.member, about.stage, about.round] = request.messages[-1].content
        if about.stage == "volunteer":
            rating = {"ada": 3, "bob": 5 if about.round else 2, "cy": 4 if about.round > 1 else 1}[about.member]
            return json.dumps({"rating": rating if about.round < 3 else 0, "adds": "more"})
        if about.stage == "contribute":
            return json.dumps(SAID[about.round])
        return "Answer: 7"

    model = FunctionModel(reply)
    team = AgentTeam.blackboard(members(), bids=True, model=model)
    if board is not None:
        team = AgentTeam.blackboard(members(), bids=True, board=board, model=model)
    seen: list[AnyEvent] = []
    await team.run("What is known?", run_id="run", on_event=seen.append if watched else None)
    return told


def shown(prompt: str) -> list[str]:
    return re.findall(r'from="#\d+ (\w+), by', prompt)


async def test_a_member_is_not_shown_what_its_role_may_not_read() -> None:
    told = await prompts()

    assert sorted(shown(told["cy", "volunteer", 2])) == ["contributions", "contributions", "questions"]
    assert shown(told["bob", "contribute", 1]) == ["contributions"]
    assert sorted(shown(told["bob", "vote", 0])) == ["contributions"] * 3


async def test_it_is_shown_the_same_whether_or_not_anybody_watches() -> None:
    assert await prompts() == await prompts(watched=True)


async def test_what_it_is_shown_is_what_the_board_shows_it() -> None:
    board = Blackboard()
    told = await prompts(board)

    for member in members():
        reads = member.role.reads
        view = await board.view(
            Identity(member.name, member.role.name, reads), tokens=8000, patterns=("questions", "contributions"),
            about="What is known?",
        )  # fmt: skip
        prompt = told[member.name, "vote", 0]
        assert view.parts
        assert [part.label in prompt and part.text in prompt for part in view.parts] == [True] * len(view.parts)
        assert len(shown(prompt)) == len(view.parts)
