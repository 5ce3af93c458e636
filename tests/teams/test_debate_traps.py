"""Traps that published debate code fell into, each with a test that keeps it out of here."""

from __future__ import annotations

import gzip
import itertools
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import pytest

from phalanx import Agent, AgentTeam, TeamError
from phalanx.formations.voting import more_than
from phalanx.messages import Request
from phalanx.testing import FunctionModel
from tests.recording import Recording, Reply

DATA = Path(__file__).parents[2].parent / "shared" / "data"


def by_round(*rounds: str) -> FunctionModel:
    """Members a, b, c, … answer the letters of each round in turn."""

    def answer(request: Request) -> str:
        return f"I say so.\nAnswer: {rounds[request.about.round]['abcdefgh'.index(request.about.member)]}"

    return FunctionModel(answer)


@pytest.mark.parametrize("rounds", [0, 1, 2, 3])
async def test_rounds_off_by_one__rounds_are_revisions_after_the_draft_and_none_is_a_vote(rounds: int) -> None:
    model = Recording({(name, "draft"): f"Answer: {name}" for name in "abc"})
    result = await AgentTeam.debate(list("abc"), rounds, stop="never", model=model).run("Which?")
    assert result.usage.calls == 3 * (1 + rounds)
    assert {stage for _, stage, _ in model.stages()} == ({"draft", "revise"} if rounds else {"draft"})
    vote = await AgentTeam.consensus(list("abc"), rounds=0, model=model).run("Which?")
    assert vote.usage.calls == 3


async def test_unreadable_answers_scored_as_right__they_abstain_and_nothing_is_made_up() -> None:
    model = Recording(
        {("a", "draft"): "Answer: I don't know", ("b", "draft"): "Answer: I don't know", ("c", "draft"): "Answer: 7"}
    )
    result = await AgentTeam.debate(list("abc"), 0, model=model).run("Which?")
    assert result.votes == {"a": None, "b": None, "c": "7"}
    assert result.decision is not None
    assert (result.decision.cast, result.decision.abstained) == (1, 2)
    nobody = await AgentTeam.debate(["a", "b"], 0, model=model).run("Which?")
    assert nobody.status == "undecided"
    assert nobody.decision is not None
    assert nobody.decision.winner is None


@pytest.mark.parametrize(
    ("texts", "classes"),
    [
        (("Answer: -7", "Answer: 7"), 2),
        (("Answer: 1,250", "Answer: 1250"), 1),
        (("Answer: 1,250", "Answer: 1.25"), 2),
    ],
)
async def test_a_minus_or_a_comma_lost__numbers_are_read_as_they_stand(texts: tuple[str, str], classes: int) -> None:
    model = Recording({(name, "draft"): text for name, text in zip("ab", texts, strict=True)})
    result = await AgentTeam.debate(["a", "b"], 0, model=model).run("Which?")
    assert len({*result.votes.values()}) == classes
    assert None not in result.votes.values()


async def test_ties_broken_in_silence__a_tie_is_told_and_only_a_named_way_breaks_it() -> None:
    tied = await AgentTeam.debate(list("ab"), 0, model=by_round("AB")).run("Which?")
    assert (tied.status, tied.decision and tied.decision.status) == ("undecided", "tie")
    first = AgentTeam.preset("society", list("ab"), settings={"rounds": 0}, model=by_round("BA"))
    earliest = await first.run("Which?")
    assert earliest.decision is not None
    assert (earliest.decision.winner, earliest.decision.tie_break) == ("B", "earliest")
    winners = set()
    for seed in range(12):
        drawn = await AgentTeam.preset(
            "vote_not_debate", list("ab"), settings={"rounds": 0}, model=by_round("BA")
        ).run("Which?", seed=seed)  # fmt: skip
        assert drawn.decision is not None
        assert drawn.decision.tie_break == "random"
        winners.add(drawn.decision.winner)
    assert winners == {"A", "B"}


