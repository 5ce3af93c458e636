"""Drafts, then rounds in which each sees what its peers say and revises; a vote, a judge or a hub decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

from phalanx.agents.task import Task
from phalanx.errors import ConfigurationError, ValidationError

from .base import Answer, Asking, Member
from .count import Counted
from .discussion import Discussion
from .judging import PANEL, judged
from .rounds import Deliberation
from .rule_field import RuleField
from .stated import said, typed
from .team_run import TeamRun
from .views import cut
from .voting import Ballot, Plurality, Rule
from .voting.composed import JudgeDecides, parts_of


class Debate(Deliberation):
    """Society of minds (Du et al. 2023, arXiv:2305.14325): blind drafts, then synchronous revisions.

    stubbornness: from 0 (take over what convinces) to 10 (change only for a concrete error that can be named); it
    decides how members are told to weigh their peers. stance: others' answers are "advice", or the other side's, which
    members after the first are told to "oppose" in their draft and to agree with or not afterwards (Liang et al. 2023,
    arXiv:2305.19118). rule: decides on the answers of the last round. decide: "vote", or with topology="star" the
    "hub": the first member's last answer is final.

    With somebody in the seat "judge", a last round that is not unanimous goes to the judge, who sees the candidates in
    both orders; a verdict that changes with the order is "undecided". The seats "judge_2" to "judge_9" make a panel:
    more than half of the judges whose verdict held decide. With stop="judge_decides" the judges, or else the seat
    "moderator", are asked after every round. evidence: the judge is shown the candidates of the "last" round, or of
    "all" rounds.
    """

    kind: Literal["debate"] = "debate"
    stubbornness: int = Field(default=7, ge=0, le=10)
    stance: Literal["advice", "oppose"] = "advice"
    rule: RuleField = Plurality.model_construct(tie_break=())  # as it is validated, without building a validator
    decide: Literal["vote", "hub"] = "vote"
    evidence: Literal["last", "all"] = "last"

    least: ClassVar[int] = 2
    summary: ClassVar[str] = (
        "blind drafts, then revisions that see the peers' answers; a vote decides, or a judge in both orders"
    )
    calls: ClassVar[str] = "n * (1 + rounds) + 2 * judge"
    optional_seats: ClassVar[tuple[str, ...]] = (*PANEL, "moderator", *Deliberation.optional_seats)
    typed_seats: ClassVar[tuple[str, ...]] = (*PANEL, "moderator", *Deliberation.typed_seats)

    @property
    def opposes(self) -> bool:
        return self.stance == "oppose"

    @property
    def weigh(self) -> str:
        words = _OPPOSE if self.opposes else _WEIGH
        return words[(self.stubbornness + 2) // 4]

    @property
    def asks_judges(self) -> bool:
        """Whether judges are asked after every round."""
        return any(isinstance(each, JudgeDecides) for each in parts_of(self.stop))

    def check(self, members: Sequence[Member]) -> None:
        super().check(members)
        filled = {member.seat for member in members}
        first = next((seat for seat in PANEL if seat in filled), None)
        if first not in (None, "judge"):
            raise ConfigurationError(f"a panel begins with the seat 'judge', and only {first!r} is filled")
        if self.asks_judges and "moderator" not in filled and first is None:
            raise ConfigurationError(
                "stop='judge_decides' needs somebody in the seat 'judge' or 'moderator': give judge=…"
            )
        if "moderator" in filled and not self.asks_judges:
            raise ConfigurationError("the moderator would never be asked: give stop='judge_decides', or leave it out")
        if self.decide == "hub" and self.topology != "star":
            raise ValidationError(f"topology={self.topology!r} has no hub whose answer could be final; give 'star'")
        if self.decide == "hub" and first is not None:
            raise ValidationError("decide='hub' and a judge both have the last word; give one of them")
        if self.early and (self.stop is None or self.decide == "hub" or first is not None or "moderator" in filled):
            raise ValidationError(
                "early=True needs a stop rule that can be certain before all have answered, such as "
                "stop='more_than(1/2)', and nobody but the vote to decide"
            )
        if self.decide_over != "last" and (self.decide == "hub" or first is not None or "moderator" in filled):
            raise ValidationError(
                f"decide_over={self.decide_over!r} is for a vote, and a hub or a judge has the last word; give one"
            )
        if self.evidence == "all" and first is None:
            raise ValidationError("evidence='all' is for a judge; give judge=…")
        if self.stance == "oppose" and self.order == "sync" and self.rounds == 0:
            raise ValidationError("stance='oppose' has no other side to oppose in blind drafts; give rounds")

    def moderation(self, members: Sequence[Member], round: int) -> list[Asking]:
        if not self.asks_judges:
            return []
        return _verdicts(_moderators(members), "moderate", round, sum(member.seat is None for member in members))

    def plan(self, members: Sequence[Member]) -> list[Asking]:
        judges = _panel(members)
        if self.asks_judges and _moderators(members) == judges:
            judges = []
        free = sum(member.seat is None for member in members)
        reads = free * (1 + self.last_round) if self.evidence == "all" else free
        return [*super().plan(members), *_verdicts(judges, "judge", 0, reads)]

    def the_rule(self) -> Rule:
        rule: Rule = self.rule
        return rule

    def is_settled(self, counted: Counted) -> bool:
        """Whether all who answered agree, by a count (`counted`)."""
        return len({*counted.choices.values()}) == 1 and None not in counted.choices.values()

    async def __call__(self, run: TeamRun, task: Task, /) -> Answer:
        talk = await self.deliberate(run, task)
        judges = _panel(run.everyone)
        if self.decide == "hub":
            return self._hub(talk)
        if talk.verdicts is not None and (talk.verdicts.decision.winner is not None or not judges):
            return self._by_verdict(talk)
        if judges and not self.is_settled(talk.counted):
            if not (self.asks_judges and _moderators(run.everyone) == judges):
                await self._ask_judges(talk, judges, "judge", 0, self.evidence == "all")
            if talk.verdicts is not None:
                return self._by_verdict(talk)
        return self.conclude(talk)

    async def is_judged(self, talk: Discussion, round: int) -> bool:
        await self._ask_judges(talk, _moderators(talk.run.everyone), "moderate", 2 * round, all_rounds=False)
        return talk.verdicts is not None and talk.verdicts.decision.winner is not None

    async def _ask_judges(
        self, talk: Discussion, judges: Sequence[Member], stage: str, first_round: int, all_rounds: bool
    ) -> None:
        """Ask judges about the candidates; `talk.verdicts` holds what they said, if there was anything to judge."""
        talk.verdicts, talk.candidates = None, self._candidates(talk.counts if all_rounds else talk.counts[-1:])
        if not talk.candidates:
            return
        texts = {key: cut(text, self.peer_tokens) for key, (text, _) in talk.candidates.items()}
        talk.verdicts = await judged(
            talk.run, talk.task, judges, texts, stage=stage, first_round=first_round, deadline=self.deadline
        )
        for failed in talk.verdicts.failed:
            talk.run.run.warn(f"{failed.member} gave no verdict ({failed.error})")
        talk.run.decided(talk.verdicts.decision)

    def _candidates(self, counts: Sequence[Counted]) -> dict[str, tuple[str, str]]:
        """The different answers in some counts, each with its latest full text and its author."""
        found = {
            choice: (counted.text_of(choice), counted.author_of(choice))
            for counted in counts
            for choice in dict.fromkeys(each for each in counted.choices.values() if each is not None)
        }
        classes = self.equivalence.choices(list(found))
        merged = dict(zip(found, classes, strict=True))
        return {merged[choice] or choice: pair for choice, pair in found.items()}

    def _by_verdict(self, talk: Discussion) -> Answer:
        verdicts = talk.verdicts
        assert verdicts is not None
        counted, decision = self.answer(talk.counted), verdicts.decision
        if not verdicts.by_judge:
            talk.run.run.warn("no judge gave a verdict; the vote of the last round stands")
            assert counted is not None
            return replace(counted, status="partial")
        if decision.winner is None:
            return Answer("" if counted is None else counted.text, status="undecided", decision=decision)
        text, author = talk.candidates[decision.winner]
        last = talk.counted.outcomes.get(author)
        output = typed(last) if last is not None and said(last) == text else None
        return Answer(text, output, decision=decision, author=author)

    def _hub(self, talk: Discussion) -> Answer:
        """The hub's last answer, whatever the others say."""
        hub, counted = talk.names[0], talk.counted
        choice = counted.choices.get(hub)
        if choice is None:
            talk.run.run.warn(f"{hub}, whose answer is final, gave none that can be read; the vote stands")
            answer = self.answer(counted)
            assert answer is not None
            return replace(answer, status="partial")
        decision = Plurality().decide([Ballot(choice, voter=hub)], seed=talk.run.seed)
        talk.run.decided(decision)
        last = counted.outcomes[hub]
        return Answer(said(last), typed(last), decision=decision, author=hub)


def _panel(members: Sequence[Member]) -> list[Member]:
    return [member for member in members if member.seat in PANEL]


def _moderators(members: Sequence[Member]) -> list[Member]:
    return [member for member in members if member.seat == "moderator"] or _panel(members)


def _verdicts(judges: Sequence[Member], stage: str, round: int, reads: int) -> list[Asking]:
    return [Asking(judge.name, stage, 2 * round + order, reads) for order in range(2) for judge in judges]


_WEIGH = (
    "Take over what convinces you.",
    "Change your answer where another is better founded.",
    "Keep your answer unless you find a real error in it.",
    "Keep your answer unless somebody names a concrete error in it; then say which.",
)
_OPPOSE = (
    "Where it is right, say so and agree.",
    "Look for what is wrong in it; you do not have to dispute every point.",
    "Dispute what can be disputed in it.",
    "Dispute it on every point.",
)
