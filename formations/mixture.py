"""Layers of proposals, each written with the last layer's in view; then one aggregator writes the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field, StrictFloat, StrictInt

from phalanx.agents.prompts import fenced_all, label
from phalanx.agents.task import Task

from .aggregate import concat
from .base import Answer, Asking, FormationModel, Member, Outcome, Stage, Wiring
from .chance import Chance
from .gather import Gathering
from .one_voice import warn_of_one_voice
from .rounds import cut
from .samples import check_part, check_turns
from .team_run import Job, TeamRun

SELF = 5
"""The proposals of a layer when one proposer makes them all."""


class Mixture(Gathering):
    """Mixture of agents (Wang et al. 2024, arXiv:2406.04692); with one proposer Self-MoA (Li et al. 2025,
    arXiv:2502.00674): one good model several times, which beats a mix with weaker ones.

    layers: all of them, the aggregator's included, as the paper counts: 2 is proposals and an aggregation (the paper's
    "lite"), 3 is proposals, proposals that see the first ones, and an aggregation. proposals: in each layer, by the
    proposers in turn (default: one of each, or five of a single one). proposal_tokens: the most that is shown of one
    proposal; what is longer is cut, and a warning says so, so that no prompt grows with what others write. quorum: how
    many proposals of a layer must come (default: half); those that failed are left out. deadline: seconds for each
    layer of proposals. The aggregator is the one in that seat, else the first proposer who is in the last layer.
    """

    kind: Literal["mixture"] = "mixture"
    layers: int = Field(default=2, ge=2)
    proposals: StrictInt | None = Field(default=None, ge=1)
    proposal_tokens: int = Field(default=1000, ge=1)
    quorum: StrictInt | StrictFloat | None = 0.5

    summary: ClassVar[str] = "layers of proposals, each with the last layer's in view; an aggregator writes the answer"
    calls: ClassVar[str] = "proposals * (layers - 1) + 1"
    optional_seats: ClassVar[tuple[str, ...]] = ("aggregator",)
    stages: ClassVar[Mapping[str, Stage]] = {
        "propose": Stage(("draft",)),
        "build": Stage(("build",)),
        "aggregate": Stage(("aggregate",)),
    }

    def width(self, proposers: int) -> int:
        """How many proposals so many `proposers` make in each layer."""
        if self.proposals is not None:
            return self.proposals
        return SELF if proposers == 1 else proposers

    def check(self, members: Sequence[Member]) -> None:
        FormationModel.check(self, members)
        free = [member for member in members if member.seat is None]
        width = self.width(len(free))
        check_turns(self.kind, width, members, "proposals")
        check_part(self.quorum, width, "proposals")

    def plan(self, members: Sequence[Member]) -> list[Asking]:
        free = [member.name for member in members if member.seat is None]
        width = self.width(len(free))
        turns = [free[at % len(free)] for at in range(width)]
        asks = [Asking(name, "propose") for name in turns]
        for layer in range(1, self.layers - 1):
            asks += [Asking(name, "build", layer, width) for name in turns]
        return [*asks, Asking(_aggregator(members, free), "aggregate", 0, width)]

    def wiring(self, members: Sequence[Member]) -> Wiring:
        free = tuple(member.name for member in members if member.seat is None)
        last = _aggregator(members, free)
        between = [(a, "<-.->", b) for at, a in enumerate(free) for b in free[at + 1 :] if self.layers > 2]
        return Wiring(free, (last,), (*between, *((name, "-->", last) for name in free if name != last)))

    def longest(self, lengths: Mapping[str, int], members: Sequence[Member]) -> int:
        return max(lengths[member.name] for member in members)

    async def __call__(self, run: TeamRun, task: Task, /) -> Answer:
        width = self.width(len(run.members))
        warn_of_one_voice(run, width)
        prompts = [run.prompts("draft", task=run.text(task))] * width
        proposals = await self._layer(run, task, 0, prompts)
        for layer in range(1, self.layers - 1):
            prompts = []
            for at in range(width):
                chance = Chance(f"{run.seed}/{task.id}/{layer}/{at}")
                shown = self._shown(proposals, chance)
                prompts.append(run.prompts("build", task=run.text(task), answers=shown))
            proposals = await self._layer(run, task, layer, prompts)
        return await self._aggregated(run, task, proposals)

    async def _layer(self, run: TeamRun, task: Task, layer: int, prompts: Sequence[str]) -> list[Outcome]:
        stage = "build" if layer else "propose"
        run.begin(stage, layer)
        jobs = []
        for at, prompt in enumerate(prompts):
            attempt, seat = divmod(at, len(run.members))
            jobs.append(Job(str(at), run.members[seat], prompt, attempt=attempt))
        before = run.best()
        outcomes = await run.ask_jobs(
            jobs, stage=stage, round=layer, question=task.id, deadline=self.deadline,
            best=lambda done: concat(done) or before,
        )  # fmt: skip
        for outcome in outcomes:
            run.raise_refusal(outcome)
        good = run.require(outcomes, self.needed(len(prompts)))
        if long := [each for each in good if cut(each.text, self.proposal_tokens) != each.text]:
            run.run.warn(
                f"{len(long)} of {len(good)} proposals of layer {layer + 1} are longer than "
                f"{self.proposal_tokens} tokens; others are shown them cut"
            )
        return good

    async def _aggregated(self, run: TeamRun, task: Task, proposals: Sequence[Outcome]) -> Answer:
        run.begin("aggregate")
        who = run.member(_aggregator(run.everyone, [outcome.member for outcome in proposals]))
        shown = self._shown(proposals, Chance(f"{run.seed}/{task.id}/aggregate"))
        prompt = run.prompts("aggregate", task=run.text(task), answers=shown)
        outcome = await run.try_ask(who, prompt, stage="aggregate", question=task.id)
        run.raise_refusal(outcome)
        if outcome.answer is None:
            run.run.warn(f"{outcome.member} could not aggregate ({outcome.error}); the proposals stand as they are")
            return Answer((concat(proposals) or Answer("")).text, status="partial")
        return Answer(outcome.text, outcome.answer.output, author=outcome.member)

    def _shown(self, proposals: Sequence[Outcome], chance: Chance) -> str:
        """Proposals as data: anonymous, in an order drawn by the seed, each cut to the budget."""
        texts = [cut(outcome.text, self.proposal_tokens) for outcome in proposals]
        chance.shuffle(texts)
        return fenced_all((label(at), text) for at, text in enumerate(texts))


def _aggregator(members: Sequence[Member], proposers: Sequence[str]) -> str:
    return next((member.name for member in members if member.seat == "aggregator"), proposers[0])
