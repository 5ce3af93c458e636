"""The benchmark's rows as a table and as JSON, with what one must know to read them."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from .measure import Row

HEAD = f"{'what':<58} {'unit':<8} {'min':>9} {'median':>9} {'max':>9} {'n':>3} {'gate':>7} {'goal':>7}  reached"


def facts(*, rounds: int, times: int, seed: int) -> dict[str, object]:
    """Where and with what it was measured."""
    return {
        "commit": _commit(), "python": platform.python_version(), "machine": platform.platform(),
        "litellm": version("litellm"), "openai": version("openai"), "aiohttp": version("aiohttp"),
        "rounds": rounds, "times": times, "seed": seed,
    }  # fmt: skip


def line(row: Row) -> str:
    """One row of the table."""
    target = row.target
    bounds = f"{'':>7} {'':>7}" if target is None else f"{target.gate:>7g} {target.goal:>7g}"
    verdict = "" if target is None else target.verdict(row.median)
    values = " ".join(f"{value:>9.4g}" for value in (min(row.values), row.median, max(row.values)))
    return f"{row.name:<58} {row.unit:<8} {values} {len(row.values):>3} {bounds}  {verdict}".rstrip()


def as_json(rows: Sequence[Row], about: dict[str, object]) -> dict[str, object]:
    """All of it as JSON values."""
    return {**about, "rows": [row.as_json() for row in rows]}


def _commit() -> str | None:
    """The commit of this source, with a plus when files have changed since; None when it is not in git."""
    here = Path(__file__).resolve().parent
    try:
        done = [
            subprocess.run(["git", *wish], cwd=here, capture_output=True, text=True, check=True).stdout.strip()
            for wish in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
        ]
    except (OSError, subprocess.CalledProcessError) as problem:
        print(f"the commit is not known: {problem}", file=sys.stderr)  # noqa: T201 - this is a command
        return None
    return done[0] + ("+" if done[1] else "")
