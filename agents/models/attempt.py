"""What every wrapper that asks more than once must do: respect the limits, and not repeat what was already shown."""

from __future__ import annotations

from collections.abc import AsyncIterator

from phalanx.errors import CircuitOpen, LimitExceeded, NoModelAnswered
from phalanx.messages import Delta, Request
from phalanx.runtime.run import another_attempt

from .model import Model, stream


def allow_another(failure: Exception) -> None:
    """Make room in the limits for one more attempt after `failure`.

    Raises `failure` itself, from the LimitExceeded that says why, when the limits allow no more. A call that an open
    breaker refused was never made, so the next attempt takes its place and needs no room of its own.
    """
    last: Exception = failure
    while isinstance(last, NoModelAnswered) and last.failures:
        last = last.failures[-1]
    if isinstance(last, CircuitOpen):
        return
    try:
        another_attempt(last)
    except LimitExceeded as refusal:
        raise failure from refusal


def is_visible(delta: Delta) -> bool:
    """Whether somebody may have seen something of the answer, so that it must not begin again."""
    return bool(delta.text or delta.reasoning or delta.completion is not None)


async def open_stream(model: Model, request: Request) -> tuple[list[Delta], AsyncIterator[Delta]]:
    """A model's stream, read up to its first visible piece: the pieces so far, and where the others come from.

    Until then the call may be made again, here or elsewhere. Whoever takes the others closes them.
    """
    pieces, early = stream(model, request), list[Delta]()
    async for delta in pieces:
        early.append(delta)
        if is_visible(delta):
            break
    return early, pieces
