"""Injected faults: each is what a real provider does, happens when it is said to, and is the same in every run."""

from __future__ import annotations

import json
from collections import Counter

import anyio
import pytest

from phalanx.errors import (
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    StreamCut,
    ValidationError,
)
from phalanx.messages import Completion, Delta, Price, Request, ToolCall, estimate_tokens
from phalanx.testing import (
    CutStream,
    EmptyAnswer,
    Fault,
    Faulty,
    FunctionModel,
    Garbage,
    Hang,
    HugeAnswer,
    MalformedJSON,
    RateLimit,
    Repetition,
    ScriptedModel,
    ServerError,
    SimulatedModel,
    Timeout,
    questions,
)
from tests.models.asking import draft, request


def echo(_: Request) -> str:
    return "The answer comes after a few words.\nAnswer: A"


async def test_a_rate_limit_says_how_long_to_wait_and_costs_no_call() -> None:
    inner = ScriptedModel(["fine"])
    model = Faulty(inner, [RateLimit(calls=[1], retry_after=7.5)])
    with pytest.raises(RateLimited) as limited:
        await model.complete(draft("q"))

    assert (limited.value.status_code, limited.value.retry_after, limited.value.transient) == (429, 7.5, True)
    assert inner.requests == []
    assert (await model.complete(draft("q"))).text == "fine"


async def test_a_server_error_has_its_status() -> None:
    with pytest.raises(ProviderUnavailable) as failed:
        await Faulty(FunctionModel(echo), [ServerError(calls=[1], status=529)]).complete(draft("q"))
    assert (failed.value.status_code, failed.value.transient, failed.value.model) == (529, True, "offline/function")


async def test_a_timeout_fails_after_its_seconds() -> None:
    started = anyio.current_time()
    with pytest.raises(ProviderTimeout):
        await Faulty(FunctionModel(echo), [Timeout(calls=[1], seconds=30)]).complete(draft("q"))
    assert anyio.current_time() - started == pytest.approx(30)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_call_that_hangs_ends_only_when_it_is_cancelled(streamed: bool) -> None:
    model = Faulty(FunctionModel(echo), [Hang(calls=[1])])
    started = anyio.current_time()
    with anyio.move_on_after(100_000) as scope:
        if streamed:
            async for _ in model.stream(draft("q")):
                pass
        else:
            await model.complete(draft("q"))

    assert scope.cancelled_caught
    assert anyio.current_time() - started == pytest.approx(100_000)


@pytest.mark.parametrize("after", [0.0, 0.5, 1.0])
async def test_a_stream_breaks_when_a_part_of_it_has_come(after: float) -> None:
    model, pieces = Faulty(FunctionModel(echo), [CutStream(calls=[1], after=after)]), list[Delta]()

    async def listen() -> None:
        async for delta in model.stream(draft("q")):
            pieces.append(delta)

    with pytest.raises(StreamCut):
        await listen()

    whole = echo(draft("q"))
    assert "".join(piece.text for piece in pieces) == whole[: int(len(whole) * after)]
    assert all(piece.completion is None for piece in pieces)


async def test_a_cut_call_that_is_not_streamed_fails_as_a_whole() -> None:
    with pytest.raises(StreamCut):
        await Faulty(FunctionModel(echo), [CutStream(calls=[1])]).complete(draft("q"))


SCHEMA: dict[str, object] = {
    "type": "object", "properties": {"answer": {"type": "string"}, "reason": {"type": "string"}},
}  # fmt: skip


async def test_malformed_json_cannot_be_read_whatever_the_answer_was() -> None:
    for inner, asked in ((SimulatedModel(), request("q", schema=SCHEMA)), (FunctionModel(echo), draft("q"))):
        good = (await inner.complete(asked)).text
        bad = (await Faulty(inner, [MalformedJSON(calls=[1])]).complete(asked)).text
        assert bad.startswith("{")
        assert bad != good
        with pytest.raises(json.JSONDecodeError):
            json.loads(bad)


async def test_malformed_json_in_a_tool_call_leaves_it_without_arguments_and_says_so() -> None:
    call = ToolCall(id="1", tool_name="find", parameters={"query": "x"})
    inner = ScriptedModel([Completion(tool_calls=(call,), finish_reason="tool_calls")])
    completion = await Faulty(inner, [MalformedJSON(calls=[1])]).complete(draft("q"))

    assert completion.tool_calls[0].parameters == {}
    assert completion.tool_calls[0].arguments_error
    assert completion.text == ""


