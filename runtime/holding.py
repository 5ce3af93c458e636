"""Who works on a run: one at a time, and nobody any more the moment its process is gone.

A log says by `hold(run_id)` how its runs are held: in a file by a lock that the operating system takes back with the
process, in a database by one that ends with the connection. A log without `hold` holds them within this process.
"""

from __future__ import annotations

import os
import struct
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Protocol, cast

from phalanx.errors import LogError, RunBusy

from .log import Log

THIS_PROCESS = "this process"
SUFFIX = "-runs"
"""What the name of the file with the locks ends with, beside the log's own file. It is always empty."""

_LOCKABLE = 1 << (31 if sys.platform == "win32" else 62)


class Holding(Protocol):
    """What a log may have besides what `Log` asks for."""

    def hold(self, run_id: str) -> AbstractAsyncContextManager[None]:
        """Hold a run while the block lasts. Raises RunBusy, naming who holds it, when somebody else does."""
        ...


def held(log: Log, run_id: str) -> AbstractAsyncContextManager[None]:
    """Hold a run in a log while the block lasts.

    log: where the run is journaled. run_id: which run. Raises RunBusy, saying by whom, when somebody works on it;
    LogError when it cannot be found out.
    """
    if hasattr(log, "hold"):
        return cast(Holding, log).hold(run_id)
    return _held_here(log, run_id)


@asynccontextmanager
async def _held_here(log: Log, run_id: str) -> AsyncIterator[None]:
    with held_among(_here, (id(log), run_id), run_id):
        yield


@contextmanager
def held_among(taken: set[tuple[int, str]], place: tuple[int, str], run_id: str) -> Iterator[None]:
    """Hold a place in a set of this process. Raises RunBusy when it is taken."""
    with _lock:
        if place in taken:
            raise RunBusy(run_id, THIS_PROCESS)
        taken.add(place)
    try:
        yield
    finally:
        with _lock:
            taken.discard(place)


@contextmanager
def held_beside(path: Path, run_id: str) -> Iterator[None]:
    """Hold a run of the log in a file, among all processes of this machine, by a lock on a byte of an empty file.

    path: the log's file; the one with the locks stands beside it. Raises RunBusy, with the number of the process that
    holds the run where the system tells it; LogError when the file cannot be made.
    """
    real = Path(os.path.realpath(path))
    with _lock:
        _forget_after_fork()
        locks = _files.get(real)
        if locks is None:
            locks = _Locks(real)
        locks.take(run_id)
        _files[real] = locks
    try:
        yield
    finally:
        with _lock:
            # In a child of a fork, the locks are its parent's and stay.
            if _files.get(real) is locks and _owner == os.getpid():
                locks.give_back(run_id)
                if not locks.runs:
                    del _files[real]


class _Locks:
    """The open file with the locks that this process holds; closed with the last of them.

    Locks of this kind end with the process that took them, even where a child of it still has the file open; and they
    are no bar within one process, for which `runs` is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(path.name + SUFFIX)
        self.runs: set[str] = set()
        try:
            # Whoever may write the log may lock its runs.
            mode = path.stat().st_mode & 0o666 if path.exists() else 0o666
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, mode)
        except OSError as problem:
            raise LogError(
                f"{path} cannot be written ({problem.strerror} for {self.path.name} beside it, by which processes see "
                "who works on a run); its folder must exist and be writable"
            ) from problem

    def take(self, run_id: str) -> None:
        if run_id in self.runs:
            raise RunBusy(run_id, THIS_PROCESS)
        try:
            if not _try_lock(self._file, _byte_of(run_id)):
                raise RunBusy(run_id, _holder(self._file, _byte_of(run_id)))
        except OSError as problem:
            self._close_if_unused()
            raise LogError(f"{self.path} cannot be locked ({problem}); put the log on a local disk") from problem
        except RunBusy:
            self._close_if_unused()
            raise
        self.runs.add(run_id)

    def give_back(self, run_id: str) -> None:
        self.runs.discard(run_id)
        _unlock(self._file, _byte_of(run_id))
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        # Closing gives back all locks of this process on the file, so it must be the last.
        if not self.runs:
            os.close(self._file)


_lock = threading.RLock()
_here: set[tuple[int, str]] = set()
_files: dict[Path, _Locks] = {}
_owner = os.getpid()


def _forget_after_fork() -> None:
    global _owner
    if _owner != os.getpid():
        _files.clear()
        _owner = os.getpid()


def _byte_of(run_id: str) -> int:
    """The byte that stands for a run, far behind the end of the file."""
    return int.from_bytes(sha256(run_id.encode("utf-8", "surrogatepass")).digest()[:8], "big") % _LOCKABLE


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: int, at: int) -> bool:
        os.lseek(file, at, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

    def _unlock(file: int, at: int) -> None:
        os.lseek(file, at, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

    def _holder(file: int, at: int) -> str:  # noqa: ARG001 - Windows does not tell
        return "another process"

else:
    import fcntl

    # How this system lays out what F_GETLK takes and gives: (format, the place of each field).
    _FLOCK = {"linux": ("hhqqi4x", (0, 1, 2, 3, 4)), "darwin": ("qqihh", (3, 4, 0, 1, 2))}

    def _try_lock(file: int, at: int) -> bool:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, at, os.SEEK_SET)
        except (BlockingIOError, PermissionError):  # either of them, says POSIX
            return False
        return True

    def _unlock(file: int, at: int) -> None:
        fcntl.lockf(file, fcntl.LOCK_UN, 1, at, os.SEEK_SET)

    def _holder(file: int, at: int) -> str:
        if sys.platform not in _FLOCK:
            return "another process"
        form, places = _FLOCK[sys.platform]
        fields = [0] * 5
        for place, value in zip(places, (fcntl.F_WRLCK, os.SEEK_SET, at, 1, 0), strict=True):
            fields[place] = value
        found = struct.unpack(form, fcntl.fcntl(file, fcntl.F_GETLK, struct.pack(form, *fields)))
        kind, process = found[places[0]], found[places[4]]
        # It may have gone between the two questions.
        return "another process" if kind == fcntl.F_UNLCK or process <= 0 else f"process {process}"
