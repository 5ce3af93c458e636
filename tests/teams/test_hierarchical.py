"""The lead really delegates: typed assignments, checked, carried out in order, and at the same time where they may."""

from __future__ import annotations

import json
from collections.abc import Iterator

import anyio
import pytest

from phalanx import Agent, AgentTeam, LimitExceeded, Limits, Role, TeamError
from phalanx.agents.models.offline import FunctionModel
from phalanx.errors import AccessDenied, MemberFailed
from phalanx.messages import Completion, Request, Usage
from phalanx.runtime.events import AnyEvent, Delegated, Warned
from tests.recording import DONE, Recording, plan


async def test_a_made_up_worker_gets_one_repair_that_names_the_real_ones() -> None:
    plans = iter([plan(("1", "zoe", "Do it.", [])), plan(("1", "bob", "Do it.", []))])
    model = Recording({("ada", "plan"): lambda _: next(plans), ("ada", "review"): DONE})
    await AgentTeam.hierarchical("ada", ["bob", "cy"], model=model).run("Go.")
    second = [each for each in model.requests if each.about.stage == "plan"][1]
    assert "no member named 'zoe'" in second.messages[-1].content
    assert "bob, cy" in second.messages[-1].content
    assert ("bob", "assignment", 0) in model.stages()


@pytest.mark.parametrize(("said", "meant"), [("BOB", "bob"), ("bobb", "bob"), ("Cyy", "cy"), ("somebody else", "bob")])
async def test_after_the_repair_a_made_up_worker_is_matched_and_the_user_is_told(said: str, meant: str) -> None:
    model = Recording({("ada", "plan"): plan(("1", said, "Do it.", [])), ("ada", "review"): DONE})
    events: list[AnyEvent] = []
    await AgentTeam.hierarchical("ada", ["bob", "cy"], model=model).run("Go.", on_event=events.append)
    assert [each.worker for each in events if isinstance(each, Delegated)] == [meant]
    assert any(repr(said) in each.text for each in events if isinstance(each, Warned))
    assert sum(stage == "plan" for _, stage, _ in model.stages()) == 2


async def test_the_lead_is_given_a_schema_that_allows_only_real_names() -> None:
    model = Recording({("ada", "plan"): plan(("1", "bob", "Do it.", [])), ("ada", "review"): DONE})
    await AgentTeam.hierarchical("ada", ["bob", "cy"], model=model).run("Go.")
    output = model.requests[0].output
    assert output is not None
    assert json.dumps(["bob", "cy"]) in json.dumps(output.schema_)
    assert json.dumps(["bob", "cy"]) in model.sent("ada", "plan")


class Clocked:
    """A model whose workers take ten seconds, and that knows when each began and ended."""

    def __init__(self, *assignments: tuple[str, str, str, list[str]]) -> None:
        self.assignments = assignments
        self.spans: dict[str, tuple[float, float]] = {}

    async def __call__(self, request: Request) -> str:
        if request.about.stage == "plan":
            return json.dumps(plan(*self.assignments))
        if request.about.stage == "review":
            return json.dumps(DONE)
        if request.about.stage == "assignment":
            started = anyio.current_time()
            await anyio.sleep(10)
            self.spans[request.about.member] = (started, anyio.current_time())
        return "done"


async def test_independent_assignments_overlap_in_time_and_dependent_ones_do_not() -> None:
    clocked = Clocked(("a", "bob", "A", []), ("b", "cy", "B", []), ("c", "dan", "C", ["a", "b"]))
    team = AgentTeam.hierarchical("ada", ["bob", "cy", "dan"], model=FunctionModel(clocked))
    started = anyio.current_time()
    await team.run("Go.")
    spans = clocked.spans
    assert spans["bob"] == spans["cy"] == (started, started + 10)
    assert spans["dan"] == (started + 10, started + 20)


