"""What a team or a run of it is given besides members and tasks, looked at before anything is done."""

from __future__ import annotations

from typing import Any

from phalanx.errors import ValidationError
from phalanx.runtime.board import Blackboard
from phalanx.runtime.log import Log

_READ_AND_WRITE = ("append", "read", "watch")


def check_log(log: Log | None) -> None:
    """Raise ValidationError when a `log` is none: a path, say, or a class in place of its instance."""
    given: Any = log
    if given is None or (not isinstance(given, type) and all(hasattr(given, each) for each in _READ_AND_WRITE)):
        return
    made = f"SqliteLog({str(given)!r})" if isinstance(given, str) or hasattr(given, "__fspath__") else "SqliteLog(path)"
    raise ValidationError(f"log={given!r} is no log; write log={made}, or leave it out to keep runs in memory")


def check_board(board: Blackboard | None) -> None:
    """Raise ValidationError when a `board` is none."""
    if board is not None and not isinstance(board, Blackboard):
        raise ValidationError(f"board={board!r} is no Blackboard; write board=Blackboard(…), or leave it out")


def check_human(human: object) -> None:
    """Raise ValidationError when a `human` cannot be asked."""
    if human is not None and not callable(human):
        raise ValidationError(
            f"human={human!r} cannot be asked; give a function of the Question, or phalanx.runtime.human.pause"
        )
