"""Which family of rules keeps which promise, by generated profiles, beside the axioms that all rules share.

Each promise is asked of exactly the rules that are known to keep it.
"""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from phalanx.formations.voting import (
    Approvals,
    Ballot,
    BucketedConfidence,
    Cumulative,
    InstantRunoff,
    LogOdds,
    Plurality,
    RawBallot,
    VotingRule,
)
from tests.voting.test_axioms import (
    CONDORCET,
    NAMES,
    Profile,
    beats,
    each_rule,
    full_rankings,
    outcome,
    points,
    rankings,
    rules,
    some,
)

RANKED = ("borda", "instant_runoff", *CONDORCET)
sure = st.lists(
    st.builds(
        lambda choice, parts: Ballot(choice, confidence=parts / 20),
        st.sampled_from(NAMES), st.integers(0, 20),
    ), min_size=1, max_size=9,
)  # fmt: skip
verified = st.tuples(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=5),
    st.lists(st.sets(st.sampled_from(NAMES), min_size=1), min_size=1, max_size=4),
).map(lambda both: [*both[0], *both[1]])


# -- rules whose ballots say more than a choice ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "profiles"),
    [(BucketedConfidence(tie_break=()), sure), (Approvals(tie_break=("votes",)), verified)],
    ids=["bucketed_confidence", "approvals"],
)
@some
@given(data=st.data())
def test_who_says_it_and_what_it_is_called_do_not_matter(
    rule: VotingRule, profiles: st.SearchStrategy[Profile], data: st.DataObject
) -> None:
    profile = data.draw(profiles)
    before = rule.decide(profile)
    assert outcome(rule.decide(data.draw(st.permutations(profile)))) == outcome(before)
    names = dict(zip(NAMES, data.draw(st.permutations(["one", "two", "Drei", "4 x"])), strict=True))
    after = rule.decide([_renamed(ballot, names) for ballot in profile])
    assert after.status == before.status
    assert set(after.leaders) == {names[name] for name in before.leaders}
    assert after.tally == {names[name]: value for name, value in before.tally.items()}


def _renamed(ballot: RawBallot, names: dict[str, str]) -> RawBallot:
    if isinstance(ballot, Ballot):
        return ballot.model_copy(update={"choice": names[ballot.choice or ""]})
    if isinstance(ballot, str):
        return names[ballot]
    assert isinstance(ballot, set)
    return {names[name] for name in ballot}


@some
@given(sure, st.data())
def test_more_confidence_in_the_winner_never_hurts_it(profile: list[Ballot], data: st.DataObject) -> None:
    rule = BucketedConfidence(tie_break=())
    before = rule.decide([*profile])
    assume(before.status == "decided")
    at = data.draw(st.sampled_from([at for at, each in enumerate(profile) if each.choice == before.winner]))
    surer = data.draw(st.integers(round((profile[at].confidence or 0) * 20), 20))
    raised = [*profile[:at], Ballot(before.winner, confidence=surer / 20), *profile[at + 1 :]]
    assert rule.decide([*raised]).winner == before.winner


@some
@given(points, st.data())
def test_points_that_go_over_to_the_winner_never_hurt_it(profile: list[dict[str, int]], data: st.DataObject) -> None:
    rule = Cumulative(tie_break=(), points=5)
    before = rule.decide([*profile])
    assume(before.status == "decided" and before.winner is not None)
    at = data.draw(st.integers(0, len(profile) - 1))
    others = [name for name in profile[at] if name != before.winner]
    assume(others)
    giver = data.draw(st.sampled_from(others))
    given_over = dict(profile[at])
    given_over[before.winner or ""] = given_over.get(before.winner or "", 0) + given_over.pop(giver)
    assert rule.decide([*profile[:at], given_over, *profile[at + 1 :]]).winner == before.winner


@some
@given(
    st.dictionaries(st.sampled_from("uvwxyz"), st.sampled_from(NAMES), min_size=1),
    st.lists(st.integers(51, 99), min_size=6, max_size=6), st.data(),
)  # fmt: skip
def test_who_goes_over_to_the_winner_never_hurts_it_whatever_its_skill(
    said: dict[str, str], skills: list[int], data: st.DataObject
) -> None:
    rule = LogOdds(tie_break=(), skills={name: each / 100 for name, each in zip("uvwxyz", skills, strict=True)})
    before = rule.decide([Ballot(choice, voter=name) for name, choice in said.items()])
    assume(before.status == "decided")
    convert = data.draw(st.sampled_from(sorted(said)))
    after = rule.decide([
        Ballot(before.winner if name == convert else choice, voter=name) for name, choice in said.items()
    ])  # fmt: skip
    assert after.winner == before.winner


# -- electorates ---------------------------------------------------------------------------------------------------


@each_rule
@some
@given(data=st.data(), times=st.integers(2, 4))
def test_as_many_again_of_everybody_change_nothing(
    rule: VotingRule, profiles: st.SearchStrategy[Profile], data: st.DataObject, times: int
) -> None:
    profile = data.draw(profiles)
    one, many = rule.decide(profile), rule.decide(profile * times)
    assert (many.status, many.leaders, many.agreement) == (one.status, one.leaders, one.agreement)


@rules("majority", "supermajority", "unanimity", "log_odds", "logarithmic_pool")
@some
@given(data=st.data())
def test_two_electorates_that_agree_agree_together(
    rule: VotingRule, profiles: st.SearchStrategy[Profile], data: st.DataObject
) -> None:
    one, other = data.draw(profiles), data.draw(profiles)
    first, second = rule.decide(one, candidates=NAMES), rule.decide(other, candidates=NAMES)
    assume(first.status == second.status == "decided" and first.winner == second.winner)
    assert rule.decide([*one, *other], candidates=NAMES).winner == first.winner


