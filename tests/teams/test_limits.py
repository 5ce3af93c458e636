"""A limit is a limit: reserved before, settled after, over the whole tree; and what was paid for is given back."""

from __future__ import annotations

import anyio
import pytest

from phalanx import Agent, AgentTeam, ConfigurationError, LimitExceeded, Limits, Price, Task, limits
from phalanx.agents.models.offline import FunctionModel
from phalanx.messages import Completion, Request, Usage
from phalanx.runtime.events import AnyEvent, LimitRefused, MemberFinished, RunFinished

PRICE = Price(1.0, 10.0)


class Paid:
    """A model of known price whose answers cost a hundred tokens of output and take a second."""

    name = "test/paid"

    def __init__(self, price: Price | None = PRICE, seconds: float = 1.0) -> None:
        self._price, self.seconds, self.calls = price, seconds, 0

    async def complete(self, request: Request, /) -> Completion:
        self.calls += 1
        await anyio.sleep(self.seconds)
        usage = Usage(1, 100, 100)
        return Completion(text=f"{request.about.member} says so", usage=usage.priced(self._price))

    async def price(self) -> Price | None:
        return self._price


def crowd(size: int, model: object, **options: object) -> list[Agent]:
    return [Agent("worker", name=f"m{at}", model=model, max_tokens=100, **options) for at in range(size)]  # type: ignore[arg-type]


async def test_twenty_members_under_a_limit_of_three_calls_make_three_and_their_answers_are_returned() -> None:
    model = Paid()
    events: list[AnyEvent] = []
    result = await AgentTeam.parallel(crowd(20, model)).run("Go.", limits=Limits(calls=3), on_event=events.append)
    assert model.calls == result.usage.calls == 3
    assert result.status == "stopped"
    assert "calls limit of this run reached: 3 spent, 3 allowed" in str(result.stop_reason)
    assert [each.status for each in result.members].count("ok") == 3
    assert [each.status for each in result.members].count("refused") == 17
    for outcome in result.members:
        assert (f"{outcome.member} says so" in result) == outcome.ok
    assert sum(isinstance(each, LimitRefused) for each in events) == 17


async def test_money_is_reserved_at_its_worst_and_what_is_left_over_comes_back() -> None:
    model = Paid()
    # One call costs 0.0011; its worst case about twice that. Four fit one after the other, not at the same time.
    result = await AgentTeam.parallel(crowd(20, model)).run("Go.", limits=Limits(usd=0.0055))
    assert result.cost is not None
    assert result.cost <= 0.0055
    assert model.calls >= 3
    assert result.status == "stopped"
    assert f"{model.calls * 0.0011:.6f}" == f"{result.cost:.6f}"


async def test_a_call_that_fits_once_others_have_settled_waits_for_them() -> None:
    model = Paid()
    agents = [Agent("worker", name=f"m{at}", model=model, max_tokens=1000) for at in range(3)]
    started = anyio.current_time()
    # Each may take somewhat over 1000 tokens and takes 200, so only one fits at a time, but all of them in a row.
    result = await AgentTeam.parallel(agents).run("Go.", limits=Limits(tokens=1700))
    assert result.status == "completed"
    assert anyio.current_time() - started == 3
    assert result.usage.tokens == 600


async def test_a_money_limit_with_an_unknown_price_is_an_error_that_says_how_to_give_one() -> None:
    model = Paid(price=None)
    with pytest.raises(ConfigurationError, match=r"price of 'test/paid' is not known; give it with .*Price\("):
        await AgentTeam.parallel(crowd(2, model)).run("Go.", limits=Limits(usd=1))
    assert model.calls == 0


async def test_an_unknown_price_is_an_unknown_cost_and_not_zero() -> None:
    result = await AgentTeam.parallel(crowd(2, Paid(price=None))).run("Go.")
    assert result.cost is None
    assert result.usage.unpriced_calls == 2
    assert result.usage.tokens == 400


