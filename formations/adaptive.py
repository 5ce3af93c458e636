"""One answer, then a vote, then a debate: each only where the one before leaves doubt, and nothing is asked twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field, StrictFloat, StrictInt

from phalanx.agents.output import Shape
from phalanx.agents.prompts import fenced
from phalanx.agents.task import Task
from phalanx.errors import ConfigurationError, MemberFailed, ValidationError
from phalanx.messages import Data

from .base import Answer, Asking, FormationModel, Member, Stage, Wiring
from .count import Counted
from .debate import Debate
from .gather import Gathering
from .one_voice import warn_of_one_voice
from .rule_field import RuleField
from .samples import (
    Samples,
    ahead,
    answer_of,
    check_part,
    check_rule,
    check_stop,
    check_turns,
    stop_text,
)
from .team_run import TeamRun
from .voting import Equivalence, Plurality
from .voting.composed import StopField
from .voting.stopping import Beta

FEW = 5
"""The samples that are drawn at most when nobody says how many."""


class Confidence(Data):
    """How likely a member thinks its answer is right, from 0 to 1."""

    confidence: float = Field(ge=0, le=1)


class Adaptive(Gathering):
    """Single, then vote, then debate: more is spent only where answers disagree.

    Level 1 is the first member's answer; with `confidence` it is asked, in a call of its own, how likely its answer is
    right, and a probability of at least `confidence` ends it here. Without, one answer alone never does: what a model
    says of itself is inflated. Level 2 is a vote: samples from the members in turn, the first answer among them, until
    `stop` is reached (Adaptive-Consistency: Aggarwal et al. 2023, arXiv:2305.11860), or `samples` are drawn (default:
    five, or one of each member when there are more). Where it is not reached, the members debate at level 3 for
    `rounds` revisions over the first answer that each has given (Du et al. 2023, arXiv:2305.14325).

    The decision's explanation says which level answered, and why. rule, equivalence: of the vote and of the debate.
    quorum: how many of the samples, then of the debating members, must answer (default: half). deadline: seconds for
    each gathering. A run that is stopped has the best answer of the level it was at.
    """

    kind: Literal["adaptive"] = "adaptive"
    confidence: float | None = Field(default=None, gt=0, le=1)
    samples: StrictInt | None = Field(default=None, ge=1)
    stop: StopField = Beta.model_construct()
    rounds: int = Field(default=1, ge=1)
    rule: RuleField = Plurality.model_construct(tie_break=())
    equivalence: Equivalence = Equivalence()
    quorum: StrictInt | StrictFloat | None = 0.5

    summary: ClassVar[str] = "one answer, then a vote, then a debate, each only where the one before leaves doubt"
    calls: ClassVar[str] = "samples + n * rounds"
    least: ClassVar[int] = 2
    stages: ClassVar[Mapping[str, Stage]] = {
        "draft": Stage(("draft",)),
        "confidence": Stage(("confidence",), shaped=True),
        "revise": Stage(("revise",)),
    }

    def most(self, members: int) -> int:
        """How many samples so many `members` give at most."""
        return max(FEW, members) if self.samples is None else self.samples

    def check(self, members: Sequence[Member]) -> None:
        FormationModel.check(self, members)
        most = self.most(len(members))
        check_turns(self.kind, most, members)
        check_part(self.quorum, len(members), "members")
        if self.stop is None:
            raise ValidationError("stop=None: without a stop rule nothing says when a vote is enough; give beta(0.95)")
        check_stop(self.stop, most)
        check_rule(self.rule, members)
        if self.confidence is not None and hasattr(members[0].who, "run_inside"):
            raise ConfigurationError(
                f"confidence={self.confidence} needs an agent as the first member: it is asked for a number, and the "
                f"team {members[0].name!r} answers in plain text"
            )

    def plan(self, members: Sequence[Member]) -> list[Asking]:
        asks = [Asking(members[at % len(members)].name, "draft") for at in range(self.most(len(members)))]
        if self.confidence is not None:
            asks.insert(1, Asking(members[0].name, "confidence", 0, 1))
        return asks + [asking for asking in self._debate().plan(members) if asking.stage == "revise"]

    def wiring(self, members: Sequence[Member]) -> Wiring:
        return self._debate().wiring(members)

    async def __call__(self, run: TeamRun, task: Task, /) -> Answer:
        most = self.most(len(run.members))
        samples = Samples(run, task, most, self.needed(most), self.rule, self.equivalence)
        warn_of_one_voice(run, most)
        run.begin("draft")
        doubts: list[str] = []
        if self.confidence is not None:
            await self._draw(run, samples, 1)
            counted = samples.count(samples.drawn, 1)
            sure, why = await self._sure(run, task, counted)
            if sure:
                return _ended(run, counted, 1, [why])
            doubts.append(why)
        agreed = bool(samples.drawn) and self._agreed(samples)
        while len(samples.drawn) < most and not agreed:
            await self._draw(run, samples, ahead(self.stop, samples.answers(), most))
            agreed = self._agreed(samples)
        run.require(samples.drawn, self.needed(len(samples.drawn)))
        counted = samples.count(samples.drawn, len(samples.drawn))
        rule, drawn = stop_text(self.stop), len(samples.drawn)
        if agreed:
            return _ended(run, counted, 2, [*doubts, f"{rule} was reached by {drawn} samples"])
        doubts.append(f"{rule} was not reached by {drawn} samples")
        debate = self._debate()
        first = {outcome.member: outcome for outcome in reversed(samples.drawn) if outcome.ok}
        drafts = [first[member.name] for member in run.members if member.name in first]
        if len(drafts) < max(2, debate.needed(len(run.members))):
            run.run.warn("too few members answered for a debate; the vote on their samples stands")
            return _ended(run, counted, 2, [*doubts, "too few members answered for a debate"])
        run.decided(counted.decision)
        talk = await debate.deliberate(run, task, drafts, samples.read)
        return _explained(debate.conclude(talk), 3, doubts)

    async def _draw(self, run: TeamRun, samples: Samples, more: int) -> None:
        for outcome in await samples.draw(more, deadline=self.deadline):
            run.raise_refusal(outcome)

    def _agreed(self, samples: Samples) -> bool:
        """Whether the vote may answer: the stop rule is reached, and the rule decides."""
        if not self.stop.reached(samples.answers()):
            return False
        return samples.count(samples.drawn, len(samples.drawn)).decision.winner is not None

    async def _sure(self, run: TeamRun, task: Task, counted: Counted) -> tuple[bool, str]:
        """Whether the first answer is enough, and why."""
        if counted.decision.winner is None:
            return False, "the first member gave no answer that can be read"
        (outcome,) = counted.outcomes.values()
        prompt = run.prompts("confidence", task=run.text(task), own=fenced(outcome.text, "yourself"))
        run.begin("confidence")
        try:
            result = await run.ask(
                outcome.member, prompt, stage="confidence", shape=Shape(Confidence), question=task.id
            )
        except MemberFailed as failed:
            run.run.warn(f"{outcome.member} did not say how sure it is ({failed})")
            return False, f"{outcome.member} did not say how sure it is"
        said: Confidence = result.output
        told = f"{outcome.member} gives its answer a probability of {said.confidence:g}"
        if said.confidence >= (self.confidence or 0):
            return True, f"{told}, and {self.confidence:g} is enough"
        return False, f"{told}, and {self.confidence:g} is asked for"

    def _debate(self) -> Debate:
        # Every option has been validated here.
        given = {name: getattr(self, name) for name in ("rounds", "rule", "equivalence", "quorum", "deadline")}
        return _DEBATE.model_copy(update=given)


_DEBATE = Debate.model_construct(trigger="always")
_NAMES = {1: "single", 2: "vote", 3: "debate"}


def _ended(run: TeamRun, counted: Counted, level: int, why: Sequence[str]) -> Answer:
    """The answer of a count, which ends the run."""
    run.record(counted, 0)
    answer = answer_of(counted)
    assert answer is not None
    return _explained(answer, level, why)


def _explained(answer: Answer, level: int, why: Sequence[str]) -> Answer:
    decision = answer.decision
    assert decision is not None
    text = f"level {level} of 3 ({_NAMES[level]}): {'; '.join(why)}. {decision.explanation}"
    return replace(answer, decision=decision.model_copy(update={"explanation": text}))
