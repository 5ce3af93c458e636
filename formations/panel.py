"""A panel of referees with different rubrics that discusses candidates and scores them, in both orders.

ChatEval: Chan et al. 2023, arXiv:2308.07201.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StrictFloat, StrictInt

from phalanx.agents.output import Shape
from phalanx.agents.prompts import fenced_all, label
from phalanx.agents.task import Task
from phalanx.errors import ConfigurationError, ValidationError
from phalanx.messages import Data

from .base import Answer, Asking, Member, Outcome, Stage, Wiring
from .gather import Gathering
from .judging import krippendorff
from .team_run import Job, TeamRun
from .voting import Ballot, Decision, Score
from .voting.exact import ratio

RUBRICS = (
    "Correctness: is what it says true, and does it follow?",
    "Completeness: does it answer all that was asked, and nothing else?",
    "Clarity: can the person who asked understand it and use it at once?",
)
LOW, HIGH = 1, 10


class Marks(Data):
    """A referee's reasons, and a score from 1 to 10 for each candidate, by its label."""

    reason: str
    scores: dict[str, Annotated[int, Field(ge=LOW, le=HIGH)]]


class Panel(Gathering):
    """Referees with different rubrics discuss candidate answers, then score them; the best mean score wins.

    The candidates are the named parts of the task's context, or `candidates`, by name, if the same ones are to be
    compared in every task. They are shown without their names, in both orders, in two discussions that know nothing of
    each other; a referee's scores of both are averaged, and one that did not score them in both does not count. turns:
    how often each referee speaks; the last turn's scores count. order: "one_by_one" (each sees all that was said so
    far), "simultaneous" (each sees the turns before), or "summarized" (the same, but through a summary that the seat
    "summarizer" makes of each turn). blind_last: in the last turn nobody sees the others'
    last scores. rubrics: what the referees look at, in seat order; those beyond look at their role's duty. quorum: how
    many referees must have scored (default: half); with fewer that answered at all there is no result but QuorumMissed.

    In the paper referees of one and the same rubric did no better than one alone. The decision tells how far the
    referees agree (Krippendorff's alpha) and how many prefer another candidate when the order changes.
    """

    kind: Literal["panel"] = "panel"
    turns: int = Field(default=2, ge=1)
    order: Literal["one_by_one", "simultaneous", "summarized"] = "one_by_one"
    blind_last: bool = True
    rubrics: tuple[str, ...] = RUBRICS
    candidates: dict[str, str] | None = Field(default=None, min_length=2)
    quorum: StrictInt | StrictFloat | None = 0.5

    least: ClassVar[int] = 1
    optional_seats: ClassVar[tuple[str, ...]] = ("summarizer",)
    summary: ClassVar[str] = (
        "referees with different rubrics discuss the candidates in the task's context and score them, in both orders"
    )
    calls: ClassVar[str] = "2 * n * turns + 2 * (turns - 1) * summarizer"
    stages: ClassVar[Mapping[str, Stage]] = {
        "score": Stage(("panel",), shaped=True),
        "summarize": Stage(("summarize",)),
    }

    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    def check(self, members: Sequence[Member]) -> None:
        super().check(members)
        for member in members:
            if member.seat is None and hasattr(member.who, "run_inside"):
                raise ValidationError(f"a referee gives scores in a form of their own; the team {member.name!r} cannot")
        if any(member.seat == "summarizer" for member in members) != (self.order == "summarized"):
            raise ConfigurationError("order='summarized' and summarizer=… go together; give both or neither")

    def plan(self, members: Sequence[Member]) -> list[Asking]:
        free = [member.name for member in members if member.seat is None]
        by = [member.name for member in members if member.seat == "summarizer"]
        asks: list[Asking] = []
        for turn in range(self.turns):
            reads = max(2, len(free) * (turn + 1))
            asks += [Asking(name, "score", turn, reads) for _ in range(2) for name in free]
            if turn + 1 < self.turns:
                asks += [Asking(name, "summarize", turn, len(free)) for name in by for _ in range(2)]
        return asks

    def wiring(self, members: Sequence[Member]) -> Wiring:
        free = [member.name for member in members if member.seat is None]
        by = [member.name for member in members if member.seat == "summarizer"]
        pairs = [(a, "<-.->", b) for at, a in enumerate(free) for b in free[at + 1 :]] if not by else []
        return Wiring(tuple(free), tuple(free), (*pairs, *((name, "<-->", each) for each in by for name in free)))

    async def __call__(self, run: TeamRun, task: Task, /) -> Answer:
        session = _Session(self, run, task)
        run.hold(session.best)
        for turn in range(self.turns):
            await session.speak(turn)
        session.require_quorum()
        decision = session.decision()
        run.decided(decision)
        if decision.winner is None:
            return Answer(f"No decision: {decision.explanation}", status="undecided", decision=decision)
        return Answer(session.candidates[decision.winner], decision=decision)


