"""The round engine of consensus and debate: drafts, then revisions, then a decision.

Every round starts from one snapshot of the round before; who sees whom is the topology; what is seen is anonymous,
shuffled by the run's seed, said once, and cut to a budget (Du et al. 2023, arXiv:2305.14325; Li et al. 2024,
arXiv:2406.11776; Kaesberg et al. 2025, arXiv:2502.19130). `rounds` means revisions after the blind draft, so
`rounds=0` is a vote.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field, StrictFloat, StrictInt

from phalanx.agents.task import Task

from .base import Answer, Asking, Member, Outcome, Stage, Wiring
from .chance import Chance
from .count import Counted, count, undecided_text
from .discussion import Discussion
from .early import lacking
from .fitting import check_options
from .gather import Gathering
from .team_run import TeamRun
from .topology import Topology as Topology
from .topology import neighbours
from .trajectory import decided_over
from .views import Looks, Shown, as_data, own_answer
from .views import View as View
from .views import cut as cut
from .voting import Equivalence, Rule
from .voting.composed import JudgeDecides, StopField, met, most_rounds, parts_of
from .voting.equivalence import EQUIVALENCE

Update = Literal["free", "conformist", "follower", "verified_only", "stable"]


class Deliberation(Gathering):
    """What consensus and debate share.

    Who and when. rounds: revisions after the draft. order: in a round all revise at once ("sync"), or in turn, each
    seeing what those before it have just said ("sequential"). blind: nobody sees anything while drafting; only with
    order="sequential" can drafts be made in turn too. trigger: revise "always", or only "on_disagreement" of the
    drafts. stop: when to stop, such as "unanimous | stable(2)"; default: when everybody agrees, or the rule decides.

    Who sees whom. topology: see `Topology`. groups: members in so many groups, who see each other only within theirs,
    and every `pool_every` rounds see a summary of each group instead (GroupDebate, arXiv:2409.14051).

    What is seen. view: peers' "full" texts, the "answer" alone, "answer_and_reason", a "summary" (made once for all by
    the seat "summarizer", else by each member for itself), or "grouped" (every answer with how many hold it, why, and
    how sure they are). show_counts: an answer that is shown once says how many gave it. peer_tokens: the most of one
    peer's text. view_tokens: the most of all of them together (None: no more than that). memory: how many rounds a
    member is shown, or "all".

    Who changes. update: "free" (everybody revises), "conformist" (those who agree with the plurality keep their
    answer), "follower" (with probability `follow` a member takes over the plurality's answer instead of revising; both
    Choi et al. 2025, arXiv:2508.17536), "verified_only" (a change counts only when the seat "verifier" accepts the
    new answer), "stable" (who gave the same answer `leave_after` times running says no more; Yin et al. 2023,
    arXiv:2312.01823). rate: members rate the answers they see from 1 to 5. keep: from round `keep_from` on only so
    many go on, chosen by the seat "ranker", else by these ratings (Liu et al. 2023, arXiv:2310.02170).

    What counts. confidence: how sure members are is not asked ("none"), stated with the answer ("typed"), or asked in
    a call of its own, where it cannot steer the answer ("separate"). equivalence: which answers count as the same.
    decide_over: which answers the rule decides on in the end: those of the "last" round, of the "first" (the drafts),
    or of "all" rounds, each a ballot that weighs `decay` times as much as one of the round after it (see `trajectory`).
    early: cancel what is still running once it can change neither who wins nor that it stops, where the last round
    decides; the winner is the same in whatever order replies arrive, but whose words stand for it may differ. quorum:
    how many members must answer in a round (default: half).
    """

    rounds: int = Field(default=1, ge=0)
    topology: Topology = "auto"
    order: Literal["sync", "sequential"] = "sync"
    blind: bool = True
    view: View = "full"
    show_counts: bool = False
    peer_tokens: int = Field(default=2000, ge=1)
    view_tokens: int | None = Field(default=None, ge=1)
    memory: int | Literal["all"] = Field(default=1)
    update: Update = "free"
    follow: float = Field(default=0.3, ge=0, le=1)
    leave_after: int = Field(default=2, ge=2)
    trigger: Literal["always", "on_disagreement"] = "on_disagreement"
    stop: StopField = None
    confidence: Literal["none", "typed", "separate"] = "none"
    rate: bool = False
    keep: int | None = Field(default=None, ge=1)
    keep_from: int = Field(default=2, ge=1)
    groups: int = Field(default=1, ge=1)
    pool_every: int = Field(default=2, ge=1)
    decide_over: Literal["last", "first", "all"] = "last"
    decay: float = Field(default=1.0, gt=0, le=1)
    early: bool = False
    equivalence: Equivalence = EQUIVALENCE
    quorum: StrictInt | StrictFloat | None = 0.5

    optional_seats: ClassVar[tuple[str, ...]] = ("verifier", "summarizer", "ranker")
    typed_seats: ClassVar[tuple[str, ...]] = ("verifier", "ranker")

    @property
    def stages(self) -> Mapping[str, Stage]:  # type: ignore[override]
        """How it asks: with a shape of its own where more than the answer is asked for."""
        sure = self.confidence == "typed"
        return {
            "draft": Stage(("draft",) if self.blind else ("draft", "join", "oppose"), shaped=sure),
            "revise": Stage(("revise", "exchange", "counter"), shaped=sure or self.rate),
            "summarize": Stage(("summarize",)),
            "verify": Stage(("verify",), shaped=True),
            "confidence": Stage(("confidence",), shaped=True),
            "rank": Stage(("rank",), shaped=True),
            "moderate": Stage(("judge",), shaped=True),
            "judge": Stage(("judge",), shaped=True),
        }

    @property
    def looks(self) -> Looks:
        """How answers are shown."""
        return Looks(self.view, self.show_counts, self.peer_tokens, self.view_tokens)

    @property
    def is_typed(self) -> bool:
        """Whether answers come in a shape of the formation's own."""
        return self.confidence == "typed" or self.rate

    @property
    def opposes(self) -> bool:
        """Whether others' answers are the other side's, and not advice."""
        return False

    @property
    def weigh(self) -> str:
        """How members are told to weigh what others say."""
        return "Change your answer only for a reason you can name."

    @property
    def last_round(self) -> int:
        """The last round there can be."""
        cap = None if self.stop is None else most_rounds(self.stop)
        return self.rounds if cap is None else min(self.rounds, cap)

    def check(self, members: Sequence[Member]) -> None:
        super().check(members)
        check_options(self, members)

    def plan(self, members: Sequence[Member]) -> list[Asking]:
        """Every asking of `members` when all revise in every round; the first `keep` stand for those that go on."""
        names = [member.name for member in members if member.seat is None]
        seat = {member.seat: member.name for member in members if member.seat is not None}
        before = 0 if self.blind else len(names)
        asks = [Asking(name, "draft", 0, before) for name in names] + self._sureness(names, 0)
        asks += self.moderation(members, 0)
        active = names
        for round in range(1, self.last_round + 1):
            if self.keep is not None and round == self.keep_from:
                asks += [Asking(seat["ranker"], "rank", round, len(active))] if "ranker" in seat else []
                active = active[: self.keep]
            asks += self._summarizing(active, seat.get("summarizer"), round)
            asks += [Asking(name, "revise", round, self._reads(name, names, round)) for name in active]
            if self.update == "verified_only":
                asks += [Asking(seat["verifier"], "verify", round, 1) for _ in active]
            asks += self._sureness(active, round) + self.moderation(members, round)
        return asks

    def _sureness(self, names: Sequence[str], round: int) -> list[Asking]:
        return [Asking(name, "confidence", round, 1) for name in names] if self.confidence == "separate" else []

    def _summarizing(self, names: Sequence[str], by: str | None, round: int) -> list[Asking]:
        if self.is_pooled(round):
            groups = self.groups_of(names)
            return [Asking(by or group[0], "summarize", round, len(group)) for group in groups]
        if self.view != "summary":
            return []
        return [Asking(name, "summarize", round, len(names)) for name in ([by] if by else names)]

    def _reads(self, name: str, names: Sequence[str], round: int) -> int:
        """How many answers a member's prompt in a round holds at most, its own among them."""
        seen = len(self.neighbours(names.index(name), names))
        if self.is_pooled(round):
            seen = self.groups
        elif self.view == "summary":
            seen = 1
        elif self.view in ("grouped", "answer_and_reason"):
            seen *= 2  # the answer may stand in its group's head and in its reasons
        rounds = round if self.memory == "all" else min(self.memory, round)
        return rounds * (1 + seen)

    def moderation(self, members: Sequence[Member], round: int) -> list[Asking]:  # noqa: ARG002
        """The askings of judges among `members` after a `round`; a formation with judges says which."""
        return []

    def neighbours(self, seat: int, names: Sequence[str]) -> list[int]:
        """The seats that a `seat` sees, in a discussion of members of these `names`."""
        if self.groups == 1:
            return neighbours(self.topology, seat, names)
        group = next(each for each in self.groups_of(names) if names[seat] in each)
        start = names.index(group[0])
        return [start + at for at in neighbours(self.topology, seat - start, group)]

    def groups_of(self, names: Sequence[str]) -> list[Sequence[str]]:
        """The members' `names` in their groups: neighbours in seat order, as even as can be."""
        edges = [len(names) * at // self.groups for at in range(self.groups + 1)]
        return [names[start:end] for start, end in itertools.pairwise(edges)]

    def is_pooled(self, round: int) -> bool:
        """Whether groups see each other's summaries in a `round`."""
        return self.groups > 1 and round % self.pool_every == 0

    def wiring(self, members: Sequence[Member]) -> Wiring:
        free = [member.name for member in members if member.seat is None]
        sees = [self.neighbours(at, free) if self.rounds else [] for at in range(len(free))]
        # Who sees somebody that does not see it back hears it.
        arrows = [
            (free[at], "<-.->", free[other]) if at in sees[other] else (free[other], "-->", free[at])
            for at in range(len(free))
            for other in sees[at]
            if at < other or at not in sees[other]
        ]
        judges = [member.name for member in members if member.seat and member.seat.startswith(("judge", "moderator"))]
        others = [member.name for member in members if member.seat is not None and member.name not in judges]
        arrows += [(name, "<-->", each) for each in others for name in free]
        arrows += [(name, "-->", each) for each in judges for name in free]
        return Wiring(tuple(free), tuple(judges or free), tuple(arrows))

    def is_settled(self, counted: Counted) -> bool:
        """Whether nothing is left to talk about after a count (`counted`); a subclass says when."""
        raise NotImplementedError

    def the_rule(self) -> Rule:
        """The rule that decides; a subclass names it."""
        raise NotImplementedError

    def count(
        self,
        run: TeamRun,
        latest: Mapping[str, Outcome],
        sure: Mapping[str, float] | None = None,
        eligible: int | None = None,
        read: dict[str | None, str | None] | None = None,
    ) -> Counted:
        """The decision on the members' `latest` answers in a run (`run`).

        sure: how sure they said they are. eligible: how many may vote (default: all members). read: what texts were
        read as before, which is added to.
        """
        return count(
            list(latest.values()), self.the_rule(), self.equivalence, seed=run.seed, sure=sure, read=read,
            eligible=len(run.members) if eligible is None else eligible,
        )  # fmt: skip

    def lacking(
        self,
        run: TeamRun,
        latest: Mapping[str, Outcome],
        rounds: Sequence[Sequence[str | None]],
        read: dict[str | None, str | None] | None = None,
    ) -> int:
        """How many more answers there must be before those given can be certain to decide, whatever the others say.

        Zero: they do now, and nobody needs to be waited for. It is asked again when so many more have come; a number
        too small costs a count, one too large an answer that was not needed. run: the run. latest: the last answer of
        each member that gave one. rounds: what was counted in the rounds before. read: as `count` takes it.
        """
        # Who may still be verified, asked how sure it is, or left out may yet change what is counted; and what wins
        # this round is not what decides where others count too.
        is_open = self.decide_over != "last"
        if is_open or self.update == "verified_only" or self.confidence == "separate" or self.keep is not None:
            return len(run.members)
        return lacking(self, run, latest, rounds, read) if self.early else len(run.members)

    def revision(
        self,
        talk: Discussion,
        member: Member,
        latest: Mapping[str, Outcome],
        round: int,  # noqa: ARG002
        chance: Chance,
        instead: Sequence[Shown] | None,
    ) -> str:
        """What a `member` of a discussion (`talk`) is told in a `round`.

        latest: the answers so far. chance: the member's own. instead: what it is shown in place of its peers' answers.
        """
        if instead is None:
            instead = talk.look(member, talk.peers_of(member, latest), chance, talk.choices_now(latest))
        else:
            talk.note(member, instead)
        earlier = talk.earlier(member, None if self.memory == "all" else self.memory)
        slot = "counter" if self.opposes else "revise"
        rate = talk.run.prompts("rate") if self.rate else ""
        return talk.run.prompts(
            slot, task=talk.text + earlier, own=own_answer(latest.get(member.name)), peers=as_data(instead),
            stubbornness=self.weigh, contract=rate + talk.contract,
        )  # fmt: skip

    async def deliberate(
        self,
        run: TeamRun,
        task: Task,
        drafts: Sequence[Outcome] | None = None,
        read: dict[str | None, str | None] | None = None,
    ) -> Discussion:
        """Let the members of `run` draft an answer to `task`, revise until it is settled or the rounds are over, and
        give the discussion; its last count is what they come to.

        drafts: answers to begin with, where nobody is to be asked for one. read: what texts were read as before.
        A member that fails in a revision keeps its last answer. Raises QuorumMissed when too few draft, LimitExceeded
        when a limit ends it; what is held then is the answer of the last complete round.
        """
        talk = Discussion(self, run, task, read)
        judges = any(isinstance(each, JudgeDecides) for each in parts_of(self.stop))
        for round in range(self.last_round + 1):
            if round == 0:
                await talk.draft(drafts)
            elif talk.is_empty():
                break
            else:
                await talk.revise(round)
            looks = judges or round < self.last_round
            if looks and (round > 0 or self.trigger == "on_disagreement") and await self._is_over(talk, round):
                break
        return talk

    async def _is_over(self, talk: Discussion, round: int) -> bool:
        if self.stop is None:
            return self.is_settled(talk.counted)
        is_decided = talk.counted.decision.status == "decided"
        if met(self.stop, talk.table, is_decided=is_decided):
            return True
        if not met(self.stop, talk.table, is_decided=is_decided, is_judged=True):
            return False
        return await self.is_judged(talk, round)

    async def is_judged(self, talk: Discussion, round: int) -> bool:
        """Whether the judges agree on an answer after a `round` of a discussion (`talk`)."""
        raise NotImplementedError

    def answer(self, counted: Counted) -> Answer | None:
        """The answer that a count (`counted`) stands for; undecided when it is not decided."""
        decision = counted.decision
        if decision.winner is None and not counted.outcomes:
            return None
        leader = counted.leader if decision.winner is None else decision.winner
        status = "undecided" if decision.winner is None else "completed"
        if leader is None:
            return Answer(undecided_text(decision), status=status, decision=decision)
        author = counted.outcomes[counted.author_of(leader)].member
        return Answer(
            counted.text_of(leader), counted.output_of(leader), status=status, decision=decision, author=author
        )

    def conclude(self, talk: Discussion) -> Answer:
        """The answer that a discussion (`talk`) comes to by the rule, on the answers that `decide_over` names."""
        counted = decided_over(talk)
        if counted is not talk.counted:
            talk.run.decided(counted.decision)
        answer = self.answer(counted)
        assert answer is not None
        return answer
