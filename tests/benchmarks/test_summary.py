"""What a comparison is worth in numbers: the denominators, the family, the cost, and what is not known."""

from __future__ import annotations

import math
import random

import pytest

from phalanx.benchmarks import markdown, summary
from phalanx.benchmarks.record import Comparison, Judging
from phalanx.benchmarks.statistics.correction import holm
from phalanx.benchmarks.statistics.distributions import NORMAL, z_of
from phalanx.benchmarks.statistics.intervals import mean, wilson
from phalanx.benchmarks.statistics.pareto import Measured, pareto
from phalanx.errors import ValidationError
from phalanx.messages import Usage
from tests.benchmarks.comparisons import attempt, comparison, debate, items, system

FIRST = [1.0] * 60 + [0.0] * 40
LATER = [1.0] * 80 + [0.0] * 20


def test_right_or_wrong_items_get_wilsons_interval() -> None:
    found = summary.of(comparison({"single": [1.0] * 85 + [0.0] * 15})).standing("single")
    assert found.accuracy == wilson(85, 100)
    assert (found.items, found.attempts, found.calls, found.tokens) == (100, 100, 100, 10_000)


def test_repeats_are_averaged_within_an_item_and_are_not_more_items() -> None:
    scores = {"q0": (1.0, 0.0), "q1": (1.0, 1.0), "q2": (0.0, 0.0), "q3": (1.0, 0.5)}
    made = tuple(attempt("a", item, score, repeat=at) for item, pair in scores.items() for at, score in enumerate(pair))
    found = summary.of(_of(made, items=4, repeats=2)).standing("a").accuracy
    assert found == mean([0.5, 1.0, 0.0, 0.75])
    assert found is not None
    assert found.n == 4


def test_a_tie_counts_as_what_a_draw_among_the_tied_is_worth() -> None:
    found = summary.of(comparison({"vote": [1.0, 0.5, 0.0, 0.5]})).standing("vote").accuracy
    assert found is not None
    assert found.value == 0.5


def test_items_of_one_document_widen_the_interval() -> None:
    scores = [float(place % 10 < 5) for place in range(200)]
    alone = summary.of(comparison({"a": scores})).standing("a").accuracy
    found = summary.of(comparison({"a": scores}, clusters=10))
    together = found.standing("a").accuracy
    assert found.clusters == 10
    assert alone is not None
    assert together is not None
    assert together.clusters == 10
    assert together == mean(scores, clusters=[place % 10 for place in range(200)])
    assert together.high is not None
    assert alone.high is not None
    assert together.high - together.value > 2 * (alone.high - alone.value)


def test_a_failure_stays_in_the_denominator_and_what_was_not_run_is_counted() -> None:
    made = (
        attempt("a", "q0", 1.0),
        attempt("a", "q1", 0.0, status="failed", error="boom", answer=None, read=None),
        attempt("a", "q2", 1.0, status="undecided"),
    )
    told = summary.of(_of(made, items=5))
    found = told.standing("a")
    assert found.accuracy is not None
    assert found.accuracy.value == pytest.approx(2 / 3)
    assert (found.failed, found.undecided, found.completed, found.not_run, found.items) == (1, 1, 1, 2, 3)
    assert "Failed attempts, which score 0: a (1 of 5)." in told.notes
    assert "Attempts not run: a (2 of 5)." in told.notes


def test_an_unknown_price_is_not_zero() -> None:
    made = (attempt("a", "q0", 1.0, usd=0.5), attempt("a", "q1", 1.0, usd=None))
    told = summary.of(_of(made, items=2))
    assert told.standing("a").usd is None
    assert told.standing("a").unpriced == 1
    assert told.unit == "tokens"
    assert "Attempts whose price is not known: a (1 of 2)." in told.notes


def test_cost_is_money_where_all_is_priced_and_the_sum_is_exact() -> None:
    told = summary.of(comparison({"a": [1.0] * 10, "b": [1.0] * 10}, usd={"a": 0.1, "b": 0.3}))
    assert told.unit == "usd"
    assert told.standing("a").usd == math.fsum([0.1] * 10)
    ratio = told.findings[0].verdict.cost_ratio
    assert ratio is not None
    assert ratio.value == pytest.approx(1 / 3)


def test_what_is_free_is_compared_by_tokens() -> None:
    told = summary.of(comparison({"a": [1.0], "b": [1.0]}, usd={"a": 0.0, "b": 0.0}, calls={"a": 4}))
    assert told.unit == "tokens"
    assert told.standing("a").usd == 0
    assert told.findings[0].verdict.cost_ratio is not None
    assert told.findings[0].verdict.cost_ratio.value == pytest.approx(4)


