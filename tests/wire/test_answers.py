"""Five wire formats, both paths, whole and streamed: what is sent, and what comes out of what is answered."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from phalanx.messages import Message, Price, Request, ToolResult, estimate_request
from tests.wire.servers import FormatName, Reply, Use, serve
from tests.wire.talk import ADD, ASK, KEY, OUTPUT, STREAMED, WAYS, Path, hear, model_at

pytestmark = [pytest.mark.wire, pytest.mark.parametrize("streamed", STREAMED)]

each_way = pytest.mark.parametrize(("form", "path"), WAYS)


@each_way
async def test_a_question_is_sent_once_and_its_answer_comes_back(form: FormatName, path: Path, streamed: bool) -> None:
    with serve(form, Reply(text="Hallo, schöne 世界!")) as server:
        heard = await hear(model_at(server, path), streamed=streamed)

        assert heard.completion.text == "Hallo, schöne 世界!"
        assert heard.completion.finish_reason == "stop"
        assert heard.completion.model == "loopback"
        assert heard.completion.tool_calls == ()
        (request,) = server.requests
        assert request.streamed is streamed
        sent = json.dumps(request.body, ensure_ascii=False)
        assert "Grüße, 世界?" in sent
        assert "Be brief." in sent
        assert "0.2" in sent
        assert "64" in sent
        if streamed:
            assert "".join(delta.text for delta in heard.deltas) == heard.completion.text
            assert len(heard.deltas) == 3


@each_way
async def test_the_key_and_extra_headers_reach_the_provider(form: FormatName, path: Path, streamed: bool) -> None:
    with serve(form) as server:
        await hear(model_at(server, path, extra_headers={"X-Team": "seven"}), streamed=streamed)

        (request,) = server.requests
        assert request.headers["x-team"] == "seven"
        assert KEY in " ".join([request.path, *request.headers.values()])


@each_way
async def test_reasoning_comes_apart_from_the_answer(form: FormatName, path: Path, streamed: bool) -> None:
    with serve(form, Reply(text="It is 4.", reasoning="two and two")) as server:
        heard = await hear(model_at(server, path), streamed=streamed)

    assert (heard.completion.text, heard.completion.reasoning) == ("It is 4.", "two and two")
    if streamed:
        assert "".join(delta.reasoning for delta in heard.deltas) == "two and two"
        assert "".join(delta.text for delta in heard.deltas) == "It is 4."


@each_way
async def test_parallel_tool_calls_make_the_round_trip(form: FormatName, path: Path, streamed: bool) -> None:
    uses = (Use("add", {"a": 1, "b": 2}, "id_a"), Use("add", {"a": 3, "b": 4}, "id_b"))
    with serve(form, [Reply(text="Let me see.", uses=uses), "3 and 7"]) as server:
        model = model_at(server, path)
        first = (await hear(model, replace(ASK, tools=(ADD,)), streamed=streamed)).completion
        results = tuple(
            Message(role="tool", content=str(result.output), tool_call_id=result.tool_call_id)
            for result in (
                ToolResult(output=sum(call.parameters.values()), tool_call_id=call.id)  # type: ignore[arg-type]
                for call in first.tool_calls
            )
        )
        said = Message(role="assistant", content=first.text, tool_calls=first.tool_calls)
        second = await hear(
            model, replace(ASK, tools=(ADD,), messages=(*ASK.messages, said, *results)), streamed=streamed
        )

        assert first.text == "Let me see."
        assert first.finish_reason == "tool_calls"
        assert [(call.tool_name, call.parameters) for call in first.tool_calls] == [
            ("add", {"a": 1, "b": 2}),
            ("add", {"a": 3, "b": 4}),
        ]
        assert all(call.arguments_error is None for call in first.tool_calls)
        assert len({call.id for call in first.tool_calls}) == 2
        assert second.completion.text == "3 and 7"
        assert len(server.requests) == 2
        tools, follow_up = (json.dumps(request.body) for request in server.requests)
        assert "Adds two numbers." in tools
        assert "required" in tools
        assert all(word in follow_up for word in ("Let me see.", '"3"', '"7"'))


@each_way
async def test_a_tool_call_without_arguments_has_none(form: FormatName, path: Path, streamed: bool) -> None:
    with serve(form, Reply(uses=(Use("now", {}),))) as server:
        now = ADD.model_copy(update={"name": "now", "parameters": {"type": "object", "properties": {}}})
        heard = await hear(model_at(server, path), replace(ASK, tools=(now,)), streamed=streamed)

    assert [(call.tool_name, call.parameters, call.arguments_error) for call in heard.completion.tool_calls] == [
        ("now", {}, None)
    ]


@each_way
async def test_a_schema_is_sent_where_the_model_takes_one(form: FormatName, path: Path, streamed: bool) -> None:
    names = {"openai": "gpt-4o-mini", "anthropic": "claude-haiku-4-5", "gemini": "gemini-2.5-flash"}
    with serve(form, Reply(text='{"name": "Bern"}')) as server:
        name = f"{server.format.provider}/{names.get(form, 'loopback')}"
        heard = await hear(model_at(server, path, name=name), replace(ASK, output=OUTPUT), streamed=streamed)

        assert json.loads(heard.completion.text) == {"name": "Bern"}
        sent = json.dumps(server.requests[0].body)
        assert all(word in sent for word in ('"required"', '"string"'))


@pytest.mark.parametrize(("form", "path"), [way for way in WAYS if way[0] not in ("vllm", "ollama")])
async def test_a_schema_is_left_out_for_a_model_of_which_nothing_is_known(
    form: FormatName, path: Path, streamed: bool
) -> None:
    with serve(form, Reply(text="{}")) as server:
        await hear(model_at(server, path), replace(ASK, output=OUTPUT), streamed=streamed)

        assert "required" not in json.dumps(server.requests[0].body)


@each_way
async def test_tokens_are_kept_apart_by_kind(form: FormatName, path: Path, streamed: bool) -> None:
    with serve(form, Reply(text="yes", input_tokens=100, output_tokens=20, cached=40, written=10)) as server:
        price = Price(10.0, 100.0, cached_input=1.0, cache_write=20.0)
        usage = (await hear(model_at(server, path, price=price), streamed=streamed)).completion.usage

    cached = {"ollama": 0}.get(form, 40)
    written = 10 if form == "anthropic" else 0
    assert (usage.calls, usage.input_tokens, usage.output_tokens) == (1, 100, 20)
    assert (usage.cached_tokens, usage.cache_write_tokens) == (cached, written)
    assert usage.cost == pytest.approx(((100 - cached - written) * 10 + cached * 1 + written * 20 + 20 * 100) / 1e6)
    assert not usage.estimated


@pytest.mark.parametrize(("form", "path"), [way for way in WAYS if way[0] in ("openai", "vllm", "gemini")])
async def test_tokens_of_reasoning_are_told(form: FormatName, path: Path, streamed: bool) -> None:
    with serve(form, Reply(text="yes", reasoning="hm", output_tokens=20, reasoning_tokens=15)) as server:
        usage = (await hear(model_at(server, path), streamed=streamed)).completion.usage

    assert (usage.output_tokens, usage.reasoning_tokens) == (20, 15)


@pytest.mark.parametrize(
    ("form", "path"), [way for way in WAYS if way[0] in ("openai", "vllm") or way == ("ollama", "direct")]
)
async def test_tokens_that_nobody_reports_are_estimated_and_said_to_be(
    form: FormatName, path: Path, streamed: bool
) -> None:
    with serve(form, Reply(text="about two tokens", usage=False)) as server:
        usage = (await hear(model_at(server, path), streamed=streamed)).completion.usage

    assert usage.estimated
    assert usage.input_tokens == estimate_request(ASK)
    assert usage.output_tokens == 6
    assert usage.cost == (0 if form == "ollama" else None)


@each_way
async def test_a_price_nobody_knows_is_unknown(form: FormatName, path: Path, streamed: bool) -> None:
    with serve(form) as server:
        model = model_at(server, path)
        usage = (await hear(model, streamed=streamed)).completion.usage

        price = await model.price()
    if form == "ollama":  # it runs on a machine of one's own
        assert (price, usage.unpriced_calls, usage.cost) == (Price(0.0, 0.0), 0, 0)
    else:
        assert (price, usage.unpriced_calls, usage.cost) == (None, 1, None)


@each_way
async def test_an_answer_cut_at_its_limit_says_so(form: FormatName, path: Path, streamed: bool) -> None:
    reasons = {"anthropic": "max_tokens", "gemini": "MAX_TOKENS"}
    with serve(form, Reply(text="and then", finish=reasons.get(form, "length"))) as server:
        heard = await hear(model_at(server, path), streamed=streamed)

    assert heard.completion.finish_reason == "length"


@each_way
async def test_stop_words_and_top_p_are_sent(form: FormatName, path: Path, streamed: bool) -> None:
    with serve(form) as server:
        await hear(model_at(server, path), replace(ASK, stop=("END", "FIN"), top_p=0.25), streamed=streamed)

        sent = json.dumps(server.requests[0].body)
    assert all(word in sent for word in ('"END"', '"FIN"', "0.25"))


@pytest.mark.parametrize(
    ("provider", "form"),
    [
        ("openai", "openai"),
        ("hosted_vllm", "vllm"),
        ("anthropic", "anthropic"),
        ("ollama", "ollama"),
        ("groq", "openai"),
        ("mistral", "openai"),
        ("deepseek", "openai"),
        ("openrouter", "openai"),
    ],
)
@pytest.mark.parametrize(
    ("reply", "request_"),
    [
        (Reply(text="one two three", reasoning="a b"), ASK),
        (Reply(text="calls", uses=(Use("add", {"a": 1, "b": 2}), Use("add", {"a": 3, "b": 4}))), ASK),
        (Reply(uses=(Use("add", {"a": 1, "b": 2}),)), replace(ASK, tools=(ADD,), tool_choice="auto")),
        (Reply(text="x"), replace(ASK, tools=(ADD,), tool_choice="none")),
        (Reply(text='{"name": "Bern"}'), replace(ASK, output=OUTPUT)),
        (Reply(text="x", finish=None, cached=5, written=3), Request(messages=ASK.messages)),
        (Reply(text="x"), replace(ASK, top_p=0.5, stop=("A",))),
    ],
    ids=["text", "calls", "tools", "no tools now", "schema", "bare", "sampling"],
)
async def test_both_paths_send_the_same_and_give_the_same(
    provider: str, form: FormatName, reply: Reply, request_: Request, streamed: bool
) -> None:
    name = f"{provider}/loopback"
    with serve(form, reply) as server:
        model = model_at(server, "direct", name=name)
        direct = await hear(model, request_, streamed=streamed)
        again = await hear(model, request_, streamed=streamed)
        general = await hear(model_at(server, "general", name=name), request_, streamed=streamed)

        first, repeated, second = server.requests
    assert (first.path, first.body, direct.plain) == (repeated.path, repeated.body, again.plain)
    assert first.path == second.path
    assert first.body == second.body
    assert direct.plain == general.plain
    assert direct.deltas == general.deltas
    ours = {"authorization", "x-api-key", "anthropic-version", "anthropic-beta", "http-referer", "x-title"}
    assert {name: first.headers.get(name) for name in ours} == {name: second.headers.get(name) for name in ours}
