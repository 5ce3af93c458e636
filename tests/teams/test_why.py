"""A result tells how it came about: who was asked what, what was decided, and on whose words the answer rests."""

from __future__ import annotations

from pathlib import Path

import pytest

from phalanx import Agent, AgentTeam, Limits, TeamResult
from phalanx.formations.kinds import KINDS
from phalanx.messages import Request
from phalanx.teams.stages import STAGES
from phalanx.testing import FunctionModel, ScriptedModel
from tests.teams.any_team import EXAMPLES, AnyModel


def said(**answers: str | Exception) -> list[Agent]:
    def answering(answer: str | Exception) -> FunctionModel:
        def answer_it(_: Request) -> str:
            if isinstance(answer, Exception):
                raise answer
            return answer

        return FunctionModel(answer_it)

    return [Agent("worker", name=name, model=answering(answer)) for name, answer in answers.items()]


@pytest.mark.parametrize("kind", EXAMPLES)
async def test_every_formation_tells_of_each_asking_and_of_the_answer_and_so_does_its_file(
    kind: str, tmp_path: Path
) -> None:
    result = await EXAMPLES[kind](AnyModel().model).run("Which is it?")
    lines = result.why().splitlines()

    assert lines[0].startswith(result.status)
    assert lines[-1].startswith(f"{result.usage.calls} calls, ")
    assert lines[-2].startswith(("the answer is ", "there is no answer"))
    for outcome in result.walk():
        told = [line.strip() for line in lines if line.strip().startswith(f"{outcome.member} ")]
        assert any(f": {outcome.status}" in line for line in told), outcome.member
    if result.decision is not None:
        assert " ".join(result.decision.explanation.split()) in lines
    result.save(tmp_path / "result.json")
    assert TeamResult.load(tmp_path / "result.json").why() == result.why()


async def test_a_hierarchy_tells_who_did_what_and_that_the_answer_rests_on_the_work() -> None:
    model = ScriptedModel(
        [
            '{"assignments": [{"id": "a1", "worker": "bob", "task": "Measure it."}]}', "It is 3 m.",
            '{"done": true}', "Three metres.",
        ]
    )  # fmt: skip
    result = await AgentTeam.hierarchical("lead", ["bob"], model=model).run("How long is it?")

    assert result.why().splitlines()[:-1] == [
        "completed",
        "lead plans the work: ok",
        'bob works on its assignment, saw "the lead" (Measure it.): ok',
        "lead reviews the results, saw bob: ok",
        "lead writes the answer, saw bob: ok",
        "the answer is by lead (writes the answer); it rests on bob (works on its assignment)",
    ]
    assert result.author == "lead"


async def test_an_answer_is_followed_back_to_the_first_that_it_rests_on_through_nested_teams() -> None:
    inner = AgentTeam.pipeline(said(x="One.", y="Two."), name="inner")
    team = AgentTeam.pipeline([*said(first="Zero."), inner, *said(last="Three.")])
    lines = (await team.run("Count.")).why().splitlines()

    assert lines[1:-1] == [
        "first does stage 1: ok",
        "inner does stage 2: ok",
        "  x does stage 1, saw first: ok",
        "  y does stage 2, saw first, inner > x: ok",
        "last does stage 3, saw inner: ok",
        "the answer is by last (does stage 3); it rests on inner > y, inner (does stage 2), first, inner > x (does "
        "stage 1)",
    ]


async def test_ones_own_words_and_the_same_of_another_are_told_apart() -> None:
    team = AgentTeam.debate(said(a="So.\nAnswer: x", b="So.\nAnswer: x"), 1, trigger="always")
    lines = (await team.run("Which?")).why().splitlines()
    assert "a revises, round 1, saw its own answer, b: ok" in lines
    assert "b revises, round 1, saw its own answer, a: ok" in lines


async def test_what_is_put_together_names_its_parts_and_who_failed_is_told() -> None:
    team = AgentTeam.parallel(said(a="One.", b=RuntimeError("broke\ncompleted"), c="Two."), quorum=2)
    lines = (await team.run("Count.")).why().splitlines()

    assert "b drafts alone: failed: broke completed" in lines
    assert "the answer is put together from a, c (drafts alone)" in lines


async def test_equal_askings_are_told_once_with_their_number() -> None:
    result = await AgentTeam.vote(said(a="Answer: 7")[0], 5, early=False).run("Which?")
    assert "a drafts alone: ok (5 times)" in result.why().splitlines()


async def test_what_members_wrote_cannot_look_like_a_line_of_ours() -> None:
    result = await AgentTeam.debate(said(a="x\nthe answer is by eve", b="x\nthe answer is by eve")).run("Which?")
    assert "the answer is by eve" not in result.why().splitlines()
    assert [line for line in result.why().splitlines() if line.startswith("the answer is by a (")]


async def test_a_run_that_a_limit_stopped_tells_which() -> None:
    result = await AgentTeam.pipeline(said(a="One.", b="Two.")).run("Count.", limits=Limits(calls=1))
    lines = result.why().splitlines()
    assert lines[0].startswith("stopped: calls limit of this run reached")
    assert "b does stage 2, saw a: refused: calls limit of this run reached" in "\n".join(lines)


@pytest.mark.parametrize("kind", KINDS)
def test_every_stage_has_words(kind: str) -> None:
    stages = EXAMPLES[kind](AnyModel().model).formation.stages
    assert set(stages) - {"stage"} <= STAGES.keys()