def test_a_unit_that_is_not_known_of_all_attempts_is_refused() -> None:
    with pytest.raises(ValidationError, match="'usd' is not known of all attempts of 'a'"):
        summary.of(comparison({"a": [1.0]}), unit="usd")
    with pytest.raises(ValidationError, match="none of usd, tokens, calls, seconds"):
        summary.of(comparison({"a": [1.0]}), unit="euros")  # type: ignore[arg-type]
    assert summary.of(comparison({"a": [1.0]}), unit="seconds").standing("a").cost == 0.5


def test_a_better_system_is_said_to_be_better_by_so_many_points_for_so_many_times_the_cost() -> None:
    told = summary.of(comparison({"debate": LATER, "vote": FIRST}, calls={"debate": 3}))
    found = told.findings[0]
    assert found.verdict.kind == "better"
    assert found.text.startswith("debate is better than vote by 20.0 points [+11.")
    assert found.text.endswith("for 3 times the tokens.")


def test_a_worse_system_is_said_to_be_worse_with_the_interval_the_same_way_round() -> None:
    found = summary.of(comparison({"debate": FIRST, "vote": LATER}, calls={"debate": 3})).findings[0]
    assert found.verdict.kind == "worse"
    assert found.text.startswith("debate is worse than vote by 20.0 points [+11.")


def test_two_that_never_differ_on_enough_items_are_tied() -> None:
    found = summary.of(comparison({"a": LATER * 10, "b": LATER * 10})).findings[0]
    assert found.verdict.kind == "tied"
    assert found.text.startswith("a and b are tied within ±2 points: 0.0 [")
    assert "for the same tokens" in found.text


def test_too_few_items_are_said_to_be_too_few_and_how_many_more_it_takes() -> None:
    found = summary.of(comparison({"a": [1.0, 1.0, 0.0, 1.0], "b": [0.0, 1.0, 1.0, 1.0]})).findings[0]
    assert found.verdict.kind == "not enough items"
    assert found.verdict.more_items is not None
    need = f"{found.verdict.more_items:,} more needed for a margin of 2 points"
    assert f"Not enough items to tell a from b ({need}): 0.0 points [" in found.text


def test_each_system_is_compared_with_its_baselines_first_and_all_share_one_family() -> None:
    scores = {"a": LATER, "b": FIRST, "vote of a": FIRST, "vote of b": LATER}
    told = summary.of(comparison(scores, baselines={"vote of a": "a", "vote of b": "b"}))
    pairs = [(each.verdict.a, each.verdict.b, each.baseline) for each in told.findings]
    assert pairs == [("a", "vote of a", True), ("b", "vote of b", True), ("a", "b", False)]
    expected = holm({str(at): each.verdict.p_value for at, each in enumerate(told.findings)})
    assert [each.verdict.adjusted for each in told.findings] == list(expected.values())


def test_a_difference_that_only_stands_out_alone_is_no_finding_among_many() -> None:
    rng = random.Random(3)
    close = {"a": [1.0] * 15 + [0.0] * 85, "b": [0.0] * 6 + [1.0] * 9 + [0.0] * 85}
    alone = summary.of(comparison(close)).findings[0]
    assert alone.verdict.kind == "better"
    noise = {f"n{at}": [float(rng.random() < 0.5) for _ in range(100)] for at in range(6)}
    many = summary.of(comparison({**close, **noise})).findings
    found = next(each for each in many if each.verdict.b == "b")
    assert found.verdict.kind == "not enough items"
    assert found.text.endswith("The interval excludes 0, but among 28 comparisons that may be chance.")


def test_a_pair_is_compared_on_the_items_that_both_have() -> None:
    made = tuple(attempt("a", f"q{at}", 1.0) for at in range(10)) + tuple(
        attempt("b", f"q{at}", 0.0) for at in range(4)
    )
    told = summary.of(_of(made, items=10, names=("a", "b")))
    assert told.findings[0].verdict.difference.n == 4
    assert told.front is not None
    assert told.front.n == 4
    assert "The front of accuracy against cost is of the 4 items that all its systems have." in told.notes


def test_a_system_that_was_not_run_is_named_and_never_scored() -> None:
    told = summary.of(_of((attempt("a", "q0", 1.0),), items=1, names=("a", "b"), stopped="the limit of 1 usd"))
    assert told.standing("b").accuracy is None
    assert told.standing("b").usd is None
    assert told.standing("b").not_run == 1
    assert "Not run at all: b." in told.notes
    assert "The comparison ended early: the limit of 1 usd." in told.notes
    assert told.findings == ()


