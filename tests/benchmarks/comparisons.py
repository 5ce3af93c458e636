"""Comparisons made up for tests, with results that can be counted by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from phalanx.benchmarks.record import Attempt, Ballots, Comparison, System
from phalanx.benchmarks.tasks import TaskItem
from phalanx.messages import Usage


def system(name: str, *, kind: str = "agent", baseline_of: str | None = None) -> System:
    budget = "" if baseline_of is None else "the same calls"
    return System(name=name, spec=f"spec-{name}", kind=kind, baseline_of=baseline_of, budget=budget)


def items(n: int, *, clusters: int | None = None) -> tuple[TaskItem, ...]:
    return tuple(
        TaskItem(
            id=f"q{place}",
            question=f"What is {place} + {place}?",
            gold=2 * place,
            cluster=None if clusters is None else f"page {place % clusters}",
        )
        for place in range(n)
    )


def attempt(
    name: str,
    item: str,
    score: float,
    *,
    repeat: int = 0,
    calls: int = 1,
    tokens: int = 100,
    usd: float | None = None,
    **facts: object,
) -> Attempt:
    made: dict[str, object] = {
        "system": name,
        "spec": f"spec-{name}",
        "item": item,
        "repeat": repeat,
        "status": "completed",
        "score": score,
        "answer": f"{name} says {score:g}",
        "read": f"{score:g}",
        "usage": Usage(calls=calls, input_tokens=tokens - tokens // 4, output_tokens=tokens // 4),
        "usd": usd,
        "seconds": 0.5,
    }
    return Attempt.model_validate({**made, **facts})


def comparison(
    scores: Mapping[str, Sequence[float]],
    *,
    calls: Mapping[str, int] | None = None,
    usd: Mapping[str, float] | None = None,
    baselines: Mapping[str, str] | None = None,
    clusters: int | None = None,
    **facts: object,
) -> Comparison:
    """One score an item for each system; calls and usd are those of one attempt, 100 tokens a call."""
    many = {name: (calls or {}).get(name, 1) for name in scores}
    made = [
        attempt(name, f"q{place}", score, calls=many[name], tokens=100 * many[name], usd=(usd or {}).get(name))
        for name, column in scores.items()
        for place, score in enumerate(column)
    ]
    return Comparison.model_validate(
        {
            "name": "quiz",
            "tasks": "doubling",
            "systems": tuple(system(name, baseline_of=(baselines or {}).get(name)) for name in scores),
            "items": items(max(map(len, scores.values())), clusters=clusters),
            "attempts": tuple(made),
            "seed": 7,
            "version": "1.2.3",
            "commit": "abc1234",
            **facts,
        }
    )


def ballots(number: int, rights: Sequence[bool | None], decided: float) -> Ballots:
    """A round of members m0, m1, …: right, wrong (all the same wrong answer), or None for an abstention."""
    names = [f"m{place}" for place in range(len(rights))]
    said = {True: "yes", False: "no", None: None}
    return Ballots(
        round=number,
        choices={name: said[right] for name, right in zip(names, rights, strict=True)},
        worth={name: float(right or False) for name, right in zip(names, rights, strict=True)},
        decided=decided,
    )


def debate(rows: Sequence[Sequence[Sequence[bool | None]]], *, name: str = "debate", **facts: object) -> Comparison:
    """A debate from rows[item][round][member]; the majority decides each round, a tie is worth one half."""
    made = []
    for place, rounds in enumerate(rows):
        told = tuple(ballots(number, rights, _majority(rights)) for number, rights in enumerate(rounds))
        made.append(attempt(name, f"q{place}", told[-1].decided, calls=3 * len(rounds), ballots=told))
    return Comparison.model_validate(
        {
            "name": "quiz",
            "tasks": "doubling",
            "systems": (system(name, kind="debate"),),
            "items": items(len(rows)),
            "attempts": tuple(made),
            "version": "1.2.3",
            **facts,
        }
    )


def _majority(rights: Sequence[bool | None]) -> float:
    good, bad = list(rights).count(True), list(rights).count(False)
    return 0.5 if good == bad else float(good > bad)
