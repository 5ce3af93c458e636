"""Members bid for a task, sealed; who promises most for its cost does it, and is held to what it promised."""

from __future__ import annotations

import functools
import inspect
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import Field, StrictFloat, StrictInt

from phalanx.agents.output import Shape
from phalanx.agents.prompts import fenced
from phalanx.agents.task import Task
from phalanx.errors import AccessDenied, ConfigurationError, ValidationError
from phalanx.messages import Data
from phalanx.runtime.board import Blackboard
from phalanx.runtime.entries import Entry
from phalanx.runtime.reading import Snapshot
from phalanx.runtime.regions import Region
from phalanx.settings import nearest

from .base import Answer, Asking, Member, Outcome, Stage, Wiring
from .count import count, undecided_text
from .gather import Gathering
from .one_voice import warn_of_one_voice
from .receipts import note
from .reputation import Settlement, standings
from .rule_field import RuleField
from .team_run import TeamRun, identity
from .voting import Equivalence, Plurality

D = TypeVar("D", bound=Data)
Settle = Callable[[str, Task], "float | Awaitable[float]"]

BIDS, REPUTATION = "bids", "reputation"


class Offer(Data):
    """A bid: the probability of being right, and what part of the task's worth the work would use up."""

    confidence: float = Field(ge=0, le=1)
    cost: float = Field(default=0.0, ge=0, le=1)


class Appraisal(Data):
    """How right an answer is, from 0 (wrong) to 1 (right), and what decides that."""

    outcome: float = Field(ge=0, le=1)
    reason: str = ""


# Ballots: written once by each member, and sealed until all are in. Nobody but the run writes reputations.
REGIONS = (Region(BIDS, Offer, "ballots"), Region(REPUTATION, Settlement, writes=()))


class Market(Gathering):
    """A sealed-bid market: bids of confidence and cost, the best expected value works, outcomes settle reputations.

    A contract net (Smith 1980, doi 10.1109/TC.1980.1675516) whose bids are reconciled with what came of them. A bid is
    worth confidence · reputation - cost; the `winners` best do the task, each unseen by the others; who fails is
    replaced by the next bidder. Reputations begin at 1, or at `reputation`, and change with each settled promise as
    `Standing.reputation` says, so that promising the truth pays best. They are kept on the team's board: give the team
    one that outlives its runs, else each run begins anew.

    winners: how many do the task; several are voted on by `rule`, and `equivalence` says which answers are the same.
    reputation: reputations to begin with, by member. settle: a function of (answer, task) that says how right an answer
    is, from 0 to 1; it may be async. Without it somebody in the seat "verifier" says so; with neither, nothing is
    settled. A winner is accepted from an outcome of `accept`; below, the status is "partial". quorum: how many must bid
    (default: one). deadline: seconds for the bids, and for the work.
    """

    kind: Literal["market"] = "market"
    winners: int = Field(default=1, ge=1)
    reputation: Mapping[str, float] = Field(default_factory=dict)
    settle: Any = Field(default=None, repr=False)
    accept: float = Field(default=0.5, ge=0, le=1)
    rule: RuleField = Plurality(tie_break=())
    equivalence: Equivalence = Equivalence()
    quorum: StrictInt | StrictFloat | None = 1

    summary: ClassVar[str] = (
        "members bid confidence and cost, sealed; the best expected value does the task, and is held to its promise"
    )
    calls: ClassVar[str] = "n + winners * (1 + verifier)"
    least: ClassVar[int] = 2
    optional_seats: ClassVar[tuple[str, ...]] = ("verifier",)
    typed_seats: ClassVar[tuple[str, ...]] = ("verifier",)
    stages: ClassVar[Mapping[str, Stage]] = {
        "bid": Stage(("bid",), shaped=True),
        "work": Stage(("draft",)),
        "settle": Stage(("appraise",), shaped=True),
    }

    def __hash__(self) -> int:
        plain = [value for _, value in self if not isinstance(value, dict)]
        return hash((*plain, tuple(sorted(self.reputation.items()))))

    def check(self, members: Sequence[Member]) -> None:
        super().check(members)
        names = [member.name for member in members if member.seat is None]
        for member in members:
            if member.seat is None and hasattr(member.who, "run_inside"):
                raise ConfigurationError(
                    f"the team {member.name!r} cannot bid, for it answers in plain text: make an agent of it a member"
                )
        if self.winners > len(names):
            raise ValidationError(f"winners={self.winners}, but there are {len(names)} members to bid")
        for name, value in self.reputation.items():
            if name not in names:
                raise ConfigurationError(f"reputation names {name!r}, who is no bidder{nearest(name, names)}")
            if not 0 <= value <= 1:
                raise ValidationError(f"the reputation of {name!r} is {value}; it begins from 0 to 1")
        if self.settle is not None:
            if not callable(self.settle):
                raise ConfigurationError("settle must be a function of (answer, task) that gives a number from 0 to 1")
            if (idle := next((each.name for each in members if each.seat == "verifier"), None)) is not None:
                raise ConfigurationError(f"verifier={idle!r} would never be asked: settle= says what came of it")

    def plan(self, members: Sequence[Member]) -> list[Asking]:
        """Every asking of `members` when nobody fails; the first bidders by seat stand for the winners."""
        free = [member.name for member in members if member.seat is None]
        verifier = next((member.name for member in members if member.seat == "verifier"), None)
        asks = [Asking(name, "bid") for name in free]
        asks += [Asking(name, "work") for name in free[: self.winners]]
        return asks if verifier is None else asks + [Asking(verifier, "settle", at, 1) for at in range(self.winners)]

    def wiring(self, members: Sequence[Member]) -> Wiring:
        free = tuple(member.name for member in members if member.seat is None)
        verifier = next((member.name for member in members if member.seat == "verifier"), None)
        return Wiring(free, free, () if verifier is None else tuple((name, "-->", verifier) for name in free))

    async def __call__(self, run: TeamRun, task: Task, /) -> Answer:
        trade = _Trade(self, run, task)
        offers = await trade.bids()
        await trade.work(trade.ranked(offers))
        outcomes = await trade.settled(offers)
        return trade.answer(outcomes)


