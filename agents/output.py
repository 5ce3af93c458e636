"""Typed answers: a pydantic type becomes a JSON schema for the model, and its text becomes a validated object."""

from __future__ import annotations

import copy
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, TypeAdapter
from pydantic import ValidationError as PydanticError

from phalanx.errors import ValidationError
from phalanx.messages import OutputSpec

T = TypeVar("T")
# No two of its parts can match the same line end: else it would take time quadratic in a run of them.
_BLOCK = re.compile(r"```(?:json)?[^\S\n]*+\n(.*?)```", re.DOTALL)
# What is read of an answer: the most characters of each end that are searched for JSON, and the effort put into it.
# A value that does not parse costs the characters that were read for it and CANDIDATE, so that no answer, however
# malformed, holds up the event loop.
ENDS = 200_000
EFFORT = 2_000_000
CANDIDATE = 500
TOO_DEEP = 10_000
MOST_BLOCKS = 200


class Shape(Generic[T]):
    """The shape an answer must have.

    type: any type pydantic can validate. schema: a JSON schema to show instead of the type's own, for constraints
    known only at run time. A schema that is not an object's is wrapped in one with the field `value`.
    Raises ValidationError when pydantic cannot make a schema of the type.
    """

    def __init__(self, type: type[T], *, name: str = "", schema: Mapping[str, Any] | None = None) -> None:
        # A model class is described once: that takes longer than all else that is done for a call.
        if schema is None and inspect.isclass(type) and issubclass(type, BaseModel):
            self._parts = _of_model(type, name)
        else:
            self._parts = _Parts(type, name, schema)
        self.adapter: TypeAdapter[T] = self._parts.adapter
        self.wrapped, self.spec = self._parts.wrapped, self._parts.spec

    @property
    def text(self) -> str:
        """The schema as a model is shown it."""
        return self._parts.text

    def parse(self, text: str) -> T:
        """The validated object in an answer: the whole of it, or the first JSON value in it that fits.

        Raises ValueError (pydantic's ValidationError or a plain one) that says what does not fit.
        """
        first: ValueError | None = None
        if not self.wrapped:
            # Most answers are what was asked for and nothing else: read once, not read, written and read again.
            with suppress(PydanticError, RecursionError):
                return self.adapter.validate_json(text)
        for candidate in _json_values(text):
            try:
                if self.wrapped and isinstance(candidate, dict) and set(candidate) == {"value"}:
                    return self.adapter.validate_python(candidate["value"])
                return self.adapter.validate_json(json.dumps(candidate))
            except PydanticError as problem:
                first = first or ValueError(_said(problem))
            except RecursionError:
                first = first or ValueError("it is nested too deeply")
        raise first or ValueError("there is no JSON value in it")


class _Parts:
    """What a shape is made of."""

    def __init__(self, kind: Any, name: str, schema: Mapping[str, Any] | None) -> None:
        try:
            self.adapter: TypeAdapter[Any] = TypeAdapter(kind)
            own = self.adapter.json_schema() if schema is None else copy.deepcopy(dict(schema))
        except Exception as problem:
            raise ValidationError(f"output={kind!r} cannot be described by a JSON schema: {problem}") from problem
        self.wrapped = own.get("type") != "object" and "$ref" not in own
        if self.wrapped:
            inner = {key: value for key, value in own.items() if key != "$defs"}
            own = {
                "type": "object",
                "properties": {"value": inner},
                "required": ["value"],
                "additionalProperties": False,
                **({"$defs": own["$defs"]} if "$defs" in own else {}),
            }
        name = name or getattr(kind, "__name__", "answer")
        self.spec = OutputSpec(name=re.sub(r"\W+", "_", name), schema=own)

    @cached_property
    def text(self) -> str:
        return json.dumps(self.spec.schema_, ensure_ascii=False)


@lru_cache(maxsize=256)
def _of_model(model: type[BaseModel], name: str) -> _Parts:
    return _Parts(model, name, None)


def _json_values(text: str) -> Iterator[Any]:
    """Every JSON value in a text, the most deliberate first: the whole text, code blocks, then what is found in it."""
    for whole in (text, *islice((each[1] for each in _BLOCK.finditer(text)), MOST_BLOCKS)):
        try:
            yield json.loads(whole)
        except (ValueError, RecursionError):
            continue
    if len(text) > 2 * ENDS:
        text = f"{text[:ENDS]}\n{text[-ENDS:]}"
    decoder, opening = json.JSONDecoder(), re.compile(r"[{\[]")
    at, left = 0, EFFORT
    while left > 0 and (found := opening.search(text, at)) is not None:
        start = found.start()
        left -= CANDIDATE
        try:
            value, at = decoder.raw_decode(text, start)
        except json.JSONDecodeError as problem:
            left -= problem.pos - start
            at = start + 1
        except (ValueError, RecursionError):
            left -= TOO_DEEP
            at = start + 1
        else:
            yield value


def _said(problem: PydanticError) -> str:
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'it'}: {each['msg']}" for each in problem.errors()[:5])
