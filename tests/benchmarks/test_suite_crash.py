"""A suite that is killed at any moment and started again ends with the same table, and pays for nothing twice.

Three kills in the default test, fifty with PHALANX_TORTURE set.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from phalanx.messages import Request
from phalanx.runtime.events import StepFinished, StepStarted
from phalanx.runtime.sqlite import SqliteLog
from tests.crash.office import Call, Office, call_of, reply
from tests.wire.servers import serve

KILLS = 50 if os.environ.get("PHALANX_TORTURE") else 3
WORKER = Path(__file__).with_name("suite_worker.py")
pytestmark = [pytest.mark.wire, pytest.mark.timeout(3600 if KILLS > 3 else 170)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Office]:
    """A server, and a process whose children run suites."""
    errors = tmp_path / "errors"
    with serve("openai", reply) as server, errors.open("w") as file:
        worker = subprocess.Popen(
            [sys.executable, str(WORKER), server.url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, text=True,
        )  # fmt: skip
        with worker:
            assert worker.stdin is not None
            assert worker.stdout is not None
            assert worker.stdout.readline(), errors.read_text()
            yield Office(server, worker, tmp_path)
            worker.stdin.close()
            worker.wait()


def steps(log: Path) -> tuple[Counter[Call], Counter[Call]]:
    """What was asked of the model in all runs of a log: by steps that ended, and by steps that did not."""

    async def read() -> tuple[Counter[Call], Counter[Call]]:
        paid, unended = Counter[Call](), Counter[Call]()
        async with SqliteLog(log) as opened:
            assert await opened.check() == []
            for stream in await opened.streams("run/"):
                records = [record for _, record in await opened.read(stream)]
                ended = {each.key for each in records if isinstance(each, StepFinished)}
                # The last start of a step: one that was begun again has two.
                started = {each.key: each for each in records if isinstance(each, StepStarted)}
                for key, each in started.items():
                    assert isinstance(each.request, Request)
                    (paid if key in ended else unended)[call_of(each.request)] += 1
        return paid, unended

    return anyio.run(read)


def test_a_suite_killed_at_any_moment_ends_with_the_same_table_and_pays_nothing_twice(
    desk: Office, tmp_path: Path
) -> None:
    chance = random.Random("suite")
    began = time.monotonic()
    whole = desk.start("suite", tmp_path / "whole.db", "suite").outcome()
    took = time.monotonic() - began
    assert len(whole["attempts"]) == 7 * 6  # type: ignore[arg-type]
    kills = number = 0
    while kills < KILLS:
        number += 1
        assert number <= 10 * KILLS, "it is faster than it can be killed"
        log = tmp_path / f"log-{number}.db"
        before, open_at_kills = desk.calls(), Counter[Call]()
        killed = 0
        while killed < 3:
            child = desk.start("suite", log, "suite")
            time.sleep(chance.uniform(0, took))
            if not child.kill():
                break  # it was faster
            killed += 1
            open_at_kills += steps(log)[1]
        kills += killed
        assert desk.start("suite", log, "suite").outcome() == whole
        paid, unended = steps(log)
        assert not unended
        made = desk.calls() - before
        assert not set(made) - set(paid), "the server was asked what is in no journal"
        for call, count in made.items():
            assert count <= paid[call] + open_at_kills[call], "a call that had ended was made again"
        # Once more: nothing is asked at all.
        asked = desk.calls()
        assert desk.start("suite", log, "suite").outcome() == whole
        assert desk.calls() == asked
