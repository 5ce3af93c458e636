"""Seven defects of a laboratory for debate and consensus, each with a test that it is not ours.

They were found by reading and running another project's protocols. Most go through whole teams; what the rules alone
must not do is in test_defects.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import pytest

from phalanx import Agent, AgentTeam, ConfigurationError, compare
from phalanx.benchmarks.tasks import TaskItem, TaskSet
from phalanx.errors import ProviderUnavailable
from phalanx.formations.voting import Borda, Copeland, Equivalence, InstantRunoff, RankedPairs, Schulze
from phalanx.messages import Request
from phalanx.testing import FunctionModel
from tests.recording import Recording


@pytest.mark.parametrize("members", [2, 3, 4])
async def test_defect_1_agreement_is_inferred_from_carried_over_texts(members: int) -> None:
    """Members that give the same text are in agreement at once; and one of two who has spoken is no majority."""
    names = list("abcd"[:members])
    same = FunctionModel(lambda _: "The solution is as before.\nAnswer: 42")
    for kept in (1, "all"):
        team = AgentTeam.debate(names, 3, memory=kept, stop="unanimous", model=same)
        assert (await team.run("Which?")).usage.calls == members
    result = await AgentTeam.consensus(names, members, early=False, model=same).run("Which?")
    assert (result.status, result.usage.calls) == ("completed", members)

    spoken: list[str] = []

    async def in_turn(request: Request) -> str:
        about = request.about
        await anyio.sleep(10 * (names.index(about.member) + 1))
        spoken.append(about.member)
        return f"Answer: {about.member if about.round == 0 else '42'}"

    late = await AgentTeam.consensus(names, rounds=1, model=FunctionModel(in_turn)).run("Which?")
    assert spoken[:members] == names, "a first message decides nothing: all drafts are waited for"
    assert late.rounds[0].decision is not None
    assert late.rounds[0].decision.status != "decided"
    assert late.decision is not None
    assert late.decision.winner == "42"


def test_defect_2_a_ballot_is_the_digits_of_its_text_and_a_ranking_may_repeat() -> None:
    """The text "1, not 0" is one, "10" is ten; and a ranking that names somebody twice outweighs nobody."""
    numbers = Equivalence(kind="number")
    assert numbers.read("I vote for 1, not 0") == "1"
    assert numbers.read("I vote for 10") == "10"
    assert numbers.read("My vote is 2 (not 1 or 3).") in (None, "2")
    assert numbers.read("Solutions 1 and 2 are equal") is None
    padded = [["0", "0", "0"], ["1", "2", "0"], ["1", "2", "0"]]
    for rule in (Borda, InstantRunoff, Copeland, Schulze, RankedPairs):
        kept = rule(on_invalid="abstain").decide(padded)
        assert (kept.winner, kept.cast, kept.abstained) == ("1", 2, 1), rule
        with pytest.raises(ValueError, match="more than once"):
            rule().decide(padded)


@pytest.mark.parametrize("rounds", [0, 1, 2])
async def test_defect_3_a_tie_is_an_empty_answer_or_an_unseeded_lot(rounds: int) -> None:
    """After the last turn too a tie is told by name; a lot, where it was asked for, comes from the seed of the run."""
    model = FunctionModel(lambda request: f"So.\nAnswer: {'xy'['ab'.index(request.about.member)]}")
    for team in (
        AgentTeam.debate(["a", "b"], rounds, model=model),
        AgentTeam.consensus(["a", "b"], rounds=rounds, model=model),
        AgentTeam.preset("aad", ["a", "b"], settings={"rounds": max(2, rounds)}, model=model),
    ):
        result = await team.run("Which?")
        assert result.status == "undecided"
        assert result.strip()
        assert result.decision is not None
        assert (result.decision.winner, result.decision.leaders) == (None, ("x", "y"))
    lot = AgentTeam.preset("vote_not_debate", ["a", "b"], settings={"rounds": rounds}, model=model)
    winners = set()
    for seed in range(8):
        drawn, again = [(await lot.run("Which?", seed=seed)).decision for _ in range(2)]
        assert drawn is not None
        assert drawn == again, "one seed, one lot"
        winners.add(drawn.winner)
    assert winners == {"x", "y"}


async def test_defect_4_a_debater_is_the_judge_and_one_order_is_enough() -> None:
    """The judge is somebody else, and what it says must hold in both orders of the candidates."""
    with pytest.raises(ConfigurationError):
        AgentTeam.debate(["a", "b"], judge="a", model="offline/simulated")

    def answers(verdict: str) -> Recording:
        return Recording(
            {("a", "draft"): "Answer: 1", ("b", "draft"): "Answer: 2", ("jude", "judge"): {"verdict": verdict}}
        )

    biased = answers("Candidate 1")
    result = await AgentTeam.debate(["a", "b"], 0, judge="jude", model=biased).run("Which?")
    shown = [request.messages[-1].content for request in biased.requests if request.about.stage == "judge"]
    assert len(shown) == 2
    assert [text.index("Answer: 1") < text.index("Answer: 2") for text in shown] in ([True, False], [False, True])
    assert result.status == "undecided", "whoever is shown first wins in either order"
    assert result.decision is not None
    assert result.decision.winner is None
    assert Counter(request.about.member for request in biased.requests) == {"a": 1, "b": 1, "jude": 2}


async def test_defect_5_how_many_turns_are_remembered_has_no_effect() -> None:
    """What members are shown of earlier rounds is exactly what `memory` says."""
    seen: dict[Any, list[int]] = {}
    for memory in (1, 2, "all"):
        model = Recording({
            ("a", stage): lambda request: f"Round {request.about.round} of a.\nAnswer: {request.about.round}"
            for stage in ("draft", "revise")
        })  # fmt: skip
        team = AgentTeam.debate(["a", "b"], 3, memory=memory, stop="never", model=model)
        await team.run("Which?")
        text = model.sent("b", "revise", 3)
        seen[memory] = [round for round in range(3) if f"Round {round} of a." in text]
    assert seen == {1: [2], 2: [1, 2], "all": [0, 1, 2]}


async def test_defect_6_what_failed_is_replaced_and_nothing_is_recorded() -> None:
    """A failed item stays in the denominator; seed, tokens, price, temperature and each member's model are known."""
    asked: Counter[str] = Counter()

    def sometimes(request: Request) -> str:
        asked[request.about.question] += 1
        if request.about.question == "bad":
            raise ProviderUnavailable("it is down", status_code=503, model="offline/a")
        return "Answer: yes"

    one, other = FunctionModel(sometimes, name="offline/one"), FunctionModel(sometimes, name="offline/other")
    team = AgentTeam.debate(
        [Agent("solver", name="a", model=one, temperature=0.2), Agent("solver", name="b", model=other)], 0
    )
    items = TaskSet("three", tuple(TaskItem(id=name, question=f"Is {name} so?", gold="yes")
                                   for name in ("good", "bad", "fine")))  # fmt: skip
    found = await compare({"debate": team}, items, baselines=False, seed=11)
    scores = {attempt.item: attempt.score for attempt in found.attempts}
    assert scores == {"good": 1.0, "bad": 0.0, "fine": 1.0}
    (failed,) = (attempt for attempt in found.attempts if attempt.item == "bad")
    assert failed.status == "failed"
    assert "it is down" in (failed.error or "")
    assert asked["good"] == asked["fine"] == 2, "nothing was asked in place of what failed"
    assert all(attempt.usage.tokens > 0 for attempt in found.attempts if attempt.item != "bad")
    again = await compare({"debate": team}, items, baselines=False, seed=11)
    assert [attempt.seed for attempt in again.attempts] == [attempt.seed for attempt in found.attempts]

    events: list[Any] = []
    result = await team.run("Is it so?", seed=4, on_event=events.append)
    calls = {event.name: event.request.temperature for event in events if event.kind == "step.started"}
    assert calls == {"offline/one": 0.2, "offline/other": 0.7}
    assert result.cost == 0
    assert [each.usage.calls for each in result.members] == [1, 1]


def test_defect_7_importing_loads_half_the_world_and_opens_a_log(tmp_path: Path) -> None:
    """Teams are put together without loading a model library, and leave no file behind."""
    program = """
import sys
from phalanx import AgentTeam
AgentTeam.debate(["a", "b"], judge="c", model="openai/gpt-4o-mini").diagram()
AgentTeam.consensus(["a", "b", "c"], model="openai/gpt-4o-mini").diagram()
heavy = {"torch", "sentence_transformers", "langchain", "numpy", "scipy", "litellm", "openai", "transformers"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "[]"
    assert list(tmp_path.iterdir()) == []
