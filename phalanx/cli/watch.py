"""A team at work under somebody's eyes: run to its end, shown as it goes, and left clean whatever happens."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

import anyio

from .failures import Interrupted
from .progress import Progress

if TYPE_CHECKING:
    from types import FrameType

    from phalanx.agents.task import Context
    from phalanx.runtime.events import AnyEvent
    from phalanx.runtime.execution import Listener
    from phalanx.runtime.limits import Limits
    from phalanx.runtime.log import Log
    from phalanx.teams.result import TeamResult
    from phalanx.teams.team import AgentTeam

T = TypeVar("T")
TICK = 0.1
CLOSING = 5.0


class Drawn(Protocol):
    """Shows something that goes on."""

    def draw(self) -> None:
        """Called ten times a second while it does."""
        ...


class View(Drawn, Protocol):
    """Shows a run. Entered before its first event, left after its last."""

    progress: Progress

    def see(self, event: AnyEvent) -> None:
        """Take in the next event."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


def watch(
    team: AgentTeam,
    task: str,
    view: View,
    *,
    context: Context | None = None,
    limits: Limits | None = None,
    seed: int = 0,
    streaming: bool = False,
    also: Callable[[AnyEvent], None] | None = None,
) -> TeamResult:
    """Run a team on a task in an event loop of its own, and let go of its connections.

    streaming: ask for streamed answers, so that the view sees words as they come. also: gets every event too.
    Raises what `team.run` raises; Interrupted, after every member was cancelled, on Ctrl-C and on SIGTERM.
    """
    from phalanx.agents.task import Task
    from phalanx.runtime.run import new_run_id
    from phalanx.teams.running import perform

    async def start(see: Listener) -> TeamResult:
        job = Task.of(task, context)
        return await perform(team, job, limits, seed, new_run_id(), None, (see,), streaming=streaming)

    return attend(team, start, view, also=also)


def attend(
    team: AgentTeam,
    start: Callable[[Listener], Awaitable[TeamResult]],
    view: View,
    *,
    also: Callable[[AnyEvent], None] | None = None,
    log: Log | None = None,
) -> TeamResult:
    """Let a team do what `start` begins, in an event loop of its own; what `watch` says holds here too.

    start: begins the run and gives its result; it tells every event to the listener that it gets. log: closed at the
    end, whatever happens.
    """

    def see(event: AnyEvent) -> None:
        view.see(event)
        if also is not None:
            also(event)

    async def work() -> TeamResult:
        try:
            return await drawn(view, lambda: start(see))
        finally:
            with anyio.move_on_after(CLOSING, shield=True):
                await team.aclose()
            if log is not None:
                with anyio.move_on_after(CLOSING, shield=True):
                    await log.aclose()

    with signals() as received, view:
        try:
            return anyio.run(work)
        except KeyboardInterrupt:
            raise Interrupted(received[-1] if received else signal.SIGINT, view.progress.usage) from None


async def drawn(view: Drawn, work: Callable[[], Awaitable[T]]) -> T:
    """What `work` gives, while a view is drawn ten times a second; what it raises comes as it is, in no group."""
    found: list[T] = []
    failed: list[Exception] = []

    async def keep_drawing() -> None:
        while True:
            view.draw()
            await anyio.sleep(TICK)

    async with anyio.create_task_group() as group:
        group.start_soon(keep_drawing)
        try:
            found.append(await work())
        except Exception as problem:  # noqa: BLE001 - raised below, outside of the group
            failed.append(problem)
        group.cancel_scope.cancel()
    if failed:
        raise failed[0]
    return found[0]


@contextmanager
def signals() -> Iterator[list[int]]:
    """SIGTERM cancels as cleanly as Ctrl-C does; gives the list of the signals that came that way."""
    received: list[int] = []

    def terminate(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        received.append(number)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield received
    finally:
        signal.signal(signal.SIGTERM, before)
