"""Skills from agreement alone: on made-up votes whose truth is known."""

from __future__ import annotations

import random
from math import log

import pytest

from phalanx.errors import ValidationError
from phalanx.formations.voting import Ballot, LogOdds, Plurality
from phalanx.formations.voting.competence import Competence, competence, cross_fitted, dawid_skene, one_coin
from phalanx.formations.voting.weighted import log_odds

SKILLS = {"ada": 0.85, "bob": 0.7, "eve": 0.6, "joe": 0.5, "zoe": 0.4}
Votes = dict[str, dict[str, str | None]]


def made_up(seed: int, items: int = 400) -> tuple[Votes, dict[str, str]]:
    """Votes on questions with four options, and the truth."""
    chance = random.Random(seed)
    truth = {f"item {at}": chance.choice("ABCD") for at in range(items)}
    votes: Votes = {
        item: {
            voter: right if chance.random() < skill else chance.choice([other for other in "ABCD" if other != right])
            for voter, skill in SKILLS.items()
        }
        for item, right in truth.items()
    }
    return votes, truth


def accuracy(estimate: Competence, truth: dict[str, str]) -> float:
    best = {item: max(belief, key=belief.__getitem__) for item, belief in estimate.posteriors.items()}
    return sum(best[item] == right for item, right in truth.items()) / len(truth)


def plurality_accuracy(votes: Votes, truth: dict[str, str]) -> float:
    credit = [Plurality(tie_break=()).decide(list(votes[item].values())).credit(truth[item]) for item in votes]
    return float(sum(credit)) / len(credit)


@pytest.mark.parametrize("seed", range(4))
def test_skills_are_found_without_knowing_what_is_right(seed: int) -> None:
    votes, _ = made_up(seed)
    estimate = one_coin(votes, options=4)
    assert estimate.converged
    for voter, skill in SKILLS.items():
        assert estimate.skills[voter] == pytest.approx(skill, abs=0.1)
    assert max(SKILLS, key=lambda voter: estimate.skills[voter] or 0) == "ada"


@pytest.mark.parametrize("seed", range(4))
def test_weighing_by_estimated_skills_beats_plurality_and_comes_near_to_knowing_them(seed: int) -> None:
    votes, truth = made_up(seed)
    best = LogOdds(skills=SKILLS, options=4)
    known = sum(
        best.decide([Ballot(said, voter=voter) for voter, said in votes[item].items()]).winner == right
        for item, right in truth.items()
    ) / len(truth)
    plain = plurality_accuracy(votes, truth)
    assert accuracy(one_coin(votes, options=4), truth) > plain + 0.02
    assert accuracy(dawid_skene(votes), truth) > plain + 0.01
    assert accuracy(one_coin(votes, options=4), truth) > known - 0.03


def test_a_voter_who_mixes_up_two_answers_is_understood_by_the_full_model() -> None:
    chance = random.Random(5)
    votes: Votes = {}
    truth = {}
    swap = {"A": "B", "B": "A", "C": "C"}
    for at in range(300):
        right = chance.choice("ABC")
        truth[str(at)] = right
        votes[str(at)] = {
            "swaps": swap[right],
            **{f"fair {k}": right if chance.random() < 0.7 else chance.choice("ABC") for k in range(3)},
        }
    estimate = dawid_skene(votes)
    assert estimate.confusion["swaps"]["A"]["B"] > 0.95
    assert estimate.confusion["swaps"]["C"]["C"] > 0.95
    assert accuracy(estimate, truth) > 0.95
    assert accuracy(one_coin(votes), truth) <= 0.9


def test_with_too_little_to_go_by_all_count_the_same() -> None:
    few, _ = made_up(1, items=49)
    estimate = competence(few, options=4)
    assert (estimate.method, set(estimate.skills.values())) == ("equal", {None})
    assert estimate.rule() == Plurality()
    two: Votes = {item: {"ada": "A", "bob": "A"} for item in map(str, range(100))}
    assert competence(two).method == "equal"
    enough, _ = made_up(1, items=50)
    assert competence(enough, options=4).method == "one_coin"
    assert competence(enough, method="dawid_skene").method == "dawid_skene"


def test_an_estimate_gives_the_rule_that_makes_most_of_it() -> None:
    votes, _ = made_up(2)
    rule = competence(votes, options=4).rule()
    assert isinstance(rule, LogOdds)
    assert rule.options == 4
    assert rule.skills["ada"] > rule.skills["zoe"]


def test_abstentions_say_nothing_and_are_not_wrong() -> None:
    votes, _ = made_up(3)
    before = one_coin(votes, options=4)
    for at, said in enumerate(votes.values()):
        if at % 2:
            said["ada"] = None
    after = one_coin(votes, options=4)
    assert after.skills["ada"] == pytest.approx(before.skills["ada"], abs=0.08)
    assert one_coin({**votes, "silent": {"ada": None}}, options=4).skills == after.skills


def test_nobody_becomes_certain() -> None:
    unanimous: Votes = {str(at): dict.fromkeys("xyz", "A") for at in range(60)}
    for estimate in (one_coin(unanimous), dawid_skene({**unanimous, "60": dict.fromkeys("xyz", "B")})):
        assert all(skill is not None and 0.5 < skill < 0.995 for skill in estimate.skills.values())
        assert all(abs(weight) < log(200) for weight in [log_odds(skill or 0) for skill in estimate.skills.values()])


def test_names_and_orders_do_not_matter() -> None:
    votes, _ = made_up(4, items=120)
    turned = {item: dict(reversed(said.items())) for item, said in reversed(votes.items())}
    one, other = one_coin(votes, options=4), one_coin(turned, options=4)
    assert other.skills == pytest.approx(one.skills)


def test_no_item_is_scored_with_skills_it_had_a_say_in() -> None:
    votes, _ = made_up(6, items=200)
    fitted = cross_fitted(votes, folds=4, seed=1, options=4)
    assert set(fitted) == set(votes)
    assert len({id(estimate) for estimate in fitted.values()}) == 4
    for item, estimate in fitted.items():
        assert item not in estimate.posteriors
    item = "item 0"
    changed: Votes = {**votes, item: dict.fromkeys(SKILLS, "A")}
    again = cross_fitted(changed, folds=4, seed=1, options=4)
    assert again[item].skills == fitted[item].skills
    assert again[next(other for other in votes if fitted[other] is not fitted[item])].skills != fitted[item].skills


def test_folds_are_dealt_from_the_seed() -> None:
    votes, _ = made_up(6, items=200)

    def together(seed: int) -> set[str]:
        fitted = cross_fitted(votes, folds=4, seed=seed, options=4)
        return {item for item in votes if fitted[item] is fitted["item 0"]}

    assert together(1) == together(1)
    assert together(1) != together(2)
    assert len(together(1)) == 50


def test_nothing_to_learn_from_is_refused() -> None:
    for empty in ({}, {"1": {"a": None}}):
        for estimate in (one_coin, dawid_skene):
            with pytest.raises(ValidationError, match="no votes to learn from"):
                estimate(empty)
    votes: Votes = {"1": {"a": "A"}, "2": {"a": "A"}}
    for folds in (1, 3):
        with pytest.raises(ValidationError, match="cannot be dealt"):
            cross_fitted(votes, folds=folds)
    with pytest.raises(ValidationError, match="at least 2 options"):
        one_coin(votes, options=1)