class _Session:
    """One set of candidates before one panel, in both orders."""

    def __init__(self, how: Panel, run: TeamRun, task: Task) -> None:
        self.how, self.run, self.task = how, run, task
        if how.candidates is not None:
            self.candidates, self.text = dict(how.candidates), run.text(task)
        else:
            parts = task.context if isinstance(task.context, Mapping) else {}
            self.candidates = {str(name): str(text) for name, text in parts.items()}
            # Their names would tell whose they are, so the task is shown without its context.
            bare = Task(task.description, requirements=task.requirements, id=task.id)
            self.text = bare.render(run.prompts)
        if len(self.candidates) < 2:
            raise ValidationError(
                "a panel compares at least two candidates: give them as named parts of the task's context, such as "
                "run(question, context={'first': …, 'second': …})"
            )
        keys = sorted(self.candidates)
        self.orders = (keys, keys[::-1])
        self.labels = [f"Candidate {at + 1}" for at in range(len(keys))]
        # The candidates as prompts show them, in each order.
        self.shown = [
            fenced_all(zip(self.labels, [self.candidates[key] for key in order], strict=True)) for order in self.orders
        ]
        self.said: tuple[list[tuple[str, str]], list[tuple[str, str]]] = ([], [])
        self.marks: dict[str, dict[int, dict[str, int]]] = {}
        self.last: dict[str, list[Outcome]] = {}

    async def speak(self, turn: int) -> None:
        """One turn of all referees, in both orders."""
        how, run = self.how, self.run
        last = turn + 1 == how.turns
        chained = how.order == "one_by_one" and not (last and how.blind_last and turn > 0)
        run.begin("score", turn)
        jobs = []
        for order in range(2):
            for at, member in enumerate(run.members):
                before = (f"{run.members[at - 1].name} {order}",) if chained and at else ()
                jobs.append(
                    Job(f"{member.name} {order}", member, self._prompt(at, order, chained), before, attempt=order)
                )
        outcomes = await run.ask_jobs(
            jobs,
            stage="score",
            round=turn,
            shape=_shape(tuple(self.labels)),
            question=self.task.id,
            deadline=how.deadline,
            best=lambda done: self.best(self._with(done)),
        )
        for outcome in outcomes:
            run.raise_refusal(outcome)
        self.last = {}
        for job, outcome in zip(jobs, outcomes, strict=True):
            self._take(outcome, job.attempt)
            self.last.setdefault(outcome.member, []).append(outcome)
        run.hold(self.best)
        if not last and how.order == "summarized":
            await self._summarize(turn, outcomes)
        else:
            for order in range(2):
                self.said[order].extend(self._lines(outcomes[order * len(run.members) :][: len(run.members)]))

    def _prompt(self, at: int, order: int, chained: bool) -> Callable[[Mapping[str, Outcome]], str]:
        run, how = self.run, self.how
        rubric = how.rubrics[at] if at < len(how.rubrics) else run.members[at].role.described_duty

        def told(done: Mapping[str, Outcome]) -> str:
            heard = list(self.said[order])
            if chained:
                before = [done[f"{member.name} {order}"] for member in run.members[:at]]
                heard += self._lines(before)
            discussion = run.prompts("panel_discussion", said=fenced_all(heard)) if heard else ""
            return run.prompts(
                "panel", task=self.text, rubric=rubric, discussion=discussion, candidates=self.shown[order]
            )

        return told

    def _lines(self, outcomes: Sequence[Outcome]) -> list[tuple[str, str]]:
        lines = []
        for at, outcome in enumerate(outcomes):
            if outcome.answer is not None and isinstance(marks := outcome.answer.output, Marks):
                scores = ", ".join(f"{name}: {score}" for name, score in marks.scores.items())
                lines.append((f"Referee {label(at).removeprefix('Response ')}", f"{marks.reason}\nScores: {scores}"))
        return lines

    def _take(self, outcome: Outcome, order: int) -> None:
        """Keep a referee's latest scores in an order, if it scored every candidate once."""
        self.marks.setdefault(outcome.member, {}).pop(order, None)
        if (scores := self._scores(outcome, order)) is not None:
            self.marks[outcome.member][order] = scores
        elif outcome.ok:
            self.run.run.warn(f"{outcome.member} did not score exactly the candidates; its scores do not count")

    def _scores(self, outcome: Outcome, order: int) -> dict[str, int] | None:
        """What a referee gave each candidate; None when it did not score every candidate once."""
        marks = None if outcome.answer is None else outcome.answer.output
        if not isinstance(marks, Marks) or sorted(marks.scores) != sorted(self.labels):
            return None
        return {key: marks.scores[name] for key, name in zip(self.orders[order], self.labels, strict=True)}

    def _with(self, outcomes: Sequence[Outcome]) -> dict[str, dict[int, dict[str, int]]]:
        """The scores, with those of a turn that is under way from the referees that have given both orders in it."""
        marks = dict(self.marks)
        for name in {outcome.member for outcome in outcomes}:
            # The first order's jobs stand before the second's.
            mine = [outcome for outcome in outcomes if outcome.member == name]
            both = {order: self._scores(outcome, order) for order, outcome in enumerate(mine)}
            whole = {order: scores for order, scores in both.items() if scores is not None}
            if len(whole) == 2:
                marks[name] = whole
        return marks

    async def _summarize(self, turn: int, outcomes: Sequence[Outcome]) -> None:
        run = self.run
        by = run.seat("summarizer")
        count = len(run.members)
        jobs = [
            Job(
                str(order), by, run.prompts(
                    "summarize", task=self.text, answers=fenced_all(self._lines(outcomes[order * count :][:count]))
                ), attempt=order,
            )
            for order in range(2)
        ]  # fmt: skip
        summaries = await run.ask_jobs(jobs, stage="summarize", round=turn, question=self.task.id)
        for order, outcome in enumerate(summaries):
            run.raise_refusal(outcome)
            if outcome.ok:
                self.said[order].append((f"Summary of turn {turn + 1}", outcome.text))
            else:
                run.run.warn(f"{by.name} gave no summary ({outcome.error}); what was said is shown in full instead")
                self.said[order].extend(self._lines(outcomes[order * count :][:count]))

    def require_quorum(self) -> None:
        """Raise QuorumMissed when too few referees gave an answer to both orders of the last turn.

        Who answered, and did not score exactly the candidates, abstains: that is for the rule to count.
        """
        worst = [next((each for each in both if not each.ok), both[0]) for both in self.last.values()]
        self.run.require(worst, self.how.needed(len(worst)))

    def decision(self, marks: Mapping[str, Mapping[int, Mapping[str, int]]] | None = None) -> Decision:
        """What the scores (`marks`, by default all that count) come to, averaged over both orders."""
        given = self.marks if marks is None else marks
        whole = {name: both for name, both in given.items() if len(both) == 2}
        means = {
            name: {key: ratio(both[0][key] + both[1][key], 2) for key in self.orders[0]} for name, both in whole.items()
        }
        members = len(self.run.members)
        ballots = [Ballot(scores=means[each.name], voter=each.name) if each.name in means else None
                   for each in self.run.members]  # fmt: skip
        rule = Score(low=LOW, high=HIGH, quorum=self.how.needed(members), tie_break=())
        decision = rule.decide(ballots, seed=self.run.seed, eligible=members, candidates=self.orders[0])
        alpha = krippendorff(
            # Of the sums of both orders: alpha is the same at every scale.
            [[both[0][key] + both[1][key] for both in whole.values()] for key in self.orders[0]],
            metric="interval",
        )
        turned = sum(_best(both[0]) != _best(both[1]) for both in whole.values())
        agreed = "cannot be told" if alpha is None else f"is {alpha:.2f} (Krippendorff's alpha)"
        told = f"Agreement of the referees {agreed}; {turned} of {len(whole)} prefer another when the order changes."
        return decision.model_copy(update={"explanation": f"{decision.explanation} {told}".strip()})

    def best(self, marks: Mapping[str, Mapping[int, Mapping[str, int]]] | None = None) -> Answer | None:
        """What the scores so far (`marks`) come to, when enough referees have given them in both orders."""
        decision = self.decision(marks)
        if decision.winner is None:
            return None
        return Answer(self.candidates[decision.winner], decision=decision)


@functools.lru_cache(maxsize=64)  # making a schema takes longer than all else that is done for a call
def _shape(labels: tuple[str, ...]) -> Shape[Marks]:
    schema = Marks.model_json_schema()
    score = {"type": "integer", "minimum": LOW, "maximum": HIGH}
    schema["properties"]["scores"] = {
        "type": "object", "properties": dict.fromkeys(labels, score), "required": list(labels),
        "additionalProperties": False,
    }  # fmt: skip
    return Shape(Marks, schema=schema)


def _best(scores: Mapping[str, int]) -> set[str]:
    most = max(scores.values())
    return {key for key, score in scores.items() if score == most}
