"""A thousand simulated suites through `compare`: coverage, errors, peeking and power agree with theory.

The error of each check is that of a share of 1,000 suites: 0.7 points for 95% coverage, 0.7 for 5% of errors, 0.95 for
90% power. Minutes of work, so run only with PHALANX_TORTURE=1.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import anyio
import pytest

from phalanx import Agent, AgentTeam
from phalanx.agents.models.simulated import SimulatedModel
from phalanx.benchmarks import summary
from phalanx.benchmarks.compare import compare
from phalanx.benchmarks.record import Comparison
from phalanx.benchmarks.statistics.power import expected_discordance, power_of
from tests.benchmarks.theory import BETTER, ITEMS, WORSE, course, pair, questions, share, team_and_member

SUITES = 1000
pytestmark = [
    pytest.mark.skipif(not os.environ.get("PHALANX_TORTURE"), reason="set PHALANX_TORTURE=1 to spend minutes"),
    pytest.mark.timeout(3600),
]


def test_unequal_members_are_told_apart_as_often_as_the_formula_says(
    record_property: Callable[[str, object], None],
) -> None:
    found = course(pair(BETTER, WORSE), (BETTER, WORSE), ITEMS, SUITES)
    power = power_of(ITEMS, BETTER - WORSE, discordance=expected_discordance(BETTER, WORSE))
    seen = share(found.kinds, "better")
    record_property("power, by the formula, coverage", (seen, power, found.difference.coverage))
    assert seen == pytest.approx(power, abs=0.03)
    assert share(found.kinds, "worse") == 0
    for each in (found.difference, found.first, found.second):
        assert 0.93 <= each.coverage <= 0.97
        assert abs(each.bias) < 3.5


def test_equal_members_are_rarely_called_better_however_often_one_looks(
    record_property: Callable[[str, object], None],
) -> None:
    found = course(pair(WORSE, WORSE), (WORSE, WORSE), 100, SUITES, peek=True)
    better, worse = share(found.kinds, "better"), share(found.kinds, "worse")
    record_property("better, worse, stopped, coverage", (better, worse, found.stopped, found.difference.coverage))
    assert better <= 0.05
    assert 0.03 <= better + worse <= 0.07
    assert found.stopped / SUITES <= 0.05
    assert found.stopped > 0
    assert 0.93 <= found.difference.coverage <= 0.97


def test_a_vote_of_correlated_members_is_as_good_as_the_beta_binomial_says(
    record_property: Callable[[str, object], None],
) -> None:
    truths = (0.74480, 0.7)
    found = course(team_and_member(), truths, 60, SUITES)
    record_property("coverage of the vote, of the difference", (found.first.coverage, found.difference.coverage))
    for each in (found.first, found.second, found.difference):
        assert 0.93 <= each.coverage <= 0.97
        assert abs(each.bias) < 3.5


def test_a_debate_fixes_and_breaks_what_its_members_revise(record_property: Callable[[str, object], None]) -> None:
    """At c = 0.3 and e = 0.1 a goes from 0.6 to 0.66, the vote of five from 0.68256 to 0.78015; 3,000 items."""
    model = SimulatedModel(0.6, answers=lambda _: ("yes", ("yes", "no")), revise_right=0.3, revise_wrong=0.1)
    members = [Agent("debater", name=name) for name in ("ada", "bob", "cy", "dan", "eve")]
    team = AgentTeam.debate(members, 1, trigger="always", model=model)

    async def work() -> Comparison:
        return await compare({"debate": team}, questions(0, 3000), baselines=False)

    (told,) = summary.of(anyio.run(work)).diagnoses
    turn = told.turns[0].members
    record_property("draft, vote, final", (told.draft.value, told.vote.value, told.final.value))
    assert told.draft.value == pytest.approx(0.6, abs=0.012)
    assert told.vote.value == pytest.approx(0.68256, abs=0.026)
    assert told.final.value == pytest.approx(0.78015, abs=0.023)
    assert turn.fixed / (turn.fixed + turn.missed) == pytest.approx(0.3, abs=0.018)
    assert turn.broke / (turn.broke + turn.kept) == pytest.approx(0.1, abs=0.01)
    assert turn.helped
