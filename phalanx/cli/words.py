"""The options and arguments that several commands share, and how each of them ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from .exits import reported

Model = Annotated[
    str | None,
    typer.Option("--model", "-m", metavar="PROVIDER/NAME", help="The model that every member asks."),
]
ApiBase = Annotated[str | None, typer.Option("--api-base", metavar="URL", help="Where the model is reached.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="The seed of all chance.")]
Debug = Annotated[bool, typer.Option("--debug", help="Log every event and show tracebacks, on stderr.")]
TeamFile = Annotated[Path, typer.Argument(metavar="TEAM.yaml", help="A team; `phalanx init` writes one.")]
Limit = Annotated[
    list[str] | None,
    typer.Option(
        "--limit", "-l", metavar="NAME=N",
        help="The most this run may use: calls, tokens, usd, seconds, depth, concurrency. May be repeated.",
    ),
]  # fmt: skip
AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON object, and nothing else, to stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show the answer only, no progress.")]
Save = Annotated[Path | None, typer.Option("--save", metavar="FILE", help="Write the whole result to a file, as JSON.")]
Stored = Annotated[
    str, typer.Argument(metavar="RUN", help='A run: its id, the beginning of it, or "last"; `phalanx runs` lists them.')
]
OtherTeam = Annotated[
    Path | None,
    typer.Option(
        "--team", metavar="FILE", help="The team, where the journal does not hold it: a file, or FILE.py:NAME."
    ),
]

Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with the last one of this name; what is done stays done.")
]
Engine = Annotated[str, typer.Option("--engine", metavar="E", help="Where the work is done: local, dask, ray.")]
Concurrency = Annotated[
    int | None, typer.Option("--concurrency", metavar="N", min=1, help="Attempts at the same time.")
]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave bad rows of the task file out, and count them.")]
Offline = Annotated[bool, typer.Option("--offline", help="Simulate the members for which nobody names a model.")]
AllowCode = Annotated[
    bool, typer.Option("--allow-code", help="Let the code scorer run what models wrote, on this machine.")
]
Keep = Annotated[bool, typer.Option("--keep/--no-keep", help="Keep the results, so that it can go on and be reported.")]


def end(work: Callable[[], int], debug: bool) -> None:
    """Exit with the code that `work` gives, or that fits what it raises."""
    with reported(debug):
        code = work()
    raise SystemExit(code)
