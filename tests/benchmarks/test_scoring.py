from __future__ import annotations

import pytest

from phalanx.benchmarks.matching import Choice, Exact, Numeric, Regex, SetOf
from phalanx.benchmarks.score import Score
from phalanx.benchmarks.scoring import ByItem, score, score_tied, scorer_named, usual_scorer
from phalanx.benchmarks.tasks import Gold, TaskItem
from phalanx.errors import ConfigurationError, ValidationError


def item(gold: Gold | None, **more: object) -> TaskItem:
    return TaskItem.model_validate({"id": "q1", "question": "?", "gold": gold, **more})


@pytest.mark.parametrize(
    ("answer", "gold", "value"),
    [
        ("Paris", "Paris", 1),
        ("I thought about it.\nThe answer is **paris**.", "Paris", 1),
        ("First Lyon, then...\n\nAnswer: the Eiffel Tower", "Eiffel Tower", 1),
        ("\\boxed{Paris}", "Paris", 1),
        ("It could be Lyon.\nParis", "Paris", 1),
        ("Lyon", "Paris", 0),
        ("Paris or Lyon", "Paris", 0),
        ("Answer: 2 April 1954", "1954-04-02", 1),
        ("Answer: 1,200", "1200", 1),
        ("Answer: Robert", ("Bob", "Robert"), 1),
        ("Answer: yes", True, 1),
        ("Answer: no", True, 0),
    ],
)
async def test_exact_compares_what_was_said_and_not_how(answer: str, gold: Gold, value: float) -> None:
    assert (await score(Exact(), answer, item(gold))).value == value


async def test_verbatim_takes_the_answer_as_it_is() -> None:
    assert (await score(Exact(compare="verbatim"), " Paris\n", item("Paris"))).value == 1
    assert (await score(Exact(compare="verbatim"), "paris", item("Paris"))).value == 0
    assert (await score(Exact(compare="text"), "1,200", item("1200"))).value == 0


@pytest.mark.parametrize("answer", ["", "   ", "<think>Paris</think>", "Answer: I don't know"])
async def test_an_answer_that_cannot_be_read_is_an_abstention_worth_nothing(answer: str) -> None:
    found = await score(Exact(), answer, item("Paris"))
    assert (found.value, found.read) == (0, None)
    assert found.why == "no final answer could be read"


@pytest.mark.parametrize(
    ("answer", "gold", "value"),
    [
        ("So 3 apples and 4 pears make 7.", 7, 1),
        ("The answer is 1,234.50", 1234.5, 1),
        ("Answer: -12", -12, 1),
        ("Answer: 12", -12, 0),
        ("Answer: 1/3", 1 / 3, 1),
        ("Answer: 3.33e-1", 1 / 3, 0),
        ("Answer: 1.0000001", 1, 1),
        ("Answer: 1.00001", 1, 0),
        ("Answer: 25%", 25, 1),
        ("Answer: 25%", 0.25, 1),
        ("Answer: 25%", 24, 0),
        ("Answer: $18", 18, 1),
        ("Answer: 5 km", "5000 m", 1),
        ("Answer: 5 km", "5 m", 0),
        ("Answer: 4.0", (4, 5), 1),
        ("The answer is 42 apples in total.", 42, 1),
        ("Answer: she has 42 apples", 42, 1),
        ("Answer: 42 (that is 6*7)", 42, 1),
        ("Answer: between 41 and 43", 43, 0),
        ("Answer: not 7 but the 42nd", 42, 0),
    ],
)
async def test_numbers_are_compared_by_value_within_a_tolerance(answer: str, gold: Gold, value: float) -> None:
    assert (await score(Numeric(), answer, item(gold))).value == value


