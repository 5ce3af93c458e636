"""A nested team that came to no decision abstains in the vote around it: what it says of it is no answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

import pytest

from phalanx import Agent, AgentTeam, Limits, Task, TeamRun
from phalanx.formations.router import Router
from phalanx.formations.voting import Majority, Plurality
from phalanx.messages import Request
from phalanx.testing import FunctionModel

SAYS = {"ada": "cat", "bob": "dog", "cy": "eel", "dan": "fox", "eve": "dog"}


def model(said: Mapping[str, str] = SAYS) -> FunctionModel:
    def reply(request: Request) -> str:
        return f"Answer: {said[request.about.member]}"

    return FunctionModel(reply)


def torn(name: str, *members: str) -> AgentTeam:
    """A team whose members all say something else."""
    return AgentTeam.consensus(members, name=name, rounds=0)


OUTER: Mapping[str, Callable[..., AgentTeam]] = {
    "consensus": lambda members: AgentTeam.consensus(members, rounds=0, model=model(), rule=Plurality(tie_break=())),
    "consensus, several rounds": lambda members: AgentTeam.consensus(
        members, rounds=2, exchange="messages", model=model(), rule=Majority(tie_break=())
    ),
    "debate": lambda members: AgentTeam.debate(members, rounds=1, model=model()),
    "flat": lambda members: AgentTeam.flat(members, aggregation="majority_vote", model=model()),
    "flat, unseen": lambda members: AgentTeam.flat(
        members, shared_memory=False, aggregation=Plurality(tie_break=()), model=model()
    ),
    "parallel": lambda members: AgentTeam.parallel(members, aggregation="majority_vote", model=model()),
    "blackboard": lambda members: AgentTeam.blackboard(members, model=model()),
    "vote": lambda members: AgentTeam.vote(members, len(members), model=model()),
    "adaptive": lambda members: AgentTeam.adaptive(members, len(members), stop="esc(2)", model=model()),
}


@pytest.mark.parametrize("kind", OUTER)
async def test_two_torn_teams_do_not_outvote_the_one_member_that_answers(kind: str) -> None:
    members = [torn("first", "ada", "bob"), torn("second", "ada", "bob"), Agent("coder", name="cy")]
    result = await OUTER[kind](members).run("Which animal?")

    assert (result.status, "eel" in result) == ("completed", True)
    last = result.rounds[-1]
    assert last.choices == {"first": None, "second": None, "cy": "eel"}
    decision = last.decision
    assert decision is not None
    assert (decision.cast, decision.abstained, decision.eligible) == (1, 2, 3)
    assert decision.tally == {"eel": Fraction(1)}


@pytest.mark.parametrize("kind", OUTER)
async def test_where_all_teams_are_torn_nothing_is_decided(kind: str) -> None:
    members = [torn("first", "ada", "bob"), torn("second", "cy", "dan")]
    result = await OUTER[kind](members).run("Which animal?")

    assert result.status == "undecided"
    assert result.rounds[-1].choices == {"first": None, "second": None}
    assert result.decision is not None
    assert (result.decision.status, result.decision.winner, result.decision.tally) == ("no_quorum", None, {})


async def test_the_plurality_of_a_team_that_did_not_agree_is_not_its_answer() -> None:
    inner = torn("first", "ada", "bob", "eve", "cy")  # dog twice of four: not more than half
    members = [inner, Agent("coder", name="dan"), Agent("coder", name="ada")]
    team = AgentTeam.consensus(members, rounds=0, model=model(), rule=Plurality(tie_break=()))
    result = await team.run("Which animal?")

    assert result.members[0].text == "Answer: dog"
    assert result.rounds[-1].choices == {"first": None, "dan": "fox", "ada": "cat"}


async def test_a_team_that_decides_votes() -> None:
    same = FunctionModel(lambda _request: "Answer: dog")
    members = [torn("first", "ada", "bob"), torn("second", "cy", "dan")]
    result = await AgentTeam.consensus(members, rounds=0, model=same).run("Which animal?")

    assert result.status == "completed"
    assert result.rounds[-1].choices == {"first": "dog", "second": "dog"}


async def test_nobody_voting_in_words_for_no_decision_is_taken_for_a_torn_team() -> None:
    same = FunctionModel(lambda _request: "Answer: no decision")
    result = await AgentTeam.consensus(["ada", "bob"], rounds=0, model=same).run("What do we call it?")

    assert result.rounds[-1].choices == {"ada": "no decision", "bob": "no decision"}


# -- where a nested team's answer is the team's ----------------------------------------------------------------------


def routed(chosen: AgentTeam) -> AgentTeam:
    return AgentTeam([chosen, Agent("coder", name="eve")], formation=Router(choose=lambda _: "first"), model=model())


async def passed_on(run: TeamRun, task: Task) -> str:
    return await run.ask("first", run.text(task))


ONE_VOICE: Mapping[str, Callable[[AgentTeam], AgentTeam]] = {
    "router": routed,
    "handoff": lambda inner: AgentTeam.handoff([inner, "eve"], model=model()),
    "pipeline": lambda inner: AgentTeam.pipeline(["eve", inner], model=model()),
    "map_reduce": lambda inner: AgentTeam.map_reduce(["eve"], inner, split="lines", model=model()),
    "flat": lambda inner: AgentTeam.flat(["eve"], aggregator=inner, model=model()),
    "mixture": lambda inner: AgentTeam.mixture(["eve"], inner, 2, model=model()),
    "a function": lambda inner: AgentTeam([inner, "eve"], formation=passed_on, model=model()),
}


@pytest.mark.parametrize("kind", ONE_VOICE)
async def test_a_team_whose_answer_is_that_of_a_torn_team_is_as_undecided(kind: str) -> None:
    result = await ONE_VOICE[kind](torn("first", "ada", "bob")).run("Which animal?")
    assert (result.status, result.startswith("No decision")) == ("undecided", True)


@pytest.mark.parametrize("kind", ONE_VOICE)
async def test_a_team_whose_answer_is_that_of_a_team_that_was_cut_short_is_partial(kind: str) -> None:
    inner = AgentTeam.pipeline(["ada", "bob"], name="first", limits=Limits(calls=1))
    result = await ONE_VOICE[kind](inner).run("Which animal?")
    assert (result.status, result.content) == ("partial", "Answer: cat")


@pytest.mark.parametrize("kind", ONE_VOICE)
async def test_a_team_whose_answer_is_that_of_a_team_that_decided_is_completed(kind: str) -> None:
    result = await ONE_VOICE[kind](torn("first", "bob", "eve")).run("Which animal?")
    assert (result.status, result.content) == ("completed", "Answer: dog")
