"""A function of the user's that breaks off, by an error or by a cancellation of its own, ends its team and no other.

What the members said, and was paid for, goes on with the error; to whoever waits for the run nothing is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import NoReturn

import anyio
import anyio.lowlevel
import pytest

from phalanx import Agent, AgentTeam, Limits, Task, TeamResult, TeamRun
from phalanx.errors import TeamError
from phalanx.formations.team_run import Job
from phalanx.formations.voting import Decision, Equivalence, RawBallot
from phalanx.messages import Request
from phalanx.runtime.events import Warned
from phalanx.testing import FunctionModel

NAMES = ("ada", "bob", "cy")
Raises = Callable[..., NoReturn]


def model() -> FunctionModel:
    async def reply(request: Request) -> str:
        about = request.about
        await anyio.sleep(NAMES.index(about.member) if about.member in NAMES else 0)
        if about.stage == "bid":
            return '{"confidence": 0.5, "cost": 0.1}'
        return f"Answer: what {about.member} says"

    return FunctionModel(reply)


class OwnRule:
    """A rule of the user's."""

    def __init__(self, raises: Raises) -> None:
        self.raises = raises

    def decide(
        self,
        ballots: Sequence[RawBallot],
        *,
        seed: int = 0,
        eligible: int | None = None,
        candidates: Iterable[str] | None = None,
    ) -> Decision:
        self.raises(ballots)


def awaited(raises: Raises) -> Callable[..., Awaitable[NoReturn]]:
    async def function(*_: object) -> NoReturn:
        await anyio.lowlevel.checkpoint()
        raises()

    return function


def until(raises: Raises) -> Callable[[TeamRun, Task], object]:
    async def formation(run: TeamRun, task: Task) -> str:
        await run.ask_all(run.text(task), until=lambda _done: raises())
        return "all is well"

    return formation


def prompt(raises: Raises) -> Callable[[TeamRun, Task], object]:
    async def formation(run: TeamRun, task: Task) -> str:
        first, second, third = run.members
        text = run.text(task)
        await run.ask_jobs([
            Job("1", first, text),
            Job("2", second, lambda done: raises(done), ("1",)),
            Job("3", third, text, ("1",)),
        ])  # fmt: skip
        return "all is well"

    return formation


TEAMS: Mapping[str, Callable[[Raises], AgentTeam]] = {
    "rule of a consensus": lambda bad: AgentTeam.consensus(NAMES, rule=OwnRule(bad), model=model()),
    "rule of a vote": lambda bad: AgentTeam.vote(NAMES, rule=OwnRule(bad), samples=3, model=model()),
    "rule of a debate": lambda bad: AgentTeam.debate(NAMES, rule=OwnRule(bad), model=model()),
    "rule of an aggregation": lambda bad: AgentTeam.parallel(NAMES, aggregation=OwnRule(bad), model=model()),
    "relation of a vote": lambda bad: AgentTeam.vote(NAMES, equivalence=Equivalence(relation=bad), model=model()),
    "relation of a consensus": lambda bad: AgentTeam.consensus(
        NAMES, equivalence=Equivalence(relation=bad), model=model()
    ),
    "aggregation": lambda bad: AgentTeam.parallel(NAMES, aggregation=bad, model=model()),
    "async aggregation": lambda bad: AgentTeam.flat(
        NAMES, shared_memory=False, aggregation=awaited(bad), model=model()
    ),
    "settle": lambda bad: AgentTeam.market(NAMES, settle=bad, model=model()),
    "async settle": lambda bad: AgentTeam.market(NAMES, settle=awaited(bad), model=model()),
    "validator": lambda bad: AgentTeam.pipeline(NAMES, validators={"ada": bad}, model=model()),
    "until": lambda bad: AgentTeam(NAMES, formation=until(bad), model=model()),
    "prompt": lambda bad: AgentTeam(NAMES, formation=prompt(bad), model=model()),
}  # fmt: skip


def errs(*_: object) -> NoReturn:
    raise KeyError("mine")


def cancels(*_: object) -> NoReturn:
    raise asyncio.CancelledError


@pytest.fixture(params=["an error", "a cancellation"])
def bad(request: pytest.FixtureRequest, anyio_backend_name: str) -> Raises:
    if request.param == "an error":
        return errs
    if anyio_backend_name != "asyncio":
        pytest.skip("under trio nobody can raise a cancellation")
    return cancels


@pytest.mark.parametrize("what", TEAMS)
async def test_its_team_fails_with_what_was_paid_for(what: str, bad: Raises) -> None:
    with pytest.raises(TeamError, match="broke off") as caught:
        await TEAMS[what](bad).run("What is it?")

    wanted = "KeyError: 'mine'" if bad is errs else "cancelled, and not by this run"
    assert wanted in str(caught.value)
    result = caught.value.result
    assert isinstance(result, TeamResult)
    assert result.status == "failed"
    assert result.members[0].text == (
        '{"confidence": 0.5, "cost": 0.1}' if "settle" in what else "Answer: what ada says"
    )
    assert result.usage.calls == sum(each.usage.calls for each in result.members) > 0


@pytest.mark.parametrize("what", TEAMS)
async def test_the_other_members_of_the_team_around_it_answer(what: str, bad: Raises) -> None:
    inner = TEAMS[what](bad)
    team = AgentTeam.parallel([inner, Agent("coder", name="zoe")], quorum=1, model=model())
    result = await team.run("What is it?")

    assert [(each.member, each.status) for each in result.members] == [(inner.name, "failed"), ("zoe", "ok")]
    assert "broke off" in str(result.members[0].error)


async def test_a_rule_that_breaks_off_when_a_limit_ends_the_run_leaves_the_limit_as_the_reason(bad: Raises) -> None:
    team = AgentTeam.vote(["ada"], rule=OwnRule(bad), samples=3, model=model())
    warnings: list[str] = []

    def note(event: object) -> None:
        if isinstance(event, Warned):
            warnings.append(event.text)

    with pytest.raises(TeamError, match="calls limit of this run reached") as caught:
        await team.run("What is it?", limits=Limits(calls=2), on_event=note)
    result = caught.value.result
    assert isinstance(result, TeamResult)
    assert sorted(each.ok for each in result.members) == [False, True, True]
    assert any("cannot be decided on" in text for text in warnings)


async def test_who_cancels_the_run_while_the_function_works_cancels_it() -> None:
    async def forever(_texts: list[str]) -> str:
        await anyio.sleep_forever()
        raise AssertionError

    with anyio.move_on_after(5) as scope:
        await AgentTeam.parallel(NAMES, aggregation=forever, model=model()).run("What is it?")
    assert scope.cancelled_caught
