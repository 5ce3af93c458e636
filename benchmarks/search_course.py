"""The course of a search: look after look on the development questions, then one proof on the others."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NoReturn

from phalanx.errors import ConfigurationError, ValidationError
from phalanx.formations.vote import Vote
from phalanx.runtime.limits import Limits
from phalanx.teams.team import AgentTeam

from .baselines import is_vote, only_drafts
from .compare import compare
from .engines.order import open_log
from .grouping import group
from .record import Comparison
from .search_funds import Funds
from .search_grid import Choice
from .search_race import Drop, Race, Units
from .search_record import Tried
from .statistics.intervals import Estimate
from .store import Store
from .systems import entrant
from .tasks import TaskItem, TaskSet

FEWEST = 8
"""The questions of the first look, where there are as many."""
HALVE = 2
"""The part of the formations that goes on after a look, and by how much its questions then grow."""
DEVELOPMENT, PROOF = "development", "held out"


class Course:
    """Who is left after how many questions, and why the others are not.

    found: all choices, members alone first. items, held_out: the tasks and the part kept back. funds: what may be
    spent. alpha: of all drops together. name: of the search. options: what every comparison gets.

    vote: the vote that the finalist is held against, where members differ. looks: the development questions done at
    each look. stopped: the limit that ended it early, in words.
    """

    def __init__(
        self, found: Sequence[Choice], items: TaskSet, held_out: float, funds: Funds, alpha: float, name: str,
        options: Mapping[str, Any],
    ) -> None:  # fmt: skip
        self.found, self.items, self.funds, self.alpha, self.name, self.options = (
            list(found), items, funds, alpha, name, options
        )  # fmt: skip
        development, proof = items.split(held_out, seed=options["seed"])
        self._development, self._proof = (list(_shuffled(part, options["seed"])) for part in (development, proof))
        self._race = Race(Units.of(self._development), alpha, len(found) - 1, options["margin"])
        self._alive = list(found)
        self._scores: dict[str, dict[str, float]] = {}
        self._dropped: dict[str, tuple[int, Drop]] = {}
        self.vote: str | None = None
        self.looks: list[int] = []
        self.stopped: str | None = None

    # -- development -----------------------------------------------------------------------------------------------

    async def narrow(self) -> None:
        """Drop choices until one formation is left, or none, or the budget for it is spent.

        Raises ValidationError when the budget pays for no question.
        """
        formations = sum(not each.single for each in self.found)
        rungs = max(1, math.ceil(math.log(formations, HALVE))) if formations else 0
        done = 0
        for rung in range(rungs):
            size = max(
                min(FEWEST, len(self._development)), math.ceil(len(self._development) / HALVE ** (rungs - 1 - rung))
            )
            self.funds.begin_rung()
            reached = await self._ask(done, self._whole(size), rungs - rung)
            if reached > done:
                done = reached
                self._look(done, last=rung == rungs - 1 or self.stopped is not None)
            if self.stopped is not None or self._left() == 0 or (self._left() == 1 and formations > 1):
                return

    async def _ask(self, done: int, size: int, rungs_left: int) -> int:
        """Let all that are left do more questions, up to `size` or as the budget pays; gives how many they have."""
        while done < size:
            paid = self.funds.questions(self._alive, rungs_left)
            upto = self._whole(
                min(size, done + math.floor(paid)) if math.isfinite(paid) else size, down=paid < size - done
            )
            limits = self.funds.for_development()
            if limits is None:
                self.stopped = "the time for development is over"
                return done
            if upto <= done:
                if not done and paid < 1:
                    self._refuse(rungs_left)
                if rungs_left == 1:
                    all_of_it = len(self._development)
                    self.stopped = f"the budget paid for {done:,} of {all_of_it:,} development questions"
                return done
            questions = self._development[:upto]
            made = await self._compare(self._alive, questions, limits, DEVELOPMENT)
            self.funds.take(made.attempts)
            scores = {each.system.name: each.scores for each in group(made)}
            if made.stopped is not None:
                self.stopped, self.funds.cut_off = made.stopped, True
                common = set.intersection(*(set(each) for each in scores.values()))
                scores = {
                    name: {item: score for item, score in each.items() if item in common}
                    for name, each in scores.items()
                }
                upto = len(common)
            if upto > done:
                self._scores |= scores
            done = max(done, upto)
            if self.stopped is not None:
                break
        return done

    def _refuse(self, rungs: int) -> NoReturn:
        worst = [each.calls for each in self._alive]
        most = "an unknown number of" if None in worst else f"up to {sum(each or 0 for each in worst)}"
        raise ValidationError(
            f"this budget pays for no question: one takes {most} calls of all {len(worst)} choices, and the first of "
            f"{rungs} looks may use one part in {rungs} of what is not kept for the confirmation "
            f"({1 - self.funds.reserve:.0%}); give a larger budget, or fewer formations"
        )

    def _look(self, done: int, *, last: bool) -> None:
        alive = {each.name: each for each in self._alive}
        formations, singles = self._left(), len(self._alive) - self._left()
        keep = 1 if last else math.ceil(formations / HALVE)
        keep_singles = 1 if last else math.ceil(singles / HALVE)
        dropped = self._race.drops(
            {name: self._scores[name] for name in alive}, self._costs(),
            {each.name for each in self._alive if each.single}, keep, keep_singles,
        )  # fmt: skip
        self.looks.append(done)
        for name, drop in dropped.items():
            self._dropped[name] = (len(self.looks), drop)
        self._alive = [each for each in self._alive if each.name not in dropped]

    def _left(self) -> int:
        return sum(not each.single for each in self._alive)

    def _costs(self) -> dict[str, float]:
        """The mean cost of each choice: in money where all prices are known and one is not nothing, else in tokens."""
        usd = {each.name: self.funds.mean(each.name, "usd") for each in self._alive}
        if None not in usd.values() and any(usd.values()):
            return {name: cost or 0.0 for name, cost in usd.items()}
        return {each.name: self.funds.mean(each.name, "tokens") or 0.0 for each in self._alive}

    def _whole(self, size: int, *, down: bool = False) -> int:
        """A number of questions that cuts no cluster: at least `size`, or with `down` at most."""
        ends = [0]
        for _, members in groupby(self._development, _cluster):
            ends.append(ends[-1] + len(list(members)))
        if down:
            return max(end for end in ends if end <= max(0, size))
        return min(end for end in ends if end >= min(size, ends[-1]))

    # -- what is left ----------------------------------------------------------------------------------------------

    @property
    def finalist(self) -> str | None:
        """The formation that is left; None where none is, or nothing was counted."""
        left = [each.name for each in self._alive if not each.single]
        return min(left, key=self._rank) if self.looks and left else None

    @property
    def single(self) -> str:
        """The best member alone that is left."""
        return min((each.name for each in self._alive if each.single), key=self._rank)

    def _rank(self, name: str) -> float:
        scores = self._scores.get(name)
        return -math.fsum(scores.values()) / len(scores) if scores else 0.0

    def report(self) -> Iterator[Tried]:
        """What became of each choice."""
        for each in self.found:
            scores = self._scores.get(each.name, {})
            rung, drop = self._dropped.get(each.name, (None, None))
            yield Tried(
                name=each.name, kind=each.team.kind if not each.single else "agent", single=each.single,
                items=len(scores), accuracy=self._accuracy(scores), rung=rung,
                calls=self.funds.mean(each.name, "calls") or 0.0, tokens=self.funds.mean(each.name, "tokens") or 0.0,
                usd=self.funds.mean(each.name, "usd"), why=None if drop is None else drop.why,
                against=None if drop is None else drop.against, e_value=None if drop is None else drop.e_value,
            )  # fmt: skip

    def _accuracy(self, scores: Mapping[str, float]) -> Estimate | None:
        if not scores:
            return None
        found = self._race.units.interval(scores, 1 - self.alpha)
        return found.model_copy(update={"low": None if found.low is None else max(0.0, found.low)})

    # -- the proof ---------------------------------------------------------------------------------------------------

    async def confirm(self) -> Comparison | None:
        """The finalist against the single agent and a vote at its calls, on held-out questions; None without one.

        Raises ConfigurationError when these questions have confirmed something else before.
        """
        if self.finalist is None:
            return None
        who = self._held_against(self.finalist)
        entrants = [await entrant(each.name, each.team) for each in who]
        before = await self._proof_begun()
        if before is not None and {each.system.spec for each in entrants} != _own(before):
            names = " and ".join(repr(each.name) for each in before.systems if each.baseline_of is None)
            raise ConfigurationError(
                f"the held-out questions of {self.name!r} were used for {names} before, and a second look at them "
                f"would confirm nothing of {self.finalist!r}; give the search another name, and questions that are new"
            )
        # One kind of member: `compare` adds a vote that spends on each question what the finalist spent on it.
        added = len(who) == 2 and not (only_drafts(entrants[0]) and is_vote(entrants[0]))
        paid, limits = self.funds.confirmable([*who, who[0]] if added else who), self.funds.for_confirmation()
        size = len(self._proof) if before is None else len(before.items)
        questions = self._proof[: size if before is not None else int(min(size, paid))]
        if len(questions) < 2 or limits is None:
            self.stopped = self.stopped or "nothing of the budget was left for the held-out questions"
            return None
        made = await self._compare(who, questions, limits, PROOF, baselines=["calls"] if added else ())
        self.funds.take(made.attempts, confirming=True)
        if made.stopped is not None:
            self.stopped = made.stopped
        elif len(questions) < size:
            self.stopped = self.stopped or f"the budget paid for {len(questions):,} of {size:,} held-out questions"
        return made

    def _held_against(self, finalist: str) -> list[Choice]:
        """The finalist, the single agent, and where members differ a vote of it at the mean calls of the finalist."""
        by_name = {each.name: each for each in self.found}
        pair = [by_name[finalist], by_name[self.single]]
        samples = round(self.funds.mean(finalist, "calls") or 0.0)
        if sum(each.single for each in self.found) == 1 or samples < 2:
            return pair
        single = pair[1].team
        team = AgentTeam([single.members[0].who], formation=Vote(samples=samples), model=single.given_model)
        self.vote = f"vote of {samples} by {single.members[0].name}"
        return [*pair, Choice(self.vote, team, False, samples)]

    async def _proof_begun(self) -> Comparison | None:
        log = self.options["log"]
        opened = open_log(os.fspath(log)) if isinstance(log, str | os.PathLike) else None
        try:
            kept = await Store(opened or log, f"{self.name} ({PROOF})").refresh()
        finally:
            if opened is not None:
                await opened.aclose()
        return None if kept.begun is None else kept.begun.comparison

    async def _compare(
        self, who: Sequence[Choice], questions: Sequence[TaskItem], limits: Limits, part: str,
        baselines: Sequence[str] = (),
    ) -> Comparison:  # fmt: skip
        tasks = TaskSet(f"{self.items.name} ({part})", tuple(questions))
        systems = {each.name: each.team for each in who}
        return await compare(
            systems, tasks, limits=limits, name=f"{self.name} ({part})", baselines=list(baselines) or False,
            **self.options,
        )  # fmt: skip


def _own(before: Comparison) -> set[str]:
    return {each.spec for each in before.systems if each.baseline_of is None}


def _shuffled(items: TaskSet, seed: int) -> Iterator[TaskItem]:
    """The items in an order drawn by seed, those of a cluster together."""
    yield from sorted(items, key=lambda item: (_place(seed, _cluster(item)), _place(seed, item.id)))


def _cluster(item: TaskItem) -> str:
    return f"item {item.id}" if item.cluster is None else item.cluster


def _place(seed: int, label: str) -> bytes:
    return hashlib.sha256(f"search {seed}: {label}".encode("utf-8", "surrogatepass")).digest()
