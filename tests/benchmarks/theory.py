"""Suites of simulated members whose skill and correlation are known, shared by the checks against theory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean, pstdev

import anyio

from phalanx import Agent, AgentTeam
from phalanx.agents.models.simulated import SimulatedModel
from phalanx.benchmarks import summary
from phalanx.benchmarks.compare import compare
from phalanx.benchmarks.record import Comparison
from phalanx.benchmarks.statistics.intervals import Estimate
from phalanx.benchmarks.statistics.sequential import e_value_of, look
from phalanx.benchmarks.statistics.verdict import Verdict
from phalanx.benchmarks.systems import Comparable
from phalanx.benchmarks.tasks import TaskItem, TaskSet

BETTER, WORSE, ITEMS = 0.8, 0.6, 105
"""A pair whose difference so many items show with 90% power: discordance .44, (1.96 + 1.28)² (.44 − .04)/.04 = 105."""


def binary(skill: float | Mapping[str, float], *, correlation: float = 0.0) -> SimulatedModel:
    """Members who answer yes, which is right, or no."""
    known = skill if isinstance(skill, float) else dict(skill)
    return SimulatedModel(known, answers=lambda _: ("yes", ("yes", "no")), correlation=correlation)


def questions(suite: int, n: int) -> TaskSet:
    """Questions that no other suite has, so that suites are independent."""
    found = [TaskItem(id=f"suite {suite}, item {at}", question=f"Item {at} of suite {suite}?", gold="yes")
             for at in range(n)]  # fmt: skip
    return TaskSet("questions", tuple(found))


def pair(first: float, second: float) -> dict[str, Comparable]:
    """Two members who know nothing of each other."""
    model = binary({"ada": first, "bob": second})
    return {name: Agent("solver", name=name, model=model) for name in ("ada", "bob")}


def team_and_member() -> dict[str, Comparable]:
    """A vote of three whose errors are correlated, and a fourth who is as good as each of them, on its own."""
    together, alone = binary(0.7, correlation=0.2), binary(0.7)
    members = [Agent("solver", name=name) for name in ("ada", "bob", "cy")]
    return {"vote": AgentTeam.vote(members, model=together, samples=3), "dan": Agent("solver", name="dan", model=alone)}


def run_suites(systems: Mapping[str, Comparable], n: int, count: int) -> Iterator[Comparison]:
    """So many suites of n items, each through `compare`."""

    async def one(number: int) -> Comparison:
        return await compare(systems, questions(number, n), baselines=False)

    for number in range(count):
        yield anyio.run(one, number)


@dataclass
class Calibration:
    """How an estimate behaves over suites, given the truth it estimates."""

    truth: float
    values: list[float]
    reaches: list[float]
    held: int = 0

    @classmethod
    def of(cls, truth: float) -> Calibration:
        return cls(truth, [], [])

    def add(self, found: Estimate | None) -> None:
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        self.values.append(found.value)
        self.reaches.append((found.high - found.low) / 2)
        self.held += found.low <= self.truth <= found.high

    @property
    def coverage(self) -> float:
        """The share of the intervals that hold the truth."""
        return self.held / len(self.values)

    @property
    def width(self) -> float:
        """The mean interval over what it should be, given how much the estimates really differ."""
        return fmean(self.reaches) / (1.96 * pstdev(self.values))

    @property
    def bias(self) -> float:
        """How far the mean is from the truth, in standard errors of that mean."""
        return (fmean(self.values) - self.truth) / pstdev(self.values) * math.sqrt(len(self.values))


@dataclass
class Course:
    """What many suites of two systems came to. stopped: by an always-valid look, at whichever item."""

    first: Calibration
    second: Calibration
    difference: Calibration
    kinds: list[str]
    stopped: int = 0


def course(
    systems: Mapping[str, Comparable], truths: tuple[float, float], n: int, count: int, *, peek: bool = False
) -> Course:
    """Run suites of two systems and compare what their summaries say with the truth."""
    first, second = truths
    found = Course(Calibration.of(first), Calibration.of(second), Calibration.of(first - second), [])
    for suite in run_suites(systems, n, count):
        told = summary.of(suite)
        for each, standing in zip((found.first, found.second), told.standings, strict=True):
            each.add(standing.accuracy)
        verdict = told.findings[0].verdict
        found.difference.add(verdict.difference)
        found.kinds.append(verdict.kind)
        found.stopped += peek and stops(suite, verdict)
    return found


def stops(suite: Comparison, verdict: Verdict) -> bool:
    """Whether somebody who looks after every item is ever told that one system is better or worse."""
    scores = {name: [each.score for each in suite.attempts if each.system == name] for name in (verdict.a, verdict.b)}
    differences = [a - b for a, b in zip(scores[verdict.a], scores[verdict.b], strict=True)]
    for upto in range(1, len(differences) + 1):
        # A look tells a winner exactly where the e-value says so; its interval is not needed here, and takes longer.
        if differences[upto - 1] and e_value_of(differences[:upto]) >= 20:
            assert look(differences[:upto]).look in ("better", "worse")
            return True
    return False


def share(kinds: list[str], *wanted: str) -> float:
    """The share of the verdicts that are one of these."""
    return sum(map(kinds.count, wanted)) / len(kinds)
