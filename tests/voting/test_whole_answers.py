"""Whole numbers, which are compared as they are written, come to what they come to among other answers."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from phalanx.formations.voting import Equivalence

written = st.one_of(
    st.integers(0, 30).map(str),
    st.integers(0, 10**11).map(str),
    st.sampled_from(("007", "00", "0", "19991231", "2024", "\u0663", "\u00b2", "1e3", "7 km", "x", "")),
)


@given(st.lists(st.one_of(st.none(), written), max_size=6), st.sampled_from(("auto", "number")))
def test_they_are_counted_as_they_are_beside_an_answer_that_is_none(answers: list[str | None], kind: str) -> None:
    how = Equivalence.model_validate({"kind": kind})

    # A fraction has to be compared, and so do all others beside it; it is none of them.
    assert how.choices(answers) == how.choices([*answers, "12345/67891"])[:-1]


@given(
    st.integers(0, 10**10).map(str) | st.sampled_from(("007", "0", "7 km", "x", "1e3", "I", "-5")),
    st.sampled_from(
        ("So it is {}.\nAnswer: {}", "Answer: {}", "**Answer: {}**", "The answer is {}.", "<b>Answer: {}</b>")
    ),
    st.sampled_from(("auto", "number")),
)
def test_one_that_a_reply_ends_in_is_read_as_it_is_where_all_kinds_of_answers_are_looked_at(
    answer: str, reply: str, kind: str
) -> None:
    said = reply.replace("{}", answer)
    how = Equivalence.model_validate({"kind": kind})

    read = how.read(said)

    # A whole reply is compared by what it means, and means what is read of it.
    assert (read is None) == (how.choices([said]) == (None,))
    assert read is None or how.same(said, read)


def test_what_is_near_is_merged_only_where_it_may_be() -> None:
    assert len(set(Equivalence(absolute_tolerance=1).choices(["41", "42"]))) == 1
    assert len(set(Equivalence(tolerance=Fraction(1, 2)).choices(["41", "42"]))) == 1
    assert Equivalence().choices(["41", "42", None, "41"]) == ("41", "42", None, "41")


@given(st.lists(st.integers(0, 999).map(str), max_size=5))
def test_a_kind_that_no_whole_number_is_abstains(answers: list[str]) -> None:
    assert Equivalence(kind="date").choices(answers) == (None,) * len(answers)
