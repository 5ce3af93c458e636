"""Connections to a Postgres database, opened when they are needed, and what went wrong with them in words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio

from phalanx.errors import ConfigurationError, LogError

from .bells import Bells
from .postgres_tables import Connection, Tables

if TYPE_CHECKING:
    import asyncio


class Link:
    """A pool of connections, and one that listens. It belongs to the event loop of its first use."""

    def __init__(self, dsn: str, tables: Tables, bells: Bells, *, timeout: float, connections: int) -> None:
        self.tables, self.timeout = tables, timeout
        self._dsn, self._bells, self._connections = dsn, bells, connections
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pool: Any = None
        self._listener: Any = None
        self._opening = anyio.Lock()
        self._made = self.closed = False

    @property
    def was_connected(self) -> bool:
        """Whether there ever was a connection, so that something may have been sent."""
        return self._pool is not None

    def check(self) -> asyncio.AbstractEventLoop:
        """The running loop. Raises LogError when the link is closed or another loop's, ConfigurationError on trio."""
        import asyncio

        if self.closed:
            raise LogError(f"the log {self.tables.where} is closed")
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise ConfigurationError("PostgresLog works on asyncio only; under trio use SqliteLog") from None
        if self._loop is not None and self._loop is not loop:
            raise LogError(f"the log {self.tables.where} is used by another event loop; make one for each loop")
        self._loop = loop
        return loop

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection | None]:
        """What to read with; None when there are no tables. Errors of the database come out as LogError."""
        self.check()
        try:
            yield await self.pool(make=False)
        except (LogError, ConfigurationError):
            raise
        except Exception as problem:
            raise explained(problem, self.tables.where) from problem

    async def pool(self, *, make: bool) -> Any:
        """The connections, with the tables made if they are not there; None when they are not and shall not be."""
        if self._made:
            return self._pool
        async with self._opening:
            if self._pool is None:
                self._pool = await _asyncpg().create_pool(
                    self._dsn, min_size=1, max_size=self._connections, timeout=self.timeout,
                    command_timeout=self.timeout,
                )  # fmt: skip
            if not self._made:
                async with self._pool.acquire() as connection:
                    self._made = await self.tables.exist(connection)
                    if make and not self._made:
                        async with connection.transaction():
                            await self.tables.make(connection)
                        self._made = True
        return self._pool if self._made else None

    async def connect(self, application: str) -> Any:
        """A connection by itself. application: what the server knows it by."""
        return await _asyncpg().connect(
            self._dsn, timeout=self.timeout, command_timeout=self.timeout,
            server_settings={"application_name": application},
        )  # fmt: skip

    async def listen(self) -> None:
        """Have the server tell what is new, from now on."""
        self.check()
        async with self._opening:
            if self.closed or (self._listener is not None and not self._listener.is_closed()):
                return
            try:
                listener = await _asyncpg().connect(self._dsn, timeout=self.timeout, command_timeout=self.timeout)
                await listener.add_listener(self.tables.channel, self._heard)
            except Exception as problem:
                raise explained(problem, self.tables.where) from problem
            listener.add_termination_listener(lambda _: self._bells.ring_all())
            self._listener = listener

    async def close(self) -> None:
        """Let go of all connections: in peace, or at once when the server does not answer."""
        async with self._opening:
            pool, self._pool, listener, self._listener = self._pool, None, self._listener, None
            self._made = False
            for each in (listener, pool):
                if each is None:
                    continue
                try:
                    with anyio.fail_after(self.timeout):
                        await each.close()
                except (OSError, TimeoutError):
                    each.terminate()

    def _heard(self, _connection: object, _process: int, _channel: str, text: str) -> None:
        head, _, stream = text.partition(" ")
        if stream:
            self._bells.ring({stream: int(head)})
        else:
            self._bells.ring_all()


def place_of(dsn: str) -> str:
    """A database's address as it may be shown: without user and password."""
    parts = urlsplit(dsn)
    port = f":{parts.port}" if parts.port else ""
    return f"postgresql://{parts.hostname or ''}{port}{parts.path}"


def explained(problem: BaseException, where: str) -> LogError | ConfigurationError:
    """What went wrong with the database, and what to do."""
    if isinstance(problem, LogError | ConfigurationError):
        return problem
    name, text = type(problem).__name__, str(problem).split("\n", 1)[0]
    if name.startswith("Invalid") and ("Password" in name or "Authorization" in name or "Catalog" in name):
        return ConfigurationError(f"{where} refuses the connection ({text}); check user, password and database")
    if name == "InsufficientPrivilegeError":
        return LogError(f"{where}: this user lacks a right ({text}); it needs CREATE on the database once, then USAGE")
    if name == "ReadOnlySQLTransactionError":
        return LogError(f"{where} is read-only at the moment ({text}); nothing was written")
    if name == "DiskFullError":
        return LogError(f"{where}: its disk is full; nothing of this was written and what was written is intact")
    if name == "TooManyConnectionsError":
        return LogError(f"{where} takes no more connections ({text}); give PostgresLog(…, connections=…) fewer")
    if is_lost(problem):
        return LogError(f"{where} cannot be reached ({name}: {text})")
    return LogError(f"{where} cannot be used ({name}: {text})")


def is_lost(problem: BaseException) -> bool:
    """Whether the connection is gone, so that the end of what was asked is not known."""
    return isinstance(problem, OSError | TimeoutError) or type(problem).__name__ in {
        "ConnectionDoesNotExistError",
        "ConnectionFailureError",
        "ConnectionRejectionError",
        "InterfaceError",
        "AdminShutdownError",
        "CrashShutdownError",
        "CannotConnectNowError",
        "InternalClientError",
    }


def _asyncpg() -> Any:
    try:
        import asyncpg  # type: ignore[import-untyped]
    except ImportError:
        raise ConfigurationError(
            "PostgresLog needs asyncpg; install it with: pip install 'phalanx[postgres]'"
        ) from None
    return asyncpg
