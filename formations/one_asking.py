"""One asking of one member: in a branch of its own, with its limits, and whatever becomes of it is its outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phalanx.agents.agent import Agent
from phalanx.agents.loop import Turn, take
from phalanx.agents.output import Shape
from phalanx.agents.result import AgentResult
from phalanx.agents.task import Task
from phalanx.errors import LimitExceeded, LogError
from phalanx.messages import About, Message
from phalanx.runtime.events import MemberFinished, MemberStarted, OutcomeStatus
from phalanx.runtime.run import Run

from .base import Member, Outcome

if TYPE_CHECKING:
    from .team_run import TeamRun


class OneAsking:
    """One asking of one member, in a branch of its own."""

    def __init__(
        self,
        team: TeamRun,
        place: Run,
        member: Member,
        stage: str,
        round: int,
        attempt: int,
        shape: Shape[Any] | None,
        question: str,
    ) -> None:
        self.team, self.member, self.shape = team, member, shape
        self.stage, self.round, self.attempt, self.question = stage, round, attempt, question
        is_agent = isinstance(member.who, Agent)
        self.limits = member.who.limits
        self.branch = place.branch(member.name, deeper=not is_agent)
        self.branch.accounts = team.accounts_of(member, self.branch.accounts)
        self.messages: tuple[Message, ...] = ()
        self.turn: Turn | None = None

    async def outcome(self, prompt: str) -> Outcome:
        """Ask, and say how it ended; only cancellation passes through, and a prompt that is none."""
        member = self.member
        check_text(prompt, member)
        self.branch.emit(MemberStarted, member.name, member.role.name, self.stage, self.round, prompt)
        seconds = self.limits.seconds if self.limits and isinstance(member.who, Agent) else None
        answer: AgentResult | None = None
        late = False
        try:
            if seconds is None:
                answer = await self._answer(prompt)
            else:
                with self.branch.deadline(seconds) as scope:
                    answer = await self._answer(prompt)
                late = scope.cancelled_caught
        except LimitExceeded as refusal:
            return await self._ended("refused", refusal)
        except TimeoutError as timeout:
            return self.ended("timed_out", timeout)
        except LogError:
            raise  # the run's own journal: nothing that one member could be said to have failed at
        except Exception as failure:  # noqa: BLE001 - whatever a member dies of is its outcome, not its siblings' end
            return await self._ended("failed", failure)
        if answer is None or late:
            return self.ended("timed_out", TimeoutError())
        if not answer.strip():
            return await self._ended("failed", ValueError("it answered nothing"))
        return await self._ended("ok", None, answer)

    async def _ended(
        self, status: OutcomeStatus, failure: BaseException | None, answer: AgentResult | None = None
    ) -> Outcome:
        """The outcome of a member that came to its end by itself."""
        if (playback := self.branch.execution.playback) is not None:
            await playback.member_ended(self.branch.path, self.member.name)
        outcome = self.ended(status, failure, answer)
        if self.branch.execution.busy:
            # Others are being asked: who follows the run should not have to wait for them.
            await self.branch.execution.flush_now()
        return outcome

    def ended(self, status: OutcomeStatus, failure: BaseException | None, answer: AgentResult | None = None) -> Outcome:
        """The outcome, after its event."""
        error = None if failure is None else (str(failure) or type(failure).__name__)
        if status == "cancelled":
            error = "its answer was not needed any more, or the run was cancelled"
        elif status == "timed_out":
            error = "no answer in time"
        usage, text = self.branch.usage, "" if answer is None else answer.content
        self.branch.emit(MemberFinished, self.member.name, self.stage, self.round, status, text, usage, error)
        return Outcome(
            member=self.member.name,
            role=self.member.role.name,
            stage=self.stage,
            round=self.round,
            status=status,
            answer=answer,
            error=error,
            usage=usage,
            messages=self._sent() if answer is None else answer.messages,
            failure=failure,
            inside=() if isinstance(self.member.who, Agent) else _members_of(answer, failure),
            path=self.branch.path,
        )

    async def _answer(self, prompt: str) -> AgentResult:
        who, team = self.member.who, self.team
        if not isinstance(who, Agent):
            self.messages = (Message(role="user", content=prompt),)
            return await who.run_inside(team, self.branch, Task(prompt, id=self.question), shape=self.shape)
        about = About(
            self.branch.path, self.member.name, self.member.role.name, self.stage, self.round, self.attempt,
            self.question, team.seed,
        )  # fmt: skip
        model = await who.model_or(team.default_model)
        turn = await who.turn(
            prompt,
            model=model,
            role=self.member.role,
            prompts=team.prompts,
            shape=self.shape,
            about=about,
            now=team.run.started,
        )
        self.turn = turn
        return await take(self.branch, turn)

    def _sent(self) -> tuple[Message, ...]:
        """What it was sent, or would have been, when there is no answer that knows."""
        if self.turn is None:
            return self.messages
        return (Message(role="system", content=self.turn.system), Message(role="user", content=self.turn.prompt))


def _members_of(answer: object, failure: object) -> tuple[Outcome, ...]:
    """What became of a nested team's members, whether it answered or failed."""
    result = getattr(failure, "result", None) if answer is None else answer
    found: tuple[Outcome, ...] = getattr(result, "members", ())
    return found


def check_text(prompt: object, member: Member) -> None:
    if not isinstance(prompt, str):
        raise TypeError(f"{member.name!r} is asked with text, and not with {type(prompt).__name__}: {prompt!r}")
