"""What costs without any network: a turn with a model that answers at once, building, replaying, journals, votes."""

from __future__ import annotations

import random
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

from phalanx.agents.agent import Agent
from phalanx.agents.models.offline import FunctionModel
from phalanx.formations.voting import Borda, Plurality, RankedPairs, Schulze
from phalanx.messages import Completion, Request, Usage
from phalanx.runtime.log import Log, MemoryLog
from phalanx.runtime.sqlite import SqliteLog
from phalanx.teams.team import AgentTeam

from .measure import Row, Target, Timing, cpu, interleaved, ratio
from .server import TEXT
from .workloads import TASK, W1, maker

_ANSWER = Completion(text=TEXT, usage=Usage(1, 120, 14), model="loopback")
Work = Callable[[], Awaitable[object]]


def _instant(_: Request) -> Completion:
    return _ANSWER


async def measure(port: int, *, rounds: int, times: int) -> AsyncIterator[Row]:
    """The rows, as they are ready."""
    for row in await _turns(rounds, times):
        yield row
    for row in await _builds(rounds, times):
        yield row
    for row in await _journals(port, rounds, times):
        yield row
    for row in await _votes(rounds):
        yield row


async def _turns(rounds: int, times: int) -> list[Row]:
    """A turn of W1 when the model answers at once: unseen, watched, and journaled in memory."""
    model = FunctionModel(_instant)
    team = AgentTeam.pipeline([Agent("worker", name=f"member-{at}") for at in range(4)], model=model)
    works: dict[str, Work] = {
        "in all": partial(team.run, TASK),
        "watched": partial(team.run, TASK, on_event=list[object]().append),
        "journaled in memory": lambda: team.run(TASK, log=MemoryLog()),
    }
    found = await interleaved(works, rounds=rounds, times=times)
    targets = {"in all": Target(150, 60), "watched": Target(150, 60)}
    return [cpu(f"a turn, model at once, {name}", each, 4, targets.get(name)) for name, each in found.items()]


async def _builds(rounds: int, times: int) -> list[Row]:
    model = FunctionModel(_instant)

    async def agent() -> None:
        Agent("worker", name="ada", model=model)

    async def team() -> None:
        AgentTeam.pipeline([Agent("worker", name=f"member-{at}") for at in range(4)], model=model)

    found = await interleaved({"an agent": agent, "a team of 4": team}, rounds=rounds, times=times * 5)
    targets = {"an agent": Target(40, 15), "a team of 4": Target(200, 80)}
    return [cpu(f"build {name}", timings, 1, targets[name]) for name, timings in found.items()]


async def _journals(port: int, rounds: int, times: int) -> list[Row]:
    """W1 live and journaled, by kind of journal; and played back from it."""
    team = W1.make(maker(f"http://127.0.0.1:{port}/d0/v1", "direct"))
    assert isinstance(team, AgentTeam)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        sqlite = SqliteLog(Path(folder) / "journal.db")
        kept: Log = MemoryLog()
        await team.run(TASK, run_id="recorded", log=kept)
        works: dict[str, Work] = {
            "live": lambda: team.run(TASK, log=MemoryLog()),
            "sqlite": partial(team.run, TASK, log=sqlite),
            "replay": partial(team.replay, "recorded", log=kept),
        }
        found = await interleaved(works, rounds=rounds, times=times)
        await sqlite.aclose()
    await team.aclose()
    return [
        ratio("W1 with the SQLite journal / in memory", found["sqlite"], found["live"], Target(1.25, 1.1)),
        ratio("W1 with the SQLite journal / in memory", found["sqlite"], found["live"], wall=True),
        _faster("replay of W1, times faster than live", found["live"], found["replay"]),
        cpu("replay of W1, a call", found["replay"], W1.calls),
    ]


def _faster(name: str, live: list[Timing], replay: list[Timing]) -> Row:
    values = tuple(a.wall / b.wall for a, b in zip(live, replay, strict=True))
    return Row(name, "wall", values, Target(20, 40, at_least=True))


async def _votes(rounds: int) -> list[Row]:
    """A thousand ballots that rank ten candidates."""
    chance = random.Random(0)
    names = [f"candidate {at}" for at in range(10)]
    ranked = [chance.sample(names, len(names)) for _ in range(1000)]
    chosen = [ballot[0] for ballot in ranked]

    def deciding(rule: Plurality | Borda | Schulze | RankedPairs, ballots: object) -> Work:
        async def decide() -> None:
            rule.decide(ballots, seed=0)  # type: ignore[arg-type]

        return decide

    works = {
        "Plurality": deciding(Plurality(), chosen), "Borda": deciding(Borda(), ranked),
        "Schulze": deciding(Schulze(), ranked), "RankedPairs": deciding(RankedPairs(), ranked),
    }  # fmt: skip
    found = await interleaved(works, rounds=rounds, times=5)
    slow, fast = Target(5000, 2500), Target(1000, 500)
    targets = {"Plurality": fast, "Borda": fast, "Schulze": slow, "RankedPairs": slow}
    return [cpu(f"{name}, 1,000 ballots of 10", each, 1, targets[name]) for name, each in found.items()]
