"""Our rules beside an independent library of voting rules, on random profiles.

Runs only with PHALANX_TORTURE=1 and where `pref_voting` is installed (it is heavy, so in an environment of its own).
PHALANX_PROFILES sets how many profiles each rule is compared on.
"""

from __future__ import annotations

import importlib
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from phalanx.formations.voting import (
    Approval,
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

PROFILES = int(os.environ.get("PHALANX_PROFILES", "2000"))
NAMES = "abcdefg"


def other(module: str, name: str) -> Any:
    return getattr(importlib.import_module(f"pref_voting.{module}"), name)


def rankings(seed: int, *, truncated: bool = False) -> Iterator[list[list[str]]]:
    """Random profiles of 1 to 15 voters and 2 to 6 candidates; small ones, so that ties are common."""
    chance = random.Random(seed)
    for _ in range(PROFILES):
        names = NAMES[: chance.randint(2, 6)]
        profile = [chance.sample(names, len(names)) for _ in range(chance.randint(1, 15))]
        if truncated:
            profile = [ranking[: chance.randint(1, len(names))] for ranking in profile]
            # The library knows only the candidates that are ranked.
            profile.append(list(names))
        yield profile


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


def test_ranked_pairs_draws_only_possible_winners() -> None:
    method, profile_of = other("margin_based_methods", "ranked_pairs"), other("profiles", "Profile")
    alone = 0
    for at, profile in enumerate(rankings(seed=3)):
        if len(profile[0]) > 4:
            continue  # the library tries every order of equal comparisons, which takes long with more
        possible = theirs(method, profile_of([[NAMES.index(name) for name in ranking] for ranking in profile]))
        drawn = [set(RankedPairs().decide(profile, seed=seed).leaders) for seed in range(6)]
        assert set().union(*drawn) <= possible, profile
        if len(possible) == 1:
            alone += 1
            assert leaders(RankedPairs(ties="together"), profile) >= possible, profile
        if at > PROFILES // 2:
            break
    assert alone > 10


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
    for profile in grades(5, complete=True):
        wanted = {str(each) for each in method(graded(profile))}
        assert leaders(Median(high=5), profile) <= wanted, profile


def test_the_same_win_by_approval_and_by_points() -> None:
    chance = random.Random(6)
    for _ in range(PROFILES):
        names = NAMES[: chance.randint(2, 5)]
        voters = chance.randint(1, 11)
        sets = [{name for name in names if chance.random() < 0.5} or {names[0]} for _ in range(voters)]
        counted = Counter(name for each in sets for name in each)
        best = max(counted.values())
        assert leaders(Approval(), sets) == {name for name, count in counted.items() if count == best}
        spent = [dict(Counter(chance.choices(names, k=10))) for _ in range(voters)]
        method, profile_of = other("grade_methods", "cumulative_voting"), other("grade_profiles", "GradeProfile")
        profile = profile_of([{name: each.get(name, 0) for name in names} for each in spent], list(range(11)))
        assert leaders(Cumulative(), spent) == {str(each) for each in method(profile, max_total_grades=10)}, spent
