"""What was asked and answered inside the attempts of a comparison, from the runs that are kept in a log."""

from __future__ import annotations

import json
from collections.abc import Sequence

from phalanx.errors import LogError
from phalanx.messages import Completion, Data, Message, Request, ToolCall, ToolResult
from phalanx.runtime.events import MemberStarted, StepFinished, StepStarted
from phalanx.runtime.log import Log

from .record import Comparison


class Said(Data):
    """One message that was sent: who speaks, and what."""

    speaker: str
    text: str


class Exchange(Data):
    """One call to a model, a tool or a person.

    member, stage, round: who asked, what for, in which round; empty and 0 where the run does not say. kind: "model",
    "tool" or "human". name: which one. sent: the messages, in order. answer: what came back, None when nothing did.
    error: what went wrong. status: how it ended; "unknown" when the run does not say. tokens, seconds, usd: what it
    took, None where not known.
    """

    member: str = ""
    stage: str = ""
    round: int = 0
    kind: str
    name: str
    sent: tuple[Said, ...] = ()
    answer: str | None = None
    error: str | None = None
    status: str = "unknown"
    tokens: int | None = None
    seconds: float | None = None
    usd: float | None = None


class Conversations(Data):
    """The exchanges of many runs.

    by_run: those of each run that was read. missing: runs that the log does not have. left_out: how many more runs
    there are than were asked for.
    """

    by_run: dict[str, tuple[Exchange, ...]]
    missing: tuple[str, ...] = ()
    left_out: int = 0


async def conversations(log: Log, comparison: Comparison, *, most: int = 2000) -> Conversations:
    """What was asked and answered in the runs of a comparison's attempts.

    log: where the runs are kept. comparison: whose. most: how many runs are read; the first ones, item by item, so
    that all systems are seen on the same items. What a log does not have is listed, never made up.
    """
    place = {item.id: at for at, item in enumerate(comparison.items)}
    made = sorted(comparison.attempts, key=lambda each: place.get(each.item, len(place)))
    names = list(dict.fromkeys(each.run_id for each in made if each.run_id is not None))
    found: dict[str, tuple[Exchange, ...]] = {}
    missing = []
    for run_id in names[:most]:
        try:
            found[run_id] = await conversation(log, run_id)
        except LogError:
            missing.append(run_id)
    return Conversations(by_run=found, missing=tuple(missing), left_out=max(0, len(names) - most))


async def conversation(log: Log, run_id: str) -> tuple[Exchange, ...]:
    """Every call of a run in the order in which it was begun. Raises LogError when the log does not have the run."""
    records = [record for _, record in await log.read(f"run/{run_id}")]
    if not records:
        raise LogError(f"there is no run {run_id!r} in this log")
    asked: dict[tuple[str, ...], MemberStarted] = {}
    calls: dict[str, Exchange] = {}
    for record in records:
        if isinstance(record, MemberStarted):
            asked[record.path] = record
        elif isinstance(record, StepStarted):
            by = _asker(record.path, asked)
            calls[record.key] = Exchange(
                member=by.member if by else "",
                stage=by.stage if by else "",
                round=by.round if by else 0,
                kind=record.step,
                name=record.name,
                sent=tuple(_sent(record.request)),
            )
        elif isinstance(record, StepFinished) and (begun := calls.get(record.key)) is not None:
            calls[record.key] = begun.model_copy(
                update={
                    "answer": _answer(record.result),
                    "error": record.error,
                    "status": record.status,
                    "tokens": record.usage.tokens,
                    "seconds": record.seconds,
                    "usd": record.usage.cost,
                }
            )
    return tuple(calls.values())


def _asker(path: tuple[str, ...], asked: dict[tuple[str, ...], MemberStarted]) -> MemberStarted | None:
    for length in range(len(path), 0, -1):
        if path[:length] in asked:
            return asked[path[:length]]
    return None


def _sent(request: Request | ToolCall | str) -> list[Said]:
    if isinstance(request, str):
        return [Said(speaker="question", text=request)]
    if isinstance(request, ToolCall):
        return [Said(speaker="arguments", text=json.dumps(request.parameters, ensure_ascii=False, default=str))]
    return [Said(speaker=each.role, text=_text(each)) for each in request.messages]


def _text(message: Message) -> str:
    return "\n".join([message.content, *_wishes(message.tool_calls)]).strip("\n")


def _wishes(calls: Sequence[ToolCall]) -> list[str]:
    return [
        f"[calls {each.tool_name} {json.dumps(each.parameters, ensure_ascii=False, default=str)}]" for each in calls
    ]


def _answer(result: Completion | ToolResult | str | None) -> str | None:
    if isinstance(result, Completion):
        return "\n".join([result.text, *_wishes(result.tool_calls)]).strip("\n")
    if isinstance(result, ToolResult):
        return str(result.output) if result.success else f"failed: {result.error}"
    return result
