"""What one append asks a log to write: all of it or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from phalanx.errors import LogConflict

from .tickets import Ticket


class Batch:
    """Records for the end of one stream, as bytes, and bodies; or, with no stream, bodies alone.

    expect: where the stream must end. Whoever writes sets `head`, where it ends then, or `conflict`, and in the end
    answers the ticket.
    """

    __slots__ = ("bodies", "conflict", "expect", "head", "rows", "size", "stream", "ticket")

    def __init__(
        self,
        stream: str,
        rows: Sequence[tuple[str, bytes]],
        bodies: Mapping[str, bytes],
        expect: int | None = None,
    ) -> None:
        self.stream, self.rows, self.bodies, self.expect = stream, rows, bodies, expect
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
