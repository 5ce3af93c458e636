"""What is said when something goes wrong: one line, and what to do; and which exit code it has."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from phalanx.errors import (
    AuthenticationFailed,
    ConfigurationError,
    LimitExceeded,
    LogError,
    PhalanxError,
    UncertainStep,
    ValidationError,
)
from phalanx.messages import Usage

from .exits import COMPLETED, CONFIGURATION, FAILED, INTERRUPTED, PAUSED, STOPPED, UNDECIDED, USAGE, give_up
from .text import advised, one_line, spent

_BY_STATUS = {
    "completed": COMPLETED,
    "undecided": UNDECIDED,
    "partial": UNDECIDED,
    "stopped": STOPPED,
    "paused": PAUSED,
    "cancelled": INTERRUPTED,
}


class WrongUse(Exception):
    """The command was given something it cannot use; the message says what and what to do."""


class Interrupted(Exception):
    """A signal ended a run; `code` is the exit code that says so, `usage` what was spent."""

    def __init__(self, received: int, usage: Usage) -> None:
        super().__init__(f"interrupted, every member was cancelled; spent: {spent(usage)}")
        self.code, self.usage = 128 + received, usage


def exit_code(status: str) -> int:
    """The exit code of a result's status."""
    return _BY_STATUS.get(status, FAILED)


def code_of(failure: BaseException) -> int:
    """The exit code of an error."""
    failure = cause(failure)
    if isinstance(failure, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(failure, Interrupted):
        return failure.code
    if isinstance(failure, LimitExceeded):
        return STOPPED
    if isinstance(failure, ConfigurationError | AuthenticationFailed):
        return CONFIGURATION
    if isinstance(failure, UncertainStep):
        return PAUSED
    if isinstance(failure, WrongUse | ValidationError | LogError | OSError):
        return USAGE
    return CONFIGURATION if _died_of_configuration(failure) else FAILED


def cause(failure: BaseException) -> BaseException:
    """The error inside of a group of errors: the first one."""
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure


def is_interruption(failure: BaseException) -> bool:
    """Whether it is no defect at all: somebody ended the command."""
    return isinstance(cause(failure), KeyboardInterrupt | Interrupted)


def describe(failure: BaseException) -> str:
    """An error in one line."""
    failure = cause(failure)
    if isinstance(failure, OSError) and failure.filename is not None:
        return one_line(f"{failure.filename}: {failure.strerror or failure}")
    if isinstance(failure, KeyboardInterrupt):
        return "interrupted"
    if isinstance(failure, PhalanxError | WrongUse | Interrupted | OSError):
        return advised(one_line(str(failure))) or type(failure).__name__
    return one_line(f"{type(failure).__name__}: {failure}; run it again with --debug to see where")


def say(line: str) -> None:
    """A line to the user that is not the answer, on stderr.

    When it cannot be written there is nobody to tell, and no reason to lose an answer that was paid for.
    """
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        give_up(sys.stderr)


def check_writable(path: Path, what: str) -> None:
    """Raise WrongUse, before anything is spent, when a file could not be written."""
    if path.is_dir():
        raise WrongUse(f"{what} {str(path)!r} is a directory; give a file's name")
    if not path.parent.is_dir():
        raise WrongUse(f"{what} {str(path)!r}: there is no directory {str(path.parent)!r}; make it first")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise WrongUse(f"{what} {str(path)!r} cannot be written")


def _died_of_configuration(failure: BaseException) -> bool:
    """Whether a team has no answer because none of its members could be asked at all: no model, no key."""
    result = getattr(failure, "result", None)
    dead = [each for each in getattr(result, "members", ()) if not each.ok]
    refused = ConfigurationError | AuthenticationFailed
    return bool(dead) and all(isinstance(each.failure, refused) for each in dead)
