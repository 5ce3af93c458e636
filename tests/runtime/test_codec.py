"""Records as bytes and back."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from typing import ClassVar, Literal

import pytest
from hypothesis import given, settings
from pydantic import BaseModel

from phalanx.agents.tools.use import result_text
from phalanx.errors import LogError
from phalanx.messages import About, Message, OutputSpec, Request, ToolCall, ToolResult, ToolSpec, Usage
from phalanx.runtime.codec import Codec, Encoded, Unknown, first_difference, register, request_fingerprint
from phalanx.runtime.events import LimitRefused, MemberFinished, RunStarted, StepFinished, StepStarted, Token, Warned
from tests.runtime.records import answered, asked, records, requests, said


class Shelf:
    """Keeps what a codec writes, as a log does."""

    def __init__(self, codec: Codec | None = None) -> None:
        self.codec = codec or Codec()
        self.bodies: dict[str, bytes] = {}
        self.size = 0

    def write(self, record: object) -> Encoded:
        encoded = self.codec.encode(record, self.bodies)
        assert not set(encoded.bodies) & set(self.bodies)
        self.bodies |= encoded.bodies
        self.size += len(encoded.data) + sum(map(len, encoded.bodies.values()))
        return encoded

    def read(self, encoded: Encoded, codec: Codec | None = None) -> object:
        return (codec or self.codec).decode(encoded.kind, encoded.data, self.bodies.__getitem__)

    def everything(self) -> bytes:
        return b"\n".join(self.bodies.values())


def user(text: str) -> Message:
    return Message(role="user", content=text)


@given(records)
@settings(max_examples=150, deadline=None)
def test_every_record_comes_back_equal_in_another_process(record: object) -> None:
    shelf = Shelf()
    encoded = shelf.write(record)
    json.loads(encoded.data)
    assert shelf.read(encoded, Codec()) == record


def test_numbers_that_json_lacks_come_back() -> None:
    shelf = Shelf()
    refused = LimitRefused("run", 1, (), 0.0, None, "usd", "team", float("inf"), float("-inf"))
    assert shelf.read(shelf.write(refused)) == refused
    result = ToolResult(output=[float("nan")])
    read = shelf.read(shelf.write(replace(answered(1, ""), result=result)))
    assert isinstance(read, StepFinished)
    assert isinstance(read.result, ToolResult)
    assert repr(read.result.output) == "[nan]"


@pytest.mark.parametrize("text", ["plain", "half a pair: \ud83d"])
@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_is_written_is_standard_json_whatever_is_in_it(text: str, number: float) -> None:
    shelf = Shelf()
    record = replace(answered(1, text), seconds=number)
    encoded = shelf.write(record)

    def refuse(name: str) -> object:
        raise AssertionError(f"{name} is not JSON")

    json.loads(encoded.data.decode("utf-8"), parse_constant=refuse)
    assert repr(shelf.read(encoded, Codec())) == repr(record)


def test_a_message_is_kept_once_whoever_mentions_it() -> None:
    shelf = Shelf()
    first, second = user("the question"), user("something else")
    assert len(shelf.write(asked(1, first)).bodies) == 1
    assert len(shelf.write(asked(2, first, second)).bodies) == 1
    assert not shelf.write(asked(3, user("the question"), second)).bodies


def test_a_long_text_is_kept_once_in_answers_prompts_and_messages() -> None:
    shelf = Shelf()
    answer = "a long answer " * 100
    shelf.write(answered(1, answer))
    before = shelf.size
    shelf.write(MemberFinished("run", 2, (), 0.0, None, "ada", "draft", 0, "ok", answer, Usage()))
    shelf.write(asked(3, Message(role="assistant", content=answer)))
    assert shelf.size - before < len(answer)


def test_a_conversation_costs_what_is_new_however_long_it_is() -> None:
    shelf = Shelf()
    conversation: tuple[Message, ...] = ()
    sizes = []
    for turn in range(400):
        conversation += (user(f"{turn:04d} says something"),)
        shelf.write(asked(turn, *conversation))
        sizes.append(shelf.size)
    first, second = sizes[199] - sizes[0], sizes[399] - sizes[199]
    assert second < 1.05 * first


def test_a_debate_grows_with_what_is_said() -> None:
    def size(rounds: int, members: int) -> tuple[int, int]:
        shelf, new, last = Shelf(), 0, [""] * members
        for turn in range(rounds):
            answers = []
            for member in range(members):
                peers = "\n".join(answer for peer, answer in enumerate(last) if peer != member)
                system, prompt = f"You are member {member}.", f"Round {turn}. The others said:\n{peers}"
                shelf.write(asked(turn, Message(role="system", content=system), user(prompt)))
                answers.append(f"{member} in round {turn}: " + "because " * 100)
                shelf.write(answered(turn, answers[-1]))
                new += len(prompt) + len(answers[-1])
            last = answers
        return shelf.size, new

    small, big = size(3, 4), size(12, 4)
    assert big[0] / big[1] < 1.1 * small[0] / small[1]


def test_tools_and_schemas_are_kept_once() -> None:
    shelf = Shelf()
    tool = ToolSpec(name="look", description="looks", parameters={"type": "object", "about": "x" * 2000})
    output = OutputSpec(name="plan", schema={"type": "object", "about": "y" * 2000})

    def ask(number: int) -> StepStarted:
        return replace(asked(number), request=Request(messages=(), tools=(tool,), output=output))

    shelf.write(ask(1))
    again = shelf.write(ask(2))
    assert not again.bodies
    assert len(again.data) < 1000
    assert shelf.read(again, Codec()) == ask(2)


def test_a_new_message_in_the_place_of_a_dead_one_is_not_taken_for_it() -> None:
    shelf = Shelf()
    for number in range(300):
        record = asked(number, user(f"message {number}"))
        assert shelf.read(shelf.write(record), Codec()) == record
        del record


def test_a_field_that_an_old_record_lacks_gets_its_default() -> None:
    shelf = Shelf()
    encoded = shelf.write(replace(asked(1), idempotent=False))
    old = {name: value for name, value in json.loads(encoded.data).items() if name != "idempotent"}
    read = shelf.read(encoded._replace(data=json.dumps(old).encode()))
    assert isinstance(read, StepStarted)
    assert read.idempotent is True


def test_a_field_of_a_later_version_is_passed_over() -> None:
    shelf = Shelf()
    encoded = shelf.write(said(1))
    later = json.loads(encoded.data) | {"mood": "good"}
    assert shelf.read(encoded._replace(data=json.dumps(later).encode())) == said(1)


@dataclass(frozen=True, slots=True)
class Noted:
    """A record of somebody else's."""

    kind: ClassVar[str] = "test.noted"

    messages: tuple[Message, ...]
    text: str
    when: date = date(2020, 2, 29)
    share: Fraction | None = None
    marks: frozenset[int] = frozenset()


