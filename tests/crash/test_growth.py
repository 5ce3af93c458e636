"""A journal grows by what is new: a debate's file is proportional to the text in it, however many rounds it has."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from phalanx import AgentTeam
from phalanx.agents.models.offline import FunctionModel
from phalanx.messages import Request
from phalanx.runtime.events import StepFinished, StepStarted
from phalanx.runtime.sqlite import SqliteLog

LETTERS = 3000


def words(*about: object) -> str:
    """A text that nothing can be saved on."""
    chance = random.Random(str(about))
    return "".join(chance.choice("abcdefghij klmnopqrstuvwxyz") for _ in range(LETTERS))


async def debated(folder: Path, members: int, rounds: int) -> tuple[int, int]:
    """How large a debate's file is, in bytes, and how much of it is new text: prompts and answers, each once."""

    def answer(request: Request) -> str:
        about = request.about
        return f"{words(about.member, about.round)}\nAnswer: {about.member}"

    path = folder / f"{members}-{rounds}.db"
    async with SqliteLog(path) as log:
        team = AgentTeam.debate(
            [f"m{at}" for at in range(members)], rounds, trigger="always", topology="full",
            model=FunctionModel(answer), log=log,
        )  # fmt: skip
        await team.run("Which?", run_id="r")
        records = [record for _, record in await log.read("run/r")]
    texts: set[str] = set()
    for record in records:
        if isinstance(record, StepStarted) and isinstance(record.request, Request):
            texts.update(message.content for message in record.request.messages)
        elif isinstance(record, StepFinished) and record.result is not None:
            texts.add(getattr(record.result, "text", ""))
    return path.stat().st_size, sum(len(text.encode()) for text in texts)


@pytest.mark.parametrize("members", [3, 6])
async def test_the_journal_of_a_debate_grows_in_proportion_to_new_text(members: int, tmp_path: Path) -> None:
    sizes = {rounds: await debated(tmp_path, members, rounds) for rounds in (2, 4, 8)}
    size = {rounds: each[0] for rounds, each in sizes.items()}
    for rounds, (total, new) in sizes.items():
        assert total < 1.6 * new + 60_000, f"{rounds} rounds: {total} bytes for {new} of new text"
    a_round, later = (size[4] - size[2]) / 2, (size[8] - size[4]) / 4
    assert later == pytest.approx(a_round, rel=0.1), "each round costs what the one before cost"
