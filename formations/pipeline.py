"""Stages in a row: each gets the task and what the stage before it made."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from phalanx.agents.prompts import fenced
from phalanx.agents.result import AgentResult
from phalanx.agents.task import Task
from phalanx.errors import ConfigurationError, MemberFailed
from phalanx.settings import nearest

from .base import Answer, Asking, FormationModel, Member, Stage, Wiring
from .team_run import TeamRun

Validator = Callable[[AgentResult], "str | bool | Awaitable[str | bool | None] | None"]


class Pipeline(FormationModel):
    """Each member improves what the one before it made; the last one's is the answer.

    Stages are typed by their agents' `output`. validators: by member name, a function of the stage's result, perhaps
    async, that gives None or True when it is good, else what is wrong with it. retries: how often a stage is asked
    again when its validator objects; without validators it has no meaning. A stage that fails, or never satisfies its
    validator, stops the pipeline with MemberFailed.
    """

    kind: Literal["pipeline"] = "pipeline"
    validators: Mapping[str, Any] = Field(default_factory=dict)
    retries: int = Field(default=1, ge=0)

    summary: ClassVar[str] = "each improves what the one before it made, with checks between the stages"
    calls: ClassVar[str] = "n"
    stages: ClassVar[Mapping[str, Stage]] = {"stage": Stage(("draft", "improve"))}

    def __hash__(self) -> int:
        return hash((self.kind, self.retries, tuple(self.validators)))

    def check(self, members: Sequence[Member]) -> None:
        super().check(members)
        names = [member.name for member in members]
        for name, validator in self.validators.items():
            if name not in names:
                raise ConfigurationError(f"validators names {name!r}, who is no member{nearest(name, names)}")
            if not callable(validator):
                raise ConfigurationError(f"the validator of {name!r} must be a function of the stage's result")

    def plan(self, members: Sequence[Member]) -> list[Asking]:
        free = [member for member in members if member.seat is None]
        return [Asking(member.name, "stage", at, min(at, 1)) for at, member in enumerate(free)]

    def wiring(self, members: Sequence[Member]) -> Wiring:
        names = [member.name for member in members if member.seat is None]
        return Wiring(tuple(names[:1]), tuple(names[-1:]), tuple((a, "-->", b) for a, b in itertools.pairwise(names)))

    def longest(self, lengths: Mapping[str, int], members: Sequence[Member]) -> int:
        return lengths[[member.name for member in members if member.seat is None][-1]]

    async def __call__(self, run: TeamRun, task: Task, /) -> Answer:
        text = run.text(task)
        result: AgentResult | None = None
        author = ""
        for at, member in enumerate(run.members):
            run.begin("stage", at)
            prompt = run.prompts("draft", task=text)
            if result is not None:
                prompt = run.prompts("improve", task=text, author=author, previous=fenced(result.content, author))
            result = await self._stage(run, task, member, prompt, at)
            author = member.name
            run.hold(Answer(result.content, result.output, author=author))
        assert result is not None
        return Answer(result.content, result.output, author=author)

    async def _stage(self, run: TeamRun, task: Task, member: Member, prompt: str, at: int) -> AgentResult:
        result = await run.ask(member, prompt, stage="stage", round=at, question=task.id)
        validator = self.validators.get(member.name)
        if validator is None:
            return result
        for attempt in range(self.retries + 1):
            verdict = validator(result)
            if inspect.isawaitable(verdict):
                verdict = await verdict
            if verdict is None or verdict is True:
                return result
            objection = verdict if isinstance(verdict, str) else "the stage's validator rejected it"
            if attempt < self.retries:
                again = run.prompts(
                    "redo", task=prompt, answer=fenced(result.content, member.name),
                    objection=fenced(objection, "the validator"),
                )  # fmt: skip
                result = await run.ask(member, again, stage="stage", round=at, attempt=attempt + 1, question=task.id)
        raise MemberFailed(member.name, run.history[-1], f"did not satisfy its validator: {objection}")
