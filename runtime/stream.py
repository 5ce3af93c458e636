"""A run's events as an async iterator, which owns the run: leaving it cancels the run."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Generic, Self, TypeVar

import anyio

from .events import AnyEvent, Missed
from .execution import Listener

T = TypeVar("T")


class EventStream(Generic[T]):
    """The events of a run as they happen, and its result at the end.

        async with team.stream("…") as events:
            async for event in events: ...
        events.result

    A plain `async for` works too: breaking out of it cancels the run once nobody holds the stream any more; to be
    sure of when, use `async with`. An error of the run is
    raised by the iteration. The iterator can be used once. behind: how many events it keeps for a reader that is
    slower than the run; the run never waits for its readers.
    """

    def __init__(self, work: Callable[[Listener], Awaitable[T]], *, behind: int = 100_000) -> None:
        self._work, self.behind, self._missed = work, behind, 0
        self._events: deque[AnyEvent] = deque()
        self._dropped: AnyEvent | None = None
        self._more: anyio.Event | None = None
        self._ended = False
        self._results: list[T] = []
        self._failure: BaseException | None = None
        self._handle: Callable[[], None] | None = None
        self._done: anyio.Event | None = None

    @property
    def result(self) -> T:
        """What the run returned. Raises RuntimeError before its end, or when it was cancelled or failed."""
        if self._ended and not self._results:
            raise RuntimeError("the run was cancelled or failed, so it has no result; its events say how far it came")
        if not self._results:
            raise RuntimeError("the run has not ended: iterate over its events first")
        return self._results[0]

    def __aiter__(self) -> AsyncIterator[AnyEvent]:
        return self

    async def __anext__(self) -> AnyEvent:
        self._start()
        while True:
            if self._events:
                return self._events.popleft()
            if self._ended:
                if self._failure is not None:
                    failure, self._failure = self._failure, None
                    raise failure
                raise StopAsyncIteration
            self._more = anyio.Event()
            await self._more.wait()

    async def __aenter__(self) -> Self:
        self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Cancel the run if it still goes on, and wait until it has cleaned up; one not begun never begins."""
        if self._handle is None:
            self._ended = True
        if self._handle is not None and not self._ended:
            self._handle()
            assert self._done is not None
            with anyio.CancelScope(shield=True):
                await self._done.wait()

    def __del__(self) -> None:
        if self._handle is not None and not self._ended:
            self._handle()

    def _start(self) -> None:
        if self._handle is None and not self._ended:
            self._done = anyio.Event()
            self._handle = detached(_Pump(self).run)

    def _push(self, event: AnyEvent) -> None:
        """Keep an event for the reader; a reader that is too far behind is told how many it missed instead."""
        if len(self._events) >= self.behind:
            self._missed, self._dropped = self._missed + 1, event
            return
        self._tell_missed()
        self._events.append(event)
        self._wake()

    def _tell_missed(self) -> None:
        if (last := self._dropped) is not None:
            self._events.append(Missed(last.run_id, last.seq, last.path, last.time, last.parent, self._missed))
            self._missed, self._dropped = 0, None

    def _wake(self) -> None:
        if self._more is not None:
            self._more.set()


class _Pump(Generic[T]):
    """Runs the work for a stream without keeping the stream alive."""

    def __init__(self, stream: EventStream[T]) -> None:
        import weakref

        self.stream, self.work, self.done = weakref.ref(stream), stream._work, stream._done

    def listen(self, event: AnyEvent) -> None:
        if (stream := self.stream()) is not None:
            stream._push(event)

    async def run(self) -> None:
        result: list[T] = []
        failure: BaseException | None = None
        try:
            result.append(await self.work(self.listen))
        except Exception as error:  # noqa: BLE001 - handed to whoever iterates
            failure = error
        finally:
            if (stream := self.stream()) is not None:
                stream._tell_missed()
                stream._results, stream._failure, stream._ended = result, failure, True
                stream._wake()
            assert self.done is not None
            self.done.set()


def detached(work: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """Start a task that no task group owns, and return what cancels it; the stream is its owner.

    A task group cannot stay open across the `yield`s of an iteration that may be abandoned at any of them.
    """
    import asyncio

    scope = anyio.CancelScope()

    async def scoped() -> None:
        with scope:
            await work()

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return _detached_in_trio(scoped, scope.cancel)
    task = loop.create_task(scoped())
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)

    def cancel() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(scope.cancel)

    return cancel


def _detached_in_trio(work: Callable[[], Awaitable[None]], stop: Callable[[], None]) -> Callable[[], None]:
    import trio

    token = trio.lowlevel.current_trio_token()
    trio.lowlevel.spawn_system_task(work)

    def cancel() -> None:
        try:
            token.run_sync_soon(stop)
        except trio.RunFinishedError:
            return

    return cancel


# asyncio keeps only weak references to tasks.
_tasks: set[Any] = set()
