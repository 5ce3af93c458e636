"""The memory of suites and reports: what lives through them is not searched for garbage again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def settled() -> Iterator[None]:
    """Let the garbage collector leave alone what is there when the block begins, until it ends.

    A suite makes many short-lived objects beside a heap of code and questions that stays, which every full collection
    would walk through: about a fifth of the time of a fast suite, and of a large report. What the block itself makes is
    collected as ever. Where somebody has frozen objects already nothing is done, for thawing would thaw theirs too.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
