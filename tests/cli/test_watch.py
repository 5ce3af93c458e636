"""Running a team under a view: what is shown, and what is left behind."""

from __future__ import annotations

import os
import signal
from typing import Self

import anyio
import pytest

from phalanx import Agent, AgentTeam, Limits
from phalanx.cli.failures import Interrupted
from phalanx.cli.progress import Progress
from phalanx.cli.watch import drawn, watch
from phalanx.errors import LLMCallError, LogError, TeamError
from phalanx.messages import Request
from phalanx.runtime.events import AnyEvent
from phalanx.testing import FunctionModel


class Noted:
    """A view that notes how it is used."""

    def __init__(self) -> None:
        self.progress, self.notes = Progress(), list[str]()

    def see(self, event: AnyEvent) -> None:
        self.progress.see(event)
        self.notes.append(event.kind)

    @property
    def told(self) -> list[str]:
        """The notes in their order, without those that may come at any time."""
        return [note for note in self.notes if note not in ("draw", "token")]

    def draw(self) -> None:
        self.notes.append("draw")

    def __enter__(self) -> Self:
        self.notes.append("enter")
        return self

    def __exit__(self, *exc: object) -> None:
        self.notes.append("exit")


class Closing(FunctionModel):
    """A model that counts how often it was closed."""

    closed = 0

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.closed += 1


def answer(request: Request) -> str:
    return "The answer is 42."


async def slow(request: Request) -> str:
    await anyio.sleep(0.35)
    return "late"


async def hanging(request: Request) -> str:
    os.kill(os.getpid(), signal.SIGINT)
    await anyio.sleep(60)
    return "never"


def failing(request: Request) -> str:
    raise LLMCallError("broken")


def team(model: FunctionModel) -> AgentTeam:
    return AgentTeam.pipeline([Agent("coder", name="ada", model=model)], name="line")


@pytest.mark.parametrize("streaming", [False, True])
def test_a_view_is_entered_before_the_first_event_and_left_after_the_last(streaming: bool) -> None:
    view, model = Noted(), Closing(answer)

    result = watch(team(model), "x", view, streaming=streaming)

    told = view.told
    assert result == "The answer is 42."
    assert (told[0], told[1], told[-2], told[-1]) == ("enter", "run.started", "run.finished", "exit")
    assert ("token" in view.notes) == streaming
    assert view.progress.usage == result.usage
    assert model.closed == 1


def test_a_view_is_drawn_again_and_again_while_a_member_works() -> None:
    view = Noted()

    watch(team(FunctionModel(slow)), "x", view)

    assert view.notes.count("draw") >= 3


@pytest.mark.parametrize("streaming", [False, True])
def test_a_failed_run_raises_its_own_error_and_closes_its_models(streaming: bool) -> None:
    view, model = Noted(), Closing(failing)

    with pytest.raises(TeamError) as failure:
        watch(team(model), "x", view, streaming=streaming)

    assert "broken" in str(failure.value)
    assert view.told[-2:] == ["run.finished", "exit"]
    assert model.closed == 1


@pytest.mark.parametrize("streaming", [False, True])
def test_an_interrupted_run_tells_its_end_and_what_was_spent_and_closes_its_models(streaming: bool) -> None:
    view, model = Noted(), Closing(hanging)
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(Interrupted) as interruption:
            watch(team(model), "x", view, streaming=streaming)
    finally:
        signal.signal(signal.SIGINT, before)

    assert interruption.value.code == 130
    assert interruption.value.usage.calls == 1
    assert "spent: 1 call" in str(interruption.value)
    assert view.told[-2:] == ["run.finished", "exit"]
    assert view.progress.top.state == "cancelled"
    assert model.closed == 1


def test_signals_mean_afterwards_what_they_meant_before() -> None:
    before = signal.getsignal(signal.SIGTERM)

    watch(team(FunctionModel(answer)), "x", Noted())

    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("streaming", [False, True])
def test_context_limits_and_seed_reach_the_run(streaming: bool) -> None:
    asked: list[Request] = []

    def note(request: Request) -> str:
        asked.append(request)
        return "done"

    events: list[AnyEvent] = []
    with pytest.raises(TeamError, match="calls limit"):
        watch(team(FunctionModel(note)), "x", Noted(), limits=Limits(calls=0), streaming=streaming)
    watch(
        team(FunctionModel(note)), "x", Noted(), context="the sky is green", seed=5, streaming=streaming,
        also=events.append,
    )  # fmt: skip

    (request,) = asked
    assert "the sky is green" in request.messages[-1].content
    assert request.about.seed == 5
    assert events[0].kind == "run.started"


async def test_what_work_raises_while_it_is_drawn_comes_as_it_is_and_the_drawing_ends() -> None:
    view = Noted()

    async def work(fails: bool) -> str:
        await anyio.sleep(1.05)
        if fails:
            raise LogError("the file is damaged")
        return "done"

    with pytest.raises(LogError, match=r"^the file is damaged$"):
        await drawn(view, lambda: work(True))
    assert len(view.notes) == 11
    assert await drawn(view, lambda: work(False)) == "done"
    await anyio.sleep(5)
    assert view.notes == ["draw"] * 22
