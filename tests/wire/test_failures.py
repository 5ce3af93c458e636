"""What goes wrong on the wire: a defect is the same error of ours on each format and path, with no secret in it."""

from __future__ import annotations

import logging
import pickle
from dataclasses import replace
from email.utils import formatdate
from time import time

import anyio
import pytest

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
from tests.wire.servers import FormatName, Reply, Use, refused_url, serve
from tests.wire.talk import ADD, ASK, KEY, STREAMED, WAYS, Path, hear, listen, model_at, until

pytestmark = pytest.mark.wire

each_way = pytest.mark.parametrize(("form", "path"), WAYS)
either = pytest.mark.parametrize("streamed", STREAMED)

ANSWERED = [
    (401, f"Incorrect API key provided: {KEY}", AuthenticationFailed),
    (403, "Your key has no access to this model", AuthenticationFailed),
    (404, "The model does not exist", ModelNotFound),
    (400, "messages: field required", InvalidRequest),
    (422, "temperature must be a number", InvalidRequest),
    (400, "This model's maximum context length is 8192 tokens. However, you asked for 9000", ContextTooLong),
    (400, "prompt is too long: 210000 tokens > 200000 maximum", ContextTooLong),
    (413, "request too large", ContextTooLong),
    (400, "The response was filtered due to the prompt triggering the content management policy", ContentFiltered),
    (400, "API key not valid. Please pass a valid API key.", AuthenticationFailed),
    (408, "timed out", ProviderTimeout),
    (429, "slow down", RateLimited),
    (500, "oops", ProviderUnavailable),
    (502, "bad gateway", ProviderUnavailable),
    (503, "loading", ProviderUnavailable),
    (529, "Overloaded", ProviderUnavailable),
]


@each_way
@pytest.mark.parametrize(("status", "message", "kind"), ANSWERED, ids=[f"{s}-{k.__name__}" for s, _, k in ANSWERED])
async def test_an_error_answer_is_the_error_it_means(
    form: FormatName, path: Path, status: int, message: str, kind: type[LLMCallError]
) -> None:
    with serve(form, Reply(status=status, error=message)) as server:
        for streamed in STREAMED:
            with pytest.raises(LLMCallError) as caught:
                await hear(model_at(server, path), streamed=streamed)

            assert type(caught.value) is kind
            assert caught.value.status_code == status
            assert caught.value.model == server.model
            assert message.replace(KEY, "…") in str(caught.value)
        assert len(server.requests) == 2


@each_way
async def test_no_key_shows_in_an_error_its_cause_its_pickle_a_log_or_a_name(
    form: FormatName, path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    secret, header = "sk-very-secret-0815", "Bearer hidden-in-a-header"
    with (
        caplog.at_level(logging.INFO),
        serve(form, Reply(status=401, error=f"{secret} and {header} are wrong")) as server,
    ):
        model = model_at(server, path, api_key=secret, extra_headers={"X-Auth": header})
        for streamed in STREAMED:
            with pytest.raises(AuthenticationFailed) as caught:
                await hear(model, streamed=streamed)

            failure = caught.value
            texts = [str(failure), repr(failure), repr(failure.original_error), repr(failure.__dict__), repr(model)]
            texts.append(repr(pickle.loads(pickle.dumps(failure)).__dict__))
            assert not any(word in text for text in texts for word in (secret, "hidden-in-a-header"))
            assert failure.__cause__ is None
            assert failure.__context__ is None
    printed = capfd.readouterr()
    assert secret not in caplog.text + printed.out + printed.err


@each_way
@either
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
    ids=["seconds", "fraction", "milliseconds", "nonsense", "nothing"],
)
async def test_the_wait_a_provider_asks_for_is_told(
    form: FormatName, path: Path, streamed: bool, headers: dict[str, str], seconds: float | None
) -> None:
    with serve(form, Reply(status=429, headers=headers)) as server, pytest.raises(RateLimited) as caught:
        await hear(model_at(server, path), streamed=streamed)

    assert caught.value.retry_after == seconds
    assert caught.value.transient


@each_way
async def test_a_date_to_wait_for_is_told_in_seconds(form: FormatName, path: Path) -> None:
    reply = Reply(status=503, headers={"retry-after": formatdate(time() + 60, usegmt=True)})
    with serve(form, reply) as server, pytest.raises(ProviderUnavailable) as caught:
        await hear(model_at(server, path))

    assert caught.value.retry_after == pytest.approx(60, abs=5)


@each_way
@either
async def test_nobody_there_is_a_provider_that_is_unavailable(form: FormatName, path: Path, streamed: bool) -> None:
    with serve(form) as server:
        model = model_at(server, path, api_base=refused_url(form))
        with pytest.raises(ProviderUnavailable) as caught:
            await hear(model, streamed=streamed)

    assert caught.value.status_code is None
    assert "0x" not in str(caught.value)
    assert "api_base=… (--api-base)" in str(caught.value)


@each_way
@either
async def test_a_hanging_provider_times_out(form: FormatName, path: Path, streamed: bool) -> None:
    with serve(form, Reply(delay=30.0)) as server, pytest.raises(ProviderTimeout) as caught:
        await hear(model_at(server, path, timeout=0.2), streamed=streamed)

    assert caught.value.transient


