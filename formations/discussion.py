"""One task in the round engine: who has said what, who speaks next, and what each is shown."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from phalanx.agents.output import Shape
from phalanx.agents.prompts import fenced, label
from phalanx.agents.task import Task

from .base import Member, Outcome
from .chance import Chance
from .count import Counted
from .hierarchical import Check
from .judging import Verdicts
from .one_voice import warn_of_one_voice
from .ranking import ranked, rated
from .stated import Confidence, contract, said
from .team_run import Job, TeamRun, Until
from .trajectory import decided_over
from .views import Shown, as_data, cut, own_answer, shown

if TYPE_CHECKING:
    from .rounds import Deliberation

Prompt = str | Callable[[Mapping[str, Outcome]], str]


class Discussion:
    """One task under discussion.

    how: the formation's options. run, task: of which run, on which task. names: the members, in seat order. active:
    those who still take part. latest: the last answer of each that gave one, in seat order. counts: of the drafts and
    of each round; table: the same as the answers of those taking part, None where there is none. verdicts: what the
    judges last said, if they were asked, and candidates: of which texts, each with its author. contract: how a prompt
    asks for the answer's form; nothing where a schema does. read: what each text was read as, so that it is read once.
    """

    def __init__(
        self, how: Deliberation, run: TeamRun, task: Task, read: dict[str | None, str | None] | None = None
    ) -> None:
        self.how, self.run, self.task, self.text = how, run, task, run.text(task)
        self.names = [member.name for member in run.members]
        self.active: list[Member] = list(run.members)
        self.latest: dict[str, Outcome] = {}
        self.counts: list[Counted] = []
        self.table: list[list[str | None]] = []
        self.verdicts: Verdicts | None = None
        self.candidates: dict[str, tuple[str, str]] = {}
        self._sure: dict[str, float] = {}
        self.read = {} if read is None else read
        self._past: list[tuple[Mapping[str, Outcome], Mapping[str, Sequence[Shown]]]] = []
        self._shown: dict[str, Sequence[Shown]] = {}
        self._ratings: dict[str, list[int]] = {}
        self._proposed: tuple[int, dict[str, None]] = (0, {})
        # Who sees whom, by name, for as long as the same members take part.
        self._sees: dict[str, list[str]] = {}
        self._looks = how.looks
        self.contract = "" if how.is_typed else run.prompts("answer_line")

    @property
    def counted(self) -> Counted:
        """The last count."""
        return self.counts[-1]

    def chance(self, name: str, round: int) -> Chance:
        """A member's own chance in a round."""
        return Chance(f"{self.run.seed}/{self.task.id}/{name}/{round}")

    # -- what is said ------------------------------------------------------------------------------------------------

    async def draft(self, drafts: Sequence[Outcome] | None = None) -> None:
        """Let all answer: unseen, or in turn with those before them in view.

        drafts: what they have answered, if they have.
        """
        how, run = self.how, self.run
        if how.blind:
            warn_of_one_voice(run)
        run.begin("draft")
        if drafts is None:
            drafts = await self._drafted()
        run.require(drafts, how.needed(len(run.members)))
        await self._take(drafts, 0)

    async def _drafted(self) -> list[Outcome]:
        how, run = self.how, self.run
        text = run.prompts("draft", task=self.text) + self.contract
        prompts: dict[str, Prompt] = {each.name: text for each in self.active}
        if not how.blind:
            prompts = {each.name: self._after(each, text) for each in self.active}
        return await self._speak(prompts, "draft", 0, in_turn=not how.blind)

    async def revise(self, round: int) -> None:
        """Let those revise who are to, from one snapshot or in turn, and count again."""
        how, run = self.how, self.run
        if how.keep is not None and round == how.keep_from:
            await self._narrow(round)
        instead = await self._summaries(round)
        run.begin("revise", round)
        self._past.append((dict(self.latest), dict(self._shown)))
        self._shown = {}
        taken, prompts = self._prompts(round, instead)
        said = await self._speak(prompts, "revise", round, taken, in_turn=how.order == "sequential")
        for outcome in said:
            run.raise_refusal(outcome)
        if how.update == "verified_only":
            said = await self._verified(said, round)
        await self._take([*taken, *said], round)

    def _prompts(self, round: int, instead: Mapping[str, Sequence[Shown]]) -> tuple[list[Outcome], dict[str, Prompt]]:
        """Answers that are taken over without asking, and what each other is told."""
        how, counted = self.how, self.counted
        leader = counted.leader
        taken: list[Outcome] = []
        prompts: dict[str, Prompt] = {}
        for member in self.active:
            chance = self.chance(member.name, round)
            if how.update == "conformist" and leader is not None and counted.choices.get(member.name) == leader:
                continue
            if how.update == "stable" and self._is_stable(member.name):
                continue
            if how.update == "follower" and leader is not None and chance.random() < how.follow:
                model = self.latest[counted.author_of(leader)]
                taken.append(Outcome(member.name, member.role.name, "revise", round, "ok", model.answer))
                continue
            prompts[member.name] = self._revision(member, round, chance, instead.get(member.name))
        return taken, prompts

    def _revision(self, member: Member, round: int, chance: Chance, instead: Sequence[Shown] | None) -> Prompt:
        if self.how.order == "sync":
            return self.how.revision(self, member, self.latest, round, chance, instead)

        def told(done: Mapping[str, Outcome]) -> str:
            latest = {**self.latest, **_by_name(done.values())}
            return self.how.revision(self, member, latest, round, chance, instead)

        return told

    def _after(self, member: Member, text: str) -> Prompt:
        """What a member is told in a draft that is not blind: the first is told the task alone."""

        def told(done: Mapping[str, Outcome]) -> str:
            peers = self.peers_of(member, _by_name(done.values()))
            if not peers:
                return text
            parts = self.look(member, peers, self.chance(member.name, 0), {})
            slot = "oppose" if self.how.opposes else "join"
            values = {"stubbornness": self.how.weigh} if slot == "oppose" else {}
            return self.run.prompts(slot, task=self.text, peers=as_data(parts), contract=self.contract, **values)

        return told

    async def _speak(
        self, prompts: Mapping[str, Prompt], stage: str, round: int, taken: Sequence[Outcome] = (), *, in_turn: bool
    ) -> list[Outcome]:
        how, run = self.how, self.run
        asked = [member for member in self.active if member.name in prompts]
        kept = {name: outcome for name, outcome in self.latest.items() if name not in prompts}
        kept |= _by_name(taken)
        options: dict[str, Any] = {
            "stage": stage, "round": round, "question": self.task.id, "until": self._until(kept, len(asked)),
            "shape": contract(sure=how.confidence == "typed", rates=how.rate and round > 0),
            "best": None if round else lambda done: how.answer(how.count(run, self._seated(_by_name(done)))),
        }  # fmt: skip
        if not in_turn:
            told = {name: prompt for name, prompt in prompts.items() if isinstance(prompt, str)}
            return await how.gather(run, told, members=asked, **options)
        jobs = [
            Job(member.name, member, prompts[member.name], (asked[at - 1].name,) if at else ())
            for at, member in enumerate(asked)
        ]
        return await run.ask_jobs(jobs, deadline=how.deadline, **options)

    def _until(self, kept: Mapping[str, Outcome], asked: int) -> Until | None:
        """Whether the answers so far are certain to decide; looks only when they can, and somebody is still out."""
        if not self.how.early:
            return None
        due = 0

        def until(done: Sequence[Outcome]) -> bool:
            nonlocal due
            if len(done) == asked or len(kept) + sum([each.ok for each in done]) < due:
                return False
            latest = self._seated({**kept, **_by_name(done)})
            lacking = self.how.lacking(self.run, latest, self.table, self.read)
            due = len(latest) + lacking
            return lacking == 0

        return until

    async def _take(self, said: Sequence[Outcome], round: int) -> None:
        """Take answers in, ask how sure their authors are if that is wanted, and count."""
        run, how = self.run, self.how
        fresh = _by_name(said)
        self.latest = self._seated({**self.latest, **fresh})
        for name in fresh:
            self._sure.pop(name, None)
        if how.rate:
            self._rate(fresh)
        if how.confidence == "separate":
            await self._ask_confidence([each for each in self.active if each.name in fresh], round)
        present = self.latest
        if len(self.active) < len(self.names):
            active = {each.name for each in self.active}
            present = {name: each for name, each in present.items() if name in active}
        counted = how.count(run, present, self._sure, len(self.active), self.read)
        self.counts.append(counted)
        self.table.append([counted.choices.get(each.name) for each in self.active])
        run.record(counted, round)
        run.hold(lambda: how.answer(decided_over(self)))

    # -- what is seen ------------------------------------------------------------------------------------------------

    def peers_of(self, member: Member, latest: Mapping[str, Outcome]) -> list[Outcome]:
        """The answers that a member's place lets it see, in seat order."""
        if (seen := self._sees.get(member.name)) is None:
            # Where only some go on, they stand in the topology alone: else those kept might see nobody.
            names = [each.name for each in self.active]
            seen = [names[at] for at in self.how.neighbours(names.index(member.name), names)]
            self._sees[member.name] = seen
        return [latest[name] for name in seen if name in latest]

    def look(
        self, member: Member, peers: Sequence[Outcome], chance: Chance, choices: Mapping[str, str | None]
    ) -> list[Shown]:
        """Peers' answers as a member is shown them, remembered so that its ratings find their way back."""
        sure = self.counts[-1].sure if self.counts else {}
        parts = shown(self._looks, peers, choices, sure, chance)
        self._shown[member.name] = parts
        return parts

    def proposed(self, texts: Callable[[Counted], Iterable[str]]) -> list[str]:
        """All that was proposed so far, each once; `texts` says what was in a count, and is asked once for each."""
        known, found = self._proposed
        for counted in self.counts[known:]:
            found |= dict.fromkeys(texts(counted))
        self._proposed = len(self.counts), found
        return list(found)

    def note(self, member: Member, parts: Sequence[Shown]) -> None:
        """Remember what a member was shown in place of its peers' answers."""
        self._shown[member.name] = parts

    def choices_now(self, latest: Mapping[str, Outcome]) -> Mapping[str, str | None]:
        """What answers are counted as: by the last count, or anew when somebody has spoken since."""
        if self.how.view == "full":
            return {}  # which shows what everybody wrote, whatever it was counted as
        counted = self.counted
        if all(counted.outcomes.get(name) is each for name, each in latest.items()):
            return counted.choices
        return self.how.count(self.run, latest, read=self.read).choices

    def earlier(self, member: Member, memory: int | None) -> str:
        """What a member said and saw in earlier rounds, as the prompt recalls it; nothing where it recalls none."""
        lines: list[str] = []
        past = self._past if memory is None else self._past[-memory:]
        for (latest, _), (_, seen) in itertools.pairwise(past):
            if member.name in latest:
                lines.append(own_answer(latest[member.name]))
            if member.name in seen:
                lines.append(as_data(seen[member.name]))
        return self.run.prompts("earlier", history="\n\n".join(lines)) if lines else ""

    async def _summaries(self, round: int) -> dict[str, Sequence[Shown]]:
        """What members are shown in place of their peers' answers, where a summary is to be made of these."""
        how, run = self.how, self.run
        pooled = how.is_pooled(round)
        if how.view != "summary" and not pooled:
            return {}
        run.begin("summarize", round)
        by = run.seat_or_none("summarizer")
        jobs: list[tuple[str, Member, list[Outcome], list[str]]] = []
        everybody = [each.name for each in self.active]
        if pooled:
            for at, group in enumerate(how.groups_of(self.names)):
                there = [self.latest[name] for name in group if name in self.latest]
                if there:
                    jobs.append((f"Group {at + 1}", by or run.member(there[0].member), there, everybody))
        elif by is not None:
            jobs.append(("Summary", by, list(self.latest.values()), everybody))
        else:
            for member in self.active:
                if peers := self.peers_of(member, self.latest):
                    jobs.append(("Summary", member, peers, [member.name]))
        asks = []
        for at, (_, member, answers, _) in enumerate(jobs):
            order = list(answers)
            self.chance(f"summary {at}", round).shuffle(order)
            parts = [Shown(label(place), cut(said(each), how.peer_tokens)) for place, each in enumerate(order)]
            prompt = run.prompts("summarize", task=self.text, answers=as_data(parts))
            asks.append(Job(str(at), member, prompt, attempt=at))
        outcomes = await run.ask_jobs(
            asks, stage="summarize", round=round, question=self.task.id, deadline=how.deadline
        )
        found: dict[str, list[Shown]] = {}
        for (title, member, answers, readers), outcome in zip(jobs, outcomes, strict=True):
            run.raise_refusal(outcome)
            parts = [Shown(title, cut(outcome.text, how.peer_tokens))]
            if not outcome.ok:
                run.run.warn(f"{member.name} gave no summary ({outcome.error}); the answers are shown in full instead")
                parts = [
                    Shown(label(at), cut(said(each), how.peer_tokens), (each.member,))
                    for at, each in enumerate(answers)
                ]
            for name in readers:
                found.setdefault(name, []).extend(parts)
        return dict(found)

    # -- who checks, ranks and leaves --------------------------------------------------------------------------------

    async def _verified(self, said_now: Sequence[Outcome], round: int) -> list[Outcome]:
        """The answers that may stand: a change of answer only where the verifier approves of the new one."""
        how, run = self.how, self.run
        verifier = run.seat("verifier")
        good = [outcome for outcome in said_now if outcome.ok]
        changed = [each for each in good if each.member in self.latest and self._changes(each)]
        jobs = [
            Job(
                outcome.member, verifier,
                run.prompts("verify", task=self.text, answer=fenced(cut(said(outcome), how.peer_tokens), "a member")),
                attempt=at,
            )
            for at, outcome in enumerate(changed)
        ]  # fmt: skip
        run.begin("verify", round)
        checks = await run.ask_jobs(
            jobs, stage="verify", round=round, shape=Shape(Check), question=self.task.id, deadline=how.deadline
        )
        refused: set[str] = set()
        for job, outcome in zip(jobs, checks, strict=True):
            run.raise_refusal(outcome)
            check: Any = None if outcome.answer is None else outcome.answer.output
            if check is None:
                run.run.warn(f"the verifier did not check {job.id}'s new answer ({outcome.error}); the old one stands")
            if check is None or not check.accepted:
                refused.add(job.id)
        return [outcome for outcome in said_now if outcome.member not in refused]

    def _changes(self, outcome: Outcome) -> bool:
        return not self.how.equivalence.same(said(self.latest[outcome.member]), said(outcome))

    async def _ask_confidence(self, members: Sequence[Member], round: int) -> None:
        run = self.run
        prompts = {
            each.name: run.prompts("confidence", task=self.text, own=own_answer(self.latest[each.name]))
            for each in members
        }
        outcomes = await run.ask_all(
            prompts, stage="confidence", round=round, members=members, shape=Shape(Confidence), question=self.task.id,
            deadline=self.how.deadline,
        )  # fmt: skip
        for outcome in outcomes:
            run.raise_refusal(outcome)
            if outcome.answer is not None:
                sure: Any = outcome.answer.output
                self._sure[outcome.member] = sure.confidence

    def _rate(self, fresh: Mapping[str, Outcome]) -> None:
        self._ratings = {}
        for name, outcome in fresh.items():
            for target, rating, strange in rated(outcome, self._shown.get(name, ())):
                if strange:
                    self.run.run.warn(f"{name} rated {target!r}, which it was not shown; that is left out")
                else:
                    self._ratings.setdefault(target, []).append(rating)

    async def _narrow(self, round: int) -> None:
        """Go on with the best few: the ranker's, or those best rated by the others."""
        keep = self.how.keep
        assert keep is not None
        names = await ranked(self, keep, round, self._ratings)
        self.active = [member for member in self.active if member.name in names]
        self._sees = {}

    def _is_stable(self, name: str) -> bool:
        last = [counted.choices.get(name) for counted in self.counts[-self.how.leave_after :]]
        return len(last) == self.how.leave_after and last[0] is not None and len({*last}) == 1

    def is_empty(self) -> bool:
        """Whether nobody would be asked in another round."""
        return self.how.update == "stable" and all(self._is_stable(each.name) for each in self.active)

    def _seated(self, latest: Mapping[str, Outcome]) -> dict[str, Outcome]:
        return {name: latest[name] for name in self.names if name in latest}


def _by_name(outcomes: Any) -> dict[str, Outcome]:
    return {outcome.member: outcome for outcome in outcomes if outcome.ok}
