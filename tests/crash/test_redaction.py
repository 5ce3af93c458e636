"""What is redacted before it is written does not stand in the way of going on, playing back and forking."""

from __future__ import annotations

import re
from pathlib import Path

import anyio

from phalanx import Agent, AgentTeam, tool
from phalanx.agents.models.offline import FunctionModel
from phalanx.messages import Completion, Request, ToolCall
from phalanx.runtime.sqlite import SqliteLog

NUMBER = "4711-0815"


def redact(text: str) -> str:
    return re.sub(r"\d{4}-\d{4}", "[number]", text)


@tool(idempotent=True)
def look(at: str) -> str:
    """Look."""
    return f"{at} has the number {NUMBER}"


class Clerk:
    """A model that repeats numbers, and that can be stopped at a call."""

    def __init__(self, stop: anyio.CancelScope | None = None, at: int = 0) -> None:
        self.calls, self.stop, self.at = 0, stop, at

    async def answer(self, request: Request) -> str | Completion:
        self.calls += 1
        if self.stop is not None and self.calls == self.at:
            self.stop.cancel()
            await anyio.lowlevel.checkpoint()
        if request.tools and request.messages[-1].role == "user":
            return Completion(tool_calls=(ToolCall(id="t", tool_name="look", parameters={"at": f"card {NUMBER}"}),))
        return f"{request.about.member}: it is {NUMBER}"

    def team(self) -> AgentTeam:
        members = [Agent("worker", name=name, tools=[look]) for name in ("ada", "bob", "cy")]
        return AgentTeam.pipeline(members, model=FunctionModel(self.answer), name="team")


async def test_a_redacted_run_goes_on_and_plays_back(tmp_path: Path) -> None:
    for finished in range(6):
        path = tmp_path / f"log-{finished}.db"
        async with SqliteLog(path, redact=redact) as log:
            with anyio.CancelScope() as scope:
                await Clerk(scope, finished + 1).team().run(f"Which? {NUMBER}", run_id="r", log=log)
        async with SqliteLog(path, redact=redact) as log:
            clerk = Clerk()
            result = await clerk.team().resume("r", log=log)
            assert result.status == "completed"
            assert clerk.calls == 6 - finished
            silent = Clerk()
            assert await silent.team().replay("r", log=log) == redact(result)
            fork = await silent.team().fork("r", "team/stage-2/cy/model-1", log=log)
            assert fork.status == "completed"
            assert silent.calls == 2
        assert NUMBER.encode() not in path.read_bytes()
