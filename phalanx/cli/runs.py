"""`phalanx runs`, `phalanx export` and `phalanx import`: which runs there are, and one of them as a file."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from phalanx.errors import LogError
from phalanx.messages import Usage
from phalanx.runtime.events import RunFinished, RunStarted

from .exits import COMPLETED
from .failures import WrongUse, check_writable, say
from .journal import RUNS, find_run, new_journal, run_ids, runs_file, shortest, stored
from .story import Story
from .text import columns, cut, json_line, money, one_line

if TYPE_CHECKING:
    from phalanx.runtime.sqlite import SqliteLog

HEAD = ("run", "when", "team", "task", "status", "calls", "cost")
TEAM, TASK = 20, 40
RIGHT = ("calls", "cost")


@dataclass(frozen=True)
class Listed:
    """A run as it stands in the list."""

    start: RunStarted
    status: str
    usage: Usage


def list_runs(*, as_json: bool, limit: int) -> int:
    """Write the latest runs to stdout, the last one first; a run that cannot be read is named on stderr."""
    if limit < 1:
        raise WrongUse(f"--limit {limit}: give the number of runs to list, at least 1")

    async def read(log: SqliteLog) -> tuple[list[str], list[Listed | LogError]]:
        ids = await run_ids(log)
        return ids, [await _read(log, run_id) for run_id in ids[:limit]]

    ids, found = stored(read)
    listed = list(zip(ids, found, strict=False))
    if as_json:
        print(json_line([_facts(run_id, each) for run_id, each in listed]))
    elif not ids:
        say(f"there are no runs in {runs_file()}; `phalanx run` makes one")
    else:
        brief = shortest(ids)
        _table([HEAD, *(_row(brief[run_id], each) for run_id, each in listed)])
        if len(ids) > len(listed):
            say(f"{len(ids) - len(listed)} more; --limit {len(ids)} lists all")
    for run_id, each in listed:
        if isinstance(each, LogError):
            say(f"run {one_line(run_id)} cannot be read: {one_line(str(each))}")
    return COMPLETED


def export(given: str, file: Path | None, *, force: bool) -> int:
    """Write a run as JSON lines to a file that only its owner may read, or to stdout."""
    to_stdout = file is None or str(file) == "-"
    if to_stdout and sys.stdout.isatty():
        raise WrongUse("these lines are for programs: give a FILE, or send stdout to one")
    if file is not None and not to_stdout:
        check_writable(file, "FILE")
        if file.exists() and not force:
            raise WrongUse(f"{file} exists; give another name, or --force to write over it")

    async def read(log: SqliteLog) -> list[str]:
        from phalanx.runtime.export import export_run

        return await export_run(log, await find_run(log, given))

    # Halves of characters, which JSON may hold, stay what they are: each line has a checksum.
    raw = "".join(f"{line}\n" for line in stored(read)).encode("utf-8", "surrogatepass")
    if file is None or to_stdout:
        sys.stdout.buffer.write(raw)
        sys.stdout.buffer.flush()
    else:
        _write(file, raw)
        say(f"{file}: prompts and answers stand in it in clear text")
    return COMPLETED


def import_run_from(file: Path) -> int:
    """Put an exported run into the file of runs, and write its id to stdout."""
    raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    try:
        # Halves of characters, which JSON may hold, stay what they are; nothing but a line feed ends a line.
        lines = raw.decode("utf-8", "surrogatepass").split("\n")
    except UnicodeDecodeError:
        raise WrongUse(f"{file} is not UTF-8 text, and so no exported run") from None
    lines = lines[:-1] if lines[-1] == "" else lines

    async def work() -> str:
        from phalanx.runtime.export import import_run

        async with log:
            return await import_run(lines, log)

    log = new_journal()
    print(anyio.run(work))
    return COMPLETED


def _write(file: Path, raw: bytes) -> None:
    """Put a file in its place in one piece, so that no half of one is ever taken for it."""
    half = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        with open(os.open(half, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as stream:
            stream.write(raw)
        half.replace(file)
    except BaseException:
        half.unlink(missing_ok=True)
        raise


async def _read(log: SqliteLog, run_id: str) -> Listed | LogError:
    """What the first and the last record say; all of a run is read only when it has not ended."""
    try:
        first, last = await log.ends(f"{RUNS}{run_id}") or (None, None)
        if isinstance(first, RunStarted) and isinstance(last, RunFinished):
            return Listed(first, last.status, last.usage)
        story = Story(run_id, [record for _, record in await log.read(f"{RUNS}{run_id}")])
    except LogError as problem:
        return problem
    return Listed(story.start, story.status, story.usage)


def _facts(run_id: str, run: Listed | LogError) -> dict[str, object]:
    if isinstance(run, LogError):
        return {"run_id": run_id, "status": None, "error": str(run)}
    return {
        "run_id": run_id,
        "began": run.start.time,
        "team": run.start.name,
        "formation": run.start.formation,
        "task": run.start.task,
        "status": run.status,
        "calls": run.usage.calls,
        "tokens": run.usage.tokens,
        "cost": run.usage.cost,
        "forked_from": run.start.forked_from,
        "error": None,
    }


def _row(brief: str, run: Listed | LogError) -> tuple[str, ...]:
    if isinstance(run, LogError):
        return (one_line(brief), "", "", "", "unreadable", "", "")
    start, usage = run.start, run.usage
    return (
        one_line(brief), when(start.time), one_line(start.name, TEAM), one_line(start.task, TASK), run.status,
        f"{usage.calls:,}", money(usage),
    )  # fmt: skip


def when(moment: float) -> str:
    """A moment in the time of this place: the hour today, else the day too."""
    there, now = datetime.fromtimestamp(moment), datetime.fromtimestamp(time.time())
    return there.strftime("%H:%M:%S" if there.date() == now.date() else "%Y-%m-%d %H:%M")


def _table(rows: Iterable[tuple[str, ...]]) -> None:
    rows = list(rows)
    widths = [max(columns(row[at]) for row in rows) for at in range(len(HEAD))]
    for row in rows:
        cells = [
            " " * (width - columns(cell)) + cell if name in RIGHT else cell + " " * (width - columns(cell))
            for name, cell, width in zip(HEAD, row, widths, strict=True)
        ]
        line = "  ".join(cells).rstrip()
        print(cut(line, shutil.get_terminal_size().columns) if sys.stdout.isatty() else line)
