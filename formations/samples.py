"""Samples of one task: drawn from members in turn, unseen by each other, then read and counted as ballots."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

from phalanx.agents.task import Task
from phalanx.errors import ConfigurationError, ValidationError

from .base import Answer, Member, Outcome
from .count import Counted, read_all, undecided_text
from .stated import answered, typed
from .team_run import Job, TeamRun, Until
from .voting import Approval, Ballot, Equivalence, Plurality, Rule, StopRule, VotingRule, cannot_change
from .voting.composed import AllOf, AnyOf, parts_of, written
from .voting.counting import HeadCount
from .voting.settled import in_any_order
from .voting.stopping import Answers, Beta, Dirichlet, Esc, class_sizes


class Samples:
    """What a run has drawn of a task, in the order of the drawing, which is that of the seats and never of arrival.

    run, task: of which run, on which task. most: how many samples may be drawn. needed: how many must be answers
    before a vote on them can be certain. rule, equivalence: how they are counted. `drawn` are the samples so far,
    `is_certain` says whether drawing ended early because no further sample could have changed the winner, and `read`
    what each text was read as.
    """

    def __init__(self, run: TeamRun, task: Task, most: int, needed: int, rule: Rule, equivalence: Equivalence) -> None:
        self.run, self.task, self.most, self.needed = run, task, most, needed
        self.rule, self.equivalence = rule, equivalence
        self.drawn: list[Outcome] = []
        self.is_certain = False
        self._counted: tuple[tuple[object, ...], Counted] | None = None
        self._merged: tuple[tuple[int, ...], tuple[dict[str, Outcome], dict[str, str | None]]] | None = None
        self.read: dict[str | None, str | None] = {}
        self._prompt = run.prompts("draft", task=run.text(task)) + run.prompts("answer_line")

    async def draw(self, more: int, *, deadline: float | None = None, early: bool = False) -> list[Outcome]:
        """Draw so many `more` samples at the same time.

        deadline: seconds after which those still out are timed out. early: cancel the rest once they cannot change
        what the vote comes to. Meanwhile the run holds the vote on all that has come.
        """
        before = list(self.drawn)
        jobs = []
        for at in range(len(before), len(before) + more):
            attempt, seat = divmod(at, len(self.run.members))
            jobs.append(Job(str(at), self.run.members[seat], self._prompt, attempt=attempt))
        fresh = await self.run.ask_jobs(
            jobs, stage="draft", question=self.task.id, deadline=deadline,
            until=self._until(before) if early else None,
            best=lambda done: answer_of(self.count([*before, *done], self.most)),
        )  # fmt: skip
        self.drawn += fresh
        return fresh

    def answers(self) -> list[str | None]:
        """What each sample so far was counted as, in the order of the drawing; None where it failed or abstained."""
        choices = iter(self._choices(self.drawn)[1].values())
        return [next(choices) if outcome.ok else None for outcome in self.drawn]

    def count(self, outcomes: Sequence[Outcome], eligible: int) -> Counted:
        """The vote on samples (`outcomes`) among so many `eligible`.

        A member's second sample is called "ada#2" in it; to the rule all of a member's ballots are cast by the member.
        """
        key = (eligible, *map(id, outcomes))
        if self._counted is not None and self._counted[0] == key:
            return self._counted[1]
        said, choices = self._choices(outcomes)
        ballots = [
            None if choice is None else Ballot.of(choice, voter=said[name].member, text=said[name].text)
            for name, choice in choices.items()
        ]
        decision = self.rule.decide(ballots, seed=self.run.seed, eligible=eligible)
        counted = Counted(said, choices, decision, rule=self.rule, ballots=tuple(ballots))
        self._counted = key, counted
        return counted

    def _choices(self, outcomes: Sequence[Outcome]) -> tuple[dict[str, Outcome], dict[str, str | None]]:
        """The samples that are answers, by what they are called in a vote, and what each is counted as."""
        key = tuple(map(id, outcomes))
        if self._merged is not None and self._merged[0] == key:
            return self._merged[1]
        turns: Counter[str] = Counter()
        said: dict[str, Outcome] = {}
        for outcome in outcomes:
            turns[outcome.member] += 1
            if outcome.ok:
                said[_label(outcome.member, turns[outcome.member])] = outcome
        found = self.equivalence.choices(
            read_all([answered(outcome) for outcome in said.values()], self.equivalence, self.read)
        )
        choices = dict(zip(said, found, strict=True))
        self._merged = key, (said, choices)
        return said, choices

    def lacking(self, outcomes: Sequence[Outcome]) -> int:
        """How many more samples there must be before the winner can be certain, whatever they say; 0: it is now.

        A number too small costs another count, never a sample. outcomes: those that have come.
        """
        answered = [outcome for outcome in outcomes if outcome.ok]
        # One that failed counts as still out: whether the winner is certain must not depend on who was first.
        out = self.most - len(answered)
        if out <= 0 or not isinstance(self.rule, HeadCount | Approval):
            return out
        if len(answered) < self.needed:
            return self.needed - len(answered)
        counted = self.count(outcomes, self.most)
        ballots = counted.ballots
        if not self.rule.weighs:
            sizes = class_sizes([None if ballot is None else ballot.choice for ballot in ballots])
            first, second = (*sizes, 0, 0)[:2]
            # All that are out may join the second; each further sample brings certainty nearer by two at most.
            if (short := -((first - second - out) // 2)) > 0:
                return short
            if first - second > out and self._is_plain and all(self._firm(counted)):
                return 0
        come = Counter(outcome.member for outcome in answered)
        all_of_them = Counter(self.run.members[at % len(self.run.members)].name for at in range(self.most))
        waiting = [Ballot(voter=name) for name in (all_of_them - come).elements()]

        certain = functools.partial(cannot_change, rule=in_any_order(self.rule), eligible=self.most)
        if counted.decision.status != "decided" or not certain(ballots, waiting):
            return 1
        firm = self._firm(counted)
        if all(firm):
            return 0
        # What may yet be counted as another answer is as good as still out.
        loose = [Ballot(voter=each.voter) for each, stays in zip(ballots, firm, strict=True) if each and not stays]
        kept = [each if stays else None for each, stays in zip(ballots, firm, strict=True)]
        return 0 if certain([each for each in kept if each is not None], [*waiting, *loose]) else 1

    def _firm(self, counted: Counted) -> list[bool]:
        """Which answers are counted alike whatever is answered after them; an abstention is."""
        reads = [self.read[answered(outcome)] for outcome in counted.outcomes.values()]
        return [stays or read is None for stays, read in zip(self.equivalence.firm(reads), reads, strict=True)]

    @property
    def _is_plain(self) -> bool:
        """Whether whoever is in front by enough has won, with no more asked for."""
        rule = self.rule
        return type(rule) is Plurality and (rule.quorum, rule.min_agreement, rule.min_margin) == (None, None, None)

    def _until(self, before: Sequence[Outcome]) -> Until:
        due = 0

        def until(done: Sequence[Outcome]) -> bool:
            nonlocal due
            known = [*before, *done]
            if len(known) < due:
                return False
            lacking = self.lacking(known)
            due = len(known) + lacking
            self.is_certain = lacking == 0
            return self.is_certain

        return until


def answer_of(counted: Counted) -> Answer | None:
    """The answer that a count (`counted`) stands for: its winner's, else "undecided"; None when nobody answered."""
    decision = counted.decision
    if not counted.outcomes:
        return None
    leader = decision.winner or counted.leader
    status = "undecided" if decision.winner is None else "completed"
    if leader is None:
        return Answer(undecided_text(decision), status=status, decision=decision)
    outcome = counted.outcomes[counted.author_of(leader)]
    return Answer(outcome.text, typed(outcome), status=status, decision=decision, author=outcome.member)


