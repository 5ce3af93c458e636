"""What a blackboard says (entries, conflicts), what is said to it (posts), and the records its log keeps.

The records are all there is: a board is the fold of them, in order. Values in them are plain JSON. An entry's number
(`seq`) is the position of its record in the log's stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from phalanx.errors import BoardConflict

from .claims import Lease
from .regions import Policy


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was written, as it stood at the moment of reading.

    region, key, version: where it stands; versions of a key count from 1. seq: its number on the board.
    value: of the region's type; for a counter the sum so far; None in a sealed entry that is not yours.
    author, role, round: who wrote it, when in the formation (None: outside of rounds); an empty author is the run.
    causes: numbers of the entries its author was shown. tokens: estimated tokens of the value as text.
    time: seconds, by the board's clock. op: the writer's idempotency key.
    visibility: "public", "role:<name>", "member:<name>", or "sealed" until its region is closed.
    pinned: always shown first. resolved: False is an open question, True a settled one, None neither.
    stale: something it was based on was retracted. retracted, reason: it was taken back, and why.
    """

    region: str
    key: str
    version: int
    seq: int
    value: object
    author: str
    role: str
    round: int | None
    causes: tuple[int, ...]
    tokens: int
    time: float
    op: str
    visibility: str
    pinned: bool = False
    resolved: bool | None = None
    stale: bool = False
    retracted: bool = False
    reason: str = ""

    @property
    def where(self) -> str:
        """Region, key and version in one: "facts/paris@2"."""
        return f"{self.region}/{self.key}@{self.version}" if self.key else f"{self.region}@{self.version}"


@dataclass(frozen=True, slots=True)
class Conflict:
    """A write that was not made, because something else stands there than its writer expected.

    expected: the version the writer named; None when it named none. version: what stands there; 0 is nothing.
    current: that entry; None when there is none or the writer may not read it.
    """

    region: str
    key: str
    expected: int | None
    version: int
    current: Entry | None

    def error(self) -> BoardConflict:
        """This conflict as an exception, for writers who cannot go on."""
        where = f"{self.region}/{self.key}" if self.key else self.region
        return BoardConflict(where, expected=self.expected or 0, current=self.current)


@dataclass(frozen=True, slots=True)
class Post:
    """One write; `Blackboard.post` says what each field means."""

    region: str
    value: object
    key: str = ""
    author: str = ""
    role: str = ""
    round: int | None = None
    expect: int | None = None
    causes: Sequence[Entry | int] = ()
    op: str = ""
    pinned: bool = False
    resolved: bool | None = None
    visibility: str = "public"
    lease: Lease | None = None


@dataclass(frozen=True, slots=True)
class Posted:
    """A value was written. `value` is JSON; for a counter it is what was added."""

    kind: ClassVar[str] = "board.posted"

    region: str
    key: str
    policy: Policy
    value: object
    author: str
    role: str
    round: int | None
    causes: tuple[int, ...]
    tokens: int
    time: float
    op: str
    visibility: str
    pinned: bool = False
    resolved: bool | None = None


@dataclass(frozen=True, slots=True)
class Retracted:
    """The entry with number `entry` was taken back."""

    kind: ClassVar[str] = "board.retracted"

    entry: int
    reason: str
    author: str
    role: str
    time: float


@dataclass(frozen=True, slots=True)
class Marked:
    """The entry with number `entry` is now pinned or not, resolved or not."""

    kind: ClassVar[str] = "board.marked"

    entry: int
    pinned: bool
    resolved: bool | None
    author: str
    role: str
    time: float


@dataclass(frozen=True, slots=True)
class Closed:
    """Ballots can be read and no longer cast: those of one key, or all of the region (None)."""

    kind: ClassVar[str] = "board.closed"

    region: str
    key: str | None
    author: str
    role: str
    time: float


@dataclass(frozen=True, slots=True)
class Claimed:
    """A key was claimed until `expires`, or (with the token it already has) its lease was renewed."""

    kind: ClassVar[str] = "board.claimed"

    key: str
    expires: float
    token: int | None
    author: str
    role: str
    time: float
    op: str


@dataclass(frozen=True, slots=True)
class Released:
    """The lease with this token was given back."""

    kind: ClassVar[str] = "board.released"

    key: str
    token: int
    author: str
    role: str
    time: float


@dataclass(frozen=True, slots=True)
class Looked:
    """The board was looked at, at this point; whoever asks again with the same `op` sees it as it was."""

    kind: ClassVar[str] = "board.looked"

    op: str
    author: str
    role: str
    time: float


BoardRecord = Posted | Retracted | Marked | Closed | Claimed | Released | Looked
RECORDS: tuple[type[BoardRecord], ...] = (Posted, Retracted, Marked, Closed, Claimed, Released, Looked)
