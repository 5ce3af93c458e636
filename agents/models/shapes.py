"""A value for any JSON schema, made up but valid, and the same every time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from phalanx.errors import InvalidRequest

Schema = Mapping[str, object]
UNSET = object()
Hint = Callable[[str, Schema, "Shape"], object]

_FORMATS = {
    "date": "2024-01-31",
    "date-time": "2024-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "P1D",
    "email": "someone@example.org",
    "uri": "https://example.org/",
    "url": "https://example.org/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "hostname": "example.org",
    "binary": "",
    "base64": "",
    "json-string": "null",
}
_MOST_VALUES = 10_000


class Shape:
    """A JSON schema, and how to make a value that fits it.

    hint: asked for the value of each named property first, with the property's name, its schema and this shape; it
    gives UNSET where it has no opinion. What it gives is taken as it is.
    """

    def __init__(self, root: Schema, hint: Hint | None = None) -> None:
        self.root, self.hint = root, hint
        self._made = 0

    def value(self) -> object:
        """A value that fits. Raises InvalidRequest for what cannot be made up, such as text for a pattern."""
        return self.fill(self.root)

    def fill(self, part: object, inside: tuple[str, ...] = ()) -> object:
        """A value for a part of the schema. `inside`: the references that it stands inside of."""
        self._made += 1
        if self._made > _MOST_VALUES:
            raise InvalidRequest(f"a value for this JSON schema needs more than {_MOST_VALUES:,} parts")
        if isinstance(part, Mapping) and "$ref" in part:
            reference = str(part["$ref"])
            if reference in inside:
                raise InvalidRequest(f"JSON schema {reference!r} needs itself without end, so that no value fits it")
            inside = (*inside, reference)
        schema = self.resolve(part)
        if "const" in schema:
            return schema["const"]
        values = schema.get("enum")
        if isinstance(values, list) and values:
            return values[0]
        for choice in ("anyOf", "oneOf"):
            branches = schema.get(choice)
            if isinstance(branches, list) and branches:
                return self._branch(branches, inside)
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), "null")
        if kind == "object" or (kind is None and "properties" in schema):
            return self._object(schema, inside)
        if kind == "array":
            return self._array(schema, inside)
        if kind == "string":
            return _text(schema)
        if kind in ("integer", "number"):
            return _number(schema, whole=kind == "integer")
        return False if kind == "boolean" else None

    def resolve(self, schema: object) -> Schema:
        """A part of the schema with its $ref followed and its allOf merged."""
        if not isinstance(schema, Mapping):
            return {}  # true: anything fits
        followed: set[str] = set()
        while "$ref" in schema:
            reference, rest = str(schema["$ref"]), {key: value for key, value in schema.items() if key != "$ref"}
            if reference in followed:
                raise InvalidRequest(f"JSON schema reference {reference!r} refers to nothing but itself")
            followed.add(reference)
            schema = {**self._target(reference), **rest}
        parts = schema.get("allOf")
        if isinstance(parts, list):
            merged: dict[str, object] = {}
            for part in [{key: value for key, value in schema.items() if key != "allOf"}, *parts]:
                merged = _merged(merged, self.resolve(part))
            return merged
        return schema

    def _target(self, reference: str) -> Schema:
        at: object = self.root
        if reference.startswith("#"):
            for step in reference[1:].strip("/").split("/"):
                if step:
                    step = step.replace("~1", "/").replace("~0", "~")
                    at = at.get(step) if isinstance(at, Mapping) else None
        if not reference.startswith("#") or not isinstance(at, Mapping):
            raise InvalidRequest(f"JSON schema reference {reference!r} leads nowhere")
        return at

    def _branch(self, branches: list[object], inside: tuple[str, ...]) -> object:
        """The first branch that can be filled; null comes last."""
        null = [branch for branch in branches if self.resolve(branch) == {"type": "null"}]
        problem = InvalidRequest("this JSON schema has an empty choice")
        for branch in [*(branch for branch in branches if branch not in null), *null]:
            try:
                return self.fill(branch, inside)
            except InvalidRequest as failure:
                problem = failure
        raise problem

    def _object(self, schema: Schema, inside: tuple[str, ...]) -> dict[str, object]:
        properties = schema.get("properties")
        required = schema.get("required")
        needed = [str(name) for name in required] if isinstance(required, list) else []
        made: dict[str, object] = {}
        for name, part in (properties if isinstance(properties, Mapping) else {}).items():
            hinted = UNSET if self.hint is None else self.hint(name, self.resolve(part), self)
            if hinted is not UNSET:
                made[name] = hinted
                continue
            try:
                made[name] = self.fill(part, inside)
            except InvalidRequest:
                if name in needed:
                    raise
        more = schema.get("additionalProperties")
        missing = [name for name in needed if name not in made]
        least = schema.get("minProperties")
        while isinstance(least, int) and len(made) + len(missing) < least:
            missing.append(f"key{len(made) + len(missing) + 1}")
        for name in missing:
            made[name] = self.fill(more if isinstance(more, Mapping) else {"type": "string"}, inside)
        return made

    def _array(self, schema: Schema, inside: tuple[str, ...]) -> list[object]:
        first, least, most = schema.get("prefixItems"), schema.get("minItems"), schema.get("maxItems")
        made = [self.fill(part, inside) for part in first] if isinstance(first, list) else []
        at_least = least if isinstance(least, int) else 0
        wanted = max(at_least, 1)
        if isinstance(most, int):
            wanted = min(wanted, most)
        items = schema.get("items")
        while len(made) < wanted and items is not False:
            try:
                item = self.fill(items, inside)
                if schema.get("uniqueItems") and item in made:
                    item = _another(self.resolve(items), item, made)
            except InvalidRequest:
                if len(made) < at_least:
                    raise
                break
            made.append(item)
        return made


def _another(schema: Schema, item: object, made: list[object]) -> object:
    """A value like `item` that is not yet in a list whose items must differ."""
    values, step = schema.get("enum"), schema.get("multipleOf")
    if isinstance(values, list):
        item = next((value for value in values if value not in made), item)
    elif isinstance(item, bool):
        item = not item
    elif isinstance(item, str):
        item = f"{item} {len(made) + 1}"
    elif isinstance(item, int | float):
        item += len(made) * (step if isinstance(step, int | float) else 1)
    if item in made:
        raise InvalidRequest("no further different item can be made up for a list of unique items")
    return item


def _merged(left: dict[str, object], right: Schema) -> dict[str, object]:
    merged = {**left, **right}
    for key in ("properties", "$defs"):
        one, other = left.get(key), right.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            merged[key] = {**one, **other}
    one, other = left.get("required"), right.get("required")
    if isinstance(one, list) and isinstance(other, list):
        merged["required"] = [*one, *(name for name in other if name not in one)]
    return merged


def _text(schema: Schema) -> str:
    if "pattern" in schema:
        raise InvalidRequest(
            f"no text can be made up for the JSON schema pattern {schema['pattern']!r}; "
            "give a FunctionModel that knows one"
        )
    text = _FORMATS.get(str(schema.get("format")), "some text")
    least, most = schema.get("minLength"), schema.get("maxLength")
    if isinstance(least, int):
        text = text.ljust(least, ".")
    return text[:most] if isinstance(most, int) else text


def _number(schema: Schema, *, whole: bool) -> int | float:
    """The middle of the range where it has two ends, else 1 or the number nearest to it that fits."""

    def bound(name: str) -> float | None:
        value = schema.get(name)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    low, above = bound("minimum"), bound("exclusiveMinimum")
    high, below = bound("maximum"), bound("exclusiveMaximum")
    step = bound("multipleOf") or (1.0 if whole else None)
    lowest = max((end for end in (low, above) if end is not None), default=None)
    highest = min((end for end in (high, below) if end is not None), default=None)
    if lowest is not None and highest is not None:
        wanted = (lowest + highest) / 2
    elif lowest is not None:
        wanted = max(1.0, lowest + (lowest == above))
    else:
        wanted = 1.0 if highest is None else min(1.0, highest - (highest == below))
    around = [wanted] if step is None else [(math.floor(wanted / step) + more) * step for more in (0, 1, -1, 2)]
    for value in around:
        if (
            (low is None or value >= low)
            and (above is None or value > above)
            and (high is None or value <= high)
            and (below is None or value < below)
            and (not whole or value == round(value))
        ):
            return round(value) if whole else value
    raise InvalidRequest(f"no number between {lowest} and {highest} in steps of {step} could be made up")
