"""What voters' agreement tells of their skill when nobody knows the right answers."""

from __future__ import annotations

import random
from collections.abc import Mapping
from math import exp, log
from typing import Literal

from pydantic import Field

from phalanx.errors import ValidationError
from phalanx.messages import Data

from .counting import Plurality
from .weighted import LogOdds

ItemVotes = Mapping[str, Mapping[str, str | None]]
"""For each item, what each voter said (its class), None for an abstention."""

LEAST_ITEMS = 50
LEAST_VOTERS = 3


class Competence(Data):
    """Estimated skills.

    skills: each voter's probability of being right, None when unknown. posteriors: for each item the probability of
    each answer. options: the number of answers assumed to choose from. method: how it was estimated; "equal" when
    there was too little to go by, and then all voters count the same. rounds: of expectation and maximisation;
    converged: whether it settled. confusion: for the full model, for each voter and right answer the probability of
    each answer given.
    """

    skills: dict[str, float | None]
    posteriors: dict[str, dict[str, float]] = Field(default_factory=dict)
    options: int = 2
    method: Literal["one_coin", "dawid_skene", "equal"] = "equal"
    rounds: int = 0
    converged: bool = True
    confusion: dict[str, dict[str, dict[str, float]]] = Field(default_factory=dict)

    def rule(self) -> LogOdds | Plurality:
        """The rule that makes most of these skills: log-odds weights, or plurality where nothing is known."""
        known = {voter: skill for voter, skill in self.skills.items() if skill is not None}
        return LogOdds(skills=known, options=self.options) if known else Plurality()


def competence(
    votes: ItemVotes, *, options: int | None = None, method: Literal["one_coin", "dawid_skene"] = "one_coin"
) -> Competence:
    """Skills estimated from votes alone, or equal ones when there are under 50 items or 3 voters to go by.

    options: how many answers there are to choose from (default: the most that any item got, at least 2).
    """
    items = [said for said in map(_said, votes.values()) if said]
    voters = sorted({voter for said in items for voter in said})
    if len(items) < LEAST_ITEMS or len(voters) < LEAST_VOTERS:
        return Competence(skills=dict.fromkeys(voters), options=options or _options(votes))
    return (one_coin if method == "one_coin" else dawid_skene)(votes, options=options)


def one_coin(votes: ItemVotes, *, options: int | None = None, most: int = 500, settled: float = 1e-6) -> Competence:
    """One skill for each voter, right with probability p and else wrong in any way alike (one-coin Dawid-Skene).

    Expectation and maximisation from the plurality's answers. Skills start with one right and one wrong vote each, so
    that nobody becomes certain. options: as in `competence`.
    Dawid and Skene 1979 (doi 10.2307/2346806) with one parameter a voter. Raises ValidationError without any vote.
    """
    said = _all_said(votes)
    count = options or _options(votes)
    if count < 2:
        raise ValidationError(f"a vote has at least 2 options, not {count}")
    voters = sorted({voter for each in said.values() for voter in each})
    beliefs = {item: _shares(each) for item, each in said.items()}
    skills = dict.fromkeys(voters, 0.0)
    converged, round_ = False, 0
    while round_ < most and not converged:
        round_ += 1
        right, cast = dict.fromkeys(voters, 1.0), dict.fromkeys(voters, 2.0)
        for item, each in said.items():
            for voter, answer in each.items():
                right[voter] += beliefs[item][answer]
                cast[voter] += 1
        before, skills = skills, {voter: right[voter] / cast[voter] for voter in voters}
        for item, each in said.items():
            beliefs[item] = _posterior(each, skills, count)
        converged = max(abs(skills[voter] - before[voter]) for voter in voters) < settled
    return Competence(
        skills={**skills},
        posteriors=beliefs,
        options=count,
        method="one_coin",
        rounds=round_,
        converged=converged,
    )


