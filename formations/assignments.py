"""What a lead hands out: typed assignments, checked against the roster before anybody is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from phalanx.agents.output import Shape
from phalanx.messages import Data

from .naming import best_match, shape_with_names
from .receipts import step


class Assignment(Data):
    """A part of the task for one worker. `depends_on` are ids of assignments whose results it needs."""

    id: str
    worker: str
    task: str
    depends_on: list[str] = []


class Plan(Data):
    """A lead's assignments."""

    assignments: list[Assignment]


class Review(Data):
    """A lead's view of the results: done, or what else is to be done."""

    done: bool
    assignments: list[Assignment] = []


class _Work(Protocol):
    @property
    def names(self) -> list[str]: ...
    @property
    def assigned(self) -> dict[str, Assignment]: ...
    @property
    def finished(self) -> Mapping[str, str]: ...

    def warn(self, text: str) -> None: ...

    async def repaired(self, prompt: str, unknown: Sequence[str]) -> list[Assignment]: ...


def plan_shape(names: Sequence[str]) -> Shape[Plan]:
    """A plan whose workers are these names."""
    return shape_with_names(Plan, names, "worker", of="Assignment")


def review_shape(names: Sequence[str]) -> Shape[Review]:
    """A review whose workers are these names."""
    return shape_with_names(Review, names, "worker", of="Assignment")


async def agreed(assignments: Sequence[Assignment], work: _Work, prompt: str) -> list[Assignment]:
    """Assignments that can be carried out.

    A name that is no member's is repaired once by the lead, then matched: the same but for case, else the most
    alike, else the member with the fewest assignments, in seat order. With no assignment at all, every member gets
    the whole task. What repeats finished work, or another assignment, is left out: it may be that none is left. Ids
    are made unique; what depends on something unknown, or on itself in a circle, is freed of it. Each such mending is
    a warning in the run.
    """
    given = list(assignments)
    if unknown := [each.worker for each in given if each.worker not in work.names]:
        given = await work.repaired(prompt, unknown)
    if not given:
        work.warn("the lead assigned nothing; every member is given the whole task")
        given = [Assignment(id=name, worker=name, task="Do the whole task.") for name in work.names]
    return _in_order(_unique(_once(_matched(given, work), work), work), work)


def _matched(given: Sequence[Assignment], work: _Work) -> list[Assignment]:
    load = dict.fromkeys(work.names, 0)
    matched = []
    for each in given:
        name = each.worker
        if name not in load:
            name = best_match(each.worker, load)
            work.warn(f"there is no member {each.worker[:80]!r}; its assignment {each.id!r} goes to {name!r}")
        load[name] += 1
        matched.append(each.model_copy(update={"worker": name}))
    return matched


def _once(given: Sequence[Assignment], work: _Work) -> list[Assignment]:
    """The assignments without those that repeat finished work, or each other; what builds on one gets the other."""
    first, instead = dict(work.finished), dict[str, str]()
    kept, repeated = [], []
    for each in given:
        same = step(each.worker, each.task)
        if same in first:
            instead[each.id] = first[same]
            repeated.append(each)
        else:
            first[same] = each.id
            kept.append(each)
    for each in repeated:
        work.warn(
            f"{each.worker} was given the same assignment again ({each.id!r} is {instead[each.id]!r}); "
            "it was not repeated"
        )
    return [
        each.model_copy(update={"depends_on": [instead.get(other, other) for other in each.depends_on]})
        for each in kept
    ]


def _unique(given: Sequence[Assignment], work: _Work) -> list[Assignment]:
    taken, named = set(work.assigned), dict[str, str]()
    ids = []
    for each in given:
        id, number = each.id, 2
        while id in taken:
            id, number = f"{each.id}-{number}", number + 1
        taken.add(id)
        ids.append(id)
        named.setdefault(each.id, id)
    # An id that was used before means the new assignment, to those that were given with it.
    return [
        each.model_copy(
            update={
                "id": id,
                "depends_on": [other if other == each.id else named.get(other, other) for other in each.depends_on],
            }
        )
        for each, id in zip(given, ids, strict=True)
    ]


def _in_order(given: Sequence[Assignment], work: _Work) -> list[Assignment]:
    """The assignments with every dependency known and no circle."""
    known = {*work.assigned, *(each.id for each in given)}
    graph = {each.id: [other for other in each.depends_on if other in known and other != each.id] for each in given}
    for each in given:
        if missing := [other for other in each.depends_on if other not in graph[each.id]]:
            work.warn(f"assignment {each.id!r} depends on {missing[0]!r}, which there is not; it goes ahead without")
    reached: set[str] = set(work.assigned)
    waiting = [each.id for each in given]
    while waiting:
        ready = [id for id in waiting if reached.issuperset(graph[id])]
        if not ready:
            first = waiting[0]
            work.warn(f"assignment {first!r} depends on itself in a circle; it goes ahead without")
            graph[first] = [other for other in graph[first] if other in reached]
            ready = [first]
        reached.update(ready)
        waiting = [id for id in waiting if id not in ready]
    return [each.model_copy(update={"depends_on": graph[each.id]}) for each in given]
