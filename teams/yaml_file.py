"""YAML with its lines: safe values, no key twice, no tricks with aliases, and the line of every field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from phalanx.errors import SpecError

MAX_BYTES = 1_000_000
MAX_NODES = 50_000

Path = tuple[str | int, ...]


@dataclass
class Place:
    """A YAML document: its value, and the line on which each field stands."""

    value: Any
    file: str | None
    lines: dict[Path, int] = field(default_factory=dict)

    def line_of(self, path: Sequence[str | int]) -> int | None:
        """The line of a field, or of the nearest thing around it."""
        here = tuple(path)
        while here not in self.lines and here:
            here = here[:-1]
        return self.lines.get(here)

    def at(self, path: Sequence[str | int]) -> Any:
        """The value of a field; None when there is none."""
        value = self.value
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value


def read_yaml(text: str | bytes, *, file: str | None = None) -> Place:
    """Read one document. Raises SpecError, with the line, for what is not YAML, too large, or says a key twice."""
    if len(text) > MAX_BYTES:
        raise SpecError(f"it has {len(text):,} bytes; the most is {MAX_BYTES:,}", file=file)
    try:
        loader = yaml.SafeLoader(text)
    except (yaml.YAMLError, UnicodeError) as problem:
        raise SpecError(f"not readable as YAML text: {problem}", file=file) from None
    try:
        node = loader.get_single_node()
        place = Place(None, file)
        if node is not None:
            _walk(node, (), place, [0])
            place.value = loader.construct_document(node)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        said = problem.problem or problem.context or "not YAML"
        raise SpecError(f"not readable as YAML: {said}", file=file, line=mark.line + 1 if mark else None) from None
    except SpecError:
        raise
    except (yaml.YAMLError, ValueError, RecursionError) as problem:
        raise SpecError(f"not readable as YAML: {problem}", file=file) from None
    finally:
        loader.dispose()
    return place


def write_yaml(value: object) -> str:
    """A value as YAML, in its own order of keys; text of several lines stands as such."""
    return str(yaml.dump(value, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=100))


class _Writer(yaml.SafeDumper):
    """PyYAML writes rare line breaks as they are, and reads them as spaces; only double quotes keep them."""

    def write_text(self, text: str) -> yaml.ScalarNode:
        style = '"' if any(rare in text for rare in "\x85\u2028\u2029") else "|" if "\n" in text else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style)


_Writer.add_representer(str, _Writer.write_text)


def _walk(node: yaml.Node, path: Path, place: Place, seen: list[int]) -> None:
    seen[0] += 1
    if seen[0] > MAX_NODES:
        raise SpecError(f"it has more than {MAX_NODES:,} values once its aliases are expanded", file=place.file)
    place.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            name = str(getattr(key, "value", key))
            if name in keys:
                raise SpecError(
                    f"the field {name!r} stands here a second time", file=place.file, line=key.start_mark.line + 1
                )
            keys.add(name)
            place.lines[(*path, name)] = key.start_mark.line + 1
            _walk(value, (*path, name), place, seen)
    elif isinstance(node, yaml.SequenceNode):
        for at, item in enumerate(node.value):
            _walk(item, (*path, at), place, seen)
