"""The blackboard over the logs that last, held against the same plain model as over memory."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from phalanx.runtime.log import Log
from phalanx.runtime.sqlite import SqliteLog
from tests.runtime.board_machine import board_machine
from tests.runtime.postgres_server import server
from tests.runtime.stores import make_store

few = settings(max_examples=6, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))


@asynccontextmanager
async def sqlite_log() -> AsyncGenerator[Log, None]:
    with tempfile.TemporaryDirectory() as folder:
        async with SqliteLog(Path(folder, "log.db")) as log:
            yield log


@asynccontextmanager
async def postgres_log() -> AsyncGenerator[Log, None]:
    log = make_store("postgres", Path()).open()
    try:
        yield log
    finally:
        await log.aclose()


def test_a_board_in_sqlite_is_what_the_model_says_on_asyncio() -> None:
    run_state_machine_as_test(board_machine(sqlite_log), settings=few)


def test_a_board_in_sqlite_is_what_the_model_says_on_trio() -> None:
    run_state_machine_as_test(board_machine(sqlite_log, "trio"), settings=few)


def test_a_board_in_postgres_is_what_the_model_says() -> None:
    server()
    run_state_machine_as_test(board_machine(postgres_log), settings=few)
