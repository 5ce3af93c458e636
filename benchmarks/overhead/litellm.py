"""The same calls made by hand with `litellm.acompletion`, and with LiteLLM's mapping over an aiohttp session."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from .bare import KEY, Bare, Body, Call


class _Acompletion:
    def __init__(self, url: str) -> None:
        import litellm

        self.acompletion: Callable[..., Any] = litellm.acompletion
        self.given = {"model": "openai/loopback", "api_base": url, "api_key": KEY, "timeout": 600, "max_retries": 0}

    async def ask(self, call: Call) -> tuple[str, list[str]]:
        answer = await self.acompletion(messages=call.messages, **self.given, **call.parameters)
        message = answer.choices[0].message
        return message.content or "", [each.function.arguments for each in message.tool_calls or ()]

    async def stream(self, call: Call) -> AsyncGenerator[str, None]:
        chunks = await self.acompletion(
            messages=call.messages, stream=True, stream_options={"include_usage": True}, **self.given, **call.parameters
        )
        async for chunk in chunks:
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content


@asynccontextmanager
async def acompletion(url: str) -> AsyncIterator[Bare]:
    """LiteLLM's own call."""
    yield _Acompletion(url)


class _Raw:
    """What LiteLLM's mapping reads of an HTTP answer."""

    def __init__(self, status: int, headers: Any, content: bytes) -> None:
        self.status_code, self.headers, self.content = status, headers, content

    @property
    def text(self) -> str:
        return self.content.decode()

    def json(self) -> Any:
        return json.loads(self.content)


class _Unheard:
    """Where LiteLLM's mapping writes its log."""

    model_call_details: Body = {}

    def post_call(self, *_: object, **__: object) -> None:
        return None


class _Direct:
    def __init__(self, url: str, session: Any) -> None:
        import litellm

        library: Any = litellm
        self.session, self.url, self.new_answer = session, url, library.ModelResponse
        self.config = library.utils.ProviderConfigManager.get_provider_chat_config(
            model="loopback", provider=library.types.utils.LlmProviders("openai")
        )
        facts: Body = {"headers": {}, "model": "loopback", "messages": [], "optional_params": {}, "litellm_params": {}}
        self.headers = self.config.validate_environment(**facts, api_key=KEY, api_base=url)
        self.headers["Content-Type"] = "application/json"
        self.address = f"{url}/chat/completions"

    async def ask(self, call: Call) -> tuple[str, list[str]]:
        body = self._body(call)
        async with self.session.post(self.address, data=json.dumps(body).encode(), headers=self.headers) as response:
            raw = _Raw(response.status, response.headers, await response.read())
        answer = self.config.transform_response(
            model="loopback", raw_response=raw, model_response=self.new_answer(), logging_obj=_Unheard(),
            request_data=body, messages=[], optional_params={}, litellm_params={}, encoding=None, api_key=KEY,
            json_mode=False,
        )  # fmt: skip
        message = answer.choices[0].message
        return message.content or "", [each.function.arguments for each in message.tool_calls or ()]

    async def stream(self, call: Call) -> AsyncGenerator[str, None]:
        body = {**self._body(call), "stream": True, "stream_options": {"include_usage": True}}
        reader = self.config.get_model_response_iterator(streaming_response=None, sync_stream=False, json_mode=False)
        async with self.session.post(self.address, data=json.dumps(body).encode(), headers=self.headers) as response:
            async for line in response.content:
                if line.startswith(b"data: ") and not line.startswith(b"data: [DONE]"):
                    chunk = reader.chunk_parser(chunk=json.loads(line[6:]))
                    if chunk.choices and chunk.choices[0].delta.content:
                        yield chunk.choices[0].delta.content

    def _body(self, call: Call) -> Body:
        body: Body = self.config.transform_request(
            model="loopback", messages=call.messages, optional_params=dict(call.parameters), litellm_params={},
            headers=self.headers,
        )  # fmt: skip
        return body


@asynccontextmanager
async def direct(url: str) -> AsyncIterator[Bare]:
    """LiteLLM's mapping, one aiohttp session."""
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield _Direct(url, session)
