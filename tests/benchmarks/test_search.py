"""A search finds what is worth its cost, proves it on questions nobody has seen, and says so when nothing is."""

from __future__ import annotations

import random
from collections.abc import Mapping

import anyio
import pytest

from phalanx import Agent, AgentTeam, Limits
from phalanx.agents.models.simulated import SimulatedModel
from phalanx.benchmarks.record import Comparison
from phalanx.benchmarks.search import search
from phalanx.benchmarks.search_grid import grid
from phalanx.benchmarks.search_race import Race, Units
from phalanx.benchmarks.search_record import Search
from phalanx.benchmarks.store import read_comparison
from phalanx.benchmarks.tasks import TaskItem, TaskSet
from phalanx.errors import ConfigurationError, ValidationError
from phalanx.formations.base import FormationModel
from phalanx.formations.consensus import Consensus
from phalanx.formations.debate import Debate
from phalanx.formations.hierarchical import Hierarchical
from phalanx.formations.vote import Vote
from phalanx.messages import Completion, Request
from phalanx.runtime.log import MemoryLog
from tests.benchmarks.staff import Office, sums
from tests.benchmarks.theory import questions


def debaters(*names: str) -> list[Agent]:
    return [Agent("debater", name=name) for name in names or ("ada", "bob", "cy")]


def yes_or_no(skill: float, **habits: float) -> SimulatedModel:
    return SimulatedModel(skill, answers=lambda _: ("yes", ("yes", "no")), **habits)  # type: ignore[arg-type]


def tried(found: Search) -> dict[str, str | None]:
    return {each.name: each.why for each in found.tried}


async def held(log: MemoryLog, part: str, name: str = "search") -> Comparison:
    return await read_comparison(log, f"{name} ({part})")


async def test_a_vote_that_beats_the_single_agent_is_found_and_proved_on_held_out_questions() -> None:
    """Members of skill 0.7, answers yes or no: a vote of nine is right in 0.901."""
    log = MemoryLog()
    formations: list[FormationModel] = [Vote(samples=9), Debate(rounds=1)]
    found = await search(
        questions(1, 200), debaters(), model=yes_or_no(0.7, revise_wrong=0.3), formations=formations, log=log
    )
    assert (found.outcome, found.winner) == ("formation", "vote(samples=9)")
    assert found.verdict is not None
    assert found.verdict.kind == "better"
    assert found.verdict.difference.n == 80
    assert found.text.startswith("vote(samples=9) is worth having: vote(samples=9) is better than single agent by")
    development, proof = await held(log, "development"), await held(log, "held out")
    assert {each.id for each in development.items}.isdisjoint(each.id for each in proof.items)
    assert [each.name for each in proof.systems] == ["vote(samples=9)", "single agent"]
    assert "vote(samples=9) is better than single agent" in " ".join(str(found).split())


async def test_what_beats_the_single_agent_is_also_held_against_a_vote_at_its_own_calls() -> None:
    """A debate that only breaks what was right: its drafts alone would have done better, and that is said."""
    model = yes_or_no(0.75, revise_wrong=0.25)
    formations = {"debate": Debate(rounds=1, trigger="always")}
    found = await search(questions(2, 150), debaters(), model=model, formations=formations)
    assert found.confirmation is not None
    names = [each.system.name for each in found.confirmation.standings]
    assert names == ["debate", "single agent", "debate: vote at equal calls"]
    vote = next(each for each in found.confirmation.findings if each.baseline)
    assert vote.verdict.kind == "worse"
    assert found.winner != "debate"


async def test_the_single_agent_wins_where_talking_breaks_more_than_it_fixes() -> None:
    model = yes_or_no(0.9, revise_wrong=0.5)
    formations = {f"debate {rounds}": Debate(rounds=rounds, trigger="always") for rounds in (2, 3)}
    found = await search(questions(3, 200), debaters(), model=model, formations=formations)
    assert (found.outcome, found.winner) == ("single agent", "single agent")
    assert set(tried(found).values()) == {None, "worse"}
    assert found.confirmation is None
    worst = next(each for each in found.tried if each.why == "worse")
    assert worst.e_value is not None
    assert worst.e_value >= 2 / 0.05
    assert found.text.startswith("The single agent wins")


