"""Where the results of a comparison are kept: a stream of a Log, a result durable before it counts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import anyio
import anyio.lowlevel

from phalanx.errors import ConfigurationError, LogConflict, LogError
from phalanx.messages import Data, Usage
from phalanx.runtime.codec import register
from phalanx.runtime.events import StepFinished
from phalanx.runtime.limits import Limits
from phalanx.runtime.log import Log

from .beside import Beside, Making, beside, in_words
from .opinions import Judgement, agreement
from .record import Attempt, Comparison, Judging
from .score import Score
from .tasks import TaskItem

STREAM, NAMES = "bench/", "bench-named/"
Key = tuple[str, str, int, int]


class ComparisonBegun(Data):
    """A comparison began, or goes on: what it is of, without attempts.

    scorer: what its answers are scored by. within: the limits of each attempt from here on, in words; None when not
    known.
    """

    kind: Literal["bench.begun"] = "bench.begun"
    comparison: Comparison
    scorer: str = ""
    within: str | None = None

    @property
    def making(self) -> Making:
        """How results are made from here on."""
        return Making(self.within, self.comparison.version or None)


class AttemptKept(Data):
    """An attempt's result.

    asked: the hash of the question and its right answer. scored: False where the answer was paid for and the scorer
    failed on it. tied: the answers that share first place, for the expected score of a draw. judged: what judging it
    cost, which is no cost of the system's. recalled: of recorded answers; what they had cost is paid by no suite.
    answers: False where the text is no answer but says that there is none; that is worth nothing, whatever it says.
    """

    kind: Literal["bench.attempt"] = "bench.attempt"
    attempt: Attempt
    asked: str
    scored: bool = True
    tied: tuple[str, ...] = ()
    judged: Usage = Usage()
    recalled: bool = False
    answers: bool = True

    @property
    def paid(self) -> Usage:
        """What was paid for the answer here."""
        return Usage() if self.recalled else self.attempt.usage


class JudgementKept(Data):
    """What judges made of an answer (by its hash) to an item. run_id: of their own run in this log."""

    kind: Literal["bench.judged"] = "bench.judged"
    item: str
    answer: str
    judgement: Judgement
    usage: Usage
    run_id: str | None = None


class ComparisonNamed(Data):
    """A name was taken for a comparison that is about to begin."""

    kind: Literal["bench.named"] = "bench.named"


class ComparisonEnded(Data):
    """A comparison ended. stopped: in words, the limit that ended it early; None when it is whole."""

    kind: Literal["bench.ended"] = "bench.ended"
    stopped: str | None = None


register(ComparisonNamed, ComparisonBegun, AttemptKept, JudgementKept, ComparisonEnded)


@dataclass
class Kept:
    """What a stream says. begun: how it last began. ended: whether it came to its end after that."""

    begun: ComparisonBegun | None = None
    attempts: dict[Key, AttemptKept] = field(default_factory=dict)
    judgements: dict[tuple[str, str], JudgementKept] = field(default_factory=dict)
    ended: ComparisonEnded | None = None
    position: int = 0
    made: dict[Key, Making] = field(default_factory=dict)

    def take(self, record: object) -> None:
        """Take in the next record."""
        if isinstance(record, ComparisonBegun):
            self.begun, self.ended = record, None
        elif isinstance(record, AttemptKept):
            old = self.attempts.get(record.attempt.key)
            if old is None or not old.scored:
                self.attempts[record.attempt.key] = record
                # An answer was made when it was first kept, though it may be scored later.
                self.made.setdefault(record.attempt.key, self._making)
        elif isinstance(record, JudgementKept):
            self.judgements.setdefault((record.item, record.answer), record)
        elif isinstance(record, ComparisonEnded):
            self.ended = record

    def comparison(self) -> Comparison:
        """The comparison with the attempts that belong to it, in order. Raises LogError when it never began."""
        if self.begun is None:
            raise LogError("this log holds no such comparison")
        made = self.begun.comparison
        stopped = None if self.ended is None else self.ended.stopped
        if self.ended is None:
            stopped = "it was interrupted, or still runs"
        attempts = in_order(made, self.attempts)
        return made.model_copy(update={"attempts": attempts, "stopped": stopped, **self.besides(made)})

    def besides(self, comparison: Comparison) -> dict[str, object]:
        """What a comparison tells of besides its attempts, by field: what judges did, and what else is kept."""
        found = self.beside(comparison)
        return {"judging": self.judging(), "left_behind": found.changed, "beside": found.told}

    def beside(self, comparison: Comparison) -> Beside:
        """What else is kept than the results of a comparison as it is now."""
        return beside(comparison, self._making, ((each.attempt, self.made[key]) for key, each in self.attempts.items()))

    @property
    def _making(self) -> Making:
        return Making() if self.begun is None else self.begun.making

    def judging(self) -> Judging | None:
        """What judges did, all in all; None when there were none."""
        if not (every := list(self.judgements.values())):
            return None
        opinions = [each.judgement.opinions for each in every]
        share, alpha = agreement([[one.mean for one in each.values()] for each in opinions])
        return Judging(
            judgements=len(every), judges=max(map(len, opinions)), usage=sum((each.usage for each in every), Usage()),
            turned=sum(one.turned for each in opinions for one in each.values()),
            undecided=sum(each.judgement.score.read is None for each in every), agreement=share, alpha=alpha,
        )  # fmt: skip


class Store:
    """The results of one comparison, in a log or, without one, in memory for as long as the call lasts.

    log: where. name: the comparison's.
    """

    def __init__(self, log: Log | None, name: str) -> None:
        self.log, self.name, self.stream = log, name, f"{STREAM}{name}"
        self.kept = Kept()
        # What judges are at, so that they are not asked the same at the same time; and what was spent on judgements
        # that an earlier call did not end.
        self.sitting: dict[tuple[str, str], anyio.Lock] = {}
        self.adjourned: dict[str, Usage] = {}
        self._hashes: dict[str, tuple[TaskItem, str]] = {}
        # What texts are worth, by item, where the scorer says the same of the same text.
        self.scores: dict[str, dict[str, Score]] = {}

    async def refresh(self) -> Kept:
        """Take in what was written since, by whichever process."""
        if self.log is not None:
            for position, record in await self.log.read(self.stream, self.kept.position):
                self.kept.take(record)
                self.kept.position = position
        return self.kept

    async def begin(self, comparison: Comparison, scorer: str, limits: Limits | None = None) -> None:
        """Say what is compared from here on, by which scorer, and under which limits of each attempt.

        Raises ConfigurationError when what is kept under this name was scored by another scorer, or has another
        question under the same id: the two would be mixed up.
        """
        before = (await self.refresh()).begun
        if before is not None and before.scorer != scorer:
            raise ConfigurationError(
                f"comparison {self.name!r} in this log was scored by {before.scorer}, not by {scorer}; "
                "give the new one another name"
            )
        asked = {item.id: self.hash_of(item) for item in comparison.items}
        for each in self.kept.attempts.values():
            if asked.get(each.attempt.item, each.asked) != each.asked:
                raise ConfigurationError(
                    f"item {each.attempt.item!r} of comparison {self.name!r} was another question, or had another "
                    "right answer, when this log was written; give the new one another name"
                )
        await self._write(ComparisonBegun(comparison=comparison, scorer=scorer, within=in_words(limits)))

    async def add(self, *results: AttemptKept | JudgementKept) -> None:
        """Keep `results`, all or none; they are durable when this returns."""
        await self._write(*results)

    async def end(self, stopped: str | None) -> None:
        """Say that it came to its end."""
        await self._write(ComparisonEnded(stopped=stopped))

    def hash_of(self, item: TaskItem) -> str:
        """A hash of all that an `item` is, made once."""
        known = self._hashes.get(item.id)
        if known is None or known[0] is not item:
            known = self._hashes[item.id] = item, item_hash(item)
        return known[1]

    def finished(self, key: Key) -> Attempt | None:
        """The attempt of this key, if it is finished."""
        found = self.kept.attempts.get(key)
        return found.attempt if found is not None and found.scored else None

    def unscored(self, key: Key) -> AttemptKept | None:
        """The answer of this key that was paid for and could not be scored, if there is one."""
        found = self.kept.attempts.get(key)
        return None if found is None or found.scored else found

    async def unfinished(self) -> dict[str, Usage]:
        """What the attempts have spent that began and were not finished, by the id of their run."""
        if self.log is None:
            return {}
        done = {each.attempt.run_id for each in self.kept.attempts.values()}
        done |= {each.run_id for each in self.kept.judgements.values()}
        found: dict[str, Usage] = {}
        for stream in await self.log.streams(f"run/{_hash(self.name)[:10]}"):
            run_id = stream.removeprefix("run/")
            if run_id not in done:
                records = [record for _, record in await self.log.read(stream)]
                # A step that was cancelled and made again was paid for twice.
                found[run_id] = sum((each.usage for each in records if isinstance(each, StepFinished)), Usage())
        return found

    async def _write(self, *records: ComparisonBegun | AttemptKept | JudgementKept | ComparisonEnded) -> None:
        if self.log is None:
            # Whoever waits for nothing else lets the others go on here.
            await anyio.lowlevel.checkpoint()
            position = 0
        elif records:
            position = await self.log.append(self.stream, records)
        for record in records:
            self.kept.take(record)
        if position == self.kept.position + len(records):
            self.kept.position = position


async def read_comparison(log: Log, name: str) -> Comparison:
    """A comparison that is kept in a log, finished or not, with the attempts made so far.

    log: where. name: the comparison's. Raises LogError when there is none of that name.
    """
    kept = await Store(log, name).refresh()
    if kept.begun is None:
        known = ", ".join(sorted(await comparison_names(log))) or "none"
        raise LogError(f"there is no comparison {name!r} in this log; there are: {known}")
    return kept.comparison()


async def comparison_names(log: Log) -> list[str]:
    """The names of all comparisons in a log."""
    return [stream.removeprefix(STREAM) for stream in await log.streams(STREAM)]


async def taken(log: Log, names: Iterable[str]) -> str:
    """The first of some names that nothing in a log is kept under, taken so that nobody else can take it too.

    log: where. names: to choose from, in this order. Raises LogError when all are in use.
    """
    known = set(await comparison_names(log))
    for name in names:
        if name in known:
            continue
        try:
            await log.append(f"{NAMES}{name}", [ComparisonNamed()], expect=0)
        except LogConflict:
            continue
        return name
    raise LogError("every one of these names is in use in this log")


def in_order(comparison: Comparison, attempts: dict[Key, AttemptKept]) -> tuple[Attempt, ...]:
    """The scored attempts of a comparison's systems, items and repeats, in that order.

    Where two systems are the same, each has its own line, under its own name.
    """
    found = []
    for system in comparison.systems:
        for item in comparison.items:
            for repeat in range(comparison.repeats):
                kept = attempts.get((system.spec, item.id, repeat, comparison.seed))
                if kept is not None and kept.scored:
                    same = kept.attempt.system == system.name
                    found.append(kept.attempt if same else kept.attempt.model_copy(update={"system": system.name}))
    return tuple(found)


def item_hash(item: TaskItem) -> str:
    """A hash of all that an item is."""
    return hashlib.sha256(item.model_dump_json(exclude_defaults=True).encode()).hexdigest()[:16]


def run_id_of(name: str, key: Key) -> str:
    """The id of an attempt's own run, the same in every process: it is found again after a crash."""
    return _hash(name)[:10] + _hash(repr(key))[:14]


def content_hash(text: str) -> str:
    """A hash of an answer, by which its judgement is found."""
    return _hash(text)[:24]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
