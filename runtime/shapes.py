"""How values of a type are written as JSON and read again: one pair of functions a type, made once from its hints.

A dataclass or a pydantic model is an object with its fields. Of a union's classes the one meant stands as the only
key: {"Request": {…}}. For the rest see `notation`; types that are not known here are left to pydantic.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter

from phalanx.messages import Message, OutputSpec, Request, ToolSpec

from .fields import fields_shape
from .notation import (
    FREE,
    NAME,
    SCALARS,
    Json,
    Mismatch,
    Out,
    Shape,
    Source,
    UnknownForm,
    dump_free,
    key_of,
    load_free,
    plain_object,
)

KEPT = (Message, ToolSpec, OutputSpec)
"""What is kept once as a JSON body, whoever mentions it."""

NAMES = frozenset(
    {"author", "id", "key", "member", "name", "op", "path", "region", "role", "run_id", "tool_call_id", "tool_name"}
    | {"visibility"}
)
"""Fields that a redaction never sees: they name things, which must be found again under the same name."""

SECRET_NAME = re.compile(r"api[-_]?key|authorization|secret|password|credential|(access|auth|bearer)[-_]?token", re.I)
"""Options of a request whose name says that their value is secret."""

MASK = "[secret]"


@functools.cache
def shape_of(hint: Any, redacted: bool = True) -> Shape:
    """How values of a type are written and read. redacted: whether a redaction sees their texts."""
    if hint is str and not redacted:
        return NAME
    if hint in SCALARS:
        return SCALARS[hint]
    if hint is Any or hint is object:
        return FREE
    if isinstance(hint, type) and issubclass(hint, KEPT):
        return _kept(hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _dataclass(hint)
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return body_shape(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return _literal(arguments)
    if origin in (Union, types.UnionType):
        return _union(hint, arguments, redacted)
    if origin is tuple:
        return _tuple(arguments, redacted)
    if origin in (list, Sequence):
        return _sequence(shape_of(arguments[0], redacted), list)
    if origin in (dict, Mapping) and arguments[0] is str:
        return _mapping(shape_of(arguments[1], redacted))
    return _other(hint)


def _literal(choices: tuple[Any, ...]) -> Shape:
    """Any scalar of the right type: a journal may hold a choice that this version does not know."""
    kinds = frozenset(type(choice) for choice in choices)

    def check(value: Any, _: object) -> Any:
        if type(value) not in kinds:
            raise Mismatch(" or ".join(map(repr, choices)), value)
        return value

    return Shape(check, check, kinds, kinds)


def _kept(cls: type) -> Shape:
    def dump(value: Any, out: Out) -> Json:
        if not isinstance(value, cls):
            raise Mismatch(f"a {cls.__name__}", value)
        return {"$json": out.kept(value)}

    def load(value: Json, source: Source) -> Any:
        if isinstance(value, dict) and type(digest := value.get("$json")) is str:
            return source.kept(digest, cls)
        raise Mismatch(f"a {cls.__name__}", value)

    return Shape(dump, load)


def _tuple(hints: tuple[Any, ...], redacted: bool) -> Shape:
    if len(hints) == 2 and hints[1] is Ellipsis:
        if isinstance(hints[0], type) and issubclass(hints[0], KEPT):
            return _chain(hints[0])
        return _sequence(shape_of(hints[0], redacted), tuple)
    parts = [shape_of(hint, redacted) for hint in hints]

    def dump(value: Any, out: Out) -> Json:
        if not isinstance(value, tuple | list) or len(value) != len(parts):
            raise Mismatch(f"{len(parts)} values", value)
        return [part.dump(each, out) for part, each in zip(parts, value, strict=True)]

    def load(value: Json, source: Source) -> Any:
        if not isinstance(value, list) or len(value) != len(parts):
            raise Mismatch(f"a list of {len(parts)}", value)
        return tuple([part.load(each, source) for part, each in zip(parts, value, strict=True)])

    return Shape(dump, load)


def _chain(cls: type) -> Shape:
    def dump(value: Any, out: Out) -> Json:
        if not value:
            return []
        return {"$list": out.chain(value)}

    def load(value: Json, source: Source) -> Any:
        if value == []:
            return ()
        if isinstance(value, dict) and isinstance(links := value.get("$list"), list) and links:
            return source.chain(links, cls)
        raise Mismatch(f"a list of {cls.__name__}", value)

    return Shape(dump, load)


def _sequence(item: Shape, make: Callable[[list[Any]], Any]) -> Shape:
    def dump(value: Any, out: Out) -> Json:
        if not isinstance(value, tuple | list):
            raise Mismatch("a sequence", value)
        if not value:
            return []
        if item.as_is.issuperset(map(type, value)):
            return list(value)
        return [_at(index, item.dump, each, out) for index, each in enumerate(value)]

    def load(value: Json, source: Source) -> Any:
        if not isinstance(value, list):
            raise Mismatch("a list", value)
        if item.read_as_is.issuperset(map(type, value)):
            return make(value)
        return make([_at(index, item.load, each, source) for index, each in enumerate(value)])

    return Shape(dump, load)


def _at(index: int, convert: Callable[[Any, Any], Any], value: Any, other: Any) -> Any:
    try:
        return convert(value, other)
    except Mismatch as problem:
        problem.where = f"[{index}]{problem.where}"
        raise


def _mapping(item: Shape) -> Shape:
    def dump(value: Any, out: Out) -> Json:
        if not isinstance(value, Mapping):
            raise Mismatch("a mapping", value)
        written = {key_of(name, out): item.dump(each, out) for name, each in value.items()}
        if len(written) != len(value):
            raise Mismatch("a mapping whose keys differ as texts, redacted too,", value)
        return plain_object(written)

    def load(value: Json, source: Source) -> Any:
        if not isinstance(value, dict):
            raise Mismatch("an object", value)
        if len(value) == 1 and isinstance(held := value.get("$!"), dict):
            value = held
        return {name: item.load(each, source) for name, each in value.items()}

    return Shape(dump, load)


def _masked(value: Any, out: Out) -> Json:
    if not value:
        return {}
    return dump_free(_without_secrets(value), out)


def _without_secrets(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_without_secrets(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    return {
        name: MASK if isinstance(name, str) and SECRET_NAME.search(name) else _without_secrets(each)
        for name, each in value.items()
    }


def _union(hint: Any, members: tuple[Any, ...], redacted: bool) -> Shape:
    classes = {each.__name__: each for each in members if _has_fields(each)}
    scalars = [each for each in members if each in SCALARS or get_origin(each) is Literal]
    others = [each for each in members if each not in scalars and not _has_fields(each)]
    if len(others) == 1 and len(members) == 2 and type(None) in members:
        return _optional(shape_of(others[0], redacted))
    if others:
        return _other(hint)
    shapes = {name: shape_of(cls) for name, cls in classes.items()}
    plain = [shape_of(each, redacted) for each in scalars]
    wanted = ", ".join([*classes, *(getattr(each, "__name__", str(each)) for each in scalars)])

    def dump(value: Any, out: Out) -> Json:
        name = type(value).__name__
        if name in classes and isinstance(value, classes[name]):
            return {name: shapes[name].dump(value, out)}
        return first([shape.dump for shape in plain], value, out)

    def load(value: Json, source: Source) -> Any:
        if isinstance(value, dict) and len(value) == 1:
            name, held = next(iter(value.items()))
            if name in shapes:
                return shapes[name].load(held, source)
            if not name.startswith("$"):
                raise UnknownForm(wanted, value)
        return first([shape.load for shape in plain], value, source)

    def first(ways: Sequence[Callable[[Any, Any], Any]], value: Any, other: Any) -> Any:
        for convert in ways:
            try:
                return convert(value, other)
            except Mismatch:
                continue
        raise Mismatch(wanted, value)

    as_is = frozenset[type]().union(*(shape.as_is for shape in plain))
    read_as_is = frozenset[type]().union(*(shape.read_as_is for shape in plain))
    return Shape(dump, load, as_is, read_as_is, any(shape.text for shape in plain))


def _optional(inner: Shape) -> Shape:
    def dump(value: Any, out: Out) -> Json:
        return None if value is None else inner.dump(value, out)

    def load(value: Json, source: Source) -> Any:
        return None if value is None else inner.load(value, source)

    nothing = frozenset({type(None)})
    return Shape(dump, load, inner.as_is | nothing, inner.read_as_is | nothing, inner.text)


def _has_fields(hint: Any) -> bool:
    return isinstance(hint, type) and (dataclasses.is_dataclass(hint) or issubclass(hint, BaseModel))


def _dataclass(cls: type) -> Shape:
    hints = typing.get_type_hints(cls)
    fields = [field for field in dataclasses.fields(cls) if field.init]
    required = [
        field.name
        for field in fields
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    shapes = {field.name: _field(cls, field.name, hints[field.name]) for field in fields}
    return fields_shape(cls, shapes, frozenset(shapes).difference(required), lambda values: cls(**values))


@functools.cache
def body_shape(cls: type[BaseModel]) -> Shape:
    """How a pydantic model's fields are written and read: the body of a KEPT type, or a part of a record."""
    if cls.__pydantic_root_model__ or cls.model_config.get("extra") == "allow":
        return _other(cls)
    shapes = {name: _field(cls, name, field.annotation) for name, field in cls.model_fields.items()}
    keys = {name: field.alias or name for name, field in cls.model_fields.items()}
    return fields_shape(cls, shapes, frozenset(shapes), cls.model_validate, keys)


def _field(cls: type, name: str, hint: Any) -> Shape:
    if cls is Request and name == "options":
        return Shape(_masked, shape_of(hint).load)
    try:
        return shape_of(hint, name not in NAMES)
    except TypeError:  # a hint that cannot be hashed
        return _other(hint)


def _other(hint: Any) -> Shape:
    """Types that pydantic knows and this file does not: dates, fractions, sets, a union of containers."""
    adapter: TypeAdapter[Any] = TypeAdapter(hint)

    def dump(value: Any, out: Out) -> Json:
        try:
            return dump_free(adapter.dump_python(value, mode="json", warnings="error"), out)
        except ValueError as problem:
            raise Mismatch(f"{hint} ({problem})", value) from None

    def load(value: Json, source: Source) -> Any:
        try:
            return adapter.validate_python(load_free(value, source))
        except ValueError as problem:
            raise Mismatch(f"{hint} ({problem})", value) from None

    return Shape(dump, load)
