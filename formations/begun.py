"""A coroutine that is begun here and now, and gives way to others only when it has to wait.

Members whose answers are there at once (cached, recorded, played back) are asked one after the other and need no tasks;
the first that waits lets all others begin.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from contextvars import copy_context
from typing import Any


class Begun:
    """Awaits a coroutine, in a context of its own, as a task would run it.

    work: the coroutine. waits: called once, just before it waits for the first time; never when it does not.
    """

    __slots__ = ("_waits", "_work")

    def __init__(self, work: Coroutine[Any, Any, None], waits: Callable[[], None]) -> None:
        self._work, self._waits = work, waits

    def __await__(self) -> Generator[Any, Any, None]:
        work, run = self._work, copy_context().run
        try:
            asked = run(work.send, None)
        except StopIteration:
            return
        try:
            self._waits()
            while True:
                try:
                    given = yield asked
                except GeneratorExit:
                    raise
                except BaseException as thrown:  # noqa: BLE001 - cancellation too is the coroutine's to deal with
                    asked = run(work.throw, thrown)
                else:
                    asked = run(work.send, given)
        except StopIteration:
            return
        finally:
            run(work.close)
