"""Ten traps that the code of published papers fell into, one test each, through every formation that could.

What they look like inside a debate is in test_debate_traps, inside the rules in tests/voting/test_defects.
"""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import anyio
import pytest

from phalanx import Agent, AgentTeam, Role, TeamError, TeamResult, compare
from phalanx.benchmarks.systems import Comparable
from phalanx.benchmarks.tasks import TaskItem, TaskSet
from phalanx.formations.voting import Plurality, Rule
from phalanx.messages import Request
from phalanx.testing import FunctionModel
from tests.recording import Recording
from tests.teams.any_team import EXAMPLES, AnyModel


def saying(said: dict[str, str]) -> FunctionModel:
    """Members who answer the same whenever they are asked."""
    return FunctionModel(lambda request: f"So I think.\nAnswer: {said[request.about.member]}")


def counting(names: list[str], model: object, rule: Rule | None = None) -> dict[str, AgentTeam]:
    """A team of each formation that counts answers which are given unseen."""
    kept: dict[str, Any] = {"model": model}
    choose = rule or Plurality(tie_break=())
    return {
        "vote": AgentTeam.vote(names, len(names), rule=choose, early=False, **kept),
        "parallel": AgentTeam.parallel(names, aggregation=choose, **kept),
        "flat": AgentTeam.flat(names, False, aggregation=choose, **kept),
        "consensus": AgentTeam.consensus(names, rule=choose, rounds=0, early=False, **kept),
        "debate": AgentTeam.debate(names, 0, rule=choose, **kept),
        "adaptive": AgentTeam.adaptive(names, len(names), rule=choose, stop=f"esc({len(names)})", **kept),
    }


# -- 1 -------------------------------------------------------------------------------------------------------------

CALLS = {
    "self_consistency": 40,
    "society": 3 * (1 + 2),  # a paper's "two rounds" that are a draft and one revision are six calls
    "vote_not_debate": 5 * (1 + 2),
    "sparse": 6 * (1 + 2),
    "eot_memory": 3 * (1 + 5),
    "moa": 6 * 2 + 1,  # three layers are two rounds of proposals and the aggregator
    "self_moa": 6 + 1,
}


@pytest.mark.parametrize("name", CALLS)
async def test_trap_1_rounds_off_by_one(name: str) -> None:
    """Rounds are revisions after the draft: a protocol costs the calls of its paper, and revises in rounds 1 to T."""
    members = [f"m{at}" for at in range(3)]
    seen: list[tuple[str, int]] = []

    def answer(request: Request) -> str:
        about = request.about
        seen.append((about.stage, about.round))
        return f"{about.member} in round {about.round}.\nAnswer: {about.member} {about.round}"  # nobody ever agrees

    team = AgentTeam.preset(name, model=FunctionModel(answer))
    assert team.estimate("Which?").calls == CALLS[name]
    result = await team.run("Which?")
    assert result.usage.calls == CALLS[name]
    revisions = {round for stage, round in seen if stage == "revise"}
    if revisions:
        assert revisions == set(range(1, team.formation.rounds + 1))
    assert {round for stage, round in seen if stage == "draft"} <= {0}
    one = AgentTeam.debate(members, 0, model=saying(dict.fromkeys(members, "7")))
    assert (await one.run("Which?")).usage.calls == 3, "no rounds are a vote"


# -- 2 -------------------------------------------------------------------------------------------------------------


async def test_trap_2_an_answer_that_cannot_be_read_counts_as_right() -> None:
    """Teams whose answers cannot be read are worth nothing, whatever is right; signs and commas are kept."""
    names = ["a", "b"]
    mumbling = saying(dict.fromkeys(names, "I don't know"))
    unreadable: dict[str, Comparable] = {**counting(names, mumbling)}
    items = TaskSet("items", tuple(TaskItem(id=gold, question=f"Which? ({gold})", gold=gold) for gold in ("7", "No")))
    found = await compare(unreadable, items, baselines=False)
    assert len(found.attempts) == 2 * len(unreadable)
    assert {attempt.score for attempt in found.attempts} == {0.0}

    said = {"-18": "-18", "18": "18", "1,234": "1234", "1.234": "1.234"}
    for answer, gold in said.items():
        right = TaskSet("numbers", (TaskItem(id="n", question="How many?", gold=gold),))
        wrong = TaskSet("numbers", tuple(TaskItem(id=other, question="How many?", gold=other)
                                         for other in said.values() if other != gold))  # fmt: skip
        teams: dict[str, Comparable] = {**counting(names, saying(dict.fromkeys(names, answer)))}
        assert {each.score for each in (await compare(teams, right, baselines=False)).attempts} == {1.0}, answer
        assert {each.score for each in (await compare(teams, wrong, baselines=False)).attempts} == {0.0}, answer


