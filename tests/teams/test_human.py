"""People in a run: approval, questions, pauses that outlive the process; no approver means denied."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from phalanx import Agent, AgentTeam, Answer, ConfigurationError, Task, TeamRun, ValidationError, tool
from phalanx.agents.models.offline import FunctionModel
from phalanx.messages import Completion, Request, ToolCall
from phalanx.runtime.events import AnyEvent, Paused
from phalanx.runtime.human import Question, pause
from phalanx.runtime.log import MemoryLog

RUN = "the-run"


class Office:
    """Agents with a tool that needs approval, which count what they did."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.calls = 0

    def team(self, names: str = "ab", **options: object) -> AgentTeam:
        @tool(needs_approval=True)
        async def send(to: str) -> str:
            """Send a mail."""
            self.sent.append(to)
            return f"sent to {to}"

        async def answer(request: Request) -> str | Completion:
            self.calls += 1
            await anyio.sleep(1)
            name = request.about.member
            if request.messages[-1].role == "user" and name != "z":
                return Completion(tool_calls=(ToolCall(id=name, tool_name="send", parameters={"to": name}),))
            return f"{name}: {request.messages[-1].content}" if name != "z" else "z is done"

        model = FunctionModel(answer)
        return AgentTeam.parallel(
            [Agent("worker", name=name, model=model, tools=[send]) for name in names], name="office"
        )


async def test_without_a_person_a_tool_that_needs_approval_is_denied() -> None:
    office = Office()
    result = await office.team().run("Send mails.")
    assert office.sent == []
    assert result.count("nobody is there to approve it") == 2


async def test_a_person_is_asked_about_each_call_and_the_answers_count() -> None:
    office, asked = Office(), []

    def person(question: Question) -> str:
        asked.append(question)
        return "yes" if "use send with" in question.text and question.member == "a" else "no"

    result = await office.team().run("Send mails.", human=person)
    assert office.sent == ["a"]
    assert {each.key for each in asked} == {"office/draft/a/human-1", "office/draft/b/human-1"}
    assert asked[0].options == ("yes", "no")
    assert "it was not approved" in result


async def test_a_run_pauses_when_nothing_is_left_but_to_ask_and_goes_on_with_the_answers() -> None:
    office, log = Office(), MemoryLog()
    events: list[AnyEvent] = []
    paused = await office.team("abz").run("Send mails.", run_id=RUN, log=log, human=pause, on_event=events.append)
    assert paused.status == "paused"
    keys = [question.key for question in paused.questions]
    assert sorted(keys) == ["office/draft/a/human-1", "office/draft/b/human-1"]
    assert paused.member("z").text == "z is done"
    assert office.sent == []
    assert sum(isinstance(each, Paused) for each in events) == 2
    calls = office.calls

    again = Office()
    result = await again.team("abz").resume(RUN, log=log, answers=dict(zip(keys, ["yes", "no"], strict=True)))
    assert result.status == "completed"
    assert again.sent == [keys[0].split("/")[2]]
    assert again.calls == 2, "what was finished before the pause is not asked again"
    assert calls == 3

    third = Office()
    once_more = await third.team("abz").resume(RUN, log=log)
    assert (once_more, third.calls, third.sent) == (result, 0, [])


async def test_an_answer_may_come_while_the_process_lives_and_some_may_wait() -> None:
    office, log = Office(), MemoryLog()
    paused = await office.team().run("Send mails.", run_id=RUN, log=log, human=pause)
    first = paused.questions[0].key
    again = await office.team().resume(RUN, log=log, answers={first: "yes"}, human=pause)
    assert again.status == "paused"
    assert [question.key for question in again.questions] == [paused.questions[1].key]
    last = await office.team().resume(RUN, log=log, answers={paused.questions[1].key: "no"})
    assert last.status == "completed"
    assert len(office.sent) == 1


async def test_a_formation_may_ask_a_question_and_a_timeout_is_an_answer() -> None:
    async def careful(run: TeamRun, task: Task) -> Answer:
        answer = await run.ask_human(
            f"How shall {task.description}?", options=["fast", "well"], within=60, default="well"
        )
        return Answer(f"{task.description} {answer}")

    team = AgentTeam(["a"], formation=careful, model=FunctionModel(lambda _: ""))

    async def slow(_: Question) -> str:
        await anyio.sleep(1000)
        return "fast"

    started = anyio.current_time()
    assert await team.run("it go", human=slow) == "it go well"
    assert anyio.current_time() - started == 60
    assert await team.run("it go", human=lambda _: "fast") == "it go fast"
    assert await team.run("it go") == "it go well"
    with pytest.raises(ConfigurationError, match=r"'soon' is no answer to .* must be one of fast, well"):
        await team.run("it go", human=lambda _: "soon")


