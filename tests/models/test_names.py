"""The providers that are known by name, without loading LiteLLM."""

from __future__ import annotations

import pytest

from phalanx.agents.models.names import DEFAULT_MODELS, KEY_VARIABLES, PROVIDERS, check_provider, is_provider
from phalanx.errors import ConfigurationError


@pytest.mark.parametrize("name", ["openai", "anthropic", "gemini", "ollama", "hosted_vllm", "azure", "bedrock"])
def test_the_usual_providers_are_known(name: str) -> None:
    check_provider(name)


@pytest.mark.parametrize(
    ("name", "meant"), [("opnai", "openai"), ("antropic", "anthropic"), ("Ollama", "ollama"), ("mistrall", "mistral")]
)
def test_an_unknown_provider_is_refused_with_the_nearest_name(name: str, meant: str) -> None:
    with pytest.raises(ConfigurationError, match=f"did you mean '{meant}'"):
        check_provider(name)


@pytest.mark.parametrize("name", ["", "..", "../anthropic", "a/b", "__pycache__", "base.py", "nobody"])
def test_what_is_no_name_is_no_provider(name: str) -> None:
    assert not is_provider(name)


def test_every_provider_in_a_table_is_one() -> None:
    assert set(KEY_VARIABLES) | set(DEFAULT_MODELS) <= set(PROVIDERS)
    assert list(PROVIDERS) == sorted(PROVIDERS)


def test_a_default_model_belongs_to_a_provider_whose_key_can_be_looked_for() -> None:
    assert set(DEFAULT_MODELS) - set(KEY_VARIABLES) == {"ollama"}
