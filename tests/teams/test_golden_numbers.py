"""Published and derived numbers of debates, which the formations must come to; those of votes are in test_vote_theory.

Where chance has few outcomes, the formation is run once for each, weighted by how likely it is: what it comes to is
then known exactly, and compared with the chain or the urn of the theory. The same chain and urn give the golden
numbers for five members. What is left to dice is seeded, with four standard errors allowed.
"""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from statistics import fmean
from typing import Literal

import anyio
import pytest

from phalanx import Agent, AgentTeam
from phalanx.formations.voting.theory import majority
from phalanx.messages import Request
from phalanx.testing import FunctionModel, SimulatedModel
from tests.recording import Recording
from tests.teams.chances import NAMES, RIGHT, WRONG, Chance, Course, accuracy, chain, courses, mean, shown, urn, voted

P = Fraction(6, 10)


Memory = int | Literal["all"]


@cache
def every(members: int, rounds: int, revise: Chance, memory: Memory = 1) -> list[Course]:
    """All courses of a debate of members who revise like this."""

    def build(model: FunctionModel) -> AgentTeam:
        return AgentTeam.debate(
            NAMES[:members], rounds, topology="full", memory=memory, trigger="always", stop="never", model=model
        )

    return list(courses(build, members, members * (1 + rounds), P, revise))


def members_in(found: Sequence[Course], round: int) -> Fraction:
    """How often members are right in a round, exactly."""
    return mean(found, lambda each: each.right(round))


def vote_in(found: Sequence[Course], round: int) -> Fraction:
    """How often the vote of a round is right, exactly."""
    return mean(found, lambda each: each.vote(round))


def rounded(values: Sequence[Fraction | float], places: int = 5) -> list[float]:
    return [round(float(value), places) for value in values]


# -- revision at constant rates ------------------------------------------------------------------------------------


def at_rates(c: str, e: str) -> Chance:
    """Wrong becomes right with c, right becomes wrong with e, whatever the others say."""

    def revise(own: str | None, _: Sequence[str]) -> Fraction:
        return 1 - Fraction(e) if own == RIGHT else Fraction(c)

    return revise


THIRD = at_rates("0.3", "0.1")


def test_revision_at_constant_rates_settles_where_gains_and_losses_balance() -> None:
    """Members .6 .66 .696 .7176, the vote of five .68256 .78015 .83159 .85941."""
    theory = chain(5, P, 3, lambda _: Fraction(9, 10), lambda _: Fraction(3, 10))
    assert rounded([accuracy(each) for each in theory]) == [0.6, 0.66, 0.696, 0.7176]
    assert rounded([voted(each) for each in theory]) == [0.68256, 0.78015, 0.83159, 0.85941]
    assert rounded([majority(5, float(accuracy(each))) for each in theory]) == [0.68256, 0.78015, 0.83159, 0.85941]
    found = every(3, 2, THIRD)
    three = chain(3, P, 2, lambda _: Fraction(9, 10), lambda _: Fraction(3, 10))
    for round in range(3):
        assert members_in(found, round) == accuracy(three[round])
        assert vote_in(found, round) == voted(three[round])


@pytest.mark.parametrize(("c", "e", "gain"), [("0.3", "0.1", 1), ("0.2", "0.3", -1), ("0.3", "0.2", 0)])
def test_debate_helps_exactly_where_more_is_corrected_than_spoiled(c: str, e: str, gain: int) -> None:
    """It helps iff c (1 - a) > e a; where both are equal, nothing changes."""
    balance = Fraction(c) * (1 - P) - Fraction(e) * P
    assert (balance > 0) - (balance < 0) == gain
    found = every(3, 1, at_rates(c, e))
    before, after = vote_in(found, 0), vote_in(found, 1)
    assert (after > before) - (after < before) == gain
    answered = mean(found, lambda each: Fraction(str(each.result).endswith(f"Answer: {RIGHT}")))
    assert answered == after, "three members and two answers never tie: the vote is the answer"


# -- influence without information ---------------------------------------------------------------------------------


def anybody(_: str | None, shown: Sequence[str]) -> Fraction:
    """The voter model: the answer of anybody, oneself included."""
    assert len(shown) == 3
    return Fraction(shown.count(RIGHT), len(shown))


