"""One task worked on over a board: what is posted, who is triggered by it, who acts, and the answer in the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from phalanx.agents.agent import Agent
from phalanx.agents.output import Shape
from phalanx.agents.prompts import fenced, fenced_all
from phalanx.agents.task import Task
from phalanx.errors import AccessDenied
from phalanx.messages import Data
from phalanx.runtime.entries import Conflict, Entry
from phalanx.runtime.reading import Snapshot
from phalanx.runtime.regions import Region

from .agenda import TOP, Agenda, Item, Turn, interest
from .base import Answer, Member, Outcome
from .count import count, undecided_text
from .rounds import cut
from .team_run import TeamRun, identity

if TYPE_CHECKING:
    from .blackboard import BlackboardFormation

PROBLEM, QUESTIONS, CONTRIBUTIONS, AGENDA = "problem", "questions", "contributions", "agenda"
# Nobody but the run writes the task and the agenda; members have no use for reading what waits on the agenda.
REGIONS = (
    Region(PROBLEM, str, writes=()),
    Region(QUESTIONS, str),
    Region(CONTRIBUTIONS, str),
    Region(AGENDA, Turn, reads=(), writes=()),
)
MOST_QUESTIONS = 3
"""The most questions that one contribution can leave on the board."""
FAILURES = 2
"""How often a member may fail before it is left out."""


class Bid(Data):
    """What a member could add next, from 0 (nothing) to 10 (what decides the task), and what that is."""

    rating: float = Field(ge=0, le=TOP)
    adds: str = ""


class Contribution(Data):
    """What a member adds to the board.

    text: the contribution; empty adds nothing. settles: numbers of open questions that it settles. retracts: numbers
    of its own earlier entries that it takes back. questions: what others should look into. done: the board holds all
    that the task needs.
    """

    text: str = ""
    settles: list[int] = []
    retracts: list[int] = []
    questions: list[str] = []
    done: bool = False


class BoardWork:
    """One run of a blackboard formation."""

    def __init__(self, formation: BlackboardFormation, run: TeamRun, task: Task) -> None:
        self.formation, self.run, self.task = formation, run, task
        self.text, self.board = run.text(task), run.board
        self.agenda = Agenda([member.name for member in run.members], formation.threshold)
        self.failures = dict.fromkeys(self.agenda.seats, 0)
        self.acts: list[Outcome] = []
        self.said: list[tuple[str, str]] = []
        self.idle = 0
        self._is_done = False
        self._op = f"{run.run.run_id}/{'/'.join(run.run.path)}/board"
        self._writes = self._cursor = 0
        self._now: Snapshot | None = None

    async def open(self) -> None:
        """Put the task on the board."""
        self.board.declare(*REGIONS)
        self.run.hold(self.best)
        problem = await self.board.post(PROBLEM, self.text, op=self._next_op(), pinned=True)
        assert isinstance(problem, Entry)
        self.problem = problem
        self._cursor = problem.seq - 1

    async def turn(self, number: int) -> bool:
        """One cycle: who is triggered, who acts, what comes of it; False when there is nothing more to do."""
        if self.idle >= self.formation.patience:
            return False
        await self._look()
        fresh = await self._fresh()
        dropped = self.agenda.obviate(await self._triggers())
        if self.formation.bids:
            await self._ask_for_bids(number, fresh)
        else:
            self._match(fresh)
        waiting = tuple(self.agenda.ranked())
        chosen = self.agenda.take()
        name = None if chosen is None else chosen.member
        await self._write(AGENDA, Turn(number=number, agenda=waiting, obviated=dropped, chosen=name))
        if chosen is None:
            return False
        is_new = await self._act(number, chosen)
        self.idle = 0 if is_new else self.idle + 1
        return True

    async def waits(self) -> bool:
        """Whether somebody would still act."""
        if self.idle >= self.formation.patience:
            return False
        await self._look()
        fresh = await self._fresh()
        self.agenda.obviate(await self._triggers())
        if self.formation.bids:
            return any(self._is_news(member, entry) for member in self._able() for entry in fresh)
        self._match(fresh)
        return self.agenda.take() is not None

    async def conclude(self) -> Answer:
        """The answer from what the board holds: the decider's, or what a vote of all comes to."""
        if not self.said and any(not each.ok for each in self.acts):
            self.run.require(self.acts, 1)
        if not self.said:
            self.run.run.warn("nobody added anything to the board; the answer is from the task alone")
        await self._look()
        decider = self.run.seat_or_none("decider")
        return await self._vote() if decider is None else await self._decide(decider)

    def best(self) -> Answer | None:
        """What members have added, if it is stopped before there is an answer."""
        return Answer("\n\n".join(f"## {name}\n{text}" for name, text in self.said)) if self.said else None

    # -- who is triggered ------------------------------------------------------------------------------------------

    async def _look(self) -> None:
        """Look at the board once for the whole turn, under a name: a resumed run sees what it saw then."""
        self._now = await self.board.snapshot(op=self._next_op())

    async def _fresh(self) -> list[Entry]:
        """What was posted, and still stands, since this was last asked."""
        assert self._now is not None
        # What other runs left on a board that outlives them is shown, but calls on nobody.
        found = [entry for entry in await self._entries() if entry.seq > self._cursor and not entry.resolved]
        self._cursor = max([self._cursor, *(entry.seq for entry in found)])
        return found

    async def _entries(self) -> list[Entry]:
        assert self._now is not None
        found: list[Entry] = []
        for name in self._watched:
            found += await self._now.entries(name)
        return sorted(found, key=lambda entry: entry.seq)

    async def _triggers(self) -> list[Entry]:
        """All that may have triggered somebody, what was taken back included."""
        assert self._now is not None
        return [entry for name in self._watched for entry in await self._now.history(name)]

    @property
    def _watched(self) -> tuple[str, ...]:
        return (PROBLEM, *self._shown)

    @property
    def _shown(self) -> tuple[str, ...]:
        return (QUESTIONS, CONTRIBUTIONS, *self.formation.regions)

    def _able(self) -> list[Member]:
        return [member for member in self.run.members if self.failures[member.name] < FAILURES]

    def _is_news(self, member: Member, entry: Entry) -> bool:
        """Whether an entry is another's, and one that the member may read."""
        region = next((each for each in self.board.regions if each.name == entry.region), None)
        return entry.author != member.name and (region is None or region.may_read(identity(member)))

    def _match(self, fresh: Sequence[Entry]) -> None:
        for entry in fresh:
            for member in self._able():
                if not self._is_news(member, entry):
                    continue
                words = self.formation.interests.get(member.name) or _interests(member)
                rating = interest(words, str(entry.value), calls_on_all=entry.region in (PROBLEM, QUESTIONS))
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
            prompts, stage="volunteer", round=number, members=asked, shape=Shape(Bid), question=self.task.id
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
        board, causes = await self._view(member)
        prompt = run.prompts(
            "contribute", task=self.text, roster=run.names(), board=board, trigger=await self._trigger(item)
        )
        shape = Shape(Contribution) if isinstance(member.who, Agent) else None
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
        return await self._posted(member, given, causes, number)

    async def _posted(self, member: Member, given: Contribution, causes: Sequence[Entry], number: int) -> bool:
        text = cut(given.text.strip(), self.formation.entry_tokens)
        is_new = bool(text) and _plain(text) not in {_plain(said) for _, said in self.said}
        asked = [cut(each.strip(), self.formation.entry_tokens) for each in given.questions if each.strip()]
        known = {_plain(str(entry.value)) for entry in await self._standing(QUESTIONS)}
        fresh = [each for at, each in enumerate(asked) if _plain(each) not in known | {*map(_plain, asked[:at])}]
        if len(fresh) > MOST_QUESTIONS:
            self.run.run.warn(f"{member.name} asks {len(fresh)} questions; the first {MOST_QUESTIONS} are on the board")
        if is_new:
            self.said.append((member.name, text))
            is_new = await self._write(CONTRIBUTIONS, text, member, causes, number)
        for question in fresh[:MOST_QUESTIONS]:
            is_new |= await self._write(QUESTIONS, question, member, causes, number, resolved=False)
        settled = await self._settle(member, given)
        return is_new or settled

    async def _settle(self, member: Member, given: Contribution) -> bool:
        """Mark what a contribution settles, and take back what it takes back; whether anything changed."""
        changed = False
        questions = {entry.seq: entry for entry in await self._standing(QUESTIONS)}
        own = {
            entry.seq: entry
            for region in (CONTRIBUTIONS, QUESTIONS)
            for entry in await self._standing(region)
            if entry.author == member.name
        }
        for seq in dict.fromkeys(given.settles):
            if seq in questions:
                await self.board.mark(seq, resolved=True)
                changed = True
        for seq in dict.fromkeys(given.retracts):
            if seq in own:
                await self.board.retract(seq, f"{member.name} took it back")
                changed = True
        strange = sorted({*given.settles} - {*questions} | {*given.retracts} - {*own})
        if strange:
            numbers = ", ".join(f"#{seq}" for seq in strange[:5])
            self.run.run.warn(
                f"{member.name} names {numbers}, which it cannot settle or take back; that is left as it is"
            )
        if given.done and not self._is_done:
            self._is_done = changed = True
            await self.board.mark(self.problem, resolved=True)
        return changed

    async def _standing(self, region: str) -> list[Entry]:
        """What stood in a region when the member was shown the board."""
        assert self._now is not None
        return [entry for entry in await self._now.entries(region) if entry.seq > self.problem.seq]

    async def _write(
        self,
        region: str,
        value: object,
        member: Member | None = None,
        causes: Sequence[Entry] = (),
        round: int | None = None,
        resolved: bool | None = None,
    ) -> bool:
        op = self._next_op()
        if member is None:
            await self.board.post(region, value, op=op)
            return True
        try:
            written = await self.board.as_member(identity(member)).post(
                region, value, round=round, causes=causes, op=op, resolved=resolved
            )
        except AccessDenied as denied:
            self.run.run.warn(f"what {member.name} adds is not on the board: {denied}")
            return False
        assert not isinstance(written, Conflict)
        return True

    def _failed(self, outcome: Outcome) -> None:
        self.failures[outcome.member] += 1
        self.agenda.forget(outcome.member)
        if self.failures[outcome.member] == FAILURES:
            self.run.run.warn(f"{outcome.member} has failed {FAILURES} times and is not called on again")

    # -- what members are shown ------------------------------------------------------------------------------------

    async def _prompt(self, slot: str, member: Member, **more: str) -> str:
        board, _ = await self._view(member)
        names = {"roster": self.run.names()} if slot == "volunteer" else {}
        return self.run.prompts(slot, task=self.text, board=board, **names, **more)

    async def _view(self, member: Member) -> tuple[str, tuple[Entry, ...]]:
        assert self._now is not None
        tokens = self.formation.view_tokens
        view = await self._now.view(
            identity(member), tokens=tokens, patterns=self._shown, about=self.task.description,
        )  # fmt: skip
        if over := [each for each in view.dropped if each.reason == "budget"]:
            self.run.run.warn(
                f"{member.name} is not shown {len(over)} entries of the board: they are over {tokens} tokens"
            )
        return fenced_all(((part.label, part.text) for part in view.parts), "(nothing yet)"), view.included

    async def _trigger(self, item: Item) -> str:
        if item.trigger == self.problem.seq:
            return "the task itself"
        entry = next((each for each in await self._triggers() if each.seq == item.trigger), None)
        assert entry is not None
        return fenced(cut(str(entry.value), 500), f"#{entry.seq} of the board, by {entry.author or 'the run'}")

    # -- the answer ------------------------------------------------------------------------------------------------

    async def _decide(self, decider: Member) -> Answer:
        self.run.begin("decide")
        prompt = await self._prompt("conclude", decider)
        outcome = await self.run.try_ask(decider, prompt, stage="decide", question=self.task.id)
        self.run.raise_refusal(outcome)
        if outcome.answer is not None:
            return Answer(outcome.text, outcome.answer.output, author=decider.name)
        best = self.best()
        if best is None:
            self.run.require([outcome])
            raise AssertionError
        self.run.run.warn(f"{decider.name} gave no answer ({outcome.error}); what is on the board stands as it is")
        return Answer(best.text, status="partial")

    async def _vote(self) -> Answer:
        run, formation = self.run, self.formation
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
            return Answer(counted.text_of(decision.winner), decision=decision, author=author)
        text = undecided_text(decision) if leader is None else counted.text_of(leader)
        return Answer(text, status="undecided", decision=decision)

    def _next_op(self) -> str:
        self._writes += 1
        return f"{self._op}-{self._writes}"


def _interests(member: Member) -> tuple[str, ...]:
    """What a member looks out for when nobody said: what it knows and, where that is something, what it is called."""
    return (*member.skills, member.role.name) if member.skills else ()


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
