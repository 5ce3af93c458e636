"""Who writes a log's SQLite file, and when: appends that meet on the way share one transaction.

A commit without waiting takes some 20 µs, a way to a thread and back five times that, and a thread that works beside
a busy loop waits for the interpreter again and again. So a small append is committed where it is made, in the event
loop, and at once: whoever waited for company would come behind all that is ready to run, and among a thousand runs
each would take as long as all of them. All that may wait goes to one thread: opening, what is big, syncing to the
disk, checkpoints, other processes' locks, long reads. The two never write at the same time; what is appended while
the thread is at work comes into its next transaction.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from phalanx.errors import LogError

from .batch import Batch, one_by_one
from .bells import Bell, Bells
from .jobs import JobThread
from .sqlite_file import LogFile
from .sqlite_format import Durable, connect, explained
from .tickets import Ticket

T = TypeVar("T")

SMALL_ROWS = 200
SMALL_BYTES = 500_000
"""A group up to this size is committed in the event loop."""

CHECKPOINT_BYTES = 16_000_000
"""So much is written to the write-ahead log before it is moved into the file."""

PAGES_BYTES = 12_000
"""What a commit writes besides its content, about: it writes whole pages."""

REMEMBERED = 50_000
"""How many digests of written bodies are remembered; those that were forgotten are offered to the file again."""


class Engine:
    """All of a SqliteLog but its asynchronous face: its two connections, its thread, and what waits for them."""

    def __init__(self, path: Path, *, durable: Durable, timeout: float, poll: float, max_bytes: int | None) -> None:
        self.path, self.durable, self.timeout, self.max_bytes = path, durable, timeout, max_bytes
        self.known: set[str] = set()
        self.bells = Bells()
        self._thread = JobThread(f"phalanx log {path.name}", every=poll, look=self._look, wanted=self.bells.__bool__)
        self._quick: LogFile | None = None
        self._slow: LogFile | None = None
        self._writing = threading.Lock()
        # Reentrant, because a finalizer that closes the log may interrupt whoever holds it.
        self._state = threading.RLock()
        self._inbox: list[Batch] = []
        self._called = self.closed = False
        self._process = os.getpid()
        self._seen: int | None = None
        self._ahead = 0

    @property
    def in_use(self) -> bool:
        """Whether there is something to close."""
        return self._thread.started and not self.closed

    def submit(self, batch: Batch) -> None:
        """Commit a batch: now if that is quick, else soon, by the thread, with all that comes until then.

        Raises LogError when the log is closed.
        """
        with self._state:
            self._check_open()
            self._inbox.append(batch)
        if self.durable == "normal" and self._writing.acquire(blocking=False):
            try:
                if self._flush_here():
                    return
            finally:
                self._writing.release()
        with self._state:
            called, self._called = self._called, True
        if not called:
            self._thread.do(self._drain)

    def here(self, work: Callable[[LogFile], T]) -> Ticket[T] | None:
        """Do something quick with the file in this thread; None when only the other one can."""
        if not self._writing.acquire(blocking=False):
            return None
        ticket: Ticket[T] = Ticket()
        try:
            if (file := self._quick) is None:
                return None
            ticket.give(work(file))
        except LogError as problem:
            ticket.fail(problem)
        except sqlite3.Error:
            return None
        finally:
            self._writing.release()
        return ticket

    def there(self, work: Callable[[LogFile], T], otherwise: T) -> Ticket[T]:
        """Let the thread do something with the file. otherwise: the answer when there is no file."""
        ticket: Ticket[T] = Ticket()
        with self._state:
            self._check_open()
            self._thread.do(partial(self._work, ticket, work, otherwise))
        return ticket

    def bell(self, stream: str, after: int) -> Bell:
        """A bell that rings when a stream has grown beyond a position, whoever wrote."""
        bell = self.bells.hang(stream, after)
        with self._state:
            if not self.closed:
                self._thread.begin_to_look()
        return bell

    def shut(self) -> Ticket[None] | None:
        """Take no more, write what was submitted, let go of the file; None when there is nothing to let go of."""
        with self._state:
            in_use, self.closed = self.in_use, True
        self.bells.close()
        if not in_use:
            return None
        ticket: Ticket[None] = Ticket()
        self._thread.do(partial(self._let_go, ticket))
        self._thread.stop()
        return ticket

    def join(self) -> None:
        """Wait for the end of the thread, which has nothing more to do."""
        self._thread.join()

    def _check_open(self) -> None:
        if self.closed:
            raise LogError(f"the log {self.path} is closed")
        if self._process != os.getpid():
            raise LogError(f"the log {self.path} was made in another process; make a new one after a fork")

    # What follows is done by whoever holds `_writing`.

    def _flush_here(self) -> bool:
        file = self._quick
        with self._state:
            batches = one_by_one(self._inbox)
            rows, size = sum(len(each.rows) for each in batches), sum(each.size for each in batches)
            if file is None or rows > SMALL_ROWS or size > SMALL_BYTES:
                return False
            waiting, self._inbox = self._inbox, []
        if not batches:
            return True
        try:
            file.write(waiting)
        except sqlite3.Error:
            # Somebody else writes, or worse: the thread can wait, and say what is wrong.
            with self._state:
                self._inbox[:0] = waiting
            return False
        self._settle(batches)
        return True

    def _commit(self, file: LogFile, batches: Sequence[Batch]) -> None:
        all_of_them = one_by_one(batches)
        try:
            file.write(batches)
        except Exception as problem:  # noqa: BLE001 - whoever waits must learn of it
            if len(batches) > 1:
                # Each by itself, so that one that does not fit does not take the others with it.
                for batch in batches:
                    self._commit(file, [batch])
            else:
                for batch in all_of_them:
                    batch.ticket.fail(explained(problem, self.path, self.timeout))
        else:
            self._settle(all_of_them)

    def _settle(self, batches: Sequence[Batch]) -> None:
        if len(self.known) > REMEMBERED:
            self.known.clear()
        grown: dict[str, int] = {}
        self._ahead += PAGES_BYTES
        for batch in batches:
            if batch.conflict is None:
                self.known.update(batch.bodies)
                self._ahead += batch.size
                grown[batch.stream] = batch.head
            batch.settle()
        if self.bells:
            self.bells.ring(grown)
        if self._ahead > CHECKPOINT_BYTES:
            self._ahead = 0
            self._thread.do(self._checkpoint)

    # What follows is done by the thread.

    def _opened(self, create: bool) -> LogFile | None:
        if self._slow is None:
            slow = connect(
                self.path, create=create, durable=self.durable, timeout=self.timeout, max_bytes=self.max_bytes
            )
            if slow is None:
                return None
            try:
                # It leaves checkpoints to the other one, and waits for nobody.
                quick = connect(
                    self.path, create=True, timeout=self.timeout, checkpoints=False, max_bytes=self.max_bytes
                )
                assert quick is not None
                quick.execute("PRAGMA busy_timeout = 0")
            except BaseException:
                slow.close()
                raise
            self._slow = LogFile(self.path, slow)
            self._quick = LogFile(self.path, quick, self._slow.ends)
        return self._slow

    def _drain(self) -> None:
        with self._state:
            self._called = False
        try:
            file = self._opened(create=True)
            assert file is not None
        except Exception as problem:  # noqa: BLE001 - whoever waits must learn of it
            for batch in one_by_one(self._take()):
                batch.ticket.fail(explained(problem, self.path, self.timeout))
            return
        with self._writing:
            if batches := self._take():
                self._commit(file, batches)

    def _take(self) -> list[Batch]:
        with self._state:
            batches, self._inbox = self._inbox, []
        return batches

    def _work(self, ticket: Ticket[T], work: Callable[[LogFile], T], otherwise: T) -> None:
        try:
            file = self._opened(create=False)
            ticket.give(otherwise if file is None else work(file))
        except Exception as problem:  # noqa: BLE001 - whoever waits must learn of it
            ticket.fail(explained(problem, self.path, self.timeout))

    def _look(self) -> None:
        """Ring for what other processes have written."""
        try:
            file = self._opened(create=False)
            if file is None or (version := file.version()) == self._seen:
                return
            self._seen = version
            self.bells.ring({stream: file.head(stream) for stream in self.bells.streams()})
        except (LogError, sqlite3.Error):
            self.bells.ring_all()  # whoever watches reads, and is told what is wrong

    def _checkpoint(self) -> None:
        if self._slow is None:
            return
        try:
            # Most of it beside the writers, the rest without them: only then does the log ahead begin anew.
            self._slow.checkpoint()
            with self._writing:
                self._slow.checkpoint()
        except sqlite3.Error:
            return  # nothing is lost: it stays in the log ahead, and the next commit meets the same trouble aloud

    def _let_go(self, ticket: Ticket[None]) -> None:
        if self._inbox:
            self._drain()
        try:
            with self._writing:
                quick, self._quick, slow, self._slow = self._quick, None, self._slow, None
                for file in (quick, slow):
                    if file is not None:
                        file.close()
        except sqlite3.Error as problem:
            ticket.fail(explained(problem, self.path, self.timeout))
        else:
            ticket.give(None)