async def test_contexts_changed_inside_the_round__everybody_answers_the_round_before() -> None:
    for speed in ("abc", "cba", "bca"):
        seen: dict[str, str] = {}

        async def answer(request: Request, speed: str = speed, seen: dict[str, str] = seen) -> str:
            about = request.about
            await anyio.sleep(speed.index(about.member) + 1)
            if about.round == 1:
                seen[about.member] = request.messages[-1].content
            return f"{about.member} in round {about.round}.\nAnswer: {about.member}{about.round}"

        await AgentTeam.debate(list("abc"), 1, model=FunctionModel(answer)).run("Which?")
        for name, text in seen.items():
            assert {who for who in "abc" if f"{who} in round 0" in text} == {*"abc"}, name
            assert "in round 1" not in text


async def test_a_place_in_a_shuffled_list_taken_for_a_member__a_label_is_looked_up() -> None:
    def rank(request: Request) -> Reply:
        shown = re.findall(r'from="(Response \w)">\n.*?Answer: (\w)', request.messages[-1].content, re.DOTALL)
        return {"ranking": [label for label, letter in shown if letter in "BD"]}

    replies: dict[tuple[str, str], Any] = {(name, stage): f"Answer: {name.upper()}" for name in "abcd"
                                           for stage in ("draft", "revise")}  # fmt: skip
    for seed in range(8):
        model = Recording({**replies, ("rex", "rank"): rank})
        team = AgentTeam.debate(list("abcd"), 2, ranker="rex", keep=2, stop="never", model=model)
        result = await team.run("Which?", seed=seed)
        assert sorted(name for name, stage, round in model.stages() if (stage, round) == ("revise", 2)) == ["b", "d"]
        assert result.votes == {"b": "B", "d": "D"}


async def test_the_third_answer_lost_from_the_view__every_group_is_shown() -> None:
    answers = "AAABBCD"
    model = Recording({(f"m{at}", "draft"): f"Because {at}.\nAnswer: {letter}" for at, letter in enumerate(answers)})
    team = AgentTeam.debate([f"m{at}" for at in range(7)], 1, topology="full", view="grouped", model=model)
    await team.run("Which?")
    for at in range(7):
        text = model.sent(f"m{at}", "revise", 1).partition("Other answers")[2]
        others = answers[:at] + answers[at + 1 :]
        held = Counter(others)
        shown = dict(re.findall(r"Answer: (\w)\nGiven by (\d) of 6", text))
        assert {letter: int(count) for letter, count in shown.items()} == held
        assert all(f"Because {other}." in text for other in range(7) if other != at)


async def test_an_invalid_answer_replaced_by_a_random_option__it_abstains_in_every_run() -> None:
    model = FunctionModel(lambda request: "Answer: A" if request.about.member == "a" else "")
    for seed in range(6):
        result = await AgentTeam.debate(["a", "b"], 0, model=model).run("Which?", seed=seed)
        assert result.votes == {"a": "A"}
        assert {each.member: each.status for each in result.members} == {"a": "ok", "b": "failed"}


async def test_a_model_s_words_run_as_a_program__a_verdict_is_json_or_none() -> None:
    touched: list[str] = []
    evil = "__import__('os').system('true') or {'verdict': 'Candidate 1'}"

    def reply(request: Request) -> str:
        touched.append(request.about.stage)
        return evil if request.about.stage == "judge" else f"Answer: {request.about.member}"

    result = await AgentTeam.debate(["a", "b"], 0, judge="jude", model=FunctionModel(reply)).run("Which?")
    assert "judge" in touched
    assert result.status == "partial"
    assert result.decision is not None
    assert result.decision.winner is None, "what is no JSON named a winner"


async def test_the_last_judge_sees_first_round_turns_only__it_sees_the_last_ones_or_all() -> None:
    model = Recording(
        {
            ("a", "draft"): "Answer: 1", ("b", "draft"): "Answer: 2", ("a", "revise"): "Answer: 3",
            ("b", "revise"): "Answer: 4", ("jude", "judge"): {"verdict": "undecided"},
        }
    )  # fmt: skip
    team = AgentTeam.debate(["a", "b"], 1, judge="jude", model=model)
    await team.run("Which?")
    shown = {number for each in model.requests if each.about.stage == "judge"
             for number in re.findall(r"Answer: (\d)", each.messages[-1].content)}  # fmt: skip
    assert shown == {"3", "4"}


