"""Half characters in what a model sent: JSON can write one half of a surrogate pair, but no text can hold it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TypeVar

from phalanx.messages import Completion

T = TypeVar("T")
_HALF = re.compile("[\ud800-\udfff]")


def whole(completion: Completion) -> Completion:
    """The same answer with U+FFFD in place of each half character, in its text, reasoning and tool calls.

    completion: the answer; it comes back itself when it has none, as nearly all do. An answer that was cut in the
    middle of an emoji could else be neither posted, saved nor sent to another model, and would take its run with it.
    """
    if completion.text.isascii() and not completion.reasoning and not completion.tool_calls:
        return completion
    text, reasoning = _mended(completion.text), _mended(completion.reasoning)
    calls = tuple(
        call if (parameters := _mended(call.parameters)) == call.parameters
        else call.model_copy(update={"parameters": parameters})
        for call in completion.tool_calls
    )  # fmt: skip
    if (text, reasoning, calls) == (completion.text, completion.reasoning, completion.tool_calls):
        return completion
    return replace(completion, text=text, reasoning=reasoning, tool_calls=calls)


def _mended(value: T) -> T:
    mended: object = value
    if isinstance(value, str):
        mended = value if value.isascii() else _HALF.sub("\ufffd", value)
    elif isinstance(value, dict):
        mended = {_mended(key): _mended(each) for key, each in value.items()}
    elif isinstance(value, list):
        mended = [_mended(each) for each in value]
    return mended  # type: ignore[return-value]
