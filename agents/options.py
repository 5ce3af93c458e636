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


def sort(given: Mapping[str, Any], known: tuple[str, ...]) -> Options:
    """Sort keywords into options; raises ConfigurationError for an unknown one, naming the nearest that exists."""
    options: dict[str, Any] = {}
    for word, value in given.items():
        name = ALIASES.get(word, word)
        if name in options:
            raise ConfigurationError(f"{word!r} is given twice, also as {name!r}")
        options[name] = value
    allowed = {"provider", "instructions", *TRANSPORT, *SAMPLING, *RETRY, *REST}
    for name in options:
        if name not in allowed:
            hint = nearest(name, [*allowed, *ALIASES, *known])
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