async def test_what_depends_on_itself_or_on_nothing_known_goes_ahead_with_a_warning() -> None:
    loop = [("1", "bob", "A", ["2"]), ("2", "cy", "B", ["1", "ghost"])]
    model = Recording({("ada", "plan"): plan(*loop), ("ada", "review"): DONE})
    events: list[AnyEvent] = []
    result = await AgentTeam.hierarchical("ada", ["bob", "cy"], model=model).run("Go.", on_event=events.append)
    warned = " ".join(each.text for each in events if isinstance(each, Warned))
    assert "circle" in warned
    assert "'ghost'" in warned
    assert {outcome.member for outcome in result.members} == {"ada", "bob", "cy"}


async def test_a_lead_that_assigns_nothing_gives_every_member_the_whole_task() -> None:
    model = Recording({("ada", "plan"): plan(), ("ada", "review"): DONE})
    events: list[AnyEvent] = []
    await AgentTeam.hierarchical("ada", ["bob", "cy"], model=model).run("Go.", on_event=events.append)
    assert [each.worker for each in events if isinstance(each, Delegated)] == ["bob", "cy"]
    assert any("assigned nothing" in each.text for each in events if isinstance(each, Warned))


async def test_a_review_may_assign_more_and_finished_work_is_not_repeated() -> None:
    more: dict[str, object] = {
        "done": False,
        "assignments": [
            {"id": "1", "worker": "bob", "task": "first"},
            {"id": "1", "worker": "cy", "task": "second"},
        ],
    }
    reviews = iter([more, DONE])
    model = Recording({("ada", "plan"): plan(("1", "bob", "First", [])), ("ada", "review"): lambda _: next(reviews)})
    result = await AgentTeam.hierarchical("ada", ["bob", "cy"], model=model).run("Go.")
    assert [name for name, stage, _ in model.stages() if stage == "assignment"] == ["bob", "cy"]
    assert "cy on assignment 1" in model.sent("ada", "synthesis")
    assert result.status == "completed"


async def test_a_lead_that_never_is_done_is_stopped_by_rounds_and_answers_with_what_there_is() -> None:
    count = iter(range(100))

    def review(_: Request) -> dict[str, object]:
        return {"done": False, "assignments": [{"id": "x", "worker": "bob", "task": f"more {next(count)}"}]}

    model = Recording({("ada", "plan"): plan(("1", "bob", "First", [])), ("ada", "review"): review})
    result = await AgentTeam.hierarchical("ada", ["bob"], max_rounds=4, model=model).run("Go.")
    assert sum(stage == "assignment" for _, stage, _ in model.stages()) == 4
    assert result == "ada on synthesis 0"


async def test_reviews_without_new_finished_work_end_after_max_stalls() -> None:
    def review(request: Request) -> dict[str, object]:
        return {"done": False, "assignments": [{"id": "x", "worker": "cy", "task": f"try {request.about.round}"}]}

    model = Recording(
        {
            ("ada", "plan"): plan(("1", "bob", "First", [])),
            ("ada", "review"): review,
            ("cy", "assignment"): RuntimeError("down"),
        }
    )
    team = AgentTeam.hierarchical("ada", ["bob", "cy"], max_stalls=2, max_rounds=50, model=model)
    result = await team.run("Go.")
    assert [name for name, stage, _ in model.stages() if stage == "assignment"] == ["bob", "cy", "cy"]
    assert result.status == "completed"


async def test_nothing_found_is_a_legal_end() -> None:
    model = Recording(
        {
            ("ada", "plan"): plan(("1", "bob", "Find it.", [])),
            ("bob", "assignment"): "Nothing was found.",
            ("ada", "review"): DONE,
            ("ada", "synthesis"): "There is none.",
        }
    )
    result = await AgentTeam.hierarchical("ada", ["bob"], model=model).run("Find it.")
    assert (result, result.status) == ("There is none.", "completed")
    assert len(model.requests) == 4


async def test_when_every_worker_fails_there_is_no_answer_but_an_error_with_all_that_was_done() -> None:
    model = Recording({("ada", "plan"): plan(("1", "bob", "A", [])), ("bob", "assignment"): RuntimeError("down")})
    with pytest.raises(TeamError, match="bob failed: down") as caught:
        await AgentTeam.hierarchical("ada", ["bob"], model=model).run("Go.")
    assert caught.value.result is not None
    assert [outcome.member for outcome in caught.value.result.members] == ["ada", "bob"]  # type: ignore[attr-defined]


