"""Benchmarks that are kept: in a file of their own beside the runs; listed, reported, and compared with each other."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import TypeVar

import anyio

from phalanx.benchmarks import summary, table
from phalanx.benchmarks.between import between, same_items
from phalanx.benchmarks.record import Comparison
from phalanx.benchmarks.store import comparison_names, read_comparison, taken
from phalanx.benchmarks.wording import facts
from phalanx.runtime.log import Log
from phalanx.runtime.sqlite import SqliteLog
from phalanx.settings import nearest

from .exits import COMPLETED
from .failures import WrongUse, check_writable, say
from .journal import LAST, runs_file
from .runs import when
from .text import json_line, one_line

T = TypeVar("T")
FILE = "benches.db"


def kept_file() -> Path:
    """The file of all benchmarks. Raises WrongUse when there is no place for it."""
    return runs_file().with_name(FILE)


def kept_log() -> SqliteLog:
    """The log that benchmarks are kept in; its folder and file are made for their owner only.

    Raises WrongUse when they cannot be made.
    """
    file = kept_file()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as problem:
        raise WrongUse(
            f"results cannot be kept: {one_line(f'{file}: {problem.strerror}')}; nothing was spent. Set PHALANX_HOME "
            "to another folder, or run with --no-keep"
        ) from None
    return SqliteLog(file)


def fresh_name(name: str, suffix: str = "") -> str:
    """The name itself, or with the first number that nothing is kept under yet: name, name-2, name-3, …

    It is taken by that, so that two commands that begin at the same moment get two. suffix: what is kept under it has
    this behind the name.
    """

    async def take(log: Log) -> str:
        return await taken(log, (f"{name if number == 1 else f'{name}-{number}'}{suffix}" for number in count(1)))

    return _read(take).removesuffix(suffix)


def latest(name: str) -> str | None:
    """The last of name, name-2, name-3, … that is kept; None when there is none."""
    pattern = re.compile(rf"{re.escape(name)}(?:-(\d+))?")
    found = [(int(match[1] or 1), each) for each in names() if (match := pattern.fullmatch(each))]
    return max(found)[1] if found else None


def names() -> list[str]:
    """The names of all benchmarks that are kept."""
    return _read(comparison_names)


def list_kept() -> int:
    """Write the benchmarks to stdout, the latest first."""

    async def all_of(log: Log) -> list[Comparison]:
        return [await read_comparison(log, name) for name in await comparison_names(log)]

    found = sorted(_read(all_of), key=lambda each: each.started or 0.0, reverse=True)
    if not found:
        say(f"there are no benchmarks in {kept_file()}; `phalanx bench SPEC.yaml` makes one")
    for each in found:
        state = "complete" if each.stopped is None else each.stopped
        began = "" if each.started is None else when(each.started)
        print(one_line(f"{each.name}  {began}  {each.tasks}  {len(each.attempts):,} attempts  {state}"))
    return COMPLETED


def report_bench(given: str, *, html: Path | None, markdown: Path | None, as_json: bool) -> int:
    """Report a benchmark: on stdout, and in the files that are asked for."""
    for path, what in ((html, "--html"), (markdown, "--markdown")):
        if path is not None:
            check_writable(path, what)
    name = found_name(given)

    async def read(log: Log) -> tuple[Comparison, object]:
        from phalanx.benchmarks.conversations import conversations

        found = await read_comparison(log, name)
        return found, await conversations(log, found) if html is not None else None

    comparison, said = _read(read)
    made = summary.of(comparison)
    if html is not None:
        from phalanx.benchmarks.html import write

        write(html, comparison, summary=made, conversations=said)  # type: ignore[arg-type]
        say(f"{html}: prompts and answers stand in it in clear text")
    if markdown is not None:
        from phalanx.benchmarks.markdown import of as as_markdown

        markdown.write_text(as_markdown(made), encoding="utf-8")
    if as_json:
        judging = None if comparison.judging is None else comparison.judging.model_dump(mode="json")
        sys.stdout.write(json_line(made.model_dump(mode="json") | {"judging": judging}) + "\n")
    elif html is None and markdown is None:
        table.print(made)
    if comparison.judging is not None:
        say(one_line(str(comparison.judging)))
    return COMPLETED


def compare_kept(a: str, b: str, *, as_json: bool) -> int:
    """Say how the systems of two benchmarks differ, on the questions that both have."""
    first_name, second_name = found_name(a), found_name(b)
    if first_name == second_name:
        raise WrongUse(f"{first_name!r} is one benchmark; name two that differ: `phalanx bench list` lists them")

    async def read(log: Log) -> tuple[Comparison, Comparison]:
        return await read_comparison(log, first_name), await read_comparison(log, second_name)

    first, second = _read(read)
    pairs = _pairs(first, second)
    same, found = same_items(first, second), between(first, second, pairs)
    if not found:
        raise WrongUse(f"{first.name!r} and {second.name!r} share no question that both have answered")
    if left := len(first.items) + len(second.items) - 2 * len(same):
        say(f"{left} questions are not in both, or not the same in both; they are left out")
    if as_json:
        sys.stdout.write(json_line([each.verdict.model_dump(mode="json") for each in found]) + "\n")
    else:
        for each in found:
            print(one_line(each.text))
            print(one_line(f"  {facts(each.verdict)}{summary.detectable(each)}"))
    return COMPLETED


def _pairs(first: Comparison, second: Comparison) -> list[tuple[str, str]]:
    mine = [each.name for each in first.systems]
    theirs = [each.name for each in second.systems]
    if shared := [name for name in mine if name in theirs]:
        return [(name, name) for name in shared]
    own = [[each.name for each in made.systems if each.baseline_of is None] for made in (first, second)]
    if len(own[0]) == len(own[1]) == 1:
        return [(own[0][0], own[1][0])]
    raise WrongUse(
        f"{first.name!r} and {second.name!r} have no system of the same name: {', '.join(mine)}; {', '.join(theirs)}"
    )


def found_name(given: str) -> str:
    """The name that a name or "last" stands for. Raises WrongUse when nothing is kept under it."""

    async def read(log: Log) -> tuple[list[str], str | None]:
        known = await comparison_names(log)
        if given != LAST or not known or given in known:
            return known, None
        made = [await read_comparison(log, name) for name in known]
        return known, max(made, key=lambda each: each.started or 0.0).name

    known, last = _read(read)
    if last is not None:
        return last
    if given not in known:
        raise WrongUse(
            f"there is no benchmark {given!r} in {kept_file()}{nearest(given, known)}; `phalanx bench list` lists them"
        )
    return given


def read_kept(name: str) -> Comparison:
    """A benchmark that is kept under a name, with the attempts made so far."""

    async def read(log: Log) -> Comparison:
        return await read_comparison(log, name)

    return _read(read)


def _read(work: Callable[[Log], Awaitable[T]]) -> T:
    async def read() -> T:
        async with SqliteLog(kept_file()) as log:
            return await work(log)

    return anyio.run(read)
