"""What a caller asks of a run besides its task, looked at before anything is spent."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from phalanx.errors import ValidationError
from phalanx.settings import logger

from .events import AnyEvent


def check_asked(seed: object, run_id: object, listeners: tuple[Callable[..., object], ...] = ()) -> None:
    """Refuse what no run can be begun with. Raises ValidationError, naming it.

    seed: a whole number. run_id: text that can be printed on one line; None for a new one. listeners: what is called
    with each event; events are told by plain calls, so an async function would never be awaited.
    """
    if not isinstance(seed, int):
        raise ValidationError(f"seed={seed!r} is no whole number; write seed=0, or leave it out")
    if run_id is not None:
        if not isinstance(run_id, str):
            raise ValidationError(f"run_id={run_id!r} is no text; write run_id='{run_id}', or leave it out")
        if not run_id.strip():
            raise ValidationError("run_id is empty; leave it out for a new one")
        if not run_id.isprintable():
            raise ValidationError(f"run_id={run_id!r} cannot be printed on one line; use letters, digits and '-'")
    for listener in listeners:
        if not callable(listener):
            raise ValidationError(f"on_event={listener!r} cannot be called; give a function of the event")
        if _is_async(listener):
            raise ValidationError("on_event is an async function, which nobody would wait for; take stream(…) instead")


def guarded(listener: Callable[[AnyEvent], None] | None) -> tuple[Callable[[AnyEvent], None], ...]:
    """A user's listener as a run's listeners, so that its mistakes are not taken for those of members.

    listener: what is called with each event; None for nobody. What it raises is logged, and the run goes on, as with
    the handlers of an EventBus. A broken pipe is raised: nobody is there any more to go on for.
    """
    if listener is None:
        return ()
    if not callable(listener) or _is_async(listener):
        return (listener,)  # `check_asked` refuses it

    def tell(event: AnyEvent) -> None:
        try:
            listener(event)
        except BrokenPipeError:
            raise
        except Exception as failure:  # noqa: BLE001 - a user's function may raise anything and must harm nobody
            logger().warning("event listener failed", kind=event.kind, listener=repr(listener), error=repr(failure))

    return (tell,)


def _is_async(listener: Callable[..., object]) -> bool:
    return inspect.iscoroutinefunction(listener) or inspect.iscoroutinefunction(type(listener).__call__)
