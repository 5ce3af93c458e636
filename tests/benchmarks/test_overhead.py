"""The benchmark of our own speed does the same work on every way; how fast is not tested."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from phalanx.agents.agent import Agent
from phalanx.benchmarks.overhead import bare, litellm, workloads
from phalanx.benchmarks.overhead.__main__ import main
from phalanx.benchmarks.overhead.bare import KEY, Bare, Call
from phalanx.benchmarks.overhead.measure import Row, Target, Timing, overhead, ratio
from phalanx.benchmarks.overhead.server import PIECES, TEXT, TOOL_CALLS, running
from phalanx.benchmarks.overhead.workloads import (
    W1,
    W2,
    W3,
    W5,
    Doer,
    Workload,
    by_hand,
    by_team,
    maker,
    rehearse,
    stream_by_agent,
    stream_by_hand,
)

# What LiteLLM warns of inside is no error of ours.
pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning", "default::UserWarning")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with running() as number:
        yield number


@asynccontextmanager
async def every_way(url: str) -> AsyncIterator[list[Bare]]:
    async with bare.openai(url) as openai, litellm.acompletion(url) as acompletion, litellm.direct(url) as direct:
        yield [openai, acompletion, direct]


@asynccontextmanager
async def closing(doer: Doer) -> AsyncIterator[Doer]:
    try:
        yield doer
    finally:
        await doer.aclose()


@pytest.mark.wire
@pytest.mark.parametrize("workload", [W1, W2, W3, W5], ids=lambda workload: workload.name)
async def test_a_team_and_every_way_by_hand_come_to_the_same_answer(workload: Workload, port: int) -> None:
    url = f"http://127.0.0.1:{port}/d1/v1"
    async with closing(workload.make(maker(url, "direct"))) as team, every_way(url) as ways:
        calls = await rehearse(workload, team)
        result = await by_team(team)
        texts = [await by_hand(way, workload, calls) for way in ways]

    assert texts == [TEXT] * 3
    assert TEXT in result.content
    assert result.usage.calls == len(calls) == workload.calls
    assert len(result.tool_calls) == (TOOL_CALLS if workload is W5 else 0)


@pytest.mark.wire
@pytest.mark.filterwarnings("default::DeprecationWarning")  # of LiteLLM's own stream
async def test_a_stream_has_the_same_pieces_on_every_way(port: int) -> None:
    url = f"http://127.0.0.1:{port}/d0/v1"
    call = Call([{"role": "user", "content": workloads.TASK}], {})
    async with Agent("worker", model="openai/loopback", api_base=url, api_key=KEY) as agent, every_way(url) as ways:
        assert await stream_by_agent(agent) == PIECES
        assert [await stream_by_hand(way, call) for way in ways] == [PIECES] * 3


@pytest.mark.wire
async def test_a_workload_that_makes_other_calls_than_it_says_is_refused(port: int) -> None:
    url = f"http://127.0.0.1:{port}/d0/v1"
    wrong = Workload("W9", "wrong", W1.make, (1, 1))
    async with closing(wrong.make(maker(url, "direct"))) as team:
        with pytest.raises(RuntimeError, match="made 4 calls, not 2"):
            await rehearse(wrong, team)


def test_ratios_are_taken_round_by_round() -> None:
    ours, base = [Timing(2.0, 3.0), Timing(6.0, 9.0)], [Timing(1.0, 1.0), Timing(2.0, 2.0)]

    assert ratio("a", ours, base).values == (2.0, 3.0)
    assert ratio("a", ours, base, wall=True).values == (3.0, 4.5)
    assert overhead("a", ours, base, calls=2).values == (0.5e6, 2e6)


def test_a_row_says_what_it_reached() -> None:
    low, high = Target(2.0, 1.0), Target(20, 40, at_least=True)

    assert [low.verdict(value) for value in (0.9, 1.5, 2.1)] == ["goal", "gate", "missed"]
    assert [high.verdict(value) for value in (50, 30, 10)] == ["goal", "gate", "missed"]
    assert Row("a", "x", (3.0, 1.0, 1.5), low).as_json()["reached"] == "gate"


@pytest.mark.wire
def test_the_command_writes_every_row_with_its_spread_and_its_commit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rows.json"

    assert main(["--rounds", "1", "--times", "1", "--only", "inside", "--json", str(file)]) == 0

    written = json.loads(file.read_text())
    assert {"commit", "python", "litellm", "seed"} <= set(written)
    assert all(row["min"] <= row["median"] <= row["max"] and row["n"] == 1 for row in written["rows"])
    printed = capsys.readouterr().out
    assert all(row["name"] in printed for row in written["rows"])
