"""An answer that names two things, or denies one, is no vote for the first; marks that nobody sees split no vote."""

from __future__ import annotations

import time

import pytest

from phalanx.formations.voting import Equivalence, Plurality

CHOICE, AUTO = Equivalence(kind="choice"), Equivalence()


@pytest.mark.parametrize(
    "said",
    [
        "Option A or option B", "option A or B", "option A, or B", "A: or B", "A. or B", "(A) maybe (B)", "(a) and (b)",
        "(a) and b", "(a), (b)", "option a or b", "answer A & B", "(A) and/or (B)", "Option A or possibly option C",
        "(A) is wrong", "Option A is incorrect", "option A is not right", "(A) is clearly wrong", "(A) cannot be right",
        "(A) isn't right", "(B) was eliminated",
    ],
)  # fmt: skip
def test_two_letters_or_one_that_is_denied_are_no_choice(said: str) -> None:
    assert CHOICE.read(f"Answer: {said}") is None
    assert not AUTO.same(f"Answer: {said}", "Answer: A")
    assert not AUTO.same(f"Answer: {said}", "Answer: B")


@pytest.mark.parametrize(
    "said",
    [
        "(B) False", "B: Incorrect", "(B) Not enough facts", "(B), because (A) is wrong", "option B is correct",
        "(B) is the right one", "option B, and I am sure", "(B) and a half", "B. Both A and C", "(B) not A",
        "B: Ornithology", "(B) is simply right", "Option B, or so the text says",
    ],
)  # fmt: skip
def test_one_letter_with_its_text_or_a_reason_is_that_choice(said: str) -> None:
    assert CHOICE.same(f"Answer: {said}", "Answer: B")


@pytest.mark.parametrize(
    "said",
    [
        "Yes, no", "Yes; no.", "Yes, or no", "yes, but no", "Yes, wait, no.", "Yes: no", "No. Actually yes.",
        "True, False", "No, well, maybe yes!", "Yes, if it rains; otherwise no", "No, or else yes",
    ],
)  # fmt: skip
def test_yes_and_no_in_one_answer_is_neither(said: str) -> None:
    for one in ("yes", "no"):
        assert not AUTO.same(said, one)
        assert not AUTO.same(f"Answer: {said}", f"Answer: {one}")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Yes, no doubt", "yes"), ("Yes, no exceptions are known", "yes"), ("No, yes is wrong", "no"),
        ("No, not yes", "no"), ("True: no error was found", "yes"), ("No, nothing else", "no"),
    ],
)  # fmt: skip
def test_yes_with_a_reason_in_which_no_stands_is_yes(said: str, meant: str) -> None:
    assert AUTO.same(said, meant)


@pytest.mark.parametrize(
    "said",
    [
        "not 5", "it is not 5", "isn't 5", "cannot be 5", "it is not equal to 5", "anything other than 5", "x < 5",
        "< 5", "more than 5", "fewer than $5", "5 is wrong", "5 is clearly not right", "5 isn’t possible",
        "5 isn't possible", "5 never", "5 (wrong)",
    ],
)  # fmt: skip
def test_a_number_that_is_denied_or_a_bound_is_not_that_number(said: str) -> None:
    for how in (AUTO, Equivalence(kind="number")):
        assert how.read(f"Answer: {said}") != "5"
        assert not how.same(f"Answer: {said}", "5")


@pytest.mark.parametrize("said", ["5 or so", "> 5", "so -> 5", "no more than 5", "at least 5", "it is 5, not more"])
def test_a_number_with_a_word_around_it_is_that_number(said: str) -> None:
    assert Equivalence(kind="number").same(f"Answer: {said}", "5")


@pytest.mark.parametrize("mark", ["\u200b", "\u2060", "\ufeff", "\u00ad", "\u200e", "\u200f", "\u061c"])
def test_a_mark_that_nobody_sees_splits_no_vote(mark: str) -> None:
    replies = [f"Answer: 42{mark}", f"Answer{mark}: 42", f"{mark}Answer: 4{mark}2", "Answer: 42"]
    for how in (AUTO, Equivalence(kind="number")):
        assert how.choices([how.read(reply) for reply in replies]) == ("42",) * 4
    assert AUTO.same(f"Pa{mark}ris", "Paris")
    assert CHOICE.same(f"Answer: ({mark}B{mark})", "B")
    assert AUTO.read(mark) is None


def test_signs_that_join_letters_or_make_another_picture_stay() -> None:
    assert not AUTO.same("می\u200cخواهم", "میخواهم")
    assert not AUTO.same("👩\u200d👧", "👩👧")


def test_a_wide_letter_is_the_letter() -> None:
    assert AUTO.same("Answer：（Ｂ）", "Answer: B")
    assert CHOICE.same("Answer: Ｂ", "Answer: (b)")


def test_the_a_of_a_or_b_is_no_article() -> None:
    assert not AUTO.same("A or B", "or B")
    assert not AUTO.same("A\nB", "b")
    assert AUTO.same("a cat", "the cat")
    assert AUTO.same("An isle", "isle")


def test_a_hedge_does_not_win_a_vote() -> None:
    replies = ["Answer: Option A or option B", "Answer: (A) is wrong", "Answer: B"]
    assert Plurality().decide([CHOICE.read(reply) for reply in replies]).winner == "B"


def test_reading_takes_no_longer_for_what_is_made_to_be_slow() -> None:
    made = ["Option A " + "or " * 600, "(A) is " + "simply " * 250, "(A) " + "&" * 1900, "Yes, " + "but, " * 380,
            "(A) is " + "to be " * 300, "Yes" + ", " * 900]  # fmt: skip
    started = time.process_time()
    for text in made:
        Equivalence().read(text)
        Equivalence(kind="choice").classes([text, "A"])
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "said",
    [
        "I'm sorry, but I can't help with that.", "I’m sorry, I cannot assist with that request.", "I can't help.",
        "I am very sorry, but I am unable to answer this question.", "As an AI language model, I cannot provide advice",
        "I'm not able to determine the answer!", "Answer: I cannot help with this",
    ],
)  # fmt: skip
def test_who_declines_to_answer_abstains(said: str) -> None:
    assert AUTO.read(said) is None
    assert Plurality(tie_break=()).decide([AUTO.read(said), AUTO.read(said), AUTO.read("Answer: 5")]).winner == "5"


@pytest.mark.parametrize(
    "said",
    [
        "I'm sorry, Dave. I'm afraid I can't do that.", "I can't complain.", "I can't help falling in love: a song",
        "I'm sorry, but the answer is 5", "I cannot be divided", "Answer: a cannot assist",
    ],
)  # fmt: skip
def test_words_that_only_begin_like_it_are_an_answer(said: str) -> None:
    assert AUTO.read(said) is not None
