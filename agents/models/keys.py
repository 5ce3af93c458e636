"""Where a provider's key comes from, and whether a call can do without."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from phalanx.errors import AuthenticationFailed

from .connection import Connection
from .names import KEY_VARIABLES


def find_key(provider: str, connection: Connection) -> str | None:
    """Where the key is: "api_key=", or the name of an environment variable; None when there is none."""
    if connection.api_key is not None:
        return "api_key="
    return next((name for name in KEY_VARIABLES.get(provider, ()) if os.environ.get(name)), None)


def needs_key(provider: str, connection: Connection, options: Mapping[str, object]) -> bool:
    """Whether a call can only fail without a key: the provider wants one, and it is the provider that is asked."""
    if provider not in KEY_VARIABLES or connection.api_base is not None or "mock_response" in options:
        return False
    if {"authorization", "x-api-key", "api-key"} & {name.lower() for name in connection.extra_headers}:
        return False
    elsewhere = (f"{provider.upper()}_{name}" for name in ("API_BASE", "BASE_URL"))
    return not (any(os.environ.get(name) for name in elsewhere) or set_in_litellm(provider))


def check_key(model: str, provider: str, connection: Connection) -> None:
    """Raise AuthenticationFailed, which says what to set, when there is no key; before anything is loaded or sent."""
    if find_key(provider, connection) is None:
        variable = KEY_VARIABLES[provider][0]
        text = f"no key for {provider}: set {variable} in the environment or give api_key="
        raise AuthenticationFailed(text, model=model)


def set_in_litellm(provider: str) -> bool:
    """Whether the user put a key or an address into the LiteLLM module, for all its calls."""
    module = sys.modules.get("litellm")
    return any(vars(module).get(name) for name in ("api_key", "api_base", f"{provider}_key")) if module else False
