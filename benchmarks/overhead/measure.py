"""Timing in turns: all that is compared takes its turn right after the others, and only such ratios count."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds: of this process's CPU, and on the clock."""

    cpu: float
    wall: float


@dataclass(frozen=True)
class Target:
    """What must be reached, and what we aim at. at_least: more is better."""

    gate: float
    goal: float
    at_least: bool = False

    def verdict(self, value: float) -> str:
        """How a value does: "goal", "gate" or "missed"."""
        for name, bound in (("goal", self.goal), ("gate", self.gate)):
            if value >= bound if self.at_least else value <= bound:
                return name
        return "missed"


@dataclass(frozen=True)
class Row:
    """One line of the report: a value a round, and what it should be."""

    name: str
    unit: str
    values: tuple[float, ...]
    target: Target | None = None

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    def as_json(self) -> dict[str, object]:
        """All of it as JSON values."""
        target = self.target
        return {
            "name": self.name, "unit": self.unit, "n": len(self.values), "values": list(self.values),
            "min": min(self.values), "median": self.median, "max": max(self.values),
            "gate": target and target.gate, "goal": target and target.goal,
            "reached": target and target.verdict(self.median),
        }  # fmt: skip


PARTS, FEWEST = 8, 5
"""How many turns a round is made of at most, and how often the work is done in each at least."""


async def timed(work: Callable[[], Awaitable[object]], times: int) -> Timing:
    """Seconds for each of so many repetitions, after a collection of garbage."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        await work()
    return Timing((time.process_time() - cpu) / times, (time.perf_counter() - wall) / times)


async def interleaved(
    contestants: Mapping[str, Callable[[], Awaitable[object]]], *, rounds: int, times: int
) -> dict[str, list[Timing]]:
    """Timings of every contestant, which take turns, each time beginning with another one; all are warmed up first.

    times: how often each does its work in a round. A round of many is made of short turns with a timing each: what
    disturbs the machine for a moment then spoils one of them, and not the round.
    """
    names = list(contestants)
    parts = max(1, min(PARTS, times // FEWEST))
    rounds, times = rounds * parts, times // parts
    for work in contestants.values():
        await timed(work, max(1, times // 5))
    found: dict[str, list[Timing]] = {name: [] for name in names}
    for at in range(rounds):
        for name in names[at % len(names) :] + names[: at % len(names)]:
            found[name].append(await timed(contestants[name], times))
    return found


def ratio(
    name: str, ours: Sequence[Timing], base: Sequence[Timing], target: Target | None = None, *, wall: bool = False
) -> Row:
    """How many times the base ours is, round by round, by CPU time or by the clock."""
    pairs = zip(ours, base, strict=True)
    values = [a.wall / b.wall if wall else a.cpu / b.cpu for a, b in pairs]
    return Row(f"{name}, x", "wall" if wall else "CPU", tuple(values), target)


def cpu(name: str, timings: Sequence[Timing], calls: int, target: Target | None = None) -> Row:
    """CPU microseconds a call."""
    return Row(name, "us", tuple(timing.cpu / calls * 1e6 for timing in timings), target)


def overhead(
    name: str, ours: Sequence[Timing], base: Sequence[Timing], calls: int, target: Target | None = None
) -> Row:
    """CPU microseconds a call more than the base, round by round."""
    pairs = zip(ours, base, strict=True)
    return Row(name, "us", tuple((a.cpu - b.cpu) / calls * 1e6 for a, b in pairs), target)


def wall(name: str, timings: Sequence[Timing], target: Target | None = None) -> Row:
    """Milliseconds on the clock."""
    return Row(name, "ms", tuple(timing.wall * 1e3 for timing in timings), target)
