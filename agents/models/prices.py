"""What LiteLLM's map says about a model: its price, its context window, whether it takes tools."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from phalanx.messages import Price, Usage

Entry = Mapping[str, object]

SAYS_NOTHING = "phalanx_placeholder"
"""Marks an entry that stands in the map only so that there is one."""

_PER_TOKEN = ("input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost",
              "cache_creation_input_token_cost")  # fmt: skip
_PER_OTHER = re.compile(r"^(input|output)_cost_per_(second|character|image|pixel|query|request|page)$")
_LONG_PROMPT = re.compile(r"^input_cost_per_token_above_(\d+)k_tokens$")


@dataclass(frozen=True)
class Tariff:
    """A model's price; `tiers` are (prompt tokens, price above so many), in ascending order."""

    price: Price
    tiers: tuple[tuple[int, Price], ...] = ()

    def priced(self, usage: Usage) -> Usage:
        """The usage with its cost, at the price of prompts of its length."""
        price = self.price
        for above, higher in self.tiers:
            if usage.input_tokens > above:
                price = higher
        return usage.priced(price)


def find(entries: Mapping[str, Entry], provider: str, model: str) -> Entry | None:
    """The map's entry of a model, by its name alone; None when there is none."""
    family = provider.removesuffix("_chat")
    for key in (f"{provider}/{model}", f"{family}/{model}"):
        if key in entries and SAYS_NOTHING not in entries[key]:
            return entries[key]
    plain = entries.get(model)
    owner = str(plain.get("litellm_provider", "")) if plain is not None else ""
    return plain if owner == provider or owner.startswith(family) else None


def tariff(entry: Entry | None) -> Tariff | None:
    """What an entry says a model costs, by the token; None when it does not say, or charges by something else too."""
    if entry is None or (price := _price(entry, "")) is None:
        return None
    if any(_PER_OTHER.match(key) and value for key, value in entry.items()):
        return None
    tiers = []
    for key in entry:
        match = _LONG_PROMPT.match(key)
        if match and (higher := _price(entry, f"_above_{match[1]}k_tokens", price)) is not None:
            tiers.append((int(match[1]) * 1000, higher))
    return Tariff(price, tuple(sorted(tiers, key=lambda tier: tier[0])))


def _price(entry: Entry, suffix: str, lower: Price | None = None) -> Price | None:
    values = [entry.get(name + suffix) for name in _PER_TOKEN]
    numbers = [float(value) * 1e6 if isinstance(value, int | float) else None for value in values]
    if lower is not None:
        below = (lower.input, lower.output, lower.cached_input, lower.cache_write)
        numbers = [number if number is not None else old for number, old in zip(numbers, below, strict=True)]
    paid, made, cached, written = (None if number is None else round(number, 9) for number in numbers)
    return None if paid is None or made is None else Price(paid, made, cached, written)


def context_window(entry: Entry | None) -> int | None:
    """The most tokens a model reads, as far as the map says."""
    for name in ("max_input_tokens", "max_tokens"):
        if entry is not None and isinstance(value := entry.get(name), int) and value > 0:
            return value
    return None


def takes_tools(entry: Entry | None) -> bool | None:
    """Whether a model takes tool definitions; the map's silence is no answer."""
    value = entry.get("supports_function_calling") if entry is not None else None
    return value if isinstance(value, bool) else None
