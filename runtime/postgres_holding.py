"""Who works on a run in a Postgres log: advisory locks of one session, which end with its connection."""

from __future__ import annotations

import os
import platform
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import anyio

from phalanx.errors import RunBusy

from .holding import held_among
from .postgres_link import Link, explained, is_lost

HOLDER = """
    SELECT a.application_name AS name, a.backend_start AS since
    FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (l.classid::bigint << 32 | l.objid::bigint) = $1
"""


class Holds:
    """The runs that a log holds, all by one connection, which is open as long as there are any."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._runs: set[tuple[int, str]] = set()
        self._connection: Any = None
        self._turn = anyio.Lock()

    @asynccontextmanager
    async def hold(self, run_id: str) -> AsyncIterator[None]:
        """Hold a run while the block lasts. Raises RunBusy, naming who holds it; LogError without the database."""
        with held_among(self._runs, (0, run_id), run_id):
            await self._take(run_id)
            try:
                yield
            finally:
                with anyio.move_on_after(self._link.timeout, shield=True):
                    await self._give_back(run_id)

    async def _take(self, run_id: str) -> None:
        self._link.check()
        async with self._turn:
            try:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await self._link.connect(_application())
                    # What was held by a connection that broke is taken again, if nobody was faster; if somebody was,
                    # the position in the log tells them apart.
                    for _, other in self._runs - {(0, run_id)}:
                        await self._connection.fetchval("SELECT pg_try_advisory_lock($1)", self._key(other))
                key = self._key(run_id)
                if not await self._connection.fetchval("SELECT pg_try_advisory_lock($1)", key):
                    found = await self._connection.fetch(HOLDER, key)
                    raise RunBusy(run_id, _told(found[0]) if found else "another process")
            except RunBusy:
                await self._close_if_unused(1)
                raise
            except Exception as problem:
                await self._close_if_unused(1)
                raise explained(problem, self._link.tables.where) from problem

    async def _give_back(self, run_id: str) -> None:
        async with self._turn:
            if self._connection is None:
                return
            try:
                await self._connection.execute("SELECT pg_advisory_unlock($1)", self._key(run_id))
            except Exception as problem:
                # A lock ends with its connection: there is nothing left to give back.
                if not is_lost(problem):
                    raise explained(problem, self._link.tables.where) from problem
            await self._close_if_unused(1)

    async def close(self) -> None:
        """Let go of all of them."""
        async with self._turn:
            await self._close_if_unused(len(self._runs))

    async def _close_if_unused(self, leaving: int) -> None:
        connection = self._connection
        if connection is None or len(self._runs) > leaving:
            return
        self._connection = None
        try:
            with anyio.fail_after(self._link.timeout, shield=True):
                await connection.close()
        except (OSError, TimeoutError):
            connection.terminate()

    def _key(self, run_id: str) -> int:
        """The number that stands for a run of this schema, as Postgres counts: with a sign, in 64 bits."""
        name = f"{self._link.tables.schema}/{run_id}".encode("utf-8", "surrogatepass")
        return int.from_bytes(sha256(name).digest()[:8], "big", signed=True)


def _application() -> str:
    """What the server knows the connection by, and tells others who ask for the same run."""
    return f"phalanx {os.getpid()} {platform.node()}"[:63]


def _told(row: Any) -> str:
    _, _, rest = str(row["name"]).partition("phalanx ")
    process, _, host = rest.partition(" ")
    since = row["since"].strftime("%Y-%m-%d %H:%M:%S %Z")
    return (
        f"process {process} on {host or 'another machine'} (connected since {since})" if process else "another process"
    )
