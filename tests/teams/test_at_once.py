"""Members who are asked together work side by side as soon as one of them waits, each in a context of its own."""

from __future__ import annotations

from collections.abc import Generator
from contextvars import ContextVar

import anyio
import pytest

from phalanx import AgentTeam, Limits
from phalanx.formations.begun import Begun
from phalanx.messages import Request
from phalanx.testing import FunctionModel

NAMES = ("ada", "bob", "cy")
mark: ContextVar[str] = ContextVar("mark", default="unmarked")


@pytest.mark.parametrize("waiting", [(), ("ada",), ("bob",), ("cy",), NAMES])
async def test_what_one_member_sets_in_its_context_no_other_sees(waiting: tuple[str, ...]) -> None:
    async def reply(request: Request) -> str:
        name, found = request.about.member, mark.get()
        mark.set(name)
        if name in waiting:
            await anyio.sleep(1)
        return f"{name} found {found}, kept {mark.get()}"

    result = await AgentTeam.parallel(NAMES, model=FunctionModel(reply)).run("Go.")

    assert [each.text for each in result.members] == [f"{name} found unmarked, kept {name}" for name in NAMES]
    assert mark.get() == "unmarked"


@pytest.mark.parametrize("waiting", [(), ("ada",), ("bob",), ("cy",), ("ada", "cy"), NAMES])
async def test_all_who_wait_wait_together(waiting: tuple[str, ...]) -> None:
    async def reply(request: Request) -> str:
        name = request.about.member
        await anyio.sleep(5 if name in waiting else 0)
        if name in waiting:
            await anyio.sleep(5)
        return f"It is {name}."

    async def at_once(request: Request) -> str:
        return await reply(request) if request.about.member in waiting else f"It is {request.about.member}."

    for answer in (reply, at_once):
        started = anyio.current_time()
        result = await AgentTeam.parallel(NAMES, model=FunctionModel(answer)).run("Go.")

        assert [each.text for each in result.members] == [f"It is {name}." for name in NAMES]
        assert anyio.current_time() - started == (10 if waiting else 0)


async def test_a_member_that_fails_at_once_keeps_nobody_from_answering() -> None:
    async def reply(request: Request) -> str:
        if request.about.member == "ada":
            raise RuntimeError("no")
        if request.about.member == "bob":
            await anyio.sleep(1)
        return "yes"

    result = await AgentTeam.parallel(NAMES, model=FunctionModel(reply), quorum=2).run("Go.")

    assert [each.status for each in result.members] == ["failed", "ok", "ok"]


async def test_time_runs_out_for_who_waits_whoever_began_first() -> None:
    async def reply(request: Request) -> str:
        if request.about.member != "cy":
            await anyio.sleep(100)
        return "yes"

    started = anyio.current_time()
    result = await AgentTeam.parallel(NAMES, model=FunctionModel(reply), quorum=1, deadline=5).run("Go.")
    stopped = await AgentTeam.parallel(NAMES, model=FunctionModel(reply)).run("Go.", limits=Limits(seconds=5))

    assert anyio.current_time() - started == 10
    assert [each.status for each in result.members] == ["timed_out", "timed_out", "ok"]
    assert [each.status for each in stopped.members] == ["cancelled", "cancelled", "ok"]


async def test_the_others_begin_when_the_first_waits_and_only_once() -> None:
    told: list[str] = []

    async def work() -> None:
        told.append("begun")
        await anyio.sleep(1)
        await anyio.sleep(1)
        told.append("ended")

    async def no_work() -> None:
        told.append("done")

    await Begun(work(), lambda: told.append("waits"))
    await Begun(no_work(), lambda: told.append("never"))

    assert told == ["begun", "waits", "ended", "done"]


async def test_its_cancellation_and_its_errors_are_those_of_the_coroutine() -> None:
    told: list[str] = []

    async def work() -> None:
        try:
            await anyio.sleep(100)
        finally:
            told.append("cleaned up")
            raise KeyError("late")

    with pytest.raises(KeyError), anyio.move_on_after(1):
        await Begun(work(), lambda: None)

    async def broken() -> None:
        raise ValueError("at once")

    with pytest.raises(ValueError, match="at once"):
        await Begun(broken(), lambda: told.append("never"))
    assert told == ["cleaned up"]


def test_it_is_closed_in_the_context_it_was_begun_in() -> None:
    told: list[str] = []

    class Never:
        def __await__(self) -> Generator[None, None, None]:
            yield

    async def work() -> None:
        token = mark.set("inside")
        try:
            await Never()
        finally:
            told.append(mark.get())
            mark.reset(token)

    waiting = Begun(work(), lambda: None).__await__()
    next(waiting)
    waiting.close()
    assert told == ["inside"]
