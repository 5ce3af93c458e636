"""The plain end of the codec: texts, numbers and free values as JSON, and the notations for what JSON lacks.

What is written is plain JSON but for these, each an object with a single key:

    {"$": digest}                    a long text, kept once as a body
    {"$json": digest}                a message, a tool or an output schema, kept once as a JSON body
    {"$list": [digest?, digest …]}   several of those: the list that the first names (null: none), and what follows
    {"$float": "nan"}                a number that JSON lacks;   {"$!": {…}}   an object that only looks like a notation

Where a number is expected one that JSON lacks is a text: "NaN", "Infinity", "-Infinity".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from pydantic_core import to_jsonable_python

LONG = 512
"""Texts from this many characters on are kept once as bodies."""

Json = Any  # what JSON can hold; a recursive alias would only cost the checker time


class Out(Protocol):
    """Where values are written to."""

    redact: Callable[[str], str] | None

    def text(self, value: str) -> str:
        """Keep a text and return its digest."""
        ...

    def kept(self, value: object) -> str:
        """Keep a value of one of the KEPT types and return its digest."""
        ...

    def chain(self, values: Sequence[object]) -> list[str | None]:
        """Keep values of the KEPT types as a list: the digest of its beginning, and those of what follows it."""
        ...


class Source(Protocol):
    """Where values are read from."""

    def text(self, digest: str) -> str: ...

    def kept(self, digest: str, cls: type) -> object: ...

    def chain(self, links: Sequence[str | None], cls: type) -> tuple[object, ...]: ...


class Mismatch(Exception):
    """A value is not what its type says; `where` grows on the way up."""

    def __init__(self, wanted: str, value: object) -> None:
        super().__init__()
        self.wanted, self.value, self.where = wanted, value, ""

    def __str__(self) -> str:
        place = f"{self.where.lstrip('.')}: " if self.where else ""
        shown = repr(self.value)
        return f"{place}{self.wanted} is expected, not {shown if len(shown) <= 80 else shown[:79] + '…'}"


class UnknownForm(Mismatch):
    """A value is written in a way that this version does not know."""


Dump = Callable[[Any, Out], Json]
Load = Callable[[Json, Source], Any]


class Shape(NamedTuple):
    """How values of a type are written and read.

    as_is: values of these very types are written as they are; text: so are texts, when short and not redacted.
    read_as_is: JSON values of these very types are read as they are.
    """

    dump: Dump
    load: Load
    as_is: frozenset[type] = frozenset()
    read_as_is: frozenset[type] = frozenset()
    text: bool = False


def dump_free(value: Any, out: Out) -> Json:
    """Any value as JSON; what JSON cannot hold is written as pydantic would, or as its repr."""
    kind = type(value)
    if kind is str:
        return _dump_text(value, out)
    if value is None or kind is bool or kind is int:
        return value
    if kind is float:
        return _dump_free_float(value)
    if kind is list or kind is tuple:
        return [dump_free(each, out) for each in value]
    if kind is dict:
        written = {key_of(name, out): dump_free(each, out) for name, each in value.items()}
        if len(written) != len(value):
            raise Mismatch("an object whose keys differ as texts, redacted too,", value)
        return plain_object(written)
    try:
        return dump_free(to_jsonable_python(value, fallback=repr, bytes_mode="base64"), out)
    except (ValueError, RecursionError) as problem:
        raise Mismatch("a value that JSON can hold", f"{type(value).__name__} ({problem})") from None


def load_free(value: Json, source: Source) -> Any:
    """What `dump_free` wrote."""
    if isinstance(value, list):
        return [load_free(each, source) for each in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        name, held = next(iter(value.items()))
        if name.startswith("$"):
            if name == "$":
                return source.text(held)
            if name == "$float":
                return _load_free_float(held)
            if name == "$!" and isinstance(held, dict):
                return {key: load_free(each, source) for key, each in held.items()}
            raise UnknownForm("a notation of this version", value)
    return {name: load_free(each, source) for name, each in value.items()}


def plain_object(written: dict[str, Json]) -> Json:
    """An object that is none of the notations, even if it looks like one."""
    return {"$!": written} if len(written) == 1 and next(iter(written)).startswith("$") else written


def key_of(name: object, out: Out) -> str:
    key = name if isinstance(name, str) else str(to_jsonable_python(name, fallback=repr))
    return key if out.redact is None else out.redact(key)


def _dump_text(value: Any, out: Out) -> Json:
    if not isinstance(value, str):
        raise Mismatch("text", value)
    value = str(value) if type(value) is not str else value
    if out.redact is not None:
        value = out.redact(value)
        if type(value) is not str:
            raise Mismatch("text from redact=", value)
    return value if len(value) < LONG else {"$": out.text(value)}


def _load_text(value: Json, source: Source) -> str:
    if type(value) is str:
        return value
    if isinstance(value, dict) and type(digest := value.get("$")) is str:
        return source.text(digest)
    raise Mismatch("text", value)


def _dump_name(value: Any, _: Out) -> Json:
    if not isinstance(value, str):
        raise Mismatch("text", value)
    return str(value)


def _dump_float(value: Any, _: Out) -> Json:
    if isinstance(value, bool) or not isinstance(value, float | int):
        raise Mismatch("a number", value)
    return float(value)


def _load_float(value: Json, _: Source) -> float:
    if type(value) is float or type(value) is int:
        return value
    if value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    raise Mismatch("a number", value)


def _dump_free_float(value: float) -> Json:
    return value if math.isfinite(value) else {"$float": repr(value)}


def _load_free_float(value: Json) -> float:
    if value in ("nan", "inf", "-inf"):
        return float(value)
    raise UnknownForm("a number that JSON lacks", value)


def _of_type(wanted: type, name: str) -> Shape:
    def check(value: Any, _: object) -> Any:
        if type(value) is not wanted:
            raise Mismatch(name, value)
        return value

    return Shape(check, check, frozenset({wanted}), frozenset({wanted}))


SCALARS: dict[Any, Shape] = {
    str: Shape(_dump_text, _load_text, frozenset(), frozenset({str}), text=True),
    float: Shape(_dump_float, _load_float, frozenset({float, int}), frozenset({float, int})),
    int: _of_type(int, "a whole number"),
    bool: _of_type(bool, "true or false"),
    type(None): _of_type(type(None), "null"),
}
NAME = Shape(_dump_name, _load_text, frozenset({str}), frozenset({str}))
FREE = Shape(
    dump_free, load_free, frozenset({int, bool, type(None)}), frozenset({int, float, bool, str, type(None)}), True
)