def test_talking_without_information_burns_off_what_the_ensemble_gained() -> None:
    """The voter model: members stay at .6, the vote of five falls .68256 .63543 .61684 .60808 .60388 towards .6."""

    def copies(k: int) -> Fraction:
        return Fraction(k, 5)

    theory = chain(5, P, 4, copies, copies)
    assert [accuracy(each) for each in theory] == [P] * 5
    assert rounded([voted(each) for each in theory]) == [0.68256, 0.63543, 0.61684, 0.60808, 0.60388]
    spread = [sum(chance * Fraction(k * (5 - k), 25) for k, chance in enumerate(each)) for each in theory]
    for now, then in itertools.pairwise(spread):
        assert then == now * Fraction(4, 5), "E[x(1-x)] shrinks by 1 - 1/n a round"
    found = every(3, 2, anybody)
    three = chain(3, P, 2, lambda k: Fraction(k, 3), lambda k: Fraction(k, 3))
    for round in range(3):
        assert members_in(found, round) == P
        assert vote_in(found, round) == voted(three[round])
    assert voted(three[2]) < voted(three[1]) < voted(three[0]) == Fraction("0.648")


def conformity(own: str | None, shown: Sequence[str]) -> Fraction:
    """The majority's answer with probability .8, else one's own."""
    majority = Fraction(2 * shown.count(RIGHT) > len(shown))
    return Fraction(8, 10) * majority + Fraction(2, 10) * (own == RIGHT)


def test_conformity_lifts_members_to_the_vote_and_never_above_it() -> None:
    """Majority adoption with .8: members .6 .66605 .67926 .68190, the vote fixed at .68256."""
    share = Fraction(8, 10)
    theory = chain(
        5, P, 3, lambda k: share * (k >= 3) + (1 - share), lambda k: share * (k >= 3)
    )  # fmt: skip
    assert rounded([accuracy(each) for each in theory]) == [0.6, 0.66605, 0.67926, 0.6819]
    assert rounded([voted(each) for each in theory]) == [0.68256] * 4
    found = every(3, 2, conformity)
    three = chain(3, P, 2, lambda k: share * (k >= 2) + (1 - share), lambda k: share * (k >= 2))
    for round in range(3):
        assert members_in(found, round) == accuracy(three[round])
        assert vote_in(found, round) == Fraction("0.648")


def from_urn(_: str | None, shown: Sequence[str]) -> Fraction:
    """A belief of Beta(3, 2), and one more count for each answer seen in any round, one's own included."""
    return Fraction(3 + shown.count(RIGHT), 5 + len(shown))


def test_members_that_remember_every_answer_draw_from_one_urn() -> None:
    """E[p(1-p)] shrinks by 1 - n/(S+n)^2: .24 .228 .22293 .22015 .21839 .21717; the vote .68256 .66733 .66186 …"""
    theory = urn(5, P, 5, 5)
    assert rounded([spread for spread, _ in theory]) == [0.24, 0.228, 0.22293, 0.22015, 0.21839, 0.21717]
    assert rounded([vote for _, vote in theory]) == [0.68256, 0.66733, 0.66186, 0.65906, 0.65735, 0.65621]
    for round in range(5):
        size = 5 + 5 * round
        assert theory[round + 1][0] == theory[round][0] * (1 - Fraction(5, (size + 5) ** 2))
    found = every(3, 2, from_urn, memory="all")
    three = urn(3, P, 5, 2)
    for round in range(3):
        assert members_in(found, round) == P
        assert vote_in(found, round) == three[round][1]


# -- Choi's Dirichlet members: five of them, four options, Dir(2, 1, 1, 1), each sees the others' answers -------------


def simulated_choi(update: str, rounds: int, runs: int) -> list[tuple[float, float]]:
    """Members' accuracy and the vote's in each round, of the process itself and not of any formation."""
    chance = random.Random(8)
    totals = [[0.0, 0.0] for _ in range(rounds + 1)]
    for _ in range(runs):
        weights = [[2.0, 1.0, 1.0, 1.0] for _ in range(5)]
        answers = [chance.choices(range(4), own)[0] for own in weights]
        for round in range(rounds + 1):
            if round > 0:
                before = answers
                for at, own in enumerate(weights):
                    for other in range(5):
                        own[before[other]] += other != at
                answers = [chance.choices(range(4), own)[0] for own in weights]
                if update == "oracle":
                    answers = [0 if was == 0 else now for was, now in zip(before, answers, strict=True)]
            counts = [answers.count(option) for option in range(4)]
            totals[round][0] += counts[0] / 5
            totals[round][1] += (counts[0] == max(counts)) / counts.count(max(counts))
    return [(right / runs, vote / runs) for right, vote in totals]


