"""A router chooses by name; made-up names, doubt and failures have a defined end; the others are never asked."""

from __future__ import annotations

import pytest

from phalanx import Agent, AgentTeam, ConfigurationError, Limits, Role, Task, ValidationError
from phalanx.errors import MemberFailed
from phalanx.formations.router import Router, Routes
from phalanx.messages import Request
from phalanx.runtime.events import AnyEvent, Delegated, Warned
from phalanx.testing import FunctionModel
from tests.recording import Recording, Reply


def route(*names: str, confidence: float | None = None) -> dict[str, object]:
    return {"routes": [{"member": name, "reason": "fits", "confidence": confidence} for name in names]}


def team(said: Reply, members: list[str] | None = None, **options: object) -> tuple[AgentTeam, Recording]:
    model = Recording({("ruth", "route"): said})
    built = AgentTeam.router("ruth", members or ["ada", "bob", "cy"], model=model, **options)  # type: ignore[arg-type]
    return built, model


def warnings(events: list[AnyEvent]) -> str:
    return " ".join(each.text for each in events if isinstance(each, Warned))


async def test_the_router_sees_the_task_and_the_members_and_the_chosen_one_sees_the_task_alone() -> None:
    model = Recording({("ruth", "route"): route("bob")})
    bob = Agent(Role(name="tax lawyer", duty="You know tax law.", skills=("VAT",)), name="bob")
    events: list[AnyEvent] = []
    result = await AgentTeam.router("ruth", ["ada", bob], model=model).run("What is VAT?", on_event=events.append)
    asked = model.sent("ruth", "route")
    assert "What is VAT?" in asked
    assert "- bob (tax lawyer): You know tax law. Knows: VAT." in asked
    assert "- ada (ada)" in asked
    assert "What is VAT?" in model.sent("bob", "draft")
    assert "fits" not in model.sent("bob", "draft")
    assert model.stages() == [("ruth", "route", 0), ("bob", "draft", 0)]
    assert (result, result.status) == ("bob on draft 0", "completed")
    assert [each.worker for each in events if isinstance(each, Delegated)] == ["bob"]


async def test_the_choice_is_typed_and_allows_only_real_names() -> None:
    built, model = team(route("bob", confidence=0.9))
    result = await built.run("Go.")
    chosen = result.member("ruth").answer
    assert chosen is not None
    assert chosen.output == Routes.model_validate(route("bob", confidence=0.9))
    output = model.requests[0].output
    assert output is not None
    assert output.schema_["$defs"]["Route"]["properties"]["member"]["enum"] == ["ada", "bob", "cy"]  # type: ignore[index]


async def test_a_made_up_name_gets_one_repair_that_names_the_real_ones() -> None:
    said = iter([route("zoe"), route("cy")])
    built, model = team("")
    model.replies[("ruth", "route")] = lambda _: next(said)
    assert await built.run("Go.") == "cy on draft 0"
    second = model.requests[1].messages[-1].content
    assert "no member named 'zoe'" in second
    assert "ada, bob, cy" in second


@pytest.mark.parametrize(("said", "meant"), [("bobb", "bob"), ("somebody", "ada"), ("Cyy", "cy"), ("x" * 10**6, "ada")])
async def test_after_the_repair_a_made_up_name_is_matched_and_the_user_is_told(said: str, meant: str) -> None:
    built, model = team(route(said))
    events: list[AnyEvent] = []
    assert await built.run("Go.", on_event=events.append) == f"{meant} on draft 0"
    assert "there is no member" in warnings(events)
    assert len(warnings(events)) < 500
    assert [stage for _, stage, _ in model.stages()] == ["route", "route", "draft"]


async def test_a_name_in_another_case_needs_no_repair() -> None:
    built, model = team(route(" BOB "))
    assert await built.run("Go.") == "bob on draft 0"
    assert len(model.requests) == 2


