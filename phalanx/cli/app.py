"""The commands and their options; what each does is in a file of its name, loaded when it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from .exits import EXIT_CODES, USAGE, reported

app = typer.Typer(
    name="phalanx",
    help="Teams of role-typed LLM agents, and honest numbers on whether the team was worth its cost.",
    epilog=EXIT_CODES,
    # Plain help: the same on every terminal, without colour, and without loading what draws boxes.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

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


@app.callback(invoke_without_command=True)
def phalanx(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of

        print(f"phalanx {version_of('phalanx')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help(), file=sys.stderr)
        raise typer.Exit(USAGE)


@app.command(epilog=EXIT_CODES)
def run(
    team: TeamFile,
    task: Annotated[str, typer.Argument(metavar="TASK", help='What to do; "-" reads it from stdin.')],
    model: Model = None,
    api_base: ApiBase = None,
    limit: Limit = None,
    seed: Seed = 0,
    context: Annotated[
        str | None, typer.Option("--context", "-c", metavar="TEXT|@FILE", help="What the team needs to know.")
    ] = None,
    journal: Annotated[
        bool, typer.Option("--journal/--no-journal", help="Keep the run, so that it can be shown and resumed.")
    ] = True,
    as_json: AsJson = False,
    quiet: Quiet = False,
    save: Save = None,
    stream: Annotated[
        bool, typer.Option("--stream/--no-stream", help="Show words as they come, in the live view.")
    ] = True,
    debug: Debug = False,
) -> None:
    """Let a team do a task.

    The answer goes to stdout and the progress to stderr; on a terminal both are one live view.
    """

    def work() -> int:
        from .present import Output
        from .run import RunOptions
        from .run import run as run_team

        return run_team(
            RunOptions(
                team=team, task=task, model=model, api_base=api_base, limits=limit or (), seed=seed, context=context,
                journal=journal, output=Output(json=as_json, quiet=quiet, save=save, stream=stream, debug=debug),
            )
        )  # fmt: skip

    _exit(work, debug)


@app.command(epilog=EXIT_CODES)
def runs(
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON list, and nothing else, to stdout.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-l", metavar="N", help="How many, the latest first.")] = 20,
    debug: Debug = False,
) -> None:
    """List the runs that are kept, the latest first."""

    def work() -> int:
        from .runs import list_runs

        return list_runs(as_json=as_json, limit=limit)

    _exit(work, debug)


@app.command(epilog=EXIT_CODES)
def show(
    run: Stored,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Watch a run that still works, to its end.")] = False,
    prompts: Annotated[bool, typer.Option("--prompts", help="Show every message that was sent, in full.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show a run: who was asked what in which step, what came of it, what it cost."""

    def work() -> int:
        from .tree import show_run

        return show_run(run, prompts=prompts, as_json=as_json, follow=follow)

    _exit(work, debug)


@app.command(epilog=EXIT_CODES)
def why(run: Stored, debug: Debug = False) -> None:
    """Say how a run's answer came about: votes, who changed its mind, who was shown what."""

    def work() -> int:
        from .why import why as explain

        return explain(run)

    _exit(work, debug)


@app.command(epilog=EXIT_CODES)
def resume(
    run: Stored,
    answer: Annotated[
        list[str] | None,
        typer.Option("--answer", metavar="KEY=VALUE", help="The answer to a question that it waits for."),
    ] = None,
    decide: Annotated[
        list[str] | None,
        typer.Option("--decide", metavar="KEY=retry|skip", help="What to do with a step whose end is unknown."),
    ] = None,
    limit: Limit = None,
    model: Model = None,
    api_base: ApiBase = None,
    team: OtherTeam = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    save: Save = None,
    debug: Debug = False,
) -> None:
    """Go on with a run that was interrupted, stopped, paused or killed.

    What it had finished is not paid for again.
    """

    def work() -> int:
        from .again import AgainOptions
        from .again import resume as go_on
        from .present import Output

        return go_on(
            AgainOptions(
                run=run, team=team, model=model, api_base=api_base, limits=limit or (), answers=answer or (),
                decisions=decide or (), output=Output(json=as_json, quiet=quiet, save=save, debug=debug),
            )
        )  # fmt: skip

    _exit(work, debug)


