"""Settings from the environment, read when they are needed, and the small helpers every room shares.

PHALANX_MODEL        the default model, "provider/name"
PHALANX_PROVIDER     the default provider, when no model is named
PHALANX_API_KEY      a key that goes before the provider's own
PHALANX_TEMPERATURE  the default sampling temperature
PHALANX_HOME         where the command line keeps its runs
PHALANX_LOG_LEVEL    from what level on the command line and verbose agents log (default: WARNING and INFO)
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phalanx.errors import ConfigurationError

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

MAX_TASK_CHARS = 2_000_000
DEFAULT_TEMPERATURE = 0.7
DEFAULT_MAX_TOKENS = 4096


@dataclass(frozen=True)
class Settings:
    """What the environment says; None where it says nothing.

    model: "provider/name". provider: its name. api_key: a key, which no repr shows. temperature: of sampling. home:
    a folder. log_level: a level's name, in the words of whoever set it.
    """

    model: str | None = None
    provider: str | None = None
    api_key: str | None = None
    temperature: float | None = None
    home: str | None = None
    log_level: str | None = None

    def __repr__(self) -> str:
        key = "None" if self.api_key is None else "'…'"
        return (
            f"Settings(model={self.model!r}, provider={self.provider!r}, api_key={key}, "
            f"temperature={self.temperature!r}, home={self.home!r}, log_level={self.log_level!r})"
        )

    @classmethod
    def from_environment(cls) -> Settings:
        """Read the PHALANX_* variables; an empty one counts as not set.

        Raises ConfigurationError when PHALANX_TEMPERATURE is not a number.
        """

        def get(name: str) -> str | None:
            return os.environ.get(f"PHALANX_{name}") or None

        temperature = get("TEMPERATURE")
        try:
            warmth = None if temperature is None else float(temperature)
        except ValueError:
            raise ConfigurationError(f"PHALANX_TEMPERATURE={temperature!r} must be a number from 0 to 2") from None
        return cls(get("MODEL"), get("PROVIDER"), get("API_KEY"), warmth, get("HOME"), get("LOG_LEVEL"))


def logger() -> FilteringBoundLogger:
    """The library's logger: structlog's words over the standard logger "phalanx", which the application configures."""
    import logging

    import structlog

    bound: FilteringBoundLogger = structlog.wrap_logger(
        logging.getLogger("phalanx"),
        processors=[structlog.stdlib.render_to_log_kwargs],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return bound


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint for an error message: ' (did you mean …?)' with the one of the `known` words most like `word`, or ''."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""
