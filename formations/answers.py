"""What members answered, for a board that is only written when somebody looks at it."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from phalanx.errors import AccessDenied
from phalanx.messages import estimate_tokens
from phalanx.runtime.board import Blackboard
from phalanx.runtime.entries import Entry
from phalanx.runtime.log import Log, MemoryLog
from phalanx.runtime.regions import Identity, Region

from .base import Member, Outcome

ANSWERS = "answers"
REGION = Region(ANSWERS, str)
T = TypeVar("T")
Note = Callable[[Blackboard], Coroutine[Any, Any, object]]
"""Something else that is written to a board, by a function that never waits where the log is an instant one."""


class Answers:
    """Answers in the order in which they would have been posted, each by whom, shown what, and when.

    stream: the board's name in its log. op: how the writes are named.
    """

    __slots__ = ("_standing", "_taken", "_unmade", "is_counted", "is_only", "notes", "op", "said", "seq", "stream")

    def __init__(self, stream: str, op: str) -> None:
        self.stream, self.op = stream, op
        self.said: list[tuple[Identity, Outcome, Sequence[Entry], float]] = []
        self.notes: list[tuple[int, float, Note]] = []
        # Whether nothing else is to be written, so that it is known what stands where; and whether at least the number
        # of records is known.
        self.is_only = self.is_counted = True
        self.seq = self._taken = 0
        self._unmade: dict[str, tuple[int, int]] = {}
        self._standing: dict[str, tuple[Entry, str]] = {}

    def add(self, who: Identity, outcome: Outcome, causes: Sequence[Entry]) -> None:
        """Keep an answer."""
        self.said.append((who, outcome, causes, time.time()))

    def note(self, note: Note) -> None:
        """Keep something else to be written after the answers so far."""
        self.notes.append((len(self.said), time.time(), note))
        self.is_only = self.is_counted = False

    def declare(self, regions: Sequence[Region]) -> None:
        """Keep that the board has further `regions`."""
        self.notes.append((len(self.said), time.time(), functools.partial(_declare, regions)))
        self.is_only = False

    def reserve(self, note: Note) -> tuple[int, float]:
        """Keep something that is written to the board as one record; its number there, and its time."""
        self._count()
        self.seq += 1
        moment = time.time()
        self.notes.append((len(self.said), moment, note))
        return self.seq, moment

    def look(self, who: Identity, op: str) -> list[tuple[Entry, str]]:
        """What a member may read of the answers so far, each with its text, as a snapshot of the board would hold it.

        who: the member. op: the name of the look, which is written to the board with the answers: it has a number too.
        Only where `is_only` says that there is nothing else.
        """
        self._count()
        for name, (at, seq) in self._unmade.items():
            author, outcome, causes, moment = self.said[at]
            text = outcome.text
            entry = Entry(
                ANSWERS, "", len(self._standing) + 1, seq, text, author.name, author.role, outcome.round,
                tuple(sorted({cause.seq for cause in causes})), estimate_tokens(text), moment, name, "public",
            )  # fmt: skip
            self._standing[name] = entry, text
        self._unmade.clear()
        self.reserve(functools.partial(_look, who, op))
        return list(self._standing.values()) if REGION.may_read(who) else []

    def _count(self) -> None:
        """Give the answers their numbers."""
        for at in range(self._taken, len(self.said)):
            author, outcome, _, _ = self.said[at]
            name = _name(self.op, outcome)
            if REGION.may_write(author) and name not in self._standing and name not in self._unmade:
                self.seq += 1
                self._unmade[name] = at, self.seq
        self._taken = len(self.said)

    def board(self, log: Log, written: Callable[[Entry], None] | None = None, *, is_new: bool = True) -> Blackboard:
        """A board with these answers on it, those left out that their authors may not write.

        log: an instant one, if there are any. is_new: it holds nothing of this board yet.
        """
        now: list[float] = []
        board = Blackboard(
            log,
            self.stream,
            (REGION,),
            sole_writer=True,
            is_new=is_new,
            clock=lambda: now[0] if now else time.time(),
            written=written,
        )
        notes = list(reversed(self.notes))

        def write_notes(after: int) -> None:
            while notes and notes[-1][0] == after:
                _, moment, note = notes.pop()
                now[:] = [moment]
                at_once(note(board))

        write_notes(0)
        for at, (who, outcome, causes, moment) in enumerate(self.said, 1):
            now[:] = [moment]
            # Who may not write there is told so by whoever posts it; here nobody would hear it.
            with contextlib.suppress(AccessDenied):
                at_once(post(board, who, outcome, causes, self.op))
            write_notes(at)
        now.clear()
        return board

    def entries(self) -> tuple[Entry, ...]:
        """What would stand on the board."""
        return tuple(at_once(self.board(MemoryLog()).entries()))


def identity(member: Member) -> Identity:
    """A member as the board knows it: its name, its role and the role's rights."""
    return Identity(member.name, member.role.name, member.role.reads, member.role.writes)


async def post(board: Blackboard, who: Identity, outcome: Outcome, causes: Sequence[Entry], op: str) -> None:
    """Put an answer on a board in its author's name. Raises AccessDenied when its role may not write there.

    op: the run's own name for its writes. Each is told apart by where the answer was asked for and not by a number, so
    that a run which goes on, and asks again whom a limit had refused, names all others as before.
    """
    await board.as_member(who).post(ANSWERS, outcome.text, round=outcome.round, causes=causes, op=_name(op, outcome))


async def _declare(regions: Sequence[Region], board: Blackboard) -> None:
    board.declare(*regions)


async def _look(who: Identity, op: str, board: Blackboard) -> None:
    await board.as_member(who).snapshot(op=op)


def _name(op: str, outcome: Outcome) -> str:
    return f"{op}/post-{'/'.join(outcome.path)}"


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of something that never waits, as what is done to a board over an instant log does not."""
    try:
        work.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    work.close()
    raise RuntimeError(f"{work} waits; it can only be awaited")
