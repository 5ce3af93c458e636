"""Records as bytes and back: by kind, with what is long or repeated kept once, and nothing lost that is not understood.

A record is written as a kind and JSON (the notations stand in `notation`). A message, a tool, a schema or a long text
is a body, found by the SHA-256 of its bytes; a record only names it. A list of messages names the list that it
continues, so a step costs the same however long its conversation has become, and a journal grows by what is new.

Yesterday's records still load: a field they lack gets its default. Tomorrow's are not destroyed: a field that is not
known is passed over, a record of an unknown kind or form is kept as `Unknown` and is written back as it was.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, get_args

from phalanx.errors import LogError
from phalanx.messages import Request, ToolCall

from .batch import Batch
from .bodies import Incoming, Outgoing, Remembered, digest_of, from_bytes, mentions, to_bytes
from .entries import RECORDS
from .events import AnyEvent
from .notation import Dump, Json, Mismatch, UnknownForm, dump_free
from .shapes import shape_of

_kinds: dict[str, type] = {}
_writers: dict[type, tuple[str, Dump]] = {}


def register(*classes: type) -> None:
    """Let records of these classes be stored: frozen dataclasses or pydantic models with a `kind` of their own.

    Raises ValueError when a class has no kind, or one that another class has.
    """
    for cls in classes:
        kind = getattr(cls, "kind", None)
        if kind is None and (field := getattr(cls, "model_fields", {}).get("kind")) is not None:
            kind = field.default
        if not isinstance(kind, str) or not kind:
            raise ValueError(f"{cls.__name__} needs `kind`, a text that tells its records apart")
        if _kinds.setdefault(kind, cls) is not cls:
            raise ValueError(f"{cls.__name__} and {_kinds[kind].__name__} are both of kind {kind!r}")


register(*get_args(AnyEvent), *RECORDS)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A record that this version does not understand; `why` says what is new in it. It is written back unchanged."""

    kind: str
    data: bytes
    bodies: tuple[tuple[str, bytes], ...] = ()
    why: str = ""


class Encoded(NamedTuple):
    """A record as bytes, and the bodies that must be kept with it: digest and content, those needed by others first."""

    kind: str
    data: bytes
    bodies: Mapping[str, bytes]


