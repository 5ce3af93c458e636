"""Our rules beside an independent library of voting rules, each on 10,000 random profiles.

Runs only with PHALANX_TORTURE=1 and where `pref_voting` is installed (it is heavy, so it is an extra of its own:
`pip install -e ".[dev,torture]"`).
PHALANX_PROFILES sets how many profiles each rule is compared on. The profiles are of several kinds, so that ties,
circles and clones are common among them.

What is compared by definition, as the library's own way would take for ever or stops short: the possible winners of
ranked pairs where equal margins leave more than 120 orders to try (the library tries each; where it does, the
definition is held against it too), and how majority judgement parts those whom the library leaves tied.
"""

from __future__ import annotations

import importlib
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, permutations
from math import factorial, prod
from typing import Any

import pytest

from phalanx.formations.voting import (
    Approval,
    Ballot,
    Borda,
    Copeland,
    Cumulative,
    InstantRunoff,
    Median,
    Minimax,
    Plurality,
    RankedPairs,
    Schulze,
    Score,
    VotingRule,
)

pytestmark = [
    pytest.mark.skipif(not os.environ.get("PHALANX_TORTURE"), reason="set PHALANX_TORTURE=1 to spend minutes"),
    pytest.mark.skipif(importlib.util.find_spec("pref_voting") is None, reason="pref_voting is not installed"),
    pytest.mark.timeout(1800),
    pytest.mark.filterwarnings("ignore"),
]

PROFILES = int(os.environ.get("PHALANX_PROFILES", "10000"))
NAMES = "abcdefgh"


def other(module: str, name: str) -> Any:
    return getattr(importlib.import_module(f"pref_voting.{module}"), name)


def rankings(seed: int, *, truncated: bool = False, most: int = 7) -> Iterator[list[list[str]]]:
    """Random profiles of 1 to 15 voters and 2 to `most` candidates; small ones, so that ties are common."""
    chance = random.Random(seed)
    for _ in range(PROFILES):
        names = list(NAMES[: chance.randint(2, most)])
        profile = KINDS[chance.randrange(len(KINDS))](chance, names, chance.randint(1, 15))
        if truncated:
            profile = [ranking[: chance.randint(1, len(names))] for ranking in profile]
            # The library knows only the candidates that are ranked.
            profile.append(list(names))
        yield profile


def any_orders(chance: random.Random, names: list[str], voters: int) -> list[list[str]]:
    return [chance.sample(names, len(names)) for _ in range(voters)]


def few_orders(chance: random.Random, names: list[str], voters: int) -> list[list[str]]:
    orders = any_orders(chance, names, chance.randint(1, 4))
    return [chance.choice(orders) for _ in range(voters)]


def circles(chance: random.Random, names: list[str], voters: int) -> list[list[str]]:
    turns = [chance.randrange(len(names)) for _ in range(voters)]
    return [[*names[turn:], *names[:turn]] for turn in turns]


def clones(chance: random.Random, names: list[str], voters: int) -> list[list[str]]:
    """The last candidate stands beside the first on every ballot."""
    profile = any_orders(chance, names[:-1], voters)
    for ranking in profile:
        ranking.insert(ranking.index(names[0]) + chance.randint(0, 1), names[-1])
    return profile


def near_agreement(chance: random.Random, names: list[str], voters: int) -> list[list[str]]:
    profile = [list(names) for _ in range(voters)]
    for ranking in profile:
        for _ in range(chance.randint(0, 3)):
            at = chance.randrange(len(names) - 1)
            ranking[at], ranking[at + 1] = ranking[at + 1], ranking[at]
    return profile


KINDS = (any_orders, few_orders, circles, clones, near_agreement)
Margins = Mapping[tuple[str, str], int]


def margins(profile: Sequence[Sequence[str]]) -> Margins:
    """By how many ballots the first of a pair is ranked above the second, less the reverse."""
    table = dict.fromkeys(permutations(profile[0], 2), 0)
    for ranking in profile:
        for above, below in combinations(ranking, 2):
            table[above, below] += 1
            table[below, above] -= 1
    return table


def test_ties_circles_and_clones_are_common_among_the_profiles() -> None:
    tied, no_winner, cloned = 0, 0, 0
    for profile in rankings(seed=1):
        table, names = margins(profile), sorted(profile[0])
        tied += any(margin == 0 for margin in table.values())
        no_winner += not any(all(table[one, other] > 0 for other in names if other != one) for one in names)
        cloned += len(names) > 2 and all(abs(each.index(names[0]) - each.index(names[-1])) == 1 for each in profile)
    assert min(tied, no_winner, cloned) > PROFILES / 10, (tied, no_winner, cloned)


