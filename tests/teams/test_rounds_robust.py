"""Every way to debate: what it costs, whatever order replies come in, cut off anywhere, with a member gone wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Literal

import anyio
import pytest

from phalanx import Agent, AgentTeam, Limits
from phalanx.formations.rounds import View
from phalanx.formations.topology import custom, k_regular
from phalanx.messages import Request, estimate_tokens
from phalanx.runtime.log import MemoryLog
from phalanx.testing import FunctionModel
from tests.teams.any_team import AnyModel, filled
from tests.teams.test_every_formation import FAULTS, RUN, came_to, ended, facts

MOST = 600
FOUR = ("ada", "bob", "cy", "dan")


def agents(names: tuple[str, ...] = FOUR) -> list[Agent]:
    return [Agent("worker", name=name, max_tokens=MOST) for name in names]


def seat(name: str) -> Agent:
    return Agent("worker", name=name, max_tokens=MOST)


Build = Callable[[object], AgentTeam]
WAYS: dict[str, Build] = {
    "in a tree, remembering": lambda m: AgentTeam.debate(
        agents(), 3, topology="tree", memory="all", stop="never", model=m
    ),
    "three-regular": lambda m: AgentTeam.debate(agents(), 2, topology=k_regular(3), memory=2, stop="never", model=m),
    "custom": lambda m: AgentTeam.debate(
        agents(), 2, topology=custom({"ada": ["bob"], "bob": ["dan", "cy"]}), stop="never", model=m
    ),
    "a hub decides": lambda m: AgentTeam.debate(agents(), 2, topology="star", decide="hub", stop="never", model=m),
    "in turn": lambda m: AgentTeam.debate(agents(), 2, topology="full", order="sequential", stop="never", model=m),
    "opposed, moderated, judged": lambda m: AgentTeam.debate(
        agents(("ada", "bob")), 2, order="sequential", blind=False, stance="oppose", memory="all", moderator=seat("mo"),
        judge=seat("jude"), stop="judge_decides", evidence="all", model=m,
    ),
    "a panel of judges": lambda m: AgentTeam.debate(
        agents(), 1, judge=[seat("j1"), seat("j2"), seat("j3")], stop="never", model=m
    ),
    "answer and reason": lambda m: AgentTeam.debate(agents(), 2, view="answer_and_reason", stop="never", model=m),
    "summaries of one's own": lambda m: AgentTeam.debate(agents(), 2, view="summary", stop="never", model=m),
    "one summary": lambda m: AgentTeam.debate(
        agents(), 2, view="summary", summarizer=seat("sue"), stop="never", model=m
    ),
    "grouped, typed": lambda m: AgentTeam.debate(
        agents(), 2, view="grouped", confidence="typed", stop="never", model=m
    ),
    "confidence apart": lambda m: AgentTeam.debate(agents(), 1, confidence="separate", stop="never", model=m),
    "verified": lambda m: AgentTeam.debate(
        agents(), 2, update="verified_only", verifier=seat("vera"), stop="never", model=m
    ),
    "groups": lambda m: AgentTeam.debate(agents(), 3, groups=2, stop="never", model=m),
    "ranked": lambda m: AgentTeam.debate(
        agents(), 3, rate=True, keep=2, ranker=seat("rex"), topology="full", stop="never", model=m
    ),
    "a budget and counts": lambda m: AgentTeam.debate(
        agents(), 1, topology="full", view_tokens=300, show_counts=True, stop="never", model=m
    ),
    "consensus by messages": lambda m: AgentTeam.consensus(
        agents(), rounds=2, exchange="messages", topology="relay", stop="never", early=False, model=m
    ),
}  # fmt: skip


class Contrary:
    """Nobody agrees, nobody is sure, and every answer is as long as it may be."""

    def __init__(self) -> None:
        self.count = 0
        self.model = FunctionModel(self.answer, name="offline/contrary")

    def answer(self, request: Request) -> str:
        self.count += 1
        number = str(self.count)
        if request.output is None:
            return self._long("{}\nAnswer: " + number)
        if request.output.name == "Verdict":
            return self._long(json.dumps({"verdict": "undecided", "reason": "FILL"}).replace("FILL", "{}"))
        if request.output.name == "Check":
            return json.dumps({"accepted": False, "objection": number})
        schema = request.output.schema_
        made = filled(schema, schema.get("$defs", {}), number)  # type: ignore[arg-type]
        assert isinstance(made, dict)
        if "answer" in made:
            made |= {"answer": number, "reasoning": "FILL", **({"ratings": []} if "ratings" in made else {})}
            return self._long(json.dumps(made).replace("FILL", "{}"))
        return json.dumps(made)

    @staticmethod
    def _long(text: str) -> str:
        whole = text.replace("{}", "w" * (3 * MOST - len(text) + 2), 1)
        assert estimate_tokens(whole) == MOST
        return whole


@pytest.mark.parametrize("way", WAYS)
async def test_it_makes_the_calls_of_its_estimate_and_no_more_than_its_tokens(way: str) -> None:
    world = Contrary()
    team = WAYS[way](world.model)
    estimate = team.estimate("Which? " * 100)
    result = await team.run("Which? " * 100)
    assert result.usage.calls == estimate.calls == world.count
    assert result.usage.tokens <= estimate.tokens
    assert estimate.tokens <= 4 * result.usage.tokens, "the estimate is of no use"
    assert {asking.stage for asking in team.plan()} == {each.stage for each in result.members}


@pytest.mark.parametrize("way", WAYS)
async def test_the_order_in_which_replies_arrive_changes_nothing(way: str) -> None:
    whole = facts(await ended(WAYS[way](AnyModel().model)))
    for speed in range(1, 4):
        assert facts(await ended(WAYS[way](AnyModel(speed=speed).model))) == whole, f"with delays {speed}"


@pytest.mark.parametrize("way", WAYS)
async def test_cut_off_anywhere_it_goes_on_to_the_same_result_and_it_plays_back(way: str) -> None:
    log = MemoryLog()
    whole = facts(await ended(WAYS[way](AnyModel().model), log=log))
    records = [record for _, record in await log.read(f"run/{RUN}")]
    for cut in range(1, len(records), 7):
        part = MemoryLog()
        await part.append(f"run/{RUN}", records[:cut])
        assert facts(await came_to(WAYS[way](AnyModel(speed=3).model).resume(RUN, log=part))) == whole, f"cut {cut}"
    silent = AnyModel()
    assert facts(await came_to(WAYS[way](silent.model).replay(RUN, log=log))) == whole
    assert not silent.calls


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("way", WAYS)
async def test_whatever_one_member_does_the_end_is_defined(way: str, fault: str) -> None:
    # Somebody in a special seat, if there is one, or a member.
    names = [member.name for member in WAYS[way](AnyModel().model).members]
    unwell = names[0 if len(fault) % 2 else -1]
    result = await ended(WAYS[way](AnyModel(unwell=unwell, fault=FAULTS[fault]).model))
    assert result.status in ("completed", "undecided", "partial", "stopped", "failed")
    others = [outcome for outcome in result.members if outcome.member != unwell]
    assert all(outcome.ok or outcome.error for outcome in others)
    assert any(outcome.ok for outcome in others)


@pytest.mark.parametrize("way", WAYS)
async def test_a_member_that_never_answers_is_timed_out_with_its_round(way: str) -> None:
    class Silent(AnyModel):
        async def answer(self, request: Request) -> object:  # type: ignore[override]
            if request.about.member == "bob":
                await anyio.sleep_forever()
            return await super().answer(request)

    team = WAYS[way](Silent().model)
    formation = team.formation.model_copy(update={"deadline": 100.0})
    seats = {member.seat: member.who for member in team.members if member.seat}
    free = [member.who for member in team.members if not member.seat]
    again = AgentTeam(free, formation=formation, seats=seats, model=Silent().model)
    began = anyio.current_time()
    result = await ended(again)
    assert anyio.current_time() - began <= 100 * len(again.plan())
    assert not any(outcome.ok for outcome in result.members if outcome.member == "bob")
    assert any(outcome.ok for outcome in result.members)


@pytest.mark.parametrize("way", WAYS)
async def test_a_limit_on_calls_holds_and_the_best_answer_so_far_is_given(way: str) -> None:
    most = (await ended(WAYS[way](AnyModel().model))).usage.calls
    for calls in range(4, most, 3):
        result = await ended(WAYS[way](AnyModel().model), limits=Limits(calls=calls))
        assert result.usage.calls <= calls
        assert result.status == "stopped" or result.usage.calls < most
        assert result.content


@pytest.mark.parametrize("way", WAYS)
def test_it_goes_through_a_team_file(way: str) -> None:
    team = WAYS[way]("offline/simulated")
    again = AgentTeam.from_yaml(team.to_yaml())
    assert again.formation == team.formation
    assert hash(again.formation) == hash(team.formation)
    assert again.diagram() == team.diagram()
    assert [member.seat for member in again.members] == [member.seat for member in team.members]


@pytest.mark.parametrize("way", WAYS)
async def test_a_team_that_debates_so_can_be_a_member_of_another(way: str) -> None:
    world = AnyModel()
    inner = WAYS[way](None)
    outer = AgentTeam.pipeline(["first", inner, "last"], model=world.model, name="outer")
    result = await ended(outer)
    assert len(world.calls) <= outer.estimate("Which?").calls
    assert result.member("first").ok
    assert result.member("last").ok if result.status != "failed" else not result.member(inner.name).ok


VIEWS: list[tuple[View, Literal["sync", "sequential"]]] = [
    ("full", "sync"), ("answer", "sync"), ("answer_and_reason", "sync"), ("summary", "sync"), ("grouped", "sync"),
    ("full", "sequential"), ("answer", "sequential"), ("grouped", "sequential"),
]  # fmt: skip


@pytest.mark.parametrize(("view", "order"), VIEWS)
async def test_a_whole_team_can_take_part_in_a_debate(view: View, order: Literal["sync", "sequential"]) -> None:
    world = AnyModel()
    inner = AgentTeam.pipeline(["x", "y"], name="inner")
    team = AgentTeam.debate([inner, "bob", "cy"], 2, view=view, order=order, stop="never", model=world.model)
    result = await ended(team)
    assert result.usage.calls == len(world.calls) == team.estimate("Which?").calls
    assert {each.status for each in result.members} == {"ok"}