async def test_several_are_asked_at_once_unseen_and_their_answers_become_one() -> None:
    built, model = team(route("cy", "ada", "cy"), top=2)
    result = await built.run("Go.")
    asked = [(name, stage) for name, stage, _ in model.stages()]
    assert asked[0] == ("ruth", "route")
    assert sorted(asked[1:3]) == [("ada", "draft"), ("cy", "draft")]
    assert asked[3:] == [("ada", "aggregate")]
    assert "ada on draft" not in model.sent("cy", "draft")
    shown = model.sent("ada", "aggregate")
    assert "cy on draft 0" in shown
    assert "ada on draft 0" in shown
    assert result == "ada on aggregate 0"


async def test_more_than_asked_for_are_cut_to_the_first_and_the_user_is_told() -> None:
    built, model = team(route("cy", "ada", "bob"), top=2, aggregation="concat")
    events: list[AnyEvent] = []
    await built.run("Go.", on_event=events.append)
    assert {name for name, stage, _ in model.stages() if stage == "draft"} == {"cy", "ada"}
    assert "chose 3 members; the first 2 are asked" in warnings(events)


@pytest.mark.parametrize("confidence", [0.2, None])
async def test_a_choice_that_is_not_sure_enough_goes_to_the_fallback(confidence: float | None) -> None:
    built, model = team(route("bob", confidence=confidence), fallback="fay", min_confidence=0.5)
    assert await built.run("Go.") == "fay on fallback 0"
    assert "bob" not in {name for name, _, _ in model.stages()}


async def test_a_sure_choice_is_taken() -> None:
    built, _ = team(route("bob", confidence=0.5), fallback="fay", min_confidence=0.5)
    assert await built.run("Go.") == "bob on draft 0"


@pytest.mark.parametrize("said", ["no JSON", RuntimeError("down"), {"routes": []}, ""])
async def test_a_router_that_chooses_nobody_leaves_the_task_to_the_fallback_or_is_an_error(said: Reply) -> None:
    built, _ = team(said, fallback="fay")
    events: list[AnyEvent] = []
    assert await built.run("Go.", on_event=events.append) == "fay on fallback 0"
    assert "ruth chose nobody" in warnings(events)
    with pytest.raises(MemberFailed, match="'ruth' gave no answer"):
        await team(said)[0].run("Go.")


async def test_a_chosen_member_that_fails_is_replaced_by_the_fallback_or_is_an_error_that_says_why() -> None:
    built, model = team(route("bob"), fallback="fay")
    model.replies[("bob", "draft")] = RuntimeError("down")
    events: list[AnyEvent] = []
    assert await built.run("Go.", on_event=events.append) == "fay on fallback 0"
    assert "bob, who was chosen, gave no answer (down)" in warnings(events)
    alone, model = team(route("bob"))
    model.replies[("bob", "draft")] = RuntimeError("down")
    with pytest.raises(Exception, match="bob failed: down"):
        await alone.run("Go.")


async def test_a_limit_does_not_send_the_task_to_the_fallback_but_stops_it() -> None:
    built, model = team(route("bob", "cy"), top=2, aggregation="concat", fallback="fay", quorum=2)
    result = await built.run("Go.", limits=Limits(calls=2))
    assert result.status == "stopped"
    assert "on draft 0" in result
    assert len(model.requests) == 2
    assert "fay" not in {outcome.member for outcome in result.members}


async def test_one_of_several_that_fails_does_not_take_the_other_along() -> None:
    built, model = team(route("bob", "cy"), top=2, aggregation="concat")
    model.replies[("bob", "draft")] = RuntimeError("down")
    result = await built.run("Go.")
    assert "cy on draft 0" in result
    assert result.status == "completed"


def by_word(task: Task) -> str | None:
    if "law" in task.description:
        return "bob"
    return "cy" if "sum" in task.description else None


async def test_a_function_chooses_and_costs_no_call() -> None:
    model = Recording()
    built = AgentTeam.router(by_word, ["ada", "bob", "cy"], fallback="fay", model=model)
    assert built.estimate("Go.").calls == 1
    assert await built.run("a question of law") == "bob on draft 0"
    assert await built.run("a sum") == "cy on draft 0"
    assert await built.run("something else") == "fay on fallback 0"
    assert len(model.requests) == 3


