"""Mistakes that consensus and debate programs are known to make: here each is a test that they are not made again.

First those of debate laboratories, then those found in the code that came with papers.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from phalanx.errors import ValidationError
from phalanx.formations.voting import (
    Approval,
    Ballot,
    Borda,
    Equivalence,
    InstantRunoff,
    Majority,
    Plurality,
    RankedPairs,
    Score,
    Supermajority,
    Unanimity,
    VotingRule,
    agreement,
    unanimous,
)
from phalanx.formations.voting.decision import Decision
from phalanx.formations.voting.extract import extract
from phalanx.formations.voting.theory import effective_voters, majority


@pytest.mark.parametrize("members", [2, 3, 4, 7])
def test_unanimous_members_are_in_agreement_however_many_they_are(members: int) -> None:
    answers = ["42"] * members
    assert unanimous().reached(answers)
    assert Unanimity().decide(answers, eligible=members).winner == "42"
    assert Majority().decide(answers, eligible=members).winner == "42"


def test_two_members_are_in_no_majority_after_the_first_has_spoken() -> None:
    everybody = Majority(agreement_of="eligible")
    assert everybody.decide(["42"], eligible=2).status == "no_agreement"
    assert not agreement("1/2").reached(["42", None, None])
    assert everybody.decide(["42", "41"], eligible=2).status == "no_agreement"


def test_digits_of_a_sentence_are_not_joined_to_a_ballot() -> None:
    choices = Equivalence(kind="number")
    assert choices.read("I vote for 1, not 0") == "1"
    assert choices.read("Between 1 and 0 I cannot choose") is None


def test_a_ranking_that_names_somebody_twice_does_not_count() -> None:
    with pytest.raises(ValidationError, match="more than once"):
        Borda().decide([["0", "0", "0"], ["1", "2", "0"], ["1", "2", "0"]])
    kept = Borda(on_invalid="abstain").decide([["0", "0", "0"], ["1", "2", "0"], ["1", "2", "0"]])
    assert (kept.winner, kept.cast, len(kept.invalid)) == ("1", 2, 1)


def test_a_tie_is_neither_an_empty_answer_nor_an_unseeded_lot() -> None:
    left = Plurality(tie_break=()).decide(["a", "b"])
    assert (left.status, left.winner, left.tied) == ("tie", None, ("a", "b"))
    drawn = [Plurality().decide(["a", "b"], seed=7).winner for _ in range(20)]
    assert len(set(drawn)) == 1
    assert drawn[0] in ("a", "b")
    with pytest.raises(ValidationError, match="blank"):
        Plurality().decide(["", "b"])


def test_whoever_sits_first_is_no_better_judge() -> None:
    votes = [Ballot("a", voter="first"), Ballot("b", voter="second"), Ballot("b", voter="third")]
    for rule in (Plurality(), Majority(), Plurality(tie_break=("earliest",))):
        assert rule.decide(votes).winner == "b"


def test_a_judge_swayed_by_position_merges_nothing() -> None:
    assert Equivalence().classes(["cat", "dog"], lambda shown_first, _: shown_first == "cat").choices == ("cat", "dog")


PROFILE = ["a", "a", "b", None]
OPTIONS: list[tuple[str, Callable[[], Decision], Callable[[], Decision]]] = [
    ("quorum", lambda: Plurality().decide(PROFILE), lambda: Plurality(quorum=4).decide(PROFILE)),
    ("min_agreement", lambda: Plurality().decide(PROFILE), lambda: Plurality(min_agreement=3).decide(PROFILE)),
    ("agreement_of", lambda: Majority().decide(PROFILE), lambda: Majority(agreement_of="eligible").decide(PROFILE)),
    ("min_margin", lambda: Plurality().decide(PROFILE), lambda: Plurality(min_margin=2).decide(PROFILE)),
    ("tie_break", lambda: Plurality(tie_break=()).decide(["a", "b"]), lambda: Plurality().decide(["a", "b"])),
    ("on_invalid", lambda: Plurality(on_invalid="abstain").decide(["a"]),
     lambda: Plurality(on_invalid="abstain").decide(["a", " "])),
    ("q", lambda: Supermajority().decide(PROFILE), lambda: Supermajority(q="3/4").decide(PROFILE)),
    ("eligible", lambda: Plurality(quorum="3/4").decide(PROFILE),
     lambda: Plurality(quorum="3/4").decide(PROFILE, eligible=9)),
    ("candidates", lambda: Plurality().decide(PROFILE), lambda: Plurality().decide(PROFILE, candidates="abc")),
    ("verified", lambda: Plurality(tie_break=("verifier",)).decide(["a", "b"]),
     lambda: Plurality(tie_break=("verifier",)).decide(["a", "b"], verified={"b": 1})),
    ("leader", lambda: Plurality(tie_break=("leader",)).decide(["a", "b"]),
     lambda: Plurality(tie_break=("leader",)).decide(["a", "b"], leader="b")),
    ("missing", lambda: Score().decide([{"a": 9}, {"b": 5}, {"b": 5}]),
     lambda: Score(missing="low").decide([{"a": 9}, {"b": 5}, {"b": 5}])),
    ("elimination", lambda: InstantRunoff(elimination="all").decide([["a"], ["a"], ["b", "c"], ["c", "b"]]),
     lambda: InstantRunoff(elimination="random").decide([["a"], ["a"], ["b", "c"], ["c", "b"]])),
    ("ties", lambda: RankedPairs(ties="together").decide([["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"]]),
     lambda: RankedPairs().decide([["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"]])),
]  # fmt: skip


@pytest.mark.parametrize(("name", "without", "with_it"), OPTIONS, ids=[option[0] for option in OPTIONS])
def test_no_option_is_accepted_and_then_ignored(
    name: str, without: Callable[[], Decision], with_it: Callable[[], Decision]
) -> None:
    assert without() != with_it()


def test_a_failed_member_is_an_abstention_and_is_replaced_by_nobody() -> None:
    decision = Plurality(quorum=3).decide(["a", "a", None, None], eligible=4)
    assert (decision.status, decision.cast, decision.abstained, decision.eligible) == ("no_quorum", 2, 2, 4)


def test_importing_loads_nothing_heavy_and_writes_nothing(tmp_path: Path) -> None:
    program = """