async def test_an_item_may_bring_its_own_tolerance() -> None:
    loose = item(187.5546, meta={"rel": 0.001})
    assert (await score(Numeric(), "Answer: 187.6", loose)).value == 1
    assert (await score(Numeric(), "Answer: 187.8", loose)).value == 0
    assert (await score(Numeric(absolute=0.5), "Answer: 7.4", item(7))).value == 1
    with pytest.raises(ValidationError, match=r"meta\['rel'\] is 'much'"):
        await score(Numeric(), "1", item(1, meta={"rel": "much"}))


async def test_no_number_is_an_abstention_and_a_wrong_gold_an_error() -> None:
    assert (await score(Numeric(), "I cannot tell.", item(3))).read is None
    with pytest.raises(ValidationError, match="'many' is not a number"):
        await score(Numeric(), "3", item("many"))


@pytest.mark.parametrize(
    ("answer", "gold", "value"),
    [
        ("(B)", "B", 1),
        ("I would say B.\n\nAnswer: B", "B", 1),
        ("The answer is (b) Lyon", "B", 1),
        ("Lyon", "B", 1),
        ("Answer: Lyon", "Lyon", 1),
        ("Answer: B", 1, 1),
        ("Answer: A", "B", 0),
        ("Answer: D", "B", None),
        ("no idea", "B", None),
    ],
)
async def test_choices_are_known_by_letter_text_and_index(answer: str, gold: Gold, value: float | None) -> None:
    found = await score(Choice(), answer, item(gold, choices=("Paris", "Lyon", "Nice")))
    assert (found.value if found.read is not None else None) == value


async def test_without_choices_a_letter_is_compared_with_a_letter() -> None:
    assert (await score(Choice(), "Answer: (C)", item("c"))).value == 1


@pytest.mark.parametrize(
    ("gold", "choices"), [("Rome", ("Paris", "Lyon")), (7, ("Paris", "Lyon")), (1, ("1", "2")), ("B", ("B", "A"))]
)
async def test_a_gold_that_is_no_choice_or_two_is_an_error(gold: Gold, choices: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="of the choices"):
        await score(Choice(), "Answer: A", item(gold, choices=choices))


@pytest.mark.parametrize(
    ("answer", "exact", "jaccard", "f1"),
    [
        ("Ito, Berg, Kim", 1, 1, 1),
        ("Answer: Kim, Ito and Berg", 1, 1, 1),
        ("- Kim\n- Ito\n- Berg", 1, 1, 1),
        ("Ito, Ito, Kim, Berg", 1, 1, 1),
        ("Ito, Kim", 0, 2 / 3, 0.8),
        ("Ito, Lopez", 0, 1 / 4, 0.4),
        ("Lopez", 0, 0, 0),
    ],
)
async def test_sets_may_give_partial_credit(answer: str, exact: float, jaccard: float, f1: float) -> None:
    asked = item(("Ito", "Kim", "Berg"))
    assert (await score(SetOf(), answer, asked)).value == exact
    assert (await score(SetOf(credit="jaccard"), answer, asked)).value == pytest.approx(jaccard)
    assert (await score(SetOf(credit="f1"), answer, asked)).value == pytest.approx(f1)


async def test_a_set_says_what_is_missing_and_too_many() -> None:
    found = await score(SetOf(), "Ito, Lopez", item(("Ito", "Kim", "Berg")))
    assert found.why == "1 right, 2 missing, 1 too many"
    assert (await score(SetOf(), "A, C", item("C, A"))).value == 1


async def test_a_pattern_finds_the_answer_or_is_it() -> None:
    finding = Regex(pattern=r"score: (\d+)")
    assert (await score(finding, "Score: 3, no: score: 4", item("4"))).value == 1
    assert (await score(finding, "score: 5", item("4"))).value == 0
    assert (await score(finding, "five", item("4"))).read is None
    assert (await score(Regex(), "It was in Paris, I think", item(r"\bparis\b"))).value == 1
    assert (await score(Regex(whole=True), "It was in Paris", item(r"paris"))).value == 0
    assert (await score(Regex(ignore_case=False), "in paris", item("Paris"))).value == 0