@rules("plurality", "approval", "borda", "minimax")
@some
@given(data=st.data())
def test_one_more_voter_for_the_winner_does_not_unseat_it(
    rule: VotingRule, profiles: st.SearchStrategy[Profile], data: st.DataObject
) -> None:
    profile = data.draw(profiles)
    before = rule.decide(profile, candidates=NAMES)
    assume(before.status == "decided" and before.winner is not None)
    winner = before.winner or ""
    sample = profile[0]
    more: RawBallot = winner
    if isinstance(sample, set):
        more = {winner}
    elif isinstance(sample, list):
        rest = data.draw(st.permutations([name for name in NAMES if name != winner]))
        more = [winner, *rest[: data.draw(st.integers(0, 3))]]
    assert rule.decide([*profile, more], candidates=NAMES).winner == winner


# -- rankings ------------------------------------------------------------------------------------------------------


@rules(*RANKED)
@some
@given(data=st.data())
def test_whom_everybody_ranks_below_another_never_wins(
    rule: VotingRule, profiles: st.SearchStrategy[Profile], data: st.DataObject
) -> None:
    if rule.kind == "instant_runoff":
        rule = InstantRunoff(elimination="previous", tie_break=())
    profile = data.draw(full_rankings)
    above, below = data.draw(st.permutations(NAMES))[:2]
    agreed: Profile = []
    for ballot in profile:
        rest = [name for name in ballot if name != above]
        agreed.append([*rest[: rest.index(below)], above, *rest[rest.index(below) :]])
    assert below not in rule.decide(agreed).leaders


@rules("instant_runoff", *CONDORCET)
@some
@given(data=st.data())
def test_who_is_first_on_more_than_half_of_the_rankings_wins(
    rule: VotingRule, profiles: st.SearchStrategy[Profile], data: st.DataObject
) -> None:
    profile = data.draw(profiles)
    winner = data.draw(st.sampled_from(NAMES))
    behind: Profile = []
    for at, ballot in enumerate(profile):
        assert isinstance(ballot, list)
        rest = [name for name in ballot if name != winner]
        behind.append([winner, *rest] if at <= len(profile) // 2 else ballot)
    assert rule.decide(behind, candidates=NAMES).winner == winner
    assert Plurality().decide(behind).winner == winner


@rules("copeland", "schulze", "ranked_pairs")
@some
@given(data=st.data())
def test_the_winner_is_one_of_the_smallest_group_that_beats_everybody_else(
    rule: VotingRule, profiles: st.SearchStrategy[Profile], data: st.DataObject
) -> None:
    profile = data.draw(profiles)
    # The Smith set: grow the set from its best member until nobody outside beats or ties anybody inside.
    wins = {name: sum(beats(profile, name, other) > 0 for other in NAMES) for name in NAMES}
    smith = {max(NAMES, key=lambda name: wins[name])}
    while grown := {
        other for other in NAMES if other not in smith and any(beats(profile, name, other) <= 0 for name in smith)
    }:
        smith |= grown
    assert set(rule.decide(profile, candidates=NAMES).leaders) <= smith


@rules("borda", "copeland", "schulze", "ranked_pairs")
@some
@given(data=st.data())
def test_who_wins_does_not_win_when_all_turn_their_rankings_round(
    rule: VotingRule, profiles: st.SearchStrategy[Profile], data: st.DataObject
) -> None:
    profile = data.draw(full_rankings)
    before = rule.decide([*profile])
    assume(before.status == "decided")
    turned: Profile = [ballot[::-1] for ballot in profile]
    assert rule.decide(turned).winner != before.winner


@some
@given(rankings, st.data())
def test_naming_more_names_further_down_never_hurts_those_above(profile: list[list[str]], data: st.DataObject) -> None:
    """Later-no-harm, which instant runoff keeps, where no lot was drawn."""
    rule = InstantRunoff(elimination="random", tie_break=())
    before = rule.decide([*profile], candidates=NAMES)
    assume(before.status == "decided" and not before.notes)
    places = [at for at in range(len(profile)) if before.winner in profile[at]]
    at = data.draw(st.sampled_from(places))
    missing = data.draw(st.permutations([name for name in NAMES if name not in profile[at]]))
    longer = [*profile[at], *missing[: data.draw(st.integers(0, len(missing)))]]
    after = rule.decide([*profile[:at], longer, *profile[at + 1 :]], candidates=NAMES)
    assume(not after.notes)
    assert after.winner == before.winner


@rules("approval", "score", "median")
@some
@given(data=st.data())
def test_a_copy_that_is_graded_alike_changes_nothing(
    rule: VotingRule, profiles: st.SearchStrategy[Profile], data: st.DataObject
) -> None:
    profile = data.draw(profiles)
    before = rule.decide(profile, candidates=NAMES)
    assume(before.status == "decided")
    loser = data.draw(st.sampled_from([name for name in NAMES if name != before.winner]))
    cloned: Profile = []
    for ballot in profile:
        if isinstance(ballot, dict):
            cloned.append({**ballot, **({"copy": ballot[loser]} if loser in ballot else {})})
        else:
            assert isinstance(ballot, set)
            cloned.append(ballot | ({"copy"} if loser in ballot else set()))
    assert rule.decide(cloned, candidates=[*NAMES, "copy"]).winner == before.winner


def test_what_a_stated_confidence_is_worth_never_falls_as_it_rises() -> None:
    worth = [BucketedConfidence().decide([Ballot("a", confidence=percent / 100)]).tally["a"] for percent in range(101)]
    assert worth == sorted(worth)
    assert sorted({*map(float, worth)}) == [0.1, 0.3, 0.5, 0.8, 1.0]