@each_way
async def test_a_stream_that_stalls_times_out_after_what_was_shown(form: FormatName, path: Path) -> None:
    pieces = {"anthropic": 4, "openai": 3, "vllm": 3}.get(form, 2)
    seen: list[str] = []
    with serve(form, Reply(text="one two three four", stall=pieces)) as server, pytest.raises(ProviderTimeout):
        await listen(model_at(server, path, timeout=0.3), seen)

    assert "".join(seen) == "one two"


@each_way
async def test_a_stream_may_take_longer_than_its_timeout_as_long_as_pieces_come(form: FormatName, path: Path) -> None:
    with serve(form, Reply(text="one two three four", pause=0.1)) as server:
        heard = await hear(model_at(server, path, timeout=0.35), streamed=True)

    assert heard.completion.text == "one two three four"


@each_way
async def test_a_body_that_breaks_off_is_a_cut(form: FormatName, path: Path) -> None:
    with serve(form, Reply(text="half", cut=0)) as server, pytest.raises(StreamCut) as caught:
        await hear(model_at(server, path))

    assert caught.value.transient


@each_way
@pytest.mark.parametrize("clean", [False, True], ids=["broken connection", "early end"])
async def test_a_cut_stream_shows_what_came_and_then_says_so(form: FormatName, path: Path, clean: bool) -> None:
    if form == "gemini" and clean:
        return  # LiteLLM gives each of its pieces a reason to stop, so an early end looks like an end
    pieces = {"anthropic": 4, "openai": 3, "vllm": 3}.get(form, 2)
    seen: list[str] = []
    with serve(form, Reply(text="one two three four", cut=pieces, clean_cut=clean)) as server, pytest.raises(StreamCut):
        await listen(model_at(server, path), seen)

    assert "".join(seen) == "one two"


@each_way
async def test_an_error_inside_a_stream_is_a_cut_once_something_was_shown(form: FormatName, path: Path) -> None:
    pieces = {"anthropic": 4, "openai": 3, "vllm": 3}.get(form, 2)
    reply = Reply(text="one two three four", error_after=pieces, error="out of memory")
    seen: list[str] = []
    with serve(form, reply) as server, pytest.raises(StreamCut, match="out of memory"):
        await listen(model_at(server, path), seen)

    assert "".join(seen) == "one two"


@each_way
async def test_an_error_at_the_beginning_of_a_stream_is_what_it_is(form: FormatName, path: Path) -> None:
    reply = Reply(text="one two", error_after=0, error="out of memory")
    with serve(form, reply) as server, pytest.raises(ProviderUnavailable, match="out of memory"):
        await hear(model_at(server, path), streamed=True)


@each_way
@either
@pytest.mark.parametrize("body", [b"{not json", b"", b"<html>busy</html>", b"[]", b"null"])
async def test_an_answer_that_is_none_is_a_provider_that_failed(
    form: FormatName, path: Path, streamed: bool, body: bytes
) -> None:
    with serve(form, Reply(body=body)) as server, pytest.raises(ProviderUnavailable):
        await hear(model_at(server, path), streamed=streamed)


@pytest.mark.parametrize(("form", "path"), [way for way in WAYS if way[0] in ("openai", "vllm", "gemini")])
async def test_an_answer_without_a_choice_is_a_provider_that_failed(form: FormatName, path: Path) -> None:
    with serve(form, Reply(empty=True)) as server, pytest.raises(ProviderUnavailable):
        await hear(model_at(server, path))


@pytest.mark.parametrize("path", ["direct", "general"])
@either
async def test_tool_arguments_that_are_not_json_are_told_and_not_hidden(path: Path, streamed: bool) -> None:
    uses = (Use("add", '{"a": 1, "b"'), Use("add", "[1, 2]"), Use("add", {"a": 1, "b": 2}))
    with serve("openai", Reply(uses=uses)) as server:
        heard = await hear(model_at(server, path), replace(ASK, tools=(ADD,)), streamed=streamed)

    broken, listed, whole = heard.completion.tool_calls
    assert broken.arguments_error is not None
    assert '{"a": 1, "b"' in broken.arguments_error
    assert "not an object" in str(listed.arguments_error)
    assert (whole.parameters, whole.arguments_error) == ({"a": 1, "b": 2}, None)


@each_way
async def test_leaving_a_stream_early_hangs_up(form: FormatName, path: Path) -> None:
    with serve(form, Reply(text="word " * 200, pause=0.02)) as server:
        model = model_at(server, path)
        stream = model.stream(ASK)
        await anext(stream)
        await stream.aclose()

        assert await until(lambda: server.connections == 0)
        await model.aclose()


@each_way
@either
async def test_a_cancelled_call_hangs_up(form: FormatName, path: Path, streamed: bool) -> None:
    with serve(form, Reply(delay=30.0)) as server:
        model = model_at(server, path)
        with anyio.move_on_after(0.2) as scope:
            await (hear(model, streamed=True) if streamed else model.complete(ASK))

        assert scope.cancelled_caught
        assert len(server.requests) == 1
        assert await until(lambda: server.connections == 0)
        await model.aclose()
