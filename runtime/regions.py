"""What a blackboard is made of: named, typed regions, and who may read and write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import KW_ONLY, dataclass
from fnmatch import fnmatchcase
from typing import Literal

from phalanx.errors import AccessDenied, BoardError, ValidationError
from phalanx.settings import nearest

from .values import Values

Policy = Literal["register", "log", "set", "counter", "map", "ballots", "last_writer_wins"]
POLICIES: tuple[Policy, ...] = ("register", "log", "set", "counter", "map", "ballots", "last_writer_wins")
SINGLE: frozenset[str] = frozenset({"register", "counter", "map", "last_writer_wins"})
"""Policies under which a key holds one value; under the others it holds a list of them."""

MAX_NAME = 200


class QuotaExceeded(BoardError):
    """A region is full for this author or for anybody; `region`, `what`, `limit` say which quota."""

    def __init__(self, region: str, what: str, *, limit: int, asked: int) -> None:
        super().__init__(
            f"region {region!r} allows {what}={limit} and this write would make it {asked}; "
            f"write less, retract something, or declare Region({region!r}, …, {what}=…)"
        )
        self.region, self.what, self.limit, self.asked = region, what, limit, asked


@dataclass(frozen=True, slots=True)
class Identity:
    """Who reads and writes: plain data, made from a member and its role.

    name: the member's. role: its role's name. reads, writes: the regions it may read and write, as glob patterns on
    their names; None is all of them, () is none.
    """

    name: str
    role: str = ""
    reads: tuple[str, ...] | None = None
    writes: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise ValidationError("an Identity needs a name: it is what entries are attributed to")
        check_name("a member's name", self.name)
        check_name("a role", self.role)


@dataclass(frozen=True, slots=True)
class Region:
    """A named part of a board: what its values are, and what happens when several write.

    name: letters, digits and any of `_ . : -`.
    type: what a value must be: anything pydantic can validate and store as JSON (default: any JSON value).
    policy: how writes meet.
        "log": every value is kept, in order.
        "register": one value a key. A write says which version it saw (`expect`, none for "nothing is there");
        when another one stands there it is a Conflict.
        "map": the same, and the key may not be left out.
        "last_writer_wins": one value a key; a write without `expect` replaces whatever is there.
        "set": every distinct value of a key is kept once.
        "counter": numbers (type int or float) that are added up, key by key.
        "ballots": each author writes once a key, and nobody but the author can read it until the key is closed.
    reads, writes: who may, as "role:<name>" or "member:<name>"; None is everybody. Members need this and the
    patterns of their own Identity.
    max_entry_tokens: the longest value, in estimated tokens. max_entries_each: how many entries one author may write,
    retracted ones included. max_tokens: estimated tokens of all that stands in the region now.
    Raises ValidationError when one of these cannot be.
    """

    name: str
    type: object = object
    policy: Policy = "log"
    _: KW_ONLY
    reads: tuple[str, ...] | None = None
    writes: tuple[str, ...] | None = None
    max_entry_tokens: int | None = None
    max_entries_each: int | None = None
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        if not _REGION_NAME.fullmatch(self.name):
            raise ValidationError(
                f"region name {self.name!r} must be 1 to {MAX_NAME} letters, digits or any of _ . : -"
            )
        if self.policy not in POLICIES:
            raise ValidationError(
                f"region {self.name!r} has no policy {self.policy!r}{nearest(str(self.policy), POLICIES)}; "
                f"there are: {', '.join(POLICIES)}"
            )
        if self.policy == "counter" and self.type is not int and self.type is not float:
            raise ValidationError(f"counter region {self.name!r} adds numbers: its type must be int or float")
        for scope in (*(self.reads or ()), *(self.writes or ())):
            check_scope(scope, f"region {self.name!r}")
        for what in ("max_entry_tokens", "max_entries_each", "max_tokens"):
            if (limit := getattr(self, what)) is not None and limit < 0:
                raise ValidationError(f"region {self.name!r} cannot have {what}={limit}: it must not be negative")

    @property
    def has_quota(self) -> bool:
        """Whether what is written here is counted."""
        return not (self.max_entry_tokens is self.max_entries_each is self.max_tokens is None)

    def may_read(self, who: Identity | None) -> bool:
        """Whether a member may read here. who: the member; nobody in particular (None, the run itself) may."""
        return who is None or (_matches(self.name, who.reads) and _is_open(self.reads, who))

    def may_write(self, who: Identity | None) -> bool:
        """Whether a member may write here. who: the member; nobody in particular (None, the run itself) may."""
        return who is None or (_matches(self.name, who.writes) and _is_open(self.writes, who))

    def require_read(self, who: Identity | None) -> None:
        """Raise AccessDenied, naming role and right, when a member may not read here. who: as in `may_read`."""
        if who is not None and not self.may_read(who):
            raise AccessDenied(who.role or who.name, f"read region {self.name!r}", self._advice(who.reads, "reads"))

    def require_write(self, who: Identity | None) -> None:
        """Raise AccessDenied, naming role and right, when a member may not write here. who: as in `may_write`."""
        if who is not None and not self.may_write(who):
            raise AccessDenied(who.role or who.name, f"write region {self.name!r}", self._advice(who.writes, "writes"))

    def _advice(self, patterns: tuple[str, ...] | None, what: str) -> str:
        if not _matches(self.name, patterns):
            return f"its role has {what}={patterns!r}"
        return f"the region has {what}={getattr(self, what)!r}"


class Regions:
    """The regions a board knows, each with the reader and writer of its values."""

    def __init__(self, regions: Iterable[Region] = ()) -> None:
        self._declared: dict[str, Region] = {}
        self._undeclared: dict[str, Region] = {}
        self._values: dict[str, Values] = {}
        self._untyped = Values("", object)
        for region in regions:
            self.declare(region)

    def declare(self, region: Region) -> Region:
        """Add a region. Raises ValidationError when one of this name is there and differs."""
        known = self._declared.setdefault(region.name, region)
        if known != region:
            raise ValidationError(f"region {region.name!r} is already declared as {known!r}, not {region!r}")
        if region.name not in self._values:
            self._values[region.name] = Values(region.name, region.type)
        return known

    def get(self, name: str) -> Region | None:
        """The declared region of this name, if there is one."""
        return self._declared.get(name)

    def named(self, name: str) -> Region:
        """The declared region of this name. Raises ValidationError, with the nearest name, when there is none."""
        region = self._declared.get(name)
        if region is None:
            raise unknown_region(name, self._declared)
        return region

    def stored(self, name: str, policy: Policy) -> Region:
        """The region of this name that a log holds under a policy; an untyped one when it was never declared here.

        Raises ValidationError when it was declared with another policy.
        """
        region = self._declared.get(name)
        if region is None:
            return self._undeclared.setdefault(name, Region(name, object, policy))
        if region.policy != policy:
            raise ValidationError(
                f"region {name!r} is declared with policy {region.policy!r}, and this board's log holds it with "
                f"{policy!r}; declare it so, or choose another name"
            )
        return region

    def values(self, name: str) -> Values:
        """Reader and writer of a region's values; of plain JSON values when it was never declared here."""
        return self._values.get(name, self._untyped)

    def __iter__(self) -> Iterator[Region]:
        return iter(self._declared.values())


