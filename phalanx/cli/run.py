"""`phalanx run`: a team from a file does a task."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from phalanx.errors import TeamError
from phalanx.messages import Usage
from phalanx.teams.result import TeamResult

from . import logs, show
from .failures import cause, check_writable, describe, exit_code, is_interruption, say
from .options import read_context, read_limits, read_task, read_team
from .text import json_line, spent
from .watch import View, watch


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What `phalanx run` was told, as it was typed."""

    team: Path
    task: str
    model: str | None = None
    api_base: str | None = None
    limits: Sequence[str] = ()
    seed: int = 0
    context: str | None = None
    json: bool = False
    quiet: bool = False
    save: Path | None = None
    stream: bool = True
    debug: bool = False


def run(options: RunOptions) -> int:
    """Let the team do the task, show it, and give the exit code; raises whatever leaves it without an answer.

    The answer goes to stdout, all else to stderr; on a terminal both are one live view. With `json`, stdout gets one
    JSON object whatever happens.
    """
    view: View = show.view_for(show.console(), quiet=True)
    try:
        limits, context = read_limits(options.limits), read_context(options.context)
        if options.save is not None:
            check_writable(options.save, "--save")
        team = read_team(options.team, options.model, options.api_base)
        task = read_task(options.task)
        logs.configure(options.debug)
        on_terminal = sys.stdout.isatty() and not options.json
        where = show.console(sys.stdout if on_terminal else sys.stderr)
        view = show.view_for(where, quiet=options.quiet, plain=not sys.stdout.isatty())
        result = watch(
            team, task, view, context=context, limits=limits, seed=options.seed,
            streaming=options.stream and show.is_live(view), also=logs.event_log(options.debug),
        )  # fmt: skip
    except (Exception, KeyboardInterrupt) as failure:
        _leave(options, view, failure)
        raise
    if options.json:
        _write_json(result.to_dict() | {"models": list(view.progress.models), "error": None})
    elif on_terminal and not options.quiet:
        show.show_answer(where, result, view.progress.models)
    else:
        show.write_answer(result.content)
        if (note := show.made_up(view.progress.models)) is not None:
            say(note)
    if options.save is not None:
        result.save(options.save)
    return exit_code(result.status)


def _leave(options: RunOptions, view: View, failure: BaseException) -> None:
    """Say what was spent before it went wrong; as JSON, all of it. What was done is saved all the same."""
    result = failure.result if isinstance(failure, TeamError) else None
    partial = result if isinstance(result, TeamResult) else None
    usage = partial.usage if partial is not None else view.progress.usage
    interrupted = is_interruption(failure)
    if options.json:
        facts = _no_result(view, usage) if partial is None else partial.to_dict()
        facts |= {"models": list(view.progress.models)}
        if interrupted:
            facts |= {"status": "cancelled"}
        reason = "interrupted" if interrupted else describe(failure)
        _write_json(facts | {"stop_reason": reason, "error": type(cause(failure)).__name__})
    if partial is not None and options.save is not None:
        partial.save(options.save)
    if usage.calls and not interrupted:
        say(f"spent: {spent(usage)}")


def _no_result(view: View, usage: Usage) -> dict[str, object]:
    """The facts of a run that has no result, under the names that a result has them."""
    empty = TeamResult("", usage=usage, status="failed", run_id=view.progress.run_id)
    took = view.progress.seconds(time.time())
    return empty.to_dict() | {"run_id": view.progress.run_id or None, "duration": took}


def _write_json(facts: dict[str, object]) -> None:
    sys.stdout.write(json_line(facts) + "\n")
    sys.stdout.flush()
