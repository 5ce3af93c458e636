"""Answers that are hard to read: they are read in little time, or refused, and never end a run with a crash."""

from __future__ import annotations

import time

import pytest
from pydantic import BaseModel

from phalanx import Agent, ResponseParseError
from phalanx.agents.loop import calls_in_text
from phalanx.agents.output import Shape
from phalanx.testing import ScriptedModel


class Verdict(BaseModel):
    answer: int


HOSTILE = [
    "```" + "\n" * 200_000,
    "```json" + " \n" * 100_000,
    "```\n" * 50_000,
    "```" * 60_000,
    "x " + "[" * 100_000,
    "[" * 100_000,
    '{"answer":' * 40_000,
    "[1, " * 50_000,
    "{} [] " * 60_000,
    '{"answer": "' * 40_000,
    "```tool_call" + "\n" * 200_000,
    "```tool_call\n" * 20_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:14]))
def test_a_hostile_answer_is_refused_in_little_time(text: str) -> None:
    shape = Shape(Verdict)
    began = time.process_time()
    with pytest.raises(ValueError):
        shape.parse(text)
    calls_in_text(text)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "text",
    [
        '{"answer": 7}',
        'So:\n```json\n{"answer": 7}\n```\nThat is it.',
        'So:\n```  \n\n{"answer": 7}```',
        '```python\nf(x)\n```\nand\n```json\r\n{"answer": 7}\n```',
        'By [1] and {x}, see [2: it is {"answer": 7}.',
        "As they say [1] " * 1_000 + '{"answer": 7}',
        "word " * 200_000 + '{"answer": 7}',
        "[" * 50 + ' {"answer": 7}',
    ],
    ids=lambda text: repr(text[:14]),
)
def test_an_answer_is_found_in_what_stands_around_it(text: str) -> None:
    assert Shape(Verdict).parse(text) == Verdict(answer=7)


async def test_an_answer_nested_too_deeply_is_repaired_once() -> None:
    model = ScriptedModel(["[" * 100_000, '{"answer": 7}'])
    result = await Agent("coder", model=model, output=Verdict).run("Go")
    assert result.output == Verdict(answer=7)
    with pytest.raises(ResponseParseError):
        await Agent("coder", model=ScriptedModel(["[" * 100_000] * 2), output=Verdict).run("Go")


def test_tool_calls_in_text_are_read_one_by_one() -> None:
    deep = "[" * 100_000
    calls = calls_in_text(
        f'First\n```tool_call  \n{{"name": "a", "arguments": {{"x": 1}}}}\n```\nthen\n```tool_call\n{deep}\n```'
    )
    assert [(each.tool_name, each.parameters) for each in calls] == [("a", {"x": 1}), ("", {})]
    assert calls[0].arguments_error is None
    assert "the block is not" in str(calls[1].arguments_error)
