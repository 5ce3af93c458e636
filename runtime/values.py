"""How a region's values become JSON, and JSON its values again."""

from __future__ import annotations

import functools
import inspect
import json
import math
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import pydantic
from pydantic_core import PydanticSerializationError, to_json

from phalanx.errors import ValidationError

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_CANONICAL = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
_SCALARS: frozenset[object] = frozenset({bool, int, float, str})


@dataclass(frozen=True, slots=True)
class Known:
    """A value that cannot change, with the JSON and the text that it would be written as.

    Posted in the place of the value, it is not made and compared again: whoever made them answers for them.
    """

    value: object
    stored: object
    text: str


class Values:
    """Writes and reads the values of one region; what is written is checked to come back equal.

    type: anything pydantic can validate. The adapter is built when it is first needed. is_settled: its values can never
    change, so that all readers may be given the same one.
    """

    __slots__ = ("_adapter", "_last", "is_settled", "region", "type")

    def __init__(self, region: str, type: object) -> None:
        self.region, self.type = region, type
        kind: Any = type
        is_class = inspect.isclass(kind)
        self.is_settled: bool = is_class and _is_settled_class(kind)
        self._adapter: pydantic.TypeAdapter[object] | None = None
        self._last: tuple[object, object] = (None, None)

    def dump(self, value: object) -> tuple[object, str]:
        """A value as JSON, and as text. Raises ValidationError when it is not of the type or not JSON."""
        if isinstance(value, Known):
            if not self.is_settled or type(value.value) is not self.type:
                raise ValidationError(f"region {self.region!r} holds {_name(self.type)}, not {_short(value.value)}")
            self._last = (value.stored, value.value)
            return value.stored, _text(value.text, self.region)
        if self.type is type(value) and (text := _plain(value)) is not None:
            return value, _text(text, self.region)
        try:
            adapter = self._built()
            kept = adapter.validate_python(value)
            stored = adapter.dump_python(kept, mode="json", warnings="error")
            text = stored if isinstance(stored, str) else _ENCODER.encode(stored)
            back = adapter.validate_json(to_json(stored))
            if back != kept:
                raise ValidationError(
                    f"region {self.region!r}: {_short(value)} does not come back equal from JSON; give the region a "
                    "type that can be stored, e.g. Region(…, type=YourModel)"
                )
        except pydantic.ValidationError as problem:
            raise ValidationError(f"region {self.region!r} holds {_name(self.type)}: {_first(problem)}") from None
        except (PydanticSerializationError, TypeError, ValueError) as problem:
            if isinstance(problem, ValidationError):
                raise
            raise ValidationError(f"region {self.region!r}: {_short(value)} is not JSON: {problem}") from problem
        if self.is_settled:
            self._last = (stored, back)
        return stored, _text(text, self.region)

    def load(self, stored: object) -> object:
        """A value from its JSON; a new one where it can change, so that a reader who changes it changes nothing here.

        Raises ValidationError when it does not fit the type, which then is not the one it was written with.
        """
        if self.type is type(stored) and self.type in _SCALARS:
            return stored
        if self.is_settled and stored is self._last[0]:
            return self._last[1]
        try:
            return self._built().validate_json(to_json(stored))
        except pydantic.ValidationError as problem:
            raise ValidationError(
                f"region {self.region!r} holds {_name(self.type)}, and a value written earlier is not one "
                f"({_first(problem)}); declare the region with the type it was written with"
            ) from None

    def _built(self) -> pydantic.TypeAdapter[object]:
        if self._adapter is None:
            kind: Any = self.type
            is_class = inspect.isclass(kind)
            try:
                self._adapter = (_adapter_of if is_class else pydantic.TypeAdapter)(kind)
            except pydantic.errors.PydanticUserError as problem:
                raise ValidationError(f"region {self.region!r}: {kind!r} cannot be validated: {problem}") from problem
        return self._adapter


@functools.lru_cache(128)
def _adapter_of(kind: type) -> pydantic.TypeAdapter[object]:
    # Making one takes longer than a run of a small team writes to its board, and each run declares its regions anew.
    return pydantic.TypeAdapter(kind)


@functools.lru_cache(128)
def _is_settled_class(kind: type) -> bool:
    return _is_settled(kind, ())


def _is_settled(kind: object, inside: tuple[object, ...]) -> bool:
    """Whether values of a type cannot change: frozen models, tuples and scalars all the way down."""
    if any(kind is each for each in _SCALARS) or kind is type(None) or kind in inside:
        return True
    origin = get_origin(kind)
    if origin is Literal:
        return True
    if origin in (Union, UnionType, tuple):
        return all(each is Ellipsis or _is_settled(each, inside) for each in get_args(kind))
    if not (isinstance(kind, type) and issubclass(kind, pydantic.BaseModel)):
        return False
    is_open = kind.model_config.get("extra") == "allow" or kind.__private_attributes__
    fields = [field.annotation for field in kind.model_fields.values()]
    return (
        bool(kind.model_config.get("frozen"))
        and not is_open
        and all(_is_settled(each, (*inside, kind)) for each in fields)
    )


def text_of(stored: object) -> str:
    """A stored value as a reader sees it: a string as it is, anything else as compact JSON."""
    return stored if isinstance(stored, str) else _ENCODER.encode(stored)


def canonical(stored: object) -> str:
    """The JSON text of a stored value that equal values share."""
    return _CANONICAL.encode(stored)


def _plain(value: object) -> str | None:
    """The text of a scalar that is its own JSON; None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return repr(value)
    return None


def _text(text: str, region: str) -> str:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as problem:
            raise ValidationError(f"region {region!r}: the text is not valid Unicode: {problem}") from None
    return text


def _first(problem: pydantic.ValidationError) -> str:
    first = problem.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]


def _name(kind: object) -> str:
    return getattr(kind, "__name__", None) or repr(kind)


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:80] + "…"
