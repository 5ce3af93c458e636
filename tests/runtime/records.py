"""Records to store: every kind of event with any content, for hypothesis, and a few plain ones."""

from __future__ import annotations

from typing import get_args

from hypothesis import strategies as st

from phalanx.messages import (
    About,
    Completion,
    Message,
    OutputSpec,
    Request,
    ToolCall,
    ToolResult,
    ToolSpec,
    Usage,
)
from phalanx.runtime.entries import RECORDS
from phalanx.runtime.events import AnyEvent, Event, StepFinished, StepStarted, Warned

texts = st.one_of(
    st.text(max_size=20),
    st.text(st.characters(exclude_categories=()), max_size=8),
    st.builds(lambda text, times: text * times, st.text(min_size=1, max_size=20), st.integers(200, 800)),
)
numbers = st.one_of(st.integers(), st.floats(allow_nan=False))
free = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(["$", "$json", "$list", "$!", "$float"]), texts), inner, max_size=3),
    ),
    max_leaves=6,
)
objects = st.dictionaries(texts, free, max_size=3)
calls = st.builds(ToolCall, id=texts, tool_name=texts, parameters=objects, arguments_error=st.none() | texts)
messages = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    content=texts,
    name=st.none() | texts,
    tool_calls=st.lists(calls, max_size=2).map(tuple),
    tool_call_id=st.none() | texts,
)
usages = st.builds(
    Usage, *[st.integers(0, 10**9)] * 6, st.floats(allow_nan=False), st.integers(0, 9), estimated=st.booleans()
)
tools = st.builds(ToolSpec, name=texts, description=texts, parameters=objects)
requests = st.builds(
    Request,
    messages=st.lists(messages, max_size=20).map(tuple),
    tools=st.lists(tools, max_size=2).map(tuple),
    output=st.none() | st.builds(lambda name, schema: OutputSpec(name=name, schema=schema), texts, objects),
    temperature=st.none() | st.floats(allow_nan=False),
    stop=st.lists(texts, max_size=2).map(tuple),
    seed=st.none() | st.integers(),
    options=st.dictionaries(st.sampled_from(["top_k", "user", "$"]), free, max_size=2),
    about=st.builds(About, path=st.lists(texts, max_size=2).map(tuple), member=texts, question=texts),
)
completions = st.builds(Completion, text=texts, tool_calls=st.lists(calls, max_size=2).map(tuple), usage=usages)
results = st.builds(ToolResult, success=st.booleans(), output=free, error=st.none() | texts, metadata=objects)

_OF_TYPE = {Usage: usages, Request: requests, Completion: completions, ToolCall: calls, ToolResult: results}
for _type, _strategy in _OF_TYPE.items():
    st.register_type_strategy(_type, _strategy)
st.register_type_strategy(str, texts)
st.register_type_strategy(object, free)
st.register_type_strategy(float, st.floats(allow_nan=False))

events: st.SearchStrategy[Event] = st.one_of([st.from_type(cls) for cls in get_args(AnyEvent)])
records: st.SearchStrategy[object] = st.one_of([st.from_type(cls) for cls in (*get_args(AnyEvent), *RECORDS)])


def said(number: int, text: str = "") -> Warned:
    """A small record that is told from others by its number."""
    return Warned("run", number, ("team",), 1.5, None, text or f"record {number}")


def asked(number: int, *messages: Message) -> StepStarted:
    """A model call's start."""
    return StepStarted(
        "run", number, ("team", "ada"), 1.5, None, f"k{number}", "model", "m", Request(messages=messages)
    )


def answered(number: int, text: str) -> StepFinished:
    """A model call's end."""
    usage = Usage(1, 10, 5)
    return StepFinished(
        "run", number, ("team", "ada"), 1.5, None, f"k{number}", "model", "m", "ok", 0.5, usage, Completion(text=text)
    )
