"""What a model cannot be shown: binary data, and what is no value yet."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterable, Iterator, Mapping

from pydantic import BaseModel


def unshowable(value: object) -> str | None:
    """What in a value, on any level, cannot be shown to a model, in words; None when all of it can.

    value: what a tool returned, or a part of a task's context. A coroutine in it is closed: nobody will await it.
    """
    waiting, seen = [value], set[int]()
    while waiting:
        part = waiting.pop()
        if part is None or isinstance(part, str | int | float):
            continue
        if isinstance(part, bytes | bytearray | memoryview):
            return f"{len(part)} bytes of binary data"
        if isinstance(part, Iterator | AsyncIterator | Awaitable):
            if isinstance(part, Coroutine):
                part.close()
            # Reading it out here would run foreign code outside of its thread and its timeout, maybe for ever.
            return f"{_kind(part)}, whose values are not there yet"
        if id(part) not in seen:
            seen.add(id(part))
            waiting.extend(_parts(part))
    return None


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        return (*value.keys(), *value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return value
    if isinstance(value, BaseModel):
        return value.__dict__.values()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name, None) for field in dataclasses.fields(value)]
    return ()


def _kind(value: object) -> str:
    name = type(value).__name__.replace("_", " ")
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
