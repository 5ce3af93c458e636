"""Systems whose calls are counted, for the tests of suites."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import anyio

from phalanx import Agent, AgentTeam
from phalanx.agents.models.offline import FunctionModel
from phalanx.benchmarks.record import Attempt, Comparison
from phalanx.benchmarks.tasks import TaskItem, TaskSet
from phalanx.messages import Completion, Price, Request, Usage


def sums(n: int) -> TaskSet:
    """The questions "1 + 1?", "2 + 1?", …, with their answers."""
    return TaskSet.of("sums", [TaskItem(id=f"s{at}", question=f"{at} + 1?", gold=at + 1) for at in range(1, n + 1)])


class Office:
    """A model that adds, counts what it is asked, and takes a second for each call.

    wrong: what it answers instead, by member name. words: tokens of each answer. pause: seconds of each call.
    """

    def __init__(
        self, wrong: Callable[[str, int], int | None] | None = None, *, words: int = 10, pause: float = 1.0
    ) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()
        self.wrong, self.words, self.pause = wrong, words, pause
        self.busy = self.most_busy = 0

    @property
    def calls(self) -> int:
        """How often it was called."""
        return self.asked.total()

    async def answer(self, request: Request) -> Completion:
        number = int(request.about.question.removeprefix("s"))
        self.asked[request.about.member, request.about.question] += 1
        self.busy += 1
        self.most_busy = max(self.busy, self.most_busy)
        try:
            await anyio.sleep(self.pause)
        finally:
            self.busy -= 1
        other = self.wrong(request.about.member, number) if self.wrong else None
        right = number + 1 if other is None else other
        usage = Usage(1, input_tokens=20, output_tokens=self.words)
        return Completion(text=f"Answer: {right}", usage=usage)

    @property
    def model(self) -> FunctionModel:
        """It as a model."""
        return FunctionModel(self.answer, name="offline/office")

    def agent(self, name: str = "solo", price: Price | None = None) -> Agent:
        """An agent that asks it."""
        return Agent("worker", name=name, model=self.model, price=price, max_tokens=100)

    def debate(self, *names: str, rounds: int = 1) -> AgentTeam:
        """A debate of members that ask it, in which everybody speaks in every round."""
        return AgentTeam.debate([self.agent(name) for name in names], rounds, trigger="always")


def of_system(comparison: Comparison, name: str) -> list[Attempt]:
    """A system's attempts."""
    return [each for each in comparison.attempts if each.system == name]
