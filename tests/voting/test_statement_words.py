"""Statements are found by the words they are made of, however these are written and whatever stands around them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phalanx.formations.voting import Equivalence
from phalanx.formations.voting.extract import extract


@pytest.mark.parametrize(
    "reply",
    [
        "ANSWER: 42", "an\u017fwer: 42", "Re\u017fult: 42", "## Final answer\n42", "The best option is 42",
        "The cho\u0131ce is 42", "the CHO\u0130CE is 42", "I vote for 42", "I'd p\u0131ck 42", "I choo\u017fe 42",
        "I would select 42", "I'll go with 42", "The answer would be 42", '{"answer": 42} is it', "\\boxed{42}",
    ],
)  # fmt: skip
def test_a_statement_is_found_however_its_word_is_written(reply: str) -> None:
    found = extract(reply)

    assert found is not None
    assert found.is_explicit
    assert found.text == "42"


_PROSE = st.text(st.sampled_from("bdfhjm 0-.,;ßﬁ\u2028\t"), max_size=60)


@given(st.lists(_PROSE, max_size=4), st.lists(_PROSE, max_size=4))
def test_lines_without_such_a_word_change_nothing(before: list[str], after: list[str]) -> None:
    reply = "\n".join([*before, "The correct option is 42", *after])

    assert extract(reply) == extract("The correct option is 42")


@pytest.mark.parametrize("word", ["42", "Paris", "null", "yes", "B", "answer"])
def test_a_word_alone_is_no_statement_and_stands_for_itself_only_where_all_of_a_reply_may(word: str) -> None:
    assert extract(word) is None
    whole = extract(word, ("whole",))
    assert (whole and whole.text) == (None if word == "null" else word)


def test_a_reply_is_read_by_the_settings_at_hand_though_it_was_read_by_others_before() -> None:
    reply = "The answer is 50%"

    assert Equivalence(percent="plain").same(reply, "50")
    assert not Equivalence().same(reply, "50")
    assert Equivalence().same(reply, "0.5")
    assert Equivalence(kind="choice", options="AB").read("Answer: C") is None
    assert Equivalence(kind="choice", options="ABC").read("Answer: C") == "C"
    assert Equivalence(kind="choice", options={"A": "Rome", "B": "Bern"}).same("Bern", "B")
    assert not Equivalence(kind="choice", options={"A": "Bern", "B": "Rome"}).same("Bern", "B")


_LABELS = st.sampled_from(
    [
        "Answer:",
        "ANSWER:",
        "**Answer:**",
        "> my final answer :",
        "## Answer =",
        "an\u017fwer\uff1a",
        "answer*: ",
        "- Answer :",
    ]
)
_VALUES = st.sampled_from(["42", " 7", "B", "null", "5kg", "yes", "x boxed"]) | st.text(
    st.sampled_from("42b7Z\u00b2 .,;*$-%\t\n`:\u00e9"), max_size=12
)


@given(st.lists(_PROSE, max_size=3), _LABELS, _VALUES, st.lists(_PROSE, max_size=3))
def test_a_label_is_read_alike_whether_or_not_the_reply_looks_as_if_it_held_other_statements(
    before: list[str], label: str, value: str, after: list[str]
) -> None:
    reply = "\n".join([*before, f"{label}{value}", *after])

    # A backslash could begin a boxed answer, so that all kinds of statements are looked for.
    assert extract(reply) == extract("\\\n" + reply)
    for kind in ("auto", "number", "choice", "text"):
        how = Equivalence(kind=kind, fallbacks=())
        assert how.read(reply) == how.read("\\\n" + reply)


@given(st.lists(st.sampled_from(["7", "8", "07", "7 km", "7 m", "0.5", "50%", "x = 7", "B", "blue", None]), max_size=6))
def test_what_is_not_compared_since_it_cannot_be_the_same_would_not_be_merged_by_comparing_it(
    answers: list[str | None],
) -> None:
    # A relation that nothing fulfils is asked all the same, and so all are compared.
    compared = Equivalence(relation=lambda one, other: one == other).classes(answers)

    assert Equivalence().classes(answers) == compared
    assert Equivalence().choices(answers) == compared.choices


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("Answer: 5\nAnswer: 7", "7"), ("Answer: 5\nNo, I choose 7", "7"), ("Answer: 5\nThe result is 7", "7"),
        ("Answer: 5\nthat is, option 7", "5"), ("Answer: null", None), ("Answer: 5\nAnswer: abstain", None),
        ("<think>\nAnswer: 5\n</think>\nunclear", None), ("\\boxed{7}\nAnswer: 5", "5"), ("Answer: 5\n\\boxed{7}", "7"),
        ('{"text": "no"}\nAnswer: 5', "5"),
    ],
)  # fmt: skip
def test_the_last_of_several_statements_counts_though_one_of_them_is_a_plain_label(
    reply: str, answer: str | None
) -> None:
    assert Equivalence(fallbacks=()).read(reply) == answer
