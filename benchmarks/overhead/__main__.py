"""`python -m phalanx.benchmarks.overhead`: our own speed against the bare libraries, interleaved in one run."""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio

from . import calls, formations, inside, processes, report, suite
from .measure import Row
from .server import running

PARTS = ("calls", "inside", "formations", "suite", "processes")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print each row as it is ready, and say at the end which gates were missed."""
    asked = _parser().parse_args(arguments)
    rounds, times = (2, 5) if asked.quick else (asked.rounds, asked.times)
    teams = (20, 50) if asked.quick else (200, 1000)
    about = report.facts(rounds=rounds, times=times, seed=0)
    _say("  ".join(f"{name} {value}" for name, value in about.items()), report.HEAD)
    rows: list[Row] = []

    def show(row: Row) -> None:
        rows.append(row)
        _say(report.line(row))

    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    gc.collect()
    with running() as port:
        if "processes" in asked.only:
            for row in processes.measure(port, rounds=rounds, teams=teams[1]):
                show(row)
        anyio.run(_inside, port, rounds, times, teams[0], asked.only, show)
    if asked.json is not None:
        asked.json.write_text(json.dumps(report.as_json(rows, about), indent=1), encoding="utf-8")
    missed = [row.name for row in rows if row.target and row.target.verdict(row.median) == "missed"]
    _say(f"gates missed: {', '.join(missed) or 'none'}")
    return 0


async def _inside(port: int, rounds: int, times: int, teams: int, only: Sequence[str], show: object) -> None:
    assert callable(show)
    if "inside" in only:
        async for row in inside.measure(port, rounds=rounds, times=times):
            show(row)
    if "formations" in only:
        async for row in formations.measure(rounds=rounds, times=times):
            show(row)
    if "suite" in only:
        async for row in suite.measure(rounds=rounds, items=times * 80):
            show(row)
    if "calls" in only:
        async for row in calls.measure(port, rounds=rounds, times=times, teams=teams):
            show(row)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m phalanx.benchmarks.overhead", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds, in each of which all take their turn")
    parser.add_argument("--times", type=int, default=50, help="runs of each workload in a round")
    parser.add_argument("--quick", action="store_true", help="two short rounds, to see that it works")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts to measure")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything to a file")
    return parser


def _say(*lines: str) -> None:
    for text in lines:
        print(text, flush=True)  # noqa: T201 - this is a command


if __name__ == "__main__":
    sys.exit(main())
