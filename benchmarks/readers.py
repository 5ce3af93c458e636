"""Task sets from files: JSON lines and CSV, with errors that name file and line."""

from __future__ import annotations

import csv
import gzip
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from phalanx.errors import SpecError, ValidationError
from phalanx.settings import nearest

from .tasks import BadRow, TaskItem, TaskSet, content_id, problem_of

Row = Mapping[str, object]
Column = str | Callable[[Row], object] | None
Rows = Iterable[tuple[int, Row | str]]

GUESSES: dict[str, tuple[str, ...]] = {
    "id": ("id",),
    "question": ("question", "input", "prompt", "problem"),
    "gold": ("gold", "answer", "target"),
    "cluster": ("cluster",),
    "choices": ("choices", "options"),
    "difficulty": ("difficulty",),
    "scorer": ("scorer",),
}


@dataclass(frozen=True)
class Columns:
    """Where a row keeps what: a column's name, or a function of the row; None guesses from the usual names.

    Usual names, in this order: question, input, prompt, problem; gold, answer, target; id; cluster; choices, options;
    difficulty; scorer. For GSM8K: `Columns(gold=lambda row: str(row["answer"]).split("####")[-1].strip())`.
    """

    question: Column = None
    gold: Column = None
    id: Column = None
    cluster: Column = None
    choices: Column = None
    difficulty: Column = None
    scorer: Column = None


AS_USUAL = Columns()


def read_tasks(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    columns: Columns = AS_USUAL,
    need_gold: bool = True,
    skip_bad: bool = False,
) -> TaskSet:
    """A task set from a file: .jsonl, .ndjson (one JSON object a line), .csv or .tsv (with a header), also .gz.

    name: default, the file's. need_gold: whether a row without a right answer is bad. skip_bad: leave bad rows out
    and count them in `skipped`, instead of refusing the file. Columns that are not used land in each item's `meta`.

    Raises SpecError with file and line for the first bad row (malformed, no question, no gold, duplicate id), an
    empty file, or one without a good row; ValidationError for a kind of file it cannot read; OSError when the file
    cannot be opened.
    """
    file = Path(path)
    suffixes = [suffix.lower() for suffix in file.suffixes]
    kind = suffixes[-2] if suffixes[-1:] == [".gz"] and len(suffixes) > 1 else (suffixes or [""])[-1]
    if kind in (".jsonl", ".ndjson"):
        rows = _json_rows(file)
    elif kind in (".csv", ".tsv"):
        rows = _csv_rows(file, "\t" if kind == ".tsv" else ",")
    else:
        raise ValidationError(f"{file}: cannot tell what it holds; name it .jsonl, .ndjson, .csv or .tsv (or with .gz)")
    title = name or file.name.split(".")[0]
    return collect(rows, name=title, source=str(file), columns=columns, need_gold=need_gold, skip_bad=skip_bad)


def collect(
    rows: Rows, *, name: str, source: str, columns: Columns = AS_USUAL, need_gold: bool = True, skip_bad: bool = False
) -> TaskSet:
    """A task set from numbered rows, each a mapping or, when it could not be read, the problem in words."""
    items: list[TaskItem] = []
    bad: list[BadRow] = []
    seen: dict[str, int] = {}
    count = 0
    for line, row in rows:
        count += 1
        try:
            item = _read(row, columns, need_gold)
            if item.id in seen:
                raise ValueError(f"id {item.id!r} was already used in line {seen[item.id]}")
        except ValueError as problem:
            bad.append(BadRow(line=line, problem=problem_of(problem)))
            continue
        seen[item.id] = line
        items.append(item)
    if bad and not skip_bad:
        more = f" (and {len(bad) - 1} more bad rows)" if len(bad) > 1 else ""
        advice = "; skip_bad leaves bad rows out and counts them"
        raise SpecError(bad[0].problem + more + advice, file=source, line=bad[0].line)
    if not count:
        raise SpecError("is empty; a task set needs at least one row", file=source)
    if not items:
        raise SpecError(f"all {count} rows are bad; the first: {bad[0]}", file=source)
    return TaskSet(name, tuple(items), tuple(bad))


