"""A system of recorded answers: it votes as a team does over the same record, and says early what the record lacks."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx import Agent, AgentTeam, Limits
from phalanx.agents.models.recorded import RecordedModel, Recording
from phalanx.benchmarks import summary
from phalanx.benchmarks.compare import SuiteBroken, compare
from phalanx.benchmarks.record import Attempt, Comparison
from phalanx.benchmarks.recorded import Recorded
from phalanx.benchmarks.recordings import RecordedAnswer
from phalanx.benchmarks.store import read_comparison
from phalanx.benchmarks.systems import Comparable, team_of
from phalanx.benchmarks.tasks import TaskItem, TaskSet
from phalanx.errors import ValidationError
from phalanx.formations.voting import Approval, Decision, Equivalence, Majority, Plurality, Supermajority, VotingRule
from phalanx.messages import Completion, Request, Usage
from phalanx.runtime.sqlite import SqliteLog
from tests.benchmarks.test_limits_of_attempts import Elsewhere

# Right, wrong in several spellings, unreadable for a number, and words that state nothing.
SAID = ["Answer: 4", "I think it is 4.\nAnswer: 4.0", "Answer: 5", "The answer is five.", "Answer: 6", "Answer:", "no"]
RULES: list[VotingRule] = [
    Plurality(tie_break=()), Plurality(tie_break=("earliest",)), Plurality(tie_break=("random",)), Majority(),
    Supermajority(q="3/4"), Plurality(min_agreement=3, tie_break=()), Plurality(quorum=3), Approval(tie_break=()),
]  # fmt: skip
EQUALS = [Equivalence(), Equivalence(kind="number"), Equivalence(fallbacks=()), Equivalence(tolerance="0.3")]
QUESTIONS = ("q1", "q2")


def tasks(*ids: str) -> TaskSet:
    return TaskSet.of("sums", [TaskItem(id=id, question=f"What is 2 + 2? ({id})", gold=4) for id in ids or QUESTIONS])


def told(made: Attempt) -> dict[str, object]:
    """What an attempt came to, without who made it and what that cost."""
    kept = made.model_dump(exclude={"system", "spec", "usage", "usd", "seconds", "run_id", "metered"})
    return kept | {"ballots": [{**each, "stated": {}} for each in kept["ballots"]]}


def of(found: Comparison, system: str) -> list[dict[str, object]]:
    return [told(each) for each in found.attempts if each.system == system]


@settings(max_examples=60, deadline=None)
@given(
    said=st.lists(st.lists(st.sampled_from(SAID), min_size=6, max_size=6), min_size=2, max_size=2),
    members=st.integers(1, 3), rule=st.sampled_from(RULES), equal=st.sampled_from(EQUALS), seed=st.integers(0, 3),
)  # fmt: skip
def test_recorded_ballots_come_to_what_a_vote_of_a_team_over_the_same_record_comes_to(
    said: list[list[str]], members: int, rule: VotingRule, equal: Equivalence, seed: int
) -> None:
    names = ["ada", "bob", "cy"][:members]
    recordings = [
        Recording(question, names[at % members], text, 0, at // members)
        for question, texts in zip(QUESTIONS, said, strict=True)
        for at, text in enumerate(texts)
    ]
    model = RecordedModel(recordings)
    agents = [Agent("solver", name=name, model=model) for name in names]
    team = AgentTeam.vote(agents, samples=6, early=False, rule=rule, equivalence=equal)
    systems: dict[str, Comparable] = {
        "team": team,
        "record": Recorded(recordings, rule=rule, equivalence=equal, voters=names, samples=6),
    }

    async def work() -> Comparison:
        return await compare(systems, tasks(), baselines=False, repeats=2, seed=seed)

    found = anyio.run(work)
    assert of(found, "record") == of(found, "team")


def lines(path: Path, *records: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")
    return path


@pytest.mark.parametrize("say", ["text", "parsed", "both"])
async def test_a_file_of_answers_says_the_same_to_a_record_as_to_members_who_recite_it(
    tmp_path: Path, say: str
) -> None:
    answers = [
        {"agent": "ada", "round": 0, "text": "It must be 5.\nAnswer: 5", "parsed": "4"},
        {"agent": "ada", "round": 0, "text": "Answer: 4", "parsed": "4"},
        {"agent": "ada", "round": 0, "text": None, "parsed": "5"},
        {"agent": "ada", "round": 0, "text": "I cannot tell.\nAnswer:", "parsed": None},
        {"agent": "ada", "round": 0, "text": None, "parsed": None},
    ]
    file = lines(tmp_path / "a.jsonl", {"id": "q1", "answers": answers}, {"id": "q2", "answers": answers[::-1]})
    model = RecordedModel.from_jsonl(file, say=say)  # type: ignore[arg-type]
    team = AgentTeam.vote(Agent("solver", name="ada", model=model), samples=5, early=False)
    record = Recorded.from_jsonl(file, say=say)  # type: ignore[arg-type]
    found = await compare({"team": team, "record": record}, tasks(), baselines=False)
    for mine, theirs in zip(of(found, "record"), of(found, "team"), strict=True):
        # Members who recite nothing say so in words; a record has no words for it.
        drop = {"ballots"}
        assert {name: mine[name] for name in mine if name not in drop} == {
            name: theirs[name] for name in theirs if name not in drop
        }
    choices = [[each.ballots[0].choices for each in found.attempts if each.system == who] for who in ("record", "team")]
    assert choices[0] == choices[1]


async def test_revisions_are_rounds_and_the_last_one_decides() -> None:
    said = {0: ["4", "4", "5"], 1: ["5", "4", "5"], 2: ["5", "5"]}
    answers = [
        RecordedAnswer("q1", name, f"Answer: {text}", round)
        for round, texts in said.items()
        for name, text in zip(("ada", "bob", "cy"), texts, strict=False)
    ]
    systems = {
        "debate": Recorded(answers), "one revision": Recorded(answers, rounds=1), "drafts": Recorded(answers, rounds=0),
    }  # fmt: skip
    found = await compare(systems, tasks("q1"), baselines=False)
    scores = {each.system: each.score for each in found.attempts}
    assert scores == {"debate": 0.0, "one revision": 0.0, "drafts": 1.0}
    debate = found.attempts[0]
    assert [each.round for each in debate.ballots] == [0, 1, 2]
    assert [each.decided for each in debate.ballots] == [1.0, 0.0, 0.0]
    (inside, _, _) = summary.of(found).diagnoses
    assert inside.draft.value == pytest.approx(2 / 3)
    assert (inside.vote.value, inside.final.value) == (1.0, 0.0)
    assert [(turn.members.broke, turn.members.fixed) for turn in inside.turns] == [(1, 0), (1, 0)]


@pytest.mark.parametrize("voters", [None, ["ada", "bob", "cy"]])
async def test_revisions_of_those_whose_drafts_do_not_count_do_not_count_either(voters: list[str] | None) -> None:
    # The third turns the vote of the last round, and is none of two.
    said = {0: ["4", "4", "5", "4"], 1: ["4", "5", "5", "5"]}
    answers = [
        RecordedAnswer("q1", name, f"Answer: {text}", round)
        for round, texts in said.items()
        for name, text in zip(("ada", "bob", "cy"), texts, strict=False)
    ]
    samples = 2 if voters is None else 3
    record = Recorded(answers, voters=voters, samples=samples)
    found = await compare({"record": record}, tasks("q1"), baselines=False)
    (made,) = found.attempts
    assert [sorted(each.choices) for each in made.ballots] == [sorted(("ada", "bob", "cy")[:samples])] * 2
    assert made.usage.calls == 2 * samples
    assert made.status == ("undecided" if samples == 2 else "completed")


async def test_answers_may_be_given_by_question_as_they_are() -> None:
    answers: dict[str, list[str | None]] = {"q1": ["4", "4", "5"], "q2": [None, "5", "4"]}
    record = Recorded(answers)
    found = await compare({"record": record}, tasks(), baselines=False)
    first, second = found.attempts
    assert (first.answer, first.score, first.status) == ("4", 1.0, "completed")
    assert (second.score, second.status) == (0.5, "undecided")
    assert second.ballots[0].choices == {"voter-1": None, "voter-2": "5", "voter-3": "4"}


async def test_what_answers_had_cost_is_told_where_it_is_known_and_unknown_where_it_is_not() -> None:
    cheap = Usage(1, 100, 10, known_cost=0.01)
    priced = [Recording("q1", "ada", Completion(text="Answer: 4", usage=cheap), 0, at) for at in range(3)]
    silent = [RecordedAnswer("q1", "ada", "Answer: 4", sample=at) for at in range(3)]
    half = [RecordedAnswer("q1", "ada", "Answer: 4", usage=cheap), *silent[1:]]
    systems = {"priced": Recorded(priced), "silent": Recorded(silent), "half": Recorded(half)}
    found = await compare(systems, tasks("q1"), baselines=False)
    told = summary.of(found)
    known = told.standing("priced")
    assert (known.calls, known.tokens, known.input_tokens) == (3, 330, 300)
    assert known.usd == pytest.approx(0.03)
    for name in ("silent", "half"):
        unknown = told.standing(name)
        assert (unknown.calls, unknown.tokens, unknown.usd) == (3, None, None)
    assert told.unit == "calls"
    assert "unknown" in str(told)
    with pytest.raises(ValidationError, match="unit='tokens' is not known"):
        summary.of(found, unit="tokens")


async def test_a_file_says_what_its_answers_had_cost_and_how_sure_they_were(tmp_path: Path) -> None:
    answer = {
        "agent": "ada", "text": "Answer: 4", "confidence": 0.75,
        "usage": {"prompt_tokens": 50, "completion_tokens": 7, "total_tokens": 57, "usd": 0.002},
    }  # fmt: skip
    record = Recorded.from_jsonl(lines(tmp_path / "a.jsonl", {"id": "q1", "answers": [answer]}))
    found = await compare({"record": record}, tasks("q1"), baselines=False)
    (made,) = found.attempts
    assert (made.usage.input_tokens, made.usage.output_tokens, made.usd) == (50, 7, 0.002)
    assert made.ballots[0].stated == {"ada": 0.75}


@pytest.mark.parametrize(
    ("answers", "options", "problem"),
    [
        ({"q1": ["4"], "q3": ["4"]}, {}, r"system 'record': there are no recorded answers to item 'q2'.*2 questions"),
        ({"q1": ["4"], "q2b": ["4"]}, {}, r"item 'q2'.*did you mean 'q2b'"),
        ({"q1": ["4", "4"], "q2": ["4"]}, {"samples": 2}, r"item 'q2' has 1 recorded answers.*samples=2"),
        ({"q1": ["4", "4"], "q2": ["4"]}, {"voters": ["voter-1", "voter-2"]}, r"item 'q2' has 0 .*'voter-2'"),
        ({"q1": ["4"], "q2": []}, {}, "no recorded answers to item 'q2'"),
    ],
)
async def test_what_a_record_lacks_is_said_before_anything_is_done(
    tmp_path: Path, answers: dict[str, list[str | None]], options: dict[str, object], problem: str
) -> None:
    record = Recorded(answers, **options)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match=problem):
        await compare({"record": record}, tasks(), baselines=False, log=tmp_path / "bench.db")
    assert not (tmp_path / "bench.db").exists()


@pytest.mark.parametrize(
    ("answers", "options", "problem"),
    [
        ({}, {}, "there are no recorded answers"),
        ({"q1": ["4"]}, {"samples": 0}, "samples=0 must be a whole number, at least 1"),
        ({"q1": ["4"]}, {"rounds": -1}, "rounds=-1 must be a whole number, at least 0"),
        ({"q1": ["4"]}, {"voters": ["voter-2"]}, "no answer of 'voter-2' is recorded"),
        ({"q1": ["4"]}, {"voters": ["voter-1", "voter-1"]}, "nobody twice"),
        ({"q1": ["4", "5"]}, {"voters": ["voter-1", "voter-2"], "samples": 1}, "would never count 'voter-2'"),
        ({"q1": ["4"]}, {"rule": "pluralty"}, "did you mean 'plurality'"),
        ({"q1": ["4"]}, {"rule": "linear_pool"}, "cannot count recorded answers"),
        ([RecordedAnswer("q1", "ada", "4"), RecordedAnswer("q1", "ada", "5")], {}, "two recorded answers of 'ada'"),
        ({"q1": "42"}, {}, "the answers to 'q1' are '42'; give a list of texts"),
        ({1: ["4"]}, {}, "the answers to 1 are"),
        ({"q1": [4]}, {}, "what 'voter-1' answered to 'q1' is int; give it as text"),
        (["4"], {}, "'4' is no RecordedAnswer and no Recording"),
        ({"q1": ["4"]}, {"rounds": 1}, "rounds=1: no revision after round 0 is recorded"),
        ({"q1": ["4"]}, {"equivalence": "number"}, "equivalence='number' is no Equivalence"),
    ],
)
def test_a_record_that_cannot_be_is_refused(answers: object, options: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Recorded(answers, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"round": -1}, "the round of 'ada'.* is -1"),
        ({"round": True}, "the round of 'ada'.* is True"),
        ({"sample": -1}, "the sample of 'ada'.* is -1"),
        ({"confidence": "high"}, "the confidence of 'ada'.* is 'high'"),
        ({"confidence": float("nan")}, "the confidence of 'ada'.* is nan"),
        ({"member": None}, "is of a member and to a question, both text"),
    ],
)
def test_an_answer_that_cannot_be_is_refused(given: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        RecordedAnswer(**({"question": "q1", "member": "ada", "text": "4"} | given))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"agent": "ada", "text": "4", "round": -1}, 'a.jsonl:1: each answer of .* "round"'),
        ({"agent": "ada", "text": "4", "confidence": 4}, r"a.jsonl:1: the confidence of 'ada'.* is 4, not 0..1"),
        ({"text": "4"}, r'a.jsonl:1: each answer of .* needs "agent"'),
        ({"agent": "ada", "sample": "first"}, "a.jsonl:1: the sample of 'ada'"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, answer: dict[str, object], problem: str) -> None:
    file = lines(tmp_path / "a.jsonl", {"id": "q1", "answers": [answer]})
    with pytest.raises(ValidationError, match=problem):
        Recorded.from_jsonl(file)


async def test_other_answers_another_rule_or_fewer_samples_are_another_system() -> None:
    answers: dict[str, list[str | None]] = {"q1": ["4", "4", "5"]}
    systems: dict[str, Comparable] = {
        "as it is": Recorded(answers), "the same": Recorded({"q1": ("4", "4", "5")}),
        "others": Recorded({"q1": ["4", "5", "5"]}), "fewer": Recorded(answers, samples=2),
        "voters": Recorded(answers, voters=["voter-1"]), "rule": Recorded(answers, rule="unanimity"),
        "rounds": Recorded(answers, rounds=0), "equal": Recorded(answers, equivalence=Equivalence(kind="number")),
    }  # fmt: skip
    found = await compare(systems, tasks("q1"), baselines=False)
    specs = [each.spec for each in found.systems]
    assert specs[0] == specs[1]
    assert len(set(specs)) == len(systems) - 1


async def test_a_cut_suite_of_records_goes_on_and_a_scorer_that_fails_keeps_what_came_before(tmp_path: Path) -> None:
    log, ids = tmp_path / "bench.db", [f"q{at}" for at in range(5)]
    record = Recorded({id: ["4"] for id in ids})
    items = [TaskItem(id=id, question=id, gold="no number" if id == "q3" else 4, scorer="numeric") for id in ids]
    with pytest.raises(SuiteBroken, match="item 'q3'") as broken:
        await compare({"record": record}, TaskSet.of("sums", items), baselines=False, log=log)
    assert [each.item for each in broken.value.comparison.attempts] == ["q0", "q1", "q2"]
    opened = SqliteLog(log)
    kept = await read_comparison(opened, "comparison")
    await opened.aclose()
    assert [each.item for each in kept.attempts] == ["q0", "q1", "q2"]


async def test_progress_is_told_and_a_second_call_does_nothing_again(tmp_path: Path) -> None:
    ids = [f"q{at}" for at in range(150)]
    record, log = Recorded({id: ["4", "5", "4"] for id in ids}), tmp_path / "bench.db"
    seen: list[int] = []
    await compare(
        {"record": record}, tasks(*ids), baselines=False, log=log,
        on_progress=lambda progress: seen.append(progress.done),
    )  # fmt: skip
    assert seen[-1] == 150
    fresh: list[int] = []
    again = await compare(
        {"record": record}, tasks(*ids), baselines=False, log=log,
        on_progress=lambda progress: fresh.append(progress.fresh),
    )  # fmt: skip
    assert (fresh[-1], len(again.attempts)) == (0, 150)


async def test_a_scorer_of_the_users_own_scores_records_too() -> None:
    async def generous(answer: str, item: TaskItem) -> float:
        await anyio.sleep(1)
        return 0.25

    found = await compare({"record": Recorded({"q1": ["4"], "q2": ["5"]})}, tasks(), baselines=False, scorer=generous)
    assert [each.score for each in found.attempts] == [0.25, 0.25]


def by_length(answer: str, item: TaskItem) -> float:
    """A scorer of the user's own, so that answers are scored one by one, wherever that is."""
    return 1.0 if len(answer) <= len(item.question) else 0.0