async def test_a_broken_pattern_is_refused_with_its_item() -> None:
    with pytest.raises(ValueError, match="not a regular expression"):
        Regex(pattern="(")
    with pytest.raises(ValidationError, match=r"item 'q1': .* is not a regular expression"):
        await score(Regex(), "x", item("("))


async def test_any_function_scores_sync_or_async() -> None:
    async def later(answer: str, item: TaskItem) -> float:
        return 0.25

    asked = item("Paris")
    assert (await score(lambda answer, item: answer == item.gold, "Paris", asked)).value == 1
    assert (await score(later, "x", asked)).value == 0.25
    assert await score(lambda _answer, _item: Score(value=0.5, why="half"), "x", asked) == Score(value=0.5, why="half")


async def test_no_answer_is_worth_nothing_and_the_scorer_is_not_asked() -> None:
    asked = []

    def scorer(answer: str, item: TaskItem) -> bool:
        asked.append(answer)
        return True

    found = await score(scorer, None, item("x"))
    assert (found.value, found.read, found.why) == (0, None, "no answer")
    assert asked == []


async def test_a_scorer_that_fails_is_an_error_that_names_the_item_and_no_wrong_answer() -> None:
    def broken(answer: str, item: TaskItem) -> bool:
        raise KeyError("oops")

    with pytest.raises(KeyError) as caught:
        await score(broken, "x", item("x"))
    assert caught.value.__notes__ == ["while scoring item 'q1'"]


@pytest.mark.parametrize("worth", [1.5, -0.1, float("nan"), None, "right"])
async def test_a_worth_that_is_none_is_refused(worth: object) -> None:
    with pytest.raises(ValidationError, match=r"item 'q1'; it must give a number in 0..1"):
        await score(lambda _answer, _item: worth, "x", item("x"))  # type: ignore[arg-type,return-value]


async def test_a_tie_is_worth_the_expected_score_of_drawing_from_it() -> None:
    found = await score_tied(Exact(), ["Paris", "Lyon", "Nice"], item("Paris"))
    assert found.value == pytest.approx(1 / 3)
    assert found.read == "Paris | Lyon | Nice"
    assert "tie of 3" in found.why
    assert (await score_tied(Exact(), ["Paris"], item("Paris"))).value == 1
    assert (await score_tied(Exact(), [], item("Paris"))).why == "no answer"


async def test_by_item_uses_what_the_item_names_or_what_fits_its_gold() -> None:
    by_item = ByItem()
    assert (await score(by_item, "Ito, Kim", item(("Kim", "Ito"), scorer="set"))).value == 1
    assert (await score(by_item, "Answer: 7.0", item(7))).value == 1
    assert (await score(by_item, "Answer: b", item("B", choices=("x", "y")))).value == 1
    assert (await score(by_item, "Answer: seven", item("Seven"))).value == 1
    assert [usual_scorer(item(gold)) for gold in (True, 1.5, "x", ("x",))] == ["exact", "numeric", "exact", "exact"]


def test_a_scorer_of_another_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValidationError, match=r"no scorer 'numerc' \(did you mean 'numeric'\?\)"):
        scorer_named("numerc")


def test_before_a_run_it_is_checked_that_all_items_can_be_scored() -> None:
    with pytest.raises(ConfigurationError, match="allow_code=True") as caught:
        ByItem().check([item("x"), item("assert True", scorer="code")])
    assert caught.value.__notes__ == ["item 'q1' asks for it"]
    ByItem(allow_code=True).check([item("assert True", scorer="code")])
    with pytest.raises(ValidationError, match="score it with a judge"):
        ByItem().check([item(None)])


async def test_a_number_with_the_name_it_was_asked_by_is_the_number() -> None:
    item = TaskItem(id="1", question="What is x?", gold="5")
    assert (await score(Exact(), "Answer: x = 5", item)).value == 1
    assert (await score(Exact(), "Answer: x = 6", item)).value == 0
