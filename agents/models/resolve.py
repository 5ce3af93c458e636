"""From what a user says about a model to a model that can be asked."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from typing import Any

from phalanx.errors import ConfigurationError, LLMCallError, PhalanxError
from phalanx.messages import Completion, Price, Request, Usage, estimate_request, estimate_tokens
from phalanx.settings import Settings

from .model import Model
from .names import DEFAULT_MODELS, KEY_VARIABLES, check_provider, is_provider
from .ollama import installed
from .retry import RetryConfig, Retrying

# What an Agent passes on to its model object, and what it sends with each request.
TRANSPORT = ("api_base", "api_key", "api_version", "organization", "timeout", "extra_headers", "path")
SAMPLING = ("top_p", "seed", "stop")

_providers: dict[str, Callable[..., object]] = {}

# Model names that say whose they are.
_FAMILIES = {
    "gpt-": "openai", "o1": "openai", "o3": "openai", "o4": "openai", "chatgpt": "openai", "claude": "anthropic",
    "gemini": "gemini", "mistral": "mistral", "deepseek": "deepseek", "command": "cohere",
}  # fmt: skip


def register_provider(name: str, make: Callable[..., object]) -> None:
    """Let `provider=name` and `model="name/…"` mean what `make(model=…, **options)` returns.

    make: a class or function that gives a Model, an object with `chat(messages)` or `call(messages)`, or a function.
    Raises ConfigurationError when the name is taken by another one.
    """
    if _providers.get(name, make) is not make:
        raise ConfigurationError(f"a provider named {name!r} is registered already")
    _providers[name] = make


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

    With neither a model nor a provider: PHALANX_MODEL, PHALANX_PROVIDER, the first provider whose key is in the
    environment, in that order. Raises ConfigurationError when there is none, or a name is not known.
    """
    options, given = dict(options or {}), model if model is not None else provider
    if given is not None and not isinstance(given, str):
        if options or provider_options:
            named = sorted([*options, *(provider_options or {})])
            raise ConfigurationError(f"{named[0]!r} is an option of a model given by name; set it on {given!r} itself")
        return adapt(given, price)
    if provider is not None and not isinstance(provider, str):
        raise ConfigurationError("give either a model object or a provider object, not a name with an object")
    settings = environment or Settings.from_environment()
    name = _name(None if model is None else str(model), provider, settings)
    maker, _, rest = name.partition("/")
    if maker == "offline":
        return _offline(rest)
    if maker in _providers:
        return adapt(_providers[maker](model=rest, **options, **(provider_options or {})), price)
    check_provider(maker)
    if settings.api_key and "api_key" not in options:
        options["api_key"] = settings.api_key
    from .governor import governed
    from .litellm import LiteLLM

    inner = LiteLLM(name, price=price, provider_options=dict(provider_options or {}), **options)
    return Retrying(governed(inner), retry or RetryConfig())


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
                "Without any provider, `phalanx demo` shows simulated members"
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


def adapt(given: object, price: Price | None = None) -> Model:
    """A Model from an object: a Model itself, something with `chat(messages)` or `call(messages)`, or a function.

    Raises ConfigurationError when it is none of them.
    """
    if isinstance(given, Model) and inspect.iscoroutinefunction(given.complete):
        return given
    for method in ("chat", "call"):
        if callable(getattr(given, method, None)):
            return _Client(given, getattr(given, method), price)
    if callable(given):
        return _Client(given, given, price)
    raise ConfigurationError(
        f"{type(given).__name__} is no model: it needs complete(request), chat(messages) or call(messages), "
        "or must be a function of the messages"
    )


class _Client:
    """Somebody's client object as a Model: its answer may be text, a mapping, or an object with `content`."""

    def __init__(self, given: object, ask: Callable[..., Any], price: Price | None) -> None:
        own = getattr(given, "name", None)
        self.name = own if isinstance(own, str) and own else f"custom/{type(given).__name__}"
        self._given, self._ask, self._price = given, ask, price
        self.native_tools = False

    async def complete(self, request: Request, /) -> Completion:
        messages = [message.model_dump(include={"role", "content"}) for message in request.messages]
        try:
            from phalanx.agents.tools.tool import call_maybe_async

            answer = await call_maybe_async(self._ask, messages)
        except PhalanxError:
            raise
        except Exception as failure:
            raise LLMCallError(failure, model=self.name) from failure
        return self._completion(answer, request)

    async def price(self) -> Price | None:
        return self._price

    async def aclose(self) -> None:
        from .model import close

        await close(self._given)

    def _completion(self, answer: object, request: Request) -> Completion:
        if isinstance(answer, Completion):
            return answer
        used = None
        if isinstance(answer, Mapping):
            text, used = answer.get("content"), answer.get("tokens_used")
        elif isinstance(answer, str):
            text = answer
        else:
            text, used = getattr(answer, "content", None), getattr(answer, "tokens_used", None)
        if not isinstance(text, str):
            raise LLMCallError(f"it gave {type(answer).__name__}, not text or something with content", model=self.name)
        prompt = estimate_request(request)
        if isinstance(used, int):
            usage = Usage(1, max(0, used - estimate_tokens(text)), min(used, estimate_tokens(text)), estimated=True)
        else:
            usage = Usage(1, prompt, estimate_tokens(text), estimated=True)
        return Completion(text=text, usage=usage.priced(self._price), model=self.name)

    def __repr__(self) -> str:
        return f"_Client({self._given!r})"