def unknown_region(name: str, known: Iterable[str]) -> ValidationError:
    """The error for a region nobody declared."""
    names = sorted(known)
    there = f"; there are: {', '.join(names)}" if names else ""
    return ValidationError(
        f"no region {name!r}{nearest(name, names)}{there}; declare it with board.declare(Region({name!r}, …))"
    )


def admits(scope: str, who: Identity) -> bool:
    """Whether a scope ("public", "role:<name>", "member:<name>") takes in a member."""
    return scope == "public" or scope == f"role:{who.role}" or scope == f"member:{who.name}"


def check_scope(scope: str, where: str) -> None:
    """Raise ValidationError when this is not "public", "role:<name>" or "member:<name>"."""
    kind, _, name = scope.partition(":")
    if scope != "public" and (kind not in {"role", "member"} or not name):
        raise ValidationError(f"{where}: {scope!r} must be 'public', 'role:<name>' or 'member:<name>'")


def check_name(what: str, name: str) -> None:
    """Raise ValidationError for a name that could pass for something else in a prompt: too long, or several lines."""
    if len(name) > MAX_NAME or not name.isprintable():
        raise ValidationError(f"{what} must be one line of at most {MAX_NAME} printable characters, not {name[:80]!r}")


def split_pattern(pattern: str) -> tuple[str, str]:
    """A pattern "region" or "region/key" as two glob patterns; without a key it is every key."""
    region, slash, key = pattern.partition("/")
    return region, key if slash else "*"


def is_glob(pattern: str) -> bool:
    """Whether a pattern can stand for several names."""
    return "*" in pattern or "?" in pattern or "[" in pattern


def _is_open(scopes: tuple[str, ...] | None, who: Identity) -> bool:
    return scopes is None or any(admits(scope, who) for scope in scopes)


def _matches(name: str, patterns: tuple[str, ...] | None) -> bool:
    return patterns is None or any(fnmatchcase(name, pattern) for pattern in patterns)


_REGION_NAME = re.compile(r"[\w.:-]{1,200}")