class Codec:
    """Writes and reads the records of one log.

    redact: applied to every text before anything is written, names of things aside (members, keys, regions). It must
    leave alone what it has redacted before. What was redacted is gone: a replay sees the redacted text.
    Options of a request whose name says that they are secret (api_key, authorization, …) are masked in any case.
    """

    def __init__(self, redact: Callable[[str], str] | None = None) -> None:
        self.redact = redact
        self._remembered = Remembered()

    def encode(self, record: object, known: Container[str] = ()) -> Encoded:
        """A record as bytes. known: digests of bodies that are kept already; their content is left out.

        Raises LogError when the record is of no registered class, or holds what cannot be written.
        """
        if isinstance(record, Unknown):
            bodies = {digest: body for digest, body in record.bodies if digest not in known}
            return Encoded(record.kind, record.data, bodies)
        out = Outgoing(self._remembered, known, self.redact)
        kind, data = _written(record, out)
        return Encoded(kind, data, out.new)

    def batch(self, stream: str, records: Sequence[object], known: Container[str], expect: int | None = None) -> Batch:
        """Records as bytes, to be appended together. Raises LogError as `encode` does."""
        out = Outgoing(self._remembered, known, self.redact)
        rows: list[tuple[str, bytes]] = []
        for record in records:
            if isinstance(record, Unknown):
                rows.append((record.kind, record.data))
                out.new.update(self.encode(record, known).bodies)
            else:
                rows.append(_written(record, out))
        return Batch(stream, rows, out.new, expect)

    def body(self, body: bytes) -> bytes:
        """A body as it may be written: redacted, if it is text."""
        if self.redact is None:
            return body
        try:
            return self.redact(body.decode()).encode()
        except UnicodeDecodeError:
            return body  # no text, so nothing that a redaction could read

    def decode(self, kind: str, data: bytes, body: Callable[[str], bytes]) -> object:
        """A record from bytes. body: gives the content of a body by its digest.

        Raises LogError when the data is not what was written for this kind.
        """
        try:
            raw = from_bytes(data)
        except ValueError as problem:
            raise LogError(f"a {kind!r} record is damaged: {problem}") from None
        cls = _kinds.get(kind)
        if cls is None:
            return self._unknown(kind, data, body, f"records of kind {kind!r}")
        try:
            return shape_of(cls).load(raw, Incoming(self._remembered, body))
        except UnknownForm as problem:
            return self._unknown(kind, data, body, str(problem))
        except Mismatch as problem:
            raise LogError(f"a {kind!r} record is damaged: {problem}") from None

    def lacking(self, data: Iterable[bytes], have: Mapping[str, bytes]) -> set[str]:
        """Digests of the bodies that are needed to decode, and are not in `have`; ask again when they are.

        Once a body that names others is in `have`, those are needed too.
        """
        lacking: set[str] = set()
        seen: set[str] = set()
        waiting = list(data)
        while waiting:
            try:
                raw = from_bytes(waiting.pop())
            except ValueError:
                continue  # decoding it says what is wrong
            for digest, is_json in mentions(raw):
                if digest in seen:
                    continue
                seen.add(digest)
                if digest not in have:
                    lacking.add(digest)
                elif is_json:
                    waiting.append(have[digest])
        return lacking

    def fingerprint(self, request: Request | ToolCall | str) -> dict[str, str]:
        """Field → hash of all that a request asks for, in a fixed order; who asks and the call's id aside.

        A message has a field of its own, "messages[0]" and so on. Both sides of a comparison must be made by a codec
        with the same redaction, so that a recorded request and the one that is asked again compare equal.
        Raises LogError when it holds what cannot be written.
        """
        try:
            return self._fingerprint(request)
        except (Mismatch, RecursionError) as problem:
            raise LogError(f"this request cannot be journaled: {problem}") from None

    def _fingerprint(self, request: Request | ToolCall | str) -> dict[str, str]:
        out = Outgoing(self._remembered, _Everything(), self.redact)
        if isinstance(request, str):
            return {"text": _hash(dump_free(request, out))}
        if isinstance(request, ToolCall):
            call = shape_of(ToolCall).dump(request, out)
            return {name: _hash(call[name]) for name in ("tool_name", "parameters", "arguments_error")}
        fields = {f"messages[{at}]": out.kept(message)[:16] for at, message in enumerate(request.messages)}
        asked = shape_of(Request).dump(request, out)
        return fields | {name: _hash(held) for name, held in asked.items() if name not in ("messages", "about")}

    def _unknown(self, kind: str, data: bytes, body: Callable[[str], bytes], new: str) -> Unknown:
        bodies: dict[str, bytes] = {}
        while lacking := self.lacking([data], bodies):
            bodies |= {digest: body(digest) for digest in sorted(lacking)}
        return Unknown(kind, data, tuple(bodies.items()), f"this version of Phalanx does not know {new}")


def request_fingerprint(request: Request | ToolCall | str) -> dict[str, str]:
    """Field → hash of what a request asks for; see `Codec.fingerprint`, which redacts."""
    return _plain().fingerprint(request)


def first_difference(recorded: Mapping[str, str], asked: Mapping[str, str]) -> str | None:
    """The first field in which two fingerprints differ; None when they are equal."""
    for name in (*asked, *(name for name in recorded if name not in asked)):
        if recorded.get(name) != asked.get(name):
            return name
    return None


@functools.cache
def _plain() -> Codec:
    return Codec()


def _written(record: object, out: Outgoing) -> tuple[str, bytes]:
    cls: type = type(record)
    if (known := _writers.get(cls)) is None:
        kind = getattr(record, "kind", None)
        if not isinstance(kind, str) or _kinds.get(kind) is not cls:
            raise LogError(f"{cls.__name__} cannot be stored; say `codec.register({cls.__name__})`")
        known = _writers[cls] = kind, shape_of(cls).dump
    kind, dump = known
    try:
        return kind, to_bytes(dump(record, out))
    except (Mismatch, RecursionError) as problem:
        raise LogError(f"this {kind!r} record cannot be stored: {problem}") from None


class _Everything:
    """Contains whatever it is asked for: with it nothing is written, only hashed."""

    def __contains__(self, _: object) -> bool:
        return True


def _hash(raw: Json) -> str:
    return _hash_of(json.dumps(raw, sort_keys=True).encode() if raw and isinstance(raw, dict) else to_bytes(raw))


@functools.lru_cache(4096)
def _hash_of(data: bytes) -> str:
    return digest_of(data)[:16]
