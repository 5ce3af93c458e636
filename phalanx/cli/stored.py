"""The commands for runs that are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .words import ApiBase, AsJson, Debug, Limit, Model, OtherTeam, Quiet, Save, Stored, end


def runs(
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON list, and nothing else, to stdout.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-l", metavar="N", help="How many, the latest first.")] = 20,
    debug: Debug = False,
) -> None:
    """List the runs that are kept, the latest first."""

    def work() -> int:
        from .runs import list_runs

        return list_runs(as_json=as_json, limit=limit)

    end(work, debug)


def show(
    run: Stored,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Watch a run that still works, to its end.")] = False,
    prompts: Annotated[bool, typer.Option("--prompts", help="Show every message that was sent, in full.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show a run: who was asked what, what came of it, what it cost.

    With --follow it ends as the run does, with its exit code; else with 0.
    """

    def work() -> int:
        from .tree import show_run

        return show_run(run, prompts=prompts, as_json=as_json, follow=follow)

    end(work, debug)


def why(run: Stored, debug: Debug = False) -> None:
    """Say how a run's answer came about.

    Votes, who changed its mind, who was shown what, and what the answer rests on.
    """

    def work() -> int:
        from .why import why as explain

        return explain(run)

    end(work, debug)


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

    end(work, debug)


def replay(
    run: Stored,
    team: OtherTeam = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    save: Save = None,
    debug: Debug = False,
) -> None:
    """Play a run back: no model is asked, nothing is spent.

    The answer is the same.
    """

    def work() -> int:
        from .again import AgainOptions
        from .again import replay as play
        from .present import Output

        return play(AgainOptions(run=run, team=team, output=Output(json=as_json, quiet=quiet, save=save, debug=debug)))

    end(work, debug)


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
    """Begin a new run that is the same up to a step.

    From there on it goes its own way, with another model or team.
    """

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

    end(work, debug)


def export(
    run: Stored,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="Where to (default: stdout).")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that exists.")] = False,
    debug: Debug = False,
) -> None:
    """Write a run, prompts and answers included, as JSON lines."""

    def work() -> int:
        from .runs import export as write_run

        return write_run(run, file, force=force)

    end(work, debug)


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help='What `phalanx export` wrote; "-" reads it from stdin.')],
    debug: Debug = False,
) -> None:
    """Keep a run that was exported, here or elsewhere.

    Its id goes to stdout.
    """

    def work() -> int:
        from .runs import import_run_from

        return import_run_from(file)

    end(work, debug)
