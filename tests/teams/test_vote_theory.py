"""Voting through the real formation comes to what theory says, exactly where everything can be tried."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

import anyio
import pytest

from phalanx import AgentTeam
from phalanx.formations.voting import Plurality, StopRule, beta, esc
from phalanx.formations.voting.sampling import expected_beta, expected_esc
from phalanx.testing import SimulatedModel, questions
from tests.teams.drawing import Drawing, one_by_one

# -- exactly: every way that the samples can fall, each with its probability --------------------------------------


def shares(p: str, options: int) -> dict[str, Fraction]:
    """The probability of each answer: the right one, R, and the others alike."""
    right = Fraction(p)
    return {"R": right, **{str(at): (1 - right) / (options - 1) for at in range(1, options)}}


async def expected(
    p: str, options: int, samples: int, stop: StopRule | None = None, early: bool = False
) -> tuple[Fraction, Fraction]:
    """How often the vote is right and how many samples it draws, over all ways that its samples can fall."""
    chances = shares(p, options)
    right = drawn = Fraction(0)
    for said in itertools.product(chances, repeat=samples):
        team = AgentTeam.vote("solver", samples, stop=stop, rule=Plurality(), early=early, model=Drawing(said))
        result = await team.run("Which?")
        chance = math.prod((chances[each] for each in said), start=Fraction(1))
        assert result.decision is not None
        right += chance * result.decision.credit("R")
        drawn += chance * result.usage.calls
    return right, drawn


@pytest.mark.parametrize(
    ("p", "options", "samples", "right"),
    [
        ("0.6", 2, 3, "0.648"),
        ("0.6", 2, 5, "0.68256"),
        ("0.6", 2, 7, "0.710208"),
        ("0.7", 2, 5, "0.83692"),
        ("0.6", 2, 4, "0.648"),  # an even number is worth the odd one before it
        ("0.4", 4, 3, "0.448"),
    ],
)
@pytest.mark.parametrize("early", [False, True])
def test_independent_samples_are_right_as_often_as_condorcet_says(
    p: str, options: int, samples: int, right: str, early: bool
) -> None:
    assert anyio.run(expected, p, options, samples, None, early)[0] == Fraction(right)


def test_the_plurality_of_four_options_is_right_more_often_than_one_answer_also_below_one_half() -> None:
    right, _ = anyio.run(expected, "0.3", 4, 3)
    assert right == Fraction("0.314")


@pytest.mark.parametrize("p", ["0.6", "0.9"])
def test_adaptive_consistency_is_exactly_what_its_recurrence_says(p: str) -> None:
    right, drawn = anyio.run(expected, p, 2, 8, beta())
    theory = expected_beta(float(p), cap=8)
    assert float(drawn) == pytest.approx(theory.samples, abs=1e-12)
    assert float(right) == pytest.approx(theory.accuracy, abs=1e-12)


def test_windows_are_exactly_what_their_formula_says() -> None:
    _, drawn = anyio.run(expected, "0.7", 2, 9, esc(3))
    assert float(drawn) == pytest.approx(expected_esc([0.7, 0.3], window=3, cap=9), abs=1e-12)


# -- by dice: simulated members, within three standard errors ------------------------------------------------------


async def credits(team: AgentTeam, runs: int, options: int) -> list[float]:
    """What each run's decision is worth: 1, 0, or 1/n for one of n that only chance could part."""
    worth = []
    for question in questions(runs, options=options):
        decision = (await team.run(question.text)).decision
        assert decision is not None
        worth.append(float(decision.credit(question.gold)))
    return worth


def near(measured: Sequence[float], expected: float, within: float = 3.0) -> bool:
    """Whether a mean is within so many of its own standard errors."""
    n, mean = len(measured), sum(measured) / len(measured)
    error = math.sqrt(sum((each - mean) ** 2 for each in measured) / (n - 1) / n)
    return abs(mean - expected) <= within * error and error < 0.03


@pytest.mark.parametrize(
    ("skill", "options", "correlation", "samples", "expected"),
    [
        (0.6, 2, 0.0, 5, 0.68256),  # Condorcet
        (0.7, 2, 0.0, 9, 0.901191),
        (0.4, 4, 0.0, 5, 0.50944),  # four options, fair ties
        (0.7, 2, 0.2, 5, 0.76486),  # beta-binomial
        (0.7, 2, 0.5, 5, 0.71864),
    ],
)
def test_the_vote_is_right_as_often_as_theory_says(
    skill: float, options: int, correlation: float, samples: int, expected: float
) -> None:
    model = SimulatedModel(skill, options=options, correlation=correlation, seed=1)
    team = AgentTeam.vote("solver", samples, rule=Plurality(), early=False, model=model)
    assert near(anyio.run(credits, team, 400, options), expected)


@pytest.mark.parametrize("skill", [0.8, 0.9])
def test_adaptive_consistency_draws_as_many_samples_and_is_right_as_often_as_theory_says(skill: float) -> None:
    model = SimulatedModel(skill, options=2, seed=1)
    team = AgentTeam.vote("solver", 40, stop=beta(), early=False, model=model)
    drawn, right = [], []
    for question in questions(150, options=2):
        result = team.run_sync(question.text)
        drawn.append(float(result.usage.calls))
        right.append(result.decision is not None and result.decision.winner == question.gold)
        said = [each.text.rpartition(" ")[2] for each in result.members]
        assert result.usage.calls == one_by_one(said, beta(), 40)
        assert result.decision is not None
        assert result.decision.winner == Counter(said).most_common(1)[0][0]
    exact = expected_beta(skill)
    mean = sum(drawn) / len(drawn)
    error = (sum((each - mean) ** 2 for each in drawn) / len(drawn) ** 2) ** 0.5
    assert abs(mean - exact.samples) < 3 * error
    assert error < 0.6
    assert sum(right) >= len(right) - 3  # .9981 and .9999


def test_windows_draw_as_many_samples_as_theory_says() -> None:
    model = SimulatedModel(0.8, options=2, seed=2)
    team = AgentTeam.vote("solver", 40, stop=esc(5), early=False, model=model)
    drawn = [float(team.run_sync(question.text).usage.calls) for question in questions(120, options=2)]
    mean = sum(drawn) / len(drawn)
    error = (sum((each - mean) ** 2 for each in drawn) / len(drawn) ** 2) ** 0.5
    assert abs(mean - expected_esc([0.8, 0.2])) < 3 * error  # 14.61
    assert error < 1.2


async def test_samples_of_one_agent_are_independent_draws() -> None:
    model = SimulatedModel(0.5, options=2, seed=5)
    results = [await AgentTeam.vote("solver", early=False, model=model).run(each.text) for each in questions(60)]
    said = ["".join(each.text[-1] for each in result.members) for result in results]
    assert len(set(said)) > 20
