"""A team at work for a command: shown as it goes, its answer on stdout, and what can be done next."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from phalanx.errors import LimitExceeded, LogError, ReplayDivergence, TeamDiffers, TeamError
from phalanx.messages import Usage
from phalanx.teams.result import TeamResult

from . import logs, show
from .failures import cause, check_writable, describe, exit_code, is_interruption, say
from .text import json_line, one_line, refused_by, spent, visible
from .watch import View, attend

if TYPE_CHECKING:
    from phalanx.runtime.execution import Listener
    from phalanx.runtime.log import Log
    from phalanx.teams.team import AgentTeam

    from .story import Story


@dataclass(frozen=True, kw_only=True)
class Output:
    """How a command shows a run, as it was typed."""

    json: bool = False
    quiet: bool = False
    save: Path | None = None
    stream: bool = True
    debug: bool = False


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a command lets a team do.

    start: begins it; it gets who listens, and whether words are shown as they come. log: what to close at the end.
    kept: whether the run can be resumed from the file of runs. code: FILE.py:NAME, when that is where the team is from.
    """

    team: AgentTeam
    start: Callable[[Listener, bool], Awaitable[TeamResult]]
    log: Log | None = None
    kept: bool = True
    code: str = ""


def present(output: Output, prepare: Callable[[], Work]) -> int:
    """Let a team work, show it, and give the exit code; raises whatever leaves it without an answer.

    prepare: makes what is to be done, before anything is spent. The answer goes to stdout, all else to stderr; on a
    terminal both are one live view. With `json`, stdout gets one JSON object whatever happens.
    """
    view: View = show.view_for(show.console(), quiet=True)
    kept, code = False, ""
    try:
        if output.save is not None:
            check_writable(output.save, "--save")
        work = prepare()
        logs.configure(output.debug)
        on_terminal = sys.stdout.isatty() and not output.json
        where = show.console(sys.stdout if on_terminal else sys.stderr)
        view = show.view_for(where, quiet=output.quiet, plain=not sys.stdout.isatty())
        streaming, kept, code = output.stream and show.is_live(view), work.kept, work.code
        result = attend(
            work.team, lambda see: work.start(see, streaming), view, also=logs.event_log(output.debug), log=work.log
        )
    except (Exception, KeyboardInterrupt) as failure:
        _leave(output, view, failure, kept, code)
        raise
    if output.json:
        _write_json(result.to_dict() | {"models": list(view.progress.models), "error": None})
    elif on_terminal and not output.quiet:
        show.show_answer(where, result, view.progress.models)
    else:
        if result.content or result.status != "paused":
            show.write_answer(result.content)
        if (note := show.made_up(view.progress.models)) is not None:
            say(note)
    if output.save is not None:
        result.save(output.save)
    if kept and result.status == "stopped":
        say(f"to go on with more: {_resume_with_more(result.run_id, code, result.stop_reason)}")
    elif kept and result.status == "paused":
        for each in result.questions:
            _say_question(_resume(result.run_id, code), each.key, each.text, each.options)
    return exit_code(result.status)


def say_how_to_go_on(story: Story) -> None:
    """Say, on stderr, what a stored run waits for and with which command it goes on."""
    code = _code_of(story)
    resume = _resume(story.run_id, code)
    for question in story.questions:
        _say_question(resume, question.key, question.question, question.options)
    say_undecided(story)
    if story.status in ("unfinished", "cancelled", "stopped", "failed") and not story.undecided:
        stopped = story.status == "stopped"
        say(f"to go on: {_resume_with_more(story.run_id, code, story.reason) if stopped else resume}")


def say_undecided(story: Story, code: str = "") -> None:
    """Say, on stderr, which steps need a decision before the run can go on, and how it is given.

    story: the run. code: FILE.py:NAME, when that is where its team is from.
    """
    for call in story.undecided:
        say(f"{one_line(call.key)} ({one_line(call.name)}) may or may not have happened; look, then decide:")
        resume = _resume(story.run_id, code or _code_of(story))
        say(f"  {resume} --decide {_word(f'{call.key}=skip')}   (or =retry)")


def _say_question(resume: str, key: str, text: str, options: tuple[str, ...]) -> None:
    among = f" [{' | '.join(map(one_line, options))}]" if options else ""
    say(f"question: {one_line(text)}{among}")
    say(f"  {resume} --answer {_word(f'{key}={options[0]}' if options else f'{key}=…')}")


def _resume(run_id: str, code: str) -> str:
    """The command that goes on with a run; `code`: where its team is from, if the journal does not hold it."""
    return f"phalanx resume {_word(run_id)}" + (f" --team {_word(code)}" if code else "")


def _resume_with_more(run_id: str, code: str, reason: str | None) -> str:
    """The command that goes on with a run that a limit ended, and gives it more of what it ran out of.

    A limit of the team's or a member's own is not lifted by `--limit`: it stands in the team, which is given anew.
    """
    name, given = refused_by(reason)
    if given:
        return f"{_resume(run_id, code)} --limit {name}=N"
    return f"allow more {name} in the team's file, then {_resume(run_id, code or 'TEAM.yaml')}"


def _code_of(story: Story) -> str:
    return "FILE.py:NAME" if story.spec is None else ""


def _word(text: str) -> str:
    """A text as one word of a shell's command line."""
    return shlex.quote(visible(text))


def _leave(output: Output, view: View, failure: BaseException, kept: bool, code: str) -> None:
    """Say what was spent before it went wrong; as JSON, all of it. What was done is saved all the same."""
    result = failure.result if isinstance(failure, TeamError) else None
    partial = result if isinstance(result, TeamResult) else None
    usage = partial.usage if partial is not None else view.progress.usage
    interrupted = is_interruption(failure)
    if output.json:
        facts = _no_result(view, usage) if partial is None else partial.to_dict()
        facts |= {"models": list(view.progress.models)}
        if interrupted:
            facts |= {"status": "cancelled"}
        reason = "interrupted" if interrupted else describe(failure)
        _write_json(facts | {"stop_reason": reason, "error": type(cause(failure)).__name__})
    if partial is not None and output.save is not None:
        partial.save(output.save)
    if usage.calls and not interrupted:
        say(f"spent: {spent(usage)}")
    run_id, broken = view.progress.run_id, cause(failure)
    if not kept or not run_id:
        return
    if isinstance(broken, ReplayDivergence) and not isinstance(broken, TeamDiffers):
        team = f" --team {_word(code)}" if code else ""
        fork = f"phalanx fork {_word(run_id)}{team} --at {_word(broken.key)}"
        say(f"to go on from there with the team as it is now: {fork}")
    elif interrupted or isinstance(broken, LogError):
        say(f"to go on: {_resume(run_id, code)}")
    elif isinstance(broken, TeamError):
        refused = isinstance(broken, LimitExceeded)
        resume = _resume_with_more(run_id, code, str(broken)) if refused else _resume(run_id, code)
        say(f"to go on when its cause is mended: {resume}")


def _no_result(view: View, usage: Usage) -> dict[str, object]:
    """The facts of a run that has no result, under the names that a result has them."""
    empty = TeamResult("", usage=usage, status="failed", run_id=view.progress.run_id)
    took = view.progress.seconds(time.time())
    return empty.to_dict() | {"run_id": view.progress.run_id or None, "duration": took}


def _write_json(facts: dict[str, object]) -> None:
    sys.stdout.write(json_line(facts) + "\n")
    sys.stdout.flush()