async def test_answers_can_be_empty_senseless_huge_or_repeat_themselves() -> None:
    async def spoiled(fault: Fault, most: int | None = None) -> Completion:
        completion = await Faulty(FunctionModel(echo), [fault]).complete(request("q", max_tokens=most))
        assert completion.usage.output_tokens == estimate_tokens(completion.text)
        return completion

    assert (await spoiled(EmptyAnswer(calls=[1]))).text == ""
    garbage = (await spoiled(Garbage(calls=[1]))).text
    assert len(garbage) == 400
    assert {"\x1b", "\u202e", "{", "あ"} <= set(garbage)
    huge = await spoiled(HugeAnswer(calls=[1]), 10)
    assert huge.usage.output_tokens == 200_000
    assert huge.text.startswith(echo(draft("q")))
    endless = await spoiled(Repetition(calls=[1], line="Again."), 500)
    assert (endless.usage.output_tokens, endless.finish_reason) == (500, "length")
    assert set(endless.text.splitlines()[:-1]) == {"Again."}


async def test_a_spoiled_answer_costs_what_its_own_length_costs() -> None:
    price = Price(0.0, 1_000_000.0)
    completion = await Faulty(SimulatedModel(price=price), [HugeAnswer(calls=[1], tokens=1000)]).complete(draft("q"))
    assert completion.usage.cost == 1000.0


@pytest.mark.parametrize(
    "fault", [MalformedJSON(calls=[1]), EmptyAnswer(calls=[1]), Garbage(calls=[1]), Repetition(calls=[1])]
)
async def test_a_spoiled_answer_streams_as_it_completes(fault: Fault) -> None:
    completion = await Faulty(FunctionModel(echo), [fault]).complete(draft("q"))
    pieces = [delta async for delta in Faulty(FunctionModel(echo), [fault]).stream(draft("q"))]

    assert pieces[-1].completion == completion
    assert "".join(piece.text for piece in pieces) == completion.text


async def test_a_stream_without_fault_is_the_models_own() -> None:
    model = Faulty(SimulatedModel(), [EmptyAnswer(calls=[2])])
    assert [each async for each in model.stream(draft("q"))] == [
        each async for each in SimulatedModel().stream(draft("q"))
    ]
    left = model.stream(draft("r"))
    async for _ in left:
        break
    await left.aclose()  # type: ignore[attr-defined]


# -- when they happen ----------------------------------------------------------------------------------------------


async def outcomes(model: Faulty, asked: list[Request]) -> dict[int, str]:
    """What became of requests made at the same time."""
    ended: dict[int, str] = {}

    async def ask(at: int) -> None:
        try:
            ended[at] = (await model.complete(asked[at])).text
        except (RateLimited, ProviderUnavailable) as failure:
            ended[at] = type(failure).__name__

    async with anyio.create_task_group() as group:
        for at in range(len(asked)):
            group.start_soon(ask, at)
    return ended


async def test_a_schedule_counts_the_calls() -> None:
    model = Faulty(FunctionModel(echo), [RateLimit(calls=(2, 3)), ServerError(calls=(3, 5))])
    ended = [(await outcomes(model, [draft("q")]))[0] for _ in range(6)]

    good = echo(draft("q"))
    assert ended == [good, "RateLimited", "RateLimited", good, "ProviderUnavailable", good]
    assert [(number, type(fault).__name__) for number, fault in model.happened] == [
        (2, "RateLimit"), (3, "RateLimit"), (5, "ServerError"),
    ]  # fmt: skip


async def test_faults_by_chance_have_their_rates_and_depend_on_who_asks_and_not_on_when() -> None:
    """n = 2000: .2 ± .036 are rate limited, .8 * .1 = .08 ± .025 fail otherwise (z = 4)."""
    asked = [draft(each.text, member) for each in questions(500) for member in ("ada", "bob", "cyd", "dan")]
    faults = [RateLimit(probability=0.2), ServerError(probability=0.1)]
    forwards = await outcomes(Faulty(FunctionModel(echo), faults, seed=1), asked)
    backwards = await outcomes(Faulty(FunctionModel(echo), faults, seed=1), asked[::-1])

    assert forwards == {len(asked) - 1 - at: ended for at, ended in backwards.items()}
    rates = Counter(forwards.values())
    assert rates["RateLimited"] / 2000 == pytest.approx(0.2, abs=0.036)
    assert rates["ProviderUnavailable"] / 2000 == pytest.approx(0.08, abs=0.025)
    assert forwards != await outcomes(Faulty(FunctionModel(echo), faults, seed=2), asked)


async def test_asking_again_draws_again_so_that_retries_can_help() -> None:
    model = Faulty(FunctionModel(echo), [RateLimit(probability=0.5)])
    again = [(await outcomes(model, [draft("q")]))[0] for _ in range(40)]

    assert 8 < again.count("RateLimited") < 32
    same = Faulty(FunctionModel(echo), [RateLimit(probability=0.5)])
    assert again == [(await outcomes(same, [draft("q")]))[0] for _ in range(40)]


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: RateLimit(), "RateLimit never happens"),
        (lambda: RateLimit(probability=1.5), "probability"),
        (lambda: Hang(calls=[0]), "counted from 1"),
        (lambda: ServerError(calls=[1], status=404), "from 500 to 599"),
        (lambda: CutStream(calls=[1], after=2), "share from 0 to 1"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(make: object, problem: str) -> None:
    assert callable(make)
    with pytest.raises(ValidationError, match=problem):
        make()
