"""A Postgres server of the tests' own: made when it is first needed, reached by a socket file, gone with the tests."""

from __future__ import annotations

import atexit
import functools
import getpass
import glob
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

_numbers = itertools.count(1)


class Server:
    """One server in a folder of its own."""

    def __init__(self, binaries: Path) -> None:
        self.binaries = binaries
        self.folder = Path(tempfile.mkdtemp(prefix="phalanx-pg-", dir="/tmp"))
        # Postgres does not run as root, for good reasons.
        self.user = _somebody_else() if os.geteuid() == 0 else None
        if self.user is not None:
            shutil.chown(self.folder, self.user)
        self.folder.chmod(0o755)
        self._watch_over()
        self._run("initdb", "-D", str(self.data), "-U", "phalanx", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def dsn(self, database: str = "postgres", user: str = "phalanx") -> str:
        """The address of a database on this server."""
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def new_schema(self) -> str:
        """A name that no other test uses."""
        return f"test_{os.getpid()}_{next(_numbers)}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off -c max_connections=60"
        self._run("pg_ctl", "-D", str(self.data), "-l", str(self.folder / "log"), "-o", options, "-w", "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it; "immediate" is a crash to whoever is connected."""
        if (self.data / "postmaster.pid").exists():
            self._run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    def run_sql(self, statement: str, database: str = "postgres") -> str:
        """What psql prints for a statement."""
        return self._run("psql", "-h", str(self.folder), "-U", "phalanx", "-At", "-c", statement, database)

    def _watch_over(self) -> None:
        """Have a process clean up when this one ends, however it ends: then the pipe between them breaks."""
        script = 'read _; "$0" -D "$1/data" -m immediate -w stop >"$1/end" 2>&1; rm -rf "$1"'
        watcher = subprocess.Popen(
            ["/bin/sh", "-c", script, str(self.binaries / "pg_ctl"), str(self.folder)],
            stdin=subprocess.PIPE,
            user=self.user,
            cwd="/",
            start_new_session=True,
        )

        def end() -> None:
            assert watcher.stdin is not None
            watcher.stdin.close()
            watcher.wait(60)

        atexit.register(end)

    def _run(self, program: str, *arguments: str) -> str:
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        done = subprocess.run(
            [str(self.binaries / program), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if program != "psql" else subprocess.PIPE,
            text=True,
            timeout=90,
            user=self.user,
            cwd=self.folder,
            env=environment,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stdout} {done.stderr or ''}")
        return done.stdout


@functools.cache
def binaries() -> Path | None:
    """Where Postgres is installed; None when it is not."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb") + glob.glob("/usr/pgsql-*/bin/initdb"))[::-1]
    if on_path := shutil.which("initdb"):
        found.append(os.path.realpath(on_path))
    for folder in (Path(initdb).parent for initdb in found):
        if all((folder / program).exists() for program in ("pg_ctl", "psql")):
            return folder
    return None


@functools.cache
def _started() -> Server:
    where = binaries()
    assert where is not None
    return Server(where)


def server() -> Server:
    """The server of this test run. Skips the test where there is none, unless one is required."""
    if binaries() is None:
        if os.environ.get("CI") == "true" and os.environ.get("PHALANX_REQUIRE_POSTGRES"):
            pytest.fail("PHALANX_REQUIRE_POSTGRES is set, and no initdb and pg_ctl are installed")
        pytest.skip("no Postgres is installed here (initdb, pg_ctl)")
    pytest.importorskip("asyncpg")
    return _started()


def _somebody_else() -> str:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise RuntimeError(f"{getpass.getuser()} may not run Postgres, and there is no user postgres or nobody")
