"""What is measured: the same work done by a team, and by hand with the same bytes.

A team runs each workload once while its requests are taken down; by hand, these are sent in the same order, those
that the team sends at the same time at the same time.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

import anyio

from phalanx.agents.agent import Agent
from phalanx.agents.models.mapping import messages_of, parameters_of
from phalanx.agents.models.options import Path
from phalanx.agents.result import AgentResult
from phalanx.messages import Request
from phalanx.runtime.events import AnyEvent, StepStarted, Token
from phalanx.teams.team import AgentTeam

from .bare import KEY, Bare, Call

TASK = "Write a short report on how rivers change their course, in three paragraphs."
Doer = Agent | AgentTeam


def look_up(word: str) -> str:
    """The meaning of a word."""
    return f"{word}: a reply to a question"


@dataclass(frozen=True)
class Workload:
    """A way of working. together: how many of its calls go at the same time, one after the other. delay: of the
    server, in ms."""

    name: str
    what: str
    make: Callable[[Callable[..., Agent]], Doer]
    together: tuple[int, ...]
    delay: int = 0

    @property
    def calls(self) -> int:
        """How many model calls it makes."""
        return sum(self.together)


def _team(agent: Callable[..., Agent], count: int) -> list[Agent]:
    return [agent("worker", name=f"member-{at}") for at in range(count)]


W1 = Workload(
    "W1", "pipeline of 4", lambda agent: AgentTeam.pipeline(_team(agent, 4)), (1, 1, 1, 1)
)  # fmt: skip
W2 = Workload(
    "W2",
    "8 at once and an aggregator, 50 ms server",
    lambda agent: AgentTeam.parallel(
        _team(agent, 8), aggregation="synthesize", aggregator=agent("aggregator", name="writer")
    ),
    (8, 1),
    50,
)
W3 = Workload(
    "W3",
    "3 members, 3 rounds of talk over a board",
    lambda agent: AgentTeam.flat(_team(agent, 3), rounds=3, aggregation="concat"),
    (1,) * 9,
)
W4 = Workload("W4", "teams of W1 at once, 50 ms server", W1.make, W1.together, 50)
W5 = Workload("W5", "one agent, 5 tool calls", lambda agent: agent("worker", name="user", tools=[look_up]), (1,) * 6)


def maker(url: str, path: Path) -> Callable[..., Agent]:
    """What makes agents whose model is the loopback server's, on a path."""
    return partial(Agent, model="openai/loopback", api_base=url, api_key=KEY, path=path)


async def rehearse(workload: Workload, doer: Doer) -> list[Call]:
    """The calls of a workload, as the team makes them."""
    requests: list[Request] = []

    def note(event: AnyEvent) -> None:
        if isinstance(event, StepStarted) and isinstance(event.request, Request):
            requests.append(event.request)

    await doer.run(TASK, on_event=note)
    if len(requests) != workload.calls:
        raise RuntimeError(f"{workload.name} made {len(requests)} calls, not {workload.calls}")
    return [
        Call(messages_of(request), parameters_of(request, model="openai/loopback", output=False))
        for request in requests
    ]


async def by_team(doer: Doer) -> AgentResult:
    """The work, done by the team."""
    return await doer.run(TASK)


async def by_hand(bare: Bare, workload: Workload, calls: Sequence[Call]) -> str:
    """The same work, done by hand."""
    at, text = 0, ""
    for count in workload.together:
        if count == 1:
            text, wishes = await bare.ask(calls[at])
            for wish in wishes:
                look_up(**json.loads(wish))
        else:
            await at_once([partial(bare.ask, call) for call in calls[at : at + count]])
        at += count
    return text


async def at_once(works: Sequence[Callable[[], Awaitable[object]]]) -> None:
    """All of it at the same time."""

    async def do(work: Callable[[], Awaitable[object]]) -> None:
        await work()

    async with anyio.create_task_group() as group:
        for work in works:
            group.start_soon(do, work)


async def stream_by_agent(agent: Agent) -> int:
    """Read one streamed answer of an agent; gives the number of pieces."""
    pieces = 0
    async with agent.stream_events(TASK) as events:
        async for event in events:
            pieces += isinstance(event, Token)
    return pieces


async def stream_by_hand(bare: Bare, call: Call) -> int:
    """Read one streamed answer by hand; gives the number of pieces."""
    pieces = 0
    async with aclosing(bare.stream(call)) as texts:
        async for _ in texts:
            pieces += 1
    return pieces
