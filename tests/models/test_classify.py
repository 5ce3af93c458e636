"""Which error an answer of a provider means: a table."""

from __future__ import annotations

import json

import pytest

from phalanx.agents.models.classify import (
    Kind,
    Trouble,
    classify,
    failure,
    provider_words,
    retry_after,
    scrubbed,
    status_in,
)
from phalanx.errors import (
    AuthenticationFailed,
    ContentFiltered,
    ContextTooLong,
    InvalidRequest,
    LLMCallError,
    ModelNotFound,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    StreamCut,
)

TABLE: list[tuple[int | None, dict[str, str], str, type[LLMCallError]]] = [
    # what providers were seen to answer, or document
    (400, {}, "Invalid value for 'temperature'", InvalidRequest),
    (400, {}, "maximum context length is 128000 tokens", ContextTooLong),
    (400, {}, "prompt is too long: 210000 tokens > 200000 maximum", ContextTooLong),
    (400, {}, "The input token count (9000) exceeds the maximum number of tokens allowed (8192)", ContextTooLong),
    (400, {}, "Please reduce the length of the messages", ContextTooLong),
    (400, {}, "Input is too long for requested model", ContextTooLong),
    (400, {}, "API key not valid. Please pass a valid API key.", AuthenticationFailed),
    (400, {}, '{"error": {"code": "content_filter"}}', ContentFiltered),
    (400, {}, "Your request was rejected by our safety system", ContentFiltered),
    (400, {}, "model `gpt-9` does not exist", ModelNotFound),
    (400, {}, "model 'x' not found, try pulling it first", ModelNotFound),
    (401, {}, "Incorrect API key provided", AuthenticationFailed),
    (401, {}, "", AuthenticationFailed),
    (402, {}, "Insufficient Balance", LLMCallError),
    (403, {}, "Country not supported", AuthenticationFailed),
    (403, {}, "Your input was flagged as harmful", ContentFiltered),
    (404, {}, "not found", ModelNotFound),
    (405, {}, "method not allowed", InvalidRequest),
    (408, {}, "", ProviderTimeout),
    (409, {}, "the resource is locked", ProviderUnavailable),
    (413, {}, "", ContextTooLong),
    (422, {}, "max_tokens: must be above 0", InvalidRequest),
    (425, {}, "too early", ProviderUnavailable),
    (429, {}, "Rate limit reached", RateLimited),
    (429, {}, "You exceeded your current quota (insufficient_quota)", LLMCallError),
    (429, {"x-should-retry": "false"}, "no", LLMCallError),
    (500, {}, "", ProviderUnavailable),
    (500, {}, "the prompt is too long for the context window", ContextTooLong),
    (502, {}, "bad gateway", ProviderUnavailable),
    (503, {}, "the model is loading", ProviderUnavailable),
    (503, {"x-should-retry": "false"}, "for good", LLMCallError),
    (504, {}, "gateway timeout", ProviderTimeout),
    (529, {}, "Overloaded", ProviderUnavailable),
    (400, {"x-should-retry": "true"}, "try again", ProviderUnavailable),
    (302, {}, "moved", LLMCallError),
    (None, {}, "something inside the library", LLMCallError),
]


@pytest.mark.parametrize(("status", "headers", "message", "expected"), TABLE)
def test_an_answer_means_one_error(
    status: int | None, headers: dict[str, str], message: str, expected: type[LLMCallError]
) -> None:
    assert classify(status, headers, message) is expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("timeout", ProviderTimeout),
        ("unreachable", ProviderUnavailable),
        ("cut", StreamCut),
        ("unreadable", ProviderUnavailable),
    ],
)
def test_trouble_without_an_answer_has_an_error_too(kind: Kind, expected: type[LLMCallError]) -> None:
    found = failure(Trouble(kind, "so it was", status=200), "p/m")

    assert type(found) is expected
    assert (str(found), found.status_code) == ("p/m: so it was", None)


