"""A long task in pieces: split, each piece worked on by itself, the results merged in a tree."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field, StrictFloat, StrictInt

from phalanx.agents.output import Shape
from phalanx.agents.prompts import fenced, fenced_all
from phalanx.agents.task import Task
from phalanx.errors import ConfigurationError, ValidationError
from phalanx.messages import Data

from .base import Answer, Asking, Member, Outcome, Stage, Wiring
from .gather import Gathering
from .headings import under_names
from .pieces import By, split_text
from .receipts import capped, file, receipt
from .team_run import Job, TeamRun

Part = tuple[str, str]
"""What stands for some pieces: a name and a text."""


class Pieces(Data):
    """What a splitter makes of a task."""

    pieces: list[str] = Field(min_length=1)


class MapReduce(Gathering):
    """The members work on pieces, at the same time and in turn; the one in the seat "reducer" merges the results.

    What is split is the task's context; without one, the first paragraph of the task is what is to be done, and the
    rest is split. split: by "paragraphs", "lines" or size alone ("tokens"); by the "member" in the seat "splitter"; or
    by a function of the task that gives a list of texts (it may be async). piece_tokens: the most of a piece, as
    estimated. max_pieces: more are refused before anything is spent (a splitter's surplus is joined to its last).
    concurrency: how many pieces at the same time (None: all). fan_in: how many results are merged at once.
    reduce_tokens: the most of results that one merging is shown; each is cut to its share, which is said. quorum: how
    many pieces must be worked on, as a number or a part. deadline: seconds for all of them.

    Pieces that fail are named to the reducer and make the answer "partial". Each piece leaves a Receipt on the board.
    """

    kind: Literal["map_reduce"] = "map_reduce"
    split: By | Literal["member"] | Callable[[Task], object] = "paragraphs"
    piece_tokens: int = Field(default=4000, ge=10)
    max_pieces: int = Field(default=16, ge=1)
    concurrency: int | None = Field(default=None, ge=1)
    fan_in: int = Field(default=4, ge=2)
    reduce_tokens: int = Field(default=24_000, ge=400)
    quorum: StrictInt | StrictFloat | None = 0.5

    seats: ClassVar[tuple[str, ...]] = ("reducer",)
    optional_seats: ClassVar[tuple[str, ...]] = ("splitter",)
    typed_seats: ClassVar[tuple[str, ...]] = ("splitter",)
    summary: ClassVar[str] = "a long task is split, each piece is worked on by itself, the results merge in a tree"
    calls: ClassVar[str] = "splitter + max_pieces + max(1, ceil((max_pieces - 1) / (fan_in - 1)))"
    stages: ClassVar[Mapping[str, Stage]] = {
        "split": Stage(("split",), shaped=True),
        "map": Stage(("map",)),
        "reduce": Stage(("reduce",)),
    }

    def check(self, members: Sequence[Member]) -> None:
        """Raise ConfigurationError or ValidationError when it cannot work with these `members`."""
        whole = isinstance(self.quorum, int)
        # A whole number is one of pieces here, of which there may be more than members.
        super(MapReduce, self.model_copy(update={"quorum": None}) if whole else self).check(members)
        if isinstance(self.quorum, int) and not 1 <= self.quorum <= self.max_pieces:
            raise ValidationError(f"quorum={self.quorum} cannot be met by max_pieces={self.max_pieces} pieces")
        if (self.split == "member") != any(member.seat == "splitter" for member in members):
            raise ConfigurationError("split='member' and somebody in the seat 'splitter' belong together: give both")
        if self.reduce_tokens < 100 * self.fan_in:
            raise ValidationError(
                f"reduce_tokens={self.reduce_tokens} leaves less than 100 tokens for each of fan_in={self.fan_in} "
                "results; raise it, or merge fewer at once"
            )

    def plan(self, members: Sequence[Member]) -> list[Asking]:
        """Every asking of `members` when there are as many pieces as there may be."""
        free = [member.name for member in members if member.seat is None]
        seats = {member.seat: member.name for member in members if member.seat}
        asks = [Asking(seats["splitter"], "split", 0, 1)] if "splitter" in seats else []
        asks += [Asking(free[at % len(free)], "map", 0, 1) for at in range(self.max_pieces)]
        left, level = self.max_pieces, 0
        while left > self.fan_in:
            asks += [Asking(seats["reducer"], "reduce", level, self.fan_in)] * (left // self.fan_in)
            left, level = left // self.fan_in + left % self.fan_in, level + 1
        return [*asks, Asking(seats["reducer"], "reduce", level, left + 1)]

    def wiring(self, members: Sequence[Member]) -> Wiring:
        free = tuple(member.name for member in members if member.seat is None)
        seats = {member.seat: member.name for member in members if member.seat}
        arrows = [(seats["splitter"], "-->", name) for name in free] if "splitter" in seats else []
        arrows += [(name, "-->", seats["reducer"]) for name in free]
        return Wiring((seats["splitter"],) if "splitter" in seats else free, (seats["reducer"],), tuple(arrows))

    def longest(self, lengths: Mapping[str, int], members: Sequence[Member]) -> int:
        return next(lengths[member.name] for member in members if member.seat == "reducer")

    async def __call__(self, run: TeamRun, task: Task, /) -> Answer:
        return await _Mill(self, run, task).grind()


class _Mill:
    """One task in pieces."""

    def __init__(self, formation: MapReduce, run: TeamRun, task: Task) -> None:
        self.formation, self.run, self.task = formation, run, task
        asked, self.source = _asked_and_source(task)
        self.asked = run.text(Task(asked, requirements=task.requirements))
        self.failed: list[str] = []

    async def grind(self) -> Answer:
        parts = await self.mapped(await self.pieces())
        self.run.hold(_joined(parts))
        level, most = 0, self.formation.fan_in
        while len(parts) > most:
            whole = len(parts) // most * most
            groups = [parts[at : at + most] for at in range(0, whole, most)]
            parts, level = [*await self.merged(groups, level), *parts[whole:]], level + 1
        return await self.last(parts, level)

    async def pieces(self) -> list[str]:
        """The task in pieces. Raises ValidationError when there are none, or too many."""
        formation = self.formation
        if formation.split == "member":
            return await self.split_by_member()
        if isinstance(formation.split, str):
            found = [each for each in split_text(self.source, formation.split, formation.piece_tokens) if each.strip()]
            # A task that says only what is to be done is one piece.
            found = found or ["(the task itself)"]
        else:
            given = formation.split(self.task)
            if inspect.isawaitable(given):
                given = await given
            if not isinstance(given, list | tuple) or not all(isinstance(each, str) and each.strip() for each in given):
                raise ValidationError(f"the function that splits must give a list of texts, not {str(given)[:80]!r}")
            found = list(given)
        if not 1 <= len(found) <= formation.max_pieces:
            raise ValidationError(
                f"the task makes {len(found)} pieces, and there can be from 1 to max_pieces={formation.max_pieces}; "
                "raise max_pieces, or piece_tokens so that there are fewer"
            )
        return found

    async def split_by_member(self) -> list[str]:
        """The pieces that the splitter makes."""
        self.run.begin("split")
        most = self.formation.max_pieces
        source = fenced(self.source, "the task's material") if self.source else "(the task itself)"
        prompt = self.run.prompts("split", task=self.asked, source=source, count=str(most))
        splitter = self.run.seat("splitter")
        said: Pieces = (
            await self.run.ask(splitter, prompt, stage="split", shape=_pieces_shape(), question=self.task.id)
        ).output
        if len(said.pieces) <= most:
            return said.pieces
        self.run.run.warn(f"{splitter.name} made {len(said.pieces)} pieces; those from {most} on are one")
        return [*said.pieces[: most - 1], "\n\n".join(said.pieces[most - 1 :])]

    async def mapped(self, pieces: Sequence[str]) -> list[Part]:
        """What was found in each piece, those that failed left out."""
        run, members = self.run, self.run.members
        run.begin("map")
        jobs = [
            Job(
                f"piece {at + 1}",
                members[at % len(members)],
                run.prompts("map", task=self.asked, piece=fenced(piece, f"piece {at + 1} of {len(pieces)}")),
                after=self.after(at, "piece"),
            )
            for at, piece in enumerate(pieces)
        ]

        def best(outcomes: Sequence[Outcome]) -> Answer | None:
            found = [(each.member, each.text) for each in outcomes if each.ok]
            return _joined(found) if found else None

        outcomes = await run.ask_jobs(
            jobs, stage="map", question=self.task.id, deadline=self.formation.deadline, best=best
        )
        done = {job.id: outcome for job, outcome in zip(jobs, outcomes, strict=True)}
        receipts = [
            receipt(id, each.member, piece, each) for (id, each), piece in zip(done.items(), pieces, strict=True)
        ]
        await file(run, receipts, done)
        for outcome in outcomes:
            run.raise_refusal(outcome)
        run.require(outcomes, self.formation.needed(len(outcomes)))
        self.failed = [
            f"{id} ({each.member} {each.status}: {str(each.error)[:200]})" for id, each in done.items() if not each.ok
        ]
        if self.failed:
            run.run.warn(f"pieces are missing from the answer: {'; '.join(self.failed)}")
        return [(f"{id}, by {each.member}", each.text) for id, each in done.items() if each.ok]

    async def merged(self, groups: Sequence[Sequence[Part]], level: int) -> list[Part]:
        """Each group of results as one; where the reducer fails, its results as they are."""
        self.run.begin("reduce", level)
        reducer = self.run.seat("reducer")
        jobs = [
            Job(f"merging {at + 1}", reducer, self.prompt(group), after=self.after(at, "merging"))
            for at, group in enumerate(groups)
        ]
        outcomes = await self.run.ask_jobs(jobs, stage="reduce", round=level, question=self.task.id)
        parts: list[Part] = []
        for group, outcome in zip(groups, outcomes, strict=True):
            self.run.raise_refusal(outcome)
            label = f"{group[0][0].partition(',')[0]} to {group[-1][0].partition(',')[0].rpartition(' to ')[2]}"
            text = outcome.text
            if not outcome.ok:
                self.run.run.warn(f"{reducer.name} did not merge {label} ({outcome.error}); they stand as they are")
                text = "\n\n".join(text for _, text in group)
            parts.append((label, text))
        return parts

    async def last(self, parts: Sequence[Part], level: int) -> Answer:
        """The answer, of the results that are left."""
        self.run.hold(_joined(parts))
        self.run.begin("reduce", level)
        outcome = await self.run.try_ask(
            self.run.seat("reducer"),
            self.prompt(parts, self.failed),
            stage="reduce",
            round=level,
            question=self.task.id,
        )
        self.run.raise_refusal(outcome)
        if outcome.answer is None:
            self.run.run.warn(f"{outcome.member} wrote no answer ({outcome.error}); the results stand as they are")
            return _joined(parts)
        status = "partial" if self.failed else "completed"
        return Answer(outcome.text, outcome.answer.output, status=status, author=outcome.member)

    def prompt(self, parts: Sequence[Part], failed: Sequence[str] = ()) -> str:
        """What the reducer is told about some results, each of its share of the tokens at most."""
        share = self.formation.reduce_tokens // self.formation.fan_in
        shown = [(label, capped(text, share, f"the result of {label}")) for label, text in parts]
        if any(short != text for (_, short), (_, text) in zip(shown, parts, strict=True)):
            self.run.run.warn(
                f"results of more than {share} tokens are shown to the reducer in part; raise reduce_tokens"
            )
        lost = [("pieces that failed", capped("\n".join(failed), share, "the list"))] if failed else []
        return self.run.prompts("reduce", task=self.asked, results=fenced_all([*shown, *lost]))

    def after(self, at: int, what: str) -> tuple[str, ...]:
        """What a job waits for, so that no more than allowed are made at the same time."""
        most = self.formation.concurrency
        return () if most is None or at < most else (f"{what} {at - most + 1}",)


def _asked_and_source(task: Task) -> tuple[str, str]:
    """What is to be done, and the material to do it with."""
    if isinstance(task.context, str):
        return task.description, task.context
    if task.context:
        return task.description, "\n\n".join(f"# {name}\n{value}" for name, value in task.context.items())
    asked, *rest = re.split(r"\n[^\S\n]*\n", task.description.strip(), maxsplit=1)
    return asked, "".join(rest)


def _joined(parts: Sequence[Part]) -> Answer:
    return Answer(under_names(parts), status="partial")


@functools.cache
def _pieces_shape() -> Shape[Pieces]:
    return Shape(Pieces)
