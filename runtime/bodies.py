"""What is kept once, by the SHA-256 of its bytes: long texts, messages, tools, schemas, and lists of them.

A list of messages is a chain: a link holds CHUNK of them and the digest of the link before it. A conversation that
has grown by one message is the chain it was, and one digest more.
"""

from __future__ import annotations

import hashlib
import json
import math
import weakref
from collections.abc import Callable, Container, Iterator, Sequence
from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

from .notation import Json, Mismatch
from .shapes import KEPT, body_shape

CHUNK = 8
"""How many messages a link of a chain holds; a request names fewer than this many by themselves."""

MANY = 20_000
"""How many digests and values of each sort are remembered, before all are forgotten."""


def digest_of(body: bytes) -> str:
    """The hash that a body is found by: the SHA-256 of its bytes, in hexadecimal."""
    return hashlib.sha256(body).hexdigest()


class Remembered:
    """What one log's bodies were found to be, so that none is hashed or read twice."""

    def __init__(self) -> None:
        self.digests: dict[int, Held] = {}
        self.links: dict[tuple[str | None, ...], tuple[str, bytes]] = {}
        self.values: dict[tuple[str, type], object] = {}
        self.lists: dict[tuple[str, type], tuple[object, ...]] = {}

    def hold(self, value: object, digest: str) -> None:
        """Remember what a value was found to be, for as long as it lives."""
        held = Held(value, self._forget)
        held.place, held.digest = id(value), digest
        self.digests[held.place] = held

    def _forget(self, held: Held) -> None:
        if self.digests.get(held.place) is held:
            del self.digests[held.place]


class Held(weakref.ref[Any]):
    """A value and its digest, in one object: there is one for each message of each conversation that goes on."""

    __slots__ = ("digest", "place")

    digest: str
    place: int


class Outgoing:
    """One record on its way out, and in `new` the bodies that must be kept with it.

    known: digests that are kept already, with all that their bodies name.
    """

    __slots__ = ("known", "new", "redact", "remembered")

    def __init__(self, remembered: Remembered, known: Container[str], redact: Callable[[str], str] | None) -> None:
        self.remembered, self.known, self.redact = remembered, known, redact
        self.new: dict[str, bytes] = {}

    def text(self, value: str) -> str:
        return self._keep(value.encode("utf-8", "surrogatepass"))

    def kept(self, value: object) -> str:
        held = self.remembered.digests.get(id(value))
        if held is not None and held() is value and (held.digest in self.known or held.digest in self.new):
            return held.digest
        digest = self._keep(to_bytes(body_shape(_kept_class(value)).dump(value, self)))
        self.remembered.hold(value, digest)
        return digest

    def chain(self, values: Sequence[object]) -> list[str | None]:
        names: list[str | None] = [None, *map(self.kept, values)]
        links = self.remembered.links
        while len(names) > CHUNK:
            key = tuple(names[: CHUNK + 1])
            if (link := links.get(key)) is None:
                if len(links) >= MANY:
                    links.clear()
                body = to_json({"$list": key})
                link = links[key] = digest_of(body), body
            digest, body = link
            if digest not in self.known:
                self.new[digest] = body
            names = [digest, *names[CHUNK + 1 :]]
        return names

    def _keep(self, body: bytes) -> str:
        digest = digest_of(body)
        if digest not in self.known:
            self.new[digest] = body
        return digest


class Incoming:
    """Where one record's bodies come from: `body` gives the content of a digest."""

    __slots__ = ("body", "remembered")

    def __init__(self, remembered: Remembered, body: Callable[[str], bytes]) -> None:
        self.remembered, self.body = remembered, body

    def text(self, digest: str) -> str:
        return self.body(digest).decode("utf-8", "surrogatepass")

    def kept(self, digest: str, cls: type) -> object:
        values = self.remembered.values
        if (value := values.get((digest, cls))) is None:
            value = body_shape(cls).load(from_bytes(self.body(digest)), self)
            if len(values) >= MANY:
                values.clear()
            values[digest, cls] = value
        return value

    def chain(self, names: Sequence[str | None], cls: type) -> tuple[object, ...]:
        lists = self.remembered.lists
        waiting: list[tuple[str, Sequence[str | None]]] = []
        begun: tuple[object, ...] = ()
        before, rest = names[0], names[1:]
        while before is not None:
            if (held := lists.get((before, cls))) is not None:
                begun = held
                break
            waiting.append((before, rest))
            before, *rest = _link(from_bytes(self.body(before)))
        while waiting:
            begun += self._all(rest, cls)
            digest, rest = waiting.pop()
            if len(lists) >= MANY:
                lists.clear()
            lists[digest, cls] = begun
        return begun + self._all(rest, cls)

    def _all(self, digests: Sequence[str | None], cls: type) -> tuple[object, ...]:
        return tuple([self.kept(digest, cls) for digest in digests if digest is not None])


def mentions(raw: Json) -> Iterator[tuple[str, bool]]:
    """The digests that written JSON names, each with whether its body is JSON that may name others."""
    if isinstance(raw, list):
        for each in raw:
            yield from mentions(each)
    elif isinstance(raw, dict):
        for name, held in raw.items():
            if len(raw) == 1 and name in ("$", "$json") and isinstance(held, str):
                yield held, name == "$json"
            elif len(raw) == 1 and name == "$list" and isinstance(held, list):
                yield from ((digest, True) for digest in held if isinstance(digest, str))
            else:
                yield from mentions(held)


def to_bytes(raw: Json) -> bytes:
    """JSON as bytes."""
    try:
        return to_json(raw, inf_nan_mode="strings")
    except PydanticSerializationError:
        # Half of a surrogate pair, which a model can send: JSON can only hold it escaped.
        return json.dumps(_with_names(raw), separators=(",", ":"), allow_nan=False).encode()


def _with_names(raw: Json) -> Json:
    """JSON in which numbers that it lacks are named, as `to_json` does it."""
    if isinstance(raw, float) and not math.isfinite(raw):
        return "NaN" if raw != raw else "Infinity" if raw > 0 else "-Infinity"
    if isinstance(raw, list):
        return [_with_names(each) for each in raw]
    if isinstance(raw, dict):
        return {name: _with_names(each) for name, each in raw.items()}
    return raw


def from_bytes(data: bytes) -> Json:
    """Bytes as JSON. Raises ValueError when they are not."""
    try:
        return from_json(data)
    except ValueError:
        return json.loads(data)


def _kept_class(value: object) -> type:
    for cls in KEPT:
        if isinstance(value, cls):
            return cls
    raise Mismatch(" or ".join(cls.__name__ for cls in KEPT), value)


def _link(raw: Json) -> list[str | None]:
    names = raw.get("$list") if isinstance(raw, dict) else None
    if not isinstance(names, list) or not names:
        raise Mismatch("a list of digests", raw)
    return names
