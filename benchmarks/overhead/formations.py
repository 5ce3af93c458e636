"""What each formation costs a member call, in one run with a pipeline that makes as many calls."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial

from phalanx.agents.models.offline import FunctionModel
from phalanx.messages import Completion, Request, Usage
from phalanx.runtime.events import AnyEvent, MemberFinished, StepStarted, Warned
from phalanx.teams.team import AgentTeam

from .measure import Row, Target, interleaved, ratio
from .workloads import TASK

GATE = Target(2.0, 1.5)
"""How many times a pipeline's cost a member call of a formation may cost, and how many we aim at."""

Made = Callable[[FunctionModel], AgentTeam]
Typed = object | Callable[[Request], object]
"""What is answered where a form is asked for: a value for JSON, or what makes it of the request."""

THREE = ("ada", "bob", "cy")
_USED = Usage(1, 400, 80)
_REASONS = (
    "A river bends where its bank is soft: the water is faster on the outer side, takes the bank away, and lays it "
    "down again further on, where it is slow.",
    "What decides is the slope of the valley. Where it is small the water wanders, the bends grow, and in a flood the "
    "river cuts through the neck of one of them.",
    "From the old maps the bed moved by some metres in each year with high water, and hardly at all in the others, "
    "which fits what the gauges say of the flow.",
    "Sand that was carried from the hills fills the bed until it lies above the plain; then the next flood leaves it "
    "for a lower way, and the old one falls dry.",
)


@dataclass(frozen=True)
class Way:
    """A team of one formation, and what its members answer.

    make: the team, over a model. typed: by stage, what is answered where a form is asked for. counts: the answers that
    members end with, in turn.
    """

    make: Made
    typed: Mapping[str, Typed] = field(default_factory=dict)
    counts: tuple[int, ...] = (42,)

    def model(self) -> FunctionModel:
        """A model that answers at once, at ordinary length and in every run in other words and with other numbers."""
        places: dict[tuple[str, ...], int] = {}
        forms: dict[tuple[str, ...], str] = {}
        run = 0

        def answer(request: Request) -> Completion:
            nonlocal run
            path = request.about.path
            at = places.setdefault(path, len(places))
            run += at == 0
            if request.output is None:
                text = self._said(request.about.member, at, run)
            elif (text := forms.get(path, "")) == "":
                text = forms[path] = self._form(request)
            return Completion(text=text, usage=_USED, model="at once")

        return FunctionModel(answer)

    def _said(self, member: str, at: int, run: int) -> str:
        reasons = f"{_REASONS[at % 4]} {_REASONS[(at + 1) % 4]}"
        return f"{member}, note {at} of {run}: {reasons}\nAnswer: {100 * run + self.counts[at % len(self.counts)]}"

    def _form(self, request: Request) -> str:
        typed = self.typed[request.about.stage]
        return json.dumps(typed(request) if callable(typed) else typed)


def _plan(*names: str) -> list[dict[str, object]]:
    return [{"id": name, "worker": name, "task": f"Work out part {name}: {_REASONS[0]}"} for name in names]


def _progress(request: Request) -> dict[str, object]:
    at = request.about.round
    return {
        "done": at == 4, "looping": False, "progressing": True, "next": "bob" if at % 2 else "cy",
        "instruction": f"Step {at}: look at the maps of decade {at}.", "reason": _REASONS[2],
    }  # fmt: skip


def _move(request: Request) -> dict[str, object]:
    at = request.about.round
    if at == 3:
        return {"value": {"answer": f"{_REASONS[0]}\nAnswer: 42"}}
    return {"value": {"to": THREE[(at + 1) % 3], "reason": "It knows more.", "notes": f"Note {at}: {_REASONS[at]}"}}


def _add(request: Request) -> dict[str, object]:
    at = request.about.round
    text = f"{request.about.member}, entry {at}: {_REASONS[at % 4]}"
    return {"text": text, "settles": [], "retracts": [], "questions": [], "done": False}


def _bid(request: Request) -> dict[str, object]:
    return {"rating": 0.0 if request.about.round == 3 else 6.0, "adds": "What the old maps say of it."}


def _verdict(request: Request) -> dict[str, object]:
    before = request.messages[-1].content.partition("42\n")[0]
    return {"verdict": before.rpartition('from="')[2].partition('"')[0], "reason": _REASONS[1]}


def _scores(request: Request) -> dict[str, object]:
    shown = request.messages[-1].content
    first, second = (8, 5) if shown.index(_REASONS[0]) < shown.index(_REASONS[1]) else (5, 8)
    return {"reason": _REASONS[2], "scores": {"Candidate 1": first, "Candidate 2": second}}


