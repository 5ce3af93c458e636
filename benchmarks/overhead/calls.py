"""W1 to W5 and streaming: teams on both paths against the bare libraries, over a loopback server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from phalanx.agents.agent import Agent

from . import bare, litellm
from .bare import Bare, Call
from .measure import Row, Target, Timing, cpu, interleaved, overhead, ratio, wall
from .workloads import (
    TASK,
    W1,
    W2,
    W3,
    W4,
    W5,
    Workload,
    at_once,
    by_hand,
    by_team,
    maker,
    rehearse,
    stream_by_agent,
    stream_by_hand,
)

TURN = Target(150, 60)
TO_OPENAI = {"W1": Target(0.45, 0.38), "W3": Target(0.40, 0.28), "W5": Target(0.35, 0.27)}
Timings = dict[str, list[Timing]]
Work = Callable[[], Awaitable[object]]


async def measure(port: int, *, rounds: int, times: int, teams: int) -> AsyncIterator[Row]:
    """The rows of all workloads, as they are ready. times: runs a round. teams: how many work at once in W4."""
    async with _ways(_url(port, 0)) as ways:
        for workload in (W1, W3, W5):
            for row in _rows(workload, await _run(workload, port, ways, rounds, times)):
                yield row
        for row in await _streams(port, ways, rounds, max(1, times // 5)):
            yield row
    async with _ways(_url(port, W2.delay)) as ways:
        found = await _run(W2, port, ways, rounds, max(1, times // 10))
        yield wall("W2 team, direct path (ideal 100)", found["team direct"], Target(108, 105))
        yield wall("W2 team, acompletion", found["team general"])
        yield wall("W2 by hand, direct path", found["direct"])
        yield wall("W2 by hand, openai SDK", found["openai"])
        for row in await _many(port, ways, rounds, teams):
            yield row


def _url(port: int, delay: int) -> str:
    return f"http://127.0.0.1:{port}/d{delay}/v1"


@asynccontextmanager
async def _ways(url: str) -> AsyncIterator[Mapping[str, Bare]]:
    async with AsyncExitStack() as stack:
        yield {
            "openai": await stack.enter_async_context(bare.openai(url)),
            "acompletion": await stack.enter_async_context(litellm.acompletion(url)),
            "direct": await stack.enter_async_context(litellm.direct(url)),
        }


async def _run(workload: Workload, port: int, ways: Mapping[str, Bare], rounds: int, times: int) -> Timings:
    url = _url(port, workload.delay)
    ours, general = workload.make(maker(url, "direct")), workload.make(maker(url, "general"))
    calls = await rehearse(workload, ours)
    works: dict[str, Work] = {name: partial(by_hand, each, workload, calls) for name, each in ways.items()}
    works |= {"team direct": partial(by_team, ours), "team general": partial(by_team, general)}
    found = await interleaved(works, rounds=rounds, times=times)
    await ours.aclose()
    await general.aclose()
    return found


def _rows(workload: Workload, found: Timings) -> list[Row]:
    name, calls = workload.name, workload.calls
    ours, general = found["team direct"], found["team general"]
    through = Target(1.06, 1.03) if name == "W1" else None
    rows = [
        ratio(f"{name} team, direct path / openai SDK", ours, found["openai"], TO_OPENAI[name]),
        ratio(f"{name} by hand, direct path / openai SDK", found["direct"], found["openai"]),
        ratio(f"{name} team, acompletion / acompletion by hand", general, found["acompletion"], through),
        overhead(f"{name} own overhead a call, direct path", ours, found["direct"], calls, TURN),
        overhead(f"{name} own overhead a call, acompletion", general, found["acompletion"], calls, TURN),
    ]
    return rows + [cpu(f"{name} CPU a call, {each}", timings, calls) for each, timings in found.items()]


async def _many(port: int, ways: Mapping[str, Bare], rounds: int, teams: int) -> list[Row]:
    """W4: many teams at once, each made anew."""
    url = _url(port, W4.delay)
    rehearsed = W4.make(maker(url, "direct"))
    calls = await rehearse(W4, rehearsed)

    async def ours() -> None:
        made = [W4.make(maker(url, "direct")) for _ in range(teams)]
        await at_once([partial(by_team, each) for each in made])

    works: dict[str, Work] = {
        name: partial(at_once, [partial(by_hand, ways[name], W4, calls)] * teams) for name in ("openai", "direct")
    }
    found = await interleaved({**works, "team direct": ours}, rounds=rounds, times=1)
    await rehearsed.aclose()
    ideal = W4.delay * len(W4.together) / 1e3
    rows = []
    for name, target in (("team direct", Target(2.5, 2.0)), ("direct", None), ("openai", None)):
        walls = [each.wall for each in found[name]]
        rows.append(Row(f"W4 {teams} teams, {name}", "x ideal", tuple(each / ideal for each in walls), target))
        speed = None if target is None else Target(1600, 2000, at_least=True)
        rates = tuple(teams * W4.calls / each for each in walls)
        rows.append(Row(f"W4 {teams} teams, {name}", "calls/s", rates, speed))
    rows.append(ratio(f"W4 {teams} teams / direct path by hand", found["team direct"], found["direct"], wall=True))
    rows.append(ratio(f"W4 {teams} teams / direct path by hand", found["team direct"], found["direct"]))
    return rows


async def _streams(port: int, ways: Mapping[str, Bare], rounds: int, times: int) -> list[Row]:
    """What a piece of a streamed answer costs on its way to the user's loop."""
    agent = Agent("worker", model="openai/loopback", api_base=_url(port, 0), api_key=bare.KEY, path="direct")
    messages = [{"role": "system", "content": agent.system_prompt()}, {"role": "user", "content": TASK}]
    call = Call(messages, {"temperature": agent.temperature, "max_tokens": agent.max_tokens})
    works: dict[str, Work] = {name: partial(stream_by_hand, each, call) for name, each in ways.items()}
    pieces = await stream_by_agent(agent)
    found = await interleaved({**works, "agent": partial(stream_by_agent, agent)}, rounds=rounds, times=times)
    await agent.aclose()
    return [
        overhead(
            "stream, a piece over the direct path by hand", found["agent"], found["direct"], pieces, Target(20, 8)
        ),
        *(cpu(f"stream CPU a piece, {name}", timings, pieces) for name, timings in found.items()),
    ]