def ahead(stop: StopRule, answers: Answers, most: int) -> int:
    """How many samples to draw next: as many as are needed in any case before a stop rule can be reached.

    So samples are drawn together, and yet no more of them than if they were drawn one by one, or window by window.
    stop: the rule. answers: what was drawn, as classes. most: how many samples there may be.
    """
    left = most - len(answers)
    return min(left, max(1, _short_of(stop, answers, left)))


def _short_of(stop: StopRule, answers: Answers, left: int) -> int:
    if stop.reached(answers):
        return 0
    if isinstance(stop, AnyOf):
        return min(_short_of(each, answers, left) for each in stop.stops)
    if isinstance(stop, AllOf):
        return max(_short_of(each, answers, left) for each in stop.stops)
    if isinstance(stop, Esc):
        return stop.window - len(answers) % stop.window
    return _fewest(stop, tuple(class_sizes(answers)), left)


@lru_cache(maxsize=4096)
def _fewest(stop: StopRule, sizes: tuple[int, ...], left: int) -> int:
    # Nothing brings these rules nearer than further samples that all join the leader.
    first, *others = sizes or (0,)
    rest = [str(at) for at, size in enumerate(others, 1) for _ in range(size)]
    for more in range(1, left):
        if stop.reached(["0"] * (first + more) + rest):
            return more
    return left


