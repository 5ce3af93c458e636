"""Where the command line keeps its runs: one SQLite file in the platform's folder for data, readable by its owner."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio

from phalanx.errors import LogError
from phalanx.settings import Settings

from .failures import WrongUse
from .text import one_line

if TYPE_CHECKING:
    from phalanx.runtime.sqlite import SqliteLog

    from .story import Story

T = TypeVar("T")

FILE = "runs.db"
RUNS = "run/"
SHORTEST = 8
LAST = "last"
# The ids that runs are given by themselves: 12 hex digits of milliseconds since the epoch, then 12 of chance.
_GIVEN = re.compile(r"[0-9a-f]{24}")


def runs_file() -> Path:
    """The file of all runs: in PHALANX_HOME, else where this platform keeps the data of its users' programs.

    Raises WrongUse when there is no such place.
    """
    if (home := Settings.from_environment().home) is not None:
        return Path(home).expanduser().absolute() / FILE
    try:
        return _data_folder(sys.platform, Path.home()) / "phalanx" / FILE
    except RuntimeError:
        raise WrongUse("there is no home directory to keep runs in; set PHALANX_HOME to a folder") from None


def _data_folder(platform: str, home: Path) -> Path:
    if platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    if platform == "darwin":
        return home / "Library" / "Application Support"
    # The specification of XDG_DATA_HOME wants a relative path to be ignored.
    given = Path(os.environ.get("XDG_DATA_HOME") or "")
    return given if given.is_absolute() else home / ".local" / "share"


def new_journal() -> SqliteLog:
    """The log that a new run is written to, found writable; its folder and its file are made when they are missing.

    Both are made for their owner only: prompts and answers stand in them in clear text. Raises WrongUse, saying how
    to go on without, when the file cannot be opened or written.
    """
    from phalanx.runtime.sqlite import SqliteLog

    file = runs_file()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            # SQLite gives the files beside it the same rights.
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))

        async def try_out(log: SqliteLog) -> None:
            await log.append(RUNS, [])

        _with_log(file, try_out)
    except (OSError, LogError) as problem:
        reason = f"{file}: {problem.strerror}" if isinstance(problem, OSError) and problem.strerror else str(problem)
        raise WrongUse(
            f"runs cannot be kept: {one_line(reason)}; nothing was spent. Set PHALANX_HOME to another folder, or run "
            "with --no-journal, which keeps nothing"
        ) from None
    return SqliteLog(file)


def stored(work: Callable[[SqliteLog], Awaitable[T]]) -> T:
    """What is found in the file of runs, read in an event loop of its own; reading makes no file."""
    return _with_log(runs_file(), work)


def stored_run(given: str) -> Story:
    """The run that an id, the unique beginning of one, or "last" stands for. Raises WrongUse when there is none."""
    from .story import Story

    async def read(log: SqliteLog) -> Story:
        run_id = await find_run(log, given)
        return Story(run_id, [record for _, record in await log.read(f"{RUNS}{run_id}")])

    return stored(read)


async def find_run(log: SqliteLog, given: str) -> str:
    """The id that an id, the unique beginning of one, or "last" stands for. Raises WrongUse when that is not one."""
    ids = await run_ids(log)
    if given in ids:
        return given
    if given == LAST and ids:
        return ids[0]
    found = [each for each in ids if each.startswith(given)] if given else []
    if len(found) == 1:
        return found[0]
    if not found:
        raise WrongUse(f"there is no run {given!r} in {runs_file()}; `phalanx runs` lists them")
    shown = ", ".join(one_line(each) for each in found[:4]) + (", …" if len(found) > 4 else "")
    raise WrongUse(f"{len(found)} runs begin with {given!r}: {shown}; give more of the id")


async def run_ids(log: SqliteLog) -> list[str]:
    """The ids of all runs, the latest first."""
    ids = [stream.removeprefix(RUNS) for stream in await log.streams(RUNS)]
    began = {run_id: await _began(log, run_id) for run_id in ids}
    return sorted(ids, key=lambda run_id: (began[run_id], run_id), reverse=True)


def shortest(ids: list[str]) -> dict[str, str]:
    """For each id the shortest beginning that no other one has, and at least a few characters of it."""
    ordered, found = sorted(ids), dict[str, str]()
    for at, run_id in enumerate(ordered):
        beside = ordered[max(0, at - 1) : at] + ordered[at + 1 : at + 2]
        common = max((_common(run_id, each) for each in beside), default=0)
        found[run_id] = run_id[: max(SHORTEST, common + 1)]
    return found


def _common(one: str, other: str) -> int:
    """With how many characters both begin."""
    return next((at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), len(one))


async def _began(log: SqliteLog, run_id: str) -> float:
    """When a run began; an id that it was given by itself says so, of others the first record has to be read."""
    if _GIVEN.fullmatch(run_id):
        return int(run_id[:12], 16) / 1000
    try:
        ends = await log.ends(f"{RUNS}{run_id}")
    except LogError:  # it is damaged: whoever wants to see it is told so
        return 0.0
    return 0.0 if ends is None else float(getattr(ends[0], "time", 0.0))


def _with_log(file: Path, work: Callable[[SqliteLog], Awaitable[T]]) -> T:
    from phalanx.runtime.sqlite import SqliteLog

    async def read() -> T:
        async with SqliteLog(file) as log:
            return await work(log)

    return anyio.run(read)
