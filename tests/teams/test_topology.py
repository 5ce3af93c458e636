"""Who sees whom: read off the requests themselves, and the same in the plan, the estimate and the diagram."""

from __future__ import annotations

import re

import pytest
import yaml

from phalanx import AgentTeam, ValidationError
from phalanx.formations.consensus import Consensus
from phalanx.formations.debate import Debate
from phalanx.formations.topology import Topology, custom, k_regular, neighbours
from phalanx.messages import Request
from phalanx.teams.spec import parse_team
from tests.recording import Recording, Reply

NAMES = list("abcdef")

SEEN: dict[str, tuple[Topology, list[str]]] = {
    "full": ("full", ["bcdef", "acdef", "abdef", "abcef", "abcdf", "abcde"]),
    "auto, from five on": ("auto", ["bf", "ac", "bd", "ce", "df", "ae"]),
    "ring": ("ring", ["bf", "ac", "bd", "ce", "df", "ae"]),
    "relay": ("relay", ["f", "a", "b", "c", "d", "e"]),
    "star": ("star", ["bcdef", "a", "a", "a", "a", "a"]),
    "tree": ("tree", ["bc", "de", "f", "e", "d", "c"]),
    "2-regular": (k_regular(2), ["bf", "ac", "bd", "ce", "df", "ae"]),
    "3-regular": (k_regular(3), ["bdf", "ace", "bdf", "ace", "bdf", "ace"]),
    "4-regular": (k_regular(4), ["bcef", "acdf", "abde", "bcef", "acdf", "abde"]),
    "custom": (custom({"a": ["b"], "b": ["a", "f"], "f": ["a", "b", "c"]}), ["b", "af", "", "", "", "abc"]),
}


def shown(request: Request) -> str:
    """Whose drafts a revision shows, sorted."""
    text = request.messages[-1].content.partition("Other answers")[2]
    return "".join(sorted(set(re.findall(r"I am (\w)", text))))


@pytest.mark.parametrize("name", SEEN)
async def test_a_member_is_shown_those_that_its_place_lets_it_see_and_nobody_else(name: str) -> None:
    topology, expected = SEEN[name]
    model = Recording({(each, "draft"): f"I am {each}\nAnswer: {at}" for at, each in enumerate(NAMES)})
    team = AgentTeam.debate(NAMES, 1, topology=topology, model=model)
    await team.run("Which?")
    asked = {each.about.member: each for each in model.requests if each.about.stage == "revise"}
    assert [shown(asked[each]) for each in NAMES] == expected


@pytest.mark.parametrize("name", SEEN)
def test_plan_and_diagram_agree_with_who_sees_whom(name: str) -> None:
    topology, expected = SEEN[name]
    team = AgentTeam.debate(NAMES, 1, topology=topology, model="offline/simulated")
    formation = team.formation
    assert isinstance(formation, Debate)
    assert {each.member: each.reads for each in team.plan() if each.stage == "revise"} == {
        member: 1 + len(seen) for member, seen in zip(NAMES, expected, strict=True)
    }
    heard: dict[str, set[str]] = {each: set() for each in NAMES}
    for a, arrow, b in formation.wiring(team.members).arrows:
        heard[b].add(a)
        if arrow == "<-.->":
            heard[a].add(b)
    assert ["".join(sorted(heard[each])) for each in NAMES] == expected


@pytest.mark.parametrize("members", range(2, 9))
@pytest.mark.parametrize("topology", ["full", "ring", "relay", "star", "tree"])
def test_in_every_named_topology_everybody_sees_somebody_and_never_itself(topology: Topology, members: int) -> None:
    names = [f"m{at}" for at in range(members)]
    for at in range(members):
        seen = neighbours(topology, at, names)
        assert seen == sorted(set(seen)) != []
        assert at not in seen