@pytest.mark.parametrize("text", ["I agree with the others.", "I do not disagree.", "agree", "AGREE: yes"])
async def test_agreement_inferred_from_a_word__only_equal_answers_agree(text: str) -> None:
    model = Recording({("a", "draft"): f"{text}\nAnswer: 1", ("b", "draft"): f"{text}\nAnswer: 2"})
    result = await AgentTeam.consensus(["a", "b"], 2, rounds=0, model=model).run("Which?")
    assert result.status == "undecided"
    same = Recording({("a", "draft"): "I disagree.\nAnswer: 1", ("b", "draft"): "No!\nAnswer: 1"})
    result = await AgentTeam.consensus(["a", "b"], 2, rounds=0, model=same).run("Which?")
    assert result.status == "completed"


@pytest.mark.parametrize("members", [2, 3, 4])
async def test_unanimous_members_never_reach_consensus__they_do_at_once_and_two_need_both(members: int) -> None:
    names = list("abcd"[:members])
    result = await AgentTeam.consensus(names, members, model=by_round("A" * members)).run("Which?")
    assert (result.status, result.rounds[-1].number) == ("completed", 0)
    two = AgentTeam.consensus(["a", "b"], rounds=0, model=by_round("AB"))
    assert (await two.run("Which?")).status == "undecided", "one of two is no majority"


async def test_a_tie_in_the_last_turn_gives_an_empty_answer__it_says_what_it_came_to() -> None:
    team = AgentTeam.preset("aad", list("ab"), settings={"rounds": 3}, model=by_round("AB", "AB", "BA", "AB"))
    result = await team.run("Which?")
    assert [each.number for each in result.rounds] == [0, 1, 2, 3]
    assert result.status == "undecided"
    assert "tied" in result


async def test_ten_tries_for_one_vote__an_answer_that_does_not_fit_is_asked_for_once_more() -> None:
    asked: list[str] = []

    def reply(request: Request) -> str:
        asked.append(request.about.member)
        return "I vote for 1, not 0."

    with pytest.raises(TeamError):
        await AgentTeam.debate(["a", "b"], 0, confidence="typed", model=FunctionModel(reply)).run("Which?")
    assert Counter(asked) == {"a": 2, "b": 2}


async def test_copies_at_temperature_0_counted_as_many__the_run_warns() -> None:
    events: list[object] = []
    copies = [Agent("solver", name=name, temperature=0.0) for name in "ab"]
    await AgentTeam.debate(copies, 0, model=by_round("AA")).run("Which?", on_event=events.append)
    assert any("count as one voter" in str(each) for each in events)


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the recordings are not at {DATA}")
def test_recorded_debates_end_where_the_stop_rule_says_through_a_real_debate() -> None:
    """Drafts of real models, answered again one by one: a debate that stops at more than two thirds stops there."""
    with gzip.open(DATA / "dylan-math" / "dylan_math_small.jsonl.gz", "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in itertools.islice(lines, 60)]

    async def work() -> list[tuple[bool, bool]]:
        found = []
        for record in records:
            drafts = [each["parsed"] for each in record["answers"] if each["round"] == 0]
            names = [f"m{at}" for at in range(len(drafts))]
            said = dict(zip(names, drafts, strict=True))

            def reply(request: Request, said: dict[str, str | None] = said) -> str:
                answer = said[request.about.member]
                return "Answer: I don't know" if answer is None else f"Answer: {answer}"

            team = AgentTeam.debate(names, 1, topology="full", stop=more_than("2/3"), model=FunctionModel(reply))
            result = await team.run("Which?")
            classes = Counter(each for each in result.rounds[0].choices.values() if each is not None)
            most = max(classes.values(), default=0)
            found.append((result.rounds[-1].number == 0, 3 * most > 2 * len(drafts)))
        return found

    ended = anyio.run(work)
    assert all(stopped == agreed for stopped, agreed in ended)
    assert {stopped for stopped, _ in ended} == {True, False}
