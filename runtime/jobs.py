"""A thread that does one job after the other, and looks around between them while somebody wants it to."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

Job = Callable[[], None]


class JobThread:
    """Does jobs in their order, from the first on. A job must not raise.

    look: what to do every `every` seconds while `wanted()` is true.
    """

    def __init__(self, name: str, *, every: float, look: Job, wanted: Callable[[], bool]) -> None:
        self._name, self._every, self._look, self._wanted = name, every, look, wanted
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        # Reentrant, because a finalizer that stops the thread may interrupt one of these methods.
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._looks = False

    @property
    def started(self) -> bool:
        """Whether it was ever given a job."""
        return self._thread is not None

    def do(self, job: Job) -> None:
        """Do this after what is waiting."""
        self._jobs.put(job)
        with self._lock:
            if self._thread is None:
                # It dies with the process: what it has not done yet, nobody was told was done.
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def begin_to_look(self) -> None:
        """Notice that `wanted()` has become true."""
        with self._lock:
            if not self._looks:
                self.do(_nothing)

    def stop(self) -> None:
        """End after what is waiting."""
        self._jobs.put(None)

    def join(self) -> None:
        """Wait for the end."""
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        last = float("-inf")
        while True:
            with self._lock:
                # A while longer than wanted: whoever watches comes back with every record that he has waited for.
                lingers = self._looks and time.monotonic() - last < 10 * self._every
                self._looks = looks = self._wanted() or lingers
            try:
                job = self._jobs.get(timeout=self._every) if looks else self._jobs.get()
            except queue.Empty:
                job = _nothing
            if job is None:
                return
            job()
            if self._wanted() and time.monotonic() - last >= self._every:
                last = time.monotonic()
                self._look()


def _nothing() -> None:
    return
