"""The round engine of consensus and debate: blind drafts, then synchronous revisions, then a decision.

Every round starts from one snapshot of the round before; who sees whom is the topology; what is seen is anonymous,
shuffled by the run's seed, said once, and cut to a budget (Du et al. 2023, arXiv:2305.14325; Li et al. 2024,
arXiv:2406.11776; Kaesberg et al. 2025, arXiv:2502.19130). `rounds` means revisions after the blind draft, so
`rounds=0` is a vote.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import Field, StrictFloat, StrictInt

from phalanx.agents.prompts import fenced, fenced_all, label
from phalanx.agents.task import Task

from .base import Answer, Asking, Member, Outcome, Stage, Wiring
from .count import Counted, undecided_text
from .gather import Gathering
from .team_run import TeamRun, Until
from .voting import Equivalence
from .voting.equivalence import EQUIVALENCE

Topology = Literal["auto", "full", "ring", "star"]
View = Literal["full", "answer"]
Update = Literal["free", "conformist", "follower"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a revision may look back on: the counts so far, the last one last, and the member's own chance."""

    counts: Sequence[Counted]
    chance: random.Random

    @property
    def choices(self) -> Mapping[str, str | None]:
        """What each member's last answer was counted as."""
        return self.counts[-1].choices


class Deliberation(Gathering):
    """What consensus and debate share.

    rounds: revisions after the blind draft. topology: who sees whom: "full", "ring" (both neighbours), "star" (the
    first member sees all, the others see it), "auto" (full up to four members, then ring). view: peers' full texts,
    or only their answers. update: "free" (everybody revises), "conformist" (those who agree with the plurality keep
    their answer), "follower" (with probability `follow` a member takes over the plurality's answer instead of
    revising; Choi et al. 2025, arXiv:2508.17536). follow: only has a meaning with update="follower". trigger: revise
    "always", or only "on_disagreement" of the drafts. equivalence: which answers count as the same. peer_tokens: the
    most that is shown of one peer's text. quorum: how many members must answer in a round (default: half).
    """

    rounds: int = Field(default=1, ge=0)
    topology: Topology = "auto"
    view: View = "full"
    update: Update = "free"
    follow: float = Field(default=0.3, ge=0, le=1)
    trigger: Literal["always", "on_disagreement"] = "on_disagreement"
    equivalence: Equivalence = EQUIVALENCE
    peer_tokens: int = Field(default=2000, ge=1)
    quorum: StrictInt | StrictFloat | None = 0.5

    stages: ClassVar[Mapping[str, Stage]] = {
        "draft": Stage(("draft",)),
        "revise": Stage(("revise", "exchange")),
        "judge": Stage(("judge",), shaped=True),
    }

    def plan(self, members: Sequence[Member]) -> list[Asking]:
        free = [member.name for member in members if member.seat is None]
        asks = [Asking(name, "draft") for name in free]
        for round in range(1, self.rounds + 1):
            asks += [
                Asking(name, "revise", round, 1 + len(self.neighbours(at, len(free)))) for at, name in enumerate(free)
            ]
        return asks

    def neighbours(self, seat: int, members: int) -> list[int]:
        """The seats, of so many `members`, that a `seat` sees, in order."""
        others = [at for at in range(members) if at != seat]
        topology = self.topology
        if topology == "auto":
            topology = "full" if members <= 4 else "ring"
        if topology == "star":
            return others if seat == 0 else [0]
        if topology == "ring":
            return [at for at in others if (at - seat) % members in (1, members - 1)]
        return others

    def wiring(self, members: Sequence[Member]) -> Wiring:
        free = [member.name for member in members if member.seat is None]
        arrows = [
            (free[at], "<-.->", free[other])
            for at in range(len(free) if self.rounds else 0)
            for other in self.neighbours(at, len(free))
            if at < other or at not in self.neighbours(other, len(free))
        ]
        judge = [member.name for member in members if member.seat == "judge"]
        arrows += [(name, "-->", each) for each in judge for name in free]
        return Wiring(tuple(free), tuple(judge or free), tuple(arrows))

    def is_settled(self, counted: Counted) -> bool:
        """Whether nothing is left to talk about after a count (`counted`); a subclass says when."""
        raise NotImplementedError

    def count(self, run: TeamRun, latest: Mapping[str, Outcome]) -> Counted:
        """The decision on the members' `latest` answers in a run (`run`); a subclass names its rule."""
        raise NotImplementedError

    def lacking(self, run: TeamRun, latest: Mapping[str, Outcome]) -> int:  # noqa: ARG002
        """How many more answers there must be before those given can be certain to decide, whatever the others say.

        Zero: they do now, and nobody needs to be waited for. It is asked again when so many more have come; a number
        too small costs a count, one too large an answer that was not needed. run: the run. latest: the last answer of
        each member that gave one.
        """
        return len(run.members)

    def revision(self, run: TeamRun, task: Task, own: Outcome | None, peers: Sequence[Outcome], seen: Seen) -> str:
        """What a member is told in a revision; a subclass has the words.

        run, task: of which run, on which task. own: its own last answer, if it gave one. peers: the answers it sees.
        seen: what there was before.
        """
        raise NotImplementedError

    async def deliberate(self, run: TeamRun, task: Task) -> Counted:
        """Let the members of `run` draft an answer to `task`, revise until it is settled or the rounds are over, and
        give the last count.

        A member that fails in a revision keeps its last answer. Raises QuorumMissed when too few draft, LimitExceeded
        when a limit ends it; what is held then is the answer of the last complete round.
        """
        needed = self.needed(len(run.members))
        contract = run.prompts("answer_line")
        run.begin("draft")
        drafts = await self.gather(
            run, run.prompts("draft", task=run.text(task)) + contract, stage="draft", question=task.id,
            best=lambda done: self.answer(self.count(run, _by_name(done))),
            until=self._until(run, {}),
        )  # fmt: skip
        run.require(drafts, needed)
        latest = {outcome.member: outcome for outcome in drafts if outcome.ok}
        counts = [self._counted(run, 0, latest)]
        for round in range(1, self.rounds + 1):
            if self.is_settled(counts[-1]) and (round > 1 or self.trigger == "on_disagreement"):
                break
            run.begin("revise", round)
            said = await self._revise(run, task, round, latest, counts)
            for outcome in said:
                run.raise_refusal(outcome)
            latest = {**latest, **{outcome.member: outcome for outcome in said if outcome.ok}}
            counts.append(self._counted(run, round, latest))
        return counts[-1]

    async def _revise(
        self, run: TeamRun, task: Task, round: int, latest: Mapping[str, Outcome], counts: Sequence[Counted]
    ) -> list[Outcome]:
        prompts: dict[str, str] = {}
        taken: list[Outcome] = []
        counted = counts[-1]
        leader = counted.leader
        for seat, member in enumerate(run.members):
            own = latest.get(member.name)
            chance = random.Random(f"{run.seed}/{task.id}/{member.name}/{round}")
            if self.update == "conformist" and leader is not None and counted.choices.get(member.name) == leader:
                continue
            if self.update == "follower" and leader is not None and chance.random() < self.follow:
                taken.append(_taken_over(member, round, latest[counted.author_of(leader)]))
                continue
            peers = [
                latest[run.members[at].name]
                for at in self.neighbours(seat, len(run.members))
                if run.members[at].name in latest
            ]
            chance.shuffle(peers)
            prompts[member.name] = self.revision(run, task, own, peers, Seen(counts, chance))
        asked = [member for member in run.members if member.name in prompts]
        kept = {name: outcome for name, outcome in latest.items() if name not in prompts}
        said = await self.gather(
            run, prompts, stage="revise", round=round, members=asked, question=task.id,
            until=self._until(run, {**kept, **_by_name(taken)}),
        )  # fmt: skip
        return taken + said

    def _until(self, run: TeamRun, kept: Mapping[str, Outcome]) -> Until:
        """Whether the answers so far are certain to decide; looks only when they can."""
        due = 0

        def until(done: Sequence[Outcome]) -> bool:
            nonlocal due
            latest = {**kept, **_by_name(done)}
            if len(latest) < due:
                return False
            lacking = self.lacking(run, latest)
            due = len(latest) + lacking
            return lacking == 0

        return until

    def _counted(self, run: TeamRun, round: int, latest: Mapping[str, Outcome]) -> Counted:
        counted = self.count(run, latest)
        run.record(counted, round)
        run.hold(lambda: self.answer(counted))
        return counted

    def answer(self, counted: Counted) -> Answer | None:
        """The answer that a count (`counted`) stands for; undecided when it is not decided."""
        decision = counted.decision
        if decision.winner is not None:
            return Answer(
                counted.text_of(decision.winner), decision=decision, author=counted.author_of(decision.winner)
            )
        if not counted.outcomes:
            return None
        leader = counted.leader
        if leader is None:
            return Answer(undecided_text(decision), status="undecided", decision=decision)
        return Answer(counted.text_of(leader), status="undecided", decision=decision, author=counted.author_of(leader))

    def peers(self, peers: Sequence[Outcome], counted: Mapping[str, str | None]) -> str:
        """Peers' answers as data: anonymous, cut to the budget; full texts each once, mere answers one for each peer.

        peers: the answers. counted: what each was counted as, by member, for a view that shows no more than that.
        """
        texts: list[str] = []
        for outcome in peers:
            text = outcome.text
            if self.view == "answer":
                text = counted.get(outcome.member) or "(no answer)"
            text = cut(text, self.peer_tokens)
            # How many gave an answer is all that a mere answer says.
            if self.view == "answer" or text not in texts:
                texts.append(text)
        return fenced_all((label(at), text) for at, text in enumerate(texts))


def cut(text: str, tokens: int) -> str:
    """Text cut to about so many tokens; says so when it was cut. The end is kept: that is where answers stand."""
    most = tokens * 3
    if len(text) <= most:
        return text
    return f"[cut: {len(text) - most} characters not shown]\n{text[-most:]}"


def own_answer(own: Outcome | None) -> str:
    """A member's own last answer, as a prompt shows it."""
    return "(you gave none)" if own is None else fenced(own.text, "yourself")


def _by_name(outcomes: Sequence[Outcome]) -> dict[str, Outcome]:
    return {outcome.member: outcome for outcome in outcomes if outcome.ok}


def _taken_over(member: Member, round: int, outcome: Outcome) -> Outcome:
    return Outcome(member.name, member.role.name, "revise", round, "ok", outcome.answer)