# -- 3 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", counting(["a", "b"], None))
async def test_trap_3_ties_are_broken_each_in_its_own_way(kind: str) -> None:
    """A tie is told in every formation alike; a lot or the earliest breaks it where the rule says so, which is told."""
    model = saying({"a": "y", "b": "x"})
    told = await counting(["a", "b"], model)[kind].run("Which?")
    assert told.decision is not None
    assert (told.status, told.decision.status, set(told.decision.tied)) == ("undecided", "tie", {"x", "y"})
    assert told.strip(), "a tie is no empty answer"
    first = await counting(["a", "b"], model, Plurality(tie_break=("earliest",)))[kind].run("Which?")
    assert first.decision is not None
    assert (first.decision.winner, first.decision.tie_break) == ("y", "earliest")
    drawn = set()
    for seed in range(10):
        lot = counting(["a", "b"], model, Plurality(tie_break=("random",)))[kind]
        one, other = (await lot.run("Which?", seed=seed)).decision, (await lot.run("Which?", seed=seed)).decision
        assert one is not None
        assert (one.tie_break, one.seed) == ("random", seed)
        assert one == other
        drawn.add(one.winner)
    assert drawn == {"x", "y"}


# -- 4 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("order", "leaks"), [("sync", False), ("sequential", True)])
async def test_trap_4_members_see_answers_of_the_round_that_is_going_on(order: Any, leaks: bool) -> None:
    """Only where speaking in turn was asked for; else every revision starts from the round before, however slow."""
    for slow in "abc":
        seen: list[bool] = []

        async def answer(request: Request, slow: str = slow, seen: list[bool] = seen) -> str:
            about = request.about
            await anyio.sleep(9 if about.member == slow else 1)
            if about.round > 0:
                prompt = request.messages[-1].content
                seen.append(f"round {about.round}." in prompt)
                assert f"round {about.round - 1}." in prompt
            return f"{about.member} in round {about.round}.\nAnswer: {about.member}{about.round}"

        team = AgentTeam.debate(list("abc"), 2, order=order, stop="never", model=FunctionModel(answer))
        await team.run("Which?")
        assert any(seen) is leaks
        assert len(seen) == 6


# -- 5 -------------------------------------------------------------------------------------------------------------


async def test_trap_5_a_shuffled_place_is_taken_for_a_member() -> None:
    """Whoever is rated best under a shuffled label goes on, in every order that the labels are shuffled into."""

    def rate(request: Request) -> dict[str, object]:
        about = request.about
        shown = re.findall(r'from="(Response \w)">\n(.*?)\n</data', request.messages[-1].content, re.DOTALL)
        ratings = [{"label": label, "rating": 5 if re.search(r"\b[BD]\b", text) else 1} for label, text in shown]
        return {"answer": about.member.upper(), "reasoning": "So.", "ratings": ratings}

    replies: dict[tuple[str, str], Any] = {(name, "draft"): f"So.\nAnswer: {name.upper()}" for name in "abcd"}
    replies |= {(name, "revise"): rate for name in "abcd"}
    labels = set()
    for seed in range(8):
        model = Recording(replies)
        team = AgentTeam.debate(
            list("abcd"), 2, topology="full", rate=True, keep=2, keep_from=2, stop="never", model=model
        )
        await team.run("Which?", seed=seed)
        assert sorted(name for name, stage, round in model.stages() if (stage, round) == ("revise", 2)) == ["b", "d"]
        shown = re.findall(r'from="(Response \w)">\n(.*?)\n</data', model.sent("a", "revise", 1), re.DOTALL)
        labels |= {label for label, text in shown if re.search(r"\bB\b", text)}
    assert len(labels) > 1, "the labels were shuffled"


# -- 6 -------------------------------------------------------------------------------------------------------------


async def test_trap_6_a_third_view_is_lost_and_an_invalid_answer_made_up() -> None:
    """As published, with five members: each is shown all other answers, and who gives none is counted for none."""
    said = {"a": "A", "b": "A", "c": "B", "d": "C", "e": None}

    def reply(request: Request) -> str:
        answer = said[request.about.member]
        if answer is None:
            return "I would rather not say."
        return json.dumps({"reasoning": f"Because of {answer}.", "answer": answer, "confidence": 0.9})

    model = Recording({(name, stage): reply for name in said for stage in ("draft", "revise")})
    for seed in range(4):
        model.requests.clear()
        result = await AgentTeam.preset("reconcile", list(said), model=model, settings={"rounds": 1}).run(
            "Which?", seed=seed
        )
        assert {name: choice for name, choice in result.votes.items() if choice} == {
            name: choice for name, choice in said.items() if choice
        }
        for name in "abcd":
            prompt = model.sent(name, "revise")
            others = {answer for other, answer in said.items() if other != name and answer}
            assert all(f"Because of {answer}." in prompt for answer in others)


# -- 7 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", EXAMPLES)
async def test_trap_7_what_a_model_writes_is_run_as_a_program(kind: str, tmp_path: Path) -> None:
    """Neither as an answer, nor where a verdict, a plan or a bid is expected: nothing that it writes is evaluated."""
    trace = tmp_path / "evaluated"
    evil = f"__import__('pathlib').Path({str(trace)!r}).touch()"
    texts = (evil, f"{{'answer': {evil}, 'verdict': {evil}}}", f"Answer: {evil}", f"```python\n{evil}\n```")
    for text in texts:
        world = AnyModel()

        async def answer(request: Request, world: AnyModel = world, text: str = text) -> Any:
            # So that it gets past the first stage, every second asking is answered as it should be.
            said = await world.answer(request)
            return text if len(world.calls) % 2 else said

        with contextlib.suppress(TeamError):
            await EXAMPLES[kind](FunctionModel(answer)).run("Which?", seed=5)
        assert world.calls
        assert not trace.exists()


