"""The attempts of a comparison for other programs: CSV, JSON lines, Parquet, and logs of Inspect."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import JsonValue

from phalanx.errors import ConfigurationError, ValidationError

from .grouping import group
from .record import Comparison

Cell = str | int | float | bool | None
COLUMNS: Mapping[str, type] = {
    "comparison": str, "version": str, "commit": str, "comparison_seed": int,
    "system": str, "kind": str, "baseline_of": str, "spec": str,
    "item": str, "cluster": str, "difficulty": float, "question": str, "gold": str,
    "repeat": int, "seed": int, "status": str, "score": float,
    "answer": str, "read": str, "why": str, "error": str,
    "calls": int, "input_tokens": int, "output_tokens": int, "cached_tokens": int, "reasoning_tokens": int,
    "estimated": bool, "usd": float, "seconds": float, "run_id": str,
    "confidence": float, "share": float,
}  # fmt: skip


def rows(comparison: Comparison) -> Iterator[dict[str, Cell]]:
    """One row an attempt, with the columns of `COLUMNS`; None is what is not known. An item's gold is JSON.

    comparison: whose. Systems in their order, then items, then repeats. Raises ValidationError for attempts that do
    not fit the comparison.
    """
    golds = {item.id: json.dumps(item.gold, ensure_ascii=False) for item in comparison.items}
    items = {item.id: item for item in comparison.items}
    for each in group(comparison):
        for made in each.attempts:
            item, usage = items[made.item], made.usage
            yield {
                "comparison": comparison.name, "version": comparison.version or None, "commit": comparison.commit,
                "comparison_seed": comparison.seed,
                "system": made.system, "kind": each.system.kind, "baseline_of": each.system.baseline_of,
                "spec": made.spec, "item": made.item, "cluster": item.cluster, "difficulty": item.difficulty,
                "question": item.text, "gold": None if item.gold is None else golds[made.item],
                "repeat": made.repeat, "seed": made.seed, "status": made.status, "score": made.score,
                "answer": made.answer, "read": made.read, "why": made.why, "error": made.error,
                "calls": usage.calls,
                "input_tokens": usage.input_tokens if made.metered else None,
                "output_tokens": usage.output_tokens if made.metered else None,
                "cached_tokens": usage.cached_tokens if made.metered else None,
                "reasoning_tokens": usage.reasoning_tokens if made.metered else None,
                "estimated": usage.estimated, "usd": made.usd, "seconds": made.seconds, "run_id": made.run_id,
                "confidence": made.confidence, "share": made.share,
            }  # fmt: skip


def write(comparison: Comparison, path: Path, *, system: str | None = None) -> None:
    """Write a comparison to a file, in the format that its ending names.

    comparison: what. path: ends in .csv (an unknown cell is empty, as an empty text is), .jsonl (one object an attempt,
    its ballots with it), .parquet (needs pyarrow), or .eval (a log of Inspect, of one system). system: the only one to
    write; needed for .eval when there are several. The file is there whole or not at all. Texts are written as they
    are: a spreadsheet may take one that begins with "=" for a formula.
    Raises ValidationError for another ending or an unknown system, ConfigurationError without pyarrow, and OSError
    when the file cannot be written.
    """
    writers: dict[str, Callable[[Comparison, Path], None]] = {
        ".csv": _csv,
        ".jsonl": _json_lines,
        ".parquet": _parquet,
        ".eval": _eval,
    }
    ending = path.suffix.lower()
    if ending not in writers:
        raise ValidationError(f"{path.name!r} has no known ending; use one of {', '.join(writers)}")
    chosen = comparison if system is None else only(comparison, system)
    with _whole(path) as unfinished:
        writers[ending](chosen, unfinished)


def inspect_logs(comparison: Comparison, folder: Path) -> list[Path]:
    """Write a log of Inspect for each system into a folder, and give the files in the order of the systems.

    comparison: what. folder: is made when it is not there. Raises OSError when a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for at, system in enumerate(comparison.systems):
        name = "".join(mark if mark.isalnum() or mark in "-_" else "-" for mark in system.name)[:60].strip("-")
        path = folder / f"{at:02}-{name or 'system'}.eval"
        write(comparison, path, system=system.name)
        written.append(path)
    return written


def only(comparison: Comparison, system: str) -> Comparison:
    """The comparison with one of its systems alone. Raises ValidationError when there is none of this name."""
    kept = tuple(each for each in comparison.systems if each.name == system)
    if not kept:
        known = ", ".join(each.name for each in comparison.systems)
        raise ValidationError(f"there is no system {system!r} in {comparison.name!r}; there are {known}")
    made = tuple(each for each in comparison.attempts if each.system == system)
    return comparison.model_copy(update={"systems": kept, "attempts": made})


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A file beside the one that is wanted, which takes its place once it is finished."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _csv(comparison: Comparison, path: Path) -> None:
    with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
        writer = csv.DictWriter(file, list(COLUMNS))
        writer.writeheader()
        writer.writerows(rows(comparison))


def _json_lines(comparison: Comparison, path: Path) -> None:
    golds: dict[str, JsonValue] = {
        item.id: list(item.gold) if isinstance(item.gold, tuple) else item.gold for item in comparison.items
    }
    attempts = (made for each in group(comparison) for made in each.attempts)
    with path.open("w", encoding="utf-8") as file:
        for row, made in zip(rows(comparison), attempts, strict=True):
            ballots = [each.model_dump(mode="json") for each in made.ballots]
            file.write(json.dumps({**row, "gold": golds[made.item], "ballots": ballots}) + "\n")


def _parquet(comparison: Comparison, path: Path) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise ConfigurationError(
            "Parquet needs pyarrow; install it with: pip install pyarrow, or write a .csv or .jsonl"
        ) from None
    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    schema = pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    columns: dict[str, list[Cell]] = {name: [] for name in COLUMNS}
    for row in rows(comparison):
        for name, cell in row.items():
            columns[name].append(_encodable(cell))
    pq.write_table(pa.table(columns, schema=schema), path)


def _encodable(cell: Cell) -> Cell:
    """Halves of characters cannot be written as UTF-8."""
    return cell.encode("utf-8", "replace").decode("utf-8") if isinstance(cell, str) else cell


def _eval(comparison: Comparison, path: Path) -> None:
    from .inspect_log import write_log

    names: Sequence[str] = [each.name for each in comparison.systems]
    if len(names) != 1:
        raise ValidationError(
            f"a log of Inspect is of one system, and {comparison.name!r} has {len(names)}; "
            "give system=…, or write all of them with inspect_logs"
        )
    write_log(comparison, path)
