"""Judges debiased by construction: blind labels, both orders, several judges, and abstention.

Only what a judge says of the candidates in both orders counts (Zheng et al. 2023, arXiv:2306.05685): a verdict that
changes with the order is none. How far several judges agree is told with the decision.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from phalanx.agents.output import Shape
from phalanx.agents.prompts import fenced_all
from phalanx.agents.task import Task
from phalanx.errors import ValidationError
from phalanx.messages import Data

from .base import Member, Outcome
from .team_run import TeamRun
from .voting import Ballot, Decision, Majority, Unanimity

PANEL = ("judge", *(f"judge_{at}" for at in range(2, 10)))
"""The seats of judges: one, or a panel of up to nine."""


class Verdict(Data):
    """A judge's verdict: the label of the right candidate and the reason, or "undecided"."""

    verdict: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What judges said of the candidates.

    by_judge: each judge's verdicts in the two orders, None for undecided. decision: what they come to. failed: those
    judges that gave no verdict in one of the orders.
    """

    by_judge: Mapping[str, tuple[str | None, ...]]
    decision: Decision
    failed: tuple[Outcome, ...] = ()


async def judged(
    run: TeamRun,
    task: Task,
    judges: Sequence[Member],
    candidates: Mapping[str, str],
    *,
    stage: str = "judge",
    first_round: int = 0,
    deadline: float | None = None,
) -> Verdicts:
    """Ask judges which candidate is right, in both orders, without saying whose it is.

    run, task: of which run, on which task. judges: whom to ask. candidates: the candidates' texts by key. stage,
    first_round: what the asking is for; the second order is one round later. deadline: seconds for each order.

    One judge decides when both its verdicts are the same. Several decide by more than half of those whose verdict
    held, if at least half of the judges have one. Raises LimitExceeded when a limit refuses a judge.
    """
    keys = sorted(candidates)
    names = [f"Candidate {at + 1}" for at in range(len(keys))]
    given: dict[str, list[str | None]] = {judge.name: [] for judge in judges}
    failed: list[Outcome] = []
    for order in range(2):
        run.begin(stage, first_round + order)
        shown = keys if order == 0 else keys[::-1]
        texts = [candidates[key] for key in shown]
        prompt = run.prompts("judge", task=run.text(task), candidates=fenced_all(zip(names, texts, strict=True)))
        outcomes = await run.ask_all(
            prompt, stage=stage, round=first_round + order, members=judges, shape=_verdict_shape(tuple(names)),
            question=task.id, deadline=deadline,
        )  # fmt: skip
        for outcome in outcomes:
            run.raise_refusal(outcome)
            if outcome.answer is None:
                failed.append(outcome)
                continue
            verdict: Verdict = outcome.answer.output
            said = verdict.verdict
            given[outcome.member].append(shown[names.index(said)] if said in names else None)
    votes = {name: tuple(said) for name, said in given.items() if len(said) == 2}
    return Verdicts(votes, _decision(votes, keys, len(judges), run.seed), tuple(failed))


def _decision(votes: Mapping[str, Sequence[str | None]], keys: Sequence[str], judges: int, seed: int) -> Decision:
    if judges == 1:
        return _of_both(tuple(next(iter(votes.values()), (None, None))), tuple(keys), seed)
    held = {name: both[0] if len({*both}) == 1 else None for name, both in votes.items()}
    panel = [Ballot(choice, voter=name) if choice else None for name, choice in held.items()]
    decision = Majority(quorum=Fraction(1, 2), tie_break=()).decide(panel, seed=seed, eligible=judges, candidates=keys)
    firm = [choice for choice in held.values() if choice is not None]
    pairs = list(itertools.combinations(firm, 2))
    agreement = f"{sum(a == b for a, b in pairs)} of {len(pairs)} pairs of them agree" if pairs else "no two to compare"
    told = f"{len(firm)} of {judges} judges held a verdict in both orders; {agreement}."
    return decision.model_copy(update={"explanation": f"{decision.explanation} {told}".strip()})


@functools.lru_cache(256)  # one judge and two candidates can say four things, debate after debate
def _of_both(both: tuple[str | None, ...], keys: tuple[str, ...], seed: int) -> Decision:
    ballots = [Ballot(vote, voter=f"judge, order {at + 1}") if vote else None for at, vote in enumerate(both)]
    return Unanimity(quorum=2).decide(ballots, seed=seed, eligible=2, candidates=keys)


@functools.lru_cache(maxsize=64)  # making a schema takes longer than all else that is done for a call
def _verdict_shape(names: tuple[str, ...]) -> Shape[Verdict]:
    schema = Verdict.model_json_schema()
    schema["properties"]["verdict"]["enum"] = [*names, "undecided"]
    return Shape(Verdict, schema=schema)


def krippendorff(ratings: Sequence[Sequence[float | str | None]], *, metric: str = "nominal") -> float | None:
    """Krippendorff's alpha: how far coders agree beyond chance, 1 for perfectly, 0 for as much as chance would.

    ratings: one row for each thing rated, with what each coder gave it; None where a coder gave nothing. metric:
    "nominal" for classes, "interval" for numbers. None when it has no meaning: nothing was rated twice, or all that
    was rated got the same value. Krippendorff 2011, Computing Krippendorff's Alpha-Reliability.

    Raises ValidationError for an unknown metric, or a value that is no number where numbers are compared.
    """
    if metric not in ("nominal", "interval"):
        raise ValidationError(f"there is no metric {metric!r}; there are: nominal, interval")
    units = [[value for value in row if value is not None] for row in ratings]
    units = [row for row in units if len(row) > 1]
    values = [value for row in units for value in row]
    if len(values) < 2:
        return None
    apart = _squares if metric == "interval" else _pairs_apart
    expected = Fraction(apart(values), len(values) - 1)
    if expected == 0:
        return None
    observed = sum((Fraction(apart(row), len(row) - 1) for row in units), Fraction(0))
    return float(1 - observed / expected)


def _pairs_apart(values: Sequence[float | str]) -> int | Fraction:
    """How many ordered pairs of values differ."""
    return len(values) ** 2 - sum(count**2 for count in Counter(values).values())


def _squares(values: Sequence[float | str]) -> int | Fraction:
    """The squared differences of all ordered pairs of numbers: 2 (n sum of x^2 - (sum of x)^2), which is exact here."""
    numbers = [_number(value) for value in values]
    return 2 * (len(numbers) * sum(each * each for each in numbers) - sum(numbers) ** 2)


def _number(value: float | str) -> int | Fraction:
    if isinstance(value, str):
        raise ValidationError(f"{value!r} and another are not both numbers, which metric='interval' compares")
    # Most marks are whole, and whole numbers add up much faster than fractions.
    return int(value) if value == int(value) else Fraction(value)
