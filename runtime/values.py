"""How a region's values become JSON, and JSON its values again."""

from __future__ import annotations

import json
import math
from typing import Any

import pydantic
from pydantic_core import PydanticSerializationError, to_json

from phalanx.errors import ValidationError

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_CANONICAL = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
_SCALARS: frozenset[object] = frozenset({bool, int, float, str})


class Values:
    """Writes and reads the values of one region; what is written is checked to come back equal.

    type: anything pydantic can validate. The adapter is built when it is first needed.
    """

    __slots__ = ("_adapter", "region", "type")

    def __init__(self, region: str, type: object) -> None:
        self.region, self.type = region, type
        self._adapter: pydantic.TypeAdapter[object] | None = None

    def dump(self, value: object) -> tuple[object, str]:
        """A value as JSON, and as text. Raises ValidationError when it is not of the type or not JSON."""
        if self.type is type(value) and (text := _plain(value)) is not None:
            return value, _text(text, self.region)
        try:
            adapter = self._built()
            kept = adapter.validate_python(value)
            stored = adapter.dump_python(kept, mode="json", warnings="error")
            text = stored if isinstance(stored, str) else _ENCODER.encode(stored)
            if adapter.validate_json(to_json(stored)) != kept:
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
        return stored, _text(text, self.region)

    def load(self, stored: object) -> object:
        """A value from its JSON; each time a new one, so that a reader who changes it changes nothing here.

        Raises ValidationError when it does not fit the type, which then is not the one it was written with.
        """
        if self.type is type(stored) and self.type in _SCALARS:
            return stored
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
            try:
                self._adapter = pydantic.TypeAdapter(kind)
            except pydantic.errors.PydanticUserError as problem:
                raise ValidationError(f"region {self.region!r}: {kind!r} cannot be validated: {problem}") from problem
        return self._adapter


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
