"""JSON-lines files, read strictly: each line is an object; a file that was cut off is told from one that is wrong."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

from phalanx.errors import LogError, ValidationError

Place = str | os.PathLike[str]


def json_lines(path: Place) -> Iterator[tuple[str, dict[str, object]]]:
    """The objects of a JSON-lines file (gzipped when its name ends in .gz), each with its file and line.

    Raises LogError when the file is cut off in its last line, ValidationError for any other line that is no object.
    """
    name, number = Path(path), 0
    try:
        with gzip.open(name, "rb") if name.suffix == ".gz" else name.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    where = f"{name}:{number}"
                    yield where, _object(line, where)
    except (EOFError, zlib.error) as problem:
        raise LogError(f"{name}: the gzip file is cut off or broken after line {number} ({problem})") from None


def _object(line: bytes, where: str) -> dict[str, object]:
    try:
        value = json.loads(line)
    except ValueError as problem:
        if not line.endswith(b"\n"):
            raise LogError(f"{where}: the last line is torn, the file was cut off there; delete that line") from None
        raise ValidationError(f"{where}: this line is not JSON: {problem}") from None
    if not isinstance(value, dict):
        raise ValidationError(f"{where}: this line must be a JSON object, not {type(value).__name__}")
    return value
