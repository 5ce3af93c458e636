"""Events of a run, made by hand: `Story` gives each the next number and the time it is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phalanx.runtime.events import AnyEvent

RUN = "r1"


class Story:
    """Tells events to whoever listens. `at` is the time, in seconds; `path` says where in the tree."""

    def __init__(self, *listeners: Callable[[AnyEvent], None]) -> None:
        self.at, self.seq, self.listeners = 1000.0, 0, list(listeners)

    def tell(self, kind: type[Any], path: str, *facts: object, **named: object) -> None:
        """An event happens; a path is written "team/stage/member"."""
        self.seq += 1
        event = kind(RUN, self.seq, tuple(path.split("/")), self.at, None, *facts, **named)
        for listener in self.listeners:
            listener(event)

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.at += seconds