@dataclass(frozen=True, slots=True)
class _Bidder:
    member: Member
    offer: Offer
    worth: float


class _Trade:
    """One task on the market."""

    def __init__(self, formation: Market, run: TeamRun, task: Task) -> None:
        self.formation, self.run, self.task = formation, run, task
        self.text = run.text(task)
        self.op = f"{run.run.run_id}/{'/'.join(run.run.path)}/market"
        self.done: list[Outcome] = []
        self.reputations: dict[str, float] = {}

    async def bids(self) -> dict[str, Offer]:
        """What each member offers, unseen by the others."""
        formation, run = self.formation, self.run
        known = standings(await self._settlements(), formation.reputation)
        self.reputations = {
            member.name: known[member.name].reputation if member.name in known else 1.0 for member in run.members
        }
        run.begin("bid")
        prompt = run.prompts("bid", task=self.text)
        outcomes = await formation.gather(run, prompt, stage="bid", shape=_shape(Offer), question=self.task.id)
        good = run.require(outcomes, formation.needed(len(run.members)))
        for outcome in outcomes:
            run.raise_refusal(outcome)
        offers: dict[str, Offer] = {}
        for outcome in good:
            assert outcome.answer is not None
            offers[outcome.member] = outcome.answer.output
        await note(run, functools.partial(self._seal, offers))
        return offers

    def ranked(self, offers: Mapping[str, Offer]) -> list[_Bidder]:
        """The bidders, best expected value first; equals by reputation, then by a draw from the run's seed."""
        chance = random.Random(f"{self.run.seed}/{self.task.id}/market")
        draw = {member.name: chance.random() for member in self.run.members}
        bidders = [
            _Bidder(member, offer, offer.confidence * self.reputations[member.name] - offer.cost)
            for member in self.run.members
            if (offer := offers.get(member.name)) is not None
        ]
        return sorted(
            bidders, key=lambda each: (-each.worth, -self.reputations[each.member.name], draw[each.member.name])
        )

    async def work(self, bidders: Sequence[_Bidder]) -> None:
        """Let the best bidders do the task; the next one for each that fails."""
        run, waiting = self.run, list(bidders)
        prompt = run.prompts("draft", task=self.text)
        prompt += run.prompts("answer_line") if self.formation.winners > 1 else ""
        failed: list[Outcome] = []
        attempt = 0
        while waiting and len(self.done) < self.formation.winners:
            now = [waiting.pop(0).member for _ in range(min(len(waiting), self.formation.winners - len(self.done)))]
            if len(now) > 1:
                warn_of_one_voice(run, members=now)
            run.begin("work", attempt)
            before = tuple(self.done)
            outcomes = await self.formation.gather(
                run, prompt, stage="work", round=attempt, members=now, question=self.task.id,
                best=lambda so_far, before=before: _first([*before, *so_far]),  # type: ignore[misc]
            )  # fmt: skip
            self.done += [outcome for outcome in outcomes if outcome.ok]
            run.hold(lambda: _first(self.done))
            for outcome in outcomes:
                run.raise_refusal(outcome)
            failed += [outcome for outcome in outcomes if not outcome.ok]
            attempt += 1
        if not self.done:
            run.require(failed, 1)
        if len(self.done) < self.formation.winners:
            run.run.warn(f"{len(self.done)} of {self.formation.winners} winners answered; there are no more bidders")

    async def settled(self, offers: Mapping[str, Offer]) -> dict[str, float]:
        """How right each answer is, where that can be known; what was promised is compared with it, for all to come."""
        known: dict[str, float] = {}
        for at, outcome in enumerate(self.done):
            value = await self._outcome(at, outcome)
            if value is None:
                continue
            known[outcome.member] = value
            promise = offers[outcome.member].confidence
            settlement = Settlement(member=outcome.member, task=self.task.id, confidence=promise, outcome=value)
            await note(self.run, functools.partial(self._settle, settlement, at))
        return known

    def answer(self, known: Mapping[str, float]) -> Answer:
        """The winner's answer, or what the winners' answers are voted to be."""
        run, formation = self.run, self.formation
        if formation.winners == 1:
            best = self.done[0]
            answer = Answer(best.text, best.answer and best.answer.output, author=best.member)
        else:
            counted = count(self.done, formation.rule, formation.equivalence, eligible=formation.winners, seed=run.seed)
            run.record(counted, 0)
            decision, leader = counted.decision, counted.leader
            if decision.winner is None:
                text = undecided_text(decision) if leader is None else counted.text_of(leader)
                return Answer(text, status="undecided", decision=decision)
            author = counted.author_of(decision.winner)
            text, output = counted.text_of(decision.winner), counted.output_of(decision.winner)
            answer = Answer(text, output, decision=decision, author=author)
        value = known.get(answer.author)
        if value is None or value >= formation.accept:
            return answer
        run.run.warn(
            f"the answer of {answer.author} was found {value:g} right; from {formation.accept:g} it is accepted"
        )
        return Answer(answer.text, answer.output, "partial", answer.decision, answer.author)

    # -- what stands on the board: written when somebody looks, in a run that nobody sees ---------------------------

    async def _settlements(self) -> Sequence[Entry]:
        """What was settled in earlier runs; nothing on a board that is this run's own."""
        if self.run.is_board_made:
            return await (await self._open(self.run.board)).entries(REPUTATION)
        await note(self.run, self._open)
        return ()

    async def _open(self, board: Blackboard) -> Snapshot:
        board.declare(*REGIONS)
        return await board.snapshot(op=f"{self.op}-reputation")

    async def _seal(self, offers: Mapping[str, Offer], board: Blackboard) -> None:
        for name, offer in offers.items():
            bidder = board.as_member(identity(self.run.member(name)))
            try:
                await bidder.post(BIDS, offer, key=self.op, op=f"{self.op}-bid-{name}")
            except AccessDenied as denied:
                self.run.run.warn(f"the bid of {name} counts, and is not on the board: {denied}")
        await board.close(BIDS, self.op)

    async def _settle(self, settlement: Settlement, at: int, board: Blackboard) -> None:
        await board.post(REPUTATION, settlement, op=f"{self.op}-settled-{at}")

    async def _outcome(self, at: int, outcome: Outcome) -> float | None:
        """How right an answer is; None when nobody can say."""
        if self.formation.settle is not None:
            said = self.formation.settle(outcome.text, self.task)
            value = await said if inspect.isawaitable(said) else said
            if isinstance(value, bool | int | float) and 0 <= value <= 1:
                return float(value)
            raise ValidationError(f"settle gave {value!r}; it must give a number from 0 (wrong) to 1 (right)")
        verifier = self.run.seat_or_none("verifier")
        if verifier is None:
            return None
        self.run.begin("settle", at)
        prompt = self.run.prompts("appraise", task=self.text, answer=fenced(outcome.text, "a member"))
        asked = await self.run.try_ask(
            verifier, prompt, stage="settle", round=at, shape=_shape(Appraisal), question=self.task.id
        )
        self.run.raise_refusal(asked)
        if asked.answer is None:
            self.run.run.warn(f"{verifier.name} could not say what came of it ({asked.error}); nothing is settled")
            return None
        appraisal: Appraisal = asked.answer.output
        return appraisal.outcome


@functools.cache
def _shape(kind: type[D]) -> Shape[D]:
    # Made once: a schema takes longer to make than a task is given out.
    return Shape(kind)


def _first(outcomes: Sequence[Outcome]) -> Answer | None:
    """The answer of the best bidder that has given one."""
    return next((Answer(each.text, author=each.member) for each in outcomes if each.ok), None)