@pytest.mark.parametrize("scorer", [by_length, None], ids=["a function", "usual"])
async def test_records_come_to_the_same_in_other_processes(tmp_path: Path, scorer: Callable[..., float] | None) -> None:
    systems: dict[str, Comparable] = {"record": Recorded({"q1": ["4", "4", "5"], "q2": ["5", "4"]})}
    here = await compare(systems, tasks(), baselines=False, scorer=scorer)
    there = await compare(
        systems, tasks(), baselines=False, scorer=scorer, engine=Elsewhere(), log=tmp_path / "bench.db"
    )
    assert of(there, "record") == of(here, "record")
    assert there.stopped is None


class Broken:
    """A rule of the user's own that fails on three ballots."""

    name = "broken"

    def decide(self, ballots: Sequence[object], *, seed: int = 0, eligible: int | None = None) -> Decision:
        if len(ballots) == 3:
            raise ZeroDivisionError("three are too many")
        return Plurality().decide(ballots, seed=seed, eligible=eligible)  # type: ignore[arg-type]


async def test_a_rule_that_raises_is_a_failure_that_stays_and_the_others_are_counted() -> None:
    answers = [RecordedAnswer("q1", "ada", "4", usage=Usage(1, 10, 1)), RecordedAnswer("q2", "ada", "4")]
    answers += [RecordedAnswer("q1", name, "4", usage=Usage(1, 10, 1)) for name in ("bob", "cy")]
    found = await compare({"record": Recorded(answers, rule=Broken())}, tasks(), baselines=False)  # type: ignore[arg-type]
    first, second = found.attempts
    assert (first.status, first.score, first.error) == ("failed", 0.0, "ZeroDivisionError: three are too many")
    assert (first.usage.calls, first.usage.input_tokens, first.metered) == (3, 30, True)
    assert (second.status, second.score) == ("completed", 1.0)


