"""A team's equivalence that asks outside: journaled, limited, awaited, asked once, in every formation that counts."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from fractions import Fraction
from typing import Any

import anyio
import pytest

from phalanx import Agent, AgentTeam, Limits
from phalanx.errors import ConfigurationError, TeamError, ValidationError
from phalanx.formations.voting import ByEmbedding, ByEntailment, Equivalence, Plurality, never
from phalanx.messages import Request
from phalanx.runtime.events import MemberFinished, StepFinished, Warned
from phalanx.runtime.log import MemoryLog
from phalanx.testing import FunctionModel
from tests.teams.any_team import AnyModel
from tests.teams.test_every_formation import FAULTS, RUN, came_to, ended, facts

SAYS = {"ada": "a cat", "bob": "some kind of feline", "cy": "a dog"}
SENSE = {"a cat": (1.0, 0.0), "some kind of feline": (0.99, 0.14), "a dog": (0.0, 1.0)}


class Embedding:
    """Embeds after a moment, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    async def __call__(self, texts: list[str]) -> list[tuple[float, float]]:
        self.asked.append(list(texts))
        await anyio.sleep(1)
        return [SENSE[text] for text in texts]


def model(said: Mapping[str, str] = SAYS) -> FunctionModel:
    def reply(request: Request) -> str:
        if request.about.stage == "contribute":
            return '{"text": "It has a tail."}'
        return f"Answer: {said[request.about.member]}"

    return FunctionModel(reply)


TEAMS: Mapping[str, Callable[[Equivalence], AgentTeam]] = {
    "vote": lambda how: AgentTeam.vote(list(SAYS), equivalence=how, samples=3, model=model()),
    "consensus": lambda how: AgentTeam.consensus(list(SAYS), equivalence=how, rounds=0, model=model()),
    "debate": lambda how: AgentTeam.debate(list(SAYS), equivalence=how, rounds=0, model=model()),
    "adaptive": lambda how: AgentTeam.adaptive(list(SAYS), equivalence=how, model=model()),
    "blackboard": lambda how: AgentTeam.blackboard(list(SAYS), equivalence=how, model=model()),
}


@pytest.mark.parametrize("kind", TEAMS)
async def test_answers_in_other_words_are_counted_together_where_an_async_embedding_says_so(kind: str) -> None:
    embedding = Embedding()
    result = await TEAMS[kind](Equivalence(relation=ByEmbedding(embedding))).run("Which animal?")

    assert result.status == "completed"
    decision = result.rounds[-1].decision
    assert decision is not None
    assert decision.winner == "a cat"
    assert dict(decision.tally) == {"a cat": Fraction(2), "a dog": Fraction(1)}
    asked = [text for texts in embedding.asked for text in texts]
    assert len(asked) == len({*asked}) <= 3, "a text is embedded once"


@pytest.mark.parametrize("kind", ["vote", "consensus", "debate"])
async def test_all_answers_of_a_round_are_embedded_in_one_call(kind: str) -> None:
    embedding = Embedding()
    await TEAMS[kind](Equivalence(relation=ByEmbedding(embedding))).run("Which animal?")

    assert embedding.asked == [["a cat", "a dog", "some kind of feline"]]


async def test_a_function_that_is_not_async_will_do() -> None:
    calls: list[list[str]] = []

    def embed(texts: list[str]) -> list[tuple[float, float]]:
        calls.append(texts)
        return [SENSE[text] for text in texts]

    result = await TEAMS["consensus"](Equivalence(relation=ByEmbedding(embed))).run("Which animal?")
    assert (result.status, len(calls)) == ("completed", 1)


async def test_later_rounds_ask_about_what_is_new_alone() -> None:
    embedding = Embedding()

    def reply(request: Request) -> str:
        if request.about.round and request.about.member == "cy":
            return "Answer: some kind of feline"
        return f"Answer: {SAYS[request.about.member]}"

    team = AgentTeam.debate(
        list(SAYS), rounds=1, equivalence=Equivalence(relation=ByEmbedding(embedding)), model=FunctionModel(reply)
    )
    result = await team.run("Which animal?")
    assert [set(each.choices.values()) for each in result.rounds] == [{"a cat", "a dog"}, {"some kind of feline"}]
    assert len(embedding.asked) == 1


async def test_a_text_that_is_new_in_a_later_round_is_embedded_alone() -> None:
    embedding = Embedding()

    def reply(request: Request) -> str:
        if request.about.member == "cy":
            return "Answer: some kind of feline" if request.about.round else "Answer: a dog"
        return "Answer: a cat"

    team = AgentTeam.debate(
        list(SAYS), rounds=1, trigger="always", stop=never(), equivalence=Equivalence(relation=ByEmbedding(embedding)),
        model=FunctionModel(reply),
    )  # fmt: skip
    result = await team.run("Which animal?")
    assert [set(each.choices.values()) for each in result.rounds] == [{"a cat", "a dog"}, {"a cat"}]
    assert embedding.asked == [["a cat", "a dog"], ["some kind of feline"]]


