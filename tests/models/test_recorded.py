"""Recorded answers: found by who answered what, replayed request by request, and never made up."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from phalanx.errors import ConfigurationError, LogError, RateLimited, ValidationError
from phalanx.formations.voting import Equivalence
from phalanx.messages import Completion, Delta, Message, Request, ToolCall, ToolSpec, Usage
from phalanx.testing import (
    Cassette,
    FunctionModel,
    NoRecording,
    RecordedModel,
    Recording,
    ScriptedModel,
    SimulatedModel,
    questions,
    record,
)
from tests.models.asking import draft, request, revision

# -- by question, member, round and sample -------------------------------------------------------------------------

HELD = [
    Recording("q1", "ada", "Ada says\nAnswer: A"),
    Recording("q1", "bob", "Answer: B"),
    Recording("q1", "ada", "Answer: C", round=1),
    Recording("q1", "ada", "Answer: D", sample=1),
]


async def said(model: RecordedModel, asked: Request) -> str:
    return (await model.complete(asked)).text


async def test_each_answer_is_found_by_question_member_round_and_sample() -> None:
    model = RecordedModel(HELD)

    assert await said(model, draft("q1")) == "Ada says\nAnswer: A"
    assert await said(model, draft("q1", "bob")) == "Answer: B"
    assert await said(model, revision("q1", "x", [])) == "Answer: C"
    assert await said(model, draft("q1", attempt=1)) == "Answer: D"
    assert await said(model, draft("q1")) == "Ada says\nAnswer: A"


async def test_recordings_can_be_a_mapping_of_texts_or_whole_completions() -> None:
    kept = Completion(text="kept", usage=Usage(1, 7, 3, known_cost=0.5), model="real/one")
    held: dict[tuple[str, str, int, int], str | Completion] = {("q", "ada", 0, 0): "plain", ("q", "ada", 0, 1): kept}
    model = RecordedModel(held)

    assert await model.complete(draft("q", attempt=1)) == kept
    plain = await model.complete(draft("q"))
    assert (plain.text, plain.usage.estimated, plain.model) == ("plain", True, "offline/recorded")


async def test_members_can_speak_for_agents_recorded_under_other_names() -> None:
    model = RecordedModel(HELD, members={"zoe": "bob"})
    assert await said(model, draft("q1", "zoe")) == "Answer: B"


@pytest.mark.parametrize(
    ("asked", "field", "recorded", "wanted"),
    [
        (draft("q2", "bob"), "question", "q1", "q2"),
        (draft("q1", "cyd"), "member", "ada", "cyd"),
        (revision("q1", "x", [], round=2), "round", 1, 2),
        (draft("q1", attempt=4), "sample", 1, 4),
        (draft("q1", "bob", attempt=1), "sample", 0, 1),
    ],
    ids=["question", "member", "round", "sample", "other-sample"],
)
async def test_a_miss_shows_the_nearest_recording_and_the_first_difference(
    asked: Request, field: str, recorded: object, wanted: object
) -> None:
    with pytest.raises(NoRecording) as miss:
        await RecordedModel(HELD).complete(asked)

    assert (miss.value.field, miss.value.recorded, miss.value.asked) == (field, recorded, wanted)
    assert f"differs in {field}: recorded {recorded!r}, asked {wanted!r}" in str(miss.value)


async def test_an_empty_set_of_recordings_says_that_it_is_empty() -> None:
    with pytest.raises(NoRecording, match="it is empty"):
        await RecordedModel([]).complete(draft("q"))


def test_two_recordings_for_one_place_are_refused() -> None:
    with pytest.raises(ValidationError, match="two recordings for question='q1', member='ada', round=0, sample=0"):
        RecordedModel([*HELD, Recording("q1", "ada", "again")])


async def test_a_recorded_answer_streams_in_pieces() -> None:
    pieces = [delta async for delta in RecordedModel(HELD).stream(draft("q1"))]
    assert "".join(piece.text for piece in pieces) == "Ada says\nAnswer: A"
    assert len(pieces) > 2


# -- data sets -----------------------------------------------------------------------------------------------------

LINES: list[dict[str, object]] = [
    {
        "id": "gsm-1",
        "question": "How many eggs?",
        "gold": "18",
        "answers": [
            {"agent": "x/small", "round": 0, "text": "It is 18.", "parsed": "18"},
            {"agent": "x/small", "round": 1, "text": "Still 18.", "parsed": "18"},
            {"agent": "x/large", "round": 0, "text": None, "parsed": "17"},
            {"agent": "x/silent", "round": 0, "text": None, "parsed": None},
            {"agent": "x/many", "round": 0, "sample": 3, "text": "fourth", "parsed": None, "option": "C"},
            {"agent": "x/twice", "round": 0, "order": "12", "text": None, "parsed": "1"},
            {"agent": "x/twice", "round": 0, "order": "21", "text": None, "parsed": "2"},
        ],
    },
    {"id": "gsm-2", "question": "Twice?", "gold": "1", "answers": [{"agent": "x/small", "round": 0, "text": "a"}]},
    {"id": "gsm-3", "question": "Twice?", "gold": "1", "answers": [{"agent": "x/small", "round": 0, "text": "b"}]},
]


def written(path: Path, lines: Sequence[object] = LINES, *, end: str = "\n") -> Path:
    data = ("\n".join(json.dumps(line) for line in lines) + end).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("name", ["set.jsonl", "set.jsonl.gz"])
async def test_a_data_set_answers_by_id_or_by_text(tmp_path: Path, name: str) -> None:
    model = RecordedModel.from_jsonl(written(tmp_path / name))

    for question in ("gsm-1", "How many eggs?"):
        assert await said(model, draft(question, "x/small")) == "It is 18."
        assert await said(model, revision(question, "", [], member="x/small")) == "Still 18."
        assert await said(model, draft(question, "x/large")) == "Answer: 17"
        silent = await said(model, draft(question, "x/silent"))
        assert silent.startswith("No answer was recorded.")
        assert Equivalence().read(silent) is None
        assert await said(model, draft(question, "x/many", attempt=3)) == "fourth"
        assert await said(model, draft(question, "x/twice", attempt=1)) == "Answer: 2"


async def test_a_data_set_can_give_only_what_was_parsed_or_both(tmp_path: Path) -> None:
    path = written(tmp_path / "set.jsonl")
    parsed, both = RecordedModel.from_jsonl(path, say="parsed"), RecordedModel.from_jsonl(path, say="both")

    assert await said(parsed, draft("gsm-1", "x/small")) == "Answer: 18"
    assert await said(both, draft("gsm-1", "x/small")) == "It is 18.\n\nAnswer: 18"
    assert await said(both, draft("gsm-1", "x/many", attempt=3)) == "fourth"
    option = RecordedModel.from_jsonl(path, say="parsed", parsed="option")
    assert await said(option, draft("gsm-1", "x/many", attempt=3)) == "Answer: C"
    with pytest.raises(ValidationError, match=r"parsed='optoin' \(did you mean 'option'\?\)"):
        RecordedModel.from_jsonl(path, parsed="optoin")
    with pytest.raises(ValidationError, match="say must be"):
        RecordedModel.from_jsonl(path, say="all")  # type: ignore[arg-type]


async def test_a_question_missed_by_its_text_is_compared_with_texts(tmp_path: Path) -> None:
    model = RecordedModel.from_jsonl(written(tmp_path / "set.jsonl"))
    with pytest.raises(NoRecording, match="the nearest is question='gsm-1', member='x/small'"):
        await model.complete(draft("How many geese?", "x/small"))


async def test_a_text_that_two_questions_share_has_to_be_asked_for_by_id(tmp_path: Path) -> None:
    model = RecordedModel.from_jsonl(written(tmp_path / "set.jsonl"))

    assert await said(model, draft("gsm-3", "x/small")) == "b"
    with pytest.raises(ValidationError, match="ask by id: gsm-2, gsm-3"):
        await model.complete(draft("Twice?", "x/small"))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"id": "a", "answers": [{"agent": 3}]}', r"set.jsonl:2: each answer of 'a' needs \"agent\""),
        ('{"id": "a"}', r"set.jsonl:2: a recording needs"),
        ('{"id": "a", "answers": [{"agent": "b", "sample": "x"}]}', "no whole number: 'x'"),
        ("[1]", "must be a JSON object, not list"),
        ("{broken}", "this line is not JSON"),
    ],
)
def test_a_line_that_is_no_recording_is_named(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps(LINES[1]) + "\n" + line + "\n" + json.dumps(LINES[2]) + "\n")
    with pytest.raises(ValidationError, match=problem):
        RecordedModel.from_jsonl(path)


def test_a_file_that_was_cut_off_is_reported_as_such(tmp_path: Path) -> None:
    path = written(tmp_path / "set.jsonl")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(LogError, match=r"set\.jsonl:3: the last line is torn"):
        RecordedModel.from_jsonl(path)
    whole = written(tmp_path / "whole.jsonl", end="")
    assert repr(RecordedModel.from_jsonl(whole)).startswith("RecordedModel(9 answers, ")
    packed = written(tmp_path / "set.jsonl.gz")
    packed.write_bytes(packed.read_bytes()[:-30])
    with pytest.raises(LogError, match="cut off or broken after line"):
        RecordedModel.from_jsonl(packed)


# -- cassettes -----------------------------------------------------------------------------------------------------


async def test_what_was_recorded_is_played_back_whatever_the_order_of_calls(tmp_path: Path) -> None:
    live = SimulatedModel(0.5, latency=(1.0, 1.0), confidence="calibrated")
    path = tmp_path / "run.jsonl"
    recorder = record(live, path)
    asked = [draft(each.text, member) for each in questions(6) for member in ("ada", "bob")]
    asked += [revision(each.text, "Answer: A", ["Answer: B"], round=2) for each in questions(6)]
    given: dict[int, Completion] = {}

    async def ask(at: int) -> None:
        given[at] = await recorder.complete(asked[at])

    async with anyio.create_task_group() as group:
        for at in range(len(asked)):
            group.start_soon(ask, at)

    replay = RecordedModel.from_cassette(path)
    assert {at: await replay.complete(asked[at]) for at in reversed(range(len(asked)))} == given
    assert list(given) != sorted(given)


async def test_everything_about_a_completion_survives_a_cassette(tmp_path: Path) -> None:
    call = ToolCall(id="c1", tool_name="find", parameters={"query": "é🙂", "deep": [1, {"x": None}]})
    completion = Completion(
        text="\ud83d odd \u202e", tool_calls=(call,), usage=Usage(1, 10, 5, 2, 1, 3, 0.01), finish_reason="tool_calls",
        model="real/one", reasoning="hm", id="r1",
    )  # fmt: skip
    tool = ToolSpec(name="find", description="Find.", parameters={"type": "object"})
    asked = replace(draft("q"), tools=(tool,), temperature=0.0, options={"odd": object(), "plain": 3})
    path = tmp_path / "run.jsonl"
    await record(ScriptedModel([completion]), path).complete(asked)

    assert await RecordedModel.from_cassette(path).complete(asked) == completion


async def test_equal_requests_are_answered_in_the_order_they_were_recorded_and_no_more_often(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    recorder = record(ScriptedModel(["first", "second"]), path)
    for _ in range(2):
        await recorder.complete(draft("q"))
    replay = RecordedModel.from_cassette(path)

    assert [await said(replay, draft("q")), await said(replay, draft("q"))] == ["first", "second"]
    with pytest.raises(NoRecording, match=r"rewind\(\) starts over") as miss:
        await replay.complete(draft("q"))
    assert (miss.value.recorded, miss.value.asked) == (2, 3)
    replay.rewind()
    assert await said(replay, draft("q")) == "first"


async def test_the_runs_seed_is_no_part_of_what_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    await record(ScriptedModel(["first"]), path).complete(draft("q"))
    assert await said(RecordedModel.from_cassette(path), draft("q", run_seed=9)) == "first"


async def test_a_missing_request_shows_the_nearest_recorded_one_and_where_they_part(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    recorder = record(FunctionModel(lambda _: "fine"), path)
    prompt = "A long prompt that goes on for a while before it says anything. " * 3
    for member in ("ada", "bob"):
        await recorder.complete(request(prompt + "Then x.", question="q", member=member))
    replay = RecordedModel.from_cassette(path)

    with pytest.raises(NoRecording) as miss:
        await replay.complete(request(prompt + "Then y.", question="q", member="bob"))
    assert miss.value.field == "messages[1].content"
    assert str(miss.value.recorded).endswith("Then x.")
    assert str(miss.value.asked).endswith("Then y.")
    assert "member='bob'" in miss.value.nearest
    assert "Then x.'" in str(miss.value)
    assert "Then y.'" in str(miss.value)
    with pytest.raises(NoRecording) as colder:
        await replay.complete(replace(request(prompt + "Then x.", question="q"), temperature=0.3))
    assert (colder.value.field, colder.value.recorded, colder.value.asked) == ("temperature", None, 0.3)
    with pytest.raises(NoRecording, match="the cassette is empty"):
        await RecordedModel(Cassette([])).complete(draft("q"))


async def test_a_streamed_answer_is_recorded_and_a_failed_or_abandoned_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    recorder = record(ScriptedModel(["in three pieces", RateLimited("slow down"), "left after a piece"]), path)
    pieces: list[Delta] = [delta async for delta in recorder.stream(draft("q"))]
    with pytest.raises(RateLimited):
        await recorder.complete(draft("r"))
    left = recorder.stream(draft("s"))
    async for _ in left:
        break
    await left.aclose()  # type: ignore[attr-defined]

    assert len(path.read_text().splitlines()) == 1
    replay = RecordedModel.from_cassette(path)
    assert [delta async for delta in replay.stream(draft("q"))][-1] == pieces[-1]


async def test_a_recording_is_not_overwritten_and_can_be_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    await record(ScriptedModel(["one"]), path).complete(draft("q"))
    with pytest.raises(ConfigurationError, match="holds a recording already"):
        record(ScriptedModel(["two"]), path)
    await record(ScriptedModel(["two"]), path, append=True).complete(draft("r"))

    replay = RecordedModel.from_cassette(path)
    assert [await said(replay, draft("q")), await said(replay, draft("r"))] == ["one", "two"]


async def test_a_cassette_with_a_torn_last_line_is_neither_read_nor_written_on(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    recorder = record(ScriptedModel(["one", "two"]), path)
    for question in ("q", "r"):
        await recorder.complete(draft(question))
    path.write_bytes(path.read_bytes()[:-9])

    with pytest.raises(LogError, match=r"run\.jsonl:2: the last line is torn"):
        RecordedModel.from_cassette(path)
    with pytest.raises(ConfigurationError, match="torn: delete it"):
        record(ScriptedModel(["three"]), path, append=True)


@pytest.mark.parametrize(
    ("line", "problem"),
    [('{"request": {}}', "a line of a cassette is"), ('{"request": {}, "completion": {"text": 3}}', "cannot be read")],
)
def test_a_line_that_is_no_recorded_call_is_named(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(ValidationError, match=f"run.jsonl:1: .*{problem}"):
        RecordedModel.from_cassette(path)


async def test_a_recorder_is_the_model_it_records(tmp_path: Path) -> None:
    inner = SimulatedModel(0.5, name="offline/mine")
    recorder = record(inner, tmp_path / "run.jsonl")

    assert (recorder.name, recorder.free, recorder.native_tools) == ("offline/mine", True, True)
    assert await recorder.price() == await inner.price()
    conversation = replace(draft("q"), messages=(*draft("q").messages, Message(role="user", content="again")))
    assert await recorder.complete(conversation) == await inner.complete(conversation)
