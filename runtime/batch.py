"""What one append asks a log to write: all of it or nothing, or one thing after the other in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from phalanx.errors import LogConflict

from .tickets import Ticket


class Batch:
    """Records for the end of one stream, as bytes, and bodies; or, with no stream, bodies alone.

    expect: where the stream must end. before: batches that are written before this one, in its transaction. Whoever
    writes sets `head`, where it ends then, or `conflict`, and in the end answers the ticket.
    """

    __slots__ = ("before", "bodies", "conflict", "expect", "head", "rows", "size", "stream", "ticket")

    def __init__(
        self,
        stream: str,
        rows: Sequence[tuple[str, bytes]],
        bodies: Mapping[str, bytes],
        expect: int | None = None,
        before: Sequence[Batch] = (),
    ) -> None:
        self.stream, self.rows, self.bodies, self.expect, self.before = stream, rows, bodies, expect, before
        self.size = sum([len(data) for _, data in rows]) + sum(map(len, bodies.values()))
        self.head = 0
        self.conflict: LogConflict | None = None
        self.ticket: Ticket[int] = Ticket()

    def settle(self) -> None:
        """Answer the ticket."""
        if self.conflict is not None:
            self.ticket.fail(self.conflict)
        else:
            self.ticket.give(self.head)


def one_by_one(batches: Iterable[Batch]) -> list[Batch]:
    """The batches in the order of writing, each after those that come before it."""
    return [each for batch in batches for each in (*batch.before, batch)]
