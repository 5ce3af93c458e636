"""Clients of single providers for code that is not async: a call is a call, and an agent can be given one."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence

from phalanx.errors import ConfigurationError, ValidationError
from phalanx.messages import Completion, Message, Request
from phalanx.runtime.blocking import run_blocking
from phalanx.runtime.events import Token
from phalanx.runtime.execution import Listener
from phalanx.runtime.run import Run
from phalanx.runtime.stream import EventStream
from phalanx.settings import Settings

from .model import Model, close
from .names import KEY_VARIABLES
from .resolve import resolve

Said = str | Sequence[Message | Mapping[str, object]]


class LLMClient:
    """What the clients share. Making one does no I/O; `Agent(client)` asks the same model."""

    provider = ""

    def __init__(self, model: str, api_key: str | None, options: Mapping[str, object]) -> None:
        self.model = model
        key = _key(self.provider, api_key, type(self).__name__)
        self._model = resolve(f"{self.provider}/{model}", options={"api_key": key, **options})

    def as_model(self) -> Model:
        """The model behind it, as agents ask it."""
        return self._model

    def call(
        self,
        messages: Said,
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        stop: str | Sequence[str] = (),
        provider_options: Mapping[str, object] | None = None,
    ) -> str:
        """The model's answer.

        messages: Messages, or mappings with role and content, or one text of the user's. temperature, max_tokens,
        top_p, seed, stop: None is the provider's default. provider_options: sent as they are.

        It is a run of its own: `with limits(...)` holds for it. Raises LLMCallError when there is no answer,
        LimitExceeded, ValidationError for messages that are none.
        """
        request = _request(messages, temperature, max_tokens, top_p, seed, stop, provider_options)
        return run_blocking(lambda: self._ask(request)).text

    def call_stream(
        self,
        messages: Said,
        *,
        temperature: float | None = None,
        max_tokens: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        stop: str | Sequence[str] = (),
        provider_options: Mapping[str, object] | None = None,
    ) -> Generator[str, None, None]:
        """The model's answer, piece by piece as it comes; closing the generator early cancels the call.

        Takes and raises what `call` does.
        """
        from phalanx.agents.sync_stream import iterate

        request = _request(messages, temperature, max_tokens, top_p, seed, stop, provider_options)
        for event in iterate(lambda: EventStream(lambda listener: self._ask(request, listener))):
            if isinstance(event, Token):
                yield event.text

    async def _ask(self, request: Request, listener: Listener | None = None) -> Completion:
        from phalanx.agents.loop import ask_model

        run = Run.open("client", listeners=() if listener is None else (listener,), streaming=listener is not None)
        try:
            return await ask_model(run, self._model, request)
        finally:
            await close(self._model)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(model={self.model!r})"


class OpenAIClient(LLMClient):
    """A client of OpenAI, or of a server that speaks its API.

    api_key: default OPENAI_API_KEY. model: its name. base_url: the server's address. organization: OpenAI's.
    default_headers: sent with each request.

    Raises ConfigurationError, a ValueError, when there is no key; a server that wants none is given any.
    """

    provider = "openai"

    def __init__(
        self,
        api_key: str | None = None,
        model: str = "gpt-4o",
        base_url: str = "https://api.openai.com/v1",
        organization: str | None = None,
        default_headers: Mapping[str, str] | None = None,
    ) -> None:
        self.base_url = base_url
        options: dict[str, object] = {}
        if base_url.rstrip("/") != "https://api.openai.com/v1":
            options["api_base"] = base_url
        if organization is not None:
            options["organization"] = organization
        if default_headers:
            options["extra_headers"] = dict(default_headers)
        super().__init__(model, api_key, options)


class OpenRouterClient(LLMClient):
    """A client of OpenRouter, which passes calls on to many providers.

    api_key: default OPENROUTER_API_KEY. model: "maker/model", as OpenRouter names it. site_url, app_name: who asks,
    for OpenRouter's rankings.

    Raises ConfigurationError, a ValueError, when there is no key.
    """

    provider = "openrouter"

    def __init__(
        self,
        api_key: str | None = None,
        model: str = "openai/gpt-4o",
        site_url: str | None = None,
        app_name: str | None = None,
    ) -> None:
        named = {"HTTP-Referer": site_url, "X-Title": app_name}
        headers = {name: value for name, value in named.items() if value is not None}
        super().__init__(model, api_key, {"extra_headers": headers} if headers else {})


def _key(provider: str, given: str | None, client: str) -> str:
    variables = KEY_VARIABLES[provider]
    found = given or Settings.from_environment().api_key or next(filter(None, map(os.environ.get, variables)), None)
    if not found:
        raise ConfigurationError(f"{client} has no key: give api_key=…, or set {variables[0]} in the environment")
    return found


def _request(
    messages: Said,
    temperature: float | None,
    max_tokens: int | None,
    top_p: float | None,
    seed: int | None,
    stop: str | Sequence[str],
    options: Mapping[str, object] | None,
) -> Request:
    given = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
    said = tuple(each if isinstance(each, Message) else Message.model_validate(each) for each in given)
    if not said:
        raise ValidationError("there is no message to answer")
    return Request(
        messages=said,
        temperature=temperature,
        max_tokens=max_tokens,
        top_p=top_p,
        seed=seed,
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        options=dict(options or {}),
    )
