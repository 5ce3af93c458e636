"""How a provider is reached: what was said, and what the environment adds to it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Connection:
    """How a provider is reached; the key does not show."""

    api_base: str | None = None
    api_key: str | None = field(default=None, repr=False)
    api_version: str | None = None
    organization: str | None = None
    extra_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float = 120.0
    ssl_verify: bool | str | None = None


def tls(module: Any, verify: bool | str | None) -> Any:
    """TLS as LiteLLM sets it up: SSL_VERIFY, SSL_CERT_FILE, litellm.ssl_verify, or certifi's certificates."""
    found = module.llms.custom_httpx.http_handler.get_ssl_configuration(verify)
    return found if not isinstance(found, str) else True


def place(provider: str, base: str | None) -> tuple[str | None, str | None, dict[str, str]]:
    """A provider's api_base, its full address where its configuration does not say it, and headers of its own."""
    variable = os.environ.get
    if provider == "openai":
        base = base or variable("OPENAI_BASE_URL") or variable("OPENAI_API_BASE") or "https://api.openai.com/v1"
    elif provider == "ollama_chat":
        base = base or variable("OLLAMA_API_BASE") or "http://localhost:11434"
    elif provider == "openrouter":
        base = base or variable("OPENROUTER_API_BASE") or "https://openrouter.ai/api/v1"
        site, title = variable("OR_SITE_URL") or "https://litellm.ai", variable("OR_APP_NAME") or "liteLLM"
        return base, None, {"HTTP-Referer": site, "X-Title": title}
    elif provider == "anthropic":
        base = base or variable("ANTHROPIC_API_BASE") or variable("ANTHROPIC_BASE_URL") or "https://api.anthropic.com"
        whole = base.endswith("/v1/messages") or variable("LITELLM_ANTHROPIC_DISABLE_URL_SUFFIX", "").lower() == "true"
        base = base if whole else f"{base}/v1/messages"
        return base, base, {}
    return base, None, {}


def key_for(provider: str) -> str | None:
    """The key in the environment, for the providers whose configuration does not look for it itself."""
    variables = {"openai": ("OPENAI_API_KEY",), "openrouter": ("OPENROUTER_API_KEY", "OR_API_KEY"),
                 "ollama_chat": ("OLLAMA_API_KEY",)}  # fmt: skip
    return next((key for name in variables.get(provider, ()) if (key := os.environ.get(name))), None)


def openai_headers(organization: str | None) -> dict[str, str]:
    organization = organization or os.environ.get("OPENAI_ORGANIZATION") or os.environ.get("OPENAI_ORG_ID")
    project = os.environ.get("OPENAI_PROJECT_ID")
    named = {"OpenAI-Organization": organization, "OpenAI-Project": project}
    return {name: value for name, value in named.items() if value}
