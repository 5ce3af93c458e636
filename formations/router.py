"""Somebody who knows the members chooses who does the task: a router, or a plain function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field, StrictFloat, StrictInt

from phalanx.agents.task import Task
from phalanx.errors import ConfigurationError, MemberFailed, ValidationError
from phalanx.messages import Data
from phalanx.runtime.events import Delegated
from phalanx.settings import nearest

from .aggregate import (
    AGGREGATE,
    Aggregation,
    aggregate,
    aggregation_asks,
    aggregation_longest,
    check_aggregation,
    concat,
    is_vote,
)
from .base import Answer, Asking, Member, Stage, Wiring
from .gather import Gathering
from .naming import ask_for_names, best_match, costliest, known, quoted, shape_with_names
from .one_voice import warn_of_one_voice
from .team_run import TeamRun


class Route(Data):
    """A router's choice: a member, why, and how sure it is (0 to 1; None: it did not say)."""

    member: str
    reason: str = ""
    confidence: float | None = Field(default=None, ge=0, le=1)


class Routes(Data):
    """A router's choices, the best first."""

    routes: list[Route] = Field(min_length=1)


class Router(Gathering):
    """One member, or a few, are chosen for the task; the others cost nothing.

    The one in the seat "router" chooses: typed, by name, with a reason and a confidence. It is asked once more when it
    names nobody that there is; what it then says goes to the member most alike. Or `choose` does: a function of the
    task that gives a name, or several, or None; it costs no call. top: how many are chosen at most; the answers of
    several become one by `aggregation` (see Flat). min_confidence: a choice the router is less sure of does not count.
    quorum: how many of the chosen must answer (default: one). deadline: seconds for the chosen.

    The one in the seat "fallback" does the task when nobody was chosen or too few of the chosen answer.
    """

    kind: Literal["router"] = "router"
    top: int = Field(default=1, ge=1)
    choose: Callable[[Task], object] | None = None
    min_confidence: float | None = Field(default=None, ge=0, le=1)
    aggregation: Aggregation = "synthesize"
    quorum: StrictInt | StrictFloat | None = 1

    optional_seats: ClassVar[tuple[str, ...]] = ("router", "fallback", "aggregator")
    typed_seats: ClassVar[tuple[str, ...]] = ("router",)
    summary: ClassVar[str] = "a router, or your function, chooses who does the task; the others cost nothing"
    calls: ClassVar[str] = "router + top + (top > 1) * synthesize"
    stages: ClassVar[Mapping[str, Stage]] = {
        "route": Stage(("route",), shaped=True),
        "draft": Stage(("draft",)),
        "fallback": Stage(("draft",)),
        **AGGREGATE,
    }

    def check(self, members: Sequence[Member]) -> None:
        """Raise ConfigurationError or ValidationError when it cannot work with these `members`."""
        super().check(members)
        seats = {member.seat for member in members}
        free = sum(member.seat is None for member in members)
        if (self.choose is None) == ("router" not in seats):
            raise ConfigurationError("router needs one who chooses: give somebody as router=…, or a function, not both")
        if self.top > free:
            raise ValidationError(f"top={self.top} cannot be chosen of {free} members")
        if isinstance(self.quorum, int) and self.quorum > self.top:
            raise ValidationError(f"quorum={self.quorum} cannot be met by top={self.top} chosen members")
        if self.min_confidence is not None and not {"router", "fallback"} <= seats:
            raise ConfigurationError("min_confidence= needs a router, who says how sure it is, and a fallback=…")
        check_aggregation(self.aggregation, members)
        if self.top == 1 and "aggregator" in seats:
            raise ConfigurationError("the aggregator would never be asked: one chosen member answers; give top=2")

    def plan(self, members: Sequence[Member]) -> list[Asking]:
        """Every asking of `members` when nothing fails: those that cost most are chosen."""
        asks = [Asking(member.name, "route") for member in members if member.seat == "router"]
        free = [member for member in members if member.seat is None]
        dear = {member.name for member in costliest(free)[: self.top]}
        asks += [Asking(member.name, "draft") for member in free if member.name in dear]
        return asks + (aggregation_asks(self.aggregation, members, self.top) if self.top > 1 else [])

    def wiring(self, members: Sequence[Member]) -> Wiring:
        free = tuple(member.name for member in members if member.seat is None)
        seats = {member.seat: member.name for member in members if member.seat}
        working = (*free, *([seats["fallback"]] if "fallback" in seats else []))
        arrows = [(seats["router"], "-->", name) for name in working] if "router" in seats else []
        exits = working
        if self.top > 1 and self.aggregation == "synthesize" and "aggregator" in seats:
            arrows += [(name, "-->", seats["aggregator"]) for name in free]
            exits = (seats["aggregator"], *working[len(free) :])
        return Wiring((seats["router"],) if "router" in seats else working, exits, tuple(arrows))

    def longest(self, lengths: Mapping[str, int], members: Sequence[Member]) -> int:
        if self.top == 1:
            return max(lengths[member.name] for member in members if member.seat != "router")
        return aggregation_longest(self.aggregation, lengths, members)

    async def __call__(self, run: TeamRun, task: Task, /) -> Answer:
        chosen = await self._chosen(run, task)
        if not chosen:
            return await self._fall_back(run, task)
        if len(chosen) > 1 and is_vote(self.aggregation):
            warn_of_one_voice(run, members=chosen)
        run.begin("draft")
        prompt = run.prompts("draft", task=run.text(task))
        outcomes = await self.gather(
            run, prompt, stage="draft", members=chosen, question=task.id, best=concat if len(chosen) > 1 else None
        )
        needed = self.needed(len(chosen))
        if sum(outcome.ok for outcome in outcomes) < needed and run.seat_or_none("fallback") is not None:
            for outcome in outcomes:
                run.raise_refusal(outcome)
                if not outcome.ok:
                    run.run.warn(f"{outcome.member}, who was chosen, gave no answer ({outcome.error})")
            return await self._fall_back(run, task)
        good = run.require(outcomes, needed)
        if len(chosen) > 1:
            return await aggregate(self.aggregation, run, task, good)
        (only,) = good
        return Answer(only.text, only.answer and only.answer.output, author=only.member)

    async def _chosen(self, run: TeamRun, task: Task) -> list[Member]:
        """Who is to do the task, the best first; nobody when that is for the fallback."""
        if self.choose is not None:
            names = await self._by_function(run, task)
        else:
            names = await self._by_router(run, task)
        for name in names:
            run.run.emit(Delegated, f"{name} was chosen", name, run.text(task))
        return [run.member(name) for name in names]

    async def _by_function(self, run: TeamRun, task: Task) -> list[str]:
        assert self.choose is not None
        given = self.choose(task)
        if inspect.isawaitable(given):
            given = await given
        if given is None and run.seat_or_none("fallback") is not None:
            return []
        names = [given] if isinstance(given, str) else list(given) if isinstance(given, Sequence) else []
        there = [member.name for member in run.members]
        for name in names:
            if name not in there:
                near = nearest(str(name), there)
                raise ConfigurationError(f"the function that chooses gave {name!r}, who is no member{near}")
        if not 1 <= len(set(names)) <= self.top:
            raise ConfigurationError(
                f"the function that chooses gave {given!r}; it must give from 1 to top={self.top} members' names"
                " (None, for the fallback, needs a fallback=…)"
            )
        return list(dict.fromkeys(names))

    async def _by_router(self, run: TeamRun, task: Task) -> list[str]:
        run.begin("route")
        router, names = run.seat("router"), [member.name for member in run.members]
        prompt = run.prompts("route", task=run.text(task), roster=run.roster(), count=str(self.top))
        shape = shape_with_names(Routes, names, "member", of="Route")
        try:
            said = await ask_for_names(
                run, router, prompt, shape, lambda routes: [each.member for each in routes.routes],
                names=names, stage="route", question=task.id,
            )  # fmt: skip
        except MemberFailed as failed:
            if run.seat_or_none("fallback") is None:
                raise
            run.run.warn(f"{router.name} chose nobody ({failed})")
            return []
        sure = [each for each in said.routes if self.min_confidence is None or self._is_sure(each)]
        if len(sure) < len(said.routes):
            run.run.warn(f"{router.name} is less sure of {len(said.routes) - len(sure)} choices than min_confidence")
        load = dict.fromkeys(names, 0)
        ordered: list[str] = []
        for each in sure:
            name = best_match(each.member, load)
            if known(each.member, names) is None:
                run.run.warn(f"there is no member {quoted([each.member])}; the task goes to {name!r}")
            load[name] += 1
            if name not in ordered:
                ordered.append(name)
        if len(ordered) > self.top:
            run.run.warn(f"{router.name} chose {len(ordered)} members; the first {self.top} are asked")
        return ordered[: self.top]

    def _is_sure(self, route: Route) -> bool:
        """Whether a choice counts; one that says nothing of how sure it is does not."""
        return (
            route.confidence is not None
            and self.min_confidence is not None
            and (route.confidence >= self.min_confidence)
        )

    async def _fall_back(self, run: TeamRun, task: Task) -> Answer:
        run.begin("fallback")
        member = run.seat("fallback")
        prompt = run.prompts("draft", task=run.text(task))
        result = await run.ask(member, prompt, stage="fallback", question=task.id)
        return Answer(result.content, result.output, author=member.name)
