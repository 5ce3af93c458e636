"""In whatever order replies arrive, the same wins: also where answers are not waited for that can change nothing.

Whose words stand for the winner may differ then, and must: of three members who agree, any two may be the first two,
and no words are those of all three pairs. With `early=False` all is the same to the letter.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx import AgentTeam, TeamResult
from phalanx.formations.voting import Equivalence, Plurality, cannot_change
from phalanx.messages import Request
from phalanx.testing import FunctionModel
from tests.clock import VirtualLoop

TRANSITIVE = [["1,000", "1000", "1000.0", "999"], ["Paris", "paris.", "PARIS", "Rome"], ["A", "B", "A", "C", "A"]]
UNITS = [["7 km", "7 km", "7", "7 m", "7 m"], ["7", "7", "7 km", "7 m", "7 m"], ["5", "5 kg", "5 g", "5 kg"]]


def team(kind: str, said: Sequence[str], order: Sequence[int], **options: Any) -> AgentTeam:
    """Members who say this, the one at place `order[at]` as the at-th."""
    names = [f"m{at}" for at in range(len(said))]

    async def answer(request: Request) -> str:
        at = names.index(request.about.member)
        await anyio.sleep(1 + order[at])
        return f"{request.about.member} says so.\nAnswer: {said[at]}"

    model = FunctionModel(answer)
    if kind == "vote":
        return AgentTeam.vote(names, len(names), model=model, **options)
    if kind == "consensus":
        return AgentTeam.consensus(names, rounds=0, model=model, **options)
    return AgentTeam.debate(names, 1, stop="more_than(1/2)", early=True, model=model, **options)


def run(teams: Sequence[AgentTeam]) -> list[TeamResult]:
    async def work() -> list[TeamResult]:
        return [await each.run("Which?") for each in teams]

    return anyio.run(work, backend_options={"loop_factory": VirtualLoop})


def outcomes(results: Sequence[TeamResult]) -> set[tuple[object, ...]]:
    found: set[tuple[object, ...]] = set()
    for result in results:
        decision = result.decision
        assert decision is not None
        assert decision.winner is None or Equivalence().same(result, decision.winner)
        found.add((result.status, decision.status, decision.winner and decision.winner.casefold(), decision.tied))
    return found


@pytest.mark.parametrize("said", TRANSITIVE, ids=" ".join)
@pytest.mark.parametrize("kind", ["vote", "consensus", "debate"])
def test_the_winner_is_the_same_in_every_order_of_arrival(kind: str, said: list[str]) -> None:
    results = run([team(kind, said, order) for order in itertools.permutations(range(len(said)))])
    assert len(outcomes(results)) == 1
    assert min(sum(each.ok for each in result.members) for result in results) < len(said), "some were not waited for"


@pytest.mark.parametrize("said", [*TRANSITIVE, *UNITS], ids=" ".join)
def test_without_an_early_end_all_is_the_same_to_the_letter(said: list[str]) -> None:
    orders = itertools.permutations(range(len(said)))
    results = run([team("vote", said, order, early=False) for order in orders])
    assert len({(str(result), result.decision.explanation if result.decision else None) for result in results}) == 1


@pytest.mark.parametrize("said", UNITS, ids=" ".join)
@pytest.mark.parametrize("kind", ["vote", "consensus"])
def test_an_answer_that_fits_two_others_makes_no_early_winner(kind: str, said: list[str]) -> None:
    """7 is 7 km, and 7 m: which of them it is counted for is not known before all have answered."""
    orders = list(itertools.permutations(range(len(said))))
    waited = outcomes(run([team(kind, said, orders[0], early=False)]))
    assert outcomes(run([team(kind, said, order) for order in orders])) == waited


@pytest.mark.parametrize("said", [["A", "B"], ["A", "A", "B", "B"], ["B", "A", "C", "A", "B"]], ids=" ".join)
@pytest.mark.parametrize("kind", ["vote", "consensus"])
def test_who_was_first_by_seat_and_not_by_time_parts_a_tie(kind: str, said: list[str]) -> None:
    first = Plurality(tie_break=("earliest",))
    orders = list(itertools.permutations(range(len(said))))
    results = run([team(kind, said, order, rule=first) for order in orders])
    assert len(outcomes(results)) == 1
    assert outcomes(results) == outcomes(run([team(kind, said, orders[0], rule=first, early=False)]))


def test_a_tie_break_by_who_was_first_does_not_make_anybody_wait_where_there_can_be_no_tie() -> None:
    results = run([team("vote", ["A", "A", "A", "B"], (0, 1, 2, 3), rule=Plurality(tie_break=("earliest",)))])
    assert sum(each.ok for each in results[0].members) == 3


def test_numbers_within_a_tolerance_of_each_other_make_no_early_winner() -> None:
    near = Equivalence(tolerance="0.01")
    said = ["1.00", "1.01", "1.01", "1.02", "1.02"]
    for order in itertools.permutations(range(5)):
        early, whole = run([team("vote", said, order, early=early, equivalence=near) for early in (True, False)])
        assert early.decision is not None
        assert whole.decision is not None
        assert (early.decision.status, early.decision.winner) == (whole.decision.status, whole.decision.winner)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["7 km", "7 m", "7", "8", "8 m"]), min_size=2, max_size=7), st.integers(1, 4), st.randoms()
)
def test_what_firm_answers_make_certain_stays_so_whatever_follows(
    arrived: list[str], more: int, chance: random.Random
) -> None:
    same, rule = Equivalence(), Plurality(tie_break=())
    partition = same.classes(arrived)
    firm = [choice for choice, stays in zip(partition.choices, same.firm(arrived), strict=True) if stays]
    size = len(arrived) + more
    if rule.decide(firm).winner is None or not cannot_change(firm, size - len(firm), rule, eligible=size):
        return
    winner = rule.decide(firm).winner
    assert winner is not None
    heads = [text for text, choice, stays in zip(arrived, partition.choices, same.firm(arrived), strict=True)
             if stays and choice == winner]  # fmt: skip
    later = same.classes([*arrived, *(chance.choice(["7 km", "7 m", "7", "8", "8 m", "9"]) for _ in range(more))])
    label = rule.decide(list(later.choices)).winner
    assert label == later.choices[arrived.index(heads[0])]


def test_classes_that_later_answers_may_join_are_not_firm() -> None:
    assert Equivalence().firm(["7 km", "7 km", "7", None]) == (True, True, False, False)
    assert Equivalence(policy="components").firm(["7 km", "7 m"]) == (False, False)
    assert Equivalence(policy="components").firm(["7 km", "7 km"]) == (True, True)
    assert Equivalence().firm(["a", "b", "b"]) == (True, True, True)