@app.command(epilog=EXIT_CODES)
def replay(
    run: Stored,
    team: OtherTeam = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    save: Save = None,
    debug: Debug = False,
) -> None:
    """Play a run back: no model is asked, nothing is spent, the answer is the same."""

    def work() -> int:
        from .again import AgainOptions
        from .again import replay as play
        from .present import Output

        return play(AgainOptions(run=run, team=team, output=Output(json=as_json, quiet=quiet, save=save, debug=debug)))

    _exit(work, debug)


@app.command(epilog=EXIT_CODES)
def fork(
    run: Stored,
    at: Annotated[str, typer.Option("--at", metavar="KEY", help="The first step to make anew; `show` lists them.")],
    limit: Limit = None,
    model: Model = None,
    api_base: ApiBase = None,
    team: OtherTeam = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    save: Save = None,
    debug: Debug = False,
) -> None:
    """Begin a new run from what a run had done before a step, with another model or team."""

    def work() -> int:
        from .again import AgainOptions
        from .again import fork as go_another_way
        from .present import Output

        return go_another_way(
            AgainOptions(
                run=run, team=team, model=model, api_base=api_base, limits=limit or (), at=at,
                output=Output(json=as_json, quiet=quiet, save=save, debug=debug),
            )
        )  # fmt: skip

    _exit(work, debug)


@app.command(epilog=EXIT_CODES)
def export(
    run: Stored,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Where to (default: stdout).")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that exists.")] = False,
    debug: Debug = False,
) -> None:
    """Write a run, prompts and answers included, as JSON lines."""

    def work() -> int:
        from .runs import export as write_run

        return write_run(run, file, force=force)

    _exit(work, debug)


@app.command(epilog=EXIT_CODES)
def demo(
    model: Model = None,
    api_base: ApiBase = None,
    seed: Seed = 0,
    fast: Annotated[bool, typer.Option("--fast", help="Do not slow the simulated members down to be watched.")] = False,
    debug: Debug = False,
) -> None:
    """See two teams at work, a hierarchy and a debate, without a key.

    Their members are simulated, unless --model names a model to ask.
    """

    def work() -> int:
        from .demo import demo as show_demo

        return show_demo(model=model, api_base=api_base, seed=seed, fast=fast, debug=debug)

    _exit(work, debug)


@app.command(epilog=EXIT_CODES)
def diagram(team: TeamFile, debug: Debug = False) -> None:
    """Draw a team as a Mermaid flowchart, on stdout."""

    def work() -> int:
        from phalanx.teams.spec import load_team

        from .text import visible

        sys.stdout.write(visible(load_team(team).diagram()))
        return 0

    _exit(work, debug)


@app.command(epilog=EXIT_CODES)
def doctor(
    model: Model = None,
    api_base: ApiBase = None,
    call: Annotated[bool, typer.Option("--call", help="Really make the tiny call, and show what it cost.")] = False,
    debug: Debug = False,
) -> None:
    """Check what is installed, which keys and models there are, and what a tiny call would cost.

    It spends nothing without --call, and it never shows a key.
    """

    def work() -> int:
        from .doctor import doctor as examine

        return examine(model=model, api_base=api_base, call=call, debug=debug)

    _exit(work, debug)


@app.command(epilog=EXIT_CODES)
def init(
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="The file to write.")] = Path("team.yaml"),
    formation: Annotated[
        str,
        typer.Option(
            "--formation", "-f", metavar="KIND", help="hierarchical, flat, pipeline, parallel, consensus or debate."
        ),
    ] = "hierarchical",
    force: Annotated[bool, typer.Option("--force", help="Write over a file that exists.")] = False,
    debug: Debug = False,
) -> None:
    """Write a starter team, with comments, that runs as it is."""

    def work() -> int:
        from .init import init as write_team

        return write_team(file, formation, force=force)

    _exit(work, debug)


def main() -> None:
    """Run the command that the arguments name, and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal or a file that cannot hold a character gets its code instead of an error.
            stream.reconfigure(errors="backslashreplace")
    with reported(debug=False):
        typer.main.get_command(app)()


def _exit(work: Callable[[], int], debug: bool) -> None:
    with reported(debug):
        code = work()
    raise SystemExit(code)
