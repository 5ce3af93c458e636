"""A discussion can decide on its last round, on its drafts, or on all rounds with the later ones weighing more."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import anyio
import pytest

from phalanx import AgentTeam, Limits
from phalanx.errors import ValidationError
from phalanx.messages import Request
from phalanx.testing import FunctionModel

NAMES = ("ada", "bob", "cy")
TALK = {"ada": "1122", "bob": "1222", "cy": "2111"}
"""What each answers in each round."""


def model(talk: dict[str, str] | None = None) -> FunctionModel:
    async def reply(request: Request) -> str:
        about = request.about
        await anyio.sleep(NAMES.index(about.member))
        return f"{about.member} in round {about.round}.\nAnswer: {(talk or TALK)[about.member][about.round]}"

    return FunctionModel(reply)


def debate(rounds: int = 1, talk: dict[str, str] | None = None, **options: Any) -> AgentTeam:
    return AgentTeam.debate(NAMES, rounds, trigger="always", stop="never", model=model(talk), **options)


@pytest.mark.parametrize(
    ("options", "status", "tally", "answer"),
    [
        ({}, "completed", {"2": 2, "1": 1}, "bob in round 1.\nAnswer: 2"),
        ({"decide_over": "first"}, "completed", {"1": 2, "2": 1}, "ada in round 0.\nAnswer: 1"),
        ({"decide_over": "all"}, "undecided", {"1": 3, "2": 3}, None),
        (
            {"decide_over": "all", "decay": 0.5},
            "completed",
            {"2": Fraction(5, 2), "1": 2},
            "bob in round 1.\nAnswer: 2",
        ),
    ],
)
async def test_the_answers_that_decide_are_those_it_was_told(
    options: dict[str, Any], status: str, tally: dict[str, Fraction], answer: str | None
) -> None:
    result = await debate(talk={"ada": "11", "bob": "12", "cy": "22"}, **options).run("Which?")

    assert result.status == status
    assert result.decision is not None
    assert result.decision.tally == tally
    assert answer in (None, str(result))
    assert len(result.rounds) == 2


async def test_an_answer_that_was_left_again_wins_by_all_rounds_in_its_latest_words() -> None:
    talk = {"ada": "1122", "bob": "1112", "cy": "1111"}
    last = await debate(3, talk).run("Which?")
    everything = await debate(3, talk, decide_over="all").run("Which?")

    assert last == "ada in round 3.\nAnswer: 2"
    assert everything == "cy in round 3.\nAnswer: 1"
    assert everything.decision is not None
    assert (everything.decision.cast, everything.decision.eligible) == (12, 12)


async def test_equal_answers_of_different_rounds_are_one_however_they_are_written() -> None:
    def reply(request: Request) -> str:
        return f"Answer: {'0.5' if request.about.round == 0 else '50%'}"

    team = AgentTeam.debate(NAMES, 1, trigger="always", decide_over="all", model=FunctionModel(reply))
    result = await team.run("How much?")

    assert result.decision is not None
    assert list(result.decision.tally.values()) == [6]


async def test_no_name_of_a_member_is_taken_for_a_round_of_another() -> None:
    talk = {"ada": "11", "ada, round 0": "22", "bob": "21"}

    def reply(request: Request) -> str:
        return f"Answer: {talk[request.about.member][request.about.round]}"

    team = AgentTeam.debate(
        list(talk), 1, trigger="always", stop="never", decide_over="all", model=FunctionModel(reply)
    )
    result = await team.run("Which?")
    assert result.decision is not None
    assert result.decision.cast == 6
    assert result.decision.tally == {"1": 3, "2": 3}


async def test_a_consensus_can_come_from_all_rounds() -> None:
    team = AgentTeam.consensus(
        NAMES, rounds=3, min_agreement=0.6, stop="never", decide_over="all", decay=0.9, model=model()
    )
    result = await team.run("Which?")

    assert result.decision is not None
    weights = [Fraction(9, 10) ** (3 - round) for round in range(4)]
    assert result.decision.tally["1"] == sum(
        (weights[round] for talk in TALK.values() for round in range(4) if talk[round] == "1"), Fraction(0)
    )


async def test_nobody_is_spared_whose_answer_counts_though_it_cannot_change_the_last_round() -> None:
    talk = {"ada": "11", "bob": "21", "cy": "33"}
    spared = await AgentTeam.consensus(NAMES, rounds=1, model=model(talk)).run("Which?")
    heard = await AgentTeam.consensus(NAMES, rounds=1, decide_over="all", model=model(talk)).run("Which?")

    assert [each.status for each in spared.members[3:]] == ["ok", "ok", "cancelled"]
    assert [each.status for each in heard.members[3:]] == ["ok", "ok", "ok"]
    assert heard.decision is not None
    assert heard.decision.tally == {"1": 3, "3": 2, "2": 1}


async def test_a_run_that_is_stopped_answers_by_the_rounds_that_are_complete() -> None:
    result = await debate(3, decide_over="first").run("Which?", limits=Limits(calls=7))

    assert result.status == "stopped"
    assert result == "ada in round 0.\nAnswer: 1"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"decay": 0.5}, "only decide_over='all' counts them"),
        ({"decide_over": "all", "judge": "jude"}, "a judge has the last word"),
        ({"decide_over": "first", "topology": "star", "decide": "hub"}, "a hub or a judge"),
        ({"decide_over": "all", "rule": {"kind": "plurality", "min_agreement": 2}}, "min_agreement=2 counts members"),
        ({"decide_over": "all", "decay": 0}, "decay"),
    ],
)
def test_what_would_be_ignored_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        debate(**options)


def test_it_is_written_to_a_file_and_read_again() -> None:
    team = AgentTeam.debate(NAMES, 1, decide_over="all", decay=0.5)

    assert AgentTeam.from_yaml(team.to_yaml()).formation == team.formation
    assert "decide_over: all" in team.to_yaml()
