"""The log of the command line: the only place where logging is configured. It goes to stderr."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING

from phalanx.settings import Settings, nearest

from .failures import WrongUse
from .text import visible

if TYPE_CHECKING:
    from phalanx.runtime.events import AnyEvent

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_COMMON = {"run_id", "seq", "path", "time", "parent"}


def is_debug(debug: bool) -> bool:
    """Whether tracebacks and the log of events are wanted: by --debug or by PHALANX_LOG_LEVEL=DEBUG."""
    return debug or _level(debug) == "DEBUG"


def configure(debug: bool) -> None:
    """Send the log of Phalanx and of the libraries below it to stderr, from the level that is asked for.

    Raises WrongUse when PHALANX_LOG_LEVEL is no level.
    """
    import structlog

    level = getattr(logging, _level(debug))
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # Looked up at each line, because a live view puts its own stderr in place of the real one.
        logger_factory=lambda *_: _Stderr(),
    )
    handler = logging.StreamHandler(_Stderr())
    handler.setFormatter(logging.Formatter("level=%(levelname)s logger=%(name)s event=%(message)r"))
    logging.basicConfig(level=max(level, logging.INFO), handlers=[handler], force=True)


def event_log(debug: bool) -> Callable[[AnyEvent], None] | None:
    """Logs every event of a run, at level DEBUG; None when nobody would see it."""
    if not is_debug(debug):
        return None
    import structlog

    log = structlog.get_logger("phalanx")

    def see(event: AnyEvent) -> None:
        if event.kind == "token":
            return
        facts = {each.name: getattr(event, each.name) for each in fields(event) if each.name not in _COMMON}
        log.debug("event", seq=event.seq, kind=event.kind, path="/".join(event.path), **_short(facts))

    return see


class _Stderr:
    """stderr, whatever it is at the moment."""

    def msg(self, message: str) -> None:
        print(visible(message), file=sys.stderr, flush=True)

    debug = info = warning = error = critical = exception = log = fatal = failure = err = warn = msg

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def _level(debug: bool) -> str:
    given = "DEBUG" if debug else (Settings.from_environment().log_level or "WARNING")
    level = given.strip().upper()
    if level not in LEVELS:
        raise WrongUse(f"PHALANX_LOG_LEVEL={given!r} is no level{nearest(level, LEVELS)}; use {', '.join(LEVELS)}")
    return level


def _short(facts: dict[str, object]) -> dict[str, str]:
    return {name: text if len(text := repr(value)) <= 300 else text[:300] + "…" for name, value in facts.items()}
