"""Many teams at once in one process, journaled and watched: they take about as long as one of them.

A hundred pipelines and no time limit in the default test; a thousand, two seconds a call, with PHALANX_TORTURE set.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio

# Loading LiteLLM freezes the garbage collector's objects: hypothesis must have registered its generators before that.
import hypothesis  # noqa: F401
import pytest

from phalanx import AgentTeam
from phalanx.agents.models.litellm import LiteLLM
from phalanx.messages import Message, Request
from phalanx.runtime.events import AnyEvent
from phalanx.runtime.sqlite import SqliteLog

TORTURE = bool(os.environ.get("PHALANX_TORTURE"))
PIPELINES, SECONDS = (1000, 2.0) if TORTURE else (100, 0.02)
MEMBERS = 4
pytestmark = [
    pytest.mark.wire,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("default::DeprecationWarning", "default::UserWarning"),
]


@contextmanager
def slow_server() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    script = Path(__file__).with_name("load_server.py")
    with subprocess.Popen(
        [sys.executable, str(script), str(SECONDS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1", process


def asked(process: subprocess.Popen[str]) -> int:
    """End the server; how often it was asked."""
    return int(process.communicate()[0])


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
async def test_many_journaled_pipelines_at_once_take_about_as_long_as_one(tmp_path: Path) -> None:
    others = share_of_others() if TORTURE else 0.0
    with slow_server() as (url, process):
        model = LiteLLM("openai/loopback", api_base=url, api_key="sk-load", timeout=120)
        await model.complete(Request(messages=(Message(role="user", content="warm"),)))
        seen = 0

        def watch(_: AnyEvent) -> None:
            nonlocal seen
            seen += 1

        async with SqliteLog(tmp_path / "log.db") as log:
            memory: list[int] = []
            took: list[float] = []
            busy: list[float] = []

            async def one(number: int) -> None:
                team = AgentTeam.pipeline(["ada", "bob", "cy", "dan"], model=model, name="load")
                assert await team.run(f"Task {number}?", log=log, on_event=watch) == "It is so."

            for part in range(2):
                began, worked = time.perf_counter(), time.process_time()
                async with anyio.create_task_group() as group:
                    for number in range(PIPELINES):
                        group.start_soon(one, part * PIPELINES + number)
                took.append(time.perf_counter() - began)
                busy.append(time.process_time() - worked)
                gc.collect()
                memory.append(resident())
            assert len(await log.streams("run/")) == 2 * PIPELINES
        await model.aclose()
        assert asked(process) == 2 * PIPELINES * MEMBERS + 1
    assert seen >= 2 * PIPELINES * MEMBERS * 4
    ideal = MEMBERS * SECONDS
    sys.stderr.write(
        f"\n{PIPELINES} pipelines of {MEMBERS}: {took[0]:.2f} s and {took[1]:.2f} s (ideal {ideal:g} s), "
        f"{busy[0]:.2f} s and {busy[1]:.2f} s of it at work; "
        f"resident {memory[0] / 1e6:.0f} MB, then {memory[1] / 1e6:.0f} MB\n"
    )
    if TORTURE:
        assert memory[1] - memory[0] < 0.1 * memory[0], "memory is flat"
        if others > 0.1:
            pytest.skip(f"{others:.0%} of the machine was busy with other work: the time says nothing")
        assert min(took) <= 1.5 * ideal


def share_of_others() -> float:
    """The share of all processors that was busy during a second in which this process did nothing."""

    def times() -> tuple[int, int]:
        numbers = [int(each) for each in Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:9]]
        return sum(numbers), numbers[3] + numbers[4]  # idle, and waiting for a disk

    all_before, idle_before = times()
    time.sleep(1)
    all_after, idle_after = times()
    return 1 - (idle_after - idle_before) / (all_after - all_before)


def resident() -> int:
    """The bytes of memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
