"""`phalanx bench` and its commands: run a benchmark, report one that is kept, compare two."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .exits import BENCH_CODES, COMPLETED, CONFIGURATION, LOOK_CODES, SEARCH_CODES, USAGE, exit_codes
from .words import (
    AllowCode,
    AsJson,
    Concurrency,
    Debug,
    Engine,
    Keep,
    Limit,
    Offline,
    Quiet,
    Resume,
    SkipBad,
    end,
)

FILE_CODES = exit_codes(COMPLETED, USAGE, CONFIGURATION)
KEPT = 'A benchmark that is kept: its name, or "last".'


class _RunFirst(TyperGroup):
    """`phalanx bench SPEC.yaml` is `phalanx bench run SPEC.yaml`."""

    def parse_args(self, context: Any, args: list[str]) -> list[str]:
        if not args:
            print(context.get_help(), file=sys.stderr)
            raise typer.Exit(USAGE)
        if args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["run", *args]
        return super().parse_args(context, args)


bench = typer.Typer(
    name="bench", cls=_RunFirst, rich_markup_mode=None,
    help="Which team is worth its cost? `phalanx bench SPEC.yaml` says.",
    epilog=BENCH_CODES,
)  # fmt: skip


@bench.command(epilog=BENCH_CODES)
def run(
    spec: Annotated[Path, typer.Argument(metavar="SPEC.yaml", help="The benchmark; see docs/benchmarks.md.")],
    resume: Resume = False,
    engine: Engine = "local",
    concurrency: Concurrency = None,
    limit: Limit = None,
    fail_if: Annotated[
        list[str] | None,
        typer.Option("--fail-if", metavar="CONDITION", help='Exit with 7 if it holds: "debate < vote + 2pp".'),
    ] = None,
    skip_bad: SkipBad = False,
    offline: Offline = False,
    baselines: Annotated[
        bool, typer.Option("--baselines/--no-baselines", help="Add the single members and votes at equal budget.")
    ] = True,
    allow_code: AllowCode = False,
    keep: Keep = True,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Run a benchmark: every system does every task.

    Then the numbers say which is worth its cost.
    """

    def work() -> int:
        from .bench_run import Order, run_bench

        return run_bench(
            Order(
                spec=spec, resume=resume, engine=engine, concurrency=concurrency, limits=limit or (),
                fail_if=fail_if or (), skip_bad=skip_bad, offline=offline, baselines=baselines, allow_code=allow_code,
                keep=keep, json=as_json, quiet=quiet, debug=debug,
            )
        )  # fmt: skip

    end(work, debug)


@bench.command(epilog=SEARCH_CODES)
def search(
    spec: Annotated[Path, typer.Argument(metavar="SPEC.yaml", help="Members, tasks and a budget; see docs/search.md.")],
    resume: Resume = False,
    engine: Engine = "local",
    concurrency: Concurrency = None,
    limit: Limit = None,
    skip_bad: SkipBad = False,
    offline: Offline = False,
    allow_code: AllowCode = False,
    keep: Keep = True,
    as_json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Find the formation, if any, that is worth its cost.

    It is found for some members and tasks, and proved on held-out tasks.
    """

    def work() -> int:
        from .bench_search import run_search
        from .bench_work import Asked

        return run_search(
            Asked(
                spec=spec, resume=resume, engine=engine, concurrency=concurrency, limits=limit or (),
                skip_bad=skip_bad, offline=offline, allow_code=allow_code, keep=keep, json=as_json, quiet=quiet,
                debug=debug,
            )
        )  # fmt: skip

    end(work, debug)


@bench.command(epilog=LOOK_CODES)
def report(
    name: Annotated[str, typer.Argument(metavar="RUN", help=KEPT)],
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write one self-contained page.")] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", metavar="FILE", help="Write it as Markdown.")] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Report a benchmark that is kept.

    The table goes to stdout, a page to a file.
    """

    def work() -> int:
        from .bench_kept import report_bench

        return report_bench(name, html=html, markdown=markdown, as_json=as_json)

    end(work, debug)


@bench.command(epilog=FILE_CODES)
def export(
    name: Annotated[str, typer.Argument(metavar="RUN", help=KEPT)],
    to: Annotated[
        Path, typer.Option("--to", metavar="FILE", help="Ends in .csv, .jsonl, .parquet, or .eval (a log of Inspect).")
    ],
    system: Annotated[
        str | None, typer.Option("--system", metavar="NAME", help="Only this system; a log of Inspect is of one.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Write the attempts of a benchmark to a file, one row each."""

    def work() -> int:
        from .bench_files import export_bench

        return export_bench(name, to=to, system=system)

    end(work, debug)


@bench.command(epilog=FILE_CODES)
def plots(
    name: Annotated[str, typer.Argument(metavar="RUN", help=KEPT)],
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where the files go; made if it is not there.")],
    form: Annotated[str, typer.Option("--format", metavar="F", help="png, svg or pdf.")] = "svg",
    debug: Debug = False,
) -> None:
    """Draw a benchmark that is kept.

    Accuracy against cost, and what the rounds of a discussion changed.
    """

    def work() -> int:
        from .bench_files import plot_bench

        return plot_bench(name, to=to, form=form)

    end(work, debug)


@bench.command(epilog=LOOK_CODES)
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help=KEPT)],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one, on the same questions.")],
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Compare two benchmarks that are kept.

    Each system of A with that of the same name in B, question by question.
    """

    def work() -> int:
        from .bench_kept import compare_kept

        return compare_kept(a, b, as_json=as_json)

    end(work, debug)


@bench.command("list", epilog=LOOK_CODES)
def list_benches(debug: Debug = False) -> None:
    """List the benchmarks that are kept, the latest first."""

    def work() -> int:
        from .bench_kept import list_kept

        return list_kept()

    end(work, debug)
