"""What the command exits with. Nothing heavy is loaded here, so that help comes at once."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO

COMPLETED, FAILED, USAGE, UNDECIDED, STOPPED, CONFIGURATION, PAUSED, GATE, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 7, 130

_MEANINGS = {
    COMPLETED: "completed",
    FAILED: "the team failed: there is no answer",
    USAGE: "the command, the task or a file is wrong",
    UNDECIDED: "undecided or partial: there is an answer, with a reservation",
    STOPPED: "stopped by a limit",
    CONFIGURATION: "configuration: no model, no key, a setting that cannot work",
    PAUSED: "paused: it waits for an answer or a decision of yours",
    GATE: "a condition of --fail-if holds",
    INTERRUPTED: "interrupted (143: terminated)",
}


_MEANINGS_OF_A_BENCH = {
    COMPLETED: "it ran to its end",
    FAILED: "it broke: the scorer failed",
    USAGE: "the command or a file is wrong",
    STOPPED: "a limit ended it early; what it has is reported",
    CONFIGURATION: "configuration: no model, no key, no such engine",
    GATE: "a condition of --fail-if holds",
    INTERRUPTED: "interrupted",
}
_MEANINGS_OF_A_SEARCH = {
    COMPLETED: "a formation won, or the single agent",
    FAILED: "it broke: the scorer failed",
    USAGE: "the command or a file is wrong",
    UNDECIDED: "nothing can be told",
    STOPPED: "nothing can be told, because a limit ended it early",
    CONFIGURATION: "configuration: no model, no key, no such engine",
    INTERRUPTED: "interrupted",
}


def exit_codes(*codes: int, meanings: Mapping[int, str] = _MEANINGS) -> str:
    """The end of a command's help: what its exit codes mean; all of them when none is named."""
    return "\n".join(["\b", "Exit codes:", *(f"  {code:<3}  {meanings[code]}" for code in codes or meanings)])


ALL_CODES = exit_codes()
LOOK_CODES = exit_codes(COMPLETED, USAGE)
TEAM_CODES = exit_codes(*(code for code in _MEANINGS if code != GATE))
BENCH_CODES = exit_codes(meanings=_MEANINGS_OF_A_BENCH)
SEARCH_CODES = exit_codes(meanings=_MEANINGS_OF_A_SEARCH)


def give_up(stream: IO[str]) -> None:
    """Write no more to a stream whose reader is gone or whose disk is full, nor flush to it at the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


@contextmanager
def refused() -> Iterator[None]:
    """Turn what the parser of the command line says of wrong words into one line on stderr and an exit code."""
    try:
        yield
    except Exception as failure:
        # Which library parses, and so the class of its errors, is typer's affair: they are known by what they can do.
        if not hasattr(failure, "format_message"):
            raise
        from .failures import say

        context = getattr(failure, "ctx", None)
        if context is not None:
            say(context.get_usage())
        advice = "" if context is None else f"; {context.command_path} --help says more"
        say(f"phalanx: error: {failure.format_message().rstrip('.')}{advice}")
        raise SystemExit(getattr(failure, "exit_code", USAGE)) from None


@contextmanager
def reported(debug: bool) -> Iterator[None]:
    """Turn whatever is raised inside into one line on stderr and an exit code.

    The traceback comes before it with `debug`, or when PHALANX_LOG_LEVEL is DEBUG.
    """
    try:
        yield
    except BrokenPipeError:
        give_up(sys.stdout)
        raise SystemExit(FAILED) from None
    except (Exception, KeyboardInterrupt) as failure:  # noqa: BLE001 - the last place to tell of it
        from .failures import code_of, describe, is_interruption, say

        if is_interruption(failure):
            say(f"phalanx: {describe(failure)}")
        else:
            if debug or os.environ.get("PHALANX_LOG_LEVEL", "").upper() == "DEBUG":
                traceback.print_exception(failure)
            say(f"phalanx: error: {describe(failure)}")
        try:
            sys.stdout.flush()
        except OSError:
            give_up(sys.stdout)
        raise SystemExit(code_of(failure)) from None
