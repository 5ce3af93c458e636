"""One task worked on over a board: who is triggered by what, who acts, and the answer in the end."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from pydantic import Field

from phalanx.agents.agent import Agent
from phalanx.agents.output import Shape
from phalanx.agents.task import Task
from phalanx.messages import Data
from phalanx.runtime.entries import Entry
from phalanx.runtime.regions import admits

from .agenda import TOP, Agenda, Item, Turn, phrases, rated, words_of
from .base import Answer, Member, Outcome
from .count import count, undecided_text
from .one_voice import warn_of_one_voice
from .shared_board import AGENDA, PROBLEM, QUESTIONS, Contribution, SharedBoard
from .team_run import TeamRun

if TYPE_CHECKING:
    from .blackboard import BlackboardFormation

D = TypeVar("D", bound=Data)

FAILURES = 2
"""How often a member may fail before it is left out."""


class Bid(Data):
    """What a member could add next, from 0 (nothing) to 10 (what decides the task), and what that is."""

    rating: float = Field(ge=0, le=TOP)
    adds: str = ""


class BoardWork:
    """One run of a blackboard formation."""

    def __init__(self, formation: BlackboardFormation, run: TeamRun, task: Task) -> None:
        self.formation, self.run, self.task = formation, run, task
        self.text, self.board = run.text(task), SharedBoard(formation, run, task)
        self.agenda = Agenda([member.name for member in run.members], formation.threshold)
        self.failures = dict.fromkeys(self.agenda.seats, 0)
        self.acts: list[Outcome] = []
        self.idle = 0
        self._cursor = 0
        self._phrases = {
            member.name: phrases(formation.interests.get(member.name) or _interests(member)) for member in run.members
        }
        self._rights: dict[tuple[str, str], bool] = {}

    async def open(self) -> None:
        """Put the task on the board."""
        self.run.hold(self.board.best)
        await self.board.open()
        self._cursor = self.board.problem.seq - 1

    async def turn(self, number: int) -> bool:
        """One cycle: who is triggered, who acts, what comes of it; False when there is nothing more to do."""
        if self.idle >= self.formation.patience:
            return False
        await self.board.look()
        fresh = self._fresh()
        dropped = self.agenda.obviate(self.board.triggers())
        if self.formation.bids:
            await self._ask_for_bids(number, fresh)
        else:
            self._match(fresh)
        waiting = tuple(self.agenda.ranked())
        chosen = self.agenda.take()
        name = None if chosen is None else chosen.member
        await self.board.write(AGENDA, Turn(number=number, agenda=waiting, obviated=dropped, chosen=name))
        if chosen is None:
            return False
        is_new = await self._act(number, chosen)
        self.idle = 0 if is_new else self.idle + 1
        return True

    async def waits(self) -> bool:
        """Whether somebody would still act."""
        if self.idle >= self.formation.patience:
            return False
        await self.board.look()
        fresh = self._fresh()
        self.agenda.obviate(self.board.triggers())
        if self.formation.bids:
            return any(self._is_news(member, entry) for member in self._able() for entry in fresh)
        self._match(fresh)
        return self.agenda.take() is not None

    async def conclude(self) -> Answer:
        """The answer from what the board holds: the decider's, or what a vote of all comes to."""
        if not self.board.said and any(not each.ok for each in self.acts):
            self.run.require(self.acts, 1)
        if not self.board.said:
            self.run.run.warn("nobody added anything to the board; the answer is from the task alone")
        await self.board.look()
        decider = self.run.seat_or_none("decider")
        return await self._vote() if decider is None else await self._decide(decider)

    # -- who is triggered ------------------------------------------------------------------------------------------

    def _fresh(self) -> list[Entry]:
        """What was posted, and still stands, since this was last asked."""
        # What other runs left on a board that outlives them is shown, but calls on nobody.
        found = [entry for entry in self.board.entries() if entry.seq > self._cursor and not entry.resolved]
        self._cursor = max([self._cursor, *(entry.seq for entry in found)])
        return found

    def _able(self) -> list[Member]:
        return [member for member in self.run.members if self.failures[member.name] < FAILURES]

    def _is_news(self, member: Member, entry: Entry) -> bool:
        """Whether an entry is another's, and one that the member may read."""
        if entry.author == member.name or not self._may_read(member, entry.region):
            return False
        return entry.visibility == "public" or admits(entry.visibility, self.run.identity(member))

    def _may_read(self, member: Member, name: str) -> bool:
        known = self._rights.get((member.name, name))
        if known is None:
            region = self.board.region(name)
            if region is None:
                return True
            known = self._rights[member.name, name] = region.may_read(self.run.identity(member))
        return known

    def _match(self, fresh: Sequence[Entry]) -> None:
        able = self._able()
        for entry in fresh:
            there, calls_on_all = words_of(str(entry.value)), entry.region in (PROBLEM, QUESTIONS)
            for member in able:
                if not self._is_news(member, entry):
                    continue
                rating = rated(self._phrases[member.name], there, calls_on_all=calls_on_all)
                if rating > 0:
                    self.agenda.add(Item(member=member.name, trigger=entry.seq, rating=rating))

    async def _ask_for_bids(self, number: int, fresh: Sequence[Entry]) -> None:
        newest = {
            member.name: seen[-1].seq
            for member in self._able()
            if (seen := [entry for entry in fresh if self._is_news(member, entry)])
        }
        asked = [member for member in self.run.members if member.name in newest]
        if not asked:
            return
        self.run.begin("volunteer", number)
        prompts = {member.name: await self._prompt("volunteer", member) for member in asked}
        outcomes = await self.run.ask_all(
            prompts, stage="volunteer", round=number, members=asked, shape=_shape(Bid), question=self.task.id
        )
        for outcome in outcomes:
            self.run.raise_refusal(outcome)
            self.agenda.forget(outcome.member)
            if outcome.answer is None:
                self._failed(outcome)
                continue
            bid: Bid = outcome.answer.output
            self.agenda.add(
                Item(member=outcome.member, trigger=newest[outcome.member], rating=bid.rating, adds=bid.adds)
            )

    # -- acting ----------------------------------------------------------------------------------------------------

    async def _act(self, number: int, item: Item) -> bool:
        """Let the chosen member act; whether that brought anything new."""
        run, member = self.run, self.run.member(item.member)
        run.begin("contribute", number)
        board, causes = await self.board.view(member)
        prompt = run.prompts(
            "contribute", task=self.text, roster=run.names(), board=board, trigger=self.board.trigger_text(item)
        )
        shape = _shape(Contribution) if isinstance(member.who, Agent) else None
        outcome = await run.try_ask(
            member, prompt, stage="contribute", round=number, shape=shape, question=self.task.id
        )
        self.acts.append(outcome)
        run.raise_refusal(outcome)
        if outcome.answer is None:
            self._failed(outcome)
            return False
        given = outcome.answer.output if shape is not None else Contribution(text=outcome.text)
        assert isinstance(given, Contribution)
        return await self.board.post(member, given, causes, number)

    def _failed(self, outcome: Outcome) -> None:
        self.failures[outcome.member] += 1
        self.agenda.forget(outcome.member)
        if self.failures[outcome.member] == FAILURES:
            self.run.run.warn(f"{outcome.member} has failed {FAILURES} times and is not called on again")

    # -- what members are shown ------------------------------------------------------------------------------------

    async def _prompt(self, slot: str, member: Member, **more: str) -> str:
        board, _ = await self.board.view(member)
        names = {"roster": self.run.names()} if slot == "volunteer" else {}
        return self.run.prompts(slot, task=self.text, board=board, **names, **more)

    # -- the answer ------------------------------------------------------------------------------------------------

    async def _decide(self, decider: Member) -> Answer:
        self.run.begin("decide")
        prompt = await self._prompt("conclude", decider)
        outcome = await self.run.try_ask(decider, prompt, stage="decide", question=self.task.id)
        self.run.raise_refusal(outcome)
        if outcome.answer is not None:
            return Answer(outcome.text, outcome.answer.output, author=decider.name)
        best = self.board.best()
        if best is None:
            self.run.require([outcome])
            raise AssertionError
        self.run.run.warn(f"{decider.name} gave no answer ({outcome.error}); what is on the board stands as it is")
        return Answer(best.text, status="partial")

    async def _vote(self) -> Answer:
        run, formation = self.run, self.formation
        warn_of_one_voice(run)
        run.begin("vote")
        contract = run.prompts("answer_line")
        prompts = {member.name: await self._prompt("conclude", member) + contract for member in run.members}
        outcomes = await run.ask_all(prompts, stage="vote", question=self.task.id)
        counted = count(
            run.require(outcomes, 1), formation.rule, formation.equivalence, eligible=len(run.members), seed=run.seed
        )
        run.record(counted, 0)
        decision, leader = counted.decision, counted.leader
        if decision.winner is not None:
            author = counted.author_of(decision.winner)
            text, output = counted.text_of(decision.winner), counted.output_of(decision.winner)
            return Answer(text, output, decision=decision, author=author)
        text = undecided_text(decision) if leader is None else counted.text_of(leader)
        return Answer(text, status="undecided", decision=decision)


@cache
def _shape(kind: type[D]) -> Shape[D]:
    # Made once: a schema takes longer to make than a turn.
    return Shape(kind)


def _interests(member: Member) -> tuple[str, ...]:
    """What a member looks out for when nobody said: what it knows and, where that is something, what it is called."""
    return (*member.skills, member.role.name) if member.skills else ()
