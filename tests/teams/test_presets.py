"""Published protocols: each has its paper's options, runs through the public door, and costs what it says."""

from __future__ import annotations

import re

import pytest

from phalanx import Agent, AgentTeam, ConfigurationError, Formation, ValidationError
from phalanx.agents.models.drawn import Drawn
from phalanx.formations.debate import Debate
from phalanx.formations.presets import PRESETS, preset
from phalanx.messages import Completion, Price, Request, Usage
from phalanx.teams.spec import parse_team
from phalanx.testing import FunctionModel, SimulatedModel
from tests.recording import Recording

QUESTION = "Which of A, B, C, D is right?"
# preset: paper, how many members, how many answers where nothing stops it early, sampling, options.
TABLE: dict[str, tuple[str, int, int, dict[str, float], dict[str, object]]] = {
    "self_consistency": ("2203.11171", 1, 40, {"temperature": 0.7}, {"kind": "vote", "samples": 40}),
    "society": (
        "2305.14325", 3, 9, {},
        {"rounds": 2, "topology": "full", "order": "sync", "blind": True, "view": "full", "memory": "all",
         "update": "free", "rule": "plurality, earliest", "stop": "never"},
    ),
    "mad": (
        "2305.19118", 2, 14, {"temperature": 0.0},
        {"rounds": 2, "order": "sequential", "blind": False, "stance": "oppose", "memory": "all",
         "stop": "unanimous | judge_decides", "evidence": "all"},
    ),
    "chateval": (
        "2308.07201", 3, 12, {"temperature": 0.0},
        {"kind": "panel", "turns": 2, "order": "one_by_one", "blind_last": True},
    ),
    "reconcile": (
        "2309.13007", 3, 12, {},
        {"rounds": 3, "view": "grouped", "confidence": "typed", "rule": "bucketed_confidence", "stop": "unanimous",
         "memory": 1},
    ),
    "eot_memory": (
        "2312.01823", 3, 18, {},
        {"rounds": 5, "topology": "full", "update": "stable", "leave_after": 2, "stop": "more_than(1/2)", "memory": 1},
    ),
    "eot_report": ("2312.01823", 3, 18, {}, {"rounds": 5, "topology": "star", "update": "stable"}),
    "eot_relay": ("2312.01823", 3, 18, {}, {"rounds": 5, "topology": "relay", "update": "stable"}),
    "eot_debate": ("2312.01823", 3, 18, {}, {"rounds": 5, "topology": "tree", "update": "stable"}),
    "sparse": (
        "2406.11776", 6, 18, {},
        {"rounds": 2, "topology": {"kind": "k_regular", "k": 2}, "memory": "all", "stop": "never"},
    ),
    "group": (
        "2409.14051", 6, 26, {}, {"rounds": 3, "groups": 2, "pool_every": 2, "topology": "full", "memory": "all"},
    ),
    "dylan": (
        "2310.02170", 4, 13, {},
        {"rounds": 3, "rate": True, "keep": 2, "keep_from": 2, "stop": "more_than(2/3)", "memory": 1},
    ),
    "vote_not_debate": (
        "2508.17536", 5, 15, {"temperature": 1.0, "top_p": 0.9},
        {"rounds": 2, "topology": "full", "update": "free", "rule": "plurality, random", "memory": 1, "stop": "never"},
    ),
    "conformist": ("2508.17536", 5, 15, {"temperature": 1.0, "top_p": 0.9}, {"rounds": 2, "update": "conformist"}),
    "follower": (
        "2508.17536", 5, 15, {"temperature": 1.0, "top_p": 0.9}, {"rounds": 2, "update": "follower", "follow": 0.3},
    ),
    "hub": ("2508.17536", 5, 15, {"temperature": 1.0, "top_p": 0.9}, {"topology": "star", "decide": "hub"}),
    "aad": (
        "2502.19130", 3, 15, {},
        {"rounds": 4, "order": "sequential", "blind": True, "memory": 2, "stop": "max_rounds(2) & decided"},
    ),
    "ci": (
        "2502.19130", 3, 15, {},
        {"kind": "consensus", "rounds": 4, "exchange": "solutions", "stop": "max_rounds(2) & decided"},
    ),
    "moa": ("2406.04692", 6, 13, {"temperature": 0.7}, {"kind": "mixture", "layers": 3}),
    "self_moa": ("2502.00674", 1, 7, {"temperature": 0.7}, {"kind": "mixture", "layers": 2, "proposals": 6}),
}  # fmt: skip


def test_the_table_holds_every_preset() -> None:
    assert set(TABLE) == set(PRESETS)


@pytest.mark.parametrize("name", TABLE)
def test_a_preset_has_the_options_and_the_sampling_of_its_paper(name: str) -> None:
    paper, members, _, sampling, options = TABLE[name]
    found = preset(name)
    assert paper in found.paper
    assert len(found.members) == members
    assert dict(found.sampling) == sampling
    written = {"kind": "debate", **found.formation.model_dump(mode="json")}
    for option, value in options.items():
        given = written[option]
        if option == "rule":
            kind, _, tie = str(value).partition(", ")
            assert given["kind"] == kind
            assert found.formation.rule.tie_break == ((tie,) if tie else ())  # type: ignore[attr-defined]
        else:
            assert given == value, option
    assert ("trigger" not in written) or written["trigger"] == (
        "always" if written["stop"] and ("never" in written["stop"] or "max_rounds" in written["stop"])
        else "on_disagreement"
    )  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
