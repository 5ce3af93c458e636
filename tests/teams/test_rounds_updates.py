"""Who revises, whose change counts, and who goes on."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from phalanx import AgentTeam, Limits
from phalanx.formations.ranking import importance
from phalanx.formations.topology import Topology
from phalanx.messages import Request
from tests.recording import Recording, Reply

Replies = dict[tuple[str, str], Reply | Callable[[Request], Reply]]


def said(drafts: str, *rounds: str, **more: Reply | Callable[[Request], Reply]) -> Recording:
    """Members a, b, c, … draft these letters and answer those of each round; `stage_member=` is another reply."""
    replies: Replies = {}
    for at, letter in enumerate(drafts):
        name = "abcdef"[at]
        replies[name, "draft"] = f"Answer: {letter}"
        replies[name, "revise"] = _letter(at, rounds)
    for key, reply in more.items():
        stage, _, member = key.partition("_")
        replies[member, stage] = reply
    return Recording(replies)


def _letter(at: int, rounds: tuple[str, ...]) -> Callable[[Request], Reply]:
    return lambda request: f"Answer: {rounds[request.about.round - 1][at]}"


def asked(model: Recording, stage: str, round: int) -> str:
    """Who was asked in a stage of a round."""
    return "".join(sorted(name for name, what, when in model.stages() if (what, when) == (stage, round)))


async def test_conformists_keep_the_plurality_s_answer_and_only_the_others_revise() -> None:
    model = said("AABC", "BBBA")
    result = await AgentTeam.debate(list("abcd"), 1, update="conformist", model=model).run("Which?")
    assert asked(model, "revise", 1) == "cd"
    assert result.votes == {"a": "A", "b": "A", "c": "B", "d": "A"}


async def test_without_a_plurality_conformists_all_revise() -> None:
    model = said("AABB", "AAAA")
    await AgentTeam.debate(list("abcd"), 1, update="conformist", model=model).run("Which?")
    assert asked(model, "revise", 1) == "abcd"


async def test_followers_take_over_the_plurality_s_answer_without_being_asked() -> None:
    model = said("AABC", "CCCC")
    result = await AgentTeam.debate(list("abcd"), 1, update="follower", follow=1.0, model=model).run("Which?")
    assert asked(model, "revise", 1) == ""
    assert result.votes == dict.fromkeys("abcd", "A")
    none = said("AABC", "CCCC")
    await AgentTeam.debate(list("abcd"), 1, update="follower", follow=0.0, model=none).run("Which?")
    assert asked(none, "revise", 1) == "abcd"


async def test_who_repeats_its_answer_says_no_more_and_its_answer_stays() -> None:
    model = said("ABC", "ACB", "XBC", "XCB")
    team = AgentTeam.debate(list("abc"), 3, update="stable", stop="never", model=model)
    result = await team.run("Which?")
    assert [asked(model, "revise", round) for round in (1, 2, 3)] == ["abc", "bc", "bc"]
    assert result.votes == {"a": "A", "b": "C", "c": "B"}


async def test_when_everybody_has_left_it_is_over() -> None:
    model = said("ABC", "ABC", "XXX", "XXX")
    result = await AgentTeam.debate(list("abc"), 3, update="stable", stop="never", model=model).run("Which?")
    assert result.rounds[-1].number == 1
    patient = said("ABC", "ABC", "ABC", "XXX")
    result = await AgentTeam.debate(
        list("abc"), 3, update="stable", leave_after=3, stop="never", model=patient
    ).run("Which?")  # fmt: skip
    assert result.rounds[-1].number == 2


async def test_who_abstained_twice_has_settled_on_nothing_and_is_asked_again() -> None:
    says = {"a": "Answer: A", "b": "Answer: B", "c": "Answer: I don't know"}
    model = Recording({(name, stage): text for name, text in says.items() for stage in ("draft", "revise")})
    await AgentTeam.debate(list("abc"), 3, update="stable", stop="never", model=model).run("Which?")
    revised = [(each.about.member, each.about.round) for each in model.requests if each.about.stage == "revise"]
    assert sorted(revised) == [("a", 1), ("b", 1), ("c", 1), ("c", 2), ("c", 3)]


def checking(verdicts: dict[str, bool]) -> Callable[[Request], Reply]:
    """A verifier that accepts or rejects by the answer it is shown."""

    def reply(request: Request) -> Reply:
        answer = re.findall(r"Answer: (\w)", request.messages[-1].content)[-1]
        return {"accepted": verdicts[answer], "objection": "" if verdicts[answer] else "It is wrong."}

    return reply


async def test_a_change_counts_only_when_the_verifier_accepts_the_new_answer() -> None:
    model = said("AABC", "ADDB", verify_vera=checking({"D": False, "B": True}))
    team = AgentTeam.debate(list("abcd"), 1, update="verified_only", verifier="vera", stop="never", model=model)
    result = await team.run("Which?")
    # a keeps A unasked; b and c may not go to D; d may go to B.
    assert result.votes == {"a": "A", "b": "A", "c": "B", "d": "B"}
    assert asked(model, "verify", 1) == "vera" * 3
    assert team.estimate("Which?").calls == 4 + 4 + 4


async def test_a_change_that_nobody_could_check_does_not_count_and_the_run_says_so() -> None:
    events: list[object] = []
    model = said("AB", "BB", verify_vera=RuntimeError("down"))
    team = AgentTeam.debate(["a", "b"], 1, update="verified_only", verifier="vera", model=model)
    result = await team.run("Which?", on_event=events.append)
    assert result.votes == {"a": "A", "b": "B"}
    assert any("the verifier did not check" in str(each) for each in events)


async def test_the_limit_that_refuses_the_verifier_ends_the_run_with_the_last_round() -> None:
    model = said("AAB", "BBB", verify_vera={"accepted": True})
    team = AgentTeam.debate(list("abc"), 1, update="verified_only", verifier="vera", model=model)
    result = await team.run("Which?", limits=Limits(calls=6))
    assert (result.status, result) == ("stopped", "Answer: A")


def rating(answers: dict[str, str], scores: dict[str, int]) -> Callable[[Request], Reply]:
    """A member that gives its answer and rates each text it is shown by the letter in it."""

    def reply(request: Request) -> Reply:
        shown = re.findall(r'from="(Response \w+)">\n.*?Answer: (\w)', request.messages[-1].content, re.DOTALL)
        given = [{"label": label, "rating": scores[letter]} for label, letter in shown]
        return {"reasoning": "So.", "answer": answers[request.about.member], "ratings": given}

    return reply


async def test_members_rate_what_they_see_and_the_best_rated_go_on() -> None:
    reply = rating(dict(zip("abcd", "ABCD", strict=True)), {"A": 1, "B": 5, "C": 2, "D": 4})
    more: dict[str, Reply | Callable[[Request], Reply]] = {f"revise_{name}": reply for name in "abcd"}
    model = said("ABCD", **more)
    team = AgentTeam.debate(list("abcd"), 3, rate=True, keep=2, stop="never", model=model)
    result = await team.run("Which?")
    assert "rate each of the other answers from 1" in model.sent("a", "revise", 1)
    assert [asked(model, "revise", round) for round in (1, 2, 3)] == ["abcd", "bd", "bd"]
    assert result.votes == {"b": "B", "d": "D"}
    assert result.usage.calls == 4 + 4 + 2 + 2 == team.estimate("Which?").calls


async def test_a_rating_of_what_was_not_shown_is_left_out_and_said_so() -> None:
    events: list[object] = []
    forged: dict[str, object] = {
        "reasoning": "",
        "answer": "A",
        "ratings": [{"label": "Response Z", "rating": 5}, {"label": "b", "rating": 1}],
    }
    model = said("ABC", revise_a=forged, revise_b=forged, revise_c=forged)
    team = AgentTeam.debate(list("abc"), 2, rate=True, keep=1, model=model, stop="never")
    await team.run("Which?", on_event=events.append)
    assert any("rated 'Response Z', which it was not shown" in str(each) for each in events)
    assert any("rated 'b', which it was not shown" in str(each) for each in events)


def naming(letters: str) -> Callable[[Request], Reply]:
    """A ranker that names these answers, wherever they stand."""

    def reply(request: Request) -> Reply:
        shown = re.findall(r'from="(Response \w)">\n.*?Answer: (\w)', request.messages[-1].content, re.DOTALL)
        labels = {letter: label for label, letter in shown}
        return {"ranking": [labels[letter] for letter in letters]}

    return reply


@pytest.mark.parametrize("seed", range(6))
async def test_the_ranker_s_labels_are_the_members_it_was_shown_in_whatever_order(seed: int) -> None:
    """Not the places in a shuffled list: the ranker names the texts, and their authors go on."""

    model = said("ABCD", "ABCD", "ABCD", rank_rex=naming("DB"))
    team = AgentTeam.debate(list("abcd"), 2, ranker="rex", keep=2, stop="never", model=model)
    result = await team.run("Which?", seed=seed)
    assert asked(model, "revise", 2) == "bd"
    assert result.votes == {"b": "B", "d": "D"}
    assert result.usage.calls == 4 + 4 + 1 + 2 == team.estimate("Which?").calls


@pytest.mark.parametrize(
    ("reply", "warning"),
    [
        (RuntimeError("down"), "the ranker gave no ranking"),
        ({"ranking": ["Response A", "Response A"]}, "the ranker named 1 of 2"),
        ({"ranking": ["me", "a"]}, "the ranker named 0 of 2"),
    ],
)
async def test_a_ranker_that_does_not_choose_leaves_it_to_the_seats_and_the_run_says_so(
    reply: Reply, warning: str
) -> None:
    events: list[object] = []
    model = said("ABCD", "ABCD", "ABCD", rank_rex=reply)
    team = AgentTeam.debate(list("abcd"), 2, ranker="rex", keep=2, stop="never", model=model)
    await team.run("Which?", on_event=events.append)
    assert len(asked(model, "revise", 2)) == 2
    assert any(warning in str(each) for each in events)


def test_what_a_member_was_worth_is_passed_back_by_the_ratings_it_was_given() -> None:
    first = {"c": {"a": 3.0, "b": 1.0}, "d": {"a": 1.0, "b": 1.0}}
    assert importance([first], ["c", "d"]) == {"c": 0.5, "d": 0.5, "a": 0.5 * 3 / 4 + 0.25, "b": 0.5 / 4 + 0.25}
    both = importance([first, {"e": {"c": 5.0, "d": 5.0}}], ["e"])
    assert both == {"e": 1.0, "c": 0.5, "d": 0.5, "a": 0.625, "b": 0.375}


async def test_copies_of_one_agent_at_temperature_0_are_told_to_be_one_voter() -> None:
    from phalanx import Agent

    async def warnings(agents: list[Agent]) -> bool:
        events: list[object] = []
        await AgentTeam.debate(agents, 0, model=said("AB")).run("Which?", on_event=events.append)
        return any("count as one voter" in str(each) for each in events)

    cold = {"temperature": 0.0}
    assert await warnings([Agent("solver", name="a", **cold), Agent("solver", name="b", **cold)])  # type: ignore[arg-type]
    assert not await warnings([Agent("solver", name="a"), Agent("solver", name="b")])
    assert not await warnings([Agent("solver", name="a", **cold), Agent("critic", name="b", **cold)])  # type: ignore[arg-type]


@pytest.mark.parametrize("topology", ["ring", "relay", "tree", "star", "full"])
async def test_those_who_go_on_see_each_other_wherever_they_stood(topology: Topology) -> None:
    model = said("ABCDEF", "ABCDEF", "ABCDEF", rank_rex=naming("AD"))
    team = AgentTeam.debate(list("abcdef"), 2, ranker="rex", keep=2, topology=topology, stop="never", model=model)
    await team.run("Which?")
    assert asked(model, "revise", 2) == "ad"
    assert "Answer: D" in model.sent("a", "revise", 2).partition("Other answers")[2]
    assert "Answer: A" in model.sent("d", "revise", 2).partition("Other answers")[2]
