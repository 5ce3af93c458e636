"""What a vote makes of its own parts is what validation would make of them, and answers are merged the same way."""

from __future__ import annotations

import pickle
import string
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx.formations.voting import Approval, Ballot, Borda, Decision, Equivalence, Majority, Plurality

RULES = (
    Plurality(),
    Plurality(tie_break=()),
    Plurality(min_agreement=3),
    Majority(quorum=2),
    Approval(),
    Borda(),
)
WORDS = st.text(
    st.sampled_from([*string.ascii_letters, *string.digits, "ß", "é", "٣", "²", "东"]), min_size=1, max_size=9
)


@given(st.lists(st.sampled_from(["a", "b", "c", None]), max_size=6), st.sampled_from(RULES), st.integers(0, 3))
def test_a_decision_is_the_same_as_one_that_was_validated(
    choices: list[str | None], rule: Plurality | Majority | Approval | Borda, silent: int
) -> None:
    ballots = [
        None if choice is None else Ballot(choice, voter=f"v{at}", text=f"because {at}")
        for at, choice in enumerate(choices)
    ]
    decision = rule.decide(ballots, seed=7, eligible=len(ballots) + silent)
    facts = {name: getattr(decision, name) for name in Decision.model_fields}
    validated = Decision(**{name: fact for name, fact in facts.items() if name != "fallback"})
    assert decision == validated
    assert repr(decision) == repr(validated)
    assert decision.model_dump_json() == validated.model_dump_json()
    assert decision.model_dump_json(exclude_unset=True) == validated.model_dump_json(exclude_unset=True)
    assert Decision.model_validate_json(decision.model_dump_json()) == decision
    assert pickle.loads(pickle.dumps(decision)) == decision
    assert list(decision.tally) == sorted(decision.tally, key=lambda name: (-decision.tally[name], name))


def test_a_decision_of_a_vote_cannot_be_changed_and_takes_no_other_facts() -> None:
    decision = Plurality().decide(["a", "a", "b"])
    with pytest.raises(ValueError, match="frozen"):
        decision.winner = "b"
    assert decision.model_copy(update={"winner": "b"}).winner == "b"
    assert decision.winner == "a"


@given(WORDS, st.one_of(st.none(), st.floats(0, 1)))
def test_a_ballot_of_an_answer_that_was_read_is_the_same_as_one_that_was_checked(
    choice: str, confidence: float | None
) -> None:
    made = Ballot.of(choice, voter="ada", text="so it is", confidence=confidence)
    checked = Ballot(choice, voter="ada", text="so it is", confidence=confidence)
    assert made == checked
    assert repr(made) == repr(checked)
    assert made.model_dump_json(exclude_unset=True) == checked.model_dump_json(exclude_unset=True)
    assert pickle.loads(pickle.dumps(made)) == checked
    assert made.content == choice
    assert made.weight == Fraction(1)


@given(st.lists(st.one_of(st.none(), WORDS, st.sampled_from(["2", "2.0", "two", "2 km", "2000 m"])), max_size=8))
def test_answers_are_counted_as_the_labels_of_their_classes(answers: list[str | None]) -> None:
    for how in (Equivalence(), Equivalence(kind="number"), Equivalence(policy="components", tolerance=0.1)):
        assert how.choices(answers) == how.classes(answers).choices


@given(WORDS, st.sampled_from(["auto", "number", "choice", "text", "date", "set"]))
def test_a_word_alone_is_read_as_the_same_word_in_a_line_of_its_own(word: str, kind: str) -> None:
    how = Equivalence.model_validate({"kind": kind})
    # Blanks around it send it the long way, on which whatever stands around an answer is taken off.
    assert how.read(word) == how.read(f" {word} ")
    if (read := how.read(word)) is not None:
        assert how.same(word, f" {word} ")
        assert how.choices([f"Answer: {word}", word]).count(None) in (0, 1)
        assert read == word


@pytest.mark.parametrize("silent", ["null", "NULL", "abstain"])
def test_a_word_that_says_there_is_no_answer_abstains(silent: str) -> None:
    assert Equivalence().read(silent) is None
    assert Equivalence().read(f"Answer: {silent}") is None
    assert Equivalence().choices([silent, "4", silent]) == (None, "4", None)


def test_whole_numbers_are_told_apart_and_merged_by_value_and_unit() -> None:
    assert Equivalence().choices(["4", "4.0", "5", "4 m", "5 m"]) == ("4", "4", "5", "4", "5")
    assert Equivalence(units="strict").choices(["4", "4 m", "400 cm", "5%"]) == ("4", "4 m", "4 m", "5%")
