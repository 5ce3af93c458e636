"""A run under way, in one's hand: its events, its questions, and a way to stop it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, Self

import anyio

from phalanx.runtime.execution import Listener
from phalanx.runtime.human import Human, Question
from phalanx.runtime.stream import EventStream

from .result import TeamResult


class RunHandle(EventStream[TeamResult]):
    """What `team.start(task)` gives.

        async with team.start("…") as run:
            async for event in run:
                if event.kind == "run.paused":
                    run.answer(event.key, "yes")
        run.result

    `handle = await team.start("…")` begins it too, for those who end it by `wait` or `cancel` instead of a block.
    run_id: the run's id. questions: what people are asked right now. Leaving the block cancels a run still under way.
    """

    def __init__(self, run_id: str, work: Callable[[Listener, Human], Awaitable[TeamResult]]) -> None:
        self.run_id = run_id
        self.questions: list[Question] = []
        self._given: dict[str, str] = {}
        self._asked: dict[str, anyio.Event] = {}

        async def work_with_people(listener: Listener) -> TeamResult:
            return await work(listener, ask)

        # They outlive the handle, which the run must not keep alive.
        questions, given, asked = self.questions, self._given, self._asked

        async def ask(question: Question) -> str:
            questions.append(question)
            asked[question.key] = anyio.Event()
            try:
                await asked[question.key].wait()
            finally:
                questions.remove(question)
            return given[question.key]

        super().__init__(work_with_people)

    def __await__(self) -> Generator[Any, Any, Self]:
        return self.__aenter__().__await__()

    def answer(self, key: str, value: str) -> None:
        """Answer a question by its key. Raises KeyError when nobody asks it."""
        waiting = self._asked.get(key)
        if waiting is None or waiting.is_set():
            raise KeyError(
                f"nobody asks {key!r}; asked are: {', '.join(each.key for each in self.questions) or 'none'}"
            )
        self._given[key] = value
        waiting.set()

    async def cancel(self) -> None:
        """Stop the run and all its members, and wait until they have."""
        await self.aclose()

    async def wait(self) -> TeamResult:
        """Wait for the end and give the result; events not read are dropped. Raises what the run raised."""
        async for _ in self:
            pass
        return self.result