def leaders(rule: VotingRule, profile: Sequence[Any]) -> set[str]:
    return set(rule.decide(profile).leaders)


def theirs(method: Callable[..., list[Any]], profile: Any) -> set[str]:
    return {NAMES[at] if isinstance(at, int) else str(at) for at in map(_plain, method(profile))}


def _plain(candidate: Any) -> Any:
    return candidate if isinstance(candidate, str) else int(candidate)


LINEAR: list[tuple[VotingRule, str, str]] = [
    (Plurality(), "scoring_methods", "plurality"),
    (Borda(), "scoring_methods", "borda"),
    (InstantRunoff(elimination="all"), "iterative_methods", "instant_runoff"),
    (Copeland(), "c1_methods", "copeland"),
    (Schulze(), "margin_based_methods", "beat_path"),
    (Minimax(), "margin_based_methods", "minimax"),
]


@pytest.mark.parametrize(("rule", "module", "name"), LINEAR, ids=[rule.kind for rule, _, _ in LINEAR])
def test_the_same_win_on_full_rankings(rule: VotingRule, module: str, name: str) -> None:
    method, profile_of = other(module, name), other("profiles", "Profile")
    for profile in rankings(seed=1):
        wanted = theirs(method, profile_of([[NAMES.index(name) for name in ranking] for ranking in profile]))
        assert leaders(rule, profile) == wanted, profile


PAIRWISE = LINEAR[3:]


@pytest.mark.parametrize(("rule", "module", "name"), PAIRWISE, ids=[rule.kind for rule, _, _ in PAIRWISE])
def test_the_same_win_when_the_unranked_share_the_last_place(rule: VotingRule, module: str, name: str) -> None:
    method, profile_of = other(module, name), other("profiles_with_ties", "ProfileWithTies")
    for profile in rankings(seed=2, truncated=True):
        ranks = [{NAMES.index(name): rank for rank, name in enumerate(ranking, 1)} for ranking in profile]
        theirs_profile = profile_of(ranks, candidates=list(range(len(profile[-1]))))
        theirs_profile.use_extended_strict_preference()
        assert leaders(rule, profile) == theirs(method, theirs_profile), profile


def possible_winners(table: Margins, names: Sequence[str]) -> set[str]:
    """The winners of ranked pairs over all ways to order equal margins, by definition.

    They are those at the top of a stack: an order in which each stands above each later one by a chain, down the
    order, of margins at least as large as the later one's over it (Zavist and Tideman 1989, doi 10.1007/BF00303170).
    """
    found: set[str] = set()
    for order in permutations(names):
        if order[0] not in found and is_stack(order, table):
            found.add(order[0])
    return found


def is_stack(order: Sequence[str], table: Margins) -> bool:
    chain: dict[tuple[str, str], int] = {}
    for to, below in enumerate(order):
        for at in reversed(range(to)):
            above = order[at]
            by_way_of = [min(table[above, via], chain[via, below]) for via in order[at + 1 : to]]
            chain[above, below] = max(table[above, below], *by_way_of, -len(table) * 100)
            if chain[above, below] < table[below, above]:
                return False
    return True


def orders_to_try(table: Margins) -> int:
    """How many ways there are to order the comparisons, the stronger before the weaker."""
    return prod(factorial(times) for times in Counter(margin for margin in table.values() if margin >= 0).values())


def test_ranked_pairs_draws_only_possible_winners() -> None:
    every, one_order = other("margin_based_methods", "ranked_pairs"), other("margin_based_methods", "ranked_pairs_tb")
    profile_of = other("profiles", "Profile")
    larger = rankings(seed=4, most=7)
    tried, unequal, alone = 0, 0, 0
    for at, profile in enumerate(rankings(seed=3, most=5)):
        if at % 50 == 0:
            profile = next(each for each in larger if len(each[0]) == 6)
        table, names = margins(profile), sorted(profile[0])
        their_profile = profile_of([[NAMES.index(name) for name in ranking] for ranking in profile])
        possible = possible_winners(table, names)
        if orders_to_try(table) <= 120:
            tried += 1
            assert theirs(every, their_profile) == possible, profile
        assert theirs(one_order, their_profile) <= possible, profile
        drawn = [RankedPairs().decide(profile, seed=seed).leaders for seed in range(4)]
        assert set().union(*drawn) <= possible, profile
        together = leaders(RankedPairs(ties="together"), profile)
        if len(set(table.values())) == len(table):
            unequal += 1
            assert together == leaders(RankedPairs(), profile) == possible, profile
        if len(possible) == 1:
            alone += 1
            assert together >= possible, profile
    assert min(tried, unequal, alone) > PROFILES / 10, (tried, unequal, alone)