@pytest.mark.parametrize(
    "said",
    [
        "ClientConnectorError: Cannot connect to host 127.0.0.1:9 ssl:default [Connect call failed ('127.0.0.1', 9)]",
        "litellm.InternalServerError: InternalServerError: OpenAIException - Connection error.",
        "[Errno 111] Connection refused",
        "[Errno -2] Name or service not known",
        "All connection attempts failed",
    ],
)
def test_where_nobody_listens_it_is_said_what_to_do(said: str) -> None:
    trouble = Trouble("unreachable", said)
    assert "start Ollama (`ollama serve`)" in str(failure(trouble, "ollama/llama3.2"))
    other = str(failure(trouble, "openai/x"))
    assert "check that its server runs" in other
    assert "api_base=… (--api-base)" in other
    assert "Ollama" not in other


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble("unreachable", "Cannot connect to host x:443 ssl:True [certificate verify failed: self-signed]"),
        Trouble("unreachable", "Server disconnected"),
        Trouble("status", "the upstream refused the connection", status=502),
    ],
)
def test_where_somebody_listens_nobody_is_told_to_start_a_server(trouble: Trouble) -> None:
    assert "api_base" not in str(failure(trouble, "openai/x"))


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [
        (Trouble("status", "x", status=500), StreamCut),
        (Trouble("status", "x", status=400), StreamCut),
        (Trouble("unreachable", "x"), StreamCut),
        (Trouble("unreadable", "x"), StreamCut),
        (Trouble("timeout", "x"), ProviderTimeout),
        (Trouble("status", "slow down", status=429), RateLimited),
        (Trouble("status", "content_filter", status=400), ContentFiltered),
    ],
)
def test_what_goes_wrong_after_the_first_piece_is_a_cut_stream_unless_it_says_more(
    trouble: Trouble, expected: type[LLMCallError]
) -> None:
    assert type(failure(trouble, "p/m", begun=True)) is expected


NOON = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.mark.parametrize(
    ("headers", "message", "seconds"),
    [
        ({"retry-after": "12"}, "", 12.0),
        ({"retry-after": "0"}, "", 0.0),
        ({"retry-after-ms": "250"}, "", 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, "", 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, "", 9.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:50:37 GMT"}, "", 60.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:00:00 GMT"}, "", 0.0),
        ({"retry-after": "-5"}, "", None),
        ({"retry-after": "inf"}, "", None),
        ({"retry-after": "nan"}, "", None),
        ({"retry-after": "later"}, "", None),
        ({}, '{"details": [{"retryDelay": "34.5s"}]}', 34.5),
        ({}, "", None),
    ],
)
def test_the_wait_that_is_asked_for(headers: dict[str, str], message: str, seconds: float | None) -> None:
    assert retry_after(headers, message, now=NOON) == seconds


IN_BYTES = repr(b'{"error": {"message": "it\'s no"}}')
ADVICE = ". Handle with `litellm.InternalServerError`."


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"error": {"message": "no", "type": "x"}}', "no"),
        ('{"error": "no"}', "no"),
        ('{"message": "no"}', "no"),
        ('{"detail": [{"message": "no"}]}', "no"),
        ('[{"error": {"message": "no"}}]', "no"),
        ('{"other": 1}', '{"other": 1}'),
        ("plain", "plain"),
        ("litellm.BadRequestError: OpenAIException - no", "no"),
        ("litellm.RateLimitError: litellm.RateLimitError: GeminiException - no", "no"),
        (f"litellm.BadRequestError: Vertex_ai_betaException BadRequestError - {IN_BYTES}", "it's no"),
        (f'litellm.InternalServerError: AnthropicException - {{"error": "no"}}{ADVICE}', "no"),
        ("no\nTraceback (most recent call last)\n  File x", "no"),
    ],
)  # fmt: skip
def test_a_provider_is_quoted_in_its_own_words(text: str, words: str) -> None:
    assert provider_words(text) == words


def test_a_long_message_is_shortened() -> None:
    assert len(provider_words("x" * 100_000)) == 2000
    assert len(provider_words(json.dumps({"error": "x" * 100_000}))) == 2000


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"code": 503}, 503),
        ({"type": "overloaded_error"}, 529),
        ({"type": "rate_limit_error", "code": None}, 429),
        ({"code": "rate_limit_exceeded"}, 429),
        ({"code": 7}, 500),
        ({}, 500),
        ("text", 500),
    ],
)
def test_an_error_inside_a_stream_has_a_status(error: object, status: int) -> None:
    assert status_in(error) == status


def test_secrets_are_taken_out_of_messages_also_where_they_are_half_masked() -> None:
    text = "key sk-abcdef is wrong; so is sk-ab*****7890; see https://x.org/?key=AIzaSy99&alt=sse"

    assert scrubbed(text, ["sk-abcdef"]) == "key … is wrong; so is …; see https://x.org/?key=…&alt=sse"
    assert scrubbed("a b c", ["b"]) == "a b c"  # too short to be a secret


def test_an_error_without_a_reason_says_that() -> None:
    assert str(failure(Trouble("status", "", status=500), "p/m")) == "p/m (status 500): it gave no reason"
