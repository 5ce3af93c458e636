"""From what a user says about a model to a model that can be asked."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from phalanx.errors import ConfigurationError
from phalanx.messages import Price
from phalanx.settings import Settings

from .adjust import Clamped, Priced, warmest
from .model import Model, is_model
from .names import DEFAULT_MODELS, KEY_VARIABLES, check_provider, is_provider
from .ollama import installed
from .retry import RetryConfig, Retrying
from .surroundings import current_settings

# What an Agent passes on to its model object, and what it sends with each request.
TRANSPORT = ("api_base", "api_key", "api_version", "organization", "timeout", "extra_headers", "path")
SAMPLING = ("top_p", "seed", "stop")

_providers: dict[str, Callable[..., object]] = {}

# Model names that say whose they are.
_FAMILIES = {
    "gpt-": "openai", "o1": "openai", "o3": "openai", "o4": "openai", "chatgpt": "openai", "claude": "anthropic",
    "gemini": "gemini", "mistral": "mistral", "deepseek": "deepseek", "command": "cohere",
}  # fmt: skip

# Who serve only their own models, whose names hold no provider's; gateways, which serve those of others, do.
_OWN_MODELS = frozenset((
    "openai", "anthropic", "gemini", "mistral", "deepseek", "xai", "cohere", "cohere_chat", "moonshot", "zai",
    "dashscope", "ai21", "cerebras", "ollama", "ollama_chat",
))  # fmt: skip


def register_provider(name: str, make: Callable[..., object]) -> ExitStack:
    """Let `provider=name` and `model="name/…"` mean what `make(model="…", **options)` returns.

    make: a class or function that gives a Model, an object with `chat(messages)` or `call(messages)`, or a function.
    It is called with model=… where a model was named, and with the options given to the agent, such as api_key. A
    provider that LiteLLM knows can be replaced.

    Returns a context manager: leaving its block, or its `close()`, takes the name back.
    Raises ConfigurationError when the name is taken by another one.
    """
    if _providers.get(name, make) is not make:
        raise ConfigurationError(f"a provider named {name!r} is registered already")
    if not name or "/" in name:
        raise ConfigurationError(f"{name!r} is no name for a provider: it must be a word without '/'")
    _providers[name] = make
    undo = ExitStack()
    undo.callback(_providers.pop, name, None)
    return undo


def resolve(
    model: object = None,
    provider: object = None,
    *,
    options: Mapping[str, Any] | None = None,
    provider_options: Mapping[str, Any] | None = None,
    price: Price | None = None,
    retry: RetryConfig | None = None,
    environment: Settings | None = None,
) -> Model:
    """A model from a name, a provider's name, a Model, a client object or a function; no I/O.

    options, provider_options: of a model given by name. price, retry: of any; a model that retries already does it
    by `retry` instead, and a Model object without one is asked once. With neither a model nor a provider:
    PHALANX_MODEL, PHALANX_PROVIDER, the first provider whose key is in the environment, in that order.

    Raises ConfigurationError when there is none, a name is not known, or an option has nothing to apply to.
    """
    if inspect.isclass(provider) and (model is None or isinstance(model, str)):
        named = {} if model is None else {"model": model}
        own = _made(provider, provider.__name__, **named, **(options or {}), **(provider_options or {}))
        return adjusted(own, price=price, retry=retry)
    given = model if model is not None else provider
    if model is not None and provider is not None and not (isinstance(model, str) and isinstance(provider, str)):
        raise ConfigurationError("give either a model object or a provider object, not a name with an object")
    more = {**(options or {}), **(provider_options or {})}
    if given is not None and not isinstance(given, str):
        _refuse(more, f"the {type(given).__name__}")
        return adjusted(_adapted(given), price=price, retry=retry)
    settings = environment or current_settings()
    # At an address of its own there may stand a gateway that speaks as one of these do.
    if isinstance(model, str) and isinstance(provider, str) and "api_base" not in more:
        _agree(model, provider)
    name = _name(None if model is None else str(model), provider if isinstance(provider, str) else None, settings)
    maker, _, rest = name.partition("/")
    if maker == "offline":
        _refuse(more, name)
        return adjusted(_offline(rest), price=price, retry=retry)
    if maker in _providers:
        named = {"model": rest} if rest else {}
        return adjusted(_made(_providers[maker], maker, **named, **more), price=price, retry=retry)
    check_provider(maker)
    options = dict(options or {})
    if settings.api_key and "api_key" not in options:
        options["api_key"] = settings.api_key
    from .governor import governed
    from .litellm import LiteLLM

    inner = LiteLLM(name, price=price, provider_options=dict(provider_options or {}), **options)
    found: Model = Retrying(governed(inner), retry or RetryConfig())
    most = warmest(name)
    return found if most is None else Clamped(found, most)


def adjusted(model: Model, *, price: Price | None = None, retry: RetryConfig | None = None) -> Model:
    """A model that costs `price` and is asked again as `retry` says, where these are given.

    A model that retries already does it by `retry` instead.
    """
    if price is None and retry is None:
        return model
    if isinstance(model, Clamped):
        return Clamped(adjusted(model.model, price=price, retry=retry), model.most)
    if isinstance(model, Retrying):
        model = model if retry is None else Retrying(model.model, retry, seed=model.seed)
    elif retry is not None:
        model = Retrying(model, retry)
    return model if price is None else Priced(model, price)


def _adapted(given: object) -> Model:
    if is_model(given):
        return given
    from .adapter import adapt  # loaded only by those who bring a client of their own

    return adapt(given)


def _made(make: Callable[..., object], name: str, **options: Any) -> Model:
    from .adapter import made

    return _adapted(made(make, name, **options))


def _agree(model: str, provider: str) -> None:
    head, slash, rest = model.partition("/")
    known = head == "offline" or head in _providers or is_provider(head)
    if slash and head != provider and known and provider in _OWN_MODELS and provider not in _providers:
        raise ConfigurationError(
            f"model={model!r} and provider={provider!r} name two providers; give model={model!r} alone, or "
            f"model='{provider}/{rest}' if you mean that one"
        )


def _refuse(options: Mapping[str, Any], model: str) -> None:
    if options:
        raise ConfigurationError(
            f"{min(options)!r} is an option of a model of a provider, given by name; set it on {model} itself"
        )


async def resolve_now(**given: Any) -> Model:
    """`resolve`, and where the environment names no model, the first one that a reachable Ollama has."""
    try:
        return resolve(**given)
    except NoModel:
        if not (names := await installed()):
            raise
        return resolve(f"ollama/{names[0]}", **given)


class NoModel(ConfigurationError):
    """Nobody said which model to use."""


def default_name(settings: Settings) -> str | None:
    """The model that is used when none is named, or None when nothing in the environment says which."""
    if settings.model:
        return settings.model if "/" in settings.model else _name(settings.model, settings.provider, settings)
    if settings.provider:
        return _of_provider(settings.provider)
    for maker, variables in KEY_VARIABLES.items():
        if maker in DEFAULT_MODELS and any(os.environ.get(each) for each in variables):
            return f"{maker}/{DEFAULT_MODELS[maker]}"
    return None


def _name(model: str | None, provider: str | None, settings: Settings) -> str:
    if model is None and provider is None:
        found = default_name(settings)
        if found is None:
            raise NoModel(
                "no model is named: give model='provider/name' (e.g. 'openai/gpt-4o-mini' or 'ollama/llama3.2'), "
                "or set PHALANX_MODEL, or a provider's key (OPENAI_API_KEY, ANTHROPIC_API_KEY, …), or start Ollama. "
                "Without any provider, model='offline/simulated' (--model offline/simulated) is a simulated one, and "
                "`phalanx demo` shows some at work"
            )
        return found
    if model is None:
        return _of_provider(provider or "")
    if not model.strip():
        raise ConfigurationError("the model's name is empty; write 'provider/name'")
    if provider is not None:
        return model if model.startswith(f"{provider}/") else f"{provider}/{model}"
    head = model.partition("/")[0]
    if "/" in model and (head == "offline" or head in _providers or is_provider(head)):
        return model
    for family, maker in _FAMILIES.items():
        if "/" not in model and model.startswith(family):
            return f"{maker}/{model}"
    if "/" in model:
        return model
    if settings.provider:
        return f"{settings.provider}/{model}"
    raise ConfigurationError(f"model {model!r} does not say whose it is; write 'provider/{model}'")


def _of_provider(provider: str) -> str:
    if provider in _providers:
        return f"{provider}/"
    check_provider(provider)
    if provider not in DEFAULT_MODELS:
        raise ConfigurationError(f"provider {provider!r} has no default model; name one: model='{provider}/…'")
    return f"{provider}/{DEFAULT_MODELS[provider]}"


def _offline(name: str) -> Model:
    if name == "simulated":
        from .simulated import SimulatedModel

        return SimulatedModel()
    raise ConfigurationError(f"there is no offline model {name!r}; 'offline/simulated' is the one that has a name")