class Scored(BaseModel):
    """A record as a pydantic model."""

    kind: Literal["test.scored"] = "test.scored"
    score: Fraction
    words: tuple[str, ...] = ()


register(Noted, Scored)


def test_registered_records_of_other_types_come_back_equal() -> None:
    shelf = Shelf()
    noted = Noted((user("x"),), "t", date(2024, 5, 1), Fraction(1, 3), frozenset({3, 1}))
    assert shelf.read(shelf.write(noted), Codec()) == noted
    assert shelf.read(shelf.write(Scored(score=Fraction(2, 7), words=("a",)))) == Scored(
        score=Fraction(2, 7), words=("a",)
    )


def test_a_record_of_an_unknown_kind_is_written_back_unchanged_with_its_bodies() -> None:
    here, there = Shelf(), Shelf()
    noted = Noted(tuple(user(f"{number}") for number in range(20)), "long " * 1000)
    encoded = here.write(noted)
    unknown = here.read(encoded._replace(kind="test.of_tomorrow"), Codec())
    assert isinstance(unknown, Unknown)
    assert "test.of_tomorrow" in unknown.why
    copied = there.write(unknown)
    assert (copied.kind, copied.data) == ("test.of_tomorrow", encoded.data)
    assert there.read(copied._replace(kind=Noted.kind), Codec()) == noted


