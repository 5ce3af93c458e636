"""The loopback servers themselves: what they take down, and how they are told what to say."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.wire.servers import FormatName, Reply, Use, refused_url, serve

FORMS: list[FormatName] = ["openai", "vllm", "anthropic", "ollama", "gemini"]


def post(url: str, body: dict[str, object], path: str = "/ask") -> str:
    request = urllib.request.Request(url + path, json.dumps(body).encode(), {"X-Who": "me"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as answer:
        text: str = answer.read().decode()
    return text


@pytest.mark.parametrize("form", FORMS)
def test_a_server_takes_requests_down_and_answers_in_its_format(form: FormatName) -> None:
    with serve(form, Reply(text="one two", uses=(Use("add", {"a": 1}),))) as server:
        whole: dict[str, Any] = json.loads(post(server.url, {"model": "m"}))
        streamed = post(server.url, {"model": "m", "stream": True}, "/x:streamGenerateContent")

        first, second = server.requests
        assert (first.method, first.headers["x-who"], first.body, first.streamed) == (
            "POST",
            "me",
            {"model": "m"},
            False,
        )
        assert second.streamed
        assert first.path.endswith("/ask")
        assert server.model.endswith("/loopback")
        assert server.url in server.environment.values()
    assert "one two" in json.dumps(whole)
    assert all(word in streamed for word in ('"one"', '" two"', "add"))


def test_replies_come_in_order_and_the_last_again() -> None:
    with serve("ollama", ["first", Reply(text="second"), "third"]) as server:
        texts = [json.loads(post(server.url, {}))["message"]["content"] for _ in range(4)]

    assert texts == ["first", "second", "third", "third"]


def test_a_reply_may_depend_on_the_request() -> None:
    with serve("ollama", lambda request: f"{request.body['n']}, again") as server:
        assert json.loads(post(server.url, {"n": 3}))["message"]["content"] == "3, again"


def test_an_error_has_its_status_headers_and_body() -> None:
    with serve("openai", Reply(status=429, error="slow down", headers={"Retry-After": "3"})) as server:
        with pytest.raises(urllib.error.HTTPError) as caught:
            post(server.url, {})
        with caught.value as error:
            assert (error.code, error.headers["retry-after"]) == (429, "3")
            assert json.loads(error.read())["error"]["message"] == "slow down"


def test_a_stopped_server_is_gone() -> None:
    with serve("openai") as server:
        url = server.url
    for gone in (url, refused_url("openai")):
        with pytest.raises(urllib.error.URLError):
            post(gone, {})