@pytest.mark.parametrize(
    ("topology", "message"),
    [
        (k_regular(6), "6 members cannot each see 6 others"),
        (custom({"a": ["x"]}), "topology names 'x', who is no member"),
        (custom({"x": ["a"]}), "topology names 'x', who is no member"),
    ],
)
def test_a_graph_that_the_members_cannot_stand_in_is_refused_at_once(topology: Topology, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AgentTeam.debate(NAMES, topology=topology)
    with pytest.raises(ValidationError, match="cannot each see 3 others"):
        AgentTeam.debate(list("abcde"), topology=k_regular(3))


def test_a_graph_in_which_a_member_sees_itself_or_somebody_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="'a' sees itself"):
        custom({"a": ["a"]})
    with pytest.raises(ValueError, match="'a' sees somebody twice"):
        custom({"a": ["b", "b"]})
    with pytest.raises(ValidationError, match="each member has to see somebody"):
        k_regular(0)


@pytest.mark.parametrize("name", SEEN)
def test_a_topology_stands_in_a_team_file_and_comes_back_the_same(name: str) -> None:
    topology, _ = SEEN[name]
    team = AgentTeam.debate(NAMES, topology=topology, model="offline/simulated")
    again = parse_team(team.to_yaml())
    assert again.formation == team.formation
    assert hash(again.formation) == hash(team.formation)


def test_a_topology_is_written_by_name_or_by_its_options() -> None:
    text = """
    members: [{name: a}, {name: b}, {name: c}]
    formation: {kind: debate, topology: %s}
    """
    for written, topology in {
        "tree": "tree", "{kind: k_regular, k: 2}": k_regular(2),
        "{kind: custom, edges: {a: [b, c], b: [a]}}": custom({"a": ["b", "c"], "b": ["a"]}),
    }.items():  # fmt: skip
        assert yaml.safe_load(text % written)
        formation = parse_team(text % written).formation
        assert isinstance(formation, Debate)
        assert formation.topology == topology


def answering(hub: dict[str, Reply]) -> Recording:
    """The hub answers as given, everybody else always 2."""
    replies: dict[tuple[str, str], Reply] = {("a", stage): said for stage, said in hub.items()}
    replies |= {(each, stage): "Answer: 2" for each in "bcd" for stage in ("draft", "revise")}
    return Recording({**replies})


async def test_the_hub_s_last_answer_is_final_whatever_the_others_say() -> None:
    model = answering({"draft": "Answer: 1", "revise": "Answer: 9"})
    result = await AgentTeam.debate(list("abcd"), 1, topology="star", decide="hub", model=model).run("Which?")
    assert result == "Answer: 9"
    assert result.status == "completed"
    assert result.decision is not None
    assert result.decision.winner == "9"
    assert result.rounds[-1].decision is not None
    assert result.rounds[-1].decision.winner == "2", "the vote that the hub overrules can still be seen"


async def test_a_hub_without_a_readable_answer_leaves_the_vote_and_says_so() -> None:
    model = answering({"draft": "Answer: I don't know", "revise": RuntimeError("down")})
    events: list[object] = []
    team = AgentTeam.debate(list("abcd"), 1, topology="star", decide="hub", model=model)
    result = await team.run("Which?", on_event=events.append)
    assert (result.status, result) == ("partial", "Answer: 2")
    assert any("whose answer is final, gave none" in str(each) for each in events)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decide": "hub"}, "has no hub"),
        ({"decide": "hub", "topology": "star", "judge": "j"}, "both have the last word"),
    ],
)
def test_a_hub_needs_a_star_and_no_judge(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AgentTeam.debate(list("abcd"), **options)  # type: ignore[arg-type]


def test_groups_see_each_other_within_and_summaries_between() -> None:
    formation = Debate(rounds=4, topology="full", groups=2, pool_every=2)
    assert [formation.neighbours(at, NAMES) for at in range(6)] == [[1, 2], [0, 2], [0, 1], [4, 5], [3, 5], [3, 4]]
    assert [formation.is_pooled(round) for round in (1, 2, 3, 4)] == [False, True, False, True]


def test_who_sees_all_solutions_has_no_topology() -> None:
    several: list[dict[str, object]] = [
        {"topology": k_regular(2)}, {"order": "sequential"}, {"view": "grouped"}, {"memory": 2}
    ]  # fmt: skip
    for options in several:
        with pytest.raises(ValidationError, match="no meaning where everybody sees all solutions"):
            AgentTeam(list("abcd"), formation=Consensus.model_validate(options))