def test_a_value_of_an_unknown_form_makes_the_record_unknown_not_wrong() -> None:
    shelf = Shelf()
    encoded = shelf.write(asked(1))
    later = json.loads(encoded.data) | {"request": {"Riddle": {"text": "?"}}}
    data = json.dumps(later).encode()
    unknown = shelf.read(encoded._replace(data=data))
    assert isinstance(unknown, Unknown)
    assert shelf.write(unknown).data == data


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"seq": "one"}, "seq: a whole number is expected"),
        ({"seq": True}, "seq: a whole number"),
        ({"path": "team"}, "path: a list"),
        ({"path": ["team", 3]}, "path[1]: text"),
        ({"request": {"Request": {"messages": [1]}}}, "request.messages"),
        ({"request": {"Request": {}}}, "with 'messages'"),
        ({"time": None}, "time: a number"),
    ],
)
def test_a_damaged_record_is_an_error_that_names_the_field(changed: dict[str, object], named: str) -> None:
    shelf = Shelf()
    encoded = shelf.write(asked(1))
    data = json.dumps(json.loads(encoded.data) | changed).encode()
    with pytest.raises(LogError) as caught:
        shelf.read(encoded._replace(data=data))
    assert named in str(caught.value)
    assert "step.started" in str(caught.value)


def test_a_record_without_a_needed_field_and_one_that_is_no_json_are_errors() -> None:
    codec = Codec()
    with pytest.raises(LogError, match="'seq'"):
        codec.decode("warning", b'{"run_id": "r"}', Shelf().bodies.__getitem__)
    with pytest.raises(LogError, match="damaged"):
        codec.decode("warning", b'{"run_id": ', Shelf().bodies.__getitem__)


def test_what_cannot_be_stored_is_refused_before_it_is_written() -> None:
    codec = Codec()
    with pytest.raises(LogError, match=r"codec\.register"):
        codec.encode("just text")
    with pytest.raises(LogError, match="seq"):
        codec.encode(replace(said(1), seq="one"))  # type: ignore[arg-type]
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(LogError, match="cannot be stored"):
        codec.encode(replace(answered(1, ""), result=ToolResult(output=loop)))


def test_classes_without_a_kind_or_with_one_that_is_taken_are_refused() -> None:
    @dataclass(frozen=True)
    class Nameless:
        text: str

    @dataclass(frozen=True)
    class Impostor:
        kind: ClassVar[str] = "warning"

    with pytest.raises(ValueError, match="kind"):
        register(Nameless)
    with pytest.raises(ValueError, match="Warned"):
        register(Impostor)


class Point:
    def __repr__(self) -> str:
        return "Point(1, 2)"


@pytest.mark.parametrize(
    "output",
    [(1, 2), {1: "x"}, [b"\xff\x00", date(2024, 1, 2)], Noted((), "x"), {"at": Point()}, {"$": "x"}, float("nan")],
)
def test_a_tools_output_reads_the_same_to_a_model_after_it_was_stored(output: object) -> None:
    shelf = Shelf()
    result = ToolResult(output=output)
    read = shelf.read(shelf.write(replace(answered(1, ""), result=result)), Codec())
    assert isinstance(read, StepFinished)
    assert isinstance(read.result, ToolResult)
    assert result_text(read.result) == result_text(result)


def test_text_that_is_a_kind_of_str_is_stored_as_its_text() -> None:
    class Answer(str):
        __slots__ = ()

    shelf = Shelf()
    read = shelf.read(shelf.write(said(1, Answer("yes"))))
    assert isinstance(read, Warned)
    assert type(read.text) is str
    assert read.text == "yes"


def hidden(text: str) -> str:
    return text.replace("hunter2", "[hidden]")


def test_nothing_is_written_that_a_redaction_did_not_see() -> None:
    shelf = Shelf(Codec(redact=hidden))
    secret = "the password is hunter2"
    call = ToolCall(id="1", tool_name="log_in", parameters={"with": [secret], "hunter2": 1})
    request = Request(
        messages=(user(secret), user(secret * 100), Message(role="assistant", tool_calls=(call,))),
        tools=(ToolSpec(name="t", description=secret, parameters={"default": secret}),),
        output=OutputSpec(name="o", schema={"default": secret}),
        stop=(secret,),
        options={"user": secret},
        about=About(question=secret),
    )
    data = [
        shelf.write(replace(asked(1), request=request)).data,
        shelf.write(answered(2, secret)).data,
        shelf.write(replace(asked(3), request=call)).data,
        shelf.write(replace(asked(4), request=secret)).data,
        shelf.write(replace(answered(5, ""), result=ToolResult(output={"a": secret * 100}), error=secret)).data,
        shelf.write(RunStarted("run", 6, (), 0.0, None, "team", "flat", secret, 0)).data,
    ]
    kept = b"".join(data) + shelf.everything()
    assert b"hunter2" not in kept
    assert kept.count(b"[hidden]") > 100


