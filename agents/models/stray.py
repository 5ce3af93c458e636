"""Cancellations that nobody here asked for."""

from __future__ import annotations

import asyncio
import math

import anyio

LEAKED = "what it waited for was cancelled, and not by this run"
"""What is said of such a cancellation where it becomes somebody's error."""


def is_stray(stop: BaseException) -> bool:
    """Whether a cancellation came out of what was called, and is no wish of anybody who waits for it.

    Under asyncio whoever awaits a task or a future that somebody else cancelled is told of it as if it was cancelled
    itself: a shared connection that was closed, a refresh of a key that was given up.

    stop: what was raised, in the task that asks now.
    """
    if not isinstance(stop, asyncio.CancelledError) or anyio.current_effective_deadline() == -math.inf:
        return False
    task = asyncio.current_task()
    return task is not None and not task.cancelling()