@pytest.mark.parametrize("scorer", [by_length, None], ids=["a function", "usual"])
@pytest.mark.parametrize("engine", [None, Elsewhere()], ids=["local", "elsewhere"])
async def test_what_recorded_answers_had_cost_is_paid_by_nobody_when_a_suite_goes_on(
    tmp_path: Path, engine: Elsewhere | None, scorer: Callable[..., float] | None
) -> None:
    usage = Usage(1, 100, 10, known_cost=1.0)
    answers = [RecordedAnswer(id, name, "4", usage=usage) for id in QUESTIONS for name in ("ada", "bob", "cy")]
    record, log, limits = Recorded(answers), tmp_path / "bench.db", Limits(calls=4)

    async def go_on(repeats: int, **more: Comparable) -> Comparison:
        return await compare(
            {"record": record, **more}, tasks(), baselines=False, scorer=scorer, engine=engine, log=log,
            limits=limits, limits_each=limits, repeats=repeats,
        )  # fmt: skip

    begun = await go_on(1)
    assert (len(begun.attempts), begun.stopped) == (2, None)
    assert sum(each.usage.calls for each in begun.attempts) == 6
    team = team_of(Agent("solver", name="dan", model=Parrot()))
    found = await go_on(2, agent=team)
    assert found.stopped is None
    assert [each.status for each in found.attempts] == ["completed"] * 8


