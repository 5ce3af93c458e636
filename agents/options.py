"""An agent's keywords in all their spellings, sorted by what they are for."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from phalanx.errors import ConfigurationError, ValidationError
from phalanx.messages import Price
from phalanx.settings import nearest

from .memory import AgentMemory
from .models.options import checked_timeout
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


DEFAULTS = Options()


def sort(given: Mapping[str, Any]) -> Options:
    """Sort keywords into options.

    Raises ConfigurationError for an unknown one, naming the nearest that exists, and for one that is given twice;
    ValidationError for a value that cannot be.
    """
    if not given:
        return DEFAULTS
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
    if "top_p" in sampling:
        in_range("top_p", sampling["top_p"], 0, 1)
    if "seed" in sampling:
        sampling["seed"] = whole("seed", sampling["seed"])
    if "stop" in sampling:
        stop = sampling["stop"]
        sampling["stop"] = (stop,) if isinstance(stop, str) else texts("stop", stop)
    transport = {name: options[name] for name in TRANSPORT if options.get(name) is not None}
    for name in ("api_base", "api_key", "api_version", "organization", "path"):
        text(name, transport.get(name))
    if "timeout" in transport:
        checked_timeout(transport["timeout"])
    if "extra_headers" in transport:
        headers = mapping("extra_headers", transport["extra_headers"])
        texts("extra_headers", [*headers.keys(), *headers.values()])
    return Options(
        provider=options.get("provider"),
        instructions=text("system_prompt", options.get("instructions")),
        transport=transport,
        sampling=sampling,
        retry=RetryConfig.of(**retry) if retry else None,
        timezone=None if options.get("timezone") is None else check_timezone(options["timezone"]),
        answer_format=text("answer_format", options.get("answer_format")) or "",
        verbose=flag("verbose", options.get("verbose")),
        stream=flag("stream", options.get("stream")),
    )


def check_timezone(name: str) -> str:
    """The name itself if it is an IANA time zone; raises ValidationError (a ValueError) if not."""
    import zoneinfo  # only where a zone is set

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


def whole(what: str, value: object, least: int | None = None) -> int:
    """The value as an int if it is a whole number, and at least `least`; raises ValidationError if not."""
    try:
        number = None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None:
        raise ValidationError(f"{what} must be a whole number, not {value!r}")
    if least is not None:
        in_range(what, number, least, None)
    return number


def flag(what: str, value: object) -> bool:
    """The value itself if it is True or False, False for None; raises ValidationError if not."""
    if value is not None and not isinstance(value, bool):
        raise ValidationError(f"{what} must be True or False, not {value!r}")
    return bool(value)


def text(what: str, value: object) -> str | None:
    """The value itself if it is a text or None; raises ValidationError, which does not quote it, if not."""
    if value is not None and not isinstance(value, str):
        raise ValidationError(f"{what} must be a text, not {type(value).__name__}")
    return value


def texts(what: str, value: object) -> tuple[str, ...]:
    """The values if they are several texts; raises ValidationError for anything else, one text included."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise ValidationError(f"{what} must be a list of texts, not {type(value).__name__}")
    found = tuple(value)
    for each in found:
        if not isinstance(each, str):
            raise ValidationError(f"{what} must hold texts, not {type(each).__name__}")
    return found


def mapping(what: str, value: object) -> Mapping[str, object]:
    """The value itself if it is a mapping with texts as keys, an empty one for None; raises ValidationError if not."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValidationError(f"{what} must be a mapping, not {type(value).__name__}")
    for each in value:
        if not isinstance(each, str):
            raise ValidationError(f"{what} must have texts as keys, not {type(each).__name__}")
    return value


def price(value: object) -> Price | None:
    """The value itself if it is a Price or None; raises ValidationError if not."""
    if value is not None and not isinstance(value, Price):
        raise ValidationError(
            f"price must be a Price, not {type(value).__name__}; write price=Price(input=…, output=…), in US dollars "
            "per million tokens"
        )
    return value


def memory(value: Any) -> AgentMemory | None:
    """The value itself if it can keep a history or is None; raises ValidationError if not."""
    if value is not None and (inspect.isclass(value) or not callable(getattr(value, "manage_history", None))):
        told = f"the class {value.__name__}" if inspect.isclass(value) else type(value).__name__
        raise ValidationError(f"memory must be an AgentMemory, such as SimpleAgentMemory(8000), not {told}")
    found: AgentMemory | None = value
    return found


def function(what: str, value: Any) -> Callable[..., Any] | None:
    """The value itself if it can be called or is None; raises ValidationError if not."""
    if value is not None and not callable(value):
        raise ValidationError(f"{what} must be a function, not {type(value).__name__}")
    found: Callable[..., Any] | None = value
    return found