def dirichlet(own: str | None, peers: Sequence[str], chance: random.Random) -> str:
    return chance.choices("ABCD", [(2 if letter == "A" else 1) + list(peers).count(letter) for letter in "ABCD"])[0]


def test_a_lock_on_right_answers_bounds_what_any_rule_of_revision_can_win() -> None:
    """A verifier that is never wrong: the vote rises .509 to .989 in five rounds, as the process itself does."""
    process = simulated_choi("oracle", 5, 4000)
    assert process[0][1] == pytest.approx(0.509, abs=0.03)
    assert process[5][1] == pytest.approx(0.989, abs=0.008)

    asked = {f"Question {at}: which of ABCD is right?": ("A", "ABCD") for at in range(90)}
    model = SimulatedModel(
        0.4, answers=asked, revise=dirichlet, verifier_sensitivity=1.0, verifier_false_positive=0.0, seed=3
    )
    team = AgentTeam.debate(
        NAMES[:5], 5, topology="full", view="answer", memory="all", trigger="always", stop="never",
        update="verified_only", verifier="vera", model=model,
    )  # fmt: skip

    async def run() -> tuple[list[float], list[float]]:
        first, last = [], []
        for at, question in enumerate(asked):
            result = await team.run(question, seed=at)
            history = [list(round.choices.values()) for round in result.rounds]
            for before, after in itertools.pairwise(history):
                assert all(now == "A" for was, now in zip(before, after, strict=True) if was == "A")
            assert result.rounds[0].decision is not None
            assert result.decision is not None
            first.append(float(result.rounds[0].decision.credit("A")))
            last.append(float(result.decision.credit("A")))
        return first, last

    first, last = anyio.run(run)
    assert abs(fmean(first) - 0.509) < 4 * math.sqrt(0.25 / len(first))
    assert fmean(last) > 0.92


def moved_in(
    topology: Literal["full", "ring", "star"], beliefs: Sequence[Fraction], size: int, seen: Sequence[int]
) -> list[Fraction]:
    """What members of such beliefs expect after one round, each belief weighing as much as `size` answers, exactly."""
    names = NAMES[: len(beliefs)]
    told: dict[str, list[str]] = {}

    def reply(request: Request) -> str:
        about = request.about
        if about.round > 0:
            told[about.member] = shown(request.messages[-1].content)
        return f"{about.member} says so.\nAnswer: {drafts[names.index(about.member)]}"

    team = AgentTeam.debate(
        names, 1, topology=topology, trigger="always", stop="never", model=FunctionModel(reply)
    )  # fmt: skip
    moved = [Fraction(0)] * len(names)
    for drafts in itertools.product((RIGHT, WRONG), repeat=len(names)):
        anyio.run(team.run, "Which?")
        chance = math.prod(p if said == RIGHT else 1 - p for p, said in zip(beliefs, drafts, strict=True))
        for at, name in enumerate(names):
            others = told[name].copy()
            others.remove(drafts[at])  # its own
            assert len(others) == seen[at]
            moved[at] += chance * (size * beliefs[at] + others.count(RIGHT)) / (size + seen[at])
    return moved


