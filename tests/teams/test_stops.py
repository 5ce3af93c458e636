"""Stop rules: composed, written in files, and obeyed by debates and consensus, with nothing waited for in vain."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx import AgentTeam, ConfigurationError, ValidationError
from phalanx.formations.debate import Debate
from phalanx.formations.voting import (
    StopRule,
    agreement,
    beta,
    decided,
    esc,
    judge_decides,
    max_rounds,
    more_than,
    never,
    no_change,
    stable,
    stop_from,
    unanimous,
)
from phalanx.formations.voting.composed import is_certain, met, most_rounds, written
from phalanx.messages import Request
from phalanx.teams.spec import parse_team
from phalanx.testing import FunctionModel

SINGLE = [
    unanimous(), agreement("2/3"), more_than("1/2"), stable(2), stable(4), no_change(), max_rounds(2), beta("0.95"),
    esc(3), decided(), judge_decides(), never(),
]  # fmt: skip
STOPS = st.recursive(
    st.sampled_from(SINGLE),
    lambda inner: st.builds(lambda a, b: a | b, inner, inner) | st.builds(lambda a, b: a & b, inner, inner),
    max_leaves=5,
)
ROUNDS = st.lists(st.lists(st.sampled_from(["A", "B", None]), min_size=3, max_size=3), min_size=1, max_size=4)


@given(STOPS)
def test_a_stop_rule_comes_back_from_its_text_the_same(stop: StopRule) -> None:
    text = written(stop)
    assert text is not None
    assert written(stop_from(text)) == text
    assert hash(stop_from(text)) == hash(stop_from(text))


@given(STOPS, STOPS, ROUNDS, st.booleans(), st.booleans())
def test_one_stop_or_another_and_both_at_once(
    one: StopRule, other: StopRule, rounds: list[list[str | None]], is_decided: bool, is_judged: bool
) -> None:
    def holds(stop: StopRule) -> bool:
        return met(stop, rounds, is_decided=is_decided, is_judged=is_judged)

    assert holds(one | other) == (holds(one) or holds(other))
    assert holds(one & other) == (holds(one) and holds(other))
    text = written(one | other)
    assert text is not None
    assert holds(stop_from(text)) == holds(one | other)


@given(STOPS, ROUNDS, st.lists(st.sampled_from(["A", "B", "C", None]), min_size=3, max_size=3))
def test_what_is_certain_to_stop_stops_however_the_others_answer(
    stop: StopRule, rounds: list[list[str | None]], more: list[str | None]
) -> None:
    if is_certain(stop, rounds):
        last = [known if known is not None else late for known, late in zip(rounds[-1], more, strict=True)]
        assert met(stop, [*rounds[:-1], last])


@pytest.mark.parametrize(
    ("stop", "rounds", "stops"),
    [
        (unanimous(), ["AAA"], True), (unanimous(), ["AA-"], False), (unanimous(), ["AAB"], False),
        (agreement("2/3"), ["AAB"], True), (more_than("2/3"), ["AAB"], False), (more_than("2/3"), ["AAAB"], True),
        (agreement("1/2"), ["A--B"], False), (stable(2), ["AB", "AB"], True), (stable(2), ["AB", "BA"], False),
        (stable(3), ["AB", "AB"], False), (no_change(), ["AB", "BA"], True), (no_change(), ["AB"], False),
        (no_change(), ["AB", "AA"], False), (max_rounds(0), ["AB"], True), (max_rounds(1), ["AB"], False),
        (max_rounds(1), ["AB", "AB"], True), (never(), ["AAA", "AAA"], False), (beta("0.95"), ["AAAA"], True),
        (beta("0.95"), ["AAA"], False),
    ],
)  # fmt: skip
def test_when_each_rule_stops(stop: StopRule, rounds: Sequence[str], stops: bool) -> None:
    assert met(stop, [[None if each == "-" else each for each in round] for round in rounds]) is stops


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("unanimus", "no stop rule 'unanimus'.*'unanimous'"), ("unanimous |", "not complete"), ("", "not complete"),
        ("(unanimous", "not complete"), ("unanimous stable(2)", "not complete"), ("max_rounds", "written 'max_rounds"),
        ("unanimous(3)", "written 'unanimous'"), ("max_rounds(-1)", "no whole number"), ("agreement(2)", "share"),
        ("unanimous; stable", "cannot be read from ';"), ("stable(1.5)", "whole number"),
    ],
)  # fmt: skip
def test_what_is_no_stop_rule_is_refused_with_what_to_write(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"(?s){message}"):
        stop_from(text)
    with pytest.raises(ValueError, match="stop"):
        AgentTeam.debate(["a", "b"], stop=text)


def test_and_binds_closer_than_or() -> None:
    assert stop_from("unanimous | stable(2) & max_rounds(3)") == unanimous() | (stable(2) & max_rounds(3))
    assert stop_from("(unanimous | stable(2)) & max_rounds(3)") == (unanimous() | stable(2)) & max_rounds(3)
    assert most_rounds(stop_from("unanimous | max_rounds(3)")) == 3
    assert most_rounds(stop_from("decided & max_rounds(3)")) is None


def test_a_stop_rule_stands_in_a_team_file_as_text_or_as_options() -> None:
    text = "members: [{name: a}, {name: b}]\nformation: {kind: debate, rounds: 5, stop: %s}\n"
    for given_, stop in {
        "unanimous": unanimous(), '"agreement(2/3) | max_rounds(3)"': agreement("2/3") | max_rounds(3),
        "{kind: stable, rounds: 3}": stable(3), "{kind: max_rounds, rounds: 4}": max_rounds(4),
        "{kind: any_of, stops: [unanimous, {kind: no_change}]}": unanimous() | no_change(),
        '{kind: all_of, stops: ["max_rounds(2)", decided]}': max_rounds(2) & decided(),
    }.items():  # fmt: skip
        team = parse_team(text % given_)
        assert isinstance(team.formation, Debate)
        assert team.formation.stop == stop
        assert parse_team(team.to_yaml()).formation == team.formation


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: AgentTeam.debate(["a", "b"], 1, stop="max_rounds(2)"), "never reached in rounds=1"),
        (lambda: AgentTeam.debate(["a", "b"], stop=judge_decides()), "needs somebody in the seat 'judge'"),
        (lambda: AgentTeam.debate(["a", "b"], moderator="m"), "moderator would never be asked"),
        (lambda: AgentTeam.consensus(["a", "b"], stop="judge_decides"), "has no judges"),
        (lambda: AgentTeam.debate(["a", "b"], early=True), "early=True needs a stop rule"),
        (lambda: AgentTeam.debate(["a", "b"], early=True, stop="more_than", judge="j"), "early=True needs a stop rule"),
    ],
)  # fmt: skip
def test_a_stop_rule_that_could_never_hold_is_refused(build: object, message: str) -> None:
    assert callable(build)
    with pytest.raises((ValidationError, ConfigurationError), match=message):
        build()


def by_round(*rounds: str) -> FunctionModel:
    """Members a, b, c, … answer the letters of each round in turn; "-" is none."""

    def answer(request: Request) -> str:
        said = rounds[request.about.round]["abcdef".index(request.about.member)]
        return "Answer: I don't know" if said == "-" else f"I say so.\nAnswer: {said}"

    return FunctionModel(answer)


@pytest.mark.parametrize(
    ("stop", "rounds", "ends"),
    [
        (None, ["AAB", "AAA", "AAA"], 1),
        (never(), ["AAB", "AAA", "AAA"], 2),
        (more_than("1/2"), ["AAB", "AAA", "AAA"], 0),
        (agreement("2/3") & max_rounds(1), ["AAB", "AAB", "AAA"], 1),
        (stable(2), ["ABC", "AAC", "AAC", "AAA"], 2),
        (no_change(), ["AAB", "ABA", "AAA"], 1),
        (stable(3) | max_rounds(1), ["ABC", "ABC", "ABC"], 1),
        (decided(), ["ABC", "ABB", "AAA"], 1),
    ],
)
async def test_a_debate_stops_when_its_rule_says(stop: StopRule | None, rounds: list[str], ends: int) -> None:
    result = await AgentTeam.debate(list("abc"), len(rounds) - 1, stop=stop, model=by_round(*rounds)).run("Which?")
    assert result.rounds[-1].number == ends


async def test_always_revising_ignores_what_the_drafts_agree_on() -> None:
    team = AgentTeam.debate(list("abc"), 2, stop=unanimous(), trigger="always", model=by_round("AAA", "AAA", "AAA"))
    assert (await team.run("Which?")).rounds[-1].number == 1


async def test_a_debate_waits_for_nobody_once_stop_and_winner_are_certain() -> None:
    cancelled: list[str] = []

    async def slow(request: Request) -> str:
        name = request.about.member
        try:
            await anyio.sleep({"a": 1, "b": 2, "c": 3, "d": 1000}[name])
        except anyio.get_cancelled_exc_class():
            cancelled.append(name)
            raise
        return "Answer: A"

    team = AgentTeam.debate(list("abcd"), 2, stop=more_than("2/3"), early=True, model=FunctionModel(slow))
    began = anyio.current_time()
    result = await team.run("Which?")
    assert anyio.current_time() - began == 3
    assert cancelled == ["d"]
    assert (result.status, result.rounds[-1].number) == ("completed", 0)


async def test_a_debate_without_a_certain_end_waits_for_everybody() -> None:
    async def slow(request: Request) -> str:
        await anyio.sleep("abcd".index(request.about.member) + 1)
        return "Answer: A"

    for stop, early in ((unanimous(), True), (None, False), (more_than("2/3") & stable(2), True)):
        began = anyio.current_time()
        team = AgentTeam.debate(list("abcd"), 1, stop=stop, early=early, model=FunctionModel(slow))
        result = await team.run("Which?")
        assert [each.status for each in result.members] == ["ok"] * len(result.members)
        assert anyio.current_time() - began >= 4


async def test_a_consensus_may_ask_for_more_than_a_decision_before_it_stops() -> None:
    rounds = ["AAB", "AAB", "AAA"]
    plain = await AgentTeam.consensus(list("abc"), rounds=2, model=by_round(*rounds)).run("Which?")
    strict = await AgentTeam.consensus(list("abc"), rounds=2, stop="unanimous", model=by_round(*rounds)).run("Which?")
    assert plain.rounds[-1].number == 0
    assert strict.rounds[-1].number == 2
    assert strict.votes == {"a": "A", "b": "A", "c": "A"}


async def test_a_gate_on_the_drafts_lets_only_doubtful_questions_be_debated() -> None:
    """beta(.95) holds for four equal answers of four and not for four of five."""
    sure = await AgentTeam.debate(list("abcd"), 1, stop=beta("0.95"), model=by_round("AAAA", "BBBB")).run("Which?")
    assert (sure.usage.calls, sure.votes["a"]) == (4, "A")
    doubtful = AgentTeam.debate(list("abcde"), 1, stop=beta("0.95"), model=by_round("AAAAB", "AAAAA"))
    assert (await doubtful.run("Which?")).usage.calls == 10


@pytest.mark.parametrize("order", list(itertools.permutations("abcd"))[::5])
async def test_who_wins_does_not_depend_on_who_is_not_waited_for(order: tuple[str, ...]) -> None:
    async def answer(request: Request) -> str:
        await anyio.sleep(order.index(request.about.member))
        return f"Answer: {'AAAB'['abcd'.index(request.about.member)]}"

    model = FunctionModel(answer)
    consensus = await AgentTeam.consensus(list("abcd"), model=model).run("Which?")
    debate = await AgentTeam.debate(list("abcd"), 2, stop="more_than(1/2)", early=True, model=model).run("Which?")
    for result in (consensus, debate):
        assert result.decision is not None
        assert (result.status, result.decision.winner, result.rounds[-1].number) == ("completed", "A", 0)