def dawid_skene(
    votes: ItemVotes, *, options: int | None = None, most: int = 200, settled: float = 1e-7, smoothing: float = 0.5
) -> Competence:
    """For each voter how it answers when each answer is right (full confusion matrix), and how common answers are.

    The same classes must mean the same in every item (A to D, yes and no). A voter's skill is how often it is right,
    over how common the answers are. options: as in `competence`, for the weights only. smoothing: votes added to each
    cell, so that nothing becomes impossible.
    Dawid and Skene 1979 (doi 10.2307/2346806). Raises ValidationError without any vote.
    """
    said = _all_said(votes)
    voters = sorted({voter for each in said.values() for voter in each})
    classes = sorted({answer for each in said.values() for answer in each.values()})
    beliefs = {item: {c: _shares(each).get(c, 0.0) for c in classes} for item, each in said.items()}
    confusion: dict[str, dict[str, dict[str, float]]] = {}
    common = dict.fromkeys(classes, 1 / len(classes))
    converged, round_ = False, 0
    while round_ < most and not converged:
        round_ += 1
        counts = {voter: {truth: dict.fromkeys(classes, smoothing) for truth in classes} for voter in voters}
        for item, each in said.items():
            for voter, answer in each.items():
                for truth, belief in beliefs[item].items():
                    counts[voter][truth][answer] += belief
        confusion = {voter: {truth: _scaled(row) for truth, row in table.items()} for voter, table in counts.items()}
        common = _scaled({c: smoothing + sum(belief[c] for belief in beliefs.values()) for c in classes})
        moved = 0.0
        for item, each in said.items():
            logs = {
                truth: log(common[truth]) + sum(log(confusion[voter][truth][answer]) for voter, answer in each.items())
                for truth in classes
            }
            after = _from_logs(logs)
            moved = max(moved, *(abs(after[c] - beliefs[item][c]) for c in classes))
            beliefs[item] = after
        converged = moved < settled
    return Competence(
        skills={voter: sum(common[c] * confusion[voter][c][c] for c in classes) for voter in voters},
        posteriors=beliefs,
        options=options or max(2, len(classes)),
        method="dawid_skene",
        rounds=round_,
        converged=converged,
        confusion=confusion,
    )


def cross_fitted(
    votes: ItemVotes, *, folds: int = 5, seed: int = 0, options: int | None = None
) -> dict[str, Competence]:
    """For each item, skills estimated on the other folds' items only: what a fair score of weighted votes needs.

    Items are dealt into folds by lot from the seed. Raises ValidationError for under two folds or fewer items.
    """
    items = sorted(votes)
    if not 2 <= folds <= len(items):
        raise ValidationError(f"{len(items)} items cannot be dealt into {folds} folds; write folds= from 2")
    random.Random(seed).shuffle(items)
    count = options or _options(votes)
    found: dict[str, Competence] = {}
    for fold in range(folds):
        held_out = set(items[fold::folds])
        estimate = competence({item: votes[item] for item in items if item not in held_out}, options=count)
        found |= dict.fromkeys(held_out, estimate)
    return found


def _said(votes: Mapping[str, str | None]) -> dict[str, str]:
    return {voter: answer for voter, answer in votes.items() if answer is not None}


def _all_said(votes: ItemVotes) -> dict[str, dict[str, str]]:
    said = {item: each for item, each in ((item, _said(votes[item])) for item in votes) if each}
    if not said:
        raise ValidationError("no votes to learn from: every item is empty or all abstain")
    return said


def _options(votes: ItemVotes) -> int:
    return max([2, *(len(set(_said(each).values())) for each in votes.values())])


def _shares(said: Mapping[str, str]) -> dict[str, float]:
    shares = dict.fromkeys(sorted(set(said.values())), 0.0)
    for answer in said.values():
        shares[answer] += 1 / len(said)
    # The plurality's answers: shared where several lead.
    best = max(shares.values())
    leaders = [answer for answer, share in shares.items() if share > best - 1e-12]
    return {answer: 1 / len(leaders) if answer in leaders else 0.0 for answer in shares}


def _posterior(said: Mapping[str, str], skills: Mapping[str, float], options: int) -> dict[str, float]:
    """The probability of each answer given; those not given share what is left and are left out."""
    answers = sorted(set(said.values()))
    logs = {
        answer: sum(
            log(skills[voter]) if vote == answer else log((1 - skills[voter]) / (options - 1))
            for voter, vote in said.items()
        )
        for answer in answers
    }
    return _from_logs(logs)


def _from_logs(logs: Mapping[str, float]) -> dict[str, float]:
    top = max(logs.values())
    return _scaled({name: exp(value - top) for name, value in logs.items()})


def _scaled(row: Mapping[str, float]) -> dict[str, float]:
    total = sum(row.values())
    return {name: value / total for name, value in row.items()}
