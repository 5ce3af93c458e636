"""An author drafts, a critic accepts or objects, the author revises: until it is accepted or the rounds are over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import Field

from phalanx.agents.output import Shape
from phalanx.agents.prompts import fenced
from phalanx.agents.result import AgentResult
from phalanx.agents.task import Task
from phalanx.errors import ConfigurationError, MemberFailed
from phalanx.messages import Data

from .base import Answer, Asking, FormationModel, Member, Stage, Wiring
from .team_run import TeamRun


class Critique(Data):
    """A critic's verdict. Where it does not accept, `objection` says why, and `quote` holds the words at fault."""

    accepted: bool
    objection: str = ""
    quote: str = ""


class ScoredCritique(Critique):
    """A critic's verdict with a score of the answer, from 0 (useless) to 10 (nothing to improve)."""

    score: int = Field(ge=0, le=10)


@dataclass(frozen=True, slots=True)
class _Version:
    """What the author wrote, and what the critic said to it; None: it has not been read."""

    answer: Answer
    verdict: Critique | None = None

    @property
    def score(self) -> int:
        return self.verdict.score if isinstance(self.verdict, ScoredCritique) else -1


class Reflect(FormationModel):
    """Evaluator and optimizer (Self-Refine: Madaan et al. 2023, arXiv:2303.17651).

    rounds: revisions at most; each version is read by the critic, the last one too. It ends when the critic accepts,
    or when the author gives the same text again. scores: the critic also gives a score from 0 to 10, and the version
    with the best one is the answer (of equal ones the later); without, the last version is. An answer that the critic
    did not accept has the status "partial". Nobody in the seat "critic": the author is its own critic, which without
    any feedback from outside makes answers worse more often than better (Huang et al. 2023, arXiv:2310.01798).
    """

    kind: Literal["reflect"] = "reflect"
    rounds: int = Field(default=2, ge=0)
    scores: bool = False

    summary: ClassVar[str] = "an author drafts, a critic accepts or objects, the author revises"
    calls: ClassVar[str] = "2 + 2 * rounds"
    seats: ClassVar[tuple[str, ...]] = ("author",)
    optional_seats: ClassVar[tuple[str, ...]] = ("critic",)
    least: ClassVar[int] = 0
    stages: ClassVar[Mapping[str, Stage]] = {
        "draft": Stage(("draft",)),
        "critique": Stage(("critique",), shaped=True),
        "rework": Stage(("refine",)),
    }

    def check(self, members: Sequence[Member]) -> None:
        super().check(members)
        for member in members:
            if member.seat is None:
                raise ConfigurationError(
                    f"reflect has no work for {member.name!r}: it has the seats 'author' and 'critic' alone"
                )
        critic = _critic(members)
        if hasattr(critic.who, "run_inside"):
            raise ConfigurationError(
                f"the critic {critic.name!r} needs to be an agent: it answers in a form of its own, and a team in "
                "plain text; give critic=…"
            )

    def plan(self, members: Sequence[Member]) -> list[Asking]:
        author, critic = _seated(members, "author").name, _critic(members).name
        asks = [Asking(author, "draft"), Asking(critic, "critique", 0, 1)]
        for round in range(1, self.rounds + 1):
            asks += [Asking(author, "rework", round, 2), Asking(critic, "critique", round, 1)]
        return asks

    def wiring(self, members: Sequence[Member]) -> Wiring:
        author, critic = _seated(members, "author").name, _critic(members).name
        return Wiring((author,), (author,), ((author, "<-->", critic),) if critic != author else ())

    def longest(self, lengths: Mapping[str, int], members: Sequence[Member]) -> int:
        return lengths[_seated(members, "author").name]

    async def __call__(self, run: TeamRun, task: Task, /) -> Answer:
        author, critic = run.seat("author"), _critic(run.everyone)
        run.begin("draft")
        prompt = run.prompts("draft", task=run.text(task))
        result = await run.ask(author, prompt, stage="draft", question=task.id)
        versions = [_Version(_answer(author, result))]
        ended = ""
        for round in range(self.rounds + 1):
            run.hold(self._best(versions).answer)
            try:
                verdict = await self._critique(run, task, round, critic, versions[-1].answer)
            except MemberFailed as failed:
                ended = f"the critic gave no verdict ({failed})"
                break
            versions[-1] = _Version(versions[-1].answer, verdict)
            run.hold(self._best(versions).answer)
            if verdict.accepted:
                break
            ended = f"the critic's objection stands: {verdict.objection or '(no reason given)'}"
            if round == self.rounds:
                break
            try:
                revised = await self._revised(run, task, round + 1, author, critic, versions[-1])
            except MemberFailed as failed:
                ended = f"the author could not revise ({failed}); {ended}"
                break
            if revised.text.split() == versions[-1].answer.text.split():
                ended = f"the author did not change its answer; {ended}"
                break
            versions.append(_Version(revised))
        best = self._best(versions)
        if best.verdict is not None and best.verdict.accepted:
            return best.answer
        if any(version.verdict is not None and version.verdict.accepted for version in versions):
            ended = "the critic accepted a version that it scored lower; the one it scored best is given"
        run.run.warn(ended)
        return Answer(best.answer.text, best.answer.output, status="partial", author=author.name)

    def _best(self, versions: Sequence[_Version]) -> _Version:
        """The version to answer with: with scores the best one, of equal ones the later; else the last one."""
        if not self.scores or all(version.score < 0 for version in versions):
            return versions[-1]
        return max(enumerate(versions), key=lambda each: (each[1].score, each[0]))[1]

    async def _critique(self, run: TeamRun, task: Task, round: int, critic: Member, answer: Answer) -> Critique:
        run.begin("critique", round)
        prompt = run.prompts("critique", task=run.text(task), answer=fenced(answer.text, answer.author))
        shape: Shape[Critique] = Shape(ScoredCritique if self.scores else Critique)
        result = await run.ask(critic, prompt, stage="critique", round=round, shape=shape, question=task.id)
        verdict: Critique = result.output
        if verdict.quote and " ".join(verdict.quote.split()) not in " ".join(answer.text.split()):
            run.run.warn(f"{critic.name} quotes what the answer does not say; the author is not shown the quotation")
            verdict = verdict.model_copy(update={"quote": ""})
        return verdict

    async def _revised(
        self, run: TeamRun, task: Task, round: int, author: Member, critic: Member, last: _Version
    ) -> Answer:
        assert last.verdict is not None
        run.begin("rework", round)
        said = last.verdict.objection or "(no reason given)"
        if last.verdict.quote:
            said += f"\nIt is about: {last.verdict.quote}"
        prompt = run.prompts(
            "refine", task=run.text(task), answer=fenced(last.answer.text, author.name),
            objection=fenced(said, critic.name),
        )  # fmt: skip
        result = await run.ask(author, prompt, stage="rework", round=round, question=task.id)
        return _answer(author, result)


def _answer(author: Member, result: AgentResult) -> Answer:
    return Answer(result.content, result.output, author=author.name)


def _seated(members: Sequence[Member], seat: str) -> Member:
    return next(member for member in members if member.seat == seat)


def _critic(members: Sequence[Member]) -> Member:
    return next((member for member in members if member.seat == "critic"), _seated(members, "author"))
