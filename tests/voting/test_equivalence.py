"""Classes of answers that mean the same."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from math import log

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx.formations.voting import Equivalence, Plurality
from phalanx.formations.voting.equivalence import EQUIVALENCE
from phalanx.formations.voting.kinds import Policy

some = settings(max_examples=40, deadline=None)


def classes(answers: Sequence[str | None], **options: object) -> list[list[str | None]]:
    """The classes as groups of answers, largest first."""
    partition = Equivalence.model_validate(options).classes(answers)
    return [[answers[at] for at in each.members] for each in partition.classes]


def test_answers_are_counted_and_not_their_spellings() -> None:
    answers = ["42", "Answer: 42.0", "$42", "The answer is 42 dollars.", "41", None]
    partition = Equivalence().classes(answers)
    assert partition.choices == ("42", "42", "42", "42", "41", None)
    assert Plurality().decide(list(partition.choices)).tally == {"42": 4, "41": 1}
    assert partition.unread == (5,)


ANSWERS = [
    "42",
    "42.0",
    "$42",
    "42 eggs",
    "5 km",
    "5",
    "5000 m",
    "5 m",
    "Paris",
    "paris",
    "(B)",
    "B",
    "1.00",
    "1.01",
    "1.02",
    None,
]


@some
@given(
    st.lists(st.sampled_from(ANSWERS), max_size=9),
    st.data(),
    st.sampled_from(["complete", "components", "greedy_first"]),
)
def test_the_order_of_answers_does_not_matter(answers: list[str | None], data: st.DataObject, policy: Policy) -> None:
    order = data.draw(st.permutations(range(len(answers))))
    equivalence = Equivalence(tolerance="0.01", policy=policy)
    one = equivalence.classes(answers)
    other = equivalence.classes([answers[at] for at in order])
    assert other.choices == tuple(one.choices[at] for at in order)
    assert [each.label for each in other.classes] == [each.label for each in one.classes]
    assert other.entropy == one.entropy


@some
@given(st.lists(st.sampled_from(ANSWERS), max_size=9))
def test_each_class_is_named_by_one_of_its_members_word_for_word(answers: list[str | None]) -> None:
    equivalence = Equivalence()
    partition = equivalence.classes(answers)
    for each in partition.classes:
        assert each.label in {equivalence.read(answers[at]) for at in each.members}
    assert sorted(at for each in partition.classes for at in each.members) == [
        at for at, answer in enumerate(answers) if answer is not None
    ]


def test_a_unit_may_be_left_out_but_not_contradicted() -> None:
    assert classes(["5 km", "5 m", "5 km", "5"]) == [["5 km", "5 km", "5"], ["5 m"]]
    assert classes(["5 km", "5000 m"]) == [["5 km", "5000 m"]]
    assert classes(["$5", "5", "€5", "$5"]) == [["$5", "5", "$5"], ["€5"]]
    assert classes(["$5", "5"], units="strict") == [["$5"], ["5"]]
    assert classes(["$5", "5 km"], units="ignore") == [["$5", "5 km"]]


def test_numbers_are_the_same_within_the_tolerance() -> None:
    assert classes(["0.1", "0.10000000000000001"]) == [["0.1", "0.10000000000000001"]]
    assert classes(["0.333", "1/3"]) == [["0.333"], ["1/3"]]
    assert classes(["0.333", "1/3"], tolerance=0.01) == [["0.333", "1/3"]]
    assert classes(["100", "101"], absolute_tolerance=1) == [["100", "101"]]
    assert classes(["100", "102"], absolute_tolerance=1) == [["100"], ["102"]]


@pytest.mark.parametrize(
    "answers",
    [("5 mW", "5 MW"), ("5 Mb", "5 MB", "5 mb"), ("x=2", "y=2", "z=2"), ("1,2", "1.2"), ("1000000007", "1000000006"),
     ("1000000007 mm", "1000000006 mm"), ("1,000,000,007", "1000000006.0")],
)  # fmt: skip
def test_nobody_agrees_where_all_say_something_else(answers: Sequence[str]) -> None:
    assert sorted(classes(answers)) == sorted([answer] for answer in answers)
    stated = [f"Answer: {answer}" for answer in answers]
    assert len(Equivalence().classes(stated).classes) == len(answers)


def test_whole_numbers_differ_unless_a_tolerance_beyond_rounding_lets_them() -> None:
    near = ["2000000001", "2000000000"]
    assert len(classes(near)) == 2
    assert len(classes(near, tolerance=1e-6)) == 1
    assert len(classes(near, absolute_tolerance=1)) == 1
    assert len(classes(["100", "101"], tolerance=0.02)) == 1


def test_a_variable_may_be_left_out_but_not_contradicted() -> None:
    assert classes(["x = 2", "2"]) == [["x = 2", "2"]]
    assert sorted(map(len, classes(["x = 2", "y = 2", "2"]))) == [1, 2]
    assert len(classes(["x = 2", "y = 2"], units="ignore", kind="number")) == 2


@pytest.mark.parametrize(
    "reply",
    ["Answer:", "Answer: -", "Answer: —", "**Answer:**", "**Answer:** --", "Final answer: ", "Answer: ...", "\\boxed{}",
     "12 of them. I think the answer is", "-",
     "I added them all up.\nAnswer:\n", "It is **seven** of 9.\nAnswer: ___"],
)  # fmt: skip
@pytest.mark.parametrize("fallback", ["whole", "line", "bold", "number"])
def test_an_answer_that_is_announced_and_left_out_is_an_abstention(reply: str, fallback: str) -> None:
    assert Equivalence.model_validate({"fallbacks": (fallback,)}).read(reply) is None


def test_an_answer_left_out_does_not_hide_the_one_given_before() -> None:
    assert Equivalence().read("Answer: 5\nAnswer:") == "5"


CHAIN = ["1.00", "1.01", "1.02"]


@pytest.mark.parametrize(
    ("policy", "found"),
    [
        ("complete", [["1.00", "1.01"], ["1.02"]]),
        ("components", [["1.00", "1.01", "1.02"]]),
        ("greedy_first", [["1.00", "1.01"], ["1.02"]]),
    ],
)
def test_a_chain_of_near_answers_is_cut_as_the_policy_says(policy: Policy, found: list[list[str]]) -> None:
    assert classes(CHAIN, tolerance=0.01, policy=policy) == found


def test_greedy_first_asks_only_the_first_of_a_class() -> None:
    near = {("b", "a"), ("b", "c")}

    def related(one: str, other: str) -> bool:
        return (one, other) in near or (other, one) in near

    answers = ["b", "b", "a", "c"]
    assert Equivalence(kind="text", policy="greedy_first").classes(answers, related).choices == ("b",) * 4
    assert Equivalence(kind="text", policy="complete").classes(answers, related).choices == ("b", "b", "b", "c")
    assert Equivalence(kind="text", policy="components").classes(answers, related).choices == ("b",) * 4


def test_the_class_is_named_by_its_middle() -> None:
    assert Equivalence(tolerance=0.01, policy="components").classes(CHAIN).classes[0].label == "1.01"


def test_a_relation_is_asked_in_both_orders_and_both_must_agree() -> None:
    asked: list[tuple[str, str]] = []

    def first_seen_wins(one: str, other: str) -> bool:
        asked.append((one, other))
        return one < other

    assert Equivalence().classes(["cat", "feline"], first_seen_wins).choices == ("cat", "feline")
    assert set(asked) == {("cat", "feline"), ("feline", "cat")}
    assert Equivalence().classes(["cat", "feline"], lambda *_: True).choices == ("cat", "cat")


def test_a_relation_is_asked_about_texts_only() -> None:
    def never(one: str, other: str) -> bool:
        raise AssertionError((one, other))

    assert len(Equivalence(relation=never).classes(["5", "6", "yes", "no", "(A)", "(B)", "Paris"]).classes) == 7


def test_the_pairs_a_judge_would_have_to_see_are_listed() -> None:
    answers = ["cat", "Cat", "feline", "dog", "42", None]
    assert Equivalence().undecided(answers) == [("Cat", "dog"), ("Cat", "feline"), ("dog", "feline")]


def test_entropy_is_zero_when_all_agree_and_grows_with_disagreement() -> None:
    def entropy(*answers: str | None) -> float | None:
        return Equivalence().classes(answers).entropy

    assert entropy("a1", "a1") == 0
    assert entropy("a1", "b2") == pytest.approx(log(2))
    assert entropy("a1", "b2", "c3", None) == pytest.approx(log(3))
    assert entropy(None) is None
    assert entropy() is None


def test_what_was_read_can_be_classed_whatever_the_fallbacks() -> None:
    equivalence = Equivalence(kind="number", fallbacks=("number",))
    replies = ["that makes 3 + 4 = 7", "so we get 7.0", "who knows"]
    assert equivalence.classes(replies).choices == (None, None, None), "a guess is made by read alone"
    answers = [equivalence.read(reply) for reply in replies]
    assert answers == ["7", "7.0", None]
    assert equivalence.classes(answers).choices == ("7", "7", None)


def test_a_guess_is_read_only_where_it_is_allowed() -> None:
    reply = "After some thought I get 7 apples and 3 pears."
    assert Equivalence(kind="number").read(reply) is None
    assert Equivalence(kind="number", fallbacks=("number",)).read(reply) == "3"


def test_where_one_kind_is_expected_a_later_remark_of_another_kind_does_not_hide_the_answer() -> None:
    reply = "My answer is (B). Agent 2: the answer is well explained."
    assert Equivalence(kind="choice").read(reply) == "(B)"
    assert Equivalence(kind="choice").read("My answer is (B). Answer: I don't know") is None


def test_a_sentence_is_searched_for_its_number_only_where_it_states_the_answer() -> None:
    numbers = Equivalence(kind="number")
    assert numbers.read("Answer: she sells 18 eggs a day") == "18"
    assert numbers.read("She sells 18 eggs a day") is None
    assert numbers.read("Answer: 18 of 20 eggs") is None


def test_options_say_which_letters_there_are() -> None:
    letters = Equivalence(kind="choice", options="ABCD")
    assert letters.read("The answer is (X).") is None
    named = Equivalence(options={"A": "Paris", "B": "Rome"})
    partition = named.classes(["Rome", "(B)", "Answer: B. Rome", "paris", "A"])
    assert [each.members for each in partition.classes] == [(0, 1, 2), (3, 4)]


def test_two_answers_can_be_compared_directly() -> None:
    assert Equivalence().same("Answer: 1/2", "0.5")
    assert not Equivalence().same("1/2", "0.51")
    assert not Equivalence().same("...", "...")


def test_it_round_trips_through_yaml_but_a_relation_is_refused() -> None:
    equivalence = Equivalence(kind="number", tolerance="1/100", fallbacks=("number", "whole"), policy="components")
    again = Equivalence.model_validate(yaml.safe_load(yaml.safe_dump(equivalence.model_dump(mode="json"))))
    assert again == equivalence
    assert hash(again) == hash(equivalence)
    with pytest.raises(ValueError, match="cannot be written to a file"):
        Equivalence(relation=lambda one, other: one == other).model_dump_json()


@pytest.mark.parametrize("options", [{"tolerance": -1}, {"kind": "code"}, {"kind": "numbr"}, {"policy": "single"},
                                     {"fallbacks": ("guess",)}, {"tests": {"calls": ["f(1)"]}}])  # fmt: skip
def test_an_option_that_cannot_work_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Equivalence.model_validate(options)


def test_many_answers_are_sorted_in_good_time() -> None:
    answers = [f"The answer is {number % 300}." for number in range(3000)]
    assert len(Equivalence().classes(answers).classes) == 300


def test_the_equivalence_that_formations_begin_with_is_the_one_without_options() -> None:
    ready, made = EQUIVALENCE, Equivalence()

    assert ready == made
    assert repr(ready) == repr(made)
    assert hash(ready) == hash(made)
    assert ready.model_dump(exclude_unset=True) == made.model_dump(exclude_unset=True) == {}


@pytest.mark.parametrize("before", ["", "Answer: ", "So it is.\nThe answer is "])
def test_answers_without_end_are_not_kept_after_they_were_read(before: str) -> None:
    equivalence = Equivalence()
    equivalence.read("Answer: 1")
    tracemalloc.start()
    try:
        for number in range(10):
            assert equivalence.read(before + "a" * 150_000 + f"{number}{len(before)}") is not None
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 500_000
