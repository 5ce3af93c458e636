"""A run as lines of JSON and back: equal, playable, resumable; what is torn, lost or changed is said with its line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx import Agent, AgentTeam, TeamResult, tool
from phalanx.agents.models.offline import FunctionModel
from phalanx.errors import LogError
from phalanx.messages import Completion, Request, ToolCall
from phalanx.runtime.events import StepStarted
from phalanx.runtime.export import export_run, import_run
from phalanx.runtime.log import MemoryLog
from phalanx.runtime.sqlite import SqliteLog
from tests.runtime.records import events

RUN = "the-run"


@tool(idempotent=True)
def look(at: str) -> str:
    """Look."""
    return f"seen {at} " * 100


def answer(request: Request) -> str | Completion:
    if request.tools and request.messages[-1].role == "user":
        return Completion(tool_calls=(ToolCall(id="t", tool_name="look", parameters={"at": "ünder \ud83d"}),))
    return f"{request.about.member} thinks so: 世界.\nAnswer: 1"


def team(model: FunctionModel | None = None) -> AgentTeam:
    members = [Agent("worker", name="ada", tools=[look]), "bob", "cy"]
    return AgentTeam.flat(members, rounds=2, model=model or FunctionModel(answer))


def nobody(_: Request) -> str:
    raise AssertionError("nobody is asked")


async def exported() -> tuple[TeamResult, MemoryLog, list[str]]:
    log = MemoryLog()
    result = await team().run("Is it so?", run_id=RUN, log=log)
    return result, log, await export_run(log, RUN)


async def test_an_exported_run_is_the_same_run_in_another_log(tmp_path: Path) -> None:
    result, log, lines = await exported()
    async with SqliteLog(tmp_path / "log.db") as other:
        assert await import_run([f"{line}\n" for line in lines], other) == RUN
        for stream in await log.streams():
            assert await other.read(stream) == await log.read(stream)
        assert await other.streams() == await log.streams()
        again = await team(FunctionModel(nobody)).replay(RUN, log=other)
        assert again == result
        assert await export_run(other, RUN) == lines


async def test_each_line_is_json_and_each_text_stands_in_the_lines_once() -> None:
    _, _, lines = await exported()
    found = [json.loads(line) for line in lines]
    assert found[0]["run"] == RUN
    assert found[-1] == {"sum": found[-1]["sum"], "end": len(lines) - 1}
    kept = [digest for each in found for digest in each.get("bodies", ())]
    assert len(kept) == len(set(kept)) > 10


async def test_an_imported_run_goes_on_where_it_was() -> None:
    _, log, _ = await exported()
    records = [record for _, record in await log.read(f"run/{RUN}")]
    cut = next(at for at, each in enumerate(records) if isinstance(each, StepStarted) and "bob" in each.key)
    half, other = MemoryLog(), MemoryLog()
    await half.append(f"run/{RUN}", records[:cut])
    await import_run(await export_run(half, RUN), other)
    asked: list[str] = []

    def count(request: Request) -> str | Completion:
        asked.append(request.about.member)
        return answer(request)

    assert (await team(FunctionModel(count)).resume(RUN, log=other)).status == "completed"
    assert asked[0] == "bob"


@settings(max_examples=50, deadline=None)
@given(data=st.data())
async def test_whatever_is_torn_off_or_changed_is_an_error_that_names_the_line(data: st.DataObject) -> None:
    _, _, lines = await exported()
    numbers = st.integers(0, 10**6)  # lines differ in length from run to run, by the times in them
    at = data.draw(numbers) % len(lines)
    line, other = lines[at], MemoryLog()
    how = data.draw(st.sampled_from(["tear", "drop", "change", "end"]))
    if how == "tear":
        changed = [*lines[:at], line[: data.draw(numbers) % len(line)]]
    elif how == "drop":
        changed = lines[:at] + lines[at + 1 :]
    elif how == "end":
        changed = lines[:at]
    else:
        place = data.draw(numbers) % len(line)
        letter = "x" if line[place] != "x" else "y"
        changed = [*lines[:at], line[:place] + letter + line[place + 1 :], *lines[at + 1 :]]
    with pytest.raises(LogError, match=r"^line \d+|the file is empty") as caught:
        await import_run(changed, other)
    if how in ("tear", "change"):
        assert re.match(rf"line {at + 1}\b", str(caught.value))
    assert await other.streams() == []


async def test_a_run_is_imported_once() -> None:
    _, log, lines = await exported()
    with pytest.raises(LogError, match="there is a run 'the-run' in this log already"):
        await import_run(lines, log)
    other = MemoryLog()
    board = next(name for name in await log.streams() if name.startswith("board/"))
    await other.append(board, [record for _, record in await log.read(board)][:1])
    with pytest.raises(LogError, match="holds other records in 'board/the-run/"):
        await import_run(lines, other)
    with pytest.raises(LogError, match="no run 'nothing'"):
        await export_run(log, "nothing")
    with pytest.raises(LogError, match=f"line {len(lines) + 2}: there is more after the end"):
        await import_run([*lines, "", "{}"], MemoryLog())


async def test_an_interrupted_import_can_be_made_again() -> None:
    _, log, lines = await exported()
    other = MemoryLog()
    for name in await log.streams("board/"):
        await other.append(name, [record for _, record in await log.read(name)])
    assert await import_run(lines, other) == RUN


async def test_what_is_secret_can_be_redacted_on_the_way_out() -> None:
    _, log, _ = await exported()
    lines = await export_run(log, RUN, redact=lambda text: text.replace("thinks so", "[…]"))
    assert "thinks so" not in "".join(lines)
    other = MemoryLog()
    await import_run(lines, other)


@given(event=events)
@settings(max_examples=25, deadline=None)
async def test_any_event_comes_back_as_it_was_written(event: object) -> None:
    log, other = MemoryLog(), MemoryLog()
    await log.append(f"run/{RUN}", [event])
    lines = await export_run(log, RUN)
    assert await import_run(lines, other) == RUN
    assert await export_run(other, RUN) == lines
    [(_, again)] = await other.read(f"run/{RUN}")
    assert type(again) is type(event)
