"""Answers in words compared by an embedding or a judge: asked once, checked, and made classes of in any order."""

from __future__ import annotations

import itertools
import math
import pickle
from collections.abc import Callable, Sequence
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phalanx.errors import ConfigurationError, ValidationError
from phalanx.formations.voting import ByEmbedding, ByEntailment, Equivalence
from phalanx.formations.voting.kinds import Policy
from phalanx.formations.voting.vectors import cosine, unit_vectors

DEGREES = {"big cat": 0, "large cat": 10, "huge feline": 20, "small dog": 90, "tiny hound": 95, "red fish": 200}


def at_degrees(texts: list[str]) -> list[tuple[float, float]]:
    """Each text as a direction on a circle."""
    turns = [math.radians(DEGREES[text.lower()]) for text in texts]
    return [(math.cos(turn), math.sin(turn)) for turn in turns]


class Embedding:
    """An embedding that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, texts: list[str]) -> list[tuple[float, float]]:
        self.asked.append(list(texts))
        return at_degrees(texts)


def by_degrees(most: float, **more: object) -> ByEmbedding:
    return ByEmbedding(at_degrees, threshold=math.cos(math.radians(most)), **more)  # type: ignore[arg-type]


def found(how: Equivalence, answers: Sequence[str | None]) -> list[list[str]]:
    return [sorted(str(answers[at]) for at in each.members) for each in how.classes(answers).classes]


# -- the embedding -------------------------------------------------------------------------------------------------


def test_texts_whose_vectors_point_the_same_way_are_one_answer() -> None:
    how = Equivalence(relation=by_degrees(12))
    assert how.same("big cat", "large cat")
    assert not how.same("big cat", "huge feline")
    assert found(how, list(DEGREES)) == [["big cat", "large cat"], ["small dog", "tiny hound"], ["huge feline"], ["red fish"]]  # fmt: skip  # noqa: E501


def test_all_texts_are_embedded_in_one_call_and_none_is_embedded_twice() -> None:
    embedding = Embedding()
    how = Equivalence(relation=ByEmbedding(embedding))
    how.classes(["big cat", "large cat", "big  cat", "small dog", "small dog", "42", "43", None])
    how.classes(["large cat", "red fish"])
    how.same("small dog", "red fish")

    assert embedding.asked == [["big cat", "large cat", "small dog"], ["red fish"]]


def test_nothing_is_embedded_where_all_answers_can_be_read_or_are_the_same() -> None:
    embedding = Embedding()
    how = Equivalence(relation=ByEmbedding(embedding))
    how.classes(["1", "2", "yes", "3 km"])
    how.classes(["big cat", "Big cat", None])
    how.classes(["big cat", "42", "yes"])

    assert embedding.asked == []


@pytest.mark.parametrize(
    ("policy", "classes"),
    [
        ("complete", [["big cat", "large cat"], ["huge feline"]]),
        ("components", [["big cat", "huge feline", "large cat"]]),
    ],
)
def test_a_chain_of_near_texts_is_cut_as_the_policy_says_in_any_order(policy: Policy, classes: list[list[str]]) -> None:
    how = Equivalence(relation=by_degrees(12), policy=policy)
    for order in itertools.permutations(["big cat", "large cat", "huge feline"]):
        assert sorted(found(how, order)) == classes


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(list(DEGREES)), min_size=1, max_size=9), st.randoms(), st.integers(1, 89))
def test_the_classes_do_not_depend_on_the_order_of_the_answers(answers: list[str], chance: object, most: int) -> None:
    how = Equivalence(relation=by_degrees(most))
    mixed = list(answers)
    chance.shuffle(mixed)  # type: ignore[attr-defined]

    def named(given: Sequence[str]) -> set[tuple[str, str | None]]:
        return set(zip(given, how.choices(given), strict=True))

    assert named(answers) == named(mixed)


def test_a_threshold_of_one_lets_the_same_direction_be_the_same() -> None:
    vectors = {"left side": (0.1, 0.2, 0.3), "right side": (0.2, 0.4, 0.6)}
    how = Equivalence(relation=ByEmbedding(lambda texts: [vectors[text] for text in texts], threshold=1))
    assert how.same("left side", "right side")


@pytest.mark.parametrize(
    ("gives", "complaint"),
    [
        (lambda _texts: [(1.0, 0.0)], r"gave 1 vectors for 2 texts"),
        (lambda _texts: [(1.0, 0.0)] * 3, r"gave 3 vectors for 2 texts"),
        (lambda _texts: [(1.0, 0.0), (1.0,)], r"gave 1 numbers for 'large cat', and 2 for others"),
        (lambda _texts: [(1.0, 0.0), (math.nan, 0.0)], r"not finite for 'large cat'"),
        (lambda _texts: [(math.inf, 0.0), (1.0, 0.0)], r"not finite for 'big cat'"),
        (lambda _texts: [(0.0, 0.0), (1.0, 0.0)], r"nothing but zeros for 'big cat'"),
        (lambda _texts: [(1.0, True), (1.0, 0.0)], r"no number for 'big cat'"),
        (lambda _texts: [("1", "0"), (1.0, 0.0)], r"no number for 'big cat'"),
        (lambda _texts: [(1.0, None), (1.0, 0.0)], r"no number for 'big cat'"),
        (lambda _texts: [(10**400, 1), (1.0, 0.0)], r"no number for 'big cat'"),
        (lambda _texts: [(), (1.0, 0.0)], r"no vector for 'big cat'"),
        (lambda _texts: [None, (1.0, 0.0)], r"no vector for 'big cat'"),
        (lambda _texts: ["10", (1.0, 0.0)], r"no vector for 'big cat'"),
        (lambda _texts: None, r"must give a list of vectors, one a text, not NoneType"),
        (lambda _texts: {"big cat": (1.0, 0.0)}, r"not dict"),
    ],
)
def test_vectors_that_are_none_are_an_error_that_names_the_text(
    gives: Callable[[list[str]], object], complaint: str
) -> None:
    how = Equivalence(relation=ByEmbedding(gives))  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match=complaint):
        how.classes(["large cat", "big cat"])


def test_vectors_of_another_length_than_those_before_are_an_error() -> None:
    lengths = iter([2, 3])
    how = Equivalence(relation=ByEmbedding(lambda texts: [[1.0] * next(lengths)] * len(texts)))
    how.classes(["big cat", "large cat"])
    with pytest.raises(ValidationError, match="gave 3 numbers for 'red fish', and 2 for others"):
        how.classes(["big cat", "red fish"])


@pytest.mark.parametrize("scale", [1e-320, 1e-160, 1.0, 1e160, 1e308])
def test_how_long_a_vector_is_does_not_matter(scale: float) -> None:
    one, other = unit_vectors([(scale, scale), (1, 1)], ["a", "b"])
    assert cosine(one, other) == pytest.approx(1)


@pytest.mark.parametrize(
    "wrong",
    [{"threshold": 0}, {"threshold": 1.1}, {"threshold": math.nan}, {"unsure": 0.5},
     {"judge": ByEntailment(lambda *_: True)},
     {"threshold": 0.8, "unsure": 0.8, "judge": ByEntailment(lambda *_: True)},
     {"unsure": -2, "judge": ByEntailment(lambda *_: True)}],
)  # fmt: skip
def test_numbers_that_do_not_fit_are_refused_at_once(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ByEmbedding(at_degrees, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "make",
    [(ByEmbedding, "text-embedding"), (ByEntailment, "gpt"), (ByEntailment, None),
     (partial(ByEmbedding, at_degrees, 0.9, 0.5), str.__eq__)],
)  # fmt: skip
def test_what_is_no_function_is_refused_at_once(make: tuple[Callable[[object], object], object]) -> None:
    step, given = make
    with pytest.raises(ConfigurationError):
        step(given)


def test_steps_are_values() -> None:
    one, same, other = ByEmbedding(at_degrees), ByEmbedding(at_degrees), ByEmbedding(at_degrees, threshold=0.8)
    one(*list(DEGREES)[:2])
    assert (one == same, hash(one) == hash(same), one == other) == (True, True, False)
    assert pickle.loads(pickle.dumps(one)) == one
    assert Equivalence(relation=one) == Equivalence(relation=same)


# -- the judge -----------------------------------------------------------------------------------------------------


class Judge:
    """Says that a text entails another when all words of the other are in it, and remembers the questions."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def __call__(self, one: str, other: str) -> bool:
        self.asked.append((one, other))
        return set(other.split()) <= set(one.split())


