"""Async code from code that is not async, inside a running event loop too."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import anyio.lowlevel

T = TypeVar("T")


def run_blocking(work: Callable[[], Awaitable[T]]) -> T:
    """Run `work` to its end and return what it returns.

    Inside a running event loop (a notebook) it runs in a thread with a loop of its own; the caller's loop stands
    still meanwhile. Context variables are passed on.
    """
    if not _in_loop():
        return anyio.run(work)
    results: list[T] = []
    failures: list[BaseException] = []

    def in_thread() -> None:
        try:
            _forget_loop()
            results.append(anyio.run(work))
        except BaseException as failure:  # noqa: BLE001 - raised again in the caller's thread
            failures.append(failure)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(in_thread,), name="phalanx-run-sync")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


def _in_loop() -> bool:
    try:
        anyio.lowlevel.current_token()
    except anyio.NoEventLoopError:
        return False
    return True


def _forget_loop() -> None:
    """Undo, in a copied context, the mark by which anyio knows the caller's event loop."""
    try:
        from sniffio import current_async_library_cvar
    except ImportError:  # without sniffio there is no such mark
        return
    current_async_library_cvar.set(None)
