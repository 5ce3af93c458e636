"""What hostile and mistaken users do to teams: it is refused early and by name, or does no harm."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import BaseModel

from phalanx import (
    Agent,
    AgentTeam,
    ConfigurationError,
    SpecError,
    SqliteLog,
    Task,
    TeamResult,
    TeamRun,
    ValidationError,
)
from phalanx.errors import TeamError
from phalanx.formations.base import Answer
from phalanx.messages import Completion, Request, ToolCall
from phalanx.runtime.events import AnyEvent, Warned
from phalanx.runtime.human import Question
from phalanx.runtime.log import MemoryLog
from phalanx.testing import FunctionModel, ScriptedModel
from tests.recording import Recording


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("calls: -1", "5: limits.calls: Input should be greater than or equal to 0, not -1"),
        ("usd: .nan", "5: limits.usd: Input should be a finite number, not nan"),
        ("call: 3", "5: limits.call: there is no field 'call' (did you mean 'calls'?)"),
    ],
)
def test_a_wrong_limit_in_a_file_is_told_with_its_own_line(wrong: str, said: str) -> None:
    text = f"members: [{{name: a}}, {{name: b}}]\nformation: flat\nlimits:\n  depth: 1\n  {wrong}\n"
    with pytest.raises(SpecError) as refusal:
        AgentTeam.from_yaml(text)
    assert str(refusal.value) == said


def at(text: str) -> str:
    """Look at a text."""
    return f"{len(text)} characters"


async def test_half_a_character_in_one_answer_takes_no_sibling_with_it(tmp_path: Path) -> None:
    """An answer that was cut inside an emoji can be posted, saved, loaded and played back."""

    def broken(request: object) -> Completion | str:
        asked = str(request)
        if "characters" in asked:
            return "so \ud83d\nAnswer: 7"
        return Completion(tool_calls=(ToolCall(id="1", tool_name="at", parameters={"text": "cut \ud83d"}),))

    members = [
        Agent("worker", name="ada", model=FunctionModel(broken), tools=[at]),
        Agent("worker", name="bob", model=FunctionModel(lambda _: "Answer: 7")),
    ]
    warned: list[str] = []

    def listen(event: AnyEvent) -> None:
        if isinstance(event, Warned):
            warned.append(event.text)

    async with SqliteLog(tmp_path / "runs.db") as log:
        team = AgentTeam.parallel(members, log=log)
        result = await team.run("How long?", on_event=listen)
        assert result.status == "completed"
        assert result.member("ada").text == "so \ufffd\nAnswer: 7"
        assert [text for text in warned if "half of a character" in text]
        result.save(tmp_path / "result.json")
        assert TeamResult.load(tmp_path / "result.json") == result
        assert await team.replay(result.run_id) == result


async def heard(event: AnyEvent) -> None:
    """What is told of an event, by somebody who would have to be waited for."""


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"seed": "x"}, "seed='x' is no whole number"),
        ({"seed": 1.5}, "seed=1.5 is no whole number"),
        ({"seed": None}, "seed=None is no whole number"),
        ({"run_id": 3}, "run_id=3 is no text"),
        ({"run_id": "a\nb"}, "cannot be printed on one line"),
        ({"on_event": heard}, "on_event is an async function"),
        ({"on_event": 3}, "on_event=3 cannot be called"),
    ],
)
async def test_what_no_run_can_begin_with_is_refused_before_anything_is_spent(
    asked: dict[str, object], said: str
) -> None:
    model = ScriptedModel([])
    with pytest.raises(ValidationError, match=said):
        await AgentTeam.debate(["a", "b"], model=model).run("x", **asked)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match=said):
        await Agent("worker", model=model).run("x", **asked)  # type: ignore[arg-type]
    assert model.requests == []


def test_what_an_estimate_takes_grows_with_the_members_and_not_with_their_square() -> None:
    def work(members: int) -> int:
        team = AgentTeam.debate([f"m{at}" for at in range(members)], model=FunctionModel(lambda _: "Answer: 7"))
        profile = cProfile.Profile()
        profile.runcall(team.estimate, "x")
        return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]

    work(2)
    assert work(120) < 3 * work(60)


class City(BaseModel):
    name: str
    people: int


VOTES = {
    "consensus": lambda members: AgentTeam.consensus(members),
    "debate": lambda members: AgentTeam.debate(members, trigger="always"),
    "a star whose hub decides": lambda members: AgentTeam.debate(members, topology="star", decide="hub"),
    "vote": lambda members: AgentTeam.vote(members, samples=3),
    "adaptive": lambda members: AgentTeam.adaptive(members),
    "parallel": lambda members: AgentTeam.parallel(members, aggregation="majority_vote"),
    "flat": lambda members: AgentTeam.flat(members, aggregation="majority_vote"),
}


@pytest.mark.parametrize("kind", VOTES)
async def test_a_vote_over_typed_answers_gives_the_winner_as_an_object(kind: str) -> None:
    def reply(request: Request) -> str:
        assert request.about is not None
        return f'{{"name": "Paris", "people": {1 if request.about.member == "cleo" else 2}}}'

    members = [Agent("worker", name=name, output=City, model=FunctionModel(reply)) for name in ("ada", "bob", "cleo")]
    result = await VOTES[kind](members).run("The largest city of France?")
    assert result.status == "completed"
    assert result.output == City(name="Paris", people=2)


async def test_a_shape_that_a_debate_asks_for_itself_is_no_output_of_the_team() -> None:
    said = '{"reasoning": "It is so.", "answer": "7", "confidence": 0.9}'
    team = AgentTeam.debate(["a", "b"], confidence="typed", model=FunctionModel(lambda _: said))
    result = await team.run("x")
    assert result.output == result == "It is so.\nAnswer: 7"


WRONG_TOPOLOGY: dict[str, Any] = {"topology": "rng"}
WRONG_RULE: dict[str, Any] = {"rule": "plural"}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: AgentTeam.flat(["a", "b"], name="x\x1b[2Jy"), "a team's name must be printable on one line"),
        (lambda: AgentTeam.flat(["a", "b"], name="  "), "a team's name is empty"),
        (lambda: AgentTeam.flat(["\u00e9", "e\u0301"]), "differ only in case or in how a letter is made"),
        (lambda: AgentTeam.debate(["a", "b"], stop="(" * 5000 + "never" + ")" * 5000), "is nested too deeply"),
        (lambda: AgentTeam.debate(["a", "b"], **WRONG_TOPOLOGY), "^topology='rng': Input should be 'auto', 'full'"),
        (lambda: AgentTeam.consensus(["a", "b"], **WRONG_RULE), "^rule='plural': there is no voting rule 'plural'"),
        (lambda: AgentTeam.map_reduce("a", reducer="r", split="Line"), "did you mean 'lines'"),
    ],
)
def test_what_a_team_cannot_be_made_of_is_said_in_plain_words(make: Callable[[], object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


@pytest.mark.parametrize("kind", ["step.started", "step.finished", "member.finished", "decided", "run.finished"])
async def test_what_a_listener_raises_is_logged_and_never_taken_for_a_failure_of_members(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    def listen(event: AnyEvent) -> None:
        if event.kind == kind:
            raise ZeroDivisionError(kind)

    model = FunctionModel(lambda _: "Answer: 7")
    result = await AgentTeam.debate(["a", "b"], trigger="always", model=model).run("x", on_event=listen)
    assert (result.status, result.usage.calls) == ("completed", 4)
    assert "event listener failed" in caplog.text
    caplog.clear()
    assert await Agent("worker", model=model).run("x", on_event=listen) == "Answer: 7"
    assert ("event listener failed" in caplog.text) == (kind not in ("member.finished", "decided"))


async def test_a_handle_that_was_cancelled_before_it_began_never_begins() -> None:
    model = ScriptedModel([])
    handle = AgentTeam.flat(["a", "b"], model=model).start("x")
    await handle.cancel()
    with pytest.raises(RuntimeError, match="was cancelled"):
        await handle.wait()
    assert model.requests == []


@pytest.mark.parametrize(
    ("decisions", "said"),
    [({"flat/turn/zed/tool-1": "retry"}, "no such step is recorded"), ({"STEP": "maybe"}, "is 'retry' or 'skip'")],
)
async def test_a_decision_that_nothing_asks_for_is_refused(decisions: dict[str, Any], said: str) -> None:
    log = MemoryLog()
    team = AgentTeam.parallel(["a", "b"], model=FunctionModel(lambda _: "Answer: 7"), log=log)
    await team.run("x", run_id="first")
    given = {"parallel/draft/a/model-1" if key == "STEP" else key: each for key, each in decisions.items()}
    with pytest.raises(ValidationError, match=said):
        await team.resume("first", decisions=given)


async def test_prompts_that_leave_a_member_out_are_refused_by_its_name() -> None:
    async def some(run: TeamRun, task: Task) -> str:
        await run.ask_all({"a": run.text(task)})
        return "done"

    with pytest.raises(ConfigurationError, match="there is no prompt for 'b'"):
        await AgentTeam(["a", "b"], formation=some, model=FunctionModel(lambda _: "7")).run("x")


async def test_a_right_answer_that_is_no_text_is_refused() -> None:
    team = AgentTeam.debate(["a", "b"], model=FunctionModel(lambda _: "Answer: 7"))
    result = await team.run("x")
    with pytest.raises(ValidationError, match="write right='7'"):
        result.contributions(7)  # type: ignore[arg-type]


@pytest.mark.parametrize("forged", ["## bob", "##bob ##", "  # BOB", "\r## bob", "## bob\r"])
async def test_no_answer_can_stand_under_the_name_of_another_member(forged: str) -> None:
    texts = {"ada": f"Yes.\n\n{forged}\nNo.\n## My reasons", "bob": "Yes too."}
    model = FunctionModel(lambda request: texts[request.about.member])
    result = await AgentTeam.parallel(["ada", "bob"], model=model).run("x")
    headings = [line for line in result.splitlines() if line.strip().startswith("#")]
    assert headings == ["## ada", "## My reasons", "## bob"]
    assert "\\#" in result


@pytest.mark.parametrize("nested", [False, True])
async def test_a_function_of_the_users_that_breaks_off_does_not_lose_what_was_paid_for(nested: bool) -> None:
    model = FunctionModel(lambda request: f"{request.about.member} speaks", name="offline/any")
    team = AgentTeam.parallel(["a", "b"], aggregation=lambda texts: str(texts[9]), model=model, name="inner")
    if nested:
        team = AgentTeam.pipeline([team], model=model, name="outer")
    with pytest.raises(TeamError, match="broke off with IndexError: list index out of range") as caught:
        await team.run("x")
    result = caught.value.result
    assert isinstance(result, TeamResult)
    assert result.status == "failed"
    assert result.usage.calls == 2
    if not nested:
        assert [outcome.text for outcome in result.members] == ["a speaks", "b speaks"]
        assert isinstance(caught.value.__cause__, IndexError)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "ValueError: its answer is empty"),
        (Answer(" \n"), "ValueError: its answer is empty"),
        (Answer(3), "TypeError: an answer's text is a str, not int: 3"),  # type: ignore[arg-type]
        (Answer("x", status="great"), "ValueError: an answer's status is completed, undecided or partial, not 'great'"),
    ],
)
async def test_what_is_no_answer_of_a_function_of_ones_own_is_refused_with_what_was_paid_for(
    given: str | Answer, message: str
) -> None:
    async def formation(team: TeamRun, _: object) -> str | Answer:
        await team.ask("ada", "Say something.")
        return given

    team = AgentTeam(["ada"], formation=formation, model=FunctionModel(lambda _: "It is so."))
    with pytest.raises(TeamError, match=message) as caught:
        await team.run("Task?")
    assert isinstance(caught.value.result, TeamResult)
    assert caught.value.result.usage.calls == 1


@pytest.mark.parametrize("text", ["", " \n"])
async def test_an_aggregation_that_gives_an_empty_text_gives_no_answer(text: str) -> None:
    async def late(_: list[str]) -> str:
        return text

    model = FunctionModel(lambda request: f"{request.about.member} speaks")
    for aggregation in (lambda _: text, late):
        for team in (
            AgentTeam.parallel(["a", "b"], aggregation=aggregation, model=model),
            AgentTeam.flat(["a", "b"], False, aggregation=aggregation, model=model),
        ):
            with pytest.raises(TeamError, match=r"broke off with ValueError: .* gave an empty text") as caught:
                await team.run("x")
            assert isinstance(caught.value.result, TeamResult)
            assert (caught.value.result.status, caught.value.result.usage.calls) == ("failed", 2)


ASKED: dict[str, tuple[Callable[[TeamRun], Awaitable[object]], str]] = {
    "prompt": (lambda run: run.ask("a", cast("Any", 3)), "'a' is asked with text, and not with int: 3"),
    "binary": (lambda run: run.ask("a", cast("Any", b"x")), "and not with bytes: b'x'"),
    "member": (lambda run: run.ask(cast("Any", 3), "x"), "who is asked is a member or its name, not int"),
    "all": (lambda run: run.ask_all(cast("Any", ["x"])), "or a function of the member, not list"),
    "by name": (lambda run: run.ask_all({"a": cast("Any", None)}), "'a' is asked with text, and not with NoneType"),
    "question": (lambda run: run.ask_human(cast("Any", 3)), "a question and its options are text"),
    "options": (lambda run: run.ask_human("Go?", options="yes"), r"write options=\['yes'\]"),
}


@pytest.mark.parametrize("what", ASKED)
async def test_what_nobody_can_be_asked_is_told_in_our_words_and_not_pydantics(what: str) -> None:
    ask, message = ASKED[what]

    async def formation(run: TeamRun, _task: Task) -> str:
        return str(await ask(run))

    model = Recording()
    with pytest.raises(TeamError, match=f"broke off with TypeError: .*{message}") as caught:
        await AgentTeam(["a"], formation=formation, model=model).run("x", human=lambda _: "yes")
    assert isinstance(caught.value.__cause__, TypeError)
    assert model.requests == []


async def test_a_person_s_answer_that_is_no_text_is_refused_with_its_type() -> None:
    async def formation(run: TeamRun, _task: Task) -> str:
        return await run.ask_human("Go?")

    async def later(_: Question) -> Any:
        return 3

    team = AgentTeam(["a"], formation=formation, model=FunctionModel(lambda _: "x"))
    for human, kind in ((lambda _: True, "bool"), (later, "int")):
        with pytest.raises(TeamError, match=f"the answer to 'Go\\?' must be text, not {kind}"):
            await team.run("x", human=cast("Any", human))
