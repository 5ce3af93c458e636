"""What may be said of a model, checked before anything is loaded."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from typing import Literal
from urllib.parse import urlsplit

from phalanx.errors import ConfigurationError
from phalanx.settings import nearest

Path = Literal["auto", "direct", "general"]

_OURS = {
    "model": "model", "messages": "the request's messages", "stream": "astream()", "stream_options": "astream()",
    "timeout": "timeout=", "request_timeout": "timeout=", "api_base": "api_base=", "base_url": "api_base=",
    "api_key": "api_key=", "api_version": "api_version=", "organization": "organization=",
    "extra_headers": "extra_headers=", "headers": "extra_headers=", "max_retries": "retry=", "num_retries": "retry=",
    "temperature": "temperature=", "max_tokens": "max_tokens=", "top_p": "top_p=", "stop": "stop=", "seed": "seed=",
    "tools": "tools=", "tool_choice": "the request's tool_choice", "response_format": "output=",
    "n": "samples of its own: one answer is read",
}  # fmt: skip


def check_options(options: Mapping[str, object]) -> None:
    """Raise ConfigurationError for a provider option that has another place."""
    if (name := next((name for name in options if name in _OURS), None)) is not None:
        raise ConfigurationError(f"provider_options may not hold {name!r}; use {_OURS[name]}")


def checked_base(base: str | None) -> str | None:
    """An api_base that is an address."""
    if base is not None and not base.startswith(("http://", "https://")):
        raise ConfigurationError(f"api_base={shown(base)!r} must be an address that begins with http:// or https://")
    return None if base is None else base.rstrip("/")


def secrets_in(key: str | None, address: str | None, named: Mapping[str, object]) -> Iterator[str]:
    """Every text that no message may hold: a key, a password in an address, options and variables named like keys."""
    if key:
        yield key
    if address and (password := urlsplit(address).password):
        yield password
    for name, value in named.items():
        if isinstance(value, str) and any(word in name.lower() for word in ("auth", "key", "token", "secret")):
            yield value
            yield value.removeprefix("Bearer ")
    for name, value in os.environ.items():
        if name.endswith(("_KEY", "_TOKEN", "_SECRET", "_PASSWORD")) and len(value) >= 8:
            yield value


def shown(address: str) -> str:
    """An address without what may be secret in it: a user's name and password, a query."""
    scheme, separator, rest = address.partition("?")[0].rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def checked_timeout(seconds: float) -> float:
    """A timeout that is a number of seconds."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
        raise ConfigurationError(f"timeout={seconds!r} must be a number of seconds above 0")
    return float(seconds)


def checked_path(path: Path) -> Path:
    """One of the paths there are."""
    paths = ("auto", "direct", "general")
    if path not in paths:
        raise ConfigurationError(f"path={path!r} must be one of {', '.join(paths)}{nearest(str(path), paths)}")
    return path


def checked_verification(given: object) -> bool | str | None:
    """What `ssl_verify` may be."""
    if given is not None and not isinstance(given, bool | str):
        raise ConfigurationError(f"ssl_verify={given!r} must be True, False or a file of certificates")
    return given
