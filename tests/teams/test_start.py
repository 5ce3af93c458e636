"""What is looked at before anything is spent: keys, prices, options, the team that resumes."""

from __future__ import annotations

import re
import traceback
from typing import Any

import pytest

from phalanx import Agent, AgentTeam, ConfigurationError, Limits, Task, TeamRun, ValidationError
from phalanx.agents.models.offline import FunctionModel
from phalanx.errors import TeamDiffers
from phalanx.runtime.log import MemoryLog
from tests.recording import Recording
from tests.teams.test_limits import Paid

# The same without its types, to be called as only untyped code can.
ANY: Any = AgentTeam


async def test_a_missing_key_is_found_before_any_member_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    model = Recording()
    team = AgentTeam.pipeline(
        [Agent("worker", name="a", model=model), Agent("worker", name="b", model="openai/gpt-4o")]
    )
    with pytest.raises(ConfigurationError, match="no key for openai: set OPENAI_API_KEY"):
        await team.run("Go.")
    nested = AgentTeam.pipeline([Agent("worker", name="c", model=model), team])
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        await nested.run("Go.")
    assert model.requests == []


async def test_an_unknown_price_under_a_money_limit_is_found_before_any_member_is_asked() -> None:
    model, unpriced = Recording(), Paid(price=None)
    agents = [Agent("worker", name="a", model=model), Agent("worker", name="b", model=unpriced)]
    for team in (AgentTeam.pipeline(agents), AgentTeam.pipeline([AgentTeam.pipeline(agents, name="inner")])):
        with pytest.raises(ConfigurationError, match="price of 'test/paid' is not known"):
            await team.run("Go.", limits=Limits(usd=1))
    assert model.requests == []
    assert unpriced.calls == 0


async def test_a_model_of_ones_own_ollama_costs_nothing() -> None:
    agent = Agent("worker", model="ollama/llama3.2")
    price = await (await agent.model_or(None)).price()  # type: ignore[attr-defined]
    assert (price.input, price.output) == (0, 0)


async def test_limits_may_be_a_mapping_and_nothing_else() -> None:
    model = Recording()
    team = AgentTeam.parallel(["a", "b"], model=model, limits={"calls": 1})  # type: ignore[arg-type]
    assert (await team.run("Go.")).status == "stopped"
    for wrong in (5, {"dollars": 1}):
        with pytest.raises(ValidationError, match="limit"):
            ANY.parallel(["a"], limits=wrong)
        with pytest.raises(ValidationError, match="limit"):
            await team.run("Go.", limits=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ANY.flat(["a"], modle="x"), r"no option 'modle' \(did you mean 'model'\?\)"),
        (lambda: ANY.flat(["a"], api_base="x"), "no option 'api_base'.*belong to its agents"),
        (lambda: ANY.debate(["a", "b"], rounds=-1), "rounds=-1: .*greater than or equal to 0"),
        (lambda: ANY.hierarchical("a", ["b"], max_rounds="x"), "max_rounds='x'"),
    ],
)
def test_a_wrong_option_of_a_team_is_told_with_the_nearest(build: Any, message: str) -> None:
    with pytest.raises((ConfigurationError, ValidationError), match=message):
        build()


async def test_a_formation_of_ones_own_may_name_members_and_need_not_be_async() -> None:
    async def first(run: TeamRun, _task: Task) -> str:
        return (await run.ask("b", "hello", stage="hello")).content

    model = Recording()
    assert await AgentTeam(["a", "b"], formation=first, model=model).run("Go.") == "b on hello 0"
    assert await AgentTeam(["a"], formation=lambda _run, task: task.description, model=model).run("Go.") == "Go."


async def test_another_team_cannot_resume_a_run() -> None:
    log, model = MemoryLog(), Recording()
    await AgentTeam.parallel(["a", "b", "c"], model=model).run("Go.", run_id="r", log=log, limits=Limits(calls=2))
    before = len(await log.read("run/r"))
    for other, field in (
        (AgentTeam.parallel(["a", "b", "x"], model=model), "members[2].name"),
        (AgentTeam.pipeline(["a", "b", "c"], model=model, name="parallel"), "formation.kind"),
        (AgentTeam.parallel(["a", Agent("coder", name="b"), "c"], model=model), "members[1].role"),
    ):
        with pytest.raises(TeamDiffers, match=f"'r' was begun by another team: its {re.escape(field)} was") as caught:
            await other.resume("r", log=log)
        assert (caught.value.key, caught.value.field, caught.value.team) == ("r", field, (field,))
        assert "step" not in str(caught.value)
    assert len(await log.read("run/r")) == before
    assert len(model.requests) == 2


async def test_a_run_id_is_taken_once_and_never_empty() -> None:
    log, team = MemoryLog(), AgentTeam.parallel(["a"], model=Recording())
    await team.run("Go.", run_id="r", log=log)
    with pytest.raises(ConfigurationError, match="there is a run 'r' in this log already"):
        await team.start("Go.", run_id="r", log=log).wait()
    with pytest.raises(ValidationError, match="run_id is empty"):
        await team.run("Go.", run_id="")


async def test_an_aggregator_that_fails_leaves_the_answers_and_one_that_failed_does_not_aggregate() -> None:
    model = Recording({("a", "draft"): RuntimeError("down"), ("b", "aggregate"): RuntimeError("down too")})
    result = await AgentTeam.parallel(["a", "b", "c"], aggregation="synthesize", quorum=1, model=model).run("Go.")
    assert ("b", "aggregate", 0) in model.stages()
    assert result.status == "partial"
    assert "b on draft 0" in result
    assert "c on draft 0" in result


async def test_a_judge_that_fails_leaves_the_vote() -> None:
    model = Recording({(name, "draft"): f"Answer: {said}" for name, said in zip("abc", "112", strict=True)})
    model.replies |= {("jude", "judge"): RuntimeError("ill")}
    for name, said in zip("abc", "112", strict=True):
        model.replies[name, "revise"] = f"Answer: {said}"
    result = await AgentTeam.debate(["a", "b", "c"], judge="jude", model=model).run("Which?")
    assert result.status == "partial"
    assert result.decision is not None
    assert result.decision.winner == "1"


async def test_a_lead_stopped_after_its_plan_has_no_answer_to_give() -> None:
    from phalanx import LimitExceeded

    plan: dict[str, object] = {"assignments": [{"id": "1", "worker": "b", "task": "x"}]}
    model = Recording({("a", "plan"): plan})
    with pytest.raises(LimitExceeded) as caught:
        await AgentTeam.hierarchical("a", ["b"], model=model).run("Go.", limits=Limits(calls=1))
    assert caught.value.result is not None
    assert str(caught.value.result) == ""


def test_an_error_of_run_sync_is_one_error() -> None:
    def down(_: object) -> str:
        raise ConnectionError("down")

    with pytest.raises(ConnectionError) as caught:
        Agent("a", model=FunctionModel(down)).run_sync("Go.")
    told = "".join(traceback.format_exception(caught.value))
    assert "NoEventLoopError" not in told
