"""What running a benchmark and searching for a formation share: what was typed, and work that is watched to its end."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio

from .bench_view import BenchView
from .failures import Interrupted, WrongUse, say
from .watch import drawn, signals

if TYPE_CHECKING:
    from phalanx.runtime.log import Log

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was typed."""

    spec: Path
    resume: bool = False
    engine: str = "local"
    concurrency: int | None = None
    limits: Sequence[str] = ()
    skip_bad: bool = False
    offline: bool = False
    allow_code: bool = False
    keep: bool = True
    json: bool = False
    quiet: bool = False
    debug: bool = False

    def check(self) -> None:
        """Raise WrongUse for options that cannot go together."""
        if not self.keep and (self.resume or self.engine != "local"):
            raise WrongUse(
                "--no-keep cannot go with --resume, nor with an engine of other processes: both need the file"
            )

    def again(self, command: str) -> str:
        """What to type to go on; `command`: of which command."""
        return f"{command} {shlex.quote(str(self.spec))} --resume"


def watched(
    work: Callable[[], Awaitable[T]],
    view: BenchView,
    *,
    log: Log | None,
    closing: Iterable[object] = (),
    again: str | None,
) -> T:
    """What `work` gives, drawn while it goes on; whatever it holds open is closed, however it ends.

    log: where it is kept. closing: models, agents and scorers to let go of. again: what to type to go on, if it can.
    Raises Interrupted on a signal, and what `work` raises.
    """

    async def main() -> T:
        try:
            return await drawn(view, work)
        finally:
            with anyio.move_on_after(5, shield=True):
                for each in (*closing, log):
                    if hasattr(each, "aclose"):
                        await each.aclose()

    with signals() as received, view:
        try:
            return anyio.run(main)
        except KeyboardInterrupt:
            if again is not None:
                say(f"to go on: {again}")
            raise Interrupted(received[-1] if received else signal.SIGINT, view.progress.usage) from None
