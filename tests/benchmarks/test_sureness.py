"""Confidences in a summary: against closed forms, through the suite, and absent where nobody states any."""

from __future__ import annotations

import re
from typing import Any

import pytest

from phalanx import Agent, AgentTeam
from phalanx.agents.models.offline import FunctionModel
from phalanx.benchmarks import html, markdown, summary
from phalanx.benchmarks.compare import compare
from phalanx.benchmarks.made_up import simulated_answers
from phalanx.benchmarks.recorded import Recorded
from phalanx.benchmarks.recordings import RecordedAnswer
from phalanx.benchmarks.sureness import sentences
from phalanx.benchmarks.tasks import TaskItem, TaskSet
from phalanx.messages import Completion, Data, Request, Usage
from phalanx.testing import SimulatedModel


def items(n: int) -> TaskSet:
    return TaskSet.of("items", [TaskItem(id=f"q{at}", question=f"Which one? ({at})", gold="A") for at in range(n)])


async def test_shares_of_votes_are_calibrated_as_their_counts_say() -> None:
    # 1,000 votes of three who are right with 0.7, in exactly the expected numbers.
    patterns = {"AAA": 343, "AAB": 441, "ABB": 189, "BBB": 27}
    votes = [said for said, many in patterns.items() for _ in range(many)]
    record = Recorded({f"q{at}": list(said) for at, said in enumerate(votes)})
    found = summary.of(await compare({"vote": record}, items(1000), baselines=False))
    (sure,) = found.sureness
    assert sure.stated is None
    assert sure.votes is not None
    # Unanimous: sure 1, right 343 of 370. Two of three: sure 2/3, right 441 of 630.
    assert sure.votes.n == 1000
    assert sure.votes.brier.value == pytest.approx(0.027 + 0.441 / 9 + 0.189 * 4 / 9)
    assert sure.votes.error == pytest.approx(0.37 * (1 - 343 / 370) + 0.63 * abs(2 / 3 - 0.7))
    assert sure.votes.overconfidence == pytest.approx(0.37 + 0.63 * 2 / 3 - 0.784)


async def test_stated_confidences_are_those_of_members_and_their_own_answers() -> None:
    said = [("A", 0.9), ("B", 0.6), (None, 0.5), ("A", None)]
    answers = [
        RecordedAnswer(f"q{at}", f"m{seat}", text, 0, 0, None, sure)
        for at in range(2)
        for seat, (text, sure) in enumerate(said)
    ]
    found = summary.of(await compare({"vote": Recorded(answers)}, items(2), baselines=False))
    (sure,) = found.sureness
    assert sure.stated is not None
    # Who abstains, and who does not say how sure it is, is no pair.
    assert sure.stated.n == 4
    assert sure.stated.brier.value == pytest.approx((0.1**2 + 0.6**2) / 2)
    assert sure.stated.brier.clusters == 2


@pytest.mark.parametrize("kind", ["calibrated", "inflated"])
async def test_simulated_members_state_what_they_are_known_to_state(kind: Any) -> None:
    skill, tasks = 0.6, items(400)
    model = SimulatedModel(skill, confidence=kind, answers=simulated_answers(tasks), seed=3)
    members = [Agent("debater", name=name) for name in ("ada", "bob", "cy")]
    team = AgentTeam.debate(members, rounds=0, confidence="typed", model=model)
    found = summary.of(await compare({"debate": team}, tasks, baselines=False))
    (sure,) = found.sureness
    stated = sure.stated
    assert stated is not None
    assert stated.n == 1200
    # q ~ Beta(4 skill, 4 (1 - skill)), and an answer given with q is right in a share q; inflated, a third of the doubt
    # is stated. With u = 1 - q: E[u] = 1 - skill, E[u²] = E[u]² + skill (1 - skill) / 5.
    doubt = 1 - skill
    square = doubt**2 + skill * doubt / 5
    if kind == "calibrated":
        brier, over = doubt - square, 0.0
    else:
        brier, over = doubt - 5 * square / 9, doubt * 2 / 3
    assert stated.brier.low is not None
    assert stated.brier.high is not None
    assert stated.brier.low < brier < stated.brier.high
    assert stated.overconfidence == pytest.approx(over, abs=3 * (skill * doubt / 1200) ** 0.5)
    if kind == "calibrated":
        assert stated.error < 3 * stated.by_chance
    else:
        assert stated.error == pytest.approx(over, abs=0.05)
    words = " ".join(sentences(sure))
    assert ("points too sure" in words) or kind == "calibrated"


class Guess(Data):
    """An answer, and how sure of it."""

    answer: str
    confidence: float


def replying(**by_stage: str) -> FunctionModel:
    def reply(request: Request) -> Completion:
        return Completion(text=by_stage[request.about.stage], usage=Usage(1, 10, 5))

    return FunctionModel(reply)


async def test_an_answer_of_a_type_with_a_confidence_states_it() -> None:
    model = replying(run='{"answer": "A", "confidence": 0.8}')
    agent = Agent("solver", name="ada", model=model, output=Guess)
    found = await compare({"agent": agent}, items(2), scorer="regex", baselines=False)
    assert [each.confidence for each in found.attempts] == [0.8, 0.8]
    (sure,) = summary.of(found).sureness
    assert sure.stated is not None
    assert sure.stated.brier.value == pytest.approx(0.04)
    assert sure.votes is None


async def test_a_bid_and_a_routers_choice_are_stated_confidences() -> None:
    bidder = replying(bid='{"confidence": 0.7, "cost": 0.1}', work="Answer: A")
    other = replying(bid='{"confidence": 0.2, "cost": 0.1}')
    market = AgentTeam.market([Agent("solver", name="ada", model=bidder), Agent("solver", name="bob", model=other)])
    routing = replying(route='{"routes": [{"member": "bob", "confidence": 0.4}]}')
    solver = replying(work="Answer: B", draft="Answer: B", route="Answer: B")
    router = AgentTeam.router(
        Agent("router", name="lee", model=routing),
        [Agent("solver", name=name, model=solver) for name in ("bob", "cy")],
    )
    found = await compare({"market": market, "router": router}, items(2), baselines=False)
    assert {(each.system, each.confidence) for each in found.attempts} == {("market", 0.7), ("router", 0.4)}
    briers = {each.system: each.stated and each.stated.brier.value for each in summary.of(found).sureness}
    assert briers == {"market": pytest.approx(0.09), "router": pytest.approx(0.16)}


async def test_where_nobody_says_how_sure_it_is_there_is_no_row() -> None:
    silent = Agent("solver", name="ada", model=replying(run="Answer: A"))
    comparison = await compare({"silent": silent}, items(3), baselines=False)
    found = summary.of(comparison)
    assert found.sureness == ()
    for report in (str(found), markdown.of(found), html.page(comparison)):
        assert "How sure" not in report


async def test_every_report_says_how_sure_and_how_right() -> None:
    record = Recorded({"q0": ["A", "A", "B"], "q1": ["B", "B", "A"]})
    comparison = await compare({"vote": record}, items(2), baselines=False)
    found = summary.of(comparison)
    wanted = (
        "vote: the answers had 66.7% of the votes on average, and 50.0% were right, 16.7 points too sure. ECE 0.167"
    )
    for report in (str(found), markdown.of(found), html.page(comparison)):
        assert "How sure, and how right" in report
        assert wanted in re.sub(r"\s+", " ", report.replace("\\", ""))
