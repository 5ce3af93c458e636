"""What an entry of LiteLLM's map says."""

from __future__ import annotations

import pytest

from phalanx.agents.models.prices import SAYS_NOTHING, Tariff, context_window, find, takes_tools, tariff
from phalanx.messages import Price, Usage

MAP: dict[str, dict[str, object]] = {
    "gpt": {"litellm_provider": "openai"},
    "groq/gpt": {"litellm_provider": "groq"},
    "ollama/llama": {"litellm_provider": "ollama"},
    "gem": {"litellm_provider": "vertex_ai-language-models"},
    "ollama_chat/quiet": {"litellm_provider": "ollama_chat", SAYS_NOTHING: True},
}


@pytest.mark.parametrize(
    ("provider", "model", "key"),
    [
        ("openai", "gpt", "gpt"),
        ("groq", "gpt", "groq/gpt"),
        ("mistral", "gpt", None),
        ("ollama_chat", "llama", "ollama/llama"),
        ("vertex_ai", "gem", "gem"),
        ("gemini", "gem", None),
        ("ollama_chat", "quiet", None),
        ("openai", "unheard-of", None),
    ],
)
def test_an_entry_is_found_by_provider_and_name_and_never_for_another_provider(
    provider: str, model: str, key: str | None
) -> None:
    assert find(MAP, provider, model) == (MAP[key] if key else None)


@pytest.mark.parametrize(
    ("entry", "price"),
    [
        ({"input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06}, Price(1.0, 2.0)),
        ({"input_cost_per_token": 0, "output_cost_per_token": 0}, Price(0.0, 0.0)),
        (
            {
                "input_cost_per_token": 3e-06,
                "output_cost_per_token": 1.5e-05,
                "cache_read_input_token_cost": 3e-07,
                "cache_creation_input_token_cost": 3.75e-06,
            },
            Price(3.0, 15.0, 0.3, 3.75),
        ),
        ({"input_cost_per_token": 1e-06}, None),
        ({"output_cost_per_token": 1e-06}, None),
        ({"input_cost_per_token": None, "output_cost_per_token": 1e-06}, None),
        ({"input_cost_per_token": 0.0, "output_cost_per_token": 0.0, "input_cost_per_second": 0.001}, None),
        ({}, None),
    ],
)
def test_a_price_is_what_stands_there_and_unknown_where_it_does_not(
    entry: dict[str, object], price: Price | None
) -> None:
    assert tariff(entry) == (None if price is None else Tariff(price))


def test_no_entry_says_nothing() -> None:
    assert (tariff(None), context_window(None), takes_tools(None)) == (None, None, None)


def test_a_long_prompt_costs_what_long_prompts_cost() -> None:
    found = tariff(
        {
            "input_cost_per_token": 1e-06,
            "output_cost_per_token": 2e-06,
            "cache_read_input_token_cost": 1e-07,
            "input_cost_per_token_above_200k_tokens": 3e-06,
            "output_cost_per_token_above_200k_tokens": 4e-06,
            "input_cost_per_token_above_128k_tokens": 2e-06,
        }
    )
    assert found is not None
    costs = [found.priced(Usage(1, tokens, 100)).cost for tokens in (128_000, 128_001, 200_001)]

    assert costs == pytest.approx([0.1282, 0.256202, 0.600403])
    assert found.price == Price(1.0, 2.0, 0.1)


@pytest.mark.parametrize(
    ("entry", "window"),
    [({"max_input_tokens": 10, "max_tokens": 5}, 10), ({"max_tokens": 5}, 5), ({"max_tokens": "many"}, None)],
)
def test_a_context_window(entry: dict[str, object], window: int | None) -> None:
    assert context_window(entry) == window


@pytest.mark.parametrize(
    ("entry", "tools"),
    [({"supports_function_calling": True}, True), ({"supports_function_calling": False}, False), ({}, None)],
)
def test_silence_about_tools_is_no_answer(entry: dict[str, object], tools: bool | None) -> None:
    assert takes_tools(entry) is tools
