"""What a formation has put on its board while there is none: known as it would stand, written when somebody looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from phalanx.messages import estimate_tokens
from phalanx.runtime.board import Blackboard
from phalanx.runtime.entries import Entry
from phalanx.runtime.regions import Identity, Region
from phalanx.runtime.values import Values

from .agenda import Minutes, Turn
from .answers import Answers


class Unwritten:
    """Entries of logs of text that nobody but the formation has seen, each with the number it will have on the board.

    answers: what the run keeps for its board, which these entries are kept with. regions: where they stand. A board
    written from the answers holds the same entries under the same numbers, so it can be gone on with at any point.
    """

    def __init__(self, answers: Answers, regions: Sequence[Region]) -> None:
        self._answers = answers
        self._regions = {region.name: (region, Values(region.name, region.type)) for region in regions}
        self._entries: dict[int, Entry] = {}
        self._written = dict.fromkeys(self._regions, 0)
        answers.declare(regions)

    @property
    def is_certain(self) -> bool:
        """Whether all that will stand on the board is known, and with it what numbers come next."""
        return self._answers.is_counted

    @property
    def seq(self) -> int:
        """The number of the last record."""
        return self._answers.seq

    def post(
        self,
        name: str,
        value: object,
        who: Identity | None,
        op: str,
        *,
        causes: Sequence[Entry] = (),
        round: int | None = None,
        pinned: bool = False,
        resolved: bool | None = None,
    ) -> Entry | None:
        """Keep one entry, and give it as it stands; None for a turn, which is only written.

        name, value: the region, and what. who: its author; None is the run. op, causes, round, pinned, resolved: as
        `Blackboard.post` takes them. Raises AccessDenied when its author may not write there.
        """
        region, values = self._regions[name]
        region.require_write(who)
        self._written[name] += 1
        note = partial(_post, name, value, who, op, tuple(causes), round, pinned, resolved)
        if isinstance(value, Turn):
            self._answers.reserve(note)
            return None
        _, text = values.dump(value)
        seq, moment = self._answers.reserve(note)
        author, role = ("", "") if who is None else (who.name, who.role)
        entry = Entry(
            name, "", self._written[name], seq, value, author, role, round,
            tuple(sorted({cause.seq for cause in causes})), estimate_tokens(text), moment, op, "public", pinned,
            resolved,
        )  # fmt: skip
        self._entries[seq] = entry
        return entry

    def settle(self, seq: int) -> None:
        """Mark an entry as settled. seq: its number."""
        entry = self._entries[seq]
        if entry.resolved is not True:
            self._answers.reserve(partial(_settle, seq))
            self._entries[seq] = replace(entry, resolved=True)

    def look(self, op: str) -> dict[int, Entry]:
        """All entries by number, as they stand now. op: the name of the look, which is written with them."""
        self._answers.reserve(partial(_look, op))
        return dict(self._entries)


async def _post(
    name: str,
    value: object,
    who: Identity | None,
    op: str,
    causes: Sequence[Entry],
    round: int | None,
    pinned: bool,
    resolved: bool | None,
    board: Blackboard,
) -> None:
    if isinstance(value, Turn):
        value = Minutes().known(value)
    if who is None:
        await board.post(name, value, round=round, causes=causes, op=op, pinned=pinned, resolved=resolved)
    else:
        writer = board.as_member(who)
        await writer.post(name, value, round=round, causes=causes, op=op, pinned=pinned, resolved=resolved)


async def _settle(seq: int, board: Blackboard) -> None:
    await board.mark(seq, resolved=True)


async def _look(op: str, board: Blackboard) -> None:
    await board.snapshot(op=op)
