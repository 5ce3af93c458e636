"""`phalanx show RUN`: a stored run as a tree of who was asked what, what came of it, and what it cost."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from phalanx.messages import Completion, Request, Usage

from . import show
from .exits import COMPLETED
from .failures import WrongUse, exit_code, say
from .journal import RUNS, find_run, runs_file, stored_run
from .present import say_how_to_go_on
from .progress import stage
from .runs import when
from .story import Asking, Call, Note, Story
from .text import advised, duration, json_line, one_line, spent, visible
from .watch import drawn

WIDTH = 160


def show_run(given: str, *, prompts: bool, as_json: bool, follow: bool) -> int:
    """Write a run to stdout; with `follow`, watch it until it ends and give the exit code of its end."""
    if follow and (as_json or prompts):
        raise WrongUse("--follow shows what happens as it happens; leave --json and --prompts to a second look")
    if follow:
        return _follow(given)
    story = stored_run(given)
    if as_json:
        print(json_line(facts(story, prompts=prompts)))
        return COMPLETED
    for line in _lines(story, prompts):
        print(line)
    sys.stdout.flush()
    if (note := show.made_up(story.models)) is not None:
        say(note)
    say_how_to_go_on(story)
    return COMPLETED


def headline(story: Story) -> list[str]:
    """What run it is, when, how it ended and what it cost; its task."""
    start = story.start
    name, formation = one_line(start.name), one_line(start.formation)
    team = name if name == formation else f"{name} ({formation})"
    lines = [f"run {one_line(story.run_id)}: {team}, seed {start.seed}"]
    if (forked := story.forked) is not None:
        lines.append(f"forked from {one_line(forked.forked_from or '')} at {one_line(forked.at or '')}")
    reason = f" ({advised(one_line(story.reason))})" if story.reason else ""
    took = duration(story.seconds)
    lines.append(f"began {when(story.began)}, {story.status}{reason} after {took}: {spent(story.usage)}")
    for whose, limits in (("of this run", story.limits), ("of its team", start.team_limits)):
        if limits:
            most = (f"{name}={value}".removesuffix(".0") for name, value in limits.items())
            lines.append(f"limits {whose}: {', '.join(most)}")
    return [*lines, f"task: {one_line(start.task)}"]


def who(asking: Asking) -> str:
    """A member and its role, once if they are the same."""
    name, role = one_line(asking.member), one_line(asking.role)
    return name if role in ("", name) else f"{name} ({role})"


def facts(story: Story, *, prompts: bool) -> dict[str, object]:
    """A run as JSON values; with `prompts`, every message that was sent."""
    start, forked = story.start, story.forked
    return {
        "run_id": story.run_id,
        "team": start.name,
        "formation": start.formation,
        "task": start.task,
        "seed": start.seed,
        "began": story.began,
        "ended": story.ended,
        "status": story.status,
        "stop_reason": story.reason,
        "text": story.text,
        "usage": _usage(story.usage),
        "models": story.models,
        "forked_from": None if forked is None else {"run_id": forked.forked_from, "at": forked.at},
        "limits": None if not story.limits else dict(story.limits),
        "team_limits": None if not start.team_limits else dict(start.team_limits),
        "askings": [_asking(each, prompts) for each in story.askings],
        "calls": [_call(each, prompts) for each in story.loose],
        "questions": [
            {"key": each.key, "text": each.question, "options": list(each.options), "member": each.member}
            for each in story.questions
        ],
        "undecided": [each.key for each in story.undecided],
    }


def _lines(story: Story, prompts: bool) -> Iterator[str]:
    yield from headline(story)
    yield ""
    yield from _children(story.askings, story.loose, story.notes, 0, prompts)
    if story.text:
        yield ""
        yield "answer:"
        yield from visible(story.text).splitlines()


def _children(askings: list[Asking], calls: list[Call], notes: list[Note], depth: int, prompts: bool) -> Iterator[str]:
    """What happened in one place, in the order in which it began."""
    parts: list[Asking | Call | Note] = [*askings, *calls, *notes]
    for each in sorted(parts, key=lambda each: each.seq):
        indent = "  " * depth
        if isinstance(each, Note):
            yield f"{indent}* {one_line(each.text)}"
        elif isinstance(each, Call):
            yield from _told(each, indent, prompts)
        else:
            team = f", {one_line(each.formation)}" if each.formation else ""
            ended = each.status if each.error is None else f"{each.status}: {advised(one_line(each.error))}"
            if each.status == "unknown" and any(call.waits for call in each.calls):
                ended = "waits for a person"
            took = "" if each.ended is None else f", {duration(each.ended - each.began)}"
            yield f"{indent}- {who(each)}{team} {stage(each.stage, each.round)}: {ended}; {spent(each.usage)}{took}"
            if each.inside and prompts:
                yield from _quoted("asked", each.prompt, indent + "    ")
            yield from _children(each.inside, each.calls, each.notes, depth + 2, prompts)
            if each.inside and each.text:
                yield f"{indent}    answers: {one_line(each.text, WIDTH)}"


def _told(call: Call, indent: str, prompts: bool) -> Iterator[str]:
    ended = call.status if call.error is None else f"{call.status}: {advised(one_line(call.error))}"
    if call.waits:
        ended = "waits for a person"
    took = "" if call.seconds is None else f", {duration(call.seconds)}"
    yield f"{indent}{one_line(call.key)}: {one_line(call.name)}, {ended}{took}"
    if not prompts:
        if call.said:
            yield f"{indent}  > {one_line(_telling(call.said), WIDTH)}"
        return
    if isinstance(call.request, Request):
        for message in call.request.messages:
            speaker = message.role if message.name is None else f"{message.role} {one_line(message.name)}"
            used = "".join(f"\n[uses {each.tool_name}: {each.parameters}]" for each in message.tool_calls)
            yield from _quoted(speaker, message.content + used, indent + "  ")
    elif call.request is not None:
        asked = call.request if isinstance(call.request, str) else str(call.request.parameters)
        yield from _quoted("asked", asked, indent + "  ")
    if call.said:
        yield from _quoted("answered", call.said, indent + "  ")


def _quoted(title: str, text: str, indent: str) -> Iterator[str]:
    yield f"{indent}{title}:"
    for line in visible(text).splitlines():
        yield f"{indent}  | {line}".rstrip()


def _telling(text: str) -> str:
    """The line that carries the answer, if there is one: it says more than how the text begins."""
    ends = [line for line in text.splitlines() if line.startswith("Answer:")]
    return ends[-1] if ends else text


def _asking(asking: Asking, prompts: bool) -> dict[str, object]:
    told: dict[str, object] = {
        "member": asking.member,
        "role": asking.role,
        "stage": asking.stage,
        "round": asking.round,
        "path": "/".join(asking.path),
        "status": asking.status,
        "text": asking.text,
        "error": asking.error,
        "usage": _usage(asking.usage),
        "calls": [_call(each, prompts) for each in asking.calls],
        "inside": [_asking(each, prompts) for each in asking.inside],
    }
    return told | ({"prompt": asking.prompt} if prompts else {})


def _call(call: Call, prompts: bool) -> dict[str, object]:
    told: dict[str, object] = {
        "key": call.key,
        "step": call.step,
        "name": call.name,
        "status": call.status,
        "seconds": call.seconds,
        "usage": _usage(call.usage),
        "error": call.error,
        "text": call.said,
        "model": call.result.model if isinstance(call.result, Completion) else None,
    }
    if not prompts or call.request is None:
        return told
    if isinstance(call.request, Request):
        return told | {"messages": [each.model_dump(mode="json") for each in call.request.messages]}
    return told | {"asked": call.request if isinstance(call.request, str) else call.request.model_dump(mode="json")}


def _usage(usage: Usage) -> dict[str, object]:
    return {
        "calls": usage.calls, "tokens": usage.tokens, "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens, "cost": usage.cost, "known_cost": usage.known_cost,
        "unpriced_calls": usage.unpriced_calls, "estimated": usage.estimated,
    }  # fmt: skip


def _follow(given: str) -> int:
    """Show a run's events, those that are recorded and then each new one, until it has ended."""
    import anyio

    from phalanx.runtime.events import RunFinished
    from phalanx.runtime.sqlite import SqliteLog

    view = show.view_for(show.console())

    async def watch() -> str:
        async with SqliteLog(runs_file()) as log:
            stream = f"{RUNS}{await find_run(log, given)}"
            known = await log.read(stream)
            status = ""
            for _, record in known:
                view.see(record)  # type: ignore[arg-type] # a run's stream holds events
                status = record.status if isinstance(record, RunFinished) else ""
            if status:
                return status

            async def to_its_end() -> str:
                async for _, record in log.watch(stream, len(known)):
                    view.see(record)  # type: ignore[arg-type]
                    if isinstance(record, RunFinished):
                        return record.status
                return ""

            return await drawn(view, to_its_end)

    with view:
        return exit_code(anyio.run(watch))
