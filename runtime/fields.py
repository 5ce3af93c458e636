"""Values with named fields as JSON objects, written and read by a plan for each combination of field types met.

Most fields of most records are numbers and short texts, which are the same in JSON. A plan says which fields are not,
so that only those cost a call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from .notation import LONG, Dump, Json, Load, Mismatch, Out, Shape, Source

Plan = tuple[tuple[tuple[str, Dump], ...], tuple[tuple[str, Dump], ...]]
MANY = 256


def fields_shape(
    cls: type,
    shapes: Mapping[str, Shape],
    optional: frozenset[str],
    make: Callable[[dict[str, Any]], Any],
    keys: Mapping[str, str] | None = None,
) -> Shape:
    """How values with these fields are written and read.

    optional: fields that may be missing in what is read. make: a value from its fields. keys: what a field is called
    in JSON, where that differs.
    """
    fields = _Fields(cls, shapes, optional, make, {} if keys is None else keys)
    return Shape(fields.dump, fields.load)


class _Fields:
    __slots__ = ("cls", "get", "make", "may_lack", "named", "names", "reading", "writing")

    def __init__(
        self,
        cls: type,
        shapes: Mapping[str, Shape],
        optional: frozenset[str],
        make: Callable[[dict[str, Any]], Any],
        keys: Mapping[str, str],
    ) -> None:
        self.cls, self.make = cls, make
        self.named = {keys.get(name, name): shape for name, shape in shapes.items()}
        self.names, self.may_lack = tuple(self.named), frozenset(keys.get(name, name) for name in optional)
        self.get: Callable[[Any], tuple[Any, ...]] = (
            attrgetter(*shapes) if len(shapes) > 1 else lambda value: tuple([getattr(value, name) for name in shapes])
        )
        self.writing: dict[tuple[type, ...], Plan] = {}
        self.reading: dict[tuple[type, ...], tuple[tuple[str, Load], ...]] = {}

    def dump(self, value: Any, out: Out) -> Json:
        if type(value) is not self.cls and not isinstance(value, self.cls):
            raise Mismatch(f"a {self.cls.__name__}", value)
        held = self.get(value)
        kinds = tuple(map(type, held))
        if (plan := self.writing.get(kinds)) is None:
            if len(self.writing) >= MANY:
                self.writing.clear()
            plan = self.writing[kinds] = _writing_plan(self.named, kinds)
        others, texts = plan
        written = dict(zip(self.names, held, strict=False))
        key = ""
        try:
            for key, convert in others:
                written[key] = convert(written[key], out)
            for key, convert in texts:
                if out.redact is not None or len(written[key]) >= LONG:
                    written[key] = convert(written[key], out)
        except Mismatch as problem:
            problem.where = f".{key}{problem.where}"
            raise
        return written

    def load(self, raw: Json, source: Source) -> Any:
        if type(raw) is not dict:
            raise Mismatch(f"the fields of a {self.cls.__name__}", raw)
        if tuple(raw) == self.names:
            values = raw.copy()
        else:
            values = {name: raw[name] for name in self.names if name in raw}
            if missing := [name for name in self.names if name not in raw and name not in self.may_lack]:
                raise Mismatch(f"a {self.cls.__name__} with {missing[0]!r}", raw)
        key = ""
        try:
            for key, convert in self._reading_plan(values):
                values[key] = convert(values[key], source)
        except Mismatch as problem:
            problem.where = f".{key}{problem.where}"
            raise
        try:
            return self.make(values)
        except (TypeError, ValueError) as problem:
            raise Mismatch(f"a {self.cls.__name__} ({problem})", values) from None

    def _reading_plan(self, values: dict[str, Json]) -> tuple[tuple[str, Load], ...]:
        if len(values) < len(self.names):
            return tuple((name, self.named[name].load) for name in values)
        kinds = tuple(map(type, values.values()))
        if (plan := self.reading.get(kinds)) is None:
            if len(self.reading) >= MANY:
                self.reading.clear()
            pairs = zip(self.named.items(), kinds, strict=True)
            plan = tuple((name, shape.load) for (name, shape), kind in pairs if kind not in shape.read_as_is)
            self.reading[kinds] = plan
        return plan


def _writing_plan(named: Mapping[str, Shape], kinds: tuple[type, ...]) -> Plan:
    others, texts = [], []
    for (name, shape), kind in zip(named.items(), kinds, strict=True):
        if kind is str and shape.text:
            texts.append((name, shape.dump))
        elif kind not in shape.as_is:
            others.append((name, shape.dump))
    return tuple(others), tuple(texts)
