"""The switch that forbids real model calls, so that a test cannot spend money by accident."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from phalanx.errors import ConfigurationError

ALLOW_REAL_CALLS = True
"""The switch for the whole process; `forbid_real_calls()` and `allow_real_calls()` go before it for a while."""

_lock = threading.Lock()
_blocks: list[tuple[object, bool]] = []


class RealCallForbidden(ConfigurationError):
    """A model that costs money or needs a network was called where real calls are forbidden; `model` is its name."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"real model calls are forbidden here, and {model!r} was called; give an offline model of phalanx.testing "
            "(ScriptedModel, SimulatedModel, RecordedModel, …), or wrap the call in allow_real_calls()"
        )
        self.model = model


def real_calls_allowed() -> bool:
    """What holds now: the innermost block's word, or else the process-wide switch."""
    with _lock:
        return _blocks[-1][1] if _blocks else ALLOW_REAL_CALLS


def check_allowed(model_name: str) -> None:
    """Called by whatever is about to reach a provider. Raises RealCallForbidden when that is forbidden."""
    if not real_calls_allowed():
        raise RealCallForbidden(model_name)


@contextmanager
def forbid_real_calls() -> Iterator[None]:
    """Inside, and in every thread and task meanwhile, a call to a provider raises RealCallForbidden.

    A context manager and a decorator of functions that are not async.
    """
    with _saying(False):
        yield


@contextmanager
def allow_real_calls() -> Iterator[None]:
    """Inside, calls to providers are allowed again, for the few tests that are meant to make them."""
    with _saying(True):
        yield


@contextmanager
def _saying(allowed: bool) -> Iterator[None]:
    # Process-wide on purpose: a synchronous caller's run lives in another thread, which would not see a ContextVar.
    block = (object(), allowed)
    with _lock:
        _blocks.append(block)
    try:
        yield
    finally:
        with _lock:
            _blocks.remove(block)
