"""Who mends what made a run fail, and resumes it, has the failed calls tried again; no others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from phalanx import Agent, AgentTeam
from phalanx.agents.models.offline import FunctionModel
from phalanx.errors import AuthenticationFailed, MemberFailed, QuorumMissed
from phalanx.messages import Request
from phalanx.runtime.log import MemoryLog


class Flaky:
    """A model that some members cannot ask, until it is mended; `calls` is who asked."""

    def __init__(self, *broken: str) -> None:
        self.broken, self.calls = set(broken), list[str]()
        self.model = FunctionModel(self.answer, name="offline/flaky")

    def answer(self, request: Request) -> str:
        self.calls.append(request.about.member)
        if request.about.member in self.broken:
            raise AuthenticationFailed("the key is wrong")
        return f"by {request.about.member}\nAnswer: 7"

    def mend(self) -> None:
        self.broken, self.calls = set(), []


async def fails(team: AgentTeam, log: MemoryLog, error: type[Exception]) -> None:
    with pytest.raises(error):
        await team.run("Go.", run_id="r", log=log)


async def test_a_stage_that_failed_is_tried_again_and_what_was_finished_is_not() -> None:
    flaky, log = Flaky("bob"), MemoryLog()
    team = AgentTeam.pipeline(["ada", "bob", "cy"], model=flaky.model)
    await fails(team, log, MemberFailed)
    with pytest.raises(MemberFailed):
        await team.resume("r", log=log)
    assert flaky.calls == ["ada", "bob", "bob"], "it is tried as often as it is resumed"
    flaky.mend()
    result = await team.resume("r", log=log)
    assert (result.status, flaky.calls) == ("completed", ["bob", "cy"])
    assert result.usage.calls == 5, "what the failed calls cost is not forgotten"
    assert await team.replay("r", log=log) == result
    flaky.calls.clear()
    assert await team.resume("r", log=log) == result
    assert flaky.calls == []


@pytest.mark.parametrize(
    "build",
    [
        lambda model: AgentTeam.parallel(["ada", "bob", "cy"], model=model, name="outer"),
        lambda model: AgentTeam.parallel(
            [AgentTeam.pipeline(["zoe", "bob"], name="one"), AgentTeam.pipeline(["ada", "cy"], name="two")],
            model=model, name="outer",
        ),
    ],
)  # fmt: skip
async def test_of_members_at_the_same_time_only_the_failed_ones_are_tried_again(
    build: Callable[[object], AgentTeam],
) -> None:
    flaky, log = Flaky("bob", "cy"), MemoryLog()
    team = build(flaky.model)
    await fails(team, log, QuorumMissed)
    flaky.mend()
    result = await team.resume("r", log=log)
    assert (result.status, sorted(flaky.calls)) == ("completed", ["bob", "cy"])
    assert await team.replay("r", log=log) == result


async def test_a_failure_that_others_worked_on_from_stands_and_only_the_last_is_tried_again() -> None:
    flaky, log = Flaky("bob", "agg"), MemoryLog()
    team = AgentTeam.pipeline(
        [AgentTeam.parallel(["ada", "bob"], quorum=1, name="inner"), "agg"], model=flaky.model, name="outer"
    )
    await fails(team, log, MemberFailed)
    flaky.mend()
    result = await team.resume("r", log=log)
    assert (result.status, flaky.calls) == ("completed", ["agg"])


async def test_a_failure_in_a_run_that_has_an_answer_stands() -> None:
    flaky, log = Flaky("bob"), MemoryLog()
    team = AgentTeam.parallel(["ada", "bob"], quorum=1, model=flaky.model)
    first = await team.run("Go.", run_id="r", log=log)
    flaky.mend()
    again = await team.resume("r", log=log)
    assert (again, flaky.calls) == (first, [])
    assert again.member("bob").status == "failed"


async def test_a_question_that_nobody_was_there_to_answer_is_asked_again() -> None:
    async def careful(run, task):  # type: ignore[no-untyped-def]
        return await run.ask_human("Send it?")

    log = MemoryLog()
    team = AgentTeam(["ada"], formation=careful, model=Flaky().model)
    with pytest.raises(ValueError, match="nobody is there to answer"):
        await team.run("Go.", run_id="r", log=log)
    assert await team.resume("r", log=log, human=lambda _: "yes") == "yes"


async def test_a_failure_while_a_call_is_tried_again_counts_as_any_other() -> None:
    """The process may die between the failure, the mending and the second try."""
    flaky, log = Flaky("bob"), MemoryLog()
    team = AgentTeam.pipeline(["ada", "bob", Agent("worker", name="cy")], model=flaky.model)
    await fails(team, log, MemberFailed)
    flaky.mend()
    whole = await team.resume("r", log=log)
    records = [record for _, record in await log.read("run/r")]
    first = next(at for at, each in enumerate(records) if getattr(each, "kind", "") == "run.finished")
    for cut in range(first + 1, len(records)):
        torn = MemoryLog()
        await torn.append("run/r", records[:cut])
        assert await team.resume("r", log=torn) == whole, cut