async def test_a_handle_answers_questions_while_the_run_goes_on() -> None:
    office = Office()
    async with office.team().start("Send mails.") as run:
        async for event in run:
            if isinstance(event, Paused):
                assert event.key in [question.key for question in run.questions]
                run.answer(event.key, "yes" if event.member == "a" else "no")
                with pytest.raises(KeyError, match="nobody asks"):
                    run.answer(event.key, "no")
    assert office.sent == ["a"]
    assert run.result.run_id == run.run_id
    assert run.questions == []
    assert (await office.team("z").start("Go.").wait()).status == "completed"


async def test_cancelling_a_handle_stops_the_run() -> None:
    office = Office()
    async with office.team().start("Send mails.") as run:
        async for event in run:
            if isinstance(event, Paused):
                await run.cancel()
                break
    with pytest.raises(RuntimeError, match="was cancelled"):
        _ = run.result
    assert office.sent == []


async def test_a_nested_team_pauses_the_whole_run() -> None:
    office, log = Office(), MemoryLog()

    def outer() -> AgentTeam:
        return AgentTeam.pipeline([office.team("a"), Agent("worker", name="z", model=FunctionModel(lambda _: "end"))])

    paused = await outer().run("Send.", run_id=RUN, log=log, human=pause)
    assert paused.status == "paused"
    (question,) = paused.questions
    result = await outer().resume(RUN, log=log, answers={question.key: "yes"})
    assert (result, office.sent) == ("end", ["a"])


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"office/draft/a/human-2": "yes"}, r"'the-run' asks no question 'office/draft/a/human-2' \(did you mean"),
        ({"office/draft/a/model-1": "yes"}, "asks no question 'office/draft/a/model-1'"),
        ({"yes": "office"}, "open are: office/draft/[ab]/human-1, office/draft/[ab]/human-1$"),
        ({7: "yes"}, "asks no question 7"),
        ({"office/draft/a/human-1": "perhaps"}, "must be one of yes, no"),
        ({"office/draft/a/human-1": True}, "an answer is text, not bool"),
        (["yes", "no"], "answers is a mapping of questions' keys to answers, not list"),
    ],
)
async def test_an_answer_to_no_open_question_is_refused_before_anything_is_done(answers: Any, message: str) -> None:
    office, log = Office(), MemoryLog()
    await office.team().run("Send mails.", run_id=RUN, log=log, human=pause)
    before, calls = len(await log.read(f"run/{RUN}")), office.calls
    with pytest.raises(ValidationError, match=message):
        await office.team().resume(RUN, log=log, answers=answers)
    assert (len(await log.read(f"run/{RUN}")), office.calls, office.sent) == (before, calls, [])


async def test_what_was_answered_may_be_said_again_but_not_otherwise() -> None:
    office, log = Office(), MemoryLog()
    paused = await office.team().run("Send mails.", run_id=RUN, log=log, human=pause)
    first, second = (question.key for question in paused.questions)
    await office.team().resume(RUN, log=log, answers={first: "yes"}, human=pause)
    with pytest.raises(ValidationError, match=f"was answered with 'yes', which stands.*open are: {second}$"):
        await office.team().resume(RUN, log=log, answers={first: "no", second: "no"})
    last = await office.team().resume(RUN, log=log, answers={first: "yes", second: "no"})
    assert (last.status, len(office.sent)) == ("completed", 1)
    with pytest.raises(ValidationError, match="no question is open"):
        await office.team().resume(RUN, log=log, answers={"office/x": "no"})


async def test_a_question_that_nobody_was_there_for_can_be_answered_after() -> None:
    async def careful(run: TeamRun, task: Task) -> Answer:
        return Answer(f"{task.description} {await run.ask_human('How?')}")

    team, log = AgentTeam(["a"], formation=careful, model=FunctionModel(lambda _: ""), name="t"), MemoryLog()
    with pytest.raises(ConfigurationError, match="nobody is there"):
        await team.run("it goes", run_id=RUN, log=log)
    assert await team.resume(RUN, log=log, answers={"t/human-1": "well"}) == "it goes well"