@pytest.mark.parametrize("size", [6, 7, 8])
def test_ranked_pairs_of_unequal_margins_choose_the_same_among_many(size: int) -> None:
    """Where no two margins are equal there is one order to lock them in, however many candidates there are."""
    method, profile_of = other("margin_based_methods", "ranked_pairs_tb"), other("profiles", "Profile")
    chance, names, compared = random.Random(size), NAMES[:size], 0
    for _ in range(PROFILES // 4):
        orders = any_orders(chance, list(names), 25)
        counts = [chance.randint(1, 10_000) for _ in orders]
        ballots = [Ballot(ranking=order, weight=count) for order, count in zip(orders, counts, strict=True)]
        their_profile = profile_of([[NAMES.index(name) for name in order] for order in orders], counts)
        strengths = [abs(their_profile.margin(one, two)) for one, two in combinations(range(size), 2)]
        if len(set(strengths)) == len(strengths) and 0 not in strengths:
            compared += 1
            assert leaders(RankedPairs(), ballots) == theirs(method, their_profile), ballots
    assert compared > PROFILES / 8, compared


def grades(seed: int, *, complete: bool) -> Iterator[list[dict[str, int]]]:
    chance = random.Random(seed)
    for _ in range(PROFILES):
        names = NAMES[: chance.randint(2, 5)]
        profile = [{name: chance.randint(0, 5) for name in names} for _ in range(chance.randint(1, 11))]
        if not complete:
            profile = [{name: grade for name, grade in each.items() if chance.random() < 0.8} for each in profile]
            profile.append(dict.fromkeys(names, 3))
        yield [each for each in profile if each]


def graded(profile: Sequence[dict[str, int]]) -> Any:
    return other("grade_profiles", "GradeProfile")(list(profile), list(range(6)))


def test_the_same_win_by_mean_score() -> None:
    method = other("grade_methods", "score_voting")
    for complete in (True, False):
        for profile in grades(4, complete=complete):
            wanted = {str(each) for each in method(graded(profile), evaluation_method="mean")}
            assert leaders(Score(high=5), profile) == wanted, profile


def test_majority_judgement_chooses_among_those_the_coarser_rule_leaves() -> None:
    """The library compares the shares above and below the median only; the rest of the scores then part its ties."""
    method = other("grade_methods", "majority_judgement")
    parted = 0
    for profile in grades(5, complete=True):
        wanted = {str(each) for each in method(graded(profile))}
        values = {name: taken_from_the_middle([each[name] for each in profile]) for name in profile[0]}
        best = {name for name, value in values.items() if value == max(values.values())}
        assert leaders(Median(high=5), profile) == best, profile
        assert best <= wanted, profile
        parted += best < wanted
    assert parted > PROFILES / 100, parted


def taken_from_the_middle(given: Sequence[int]) -> list[int]:
    """A candidate's grades by definition: the lower median is taken out, again and again (Balinski and Laraki 2007)."""
    left = sorted(given)
    return [left.pop((len(left) - 1) // 2) for _ in given]


def test_the_same_win_by_approval_and_by_points() -> None:
    chance = random.Random(6)
    approving, method = other("grade_methods", "approval"), other("grade_methods", "cumulative_voting")
    profile_of = other("grade_profiles", "GradeProfile")
    for _ in range(PROFILES):
        names = NAMES[: chance.randint(2, 5)]
        voters = chance.randint(1, 11)
        sets = [{name for name in names if chance.random() < 0.5} or {names[0]} for _ in range(voters)]
        approved = profile_of([{name: int(name in each) for name in names} for each in sets], [0, 1])
        assert leaders(Approval(), sets) == {str(each) for each in approving(approved)}, sets
        spent = [dict(Counter(chance.choices(names, k=10))) for _ in range(voters)]
        profile = profile_of([{name: each.get(name, 0) for name in names} for each in spent], list(range(11)))
        assert leaders(Cumulative(), spent) == {str(each) for each in method(profile, max_total_grades=10)}, spent
