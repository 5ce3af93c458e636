"""Members named by a member: understood when they exist, else repaired once, else matched to the most alike."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter

from phalanx.agents.agent import Agent
from phalanx.agents.output import Shape

from .base import Member
from .team_run import TeamRun

T = TypeVar("T")
# What is quoted of a name that no member has.
_QUOTED = 80


def known(name: str, names: Sequence[str]) -> str | None:
    """The one of these names that `name` is but for case and space around it; None when there is none."""
    folded = name.strip().casefold()
    return next((each for each in names if each.casefold() == folded), None)


def best_match(name: str, load: Mapping[str, int]) -> str:
    """The member most likely meant by a name: the same but for case, else the most alike, else the least busy.

    name: as it was said. load: how much each member has to do, in seat order.
    """
    if (same := known(name, list(load))) is not None:
        return same
    folded = {each.casefold(): each for each in load}
    # Only the beginning is compared: likeness takes time quadratic in the length of what a model wrote.
    if close := difflib.get_close_matches(name.casefold()[:200], list(folded), n=1, cutoff=0.6):
        return folded[close[0]]
    return min(load, key=lambda each: load[each])


async def ask_for_names(
    run: TeamRun,
    member: Member,
    prompt: str,
    shape: Shape[T],
    said: Callable[[T], Sequence[str]],
    *,
    names: Sequence[str],
    stage: str,
    round: int = 0,
    question: str = "",
) -> T:
    """Ask a member for a typed answer that names others; with names that nobody has, once more.

    said: the names in an answer. names: those there are. After the repair an answer may still name nobody: the caller
    decides what becomes of it. Raises what `TeamRun.ask` raises for the first asking, LimitExceeded for both.
    """
    first: T = (await run.ask(member, prompt, stage=stage, round=round, shape=shape, question=question)).output
    unknown = [each for each in said(first) if known(each, names) is None]
    if not unknown:
        return first
    objection = run.prompts("name_repair", unknown=quoted(unknown), names=", ".join(names))
    again = await run.try_ask(
        member, f"{prompt}\n\n{objection}", stage=stage, round=round, attempt=1, shape=shape, question=question
    )
    run.raise_refusal(again)
    if again.answer is None:
        run.run.warn(f"{member.name} did not correct the names it gave ({again.error})")
        return first
    second: T = again.answer.output
    return second


def costliest(members: Sequence[Member]) -> list[Member]:
    """Members by what asking them can cost, the dearest first; equals stay in seat order."""

    def cost(member: Member) -> tuple[int, int]:
        return _calls(member), member.who.max_tokens if isinstance(member.who, Agent) else 0

    return sorted(members, key=cost, reverse=True)


def _calls(member: Member) -> int:
    """The model calls that asking a member takes: one of an agent, and of a team those of all that are in it."""
    if isinstance(member.who, Agent):
        return 1
    each = {inner.name: _calls(inner) for inner in member.who.members}
    return sum(each[asking.member] for asking in member.who.plan())


def quoted(names: Sequence[str]) -> str:
    """Names that somebody made up, in quotes and no longer than a name can be."""
    return ", ".join(repr(each[:_QUOTED]) for each in names)


def shape_with_names(
    type: type[T], names: Sequence[str], field: str, *, of: str | None = None, name: str = ""
) -> Shape[T]:
    """The shape of a type in which a field may only be one of these names.

    of: the name of the inner type that has the field; None is the type itself. name: what the shape is called.
    """
    made: Shape[T] = _shape(cast(Any, type), tuple(names), field, of, name)
    return made


@functools.lru_cache(maxsize=256)  # making a schema takes longer than all else that is done for a call
def _shape(type: Any, names: tuple[str, ...], field: str, of: str | None, name: str) -> Shape[Any]:
    schema: dict[str, Any] = TypeAdapter(type).json_schema()
    properties = (schema if of is None else schema["$defs"][of])["properties"]
    properties[field] = {"title": properties[field]["title"], "type": "string", "enum": list(names)}
    return Shape(type, name=name, schema=schema)