async def test_nothing_is_embedded_while_all_say_the_same() -> None:
    embedding = Embedding()

    def reply(request: Request) -> str:
        return "Answer: a dog" if request.about.round == 1 and request.about.member == "cy" else "Answer: a cat"

    team = AgentTeam.debate(
        list(SAYS), rounds=2, trigger="always", stop="never", model=FunctionModel(reply),
        equivalence=Equivalence(relation=ByEmbedding(embedding)),
    )  # fmt: skip
    await team.run("Which animal?")
    assert embedding.asked == [["a cat", "a dog"]]


async def test_two_runs_at_once_know_nothing_of_each_other() -> None:
    embedding = Embedding()
    team = TEAMS["consensus"](Equivalence(relation=ByEmbedding(embedding)))
    async with anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(team.run, "Which animal?")
    assert embedding.asked == [["a cat", "a dog", "some kind of feline"]] * 2


# -- the journal ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", TEAMS)
async def test_a_run_that_goes_on_or_is_played_back_does_not_ask_again(kind: str) -> None:
    embedding, log = Embedding(), MemoryLog()
    team = TEAMS[kind](Equivalence(relation=ByEmbedding(embedding)))
    first = await team.run("Which animal?", run_id="r", log=log)
    asked = list(embedding.asked)
    again = [await team.replay("r", log=log), await team.resume("r", log=log)]

    assert embedding.asked == asked
    for each in again:
        assert (each.content, each.status) == (first.content, first.status)
        assert [one.choices for one in each.rounds] == [one.choices for one in first.rounds]


async def test_a_judges_verdicts_are_played_back_too() -> None:
    asked: list[tuple[str, str]] = []

    async def judge(one: str, other: str) -> bool:
        asked.append((one, other))
        await anyio.sleep(len(asked) % 3)
        return "dog" not in one + other

    log = MemoryLog()
    team = TEAMS["consensus"](Equivalence(relation=ByEntailment(judge)))
    first = await team.run("Which animal?", run_id="r", log=log)
    assert first.rounds[0].choices == {"ada": "a cat", "bob": "a cat", "cy": "a dog"}
    assert sorted(asked) == sorted(
        [("a cat", "a dog"), ("a cat", "some kind of feline"), ("a dog", "some kind of feline"),
         ("some kind of feline", "a cat")]
    )  # fmt: skip
    asked.clear()
    assert (await team.replay("r", log=log)).rounds[0].choices == first.rounds[0].choices
    assert asked == []


async def test_the_asking_is_seen_in_the_stream_of_events() -> None:
    embedding = Embedding()
    async with TEAMS["consensus"](Equivalence(relation=ByEmbedding(embedding))).stream("Which animal?") as events:
        steps = [event async for event in events if isinstance(event, StepFinished) and event.step == "tool"]
    assert [(step.name, step.status, step.path[-1]) for step in steps] == [("embed", "ok", "compare")]


# -- a judge that is an agent --------------------------------------------------------------------------------------


def judging(verdict: Callable[[str], bool]) -> FunctionModel:
    def reply(request: Request) -> str:
        if request.about.stage != "compare":
            return f"Answer: {SAYS[request.about.member]}"
        return f'{{"follows": {str(verdict(request.messages[-1].content)).lower()}}}'

    return FunctionModel(reply)


async def test_an_agent_may_judge_and_is_told_the_task_and_both_answers_as_data() -> None:
    told: list[str] = []

    def verdict(prompt: str) -> bool:
        told.append(prompt)
        return "a dog" not in prompt

    how = Equivalence(relation=ByEntailment(Agent("judge", name="jo")))
    team = AgentTeam.consensus(list(SAYS), rounds=0, equivalence=how, model=judging(verdict))
    result = await team.run("Which animal is it?")

    assert result.rounds[0].choices == {"ada": "a cat", "bob": "a cat", "cy": "a dog"}
    assert (len(told), result.usage.calls) == (4, 7)
    for prompt in told:
        assert "Which animal is it?" in prompt
        assert prompt.count("<data id=") == 2
    assert [each.member for each in result.members] == list(SAYS)


async def test_how_an_agent_is_asked_to_judge_is_a_prompt_slot() -> None:
    told: list[str] = []

    def verdict(prompt: str) -> bool:
        told.append(prompt)
        return False

    how = Equivalence(relation=ByEntailment(Agent("judge", name="jo")))
    mine = {"entails": "Same animal? {answers}"}
    await AgentTeam.vote(list(SAYS), samples=3, equivalence=how, model=judging(verdict), prompts=mine).run("Which?")

    assert {prompt.partition("<")[0] for prompt in told} == {"Same animal? "}