@pytest.mark.parametrize(
    ("team_limit", "run_limit", "owner"), [(2, 5, "team 'parallel'"), (5, 2, "this run"), (None, 2, "this run")]
)
async def test_the_nearest_limit_that_refuses_is_named(team_limit: int | None, run_limit: int, owner: str) -> None:
    given = None if team_limit is None else Limits(calls=team_limit)
    result = await AgentTeam.parallel(crowd(9, Paid()), limits=given).run("Go.", limits=Limits(calls=run_limit))
    assert result.usage.calls == 2
    assert f"calls limit of {owner}" in str(result.stop_reason)


@pytest.mark.parametrize(
    ("team_limit", "run_limit", "owner"), [(2, 5, "team 'pipeline'"), (5, 2, "this run"), (None, 2, "this run")]
)
async def test_it_is_named_whose_seconds_have_passed(team_limit: int | None, run_limit: int, owner: str) -> None:
    own = None if team_limit is None else Limits(seconds=team_limit)
    team = AgentTeam.pipeline(crowd(9, Paid()), limits=own)
    result = await team.run("Go.", limits=Limits(seconds=run_limit))
    assert (result.status, result.refusal and result.refusal.owner) == ("stopped", owner)
    assert f"seconds limit of {owner} reached: 2 spent" in str(result.stop_reason)


async def test_a_members_own_limit_refuses_only_that_member() -> None:
    model = Paid()
    agents = [*crowd(2, model), Agent("worker", name="poor", model=model, limits=Limits(calls=0))]
    result = await AgentTeam.parallel(agents, quorum=2).run("Go.")
    assert result.status == "completed"
    assert result.member("poor").status == "refused"
    assert "calls limit of 'poor'" in str(result.member("poor").error)


async def test_a_limit_holds_over_nested_teams() -> None:
    model = Paid()
    inner = [AgentTeam.parallel(crowd(5, model), name=f"team{at}") for at in range(4)]
    result = await AgentTeam.parallel(inner).run("Go.", limits=Limits(calls=7))
    assert model.calls == result.usage.calls == 7
    assert result.status == "stopped"


async def test_a_nested_teams_limit_stops_it_with_its_best_and_the_others_go_on() -> None:
    model = Paid()
    small = AgentTeam.parallel(crowd(5, model), name="small", limits=Limits(calls=2))
    large = AgentTeam.parallel(crowd(5, model), name="large")
    result = await AgentTeam.parallel([small, large]).run("Go.")
    assert result.status == "completed"
    assert model.calls == 7
    assert result.member("small").text.count("says so") == 2


async def test_depth_is_a_limit() -> None:
    deepest = AgentTeam.parallel(crowd(1, Paid()), name="deepest")
    team = AgentTeam.parallel([AgentTeam.parallel([deepest], name="middle")])
    assert (await team.run("Go.", limits=Limits(depth=2))).status == "completed"
    with pytest.raises(LimitExceeded, match="depth limit"):
        await team.run("Go.", limits=Limits(depth=1))


async def test_concurrency_is_a_limit() -> None:
    model = Paid(seconds=1)
    started = anyio.current_time()
    await AgentTeam.parallel(crowd(6, model)).run("Go.", limits=Limits(concurrency=2))
    assert anyio.current_time() - started == pytest.approx(3)


async def test_a_block_limits_all_that_runs_in_it_together() -> None:
    model = Paid()
    team = AgentTeam.parallel(crowd(2, model))
    with limits(calls=3) as spent:
        assert (await team.run("Go.")).status == "completed"
        second = await team.run("Go.")
    assert second.status == "stopped"
    assert "the with-block" in str(second.stop_reason)
    assert spent.calls == model.calls == 3
    assert (await team.run("Go.")).status == "completed"


async def test_seconds_act_at_their_time_and_not_after_the_turn() -> None:
    async def slow(request: Request) -> str:
        await anyio.sleep(1 if request.about.member == "m0" else 1000)
        return f"{request.about.member} is quick"

    started = anyio.current_time()
    result = await AgentTeam.parallel(crowd(3, FunctionModel(slow))).run("Go.", limits=Limits(seconds=5))
    assert anyio.current_time() - started == 5
    assert result.status == "stopped"
    assert "m0 is quick" in result
    assert [each.status for each in result.members] == ["ok", "cancelled", "cancelled"]


