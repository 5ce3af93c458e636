"""Which options of a discussion go together, and with whom: what would be ignored or fail later is refused at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from phalanx.errors import ConfigurationError, ValidationError

from .base import Member
from .topology import Graph, check_topology
from .trajectory import over_problems
from .voting import BucketedConfidence
from .voting.composed import MaxRounds, parts_of

if TYPE_CHECKING:
    from .rounds import Deliberation


def check_options(how: Deliberation, members: Sequence[Member]) -> None:
    """Raise ValidationError when options contradict each other, ConfigurationError when they need other `members`.

    how: the formation with its options.
    """
    free = [member.name for member in members if member.seat is None]
    filled = {member.seat: member for member in members if member.seat is not None}
    for problem in _contradictions(how, len(free)):
        raise ValidationError(problem)
    if how.groups > 1 and isinstance(how.topology, Graph):
        raise ValidationError("a custom topology and groups= both say who sees whom; give one of them")
    for group in how.groups_of(free):
        check_topology(how.topology, group)
    for problem in _seats(how, filled, free):
        raise ConfigurationError(problem)
    if how.is_typed or how.confidence == "separate":
        for member in members:
            if member.seat is None and hasattr(member.who, "run_inside"):
                raise ConfigurationError(
                    f"the team {member.name!r} answers in plain text, and confidence={how.confidence!r} or rate=True "
                    "needs an answer of a form of its own: give agents, or leave that out"
                )


def _contradictions(how: Deliberation, free: int) -> Iterator[str]:
    in_turn = how.order == "sequential"
    if how.memory != "all" and how.memory < 1:
        yield f"memory={how.memory} shows nothing; give a number of rounds from 1, or 'all'"
    if not how.blind and not in_turn:
        yield "blind=False needs order='sequential': members who draft at once see nothing of each other"
    if in_turn and (how.view == "summary" or how.groups > 1):
        yield "order='sequential' has no moment at which a summary could be made; give order='sync'"
    if how.show_counts and how.view in ("summary", "grouped"):
        yield f"show_counts=True has no meaning with view={how.view!r}"
    if how.rate and (how.view == "summary" or how.groups > 1):
        yield "rate=True needs answers to rate, and a summary is nobody's; give another view, or no groups"
    for each in parts_of(how.stop):
        if isinstance(each, MaxRounds) and each.rounds > how.rounds:
            yield f"stop=max_rounds({each.rounds}) is never reached in rounds={how.rounds}; give more rounds"
    if how.keep is not None and not how.keep < free:
        yield f"keep={how.keep} of {free} members leaves nobody out; give fewer, or leave it out"
    if how.keep is not None and how.keep_from > how.rounds:
        yield f"keep_from={how.keep_from} is never reached in rounds={how.rounds}; give more rounds"
    if how.keep is not None and how.groups > 1:
        yield f"keep={how.keep} would leave groups of one; give keep= or groups=, not both"
    if how.groups > 1 and free < 2 * how.groups:
        yield f"{how.groups} groups need at least {2 * how.groups} members, not {free}: nobody can debate alone"
    if how.groups > 1 and how.pool_every > how.rounds:
        yield f"groups never hear of each other: pool_every={how.pool_every} is never reached in rounds={how.rounds}"
    yield from over_problems(how)
    if isinstance(getattr(how, "rule", None), BucketedConfidence) and how.confidence == "none":
        yield "this rule counts how sure members are; ask for it with confidence='typed' or 'separate'"


def _seats(how: Deliberation, filled: dict[str, Member], names: Sequence[str]) -> Iterator[str]:
    if how.update == "verified_only" and "verifier" not in filled:
        yield "update='verified_only' needs somebody in the seat 'verifier': give verifier=…"
    if how.keep is not None and not how.rate and "ranker" not in filled:
        yield "keep= needs somebody who chooses: give ranker=…, or rate=True to go by the members' own ratings"
    apart = any(len(how.neighbours(at, names)) < len(names) - 1 for at in range(len(names)))
    if how.view == "summary" and "summarizer" in filled and apart and how.groups == 1:
        yield "one summary for all is of everybody's answers: give topology='full', or leave the summarizer out"
    idle = {
        "verifier": (how.update == "verified_only", "update='verified_only'"),
        "summarizer": (how.view == "summary" or how.groups > 1, "view='summary' or groups="),
        "ranker": (how.keep is not None, "keep="),
    }
    for seat, (is_used, how_used) in idle.items():
        if seat in filled and not is_used:
            yield f"{seat}={filled[seat].name!r} would never be asked: give {how_used}, or leave it out"