async def test_what_a_judging_agent_costs_is_limited_and_the_answers_so_far_are_counted_as_they_are() -> None:
    how = Equivalence(relation=ByEntailment(Agent("judge", name="jo")))
    team = AgentTeam.vote(list(SAYS), samples=3, equivalence=how, model=judging(lambda _: True))
    async with team.stream("Which animal?", limits=Limits(calls=4)) as events:
        said = [event.text async for event in events if isinstance(event, Warned)]
    result = events.result

    assert (result.status, result.usage.calls) == ("stopped", 4)
    assert result.decision is not None
    assert len(result.decision.tally) == 3
    assert said == ["answers that were not compared yet count as different from all others"]


async def test_two_answers_that_a_judging_agent_cannot_compare_differ_and_the_run_says_so() -> None:
    def reply(request: Request) -> str:
        if request.about.stage == "compare":
            raise RuntimeError("down")
        return f"Answer: {SAYS[request.about.member]}"

    how = Equivalence(relation=ByEntailment(Agent("judge", name="ada")))
    team = AgentTeam.consensus(list(SAYS), rounds=0, equivalence=how, model=FunctionModel(reply))
    async with team.stream("Which animal?") as events:
        seen = [event async for event in events]
    assert len({*events.result.rounds[0].choices.values()}) == 3
    assert sum(isinstance(each, Warned) and "could not compare two answers" in each.text for each in seen) == 3
    # A judge called as a member is another.
    assert {each.member for each in seen if isinstance(each, MemberFinished)} == {*SAYS, "ada (compare)"}


class Keyless(FunctionModel):
    """A model with connections of its own, and no key."""

    is_closed = False

    def check(self) -> None:
        raise ConfigurationError("there is no key")

    async def aclose(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize("through", ["the judge alone", "an embedding"])
async def test_a_judging_agents_model_is_looked_at_before_anything_is_spent_and_closed_with_the_team(
    through: str,
) -> None:
    mind = Keyless(lambda _: '{"follows": true}')
    judge = ByEntailment(Agent("judge", name="jo", model=mind))
    step = judge if through == "the judge alone" else ByEmbedding(Embedding(), unsure=0.1, judge=judge)
    members = AnyModel()
    async with AgentTeam.consensus(list(SAYS), equivalence=Equivalence(relation=step), model=members.model) as team:
        with pytest.raises(ConfigurationError, match="there is no key"):
            await team.run("Which animal?")
    assert (members.calls, mind.is_closed) == ([], True)


# -- what goes wrong -----------------------------------------------------------------------------------------------


async def breaks(_texts: list[str]) -> list[list[float]]:
    raise RuntimeError("no such model")


async def too_few(_texts: list[str]) -> list[list[float]]:
    return [[1.0]]


async def leaks(_texts: list[str]) -> list[list[float]]:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("embed", "complaint"), [(breaks, "no such model"), (too_few, "gave 1 vectors for 3 texts"), (leaks, "cancelled")]
)
async def test_an_embedding_that_fails_ends_the_run_with_what_the_members_said(
    embed: Callable[[list[str]], Awaitable[list[list[float]]]], complaint: str, anyio_backend_name: str
) -> None:
    if embed is leaks and anyio_backend_name != "asyncio":
        pytest.skip("under trio nobody can raise a cancellation")
    team = TEAMS["consensus"](Equivalence(relation=ByEmbedding(embed)))
    with pytest.raises(TeamError, match=complaint) as caught:
        await team.run("Which animal?")
    assert [each.text for each in caught.value.result.members] == [f"Answer: {each}" for each in SAYS.values()]  # type: ignore[attr-defined]


async def test_a_run_that_is_cancelled_while_it_compares_is_cancelled() -> None:
    async def embed(_texts: list[str]) -> list[list[float]]:
        await anyio.sleep_forever()
        raise AssertionError

    with anyio.move_on_after(5) as scope:
        await TEAMS["consensus"](Equivalence(relation=ByEmbedding(embed))).run("Which animal?")
    assert scope.cancelled_caught


async def test_nothing_is_cut_short_before_it_was_compared() -> None:
    # Three of five decide, but what the others say might turn out to be the same: all are waited for, and counted.
    said = {"ada": "a dog", "bob": "a dog", "cy": "a dog", "dan": "a cat", "eve": "some kind of feline"}

    async def reply(request: Request) -> str:
        await anyio.sleep(list(said).index(request.about.member))
        return f"Answer: {said[request.about.member]}"

    team = AgentTeam.consensus(
        list(said), rounds=0, rule=Plurality(tie_break=()), model=FunctionModel(reply),
        equivalence=Equivalence(relation=ByEmbedding(Embedding())),
    )  # fmt: skip
    result = await team.run("Which animal?")
    assert result.decision is not None
    assert dict(result.decision.tally) == {"a dog": Fraction(3), "a cat": Fraction(2)}