@pytest.mark.parametrize(
    ("topology", "seen"), [("full", (4, 4, 4, 4, 4)), ("ring", (2,) * 5), ("star", (4, 1, 1, 1, 1))]
)
def test_beliefs_move_to_those_of_the_neighbours_in_every_topology(
    topology: Literal["full", "ring", "star"], seen: tuple[int, ...]
) -> None:
    """E[p_i] = (S p_i + sum p_j) / (S + d_i) over the neighbours j: the mean of all stays but where one is the hub."""
    size, beliefs = 5, [Fraction(each, 10) for each in (9, 3, 4, 5, 4)]
    moved = moved_in(topology, beliefs, size, seen)
    around: dict[str, Callable[[int], list[int]]] = {
        "full": lambda at: [other for other in range(5) if other != at],
        "ring": lambda at: [(at - 1) % 5, (at + 1) % 5],
        "star": lambda at: [1, 2, 3, 4] if at == 0 else [0],
    }
    for at, belief in enumerate(moved):
        near = around[topology](at)
        assert belief == (size * beliefs[at] + sum(beliefs[other] for other in near)) / (size + len(near))
    drift = sum(moved) - sum(beliefs)
    assert drift > 0 if topology == "star" else drift == 0


@pytest.mark.parametrize(
    ("size", "tenths", "after"),
    [
        (4, (8.2, 4, 4, 4, 4.8), Fraction(524, 1000)),
        (5, (9, 3, 4, 5, 4), Fraction(47, 90)),
        (5, (1, 6, 7, 5, 6), Fraction(43, 90)),
        (5, (5, 1, 9, 6, 4), Fraction(1, 2)),
        (1, (5.8, 4.8, 4.8, 4.8, 4.8), Fraction(524, 1000)),
    ],
)
def test_the_mean_of_a_star_drifts_to_its_hub_as_far_as_the_hub_is_off_and_is_heard_more(
    size: int, tenths: Sequence[float], after: Fraction
) -> None:
    """.500 -> .524: by (hub - mean) (1/(S+1) - 1/(S+n-1)), for a leaf hears one member and the hub hears n-1.

    So a hub that holds what all hold on average moves nobody, and a star of a hub at .82 with S = 4 drifts by .024.
    """
    beliefs = [Fraction(str(each)) / 10 for each in tenths]
    assert fmean(beliefs) == 0.5
    moved = moved_in("star", beliefs, size, (4, 1, 1, 1, 1))
    assert sum(moved) / 5 == after
    assert after - Fraction(1, 2) == (beliefs[0] - Fraction(1, 2)) * (Fraction(1, size + 1) - Fraction(1, size + 4))


# -- continuous opinions -------------------------------------------------------------------------------------------


def exchanged(
    opinions: Sequence[float],
    rounds: int,
    topology: Literal["full", "ring"],
    update: Callable[[float, float, Sequence[float]], float],
) -> list[list[float]]:
    """The members' numbers in each round of a debate in which each moves by `update(first, own, others')`."""
    own: dict[str, float] = {}
    names = NAMES[: len(opinions)]

    def reply(request: Request) -> str:
        about = request.about
        at = names.index(about.member)
        if about.round == 0:
            own[about.member] = opinions[at]
        else:
            mine, _, others = request.messages[-1].content.partition("Other answers")
            said = [float(each) for each in re.findall(r"^Answer: (\S+)$", mine, re.MULTILINE)]
            assert said == [own[about.member]], "its own last answer, and no other"
            heard = [float(each) for each in re.findall(r"^Answer: ([-\d.e]+)$", others, re.MULTILINE)]
            own[about.member] = update(opinions[at], own[about.member], heard)
        return f"{about.member} in round {about.round}.\nAnswer: {own[about.member]:.17f}"

    team = AgentTeam.debate(
        names, rounds, topology=topology, trigger="always", stop="never", model=FunctionModel(reply)
    )
    result = anyio.run(team.run, "How likely is it?")
    return [[float(text.rpartition(" ")[2]) for text in round.texts.values()] for round in result.rounds]


def test_opinions_of_a_full_graph_contract_by_its_second_eigenvalue() -> None:
    """DeGroot with self-weight .4 among five: (sn - 1)/(n - 1) = .25 a round, and the mean is kept."""
    rounds = exchanged(
        [0.9, 0.6, 0.5, 0.1, 0.3], 5, "full", lambda _, own, others: 0.4 * own + 0.6 * fmean(others)
    )  # fmt: skip
    for now, then in itertools.pairwise(rounds):
        assert fmean(then) == pytest.approx(0.48)
        for before, after in zip(now, then, strict=True):
            assert after - 0.48 == pytest.approx(0.25 * (before - 0.48), abs=1e-12)


