"""Consensus counts answers: what agrees, what does not, and what nobody can decide."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest

from phalanx import Agent, AgentTeam, QuorumMissed, TeamResult
from phalanx.agents.models.offline import FunctionModel
from phalanx.formations.voting import Majority, Unanimity
from phalanx.messages import Request
from tests.recording import Recording, Reply

FAILS = RuntimeError("down")


def said(answer: str | Exception | None) -> Reply:
    if isinstance(answer, Exception):
        return answer
    return "Answer: I don't know" if answer is None else f"So it is.\nAnswer: {answer}"


async def vote(answers: Sequence[str | Exception | None], min_agreement: int | float | None = None) -> TeamResult:
    """One blind vote, no exchange."""
    names = [f"m{at}" for at in range(len(answers))]
    model = Recording({(name, "draft"): said(answer) for name, answer in zip(names, answers, strict=True)})
    team = AgentTeam.consensus(names, min_agreement, rounds=0, model=model)
    return await team.run("Which?")


@pytest.mark.parametrize(
    ("answers", "min_agreement", "status", "winner"),
    [
        (["A", "A", "A"], None, "decided", "A"),
        (["A", "A", "B"], None, "decided", "A"),
        (["A", "A", "B"], 2, "decided", "A"),
        (["A", "A", "B"], 3, "no_agreement", None),
        (["A", "A", "B"], 1.0, "no_agreement", None),
        (["A", "A", "B"], 0.6, "decided", "A"),
        (["A", "A", "B"], 2 / 3, "decided", "A"),
        (["A", "A", "B"], 0.67, "no_agreement", None),
        (["A", "A", "B", "B"], None, "no_agreement", None),
        (["A", "A", "B", "B"], 2, "tie", None),
        (["A", "A", "B", "B"], 0.5, "tie", None),
        (["YES", "NO", "MAYBE"], None, "no_agreement", None),
        (["YES", "NO", "MAYBE"], 2, "no_agreement", None),
        (["A", "A", FAILS], None, "decided", "A"),
        (["A", "A", FAILS], 2, "decided", "A"),
        (["A", "B", FAILS], 2, "no_agreement", None),
        (["A", "A", None], None, "decided", "A"),
        (["A", None, None], 2, "no_agreement", None),
        (["A", "A", None], 3, "no_agreement", None),
    ],
)
async def test_truth_table(
    answers: list[str | Exception | None], min_agreement: int | float | None, status: str, winner: str | None
) -> None:
    result = await vote(answers, min_agreement)
    assert result.decision is not None
    assert (result.decision.status, result.decision.winner) == (status, winner)
    assert result.status == ("completed" if status == "decided" else "undecided")
    if winner is not None:
        assert f"Answer: {winner}" in result


async def test_equal_answers_in_other_words_are_one_answer() -> None:
    result = await vote(["1,000", "1000.0", "999"], 2)
    assert result.decision is not None
    assert result.decision.status == "decided"
    assert len(result.decision.tally) == 2


async def test_too_few_answers_are_no_quorum_but_an_error_with_what_there_is() -> None:
    with pytest.raises(QuorumMissed, match="1 of 3 members answered, 2 are needed") as caught:
        await vote(["A", FAILS, FAILS])
    assert [each.status for each in caught.value.result.members] == ["ok", "failed", "failed"]  # type: ignore[attr-defined]


async def test_members_exchange_until_they_agree_and_no_longer() -> None:
    def revised(request: Request) -> str:
        assert request.about.round == 1
        return "Answer: A"

    model = Recording(
        {
            ("a", "draft"): "Answer: A", ("b", "draft"): "Answer: B", ("c", "draft"): "Answer: C",
            ("a", "revise"): revised, ("b", "revise"): revised, ("c", "revise"): "Answer: C",
        }
    )  # fmt: skip
    result = await AgentTeam.consensus(["a", "b", "c"], rounds=5, model=model).run("Which?")
    assert result.status == "completed"
    assert [each.number for each in result.rounds] == [0, 1]
    assert result.votes == {"a": "A", "b": "A", "c": "C"}
    assert len(model.requests) == 6
    assert "changed: b" in result.why()


async def test_an_undecided_result_says_so_and_makes_nothing_up() -> None:
    tie = await vote(["A", "A", "B", "B"], 2)
    assert not tie.success
    assert "tied" in tie
    plurality = await vote(["A", "A", "B", "C", "D"])
    assert plurality.status == "undecided"
    assert "Answer: A" in plurality
    assert plurality.decision is not None
    assert plurality.decision.winner is None


async def test_no_more_is_asked_once_the_outcome_is_certain() -> None:
    cancelled: list[str] = []

    async def slow(request: Request) -> str:
        name = request.about.member
        try:
            await anyio.sleep({"a": 1, "b": 2, "c": 3, "d": 1000, "e": 1000}[name])
        except anyio.get_cancelled_exc_class():
            cancelled.append(name)
            raise
        return "Answer: A"

    names = ["a", "b", "c", "d", "e"]
    started = anyio.current_time()
    result = await AgentTeam.consensus(names, model=FunctionModel(slow)).run("Which?")
    assert result.status == "completed"
    assert anyio.current_time() - started == 3
    assert sorted(cancelled) == ["d", "e"]
    assert [each.status for each in result.members] == ["ok", "ok", "ok", "cancelled", "cancelled"]
    assert result.cost == 0


async def test_another_rule_can_decide() -> None:
    model = Recording({(name, "draft"): f"Answer: {answer}" for name, answer in zip("abc", "AAB", strict=True)})
    team = AgentTeam.consensus(list("abc"), rule=Unanimity(), rounds=0, model=model)
    result = await team.run("Which?")
    assert result.status == "undecided"
    with pytest.raises(ValueError, match="not both"):
        AgentTeam.consensus(list("abc"), 2, rule=Majority())


async def test_a_member_that_fails_in_a_revision_keeps_its_last_answer() -> None:
    model = Recording(
        {
            ("a", "draft"): "Answer: A", ("b", "draft"): "Answer: B", ("c", "draft"): "Answer: C",
            ("a", "revise"): FAILS, ("b", "revise"): "Answer: A", ("c", "revise"): "Answer: C",
        }
    )  # fmt: skip
    result = await AgentTeam.consensus(["a", "b", "c"], rounds=1, model=model).run("Which?")
    assert result.votes == {"a": "A", "b": "A", "c": "C"}
    assert result.status == "completed"


async def test_one_agent_s_answers_are_told_apart_by_member() -> None:
    model = Recording({("x", "draft"): "Answer: 1", ("y", "draft"): "Answer: 2"})
    result = await AgentTeam.consensus([Agent("coder", name="x"), Agent("coder", name="y")], rounds=0, model=model).run(
        "?"
    )
    assert result.votes == {"x": "1", "y": "2"}