@lru_cache(maxsize=64)
def stop_text(stop: StopRule) -> str:
    """A stop rule as a sentence has it: "beta(0.95)"."""
    return re.sub(r"\d+/\d+", lambda found: f"{float(Fraction(found[0])):g}", written(stop) or "")


def check_stop(stop: StopRule | None, most: int) -> None:
    """Raise ValidationError when a stop rule says nothing about samples, or cannot be reached by `most` of them."""
    for part in parts_of(stop):
        if not isinstance(part, Beta | Dirichlet | Esc):
            raise ValidationError(
                f"stop={part.kind!r} is for rounds: one sample alone always agrees with itself; "
                "for samples give beta(0.95), dirichlet(0.95) or esc(5)"
            )
    if stop is not None and not stop.reached(["0"] * most):
        raise ValidationError(f"stop={stop_text(stop)} cannot be reached by samples={most}, even if all agree")


def check_rule(rule: Rule, members: Sequence[Member]) -> None:
    """Raise ValidationError when a rule cannot count single choices of these members (`members`)."""
    if not isinstance(rule, VotingRule):
        return
    try:
        rule.decide([Ballot("an answer", voter=member.name) for member in members if member.seat is None])
    except ValidationError as problem:
        raise ValidationError(f"rule={rule.kind!r} cannot count samples: {problem}") from None


def check_turns(kind: str, most: int, members: Sequence[Member], option: str = "samples") -> None:
    """Raise an error when samples cannot be drawn from these members in turn.

    kind: the formation. most: how many samples. members: all of it. option: what the number is called. Raises
    ConfigurationError for a member who would never be asked, or whose name is that of another's later sample.
    """
    free = [member.name for member in members if member.seat is None]
    if most < len(free):
        raise ConfigurationError(
            f"{kind} with {option}={most} would never ask {free[-1]!r}: give as many {option} as there are members"
        )
    turns = -(-most // len(free))
    for name in free:
        for turn in range(2, turns + 1):
            if _label(name, turn) in free:
                raise ConfigurationError(
                    f"a member named {_label(name, turn)!r} would be mixed up with the {option} of {name!r}; rename it"
                )


def check_part(quorum: int | float | None, most: int, what: str) -> None:
    """Raise ValidationError when a `quorum` is no number or part of `most`; `what` these are."""
    if isinstance(quorum, int) and not 1 <= quorum <= most:
        raise ValidationError(f"quorum={quorum} cannot be met by {most} {what}; it must be from 1 to {most}")
    if isinstance(quorum, float) and not 0 < quorum <= 1:
        raise ValidationError(f"quorum={quorum} is no part of the {what}; write 0.5 for half, or a whole number")


def _label(name: str, turn: int) -> str:
    return name if turn == 1 else f"{name}#{turn}"