async def test_a_formation_that_surely_changes_nothing_is_dropped_as_tied_and_dearer() -> None:
    """Everybody knows everything: after enough questions an interval that holds at every look is inside the margin."""
    found = await search(
        questions(4, 300), debaters("ada"), model=yes_or_no(1.0), formations=[Vote(samples=3)], margin=0.2
    )
    assert tried(found) == {"single agent": None, "vote(samples=3)": "tied and dearer"}
    assert (found.outcome, found.winner) == ("single agent", "single agent")


async def test_nothing_is_claimed_when_the_questions_are_too_few() -> None:
    found = await search(questions(6, 40), debaters(), model=yes_or_no(0.6), formations=[Vote(samples=3), Consensus()])
    assert (found.outcome, found.winner) == ("undecided", None)
    assert found.text.startswith("Nothing can be told")
    assert found.verdict is not None
    assert found.verdict.difference.value > 0.1
    assert found.verdict.more_items is not None


async def test_members_that_differ_are_each_tried_alone_and_the_best_is_what_a_formation_has_to_beat() -> None:
    model = SimulatedModel({"ada": 0.5, "bob": 0.95, "cy": 0.5}, answers=lambda _: ("yes", ("yes", "no")))
    members = [Agent(role, name=name) for role, name in (("coder", "ada"), ("planner", "bob"), ("critic", "cy"))]
    found = await search(questions(6, 150), members, model=model, formations=[Vote(samples=3), Consensus(rounds=0)])
    assert found.against == "bob alone"
    assert [each.name for each in found.tried if each.single] == ["ada alone", "bob alone", "cy alone"]
    assert found.winner in ("bob alone", None)
    if found.confirmation is not None:
        assert [each.system.name for each in found.confirmation.standings][2] == "vote of 3 by bob"


# -- equal blocks, whole clusters ----------------------------------------------------------------------------------


async def test_all_that_are_left_do_the_same_questions_and_no_cluster_is_cut() -> None:
    items = [
        TaskItem(id=f"q{at}", question=f"Question {at}?", gold="yes", cluster=f"page {at // 7}") for at in range(105)
    ]
    log = MemoryLog()
    found = await search(
        TaskSet("pages", tuple(items)), debaters(), model=yes_or_no(0.6), log=log,
        formations=[Vote(samples=3), Vote(samples=5), Consensus(), Debate(rounds=1)],
    )  # fmt: skip
    assert len(found.looks) >= 2
    assert all(look % 7 == 0 for look in found.looks)
    counts = [each.items for each in found.tried]
    assert set(counts) <= set(found.looks)
    development, proof = await held(log, "development"), await held(log, "held out")
    assert {each.cluster for each in development.items}.isdisjoint(each.cluster for each in proof.items)
    for choice in found.tried:
        if choice.rung is not None:
            assert choice.items == found.looks[choice.rung - 1]
    assert found.tried[0].accuracy is not None
    assert found.tried[0].accuracy.clusters == found.tried[0].items // 7


def test_looking_after_every_question_drops_the_best_as_worse_in_at_most_one_of_twenty_searches() -> None:
    """Four equal choices, so that each is the best: 100 searches, looked at after each of 50 questions."""
    rng = random.Random(1)
    items = [TaskItem(id=f"q{at}", question="?", gold="yes") for at in range(50)]
    race = Race(Units.of(items), 0.05, 3, 0.02)
    costs = dict.fromkeys("abcd", 1.0)
    dropped = 0
    for _ in range(100):
        scores: dict[str, dict[str, float]] = {name: {} for name in costs}
        for item in items:
            for name in costs:
                scores[name][item.id] = float(rng.random() < 0.6)
            found = race.drops(scores, costs, {"d"}, keep=3, keep_singles=1)
            if "a" in found:
                assert found["a"].why == "worse"
                dropped += 1
                break
    assert dropped / 100 <= 0.05