def test_two_texts_are_the_same_when_each_entails_the_other() -> None:
    judge = Judge()
    how = Equivalence(relation=ByEntailment(judge))
    assert found(how, ["old red fish", "fish old red", "red fish"]) == [["fish old red", "old red fish"], ["red fish"]]
    # The other way round is asked about only where the first holds.
    assert judge.asked == [
        ("fish old red", "old red fish"), ("fish old red", "red fish"), ("old red fish", "red fish"),
        ("old red fish", "fish old red"), ("red fish", "fish old red"), ("red fish", "old red fish"),
    ]  # fmt: skip


def test_a_judge_that_neither_says_yes_nor_no_is_an_error() -> None:
    how = Equivalence(relation=ByEntailment(lambda *_: "yes"))  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="gave 'yes'; it must give True or False"):
        how.classes(["cat", "feline"])


def test_only_texts_of_which_the_embedding_is_not_sure_are_put_to_the_judge() -> None:
    asked: list[tuple[str, str]] = []

    def judge(one: str, other: str) -> bool:
        asked.append((one, other))
        return True

    relation = by_degrees(12, unsure=math.cos(math.radians(30)), judge=ByEntailment(judge))
    assert found(Equivalence(relation=relation), list(DEGREES))[0] == ["big cat", "huge feline", "large cat"]
    assert asked == [("big cat", "huge feline"), ("huge feline", "big cat")]


# -- functions that have to be awaited -----------------------------------------------------------------------------


async def slowly(texts: list[str]) -> list[tuple[float, float]]:
    return at_degrees(texts)


async def agrees(_one: str, _other: str) -> bool:
    return True


@pytest.mark.parametrize("relation", [ByEmbedding(slowly), ByEntailment(agrees)])
def test_what_must_be_awaited_says_so_where_nobody_awaits_it(relation: ByEmbedding | ByEntailment) -> None:
    with pytest.raises(ConfigurationError, match=r"await equivalence.prepared\(answers\) first"):
        Equivalence(relation=relation).classes(["big cat", "large cat"])


async def test_an_equivalence_that_was_prepared_asks_nothing_any_more() -> None:
    calls: list[list[str]] = []

    async def embed(texts: list[str]) -> list[tuple[float, float]]:
        calls.append(texts)
        return at_degrees(texts)

    answers = ["Answer: big cat", "large cat", "small dog", "7", None]
    ready = await Equivalence(relation=ByEmbedding(embed, threshold=0.95)).prepared(answers)
    assert ready.choices(answers) == ("big cat", "big cat", "small dog", "7", None)
    assert ready.same("large cat", "Big cat")
    assert calls == [["big cat", "large cat", "small dog"]]
    with pytest.raises(ValidationError, match="were not compared"):
        ready.same("big cat", "red fish")


async def test_an_equivalence_without_a_step_is_prepared_as_it_is() -> None:
    how = Equivalence(relation=str.__eq__)
    assert await how.prepared(["a cat", "b"]) is how