# -- 8 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", counting(["a", "b"], None))
async def test_trap_8_agreement_is_a_word_and_a_ballot_its_digits(kind: str) -> None:
    """Members agree when their answers do; "1, not 0" is never ten; and nobody is asked for a ballot ten times."""
    names = ["a", "b", "c"]
    agreeing = FunctionModel(lambda request: f"I agree, we all agree.\nAnswer: {names.index(request.about.member)}")
    apart = await counting(names, agreeing)[kind].run("Which?")
    assert apart.status == "undecided"
    disagreeing = FunctionModel(lambda _: "I disagree with everybody.\nAnswer: 4")
    assert (await counting(names, disagreeing)[kind].run("Which?")).status == "completed"
    digits = FunctionModel(lambda _: "I vote for 1, not 0")
    voted = await counting(names, digits)[kind].run("Which?")
    assert "10" not in set(voted.votes.values())
    assert voted.usage.calls == len({(each.member, each.stage, each.round) for each in voted.members}), "once each"
    assert voted.usage.calls <= 2 * len(names)


# -- 9 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", EXAMPLES)
async def test_trap_9_what_is_right_reaches_those_who_decide(kind: str) -> None:
    """The reference is in no prompt, and another one changes no word of the answer: only what it is worth."""
    said = []
    for gold in ("0", "1"):
        world, prompts = AnyModel(), list[str]()

        async def answer(request: Request, world: AnyModel = world, prompts: list[str] = prompts) -> Any:
            prompts.append("\n".join(message.content for message in request.messages))
            return await world.answer(request)

        hint = f"the reference is {gold}{gold}{gold}{gold}"
        items = TaskSet("one", (TaskItem(id="it", question="Which?", gold=gold, meta={"note": hint}),))
        team = EXAMPLES[kind](FunctionModel(answer, name="offline/anything"))
        found = await compare({"team": team}, items, baselines=False)
        assert not [prompt for prompt in prompts if hint in prompt]
        (attempt,) = found.attempts
        said.append((attempt.status, attempt.answer, sorted(prompts)))
    assert _unnamed(said[0]) == _unnamed(said[1])


def _unnamed(told: object) -> str:
    return re.sub(r'(data id=|/data id=)"\w+"', "data", repr(told))


# -- 10 ------------------------------------------------------------------------------------------------------------


async def warnings(team: AgentTeam) -> list[str]:
    seen: list[Any] = []
    result: TeamResult = await team.run("Which?", on_event=seen.append)
    assert result.status == "completed"
    return [event.text for event in seen if event.kind == "warning" and "one voter" in event.text]


@pytest.mark.parametrize("kind", counting(["a", "b"], None))
async def test_trap_10_copies_of_one_agent_at_temperature_0_count_as_many(kind: str) -> None:
    """The run says that they are one voter; not where role, model, instructions or temperature set them apart."""
    model, other = saying(dict.fromkeys("abc", "7")), FunctionModel(lambda _: "So I think.\nAnswer: 7")

    def agents(**second: Any) -> list[Any]:
        options: dict[str, Any] = {"role": "solver", "model": model, "temperature": 0.0}
        two = [Agent(**options, name="a"), Agent(**{**options, **second}, name="b")]
        return [*two, Agent("solver", name="c", model=model, temperature=0.7)]

    (said,) = await warnings(counting(agents(), None)[kind])
    assert "a and b are the same agent at temperature 0" in said
    for apart in ({"role": "critic"}, {"model": other}, {"instructions": "Doubt."}, {"temperature": 0.3}):
        assert await warnings(counting(agents(**apart), None)[kind]) == [], apart
    duty = {"role": Role(name="solver", duty="Solve it backwards.")}
    assert await warnings(counting(agents(**duty), None)[kind]) == []


async def test_trap_10_one_agent_that_is_sampled_again_is_one_voter() -> None:
    """Also where it is the only one at temperature 0 among several."""
    model = saying(dict.fromkeys("ab", "7"))
    cold, warm = Agent("solver", name="a", temperature=0.0), Agent("solver", name="b", temperature=0.7)
    assert len(await warnings(AgentTeam.vote([cold, warm], 3, early=False, model=model))) == 1
    assert await warnings(AgentTeam.vote([cold, warm], 2, early=False, model=model)) == []
    assert await warnings(AgentTeam.vote([warm, cold], 3, early=False, model=model)) == []
    same = [Agent("solver", name=name, model=saying({name: "7"}), temperature=0.0) for name in "ab"]
    assert await warnings(AgentTeam.vote(same, 2, early=False)) == [], "two models that look alike are still two"
    assert await warnings(AgentTeam.parallel([cold, Agent("solver", name="b", temperature=0.0)], model=model)) == [], (
        "where nothing is counted there are no voters"
    )