async def test_a_preset_runs_and_makes_no_more_calls_than_it_says(name: str) -> None:
    _, members, calls, sampling, _ = TABLE[name]
    model = SimulatedModel(0.6, answers={QUESTION: ("B", "ABCD")}, revise_right=0.3, confidence="calibrated")
    team = AgentTeam.preset(name, model=model)
    assert team.name == name
    free = [each for each in team.members if each.seat is None]
    assert len(free) == members
    for each in team.members:
        assert isinstance(each.who, Agent)
        for option, value in sampling.items():
            assert (each.who.temperature if option == "temperature" else each.who.options.sampling[option]) == value
    context = {"one": "Answer: A", "two": "Answer: B"} if name == "chateval" else None
    result = await team.run(QUESTION, context)
    assert 0 < result.usage.calls <= team.estimate(QUESTION).calls == calls
    again = await AgentTeam(formation=Formation.preset(name, model=model)).run(QUESTION, context)
    assert (again.status, again.content) == (result.status, result.content)


@pytest.mark.parametrize("name", TABLE)
def test_a_preset_can_be_written_to_a_team_file(name: str) -> None:
    team = AgentTeam.preset(name, model="offline/simulated")
    again = parse_team(team.to_yaml())
    assert again.formation == team.formation
    assert [member.seat for member in again.members] == [member.seat for member in team.members]


def test_agents_that_are_given_keep_their_own_sampling_and_names_get_the_paper_s() -> None:
    team = AgentTeam.preset("mad", [Agent("pro", temperature=0.9), "con"], model="offline/simulated")
    assert [each.who.temperature for each in team.members] == [0.0, 0.0, 0.9, 0.0]  # type: ignore[union-attr]


def test_settings_change_what_the_paper_has_and_only_what_exists() -> None:
    team = AgentTeam.preset("society", list("ab"), settings={"rounds": 1, "memory": 1})
    formation = team.formation
    assert isinstance(formation, Debate)
    assert (formation.rounds, formation.memory, formation.topology) == (1, 1, "full")
    with pytest.raises(ValidationError, match=r"no option 'round'.*'rounds'"):
        AgentTeam.preset("society", settings={"round": 1})
    with pytest.raises(ValidationError, match=r"no preset 'societ'.*'society'"):
        AgentTeam.preset("societ")
    with pytest.raises(ValueError, match="rounds"):
        AgentTeam.preset("society", settings={"rounds": -1})


async def test_the_moderator_of_mad_sees_the_opening_and_ends_it_when_it_agrees() -> None:
    model = Recording(
        {
            ("affirmative", "draft"): "Answer: 1", ("negative", "draft"): "Answer: 2",
            ("affirmative", "revise"): "Answer: 1", ("negative", "revise"): "Answer: 2",
            ("moderator", "moderate"): lambda request: {
                "verdict": "undecided" if request.about.round < 2 else f"Candidate {2 - request.about.round % 2}",
            },
        }
    )  # fmt: skip
    result = await AgentTeam.preset("mad", model=model).run("Which?")
    assert [each.number for each in result.rounds] == [0, 1]
    assert result == "Answer: 2"
    assert not [each for each in model.stages() if each[0] == "judge"]
    assert "Answer: 1" in model.sent("negative", "draft"), "the negative side answers what it has just heard"
    assert "Answer: 2" not in model.sent("affirmative", "draft")


# -- models drawn turn by turn -------------------------------------------------------------------------------------


async def test_each_turn_draws_one_of_the_models_by_the_seed_and_half_of_them_each() -> None:
    def speaking(name: str) -> FunctionModel:
        return FunctionModel(lambda _: f"{name} says so.\nAnswer: {name}", name=f"offline/{name}")

    async def drawn(seed: int) -> list[str]:
        team = AgentTeam.preset("society", models=[speaking("x"), speaking("y")])
        result = await team.run("Which?", seed=seed)
        return [re.findall(r"(\w) says", each.text)[-1] for each in result.members]

    runs = [await drawn(seed) for seed in range(30)]
    assert runs[0] == await drawn(0)
    share = sum(turns.count("x") for turns in runs) / (30 * 9)
    assert 0.4 < share < 0.6, share
    assert any(len(set(turns[::3])) == 2 for turns in runs), "a member always has the same model"


async def test_a_drawn_model_costs_what_it_costs_itself_and_at_most_what_the_dearest_does() -> None:
    class Priced:
        def __init__(self, name: str, output: float) -> None:
            self.name, self.output = name, output

        async def complete(self, request: Request, /) -> Completion:
            return Completion(text="yes", usage=Usage(1, 0, 1_000_000))

        async def price(self) -> Price:
            return Price(0.0, self.output)

    cheap, dear = Priced("test/cheap", 1.0), Priced("test/dear", 10.0)
    model = Drawn([cheap, dear])
    assert await model.price() == Price(0.0, 10.0, cached_input=0.0, cache_write=0.0)
    result = await AgentTeam.parallel([f"m{at}" for at in range(12)], model=model).run("Go.")
    costs = {round(each.usage.cost or 0.0, 6) for each in result.members}
    assert costs == {1.0, 10.0}


async def test_drawing_needs_two_models_and_no_other_model_beside_them() -> None:
    with pytest.raises(ConfigurationError, match="at least two"):
        AgentTeam.preset("society", models=["offline/simulated"])
    with pytest.raises(ConfigurationError, match="not both"):
        AgentTeam.preset("society", models=["offline/simulated"] * 2, model="offline/simulated")


async def test_a_drawn_model_that_fails_is_not_replaced_by_the_other() -> None:
    failing = FunctionModel(lambda _: (_ for _ in ()).throw(RuntimeError("down")), name="offline/failing")
    result = await AgentTeam.parallel(
        list("abcdefgh"), quorum=1, model=Drawn([failing, FunctionModel(lambda _: "fine")])
    ).run("Go.")  # fmt: skip
    assert {each.status for each in result.members} == {"ok", "failed"}
