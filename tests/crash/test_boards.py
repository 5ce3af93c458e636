"""A board that outlives runs, in one file with them: a run that goes on sees what it saw before, and nothing newer."""

from __future__ import annotations

import hashlib
from pathlib import Path

import anyio

from phalanx import AgentTeam
from phalanx.agents.models.offline import FunctionModel
from phalanx.messages import Request
from phalanx.runtime.board import Blackboard
from phalanx.runtime.sqlite import SqliteLog

STREAM = "team-memory"


class Room:
    """Members whose answers depend on every word that they are sent."""

    def __init__(self, stop: anyio.CancelScope | None = None, at: int = 0) -> None:
        self.asked: list[str] = []
        self.stop, self.at = stop, at

    async def answer(self, request: Request) -> str:
        self.asked.append(request.about.member)
        if self.stop is not None and len(self.asked) == self.at:
            self.stop.cancel()
        await anyio.sleep(10)
        sent = "\n".join(message.content for message in request.messages)
        return f"{request.about.member}: {hashlib.sha256(sent.encode()).hexdigest()[:12]}"

    def team(self, log: SqliteLog) -> AgentTeam:
        return AgentTeam.flat(
            ["ada", "bob", "cy"], rounds=2, aggregation="concat", name="room", log=log,
            model=FunctionModel(self.answer), board=Blackboard(log, STREAM),
        )  # fmt: skip


async def test_what_one_run_wrote_the_next_one_sees(tmp_path: Path) -> None:
    async with SqliteLog(tmp_path / "log.db") as log:
        first = await Room().team(log).run("Which?", run_id="one")
    async with SqliteLog(tmp_path / "log.db") as log:
        second = await Room().team(log).run("Which?", run_id="two")
        assert len(second.board) == 2 * len(first.board) == 12
    assert second.member("ada").text != first.member("ada").text


async def test_a_run_that_goes_on_is_shown_what_it_was_shown_before(tmp_path: Path) -> None:
    async with SqliteLog(tmp_path / "whole.db") as log:
        whole = await Room().team(log).run("Which?", run_id="one")
        alone = await Room().team(log).run("Which?", run_id="two")
    for finished in (0, 1, 3, 5):
        path = tmp_path / f"log-{finished}.db"
        async with SqliteLog(path) as log:
            with anyio.CancelScope() as scope:
                await Room(scope, finished + 1).team(log).run("Which?", run_id="one")
        async with SqliteLog(path) as log:
            other = await Room().team(log).run("Which?", run_id="two")
            assert other != alone, "it saw a part of what the other one wrote"
            room = Room()
            result = await room.team(log).resume("one")
            assert len(room.asked) == 6 - finished
            said = [each.text for each in result.members]
            # Who was being asked had been shown the board as it was then.
            assert said[: finished + 1] == [each.text for each in whole.members][: finished + 1]
            again = Room()
            assert await again.team(log).replay("one") == result
            once_more = await again.team(log).resume("one")
            assert [each.text for each in once_more.members] == said
            assert again.asked == []
            assert len(once_more.board) == 12
