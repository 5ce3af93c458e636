"""Equal budget: what a team has to beat spends, on every single item, no more than the team did."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from phalanx import Agent, AgentTeam, Limits, tool
from phalanx.agents.models.offline import FunctionModel
from phalanx.benchmarks.compare import compare
from phalanx.benchmarks.purse import Purse, as_limits
from phalanx.benchmarks.record import Attempt, Comparison, System
from phalanx.messages import Completion, Price, Request, ToolCall, Usage, estimate_request
from phalanx.runtime.log import MemoryLog
from tests.benchmarks.staff import Office, of_system, sums

PRICE = Price(input=1.0, output=3.0)


def systems(found: Comparison) -> dict[str, System]:
    return {each.name: each for each in found.systems}


class Paid:
    """A model that costs money; its answers have 20 to 60 tokens, by member, question and attempt."""

    name = "paid/model"
    native_tools = True

    def __init__(self) -> None:
        self.limits_given: list[int | None] = []
        self.cut_short = 0

    async def complete(self, request: Request) -> Completion:
        self.limits_given.append(request.max_tokens)
        about = request.about
        length = 20 + 7 * (len(about.question) + about.attempt * 3 + about.round * 5) % 41
        if request.max_tokens is not None and length > request.max_tokens:
            length, self.cut_short = request.max_tokens, self.cut_short + 1
        return Completion(text="Answer: 2", usage=Usage(1, estimate_request(request), length))

    async def price(self) -> Price:
        return PRICE


def debate(model: object, *names: str) -> AgentTeam:
    agents = [Agent("debater", name=name, model=model, max_tokens=200) for name in names]
    return AgentTeam.debate(agents, 2, trigger="always", name="debate")


async def test_a_team_is_compared_with_its_member_and_with_votes_at_equal_calls_tokens_and_money() -> None:
    found = await compare({"debate": debate(Paid(), "ada", "bob", "cy")}, sums(6))
    known = systems(found)
    assert list(known) == [
        "debate", "debate: one member", "debate: vote at equal calls", "debate: vote at equal tokens",
        "debate: vote at equal money",
    ]  # fmt: skip
    assert {each.baseline_of for each in known.values()} == {None, "debate"}
    assert known["debate: vote at equal tokens"].budget == "the same tokens on each item"
    team = of_system(found, "debate")
    matched: dict[str, Callable[[Attempt], float]] = {
        "debate: vote at equal calls": lambda each: each.usage.calls,
        "debate: vote at equal tokens": lambda each: each.usage.tokens,
        "debate: vote at equal money": lambda each: each.usd or 0.0,
    }
    for name, spent in matched.items():
        vote = of_system(found, name)
        assert len(vote) == 6
        for mine, theirs in zip(vote, team, strict=True):
            assert mine.status == "completed"
            assert spent(mine) <= spent(theirs) + 1e-12
            # And it makes use of it: another average sample would not have fitted.
            mean = spent(mine) / mine.usage.calls
            assert spent(mine) + mean > spent(theirs)
    # Peers' answers in the prompts make tokens dearer than calls.
    assert sum(each.usage.calls for each in of_system(found, "debate: one member")) == 6


async def test_the_budget_is_a_limit_and_an_answer_is_held_to_what_is_left() -> None:
    model = Paid()
    found = await compare({"debate": debate(model, "ada", "bob")}, sums(6), baselines=["tokens"])
    spent = {each.item: each.usage.tokens for each in of_system(found, "debate")}
    for each in of_system(found, "debate: vote at equal tokens"):
        assert each.usage.tokens <= spent[each.item]
        assert each.answer is not None
    assert min(given for given in model.limits_given if given is not None) < 200
    # A sample that what is left would probably cut short is not drawn at all.
    assert model.cut_short == 0


async def test_a_sample_that_takes_more_than_the_whole_budget_is_stopped_by_it() -> None:
    def answer(request: Request) -> str | Completion:
        if request.about.path[0] == "sample-and-vote":
            return Completion(text="", tool_calls=(ToolCall(id="1", tool_name="look", parameters={}),))
        return "Answer: 2"

    @tool
    def look() -> str:
        """Look."""
        return "nothing"

    model = FunctionModel(answer)
    agents = [Agent("worker", name=name, model=model, tools=[look]) for name in ("ada", "bob")]
    team = AgentTeam.debate(agents, 1, trigger="always")
    found = await compare({"team": team}, sums(2), baselines=["calls"])
    spent = {each.item: each.usage.calls for each in of_system(found, "team")}
    for each in of_system(found, "team: vote at equal calls"):
        assert (each.status, each.score, each.answer) == ("stopped", 0.0, None)
        assert each.usage.calls == spent[each.item]


async def test_money_is_matched_only_where_every_price_is_known_and_something_costs() -> None:
    free = await compare({"team": Office().debate("ada", "bob")}, sums(2))
    assert "team: vote at equal money" not in systems(free)
    assert "team: vote at equal tokens" in systems(free)

    class Unpriced(Paid):
        async def price(self) -> Price | None:  # type: ignore[override]
            return None

    unknown = await compare({"team": debate(Unpriced(), "ada", "bob")}, sums(2))
    assert "team: vote at equal money" not in systems(unknown)


async def test_the_best_member_on_its_own_is_what_is_sampled() -> None:
    office = Office(lambda member, number: 0 if member == "bob" or (member == "cy" and number > 2) else None)
    bob = office.agent("bob")
    bob.instructions = "Guess."
    cy = office.agent("cy")
    cy.instructions = "Be brave."
    found = await compare({"team": AgentTeam.debate([bob, cy], 1, trigger="always")}, sums(5))
    known = systems(found)
    assert [name for name in known if name.endswith("alone")] == ["team: bob alone", "team: cy alone"]
    assert sum(each.score for each in of_system(found, "team: cy alone")) == 2
    vote = known["team: vote at equal calls"]
    assert vote.budget == "the same calls on each item, of cy, the best of 2 members on these items"
    assert [each.score for each in of_system(found, "team: vote at equal calls")] == [1, 1, 0, 0, 0]


async def test_a_team_that_is_a_vote_has_no_other_vote_to_beat_and_an_agent_has_nobody() -> None:
    office = Office()
    vote = AgentTeam.parallel([office.agent(name) for name in ("ada", "bob", "cy")], aggregation="majority_vote")
    found = await compare({"vote": vote, "agent": office.agent()}, sums(2))
    assert list(systems(found)) == ["vote", "agent", "vote: one member"]


async def test_equal_systems_are_run_once_and_shown_under_each_name() -> None:
    office = Office()
    found = await compare(
        {"a": office.debate("ada", "bob"), "b": office.debate("ada", "bob")}, sums(3), baselines=False
    )
    assert office.calls == sum(each.usage.calls for each in of_system(found, "a"))
    assert [each.score for each in of_system(found, "a")] == [each.score for each in of_system(found, "b")]


async def test_baselines_can_be_refused_or_named() -> None:
    team = {"team": Office().debate("ada", "bob")}
    assert list(systems(await compare(team, sums(2), baselines=False))) == ["team"]
    assert list(systems(await compare(team, sums(2), baselines=["calls"]))) == ["team", "team: vote at equal calls"]
    assert list(systems(await compare(team, sums(2), baselines=["single"]))) == ["team", "team: one member"]


async def test_baselines_go_on_too_and_stay_within_the_limits_of_the_suite() -> None:
    log, office = MemoryLog(), Office()
    team = {"team": office.debate("ada", "bob")}
    first = await compare(team, sums(4), log=log, limits=Limits(calls=25))
    assert office.calls <= 25
    assert first.stopped is not None
    whole = await compare(team, sums(4), log=log)
    assert whole.stopped is None
    for name in ("team: vote at equal calls", "team: vote at equal tokens"):
        assert len(of_system(whole, name)) == 4
    asked = office.calls
    assert (await compare(team, sums(4), log=log)).attempts == whole.attempts
    assert office.calls == asked


async def test_a_vote_whose_samples_all_fail_gives_up_and_is_worth_nothing() -> None:
    def answer(request: Request) -> str:
        if request.about.stage == "draft" and request.about.path[0] == "sample-and-vote":
            raise ValueError("no")
        return "Answer: 2"

    model = FunctionModel(answer)
    agents = [Agent("worker", name=name, model=model) for name in ("ada", "bob")]
    team = AgentTeam.debate(agents, 3, trigger="always")
    found = await compare({"team": team}, sums(2), baselines=["calls"])
    votes = of_system(found, "team: vote at equal calls")
    assert {(each.status, each.score) for each in votes} == {("failed", 0.0)}
    assert {each.usage.calls for each in votes} <= {1, 2, 3}


def test_shares_of_a_purse_never_overdraw_it_and_what_is_left_comes_back() -> None:
    purse = Purse(Limits(calls=10, usd=1.0), "the suite")
    one, two = purse.share(("a", "1", 0, 0), 2), purse.share(("a", "2", 0, 0), 2)
    assert (one[0], two[0]) == (5, 5)
    assert one[2] + two[2] == pytest.approx(1.0)
    purse.settle(("a", "1", 0, 0), Usage(2, known_cost=0.1))
    three = purse.share(("a", "3", 0, 0), 2)
    assert three[0] == 3
    assert three[2] == pytest.approx(0.4)
    purse.settle(("a", "2", 0, 0), Usage(5, known_cost=0.5))
    purse.settle(("a", "3", 0, 0), Usage(3, known_cost=0.4))
    # What the attempt itself has spent before counts again when it goes on.
    assert purse.share(("a", "3", 0, 0), 1)[0] == 3
    assert as_limits(purse.share(("a", "4", 0, 0), 1)) == Limits(calls=0, usd=0.0)
    assert as_limits(Purse(None, "all").share(("a", "1", 0, 0), 4)) is None