def test_a_redaction_leaves_names_alone_so_that_they_are_found_again() -> None:
    shelf = Shelf(Codec(redact=lambda text: text.replace("ada", "[name]")))
    token = Token("run ada", 1, ("team", "ada"), 0.0, None, "ada", "ada says", "team/ada/model-1")
    read = shelf.read(shelf.write(token))
    assert read == replace(token, text="[name] says")


def test_a_redaction_that_does_not_give_text_is_an_error() -> None:
    codec = Codec(redact=lambda _: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(LogError, match="redact"):
        codec.encode(said(1))


def test_secret_options_of_a_request_are_masked_wherever_they_are() -> None:
    shelf = Shelf()
    options = {"api_key": "sk-1", "headers": [{"X-Api-Key": "sk-2", "Authorization": "sk-3"}], "max_tokens": 5}
    record = replace(asked(1), request=Request(messages=(), options=options))
    encoded = shelf.write(record)
    assert b"sk-" not in encoded.data + shelf.everything()
    read = shelf.read(encoded)
    assert isinstance(read, StepStarted)
    assert isinstance(read.request, Request)
    assert read.request.options["max_tokens"] == 5
    assert request_fingerprint(read.request) == request_fingerprint(record.request)


BASE = Request(messages=(user("a"), user("b")), temperature=0.5, about=About(member="ada"))


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        (replace(BASE, messages=(user("a"), user("c"))), "messages[1]"),
        (replace(BASE, messages=(user("a"),)), "messages[1]"),
        (replace(BASE, messages=(*BASE.messages, user("c"))), "messages[2]"),
        (replace(BASE, messages=(Message(role="system", content="a"), user("b"))), "messages[0]"),
        (replace(BASE, tools=(ToolSpec(name="t", description="", parameters={}),)), "tools"),
        (replace(BASE, tool_choice="none"), "tool_choice"),
        (replace(BASE, output=OutputSpec(name="o", schema={})), "output"),
        (replace(BASE, temperature=0.6), "temperature"),
        (replace(BASE, max_tokens=1), "max_tokens"),
        (replace(BASE, top_p=0.1), "top_p"),
        (replace(BASE, stop=("x",)), "stop"),
        (replace(BASE, seed=1), "seed"),
        (replace(BASE, options={"top_k": 1}), "options"),
        (replace(BASE, about=About(member="bob")), None),
        (replace(BASE, messages=(user("a"), user("b"))), None),
    ],
)
def test_a_fingerprint_names_the_first_field_in_which_requests_differ(changed: Request, field: str | None) -> None:
    assert first_difference(request_fingerprint(BASE), request_fingerprint(changed)) == field


def test_options_in_another_order_are_the_same_options() -> None:
    one, other = ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"d": 3, "c": 2}, "a": 1})
    assert request_fingerprint(replace(BASE, options=one)) == request_fingerprint(replace(BASE, options=other))


def test_tool_calls_and_questions_to_people_have_fingerprints_too() -> None:
    call = ToolCall(id="1", tool_name="look", parameters={"at": "x"})
    assert request_fingerprint(call) == request_fingerprint(call.model_copy(update={"id": "2"}))
    other = ToolCall(id="1", tool_name="look", parameters={"at": "y"})
    assert first_difference(request_fingerprint(call), request_fingerprint(other)) == "parameters"
    assert first_difference(request_fingerprint("may I?"), request_fingerprint("must I?")) == "text"


@given(requests)
@settings(max_examples=40, deadline=None)
def test_a_stored_request_has_the_fingerprint_it_had_redacted_or_not(request: Request) -> None:
    for redact in (None, lambda text: text.replace("a", "b")):
        shelf = Shelf(Codec(redact))
        read = shelf.read(shelf.write(replace(asked(1), request=request)), Codec(redact))
        assert isinstance(read, StepStarted)
        assert isinstance(read.request, Request)
        assert Codec(redact).fingerprint(read.request) == Codec(redact).fingerprint(request)
