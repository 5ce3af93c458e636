"""An agent's keywords in all their spellings, sorted by what they are for."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from phalanx.errors import ConfigurationError, ValidationError
from phalanx.settings import nearest

from .models.resolve import SAMPLING, TRANSPORT
from .models.retry import RetryConfig

# Other spellings of a keyword.
ALIASES = {
    "llm_client": "provider",
    "system_prompt": "instructions",
    "retry_config": "retry",
    "base_url": "api_base",
    "default_headers": "extra_headers",
    "final_answer_format_instructions": "answer_format",
}
RETRY = ("retry", "retry_attempts", "retry_backoff", "retry_jitter")
REST = ("timezone", "answer_format", "verbose", "stream")
# The keywords that an agent's constructor names itself, for hints.
NAMED = (
    "role", "system_prompt", "name", "model", "tools", "output", "temperature", "max_tokens", "max_iterations",
    "memory", "limits", "price", "prompts", "skills", "hooks", "approve", "strict_tools", "provider_options",
)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """What is left of an agent's keywords once they are sorted."""

    provider: object = None
    instructions: str | None = None
    transport: Mapping[str, Any] = field(default_factory=dict)
    sampling: Mapping[str, Any] = field(default_factory=dict)
    retry: RetryConfig | None = None
    timezone: str | None = None
    answer_format: str = ""
    verbose: bool = False
    stream: bool = False


def sort(given: Mapping[str, Any]) -> Options:
    """Sort keywords into options.

    Raises ConfigurationError for an unknown one, naming the nearest that exists, and for one that is given twice;
    ValidationError for a value that cannot be.
    """
    options: dict[str, Any] = {}
    for word, value in given.items():
        name = ALIASES.get(word, word)
        if name in options:
            raise ConfigurationError(f"{word!r} is given twice, also as {name!r}")
        options[name] = value
    allowed = {"provider", "instructions", *TRANSPORT, *SAMPLING, *RETRY, *REST}
    for name in options:
        if name not in allowed:
            hint = nearest(name, [*allowed, *ALIASES, *NAMED])
            raise ConfigurationError(
                f"an agent has no option {name!r}{hint}; what only the provider knows goes into provider_options={{…}}"
            )
    retry = {name: options[name] for name in RETRY if options.get(name) is not None}
    sampling = {name: options[name] for name in SAMPLING if options.get(name) is not None}
    if "stop" in sampling:
        stop = sampling["stop"]
        sampling["stop"] = (stop,) if isinstance(stop, str) else tuple(stop)
    return Options(
        provider=options.get("provider"),
        instructions=options.get("instructions"),
        transport={name: options[name] for name in TRANSPORT if options.get(name) is not None},
        sampling=sampling,
        retry=RetryConfig.of(**retry) if retry else None,
        timezone=None if options.get("timezone") is None else check_timezone(options["timezone"]),
        answer_format=str(options.get("answer_format") or ""),
        verbose=bool(options.get("verbose", False)),
        stream=bool(options.get("stream", False)),
    )


def check_timezone(name: str) -> str:
    """The name itself if it is an IANA time zone; raises ValidationError (a ValueError) if not."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError):
        raise ValidationError(f"{name!r} is no IANA time zone, e.g. 'UTC' or 'Europe/London'") from None
    return name


def in_range(what: str, value: float, least: float, most: float | None) -> float:
    """The value itself if it is a number in its range; raises ValidationError if not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValidationError(f"{what} must be a number, not {type(value).__name__}")
    if not value >= least or (most is not None and value > most):
        span = f"at least {least}" if most is None else f"from {least} to {most}"
        raise ValidationError(f"{what} must be {span}, not {value}")
    return value
