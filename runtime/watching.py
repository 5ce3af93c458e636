"""Waiting for what is written to a board."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from fnmatch import fnmatchcase

from phalanx.errors import ValidationError

from .board_log import BoardLog
from .cells import Item
from .entries import Closed, Entry, Posted, Retracted
from .reading import hidden, known, make_entry
from .regions import Identity, is_glob, split_pattern


async def watch(
    board: BoardLog, who: Identity | None, pattern: str, after: int, retractions: bool
) -> AsyncGenerator[Entry, None]:
    """Each entry that matches, as it is posted; ballots when they are closed."""
    if after < 0:
        raise ValidationError(f"watch starts after a number that is not negative, not {after}")
    regions, keys = split_pattern(pattern)
    if not is_glob(regions):
        known(board.regions, await board.latest(), regions).require_read(who)
    records = board.log.watch(board.stream, after)
    try:
        async for seq, record in records:
            if seq == board.fold.seq + 1:
                board.fold.apply(seq, record)
            elif seq > board.fold.seq:
                await board.latest(again=True)
            for item in _news(board, seq, record, retractions):
                cell = item.cell
                wanted = fnmatchcase(cell.region, regions) and (keys == "*" or fnmatchcase(cell.key, keys))
                if wanted and not hidden(board.regions, item, who, seq) and not _was_seen(item, who, record):
                    yield make_entry(board.regions, item, seq)
    finally:
        if isinstance(records, AsyncGenerator):
            await records.aclose()


def _news(board: BoardLog, seq: int, record: object, retractions: bool) -> Iterator[Item]:
    """What a record lets readers see for the first time, or anew."""
    match record:
        case Posted():
            yield board.fold.items[seq]
        case Retracted() if retractions:
            yield board.fold.items[record.entry]
        case Closed():
            cells = board.fold.spaces[record.region].cells.values()
            closed = [item for cell in cells if cell.closed == seq for item in cell.live(seq)]
            yield from sorted(closed, key=lambda item: item.seq)


def _was_seen(item: Item, who: Identity | None, record: object) -> bool:
    """Whether a ballot that is closed now was its reader's own, and so told before."""
    return isinstance(record, Closed) and who is not None and who.name == item.record.author