async def asking(text: str, item: TaskItem) -> float:
    """A scorer of the user's own that asks a model, and so is held to the limit of the system that it scores."""
    said = await Agent("judge", name="eve", model=Parrot()).run(f"Is {text} right?")
    return float("4" in said)


@pytest.mark.parametrize("engine", [None, Elsewhere()], ids=["local", "elsewhere"])
async def test_what_recorded_answers_had_cost_leaves_the_limit_of_their_system_to_those_who_are_asked(
    tmp_path: Path, engine: Elsewhere | None
) -> None:
    usage = Usage(1, 100, 10, known_cost=1.0)
    record = Recorded([RecordedAnswer(id, name, "4", usage=usage) for id in QUESTIONS for name in ("ada", "bob", "cy")])

    async def go_on(repeats: int) -> Comparison:
        return await compare(
            {"record": record}, tasks(), baselines=False, scorer=asking, engine=engine, log=tmp_path / "bench.db",
            limits_each=Limits(calls=4), repeats=repeats,
        )  # fmt: skip

    assert sum(each.usage.calls for each in (await go_on(1)).attempts) == 6
    assert len((await go_on(2)).attempts) == 4


class Parrot:
    """A model that always says the same, and travels."""

    name = "parrot"

    async def complete(self, request: Request, /) -> Completion:
        return Completion(text="Answer: 4", usage=Usage(1, 10, 2))
