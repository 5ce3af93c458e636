"""A process that appends is killed at any moment: what it was told was written is there, and nothing is half there.

Ten kills in the default run; a hundred with PHALANX_TORTURE set.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest

from phalanx.runtime.events import StepStarted
from phalanx.runtime.sqlite import SqliteLog

KILLS = 100 if os.environ.get("PHALANX_TORTURE") else 10
STREAMS = 4
BATCH = 3

CHILD = f"""
import os, sys, anyio
from phalanx.messages import Message, Request
from phalanx.runtime.events import StepStarted
from phalanx.runtime.sqlite import SqliteLog

def record(name, number):
    message = Message(role="user", content=f"{{name}} {{number}} " * 60)
    return StepStarted(name, number, (), 0.0, None, "k", "model", "m", Request(messages=(message,)))

async def write(log, name):
    end = len(await log.read(name))
    while True:
        records = [record(name, end + at) for at in range(1, {BATCH + 1})]
        end = await log.append(name, records, expect=end)
        os.write(1, f"{{name}} {{end}}\\n".encode())

async def main():
    log = SqliteLog(sys.argv[1], durable=sys.argv[2])
    async with anyio.create_task_group() as group:
        for number in range({STREAMS}):
            group.start_soon(write, log, f"s{{number}}")

anyio.run(main)
"""


@pytest.mark.timeout(30 * KILLS)
@pytest.mark.parametrize("durable", ["normal", "full"])
def test_a_killed_process_loses_nothing_it_was_told_was_written(tmp_path: Path, durable: str) -> None:
    chance = random.Random(f"kill {durable}")
    told: dict[str, int] = {}
    grew = 0
    for turn in range(KILLS // 2):
        if turn % 5 == 0:
            path, told = tmp_path / f"{turn}.db", {}
        before = sum(told.values())
        for name, end in killed(path, durable, chance).items():
            assert end > told.get(name, 0)
            told[name] = end
        grew += sum(told.values()) > before
        found = anyio.run(sound_streams, path)
        assert set(told) <= set(found)
        for name, numbers in found.items():
            assert numbers == list(range(1, len(numbers) + 1))
            assert len(numbers) % BATCH == 0
            assert len(numbers) >= told.get(name, 0)
    assert grew >= KILLS // 4


def killed(path: Path, durable: str, chance: random.Random) -> dict[str, int]:
    """Start a writer and kill it; where each stream ended, as far as it was told."""
    with subprocess.Popen([sys.executable, "-c", CHILD, str(path), durable], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        # Sometimes in the very first moments, while the file is made or recovered; mostly in the midst of writing.
        if chance.random() < 0.8:
            first = child.stdout.readline()
        else:
            first = b""
        time.sleep(chance.uniform(0, 0.25))
        child.kill()
        lines = (first + child.stdout.read()).decode().splitlines()
    assert child.returncode == -9
    return {name: int(end) for name, end in (line.split() for line in lines)}


async def sound_streams(path: Path) -> dict[str, list[int]]:
    """The numbers of the records in each stream of a file in which nothing is wrong."""
    async with SqliteLog(path) as log:
        assert await log.check() == []
        found = {}
        for name in await log.streams():
            records = [record for _, record in await log.read(name)]
            assert all(isinstance(record, StepStarted) and record.run_id == name for record in records)
            found[name] = [record.seq for record in records if isinstance(record, StepStarted)]
        return found
