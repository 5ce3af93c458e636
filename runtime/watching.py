"""Waiting for what is written to a board."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Self

from phalanx.errors import ValidationError

from .board_log import BoardLog
from .cells import Item
from .entries import Closed, Entry, Posted, Retracted
from .reading import hidden, known, make_entry
from .regions import Identity, is_glob, split_pattern


class BoardWatch:
    """The entries of a board that match, one at a time and in order, each as it stood when it was told.

    It may be cancelled and asked again, and may be left at any moment. It ends when the log is closed.
    """

    def __init__(self, board: BoardLog, who: Identity | None, pattern: str, after: int, retractions: bool) -> None:
        if after < 0:
            raise ValidationError(f"watch starts after a number that is not negative, not {after}")
        self._board, self._who, self._retractions = board, who, retractions
        self._regions, self._keys = split_pattern(pattern)
        self._records = board.log.watch(board.stream, after)
        self._record: tuple[int, object] | None = None
        self._fresh: deque[Entry] = deque()
        self._may_start = is_glob(self._regions)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Entry:
        board = self._board
        if not self._may_start:
            known(board.regions, await board.latest(), self._regions).require_read(self._who)
            self._may_start = True
        while not self._fresh:
            if self._record is None:  # else it was cancelled while it read on
                self._record = await anext(self._records)
            seq, record = self._record
            if seq == board.fold.seq + 1:
                board.fold.apply(seq, record)
            elif seq > board.fold.seq:
                await board.latest(again=True)
            self._fresh.extend(make_entry(board.regions, item, seq) for item in self._told(seq, record))
            self._record = None
        return self._fresh.popleft()

    async def aclose(self) -> None:
        """Let go of the log's watch, where it needs that; leaving is enough with the logs of this package."""
        closing = getattr(self._records, "aclose", None)
        if closing is not None:
            await closing()

    def _told(self, seq: int, record: object) -> Iterator[Item]:
        """What a record lets this reader see for the first time, or anew."""
        for item in self._news(seq, record):
            cell = item.cell
            wanted = fnmatchcase(cell.region, self._regions) and (
                self._keys == "*" or fnmatchcase(cell.key, self._keys)
            )
            if wanted and not hidden(self._board.regions, item, self._who, seq):
                yield item

    def _news(self, seq: int, record: object) -> Iterator[Item]:
        fold = self._board.fold
        match record:
            case Posted():
                yield fold.items[seq]
            case Retracted() if self._retractions:
                yield fold.items[record.entry]
            case Closed():
                cells = fold.spaces[record.region].cells.values()
                closed = [item for cell in cells if cell.closed == seq for item in cell.live(seq)]
                own = None if self._who is None else self._who.name  # told when they were cast
                yield from sorted((item for item in closed if item.record.author != own), key=lambda item: item.seq)