async def test_a_function_may_be_async_and_choose_several() -> None:
    async def both(task: Task) -> list[str]:
        return ["cy", "ada"]

    built = AgentTeam.router(both, ["ada", "bob", "cy"], top=2, aggregation="concat", model=Recording())
    assert "## cy\ncy on draft 0" in await built.run("Go.")


@pytest.mark.parametrize("given", ["zoe", None, 7, [], ["ada", "bob"]])
async def test_a_function_that_gives_no_member_or_too_many_is_an_error_before_anybody_is_asked(given: object) -> None:
    model = Recording()
    built = AgentTeam.router(lambda _: given, ["ada", "bob"], model=model)
    with pytest.raises(ConfigurationError, match="the function that chooses gave"):
        await built.run("Go.")
    assert not model.requests


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"top": 4}, ValidationError, "top=4 cannot be chosen of 3 members"),
        ({"top": 0}, ValidationError, "top=0"),
        ({"quorum": 2}, ValidationError, "quorum=2 cannot be met by top=1"),
        ({"min_confidence": 0.5}, ConfigurationError, "min_confidence= needs"),
        ({"min_confidence": 1.5, "fallback": "fay"}, ValidationError, "min_confidence=1.5"),
        ({"aggregator": "agg"}, ConfigurationError, "never be asked"),
        ({"aggregation": "mean", "top": 2}, ConfigurationError, "no aggregation 'mean'"),
    ],
)
def test_options_that_cannot_work_are_refused_at_once(
    options: dict[str, object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        AgentTeam.router("ruth", ["ada", "bob", "cy"], model=Recording(), **options)  # type: ignore[arg-type]


def test_somebody_has_to_choose_and_only_one() -> None:
    with pytest.raises(ConfigurationError, match="one who chooses"):
        AgentTeam(["ada"], formation=Router())
    with pytest.raises(ConfigurationError, match="one who chooses"):
        AgentTeam(["ada"], formation=Router(choose=by_word), seats={"router": "ruth"})


def test_a_team_cannot_route_but_can_be_chosen() -> None:
    inner = AgentTeam.pipeline(["x", "y"], name="inner")
    with pytest.raises(ConfigurationError, match="the seat 'router' needs an agent"):
        AgentTeam.router(inner, ["ada"], model=Recording())


async def test_a_chosen_team_does_the_task() -> None:
    inner = AgentTeam.pipeline(["x", "y"], name="inner")
    model = Recording({("ruth", "route"): route("inner")})
    built = AgentTeam.router("ruth", ["ada", inner], model=model)
    assert built.estimate("Go.").calls == 3
    result = await built.run("Go.")
    assert result == "y on stage 1"
    assert result.usage.calls == 3


def test_a_router_goes_through_a_file_and_one_with_a_function_does_not() -> None:
    built = AgentTeam.router(
        "ruth", ["ada", "bob"], fallback="fay", top=2, min_confidence=0.3, model="offline/simulated"
    )
    again = AgentTeam.from_yaml(built.to_yaml())
    assert again.formation == built.formation
    assert [(each.name, each.seat) for each in again.members] == [(each.name, each.seat) for each in built.members]
    with pytest.raises(ValidationError, match="code in choose"):
        AgentTeam.router(by_word, ["ada"], model="offline/simulated").to_yaml()


async def test_the_estimate_is_what_it_costs_when_the_dearest_are_chosen() -> None:
    def answer(request: Request) -> str:
        return '{"routes": [{"member": "bob"}, {"member": "cy"}]}' if request.about.stage == "route" else "x" * 1500

    members = [Agent("worker", name=name, max_tokens=most) for name, most in (("ada", 10), ("bob", 500), ("cy", 400))]
    built = AgentTeam.router("ruth", members, top=2, aggregation="concat", model=FunctionModel(answer))
    estimate = built.estimate("Go.")
    result = await built.run("Go.")
    assert estimate.calls == result.usage.calls == 3
    assert set(estimate.by_member) == {"ruth", "bob", "cy"}
    assert result.usage.tokens <= estimate.tokens


def test_its_picture_says_who_chooses() -> None:
    drawn = AgentTeam.router("ruth", ["ada", "bob"], fallback="fay", model=Recording()).diagram()
    assert drawn.count("-->") == 3 + 1 + 3
