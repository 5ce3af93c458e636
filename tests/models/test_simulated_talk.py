"""What a simulated member reads and says: answers of others, JSON of any shape, lengths, delays, settings."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from enum import Enum
from typing import Annotated, Literal

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from phalanx.agents.prompts import fenced, fenced_all, label
from phalanx.errors import InvalidRequest, ValidationError
from phalanx.messages import About, Completion, Message, Price, Request, ToolSpec, estimate_tokens
from phalanx.testing import Question, SimulatedModel, invent, questions
from tests.models.asking import (
    CONTRACT,
    PROMPTS,
    answer_of,
    answers,
    checking,
    draft,
    judging,
    request,
    revision,
    texts,
)

# -- chance --------------------------------------------------------------------------------------------------------


async def test_answers_do_not_depend_on_the_order_or_the_overlap_of_calls() -> None:
    model = SimulatedModel(0.5, correlation=0.3, distractor=0.5, latency=(1.0, 2.0), confidence="calibrated")
    requests = [draft(each.text, member) for each in questions(20) for member in ("ada", "bob", "cyd")]
    one_by_one = [await model.complete(each) for each in requests]

    backwards = [await model.complete(each) for each in reversed(requests)][::-1]
    together: dict[int, Completion] = {}
    finished: list[int] = []

    async def ask(at: int) -> None:
        together[at] = await model.complete(requests[at])
        finished.append(at)

    async with anyio.create_task_group() as group:
        for at in range(len(requests)):
            group.start_soon(ask, at)

    assert backwards == one_by_one
    assert [together[at] for at in range(len(requests))] == one_by_one
    assert finished != sorted(finished)


def test_answers_are_the_same_in_every_process() -> None:
    code = (
        "from phalanx.testing import SimulatedModel, questions\n"
        "from tests.models.asking import draft, texts\n"
        "model = SimulatedModel(0.5, correlation=0.3, distractor=0.4, confidence='calibrated', seed=5)\n"
        "print(texts(model, [draft(each.text, m) for each in questions(8) for m in ('ada', 'bob')]))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.getcwd()},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(said) == 1
    model = SimulatedModel(0.5, correlation=0.3, distractor=0.4, confidence="calibrated", seed=5)
    here = texts(model, [draft(each.text, m) for each in questions(8) for m in ("ada", "bob")])
    assert said == {f"{here}\n"}


def test_a_model_that_was_pickled_says_the_same() -> None:
    model = SimulatedModel({"ada": 0.5}, answers={"q": ("yes", ("yes", "no"))}, correlation=0.2)
    again = pickle.loads(pickle.dumps(model))

    assert texts(again, [draft("q")]) == texts(model, [draft("q")])


# -- what it knows -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "known",
    [
        {"capital": ("Paris", ("Paris", "Rome"))},
        lambda key: ("Paris", ("Paris", "Rome")) if key == "capital" else None,
        [Question("What is the capital of France?", "Paris", ("Paris", "Rome"), id="capital")],
    ],
    ids=["mapping", "function", "questions"],
)
def test_right_answers_can_be_given_by_question(known: object) -> None:
    good = SimulatedModel(1.0, answers=known)  # type: ignore[arg-type]
    bad = SimulatedModel(0.0, answers=known)  # type: ignore[arg-type]
    asked = [request("What is the capital of France?", question="capital")]

    assert answers(good, asked) == ["Paris"]
    assert answers(bad, asked) == ["Rome"]


def test_a_question_that_the_given_answers_do_not_have_is_an_error_that_names_the_nearest() -> None:
    model = SimulatedModel(answers={"capital-fr": "Paris"})
    with pytest.raises(ValidationError, match=r"capital-ft.*did you mean 'capital-fr'"):
        texts(model, [draft("capital-ft")])


def test_an_open_numeric_answer_gets_wrong_numbers_around_it() -> None:
    wrong = answers(
        SimulatedModel(0.0, answers={"sum": "18"}), [draft("sum", member) for member in ("ada", "bob", "cyd", "dan")]
    )
    assert set(wrong) <= {"19", "20", "21"}


@pytest.mark.parametrize(
    ("question", "letters"),
    [
        ("Which is prime: A) 1,001, B) 1,003 or C) 1,009?", "ABC"),
        ("Which? (A) one (B) two", "AB"),
        ("Which?\nA. one\nB. two\nC. three\nD. four\nE. five", "ABCDE"),
        ("Is there life on Mars?", "ABCD"),
        ("Which of f(A) and f(B) is larger?", "ABCD"),
        ("B) comes before A) here.", "ABCD"),
        ("Plan A) is the only one.", "ABCD"),
    ],
)
def test_an_invented_answer_is_one_of_the_letters_that_the_question_offers(question: str, letters: str) -> None:
    assert invent(question).options == tuple(letters)
    said = answers(SimulatedModel(0.1), [draft(question, f"m{at}") for at in range(60)])
    assert set(said) == set(letters)
    assert invent(question, ("yes", "no")).options == ("yes", "no")


def test_without_answers_the_right_one_is_invented_and_anybody_can_look_it_up() -> None:
    prompt = "Is there life on Mars?"
    assert answers(SimulatedModel(1.0), [draft(prompt)]) == [invent(prompt).gold]
    assert answers(SimulatedModel(1.0, options=("yes", "no")), [draft(prompt)]) == [invent(prompt, ("yes", "no")).gold]
    golds = [each.gold for each in questions(400)]
    assert all(70 < golds.count(letter) < 130 for letter in "ABCD")


def test_a_question_is_known_by_the_first_user_message_when_nobody_names_it() -> None:
    bare = Request(messages=(Message(role="user", content="Which?"),), about=About(member="ada"))
    assert answers(SimulatedModel(1.0), [bare]) == [invent("Which?").gold]


# -- what it reads -------------------------------------------------------------------------------------------------


def test_a_member_finds_its_own_last_answer_wherever_a_prompt_shows_it() -> None:
    own = invent("q").gold  # which a member without skill never gives by itself
    other = invent("q").wrong[0]
    peers = fenced_all([(label(0), f"Answer: {other}"), (label(1), f"Answer: {other}")])
    slots = {"task": "q", "peers": peers, "stubbornness": "", "contract": CONTRACT}
    ways = [
        PROMPTS("revise", own=fenced(f"Thinking.\nAnswer: {own}", "yourself"), **slots),
        PROMPTS("revise", own=fenced(f"Thinking.\nAnswer: {own}", "Response A"), **slots),
        PROMPTS("revise", own=f"Thinking: first this.\n\n**Answer: {own}**", **slots),
        PROMPTS("revise", own=own, **slots),
        PROMPTS("rework", task="q", answer=fenced(f"Answer: {own}", "ada"), objection=fenced("Wrong.", "verifier")),
        "Others say:\n" + peers + "\n\n" + fenced(f"Answer: {own}", "yourself"),
    ]
    asked = [request(way, question="q", stage="revise", round=1) for way in ways]

    assert answers(SimulatedModel(0.0, stubbornness=1.0), asked) == [own] * len(ways)


def test_a_member_finds_its_own_last_answer_in_a_conversation() -> None:
    own = invent("q").gold
    before = [
        Message(role="user", content=PROMPTS("draft", task="q") + CONTRACT),
        Message(role="assistant", content=f"Because.\nAnswer: {own}"),
    ]
    prompt = "Others say:\n" + fenced(f"Answer: {invent('q').wrong[0]}", "Response A") + CONTRACT
    asked = request(prompt, question="q", stage="revise", round=1, before=before)

    assert answers(SimulatedModel(0.0, stubbornness=1.0), [asked]) == [own]


def test_who_follows_the_majority_counts_itself_and_stays_where_it_is_in_a_tie() -> None:
    model = SimulatedModel(sycophancy=1.0)

    assert answers(model, [revision("q", "Answer: C", ["Answer: B"] * 2)]) == ["B"]
    assert answers(model, [revision("q", "Answer: C", ["Answer: C", "Answer: B", "Answer: B"])]) == ["C"]
    outside = [revision(f"q{at}", "Answer: D", ["Answer: B", "Answer: C"] * 2) for at in range(40)]
    assert set(answers(model, outside)) == {"B", "C"}


def test_which_of_several_right_answers_is_preferred_depends_on_what_they_say_and_not_on_their_place() -> None:
    gold, wrong = invent("q").gold, invent("q").wrong[0]
    told = [f"In words of number {at}.\nAnswer: {gold if at % 2 else wrong}" for at in range(6)]
    names = [f"Candidate {at + 1}" for at in range(6)]
    chosen = set()
    for seed in range(12):
        model = SimulatedModel(judge_skill=1.0, seed=seed)
        forwards, backwards = (
            said_json(model, judging("q", list(zip(names, order, strict=True)))) for order in (told, told[::-1])
        )
        assert isinstance(forwards, dict)
        assert isinstance(backwards, dict)
        text = told[names.index(forwards["verdict"])]
        assert text == told[::-1][names.index(backwards["verdict"])]
        assert text.endswith(gold)
        chosen.add(text)
    assert len(chosen) == 3


def test_an_earlier_conversation_about_something_else_is_no_last_answer() -> None:
    before = [Message(role="user", content="Something else?"), Message(role="assistant", content="Answer: wrong")]
    asked = request("q", question="q", before=before)

    assert answers(SimulatedModel(1.0, stubbornness=1.0), [asked]) == [invent("q").gold]


def test_peers_are_counted_by_their_answers_and_not_by_their_wording() -> None:
    peers = ["(B)", "I say so.\nanswer: b.", '{"answer": "B", "why": "so"}', "It may be.\n**Answer:** C", "No idea."]
    model = SimulatedModel(sycophancy=1.0)

    assert answers(model, [revision("q", "Answer: A", peers)]) == ["B"]


def test_the_placeholder_of_the_answer_contract_is_nobodys_answer() -> None:
    model = SimulatedModel(1.0, stubbornness=1.0)
    asked = request(f"Your last answer was:\n(you gave none){CONTRACT}", question="q", stage="revise", round=1)

    assert answers(model, [asked]) == [invent("q").gold]


def test_an_aggregator_prefers_the_right_answer_with_its_skill_as_a_judge() -> None:
    asked = [
        request(
            PROMPTS("aggregate", task=each.text, answers=fenced_all([("A", "Answer: A"), ("B", "Answer: B")])),
            question=each.text, stage="aggregate",
        )
        for each in questions(200, options=2)
    ]  # fmt: skip
    golds = [each.gold for each in questions(200, options=2)]

    assert answers(SimulatedModel(0.0, options=2, judge_skill=1.0), asked) == golds
    assert all(
        a != b for a, b in zip(answers(SimulatedModel(1.0, options=2, judge_skill=0.0), asked), golds, strict=True)
    )


def test_a_pipeline_stage_revises_what_the_stage_before_it_made() -> None:
    gold = invent("q").gold
    prompt = PROMPTS("improve", task="q", author="bob", previous=fenced("So.\nAnswer: wrong", "bob"))
    asked = [request(prompt, question="q", stage="stage", round=1)]

    assert answers(SimulatedModel(1.0), asked) == ["wrong"]
    assert answers(SimulatedModel(0.0, revise_right=1.0), asked) == [gold]


# -- JSON ----------------------------------------------------------------------------------------------------------


def said_json(model: SimulatedModel, asked: Request) -> object:
    """The value a model answers with."""
    (text,) = texts(model, [asked])
    return json.loads(text)


class Step(BaseModel):
    id: str
    worker: Literal["bob", "cyd"]
    task: str
    depends_on: list[str] = []
    effort: int = Field(1, ge=1, le=5)


class Plan(BaseModel):
    assignments: list[Step]


class Review(BaseModel):
    done: bool
    assignments: list[Step] = []


def shaped(kind: type[BaseModel], stage: str = "draft", prompt: str = "q") -> Request:
    """A request for a value of a type."""
    return request(prompt, question="q", stage=stage, schema=kind.model_json_schema())


def test_a_plan_gives_one_assignment_to_each_member() -> None:
    plan = Plan.model_validate(said_json(SimulatedModel(), shaped(Plan, "plan")))

    assert [step.worker for step in plan.assignments] == ["bob", "cyd"]
    assert len({step.id for step in plan.assignments}) == 2
    assert all(step.depends_on == [] and step.task for step in plan.assignments)


def test_a_review_is_done_and_asks_for_no_more() -> None:
    review = Review.model_validate(said_json(SimulatedModel(), shaped(Review, "review")))

    assert review.done
    assert review.assignments == []


def test_a_typed_answer_holds_the_members_answer_and_its_confidence() -> None:
    class Typed(BaseModel):
        reasoning: str
        answer: Literal["A", "B", "C", "D"]
        confidence: float = Field(ge=0, le=1)

    class Numeric(BaseModel):
        answer: int
        confidence: int = Field(ge=0, le=100)

    typed = Typed.model_validate(said_json(SimulatedModel(1.0, confidence="calibrated"), shaped(Typed)))
    assert (typed.answer, typed.confidence) == (invent("q").gold, 1.0)
    sure = SimulatedModel(1.0, answers={"q": "18"}, confidence="calibrated")
    assert said_json(sure, shaped(Numeric)) == {"answer": 18, "confidence": 100}


def test_abstaining_is_null_where_the_shape_allows_it_and_no_json_where_it_does_not() -> None:
    class Maybe(BaseModel):
        answer: Literal["A", "B", "C", "D"] | None

    class Surely(BaseModel):
        answer: Literal["A", "B", "C", "D"]

    silent = SimulatedModel(abstain=1.0)
    assert said_json(silent, shaped(Maybe)) == {"answer": None}
    with pytest.raises(ValueError, match="Expecting value"):
        said_json(silent, shaped(Surely))


def test_a_judge_ranks_labels_scores_and_quotes_what_it_prefers() -> None:
    class Ranking(BaseModel):
        ranking: list[Literal["Response A", "Response B", "Response C"]]
        winner: Literal["A", "B", "C"]
        quote: str

    gold = invent("q").gold
    others = [letter for letter in "ABCD" if letter != gold]
    shown = [
        (label(0), f"Answer: {others[0]}"),
        (label(1), f"Yes!\nAnswer: {gold}"),
        (label(2), f"Answer: {others[1]}"),
    ]
    asked = shaped(Ranking, "judge", PROMPTS("judge", task="q", candidates=fenced_all(shown)))
    made = Ranking.model_validate(said_json(SimulatedModel(judge_skill=1.0), asked))

    assert made.ranking[0] == "Response B"
    assert sorted(made.ranking) == ["Response A", "Response B", "Response C"]
    assert (made.winner, made.quote) == ("B", "Yes!")


def test_a_verifiers_objection_goes_with_its_rejection() -> None:
    right, wrong = checking("q", f"Answer: {invent('q').gold}"), checking("q", "Answer: nonsense")
    model = SimulatedModel(verifier_sensitivity=1.0, verifier_false_positive=0.0)

    assert said_json(model, right) == {"accepted": True, "objection": ""}
    rejected = said_json(model, wrong)
    assert isinstance(rejected, dict)
    assert rejected["accepted"] is False
    assert rejected["objection"]


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Tree(BaseModel):
    """A recursive shape."""

    model_config = ConfigDict(extra="forbid")
    label: str
    left: Tree | None = None
    right: Tree | None = None
    children: list[Tree] = []


class Odd(BaseModel):
    """Constraints of many kinds."""

    model_config = ConfigDict(extra="forbid")
    short: str = Field(max_length=3)
    long: str = Field(min_length=30)
    even: int = Field(gt=3, lt=9, multiple_of=2)
    above: float = Field(gt=0.25)
    below: int = Field(lt=-7)
    some: list[Colour] = Field(min_length=2, max_length=2)
    differing: set[Literal["a", "b", "c"]] = Field(min_length=2)
    numbers: set[int] = Field(min_length=3)
    pair: tuple[int, str]
    table: dict[str, float]
    either: int | str | None
    tree: Tree


_LEAVES = st.sampled_from(
    [str, int, float, bool, None, Colour, Literal["x", "y"], Annotated[int, Field(ge=3, le=4)], Tree, Odd]
)


def _wider(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.one_of(
        inner.map(lambda kind: list[kind]),  # type: ignore[valid-type]
        inner.map(lambda kind: dict[str, kind]),  # type: ignore[valid-type]
        st.tuples(inner, inner).map(lambda kinds: kinds[0] | kinds[1]),  # type: ignore[operator]
        st.tuples(inner, inner).map(lambda kinds: tuple[kinds[0], kinds[1]]),  # type: ignore[valid-type]
    )


_KINDS = st.recursive(_LEAVES.map(lambda kind: type(None) if kind is None else kind), _wider, max_leaves=5)


@settings(max_examples=150, deadline=None)
@given(_KINDS, st.sampled_from(["answer", "confidence", "ranking", "verdict", "done", "accepted", "anything"]))
def test_what_it_says_fits_any_shape_that_pydantic_can_ask_for(kind: object, name: str) -> None:
    adapter: TypeAdapter[object] = TypeAdapter(kind)  # type: ignore[arg-type]
    inner = adapter.json_schema()
    schema: dict[str, object] = {
        "type": "object",
        "properties": {name: {key: value for key, value in inner.items() if key != "$defs"}},
        "required": [name],
        "$defs": inner.get("$defs", {}),
    }
    value = said_json(SimulatedModel(confidence="calibrated"), request("q", question="q", schema=schema))

    assert isinstance(value, dict)
    adapter.validate_json(json.dumps(value[name]))


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "string", "pattern": "^[a-z]{3}$"}, "pattern"),
        ({"$ref": "#/$defs/Missing"}, "leads nowhere"),
        ({"$ref": "#"}, "without end|nothing but itself"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "no number between 3.0 and 2.0"),
        ({"type": "array", "items": {"type": "string"}, "minItems": 100_000}, "more than 10,000 parts"),
    ],
)
def test_a_shape_that_cannot_be_made_up_is_refused(schema: dict[str, object], problem: str) -> None:
    with pytest.raises(InvalidRequest, match=problem):
        texts(SimulatedModel(), [request("q", schema=schema)])


def test_json_that_breaks_off_is_whole_when_it_is_asked_for_again() -> None:
    model = SimulatedModel(1.0, unparseable=0.5)
    schema: dict[str, object] = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
    repaired = 0
    for each in questions(60):
        first = request(each.text, question=each.text, schema=schema)
        (text,) = texts(model, [first])
        try:
            json.loads(text)
        except ValueError:
            again = request(
                "Give it again.", question=each.text, stage="repair", schema=schema,
                before=[Message(role="user", content=each.text), Message(role="assistant", content=text)],
            )  # fmt: skip
            (text,) = texts(model, [again])
            if text.endswith("}"):
                repaired += 1
                assert json.loads(text)["answer"] == each.gold
    assert repaired > 5


def test_a_repaired_revision_gives_the_answer_that_was_meant() -> None:
    model = SimulatedModel(0.5, revise_right=0.5, revise_wrong=0.5)
    for each in questions(40):
        first = revision(each.text, "Answer: A", ["Answer: B", "Answer: C"])
        (meant,) = answers(model, [first])
        again = request(
            "Your answer cannot be read. Give it again.", question=each.text, stage="repair", round=1,
            before=[*first.messages[1:], Message(role="assistant", content="It is surely")],
        )  # fmt: skip
        assert answers(model, [again]) == [meant]


def test_a_tool_is_called_when_it_must_be_and_only_then() -> None:
    parameters: dict[str, object] = {
        "type": "object",
        "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}},
        "required": ["query"],
    }
    tool = ToolSpec(name="find", description="Find.", parameters=parameters)
    about = About(member="ada", question="q")
    messages = (Message(role="user", content="q"),)
    model = SimulatedModel()

    async def ask(choice: str | None) -> Completion:
        return await model.complete(Request(messages=messages, tools=(tool,), tool_choice=choice, about=about))

    assert anyio.run(ask, "auto").tool_calls == ()
    for choice in ("required", "find"):
        completion = anyio.run(ask, choice)
        assert completion.finish_reason == "tool_calls"
        assert [call.tool_name for call in completion.tool_calls] == ["find"]
        assert completion.tool_calls[0].parameters == {"query": "some text", "limit": 1}


# -- lengths, delays, cost -----------------------------------------------------------------------------------------


def test_answers_are_as_long_as_they_are_told_to_be() -> None:
    async def ask(model: SimulatedModel, most: int | None = None) -> Completion:
        return await model.complete(request("q", question="q", max_tokens=most))

    for tokens in (5, 40, 3000):
        completion = anyio.run(ask, SimulatedModel(output_tokens=tokens))
        assert completion.usage.output_tokens == estimate_tokens(completion.text)
        assert tokens - 2 <= completion.usage.output_tokens <= tokens
        assert answer_of(completion.text) is not None
    cut = anyio.run(ask, SimulatedModel(output_tokens=100), 30)
    assert (cut.finish_reason, cut.usage.output_tokens, answer_of(cut.text)) == ("length", 30, None)
    lengths = [
        len(text) for text in texts(SimulatedModel(output_tokens=(300, 60)), [draft(str(n)) for n in range(300)])
    ]
    mean = sum(lengths) / len(lengths) / 3
    assert 285 < mean < 315
    assert 45 < (sum((length / 3 - mean) ** 2 for length in lengths) / 300) ** 0.5 < 75


async def test_a_call_takes_its_latency_and_streams_the_same_answer_in_the_same_time() -> None:
    model = SimulatedModel(latency=8.0)
    started = anyio.current_time()
    whole = await model.complete(draft("q"))
    taken = anyio.current_time() - started
    started = anyio.current_time()
    pieces, first = [], None
    async for delta in model.stream(draft("q")):
        first = anyio.current_time() - started if first is None else first
        pieces.append(delta)

    assert taken == pytest.approx(8.0)
    assert anyio.current_time() - started == pytest.approx(8.0)
    assert first is not None
    assert 4.0 <= first < 4.5
    assert pieces[-1].completion == whole
    assert "".join(piece.text for piece in pieces) == whole.text
    assert len(pieces) > 10


async def test_latencies_with_a_deviation_differ_from_call_to_call_around_their_mean() -> None:
    model = SimulatedModel(latency=(10.0, 3.0))
    taken = []
    for at in range(400):
        started = anyio.current_time()
        await model.complete(draft(f"question {at}"))
        taken.append(anyio.current_time() - started)

    mean = sum(taken) / 400
    assert min(taken) > 0
    assert mean == pytest.approx(10.0, abs=4 * 3 / 20)
    assert (sum((each - mean) ** 2 for each in taken) / 400) ** 0.5 == pytest.approx(3.0, rel=0.25)


async def test_a_call_can_be_cancelled_while_it_waits() -> None:
    with anyio.move_on_after(3.0) as scope:
        await SimulatedModel(latency=100.0).complete(draft("q"))
    assert scope.cancelled_caught


async def test_it_is_free_unless_it_is_given_a_price() -> None:
    free, dear = SimulatedModel(), SimulatedModel(price=Price(1.0, 10.0))
    nothing = (await free.complete(draft("q"))).usage
    something = (await dear.complete(draft("q"))).usage

    assert (free.free, nothing.cost, free.name) == (True, 0, "offline/simulated")
    assert (dear.free, await dear.price()) == (False, Price(1.0, 10.0))
    assert something.cost == pytest.approx((something.input_tokens + 10 * something.output_tokens) / 1e6)


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ({"skill": 1.2}, "skill"),
        ({"skill": {"ada": -0.1}}, "skill"),
        ({"correlation": 2}, "correlation"),
        ({"judge_skill": float("nan")}, "judge_skill"),
        ({"abstain": True}, "abstain"),
        ({"options": 1}, "options"),
        ({"options": ("a", "a")}, "options"),
        ({"latency": -1}, "latency"),
        ({"output_tokens": 0}, "output_tokens"),
        ({"confidence": "high"}, "confidence"),
        ({"revise": max, "sycophancy": 0.5}, "revise="),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(setting: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        SimulatedModel(**setting)  # type: ignore[arg-type]


def test_a_member_whose_skill_is_not_given_is_an_error() -> None:
    with pytest.raises(ValidationError, match=r"no member 'bo' \(did you mean 'bob'\?\)"):
        texts(SimulatedModel({"bob": 0.5}), [draft("q", "bo")])


def test_a_judge_without_a_schema_names_a_label_and_an_answer() -> None:
    gold = invent("q").gold
    shown = [("Candidate 1", "Answer: nonsense"), ("Candidate 2", f"Answer: {gold}")]
    asked = judging("q", shown)
    plain = Request(messages=asked.messages, about=asked.about)
    (text,) = texts(SimulatedModel(judge_skill=1.0), [plain])

    assert text.endswith(f"Verdict: Candidate 2\nAnswer: {gold}")
