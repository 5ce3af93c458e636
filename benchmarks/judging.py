"""A judge as a scorer: models say what an answer is worth, blind, in both orders, and alone or as a panel.

Judges favour what stands first, what is long and what is theirs (Zheng et al. 2023, arXiv:2306.05685), so everything
that has an order is shown in both, and nothing says whose it is. Several judges should not be the same one several
times: equal referees add little (Chan et al. 2023, arXiv:2308.07201).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal, Self

from phalanx.agents.agent import Agent
from phalanx.agents.models.model import Model
from phalanx.agents.output import Shape
from phalanx.agents.prompts import fenced, fenced_all
from phalanx.agents.role import Role
from phalanx.agents.task import Task
from phalanx.errors import ConfigurationError, ValidationError
from phalanx.formations.base import Answer, Outcome
from phalanx.formations.team_run import Job, TeamRun
from phalanx.messages import Data
from phalanx.runtime.log import Log
from phalanx.teams.result import TeamResult
from phalanx.teams.running import preflight
from phalanx.teams.team import AgentTeam

from .opinions import Judgement, Opinion, agreed, votes
from .score import Score
from .systems import agent_facts
from .tasks import TaskItem

By = Literal["same", "grade", "prefer"]
SAME, DIFFERENT, EQUAL, UNDECIDED = "same", "different", "equal", "undecided"
FIRST, SECOND = "Answer 1", "Answer 2"
GRADES = 10


class _Verdict(Data):
    """The reason for a verdict, then the verdict."""

    reason: str
    verdict: str


class _Grade(Data):
    """The reason for a grade, then the grade from 0 to 10; null when it cannot be told."""

    reason: str
    grade: int | None


class Judge:
    """A scorer that asks models what an answer is worth.

    who: the judge: a model, its name, or an agent; or several of them. judges: how often a single one sits, as so many
    judges of the same mind. by: "same" (does the answer say what the right one says: 1 or 0), "grade" (0 to 10, as a
    tenth of it) or "prefer" (is it better than the reference: 1, as good: 0.5, worse: 0); default: "same", with a
    rubric "grade". rubric: what to look at, in your words; graded answers need one. reference: whether the judges see
    the right answer of the item. undecided: what an answer is worth of which nobody can tell. prompts: your own text
    for the slots judge_same, judge_grade and judge_prefer. name: what the panel is called in its journal.

    The answer and the reference are shown unnamed and in both orders, as data. A judge's opinion is the mean of its two
    verdicts, so one that changes with the order is worth half; a judge that cannot tell in one of them abstains. With
    several judges the majority of the opinions decides, and a balance is worth half; grades are averaged. `why` of the
    score says how they voted, and how far they agree (percent of pairs, Krippendorff's alpha over the orders).

    Raises ValidationError for options that do not fit together.
    """

    asks_models = True

    def __init__(
        self,
        who: str | Model | Agent | Sequence[str | Model | Agent],
        *,
        judges: int = 1,
        by: By | None = None,
        rubric: str = "",
        reference: bool = True,
        undecided: float = 0.5,
        prompts: Mapping[str, str] | None = None,
        name: str = "judges",
    ) -> None:
        several = isinstance(who, Sequence) and not isinstance(who, str)
        given: list[str | Model | Agent] = list(who) if several else [who] * judges  # type: ignore[arg-type, list-item]
        self.by: By = by or ("grade" if rubric.strip() else "same")
        self.rubric, self.reference, self.undecided, self.name = rubric.strip(), reference, undecided, name
        self.prompts = dict(prompts or {})
        _check(self, several, judges, len(given))
        self.agents = tuple(_seated(each, at, alone=len(given) == 1) for at, each in enumerate(given))
        self._team = self._panel(_unheard)

    @property
    def orders(self) -> int:
        """In how many orders a judge sees what it judges: one where there is nothing beside the answer."""
        return 2 if self.reference else 1

    def __repr__(self) -> str:
        seats = "; ".join(f"{each.name}: {agent_facts(each)}" for each in self.agents)
        return (
            f"Judge(by={self.by!r}, rubric={self.rubric!r}, reference={self.reference}, undecided={self.undecided:g}, "
            f"prompts={self.prompts!r}, judges=[{seats}])"
        )

    def __reduce__(self) -> tuple[object, ...]:
        made = partial(
            Judge, by=self.by, rubric=self.rubric, reference=self.reference, undecided=self.undecided,
            prompts=self.prompts, name=self.name,
        )  # fmt: skip
        return made, (list(self.agents),)

    async def __call__(self, answer: str, item: TaskItem) -> Score:
        """What the judges make of an answer, in a run that is not kept; see `judge`."""
        return (await self.judge(answer, item))[0].score

    async def judge(
        self, answer: str, item: TaskItem, *, log: Log | None = None, run_id: str | None = None, resume: bool = False
    ) -> tuple[Judgement, TeamResult]:
        """Let the judges judge an answer; also the run in which they did, with what it cost.

        answer, item: what to judge, and of which question. log, run_id: where the run is journaled, and under which id.
        resume: go on with the run of this id.

        Raises ValidationError for an item without the right answer that they should see, LimitExceeded when a limit
        ends it, TeamError when every judge failed.
        """
        self.check((item,))
        panel = self._panel(partial(self._hear, answer, item))
        if resume:
            assert run_id is not None
            result = await panel.resume(run_id, log=log)
        else:
            result = await panel.run(Task("Judge an answer.", id=item.id), log=log, run_id=run_id)
        if result.refusal is not None:
            raise result.refusal
        assert isinstance(result.output, Judgement)
        return result.output, result

    def check(self, items: Sequence[TaskItem]) -> None:
        """Raise ValidationError when an item has no right answer and the judges are to see it."""
        for item in items if self.reference else ():
            if item.gold is None:
                raise ValidationError(
                    f"item {item.id!r} has no right answer to judge by; give it one, or grade without: "
                    "Judge(…, rubric='…', reference=False)"
                )

    async def ready(self, *, money: bool) -> None:
        """Look whether every judge's model can be asked. money: whether prices must be known.

        Raises ConfigurationError, naming the model, when one cannot.
        """
        await preflight(self._team, await self._team.default_model(), money=money)

    async def aclose(self) -> None:
        """Let go of the connections of the judges' models; it can be used again after."""
        await self._team.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _panel(self, formation: object) -> AgentTeam:
        return AgentTeam(self.agents, formation=formation, name=self.name, prompts=self.prompts)

    async def _hear(self, answer: str, item: TaskItem, run: TeamRun, task: Task) -> Answer:
        """The formation: every judge in every order, at the same time and blind."""
        run.hold(lambda: None)
        jobs = [
            Job(f"{member.name} {order}", member, self._prompt(run, answer, item, order), attempt=order)
            for order in range(self.orders)
            for member in run.members
        ]
        outcomes = await run.ask_jobs(jobs, stage="judge", shape=self._shape(), question=task.id)
        for outcome in outcomes:
            run.raise_refusal(outcome)
        # With no verdict at all nobody has judged: that is a failure, and no opinion on the answer.
        run.require(outcomes, 1)
        heard: dict[str, list[Outcome]] = {member.name: [] for member in run.members}
        for outcome in outcomes:
            heard[outcome.member].append(outcome)
        opinions = {name: self._opinion(each) for name, each in heard.items()}
        found = self._judgement(answer, opinions)
        return Answer(found.score.why, found)

    def _prompt(self, run: TeamRun, answer: str, item: TaskItem, order: int) -> str:
        gold = _text(item)
        question = fenced(item.text, "question")
        rubric = f"\n\nWhat to look at: {self.rubric}" if self.rubric else ""
        if self.by == "grade":
            shown = [("answer to be graded", answer)]
            if self.reference:
                shown.insert(order, ("a right answer", gold))
            return run.prompts("judge_grade", task=question, answers=fenced_all(shown), rubric=rubric)
        texts = (answer, gold) if order == 0 else (gold, answer)
        answers = fenced_all(zip((FIRST, SECOND), texts, strict=True))
        return run.prompts(f"judge_{self.by}", task=question, answers=answers, rubric=rubric)

    def _shape(self) -> Shape[_Grade] | Shape[_Verdict]:
        if self.by == "grade":
            schema = _Grade.model_json_schema()
            schema["properties"]["grade"] = {"anyOf": [{"type": "integer", "minimum": 0, "maximum": GRADES},
                                                       {"type": "null"}]}  # fmt: skip
            return Shape(_Grade, schema=schema)
        schema = _Verdict.model_json_schema()
        words = [SAME, DIFFERENT] if self.by == "same" else [FIRST, SECOND, EQUAL]
        schema["properties"]["verdict"]["enum"] = [*words, UNDECIDED]
        return Shape(_Verdict, schema=schema)

    def _opinion(self, outcomes: Sequence[Outcome]) -> Opinion:
        """One judge's verdicts, in the orders they were asked for."""
        worth: list[float | None] = []
        for order, outcome in enumerate(outcomes):
            said = None if outcome.answer is None else outcome.answer.output
            if isinstance(said, _Grade):
                known = said.grade is not None and 0 <= said.grade <= GRADES
                worth.append(said.grade / GRADES if known and said.grade is not None else None)
            elif isinstance(said, _Verdict):
                mine, other = (FIRST, SECOND) if order == 0 else (SECOND, FIRST)
                meaning = {SAME: 1.0, DIFFERENT: 0.0} if self.by == "same" else {mine: 1.0, EQUAL: 0.5, other: 0.0}
                worth.append(meaning.get(said.verdict))
            else:
                worth.append(None)
        reasons = [each.answer.output.reason for each in outcomes if each.answer is not None]
        errors = [each.error for each in outcomes if each.answer is None]
        return Opinion(worth=tuple(worth), reason=reasons[0] if reasons else "", error=errors[0] if errors else None)

    def _judgement(self, answer: str, opinions: Mapping[str, Opinion]) -> Judgement:
        means = [each.mean for each in opinions.values() if each.mean is not None]
        if not means:
            told = Score(value=self.undecided, why=f"undecided: {votes(opinions)}")
            return Judgement(score=told, opinions=dict(opinions))
        value = math.fsum(means) / len(means)
        if self.by != "grade":
            value = 0.5 if value == 0.5 else float(value > 0.5)
        why = votes(opinions) + (f"; {agreed(opinions)}" if len(opinions) > 1 else "")
        return Judgement(score=Score(value=value, read=answer, why=why), opinions=dict(opinions))


def _text(item: TaskItem) -> str:
    return ", ".join(map(str, item.gold)) if isinstance(item.gold, tuple) else str(item.gold)


def _seated(who: str | Model | Agent, at: int, *, alone: bool) -> Agent:
    if isinstance(who, Agent):
        return who
    return Agent(Role(name="judge", kind="judge"), name="judge" if alone else f"judge_{at + 1}", model=who)


async def _unheard(_: TeamRun, __: Task) -> Answer:
    raise AssertionError("a panel is only heard on an answer")


def _check(judge: Judge, several: bool, judges: int, count: int) -> None:
    if several and judges != 1:
        raise ValidationError("judges= says how often a single judge sits; leave it out where several are given")
    if isinstance(judges, bool) or not isinstance(judges, int) or judges < 1 or not count:
        raise ValidationError("there must be at least one judge")
    if judge.by not in ("same", "grade", "prefer"):
        raise ValidationError(f"by={judge.by!r} is none of: same, grade, prefer")
    if judge.by == "grade" and not judge.rubric:
        raise ValidationError("a grade needs a rubric: say what to look at with rubric='…'")
    if judge.by != "grade" and not judge.reference:
        raise ValidationError(f"by={judge.by!r} compares with the right answer; without it give rubric='…' to grade by")
    if not 0 <= judge.undecided <= 1:
        raise ValidationError(f"undecided={judge.undecided!r} must be between 0 and 1")
    strange = set(judge.prompts) - {"judge_same", "judge_grade", "judge_prefer"}
    if strange:
        raise ConfigurationError(f"a judge has no prompt {sorted(strange)[0]!r}; it has judge_same, judge_grade and "
                                 "judge_prefer")  # fmt: skip
