"""What a tool gives back is shown to the model, or is an error that says why not; hidden configuration stays hidden."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import AsyncIterator, Iterator
from itertools import count
from typing import Any

import pytest

from phalanx import Agent, ToolResult, ToolSet

KEY = 'sk-"hidden"\n-4711-with-a-long-tail-that-a-validation-error-would-cut-in-two'


def lines() -> Iterator[str]:
    return (f"line {at}" for at in range(3))


def endless() -> Iterator[int]:
    return iter(count())


def nested() -> dict[str, Any]:
    return {"lines": [map(str, range(3))]}


async def pieces() -> AsyncIterator[str]:
    yield "a"


def late() -> list[Any]:
    async def later() -> str:
        return "a"

    return [later()]


@dataclasses.dataclass
class Page:
    lines: Any


def page() -> Page:
    return Page(iter("abc"))


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (lines, "a generator"),
        (endless, "a count"),
        (nested, "a map"),
        (pieces, "an async generator"),
        (late, "a coroutine"),
        (page, "a str"),
    ],
)
async def test_values_that_are_not_there_yet_are_refused(function: Any, kind: str) -> None:
    result = await Agent("coder", tools=[function]).execute_tool(function.__name__)
    assert not result.success
    assert kind in str(result.error)
    assert "return a list or text" in str(result.error)


@pytest.mark.parametrize(
    "value", [b"abc", {"a": [b"abc"]}, [bytearray(b"abc")], Page(b"abc"), ToolResult(output=[b"abc"])]
)
async def test_bytes_are_refused_on_every_level(value: Any) -> None:
    def read() -> Any:
        return value

    result = await Agent("coder", tools=[read]).execute_tool("read")
    assert not result.success
    assert "3 bytes of binary data" in str(result.error)


async def test_values_of_every_other_kind_are_shown() -> None:
    def read() -> Any:
        return {"list": [1, (2.5, None)], "page": Page("text"), "set": {3}, "range": list(range(2))}

    result = await Agent("coder", tools=[read]).execute_tool("read")
    assert result.output == {"list": [1, [2.5, None]], "page": {"lines": "text"}, "set": [3], "range": [0, 1]}


CONFIGS = [{"key": KEY}, {"key": {"deep": [{"key": KEY}]}}, {"key": KEY.encode()}, {"key": (1, KEY)}]


def _text(key: Any) -> str:
    """The secret text, wherever the configuration has it."""
    if isinstance(key, dict):
        return str(key["deep"][0]["key"])
    return key.decode() if isinstance(key, bytes) else key[1] if isinstance(key, tuple) else str(key)


def said(key: Any) -> str:
    return f"the key is {_text(key)}, so"


def quoted(key: Any) -> str:
    return json.dumps({"key": _text(key)})


def listed(key: Any) -> Any:
    return {"keys": [{_text(key): Page(_text(key))}]}


def result(key: Any) -> Any:
    return ToolResult(output={"key": _text(key)}, metadata={"key": _text(key)})


def failed(key: Any) -> Any:
    return ToolResult(success=False, error=f"denied: {_text(key)}")


def raised(key: Any) -> Any:
    raise KeyError(_text(key))


@pytest.mark.parametrize("config", CONFIGS, ids=["text", "nested", "bytes", "tuple"])
@pytest.mark.parametrize("function", [said, quoted, listed, result, failed, raised])
async def test_no_result_and_no_error_holds_hidden_configuration(function: Any, config: Any) -> None:
    agent = Agent("coder", tools=[ToolSet(name="set", description="Keys.", tools=[function], config=config)])
    shown = await agent.execute_tool(function.__name__)
    everything = f"{shown.output!r} {shown.error} {shown.metadata!r} {shown.model_dump_json()}"
    assert "4711" not in everything
    assert "[hidden]" in everything


async def test_bytes_of_the_configuration_stay_hidden_as_text_too() -> None:
    def both(key: Any) -> str:
        return f"{key!r} {base64.b64encode(key).decode()}"

    agent = Agent("coder", tools=[ToolSet(name="set", description="Keys.", tools=[both], config={"key": b"\xff4711"})])
    assert (await agent.execute_tool("both")).output == "b'[hidden]' [hidden]"


async def test_a_wrong_configuration_is_not_quoted_in_part() -> None:
    def add(key: int) -> int:
        return key

    agent = Agent("coder", tools=[ToolSet(name="set", description="Keys.", tools=[add], config={"key": KEY})])
    shown = await agent.execute_tool("add")
    assert "key: Input should be a valid integer" in str(shown.error)
    assert "sk-" not in str(shown.error)


async def test_what_holds_no_configuration_is_told_as_it_is() -> None:
    def look(key: str, word: str) -> Any:
        if word == "fail":
            raise LookupError("no such word")
        return {"word": word, "count": 3}

    agent = Agent("coder", tools=[ToolSet(name="set", description="Words.", tools=[look], config={"key": "sk-4711"})])
    assert (await agent.execute_tool("look", word="abc")).output == {"word": "abc", "count": 3}
    assert "no such word" in str((await agent.execute_tool("look", word="fail")).error)
