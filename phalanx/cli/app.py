"""The commands and their options; what each does is in a file of its name, loaded when it is asked for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from . import stored
from .bench import bench
from .exits import (
    ALL_CODES,
    COMPLETED,
    CONFIGURATION,
    LOOK_CODES,
    TEAM_CODES,
    USAGE,
    exit_codes,
    refused,
    reported,
)
from .words import ApiBase, AsJson, Debug, Limit, Model, Quiet, Save, Seed, TeamFile, end

app = typer.Typer(
    name="phalanx",
    help="Teams of role-typed LLM agents, and honest numbers on whether the team was worth its cost.",
    epilog=ALL_CODES,
    # Plain help: the same on every terminal, without colour, and without loading what draws boxes.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


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


@app.command(epilog=TEAM_CODES)
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

    end(work, debug)


for command, codes in (
    (stored.runs, LOOK_CODES), (stored.show, TEAM_CODES), (stored.why, LOOK_CODES), (stored.resume, TEAM_CODES),
    (stored.replay, TEAM_CODES), (stored.fork, TEAM_CODES), (stored.export, LOOK_CODES), (stored.import_, LOOK_CODES),
):  # fmt: skip
    app.command(command.__name__.rstrip("_"), epilog=codes)(command)
app.add_typer(bench)


@app.command(epilog=TEAM_CODES)
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

    end(work, debug)


@app.command(epilog=exit_codes(COMPLETED, USAGE, CONFIGURATION))
def diagram(team: TeamFile, debug: Debug = False) -> None:
    """Draw a team as a Mermaid flowchart, on stdout."""

    def work() -> int:
        from phalanx.teams.spec import load_team

        from .text import visible

        sys.stdout.write(visible(load_team(team).diagram()))
        return 0

    end(work, debug)


@app.command(epilog=exit_codes(COMPLETED, USAGE, CONFIGURATION))
def doctor(
    model: Model = None,
    api_base: ApiBase = None,
    call: Annotated[bool, typer.Option("--call", help="Really make the tiny call, and show what it cost.")] = False,
    debug: Debug = False,
) -> None:
    """Check what is installed, and which keys and models there are.

    It says what a tiny call would cost, spends nothing without --call, and it never shows a key.
    """

    def work() -> int:
        from .doctor import doctor as examine

        return examine(model=model, api_base=api_base, call=call, debug=debug)

    end(work, debug)


@app.command(epilog=LOOK_CODES)
def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")] = Path("team.yaml"),
    formation: Annotated[
        str,
        typer.Option(
            "--formation",
            "-f",
            metavar="KIND",
            help="hierarchical, debate, vote, …; a wrong name lists all.",
        ),
    ] = "hierarchical",
    force: Annotated[bool, typer.Option("--force", help="Write over a file that exists.")] = False,
    debug: Debug = False,
) -> None:
    """Write a starter team, with comments, that runs as it is."""

    def work() -> int:
        from .init import init as write_team

        return write_team(file, formation, force=force)

    end(work, debug)


def main() -> None:
    """Run the command that the arguments name, and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal or a file that cannot hold a character gets its code instead of an error.
            stream.reconfigure(errors="backslashreplace")
    with reported(debug=False), refused():
        # A code, and no exception, is what help and the version end with.
        raise SystemExit(typer.main.get_command(app)(standalone_mode=False) or 0)
