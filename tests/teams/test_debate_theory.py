"""Debates of simulated members come to what theory says they must: through prompts, parsing, board and rule.

Seeded, and sized so that a wrong implementation fails; each allowance is four standard errors.
"""

from __future__ import annotations

import itertools
import math
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from random import Random
from statistics import fmean, stdev

import anyio
import pytest

from phalanx import AgentTeam, TeamResult
from phalanx.formations.debate import Debate
from phalanx.formations.rounds import Update, View
from phalanx.formations.voting import never
from phalanx.testing import SimulatedModel

FIVE = [f"m{at}" for at in range(5)]
GOLD = "A"
TORTURE = bool(os.environ.get("PHALANX_TORTURE"))


def answers(count: int, options: str) -> dict[str, tuple[str, str]]:
    return {f"Question {at}: which of {options} is right?": (GOLD, options) for at in range(count)}


def runs(team: AgentTeam, asked: Sequence[str]) -> list[TeamResult]:
    async def work() -> list[TeamResult]:
        return [await team.run(each, seed=at) for at, each in enumerate(asked)]

    return anyio.run(work)


def histories(results: Sequence[TeamResult]) -> list[list[list[str | None]]]:
    """For each question and round, what each member's answer was counted as."""
    return [[list(round.choices.values()) for round in result.rounds] for result in results]


def is_share(seen: Sequence[bool], expected: float, what: object = "") -> None:
    """A share of independent trials is what is expected, within four standard errors."""
    assert len(seen) > 30, f"only {len(seen)} trials {what}"
    allowed = 4 * math.sqrt(max(expected * (1 - expected), 0.002) / len(seen))
    assert abs(fmean(seen) - expected) < allowed, f"{fmean(seen):.4f}, not {expected} ± {allowed:.4f} {what}"


def copy_anybody(own: str | None, peers: Sequence[str], chance: Random) -> str:
    """The voter model: the answer of anybody, oneself included."""
    return chance.choice([own or "", *peers])


def test_the_voter_model_is_a_martingale_and_its_revisions_are_synchronous() -> None:
    """From k of 5 right, each is right next with probability k/5, independent of the others: Bin(5, k/5)."""
    asked = answers(420, "AB")
    model = SimulatedModel(0.6, answers=asked, revise=copy_anybody)
    team = AgentTeam.debate(FIVE, 2, topology="full", trigger="always", stop="never", model=model)
    results = histories(runs(team, list(asked)))

    next_right: dict[int, list[bool]] = defaultdict(list)
    unanimous: list[bool] = []
    for history in results:
        for before, after in itertools.pairwise(history):
            k = before.count(GOLD)
            next_right[k] += [answer == GOLD for answer in after]
            if k in (2, 3):
                unanimous.append(len({*after}) == 1)
    assert set(next_right[0] or [False]) == {False}
    assert set(next_right[5]) == {True}
    for k in (1, 2, 3, 4):
        is_share(next_right[k], k / 5, f"from {k} right")
    # Members that saw what the others have just said would all follow the first more often than that.
    is_share(unanimous, 0.6**5 + 0.4**5, "all the same from 2 or 3 right")
    is_share([answer == GOLD for history in results for answer in history[0]], 0.6, "drafts")


def test_members_that_see_only_their_neighbours_follow_nobody_else() -> None:
    """In a ring of five the next answer is one of three: right with the share of right ones among them."""
    asked = answers(300, "AB")
    model = SimulatedModel(0.6, answers=asked, revise=copy_anybody)
    team = AgentTeam.debate(FIVE, 1, topology="ring", trigger="always", stop="never", model=model)
    by_share: dict[int, list[bool]] = defaultdict(list)
    for before, after in histories(runs(team, list(asked))):
        for at in range(5):
            seen = [before[at - 1], before[at], before[(at + 1) % 5]]
            by_share[seen.count(GOLD)].append(after[at] == GOLD)
    assert not any(by_share[0])
    assert all(by_share[3])
    is_share(by_share[1], 1 / 3)
    is_share(by_share[2], 2 / 3)


