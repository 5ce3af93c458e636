"""A run that goes on with a changed team: the divergence says in which fields of its spec the team differs."""

from __future__ import annotations

from pathlib import Path

import pytest

from phalanx import Agent, AgentTeam, Limits
from phalanx.agents.models.offline import FunctionModel
from phalanx.errors import ReplayDivergence, TeamDiffers
from phalanx.runtime.log import MemoryLog
from phalanx.runtime.sqlite import SqliteLog
from tests.recording import Recording

pytestmark = pytest.mark.wire


def pair(words: str, *, calls: int = 1, warm: float | None = None, prompt: str = "") -> AgentTeam:
    members = [Agent("coder", name="ada"), Agent("coder", name="bob", instructions=words, temperature=warm)]
    return AgentTeam.pipeline(
        members,
        name="pair",
        model="offline/simulated",
        limits=Limits(calls=calls),
        prompts={"task": prompt} if prompt else {},
    )


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        (pair("Be slow.", calls=9), ("members[1].instructions",)),
        (pair("Be quick.", calls=9, prompt="Now. {task}"), ("prompts.task",)),
        (pair("Be slow.", calls=9, warm=1.5), ("members[1].instructions", "members[1].temperature")),
    ],
)
async def test_a_divergence_at_a_step_names_the_fields_in_which_the_team_differs(
    tmp_path: Path, changed: AgentTeam, fields: tuple[str, ...]
) -> None:
    log = SqliteLog(tmp_path / "runs.db")
    try:
        await pair("Be quick.", calls=9).run("Go.", run_id="r", log=log)
        for again in (changed.resume, changed.replay):
            with pytest.raises(ReplayDivergence, match="differs from the journal in ") as caught:
                await again("r", log=log)
            assert caught.value.team == fields
            assert str(caught.value).endswith(f"differs from the one that began the run in {', '.join(fields)}")
    finally:
        await log.aclose()


async def test_the_limits_of_a_team_may_change_and_are_not_named(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "runs.db")
    try:
        await pair("Be quick.").run("Go.", run_id="r", log=log)
        assert (await pair("Be quick.", calls=2).resume("r", log=log)).status == "completed"
        with pytest.raises(ReplayDivergence) as caught:
            await pair("Be slow.", calls=3).resume("r", log=log)
        assert caught.value.team == ("members[1].instructions",)
    finally:
        await log.aclose()


async def test_a_journal_that_holds_no_team_leaves_the_step_to_speak_for_itself() -> None:
    log = MemoryLog()
    await pair("Be quick.", calls=9).run("Go.", run_id="r", log=log)
    with pytest.raises(ReplayDivergence, match="differs from the journal") as caught:
        await pair("Be slow.", calls=9).resume("r", log=log)
    assert caught.value.team == ()


async def test_another_formation_is_told_before_the_name_that_comes_from_it() -> None:
    log, model = MemoryLog(), Recording()
    await AgentTeam.parallel(["a"], model=model).run("Go.", run_id="r", log=log)
    with pytest.raises(TeamDiffers, match=r"its formation\.kind was 'parallel', and of this one it is 'flat'"):
        await AgentTeam.flat(["a"], model=FunctionModel(lambda _: "x")).resume("r", log=log)


def pair_of(inner: AgentTeam) -> AgentTeam:
    return AgentTeam.pipeline([inner, "cy"], name="outer", model="offline/simulated")


@pytest.mark.parametrize(
    ("began", "goes_on", "field"),
    [
        (
            AgentTeam.flat(["ada", "bob"], model="offline/simulated", aggregation="concat"),
            AgentTeam.flat(["ada", "bob"], model="offline/simulated", aggregation="majority_vote"),
            "formation.aggregation",
        ),
        (
            AgentTeam.debate(["ada", "bob"], model="offline/simulated", rounds=2),
            AgentTeam.debate(["ada", "bob"], model="offline/simulated", rounds=1),
            "formation.rounds",
        ),
        (
            pair_of(AgentTeam.vote("ada", samples=3)),
            pair_of(AgentTeam.vote("ada", samples=2)),
            "members[0].team.formation.samples",
        ),
    ],
)
async def test_a_team_that_works_together_otherwise_is_refused_before_it_comes_to_another_result(
    tmp_path: Path, began: AgentTeam, goes_on: AgentTeam, field: str
) -> None:
    log = SqliteLog(tmp_path / "runs.db")
    try:
        result = await began.run("Which of A, B, C and D?", run_id="r", log=log)
        for again in (goes_on.resume, goes_on.replay):
            with pytest.raises(TeamDiffers) as caught:
                await again("r", log=log)
            assert caught.value.field == field
        assert await began.replay("r", log=log) == result
    finally:
        await log.aclose()