def _read(row: Row | str, columns: Columns, need_gold: bool) -> TaskItem:
    """One item. Raises ValueError with the problem."""
    if isinstance(row, str):
        raise ValueError(row)
    used: set[str] = set()
    fields = {role: _cell(row, role, getattr(columns, role), used) for role in GUESSES}
    question, gold = fields["question"], fields["gold"]
    if question is None:
        raise ValueError(
            f"no question; there are the columns {', '.join(row) or 'none'}; name one with Columns(question=…)"
        )
    if not isinstance(question, str):
        raise ValueError(f"the question must be text, not {type(question).__name__}")
    if gold is None and need_gold:
        raise ValueError("no right answer (gold); name its column with Columns(gold=…), or read with need_gold=False")
    if gold is not None and not isinstance(gold, (str, int, float, list, tuple)):
        raise ValueError(f"gold must be text, a number, true or false, or a list of these, not {type(gold).__name__}")
    choices = _choices(fields["choices"])
    name = fields["id"]
    return TaskItem(
        id=content_id(question, choices) if name is None else str(name),
        question=question,
        gold=tuple(gold) if isinstance(gold, list) else gold,
        cluster=None if fields["cluster"] is None else str(fields["cluster"]),
        choices=choices,
        difficulty=_number(fields["difficulty"]),
        scorer=None if fields["scorer"] is None else str(fields["scorer"]),
        meta=json.loads(json.dumps({key: value for key, value in row.items() if key not in used}, default=str)),
    )


def _cell(row: Row, role: str, column: Column, used: set[str]) -> object:
    """A role's value in this row, None when there is none; empty text counts as none."""
    if callable(column):
        try:
            value = column(row)
        except Exception as problem:  # noqa: BLE001 - a reader's own function may fail in any way on a row
            raise ValueError(f"{role}: the function for it failed: {type(problem).__name__}: {problem}") from None
    else:
        if column is not None and column not in row:
            raise ValueError(f"{role}: no column {column!r}{nearest(column, row)}; there are: {', '.join(row)}")
        names = GUESSES[role] if column is None else (column,)
        name = next((each for each in names if each in row), None)
        if name is None:
            return None
        used.add(name)
        value = row[name]
    return None if isinstance(value, str) and not value.strip() else value


def _choices(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            try:
                value = json.loads(value)
            except json.JSONDecodeError as problem:
                raise ValueError(f"choices look like a JSON list but are none: {problem}") from None
        else:
            value = [part.strip() for part in value.split("|")]
    if isinstance(value, Mapping) and "text" in value:  # {"label": [...], "text": [...]}, as many hub data sets have it
        value = value["text"]
    if not isinstance(value, (list, tuple)) or len(value) < 2:
        raise ValueError("choices must be a list of two or more, or text with | between them")
    return tuple(str(each) for each in value)


def _number(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, (int, float, str)):
        try:
            return float(value)
        except ValueError:
            pass
    raise ValueError(f"difficulty must be a number, not {value!r}")


def _json_rows(file: Path) -> Iterator[tuple[int, Row | str]]:
    with gzip.open(file) if _zipped(file) else file.open("rb") as stream:
        for line, raw in enumerate(stream, start=1):
            try:
                text = raw.decode("utf-8-sig" if line == 1 else "utf-8")
                if not text.strip():
                    continue
                row = json.loads(text, parse_constant=_no_constant)
            except UnicodeDecodeError as problem:
                yield line, f"not UTF-8: {problem.reason} at byte {problem.start}"
            except ValueError as problem:
                yield line, f"not JSON: {problem}"
            except RecursionError:
                yield line, "not readable JSON: nested too deeply"
            else:
                yield line, row if isinstance(row, dict) else f"must be a JSON object, not {type(row).__name__}"


def _csv_rows(file: Path, delimiter: str) -> Iterator[tuple[int, Row | str]]:
    with _open(file, encoding="utf-8-sig") as text:
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        start, header = 1, list[str]()
        try:
            for cells in reader:
                line, start = start, reader.line_num + 1
                if not header:
                    header = _header(cells, file, line)
                elif cells and len(cells) != len(header):
                    yield line, f"has {len(cells)} fields, the header has {len(header)}"
                elif cells:
                    yield line, dict(zip(header, cells, strict=True))
        except UnicodeDecodeError as problem:
            raise SpecError(f"not UTF-8: {problem.reason}; save it as UTF-8", file=str(file)) from None
        except csv.Error as problem:
            raise SpecError(
                f"not CSV: {problem}; long texts are better kept as JSON lines", file=str(file), line=start
            ) from None


def _header(cells: list[str], file: Path, line: int) -> list[str]:
    names = [cell.strip() for cell in cells]
    twice = {name for name in names if names.count(name) > 1}
    if twice or not all(names):
        problem = f"names {sorted(twice)[0]!r} twice" if all(names) else "has a column without a name"
        raise SpecError(f"the header {problem}", file=str(file), line=line)
    return names


def _open(file: Path, encoding: str) -> IO[str]:
    if _zipped(file):
        return gzip.open(file, "rt", encoding=encoding, newline="")
    return file.open(encoding=encoding, newline="")


def _zipped(file: Path) -> bool:
    return file.suffix.lower() == ".gz"


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