def test_conformity_lifts_members_to_the_vote_and_never_above_it() -> None:
    """Majority adoption with probability .8: members .6 .66605 .67926, the vote of each question the same for ever."""
    asked = answers(400, "AB")
    model = SimulatedModel(0.6, answers=asked, sycophancy=0.8)
    team = AgentTeam.debate(FIVE, 2, topology="full", trigger="always", stop="never", model=model)
    results = histories(runs(team, list(asked)))
    for history in results:
        assert len({Counter(answers).most_common(1)[0][0] for answers in history}) == 1
    minority = [
        after == GOLD
        for before, now in (pair for history in results for pair in itertools.pairwise(history))
        for own, after in zip(before, now, strict=True)
        if before.count(GOLD) >= 3 and own != GOLD
    ]
    is_share(minority, 0.8, "who are in the minority join the majority")
    lifted = [fmean(answer == GOLD for answer in answers) for answers in (history[2] for history in results)]
    assert abs(fmean(lifted) - 0.67926) < 4 * 0.47 / math.sqrt(len(lifted))


def dirichlet(own: str | None, peers: Sequence[str], chance: Random) -> str:
    """Choi's member: a belief of Dir(2, 1, 1, 1), and one more count for each answer it has seen in all rounds."""
    seen = Counter(peers)
    return chance.choices("ABCD", [(2 if letter == GOLD else 1) + seen[letter] for letter in "ABCD"])[0]


def choi(update: Update, questions: int, rounds: int = 4) -> list[TeamResult]:
    """Choi's experiment: five members that see each other's answers, round after round."""
    asked = answers(questions, "ABCD")
    model = SimulatedModel(0.4, answers=asked, revise=dirichlet)
    team = AgentTeam.debate(
        FIVE, rounds, topology="full", view="answer", memory="all", trigger="always", stop="never", update=update,
        model=model,
    )  # fmt: skip
    return runs(team, list(asked))


def rights(history: Sequence[Sequence[str | None]]) -> list[float]:
    return [fmean(answer == GOLD for answer in answers) for answers in history]


def test_talking_without_new_information_moves_no_member_s_accuracy() -> None:
    """Choi's Dirichlet members: .400 in every round, and each answer as likely as what was shown makes it."""
    results = histories(choi("free", 90))
    moved = [rights(history)[-1] - rights(history)[0] for history in results]
    assert abs(fmean(moved)) < 4 * 0.35 / math.sqrt(len(moved))
    expected: list[float] = []
    given: list[bool] = []
    for history in results:
        for at in range(5):
            seen = Counter[str | None]()
            for round in range(1, len(history)):
                seen += Counter(answer for who, answer in enumerate(history[round - 1]) if who != at)
                expected.append((2 + seen[GOLD]) / (5 + seen.total()))
                given.append(history[round][at] == GOLD)
    # By how likely a right answer was in view of all that was shown.
    for low, high in ((0, 0.25), (0.25, 0.4), (0.4, 0.6), (0.6, 1)):
        pairs = [(chance, right) for chance, right in zip(expected, given, strict=True) if low <= chance < high]
        spread = math.sqrt(sum(chance * (1 - chance) for chance, _ in pairs)) / len(pairs)
        assert abs(fmean(right for _, right in pairs) - fmean(chance for chance, _ in pairs)) < 4 * spread


def test_conformists_rise_to_the_vote() -> None:
    """.401 to .526 in five rounds (four here: .52); who agrees with the plurality never changes its answer."""
    results = histories(choi("conformist", 150))
    for history in results:
        for before, after in itertools.pairwise(history):
            counts = Counter(answer for answer in before if answer is not None).most_common(2)
            if len(counts) == 1 or counts[0][1] > counts[1][1]:
                kept = [now for own, now in zip(before, after, strict=True) if own == counts[0][0]]
                assert {*kept} == {counts[0][0]}
    risen = [rights(history)[-1] - rights(history)[0] for history in results]
    assert abs(fmean(risen) - 0.12) < 4 * 0.35 / math.sqrt(len(risen))
    assert fmean(risen) > 0.04, "free revision gains nothing"


def test_followers_take_the_plurality_over_in_three_of_ten_turns() -> None:
    taken: list[bool] = []
    for result in choi("follower", 70):
        for before, now in itertools.pairwise(result.rounds):
            counts = Counter(answer for answer in before.choices.values() if answer is not None).most_common(2)
            has_leader = len(counts) == 1 or counts[0][1] > counts[1][1]
            spoke = {each.member for each in result.members if (each.stage, each.round) == ("revise", now.number)}
            if not has_leader:
                assert len(spoke) == 5
                continue
            taken += [name not in spoke for name in FIVE]
            assert {now.choices[name] for name in FIVE if name not in spoke} <= {counts[0][0]}
    is_share(taken, 0.3)


def voted(answers: Sequence[str | None]) -> float:
    """How right the plurality of a round is, a tie being broken by lot."""
    counts = Counter(answer for answer in answers if answer is not None)
    leaders = [answer for answer, count in counts.items() if count == max(counts.values())]
    return (GOLD in leaders) / len(leaders)