import sys
import phalanx.formations.voting as voting
for name in voting.__all__:
    getattr(voting, name)
heavy = {"torch", "numpy", "scipy", "litellm", "openai", "aiohttp", "asyncio", "anyio", "langchain", "subprocess"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
    assert list(tmp_path.iterdir()) == []


def test_an_answer_that_cannot_be_read_is_never_scored_as_right() -> None:
    numbers = Equivalence(kind="number")
    for reply in ("I could not finish.", "", "The answer is unclear to me", "Answer:", "???"):
        assert numbers.read(reply) is None
        assert not numbers.same(reply, "18")
    assert Plurality().decide(list(numbers.classes(["no idea", "18"]).choices)).cast == 1


def test_a_minus_sign_is_part_of_the_number() -> None:
    numbers = Equivalence(kind="number", fallbacks=("number",))
    assert numbers.read("so it fell by -18") == "-18"
    assert not numbers.same("-18", "18")
    assert numbers.same("−18", "-18")


def test_a_thousands_comma_is_no_decimal_point() -> None:
    numbers = Equivalence(kind="number")
    assert numbers.same("1,234", "1234")
    assert not numbers.same("1,234", "1.234")


def test_each_way_to_treat_a_tie_is_named_and_told() -> None:
    ballots = ["b", "a", "a", "b"]
    first = Plurality(tie_break=("earliest",)).decide(ballots)
    lot = Plurality(tie_break=("random",)).decide(ballots, seed=1)
    again = Plurality(tie_break=()).decide(ballots)
    assert (first.winner, first.tie_break) == ("b", "earliest")
    assert (lot.tie_break, lot.seed) == ("random", 1)
    assert (again.status, again.tie_break) == ("tie", None)


def test_a_third_view_is_not_lost() -> None:
    partition = Equivalence().classes(["a1", "a1", "b2", "b2", "c3"])
    assert [each.label for each in partition.classes] == ["a1", "b2", "c3"]
    decision = Plurality().decide(list(partition.choices))
    assert set(decision.tally) == {"a1", "b2", "c3"}
    assert {top for each in decision.dissent for top in each.preferred} == {"a1", "b2", "c3"} - {decision.winner}


def test_an_invalid_answer_is_not_replaced_by_a_random_option() -> None:
    rule = Plurality(on_invalid="abstain")
    for seed in range(10):
        decision = rule.decide(["A", "E", None], candidates="ABCD", seed=seed)
        assert decision.tally == {"A": 1, "B": 0, "C": 0, "D": 0}
        assert decision.abstained == 2


@pytest.mark.parametrize("reply", [
    "{'answer': __import__('os').abort()}",
    '{"answer": __import__("os").abort()}',
    "Answer: __import__('os').abort()",
    "\\boxed{__import__('os').abort()}",
])  # fmt: skip
def test_what_a_model_writes_is_never_evaluated(reply: str) -> None:
    for kind in ("auto", "number", "json", "set", "choice"):
        Equivalence.model_validate({"kind": kind}).classes([reply, "1"])


def test_agreement_is_counted_from_answers_and_not_from_the_word() -> None:
    replies = ["I agree with everybody. Answer: 5", "I agree. Answer: 6", "I do not disagree; answer: 7"]
    partition = Equivalence().classes(replies)
    assert len(partition.classes) == 3
    assert not unanimous().reached(partition.choices)
    assert Majority().decide(list(partition.choices)).status == "no_agreement"


def test_the_chosen_text_depends_on_the_answers_alone() -> None:
    """The class is named by its middle, and adding what is right to the question cannot change which one wins."""
    answers = ["1.00", "1.01", "1.02", "7"]
    partition = Equivalence(tolerance="0.02").classes(answers)
    assert partition.classes[0].label == "1.01"
    decision = Plurality().decide(list(partition.choices))
    assert decision.winner == "1.01"
    assert decision.credit("7") == 0
    assert decision.credit("1.01") == 1


def test_copies_of_one_voter_are_worth_one() -> None:
    assert effective_voters(9, 1) == 1
    assert effective_voters(9, 0) == 9
    assert majority(1, 0.7) == pytest.approx(0.7)


def test_half_is_not_a_majority_and_two_thirds_is_not_sixty_six_percent() -> None:
    assert Majority().decide(["a", "a", "b", "b"], seed=3).status == "no_agreement"
    two_of_three = ["a", "a", "b"]
    assert Supermajority(q="2/3").decide(two_of_three).winner == "a"
    assert Supermajority(q=2 / 3).decide(two_of_three).winner == "a"
    assert Supermajority(q="67%").decide(two_of_three).status == "no_agreement"


def test_approving_everybody_decides_nothing_and_says_so() -> None:
    decision = Approval(tie_break=()).decide([{"a", "b"}, {"a", "b"}])
    assert (decision.status, decision.tied) == ("tie", ("a", "b"))


def test_a_whole_transcript_is_no_ballot_but_its_answer_is() -> None:
    transcript = "ada: I think it is 5.\nbob: no, 6.\nada: you are right.\nFinal answer: 6"
    assert extract(transcript) == extract("Final answer: 6")


def test_rules_share_nothing_between_votes() -> None:
    rule: VotingRule = Borda()
    before = rule.model_dump_json()
    first = rule.decide([["a", "b"]])
    rule.decide([["b", "a"]] * 5)
    assert rule.decide([["a", "b"]]) == first
    assert rule.model_dump_json() == before