def test_a_choice_that_is_worse_is_dropped_long_before_the_end() -> None:
    rng = random.Random(2)
    items = [TaskItem(id=f"q{at}", question="?", gold="yes") for at in range(100)]
    race = Race(Units.of(items), 0.05, 2, 0.02)
    scores: Mapping[str, dict[str, float]] = {"good": {}, "bad": {}, "alone": {}}
    for item in items:
        scores["good"][item.id], scores["alone"][item.id] = float(rng.random() < 0.9), float(rng.random() < 0.85)
        scores["bad"][item.id] = float(rng.random() < 0.4)
    found = race.drops(scores, {"good": 3, "bad": 3, "alone": 1}, {"alone"}, keep=2, keep_singles=1)
    assert {name: drop.why for name, drop in found.items()} == {"bad": "worse"}
    assert found["bad"].against in ("good", "alone")


# -- the budget ----------------------------------------------------------------------------------------------------


def team_of(office: Office) -> list[Agent]:
    return [office.agent(name) for name in ("ada", "bob")]


FORMATIONS: dict[str, FormationModel] = {"vote": Vote(samples=4), "debate": Debate(rounds=1, trigger="always")}


@pytest.mark.parametrize("calls", [60, 100, 237])
async def test_the_budget_is_never_overspent_and_a_part_is_kept_for_the_proof(calls: int) -> None:
    log, office = MemoryLog(), Office(lambda _, number: 0 if number % 3 == 0 else None)
    found = await search(sums(60), team_of(office), formations=FORMATIONS, budget=Limits(calls=calls), log=log)
    assert office.calls <= calls
    assert found.spent.calls == office.calls
    assert sum(each.calls * each.items for each in found.tried) <= 0.6 * calls
    assert found.confirmation is not None
    assert found.stopped is not None
    assert "the budget paid for" in found.stopped


@pytest.mark.parametrize("limit", [{"tokens": 6000}, {"seconds": 9.0}])
async def test_other_limits_hold_too(limit: dict[str, float]) -> None:
    office = Office()
    begun = anyio.current_time()
    found = await search(sums(60), team_of(office), formations=FORMATIONS, budget=limit, concurrency=2)
    assert found.stopped is not None
    assert found.spent.tokens <= limit.get("tokens", 1e9)
    assert anyio.current_time() - begun <= limit.get("seconds", 1e9) + 1e-6


async def test_a_limit_holds_where_later_calls_are_dearer_than_the_first_ones() -> None:
    office = Growing()
    found = await search(sums(60), team_of(office), formations=FORMATIONS, budget={"tokens": 8000}, concurrency=2)
    assert 2000 < office.tokens <= 8000
    assert found.stopped is not None


class Growing(Office):
    """Whose answers become nine times as long after the first eighty calls."""

    tokens = 0

    async def answer(self, request: Request) -> Completion:
        self.words = 10 if self.calls < 80 else 90
        said = await super().answer(request)
        self.tokens += said.usage.tokens
        return said


async def test_a_budget_that_pays_for_no_question_is_refused_before_anything_is_spent() -> None:
    office = Office()
    with pytest.raises(ValidationError, match="pays for no question: one takes up to 9 calls of all 3 choices"):
        await search(sums(20), team_of(office), formations=FORMATIONS, budget={"calls": 10})
    assert office.calls == 0


# -- going on ------------------------------------------------------------------------------------------------------


def findings(found: Search) -> object:
    """What was found, without what it cost: a call in flight that was cancelled is paid for, too."""
    assert found.verdict is not None
    fates = [(each.name, each.items, each.accuracy, each.rung, each.why, each.e_value) for each in found.tried]
    return fates, found.looks, found.winner, found.verdict.difference, found.verdict.kind


async def test_a_search_that_was_cancelled_goes_on_and_comes_to_the_same_end() -> None:
    log, cut = MemoryLog(), Office(sometimes_wrong)
    whole = await one_search(Office(sometimes_wrong), MemoryLog())
    for seconds in (3.5, 7.5, 5.5):
        with anyio.move_on_after(seconds) as scope:
            await one_search(cut, log)
        assert scope.cancelled_caught
    found = await one_search(cut, log)
    assert findings(found) == findings(whole)
    in_flight = 3 * 3 * 8  # three times cancelled, three attempts at a time, of at most eight calls together
    assert whole.spent.calls <= cut.calls <= whole.spent.calls + in_flight
    asked = cut.calls
    again = await one_search(cut, log)
    assert (findings(again), again.spent) == (findings(found), found.spent)
    assert cut.calls == asked