WAYS: dict[str, Way] = {
    "hierarchical": Way(
        lambda model: AgentTeam.hierarchical("ada", ["bob", "cy"], verifier="vic", model=model),
        {
            "plan": {"assignments": _plan("bob", "cy")},
            "review": {"done": True, "assignments": []},
            "verify": {"accepted": True, "objection": ""},
        },
    ),
    "flat": Way(lambda model: AgentTeam.flat(THREE, rounds=2, model=model)),
    "pipeline": Way(lambda model: AgentTeam.pipeline(THREE, model=model)),
    "parallel": Way(lambda model: AgentTeam.parallel(THREE, aggregation="synthesize", aggregator="agg", model=model)),
    "parallel with a vote": Way(
        lambda model: AgentTeam.parallel(THREE, aggregation="majority_vote", model=model), counts=(42, 42, 41)
    ),
    "consensus": Way(
        lambda model: AgentTeam.consensus(THREE, 3, rounds=2, model=model), counts=(41, 42, 43, 41, 42, 43, 42, 42, 42)
    ),
    "debate": Way(
        lambda model: AgentTeam.debate(THREE, 2, trigger="always", model=model),
        counts=(41, 42, 43, 41, 42, 42, 41, 42, 42)
    ),
    "debate with a judge": Way(
        lambda model: AgentTeam.debate(THREE, 2, judge="jude", trigger="always", model=model),
        {"judge": _verdict},
        counts=(41, 42, 43, 41, 42, 42, 41, 42, 42),
    ),
    "panel": Way(
        lambda model: AgentTeam.panel(THREE, candidates={"one": _REASONS[0], "two": _REASONS[1]}, model=model),
        {"score": _scores},
    ),
    "vote": Way(lambda model: AgentTeam.vote("ada", 5, early=False, model=model), counts=(42, 42, 41)),
    "mixture": Way(lambda model: AgentTeam.mixture(THREE, "agg", layers=3, model=model)),
    "reflect": Way(
        lambda model: AgentTeam.reflect("ada", "vic", rounds=2, model=model),
        {
            "critique": lambda request: {
                "accepted": request.about.round == 2, "objection": _REASONS[request.about.round], "quote": "Answer:",
            }
        },
    ),
    "adaptive": Way(lambda model: AgentTeam.adaptive(THREE, 4, model=model), counts=(41, 42, 43, 41, 42, 42, 42)),
    "router": Way(
        lambda model: AgentTeam.router("ria", THREE, top=2, model=model),
        {
            "route": {
                "routes": [
                    {"member": "bob", "reason": "maps", "confidence": 0.9},
                    {"member": "cy", "reason": "gauges", "confidence": 0.7},
                ]
            }
        },
    ),
    "handoff": Way(lambda model: AgentTeam.handoff(THREE, max_handoffs=4, model=model), {"handoff": _move}),
    "map_reduce": Way(
        lambda model: AgentTeam.map_reduce(["ada", "bob"], "red", split="splitter", max_pieces=4, model=model),
        {"split": {"pieces": list(_REASONS)}},
    ),
    "ledger": Way(
        lambda model: AgentTeam.ledger("ada", ["bob", "cy"], model=model),
        {
            "ledger": {
                "given": list(_REASONS[:2]), "look_up": ["The maps of a century."], "derive": ["The metres a year."],
                "guesses": [], "plan": ["bob reads the maps", "cy reads the gauges"],
            },
            "progress": _progress,
        },
    ),
    "blackboard": Way(
        lambda model: AgentTeam.blackboard(THREE, decider="dee", bids=True, model=model),
        {"volunteer": _bid, "contribute": _add},
    ),
    "market": Way(
        lambda model: AgentTeam.market(THREE, verifier="vic", model=model),
        {"bid": {"confidence": 0.8, "cost": 0.1}, "settle": {"outcome": 0.9, "reason": _REASONS[2]}},
    ),
}  # fmt: skip
"""A team of each kind, by what it is called here."""


async def measure(*, rounds: int, times: int, only: Collection[str] = tuple(WAYS)) -> AsyncIterator[Row]:
    """The rows, as they are ready.

    rounds, times: as for `measure.interleaved`. only: which teams, by their names here.
    Raises RuntimeError for a team that does not do its work to the end.
    """
    for name, way in WAYS.items():
        if name not in only:
            continue
        for row in await _compared(name, way, rounds, times):
            yield row


async def rehearse(name: str, way: Way) -> int:
    """How many member calls a team makes, once it has answered.

    name: what it is called. way: which. Raises RuntimeError when it does not do its work to the end, or with warnings.
    """
    seen: list[AnyEvent] = []
    result = await way.make(way.model()).run(TASK, on_event=seen.append)
    warnings = [event.text for event in seen if isinstance(event, Warned)]
    failed = [event.error for event in seen if isinstance(event, MemberFinished) and event.error is not None]
    if result.status != "completed" or warnings or failed:
        told = "; ".join(map(str, [*warnings, *failed]))
        raise RuntimeError(f"{name} does not do its work to the end: {result.status}; {told}")
    return sum(isinstance(event, StepStarted) for event in seen)


async def _compared(name: str, way: Way, rounds: int, times: int) -> list[Row]:
    calls = await rehearse(name, way)
    line = Way(lambda model: AgentTeam.pipeline([f"member-{at}" for at in range(calls)], model=model))
    works: dict[str, Callable[[], Awaitable[object]]] = {}
    for who, each in (("ours", way), ("line", line)):
        team = each.make(each.model())
        works[who] = partial(team.run, TASK)
        works[f"{who} watched"] = partial(team.run, TASK, on_event=_seen)
    found = await interleaved(works, rounds=rounds, times=times)
    title = f"{name} / a pipeline of {calls}"
    return [
        ratio(title, found["ours"], found["line"], GATE),
        ratio(f"{title}, watched", found["ours watched"], found["line watched"]),
    ]


def _seen(_: AnyEvent) -> None:
    """Somebody who watches."""
