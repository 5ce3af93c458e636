"""Finding the final answer in what models really write."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx.formations.voting.bare import visible
from phalanx.formations.voting.extract import extract, statements
from phalanx.formations.voting.kinds import Fallback


@pytest.mark.parametrize(
    ("reply", "answer", "how"),
    [
        ("Answer: 42", "42", "marked"),
        ("I added them.\n\n**Final Answer:** 42.", "42", "marked"),
        ("### Final Answer\n42", "42", "marked"),
        ("**Answer**\n\nParis", "Paris", "marked"),
        ("FINAL ANSWER: **B**", "B", "marked"),
        ("**FINAL ANSWER: C**", "C", "marked"),
        ("> Answer: 7", "7", "marked"),
        ("So my answer: yes", "yes", "marked"),
        ("Let me think. Answer: 12", "12", "marked"),
        ("Answer：北京", "北京", "marked"),
        ("answer = 12", "12", "marked"),
        ("Answer:\n```\n42\n```\nDone.", "42", "marked"),
        ('>> FINAL ANSWER:\n"""\nbengal fettle\n"""', "bengal fettle", "marked"),
        ("Answer: 3. Then we are done.", "3", "marked"),
        ("Answer: $18,000", "$18,000", "marked"),
        ("Answer: -5", "-5", "marked"),
        ("So \\boxed{\\frac{1}{2}} it is", "\\frac{1}{2}", "boxed"),
        ("\\boxed{\\text{(B)}}", "(B)", "boxed"),
        ("\\boxed 5", "5", "boxed"),
        ("Thus, the final answer is:\n\n$$\\boxed{7}$$", "7", "boxed"),
        ("The final answer is: $\\boxed{42}$. I hope it is correct.", "42", "boxed"),
        ("Final Answer: The final answer is $7$. I hope it is correct.", "7", "said"),
        ("The answer is 3.5. Hope it helps.", "3.5", "said"),
        ("Therefore, the answer to the question is: **12 km**.", "12 km", "said"),
        ("The answer is (B) Paris because it is large.", "(B) Paris", "said"),
        ("The correct option is B.", "B", "said"),
        ("The answer is George W. Bush. He won.", "George W. Bush", "said"),
        ("The answer is J. R. R. Tolkien. He wrote it.", "J. R. R. Tolkien", "said"),
        ("The answer is \\(x = 5\\).", "x = 5", "said"),
        ("I vote for 1, not 0", "1", "said"),
        ("I'd go with Rome", "Rome", "said"),
        ('{"reasoning": "so the answer is 5", "answer": "7"}', "7", "json"),
        ('```json\n{"final_answer": [1, 2]}\n```', "[1, 2]", "json"),
        ('Here: {"reasoning": "x", "answer": 18 dollars}', "18 dollars", "json"),
        ('{"reasoning": "he said "no"", "answer": "1,234"}', "1,234", "json"),
        ("{'answer': 'Paris'}", "Paris", "json"),
        ('{"answer": true}', "true", "json"),
        ("<think>Answer: 3</think>Answer: 4", "4", "marked"),
        ("reasoning ... </think> Answer: 4", "4", "marked"),
    ],
)
def test_an_explicit_answer_is_found(reply: str, answer: str, how: str) -> None:
    found = extract(reply)
    assert found is not None
    assert (found.text, found.how) == (answer, how)


def test_the_last_statement_counts() -> None:
    reply = "The answer is 5. No, wait: the answer is 6.\nAnswer: 7\nSo \\boxed{8}"
    assert [each.text for each in statements(reply)] == ["8", "7", "6", "5"]


def test_what_would_be_is_no_answer_when_something_is() -> None:
    assert extract("Answer: 6\nThe answer would be 5 if x were odd.") == extract("Answer: 6")
    said = extract("The answer would be 5.")
    assert said is not None
    assert said.text == "5"


@pytest.mark.parametrize(
    "reply",
    [
        "", "   ", "I do not see how to solve this.", "The answer is not 5.", "Answer:", "Answer: <your answer>",
        "FINAL ANSWER: [your answer here]", "Answer: ...", "\\boxed{", "\\boxed{}", '{"answer": null}',
        '{"answer": ""}', "Answer: I don't know", "The answer is n/a.", "<think>Answer: 3",
        "Answer: 5\nAnswer: I don’t know.", "We found 12 eggs and 13 hens.", "an answer is needed", "**bold**", "(B)",
    ],
)  # fmt: skip
def test_a_reply_without_an_explicit_answer_abstains(reply: str) -> None:
    assert extract(reply) is None


@pytest.mark.parametrize(
    ("fallback", "reply", "answer"),
    [
        ("number", "so 3 + 4 = 7.", "7"),
        ("number", "it was -5 degrees", "-5"),
        ("number", "10-5", "5"),
        ("number", "that makes $1,234.50 in all", "$1,234.50"),
        ("number", "a share of 3/4", "3/4"),
        ("choice", "It is the ileum. (C)", "C"),
        ("choice", "A) small\nB) large", "B"),
        ("bold", "it is **Paris**, of course", "Paris"),
        ("line", "thinking\nParis", "Paris"),
        ("whole", "Paris.", "Paris"),
    ],
)
def test_a_guess_is_made_only_where_it_was_asked_for_by_name(fallback: Fallback, reply: str, answer: str) -> None:
    assert extract(reply) is None
    found = extract(reply, (fallback,))
    assert found is not None
    assert (found.text, found.how) == (answer, fallback)


def test_fallbacks_are_tried_in_order_and_never_before_what_is_said() -> None:
    assert [each.how for each in statements("**7** and 8", ("bold", "number"))] == ["bold", "number"]
    assert [each.how for each in statements("Answer: 6, not **7**", ("bold",))] == ["marked"]


PIECES = [
    "Answer:", "the answer is ", "\\boxed{", "}", "**", '"answer": ', "{", "\n", " ", "$", "42", "```", '"', "B) ",
    ". ",
]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300) | st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_nothing_a_model_writes_breaks_it_and_what_is_found_is_in_the_reply(reply: str) -> None:
    for found in statements(reply, ("bold", "choice", "number", "line", "whole")):
        assert found.text.strip()
        if found.how not in ("json",):
            assert found.text in visible(reply)


@pytest.mark.parametrize("piece", ["\\boxed{", "Answer: ", "the answer is ", "```\n", "<think>", '{"answer": ', "$$ a ",
                                   "Answer: A. B. C. ", "(A) ", "1,", "**a", "I vote for "])  # fmt: skip
def test_a_reply_that_loops_is_read_in_time_that_grows_with_its_length(piece: str) -> None:
    import time

    def seconds(size: int) -> float:
        started = time.perf_counter()
        list(statements(piece * (size // len(piece)), ("bold", "choice", "number", "line", "whole")))
        return time.perf_counter() - started

    # Eight times the text may cost some fifty times as long at most, with room for noise: not the square of it.
    assert seconds(160_000) < 50 * max(seconds(20_000), 0.02)
