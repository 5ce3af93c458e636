"""Functions as systems: two of them are the same only if they are."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import pytest

from phalanx.agents.task import Task
from phalanx.benchmarks.compare import compare
from phalanx.benchmarks.record import Comparison
from phalanx.benchmarks.systems import TaskFunction
from phalanx.errors import ValidationError
from phalanx.runtime.log import MemoryLog
from tests.benchmarks.staff import of_system, sums


def always(number: int) -> TaskFunction:
    async def say(task: Task) -> str:
        return str(number)

    return say


async def say_number(number: int, task: Task) -> str:
    return str(number)


@dataclass(frozen=True)
class Always:
    number: int

    async def __call__(self, task: Task) -> str:
        return str(self.number)

    async def say(self, task: Task) -> str:
        return str(self.number)


def answers(found: Comparison, name: str) -> set[str | None]:
    return {each.answer for each in of_system(found, name)}


async def test_functions_with_one_source_that_hold_different_things_are_different_systems() -> None:
    found = await compare(
        {
            "two": always(2), "three": always(3),
            "partly two": functools.partial(say_number, 2), "partly three": functools.partial(say_number, 3),
            "object two": Always(2), "object three": Always(3),
            "method two": Always(2).say, "method three": Always(3).say,
        },
        sums(2),
    )  # fmt: skip
    for each in found.systems:
        assert answers(found, each.name) == {"2" if each.name.endswith("two") else "3"}


async def test_a_function_that_is_made_again_alike_is_the_same_and_is_not_asked_again() -> None:
    log = MemoryLog()
    first = await compare({"say": always(2)}, sums(2), log=log)
    again = await compare({"say": always(2)}, sums(2), log=log)
    assert again.attempts == first.attempts
    other = await compare({"say": always(3)}, sums(2), log=log)
    assert answers(other, "say") == {"3"}


async def test_functions_that_nothing_tells_apart_are_refused_before_anything_is_done() -> None:
    class Held:
        def __init__(self, number: int) -> None:
            self.number = number

    def holding(held: Held) -> TaskFunction:
        async def say(task: Task) -> str:
            return str(held.number)

        return say

    with pytest.raises(ValidationError, match=r"systems 'two' and 'three' cannot be told apart"):
        await compare({"two": holding(Held(2)), "three": holding(Held(3))}, sums(2))
