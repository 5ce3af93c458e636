"""What members have added to a shared board while they work on one task: how it is posted, marked and shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from phalanx.agents.prompts import fenced
from phalanx.agents.task import Task
from phalanx.errors import AccessDenied
from phalanx.messages import Data
from phalanx.runtime.entries import Conflict, Entry
from phalanx.runtime.reading import Snapshot
from phalanx.runtime.regions import Region
from phalanx.runtime.views import Arranged

from .agenda import Item, Minutes, Turn
from .base import Answer, Member
from .headings import under_names
from .rounds import cut
from .team_run import TeamRun
from .unwritten import Unwritten

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
_BY_NAME = {region.name: region for region in REGIONS}
# Regions in which all that was not taken back stands.
_KEPT = frozenset({PROBLEM, QUESTIONS, CONTRIBUTIONS})
MOST_QUESTIONS = 3
"""The most questions that one contribution can leave on the board."""


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


class SharedBoard:
    """The board of one task, as it was when it was last looked at.

    formation, run, task: whose, in which run, and what is worked on. `said` is what members have added, in order, each
    with its author; `problem` is the entry of the task itself.
    """

    problem: Entry

    def __init__(self, formation: BlackboardFormation, run: TeamRun, task: Task) -> None:
        self.formation, self.run, self.task = formation, run, task
        self.text = run.text(task)
        self.said: list[tuple[str, str]] = []
        self._is_done = False
        self._op = f"{run.run.run_id}/{'/'.join(run.run.path)}/board"
        self._writes = 0
        self._now: Snapshot | None = None
        self._seq = 0
        # In a run that nobody sees, what is written is kept until somebody looks at the board, or takes something back.
        is_alone = not run.is_board_made and run.answers.is_only and not formation.regions
        self._kept = Unwritten(run.answers, REGIONS) if is_alone else None
        self._open: list[tuple[Entry, str]] | None = None
        # The same in the order of views, by the regions that a reader may read.
        self._arranged: dict[tuple[str, ...], Arranged] = {}
        # What each member was shown since it was last looked at: who is asked for a bid and then acts sees it once.
        self._views: dict[str, tuple[str, tuple[Entry, ...]]] = {}
        self._standing: list[Entry] = []
        self._triggers: dict[int, Entry] = {}
        self._minutes = Minutes()

    @property
    def _unwritten(self) -> Unwritten | None:
        """What is kept in the place of a board, for as long as there is none."""
        kept = self._kept
        return kept if kept is not None and kept.is_certain and not self.run.is_board_made else None

    def region(self, name: str) -> Region | None:
        """The region of this `name`, if the board has one."""
        known = _BY_NAME.get(name)
        return known or next((each for each in self.run.board.regions if each.name == name), None)

    async def open(self) -> None:
        """Put the task on the board."""
        op = self._next_op()
        if (kept := self._unwritten) is not None:
            problem: object = kept.post(PROBLEM, self.text, None, op, pinned=True)
        else:
            self.run.board.declare(*REGIONS)
            problem = await self.run.board.post(PROBLEM, self.text, op=op, pinned=True)
        assert isinstance(problem, Entry)
        self.problem = problem

    async def look(self) -> None:
        """Look at the board once for the whole turn, under a name: a resumed run sees what it saw then."""
        op = self._next_op()
        self._views, self._arranged = {}, {}
        if (kept := self._unwritten) is not None:
            self._triggers = kept.look(op)
            self._seq, self._standing = kept.seq, list(self._triggers.values())
            self._open = [(entry, str(entry.value)) for entry in self._standing if entry.region != PROBLEM]
            return
        self._now = now = await self.run.board.snapshot(op=op)
        self._seq = now.seq
        self._triggers = {entry.seq: entry for name in self._watched for entry in await now.history(name)}
        standing = [entry for entry in self._triggers.values() if entry.region in _KEPT and not entry.retracted]
        for name in self.formation.regions:
            if name not in _KEPT:
                standing += await now.entries(name)
        self._standing = sorted(standing, key=lambda entry: entry.seq)
        # Where only the board's own regions are shown, all members are shown what was just read, as far as they may.
        self._open = None
        if not self.formation.regions and all(entry.visibility == "public" for entry in self._standing):
            self._open = [(entry, str(entry.value)) for entry in self._standing if entry.region != PROBLEM]

    def entries(self) -> list[Entry]:
        """All that stands and can call on somebody, oldest first."""
        return self._standing

    def triggers(self) -> Iterable[Entry]:
        """All that may have triggered somebody, what was taken back included."""
        return self._triggers.values()

    @property
    def _watched(self) -> tuple[str, ...]:
        return (PROBLEM, *self._shown)

    @property
    def _shown(self) -> tuple[str, ...]:
        return (QUESTIONS, CONTRIBUTIONS, *self.formation.regions)

    async def view(self, member: Member) -> tuple[str, tuple[Entry, ...]]:
        """What a `member` may see of the board within the budget, as fenced data; and the entries it is shown."""
        if (seen := self._views.get(member.name)) is not None:
            return seen
        tokens, about, who = self.formation.view_tokens, self.task.description, self.run.identity(member)
        if self._open is None:
            assert self._now is not None
            view = await self._now.view(who, tokens=tokens, patterns=self._shown, about=about)
        else:
            may = tuple([name for name in (QUESTIONS, CONTRIBUTIONS) if _BY_NAME[name].may_read(who)])
            if (arranged := self._arranged.get(may)) is None:
                arranged = self._arranged[may] = Arranged([each for each in self._open if each[0].region in may], about)
            view = arranged.view(reader=who.name, tokens=tokens, seq=self._seq)
        if over := [each for each in view.dropped if each.reason == "budget"]:
            self.run.run.warn(
                f"{member.name} is not shown {len(over)} entries of the board: they are over {tokens} tokens"
            )
        seen = self._views[member.name] = self.run.fences.around(view.parts), view.included
        return seen

    def trigger_text(self, item: Item) -> str:
        """What an `item` of the agenda waits on, as its member is shown it."""
        if item.trigger == self.problem.seq:
            return "the task itself"
        entry = self._triggers[item.trigger]
        return fenced(cut(str(entry.value), 500), f"#{entry.seq} of the board, by {entry.author or 'the run'}")

    async def post(self, member: Member, given: Contribution, causes: Sequence[Entry], number: int) -> bool:
        """Put what a member adds on the board, in its name; whether any of it is new.

        member: who. given: what it adds. causes: the entries it was shown. number: the turn.
        """
        text = cut(given.text.strip(), self.formation.entry_tokens)
        is_new = bool(text) and _plain(text) not in {_plain(said) for _, said in self.said}
        asked = [cut(each.strip(), self.formation.entry_tokens) for each in given.questions if each.strip()]
        known = {_plain(str(entry.value)) for entry in self._own(QUESTIONS)} if asked else set()
        fresh = [each for at, each in enumerate(asked) if _plain(each) not in known | {*map(_plain, asked[:at])}]
        if len(fresh) > MOST_QUESTIONS:
            self.run.run.warn(f"{member.name} asks {len(fresh)} questions; the first {MOST_QUESTIONS} are on the board")
        if is_new:
            self.said.append((member.name, text))
            is_new = await self.write(CONTRIBUTIONS, text, member, causes, number)
        for question in fresh[:MOST_QUESTIONS]:
            is_new |= await self.write(QUESTIONS, question, member, causes, number, resolved=False)
        settled = await self._settle(member, given)
        return is_new or settled

    async def _settle(self, member: Member, given: Contribution) -> bool:
        """Mark what a contribution settles, and take back what it takes back; whether anything changed."""
        changed = False
        standing: list[Entry] = []
        if given.settles or given.retracts:
            standing = [*self._own(QUESTIONS), *self._own(CONTRIBUTIONS)]
        questions = {entry.seq for entry in standing if entry.region == QUESTIONS}
        own = {entry.seq: entry for entry in standing if entry.author == member.name}
        for seq in dict.fromkeys(given.settles):
            if seq in questions:
                await self._mark(seq)
                changed = True
        for seq in dict.fromkeys(given.retracts):
            if seq in own:
                await self.run.board.retract(seq, f"{member.name} took it back")
                self.said = [each for each in self.said if each != (member.name, own[seq].value)]
                changed = True
        strange = sorted({*given.settles} - {*questions} | {*given.retracts} - {*own})
        if strange:
            numbers = ", ".join(f"#{seq}" for seq in strange[:5])
            self.run.run.warn(
                f"{member.name} names {numbers}, which it cannot settle or take back; that is left as it is"
            )
        if given.done and not self._is_done:
            self._is_done = changed = True
            await self._mark(self.problem.seq)
        return changed

    async def _mark(self, seq: int) -> None:
        if (kept := self._unwritten) is not None:
            kept.settle(seq)
        else:
            await self.run.board.mark(seq, resolved=True)

    def _own(self, region: str) -> list[Entry]:
        """What stood in a region, of this task, when the member was shown the board."""
        return [entry for entry in self._standing if entry.region == region and entry.seq > self.problem.seq]

    async def write(
        self,
        region: str,
        value: object,
        member: Member | None = None,
        causes: Sequence[Entry] = (),
        round: int | None = None,
        resolved: bool | None = None,
    ) -> bool:
        """Write one entry; whether its author may.

        region, value: where, and what. member: its author; None is the run. causes, round, resolved: as in `post`.
        """
        op = self._next_op()
        kept, who = self._unwritten, None if member is None else self.run.identity(member)
        if member is None or who is None:
            if kept is not None:
                kept.post(region, value, None, op)
            else:
                known = self._minutes.known(value) if isinstance(value, Turn) else value
                await self.run.board.post(region, known, op=op)
            return True
        try:
            if kept is not None:
                kept.post(region, value, who, op, causes=causes, round=round, resolved=resolved)
                return True
            written = await self.run.board.as_member(who).post(
                region, value, round=round, causes=causes, op=op, resolved=resolved
            )
        except AccessDenied as denied:
            self.run.run.warn(f"what {member.name} adds is not on the board: {denied}")
            return False
        assert not isinstance(written, Conflict)
        return True

    def _next_op(self) -> str:
        self._writes += 1
        return f"{self._op}-{self._writes}"

    def best(self) -> Answer | None:
        """What members have added, if it is stopped before there is an answer."""
        return Answer(under_names(self.said)) if self.said else None


@lru_cache(128)
def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
