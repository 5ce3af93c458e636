"""What all branches of one execution share: its log and what is to be written there, its listeners, its people."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Protocol, TypeVar
from weakref import WeakSet

import anyio

from phalanx.messages import Completion, ToolResult
from phalanx.settings import logger

from .alongside import Part, append_together, not_there_yet
from .events import AnyEvent
from .log import Log, MemoryLog

if TYPE_CHECKING:
    from .human import Human, Question
    from .playback import Playback

Listener = Callable[[AnyEvent], None]
Result = TypeVar("Result", Completion, ToolResult, str)


class Hearer(Protocol):
    """Something that hears every run of the process, such as an event bus."""

    def is_listening(self) -> bool:
        """Whether anybody cares."""
        ...

    def hear(self, event: AnyEvent) -> None:
        """Be told of an event, as it happens."""
        ...

    async def drain(self) -> None:
        """Wait, not too long, until what was heard is dealt with."""
        ...


HEARERS: WeakSet[Hearer] = WeakSet()


class Execution:
    """What all branches of one execution share: its log, its listeners, its events' order."""

    def __init__(
        self,
        run_id: str,
        log: Log | None,
        seed: int,
        listeners: tuple[Listener, ...],
        streaming: bool,
        playback: Playback | None = None,
    ) -> None:
        self.run_id, self.log, self.seed = run_id, log or MemoryLog(), seed
        self.listeners, self.streaming, self.playback = listeners, streaming, playback
        # A log that was not given is nobody's to read: events are shown only, and if nobody listens, not even made.
        self.unread = log is None and playback is None
        self.unseen = self.unread and not listeners
        self.seq = self.position = 0
        self.time = time.time()
        # People: who is asked, what was answered beforehand, what is being asked, and how many calls are under way.
        self.human: Human | None = None
        self.answers: Mapping[str, str] = {}
        self.questions: list[Question] = []
        self.busy = 0
        self.idle: anyio.Event | None = None
        self.pending: list[AnyEvent] = []
        self.alongside: list[Part] = []
        self.writing = self.doubtful = False
        self.written: anyio.Event | None = None
        if playback is not None:
            playback.check_decided()
            self.time = playback.start.time
            for event in playback.events:
                self.show(event)
            if not playback.only:
                self.seq, self.position = playback.last_seq, len(playback.records)

    def record(self, event: AnyEvent) -> None:
        """Put an event into the log, with the next flush, and show it."""
        if not self.unread:
            self.pending.append(event)
        self.show(event)

    def show(self, event: AnyEvent) -> None:
        """Show an event to the listeners."""
        for listener in self.listeners:
            listener(event)

    async def work(self, call: Awaitable[Result]) -> Result:
        """Wait for a call, while the run counts as busy."""
        self.busy += 1
        try:
            return await call
        finally:
            self.busy -= 1
            if self.busy == 0 and self.idle is not None:
                self.idle.set()
                self.idle = None

    async def flush(self) -> None:
        """Make what was recorded durable, in order; back only when it is."""
        if self.log.instant:
            await self._write()
            return
        while self.writing:  # by another branch; then comes all that was recorded meanwhile, together
            if self.written is None:
                self.written = anyio.Event()
            await self.written.wait()
        self.writing = True
        try:
            await self._write()
        finally:
            self.writing = False
            if self.written is not None:
                self.written.set()
                self.written = None

    async def flush_now(self) -> None:
        """Write what was recorded while the run waits for something else; no cancellation comes in between."""
        if self.pending and not self.log.instant:
            with anyio.CancelScope(shield=True):
                await self.flush()

    def withdraw(self) -> None:
        """Leave a journal as it was found by a run that wanted to go on from it, unless that has written something.

        It has made no call then. What it says of itself from now on is shown and not recorded: that it could not go on
        is nothing that became of the run.
        """
        if self.playback is not None and self.position == len(self.playback.records) and not self.doubtful:
            self.pending, self.alongside, self.unread = [], [], True

    async def finish(self, *, cut_off: bool) -> None:
        """Write what is left, and let those who hear every run deal with it.

        cut_off: the run was cancelled; then this takes some seconds at most, and what could not be written by then
        is told by a warning.
        """
        if not cut_off:
            try:
                await self.flush()
            except anyio.get_cancelled_exc_class():
                await self._finish_quickly()
                raise
        await self._finish_quickly()

    async def _finish_quickly(self) -> None:
        with anyio.move_on_after(5, shield=True):
            await self.flush()
            for hearer in list(HEARERS):
                if hearer.is_listening():
                    await hearer.drain()
        if left := len(self.pending) + sum(len(records) for _, records, _ in self.alongside):
            logger().warning("the end of a run could not be written in time", run_id=self.run_id, records=left)

    async def _write(self) -> None:
        """A run has one writer: `expect` finds a second one, which resumed it at the same time."""
        stream = f"run/{self.run_id}"
        if self.doubtful:
            await self._look(stream)
        if self.alongside:
            parts, self.alongside = self.alongside, []
            records, self.pending = self.pending, []
            if records:
                parts.append((stream, records, self.position))
            try:
                await append_together(self.log, parts)
                self.position += len(records)
            except BaseException as failure:
                self.doubtful = not isinstance(failure, Exception)
                self.pending = records + self.pending
                self.alongside = [part for part in parts if part[0] != stream] + self.alongside
                raise
        elif self.pending:
            records, self.pending = self.pending, []
            try:
                self.position = await self.log.append(stream, records, expect=self.position)
            except BaseException as failure:
                self.doubtful = not isinstance(failure, Exception)
                self.pending = records + self.pending
                raise

    async def _look(self, stream: str) -> None:
        """Leave out what an append that was cancelled has written."""
        parts: list[Part] = []
        doubtful = list(self.alongside)
        for name, records, end in doubtful:
            assert end is not None
            if rest := await not_there_yet(self.log, name, records, end):
                parts.append((name, rest, end + len(records) - len(rest)))
        left = await not_there_yet(self.log, stream, self.pending, self.position)
        there = len(self.pending) - len(left)
        self.position += there
        # What has come while this was read stands behind what was doubtful.
        self.alongside, self.pending = parts + self.alongside[len(doubtful) :], self.pending[there:]
        self.doubtful = False