async def test_a_verifier_may_veto_and_the_lead_answers_its_objection() -> None:
    checks: Iterator[dict[str, object]] = iter(
        [{"accepted": False, "objection": "the sum is wrong"}, {"accepted": True}]
    )
    model = Recording(
        {
            ("ada", "plan"): plan(("1", "bob", "A", [])),
            ("ada", "review"): DONE,
            ("ada", "synthesis"): lambda request: f"version {request.about.round}",
            ("vic", "verify"): lambda _: next(checks),
        }
    )
    result = await AgentTeam.hierarchical("ada", ["bob"], verifier=Agent("verifier", name="vic"), model=model).run(
        "Go."
    )
    assert (result, result.status) == ("version 1", "completed")
    assert "the sum is wrong" in model.sent("ada", "synthesis", 1)
    assert "version 1" in model.sent("vic", "verify", 1)


async def test_an_objection_that_stands_makes_the_answer_partial() -> None:
    model = Recording(
        {
            ("ada", "plan"): plan(("1", "bob", "A", [])),
            ("ada", "review"): DONE,
            ("vic", "verify"): {"accepted": False, "objection": "no"},
        }
    )
    result = await AgentTeam.hierarchical("ada", ["bob"], verifier=Agent("verifier", name="vic"), model=model).run(
        "Go."
    )
    assert result.status == "partial"
    assert not result.success


async def test_a_role_that_may_not_delegate_cannot_lead() -> None:
    lead = Agent(Role(name="intern", may_delegate=False), name="ada")
    with pytest.raises(AccessDenied, match="role 'intern' may not delegate"):
        AgentTeam.hierarchical(lead, ["bob"])


async def test_a_limit_that_stops_the_lead_gives_what_the_workers_found() -> None:
    model = Recording({("ada", "plan"): plan(("1", "bob", "A", []), ("2", "cy", "B", []))})
    result = await AgentTeam.hierarchical("ada", ["bob", "cy"], model=model).run("Go.", limits=Limits(calls=3))
    assert result.status == "stopped"
    assert "calls limit of this run" in str(result.stop_reason)
    assert "bob on assignment" in result
    assert "cy on assignment" in result
    assert len(model.requests) == result.usage.calls == 3


async def test_a_limit_before_any_answer_is_an_error_that_says_so() -> None:
    with pytest.raises(LimitExceeded, match="calls limit") as caught:
        await AgentTeam.hierarchical("ada", ["bob"], model=Recording()).run("Go.", limits=Limits(calls=0))
    assert caught.value.result is not None


async def test_a_plan_that_is_cut_is_told_with_the_limit_it_was_cut_at_and_what_to_do() -> None:
    asked: list[Request] = []

    def cut(request: Request) -> Completion:
        asked.append(request)
        text = json.dumps(plan(*((str(at), f"w{at}", "Do it.", []) for at in range(500))))[:256]
        return Completion(text=text, finish_reason="length", usage=Usage(1, 900, 64))

    lead = Agent("lead", name="ada", max_tokens=64)
    team = AgentTeam.hierarchical(lead, [f"w{at}" for at in range(500)], model=FunctionModel(cut))
    with pytest.raises(
        MemberFailed, match=r"the Plan was cut at max_tokens=64 after 64 tokens, before its end"
    ) as told:
        await team.run("Go.")
    assert r"give 'ada' more with Agent(…, max_tokens=…), or ask it for less" in str(told.value)
    assert len(asked) == 2
    assert (
        "was cut at max_tokens=64 after 64 tokens, before its end; write a shorter one" in asked[1].messages[-1].content
    )


async def test_a_cut_plan_that_is_shorter_the_second_time_is_carried_out() -> None:
    whole = json.dumps(plan(("1", "bob", "Do it.", [])))
    plans = iter([Completion(text=whole[:20], finish_reason="length"), Completion(text=whole)])
    model = Recording({("ada", "plan"): lambda _: next(plans), ("ada", "repair"): lambda _: next(plans)})
    model.replies["ada", "review"] = DONE
    await AgentTeam.hierarchical("ada", ["bob"], model=model).run("Go.")
    assert ("bob", "assignment", 0) in model.stages()