async def test_the_same_seed_gives_the_same_classes_whatever_order_answers_arrive_in() -> None:
    async def played(order: tuple[str, ...]) -> object:
        async def reply(request: Request) -> str:
            await anyio.sleep(order.index(request.about.member))
            return f"Answer: {SAYS[request.about.member]}"

        how = Equivalence(relation=ByEmbedding(Embedding()))
        team = AgentTeam.consensus(list(SAYS), rounds=0, equivalence=how, model=FunctionModel(reply))
        result = await team.run("Which animal?")
        return result.content, result.rounds[0].choices

    assert (
        await played(("ada", "bob", "cy")) == await played(("cy", "bob", "ada")) == await played(("bob", "cy", "ada"))
    )


# -- with whatever members say ---------------------------------------------------------------------------------------


async def by_hash(texts: list[str]) -> list[list[float]]:
    """Vectors that are the same for the same text, and mean nothing."""
    await anyio.sleep(1)
    return [[1.0 + each for each in hashlib.sha256(text.encode()).digest()[:3]] for text in texts]


def equivalence(world: Any) -> Equivalence:
    judge = ByEntailment(Agent("judge", name="jo", model=world))
    return Equivalence(kind="text", relation=ByEmbedding(by_hash, threshold=0.99, unsure=0.2, judge=judge))


ANY: Mapping[str, Callable[[object], AgentTeam]] = {
    "vote": lambda world: AgentTeam.vote(
        ["ada", "bob", "cy"], 9, stop="esc(3)", equivalence=equivalence(world), model=world
    ),
    "consensus": lambda world: AgentTeam.consensus(
        ["ada", "bob", "cy", "dan", "eve"], 5, rounds=2, equivalence=equivalence(world), model=world
    ),
    "debate": lambda world: AgentTeam.debate(
        ["ada", "bob", "cy"], 2, trigger="always", judge="jude", equivalence=equivalence(world), model=world
    ),
    "market": lambda world: AgentTeam.market(["ada", "bob"], winners=2, equivalence=equivalence(world), model=world),
    "a team in a team": lambda world: AgentTeam.consensus(
        [AgentTeam.vote(["x", "y"], 2, equivalence=equivalence(world), name="in", model=world), "bob"],
        rounds=1, equivalence=equivalence(world), model=world,
    ),
}  # fmt: skip


async def came(team: AgentTeam, **options: Any) -> object:
    return facts(await ended(team, **options))


@pytest.mark.parametrize("kind", ANY)
async def test_cut_off_after_any_event_it_goes_on_to_the_same_result(kind: str) -> None:
    log = MemoryLog()
    whole = await came(ANY[kind](AnyModel().model), log=log)
    records = [record for _, record in await log.read(f"run/{RUN}")]
    assert any(isinstance(each, StepFinished) and each.name == "embed" for each in records)
    for cut in range(1, len(records)):
        part = MemoryLog()
        await part.append(f"run/{RUN}", records[:cut])
        again = await came_to(ANY[kind](AnyModel(speed=3).model).resume(RUN, log=part))
        assert facts(again) == whole, f"cut after {cut} of {len(records)} events"


@pytest.mark.parametrize("kind", ANY)
async def test_a_limit_on_calls_holds_over_members_and_judge(kind: str) -> None:
    world = AnyModel()
    await ended(ANY[kind](world.model))
    for calls in range(1, len(world.calls)):
        limited = AnyModel()
        result = await ended(ANY[kind](limited.model), limits=Limits(calls=calls))
        assert len(limited.calls) == result.usage.calls <= calls


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", ANY)
async def test_whatever_the_judge_or_a_member_does_the_end_is_defined(kind: str, fault: str) -> None:
    for unwell in ("jo", "ada", "bob"):
        world = AnyModel(unwell=unwell, fault=FAULTS[fault])
        result = await ended(ANY[kind](world.model))
        assert result.status in ("completed", "undecided", "partial", "stopped", "failed")
        assert all(each.ok or each.error for each in result.members)


@pytest.mark.parametrize("relation", [ByEmbedding(by_hash), ByEntailment(str.__eq__)])
def test_a_step_is_code_which_a_file_does_not_hold(relation: ByEmbedding | ByEntailment) -> None:
    team = AgentTeam.consensus(["ada", "bob"], equivalence=Equivalence(relation=relation))
    with pytest.raises(ValidationError, match="code in equivalence"):
        team.to_yaml()