async def test_a_deadline_of_a_gathering_times_members_out_and_the_rest_counts() -> None:
    async def slow(request: Request) -> str:
        await anyio.sleep(1 if request.about.member != "m2" else 1000)
        return "quick"

    started = anyio.current_time()
    team = AgentTeam.parallel(crowd(3, FunctionModel(slow)), quorum=2, deadline=5)
    result = await team.run("Go.")
    assert anyio.current_time() - started == 5
    assert [each.status for each in result.members] == ["ok", "ok", "timed_out"]
    assert result.status == "completed"


async def test_a_members_seconds_time_out_that_member_alone() -> None:
    async def slow(request: Request) -> str:
        await anyio.sleep(10)
        return "done"

    model = FunctionModel(slow)
    agents = [Agent("worker", name="a", model=model), Agent("worker", name="b", model=model, limits=Limits(seconds=3))]
    result = await AgentTeam.parallel(agents, quorum=1).run("Go.")
    assert [each.status for each in result.members] == ["ok", "timed_out"]


async def test_cancelling_a_team_cancels_every_member_and_the_journal_says_so() -> None:
    cancelled: list[str] = []
    events: list[AnyEvent] = []

    async def endless(request: Request) -> str:
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            cancelled.append(request.about.member)
            raise
        return "never"

    inner = AgentTeam.debate(crowd(2, FunctionModel(endless)), name="inner")
    team = AgentTeam.parallel([inner, Agent("worker", name="x", model=FunctionModel(endless))])
    with anyio.move_on_after(3) as scope:
        await team.run("Go.", on_event=events.append)
    assert scope.cancelled_caught
    assert sorted(cancelled) == ["m0", "m1", "x"]
    ended = [each for each in events if isinstance(each, MemberFinished)]
    assert {(each.member, each.status) for each in ended} == {
        (name, "cancelled") for name in ("m0", "m1", "x", "inner")
    }
    assert isinstance(events[-1], RunFinished)
    assert events[-1].status == "cancelled"


@pytest.mark.parametrize("kind", ["agent", "team"])
async def test_a_task_whose_run_was_cancelled_has_failed_of_that_and_can_be_done_again(kind: str) -> None:
    waiting = [anyio.sleep_forever]

    async def slow(_: Request) -> str:
        if waiting:
            await waiting.pop()()
        return "done"

    agent = Agent("worker", model=FunctionModel(slow))
    task = Task("Go.", agent=agent if kind == "agent" else AgentTeam.pipeline([agent]))
    with anyio.move_on_after(3) as scope:
        await task.execute()
    assert scope.cancelled_caught
    assert task.status == "failed"
    assert isinstance(task.error, anyio.get_cancelled_exc_class())

    await task.execute()
    assert (task.status, str(task.result)) == ("completed", "done")


async def test_leaving_a_stream_early_cancels_the_team() -> None:
    cancelled: list[str] = []

    async def slow(request: Request) -> str:
        try:
            await anyio.sleep(100)
        except anyio.get_cancelled_exc_class():
            cancelled.append(request.about.member)
            raise
        return "never"

    team = AgentTeam.parallel(crowd(2, FunctionModel(slow)))
    async with team.stream("Go.") as events:
        async for event in events:
            if event.kind == "step.started":
                break
    assert sorted(cancelled) == ["m0", "m1"]

    cancelled.clear()
    async for event in team.stream("Go."):
        if event.kind == "step.started":
            break
    await anyio.sleep(1)
    assert sorted(cancelled) == ["m0", "m1"]


async def test_a_task_knows_how_it_ended() -> None:
    task = Task("Go.")
    with pytest.raises(LimitExceeded):
        await AgentTeam.parallel(crowd(1, Paid())).run(task, limits=Limits(calls=0))
    assert (task.status, type(task.error)) == ("failed", LimitExceeded)