def test_opinions_of_a_ring_contract_by_its_second_eigenvalue() -> None:
    """DeGroot with self-weight .4 in a ring of five: s + (1 - s) cos(2 pi/n) = .5854 a round along its slowest mode."""
    rate = 0.4 + 0.6 * math.cos(2 * math.pi / 5)
    assert round(rate, 4) == 0.5854
    slowest = [0.5 + 0.4 * math.cos(2 * math.pi * at / 5) for at in range(5)]
    rounds = exchanged(slowest, 5, "ring", lambda _, own, others: 0.4 * own + 0.6 * fmean(others))
    for now, then in itertools.pairwise(rounds):
        for before, after in zip(now, then, strict=True):
            assert after - 0.5 == pytest.approx(rate * (before - 0.5), abs=1e-12)


def test_stubborn_opinions_stay_where_their_first_word_holds_them() -> None:
    """Friedkin-Johnsen, lambda = .7, everybody heard alike: (.9, .6, .5, .1) settle at .6375 .5475 .5175 .3975."""
    rounds = exchanged(
        [0.9, 0.6, 0.5, 0.1], 3, "full",
        lambda first, own, others: 0.7 * fmean([own, *others]) + 0.3 * first,
    )  # fmt: skip
    for settled in rounds[1:]:
        assert settled == pytest.approx([0.6375, 0.5475, 0.5175, 0.3975])


# -- verifiers and costs -------------------------------------------------------------------------------------------


def test_the_best_of_eight_cannot_beat_the_precision_of_its_verifier() -> None:
    """p = .3, sensitivity .8, false positives .2: eight tries are right in .6199 of cases, any number in .6316."""
    p, s, f, tries = 0.3, 0.8, 0.2, 8
    a = p * s + (1 - p) * f
    expected = p * s / a * (1 - (1 - a) ** tries) + p * (1 - s) / (1 - a) * (1 - a) ** tries
    assert (round(expected, 4), round(p * s / a, 4)) == (0.6199, 0.6316)

    chance = random.Random(5)
    count = iter(range(10**9))

    def attempt(_: Request) -> str:
        return f"Try {next(count)}.\nAnswer: {'A' if chance.random() < p else 'B'}"

    asked = {f"Question {at}?": ("A", "AB") for at in range(900)}
    critic = SimulatedModel(answers=asked, verifier_sensitivity=s, verifier_false_positive=f)
    team = AgentTeam.reflect(
        Agent("worker", name="ada", model=FunctionModel(attempt)), Agent("critic", name="vic", model=critic),
        rounds=tries - 1,
    )  # fmt: skip

    async def run() -> tuple[list[bool], list[int]]:
        results = [await team.run(question) for question in asked]
        return ["Answer: A" in result for result in results], [result.usage.calls // 2 for result in results]

    right, drawn = anyio.run(run)
    assert abs(fmean(right) - expected) < 4 * math.sqrt(expected * (1 - expected) / len(right))
    for k in range(1, tries):
        enough = 1 - (1 - a) ** k
        assert abs(fmean(each <= k for each in drawn) - enough) < 4 * math.sqrt(enough * (1 - enough) / len(drawn))
    assert max(drawn) == tries


@pytest.mark.parametrize(("memory", "read"), [(1, 7_200), ("all", 9_900)])
async def test_a_debate_reads_and_writes_as_many_tokens_as_its_cost_formula_says(memory: Memory, read: int) -> None:
    """n=3, T=2, Q=200, L=300: nine calls, 2,700 tokens written; 7,200 read, 9,900 where the history is kept."""
    model = Recording({
        (name, stage): lambda request: f"<{request.about.member}{request.about.round}>"
        for name in "abc" for stage in ("draft", "revise")
    })  # fmt: skip
    team = AgentTeam.debate(list("abc"), 2, topology="full", memory=memory, trigger="always", stop="never", model=model)
    result = await team.run("[the question]")
    prompts = [request.messages[-1].content for request in model.requests]
    assert len(prompts) == result.usage.calls == team.estimate("[the question]").calls == 9
    tasks = sum(prompt.count("[the question]") for prompt in prompts)
    answers = sum(len(re.findall(r"<[abc]\d>", prompt)) for prompt in prompts)
    assert tasks * 200 + answers * 300 == read
    assert sum(outcome.ok for outcome in result.members) * 300 == 2_700