@pytest.mark.parametrize(
    ("update", "first", "last", "members"),
    [("free", 0.510, 0.476, 0.400), ("conformist", 0.511, 0.5255, 0.526), ("follower", 0.511, 0.513, None)],
)
def test_talk_burns_off_the_gain_of_the_vote_unless_members_conform(
    update: Update, first: float, last: float, members: float | None
) -> None:
    """Votes of the drafts and after five rounds, by 200,000 runs of the model (Choi et al. 2025, arXiv:2508.17536)."""
    questions = 4_000 if TORTURE else 150
    results = histories(choi(update, questions, rounds=5))
    for wanted, found in ((first, 0), (last, -1)):
        votes = [voted(history[found]) for history in results]
        assert abs(fmean(votes) - wanted) < 4 * stdev(votes) / math.sqrt(questions), (update, found)
    if members is not None:
        right = [rights(history)[-1] for history in results]
        assert abs(fmean(right) - members) < 4 * stdev(right) / math.sqrt(questions)


def test_a_judge_right_with_probability_j_where_two_differ() -> None:
    """p1 p2 + J (p1 (1-p2) + p2 (1-p1)): .36 + .7 · .48 = .696."""
    asked = answers(450, "AB")
    model = SimulatedModel(0.6, answers=asked, judge_skill=0.7)
    team = AgentTeam.debate(["a", "b"], 0, judge="jude", model=model)
    results = runs(team, list(asked))
    differ = [result for result in results if len({*result.votes.values()}) == 2]
    is_share([result not in differ for result in results], 0.36 + 0.16, "who agree")
    assert all(result.decision and result.decision.status == "decided" for result in differ)
    is_share([f"Answer: {GOLD}" in result for result in differ], 0.7, "the judge")
    is_share([f"Answer: {GOLD}" in result for result in results], 0.696)


def test_a_judge_that_prefers_the_first_place_loses_those_verdicts_and_no_more() -> None:
    asked = answers(400, "AB")
    model = SimulatedModel(0.6, answers=asked, judge_skill=0.7, position_bias=0.5)
    results = runs(AgentTeam.debate(["a", "b"], 0, judge="jude", model=model), list(asked))
    differ = [result for result in results if len({*result.votes.values()}) == 2]
    is_share([result.status == "undecided" for result in differ], 0.5, "undecided")
    is_share([f"Answer: {GOLD}" in result for result in differ if result.status == "completed"], 0.7, "decided")


def test_a_verifier_lets_right_changes_pass_with_its_sensitivity_and_wrong_ones_with_its_false_positives() -> None:
    asked = answers(100, "AB")
    model = SimulatedModel(
        0.6, answers=asked, revise_right=0.5, revise_wrong=0.5, verifier_sensitivity=0.8, verifier_false_positive=0.2
    )

    def flips(formation: Debate, seats: dict[str, str]) -> dict[bool, list[bool]]:
        team = AgentTeam(FIVE, formation=formation, seats=seats, model=model)
        found: dict[bool, list[bool]] = defaultdict(list)
        for before, after in histories(runs(team, list(asked))):
            for own, now in zip(before, after, strict=True):
                found[own == GOLD].append(own != now)
        return found

    formation = Debate(topology="full", trigger="always", stop=never())
    free = flips(formation, {})
    is_share(free[False], 0.5, "wrong to right")
    is_share(free[True], 0.5, "right to wrong")
    verified = flips(formation.model_copy(update={"update": "verified_only"}), {"verifier": "vera"})
    is_share(verified[False], 0.5 * 0.8, "wrong to right, verified")
    is_share(verified[True], 0.5 * 0.2, "right to wrong, verified")


@pytest.mark.parametrize("view", ["full", "answer", "answer_and_reason", "grouped"])
def test_constant_rate_revision_is_the_same_under_every_view_that_shows_the_answers(view: View) -> None:
    asked = answers(60, "AB")
    model = SimulatedModel(0.6, answers=asked, revise_right=0.3, revise_wrong=0.1)
    team = AgentTeam.debate(FIVE, 2, topology="full", view=view, trigger="always", stop="never", model=model)
    flips: dict[bool, list[bool]] = defaultdict(list)
    for history in histories(runs(team, list(asked))):
        for before, after in itertools.pairwise(history):
            for own, now in zip(before, after, strict=True):
                flips[own == GOLD].append(own != now)
    is_share(flips[False], 0.3, "wrong to right")
    is_share(flips[True], 0.1, "right to wrong")
