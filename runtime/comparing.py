"""A step that is asked for again, compared with what is recorded of it."""

from __future__ import annotations

import re
from dataclasses import replace

from phalanx.errors import ReplayDivergence
from phalanx.messages import Request, ToolCall

from .codec import first_difference, request_fingerprint
from .events import StepStarted

# The name of the model that stands in where a run is only played back and none is at hand.
ANY_MODEL = "any model"


def compare(key: str, started: StepStarted, name: str, request: Request | ToolCall | str) -> None:
    """Raise ReplayDivergence, with the first field that differs, when a step asks for something else than is recorded.

    key: the step's. started: how it was begun. name: who is asked now. request: with what.
    """
    if name not in (started.name, ANY_MODEL):
        raise ReplayDivergence(key, "name", started.name, name)
    if started.request == request or started.request is request:
        return
    recorded, asked = request_fingerprint(started.request), request_fingerprint(request)
    field = first_difference(recorded, asked)
    if field is not None and isinstance(started.request, Request) and isinstance(request, Request):
        plain, said = _without_marks(started.request), _without_marks(request)
        field = first_difference(request_fingerprint(plain), request_fingerprint(said))
    if field is not None:
        raise ReplayDivergence(key, field, _shown(started.request, field), _shown(request, field))


def _without_marks(request: Request) -> Request:
    """A request in which the marks around data are all the same.

    They are made of the data itself, so they say nothing new; where a log redacts, they are made of what it kept.
    """
    messages = [each.model_copy(update={"content": _MARK.sub(r"\1 id", each.content)}) for each in request.messages]
    return replace(request, messages=tuple(messages))


_MARK = re.compile(r'(</?data) id="[0-9a-f]{8}"')


def _shown(request: Request | ToolCall | str, field: str) -> object:
    """The value of a field of a request, as an error shows it."""
    if isinstance(request, Request) and field.startswith("messages["):
        at = int(field[9:-1])
        return request.messages[at].content if at < len(request.messages) else None
    return request if isinstance(request, str) else getattr(request, field, None)