def sometimes_wrong(_: str, number: int) -> int | None:
    return 0 if number % 4 == 0 else None


async def one_search(office: Office, log: MemoryLog) -> Search:
    """Formations of which one costs twice the other, under a budget that is enough for all."""
    formations: dict[str, FormationModel] = {"vote": Vote(samples=8), "debate": Debate(rounds=1, trigger="always")}
    return await search(sums(40), team_of(office), formations=formations, budget={"calls": 900}, log=log, concurrency=3)


async def test_going_on_with_a_smaller_budget_than_was_spent_asks_nobody_more() -> None:
    log, office = MemoryLog(), Office()
    formations: dict[str, FormationModel] = {"vote": Vote(samples=4)}
    await search(sums(20), team_of(office), formations=formations, log=log)
    asked = office.calls
    found = await search(sums(20), team_of(office), formations=formations, log=log, budget={"calls": 30})
    assert office.calls == asked
    assert found.stopped is not None


async def test_held_out_questions_confirm_once_and_nothing_else_afterwards() -> None:
    log, office = MemoryLog(), Office()
    await search(sums(20), team_of(office), formations={"vote": Vote(samples=4)}, log=log)
    with pytest.raises(ConfigurationError, match=r"were used for 'vote' and 'single agent' before"):
        await search(sums(20), team_of(office), formations={"other": Vote(samples=6)}, log=log)


# -- what is tried, and what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("members", [1, 2, 3, 6])
async def test_the_usual_formations_fit_so_many_members(members: int) -> None:
    names = ("ada", "bob", "cy", "dan", "eve", "fay")[:members]
    found = await search(questions(7, 14), debaters(*names), model=yes_or_no(0.7))
    assert found.tried[0].name == "single agent"
    assert len(found.tried) == 1 + len(grid(members))
    assert {"vote", "mixture", "reflect"} <= {each.kind for each in found.tried}
    assert ("debate" in {each.kind for each in found.tried}) is (members > 1)
    assert all(each.items >= 8 for each in found.tried)


async def test_whole_teams_and_formations_with_seats_can_be_tried() -> None:
    model = yes_or_no(0.8)
    team = AgentTeam.mixture([Agent("writer", name="w")], model=model)
    formations: dict[str, FormationModel | AgentTeam] = {"own team": team, "led": Hierarchical()}
    found = await search(questions(8, 20), debaters(), model=model, formations=formations)
    assert {each.name: each.kind for each in found.tried} == {
        "single agent": "agent", "own team": "mixture", "led": "hierarchical",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"held_out": 1.0}, "held_out=1.0 must be between 0 and 1"),
        ({"reserve": 0}, "reserve=0 must be between 0 and 1"),
        ({"alpha": 0.9}, "alpha=0.9"),
        ({"formations": []}, "there is no formation to search"),
        ({"formations": [Vote(samples=3), Vote(samples=3)]}, "'vote(samples=3)' is there twice"),
        ({"formations": {"single agent": Vote(samples=3)}}, "'single agent' is that of a member alone"),
        ({"formations": {"odd": "vote"}}, "formation 'odd' is 'vote'"),
        ({"formations": {"few": Vote(samples=2)}}, "samples=2"),
        ({"members": []}, "at least one member"),
        ({"members": [AgentTeam.flat(["worker"])]}, "cannot be a member of a search"),
        ({"budget": {"euros": 3}}, "there is no limit 'euros'"),
        ({"budget": {"depth": 2}}, "depth belongs to a team"),
    ],
)
async def test_what_cannot_be_searched_is_refused_by_its_name(options: dict[str, object], said: str) -> None:
    office = Office()
    given: dict[str, object] = {"members": [office.agent(name) for name in ("ada", "bob", "cy")], **options}
    with pytest.raises((ValidationError, ConfigurationError)) as caught:
        await search(sums(20), **given)  # type: ignore[arg-type]
    assert said in str(caught.value)
    assert office.calls == 0
