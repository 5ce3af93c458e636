"""An equivalence whose step asks something outside, at work in a run: its asking is journaled, limited and awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from phalanx.agents.agent import Agent
from phalanx.agents.models.stray import LEAKED, is_stray
from phalanx.agents.output import Shape
from phalanx.agents.prompts import fenced_all
from phalanx.agents.task import Task
from phalanx.agents.tools.tool import call_maybe_async
from phalanx.errors import TeamError, ToolExecutionError, ValidationError
from phalanx.messages import Data, ToolCall, ToolResult
from phalanx.runtime.run import Run
from phalanx.runtime.together import together

from .base import FormationModel, Member, Outcome
from .one_asking import OneAsking
from .stated import answered
from .views import cut
from .voting import ByEmbedding, ByEntailment, Equivalence
from .voting.steps import Compared, Step, as_verdict
from .voting.vectors import unit_vectors

if TYPE_CHECKING:
    from .team_run import TeamRun

STAGE = "compare"
# What a judge is shown of an answer, in tokens.
SHOWN = 2000
# The stages that give texts which nobody counts.
UNCOUNTED = frozenset({"summarize"})


class Entailed(Data):
    """Whether the second answer follows from the first."""

    follows: bool


class Comparing:
    """The step of a formation's equivalence in one run.

    run: the run. task: what is answered. how: the equivalence. `equivalence` is the same one, for this run: it knows
    what `take` has compared. An answer that nobody compared, as when a limit stopped the run before that, counts as
    different from all others, and the run says so.
    """

    def __init__(self, run: TeamRun, task: Task, how: Equivalence) -> None:
        self.run, self.task, self.how = run, task, how
        self.compared: Compared = how.compared(self)
        self.equivalence = how.model_copy(update={"relation": self.compared})
        self._read: dict[str | None, str | None] = {None: None}
        self._is_said = False

    async def take(self, outcomes: Sequence[Outcome], stage: str) -> None:
        """Compare the answers among `outcomes` of a `stage` with each other and with all before them."""
        if stage in UNCOUNTED:
            return
        texts = [answered(outcome) if outcome.ok else None for outcome in outcomes]
        for text in texts:
            if text not in self._read:
                self._read[text] = self.how.read(text)
        try:
            await self.compared.learn(self.how.texts([self._read[text] for text in texts]))
        except (ValidationError, ToolExecutionError) as bad:
            # What the step gave is no fault of the members: what they said, and was paid for, goes on with the error.
            raise TeamError(str(bad)) from bad

    # -- how the step asks -------------------------------------------------------------------------------------------

    async def embed(self, step: ByEmbedding, texts: list[str]) -> object:
        """What the step's embedding gives for `texts`: one step of the run."""

        async def call() -> object:
            vectors = unit_vectors(await call_maybe_async(step.embed, list(texts)), texts)
            return [list(each) for each in vectors]

        return await _step(self.run.run.branch(STAGE), "embed", {"texts": texts}, call)

    async def entails(self, step: ByEntailment, pairs: Sequence[tuple[str, str]]) -> list[bool | None]:
        """What the step's judge says of `pairs`, all at the same time; each is a step of the run, or a member's."""
        place = self.run.run.branch(STAGE)
        # Branches are named in the order of the pairs, whatever is answered first.
        if isinstance(step.judge, Agent):
            judge = self._member(step.judge)
            shape = Shape(Entailed)
            asks = [
                partial(self._asked, OneAsking(self.run, place, judge, STAGE, 0, at, shape, self.task.id), pair)
                for at, pair in enumerate(pairs)
            ]
        else:
            asks = [partial(_judged, place.branch("judge"), step.judge, pair) for pair in pairs]
        return await together(asks)

    def unknown(self, one: str, other: str) -> None:  # noqa: ARG002 - they are answers, which a warning need not repeat
        """Say, once in a run, that answers were counted as different because nobody had compared them."""
        if not self._is_said:
            self._is_said = True
            self.run.run.warn("answers that were not compared yet count as different from all others")

    def _member(self, judge: Agent) -> Member:
        taken = {member.name for member in self.run.everyone}
        name = judge.name
        while name in taken:
            name = f"{name} ({STAGE})"
        return Member(name, judge, judge.role)

    async def _asked(self, asking: OneAsking, pair: tuple[str, str]) -> bool | None:
        shown = [("First answer", cut(pair[0], SHOWN)), ("Second answer", cut(pair[1], SHOWN))]
        prompt = self.run.prompts("entails", task=self.run.text(self.task), answers=fenced_all(shown))
        outcome = await asking.outcome(prompt)
        self.run.raise_refusal(outcome)
        if outcome.answer is None:
            self.run.run.warn(f"{outcome.member} could not compare two answers ({outcome.error}); they differ")
            return None
        verdict: Entailed = outcome.answer.output
        return verdict.follows


async def _judged(place: Run, judge: Callable[[str, str], object], pair: tuple[str, str]) -> bool | None:
    async def call() -> object:
        return as_verdict(await call_maybe_async(judge, *pair))

    return bool(await _step(place, "judge", {"one": pair[0], "other": pair[1]}, call))


async def _step(place: Run, name: str, given: dict[str, object], call: Callable[[], Awaitable[object]]) -> object:
    """A user's function as a step of the run, as a tool is one: what it gave is in the journal."""

    async def execute(_key: str) -> ToolResult:
        try:
            return ToolResult(output=await call(), tool_call_id=name, tool_name=name)
        except anyio.get_cancelled_exc_class() as stop:
            if not is_stray(stop):
                raise
            raise ToolExecutionError(name, RuntimeError(LEAKED)) from stop

    result = await place.step("tool", name, ToolCall(id=name, tool_name=name, parameters=given), execute)
    return result.output


def judge_of(formation: object) -> Agent | None:
    """The agent that judges for the step of a `formation`'s equivalence; None where there is none."""
    step = getattr(getattr(formation, "equivalence", None), "relation", None)
    step = step.judge if isinstance(step, ByEmbedding) else step
    return step.judge if isinstance(step, ByEntailment) and isinstance(step.judge, Agent) else None


def for_run(formation: object, run: TeamRun, task: Task) -> Any:
    """A `formation` as it works in a `run` on a `task`: where its equivalence has a step, that step asks through it."""
    if isinstance(formation, FormationModel):
        how = getattr(formation, "equivalence", None)
        if isinstance(how, Equivalence) and isinstance(how.relation, Step):
            run.comparing = Comparing(run, task, how)
            return formation.model_copy(update={"equivalence": run.comparing.equivalence})
    return formation
