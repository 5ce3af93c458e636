"""What we use of LiteLLM, and nothing else of it: the loaded module comes from litellm.py, which alone imports it."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from phalanx.errors import ConfigurationError

from . import prices
from .carry import Family
from .connection import Connection, key_for, openai_headers, place, tls
from .direct import Direct, Mapper, NotDirect
from .mapping import JsonObject, fresh
from .repairs import log_only_what_is_heard, one_client_a_loop
from .surroundings import environment
from .trial import Changed, check

DIRECT: Mapping[str, Family] = {
    "openai": "openai",
    "hosted_vllm": "openai",
    "groq": "openai",
    "mistral": "openai",
    "deepseek": "openai",
    "openrouter": "openai",
    "anthropic": "anthropic",
    "ollama_chat": "ollama",
}
"""The providers whose mapping was seen to give the same results on both paths."""

# Settings of the LiteLLM module that its own calls heed and our direct path does not.
_GLOBAL = (
    "callbacks", "input_callback", "success_callback", "failure_callback", "_async_input_callback",
    "_async_success_callback", "_async_failure_callback", "pre_call_rules", "post_call_rules", "cache",
    "api_key", "api_base", "headers", "organization", "model_alias_map", "custom_prompt_dict", "proxy_auth",
    "model_fallbacks", "fallbacks", "default_fallbacks", "secret_manager_client", "client_session", "aclient_session",
    "add_function_to_prompt", "use_litellm_proxy", "route_all_chat_openai_to_responses", "force_ipv4",
    "openai_system_messages_first", "enable_preview_features", "enable_json_schema_validation",
)  # fmt: skip
_UNSET: tuple[object, ...] = (None, False, "", [], {}, ["cache"])
_VARIABLES = ("OPENAI_CUSTOM_HEADERS", "EXPERIMENTAL_OPENAI_BASE_LLM_HTTP_HANDLER", "USE_LITELLM_PROXY")
_TLS = ("ssl_verify", "ssl_certificate", "ssl_security_level", "ssl_ecdh_curve")
_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Facts:
    """A model's name at its provider, the provider's name for LiteLLM, and what its map says of it; None is unknown.

    maps_tools: whether LiteLLM's mapping takes tool definitions, whatever the model does with them.
    """

    model: str
    provider: str
    tariff: prices.Tariff | None
    window: int | None
    tools: bool | None
    maps_tools: bool


_MOST_SHARED = 256


class Library:
    """A loaded LiteLLM."""

    def __init__(self, module: Any, version: str) -> None:
        self.module, self.version = module, version
        self._tried: set[tuple[Hashable, bool]] = set()
        self._kinds: dict[tuple[Hashable, ...], dict[Any, Any]] = {}
        self._mappers: dict[tuple[Hashable, ...], Mapper] = {}
        self._facts: dict[str, tuple[Facts, tuple[int, prices.Entry | None]]] = {}
        log_only_what_is_heard(module, self.heard)
        one_client_a_loop(module)

    def facts(self, name: str, sent: str) -> Facts:
        """What is known of a model, `sent` being its name for LiteLLM. Raises ConfigurationError when nothing is."""
        known = self._facts.get(sent)
        if known is not None and known[1] == self._mark(known[0]):
            return known[0]
        try:
            model, provider, _, _ = self.locate(sent, Connection())
        except Exception as problem:  # noqa: BLE001 - LiteLLM says it with an error of an HTTP call that never was
            raise ConfigurationError(f"LiteLLM does not know {name!r}: {problem}") from None
        entry, taken = self.entry(provider, model), self.takes(provider, model)
        tools = prices.takes_tools(entry) if "tools" in taken else False
        found = Facts(model, provider, prices.tariff(entry), prices.context_window(entry), tools, "tools" in taken)
        if len(self._facts) >= _MOST_SHARED:
            self._facts.clear()
        mark = self._mark(found)
        if mark[1] == entry:  # else it was found in a way that the mark does not watch
            self._facts[sent] = found, mark
        return found

    def _mark(self, facts: Facts) -> tuple[int, prices.Entry | None]:
        """What changes when the map says something else of a model, which it may at any time."""
        entries: Mapping[str, prices.Entry] = self.module.model_cost
        entry = prices.find(entries, facts.provider, facts.model)
        return len(entries), None if entry is None else dict(entry)

    def locate(self, sent: str, connection: Connection) -> tuple[str, str, str | None, str | None]:
        """The model's name at its provider, the provider's, and the key and address that LiteLLM knows for it."""
        found = self.module.get_llm_provider(model=sent, api_base=connection.api_base, api_key=connection.api_key)
        model, provider, key, base = found
        return model, provider, key, base

    def entry(self, provider: str, model: str) -> prices.Entry | None:
        """The map's entry of a model; None when it has none."""
        entries: Mapping[str, prices.Entry] = self.module.model_cost
        if (found := prices.find(entries, provider, model)) is not None:
            return found
        if provider in ("ollama", "ollama_chat"):
            return None  # LiteLLM would ask the server about it
        try:
            key = self.module.get_model_info(model=model, custom_llm_provider=provider)["key"]
        except Exception:  # noqa: BLE001 - it raises a bare Exception for a model it does not know
            return None
        return entries.get(key)

    def hush(self, provider: str, model: str) -> None:
        """Keep LiteLLM's own call from asking an Ollama about a model its map lacks: a second request at each call."""
        name = f"{provider}/{model}"
        if provider in ("ollama", "ollama_chat") and self.entry(provider, model) is None:
            self.module.model_cost[name] = {"litellm_provider": provider, "mode": "chat", prices.SAYS_NOTHING: True}

    def takes(self, provider: str, model: str) -> frozenset[str]:
        """The OpenAI parameters that a model takes, by LiteLLM's word."""
        return frozenset(self.module.get_supported_openai_params(model=model, custom_llm_provider=provider) or ())

    def takes_schema(self, provider: str, model: str) -> bool:
        """Whether an answer's JSON schema can be sent along."""
        if "response_format" not in self.takes(provider, model):
            return False
        if provider in ("ollama_chat", "hosted_vllm"):  # by the server, whatever the model
            return True
        return bool(self.module.supports_response_schema(model=model, custom_llm_provider=provider))

    def parameters(self, provider: str, model: str, given: JsonObject) -> JsonObject:
        """The provider's parameters for parameters in the OpenAI form, as LiteLLM's own calls map them."""
        mapped: JsonObject = self.module.utils.get_optional_params(
            model=model, custom_llm_provider=provider, **fresh(given)
        )
        return mapped

    def refused(self, provider: str, model: str, given: JsonObject) -> dict[str, str]:
        """The parameters that LiteLLM says this model does not take, each with its reason."""
        try:
            self.parameters(provider, model, given)
        except self.module.UnsupportedParamsError as problem:
            all_together = str(problem)
        else:
            return {}
        alone: dict[str, str] = {}
        for name in given:
            try:
                self.parameters(provider, model, {name: given[name]})
            except self.module.UnsupportedParamsError as problem:
                alone[name] = str(problem)
            except Exception:  # noqa: BLE001 - it needs another parameter beside it; its own call will tell
                continue
        return alone or {"these options together": all_together}

    def ignored(self, provider: str, model: str, given: JsonObject, names: Iterable[str]) -> list[str]:
        """Those of `names` that LiteLLM drops for this model without a word."""
        whole = self.parameters(provider, model, given)
        return [
            name
            for name in names
            if name in given
            and whole == self.parameters(provider, model, {key: value for key, value in given.items() if key != name})
        ]

    def direct(self, facts: Facts, connection: Connection, options: Mapping[str, object]) -> Direct:
        """The direct path to a model, tried out. Raises NotDirect, or Changed when LiteLLM is not what it was."""
        model, provider = facts.model, facts.provider
        if provider not in DIRECT:
            raise NotDirect(f"{provider} is asked by LiteLLM itself")
        if connection.api_version is not None:
            raise NotDirect("api_version= is given")
        if (reason := self._customised(provider)) is not None:
            raise NotDirect(reason)
        try:
            direct = Direct(self._mapper_like(model, provider, connection))
        except AttributeError as problem:
            raise Changed(str(problem)) from None
        if control := next((name for name in options if name in self.controls()), None):
            raise NotDirect(f"{control!r} is an option of LiteLLM's own calls")
        tried = (direct.mapper.alike(), facts.maps_tools)
        if tried not in self._tried:
            check(direct, tools=tried[1])
            self._tried.add(tried)
        return direct

    def shared(self, key: tuple[Hashable, ...]) -> dict[Any, Any]:
        """A place for what is worked out once for all models that are alike; few are kept."""
        # What LiteLLM says of a model may change with its map.
        key = (*key, len(self.module.model_cost))
        if key not in self._kinds and len(self._kinds) >= _MOST_SHARED:
            self._kinds.clear()
        return self._kinds.setdefault(key, {})

    def controls(self) -> frozenset[str]:
        """The names of options that steer LiteLLM's own calls and are not sent to a provider."""
        return frozenset(getattr(self.module.types.utils, "all_litellm_params", ()))

    def heard(self) -> str | None:
        """What was set on the LiteLLM module since, and only its own calls heed; None when nothing was."""
        setting = vars(self.module).get
        if not any(map(setting, _GLOBAL)):  # at each call, and nearly always so
            return None
        # LiteLLM's own calls leave "cache" among the callbacks, whether or not there is a cache.
        return next((f"litellm.{name} is set" for name in _GLOBAL if setting(name) not in _UNSET), None)

    def _customised(self, provider: str) -> str | None:
        family = provider.removesuffix("_chat").removeprefix("hosted_")
        if getattr(self.module, f"{family}_key", None):
            return f"litellm.{family}_key is set"
        variable = next((name for name in _VARIABLES if os.environ.get(name)), None)
        return f"{variable} is set" if variable else self.heard()

    def _mapper_like(self, model: str, provider: str, connection: Connection) -> Mapper:
        """The mapper of a model, shared by all that are reached alike while the environment says the same."""
        key = (
            model, provider, connection.api_base, connection.api_key, connection.organization, connection.timeout,
            tuple(connection.extra_headers.items()), str(connection.ssl_verify), environment(),
            self.module.ModelResponse, self.module.utils.ProviderConfigManager.get_provider_chat_config,
            *(str(getattr(self.module, name, None)) for name in _TLS),
        )  # fmt: skip
        mapper = self._mappers.get(key)
        if mapper is None:
            if len(self._mappers) >= _MOST_SHARED:
                self._mappers.clear()
            mapper = self._mappers[key] = self._mapper(model, provider, connection)
        return mapper

    def _mapper(self, model: str, provider: str, connection: Connection) -> Mapper:
        module, family = self.module, DIRECT[provider]
        _, _, key, base = self.locate(f"{provider}/{model}", connection)
        key, base = key or connection.api_key or key_for(provider), connection.api_base or base
        config = module.utils.ProviderConfigManager.get_provider_chat_config(
            model=model, provider=module.types.utils.LlmProviders(provider)
        )
        base, url, headers = place(provider, base)
        if provider == "openai":
            headers |= openai_headers(connection.organization)
        if provider == "ollama_chat" and key:
            headers["Authorization"] = f"Bearer {key}"
        headers |= connection.extra_headers

        def parameters(given: JsonObject, stream: bool) -> JsonObject:
            if any(not _TOOL_NAME.fullmatch(tool["function"]["name"]) for tool in given.get("tools", ())):
                raise NotDirect("a tool's name has to be rewritten")
            if provider == "openai" and self._bridged(model, given, base):
                raise NotDirect("LiteLLM asks this model through the Responses API")
            return self.parameters(provider, model, {**given, "stream": stream or None})

        finish = None
        if family == "anthropic":
            filtered = module.anthropic_beta_headers_manager.update_request_with_filtered_beta
            reader = module.llms.anthropic.chat.handler.ModelResponseIterator

            def finish(headers: dict[str, str], data: JsonObject) -> tuple[dict[str, str], JsonObject]:
                done: tuple[dict[str, str], JsonObject] = filtered(
                    headers=headers, request_data=data, provider=provider
                )
                return done
        else:
            reader = config.get_model_response_iterator

        secure = bool(base and urlsplit(base).scheme == "https")
        return Mapper(
            config=config,
            provider=provider,
            model=model,
            family=family,
            parameters=parameters,
            new_answer=module.ModelResponse,
            new_reader=lambda disguised: reader(streaming_response=None, sync_stream=False, json_mode=disguised),
            finish=finish,
            api_key=key,
            api_base=base,
            url=url,
            headers=headers,
            facts={"custom_llm_provider": provider, "api_base": base, "api_key": key},
            ssl=tls(module, connection.ssl_verify) if secure else True,
            timeout=connection.timeout,
        )

    def _bridged(self, model: str, given: JsonObject, base: str | None) -> bool:
        info, _ = self.module.main.responses_api_bridge_check(
            model=model,
            custom_llm_provider="openai",
            tools=given.get("tools"),
            reasoning_effort=given.get("reasoning_effort"),
            api_base=base,
        )
        return bool(info.get("mode") == "responses")

    async def close_clients(self) -> None:
        """Close the connections that LiteLLM keeps for the running loop, and forget them."""
        try:
            cache = self.module.in_memory_llm_clients_cache
            ending = cache.update_cache_key_with_event_loop("") or "-"
        except AttributeError:  # it keeps them elsewhere now: then all loops', by its own means
            await self.module.close_litellm_async_clients()
            return
        for key in [key for key in list(cache.cache_dict) if key.endswith(ending)]:
            client = cache.cache_dict.pop(key)
            closing = getattr(client, "close", None) or getattr(client, "aclose", None)
            if closing is not None:
                await closing()