def test_nothing_run_at_all_is_a_summary_without_numbers() -> None:
    told = summary.of(_of((), items=3))
    assert told.front is None
    assert told.standing("a").accuracy is None


def test_the_front_is_that_of_the_bootstrap_with_the_seed_of_the_comparison() -> None:
    told = summary.of(comparison({"cheap": FIRST, "dear": LATER, "bad": FIRST}, calls={"dear": 5, "bad": 6}))
    ones = [1.0] * 100
    expected = pareto(
        {
            "cheap": Measured(FIRST, [100 * one for one in ones]),
            "dear": Measured(LATER, [500 * one for one in ones]),
            "bad": Measured(FIRST, [600 * one for one in ones]),
        },
        seed=7,
    )
    assert told.front == expected
    assert {point.system: point.on_front for point in expected.points} == {"cheap": True, "dear": True, "bad": False}


def test_the_detectable_difference_is_that_of_the_spread_seen() -> None:
    right = summary.of(comparison({"a": LATER, "b": FIRST})).findings[0]
    squares = (z_of(0.95) + NORMAL.inv_cdf(0.8)) ** 2
    assert right.detectable == pytest.approx(math.sqrt(squares * 0.2 / (100 + squares)))
    parts = summary.of(comparison({"a": [0.5, 0.2, 0.9, 0.4], "b": [0.1, 0.3, 0.2, 0.4]})).findings[0]
    assert parts.verdict.difference.se is not None
    assert parts.detectable == pytest.approx(math.sqrt(squares) * parts.verdict.difference.se)
    assert summary.of(comparison({"a": FIRST, "b": FIRST})).findings[0].detectable is None


def test_the_origin_names_items_seed_version_and_commit() -> None:
    assert summary.of(comparison({"a": FIRST})).origin == ("100 items, 1 repeat, seed 7, Phalanx 1.2.3, commit abc1234")
    assert "commit unknown" in summary.of(comparison({"a": FIRST}, commit=None)).origin


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        ({"attempts": (attempt("ghost", "q0", 1.0),)}, "'ghost', which is no system"),
        ({"attempts": (attempt("a", "q9", 1.0),)}, "'q9', which is no item"),
        ({"attempts": (attempt("a", "q0", 1.0), attempt("a", "q0", 0.0))}, "repeat 0 of 'q0' twice"),
        ({"attempts": (attempt("a", "q0", 1.0, repeat=1),)}, "count from 0 to 0"),
        ({"systems": (system("a"), system("a"))}, "more than one system 'a'"),
        ({"items": items(1) * 2}, "more than one item with id 'q0'"),
    ],
)
def test_attempts_that_do_not_fit_the_comparison_are_refused(broken: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        summary.of(comparison({"a": [1.0]}).model_copy(update=broken))


def test_the_order_of_attempts_does_not_matter() -> None:
    told = comparison({"a": LATER, "b": FIRST})
    mixed = list(told.attempts)
    random.Random(1).shuffle(mixed)
    assert summary.of(told.model_copy(update={"attempts": tuple(mixed)})) == summary.of(told)


def test_a_summary_survives_json() -> None:
    rounds = [[[True, True, False], [True, True, True]], [[False, False, True], [False, False, False]]]
    for told in (comparison({"a": LATER, "b": FIRST}), debate(rounds)):
        found = summary.of(told)
        assert summary.Summary.model_validate_json(found.model_dump_json()) == found


def test_a_system_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(ValidationError, match="there is no system 'z' in 'quiz'; there are a"):
        summary.of(comparison({"a": FIRST})).standing("z")


def _of(made: tuple[object, ...], *, names: tuple[str, ...] = ("a",), **facts: object) -> Comparison:
    number = facts.pop("items")
    assert isinstance(number, int)
    return Comparison.model_validate(
        {
            "name": "quiz",
            "tasks": "doubling",
            "systems": tuple(system(name) for name in names),
            "items": items(number),
            "attempts": made,
            **facts,
        }
    )


def test_what_the_judges_did_and_cost_is_said() -> None:
    judged = comparison({"a": [1.0, 0.0]}).model_copy(
        update={"judging": Judging(judgements=2, judges=3, usage=Usage(12), turned=1, agreement=0.5, alpha=0.25)}
    )
    told = summary.of(judged)
    (line,) = [note for note in told.notes if note.startswith("Judges: 2 answers by 3, 12 calls")]
    assert "50% of the pairs of judges agree (Krippendorff's alpha 0.25)" in line
    assert line in markdown.of(told)
