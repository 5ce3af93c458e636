"""A formation's view of a run: members that can be asked, a board, and a best answer in case it is stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from phalanx.agents.agent import Agent
from phalanx.agents.models.model import Model
from phalanx.agents.output import Shape
from phalanx.agents.prompts import Prompts
from phalanx.agents.result import AgentResult
from phalanx.agents.task import Task
from phalanx.errors import AccessDenied, ConfigurationError, LimitExceeded, MemberFailed
from phalanx.runtime.alongside import Alongside
from phalanx.runtime.board import Blackboard
from phalanx.runtime.entries import Entry
from phalanx.runtime.events import BallotCast, BoardWritten, Decided, RoundStarted
from phalanx.runtime.human import ask_human
from phalanx.runtime.limits import Account, Accounts
from phalanx.runtime.regions import Identity
from phalanx.runtime.run import Run
from phalanx.runtime.views import build_view

from .answers import REGION, Answers, post
from .answers import identity as identity
from .base import Answer, Member, Outcome, Round, require
from .enough import Enough, telling
from .fences import Fences
from .one_asking import OneAsking
from .side_by_side import Job as Job
from .side_by_side import Say as Say
from .side_by_side import Until as Until
from .side_by_side import prompt_for, side_by_side

if TYPE_CHECKING:
    from .comparing import Comparing
    from .count import Counted
    from .voting import Decision

Best = Callable[[Sequence[Outcome]], Answer | None]


class TeamRun:
    """What a formation is called with.

    run: the branch of the execution that it works in. team: the team's name. everyone: all members in seat order;
    `members` are those without a special seat. prompts: the words it speaks. default_model: for members without one of
    their own. board: what all can see (a new one, if none is given), with every member's answer in the region
    "answers". history: every outcome so far, in the order of the asking.
    """

    def __init__(
        self,
        run: Run,
        team: str,
        everyone: Sequence[Member],
        *,
        prompts: Prompts | None = None,
        default_model: Model | None = None,
        board: Blackboard | None = None,
    ) -> None:
        self.run, self.team, self.everyone = run, team, tuple(everyone)
        self.prompts, self.default_model = prompts or Prompts(), default_model
        self.history: list[Outcome] = []
        self.rounds: list[Round] = []
        self.cut_short: LimitExceeded | None = None
        self.comparing: Comparing | None = None
        self._op = f"{run.run_id}/{'/'.join(run.path)}"
        self._seen = 0
        self.fences = Fences()
        # A board of its own, in a run that nobody sees, is written when somebody looks at it.
        self.answers = Answers(f"board/{self._op}", self._op)
        self._identities: dict[str, Identity] = {}
        self._accounts: dict[str, Account] = {}
        self._board = board
        if board is not None:
            board.declare(REGION)
        elif not run.execution.unseen:
            log = run.execution.log
            self._board = self.answers.board(
                log if log.instant else Alongside(run.execution),
                partial(_written, run),
                is_new=run.execution.playback is None,
            )
        self.members = tuple(member for member in self.everyone if member.seat is None)
        self._best: Callable[[], Answer | None] | None = None

    @property
    def seed(self) -> int:
        """The seed of all chance in the run."""
        return self.run.seed

    @property
    def board(self) -> Blackboard:
        """What all can see."""
        if self._board is None:
            self._board = self.answers.board(self.run.execution.log)
        return self._board

    @property
    def is_board_made(self) -> bool:
        """Whether there is a board, and not only `answers` that could be put on one."""
        return self._board is not None

    def seat(self, name: str) -> Member:
        """The member in the special seat `name`. Raises ConfigurationError when it is empty."""
        if (member := self.seat_or_none(name)) is None:
            raise ConfigurationError(f"team {self.team!r} has nobody in the seat {name!r}")
        return member

    def seat_or_none(self, name: str) -> Member | None:
        """The member in the special seat `name`, or None."""
        return next((member for member in self.everyone if member.seat == name), None)

    def member(self, name: str) -> Member:
        """The member of this `name`. Raises ConfigurationError when there is none."""
        for member in self.everyone:
            if member.name == name:
                return member
        raise ConfigurationError(f"team {self.team!r} has no member {name!r}")

    def roster(self, members: Sequence[Member] | None = None) -> str:
        """The `members` (default: those without a special seat) as a prompt shows them: name, role, duty, skills."""
        return "\n".join(
            f"- {member.name} ({member.role.name}): {member.role.described_duty}"
            + (f" Knows: {', '.join(member.skills)}." if member.skills else "")
            for member in (self.members if members is None else members)
        )

    def names(self) -> str:
        """The members' names in one line."""
        return ", ".join(member.name for member in self.members)

    def text(self, task: Task) -> str:
        """A `task` as members are shown it."""
        return task.render(self.prompts)

    def begin(self, stage: str, round: int = 0) -> None:
        """Say in the event stream that a `stage` begins, in its `round`."""
        self.run.emit(RoundStarted, stage, round)

    def record(self, counted: Counted, round: int) -> None:
        """Keep a `round` of a vote, and say in the event stream what was counted (`counted`) and decided."""
        if not self.run.execution.unseen:
            for name, choice in counted.choices.items():
                self.run.emit(BallotCast, name, round, choice)
        texts = {name: outcome.text for name, outcome in counted.outcomes.items()}
        choices = dict(counted.choices)
        self.rounds.append(Round(round, texts, choices, counted.decision, counted.rule, counted.ballots))
        self.decided(counted.decision)

    def decided(self, decision: Decision) -> None:
        """Say in the event stream what a rule decided (`decision`)."""
        if self.run.execution.unseen:
            return
        tally = tuple((name, float(votes)) for name, votes in decision.tally.items())
        self.run.emit(Decided, decision.status, decision.winner, tally, decision.explanation)

    async def see(self, member: Member, *, tokens: int, about: str = "") -> tuple[str, tuple[Entry, ...]]:
        """What a member may see of the board within a budget, as fenced data; and the entries it is shown.

        tokens: the budget, estimated. about: words that make an entry relevant.
        """
        # A snapshot with a name of its own: a resumed run is shown the same as before, whatever was written since.
        self._seen += 1
        op, who = f"{self._op}/see-{self._seen}", self.identity(member)
        if self._board is None and self.answers.is_only:
            # What stands on the board is known, and so is the view of it, without a board.
            shown = self.answers.look(who, op)
            view = build_view(shown, reader=who.name, tokens=tokens, about=about, seq=self.answers.seq)
        else:
            now = await self.board.as_member(who).snapshot(op=op)
            view = await now.view(tokens=tokens, about=about)
        if over := [each for each in view.dropped if each.reason == "budget"]:
            self.run.warn(f"{member.name} is not shown {len(over)} entries of the board: they are over {tokens} tokens")
        return self.fences.around(view.parts), view.included

    async def post(self, outcome: Outcome, causes: Sequence[Entry] = ()) -> None:
        """Put a member's answer on the board, in its name; one whose role may not write there is left out, and said so.

        outcome: the answer. causes: the entries it was shown.
        """
        if not outcome.ok:
            return
        who = self._identities.get(outcome.member) or self.identity(self.member(outcome.member))
        if self._board is None:
            self.answers.add(who, outcome, causes)
            return
        try:
            await post(self._board, who, outcome, causes, self._op)
        except AccessDenied as denied:
            self.run.warn(f"{outcome.member}'s answer is not on the board: {denied}")

    def identity(self, member: Member) -> Identity:
        """A `member` as the board knows it: its name, its role and the role's rights."""
        if (who := self._identities.get(member.name)) is None:
            who = self._identities[member.name] = identity(member)
        return who

    def accounts_of(self, member: Member, around: Accounts) -> Accounts:
        """What an asking of a `member` draws on: its own account, the same in every asking of the run, then `around`.

        So a member's calls, tokens and money are limited over the whole run; its seconds are those of one asking.
        """
        limits = member.who.limits
        if limits is None:
            return around
        if member.name not in self._accounts:
            name = repr(member.name)
            if not isinstance(member.who, Agent):
                # How deep teams may be nested inside it, a nested team sees to itself.
                limits, name = limits.model_copy(update={"depth": None}), f"team {name}"
            self._accounts[member.name] = Account(limits, name)
        return Accounts((self._accounts[member.name], *around.chain))

    # -- the best answer so far ------------------------------------------------------------------------------------

    def hold(self, best: Answer | str | Callable[[], Answer | None]) -> None:
        """Keep what to answer with (`best`) if a limit stops it after this; a function is asked only then."""
        if isinstance(best, str):
            best = Answer(best)
        self._best = best if callable(best) else lambda: best

    def best(self) -> Answer | None:
        """The best answer so far: what is held, else the last answer that anybody gave, else None."""
        if self._best is not None:
            return self._best()
        last = next((outcome for outcome in reversed(self.history) if outcome.ok), None)
        return None if last is None else Answer(last.text, last.answer and last.answer.output, author=last.member)

    def let_go(self) -> None:
        """Let go of what is held, once it is over: it often holds the run, and a circle waits for the collector."""
        self._best = None

    # -- asking ----------------------------------------------------------------------------------------------------

    async def ask(
        self,
        member: Member | str,
        prompt: str,
        *,
        stage: str = "ask",
        round: int = 0,
        attempt: int = 0,
        shape: Shape[Any] | None = None,
        question: str = "",
    ) -> AgentResult:
        """Ask one member and give its answer.

        prompt: what it is told. stage, round, attempt: what the asking is for. shape: the type of the answer.
        question: the task's id. Raises LimitExceeded when a limit refused it, MemberFailed when it gives no answer,
        TypeError for a member or prompt that is none.
        """
        outcome = await self.try_ask(
            member, prompt, stage=stage, round=round, attempt=attempt, shape=shape, question=question
        )
        if outcome.answer is None:
            if isinstance(outcome.failure, LimitExceeded | ConfigurationError):
                raise outcome.failure
            raise MemberFailed(outcome.member, outcome, f"gave no answer ({outcome.status}): {outcome.error}")
        return outcome.answer

    async def try_ask(
        self,
        member: Member | str,
        prompt: str,
        *,
        stage: str = "ask",
        round: int = 0,
        attempt: int = 0,
        shape: Shape[Any] | None = None,
        question: str = "",
        causes: Sequence[Entry] = (),
    ) -> Outcome:
        """Ask one member and give its outcome, whatever it is; takes what `ask` takes, raises nothing of its.

        causes: the entries of the board that its prompt shows. Raises TypeError for a member or prompt that is none.
        """
        if isinstance(member, str):
            member = self.member(member)
        elif not isinstance(member, Member):
            raise TypeError(f"who is asked is a member or its name, not {type(member).__name__}")
        asking = OneAsking(self, self._place(stage, round), member, stage, round, attempt, shape, question)
        outcome = await asking.outcome(prompt)
        self.history.append(outcome)
        await self.post(outcome, causes)
        return outcome

    async def ask_all(
        self,
        prompts: Say,
        *,
        stage: str = "ask",
        round: int = 0,
        members: Sequence[Member] | None = None,
        attempts: int = 1,
        shape: Shape[Any] | None = None,
        question: str = "",
        deadline: float | None = None,
        until: Until | None = None,
        best: Best | None = None,
    ) -> list[Outcome]:
        """Ask several members at the same time; their outcomes in seat order, whatever became of each.

        prompts: the same text for all, or one by member name, or a function of the member. attempts: how often each
        is asked. deadline: seconds after which those still working are timed out. until: called with the outcomes
        so far, in seat order, after each answer; when it is true the rest are cancelled. best: what the answer would
        be if the run were stopped with only some of the outcomes. stage, round, shape, question: as in `ask`.
        """
        asked = self.members if members is None else members
        jobs = [
            Job(f"{member.name}-{attempt}", member, prompt_for(prompts, member), attempt=attempt)
            for member in asked
            for attempt in range(attempts)
        ]
        return await self.ask_jobs(
            jobs, stage=stage, round=round, shape=shape, question=question, deadline=deadline, until=until, best=best
        )

    async def ask_jobs(
        self,
        jobs: Sequence[Job],
        *,
        stage: str = "ask",
        round: int = 0,
        shape: Shape[Any] | None = None,
        question: str = "",
        deadline: float | None = None,
        until: Until | None = None,
        best: Best | None = None,
    ) -> list[Outcome]:
        """Ask members in the order their jobs depend on each other, at the same time where they do not.

        A job whose `after` names others waits for their outcomes, whatever they are, and its prompt may be a function
        of them. Gives the outcomes in the order of the jobs. The other options are those of `ask_all`.
        """
        place = self._place(stage, round)
        askings = [OneAsking(self, place, job.member, stage, round, job.attempt, shape, question) for job in jobs]
        ended: dict[str, Outcome] = {}
        # What an answer is worth is known once it has been compared with all others.
        enough = None if until is None or self.comparing is not None else Enough(until)

        def so_far() -> list[Outcome]:
            return [ended[job.id] for job in jobs if job.id in ended]

        if best is not None:
            self.hold(lambda: best(so_far()))
        try:
            await side_by_side(telling(jobs), askings, place, ended, deadline=deadline, until=enough)
        finally:
            done = so_far()
            self.history += done
        if enough is not None and enough.broken is not None:
            raise enough.broken
        for outcome in done:
            await self.post(outcome)
        if self.comparing is not None:
            await self.comparing.take(done, stage)
        return list(done)

    @staticmethod
    def raise_refusal(outcome: Outcome) -> None:
        """Raise the LimitExceeded that an outcome died of, if it did."""
        if isinstance(outcome.failure, LimitExceeded):
            raise outcome.failure

    def _place(self, stage: str, round: int) -> Run:
        return self.run.branch(f"{stage}-{round}" if round else stage)

    async def ask_human(
        self, text: str, *, options: Sequence[str] = (), within: float | None = None, default: str | None = None
    ) -> str:
        """Ask a person, as a step that is journaled and never asked twice.

        text: the question. options: what may be answered; empty is anything. within: seconds after which `default` is
        the answer. default: also the answer when nobody is there. Raises ConfigurationError when there is nobody and no
        default, TimeoutError when time is over and there is none, TypeError when the question, an option or the answer
        is no text.
        """
        if isinstance(options, str):
            raise TypeError(f"options are a list of texts; write options=[{options!r}]")
        return await ask_human(self.run, text, options=tuple(options), within=within, default=default)

    def require(self, outcomes: Sequence[Outcome], quorum: int | Fraction | None = None) -> list[Outcome]:
        """The outcomes that are answers.

        quorum: how many there must be, or what part of those asked; None is all. Raises, when there are fewer, the
        LimitExceeded that is why, or the ConfigurationError if all failed for one, or QuorumMissed.
        """
        return require(outcomes, quorum)


def _written(run: Run, entry: Entry) -> None:
    """Say what was written on the board: by the run alone, so that a board does not hold the team that holds it."""
    op = "retract" if entry.retracted else "post"
    run.emit(BoardWritten, entry.region, entry.key, entry.version, entry.author, op)
