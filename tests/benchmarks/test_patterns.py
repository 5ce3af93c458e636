"""What members bring is worked out once a pattern of ballots, and is what playing every vote of its own comes to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from phalanx.benchmarks import summary
from phalanx.benchmarks.record import Ballots, Comparison
from phalanx.benchmarks.rule_text import rule_text
from phalanx.formations.attribution import attribute
from phalanx.formations.base import Round
from phalanx.formations.voting import (
    Ballot,
    Borda,
    BucketedConfidence,
    Decision,
    LogOdds,
    Majority,
    Plurality,
    RawBallot,
    Supermajority,
    Unanimity,
    VotingRule,
)
from tests.benchmarks.comparisons import attempt, items, system

NAMES = ("ada", "bob", "cy", "ada#2", "di")
RULES: list[VotingRule] = [
    Plurality(),
    Plurality(tie_break=()),
    Plurality(tie_break=("earliest",)),
    Plurality(tie_break=("confidence", "random")),
    Plurality(min_agreement=3),
    Plurality(min_agreement="1/2", agreement_of="eligible"),
    Plurality(quorum=3),
    Plurality(min_margin=2),
    Majority(),
    Supermajority(),
    Unanimity(),
    Borda(),
    BucketedConfidence(),
    BucketedConfidence(tie_break=()),
    BucketedConfidence(tie_break=("votes", "earliest")),
    BucketedConfidence(min_agreement=2),
    BucketedConfidence(min_agreement="1/2"),
    BucketedConfidence(quorum="1/2", min_margin="1/5"),
    LogOdds(skills={"ada": 0.9, "bob": 0.7}, unknown=0.6),
]


@dataclass(frozen=True)
class AsScored:
    """A rule as its votes are scored: where too few agree, the answer alone in front is what the system gives."""

    rule: VotingRule

    def decide(
        self,
        ballots: Sequence[RawBallot],
        *,
        seed: int = 0,
        eligible: int | None = None,
        candidates: Iterable[str] | None = None,
    ) -> Decision:
        found = self.rule.decide(ballots, seed=seed, eligible=eligible, candidates=candidates)
        if found.winner is None and found.status != "tie" and len(found.leaders) == 1:
            return found.model_copy(update={"status": "decided", "winner": found.leaders[0]})
        return found

    def weigh(self, ballot: Ballot) -> Fraction:
        return self.rule.weigh(ballot)


Said = tuple[str | None, float | None]
ROUNDS = st.lists(
    st.tuples(
        st.sampled_from(["A", "B", "C", None]),
        st.sampled_from([0.0, 0.6, 0.61, 0.79, 0.8, 0.85, 0.9, 0.99, 1.0, None]),
    ),
    min_size=1,
    max_size=len(NAMES),
)


def played(rule: VotingRule, said: Sequence[Said], worth: dict[str, float]) -> list[tuple[float, float]]:
    """Each voter's Shapley value and what is lost without it, of this very vote."""
    # A lot that is drawn between names may fall otherwise between other names: answers are called as a report does.
    called: dict[str | None, str] = {None: ""}
    for choice, _ in said:
        called.setdefault(choice, f"answer {len(called) - 1}")
    worth = {called[choice]: value for choice, value in worth.items() if choice in called}
    said = [(None if choice is None else called[choice], sure) for choice, sure in said]
    ballots: list[Ballot | None] = []
    for name, (choice, sure) in zip(NAMES, said, strict=False):
        silent = choice is None or (isinstance(rule, BucketedConfidence) and sure is None)
        voter = name.removesuffix("#2") if rule.weighs else name
        ballots.append(None if silent else Ballot(str(choice), voter=voter, confidence=sure))
    scored = AsScored(rule)
    choices = {name: choice for name, (choice, _) in zip(NAMES, said, strict=False)}
    decision = scored.decide(ballots, seed=0)
    counted = Round(number=0, texts={}, choices=choices, decision=decision, rule=scored, ballots=tuple(ballots))
    found = attribute([counted], right=lambda answer: worth[answer])
    return [(float(each.shapley or 0), float(each.leave_one_out or 0)) for each in found.members]


def told(rule: VotingRule, rounds: Sequence[Sequence[Said]], worth: dict[str, float]) -> Comparison:
    made = []
    for at, said in enumerate(rounds):
        pairs = list(zip(NAMES, said, strict=False))
        ballots = Ballots(
            round=0,
            choices={name: choice for name, (choice, _) in pairs},
            worth={name: worth[choice] for name, (choice, _) in pairs if choice is not None},
            decided=0.0,
            rule=rule_text(rule),
            stated={name: sure for name, (choice, sure) in pairs if choice is not None and sure is not None},
        )
        made.append(attempt("vote", f"q{at}", 0.0, ballots=(ballots,)))
    return Comparison(
        name="quiz", tasks="any", systems=(system("vote", kind="vote"),), items=items(len(rounds)), attempts=tuple(made)
    )


@pytest.mark.parametrize("rule", RULES, ids=rule_text)
@given(said=ROUNDS)
# Equal weights of unequally many heads, in either order: where heads are asked for, the lot matters.
@example(said=[("A", 0.61), ("A", 0.8), ("C", 0.9)])
@example(said=[("C", 0.9), ("A", 0.61), ("A", 0.8)])
@settings(max_examples=40, deadline=None)
def test_what_a_member_brings_is_what_playing_its_vote_comes_to(rule: VotingRule, said: list[Said]) -> None:
    worth = {"A": 1.0, "B": 0.25, "C": 0.0}
    [inside] = summary.of(told(rule, [said], worth)).diagnoses
    found = [
        (each.brought.value if each.brought else None, each.without.value if each.without else None)
        for each in inside.members
    ]
    assert found == [pytest.approx(each, abs=1e-12) for each in played(rule, said, worth)]


def test_many_votes_of_one_pattern_bring_each_member_what_its_own_seat_brought() -> None:
    rng = ["AAB", "ABA", "BAA", "AB-", "-AB", "BBA", "CAB", "AAA", "ACC"]
    rounds: list[list[Said]] = [[(None if each == "-" else each, None) for each in row] for row in rng * 3]
    worth = {"A": 1.0, "B": 0.5, "C": 0.0}
    [inside] = summary.of(told(Plurality(), rounds, worth)).diagnoses
    alone = [played(Plurality(), row, worth) for row in rounds]
    for at, each in enumerate(inside.members):
        assert each.brought is not None
        assert each.brought.value == pytest.approx(sum(row[at][0] for row in alone) / len(alone), abs=1e-12)
